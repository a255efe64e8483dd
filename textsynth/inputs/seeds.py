"""Seeds: rows -> cleaned real examples, divided into shown and held-out ones."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from textsynth.errors import InputError
from textsynth.inputs.deidentify import deidentified
from textsynth.inputs.left_out import LeftOut
from textsynth.inputs.min_cell import without_rare
from textsynth.inputs.passages import cut_text, passages
from textsynth.inputs.readers import Row, read_rows
from textsynth.job import Job, SeedsSpec
from textsynth.job_filters import IdentifiersSpec
from textsynth.records import Seed, content_hash, rng_for, strings_in
from textsynth.similarity.minhash import clusters_of
from textsynth.wording import nearest

MAX_BYTES = 1 << 30  # of seed text kept in memory; more needs seeds.limit
LONGEST_NAME = 40  # characters of a column's name in a message


@dataclass(frozen=True)
class SeedSet:
    """The seeds of a run.

    `shown` steer the run and are what leakage is measured against. `holdout` is never shown or drawn from.
    `cluster` numbers near-duplicate clusters by seed id; no cluster is on both sides. `counts` tells what became of
    the rows that were read, `left_out` in sentences what of FHIR data could not be used. `rare` are ids of shown seeds
    that records are compared with, and that is all: see `min_cell`. `originals` has each seed as it was read, with the
    columns that a filter keeps out of records, where the job looks for identifiers: in memory only.
    """

    shown: Sequence[Seed]
    holdout: Sequence[Seed]
    cluster: Mapping[str, int]
    counts: Mapping[str, int]
    by_id: Mapping[str, Seed] = field(repr=False, default_factory=dict)
    left_out: Sequence[str] = ()
    rare: frozenset[str] = frozenset()
    originals: Mapping[str, Mapping[str, Any]] = field(repr=False, default_factory=dict)

    @cached_property
    def usable(self) -> Sequence[Seed]:
        """The shown seeds that may be drawn from and be examples."""
        return [seed for seed in self.shown if seed.id not in self.rare]

    def one_a_cluster(self, seeds: Iterable[Seed]) -> list[Seed]:
        """The first seed of each near-duplicate cluster."""
        first: dict[int, Seed] = {}
        for seed in seeds:
            first.setdefault(self.cluster[seed.id], seed)
        return list(first.values())


def load_seeds(job: Job, keep: Collection[str], drawn: Collection[str], text: Collection[str]) -> SeedSet:
    """Read, clean and divide the seeds of a job.

    Args:
        keep: the record's fields; other columns are left behind.
        drawn: fields that records are drawn from; a row that misses one is dropped.
        text: fields that stay strings even where a csv column looks numeric.

    Raises:
        InputError: nothing readable, nothing left, too much for memory, or a key that names no column.
    """
    spec, place = job.seeds, f"{job.place}: seeds.path"
    counts = dict.fromkeys(("read", "dropped_missing", "dropped_repeat", "dropped_same_group", "not_in_sample"), 0)
    left_out = LeftOut()
    read = read_rows(spec.path, job.path.parent, place, spec.split, left_out)
    rows = _counted(passages(read, spec.passages, "sentence" in spec.columns.values()), counts)
    seen_columns: set[str] = set()
    aside: dict[int, Row] = {}
    rows = _set_aside(rows, identifying_columns(job), aside)
    cleaned = clean_rows(rows, spec, list(keep), drawn, counts, seen_columns)
    kept = _sample(cleaned, spec.limit, rng_for(job.rng_seed, "seeds"), counts)
    if left_out.count and not counts["read"]:
        raise InputError([f"{place}: {sentence} Nothing else is there." for sentence in left_out.sentences()])
    _check_columns(job, keep, seen_columns, counts)
    if spec.path.removesuffix(".gz").endswith(".csv"):
        to_numbers([data for _, data in kept], [f for f in keep if f not in text])
    if not kept:
        raise InputError(
            f"{place}: none of the {counts['read']} rows can be used "
            f"({counts['dropped_missing']} miss a field that is drawn from). Give seeds with the record's fields."
        )
    originals = {f"s{number:06d}": {**data, **aside.get(number, {})} for number, data in kept}
    seeds = [Seed(f"s{number:06d}", data) for number, data in kept]
    if spec.deidentify:
        seeds = deidentified(seeds, originals, spec.deidentify, job.rng_seed, counts)
        if not seeds:
            raise InputError(f"{place}: all rows are little but identifiers. Give seeds that say more.")
    divided = without_rare(job, _divide(seeds, spec.holdout, job.rng_seed, counts))
    return replace(divided, left_out=left_out.sentences(), originals=originals)


def identifying_columns(job: Job) -> list[str]:
    """The columns of the data that a filter keeps out of records."""
    return [column for spec in job.filters if isinstance(spec, IdentifiersSpec) for column in spec.columns]


def _set_aside(
    rows: Iterator[tuple[int, Row]], columns: Sequence[str], aside: dict[int, Row]
) -> Iterator[tuple[int, Row]]:
    """The rows, while what they have in some columns is noted by their number."""
    for number, row in rows:
        if columns:
            aside[number] = {f"column {name}": row[name] for name in columns if row.get(name) is not None}
        yield number, row


def _counted(rows: Iterator[Row], counts: dict[str, int]) -> Iterator[tuple[int, Row]]:
    for number, row in enumerate(rows, 1):
        counts["read"] = number
        yield number, row


def clean_rows(
    rows: Iterable[tuple[int, Row]],
    spec: SeedsSpec,
    fields: Sequence[str],
    drawn: Collection[str],
    counts: dict[str, int],
    seen_columns: set[str],
) -> Iterator[tuple[int, Row]]:
    """Yield rows with the record's fields only, stripped and cut, without missing values and without repeats."""
    repeats: set[str] = set()
    groups: set[str] = set()
    missing = {None, *spec.missing}
    for number, row in rows:
        seen_columns.update(row)
        data = {f: row.get(spec.columns.get(f, f)) for f in fields}
        data = {f: v.strip() if isinstance(v, str) else v for f, v in data.items()}
        data = {f: v for f, v in data.items() if not _is_missing(v, missing)}
        for name, most in spec.cut.items():
            if isinstance(text := data.get(name), str):
                data[name] = cut_text(text, most)
        if not data or any(name not in data for name in drawn):
            counts["dropped_missing"] += 1
        elif (key := content_hash(data)) in repeats:
            counts["dropped_repeat"] += 1
        elif spec.one_per and content_hash(row.get(spec.one_per)) in groups:
            counts["dropped_same_group"] += 1
        else:
            repeats.add(key)
            if spec.one_per and not _is_missing(row.get(spec.one_per), missing):
                groups.add(content_hash(row[spec.one_per]))
            yield number, data


