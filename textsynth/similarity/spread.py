"""Points on the unit sphere, and which of them lie where least has been so far."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from textsynth.similarity.neighbors import Nearest


class Spread:
    """Unit rows [n, d] of known points, such as seeds, that new points are counted at.

    Two points crowd each other by the square of their cosine (0 where it is negative): the kernel whose eigenvalues
    spread as points fill more directions, as the Vendi score asks (Friedman and Dieng, "The Vendi Score", 2023).
    """

    def __init__(self, rows: npt.NDArray[np.float32]) -> None:
        self._rows = np.ascontiguousarray(rows, np.float32)
        self._nearest = Nearest(self._rows.shape[1])
        self._nearest.add(self._rows)

    def nearest(self, rows: npt.NDArray[np.float32]) -> list[int]:
        """The index of the closest known point of each row [m, d]."""
        return [int(i) for i in self._nearest.search(rows)[1][:, 0]]

    def usual(self) -> float:
        """The median cosine of a known point to its closest neighbor; 1.0 where there are fewer than two points."""
        if len(self._rows) < 2:
            return 1.0
        similarities, found = self._nearest.search(self._rows, 2)
        own = found[:, 0] == np.arange(len(found))  # of twins, the first comes first
        return float(np.median(np.where(own, similarities[:, 1], similarities[:, 0])))

    def crowding(self, counts: Mapping[int, float]) -> npt.NDArray[np.float64]:
        """How crowded each known point is [n], by points counted at known ones: the mean of what they add, 0 to 1."""
        total = sum(counts.values())
        if not total:
            return np.zeros(len(self._rows))
        where = np.array(sorted(counts))
        weights = np.array([counts[i] / total for i in where])
        return np.asarray(self._kernel(where) @ weights, np.float64)

    def emptiest(
        self, crowding: npt.NDArray[np.float64], times: Mapping[int, int], blocks: int, count: int, weight: float
    ) -> list[list[int]]:
        """For each block `count` points, or all there are: those chosen least often so far, the least crowded first.

        Args:
            crowding: of each point [n]; each choice adds `weight` of its own.
            times: how often a point was chosen before.
        """
        crowded, chosen = crowding.copy(), np.zeros(len(crowding), np.int64)
        chosen[list(times)] = list(times.values())
        found: list[list[int]] = [[] for _ in range(blocks)]
        for block in found:
            for _ in range(min(count, len(chosen))):
                block.append(int(np.lexsort((np.round(crowded, 9), chosen))[0]))  # rounded: ties go by index
                chosen[block[-1]] += 1
                crowded += weight * self._kernel(np.array(block[-1:]))[:, 0]
        return found

    def _kernel(self, where: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.square(np.maximum(self._rows @ self._rows[where].T, 0.0)), np.float64)
