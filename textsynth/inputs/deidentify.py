"""Seeds without the identifiers of the people they are about, and fields of a seed row that are altered."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textsynth.errors import InputError
from textsynth.inputs.dialects import validator
from textsynth.job import FieldSpec, Job
from textsynth.privacy.dates import read_date
from textsynth.privacy.identifiers import identifiers_in
from textsynth.privacy.surrogates import Person, zip_of
from textsynth.records import Seed, rng_for, strings_in

if TYPE_CHECKING:
    from textsynth.inputs.seeds import SeedSet

_SHORT = 6  # words of a field that is an identifier as a whole; in a longer one they are looked for
_MOSTLY = 0.5  # share of a text's characters from which it is little but identifiers


def deidentified(
    seeds: Sequence[Seed],
    originals: Mapping[str, Mapping[str, Any]],
    fields: Mapping[str, str],
    rng_seed: int,
    counts: dict[str, int],
) -> list[Seed]:
    """The seeds with identifiers masked or replaced in some fields; those that are little else are left out, counted.

    Args:
        originals: the same seeds with all that is known of them: no surrogate is a name or place of any of them.
        fields: field -> mask or surrogate.
    """
    counts |= {"identifiers_replaced": 0, "dropped_identifiers": 0}
    avoid, kept = words_of(originals.values()), list[Seed]()
    for seed in seeds:
        texts = {name: seed.data[name] for name in fields if isinstance(seed.data.get(name), str)}
        found = {name: identifiers_in(text) for name, text in texts.items()}
        if any(sum(o.end - o.start for o in found[n]) > _MOSTLY * len("".join(t.split())) for n, t in texts.items()):
            counts["dropped_identifiers"] += 1
            continue
        person = Person(rng_seed, seed.id, avoid)
        write = {"mask": person.masked, "surrogate": person.with_surrogates}
        counts["identifiers_replaced"] += sum(map(len, found.values()))
        kept.append(replace(seed, data={**seed.data, **{n: write[fields[n]](text) for n, text in texts.items()}}))
    return kept


def words_of(rows: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The words of all names and places of some rows, in lower case."""
    found = (one for row in rows for text in strings_in(dict(row)) for one in identifiers_in(text))
    return frozenset(word for one in found if one.kind in ("name", "place") for word in (one.value, *one.value.split()))


def as_shown(job: Job, properties: Mapping[str, Mapping[str, Any]], seeds: SeedSet) -> SeedSet:
    """The seeds as prompts and records may have them: `perturbed` fields are altered.

    A value is altered alike wherever it is shown, so that drawing a seed twice tells no more of it than once.

    Raises:
        InputError: values that cannot be altered as asked, or no longer fit the schema; one sentence each.
    """
    specs = {name: spec for name, spec in job.fields.items() if spec.source == "perturbed" and name in properties}
    faults = [fault for name, spec in job.fields.items() for fault in _key_faults(f"{job.place}: fields.{name}", spec)]
    if faults:
        raise InputError(faults)
    if not specs:
        return seeds
    digits = {name: _digits(seed.data.get(name) for seed in seeds.shown) for name in specs}
    avoid, shown = words_of(seeds.originals.values()), list[Seed]()
    for seed in seeds.shown:
        person = Person(job.rng_seed, seed.id, avoid)
        for name, way in job.seeds.deidentify.items():  # first, so that a name is the same in both
            if way == "surrogate" and isinstance(text := seeds.originals[seed.id].get(name), str):
                person.with_surrogates(text)
        data = dict(seed.data)
        for name in [name for name in specs if name in data]:
            rng = rng_for(job.rng_seed, "perturbed", seed.id, name)
            try:
                data[name] = _altered(specs[name], data[name], person, properties[name], digits[name], rng)
            except _Unfit as why:
                raise InputError(
                    f"{job.place}: fields.{name} is altered by {specs[name].how}, but seed {seed.id} {why} there. "
                    "Use another how, or clean the column."
                ) from None
        shown.append(replace(seed, data=data))
    _check_schema(job, specs, properties, shown)
    return replace(seeds, shown=shown)


