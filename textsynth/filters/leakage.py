"""New against the seeds, at a stated error rate.

Up to four raw scores of a candidate against the seeds (longest shared run of tokens, overlap of shingles, similarity in
meaning, similarity of rows) are scaled by constants taken from the seeds alone; their maximum is one score, and that
gets one conformal p-value (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005): a genuinely new
record, from a near-duplicate cluster that is not among the seeds, is refused with probability at most alpha, averaged
over the draw of the calibration set. It says nothing about how many copies are caught.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsynth.filters.base import Memory, References
from textsynth.filters.scores import SeedScores
from textsynth.records import Record, Seed, Verdict, canonical_json, text_of
from textsynth.similarity.linkage import RowSetTest
from textsynth.similarity.words import tokens

Floats = NDArray[np.float64]

_REASONS = {
    "span": "copied_span",
    "overlap": "near_seed",
    "similarity": "paraphrased_seed",
    "row_similarity": "near_seed",
}
_FREE_TEXT_TOKENS = 5  # a longer written text that equals a seed's is refused whatever alpha says


@dataclass(frozen=True)
class _Calibration:
    """Constants from the seeds alone, and the scores of genuine records in ascending order.

    In full conformal `by_cluster` has the score of each shown cluster; in split conformal it is empty.
    """

    center: Mapping[str, float]
    spread: Mapping[str, float]
    raw: Mapping[str, Floats]
    scores: Floats
    by_cluster: Mapping[int, float]

    def scaled(self, values: Mapping[str, Floats]) -> Floats:
        """Raw scores [m] of each name as one array [m, names]."""
        return np.stack([(values[n] - self.center[n]) / self.spread[n] for n in self.center], axis=1)


@dataclass(frozen=True)
class _Scored:
    """A record of the round: its evidence, the nearest seed by each raw score, and which was largest.

    `unusual`: its p-value is at most alpha.
    """

    scores: Mapping[str, float]
    owners: Mapping[str, int]
    kind: str
    unusual: bool


class LeakageFilter:
    """Refuses what is closer to a seed than genuine records are.

    Split conformal where the held-out clusters resolve alpha, else full conformal over the shown clusters. Seeds that
    were shown in a record's own prompt are compared like all others.

    Args:
        alpha: the share of genuinely new records that may be refused.
        max_span: also refuse a shared run of so many tokens or more, as a policy that alpha does not cover.
        scores: the raw scores against the shown seeds.
        references: shown and calibration seeds.
        text: the written fields. `columns`: the fields that make a row; those copied from a seed are exempt.
        units: the fields by which accepted rows are tested as a set, those drawn together as one unit; none: no test.
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
        units: Sequence[Sequence[str]] = (),
    ) -> None:
        self._alpha, self._max_span, self._scores = alpha, max_span, scores
        self._references, self._text, self._columns = references, tuple(text), tuple(columns)
        self._exact = {key: seed.id for seed in references.shown for key in self._text_keys(seed.data)}
        self._rows = {self._row_key(seed.data): seed.id for seed in references.shown}
        self._split = 1 / (len(references.calibration) + 1) <= alpha
        self._round: dict[str, _Scored] = {}
        shown, held_out = ([seed.data for seed in some] for some in (references.shown, references.calibration))
        self._set = RowSetTest(shown, held_out, units) if len(units) > 1 else None
        self.memory: Memory = "nothing" if self._set is None else "records"

    def prepare(self, records: Sequence[Record]) -> None:
        """Score a round's records in bulk."""
        calibration = self._calibration
        self._round = {}
        if not records:
            return
        raw = self._scores.of([record.fields or {} for record in records])
        names = list(calibration.center)
        if not names:  # the seeds have neither texts nor rows to compare
            self._round = {record.id: _Scored({"score": 0.0, "p_value": 1.0}, {}, "", False) for record in records}
            return
        scaled = calibration.scaled(raw.values)
        kinds, scores = [names[at] for at in scaled.argmax(axis=1)], scaled.max(axis=1)
        p_values = self._p_values(calibration, scores, [int(raw.owners[kind][i]) for i, kind in enumerate(kinds)])
        shown = {**raw.values, **raw.beside, "score": scores, "p_value": p_values}
        for i, (record, kind) in enumerate(zip(records, kinds, strict=True)):
            evidence = {name: round(float(values[i]), 6) for name, values in shown.items()}
            owners = {name: int(at[i]) for name, at in raw.owners.items()}
            self._round[record.id] = _Scored(evidence, owners, kind, bool(p_values[i] <= self._alpha))

    def check(self, record: Record) -> Verdict:
        """Accept, or refuse as `copied_span`, `copied_row`, `near_seed` or `paraphrased_seed` with the seed's id."""
        fields = record.fields or {}
        found = self._round[record.id]
        scores = found.scores
        if self._columns and (twin := self._rows.get(self._row_key(fields))) is not None:
            return Verdict(self.name, False, "copied_row", scores, twin)
        twins = [self._exact[key] for key in self._text_keys(fields) if key in self._exact]
        if twins:
            return Verdict(self.name, False, "copied_span", scores, twins[0])
        long = self._max_span is not None and scores.get("span", 0) >= self._max_span
        kind = "span" if long else found.kind
        owner = found.owners.get(kind, -1)
        seed = self._references.shown[owner].id if owner >= 0 else None
        if not long and not found.unusual:
            return Verdict(self.name, True, None, scores, seed)
        return Verdict(self.name, False, _REASONS[kind], scores, seed)

    def remember(self, record: Record) -> None:
        """Take the row into the set that is tested at the end; a verdict rests on the seeds alone."""
        if self._set is not None:
            self._set.add(record.id, record.fields or {})

    def evidence(self) -> Mapping[str, Any]:
        """Calibration: method, size, constants, and each calibration record's raw scores in ascending order."""
        calibration = self._calibration
        spans = calibration.raw.get("span")
        policy = None
        if spans is not None and len(spans) and self._max_span is not None:
            policy = float((spans >= self._max_span).mean())
        clusters = {self._references.cluster[seed.id] for seed in self._references.shown}
        compared = self._references.calibration if self._split else self._firsts().values()
        return {
            "alpha": self._alpha,
            "method": "split conformal" if self._split else "full conformal",
            "calibration_records": len(calibration.scores),
            "smallest_alpha": smallest_alpha(len(self._references.calibration), len(clusters)),
            "center": dict(calibration.center),
            "spread": dict(calibration.spread),
            "calibration_scores": [round(float(one), 6) for one in calibration.scores],
            "calibration_raw": {n: sorted(round(float(one), 6) for one in raw) for n, raw in calibration.raw.items()},
            "calibration_words": sorted(len(text_of(seed.data, self._text).split()) for seed in compared),
            "max_span": self._max_span,
            "max_span_refuses_of_calibration": policy,
            "rows_as_a_set": self._set.result() if self._set is not None else None,
        }

    @cached_property
    def _calibration(self) -> _Calibration:
        shown, firsts = self._references.shown, self._firsts()
        positions = np.array([at for at, seed in enumerate(shown) if firsts.get(self._cluster(at)) is seed], np.int64)
        among = {name: values[positions] for name, values in self._scores.among_seeds().values.items()}
        center: dict[str, float] = {}
        spread: dict[str, float] = {}
        for name in self._scores.names:
            center[name], high = np.quantile(among[name], [0.5, 0.9]).tolist() if len(positions) else (0.0, 1.0)
            spread[name] = max(high - center[name], self._scores.floors[name])
        held = [seed.data for seed in self._references.calibration]
        scored = self._scores.of(held).values if held else among  # also if unused: another alpha finds vectors stored
        raw = scored if self._split else among
        calibration = _Calibration(center, spread, raw, np.zeros(0), {})
        if not center:
            return calibration
        scores = calibration.scaled(raw).max(axis=1)
        clusters = [] if self._split else [self._cluster(at) for at in positions.tolist()]
        by_cluster = dict(zip(clusters, scores.tolist(), strict=not self._split))
        return _Calibration(center, spread, raw, np.sort(scores), by_cluster)

    def _p_values(self, calibration: _Calibration, scores: Floats, owners: Sequence[int]) -> Floats:
        """For each candidate the share of calibration records, itself among them, that are at least as close to a seed.

        In full conformal the candidate is also a neighbor of the seeds. Scores are symmetric, so it raises no seed's
        beyond its own score, and up to that only its nearest seeds'. Of several equally near ones a single one is
        counted here. That refuses a little more than counting them all, and the claim still holds: among records of
        which each would be refused if it came last, one that scores least has all others counted (if it has uncounted
        ties and one of these is refused too, then that one, whose only neighbor so near has others).
        """
        beyond = len(calibration.scores) - np.searchsorted(calibration.scores, scores, "left")
        if not self._split:
            raised = [at >= 0 and calibration.by_cluster[self._cluster(at)] < scores[i] for i, at in enumerate(owners)]
            beyond = beyond + np.array(raised, np.int64)
        return np.asarray((1 + beyond) / (len(calibration.scores) + 1), np.float64)

    def _cluster(self, position: int) -> int:
        return self._references.cluster[self._references.shown[position].id]

    def _firsts(self) -> dict[int, Seed]:
        """The first shown seed of each cluster."""
        firsts: dict[int, Seed] = {}
        for at, seed in enumerate(self._references.shown):
            firsts.setdefault(self._cluster(at), seed)
        return firsts

    def _text_keys(self, data: Mapping[str, Any]) -> list[str]:
        """Normalized written texts, each with its field: what an exact copy shares."""
        words = {name: tokens(text_of(data, [name])) for name in self._text}
        return [f"{name}:{' '.join(some)}" for name, some in words.items() if len(some) > _FREE_TEXT_TOKENS]

    def _row_key(self, data: Mapping[str, Any]) -> str:
        return canonical_json([_plain(data.get(name)) for name in self._columns])


def smallest_alpha(calibration: int, shown_clusters: int) -> float:
    """The smallest alpha that so many held-out clusters, or else so many shown ones, can resolve."""
    return min(1 / (calibration + 1), 2 / (shown_clusters + 1))


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
