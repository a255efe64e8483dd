"""Targets: the cells that the accepted records fill, how many belong in each, and how many to ask of each.

A cell is one combination of values of the columns that `plan.match` names. Without `match` there is one cell.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from textsynth.errors import InputError
from textsynth.job import Choices, Job
from textsynth.records import Seed, canonical_json
from textsynth.wording import nearest

MOST_VALUES = 12  # of a column of numbers that are cells of their own; more are cut into ranges
RANGES = 5  # with edges at the seeds' quantiles, in two digits
PRIOR_YIELD, PRIOR_WEIGHT = 0.8, 4  # assumed before a round has shown better, and the records that this weighs
GIVE_UP = 300  # records of a cell after which none that passed means: less than 1% will (rule of three, 95%)
LEAST_YIELD = 0.02  # below which a cell does not take more of a round from the others
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)?\.\.(-?\d+(?:\.\d+)?)?")


@dataclass(frozen=True)
class Bin:
    """A value of a column, or the numbers from `low` up to but not including `high`."""

    label: str
    value: Any = None
    low: float = -math.inf
    high: float = math.inf
    is_range: bool = False

    def holds(self, value: Any) -> bool:
        """Whether a field's value lies in it; a missing field is None."""
        if self.is_range:
            return _is_number(value) and self.low <= value < self.high
        return canonical_json(value) == canonical_json(self.value)


