"""How close texts are to the real ones: length, words, sections, and distances of their embeddings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from textsynth.metrics.estimate import Floats
from textsynth.similarity.words import tokenize

Rows = Any  # float32 [n, d]
_HEADING = re.compile(r"(?:^|[\n,])\s*([A-Z][A-Z /&-]{2,40})\s*:")
_MMD_ROWS = 2000


def lengths(texts: Sequence[str]) -> Floats:
    """Words of each text."""
    return np.diff(tokenize(texts).starts).astype(float)


def section_distance(real: Sequence[str], other: Sequence[str]) -> float | None:
    """The mean difference of the shares of texts with each heading (`PLAN:`) of 5% of the real texts; None without.

    Range 0 to 1.
    """
    ours, theirs = (Counter(h for text in some for h in set(_HEADING.findall(text))) for some in (real, other))
    usual = [heading for heading, count in ours.items() if count >= max(0.05 * len(real), 2)]
    gaps = [abs(ours[h] / len(real) - theirs[h] / max(len(other), 1)) for h in usual]
    return float(np.mean(gaps)) if gaps else None


def frechet(real: Rows, other: Rows) -> float:
    """The Frechet distance of two clouds, as if Gaussian, 0 and more (Heusel et al., 2017, "GANs trained by a two
    time-scale update rule"). Biased up for few rows: compare sets of one size."""
    a, b = real.mean(axis=0), other.mean(axis=0)
    x, y = ((rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1) for rows in (real, other))
    if min(len(x), len(y)) > x.shape[1]:  # the root of each covariance has the same singular values in fewer rows
        x, y = (np.linalg.qr(rows, mode="r") for rows in (x, y))
    cross = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    return float(max(np.square(a - b).sum() + np.square(x).sum() + np.square(y).sum() - 2 * cross, 0.0))


def mmd(real: Rows, other: Rows) -> float:
    """The squared maximum mean discrepancy, unbiased, of the cubic kernel (1 + cosine)^3; about 0 for like sets.

    Gretton et al., "A kernel two-sample test", 2012; kernel of Binkowski et al., "Demystifying MMD GANs", 2018.
    """
    x, y = real[:_MMD_ROWS].astype(np.float64), other[:_MMD_ROWS].astype(np.float64)
    inside = [((1 + z @ z.T) ** 3, len(z)) for z in (x, y)]
    within = [(k.sum() - np.trace(k)) / (n * (n - 1)) for k, n in inside]
    return float(sum(within) - 2 * ((1 + x @ y.T) ** 3).mean())
