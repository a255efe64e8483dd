"""Numbers about one run: what was asked, what was accepted, what was refused and why, beside genuine records.

"Calibration" records are the genuine ones that the leakage gate was set with: what they score is the ceiling that no
good set needs to beat. Everything returned can be written as JSON and holds no text of a record or a seed, but for the
values of sampled fields and attributes that an accepted record has.
"""

from __future__ import annotations

import json
import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from textsynth.metrics.judges import agreement
from textsynth.records import canonical_json, text_of
from textsynth.similarity.words import tokens

Row = Mapping[str, Any]
Values = Sequence[float]
Edges = np.ndarray[Any, np.dtype[np.float64]]

RAW_SCORES = ("span", "overlap", "similarity", "row_similarity")
SCORES = (*RAW_SCORES, "score", "p_value")
DUPLICATES = ("exact_duplicate", "near_duplicate", "too_similar")
_BINS = 24
_LABEL = 60  # characters of a value that are shown
_NAMED = 12  # values of a field that are counted by name; the others are counted together


def run_metrics(
    judged: Iterable[tuple[Row, Sequence[Row]]],
    rounds: Iterable[Row],
    target: int,
    sources: Mapping[str, str],
    leakage: Mapping[str, Any] | None,
    judges: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """All numbers of a run, from one pass over its records.

    Args:
        judged: each judged record with its verdicts, in order, as the store has them.
        rounds: the store's rounds.
        target: accepted records asked for.
        sources: field -> written, sampled, copied or perturbed.
        leakage: the leakage gate's evidence; None without a gate.
        judges: pairs of working fields that score one thing.
    """
    tally = _Tally(sources, judges)
    for record, verdicts in judged:
        tally.add(record, verdicts)
    completed = tally.states.total()
    accepted = tally.states["accepted"]
    reasons = Counter({reason: count for (_, reason), count in tally.reasons.items()})
    return {
        "target": target,
        "completed": completed,
        "accepted": accepted,
        "rejected": tally.states["rejected"],
        "surplus": tally.states["surplus"],
        "yield_rate": _rate(accepted, completed),
        "reasons": reason_counts(tally.reasons, completed),
        "rounds": [round_yield(row) for row in rounds],
        "words": _compared({"accepted": tally.words, "calibration": (leakage or {}).get("calibration_words", ())}),
        "leakage": None if leakage is None else _leakage(tally, leakage),
        "contaminated": dict(tally.contaminated),
        "duplicates": {reason: reasons[reason] for reason in DUPLICATES},
        "judges": [{"fields": list(pair)} | agreement(counts) for pair, counts in tally.scored.items()],
        "values": {name: value_counts(asked, tally.given[name]) for name, asked in tally.asked.items()},
    }


class _Tally:
    """What one pass over the records collects; numbers only, so that a million records fit."""

    def __init__(self, sources: Mapping[str, str], judges: Sequence[tuple[str, str]]) -> None:
        self._written = [name for name, source in sources.items() if source == "written"]
        self._sampled = [name for name, source in sources.items() if source == "sampled"]
        self.states: Counter[str] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.contaminated: Counter[str] = Counter()  # refused records by benchmark
        self.scored: dict[tuple[str, str], Counter[tuple[int, int]]] = {pair: Counter() for pair in judges}
        self.words = array("d")
        self.scores: dict[tuple[str, str], array[float]] = defaultdict(lambda: array("d"))
        self.asked: dict[str, Counter[str]] = defaultdict(Counter)
        self.given: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, record: Row, verdicts: Sequence[Row]) -> None:
        accepted = record["state"] == "accepted"
        self.states[record["state"]] += 1
        if record["state"] == "rejected":
            refused = next((v["filter"] for v in verdicts if not v["accepted"]), "")
            self.reasons[refused, record["reason"] or ""] += 1
            if record["reason"] == "contaminated":
                self.contaminated[(verdicts[-1]["neighbor_id"] or "").rpartition(":")[0]] += 1
        if accepted and self._written:
            self.words.append(len(tokens(text_of(record["fields"] or {}, self._written))))
        for verdict in verdicts:
            if verdict["filter"] == "leakage":
                self._keep(verdict, "refused" if not verdict["accepted"] else "accepted" if accepted else "")
        for pair, counts in self.scored.items():
            if record["working"].keys() >= set(pair):
                counts[record["working"][pair[0]], record["working"][pair[1]]] += 1
        self._count(record, accepted)

    def _keep(self, verdict: Row, group: str) -> None:
        for name in SCORES if group else ():
            value = verdict["scores"].get(name)
            if isinstance(value, int | float):
                self.scores[group, name].append(value)

    def _count(self, record: Row, accepted: bool) -> None:
        fields = record["fields"] or {}
        found = record["attributes"] | {name: fields[name] for name in self._sampled if name in fields}
        for name, value in found.items():
            key = canonical_json(value)
            self.asked[name][key] += 1
            if accepted:
                self.given[name][key] += 1


