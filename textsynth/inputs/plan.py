"""The plan: which fields and attributes each record gets, which seeds it is shown, how many are asked for.

Everything here is a pure function of the job, the seeds and a record's number, or of the results of closed rounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from textsynth.errors import InputError
from textsynth.inputs.dialects import first_error, validator
from textsynth.inputs.infer import is_free_text
from textsynth.inputs.min_cell import min_cell_faults
from textsynth.inputs.seeds import SeedSet
from textsynth.inputs.steer import Aim
from textsynth.inputs.targets import Standing, Targets, next_counts, targets_for
from textsynth.job import Choices, Job
from textsynth.records import Record, Seed, rng_for
from textsynth.wording import nearest

SHARD = 10_000_000  # numbers of records that a shard has for itself


@dataclass(frozen=True)
class Cost:
    """What one record takes: requests when nothing fails, requests and tokens with every retry and every bound."""

    calls: int
    worst_calls: int
    worst_tokens: int


@dataclass(frozen=True)
class Planner:
    """Draws records and examples for one job. Build it with `plan_for`."""

    job: Job
    seeds: SeedSet
    targets: Targets
    groups: tuple[tuple[str, ...], ...]  # of sampled fields drawn from one seed row
    copied: tuple[str, ...]  # also the perturbed ones: they come from the same row
    _pools: Mapping[tuple[str, ...], Sequence[Seed]] = field(repr=False)
    shard: tuple[int, int] = (1, 1)  # i of n
    _examples: dict[tuple[int, int, str], tuple[Seed, ...]] = field(repr=False, default_factory=dict)
    _cell_pools: dict[tuple[tuple[str, ...], int], Sequence[Seed]] = field(repr=False, default_factory=dict)

    @property
    def first(self) -> int:
        """The number of the first record; each shard has numbers of its own, so no two make the same record."""
        return (self.shard[0] - 1) * SHARD

    @property
    def quotas(self) -> tuple[int, ...]:
        """Accepted records wanted of each cell."""
        return self.targets.quotas(self.job.plan.target, self.shard)

    @property
    def target(self) -> int:
        """Accepted records wanted in all; of a shard, its part."""
        return sum(self.quotas)

    def record(self, number: int, round: int, aim: Aim | None = None, cell: int = 0) -> Record:
        """The planned record with this number: sampled and copied fields and attributes that lie in its cell."""
        record_id = f"r{number:07d}"
        rng = rng_for(self.job.rng_seed, record_id)
        fields: dict[str, Any] = {}
        drawn: dict[str, str] = {}
        for group in (*self.groups, self.copied):
            if group:
                seed = rng.choice(self._pool(group, cell))
                fields |= {name: seed.data[name] for name in group if name in seed.data}
                drawn[",".join(group)] = seed.id
        for name, spec in self.job.fields.items():
            if spec.values is not None:
                fields[name] = _draw(rng, self._allowed(name, spec.values, cell))
        attributes = {}
        for at, (name, choices) in enumerate(self.job.attributes.items()):
            weights = aim.weights[name] if aim else _weights(choices)
            allowed = self._allowed(name, dict(zip(choices, weights, strict=True)), cell)
            place = rng_for(self.job.rng_seed, "attributes", name).random() + number * self._stride(at)
            attributes[name] = _at(list(allowed), list(allowed.values()), place % 1.0)
        label = self.targets.label(cell)
        return Record(
            record_id, round, attributes, fields, lineage={"drawn_from": drawn} | ({"cell": label} if label else {})
        )

    def _pool(self, group: tuple[str, ...], cell: int) -> Sequence[Seed]:
        """The seeds that a group of fields can be drawn from in a cell."""
        if not set(group) & set(self.targets.columns):
            return self._pools[group]
        if (group, cell) not in self._cell_pools:
            self._cell_pools[group, cell] = [s for s in self._pools[group] if self.targets.holds(cell, s.data, group)]
        return self._cell_pools[group, cell]

    def _allowed(self, name: str, choices: Choices, cell: int) -> dict[Any, float]:
        """Those of the listed values that lie in a cell, with their weights."""
        weights = dict(zip(choices, _weights(choices), strict=True))
        if name not in self.targets.columns:
            return weights
        return {value: weight for value, weight in weights.items() if self.targets.holds(cell, {name: value}, [name])}

    def impossible(self) -> list[str]:
        """A sentence for each cell with a quota that no record can have."""
        place = f"{self.job.place}: plan.match"
        return [
            f"{place}: {_none(self.seeds)} has {_said(self.targets.label(cell, told=False))} together, and "
            f"{', '.join(group)} are drawn from one row. Draw them in separate groups, or leave a column out of match."
            for cell, quota in enumerate(self.targets.quotas(self.job.plan.target))
            if quota
            for group in (*self.groups, self.copied)
            if group and not self._pool(group, cell)
        ][:3]

    def _stride(self, attribute: int) -> float:
        """How far each record moves along an attribute's values: any run of records has nearly their exact shares.

        The R sequence, evenly spread over all combinations too: M. Roberts, "The unreasonable effectiveness of
        quasirandom sequences", 2018. Powers of the inverse of the root of x^(d+1) = x + 1 for d attributes.
        """
        root = 1.5
        for _ in range(40):
            root = float((1 + root) ** (1 / (len(self.job.attributes) + 1)))
        return float(root ** -(attribute + 1))

    def examples(self, number: int, step: int, pool: Mapping[str, Seed], count: int, like: str = "") -> Sequence[Seed]:
        """Those of a step's examples that a record is shown; the same for a whole block of consecutive records.

        Args:
            like: names the pool, where a step has several.
        """
        block, kept = number // self.job.plan.few_shot_block, self._examples
        if (block, step, like) not in kept:
            rng = rng_for(self.job.rng_seed, "examples", block, step, *([like] if like else []))
            kept[block, step, like] = tuple(rng.sample(list(pool.values()), min(count, len(pool))))
            kept.pop((block - 8, step, like), None)
        return kept[block, step, like]

    def next_round(self, standing: Standing, waiting: Sequence[int], cost: Cost) -> tuple[int, ...]:
        """How many records of each cell the next round asks for; none when all is in sight or a budget is spent.

        Args:
            standing: what is known to this round: the results up to the round before the last.
            waiting: records of each cell in the round still in flight.
            cost: of one record.
        """
        plan, in_flight = self.job.plan, sum(waiting)
        most = plan.round
        requests = self.part(plan.max_requests or 4 * plan.target * cost.calls)
        most = min(most, (requests - standing.requests - in_flight * cost.worst_calls) // cost.worst_calls)
        if plan.max_tokens is not None and cost.worst_tokens:
            spare = self.part(plan.max_tokens) - standing.tokens - in_flight * cost.worst_tokens
            most = min(most, spare // cost.worst_tokens)
        return next_counts(self.quotas, standing, waiting, max(0, most))

    def part(self, budget: int) -> int:
        """This shard's part of a budget."""
        i, n = self.shard
        return budget * i // n - budget * (i - 1) // n