def _is_missing(value: Any, missing: Collection[str | None]) -> bool:
    """Also true for what JSON has no number for: NaN, with which data frames fill gaps, and infinity."""
    return value in missing if isinstance(value, str | None) else isinstance(value, float) and not math.isfinite(value)


def _sample(
    rows: Iterable[tuple[int, Row]], limit: int | None, rng: random.Random, counts: dict[str, int]
) -> list[tuple[int, Row]]:
    """Every row, or a uniform sample of `limit` in file order (Vitter's algorithm R: one pass, bounded memory)."""
    kept: list[tuple[int, Row]] = []
    size = 0
    for count, item in enumerate(rows):
        if limit is None or count < limit:
            kept.append(item)
        else:
            counts["not_in_sample"] += 1
            if (slot := rng.randrange(count + 1)) < limit:
                kept[slot] = item
        size += 0 if limit else sum(len(v) for v in item[1].values() if isinstance(v, str))
        if size > MAX_BYTES:
            raise InputError(f"seeds.path: over {MAX_BYTES >> 20} MiB of text after {count:,} rows. Set seeds.limit.")
    return sorted(kept, key=lambda item: item[0])


def _check_columns(job: Job, fields: Collection[str], columns: set[str], counts: Mapping[str, int]) -> None:
    if not counts["read"]:
        raise InputError(f"{job.place}: seeds.path: {job.seeds.path} holds no rows. Give at least one example.")
    named = [(f"seeds.columns.{f}", c) for f, c in job.seeds.columns.items()]
    named += [("seeds.one_per", job.seeds.one_per)] if job.seeds.one_per else []
    named += [("filters.columns", column) for column in identifying_columns(job)]
    faults = [
        f"{job.place}: {place} is {column}, which no row has. {nearest(column, columns)}Columns: {_names(columns)}."
        for place, column in named
        if column not in columns
    ]
    faults += [
        f"{job.place}: {place}.{name} is no field of the record schema. "
        f"{nearest(name, fields)}Fields: {', '.join(list(fields)[:20])}."
        for place, names in (
            ("seeds.columns", job.seeds.columns),
            ("seeds.cut", job.seeds.cut),
            ("seeds.deidentify", job.seeds.deidentify),
        )
        for name in names
        if name not in fields
    ]
    if faults:
        raise InputError(faults)


def _names(columns: Iterable[str]) -> str:
    """Columns as a message lists them; a long name may be the text of a file without a header."""
    names = sorted(name for name in columns if len(name) <= LONGEST_NAME)
    return ", ".join(names[:20]) or "none with a short name"


def to_numbers(rows: Sequence[Row], fields: Iterable[str]) -> None:
    """Turn csv columns whose every value is a number into numbers; codes such as 007 stay text."""
    for name in fields:
        values = {row[name] for row in rows if name in row}  # each text once: a column has few, or the loop ends soon
        convert = next((to for to in (_integer, _real) if all(to(v) is not None for v in values)), None)
        if values and convert:
            numbers = {text: convert(text) for text in values}
            for row in rows:
                if name in row:
                    row[name] = numbers[row[name]]


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?(0|[1-9]\d{0,17})", text) else None


def _real(text: str) -> float | None:
    """A number that a float holds as it stands: no ICD code such as E11, no account number of 20 digits."""
    return float(text) if re.fullmatch(r"-?((0|[1-9]\d{0,14})(\.\d+)?|\.\d+)([eE][-+]?\d{1,2})?", text) else None


def _divide(seeds: list[Seed], share: float, rng_seed: int, counts: dict[str, int]) -> SeedSet:
    """Hold out whole near-duplicate clusters until `share` of the seeds is held out."""
    labels = clusters_of([_long_text(seed.data) for seed in seeds])
    cluster = {seed.id: label for seed, label in zip(seeds, labels, strict=True)}
    order = sorted(set(labels))
    rng_for(rng_seed, "holdout").shuffle(order)
    sizes = {label: 0 for label in order}
    for label in labels:
        sizes[label] += 1
    held: set[int] = set()
    taken = 0
    for label in order:
        if taken + sizes[label] <= share * len(seeds):
            held.add(label)
            taken += sizes[label]
    shown = [s for s in seeds if cluster[s.id] not in held]
    holdout = [s for s in seeds if cluster[s.id] in held]
    counts.update(shown=len(shown), holdout=len(holdout), clusters=len(order))
    return SeedSet(shown, holdout, cluster, counts, {s.id: s for s in seeds})


def _long_text(data: Mapping[str, Any]) -> str:
    """What near-duplicate clusters are made of: all strings of over five words, one a line."""
    return "\n".join(text for text in strings_in(dict(data)) if len(text.split()) > 5)
