"""The steps of a job, ready to ask: each one's prompt, what it writes, its examples, its bounds, its engine."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

from textsynth.checks import check_step_rules, check_working, kinds_in
from textsynth.errors import Faults, InputError
from textsynth.inputs.budget import token_bound
from textsynth.inputs.plan import example_pool
from textsynth.inputs.prompts import Prompt, load_prompt
from textsynth.inputs.readers import read_rows
from textsynth.inputs.schemas import property_schemas, sub_schema
from textsynth.inputs.seeds import SeedSet
from textsynth.inputs.stated import Habit, flat, habits_of, stating
from textsynth.inputs.tighten import tighten
from textsynth.job import EngineSpec, FieldSpec, Job, StepSpec
from textsynth.metrics.judges import judges_of
from textsynth.records import Seed, canonical_json
from textsynth.wording import nearest, shown

_LOOKED_AT = 400  # examples in whose texts facts are looked for, a millisecond or two each


@dataclass(frozen=True)
class Step:
    """One prompt of a job, ready to ask.

    `answer` is the schema that its answer must fit as the user wrote it; `decoding` the tightened one. `pool` has the
    examples it can show, by id; `engine` is the place of its engine among the job's.
    """

    number: int
    spec: StepSpec
    prompt: Prompt
    written: tuple[str, ...]
    working: tuple[str, ...]
    answer: Mapping[str, Any]
    decoding: Mapping[str, Any]
    sampling: Mapping[str, Any]
    pool: Mapping[str, Seed] = field(repr=False)
    engine: int = 0
    kinds: Mapping[str, str] = field(default_factory=dict)  # of the fields that hold facts

    @property
    def shows_seeds(self) -> bool:
        """Whether its examples are seeds that steering may choose."""
        return (
            bool(self.pool and self.spec.few_shot) and not isinstance(self.spec.examples, str) and not self.spec.alike
        )

    @property
    def stating(self) -> str | None:
        """The text that states `states`: the only one that it writes; None where it states nothing by grammar."""
        texts = [n for n, form in self.decoding.get("properties", {}).items() if form.get("type") == "string"]
        return texts[0] if self.spec.states and len(texts) == 1 else None

    @cached_property
    def habits(self) -> Mapping[str, Habit]:
        """How the examples state the fields that its text states."""
        rows = [seed.data for seed in islice(self.pool.values(), _LOOKED_AT)]
        return habits_of(flat(self.spec.states), self.stating or "", rows, self.kinds)

    def stated(self, known: Mapping[str, Any]) -> dict[str, Any] | None:
        """The form of the text that states a record's facts; None where it states none, or they do not fit."""
        if (name := self.stating) is None:
            return None
        return stating(self.decoding["properties"][name], known, self.spec.states, self.kinds, self.habits)

    def likeness(self, fields: Mapping[str, Any]) -> str:
        """The values in which examples are like a record."""
        return canonical_json([fields.get(name) for name in self.spec.alike])

    @cached_property
    def pools(self) -> Mapping[str, Mapping[str, Seed]]:
        """The examples by their likeness."""
        found: dict[str, dict[str, Seed]] = {}
        for seed_id, seed in self.pool.items():
            found.setdefault(self.likeness(seed.data), {})[seed_id] = seed
        return found


def engine_key(spec: EngineSpec) -> str:
    """What two steps with the same engine have in common."""
    return canonical_json(spec.model_dump(mode="json", exclude={"price"}))


