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
_BLOCK = 256  # queries searched at once, so that their candidates take little memory


class Nearest:
    """Unit rows, and which of them are closest to others.

    The search is exact (faiss `IndexFlatIP`); among equally close rows the one added first comes first.

    Args:
        dim: how many numbers a row has.
    """

    def __init__(self, dim: int) -> None:
        self._index: Any = _faiss().IndexFlatIP(dim)

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
        for start in range(0, len(queries), _BLOCK):
            block = slice(start, start + _BLOCK)
            similarities[block], indices[block] = self._search(queries[block], k)
        return similarities, indices

    def _search(
        self, queries: npt.NDArray[np.float32], k: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        close, found = self._index.search(queries, min(len(self), k + _SPARE))
        rows = self._index.reconstruct_batch(found.ravel()).reshape(*found.shape, -1)
        similarities, indices = _ranked(rows, found, queries[:, None], k)
        if found.shape[1] < len(self):
            for i in np.flatnonzero(close[:, -1] >= close[:, k - 1] - _ROUNDING):
                tied = self._index.range_search(queries[i][None], float(close[i, k - 1]) - _ROUNDING)[2]
                similarities[i], indices[i] = _ranked(self._index.reconstruct_batch(tied), tied, queries[i], k)
        return similarities, indices


def _ranked(
    rows: npt.NDArray[np.float32], numbers: npt.NDArray[np.int64], query: npt.NDArray[np.float32], k: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """The k best of candidates [..., c], of equally close ones the first added, padded where there are fewer."""
    exact = (rows * query.astype(np.float64)).sum(axis=-1)
    best = np.lexsort((numbers, -exact), axis=-1)[..., :k]
    missing = [(0, 0)] * (best.ndim - 1) + [(0, k - best.shape[-1])]
    similarities = np.pad(np.take_along_axis(exact, best, -1), missing, constant_values=-np.inf)
    return similarities.astype(np.float32), np.pad(np.take_along_axis(numbers, best, -1), missing, constant_values=-1)


def kmeans(rows: npt.ArrayLike, k: int, rng_seed: int) -> npt.NDArray[np.float32]:
    """Unit centers [min(k, n), dim] of clusters of unit rows [n, dim], by spherical k-means.

    Dhillon and Modha, "Concept decompositions for large sparse text data using clustering", 2001; faiss `Kmeans`,
    on one thread, so that the same rows give the same centers. Beyond 256 rows a center, faiss takes a sample.
    """
    faiss = _faiss()
    points = np.ascontiguousarray(rows, np.float32)
    if not len(points):
        return points
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        found = faiss.Kmeans(
            points.shape[1], min(k, len(points)), spherical=True, seed=rng_seed % 2**31, min_points_per_centroid=1
        )
        found.train(points)
    finally:
        faiss.omp_set_num_threads(threads)
    return np.asarray(found.centroids, np.float32)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise MissingExtraError("neighbors", "faiss-cpu", "local") from None
    return faiss
