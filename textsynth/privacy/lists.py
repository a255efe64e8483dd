"""Names and places that are known, and the words that only look like them.

First and last names are those of the US census of 1990 (package `names`), places those with a US ZIP code (`zipcodes`);
words.txt beside this file has lists of our own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_SECTIONS = re.split(
    r"^\[(\w+)\].*$", (files("textsynth") / "privacy" / "words.txt").read_text("utf-8"), flags=re.MULTILINE
)
_WORDS = {name: frozenset(words.split()) for name, words in zip(_SECTIONS[1::2], _SECTIONS[2::2], strict=True)}
WORD_NAMES, WORD_SURNAMES, EPONYMS = _WORDS["word_names"], _WORDS["word_surnames"], _WORDS["eponyms"]
NO_NAMES, TALK = _WORDS["no_names"], _WORDS["talk"]
WORD_TOWNS, LANDS = _WORDS["word_towns"] | {"santa barbara", "high point"}, _WORDS["lands"]
STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "DC": "District of Columbia", "FL": "Florida", "GA": "Georgia",
    "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana",
    "IA": "Iowa", "KS": "Kansas", "KY": "Kentucky", "LA": "Louisiana",
    "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota", "MS": "Mississippi",
    "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire", "NJ": "New Jersey",
    "NM": "New Mexico", "NY": "New York", "NC": "North Carolina", "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma",
    "OR": "Oregon", "PA": "Pennsylvania", "PR": "Puerto Rico", "RI": "Rhode Island", "SC": "South Carolina",
    "SD": "South Dakota", "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia",
    "WA": "Washington", "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming",
}  # fmt: skip


@cache
def first_names(sex: str | None = None) -> Mapping[str, float]:
    """First names in lower case, with the percent of people (of a sex, or of the one that has it more) who bear it."""
    found: dict[str, float] = {}
    for name in ("female", "male") if sex is None else (sex,):
        for line in (files("names") / f"dist.{name}.first").read_text(encoding="ascii").splitlines():
            said, share = line.split()[:2]
            found[said.lower()] = max(float(share), found.get(said.lower(), 0.0))
    return found


@cache
def last_names() -> Mapping[str, int]:
    """Last names in lower case, with their rank."""
    lines = (files("names") / "dist.all.last").read_text(encoding="ascii").splitlines()
    return {line.split()[0].lower(): rank for rank, line in enumerate(lines, 1)}


@cache
def cities() -> Mapping[str, int]:
    """Towns of the US in lower case, with how many ZIP codes they have."""
    import zipcodes

    found: dict[str, int] = {}
    for place in zipcodes.list_all():  # type: ignore[no-untyped-call, unused-ignore]
        city = str(place["city"]).lower()
        found[city] = found.get(city, 0) + 1
    return found
