"""Distance to the closest record over mixed columns (Gower, "A general coefficient of similarity", 1971)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Row = Mapping[str, Any]

_LARGEST = 1e300
_BLOCK = 1 << 16  # pairs of rows compared at a time: half a megabyte, which a core keeps at hand


class RowIndex:
    """Finds the indexed row that is closest to a row.

    Similarity is the mean over columns of 1 - |a - b| / range for numbers and of equality for everything else;
    missing equals missing only. It is the same in both directions, 0..1.

    Args:
        rows: the indexed rows.
        names: the columns compared.
        groups: what `closest` may pass over, a number of 0 or more for each row; default: its position.
    """

    def __init__(self, rows: Sequence[Row], names: Sequence[str], groups: Sequence[int] | None = None) -> None:
        self._numeric = [n for n in names if any(is_number(r.get(n)) for r in rows)]
        self._labels = [n for n in names if n not in self._numeric]
        self._codes: dict[str, dict[str, int]] = {n: {} for n in self._labels}
        self._group = np.asarray(range(len(rows)) if groups is None else groups, np.int64)
        self._numbers = self._values(rows)
        self._coded = self._code(rows, grow=True)
        lows, highs = (f(self._numbers, axis=1, initial=np.nan) for f in (np.fmin.reduce, np.fmax.reduce))
        spread = np.nan_to_num(highs - lows)
        self._spread = np.where(spread > 0, spread, 1.0)

    def closest(self, rows: Sequence[Row], without: Sequence[int] | None = None) -> tuple[Floats, Ints]:
        """The highest similarity of each row, and the position of that indexed row, the lowest of equally close ones.

        Args:
            rows: m rows; what one gets does not depend on the others.
            without: for each row the group that is passed over, -1 for none.

        Returns:
            similarities [m] and positions [m]; 0 and -1 where no indexed row is left.
        """
        similarities, owners = np.zeros(len(rows)), np.full(len(rows), -1, np.int64)
        numbers, coded = self._values(rows), self._code(rows, grow=False)
        step = max(1, _BLOCK // max(1, len(self._group)))
        for first in range(0, len(rows) if len(self._group) else 0, step):
            part = slice(first, first + step)
            far = self._distances(numbers[:, part], coded[:, part])
            if without is not None:
                far[np.asarray(without[part])[:, None] == self._group] = np.inf
            best = far.argmin(axis=1)
            least = far[np.arange(len(far)), best]
            similarities[part] = np.where(least < np.inf, 1 - least, 0)
            owners[part] = np.where(least < np.inf, best, -1)
        return similarities, owners

    def nearest_distances(self, rows: Sequence[Row], count: int) -> Floats:
        """1 - similarity [m, count] of each row to its nearest indexed rows, ascending; 1 where there are too few."""
        found = np.ones((len(rows), count))
        numbers, coded, most = self._values(rows), self._code(rows, grow=False), min(count, len(self._group))
        step = max(1, _BLOCK // max(1, len(self._group)))
        for first in range(0, len(rows) if most else 0, step):
            far = self._distances(numbers[:, first : first + step], coded[:, first : first + step])
            found[first : first + step, :most] = np.sort(np.partition(far, most - 1, axis=1)[:, :most], axis=1)
        return found

    def _distances(self, numbers: Floats, coded: Ints) -> Floats:
        """[rows, indexed rows], each pair added up column by column, so that it is the same in every block."""
        far = np.zeros((numbers.shape[1], len(self._group)))
        gap, differ = np.empty_like(far), np.empty_like(far, bool)
        with np.errstate(over="ignore"):  # of a gap in a column whose range is next to nothing
            for mine, theirs, spread in zip(numbers, self._numbers, self._spread, strict=True):
                np.subtract(mine[:, None], theirs, out=gap)
                np.divide(np.abs(gap, out=gap), spread, out=gap)
                far += np.fmin(gap, 1.0, out=gap)  # which passes over NaN: a missing one is as far as can be
                if np.isnan(mine).any():
                    far -= np.isnan(mine)[:, None] & np.isnan(theirs)
        for mine, theirs in zip(coded, self._coded, strict=True):
            far += np.not_equal(mine[:, None], theirs, out=differ)
        return np.divide(far, max(len(numbers) + len(coded), 1), out=far)

    def _values(self, rows: Sequence[Row]) -> Floats:
        """[numeric columns, rows]."""
        nan = float("nan")
        values = [[bounded(r[n]) if is_number(r.get(n)) else nan for r in rows] for n in self._numeric]
        return np.array(values, np.float64).reshape(len(self._numeric), len(rows))

    def _code(self, rows: Sequence[Row], grow: bool) -> Ints:
        """[other columns, rows]: equal numbers for equal values, -1 for one that no indexed row has."""
        coded = []
        for name in self._labels:
            codes, keys = self._codes[name], [repr(row.get(name)) for row in rows]
            coded.append([codes.setdefault(key, len(codes)) if grow else codes.get(key, -1) for key in keys])
        return np.array(coded, np.int64).reshape(len(self._labels), len(rows))


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value is a number in JSON's sense: not a boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def bounded(value: float) -> float:
    """A float: an integer of JSON may be larger than any, and the gap between two such is a number too."""
    return float(min(max(value, -_LARGEST), _LARGEST))