def reason_counts(counts: Mapping[tuple[str, str], int], completed: int) -> list[dict[str, Any]]:
    """Refusals by filter and reason, most frequent first, each with its share of all completed records."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"filter": name, "reason": reason, "count": count, "rate": _rate(count, completed)}
        for (name, reason), count in ordered
    ]


def round_yield(row: Row) -> dict[str, Any]:
    """One round: records planned, requests, accepted, and the yield of what passed every filter, once it is closed.

    Where the run was steered: the share of the records judged for diversity that opened new ground, and what was in
    force against saturation when the round was planned.
    """
    kept = {key: row[key] for key in ("round", "planned", "requests")}
    kept["accepted"] = None if row["accepted"] is None else sum(row["accepted"])
    kept["yield_rate"] = _rate(sum(row["passed"]), row["planned"]) if row["closed"] else None
    gave, aim = row.get("gave"), row.get("aim")
    kept["new_ground_rate"] = _rate(gave["new"], gave["judged"]) if gave else None
    return kept | {"answers": list(aim["answers"]) if aim else []}


def summary(values: Values) -> dict[str, float] | None:
    """Count, least, median, 90% quantile and most of some numbers; None without any."""
    if not len(values):
        return None
    least, median, high, most = np.quantile(np.asarray(values, np.float64), [0, 0.5, 0.9, 1])
    figures = {"min": least, "median": median, "p90": high, "max": most}
    return {"count": len(values)} | {name: round(float(value), 6) for name, value in figures.items()}


def histogram(groups: Mapping[str, Values], limits: tuple[float, float] | None = None) -> dict[str, Any]:
    """Counts of each group over shared edges: whole ones where all numbers are, else equal parts of the range."""
    some = [np.asarray(values, np.float64) for values in groups.values()]
    every = np.concatenate([np.zeros(0), *some])
    edges = _edges(every, limits)
    counts = {name: np.histogram(values, edges)[0].tolist() for name, values in zip(groups, some, strict=True)}
    return {"edges": [round(float(edge), 6) for edge in edges], "counts": counts}


def gate(leakage: Mapping[str, Any]) -> dict[str, float]:
    """Where the gate stands on each score: what is beyond is refused. Empty where it can refuse nothing.

    A record passes while at least `alpha` of the calibration records, itself among them, are as close to a seed. In
    full conformal its own nearest seed counts too, so the place is that of a record that scores above that seed.
    """
    scores = leakage["calibration_scores"]
    counted = 1 if leakage["method"].startswith("split") else 2
    above = math.floor(leakage["alpha"] * (len(scores) + 1) + 1e-9) - counted
    if not 0 <= above < len(scores):
        return {}
    place = scores[len(scores) - 1 - above]
    raw = {name: leakage["center"][name] + place * leakage["spread"][name] for name in leakage["center"]}
    return {name: round(value, 6) for name, value in (raw | {"score": place, "p_value": leakage["alpha"]}).items()}


def value_counts(asked: Counter[str], accepted: Counter[str]) -> dict[str, Any]:
    """How often each value (as JSON) was asked for and accepted; many different numbers are counted by range.

    A value that no accepted record has is never named: it is counted in a range between such values, or as `other`.
    """
    values = {key: json.loads(key) for key in accepted}
    rows: list[dict[str, Any]]
    if len(values) > _NAMED and all(_is_number(value) for value in values.values()):
        rows = _ranges(asked, accepted, np.array(list(values.values()), np.float64))
    else:
        named = sorted(accepted, key=lambda key: (-asked[key], key))[:_NAMED]
        rows = [{"value": _shown(values[key]), "asked": asked[key], "accepted": accepted[key]} for key in named]
    totals = {"asked": asked.total(), "accepted": accepted.total()}
    rest = {name: total - sum(row[name] for row in rows) for name, total in totals.items()}
    return totals | {"distinct": len(accepted), "rows": rows, "other": rest}


def _ranges(asked: Counter[str], accepted: Counter[str], values: Edges) -> list[dict[str, Any]]:
    edges = _edges(values, None, bins=8)
    rows: list[dict[str, Any]] = [{"value": text, "asked": 0, "accepted": 0} for text in _bounds(edges)]
    for key in asked:
        value = json.loads(key)
        if _is_number(value) and edges[0] <= value <= edges[-1]:
            row = rows[min(int(np.searchsorted(edges, value, side="right")) - 1, len(rows) - 1)]
            row["asked"] += asked[key]
            row["accepted"] += accepted[key]
    return rows


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bounds(edges: Edges) -> list[str]:
    """The ranges between edges as a reader writes them: whole numbers 20 to 29, not 19.5 to 29.5."""
    half = 0.5 if edges[0] % 1 == 0.5 else 0.0
    return [f"{low + half:g} to {high - half:g}" for low, high in zip(edges[:-1], edges[1:], strict=True)]


def _edges(values: Edges, limits: tuple[float, float] | None, bins: int = _BINS) -> Edges:
    if limits is not None or not len(values):
        return np.linspace(*(limits or (0.0, 1.0)), bins + 1)
    low, high = float(values.min()), float(values.max())
    if high > 1 and np.all(values % 1 == 0):
        width = math.ceil((high - low + 1) / bins)
        return np.arange(low - 0.5, high + width, width)
    return np.linspace(low, high if high > low else low + 0.01, bins + 1)


def _compared(groups: Mapping[str, Values], limits: tuple[float, float] | None = None) -> dict[str, Any]:
    """Each group's summary, and all of them in one histogram."""
    return {
        "summary": {name: summary(values) for name, values in groups.items()},
        "histogram": histogram(groups, limits),
    }


def _leakage(tally: _Tally, leakage: Mapping[str, Any]) -> dict[str, Any]:
    genuine = {**leakage["calibration_raw"], "score": leakage["calibration_scores"]}
    scores = {}
    for name in SCORES:
        groups = {group: tally.scores[group, name] for group in ("accepted", "refused")}
        if name in genuine:
            groups["calibration"] = array("d", genuine[name])
        if any(groups.values()):
            scores[name] = _compared(groups, (0.0, 1.0) if name == "p_value" else None)
    plain = (
        *("alpha", "method", "calibration_records", "smallest_alpha", "max_span"),
        *("max_span_refuses_of_calibration", "rows_as_a_set"),
    )
    return {key: leakage.get(key) for key in plain} | {"gate": gate(leakage), "scores": scores}


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else canonical_json(value)
    return text if len(text) <= _LABEL else text[: _LABEL - 1] + "…"
