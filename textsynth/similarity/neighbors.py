"""Exact nearest neighbors by cosine, over a set that grows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from textsynth.errors import MissingExtraError

# faiss sums in an order that depends on how many rows are searched at once. So that results do not, its candidates
# (some more than asked for, and all of a tie that goes on behind them) are scored again, each by itself.
_SPARE = 8
_ROUNDING = 1e-5


class Nearest:
    """Unit rows, and which of them are closest to others.

    The search is exact (faiss `IndexFlatIP`); among equally close rows the one added first comes first.

    Args:
        dim: how many numbers a row has.
    """

    def __init__(self, dim: int) -> None:
        try:
            import faiss
        except ImportError:
            raise MissingExtraError("neighbors", "faiss-cpu", "local") from None
        self._index: Any = faiss.IndexFlatIP(dim)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, rows: npt.ArrayLike) -> None:
        """Add unit rows [n, dim]; their indices go on from `len(self)`."""
        self._index.add(np.ascontiguousarray(rows, np.float32))

    def search(self, rows: npt.ArrayLike, k: int = 1) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """The k closest added rows of each row [m, dim], closest first.

        Returns:
            Similarities (cosine, -1 to 1) [m, k] and indices [m, k]; -inf and -1 where fewer than k were added.
        """
        queries = np.ascontiguousarray(rows, np.float32)
        similarities = np.full((len(queries), k), -np.inf, np.float32)
        indices = np.full((len(queries), k), -1, np.int64)
        if not len(self) or not len(queries):
            return similarities, indices
        close, found = self._index.search(queries, min(len(self), k + _SPARE))
        for i, query in enumerate(queries):
            candidates = found[i]
            if len(candidates) < len(self) and close[i, -1] >= close[i, k - 1] - _ROUNDING:
                floor = float(close[i, k - 1]) - _ROUNDING
                candidates = self._index.range_search(query[None], floor)[2]
            exact = (self._index.reconstruct_batch(candidates) * query.astype(np.float64)).sum(axis=1)
            best = np.lexsort((candidates, -exact))[:k]
            similarities[i, : len(best)], indices[i, : len(best)] = exact[best], candidates[best]
        return similarities, indices
