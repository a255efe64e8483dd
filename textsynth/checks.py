"""What can be wrong with a job that only shows beside its schema and seeds, and what a user should know of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from textsynth.clinical.agreement import KINDS
from textsynth.errors import Faults, InputError
from textsynth.filters.diversity import Cap, clusters_for
from textsynth.filters.leakage import smallest_alpha
from textsynth.filters.quality import language_of
from textsynth.inputs.dialects import root_part
from textsynth.inputs.schemas import DEFINITIONS, schema_faults
from textsynth.inputs.seeds import SeedSet
from textsynth.inputs.tighten import impossible
from textsynth.job import Job
from textsynth.job_filters import (
    ConsistencySpec,
    DecontaminateSpec,
    DiversitySpec,
    FilterSpec,
    IdentifiersSpec,
    LabelSpec,
    LeakageSpec,
    QuotedSpec,
    RulesSpec,
    SchemaSpec,
)
from textsynth.models import check_name
from textsynth.records import canonical_json, text_of
from textsynth.similarity.encoder import TextEncoder
from textsynth.wording import nearest, shown


def encoder_of(spec: FilterSpec) -> str | None:
    """The encoder that a filter uses."""
    if isinstance(spec, DecontaminateSpec) and spec.max_similarity is None:
        return None
    return getattr(spec, "encoder", None)


def check_names(job: Job, properties: Mapping[str, Any]) -> None:
    """Fields that filters compare are in the record schema, and attributes are not."""
    known = ", ".join(list(properties)[:20])
    places: list[tuple[str, str]] = []
    for number, spec in enumerate(job.filters):
        for key in ("on", "per"):
            places += [(f"filters[{number}].{key}", n) for n in getattr(spec, key, None) or []]
        if isinstance(spec, ConsistencySpec):
            places += [(f"filters[{number}].text", spec.text)]
            places += [(f"filters[{number}].facts", name) for name in spec.facts]
        if isinstance(spec, LabelSpec):
            places.append((f"filters[{number}].label", spec.label))
        if isinstance(spec, QuotedSpec):
            quotes = [spec.quote] if isinstance(spec.quote, str) else spec.quote
            places += [(f"filters[{number}].quote", name) for name in quotes]
            places.append((f"filters[{number}].source", spec.source))
    faults = [
        f"{job.place}: {place}: {name} is not in the record schema. {nearest(name, properties)}Fields there: {known}."
        for place, name in places
        if name not in properties
    ]
    faults += [
        f"{job.place}: attributes.{name} is also a field of the record. Give it another name."
        for name in job.attributes
        if name in properties
    ]
    faults += _consistency_faults(job, properties)
    if faults:
        raise InputError(faults)


def kinds_of(spec: ConsistencySpec, properties: Iterable[str]) -> dict[str, str]:
    """The kind of each field that holds facts: those known by name, and those that the filter names."""
    return {name: kind for name, kind in KINDS.items() if name in properties and name != spec.text} | spec.facts


def kinds_in(job: Job, properties: Iterable[str]) -> Mapping[str, str]:
    """The kinds of the fields that hold facts: by their names, and as consistency filters say."""
    specs = [spec for spec in job.filters if isinstance(spec, ConsistencySpec)]
    return {name: kind for spec in specs for name, kind in kinds_of(spec, properties).items()} or KINDS


def _consistency_faults(job: Job, properties: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with consistency filters, and with the fields that they locate."""
    specs = [(n, spec) for n, spec in enumerate(job.filters) if isinstance(spec, ConsistencySpec)]
    for number, spec in specs:
        place, kinds = f"{job.place}: filters[{number}]", kinds_of(spec, properties)
        if not kinds:
            yield f"{place} finds no facts in the record schema. Name them with facts, such as {{complaint: phrase}}."
        for name in spec.required or ():
            if kinds and name not in kinds:
                yield f"{place}.required: {name} holds no facts. Facts: {', '.join(kinds)}."
    for name in [n for n, field in job.fields.items() if field.source == "located"]:
        if len(specs) != 1:
            yield (
                f"{job.place}: fields.{name} is located, and there are {len(specs)} consistency filters. Give one, "
                "which says in which text the facts are found."
            )