@dataclass(frozen=True)
class Targets:
    """The cells of a job: for each a bin of every column, and the share of the target that it is to have."""

    columns: tuple[str, ...] = ()
    cells: tuple[tuple[Bin, ...], ...] = ((),)
    shares: tuple[float, ...] = (1.0,)
    private: frozenset[str] = frozenset()  # columns whose bins come from the seeds

    def quotas(self, target: int, shard: tuple[int, int] = (1, 1)) -> tuple[int, ...]:
        """Accepted records that belong in each cell: whole numbers nearest to the shares (largest remainders).

        Shard i of n gets its part of each; those of all shards add up to the whole.
        """
        i, n = shard
        whole = apportion(self.shares, target)
        return tuple((q * i + at % n) // n - (q * (i - 1) + at % n) // n for at, q in enumerate(whole))

    def holds(self, cell: int, values: Mapping[str, Any], among: Iterable[str]) -> bool:
        """Whether values lie in a cell, as far as the columns `among` tell."""
        names = set(among)
        return all(
            one.holds(values.get(name))
            for name, one in zip(self.columns, self.cells[cell], strict=True)
            if name in names
        )

    def label(self, cell: int, told: bool = True) -> dict[str, str]:
        """A cell as people read it: column -> value or range.

        Args:
            told: an accepted record tells it; else a value that only seeds have is not named.
        """
        return {
            name: one.label if told or name not in self.private else "a value of the seeds"
            for name, one in zip(self.columns, self.cells[cell], strict=True)
        }


@dataclass(frozen=True)
class Standing:
    """What closed rounds gave together: for each cell records planned, passed and accepted; and what they took."""

    planned: tuple[int, ...]
    passed: tuple[int, ...]
    accepted: tuple[int, ...]
    requests: int = 0
    tokens: int = 0

    def plus(self, other: Standing) -> Standing:
        """Both together."""

        def added(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(x + y for x, y in zip(a, b, strict=True))

        return Standing(
            added(self.planned, other.planned),
            added(self.passed, other.passed),
            added(self.accepted, other.accepted),
            self.requests + other.requests,
            self.tokens + other.tokens,
        )


def nothing(cells: int) -> Standing:
    """Before any round."""
    return Standing((0,) * cells, (0,) * cells, (0,) * cells)


def yields(standing: Standing) -> list[float]:
    """The estimated share of each cell's records that pass, drawn toward that of all."""
    overall = (sum(standing.passed) + PRIOR_WEIGHT * PRIOR_YIELD) / (sum(standing.planned) + PRIOR_WEIGHT)
    return [
        (passed + PRIOR_WEIGHT * overall) / (planned + PRIOR_WEIGHT)
        for passed, planned in zip(standing.passed, standing.planned, strict=True)
    ]


def hopeless(standing: Standing, cell: int) -> bool:
    """Whether a cell is given up: many were asked for, and none passed."""
    return standing.planned[cell] >= GIVE_UP and not standing.passed[cell]


def next_counts(quotas: Sequence[int], standing: Standing, waiting: Sequence[int], most: int) -> tuple[int, ...]:
    """How many records of each cell the next round asks for; none where all is in sight.

    Args:
        quotas: accepted records wanted of each cell.
        standing: of the rounds that the plan may know.
        waiting: records of each cell in the round still in flight.
        most: records in the round.
    """
    wanted = []
    for cell, rate in enumerate(yields(standing)):
        need = quotas[cell] - standing.accepted[cell] - waiting[cell] * rate
        if need <= 0 or hopeless(standing, cell):
            wanted.append(0.0)
            continue
        # half a standard deviation more than expected, so that a run seldom ends with a round of one or two
        wanted.append(need / max(rate, LEAST_YIELD) + 0.5 * math.sqrt(need * (1 - rate)) / max(rate, LEAST_YIELD))
    whole = tuple(math.ceil(count) for count in wanted)
    return whole if sum(whole) <= most else apportion(wanted, max(0, most))


def expected_requests(quotas: Sequence[int], standing: Standing, calls: float) -> float:
    """Requests that what is missing will take, at the yields so far, with `calls` requests a record."""
    missing = (
        max(0, quota - accepted) / max(rate, LEAST_YIELD)
        for quota, accepted, rate in zip(quotas, standing.accepted, yields(standing), strict=True)
    )
    return calls * sum(need for cell, need in enumerate(missing) if not hopeless(standing, cell))


def apportion(weights: Sequence[float], total: int) -> tuple[int, ...]:
    """Whole numbers that add up to `total` and lie nearest to the weights' shares (largest remainders, Hamilton)."""
    whole = sum(weights)
    exact = [weight * total / whole for weight in weights] if whole else [0.0] * len(weights)
    found = [int(share + 1e-9) for share in exact]
    order = sorted(range(len(weights)), key=lambda at: (found[at] - exact[at], at))
    for at in order[: total - sum(found)] if whole else ():
        found[at] += 1
    return tuple(found)


def interleaved(counts: Sequence[int]) -> list[int]:
    """The cells of a round's records in order, each cell spread evenly over the round."""
    places = [((at + 0.5) / count, cell) for cell, count in enumerate(counts) for at in range(count)]
    return [cell for _, cell in sorted(places)]


def targets_for(job: Job, seeds: Sequence[Seed], properties: Mapping[str, Any]) -> Targets:
    """The cells of a job: the seeds' own combinations, equal ones, and given shares, multiplied.

    Raises:
        InputError: a column that is not planned, or shares that do not fit it.
    """
    match = job.plan.match
    if match is None:
        return Targets()
    asked = dict.fromkeys(match, "seeds") if isinstance(match, list) else match
    faults = [fault for name in asked for fault in _column_faults(job, name, properties)]
    if faults:
        raise InputError(faults)
    listed = {name: choices for name in asked if (choices := _choices(job, name)) is not None}
    parts = [
        _given(job, name, listed.get(name), seeds, given) for name, given in asked.items() if not isinstance(given, str)
    ]
    for kind in ("seeds", "equal"):
        names = [name for name, given in asked.items() if given == kind]
        parts += [_from_list(name, listed[name], kind) for name in names if name in listed]
        if drawn := [name for name in names if name not in listed]:
            parts.append(_from_seeds(drawn, seeds, kind))
    cells: list[tuple[tuple[Bin, ...], float]] = []
    order = [name for names, _ in parts for name in names]
    for combination in product(*(cells for _, cells in parts)):
        bins = dict(zip(order, [one for some, _ in combination for one in some], strict=True))
        cells.append((tuple(bins[name] for name in asked), math.prod(share for _, share in combination)))
    total = sum(share for _, share in cells)
    private = frozenset(name for name, given in asked.items() if isinstance(given, str) and name not in listed)
    bins_of, shares = zip(*cells, strict=True)
    return Targets(tuple(asked), bins_of, tuple(share / total for share in shares), private)


Part = tuple[Sequence[str], list[tuple[tuple[Bin, ...], float]]]  # columns, and the share of each combination


def _column_faults(job: Job, name: str, properties: Mapping[str, Any]) -> list[str]:
    place, known = f"{job.place}: plan.match", [*properties, *job.attributes]
    if name not in known:
        return [
            f"{place}: {name} is neither a field of the record nor an attribute. {nearest(name, known)}"
            f"Known here: {', '.join(known[:20])}."
        ]
    spec = job.fields.get(name)
    if name in properties and (spec is None or spec.source in ("written", "picked")):
        return [f"{place}: {name} is written by the model, so no plan can hold it. Make it sampled, or leave it out."]
    return []


def _choices(job: Job, name: str) -> Choices | None:
    """The values that the job lists for a column; None where it is drawn from the seeds."""
    return job.attributes.get(name) or (job.fields[name].values if name in job.fields else None)


def _from_list(name: str, choices: Choices, kind: str) -> Part:
    weights = choices if isinstance(choices, Mapping) and kind == "seeds" else dict.fromkeys(choices, 1.0)
    return [name], [((Bin(str(value), value),), weight) for value, weight in weights.items()]


def _from_seeds(names: Sequence[str], seeds: Sequence[Seed], kind: str) -> Part:
    bins = [_bins([seed.data.get(name) for seed in seeds]) for name in names]
    counts = Counter(
        tuple(next(at for at, one in enumerate(some) if one.holds(seed.data.get(name))) for name, some in columns)
        for seed in seeds
        for columns in [list(zip(names, bins, strict=True))]
    )
    return names, [
        (tuple(bins[column][at] for column, at in enumerate(cell)), count if kind == "seeds" else 1.0)
        for cell, count in sorted(counts.items())
    ]


def _given(job: Job, name: str, choices: Choices | None, seeds: Sequence[Seed], shares: Mapping[Any, float]) -> Part:
    values = list(choices) if choices is not None else [seed.data.get(name) for seed in seeds]
    numeric = bool(values) and all(_is_number(value) for value in values if value is not None)
    bins, who = (
        [_bin(key, numeric) for key in shares],
        "seed that min_cell leaves has" if job.seeds.min_cell else "seed has",
    )
    faults = [
        f"{job.place}: plan.match.{name}: {a.label} and {b.label} overlap. A range holds its low end, not its high one."
        for at, a in enumerate(bins)
        for b in bins[:at]
        if a.is_range and b.is_range and a.low < b.high and b.low < a.high
    ]
    faults += [
        f"{job.place}: plan.match.{name}: no {who if choices is None else 'listed value is'} {one.label} there. "
        "Leave it out, or mend it."
        for one in bins
        if not any(one.holds(value) for value in values)
    ]
    if faults:
        raise InputError(faults)
    return [name], [((one,), share) for one, share in zip(bins, shares.values(), strict=True)]


def _bin(key: Any, numeric: bool) -> Bin:
    found = _RANGE.fullmatch(key) if isinstance(key, str) and numeric and key != ".." else None
    if not found:
        return Bin(str(key), key)
    return Bin(key, None, float(found[1] or -math.inf), float(found[2] or math.inf), True)


def _bins(values: Sequence[Any]) -> list[Bin]:
    """A bin for each value; many numbers are cut at quantiles, in two digits, so that no edge tells a seed's value."""
    distinct = {canonical_json(value): value for value in values}
    numbers = sorted(value for value in values if _is_number(value))
    missing = [value for value in distinct.values() if value is None]
    if len(numbers) + values.count(None) < len(values) or len(distinct) <= MOST_VALUES:
        found = sorted(distinct.values(), key=canonical_json)
        return [Bin("none" if value is None else str(value), value) for value in found]
    edges = sorted({float(f"{numbers[len(numbers) * at // RANGES]:.2g}") for at in range(1, RANGES)})
    places = [-math.inf, *edges, math.inf]
    pairs = [(low, high) for low, high in zip(places, places[1:], strict=False)]
    pairs = [pair for pair in pairs if any(pair[0] <= value < pair[1] for value in numbers)]
    words = [(f"{low:g}" if low > -math.inf else "", f"{high:g}" if high < math.inf else "") for low, high in pairs]
    found = [Bin(f"{a}..{b}", None, low, high, True) for (a, b), (low, high) in zip(words, pairs, strict=True)]
    return [*found, *(Bin("none", value) for value in missing)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
