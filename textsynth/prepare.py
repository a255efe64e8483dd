"""Everything a run needs, checked before anything is written: job -> seeds, schema, prompts, plan, filters, engine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from textsynth.checks import check_encoders, check_filters, check_names, check_rules, check_working, notes_on
from textsynth.engines.base import Engine, build_engine
from textsynth.errors import Faults
from textsynth.filters.base import Filter, References
from textsynth.filters.dedup import DedupFilter
from textsynth.filters.diversity import Cap, DiversityFilter
from textsynth.filters.leakage import LeakageFilter
from textsynth.filters.rules import RulesFilter
from textsynth.filters.schema import SchemaFilter
from textsynth.filters.scores import SeedScores
from textsynth.inputs.bounds import imposed_bounds
from textsynth.inputs.budget import token_bound
from textsynth.inputs.dialects import fast_validator, first_error, validator
from textsynth.inputs.infer import is_free_text
from textsynth.inputs.plan import Planner, example_pool, plan_for
from textsynth.inputs.prompts import Prompt, load_prompt
from textsynth.inputs.schemas import load_schema, property_schemas, sub_schema
from textsynth.inputs.seeds import SeedSet, load_seeds
from textsynth.inputs.steer import Aim, Steer
from textsynth.inputs.tighten import tighten
from textsynth.job import DedupSpec, DiversitySpec, Job, LeakageSpec, RulesSpec, SchemaSpec, StepSpec
from textsynth.models import EMBEDDED, is_fetched
from textsynth.records import Record, Seed, text_of
from textsynth.similarity.encoder import Encoder
from textsynth.similarity.linkage import units_of
from textsynth.wording import nearest

_OPENS_MODELS = ("transformers", "vllm")  # engines that run a model in this program


@dataclass(frozen=True)
class Step:
    """One prompt of a job, ready to ask.

    `answer` is the schema that its answer must fit as the user wrote it; `decoding` the tightened one.
    """

    number: int
    spec: StepSpec
    prompt: Prompt
    written: tuple[str, ...]
    working: tuple[str, ...]
    answer: Mapping[str, Any]
    decoding: Mapping[str, Any]
    sampling: Mapping[str, Any]


@dataclass(frozen=True)
class Prepared:
    """A job with all that it names, loaded and checked. `notes` are sentences a user should read before a run."""

    job: Job
    schema: Mapping[str, Any]
    properties: Mapping[str, Mapping[str, Any]]
    seeds: SeedSet
    planner: Planner
    steps: Sequence[Step]
    engine: Engine | None
    custom: Sequence[Filter] = ()
    notes: Sequence[str] = field(default_factory=list)

    @property
    def sources(self) -> dict[str, str]:
        """Where each field of the record schema comes from."""
        return {n: self.job.fields[n].source if n in self.job.fields else "written" for n in self.properties}

    def named(self, *sources: str) -> list[str]:
        """The fields with one of these sources, in the schema's order."""
        return [name for name, source in self.sources.items() if source in sources]

    @property
    def row(self) -> list[str]:
        """The fields whose joint row is compared with the seeds': all but copied ones and free text."""
        seeds = self.seeds.shown
        kept = [n for n in self.properties if self.sources[n] != "copied"]
        return [n for n in kept if not is_free_text([s.data[n] for s in seeds if n in s.data])]

    def examples(self, step: Step, number: int, aim: Aim | None = None) -> tuple[Seed, ...]:
        """The seeds that a step shows to the record with this number; no seed has what a working field holds."""
        count = 0 if step.working else step.spec.few_shot
        return self.planner.examples(number, step.number, step.written, count, aim)

    def sampling(self, step: Step, aim: Aim | None = None) -> Mapping[str, Any]:
        """A step's sampling, its temperature raised as far as an aim says; one that judges, or is 0, stays."""
        own, most = step.sampling["temperature"], self.job.plan.max_temperature
        if aim is None or not aim.heat or most is None or step.working or not 0 < own < most:
            return step.sampling
        return {**step.sampling, "temperature": round(own + aim.heat * (most - own), 4)}

    def steer(self, encoder_for: Callable[[str], Encoder]) -> Steer | None:
        """What chooses examples and attributes; None without a diversity filter, or a seed that can be an example."""
        spec = next((spec for spec in self.job.filters if isinstance(spec, DiversitySpec)), None)
        shown = [step for step in self.steps if not step.working and step.spec.few_shot]
        text = (spec.on if spec else None) or self.named("written")
        pool = example_pool(self.seeds, [name for step in shown for name in step.written])
        pool = [seed for seed in pool if text_of(seed.data, text).strip()]
        return Steer(self.job, pool, text, encoder_for(spec.encoder)) if spec and shown and pool else None

    def filters(self, encoder_for: Callable[[str], Encoder]) -> list[Filter]:
        """The job's filters, the schema always first, then the caller's own."""
        specs = [spec for spec in self.job.filters if not isinstance(spec, SchemaSpec)]
        check = fast_validator(self.schema)
        slow = validator(self.schema)
        bounds = {name: most for step in self.steps for name, most in imposed_bounds(step.decoding).items()}
        built: list[Filter] = [SchemaFilter(check.is_valid, lambda value: first_error(slow, value), bounds)]
        for spec in specs:
            if isinstance(spec, RulesSpec):
                rules = validator(spec.rules)
                built.append(RulesFilter(rules.is_valid, lambda value, rules=rules: first_error(rules, value)))  # type: ignore[misc]
            elif isinstance(spec, LeakageSpec):
                built.append(self._leakage(spec, encoder_for))
            elif isinstance(spec, DedupSpec):
                compared = spec.on or self.named("written", "sampled") or list(self.properties)
                built.append(DedupFilter(spec.near, compared, spec.on or self.named("written"), spec.shingle))
            else:
                built.append(self._diversity(spec, encoder_for(spec.encoder)))
        return [*built, *self.custom]

    def _diversity(self, spec: DiversitySpec, encoder: Encoder) -> DiversityFilter:
        text, cap = spec.on or self.named("written"), None
        if spec.cap is not None:
            seeds = [] if spec.per else [text_of(seed.data, text) for seed in self.seeds.shown]
            cap = Cap(Cap.of(spec.cap, self.job.plan.target), spec.per or (), seeds, self.job.rng_seed)
        return DiversityFilter(spec.max_similarity, text, encoder, cap)

    def _leakage(self, spec: LeakageSpec, encoder_for: Callable[[str], Encoder]) -> LeakageFilter:
        written, sources = self.named("written"), self.sources
        row = self.row
        # drawing whole groups from seed rows is what the user asked for: rows are scored where they are written or all
        scored = row if not written or any(sources[n] == "written" for n in row) else []
        references = References(self.seeds.shown, self.seeds.one_a_cluster(self.seeds.holdout), self.seeds.cluster)
        encoder = encoder_for(spec.encoder) if written else None
        scores = SeedScores(self.seeds.shown, self.seeds.cluster, written, scored if len(scored) > 1 else [], encoder)
        columns = self.named("written", "sampled")
        units = units_of(row, self.job.together)
        return LeakageFilter(spec.alpha, spec.max_span, scores, references, written, columns, units)


