"""report.html: one page that says what a run made, what is claimed of it and what is not; and its numbers as JSON.

The page loads nothing and runs no script. Seed text never stands in it; a field copied from a seed row is labeled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from textsynth.metrics.run import RAW_SCORES, run_metrics
from textsynth.outputs.charts import histogram_chart, round_chart
from textsynth.outputs.export import accepted_records, replacing
from textsynth.outputs.shortfall import cell_numbers
from textsynth.outputs.store import Store
from textsynth.outputs.verdict import claims, gates, verdict, words_for
from textsynth.yaml12 import dump_yaml

SHOWN = 20  # accepted records that the page shows, spread evenly over the run
Numbers = Mapping[str, Any]

_NEW_GROUND = (
    "share of judged records that were accepted and lie farther from those before them than a seed usually lies from "
    "its nearest neighbor; an upright line: from here on, more was done against saturation"
)

_SCORES = {
    "span": ("Longest run of words shared with a seed", "words"),
    "overlap": ("Overlap of three-word runs with the nearest seed", "overlap"),
    "similarity": ("Similarity in meaning to the nearest seed", "similarity"),
    "row_similarity": ("Similarity to the closest seed row", "similarity"),
    "score": ("The gate's own score: the largest of these, scaled", "score"),
    "p_value": ("Conformal p-value: left of the gate is refused", "p-value"),
}


def write_report(store: Store, folder: Path) -> Path:
    """Write metrics.json and report.html of a run, finished or not; returns the page's path.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    meta = {key: store.get(key) for key in (
        "job", "job_name", "status", "shortfall", "elapsed", "started", "seeds", "sources", "engine", "hashes",
        "versions", "notes", "said",
    )}  # fmt: skip
    evidence = store.get("evidence") or {}
    target = sum(cell["quota"] for cell in store.get("cells") or ())
    numbers = run_metrics(store.judged(), store.rounds(), target, meta["sources"] or {}, evidence.get("leakage"))
    numbers |= {"cells": cell_numbers(store)}
    numbers |= {"status": meta["status"] or "running", "totals": store.totals(), "seeds": meta["seeds"] or {}}
    with replacing(folder / "metrics.json") as file:
        file.write((json.dumps(numbers, ensure_ascii=False, indent=2) + "\n").encode())
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    page = environment.get_template("report.html").render(
        meta=meta,
        numbers=numbers,
        verdict=verdict(numbers, meta),
        claims=claims(numbers, meta),
        gates=gates(numbers, meta, evidence),
        refusals=[row | {"words": words_for(row["reason"])} for row in numbers["reasons"]],
        charts=[chart | {"svg": Markup(chart["svg"])} for chart in _charts(numbers)],  # noqa: S704 - made of numbers
        records=list(_shown(store, numbers["accepted"], meta["sources"] or {})),
        job=dump_yaml(meta["job"] or {}),
        facts=list(_facts(meta, numbers)),
    )
    with replacing(folder / "report.html") as file:
        file.write(page.encode())
    return folder / "report.html"


def _shown(store: Store, accepted: int, sources: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Accepted records spread evenly over the run, each with its facts, texts, and what is behind them."""
    wanted = {at * accepted // min(SHOWN, accepted) for at in range(min(SHOWN, accepted))}
    for at, row in enumerate(accepted_records(store)):
        if at not in wanted:
            continue
        facts: list[dict[str, str]] = []
        texts: list[dict[str, str]] = []
        for name, value in row["fields"].items():
            source = sources.get(name, "written")
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            (texts if source == "written" else facts).append({"name": name, "text": text, "source": source})
        behind = {key: row[key] for key in ("attributes", "working", "lineage")}
        yield {
            "id": row["id"],
            "facts": facts,
            "texts": texts,
            "verdicts": store.verdicts(row["id"]),
            "behind": {name: json.dumps(part, ensure_ascii=False, indent=1) for name, part in behind.items() if part},
        }


def _charts(numbers: Numbers) -> Iterator[dict[str, str]]:
    """Each chart with its caption; none for what the run has no numbers of."""
    for name, title, note in (
        ("yield_rate", "Yield by round", ""),
        ("new_ground_rate", "New ground by round", _NEW_GROUND),
    ):
        if any(row[name] is not None for row in numbers["rounds"]):
            yield {"title": title, "note": note, "svg": round_chart(numbers["rounds"], name, title)}
    words = numbers["words"]
    if words["summary"]["accepted"]:
        yield {
            "title": "Length of the written text",
            "note": _beside(words["summary"]),
            "svg": histogram_chart(words["histogram"], "words"),
        }
    leakage = numbers["leakage"] or {"scores": {}, "gate": {}, "max_span": None}
    for name, score in leakage["scores"].items():
        policy = leakage["max_span"] if name == "span" else None
        title, label = _SCORES[name]
        yield {
            "title": title,
            "note": _beside(score["summary"]) if name in RAW_SCORES else "",
            "svg": histogram_chart(score["histogram"], label, leakage["gate"].get(name), policy),
        }


def _beside(groups: Mapping[str, Mapping[str, float] | None]) -> str:
    """Median, 90% and most of the accepted records, beside those of genuine ones."""
    names = {"accepted": "accepted", "calibration": "genuine"}
    return "; ".join(
        f"{said}: median {found['median']:.3g}, 90% up to {found['p90']:.3g}, most {found['max']:.3g}"
        for key, said in names.items()
        if (found := groups.get(key))
    )


def _facts(meta: Mapping[str, Any], numbers: Numbers) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Small tables at the end of the page: title, then name and value."""
    totals = {name.replace("_", " "): f"{count:,}" for name, count in numbers["totals"].items()}
    for title, table in (
        ("Engine", meta["engine"]), ("Totals", totals), ("Seeds", meta["seeds"]), ("Fields", meta["sources"]),
        ("Hashes (sha256)", meta["hashes"]), ("Versions", meta["versions"]),
    ):  # fmt: skip
        if table:
            yield title, _flat(table)


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= {f"{name} · {key}": part for key, part in _flat(value).items()}
        else:
            flat[str(name).replace("_", " ")] = "none" if value is None else value
    return flat
