"""How much a server is asked at a time, how long to wait for it, and when to give up: rules without a network.

How many requests are open finds its own level by additive increase and multiplicative decrease (Chiu and Jain,
"Analysis of the Increase and Decrease Algorithms for Congestion Avoidance in Computer Networks", 1989), with TCP's
slow start. Latency counts against the best that was lately seen, with a wide tolerance, as in Netflix's
concurrency-limits (Gradient2). Pauses between retries double and are jittered (Brooker, "Exponential Backoff and
Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from statistics import median
from typing import Literal

START = 64  # open requests to begin with: a level that batching servers and the small ones' queues both bear
_FLOOR = 16  # rising latency alone never goes below: a few requests tell too little of a server's load
_WINDOW = 32  # answers that one look at latency rests on, at least
_SLOWER = 2.0  # times the best latency that counts as rising
_DRIFT = 1.05  # by which the best is forgotten each window, so that longer answers become the new normal
_TOKENS = 16  # what an answer costs beside its tokens: latency is compared per token, since answers differ in length

Kind = Literal["away", "busy", "broken", "late", "garbage"]
MOST: dict[Kind, int] = {"away": 1000, "busy": 100, "broken": 6, "late": 2, "garbage": 3}
"""How often one request may fail in each way. What a request may itself be the cause of ends sooner."""


class Again(Exception):
    """A failure that may pass: how it failed, in words that follow `the server`, and the seconds it asked to wait."""

    def __init__(self, kind: Kind, words: str, wait: float | None = None) -> None:
        super().__init__(words)
        self.kind, self.words, self.wait = kind, words, wait


class Pace:
    """How many requests may be open: `level`, from 1 to `most`. Begins with 64, or `most` if that is less.

    It grows while it is what holds requests back: by one each answer up to `threshold`, then by one each `level`
    answers. It halves when the server refuses for load or lets a request time out, at most once for the requests
    that were open together. It shrinks by a tenth when latency stays above twice the best of late without more
    answers a second for it: two windows in a row, so that noise does not.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.level = float(min(START, most))
        self.threshold = float(most)
        self._cut = 0.0
        self._costs: list[float] = []
        self._open = 0
        self._best: tuple[float, float] | None = None  # seconds a token, and tokens a second of all open requests
        self._rising = False

    def answered(self, seconds: float, tokens: int, in_use: int) -> None:
        """Learn from an answer that took `seconds` while `in_use` requests were open."""
        if in_use >= int(self.level) and self.level < self.most:
            self.level = min(self.most, self.level + (1 if self.level < self.threshold else 1 / self.level))
        self._costs.append(seconds / (_TOKENS + tokens))
        self._open += in_use
        if len(self._costs) >= max(_WINDOW, 2 * self.level):
            self._look()

    def refused(self, asked_at: float, now: float) -> None:
        """Learn that a request sent at `asked_at` met a server with too much to do."""
        if asked_at >= self._cut:
            self.level = self.threshold = max(1.0, self.level / 2)
            self._cut = now

    def _look(self) -> None:
        cost = median(self._costs)
        rate = self._open / len(self._costs) / max(cost, 1e-9)
        best_cost, best_rate = self._best or (cost, rate)
        better = rate > 1.1 * best_rate  # waiting longer buys more answers: this is what to compare with from now on
        rising = cost > _SLOWER * best_cost and not better
        if rising and self._rising and self.level > _FLOOR:
            self.level = self.threshold = max(float(_FLOOR), 0.9 * self.level)
        self._rising = rising
        self._best = (cost, rate) if better else (min(cost, best_cost * _DRIFT), max(rate, best_rate / _DRIFT))
        self._costs, self._open = [], 0


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server that fails.

    Args:
        first: seconds before the first retry; each further one doubles, up to `longest`.
        start: seconds given to a server that has not answered anything yet.
        total: seconds that a request may go on failing while the server answers no other one well.
    """

    first: float = 0.5
    longest: float = 20.0
    start: float = 30.0
    total: float = 300.0

    def pause(self, failure: Again, failures: int) -> float:
        """Seconds before the next try after so many failures; as long as the server asks, if it does."""
        if failure.wait is not None:
            return failure.wait + random.random() * min(self.first, 0.1 * failure.wait)
        return min(self.longest, self.first * 2.0 ** min(failures - 1, 30)) * random.uniform(0.5, 1)


class Tries:
    """The failures of one request."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._counts: Counter[Kind] = Counter()
        self._began = 0.0

    def pause(self, failure: Again, now: float, served: float | None) -> float | None:
        """Seconds to wait before asking again; None when it is time to give up.

        Args:
            served: when the server last answered anything well, None if it never did.
        """
        self._began = self._began or now
        self._counts[failure.kind] += 1
        never = served is None and failure.kind == "away"
        limit = self._patience.start if never else self._patience.total
        pause = self._patience.pause(failure, self._counts.total())
        spent = now - max(self._began, served or 0.0)
        if self._counts[failure.kind] >= MOST[failure.kind] or spent >= limit or (failure.wait or 0) > limit:
            return None
        return pause if failure.wait is not None else min(pause, limit - spent)


def retry_after(header: str | None) -> float | None:
    """Seconds that a `Retry-After` header asks to wait, which is a number or an HTTP date; None if it does not say."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if seconds < float("inf") else None