def build_steps(
    job: Job, schema: Mapping[str, Any], properties: Mapping[str, Any], seeds: SeedSet, engines: Sequence[str]
) -> list[Step]:
    """Check what each step writes and reads, and load its prompt and examples.

    Args:
        engines: the keys of the job's engines, in their order.

    Raises:
        InputError: all faults of the steps, one sentence each.
    """
    written = [n for n in properties if n not in job.fields or job.fields[n].source == "written"]
    picked = [n for n, spec in job.fields.items() if spec.source == "picked"]
    located = [n for n, spec in job.fields.items() if spec.source == "located"]
    known = [n for n in properties if n not in (*written, *picked, *located)]
    left = list(written)
    faults, steps = Faults(), []
    faults.found += [fault for name, spec in job.fields.items() for fault in _pick_faults(job, name, spec)]
    for number, spec in enumerate(job.steps):
        place = f"{job.place}: steps[{number}]"
        asked = spec.writes if spec.writes is not None else left
        own = {n: s for n, s in asked.items() if s is not None} if isinstance(asked, dict) else {}
        names = [n for n in asked if n not in own]
        faults.found += _name_faults(place, names, own, left, known, properties)
        names = [n for n in names if n in left]
        left = [n for n in left if n not in names]
        if names and spec.n > 1:
            faults.found.append(
                f"{place}.n is {spec.n}, but the step writes {names[0]} of the record, which has one value. "
                "Write a working field, and choose from it in a later step."
            )
        if names or own:
            later = {n for one in job.steps[number + 1 :] for n in one.writes or ()} | set(left)
            step = faults.attempt(
                _step, job, number, schema, seeds, (tuple(known), tuple(names), own, tuple(sorted(later))), engines
            )
            steps += [step] if step else []
        else:
            faults.found.append(f"{place} writes nothing. Remove the step, or name what it writes.")
        known += [*names, *own, *(n for n in picked if job.fields[n].by in own)]
    if left:
        faults.found.append(
            f"{job.place}: no step writes {', '.join(left)}. Add a step, or set fields.{left[0]}.source."
        )
    faults.raise_any()
    return steps


def _pick_faults(job: Job, name: str, spec: FieldSpec) -> list[str]:
    """What is wrong with where a field is picked from."""
    place = f"{job.place}: fields.{name}"
    if spec.source != "picked":
        return [f"{place}: of, by and other go with source: picked. Leave them out."] if spec.of or spec.by else []
    working = {n: (step.n, part or {}) for step in job.steps for n, part in _working(step).items()}
    several, judge = working.get(spec.of or "", (1, {})), working.get(spec.by or "", (1, {}))[1]
    if several[0] < 2:
        return [f"{place}.of is {spec.of}. Name a working field of a step with n: 2 or more."]
    if (
        judge.get("type") != "integer"
        or judge.get("minimum", 0) < 1
        or judge.get("maximum", several[0] + 1) > several[0]
    ):
        return [
            f"{place}.by is {spec.by}. Name a working field that is an integer with minimum: 1 and "
            f"maximum: {several[0]}, the number of answers."
        ]
    return []


def _working(step: StepSpec) -> dict[str, dict[str, Any] | None]:
    return step.writes if isinstance(step.writes, dict) else {}


def _name_faults(
    place: str,
    names: Sequence[str],
    own: Mapping[str, Any],
    left: Sequence[str],
    known: Sequence[str],
    properties: Mapping[str, Any],
) -> list[str]:
    found = []
    for name in [n for n in names if n not in left]:
        why = "is written by an earlier step or not written" if name in properties else "is not in the record schema"
        found.append(f"{place}.writes: {name} {why}. {nearest(name, left)}Left to write: {', '.join(left) or 'none'}.")
    found += [
        f"{place}.writes.{n} has a schema of its own, but it is a field of the record. Give it none."
        for n in own
        if n in properties
    ]
    found += [
        f"{place}.writes.{n} is a working field of an earlier step. Give it another name."
        for n in own
        if n in known and n not in properties
    ]
    return found


