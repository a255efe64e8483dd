"""report.html: one page that says what a run made, what is claimed of it and what is not; and its numbers as JSON.

The page loads nothing and runs no script. Seed text never stands in it; a field copied from a seed row is labeled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from textsynth.metrics.run import RAW_SCORES, run_metrics
from textsynth.outputs.charts import histogram_chart, yield_chart
from textsynth.outputs.export import accepted_records, replacing
from textsynth.outputs.store import Store
from textsynth.yaml12 import dump_yaml

SHOWN = 20  # accepted records that the page shows, spread evenly over the run
Numbers = Mapping[str, Any]

_REASONS = {
    "invalid_json": "not valid JSON",
    "schema_mismatch": "not what the schema allows",
    "truncated": "cut off before the end",
    "rule_failed": "breaking a rule of the job",
    "copied_span": "copying a run of words from a seed",
    "copied_row": "copying a whole row of a seed",
    "near_seed": "too close to a seed",
    "paraphrased_seed": "a paraphrase of a seed",
    "exact_duplicate": "a repeat of an accepted record",
    "near_duplicate": "nearly a repeat of an accepted record",
    "too_similar": "too similar in meaning to an accepted record",
}
_STATUS = {
    "running": "This run has not ended: the numbers are those so far.",
    "interrupted": "This run was interrupted and can be resumed: the numbers are those so far.",
    "failed": "This run was stopped by a fault and can be resumed: the numbers are those so far.",
    "short": "This run ended short of its target.",
}
_SCORES = {
    "span": ("Longest run of words shared with a seed", "words"),
    "overlap": ("Overlap of three-word runs with the nearest seed", "overlap"),
    "similarity": ("Cosine to the nearest seed", "cosine"),
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
    target = ((meta["job"] or {}).get("plan") or {}).get("target") or 0
    numbers = run_metrics(_judged(store), store.rounds(), target, meta["sources"] or {}, evidence.get("leakage"))
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
        refusals=[row | {"words": _words_for(row["reason"])} for row in numbers["reasons"]],
        charts=[chart | {"svg": Markup(chart["svg"])} for chart in _charts(numbers)],  # noqa: S704 - made of numbers
        records=list(_shown(store, numbers["accepted"], meta["sources"] or {})),
        job=dump_yaml(meta["job"] or {}),
        facts=list(_facts(meta, numbers)),
    )
    with replacing(folder / "report.html") as file:
        file.write(page.encode())
    return folder / "report.html"


def verdict(numbers: Numbers, meta: Mapping[str, Any]) -> dict[str, Any]:
    """The run in words: a headline, how it ended, the sentences below it, and what was not reached."""
    made = "written" if meta["engine"] else "drawn"
    lines = []
    if numbers["completed"]:
        time = f" in {duration(meta['elapsed'])}" if meta["elapsed"] else ""
        lines.append(f"From {numbers['completed']:,} {made} ({numbers['yield_rate']:.0%} yield){time}.")
    else:
        lines.append("No record is complete yet.")
    if numbers["reasons"]:
        by_reason: dict[str, int] = {}
        for row in numbers["reasons"]:
            by_reason[row["reason"]] = by_reason.get(row["reason"], 0) + row["count"]
        parts = [f"{count:,} as {_words_for(reason)}" for reason, count in by_reason.items()]
        refused = numbers["rejected"]
        lines.append(f"{refused:,} {'was' if refused == 1 else 'were'} refused: {_listed(parts)}.")
    if numbers["surplus"]:
        lines.append(f"{numbers['surplus']:,} more passed every filter but were not needed.")
    return {
        "headline": f"{numbers['accepted']:,} of {numbers['target']:,} records accepted",
        "status": _STATUS.get(numbers["status"]),
        "lines": lines,
        "missed": meta["shortfall"] or [],
    }


def claims(numbers: Numbers, meta: Mapping[str, Any]) -> dict[str, list[str]]:
    """What may be said of the accepted records, and what may not, one sentence each."""
    sources: Mapping[str, str] = meta["sources"] or {}
    filters = {part.get("type") for part in (meta["job"] or {}).get("filters", ())}
    leakage = numbers["leakage"]
    claimed = ["Every accepted record is valid against the record schema."] if "schema" in filters else []
    not_claimed = []
    if leakage and leakage["calibration_records"]:
        claimed.append(_gate_in_words(leakage))
        not_claimed.append("How many copies of seeds the gate catches: its recall is not measured here.")
        if leakage["max_span"] is not None:
            share = leakage["max_span_refuses_of_calibration"]
            cost = "" if share is None else f"; it alone refuses {share:.1%} of the genuine records"
            claimed.append(
                f"No accepted record shares more than {leakage['max_span']} words in a row with a seed. "
                f"This is a policy that alpha does not cover{cost}."
            )
    else:
        why = "the leakage gate has not judged any record yet" if "leakage" in filters else "there was no leakage gate"
        not_claimed.append(f"That no record is a copy of a seed: {why}.")
    if "dedup" in filters:
        claimed.append(
            "No accepted record repeats another in what was compared; case, punctuation and spacing set aside."
        )
    if meta["engine"]:
        not_claimed.append("Differential privacy: a model that is shown seeds as examples gives none.")
    else:
        not_claimed.append("Differential privacy: drawing values from seeds gives none.")
    for source, said in (
        ("copied", "These fields are copied from seed rows, and the gate does not judge them"),
        ("sampled", "These fields take their values, unaltered, from the seeds or from the job's lists"),
    ):
        names = [name for name, kind in sources.items() if kind == source]
        not_claimed += [f"{said}: {', '.join(names)}."] if names else []
    return {"claimed": claimed, "not_claimed": not_claimed}


def duration(seconds: float) -> str:
    """A time span for readers: 3 min 12 s."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _gate_in_words(leakage: Numbers) -> str:
    smallest = leakage["smallest_alpha"]
    return (
        f"A genuinely new record, from a near-duplicate cluster that is not among the seeds and cut like them, is "
        f"refused with probability at most {leakage['alpha']:.3g} (alpha), averaged over the draw of the calibration "
        f"set. Method: {leakage['method']} over {leakage['calibration_records']:,} genuine records"
        + (f", which resolve an alpha down to {smallest:.2g}." if smallest else ".")
    )


def _words_for(reason: str) -> str:
    return _REASONS.get(reason, reason)


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _judged(store: Store) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    return ((row, store.verdicts(row["id"])) for row in store.records())


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
    if any(row["yield_rate"] is not None for row in numbers["rounds"]):
        yield {"title": "Yield by round", "note": "", "svg": yield_chart(numbers["rounds"])}
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
