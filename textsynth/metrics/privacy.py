"""What a set gives away of the real records. Sums only: never a record's own distance, never a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from textsynth.metrics.estimate import Estimate, Floats, around, auc_error, estimate, share
from textsynth.records import canonical_json
from textsynth.similarity.spans import ShingleIndex, SpanIndex
from textsynth.similarity.words import shingles, tokenize

Row = Mapping[str, Any]
NEAR = 0.8  # of the shorter text's runs of three words, from which a text counts as a near copy
_TINY, _ROUNDING = 1e-3, 1e-12
_CELLS = 1 << 24  # cosines held at a time: 64 MB


def spans(real: Sequence[str], synthetic: Sequence[str], holdout: Sequence[str]) -> tuple[dict[str, Estimate], Any]:
    """The longest run of words shared with a real text: of any text, and at 99% of the texts; near copies by shingles.

    Also all lengths, for a histogram: synthetic, holdout.
    """
    words = tokenize(real)
    index, near = SpanIndex(words), ShingleIndex(words)
    found = [tokenize(texts) for texts in (synthetic, holdout)]
    ours, theirs = (index.longest(some)[0] for some in found)
    close, top = (near.most(some)[0] >= NEAR for some in found)
    top99 = [float(np.quantile(some, 0.99)) if len(some) else 0.0 for some in (ours, theirs)]
    return {
        "longest_span": estimate(float(ours.max(initial=0)), float(theirs.max(initial=0))),
        "span_p99": estimate(*top99),
        "near_copies": share(int(close.sum()), len(close), float(top.mean()) if len(top) else None),
    }, (ours, theirs)


def exact_copies(real: Sequence[Row], synthetic: Sequence[Row], holdout: Sequence[Row]) -> Estimate:
    """The share of records that equal a real one in every compared column."""
    known = {canonical_json(dict(row)) for row in real}
    ours, theirs = (sum(canonical_json(dict(row)) in known for row in rows) for rows in (synthetic, holdout))
    return share(ours, len(synthetic), theirs / len(holdout) if len(holdout) else None)


def near_rows(ours: Floats, theirs: Floats) -> Estimate:
    """The share of records as near to a real one as the nearest 1% of the holdout; equal distances count, so that the
    ceiling is higher where genuine records coincide."""
    limit = float(np.quantile(theirs, 0.01, method="lower")) + _ROUNDING
    return share(int((ours <= limit).sum()), len(ours), float((theirs <= limit).mean()))


def dcr_share(to_real: Floats, to_holdout: Floats) -> Estimate:
    """The share of synthetic records closer to a real record than to any of the holdout; ties count for the holdout, as
    in SDMetrics' DCROverfittingProtection. Needs as many real records as holdout ones. 0.5 by chance without ties.

    Secondary: it stays near 0.5 for sets that give single records away (Yao et al., "The DCR delusion", 2025).
    """
    ceiling = 0.5 * float((to_real != to_holdout).mean()) if len(to_real) else None
    return share(int((to_real < to_holdout - 1e-12).sum()), len(to_real), ceiling)


def nndr_share(ours: Floats, theirs: Floats) -> Estimate:
    """The share of records whose nearest real record is at most half as far as the second nearest.

    Secondary, for the reason of `dcr_share`. Args: distances [m, 2] of synthetic and of held-out records.
    """
    near = [(some[:, 0] + _TINY) / (some[:, 1] + _TINY) <= 0.5 for some in (ours, theirs)]
    return share(int(near[0].sum()), len(ours), float(near[1].mean()) if len(theirs) else None)


def attack(members: Floats, others: Floats) -> dict[str, Estimate]:
    """How well scores tell members from others: AUC (0.5 by chance) and the true positive rate at 1% false ones.

    (Carlini et al., "Membership inference attacks from first principles", 2022.)
    """
    from sklearn.metrics import roc_auc_score

    auc = float(roc_auc_score(np.repeat([1, 0], [len(members), len(others)]), np.concatenate([members, others])))
    limit = float(np.quantile(others, 0.99, method="higher"))
    return {
        "auc": around(auc, 0.5, auc_error(auc, len(members), len(others)), 1.0),
        "tpr": share(int((members > limit).sum()), len(members), 0.01),
    }


def density_ratio(to_synthetic: Floats, to_reference: Floats) -> Floats:
    """Log of how much denser the synthetic records lie around a record than others of its kind, by nearest neighbors
    (van Breugel et al., "Membership inference attacks against synthetic data through overfitting detection", 2023)."""
    return np.log((to_reference + _TINY) / (to_synthetic + _TINY))


def highest_cosine(rows: Any, base: Any) -> Floats:
    """The highest cosine of each unit row [m, d] with one of the base [n, d], some rows at a time."""
    step = max(1, _CELLS // max(len(base), 1))
    return np.concatenate([(rows[at : at + step] @ base.T).max(axis=1) for at in range(0, len(rows), step)])


def coverage(texts: Sequence[str], base: Sequence[str], size: int = 4) -> Floats:
    """The share of each text's runs of four words that stand in the base (Hallinan et al., "The surprising
    effectiveness of membership inference with simple n-gram coverage", 2025)."""
    known = np.unique(shingles(tokenize(base), size).ids)
    sets = shingles(tokenize(texts), size)
    found = np.isin(sets.ids, known).astype(float)
    sums = np.concatenate([[0.0], np.cumsum(found)])
    return np.asarray(np.diff(sums[sets.starts]) / np.maximum(np.diff(sets.starts), 1))


def cells(rows: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    """How few records share a combination of quasi-identifiers (k-anonymity: Sweeney, 2002).

    Returns:
        The smallest cell, the number of cells, and the share of records in cells below 2, 5 and 10.
    """
    counts = Counter(canonical_json([row.get(name) for name in names]) for row in rows)
    sizes = np.array(list(counts.values()))
    below = {str(k): round(float(sizes[sizes < k].sum() / max(sizes.sum(), 1)), 6) for k in (2, 5, 10)}
    return {
        "columns": list(names),
        "smallest": int(sizes.min()) if len(sizes) else 0,
        "cells": len(sizes),
        "below": below,
    }
