"""One shape for every number of an evaluation: its value, its ceiling, and how far chance alone may move it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Estimate = dict[str, Any]
Z = 1.959964  # of a 95% interval


def estimate(
    value: float | None, ceiling: float | None, low: float | None = None, high: float | None = None
) -> Estimate:
    """A value beside what the holdout reaches, with a 95% interval; what is not finite is None."""
    numbers = {"value": value, "ceiling": ceiling, "low": low, "high": high}
    return {name: _plain(number) for name, number in numbers.items()}


def around(value: float, ceiling: float | None, error: float, most: float = math.inf) -> Estimate:
    """An estimate with the normal interval of a standard error; `most` is the highest value there can be."""
    return estimate(value, ceiling, value - Z * error, min(value + Z * error, most))


def share(part: int, whole: int, ceiling: float | None) -> Estimate:
    """A share with Wilson's interval (Wilson, "Probable inference", 1927)."""
    if not whole:
        return estimate(None, ceiling)
    p, z = part / whole, Z * Z / whole
    middle, half = (p + z / 2) / (1 + z), Z * math.sqrt(p * (1 - p) / whole + z / (4 * whole)) / (1 + z)
    return estimate(p, ceiling, middle - half, middle + half)


def standard_error(measure: Callable[[Ints], float], count: int, rng: np.random.Generator, times: int = 20) -> float:
    """The deviation of `measure(indices)` over bootstrap samples of `count` items (Efron, 1979)."""
    found = [measure(rng.integers(0, count, count)) for _ in range(times)]
    return float(np.std(found, ddof=1))


def auc_error(auc: float, positives: int, negatives: int) -> float:
    """The standard error of an AUC (Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982)."""
    one, two = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (one - auc * auc) + (negatives - 1) * (two - auc * auc)
    return math.sqrt(max(spread, 0.0) / (positives * negatives))


def _plain(number: float | None) -> float | None:
    return None if number is None or not math.isfinite(number) else round(float(number), 6)
