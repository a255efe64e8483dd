"""What was planned and what it gave, round by round; and how a run that stopped is taken up again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from textsynth.filters.base import Filter, memory_of
from textsynth.filters.dedup import DedupFilter
from textsynth.inputs.steer import Aim, Gave
from textsynth.inputs.targets import Standing, expected_requests, hopeless, nothing
from textsynth.outputs.store import Store
from textsynth.progress import Progress


@dataclass
class Ledger:
    """All planned rounds, and what the closed ones gave. The plan of a round sees the results up to the last but one.

    Args:
        quotas: accepted records wanted of each cell; first: the number of the first record.
    """

    quotas: Sequence[int]
    first: int = 0
    planned: list[tuple[int, ...]] = field(default_factory=list)  # records of each cell, by round
    aims: list[Aim] = field(default_factory=list)  # of all planned rounds, where there is steering
    gave: list[Gave] = field(default_factory=list)  # of closed rounds
    standings: list[Standing] = field(default_factory=list)  # after each closed round
    next_first: int = field(init=False)

    def __post_init__(self) -> None:
        self.next_first = self.first

    @property
    def standing(self) -> Standing:
        """After all closed rounds."""
        return self.standings[-1] if self.standings else nothing(len(self.quotas))

    @property
    def known(self) -> Standing:
        """What the next round's plan may know: never the last planned round's results, whether or not it is done."""
        last = min(len(self.standings), len(self.planned) - 1)
        return self.standings[last - 1] if last > 0 else nothing(len(self.quotas))

    @property
    def known_gave(self) -> list[Gave]:
        """The same for steering."""
        return self.gave[: max(0, len(self.planned) - 1)]

    @property
    def waiting(self) -> tuple[int, ...]:
        """Records of each cell in the last planned round."""
        return self.planned[-1] if self.planned else (0,) * len(self.quotas)

    @property
    def room(self) -> list[int]:
        """How many records each cell still wants."""
        return [quota - accepted for quota, accepted in zip(self.quotas, self.standing.accepted, strict=True)]

    @property
    def given_up(self) -> bool:
        """Whether nothing more is asked because nothing passes in any cell that is short."""
        short = [cell for cell, room in enumerate(self.room) if room > 0]
        return bool(short) and all(hopeless(self.standing, cell) for cell in short)

    def expected(self, calls: int) -> float:
        """Requests that what is missing will take, at the yields so far."""
        return expected_requests(self.quotas, self.standing, calls)

    def plan(self, counts: Sequence[int], aim: Aim | None) -> None:
        """Note a planned round."""
        self.planned.append(tuple(counts))
        self.aims += [aim] if aim else []
        self.next_first += sum(counts)

    def close(self, gave: Standing, steering: Gave) -> None:
        """Note what a round gave."""
        self.standings.append(self.standing.plus(gave))
        self.gave.append(steering)

    def take_up(self, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Note the rounds of a folder; returns the rows of those that are still open."""
        for row in rows:
            self.plan(row["cells"], Aim(**row["aim"]) if row["aim"] else None)
            if row["closed"]:
                counts = tuple(row["cells"]), tuple(row["passed"]), tuple(row["accepted"])
                steering = Gave(**row["gave"]) if row["gave"] else Gave()
                self.close(Standing(*counts, row["requests"], row["tokens"]), steering)
        return [row for row in rows if not row["closed"]]

    def promote(self, records: Iterable[tuple[int, int]]) -> dict[int, tuple[int, ...]]:
        """Count surplus records, each with its round and cell, as accepted ones of their rounds, so that a later
        sitting finds the same; returns what those rounds then have accepted."""
        more = Counter(records)
        found, before, given = {}, (0,) * len(self.quotas), [0] * len(self.quotas)
        for round, standing in enumerate(self.standings):
            here = [more[round, cell] for cell in range(len(self.quotas))]
            given = [a + b for a, b in zip(given, here, strict=True)]
            accepted = tuple(a + b for a, b in zip(standing.accepted, given, strict=True))
            if any(here):
                found[round] = tuple(a - b for a, b in zip(accepted, before, strict=True))
            self.standings[round], before = replace(standing, accepted=accepted), accepted
        return found


def remember(store: Store, filters: Sequence[Filter], progress: Progress) -> None:
    """Count the judged records of a folder, and let the filters remember those that they accepted."""
    for row in store.tally():
        progress.completed += row["count"]
        progress.accepted += row["count"] if row["state"] == "accepted" else 0
        if row["state"] != "accepted":
            progress.rejected[row["reason"] or row["state"]] += row["count"]
    progress.accepted_before = progress.accepted
    by_trace = tracing(filters)
    if by_trace:
        by_trace.recall(store.passed_traces())
    whole = [one for one in filters if one is not by_trace and memory_of(one) != "nothing"]
    for some in store.passed_records() if whole else ():
        for one in whole:
            one.prepare(some)
            for record in some:
                one.remember(record)


def tracing(filters: Sequence[Filter]) -> DedupFilter | None:
    """The filter that needs no more of a record than its trace: a record has one, so only where there is one such."""
    found = [one for one in filters if isinstance(one, DedupFilter) and memory_of(one) == "trace"]
    return found[0] if len(found) == 1 else None


def promote(store: Store, ledger: Ledger, progress: Progress) -> None:
    """Accept surplus records, in their order, where a raised target has room for them."""
    room, taken = ledger.room, []
    surplus = "SELECT number, round, cell FROM records WHERE state = 'surplus' ORDER BY number"
    for row in list(store.rows(surplus)) if any(count > 0 for count in room) else ():
        if room[row["cell"]] > 0:
            room[row["cell"]] -= 1
            taken.append(row)
    rounds = ledger.promote((row["round"], row["cell"]) for row in taken)
    store.promote([row["number"] for row in taken], rounds)
    progress.accepted += len(taken)
    progress.rejected["surplus"] -= len(taken)
    progress.rejected += type(progress.rejected)()  # drops zero counts
    store.commit()