def prepare(
    job: Job,
    custom: Sequence[Filter] = (),
    engine: Engine | None = None,
    check_only: bool = False,
    writes: bool = True,
    encodes: bool = True,
) -> Prepared:
    """Load and check everything a job names. Fetches no model.

    Args:
        custom: filters of the caller's own, applied after the job's.
        engine: answers the requests instead of the job's own engine.
        check_only: leave out what needs the model's tokenizer.
        writes: the engine will be asked; else none is built.
        encodes: texts will be encoded; else the encoder's package need not be installed.

    Raises:
        InputError: every fault that was found, one sentence each.
    """
    faults = Faults()
    schema = faults.attempt(load_schema, job.record_schema, job.path)
    asks = bool(job.steps) and writes
    built = engine or (faults.attempt(build_engine, job.engine, f"{job.place}: engine") if asks else None)
    faults.attempt(check_encoders, job, encodes)
    faults.attempt(check_rules, job)
    if schema is None:
        faults.raise_any()
        raise AssertionError("a schema that does not load is a fault")
    properties = property_schemas(schema)
    faults.attempt(check_names, job, properties)
    seeds = faults.attempt(_seeds, job, schema, properties)
    if seeds is None:
        faults.raise_any()
        raise AssertionError("seeds that do not load are a fault")
    planner = faults.attempt(plan_for, job, schema, properties, seeds)
    steps = faults.attempt(_steps, job, schema, properties, seeds)
    faults.attempt(check_filters, job, properties, seeds)
    faults.raise_any()
    if planner is None or steps is None:
        raise AssertionError("what does not load is a fault")
    wanted = [(s.spec.few_shot, len(example_pool(seeds, s.written))) for s in steps if not s.working]
    notes = notes_on(job, seeds, wanted)
    ready = engine is not None or job.engine.type not in _OPENS_MODELS or fetched(job.engine.model)
    if asks and not ready and not check_only:
        notes.append(
            f"the model {job.engine.model} is not fetched yet: the length of prompts is checked at the first run."
        )
    prepared = Prepared(job, schema, properties, seeds, planner, steps, built if steps else None, custom, notes)
    _check_prompts(prepared, ask_engine=ready and not check_only)
    return prepared