class _Unfit(Exception):
    """What a value is that cannot be altered; never the value."""


def _key_faults(place: str, spec: FieldSpec) -> Iterator[str]:
    if spec.source != "perturbed":
        if spec.how or spec.to or spec.scale:
            yield f"{place}: how, to and scale go with source: perturbed. Leave them out."
    elif spec.how is None:
        yield f"{place} is perturbed, but how is left out. Use mask, surrogate, shift, generalize, laplace or gaussian."
    elif (spec.to is None) if spec.how == "generalize" else (spec.to and spec.scale is None):
        yield f"{place}: to goes with how: generalize, or with noise. Give it there, such as to: 5 or to: year."
    elif (spec.scale is None) == (spec.how in ("laplace", "gaussian")):
        yield f"{place}: scale goes with how: laplace or gaussian. Give it there, such as scale: 2.0, and only there."


def _altered(
    spec: FieldSpec, value: Any, person: Person, part: Mapping[str, Any], digits: int, rng: random.Random
) -> Any:
    if isinstance(value, list):
        return [_altered(spec, one, person, {}, digits, rng) for one in value]
    if isinstance(value, dict):
        return {key: _altered(spec, one, person, {}, digits, rng) for key, one in value.items()}
    if spec.how in ("laplace", "gaussian") or (spec.how == "generalize" and not isinstance(value, str)):
        return _number(spec, value, part, digits, rng)
    if not isinstance(value, str):
        raise _Unfit("has no text")
    if spec.how == "generalize":
        return _generalized(value, spec.to)
    if spec.how == "shift":
        if (moved := person.shifted(value)) is None:
            raise _Unfit("has no date that can be read")
        return moved
    if len(value.split()) > _SHORT:
        return person.masked(value) if spec.how == "mask" else person.with_surrogates(value)
    if spec.how == "surrogate":
        return person.surrogate(value)
    kinds = [one.kind for one in identifiers_in(value)]
    return f"[{kinds[0].upper() if len(kinds) == 1 else 'MASKED'}]"


def _number(spec: FieldSpec, value: Any, part: Mapping[str, Any], digits: int, rng: random.Random) -> int | float:
    """A number in steps or with noise, rounded like the data, within the schema's bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unfit("has no number")
    new: float = value
    if isinstance(spec.to, str):
        raise _Unfit("has a number")
    if spec.how == "gaussian":
        new = value + rng.gauss(0, spec.scale or 0)
    elif spec.how == "laplace":  # as two exponentials differ
        new = value + (spec.scale or 0) * (rng.expovariate(1) - rng.expovariate(1))
    new = round(new / spec.to) * spec.to if spec.to else new
    least, most = float(part.get("minimum", -math.inf)), float(part.get("maximum", math.inf))
    new = min(max(new, least), most)
    return round(new) if isinstance(value, int) else round(new, digits)


def _generalized(value: str, to: float | int | str | None) -> str:
    if isinstance(to, int | float):
        return zip_of(value, int(to))
    when = read_date(value.partition("T")[0])
    if when is None or when.year is None:
        raise _Unfit("has no date with a year that can be read")
    return f"{when.year:04d}" if to == "year" else f"{when.year:04d}-{when.month or 1:02d}"


def _digits(values: Iterable[Any]) -> int:
    """Most decimals of a column's numbers."""
    return max(
        (len(repr(v).partition(".")[2]) for v in values if isinstance(v, float) and "e" not in repr(v)), default=0
    )


def _check_schema(
    job: Job, specs: Mapping[str, FieldSpec], properties: Mapping[str, Mapping[str, Any]], shown: Sequence[Seed]
) -> None:
    faults = []
    for name in specs:
        check = validator(dict(properties[name]))
        bad = sum(name in seed.data and not check.is_valid(seed.data[name]) for seed in shown)
        if bad:
            faults.append(
                f"{job.place}: fields.{name}: {bad} of {len(shown)} values no longer fit the schema once altered. "
                "Loosen the schema there, or alter the field in another way."
            )
    if faults:
        raise InputError(faults)
