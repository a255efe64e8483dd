"""Where a run is, and what it left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Progress:
    """Where a run is; handed to `on_progress` a few times a second."""

    target: int
    accepted: int = 0
    completed: int = 0
    in_flight: int = 0
    tokens: int = 0  # written by the engine in this sitting
    seconds: float = 0.0  # of this sitting
    rejected: Counter[str] = field(default_factory=Counter)
    doing: str = "starting"
    accepted_before: int = 0  # by earlier sittings
    said: Mapping[str, int] = field(default_factory=dict)  # by the engine: what happened, and how often

    @property
    def yield_rate(self) -> float:
        """Accepted / completed, 0..1."""
        return self.accepted / self.completed if self.completed else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Expected seconds to the target at this sitting's pace; None before anything was accepted in it."""
        here = self.accepted - self.accepted_before
        return self.seconds / here * max(0, self.target - self.accepted) if here else None


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
