"""The seam that every filter has, and what filters know of the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from textsynth.errors import InputError
from textsynth.records import Record, Seed, Verdict


class Filter(Protocol):
    """Decides on one record at a time, in request order.

    A record is checked by each filter in the job's order until one refuses; `remember` is called on every filter
    once all have accepted, so that a record refused later never blocks another.
    """

    name: str

    def prepare(self, records: Sequence[Record]) -> None:
        """Compute vectors and signatures for a whole round, in bulk. The records have fields."""
        ...

    def check(self, record: Record) -> Verdict:
        """Decide, without side effects."""
        ...

    def remember(self, record: Record) -> None:
        """Take an accepted record into account for those that follow."""
        ...

    def evidence(self) -> Mapping[str, Any]:
        """Numbers about the filter itself for the report: calibration, thresholds. Never a text."""
        ...


Memory = Literal["nothing", "trace", "records"]


def memory_of(one: Filter) -> Memory:
    """What a filter must be given again of a stopped run's accepted records, said by its attribute `memory`.

    Nothing; a trace of each, which its `traces` gave and its `recall` takes; or, as by default, the records.
    """
    memory: Memory = getattr(one, "memory", "records")
    return memory


def check_methods(filters: Sequence[Filter]) -> None:
    """Refuse objects that do not have the Filter methods."""
    for one in filters:
        missing = [n for n in ("name", "prepare", "check", "remember", "evidence") if not hasattr(one, n)]
        if missing:
            raise InputError(f"filters: {type(one).__name__} has no {missing[0]}. Give it the Filter methods.")


def judge(filters: Sequence[Filter], record: Record) -> list[Verdict]:
    """Each filter's verdict in order, up to the first that refuses; if none does, every filter remembers the record."""
    verdicts: list[Verdict] = []
    for one in filters:
        verdict = one.check(record)
        if not verdict.accepted and not verdict.reason:
            verdict = replace(verdict, reason=f"{one.name}_refused")  # a custom filter need not name a reason
        verdicts.append(verdict)
        if not verdict.accepted:
            return verdicts
    for one in filters:
        one.remember(record)
    return verdicts


@dataclass(frozen=True)
class References:
    """The seeds that leakage is measured against and calibrated on.

    `cluster` numbers near-duplicate clusters by seed id; `calibration` has one held-out seed a cluster.
    """

    shown: Sequence[Seed]
    calibration: Sequence[Seed]
    cluster: Mapping[str, int]