def _step(
    job: Job,
    number: int,
    schema: Mapping[str, Any],
    seeds: SeedSet,
    fields: tuple[tuple[str, ...], tuple[str, ...], Mapping[str, Mapping[str, Any]], tuple[str, ...]],
    engines: Sequence[str],
) -> Step:
    """One step; `fields`: those known before it, those of the record that it writes, its own, and later steps'."""
    spec, (given, names, own, later) = job.steps[number], fields
    place, faults = f"{job.place}: steps[{number}]", Faults()
    faults.attempt(check_working, own, schema, f"{place}.writes")
    faults.attempt(check_step_rules, spec.rules, [*given, *names, *own], f"{place}.rules")
    judged = {first for first, second in judges_of([one.model_dump() for one in job.steps]) if second in own}
    seen = tuple(name for name in given if name not in judged)  # a second judge does not know what the first one said
    prompt = faults.attempt(
        load_prompt, spec.prompt, job.path, f"{place}.prompt", seen, (*names, *own), tuple(job.attributes), later
    )
    pool = faults.attempt(_examples, job, spec, seeds, names, tuple(own), place)
    faults.found += _alike_faults(job, spec, pool or {}, given, place)
    faults.found += [
        f"{place}.states: {n} is not known before this step. Known: {', '.join(given) or 'nothing'}."
        for n in flat(spec.states)
        if n not in given
    ]
    faults.raise_any()
    if prompt is None or pool is None:
        raise AssertionError("what does not load is a fault")
    answer = sub_schema(schema, names, own)
    chosen = (spec.sampling or job.sampling).model_dump(exclude_none=True)
    budget = chosen.get("max_tokens")
    shown = pool.values() if own and pool else seeds.shown
    decoding = tighten(answer, [{n: s.data[n] for n in (*names, *own) if n in s.data} for s in shown], budget)
    limit = min(token_bound(decoding)[0], budget or sys.maxsize)
    key = engine_key(spec.engine or job.engine)
    at = engines.index(key) if key in engines else 0
    sampling = {**chosen, "max_tokens": limit}
    kinds = kinds_in(job, property_schemas(schema))
    step = Step(number, spec, prompt, names, tuple(own), answer, decoding, sampling, pool, at, kinds)
    if spec.states and step.stating is None:
        raise InputError(f"{place}.states: the step must write one text, and it writes {', '.join((*names, *own))}.")
    return step


def _alike_faults(
    job: Job, spec: StepSpec, pool: Mapping[str, Seed], given: Sequence[str], place: str
) -> Iterator[str]:
    """What is wrong with the fields in which examples are to be like the record: every value needs an example."""
    for name in spec.alike:
        if name not in given or name not in job.fields:
            drawn = [n for n in given if n in job.fields]
            yield f"{place}.alike: {name} is not drawn before this step. Drawn: {', '.join(drawn) or 'nothing'}."
            return
    if spec.alike and spec.few_shot and pool:
        name = spec.alike[0]
        have = {canonical_json(seed.data.get(name)) for seed in pool.values()}
        for value in job.fields[name].values or ():
            if canonical_json(value) not in have:
                yield f"{place}.alike: no example has the {name} {shown(value)}. Give a seed with it, or leave it out."


def _examples(
    job: Job, spec: StepSpec, seeds: SeedSet, names: Sequence[str], own: Sequence[str], place: str
) -> dict[str, Seed]:
    """The examples that a step can show; without a source of its own, a step with working fields has none."""
    if isinstance(spec.examples, str):
        rows = enumerate(read_rows(spec.examples, job.path.parent, f"{place}.examples"))
        found = [Seed(f"e{number:06d}", row) for number, row in rows]
        whole = [one for one in found if all(one.data.get(name) is not None for name in (*names, *own))]
        if not whole:
            raise InputError(
                f"{place}.examples: none of the {len(found)} rows of {spec.examples} has all that the step writes "
                f"({', '.join((*names, *own))}). Give rows that do."
            )
        return {one.id: one for one in whole}
    shown_as = spec.examples or {}
    if spec.examples is not None and (
        wrong := [n for n in own if n not in shown_as] + [n for n in shown_as if n not in own]
    ):
        raise InputError(
            f"{place}.examples: {wrong[0]} is named on one side only. Give a field of the seeds for each working field "
            f"that the step writes: {', '.join(own) or 'none'}."
        )
    if own and not shown_as:
        return {}
    pool = example_pool(seeds, [*names, *shown_as.values()])
    if shown_as and not pool:
        raise InputError(f"{place}.examples: no seed has {', '.join(shown_as.values())}. Name fields that seeds have.")
    return {s.id: Seed(s.id, {**s.data, **{n: s.data[f] for n, f in shown_as.items()}}) for s in pool}
