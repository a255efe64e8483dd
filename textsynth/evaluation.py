"""Evaluate a finished set: fidelity, text, diversity, utility and privacy, each number beside the holdout's.

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
from textsynth.records import rng_for

MOST_RECORDS = 50_000  # of each file; more are sampled, and that is said
_GATE = re.compile(r"\s*([a-z_]+\.[a-z0-9_]+)\s*(<=|>=|<|>)\s*(-?[0-9.]+(?:e-?[0-9]+)?)\s*$")
_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def evaluate(
    synthetic: str | Path, real: str | Path, holdout: str | Path | None = None, *, label: str | None = None,
    text: Sequence[str] = (), quasi_identifiers: Sequence[str] = (), columns: Mapping[str, str] | None = None,
    require: Sequence[str] = (), encoder: Any = None, most: int = MOST_RECORDS, rng_seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Compare a file of synthetic records with the real ones.

    Args:
        synthetic, real, holdout: jsonl, csv or parquet files (also .gz) or folders. `real` is what the generator
            saw, `holdout` genuine records that it did not see; without one, a fifth of `real` is set aside.
        label: the column that models are trained to predict, for utility.
        text: columns that are free text; others are found out.
        quasi_identifiers: columns whose combinations are counted.
        columns: names in the synthetic file -> names in the real one.
        require: conditions such as `privacy.longest_span<8`.
        encoder: an `Encoder`, or the name of a model; default: the embedded one, if its extra is installed.
        most: records used of each file.

    Returns:
        What `schemas/metrics.schema.json` calls an evaluation.

    Raises:
        InputError: a file cannot be read, an option names no column, or a condition is not one.
    """
    gates = [_parse(text) for text in require]
    rows: dict[str, Any] = {}
    files: dict[str, Any] = {}
    for which, source in (("synthetic", synthetic), ("real", real), ("holdout", holdout)):
        if source is not None:
            rows[which], count = read_sample(str(source), f"--{which}", most, rng_for(rng_seed, "evaluate", which))
            files[which] = {"name": Path(source).name, "records": count}
    data = compared(rows, files, columns or {}, text, rng_seed)
    for which, file in files.items():
        if not file.get("from_real") and file["records"] > most:
            data.notes.append(f"--{which}: {most:,} of {file['records']:,} records are used, drawn at random.")
    return evaluate_rows(data, label, quasi_identifiers, gates, encoder, rng_seed)


def evaluate_rows(
    data: Compared, label: str | None, quasi_identifiers: Sequence[str], gates: Sequence[tuple[str, str, str, float]],
    encoder: Any, rng_seed: int,
) -> dict[str, Any]:  # fmt: skip
    """The same, of rows that are read and typed."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    from textsynth.metrics import sections
    from textsynth.metrics.privacy import cells

    for name in (label, *quasi_identifiers):
        if name is not None and name not in data.kinds:
            raise InputError(f"evaluate: {name} is no column of both files. Columns: {', '.join(data.kinds)}.")
    rng = np.random.default_rng(rng_seed)
    parts = sections.Sections(data.rows, data.kinds, {w: data.frame(w) for w in data.rows}, data.notes, rng, rng_seed)
    texts = {which: data.texts(which) for which in data.rows} if data.of_kind("text") else {}
    vectors = _vectors(texts, encoder, data.notes)
    with threadpool_limits(1):  # so that no sum depends on how many cores there are, or how busy they are
        parts.columns_section()
        if texts:
            parts.text_section(texts, vectors)
        if label is not None:
            parts.utility_section(label, vectors)
        parts.privacy_section(texts, vectors)
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


def _vectors(texts: Mapping[str, list[str]], encoder: Any, notes: list[str]) -> dict[str, Any]:
    """Unit rows of each set's texts, the mean of a text's windows; none where the encoder's extra is not installed."""
    from textsynth.similarity.encoder import TextEncoder, encode_windows, text_rows

    if not texts:
        return {}
    try:
        if encoder is None or isinstance(encoder, str):
            TextEncoder.check_installed("evaluate")
            encoder = TextEncoder(encoder or "minilm-l6")
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