def check_encoders(job: Job, encodes: bool = True) -> None:
    """The encoders that filters name can be opened; where nothing is encoded, stored vectors can be compared."""
    faults = Faults()
    for number, spec in enumerate(job.filters):
        if (encoder := encoder_of(spec)) is not None and job.steps:
            faults.attempt(check_name, encoder, f"{job.place}: filters[{number}].encoder", "encoder")
            faults.attempt(TextEncoder.check_installed, f"{job.place}: filters[{number}]", encodes)
    faults.raise_any()


def check_rules(job: Job, properties: Mapping[str, Any]) -> None:
    """Rules of filters are JSON Schemas over fields that a record or a step has."""
    faults = Faults()
    known = [*properties, *(name for step in job.steps for name in step.writes or ())]
    for number, spec in enumerate(job.filters):
        if isinstance(spec, RulesSpec):
            faults.attempt(check_step_rules, spec.rules, known, f"{job.place}: filters[{number}].rules")
    faults.raise_any()


def check_step_rules(rules: Mapping[str, Any] | None, known: Sequence[str], place: str) -> None:
    """Rules are a JSON Schema, and the fields that they name are known by then."""
    found = schema_faults(rules, place) if rules is not None else []
    if not found:
        found = [
            f"{place}: no step has written {name} by then, nor is it drawn. {nearest(name, known)}"
            f"Fields there: {', '.join(known[:20])}."
            for name in dict.fromkeys(_fields_in(rules or {}))
            if name not in known
        ]
    if found:
        raise InputError(found)


def _fields_in(rules: Any) -> Iterator[str]:
    """The fields of the whole record that a schema names, also in its branches."""
    if not isinstance(rules, Mapping):
        return
    for key in ("properties", "required", "dependentRequired", "dependentSchemas"):
        yield from (name for name in rules.get(key, ()) if isinstance(name, str))
    for key in ("allOf", "anyOf", "oneOf"):
        for one in rules.get(key, ()):
            yield from _fields_in(one)
    for key in ("not", "if", "then", "else"):
        yield from _fields_in(rules.get(key))


def check_working(own: Mapping[str, Any], schema: Mapping[str, Any], place: str) -> None:
    """Working fields have JSON Schemas that some value fits; they may point to the record schema's definitions."""
    shared = {key: schema[key] for key in ("$schema", *DEFINITIONS) if key in schema}
    found = []
    for name, one in own.items():
        whole = {**shared, **one}
        faults = schema_faults(whole, f"{place}.{name}")
        why = None if faults else impossible(root_part(whole), [root_part(whole)])
        found += faults or ([f"{place}.{name}: no value fits it ({why}). Loosen it."] if why else [])
    if found:
        raise InputError(found)


def check_filters(job: Job, properties: Mapping[str, Any], seeds: SeedSet) -> None:
    """Each filter can do what it is asked with these fields and seeds."""
    faults = []
    written = [n for n in properties if n not in job.fields or job.fields[n].source in ("written", "picked")]
    for number, spec in enumerate(job.filters):
        place = f"{job.place}: filters[{number}]"
        if isinstance(spec, SchemaSpec) and number:
            faults.append(f"{place} is the schema filter. It always comes first: move it up or leave it out.")
        if isinstance(spec, LeakageSpec):
            least = smallest_alpha(
                len(seeds.one_a_cluster(seeds.holdout)), len({seeds.cluster[s.id] for s in seeds.shown})
            )
            if spec.alpha < least:
                faults.append(
                    f"{place}.alpha is {spec.alpha}, but these seeds resolve no less than {least:.3g}. "
                    f"Give more seeds, or an alpha from {least:.3g} up."
                )
        if isinstance(spec, LabelSpec) and spec.label in properties:
            faults += _label_faults(spec, place, job, seeds)
        if isinstance(spec, DiversitySpec) and not (spec.on or written):
            faults.append(f"{place} compares written text, and no field is written. Remove it, or name fields with on.")
        if isinstance(spec, DiversitySpec):
            faults += _cap_faults(spec, place, job, [text_of(s.data, spec.on or written) for s in seeds.shown])
    faults += _temperature_faults(job)
    if faults:
        raise InputError(faults)


def _label_faults(spec: LabelSpec, place: str, job: Job, seeds: SeedSet) -> list[str]:
    have = {canonical_json(seed.data[spec.label]) for seed in seeds.shown if spec.label in seed.data}
    if len(have) < 2:
        return [f"{place} compares a text with the seeds of each label, and they have {len(have)}. Give two or more."]
    asked = job.fields[spec.label].values if spec.label in job.fields else None
    return [
        f"{place}: no shown seed has the {spec.label} {shown(value)}. Give seeds with it, or leave it out of values."
        for value in asked or ()
        if canonical_json(value) not in have
    ]


