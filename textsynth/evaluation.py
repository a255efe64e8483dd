"""Evaluate two files, or a run: fidelity, text, diversity, utility and privacy, each number beside the holdout's.

Every section gives what it can; what cannot be computed is said in `notes`, and the other sections still come.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from textsynth.errors import InputError, MissingExtraError
from textsynth.inputs.compared import Compared, compared, read_sample
from textsynth.inputs.dialects import fast_validator
from textsynth.inputs.left_out import LeftOut
from textsynth.inputs.schemas import load_schema, property_schemas
from textsynth.outputs.store import Store
from textsynth.prepare import Prepared
from textsynth.records import rng_for
from textsynth.similarity.encoder import Encoder

MOST_RECORDS = 50_000  # of each file; more are sampled, and that is said
MOST_OF_A_RUN, FEWEST_OF_A_RUN = 2_000, 20  # accepted records, and seeds of either side
_GATE = re.compile(r"\s*([a-z_]+\.[a-z0-9_]+)\s*(<=|>=|<|>)\s*(-?[0-9.]+(?:e-?[0-9]+)?)\s*$")
_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def evaluate(
    synthetic: str | Path, real: str | Path, holdout: str | Path | None = None, *, label: str | None = None,
    text: Sequence[str] = (), quasi_identifiers: Sequence[str] = (), columns: Mapping[str, str] | None = None,
    schema: str | None = None, require: Sequence[str] = (), encoder: Encoder | str = "minilm-l6",
    most: int = MOST_RECORDS, rng_seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Compare a file of synthetic records with the real ones.

    Args:
        synthetic, real, holdout: jsonl, csv or parquet files (also .gz) or folders. `real` is what the generator
            saw, `holdout` genuine records that it did not see; without one, a fifth of `real` is set aside.
        label: the column that models are trained to predict, for utility.
        text: columns that are free text; others are found out.
        quasi_identifiers: columns whose combinations are counted.
        columns: names in the synthetic file -> names in the real one.
        schema: a JSON Schema, built in or a file, with the rules that records should keep.
        require: conditions such as `privacy.longest_span<8`.
        encoder: an `Encoder`, or the name of a model, used if its extra is installed.
        most: records used of each file.

    Returns:
        What `schemas/metrics.schema.json` calls an evaluation.

    Raises:
        InputError: a file cannot be read, an option names no column, or a condition is not one.
    """
    gates = [_parse(text) for text in require]
    rows: dict[str, Any] = {}
    files: dict[str, Any] = {}
    notes: list[str] = []
    for which, source in (("synthetic", synthetic), ("real", real), ("holdout", holdout)):
        if source is not None:
            rng, left_out = rng_for(rng_seed, "evaluate", which), LeftOut()
            rows[which], count = read_sample(str(source), f"--{which}", most, rng, left_out)
            files[which] = {"name": Path(source).name, "records": count}
            notes += [f"--{which}: {sentence}" for sentence in left_out.sentences()]
    data = compared(rows, files, columns or {}, text, rng_seed)
    data.notes.extend(notes)
    for which, file in files.items():
        if not file.get("from_real") and file["records"] > most:
            data.notes.append(f"--{which}: {most:,} of {file['records']:,} records are used, drawn at random.")
    rules = load_schema(schema, Path("evaluate --schema")) if schema else None
    return _evaluate_rows(data, label, quasi_identifiers, gates, _loadable(encoder, data.notes), rules, rng_seed)


def evaluate_run(prepared: Prepared, store: Store, encoders: Sequence[Encoder]) -> dict[str, Any]:
    """The accepted records of a run beside its seeds: those shown are the real records, the others the holdout.

    At most MOST_OF_A_RUN of each are compared, spread evenly or drawn. The label is the first category of `match`, else
    the category of at most ten values that has most of them.
    """
    try:
        return _of_run(prepared, store, encoders)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # no number is worth a finished run
        said = (
            f"Not compared with real records: {type(error).__name__}. Use textsynth evaluate on the accepted records."
        )
        return _nothing({}, said)


def _nothing(files: Mapping[str, Any], said: str) -> dict[str, Any]:
    empty = {which: {"name": "", "records": 0, "used": 0} for which in ("synthetic", "real", "holdout")}
    return {"files": {**empty, **files}, "metrics": {}, "columns": [], "requirements": [], "notes": [said]}


def _of_run(prepared: Prepared, store: Store, encoders: Sequence[Encoder]) -> dict[str, Any]:
    rng_seed, seeds, match = prepared.job.rng_seed, prepared.seeds, list(prepared.job.plan.match or ())
    rows = [row["fields"] for row in store.records("accepted", MOST_OF_A_RUN)]
    total = next(store.rows("SELECT COUNT(*) AS count FROM records WHERE state = 'accepted'"))["count"]
    sets: dict[str, Any] = {"synthetic": rows}
    files: dict[str, Any] = {"synthetic": {"name": "accepted records", "records": total, "used": len(rows)}}
    for which, name, some in (("real", "seeds shown", seeds.shown), ("holdout", "seeds held out", seeds.holdout)):
        drawn = rng_for(rng_seed, "evaluate", which).sample(range(len(some)), min(len(some), MOST_OF_A_RUN))
        sets[which] = [dict(some[at].data) for at in sorted(drawn)]
        files[which] = {"name": name, "records": len(some), "used": len(drawn)}
    if few := [f"{len(sets[which])} {files[which]['name']}" for which in sets if len(sets[which]) < FEWEST_OF_A_RUN]:
        said = f"Not compared with real records: {' and '.join(few)} say too little ({FEWEST_OF_A_RUN} are needed)."
        return _nothing(files, said)
    names = [name for name in prepared.properties if all(any(name in row for row in rows) for rows in sets.values())]
    if not names:
        said = "Not compared with real records: no field is in accepted records, shown seeds and held-out seeds alike."
        return _nothing(files, said)
    data = compared(sets, files, {}, (), rng_seed)
    sizes = {name: data.frame("real")[name].nunique() for name in data.of_kind("category")}
    few_values = {name: size for name, size in sizes.items() if 2 <= size <= 10}
    label = next(
        (name for name in match if name in few_values), max(few_values, key=few_values.__getitem__, default=None)
    )
    if not encoders and data.of_kind("text"):
        data.notes.append("embeddings: left out, since no filter of the job has an encoder.")
    return _evaluate_rows(data, label, (), (), next(iter(encoders), None), prepared.schema, rng_seed)


