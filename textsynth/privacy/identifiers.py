"""Identifiers of all 18 classes of HIPAA Safe Harbor in English text: what each is and where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from textsynth.privacy.dates import ages_in, dates_in
from textsynth.privacy.kinds import Identifier
from textsynth.privacy.numbers import numbers_in
from textsynth.privacy.people import names_in
from textsynth.privacy.places import places_in


@lru_cache(maxsize=4096)  # a seed is looked at when it is replaced, and again when its identifiers are kept out
def identifiers_in(text: str) -> tuple[Identifier, ...]:
    """The identifiers of a text in their order; none overlaps another. Of those that do, the longest is kept."""
    found = [*_all(text)]
    found.sort(key=lambda one: one.start - one.end)  # stable: of equally long ones, the surer kind stands first
    taken, kept = bytearray(len(text)), list[Identifier]()
    for one in found:
        if not any(taken[one.start : one.end]):
            taken[one.start : one.end] = b"\1" * (one.end - one.start)
            kept.append(one)
    return tuple(sorted(kept, key=lambda one: one.start))


def _all(text: str) -> Iterator[Identifier]:
    yield from (Identifier(when.start, when.end, "date", when.value) for when in dates_in(text))
    yield from ages_in(text)
    yield from numbers_in(text)
    yield from places_in(text)
    yield from names_in(text)