def _cap_faults(spec: DiversitySpec, place: str, job: Job, texts: Sequence[str]) -> list[str]:
    if spec.cap is None:
        return [f"{place}.per names fields, but there is no cap. Give one, such as cap: 0.1."] if spec.per else []
    if spec.per:
        return []
    clusters = clusters_for(sum(bool(text.strip()) for text in texts))
    if not clusters:
        return [f"{place}.cap counts clusters of the seeds' text, and no seed has any. Name fields with per."]
    if Cap.of(spec.cap, job.plan.target) * clusters < job.plan.target:
        return [
            f"{place}.cap is {spec.cap}, but the seeds make {clusters} clusters, which so hold less than the target. "
            f"Use {math.ceil(1000 / clusters) / 1000:g} or more."
        ]
    return []


def _temperature_faults(job: Job) -> list[str]:
    most, place = job.plan.max_temperature, f"{job.place}: plan.max_temperature"
    if most is None:
        return []
    if not job.plan.steer or not any(isinstance(spec, DiversitySpec) for spec in job.filters):
        return [f"{place} is {most}, but nothing raises it. Add a diversity filter, and leave plan.steer true."]
    own = max((step.sampling or job.sampling).temperature for step in job.steps) if job.steps else 0.0
    return [f"{place} is {most}, but a step's temperature is {own} already. Use more than that."] if own >= most else []


def notes_on(job: Job, seeds: SeedSet, examples: Sequence[tuple[int, int]]) -> list[str]:
    """Sentences that a user should read before a run; `examples` are how many each step asks for and how many fit."""
    counts, notes = seeds.counts, []
    said = {
        "dropped_missing": "miss a field that is drawn from",
        "dropped_repeat": "repeat another exactly",
        "dropped_same_group": f"share their {job.seeds.one_per} with another",
        "not_in_sample": "are beyond the limit",
        "dropped_identifiers": "are little but identifiers",
    }
    dropped = [f"{counts[key]} {what}" for key, what in said.items() if counts.get(key)]
    left_out = f" ({', '.join(dropped)})" if dropped else ""
    notes.append(f"seeds: {counts['read']} rows read{left_out}; {counts['shown']} shown, {counts['holdout']} held out.")
    notes += [f"seeds: {sentence}" for sentence in seeds.left_out]
    if (cell := job.seeds.min_cell) is not None:
        notes.append(
            f"seeds.min_cell: {counts['rare']} of the {counts['shown']} shown are neither drawn from nor examples: "
            f"fewer than {cell.k} have their {', '.join(cell.of)} ({counts['rare_combinations']} combinations)."
        )
    notes += _notes_on_identifiers(job, seeds)
    for number, (asked, able) in enumerate(examples):
        if asked > able:
            notes.append(f"step {number}: {asked} examples are asked for, {able} seeds have what it writes.")
    for number, step in enumerate(job.steps):
        if isinstance(step.examples, str):
            notes.append(f"step {number}: it shows examples of its own; no gate compares records with them.")
    if not any(isinstance(spec, LeakageSpec) for spec in job.filters):
        notes.append("there is no leakage filter: nothing is said about copies of the seeds.")
    texts = [t for s in seeds.shown[:200] for t in s.data.values() if isinstance(t, str)]
    odd = sum(not t.isascii() for t in texts)
    if texts and odd > len(texts) / 2:
        notes.append("most seeds do not look like English; the embedded encoder minilm-l6 is English only.")
    return notes


def _notes_on_identifiers(job: Job, seeds: SeedSet) -> list[str]:
    """What was replaced in the seeds, and what the recognizers cannot read."""
    fields, notes = job.seeds.deidentify, list[str]()
    if fields:
        notes.append(f"seeds.deidentify: {seeds.counts['identifiers_replaced']} identifiers were replaced.")
    wanted = any(isinstance(spec, IdentifiersSpec) for spec in job.filters)
    names = list(fields) if fields else [*next((s.data for s in seeds.shown), {})] if wanted else []
    texts = [t for s in (*seeds.shown, *seeds.holdout) if len((t := text_of(s.data, names)).split()) > 5]
    if foreign := sum(language_of(text) != "en" for text in texts):
        notes.append(
            f"identifiers: {foreign} of {len(texts)} seeds are not in English, which is all that the recognizers know: "
            "names and dates in them may be missed."
        )
    return notes
