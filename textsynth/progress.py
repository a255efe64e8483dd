"""Where a run is, and what it left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from textsynth.records import Completion, Record, Verdict


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
    _answered: int = 0
    _first: tuple[int, float] | None = None  # completions and seconds when the first ones had come

    @property
    def yield_rate(self) -> float:
        """Accepted / completed, 0..1."""
        return self.accepted / self.completed if self.completed else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Expected seconds to the target: requests left at the pace since the first answers; None before there is one.

        What came before them (loading a model, reading the first prompts) happens once and is left out of the pace.
        """
        if self.accepted >= self.target:
            return 0.0
        if self._first is None or self._answered == self._first[0] or self.seconds <= self._first[1]:
            return None
        pace = (self._answered - self._first[0]) / (self.seconds - self._first[1])
        return max(0.0, self.requests_left) / pace

    def judged(self, judged: Iterable[tuple[int, Record, int, str, Sequence[Verdict]]]) -> None:
        """Take a judged round into account."""
        for _, _, _, state, verdicts in judged:
            self.completed += 1
            self.accepted += state == "accepted"
            if state != "accepted":
                self.rejected["surplus" if state == "surplus" else verdicts[-1].reason or ""] += 1

    def count(self, completion: Completion, price: tuple[float, float], seconds: float) -> None:
        """Take an answer into account.

        Args:
            price: of a token read and a token written; seconds: of this sitting so far.
        """
        self.tokens += completion.completion_tokens
        self.prompt_tokens += completion.prompt_tokens
        self.cost += completion.prompt_tokens * price[0] + completion.completion_tokens * price[1]
        self._answered += 1
        self.seconds = seconds
        if self._first is None or seconds - self._first[1] < 0.05:  # a first batch ends all at once
            self._first = (self._answered, self._first[1] if self._first else seconds)


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