def models_of(job: Job, writes: bool = True) -> list[str]:
    """The models that a run of this job opens (without `writes`: its filters alone); none where no prompt is asked."""
    if not job.steps:
        return []
    encoders = [spec.encoder for spec in job.filters if isinstance(spec, LeakageSpec | DiversitySpec)]
    engine = [job.engine.model] if writes and job.engine.type in _OPENS_MODELS else []
    return list(dict.fromkeys([*engine, *encoders]))


def fetched(model: str) -> bool:
    """Whether a model can be opened without a download: not an embedded one, or one in the cache."""
    return model not in EMBEDDED or is_fetched(model)


def _seeds(job: Job, schema: Mapping[str, Any], properties: Mapping[str, Mapping[str, Any]]) -> SeedSet:
    drawn = [
        name
        for name, spec in job.fields.items()
        if spec.values is None and spec.source != "written" and name in schema.get("required", ())
    ]
    text = [name for name, part in properties.items() if part.get("type") == "string"]
    return load_seeds(job, list(properties), drawn, text)


def _steps(
    job: Job, schema: Mapping[str, Any], properties: Mapping[str, Mapping[str, Any]], seeds: SeedSet
) -> list[Step]:
    written = [n for n in properties if n not in job.fields or job.fields[n].source == "written"]
    known = [n for n in properties if n not in written]
    left = list(written)
    faults, steps = Faults(), []
    for number, spec in enumerate(job.steps):
        place = f"{job.place}: steps[{number}]"
        asked = spec.writes if spec.writes is not None else left
        own = {n: s for n, s in asked.items() if s is not None} if isinstance(asked, dict) else {}
        names = [n for n in asked if n not in own]
        for name in [n for n in names if n not in left]:
            why = (
                "is written by an earlier step or not written" if name in properties else "is not in the record schema"
            )
            faults.found.append(
                f"{place}.writes: {name} {why}. {nearest(name, left)}Left to write: {', '.join(left) or 'none'}."
            )
        clash = [n for n in own if n in properties]
        faults.found += [
            f"{place}.writes.{n} has a schema of its own, but it is a field of the record. Give it none." for n in clash
        ]
        names = [n for n in names if n in left]
        left = [n for n in left if n not in names]
        if names or own:
            step = faults.attempt(_step, job, number, spec, schema, seeds, tuple(known), tuple(names), own)
            steps += [step] if step else []
        else:
            faults.found.append(f"{place} writes nothing. Remove the step, or name what it writes.")
        known += [*names, *own]
    if left:
        faults.found.append(
            f"{job.place}: no step writes {', '.join(left)}. Add a step, or set fields.{left[0]}.source."
        )
    faults.raise_any()
    return steps


def _step(
    job: Job,
    number: int,
    spec: StepSpec,
    schema: Mapping[str, Any],
    seeds: SeedSet,
    given: tuple[str, ...],
    names: tuple[str, ...],
    own: Mapping[str, Mapping[str, Any]],
) -> Step:
    place, faults = f"{job.place}: steps[{number}]", Faults()
    faults.attempt(check_working, own, schema, f"{place}.writes")
    prompt = faults.attempt(
        load_prompt, spec.prompt, job.path, f"{place}.prompt", given, (*names, *own), tuple(job.attributes)
    )
    faults.raise_any()
    if prompt is None:
        raise AssertionError("a prompt that does not load is a fault")
    answer = sub_schema(schema, names, own)
    chosen = (spec.sampling or job.sampling).model_dump(exclude_none=True)
    budget = chosen.get("max_tokens")
    decoding = tighten(answer, [{n: s.data[n] for n in names if n in s.data} for s in seeds.shown], budget)
    limit = min(token_bound(decoding)[0], budget or sys.maxsize)
    return Step(number, spec, prompt, names, tuple(own), answer, decoding, {**chosen, "max_tokens": limit})


def _check_prompts(prepared: Prepared, ask_engine: bool) -> None:
    """Render each step for the first record and ask the engine whether it could answer."""
    faults = Faults()
    record: Record = prepared.planner.record(0, 0)
    for step in prepared.steps:
        fields = {**(record.fields or {}), **{n: "" for n in step.prompt.given if n not in (record.fields or {})}}
        examples = prepared.examples(step, 0)
        messages = faults.attempt(step.prompt.messages, fields, record.attributes, examples)
        if messages and prepared.engine is not None and ask_engine:
            faults.attempt(prepared.engine.check, messages, step.decoding, int(step.sampling["max_tokens"]))
    faults.raise_any()