def plan_for(
    job: Job, schema: Mapping[str, Any], properties: Mapping[str, Mapping[str, Any]], seeds: SeedSet
) -> Planner:
    """Check that every field has a source that can give it, and build the planner.

    Raises:
        InputError: all faults of `fields`, `together` and the seeds' columns, one sentence each.
    """
    sampled = [n for n, s in job.fields.items() if s.source == "sampled" and s.values is None]
    faults = _field_faults(job, schema, properties)
    faults += _together_faults(job, sampled) + min_cell_faults(job, properties)
    grouped = {name for group in job.together for name in group}
    groups = tuple([tuple(g) for g in job.together] + [(n,) for n in sampled if n not in grouped])
    copied = tuple(n for n, s in job.fields.items() if s.source in ("copied", "perturbed"))
    for name in [n for n in (*sampled, *copied) if n in properties]:
        values = [seed.data[name] for seed in seeds.usable if name in seed.data]
        if not values:
            use = "Give values, or map a column" if name in sampled else "Map a column, or take the field out"
            source = job.fields[name].source
            faults.append(f"{job.place}: fields.{name} is {source}, but {_none(seeds)} has it. {use}.")
        elif name in sampled and is_free_text(values):
            faults.append(
                f"{job.place}: fields.{name} is sampled, but the seeds hold free text there. "
                "Make it written, or give it values."
            )
    if faults:
        raise InputError(faults)
    needed = [n for n in (*sampled, *copied) if n in _required(schema)]
    pools = {
        group: [s for s in seeds.usable if all(n in s.data for n in group if n in needed)]
        for group in (*groups, copied)
    }
    empty = [group for group, pool in pools.items() if group and not pool]
    if empty:
        raise InputError([f"{job.place}: {_none(seeds)} has all of {', '.join(g)}. Map their columns." for g in empty])
    planner = Planner(job, seeds, targets_for(job, seeds.usable, properties), groups, copied, pools)
    if impossible := planner.impossible():
        raise InputError(impossible)
    return planner


