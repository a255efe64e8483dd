"""The job's filters, built: what decides over the records of a run."""

from __future__ import annotations

from collections.abc import Callable

from textsynth.filters.base import Filter, References
from textsynth.filters.decontaminate import DecontaminateFilter
from textsynth.filters.dedup import DedupFilter
from textsynth.filters.diversity import Cap, DiversityFilter
from textsynth.filters.identifiers import IdentifiersFilter
from textsynth.filters.label import LabelFilter
from textsynth.filters.leakage import LeakageFilter
from textsynth.filters.quality import QualityFilter, Wanted
from textsynth.filters.quoted import QuotedFilter
from textsynth.filters.rules import RulesFilter
from textsynth.filters.schema import SchemaFilter
from textsynth.filters.scores import SeedScores
from textsynth.inputs.bounds import imposed_bounds
from textsynth.inputs.dialects import fast_validator, first_error, validator
from textsynth.job_filters import (
    ConsistencySpec,
    DedupSpec,
    DiversitySpec,
    IdentifiersSpec,
    LabelSpec,
    LeakageSpec,
    QualitySpec,
    QuotedSpec,
    RulesSpec,
    SchemaSpec,
)
from textsynth.prepare import Prepared
from textsynth.privacy.known import Known
from textsynth.records import text_of
from textsynth.similarity.encoder import Encoder
from textsynth.similarity.linkage import units_of


def build_filters(prepared: Prepared, encoder_for: Callable[[str], Encoder]) -> list[Filter]:
    """The job's filters, the schema always first, then the caller's own."""
    check = fast_validator(prepared.schema)
    slow = validator(prepared.schema)
    bounds = {name: most for step in prepared.steps for name, most in imposed_bounds(step.decoding).items()}
    built: list[Filter] = [SchemaFilter(check.is_valid, lambda value: first_error(slow, value), bounds)]
    for number, spec in enumerate(prepared.job.filters):
        if isinstance(spec, SchemaSpec):
            continue
        if isinstance(spec, RulesSpec):
            rules = validator(spec.rules)
            built.append(RulesFilter(rules.is_valid, lambda value, rules=rules: first_error(rules, value)))  # type: ignore[misc]
        elif isinstance(spec, LeakageSpec):
            built.append(_leakage(prepared, spec, encoder_for))
        elif isinstance(spec, DedupSpec):
            compared = spec.on or prepared.named("written", "sampled", "perturbed") or list(prepared.properties)
            built.append(DedupFilter(spec.near, compared, spec.on or prepared.named("written"), spec.shingle))
        elif isinstance(spec, DiversitySpec):
            built.append(_diversity(prepared, spec, encoder_for(spec.encoder)))
        elif isinstance(spec, ConsistencySpec):
            built.append(prepared.consistency[number])
        elif isinstance(spec, QuotedSpec):
            built.append(QuotedFilter([spec.quote] if isinstance(spec.quote, str) else spec.quote, spec.source))
        elif isinstance(spec, LabelSpec):
            seeds = (prepared.seeds.shown, prepared.seeds.holdout)
            built.append(
                LabelFilter(spec.label, spec.on or prepared.named("written"), *seeds, encoder_for(spec.encoder))
            )
        elif isinstance(spec, IdentifiersSpec):
            text = spec.on or prepared.named("written")
            facts = [name for name in prepared.properties if prepared.sources[name] != "written" and name not in text]
            built.append(IdentifiersFilter(Known(prepared.seeds.originals), text, facts, spec.refuse_any))
        elif isinstance(spec, QualitySpec):
            keys = spec.model_dump(exclude={"type", "on"})
            built.append(QualityFilter(Wanted(**keys), spec.on or prepared.named("written")))
        else:
            encoder = None if spec.max_similarity is None else encoder_for(spec.encoder)
            items, fields = prepared.benchmarks[number], spec.on or prepared.named("written")
            built.append(DecontaminateFilter(items, fields, spec.max_overlap, spec.max_similarity, encoder))
    return [*built, *prepared.custom]


def _diversity(prepared: Prepared, spec: DiversitySpec, encoder: Encoder) -> DiversityFilter:
    text, cap = spec.on or prepared.named("written"), None
    if spec.cap is not None:
        seeds = [] if spec.per else [text_of(seed.data, text) for seed in prepared.seeds.shown]
        cap = Cap(Cap.of(spec.cap, prepared.planner.target), spec.per or (), seeds, prepared.job.rng_seed)
    return DiversityFilter(spec.max_similarity, text, encoder, cap)


def _leakage(prepared: Prepared, spec: LeakageSpec, encoder_for: Callable[[str], Encoder]) -> LeakageFilter:
    written, sources = prepared.named("written"), prepared.sources
    row = prepared.row
    # drawing whole groups from seed rows is what the user asked for: rows are scored where they are written or all
    scored = row if not written or any(sources[n] == "written" for n in row) else []
    references = References(
        prepared.seeds.shown, prepared.seeds.one_a_cluster(prepared.seeds.holdout), prepared.seeds.cluster
    )
    encoder = encoder_for(spec.encoder) if written else None
    scores = SeedScores(
        prepared.seeds.shown, prepared.seeds.cluster, written, scored if len(scored) > 1 else [], encoder
    )
    columns = prepared.named("written", "sampled", "perturbed")
    units = units_of(row, [*prepared.job.together, prepared.named("perturbed")])
    return LeakageFilter(spec.alpha, spec.max_span, scores, references, written, columns, units)