def _evaluate_rows(
    data: Compared, label: str | None, quasi_identifiers: Sequence[str], gates: Sequence[tuple[str, str, str, float]],
    encoder: Encoder | None, schema: Mapping[str, Any] | None, rng_seed: int,
) -> dict[str, Any]:  # fmt: skip
    """The same, of rows that are read and typed."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    from textsynth.metrics import sections
    from textsynth.metrics.privacy import cells
    from textsynth.metrics.risks import privacy_section

    for name in (label, *quasi_identifiers):
        if name is not None and name not in data.kinds:
            raise InputError(f"evaluate: {name} is no column of both files. Columns: {', '.join(data.kinds)}.")
    rng = np.random.default_rng(rng_seed)
    parts = sections.Sections(data.rows, data.kinds, {w: data.frame(w) for w in data.rows}, data.notes, rng, rng_seed)
    texts = {which: data.texts(which) for which in data.rows} if data.of_kind("text") else {}
    vectors = _vectors(texts, encoder, data.notes) if encoder is not None else {}
    with threadpool_limits(1):  # so that no sum depends on how many cores there are, or how busy they are
        parts.columns_section()
        if schema is not None:
            parts.add("fidelity", {"rules_kept": _rules_kept(data, schema)})
        if texts:
            parts.text_section(texts, vectors)
        if label is not None:
            parts.utility_section(label, vectors)
        privacy_section(parts, texts, vectors)
    found: dict[str, Any] = {"files": data.files, "metrics": parts.metrics, **parts.details}
    if quasi_identifiers:
        found["cells"] = cells(data.rows["synthetic"], quasi_identifiers)
        smallest = cells(data.rows["holdout"], quasi_identifiers)["smallest"]
        parts.add("privacy", {"smallest_cell": {
            "value": found["cells"]["smallest"], "ceiling": smallest, "low": None, "high": None,
        }})  # fmt: skip
    found["requirements"] = [_judge(gate, parts.metrics) for gate in gates]
    found["notes"] = data.notes
    return found


def failed(evaluation: Mapping[str, Any]) -> list[str]:
    """What each requirement that is not met says."""
    return [gate["said"] for gate in evaluation["requirements"] if not gate["passed"]]


def write_metrics(evaluation: Mapping[str, Any], folder: Path) -> Path:
    """Write metrics.json into a folder, which is made if it is not there."""
    from textsynth.outputs.export import replacing

    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "metrics.json") as file:
        file.write(
            (json.dumps({"evaluation": evaluation}, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()
        )
    return folder / "metrics.json"


def _loadable(encoder: Encoder | str, notes: list[str]) -> Encoder | None:
    from textsynth.similarity.encoder import TextEncoder

    if not isinstance(encoder, str):
        return encoder
    try:
        TextEncoder.check_installed("evaluate")
    except MissingExtraError as error:
        notes.append(f"embeddings: left out. {error}")
        return None
    return TextEncoder(encoder)


def _rules_kept(data: Compared, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The share of records that are valid as they stand, or with null for what is missing."""
    from textsynth.metrics.estimate import share

    valid, names = fast_validator(schema).is_valid, list(property_schemas(schema))
    kept = [
        sum(valid(row) or valid({name: row.get(name) for name in names}) for row in data.rows[which])
        for which in ("synthetic", "holdout")
    ]
    top = len(data.rows["holdout"])
    return share(kept[0], len(data.rows["synthetic"]), kept[1] / top if top else None)


def _vectors(texts: Mapping[str, list[str]], encoder: Encoder, notes: list[str]) -> dict[str, Any]:
    """Unit rows of each set's texts, the mean of a text's windows; none where the encoder's extra is not installed."""
    from textsynth.similarity.encoder import encode_windows, text_rows

    if not texts:
        return {}
    try:
        every = [text for some in texts.values() for text in some]
        rows = text_rows(*encode_windows(encoder, every))
    except MissingExtraError as error:
        notes.append(f"embeddings: left out. {error}")
        return {}
    found, first = {}, 0
    for which, some in texts.items():
        found[which] = rows[first : first + len(some)]
        first += len(some)
    return found


def _parse(text: str) -> tuple[str, str, str, float]:
    found = _GATE.match(text)
    if not found:
        raise InputError(f"--require is {text}. Use NAME<NUMBER or NAME>=NUMBER, such as privacy.longest_span<8.")
    return text.strip(), found[1], found[2], float(found[3])


def _judge(gate: tuple[str, str, str, float], metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    text, name, sign, bound = gate
    group, _, key = name.partition(".")
    value = metrics.get(group, {}).get(key, {}).get("value")
    passed = value is not None and _HOLDS[sign](value, bound)
    known = ", ".join(f"{g}.{k}" for g, some in metrics.items() for k in some)
    said = f"{name} is {value:g}, and {sign} {bound:g} is required." if value is not None else (
        f"{name} was not computed, and {sign} {bound:g} is required. Computed: {known}."
    )  # fmt: skip
    return {"text": text, "metric": name, "value": value, "passed": passed, "said": said}
