"""How many different things a set holds."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from textsynth.similarity.words import runs, tokenize

Rows = Any  # float32 [n, d]
_BLOCK, _CHARACTERS, _MOST = 8192, 2000, 2_000_000


def vendi(rows: Rows) -> float:
    """The Vendi score of unit rows [n, d]: the effective number of different ones, 1 to n (and to d).

    exp of the entropy of the eigenvalues of rows rows' / n, which are those of the d x d matrix rows' rows / n: it is
    exact for any n (Friedman and Dieng, "The Vendi Score", 2023).
    """
    count = len(rows)
    if count < rows.shape[1]:
        rows = rows.T
    total = np.zeros((rows.shape[1], rows.shape[1]))
    for first in range(0, len(rows), _BLOCK):
        block = np.asarray(rows[first : first + _BLOCK], np.float32)
        total += block.T @ block
    values = np.linalg.eigvalsh(total / max(count, 1))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def distinct_n(texts: Sequence[str], size: int = 2) -> float:
    """The share of different runs of `size` tokens among all (Li et al., "A diversity-promoting objective", 2016).

    It falls with the number of tokens: compare texts of about as many.
    """
    found = runs(tokenize(texts), size).ids
    return len(np.unique(found)) / len(found) if len(found) else 0.0


def compression_ratio(texts: Sequence[str]) -> float:
    """Bytes over gzip's bytes; higher is more repetitive (Shaib et al., "Standardizing the measurement of text
    diversity", 2024). Texts are cut to a length and their sum bounded, since longer texts compress better."""
    data = "\n".join(text[:_CHARACTERS] for text in texts).encode("utf-8", "surrogatepass")[:_MOST]
    return len(data) / len(zlib.compress(data, 6)) if data else 0.0


def clusters_hit(real: Rows, rows: Rows, clusters: int, rng_seed: int) -> float:
    """The share of the real rows' k-means clusters that some row is nearest to (coverage, after Naeem et al., "Reliable
    fidelity and diversity metrics for generative models", 2020)."""
    from textsynth.similarity.neighbors import kmeans

    centers = kmeans(real, clusters, rng_seed)
    return len(np.unique((rows @ centers.T).argmax(axis=1))) / len(centers)


def one_size(*texts: Sequence[str]) -> list[list[str]]:
    """Sets of texts of about one size: as many texts, each cut to the median length of the shortest set."""
    count = min(map(len, texts))
    most = int(min(np.median([len(text) for text in some] or [0]) for some in texts))
    return [[text[: max(most, 1)] for text in some[:count]] for some in texts]
