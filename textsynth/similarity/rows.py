"""Distance to the closest record over mixed columns (Gower, "A general coefficient of similarity", 1971)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGEST = 1e300


class RowIndex:
    """Finds the indexed row that is closest to a row.

    Similarity is the mean over columns of 1 - |a - b| / range for numbers and of equality for everything else;
    missing equals missing only. It is the same in both directions, 0..1.

    Args:
        rows: the indexed rows.
        names: the columns compared.
        groups: `closest(..., without=g)` passes over the rows of group g.
    """

    def __init__(
        self, rows: Sequence[Mapping[str, Any]], names: Sequence[str], groups: Sequence[int] | None = None
    ) -> None:
        self._numeric = [n for n in names if any(_number(r.get(n)) for r in rows)]
        self._labels = [n for n in names if n not in self._numeric]
        self._codes: dict[str, dict[str, int]] = {n: {} for n in self._labels}
        self._group = np.asarray(range(len(rows)) if groups is None else groups, np.int64)
        self._numbers = np.array([self._values(r) for r in rows], np.float64).reshape(len(rows), len(self._numeric))
        self._coded = np.array([self._code(r, grow=True) for r in rows], np.int64).reshape(len(rows), len(self._labels))
        lows, highs = (f(self._numbers, axis=0, initial=np.nan) for f in (np.fmin.reduce, np.fmax.reduce))
        spread = np.nan_to_num(highs - lows)
        self._spread = np.where(spread > 0, spread, 1.0)

    def closest(self, row: Mapping[str, Any], without: int | None = None) -> tuple[float, int]:
        """The highest similarity and the position of that row; (0.0, -1) without rows."""
        similarity = self._similarities(row)
        if without is not None:
            similarity[self._group == without] = -1.0
        if not len(similarity) or similarity.max() < 0:
            return 0.0, -1
        best = int(similarity.argmax())
        return float(similarity[best]), best

    def _similarities(self, row: Mapping[str, Any]) -> NDArray[np.float64]:
        mine = np.array(self._values(row), np.float64)
        gap = np.abs(self._numbers - mine) / self._spread
        both_missing = np.isnan(self._numbers) & np.isnan(mine)
        near = np.where(both_missing, 1.0, 1.0 - np.minimum(np.nan_to_num(gap, nan=1.0), 1.0))
        equal = self._coded == np.array(self._code(row, grow=False), np.int64)
        columns = len(self._numeric) + len(self._labels)
        return np.asarray((near.sum(axis=1) + equal.sum(axis=1)) / max(columns, 1))

    def _values(self, row: Mapping[str, Any]) -> list[float]:
        return [_bounded(row[n]) if _number(row.get(n)) else float("nan") for n in self._numeric]

    def _code(self, row: Mapping[str, Any], grow: bool) -> list[int]:
        coded = []
        for name in self._labels:
            codes, key = self._codes[name], repr(row.get(name))
            coded.append(codes.setdefault(key, len(codes)) if grow else codes.get(key, -1))
        return coded


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bounded(value: float) -> float:
    """An integer of JSON may be larger than any float, and the gap between two such is a number too."""
    return float(min(max(value, -_LARGEST), _LARGEST))
