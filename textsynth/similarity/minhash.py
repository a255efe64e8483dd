"""Near duplicates of texts by MinHash and locality-sensitive hashing, every hit verified.

Broder, "On the resemblance and containment of documents", 1997; banding as in Leskovec, Rajaraman and Ullman,
"Mining of Massive Datasets", chapter 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from textsynth.similarity.spans import Hashes, shingle_hashes, tokens

_PERMUTATIONS, _BANDS, _SEED = 128, 32, 7  # 4 rows a band: a pair at Jaccard 0.8 is missed once in 10^7, at 0.5 in 8
SHINGLE = 3


class NearDuplicates:
    """Texts kept so far, and which of them a new text nearly repeats.

    Args:
        threshold: Jaccard similarity of the sets of 3-token shingles, 0..1, from which a pair counts.
    """

    def __init__(self, threshold: float) -> None:
        from rensa import RMinHashLSH

        self._threshold = threshold
        self._index = RMinHashLSH(threshold, _PERMUTATIONS, _BANDS)
        self._kept: list[Hashes] = []

    def nearest(self, text: str) -> tuple[float, int]:
        """The highest verified similarity at or above the threshold, and that text's number; (0.0, -1) without."""
        return max(self.all_near(text), key=lambda hit: (hit[0], -hit[1]), default=(0.0, -1))

    def all_near(self, text: str) -> list[tuple[float, int]]:
        """Similarity and number of every kept text at or above the threshold; a text without words is near none."""
        mine, sketch = _sketch(text)
        if not len(mine):
            return []
        pairs = ((jaccard(mine, self._kept[key]), key) for key in sorted(self._index.query(sketch)))
        return [pair for pair in pairs if pair[0] >= self._threshold]

    def add(self, text: str) -> int:
        """Keep a text; its number counts from 0 in the order of adding."""
        mine, sketch = _sketch(text)
        self._index.insert(len(self._kept), sketch)
        self._kept.append(mine)
        return len(self._kept) - 1


def jaccard(a: Hashes, b: Hashes) -> float:
    """|A & B| / |A | B| of two sets of distinct hashes; 1.0 for two empty ones."""
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
    for number, text in enumerate(texts):
        for _, key in index.all_near(text):
            parent[root(number)] = root(key)
        index.add(text)
    names: dict[int, int] = {}
    return [names.setdefault(root(number), len(names)) for number in range(len(texts))]


@lru_cache(maxsize=1)  # the text that was looked up is the one that is then added
def _sketch(text: str) -> tuple[Hashes, object]:
    from rensa import RMinHash

    shingles = shingle_hashes(tokens(text), SHINGLE)
    sketch = RMinHash(_PERMUTATIONS, _SEED)
    sketch.update([value.tobytes() for value in shingles])
    return shingles, sketch
