"""Near duplicates of texts by MinHash and locality-sensitive hashing, every hit verified.

Broder, "On the resemblance and containment of documents", 1997; banding as in Leskovec, Rajaraman and Ullman,
"Mining of Massive Datasets", chapter 3. Signatures are rensa's; the bands stand in a table of our own, because rensa's
gives no candidates for signatures that were made in bulk.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textsynth.similarity.words import Hashes, Tokens, runs, tokenize

SHINGLE = 3
_MISSED = 1e-3  # most of the pairs at the threshold itself that no band finds; of closer pairs it is fewer
_ROWS, _PERMUTATIONS = 4, 160  # most rows a band and most permutations: more of either costs time
_SEED = 7
_ODD = np.uint64(0x9E3779B97F4A7C15)
Shingles = NDArray[np.uint32]


class Sketch(NamedTuple):
    """What a text is compared by: its shingles' hashes, with repeats, and its key in each band; none without words."""

    shingles: Shingles
    bands: Sequence[int]


class NearDuplicates:
    """Texts kept so far, and which of them a new text nearly repeats.

    A pair whose similarity is just the threshold is missed once in a thousand, a closer one more rarely; a pair that is
    found has its exact similarity, but for shingles cut to 32 bits: of two texts with 100 shingles each, one shingle
    counts as shared by accident once in 400,000 pairs.

    Args:
        threshold: Jaccard similarity of the sets of shingles, 0..1, from which a pair counts.
        size: tokens in a shingle; 1 compares the sets of words.
    """

    def __init__(self, threshold: float, size: int = SHINGLE) -> None:
        self._threshold, self._size = threshold, size
        self._rows, self._bands = banding(threshold)
        self._table: dict[int, int | list[int]] = {}  # a band's key -> the number of the text, or of several
        self._kept, self._ends = array("I"), array("q", [0])  # all shingles of kept texts, and where each text's end

    def sketches(self, texts: Tokens) -> list[Sketch]:
        """Sketches of many texts at once."""
        from rensa import RMinHash

        if not len(texts):
            return []
        shingles = runs(texts, self._size)
        starts = shingles.starts.astype(np.uint64)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(shingles.ids, starts, self._rows * self._bands, _SEED)
        flat = b"".join([array("I", row) for row in matrix.to_rows()])
        digits = np.frombuffer(flat, np.uint32).reshape(len(texts), self._bands, self._rows).astype(np.uint64)
        keys = np.broadcast_to(np.arange(self._bands, dtype=np.uint64), digits.shape[:2])
        for row in range(self._rows):
            keys = (keys * _ODD) ^ (keys >> np.uint64(29)) ^ digits[:, :, row]
        cut, ends = (shingles.ids >> np.uint64(32)).astype(np.uint32), shingles.starts.tolist()
        pairs = zip(ends, ends[1:], keys.tolist(), strict=False)
        return [Sketch(cut[low:high], bands if high > low else ()) for low, high, bands in pairs]

    def nearest(self, text: Sketch) -> tuple[float, int]:
        """The highest verified similarity at or above the threshold, and that text's number; (0.0, -1) without.

        Of several equally near texts it is the one that was kept first.
        """
        found = self.all_near(text)
        return max(found, key=lambda hit: (hit[0], -hit[1])) if found else (0.0, -1)

    def all_near(self, text: Sketch) -> list[tuple[float, int]]:
        """Similarity and number of every kept text at or above the threshold; a text without words is near none."""
        if self._table.keys().isdisjoint(text.bands):
            return []
        found: set[int] = set()
        for key in text.bands:
            hit = self._table.get(key)
            if hit is not None:
                found.update(hit if isinstance(hit, list) else (hit,))
        mine = np.unique(text.shingles)
        pairs = ((self._similarity(mine, number), number) for number in sorted(found))
        return [pair for pair in pairs if pair[0] >= self._threshold]

    def add(self, text: Sketch) -> int:
        """Keep a text; its number counts from 0 in the order of adding."""
        number = len(self._ends) - 1
        if self._table.keys().isdisjoint(text.bands):
            self._table.update(zip(text.bands, repeat(number)))  # noqa: B905  (repeat has no end)
        else:
            for key in text.bands:
                hit = self._table.setdefault(key, number)
                if isinstance(hit, list):
                    hit.append(number)
                elif hit != number:
                    self._table[key] = [hit, number]
        self._kept.frombytes(text.shingles.tobytes())
        self._ends.append(len(self._kept))
        return number

    def _similarity(self, mine: Shingles, number: int) -> float:
        """Of sorted distinct shingles with a kept text; 0.0 where a glance shows that it is below the threshold."""
        low, high = self._ends[number : number + 2]
        theirs = np.frombuffer(self._kept, np.uint32, high - low, low * self._kept.itemsize)
        shared = np.count_nonzero(mine[np.minimum(np.searchsorted(mine, theirs), len(mine) - 1)] == theirs)
        return jaccard(mine, np.unique(theirs)) if shared / len(mine) >= self._threshold else 0.0


def banding(threshold: float) -> tuple[int, int]:
    """Rows a band and bands, so that a pair at the threshold is missed once in a thousand.

    All rows of a band agree with probability t^r, so of b bands none does with (1 - t^r)^b. More rows find fewer pairs
    in vain; as many are taken as the number of permutations allows. Below 0.042 that is too low, and more
    are missed.
    """
    for rows in range(_ROWS, 0, -1):
        alike = threshold**rows
        bands = 1 if alike == 1 else math.ceil(math.log(_MISSED) / math.log1p(-alike))
        if rows * bands <= _PERMUTATIONS:
            return rows, bands
    return 1, _PERMUTATIONS


def jaccard(a: Hashes | Shingles, b: Hashes | Shingles) -> float:
    """|A & B| / |A | B| of two sorted sets of distinct hashes; 1.0 for two empty ones."""
    shared = len(np.intersect1d(a, b, assume_unique=True))
    union = len(a) + len(b) - shared
    return shared / union if union else 1.0


def clusters_of(texts: Sequence[str], threshold: float = 0.5) -> list[int]:
    """A cluster number for each text: texts linked by near duplicates share one, numbered by first appearance.

    A text without words is a cluster of its own.
    """
    parent = list(range(len(texts)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    index = NearDuplicates(threshold)
    for number, sketch in enumerate(index.sketches(tokenize(texts))):
        for _, key in index.all_near(sketch):
            parent[root(number)] = root(key)
        index.add(sketch)
    names: dict[int, int] = {}
    return [names.setdefault(root(number), len(names)) for number in range(len(texts))]
