"""report.html: one page that says what a run made, what is claimed of it and what is not; and its numbers as JSON.

The page loads nothing; it runs one script of its own, which its policy names by hash. Seed text never stands in it; a
field copied from a seed row is labeled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from textsynth.metrics.judges import judges_of
from textsynth.metrics.run import RAW_SCORES, run_metrics
from textsynth.outputs.browser import browsed, scores_in_words
from textsynth.outputs.charts import histogram_chart, round_chart
from textsynth.outputs.evaluation_charts import evaluation_charts
from textsynth.outputs.export import accepted_records, replacing
from textsynth.outputs.marks import CHARACTERS, shown
from textsynth.outputs.page import render
from textsynth.outputs.shortfall import cell_numbers
from textsynth.outputs.store import Store
from textsynth.outputs.verdict import claims, evaluation_verdict, gates, verdict, words_for
from textsynth.records import combination
from textsynth.yaml12 import dump_yaml

SHOWN = 20  # accepted records that the page shows, spread evenly over the run
_MOST_CELLS = 20
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

    What `textsynth evaluate` would say of the run stands in it where the store has it, as `evaluation`.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    meta = {key: store.get(key) for key in (
        "job", "job_name", "status", "shortfall", "elapsed", "started", "seeds", "sources", "engine", "hashes",
        "versions", "notes", "said",
    )}  # fmt: skip
    numbers, evidence, evaluation = numbers_of(store), store.get("evidence") or {}, store.get("evaluation")
    with replacing(folder / "metrics.json") as file:
        file.write((json.dumps(numbers, ensure_ascii=False, indent=2) + "\n").encode())
    records, which = browsed(store, numbers["completed"], meta["sources"] or {})
    page = render(
        meta=meta,
        name=meta["job_name"] or "run",
        started=meta["started"],
        numbers=numbers,
        verdict=verdict(numbers, meta),
        claims=claims(numbers, meta),
        gates=gates(numbers, meta, evidence),
        refusals=[row | {"words": words_for(row["reason"])} for row in numbers["reasons"]],
        cells=_cells(numbers),
        charts=list(_charts(numbers)),
        evaluation=evaluation,
        evaluation_charts=list(evaluation_charts(evaluation)) if evaluation else [],
        records=list(_shown(store, meta["sources"] or {})),
        browsed=which,
        data={"records": records},
        job=dump_yaml(meta["job"] or {}),
        facts=list(_facts(meta, numbers)),
    )
    return _written(page, folder / "report.html")


def numbers_of(store: Store) -> dict[str, Any]:
    """What metrics.json holds."""
    target = sum(cell["quota"] for cell in store.get("cells") or ())
    leakage, evaluation = (store.get("evidence") or {}).get("leakage"), store.get("evaluation")
    judges = judges_of((store.get("job") or {}).get("steps") or ())
    numbers = run_metrics(store.judged(), store.rounds(), target, store.get("sources") or {}, leakage, judges)
    numbers |= {"cells": cell_numbers(store), "status": store.get("status") or "running", "totals": store.totals()}
    benchmarks = ((store.get("evidence") or {}).get("decontaminate") or {}).get("benchmarks") or {}
    if found := (store.get("evidence") or {}).get("identifiers"):
        numbers["identifiers"] = found
    refused = numbers.pop("contaminated")
    numbers["benchmarks"] = {name: {"texts": n, "refused": refused.get(name, 0)} for name, n in benchmarks.items()}
    numbers |= {"min_cell": smallest_cell(store)} if store.get("min_cell") else {}
    return numbers | {"seeds": store.get("seeds") or {}} | ({"evaluation": evaluation} if evaluation else {})


def smallest_cell(store: Store) -> dict[str, Any]:
    """How many shown seeds stand behind each accepted record's combination of quasi-identifiers; `smallest`: fewest.

    Counted anew over the accepted records, whatever was planned. `below`: records whose combination fewer than k have.
    """
    kept = store.get("min_cell")
    behind = [kept["seeds"].get(combination(row["fields"], kept["counted"]), 0) for row in store.records("accepted")]
    plain = {key: kept[key] for key in ("k", "of", "counted", "left_out")}
    return plain | {"smallest": min(behind, default=None), "below": sum(count < kept["k"] for count in behind)}


def write_evaluation_report(evaluation: Numbers, path: Path) -> Path:
    """Write the page of `textsynth evaluate`: two files compared, no run behind them; returns its path.

    Args:
        evaluation: what metrics.json holds under `evaluation`.
        path: the page.

    Raises:
        StoreError: the disk is full or the place cannot be written.
    """
    page = render(
        name=" · ".join(str(file["name"]) for file in evaluation["files"].values()),
        verdict=evaluation_verdict(evaluation),
        evaluation=evaluation,
        evaluation_charts=list(evaluation_charts(evaluation)),
    )
    return _written(page, path)


def _written(page: str, path: Path) -> Path:
    with replacing(path) as file:
        file.write(page.encode("utf-8", "replace"))
    return path


def _cells(numbers: Numbers) -> list[Numbers]:
    """The cells that a reader should see: those that lack most, then those of the lowest yield."""
    found = numbers.get("cells") or ()
    worst = sorted(found, key=lambda row: (row["accepted"] - row["quota"], row["yield_rate"] or 0))
    return worst[:_MOST_CELLS]


def _shown(store: Store, sources: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Accepted records spread evenly over the run, each with its facts, texts, and what is behind them."""
    for row in accepted_records(store, SHOWN):
        verdicts = store.verdicts(row["id"])
        behind = {key: row[key] for key in ("attributes", "working", "lineage")}
        yield shown(row["fields"], sources, (), verdicts) | {
            "id": row["id"],
            "verdicts": [v | {"said": scores_in_words(v["scores"])} for v in verdicts],
            "behind": {
                name: json.dumps(part, ensure_ascii=False, indent=1)[:CHARACTERS]
                for name, part in behind.items()
                if part
            },
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
    judges = {" and ".join(one["fields"]): _agreed(one) for one in numbers["judges"]}
    for title, table in (
        ("Engine", meta["engine"]), ("Totals", totals), ("Two judges of one thing", judges), ("Seeds", meta["seeds"]),
        ("Fields", meta["sources"]), ("Hashes (sha256)", meta["hashes"]), ("Versions", meta["versions"]),
    ):  # fmt: skip
        if table:
            yield title, _flat(table)


def _agreed(judges: Numbers) -> str:
    if not judges["records"]:
        return "no record has both scores"
    kappa = "" if judges["kappa"] is None else f"; quadratic weighted kappa {judges['kappa']:.2f}"
    return f"the same score for {judges['same']:.0%} of {judges['records']:,} records{kappa}"


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= {f"{name} · {key}": part for key, part in _flat(value).items()}
        else:
            flat[str(name).replace("_", " ")] = "none" if value is None else value
    return flat
