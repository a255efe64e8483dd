"""Rows that were leaked in part: none is a copy of a seed, but as a set they point to single seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from heapq import heappush, heappushpop
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsynth.records import content_hash
from textsynth.similarity.rows import bounded, is_number

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Row = Mapping[str, Any]

LEVEL = 0.01  # both p-values of a flagged set are at most this
FEWEST = 20  # rows, and held-out seeds, below which nothing is tested
_KEPT = 0.5  # the share of cells that a row is taken to keep of its seed
_SWAPS = 4
_RARE = 0.02  # a number that a larger share of the seeds has points to nobody
_NEIGHBORS, _DISTINCT = 16, 4  # numbers change places among at least so many seeds, with so many different ones
_MOST, _LEAST, _PAIRS = 1000, 200, 20_000_000  # rows compared: at most, at least, and so that pairs with seeds stay few
_DRAWN = 500  # rows of independently drawn columns
_PERMUTATIONS = 999


class Linkage:
    """How much better a row fits the seeds as they are than seeds whose rare numbers changed places with near ones.

    The weight of a row and a seed is that of record linkage (Fellegi and Sunter, "A theory for record linkage", 1969):
    over all columns the sum of log(m / u) where they agree, and of log((1 - m) / (1 - u)) where they do not. u is the
    share of seeds with the row's value, so that a rare one weighs more, and m = kept + (1 - kept) u. A row's fit is the
    log of the mean of exp(weight) over all seeds: how likely it is with some seed as its source, beside independent
    columns.

    Swapping the numbers of seeds that are neighbors in a column (rank swapping: Moore, "Controlled data-swapping
    techniques", 1996) leaves each column as it is, and nearly leaves how columns go together, but not which values
    stand in one seed. A row drawn from columns, or from a model of how they go together, fits both alike. A row that
    took several cells from one seed fits the seeds as they are better.

    Args:
        seeds: the rows that may be given away.
        units: the columns compared. Columns of one unit are one value: they agree all or not at all.
    """

    def __init__(self, seeds: Sequence[Row], units: Sequence[Sequence[str]]) -> None:
        rng = np.random.default_rng(0)
        self._units = [tuple(unit) for unit in units]
        self._known: list[dict[tuple[Any, ...], int]] = []
        self._weights: list[NDArray[np.float32]] = []
        self._arranged: list[Codes] = []  # [1, seeds]; [1 + swaps, seeds] of a column that is swapped
        for unit in self._units:
            keys = [_key(row, unit) for row in seeds]
            counts = Counter(keys)
            known = {key: code for code, key in enumerate(counts)}
            codes = np.array([known[key] for key in keys], np.int64)
            share = np.array(list(counts.values())) / len(seeds)
            numbers = np.array([key[0] if len(unit) == 1 and is_number(key[0]) else np.nan for key in keys])
            rare = np.flatnonzero(~np.isnan(numbers) & (share[codes] <= max(_RARE, 2 / len(seeds))))
            swaps = _SWAPS if len(np.unique(numbers[rare])) >= _DISTINCT else 0
            self._known.append(known)
            self._weights.append(np.log1p(_KEPT / (1 - _KEPT) / share).astype(np.float32))
            self._arranged.append(np.array([codes, *(_swapped(codes, numbers, rare, rng) for _ in range(swaps))]))

    @property
    def swapped(self) -> list[str]:
        """The columns with rare numbers; without one, every excess is 0."""
        return [unit[0] for unit, codes in zip(self._units, self._arranged, strict=True) if len(codes) > 1]

    def excess(self, rows: Sequence[Row]) -> Floats:
        """For each row its fit to the seeds less its mean fit to the swapped ones; it does not depend on other rows."""
        return np.array([self._excess(row) for row in rows], np.float64)

    def _excess(self, row: Row) -> float:
        total = np.zeros((1, 1), np.float32)
        for unit, known, weights, codes in zip(self._units, self._known, self._weights, self._arranged, strict=True):
            code = known.get(_key(row, unit))
            if code is not None:
                total = total + (codes == code) * weights[code]
        most = total.max(axis=1)
        fits = np.log(np.exp(total - most[:, None]).sum(axis=1)) + most
        return float(fits[0] - fits[1:].mean()) if len(fits) > 1 else 0.0


class RowSetTest:
    """Tells whether accepted rows, as a set, point to single seeds.

    Their mean excess (see Linkage) is compared with that of two sets that give nobody away: held-out seeds, and rows
    whose columns were drawn independently from the seeds. Each comparison is a one-sided permutation test of the means,
    exact for such sets; only a set that exceeds both at LEVEL is flagged. A sample of the rows, chosen by a hash of
    their ids, is what is compared.

    Args:
        shown: the seeds that may be given away.
        held_out: seeds of other clusters.
        units: the columns compared, those that were drawn together from one seed by request as one unit.
    """

    def __init__(self, shown: Sequence[Row], held_out: Sequence[Row], units: Sequence[Sequence[str]]) -> None:
        self._shown, self._held_out, self._units = shown, held_out, units
        self._names = [name for unit in units for name in unit]
        self._most = min(_MOST, max(_LEAST, _PAIRS // max(1, len(shown))))
        self._kept: list[tuple[int, str, Row]] = []

    def add(self, record_id: str, row: Row) -> None:
        """Take an accepted row into the set."""
        chance = -int(content_hash(record_id)[:16], 16)
        push = heappush if len(self._kept) < self._most else heappushpop
        push(self._kept, (chance, record_id, {name: row.get(name) for name in self._names}))

    def result(self) -> dict[str, Any]:
        """The test of the rows that were added."""
        return self.of([row for _, _, row in sorted(self._kept, key=lambda kept: kept[1])])

    def of(self, rows: Sequence[Row]) -> dict[str, Any]:
        """The test of some rows as plain numbers.

        `excess` is the mean of the rows; `calibration_excess` and `independent_excess` are those of the two clean sets.
        Where nothing can be told `flagged` is None, and `untested` says what is missing.
        """
        held_out = self._held_out[: self._most]
        found: dict[str, Any] = {"rows": len(rows), "calibration_records": len(held_out), "level": LEVEL}
        found |= {"units": [list(unit) for unit in self._units], "flagged": None}
        if min(len(rows), len(held_out)) < FEWEST or len(self._units) < 2:
            few = f"it takes {FEWEST} rows, {FEWEST} held-out seeds and 2 columns that are not drawn together"
            return found | {"untested": few}
        if not self._linkage.swapped:
            return found | {"untested": "no column that stands by itself has rare numbers"}
        excess, rng = self._linkage.excess(rows), np.random.default_rng(0)
        p_values = {name: _p_value(excess, other, rng) for name, other in self._clean.items()}
        found |= {"excess": round(float(excess.mean()), 4), "flagged": max(p_values.values()) <= LEVEL}
        found |= {f"{name}_excess": round(float(other.mean()), 4) for name, other in self._clean.items()}
        return found | {f"{name}_p_value": p_value for name, p_value in p_values.items()}

    @cached_property
    def _linkage(self) -> Linkage:
        return Linkage(self._shown, self._units)

    @cached_property
    def _clean(self) -> dict[str, Floats]:
        """The excess of each row of the sets that give nobody away."""
        picks = np.random.default_rng(0).integers(len(self._shown), size=(_DRAWN, len(self._units))).tolist()
        drawn = [
            {name: self._shown[at].get(name) for at, unit in zip(some, self._units, strict=True) for name in unit}
            for some in picks
        ]
        held_out = self._held_out[: self._most]
        return {"calibration": self._linkage.excess(held_out), "independent": self._linkage.excess(drawn)}


def units_of(names: Sequence[str], together: Sequence[Sequence[str]]) -> list[list[str]]:
    """The columns as units: those of a group that is drawn together as one, every other one by itself."""
    groups = [[name for name in group if name in names] for group in together]
    alone = [[name] for name in names if not any(name in group for group in groups)]
    return [*filter(None, groups), *alone]


def _p_value(ours: Floats, others: Floats, rng: np.random.Generator) -> float:
    """One-sided permutation test: the chance of a mean as high as ours if both were drawn alike."""
    both, count = np.concatenate([ours, others]), len(ours)
    sums = np.array([rng.permutation(both)[:count].sum() for _ in range(_PERMUTATIONS)])
    return float((1 + (sums >= ours.sum() - 1e-9).sum()) / (1 + _PERMUTATIONS))


def _swapped(codes: Codes, numbers: Floats, rare: Codes, rng: np.random.Generator) -> Codes:
    """A column's codes after its rare numbers changed places at random among neighbors."""
    order = rare[np.lexsort((rng.random(len(rare)), numbers[rare]))]
    rank = np.unique(numbers[order], return_inverse=True)[1]
    block = np.zeros(len(order), np.int64)
    start, size = 0, int(rng.integers(1, _NEIGHBORS + 1))  # the first is shorter, so that blocks differ between swaps
    while start < len(order):
        block[start:] += 1
        start = max(start + size, int(np.searchsorted(rank, rank[start] + _DISTINCT)))
        size = _NEIGHBORS
    swapped = codes.copy()
    swapped[order] = codes[order[np.lexsort((rng.random(len(order)), block))]]
    return swapped


def _key(row: Row, unit: Sequence[str]) -> tuple[Any, ...]:
    return tuple(bounded(value) if is_number(value) else repr(value) for value in map(row.get, unit))
