"""Everything a run needs, checked before anything is written: job -> seeds, schema, prompts, plan, filters, engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from textsynth.checks import (
    check_encoders,
    check_filters,
    check_names,
    check_rules,
    encoder_of,
    kinds_of,
    notes_on,
)
from textsynth.clinical.agreement import closed_by, names_in
from textsynth.clinical.vocabulary import built_in_vocabulary
from textsynth.engines.base import Engine, build_engine
from textsynth.errors import Faults
from textsynth.filters.base import Filter
from textsynth.filters.consistency import ConsistencyFilter
from textsynth.inputs.benchmarks import Item, read_benchmarks
from textsynth.inputs.deidentify import as_shown
from textsynth.inputs.infer import is_free_text
from textsynth.inputs.plan import Cost, Planner, plan_for
from textsynth.inputs.schemas import load_schema, property_schemas
from textsynth.inputs.seeds import SeedSet, load_seeds
from textsynth.inputs.steer import Aim, Steer
from textsynth.job import Job
from textsynth.job_filters import (
    ConsistencySpec,
    DecontaminateSpec,
    DiversitySpec,
)
from textsynth.models import EMBEDDED, is_fetched
from textsynth.records import Record, Seed, text_of
from textsynth.similarity.encoder import Encoder
from textsynth.steps import Step, build_steps, engine_key

_LOOKED_AT = 200  # seeds whose facts are tried for their length
_OPENS_MODELS = ("transformers", "vllm")  # engines that run a model in this program


@dataclass(frozen=True)
class Prepared:
    """A job with all that it names, loaded and checked. `notes` are sentences a user should read before a run."""

    job: Job
    schema: Mapping[str, Any]
    properties: Mapping[str, Mapping[str, Any]]
    seeds: SeedSet
    planner: Planner
    steps: Sequence[Step]
    engines: Sequence[Engine] = ()  # each once; a step has the place of its own
    custom: Sequence[Filter] = ()
    notes: Sequence[str] = field(default_factory=list)
    benchmarks: Mapping[int, Sequence[Item]] = field(default_factory=dict, repr=False)  # by place in job.filters
    consistency: Mapping[int, ConsistencyFilter] = field(default_factory=dict, repr=False)  # likewise

    @property
    def sources(self) -> dict[str, str]:
        """Where each field of the record schema comes from; what is picked from answers was written."""
        found = {n: self.job.fields[n].source if n in self.job.fields else "written" for n in self.properties}
        return {name: "written" if source == "picked" else source for name, source in found.items()}

    def named(self, *sources: str) -> list[str]:
        """The fields with one of these sources, in the schema's order."""
        return [name for name, source in self.sources.items() if source in sources]

    @property
    def row(self) -> list[str]:
        """The fields whose joint row is compared with the seeds': all but copied and located ones, and free text."""
        seeds = self.seeds.shown
        kept = [n for n in self.properties if self.sources[n] not in ("copied", "located")]
        return [n for n in kept if not is_free_text([s.data[n] for s in seeds if n in s.data])]

    @property
    def engine(self) -> Engine | None:
        """The engine of the first step; None where nothing is asked."""
        return self.engines[0] if self.engines else None

    @property
    def cost(self) -> Cost:
        """What one record takes of the budgets."""
        calls = sum(step.spec.n for step in self.steps)
        worst = [step.spec.n * (1 + step.spec.retry) for step in self.steps]
        tokens = sum(n * int(step.sampling["max_tokens"]) for n, step in zip(worst, self.steps, strict=True))
        return Cost(max(1, calls), max(1, sum(worst)), tokens)

    def price(self, step: int) -> tuple[float, float]:
        """What a token read and a token written cost in a step."""
        spec = self.steps[step].spec.engine or self.job.engine
        return (spec.price.prompt / 1e6, spec.price.completion / 1e6) if spec.price else (0.0, 0.0)

    def examples(self, step: Step, record: Record, aim: Aim | None = None) -> Sequence[Seed]:
        """The examples that a step shows to a record."""
        number = int(record.id[1:])
        if step.spec.alike:
            like = step.likeness(record.fields or {})
            pool = step.pools.get(like) or step.pool  # none is like it: any
            of_kind = number // len(step.pools)  # records of all kinds take turns, and a block is one of its own kind
            return self.planner.examples(of_kind, step.number, pool, step.spec.few_shot, like)
        if aim is not None and aim.shown and step.shows_seeds:
            wanted = aim.shown[(number - aim.first) // aim.block][: step.spec.few_shot]
            return tuple(step.pool[seed_id] for seed_id in wanted)
        return self.planner.examples(number, step.number, step.pool, step.spec.few_shot)

    def sampling(self, step: Step, aim: Aim | None = None) -> Mapping[str, Any]:
        """A step's sampling, its temperature raised as far as an aim says; one that judges, or is 0, stays."""
        own, most = step.sampling["temperature"], self.job.plan.max_temperature
        if aim is None or not aim.heat or most is None or step.working or not 0 < own < most:
            return step.sampling
        return {**step.sampling, "temperature": round(own + aim.heat * (most - own), 4)}

    def steer(self, encoder_for: Callable[[str], Encoder]) -> Steer | None:
        """What chooses examples and attributes; None without a diversity filter, or a seed that can be an example."""
        spec = next((spec for spec in self.job.filters if isinstance(spec, DiversitySpec)), None)
        shown = [step for step in self.steps if step.shows_seeds]
        text = (spec.on if spec else None) or self.named("written")
        pool = [seed for seed in self.seeds.shown if all(seed.id in step.pool for step in shown)]
        pool = [seed for seed in pool if text_of(seed.data, text).strip()]
        return Steer(self.job, pool, text, encoder_for(spec.encoder)) if spec and shown and pool else None


def prepare(
    job: Job,
    custom: Sequence[Filter] = (),
    engine: Engine | None = None,
    check_only: bool = False,
    writes: bool = True,
    encodes: bool = True,
    shard: tuple[int, int] = (1, 1),
) -> Prepared:
    """Load and check everything a job names. Fetches no model.

    Args:
        custom: filters of the caller's own, applied after the job's.
        engine: answers the requests instead of the job's own engine.
        check_only: leave out what needs the model's tokenizer.
        writes: the engine will be asked; else none is built.
        encodes: texts will be encoded; else the encoder's package need not be installed.
        shard: (i, n): the i-th of n parts of the job.

    Raises:
        InputError: every fault that was found, one sentence each.
    """
    faults = Faults()
    schema = faults.attempt(load_schema, job.record_schema, job.path)
    asks = bool(job.steps) and writes
    engines = _engines(job, engine, faults) if asks or engine else {}
    faults.attempt(check_encoders, job, encodes)
    if schema is None:
        faults.raise_any()
        raise AssertionError("a schema that does not load is a fault")
    properties = property_schemas(schema)
    faults.attempt(check_names, job, properties)
    faults.attempt(check_rules, job, properties)
    seeds = faults.attempt(_seeds, job, schema, properties)
    if seeds is None:
        faults.raise_any()
        raise AssertionError("seeds that do not load are a fault")
    shown = faults.attempt(as_shown, job, properties, seeds) or seeds
    planner = faults.attempt(plan_for, job, schema, properties, shown)
    steps = faults.attempt(build_steps, job, schema, properties, shown, list(engines))
    faults.attempt(check_filters, job, properties, seeds)
    benchmarks = faults.attempt(_benchmarks, job)
    consistency = faults.attempt(_consistency, job, properties, seeds)
    faults.raise_any()
    if planner is None or steps is None or benchmarks is None or consistency is None:
        raise AssertionError("what does not load is a fault")
    notes = notes_on(job, seeds, [(s.spec.few_shot if s.pool or not s.working else 0, len(s.pool)) for s in steps])
    notes += [note for step in steps if (note := _unfitting(step, seeds))]
    ready = engine is not None or all(fetched(one) for one in _local_models(job))
    if asks and not ready and not check_only:
        notes.append("a model is not fetched yet: the length of prompts is checked at the first run.")
    planner = replace(planner, shard=shard)
    built = list(engines.values()) if steps else []
    prepared = Prepared(job, schema, properties, seeds, planner, steps, built, custom, notes, benchmarks, consistency)
    _check_prompts(prepared, ask_engine=ready and not check_only)
    return prepared


def _engines(job: Job, given: Engine | None, faults: Faults) -> dict[str, Engine]:
    """Each engine of a job once, by its spec, in the order of the steps; a given one answers for all."""
    built: dict[str, Engine] = {}
    for number, step in enumerate(job.steps):
        place = f"{job.place}: engine" if step.engine is None else f"{job.place}: steps[{number}].engine"
        spec = step.engine or job.engine
        if engine_key(spec) not in built:
            engine = given or faults.attempt(build_engine, spec, place)
            built |= {engine_key(spec): engine} if engine else {}
    return dict.fromkeys(built, given) if given else built


def _benchmarks(job: Job) -> dict[int, list[Item]]:
    found = [(number, spec) for number, spec in enumerate(job.filters) if isinstance(spec, DecontaminateSpec)]
    return {
        number: read_benchmarks(spec.files, job.path.parent, f"{job.place}: filters[{number}].files")
        for number, spec in found
    }


def _unfitting(step: Step, seeds: SeedSet) -> str:
    """A sentence where the facts of some seeds do not fit into the text that is to state them; else ""."""
    if (name := step.stating) is None:
        return ""
    some = seeds.usable[:_LOOKED_AT]
    without = sum(step.stated(seed.data) is None for seed in some)
    if not without:
        return ""
    return (
        f"step {step.number}: the facts of {without} of {len(some)} seeds do not fit into {name}, so that no grammar "
        f"holds such a text to them. State fewer of them, or raise the maxLength of {name}."
    )


def _consistency(job: Job, properties: Mapping[str, Mapping[str, Any]], seeds: SeedSet) -> dict[int, ConsistencyFilter]:
    """The consistency filters, which know what the facts of the seeds are called."""
    found = {}
    for number, spec in enumerate(job.filters):
        if isinstance(spec, ConsistencySpec):
            kinds = kinds_of(spec, properties)
            seen = (seed.data for seed in (*seeds.shown, *seeds.holdout))
            vocabulary = built_in_vocabulary().with_names(name for data in seen for name in names_in(data, kinds))
            closed = spec.closed if spec.closed is not None else closed_by(kinds.values())
            required = list(kinds) if spec.required is None else spec.required
            found[number] = ConsistencyFilter(spec.text, kinds, required, closed, vocabulary)
    return found


def models_of(job: Job, writes: bool = True) -> list[str]:
    """The models that a run of this job opens (without `writes`: its filters alone); none where no prompt is asked."""
    if not job.steps:
        return []
    encoders = [name for spec in job.filters if (name := encoder_of(spec))]
    return list(dict.fromkeys([*(_local_models(job) if writes else ()), *encoders]))


def _local_models(job: Job) -> list[str]:
    """The models that a job's engines run in this program."""
    specs = [step.engine or job.engine for step in job.steps]
    return list(dict.fromkeys(spec.model for spec in specs if spec.type in _OPENS_MODELS))


def fetched(model: str) -> bool:
    """Whether a model can be opened without a download: not an embedded one, or one in the cache."""
    return model not in EMBEDDED or is_fetched(model)


def _seeds(job: Job, schema: Mapping[str, Any], properties: Mapping[str, Mapping[str, Any]]) -> SeedSet:
    drawn = [
        name
        for name, spec in job.fields.items()
        if spec.values is None
        and spec.source in ("sampled", "copied", "perturbed")
        and name in schema.get("required", ())
    ]
    text = [name for name, part in properties.items() if part.get("type") == "string"]
    return load_seeds(job, list(properties), drawn, text)


def _check_prompts(prepared: Prepared, ask_engine: bool) -> None:
    """Render each step for the first record and ask the engine whether it could answer."""
    faults = Faults()
    record: Record = prepared.planner.record(0, 0)
    for step in prepared.steps:
        several = {n: [""] * one.spec.n for one in prepared.steps[: step.number] if one.spec.n > 1 for n in one.working}
        unknown = {n: several.get(n, "") for n in step.prompt.given if n not in (record.fields or {})}
        fields = {**(record.fields or {}), **unknown}
        examples = prepared.examples(step, record)
        messages = faults.attempt(step.prompt.messages, fields, record.attributes, examples)
        if messages and prepared.engines and ask_engine:
            engine = prepared.engines[step.engine]
            faults.attempt(engine.check, messages, step.decoding, int(step.sampling["max_tokens"]))
    faults.raise_any()