def example_pool(seeds: SeedSet, written: Sequence[str]) -> list[Seed]:
    """The usable seeds that have every field a step writes."""
    return [seed for seed in seeds.usable if all(name in seed.data for name in written)]


def _draw(rng: Any, choices: Mapping[Any, float]) -> Any:
    return rng.choices(list(choices), weights=list(choices.values()))[0]


def _none(seeds: SeedSet) -> str:
    return "no seed that min_cell leaves" if seeds.rare else "no seed"


def _said(label: Mapping[str, str]) -> str:
    return " and ".join(f"{name} {value}" for name, value in label.items())


def _weights(choices: Choices) -> list[float]:
    return list(choices.values()) if isinstance(choices, Mapping) else [1.0] * len(choices)


def _at(values: Sequence[Any], weights: Sequence[float], place: float) -> Any:
    """The value at a place from 0 to 1 along all values, each as long as its weight."""
    left = place * sum(weights)
    for value, weight in zip(values, weights, strict=True):
        left -= weight
        if left < 0:
            return value
    return values[-1]


def _required(schema: Mapping[str, Any]) -> set[str]:
    return set(schema.get("required", ()))


def _field_faults(job: Job, schema: Mapping[str, Any], properties: Mapping[str, Mapping[str, Any]]) -> list[str]:
    faults = []
    for name, spec in job.fields.items():
        place = f"{job.place}: fields.{name}"
        if name not in properties:
            faults.append(
                f"{place} is not in the record schema. {nearest(name, properties)}"
                f"Fields there: {', '.join(list(properties)[:20])}."
            )
        elif spec.values is not None and spec.source != "sampled":
            faults.append(f"{place} has values but is {spec.source}. Give it source: sampled.")
        elif spec.values is not None:
            check = validator({**_definitions(schema), **properties[name]})
            bad = [v for v in spec.values if not check.is_valid(v)]
            faults += [f"{place}.values: {first_error(check, v)}. Use values that the schema allows." for v in bad[:3]]
    return faults


def _definitions(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in ("$schema", "$defs", "definitions") if key in schema}


def _together_faults(job: Job, sampled: Sequence[str]) -> list[str]:
    faults, seen = [], set()
    for number, group in enumerate(job.together):
        for name in group:
            place = f"{job.place}: together[{number}]"
            if name in seen:
                faults.append(f"{place}: {name} stands in two groups. Put it into one.")
            elif name not in sampled:
                faults.append(f"{place}: {name} is not sampled from the seeds. Set fields.{name}: {{source: sampled}}.")
            seen.add(name)
    return faults
