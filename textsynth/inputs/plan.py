"""The plan: which fields and attributes each record gets, which seeds it is shown, how many are asked for.

Everything here is a pure function of the job, the seeds and a record's number, or of the results of closed rounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from textsynth.errors import InputError
from textsynth.inputs.dialects import first_error, validator
from textsynth.inputs.infer import is_free_text
from textsynth.inputs.seeds import SeedSet
from textsynth.inputs.steer import Aim, Gave
from textsynth.job import Choices, Job
from textsynth.records import Record, Seed, rng_for
from textsynth.wording import nearest

PRIOR_YIELD = 0.8  # assumed before a round has shown better


@dataclass(frozen=True)
class RoundResult:
    """What a closed round gave: records planned, requests made (retries included), records accepted.

    `gave` is what steering goes by.
    """

    planned: int
    requests: int
    accepted: int
    gave: Gave = Gave()


@dataclass(frozen=True)
class Planner:
    """Draws records and examples for one job. Build it with `plan_for`."""

    job: Job
    seeds: SeedSet
    groups: tuple[tuple[str, ...], ...]  # of sampled fields drawn from one seed row
    copied: tuple[str, ...]
    _pools: Mapping[tuple[str, ...], Sequence[Seed]] = field(repr=False)
    _examples: dict[tuple[int, int], tuple[Seed, ...]] = field(repr=False, default_factory=dict)

    def record(self, number: int, round: int, aim: Aim | None = None) -> Record:
        """The planned record with this number: its sampled and copied fields, its attributes, no written field."""
        record_id = f"r{number:07d}"
        rng = rng_for(self.job.rng_seed, record_id)
        fields: dict[str, Any] = {}
        drawn: dict[str, str] = {}
        for group in (*self.groups, self.copied):
            if group:
                seed = rng.choice(self._pools[group])
                fields |= {name: seed.data[name] for name in group if name in seed.data}
                drawn[",".join(group)] = seed.id
        for name, spec in self.job.fields.items():
            if spec.values is not None:
                fields[name] = _draw(rng, spec.values)
        attributes = {}
        for at, (name, choices) in enumerate(self.job.attributes.items()):
            weights = aim.weights[name] if aim else _weights(choices)
            place = rng_for(self.job.rng_seed, "attributes", name).random() + number * self._stride(at)
            attributes[name] = _at(list(choices), weights, place % 1.0)
        return Record(record_id, round, attributes, fields, lineage={"drawn_from": drawn})

    def _stride(self, attribute: int) -> float:
        """How far each record moves along an attribute's values: any run of records has nearly their exact shares.

        The R sequence, evenly spread over all combinations too: M. Roberts, "The unreasonable effectiveness of
        quasirandom sequences", 2018. Powers of the inverse of the root of x^(d+1) = x + 1 for d attributes.
        """
        root = 1.5
        for _ in range(40):
            root = float((1 + root) ** (1 / (len(self.job.attributes) + 1)))
        return float(root ** -(attribute + 1))

    def examples(
        self, number: int, step: int, written: Sequence[str], count: int, aim: Aim | None = None
    ) -> tuple[Seed, ...]:
        """The seeds shown to a record in one step; the same for a whole block of consecutive records.

        An aim names them; else they are drawn at random.
        """
        if aim is not None and aim.shown:
            return tuple(self.seeds.by_id[i] for i in aim.shown[(number - aim.first) // aim.block][:count])
        block = number // self.job.plan.few_shot_block
        if (block, step) not in self._examples:
            pool = example_pool(self.seeds, written)
            rng = rng_for(self.job.rng_seed, "examples", block, step)
            self._examples[block, step] = tuple(rng.sample(pool, min(count, len(pool))))
            self._examples.pop((block - 8, step), None)
        return self._examples[block, step]

    def round_size(self, closed: Sequence[RoundResult], open_records: int, calls: int, worst_calls: int) -> int:
        """How many records the next round asks for; 0 when the target is in sight or the budget is spent.

        Args:
            closed: results of the rounds that are known to this one (up to the round before the last).
            open_records: records of the round still in flight.
            calls: requests that one record takes at least; `worst_calls` with every retry.
        """
        plan = self.job.plan
        accepted = sum(r.accepted for r in closed)
        planned = sum(r.planned for r in closed)
        rate = (accepted + 4 * PRIOR_YIELD) / (planned + 4)
        need = plan.target - accepted - open_records * rate
        if need <= 0:
            return 0
        # one standard deviation more than expected, so that a run seldom ends with a round of one or two
        size = math.ceil(need / rate + math.sqrt(need * (1 - rate)) / rate)
        spent = sum(r.requests for r in closed) + open_records * worst_calls
        budget = plan.max_requests or 4 * plan.target * max(calls, 1)
        return max(0, min(size, plan.round, (budget - spent) // max(worst_calls, 1)))


def plan_for(
    job: Job, schema: Mapping[str, Any], properties: Mapping[str, Mapping[str, Any]], seeds: SeedSet
) -> Planner:
    """Check that every field has a source that can give it, and build the planner.

    Raises:
        InputError: all faults of `fields`, `together` and the seeds' columns, one sentence each.
    """
    sampled = [n for n, s in job.fields.items() if s.source == "sampled" and s.values is None]
    faults = _field_faults(job, schema, properties)
    faults += _together_faults(job, sampled)
    grouped = {name for group in job.together for name in group}
    groups = tuple([tuple(g) for g in job.together] + [(n,) for n in sampled if n not in grouped])
    copied = tuple(n for n, s in job.fields.items() if s.source == "copied")
    for name in [n for n in (*sampled, *copied) if n in properties]:
        values = [seed.data[name] for seed in seeds.shown if name in seed.data]
        if not values:
            use = "Give values, or map a column" if name in sampled else "Map a column, or take the field out"
            source = job.fields[name].source
            faults.append(f"{job.place}: fields.{name} is {source}, but no seed has it. {use}.")
        elif name in sampled and is_free_text(values):
            faults.append(
                f"{job.place}: fields.{name} is sampled, but the seeds hold free text there. "
                "Make it written, or give it values."
            )
    if faults:
        raise InputError(faults)
    needed = [n for n in (*sampled, *copied) if n in _required(schema)]
    pools = {
        group: [s for s in seeds.shown if all(n in s.data for n in group if n in needed)] for group in (*groups, copied)
    }
    empty = [group for group, pool in pools.items() if group and not pool]
    if empty:
        raise InputError([f"{job.place}: no seed has all of {', '.join(g)}. Map their columns." for g in empty])
    return Planner(job, seeds, groups, copied, pools)


def example_pool(seeds: SeedSet, written: Sequence[str]) -> list[Seed]:
    """The shown seeds that have every field a step writes."""
    return [seed for seed in seeds.shown if all(name in seed.data for name in written)]


def _draw(rng: Any, choices: Choices) -> Any:
    if isinstance(choices, Mapping):
        return rng.choices(list(choices), weights=list(choices.values()))[0]
    return rng.choice(choices)


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
