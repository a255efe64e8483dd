"""The dataset card of an exported set: a README.md with the hub's YAML metadata, and everything that a reader needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from textsynth.models import EMBEDDED
from textsynth.outputs.layouts import Layout
from textsynth.outputs.report import numbers_of
from textsynth.outputs.store import Store
from textsynth.outputs.verdict import claims, words_for
from textsynth.yaml12 import dump_yaml

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_MEANT = {
    "records": "Records for tests, demonstrations and analyses that real ones may not be used for.",
    "preference": "Preference tuning of language models: a prompt, an answer that was chosen and one that was not.",
    "chat": "Supervised fine-tuning of language models.",
}


def card(store: Store, layout: Layout, parts: Mapping[str, int], left_out: Mapping[str, int], format: str) -> str:
    """The card of an export.

    Args:
        parts: records of each split; a single one is named "".
        left_out: why how many accepted records are not in it.
    """
    meta = {key: store.get(key) for key in (
        "job", "seeds", "sources", "engines", "hashes", "versions", "elapsed", "engine",
    )}  # fmt: skip
    numbers, total = numbers_of(store), sum(parts.values())
    name = Path(str((meta["job"] or {}).get("record_schema") or "records")).stem
    head: dict[str, Any] = {
        "pretty_name": name,
        "license": "other",
        "license_name": "seeds-and-models",
        "license_link": "#licenses",
        "tags": ["synthetic", "textsynth"],
        "size_categories": [next((name for most, name in _SIZES if total < most), "n>1M")],
    }
    if format != "dataset":
        files = [{"split": name, "path": f"{name}.{format}"} for name in parts]
        head["configs"] = [{"config_name": "default", "data_files": files}]
    sections = [
        f"---\n{dump_yaml(head)}---\n\n# {name}\n",
        f"{total:,} synthetic records, laid out as `{layout.name}`, made with textsynth "
        f"{(meta['versions'] or {}).get('textsynth', '')}. What is claimed of them, and what not, stands below.\n",
        "\n".join(_load(parts, format)),
        "\n".join(_made(meta, numbers)),
        "\n".join(_licenses(meta)),
        "\n".join(_counts(numbers, parts, left_out)),
        "\n".join(_measured(numbers.get("evaluation") or {})),
        "\n".join(_use(layout, claims(numbers, meta))),
    ]
    return "\n".join(part for part in sections if part)


def _load(parts: Mapping[str, int], format: str) -> Iterator[str]:
    read = 'load_from_disk("PATH")' if format == "dataset" else 'load_dataset("PATH")'
    yield f"## Load\n\n```python\nimport datasets\n\ndata = datasets.{read}\n"
    yield 'data.push_to_hub("YOU/NAME")  # all splits, with this card beside them\n```\n'


def _made(meta: Mapping[str, Any], numbers: Mapping[str, Any]) -> Iterator[str]:
    job, seeds = meta["job"] or {}, meta["seeds"] or {}
    yield "## How it was made\n\nA plan drew what each record is about, a language model wrote it down under the "
    yield "grammar of the record schema, and filters decided what is kept.\n"
    yield "| | |\n|---|---|"
    for engine in meta["engines"] or ():
        yield f"| model | {_cell(engine.get('model'))} ({engine.get('type')}; {_cell(engine.get('fingerprint'))}) |"
    yield f"| seeds | {seeds.get('shown', 0):,} shown, {seeds.get('holdout', 0):,} held out |"
    for number, step in enumerate(job.get("steps") or ()):
        yield f"| step {number + 1} | prompt {_cell(step['prompt'])}, {step['few_shot']} examples |"
    for source, names in _by_source(meta["sources"] or {}).items():
        yield f"| {source} fields | {_cell(', '.join(names))} |"
    for spec in job.get("filters") or ():
        given = {k: v for k, v in spec.items() if k not in ("type", "rules") and v is not None}
        yield f"| filter {spec['type']} | {_cell(', '.join(f'{k}: {v}' for k, v in given.items()) or 'as it is')} |"
    yield f"| rng_seed | {job.get('rng_seed')} |"
    totals = numbers["totals"]
    yield f"| tokens | {totals['prompt_tokens']:,} read, {totals['completion_tokens']:,} written |\n"


def _licenses(meta: Mapping[str, Any]) -> Iterator[str]:
    yield "## Licenses\n"
    for engine in meta["engines"] or ():
        model = str(engine.get("model"))
        known = EMBEDDED[model].license if model in EMBEDDED else "see its own card, also for what it says of outputs"
        yield f"- Model {model}: {known}."
    license = ((meta["job"] or {}).get("seeds") or {}).get("license")
    yield f"- Seeds: {license or 'not stated in the job (`seeds.license`); state it before you share this set'}.\n"


def _counts(numbers: Mapping[str, Any], parts: Mapping[str, int], left_out: Mapping[str, int]) -> Iterator[str]:
    yield "## Counts\n\n| | records |\n|---|---|"
    yield f"| made | {numbers['completed']:,} |"
    for row in numbers["reasons"]:
        yield f"| refused: {words_for(row['reason'])} (`{row['reason']}`) | {row['count']:,} |"
    yield f"| accepted | {numbers['accepted']:,} |"
    for why, count in left_out.items():
        yield f"| left out of this set: {why} | {count:,} |"
    for name, count in parts.items():
        yield f"| {f'split {name}' if name else 'in this set'} | {count:,} |"
    if len(parts) > 1:
        yield "\nNear duplicates (Jaccard similarity of three-word runs of 0.5 or more), and records copied from one "
        yield "seed, are never in two splits."
    yield ""


def _measured(evaluation: Mapping[str, Any]) -> Iterator[str]:
    metrics = evaluation.get("metrics") or {}
    if not metrics:
        return
    yield "## Measured\n\nThe ceiling is real records that were held out, measured in the same way.\n"
    yield "| metric | this set | ceiling |\n|---|---|---|"
    for group, some in metrics.items():
        for name, one in some.items():
            value, ceiling = ("-" if one[key] is None else f"{one[key]:.4g}" for key in ("value", "ceiling"))
            yield f"| {one['title']} (`{group}.{name}`) | {value} | {ceiling} |"
    yield ""


def _use(layout: Layout, said: Mapping[str, Any]) -> Iterator[str]:
    kind = "preference" if layout.name.startswith("preference") else layout.name if layout.name in _MEANT else "chat"
    yield f"## Intended use\n\n{_MEANT[kind]}\n"
    yield "## Limits\n\nThe texts are a language model's: they can be wrong, and nobody has read them all. Do not take "
    yield "them for statements about anyone.\n"
    for title, key in (("Claimed", "claimed"), ("Not claimed", "not_claimed")):
        if said[key]:
            yield f"{title}:\n"
            yield from (f"- {sentence}" for sentence in said[key])
            yield ""


def _by_source(sources: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, source in sources.items():
        found.setdefault(source, []).append(name)
    return found


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
