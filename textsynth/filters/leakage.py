"""New against the seeds, at a stated error rate.

Up to four raw scores of a candidate against the seeds (longest shared run of tokens, overlap of shingles, cosine of
embeddings, similarity of rows) are scaled by constants taken from the seeds alone; their maximum is one score, and that
gets one conformal p-value (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005): a genuinely new
record, from a near-duplicate cluster that is not among the seeds, is refused with probability at most alpha, averaged
over the draw of the calibration set. It says nothing about how many copies are caught.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from textsynth.filters.base import References
from textsynth.filters.scores import SeedScores
from textsynth.records import Record, Seed, Verdict, canonical_json, text_of
from textsynth.similarity.spans import tokens

_REASONS = {
    "span": "copied_span",
    "overlap": "near_seed",
    "similarity": "paraphrased_seed",
    "row_similarity": "near_seed",
}
_FREE_TEXT_TOKENS = 5  # a longer written text that equals a seed's is refused whatever alpha says


class LeakageFilter:
    """Refuses what is closer to a seed than genuine records are.

    Split conformal where the held-out clusters resolve alpha, else full conformal over the shown clusters.

    Args:
        alpha: the share of genuinely new records that may be refused.
        max_span: also refuse any longer shared run, as a policy that alpha does not cover.
        scores: the raw scores against the shown seeds.
        references: shown and calibration seeds.
        text: the written fields. `columns`: the fields that make a row; those copied from a seed are exempt.
    """

    name = "leakage"

    def __init__(
        self,
        alpha: float,
        max_span: int | None,
        scores: SeedScores,
        references: References,
        text: Sequence[str],
        columns: Sequence[str],
    ) -> None:
        self._alpha, self._max_span, self._scores = alpha, max_span, scores
        self._references, self._text, self._columns = references, tuple(text), tuple(columns)
        self._exact = {key: seed.id for seed in references.shown for key in self._text_keys(seed.data)}
        self._rows = {self._row_key(seed.data): seed.id for seed in references.shown}
        self._split = 1 / (len(references.calibration) + 1) <= alpha
        self._center: dict[str, float] = {}
        self._spread: dict[str, float] = {}
        self._base: np.ndarray[Any, np.dtype[np.float64]] = np.zeros(0)
        self._raw: list[dict[str, float]] = []
        self._base_clusters: list[int] = []
        self._words: list[int] = []

    def prepare(self, records: Sequence[Record]) -> None:
        """Calibrate before the first round; encode a round's texts in bulk."""
        if not self._center:
            self._calibrate()
        self._scores.encode([text_of(record.fields or {}, self._text) for record in records])

    def check(self, record: Record) -> Verdict:
        """Accept, or refuse as `copied_span`, `copied_row`, `near_seed` or `paraphrased_seed` with the seed's id."""
        fields = record.fields or {}
        text = text_of(fields, self._text)
        raw, nearest = self._scores.raw(text, fields)
        score, kind = self._scaled(raw)
        seed = self._references.shown[nearest[kind]].id if kind and nearest[kind] >= 0 else None
        p_value = self._p_value(score, seed)
        scores = {**{k: round(v, 6) for k, v in raw.items()}, "score": round(score, 6), "p_value": round(p_value, 6)}
        if self._columns and (twin := self._rows.get(self._row_key(fields))) is not None:
            return Verdict(self.name, False, "copied_row", scores, twin)
        if (
            twin := next((self._exact[key] for key in self._text_keys(fields) if key in self._exact), None)
        ) is not None:
            return Verdict(self.name, False, "copied_span", scores, twin)
        if self._max_span is not None and raw.get("span", 0) > self._max_span:
            neighbor = self._references.shown[nearest["span"]].id
            return Verdict(self.name, False, "copied_span", scores, neighbor)
        if kind and p_value <= self._alpha:
            return Verdict(self.name, False, _REASONS[kind], scores, seed)
        return Verdict(self.name, True, None, scores, seed)

    def remember(self, record: Record) -> None:
        """Nothing: the seeds are what is compared with."""

    def evidence(self) -> Mapping[str, Any]:
        """Calibration: method, size, constants, and each calibration record's raw scores in ascending order."""
        spans = [raw["span"] for raw in self._raw if "span" in raw]
        over = [span > self._max_span for span in spans] if self._max_span is not None else []
        return {
            "alpha": self._alpha,
            "method": "split conformal" if self._split else "full conformal",
            "calibration_records": len(self._base),
            "smallest_alpha": smallest_alpha(len(self._references.calibration), len(set(self._base_clusters))),
            "center": self._center,
            "spread": self._spread,
            "calibration_scores": sorted(round(float(s), 6) for s in self._base),
            "calibration_raw": {k: sorted(round(raw[k], 6) for raw in self._raw) for k in self._center},
            "calibration_words": sorted(self._words),
            "max_span": self._max_span,
            "max_span_refuses_of_calibration": sum(over) / len(over) if over else None,
        }

    def _calibrate(self) -> None:
        clusters = self._references.cluster
        first: dict[int, Seed] = {}
        for seed in self._references.shown:
            first.setdefault(clusters[seed.id], seed)
        among = [self._raw_of(seed, without=clusters[seed.id]) for seed in first.values()]
        for name in self._scores.names:
            values = np.array([raw[name] for raw in among])
            center, high = (float(q) for q in np.quantile(values, [0.5, 0.9])) if len(values) else (0.0, 1.0)
            self._center[name] = center
            self._spread[name] = max(high - center, self._scores.floors[name])
        if self._split:
            self._scores.encode([text_of(seed.data, self._text) for seed in self._references.calibration])
        self._raw = [self._raw_of(seed) for seed in self._references.calibration] if self._split else among
        self._base = np.array([self._scaled(raw)[0] for raw in self._raw])
        self._base_clusters = list(first)
        compared = self._references.calibration if self._split else list(first.values())
        self._words = [len(text_of(seed.data, self._text).split()) for seed in compared]

    def _raw_of(self, seed: Seed, without: int | None = None) -> dict[str, float]:
        return self._scores.raw(text_of(seed.data, self._text), seed.data, without)[0]

    def _scaled(self, raw: Mapping[str, float]) -> tuple[float, str]:
        """The largest scaled score and the name of its raw score; (0, "") where nothing can be compared."""
        scaled = {name: (value - self._center[name]) / self._spread[name] for name, value in raw.items()}
        kind = max(scaled, key=scaled.__getitem__, default="")
        return (scaled[kind], kind) if kind else (0.0, "")

    def _p_value(self, score: float, seed: str | None) -> float:
        """The share of calibration records, the candidate among them, that are at least as close to a seed.

        In full conformal the candidate is also a neighbor of the seeds. Scores are symmetric, so it raises no seed's
        beyond its own score, and up to that only its nearest seeds'. Of several equally near ones a single one is
        counted here. That refuses a little more than counting them all, and the claim still holds: among records of
        which each would be refused if it came last, one that scores least has all others counted (if it has uncounted
        ties and one of these is refused too, then that one, whose only neighbor so near has others).
        """
        beyond = int((self._base >= score).sum())
        if not self._split and seed is not None:
            position = self._base_clusters.index(self._references.cluster[seed])
            beyond += int(self._base[position] < score)
        return (1 + beyond) / (len(self._base) + 1)

    def _text_keys(self, data: Mapping[str, Any]) -> list[str]:
        """Normalized written texts, each with its field: what an exact copy shares."""
        keys = []
        for name in self._text:
            words = tokens(text_of(data, [name]))
            if len(words) > _FREE_TEXT_TOKENS:
                keys.append(f"{name}:{' '.join(words)}")
        return keys

    def _row_key(self, data: Mapping[str, Any]) -> str:
        return canonical_json([_plain(data.get(name)) for name in self._columns])


def smallest_alpha(calibration: int, shown_clusters: int) -> float:
    """The smallest alpha that so many held-out clusters, or else so many shown ones, can resolve."""
    return min(1 / (calibration + 1), 2 / (shown_clusters + 1))


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
