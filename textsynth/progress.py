"""Where a run is, and what it left."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from textsynth.records import Completion, Record, Verdict


@dataclass
class Pace:
    """How fast engines answer, and how far they are with what they work on.

    `since` has the time at which an engine took each request that is in flight.
    """

    since: dict[str, float] = field(default_factory=dict)
    _began: float | None = None
    _answered: int = 0
    _waited: float = 0.0  # seconds from taking to answering, of all answers
    _most: int = 0  # in flight at a time

    def count(self, request_id: str) -> None:
        """Take an answer into account."""
        now = time.monotonic()
        self._most = max(self._most, len(self.since))
        began = self.since.pop(request_id, now)
        self._began = began if self._began is None else min(began, self._began)
        self._answered, self._waited = self._answered + 1, self._waited + now - began

    def seconds_for(self, requests: float) -> float | None:
        """Expected seconds for so many more answers, those in flight among them; None before there is one.

        A request in flight counts as done by its age in parts of the usual wait. While an engine runs empty at the end
        it answers fewer at a time. That costs one that gets no faster as it empties half of that wait, and one whose
        speed is all its own nothing: a third is added. Loading a model comes before it takes its first request, and is
        left out.
        """
        if self._began is None:
            return None
        now, usual = time.monotonic(), max(self._waited / self._answered, 1e-9)
        done = sum(min((now - taken) / usual, 0.95) for taken in list(self.since.values()))
        pace = (self._answered + done) / max(now - self._began, 1e-9)
        return max(0.0, requests - done) / pace + usual / 3 * min(1.0, max(0.0, requests) / max(self._most, 1))


@dataclass
class Progress:
    """Where a run is; handed to `on_progress` a few times a second."""

    target: int
    accepted: int = 0
    completed: int = 0
    in_flight: int = 0
    tokens: int = 0  # written by the engines in this sitting
    prompt_tokens: int = 0  # read by them
    cost: float = 0.0  # of both, where the job gives a price
    seconds: float = 0.0  # of this sitting
    rejected: Counter[str] = field(default_factory=Counter)
    doing: str = "starting"
    accepted_before: int = 0  # by earlier sittings
    said: Mapping[str, int] = field(default_factory=dict)  # by the engines: what happened, and how often
    requests_left: float = 0.0  # expected, at the yields so far
    out_of_time: bool = False  # plan.max_time is over
    pace: Pace = field(default_factory=Pace)

    @property
    def yield_rate(self) -> float:
        """Accepted / completed, 0..1."""
        return self.accepted / self.completed if self.completed else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Expected seconds to the target; None before there is an answer."""
        return 0.0 if self.accepted >= self.target else self.pace.seconds_for(self.requests_left)

    def judged(self, judged: Iterable[tuple[int, Record, int, str, Sequence[Verdict]]]) -> None:
        """Take a judged round into account."""
        for _, _, _, state, verdicts in judged:
            self.completed += 1
            self.accepted += state == "accepted"
            if state != "accepted":
                self.rejected["surplus" if state == "surplus" else verdicts[-1].reason or ""] += 1

    def count(self, completion: Completion, price: tuple[float, float]) -> None:
        """Take an answer into account; `price` is that of a token read and of a token written."""
        self.tokens += completion.completion_tokens
        self.prompt_tokens += completion.prompt_tokens
        self.cost += completion.prompt_tokens * price[0] + completion.completion_tokens * price[1]
        self.pace.count(completion.request_id)


@dataclass(frozen=True)
class Result:
    """What a run left: accepted records, counts of the rest by reason, and what was missed: a target, a gate."""

    folder: Path
    target: int
    accepted: int
    counts: Mapping[str, int]
    shortfall: Sequence[str]

    @property
    def done(self) -> bool:
        """Whether nothing was missed."""
        return not self.shortfall
