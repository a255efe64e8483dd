"""Places smaller than a state: streets, towns, counties, ZIP codes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from textsynth.privacy.kinds import Identifier, plain_words
from textsynth.privacy.lists import (
    EPONYMS,
    LANDS,
    NO_NAMES,
    STATES,
    WORD_NAMES,
    WORD_SURNAMES,
    WORD_TOWNS,
    cities,
    first_names,
    last_names,
)

_CAP = r"(?-i:(?:St|Ft|Mt|[NSEW])\.|[A-Z][\w'’-]*)"
_STATE = "|".join(sorted((re.escape(name) for name in STATES.values()), key=len, reverse=True))
_CODE = "|".join(STATES)
_ZIP = r"\d{5}(?:-\d{4})?(?!\d)"
_WAYS = [
    "street",
    "st",
    "avenue",
    "ave",
    "road",
    "rd",
    "lane",
    "ln",
    "drive",
    "dr",
    "boulevard",
    "blvd",
    "court",
    "ct",
    "place",
    "pl",
    "way",
    "circle",
    "cir",
    "terrace",
    "ter",
    "parkway",
    "pkwy",
    "highway",
    "hwy",
    "square",
    "sq",
    "trail",
    "trl",
    "loop",
    "alley",
    "plaza",
    "turnpike",
    "crossing",
    "ridge",
    "run",
    "path",
    "row",
]
_WAY = "|".join([*(f"{way.title()}|{way.upper()}" for way in _WAYS), "street", "avenue", "road", "lane", "boulevard"])
_UNIT = (
    r"(?:,?\s*(?:apt|apartment|unit|suite|ste|room|rm|floor|building|bldg|#)\.?\s*#?\s*(?-i:[A-Z]?\d+[A-Z]?|[A-Z])\b)?"
)
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?<![\w./#-])[1-9]\d{{0,5}}[A-Z]?\s+(?:[NSEW]{{1,2}}\.?\s+|(?:north|south|east|west)\s+)?(?:{_CAP}\s+"
        rf"|\d+(?:st|nd|rd|th)\s+){{1,3}}"
        rf"(?-i:{_WAY})\b\.?(?:\s+(?-i:[NSEW]{{1,2}})\b\.?)?{_UNIT}",
        r"\bp\.?\s?o\.?\s*box\s*#?\s*\d+|\b(?:rural route|r\.?r\.?)\s*#?\d+,?\s*box\s*\d+",
        rf"\b(?P<it>(?:{_CAP}\s+){{1,3}}(?-i:Street|Avenue|Boulevard|Highway|Parkway|Lane|Road|STREET|AVENUE|ROAD))\b",
        r"\b(?:highway|hwy|route|interstate)\s\d{1,3}\b",
        rf"\b(?:(?-i:{_CODE})|{_STATE})\.?,?\s+(?P<it>{_ZIP})",
        rf"\bzip(?:\s?codes?)?(?:\s(?:is|of|plus|area))?\s*[:#]?\s*(?P<it>{_ZIP})",
        r"(?<![\w-])\d{5}-\d{4}(?![\w-])",
        rf"\b(?P<it>(?:{_CAP}\s+){{1,3}}(?-i:County|Parish|Township|COUNTY))\b",
        rf"\b(?:County|Township|City|Town|Village|Borough) of (?P<it>{_CAP}(?:\s+{_CAP}){{0,2}})",
    )
)  # fmt: skip
_TOWN = r"(?P<it>(?:[A-Z][\w'’.-]*\s+){0,3}[A-Z][\w'’-]*)"
_IN_STATE = re.compile(rf"{_TOWN}(?P<comma>,?)\s+(?:(?P<code>{_CODE})(?![\w'’])|(?:{_STATE})\b)(?P<zip>,?\s+\d{{5}})?")
_LIVES = re.compile(
    r"\b(?:liv(?:es?|ed|ing)|resid(?:es?|ed|ing)|residents?|born|raised|grew up|mov(?:es?|ed|ing)|relocat(?:ed|ing)"
    r"|native|moves?"
    r"|hometown|stationed|settled|commut(?:es|ing)|visit(?:s|ed|ing)?|travel(?:s|ed|ing)?|trip|vacation(?:ed|ing)?"
    r"|flew|flying|drove"
    r"|driving|went|transfer(?:red)?(?: here)?|transported|came|returned|hails|originally|works?|working|worked"
    r"|retired|home"
    r"|apartment|house|farm|ranch|facility|hospital|clinic|nursing home|rehab|office|practice|school|college"
    r"|incarcerated|jailed"
    r"|shelter|church|address|city|town|area|surgeon|doctor|son|daughter|family|relatives)"
    r"(?:\s+(?:up|back|out|over|here|there|alone))?,?\s*(?:to|in|into|from|of|at|near|outside(?: of)?|around|is|:)\s+"
    r"(?:the (?:city|town|village|suburbs?|outskirts|area) of |downtown |suburban |rural |nearby )?"
    r"(?P<it>[A-Z][\w'’-]+(?:[ -][A-Z][\w'’-]+)*)"
)
_IN = re.compile(r"\b(?:in|near|from|to|outside|around) (?P<it>[A-Z][a-z]+(?: [A-Z][a-z]+)*)")
_CAPITALIZED = re.compile(r"\b[A-Z][a-z]+(?:[ -][A-Z][a-z]+)*")
_DEVICE = re.compile(r"\s(?i:collar|chromosome|tube|classification|corporation|company)s?\b")
_LARGE = 3  # ZIP codes of a town whose name, if it is nothing else, needs no context
_STATE_NAMES = frozenset(name.lower() for name in STATES.values()) - {"new york"}


def places_in(text: str) -> Iterator[Identifier]:
    """Streets, ZIP codes, counties and towns of a text; states and countries are none."""
    for form in _FORMS:
        for found in form.finditer(text):
            start, end = found.span("it" if "it" in form.groupindex else 0)
            start = _past_plain(text, start, end)
            if text[start:end].lower() not in NO_NAMES:
                yield _place(text, start, end)
    for found in _IN_STATE.finditer(text):
        yield from _before_state(text, found)
    for found in _LIVES.finditer(text):
        start, end = found.span("it")
        ends = [start + word.end() for word in re.finditer(r"[\w'’]+", text[start:end])]
        for end in reversed(ends):
            if _is_town(text[start:end]):
                yield _place(text, start, end)
                break
    for found in _CAPITALIZED.finditer(text):
        if _is_only_town(plain_words(found[0]), _LARGE) and not _DEVICE.match(text, found.end()):
            yield _place(text, *found.span())
    for found in _IN.finditer(text):
        if _is_only_town(plain_words(found["it"]), 1) and not _DEVICE.match(text, found.end()):
            yield _place(text, *found.span("it"))


def _place(text: str, start: int, end: int) -> Identifier:
    return Identifier(start, end, "place", plain_words(text[start:end]))


def _past_plain(text: str, start: int, end: int) -> int:
    """Where a span begins without the words of notes before a place, such as `The Bell County`."""
    for word in re.finditer(r"\S+\s+", text[start:end]):
        if word[0].strip(" .,\n").lower() not in NO_NAMES - {"north", "south", "east", "west"}:
            return start + word.start()
        last = start + word.end()
    return last if re.search(r"\s", text[start:end]) else start


def _is_town(name: str) -> bool:
    said = plain_words(name)
    return said in cities() and said not in NO_NAMES and said not in _STATE_NAMES and said not in LANDS


def _before_state(text: str, found: re.Match[str]) -> Iterator[Identifier]:
    """The town before a state: many codes are words and units too, so that they need a comma or a ZIP code."""
    start, end = found.span("it")
    starts = [start + word.start() for word in re.finditer(r"\S+", text[start:end])]
    sure = found["zip"] is not None or (found["code"] is None and found["comma"])
    for at in starts:
        if (
            _is_town(text[at:end])
            and (sure or found["comma"] or found["code"] is None)
            and plain_words(text[at:end]) not in WORD_TOWNS
        ):
            yield _place(text, at, end)
            return
    words = text[start:end].split()
    if sure and len(words) < 3 and all(word.lower().strip(".") not in NO_NAMES for word in words):
        yield _place(text, start, end)


def _is_only_town(said: str, codes: int) -> bool:
    """Whether it is a town with so many ZIP codes, and no word, person or eponym."""
    found = cities().get(said, 0)
    if found < codes or said in _STATE_NAMES | LANDS | WORD_TOWNS:
        return False
    if " " in said or said in NO_NAMES | EPONYMS | WORD_NAMES | WORD_SURNAMES:
        return " " in said
    return not (said in first_names() or said in last_names()) or (codes == 1 and found >= _LARGE)
