"""How far two judges of one thing agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any


def judges_of(steps: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Pairs of working fields that score one thing: whole numbers of one scale that two steps ask with one prompt.

    Args:
        steps: a job's steps, as plain values.
    """
    scores = [
        (name, number, (step["prompt"], place, part["minimum"], part["maximum"]))
        for number, step in enumerate(steps)
        if isinstance(step.get("writes"), Mapping) and step.get("n", 1) == 1
        for place, (name, part) in enumerate(step["writes"].items())
        if part and part.get("type") == "integer" and part.keys() >= {"minimum", "maximum"}
    ]
    return [
        (a, b) for (a, first, one), (b, second, other) in combinations(scores, 2) if one == other and first != second
    ]


def agreement(counts: Counter[tuple[int, int]]) -> dict[str, float | int | None]:
    """The share of records that both judges gave the same score, and Cohen's kappa with quadratic weights.

    Kappa is 1 for judges that always agree and 0 for those that agree as often as chance would have it; None where that
    is always (Cohen, "Weighted kappa", 1968; here by the moments that its sums come down to).

    Args:
        counts: of each pair of scores.
    """
    n = counts.total()
    if not n:
        return {"records": 0, "same": None, "kappa": None}
    apart = sum(count * (a - b) ** 2 for (a, b), count in counts.items()) / n
    means = [sum(count * pair[at] for pair, count in counts.items()) / n for at in (0, 1)]
    squares = sum(count * (a * a + b * b) for (a, b), count in counts.items()) / n
    chance = squares - 2 * means[0] * means[1]
    same = sum(count for (a, b), count in counts.items() if a == b)
    kappa = round(1 - apart / chance, 6) if chance > 1e-12 else None
    return {"records": n, "same": round(same / n, 6), "kappa": kappa}
