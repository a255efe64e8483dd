"""Identifiers replaced: by what they are (`[NAME]`), or by fictional ones, the same all through a person's record."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from random import Random

from textsynth.privacy.dates import When, dates_in, moved, read_date
from textsynth.privacy.identifiers import identifiers_in
from textsynth.privacy.kinds import Identifier, plain_words
from textsynth.privacy.lists import EPONYMS, NO_NAMES, TALK, WORD_NAMES, WORD_TOWNS, cities, first_names, last_names
from textsynth.records import rng_for

WEEKS = 52  # most weeks that a person's dates are moved, in either direction; whole weeks keep weekdays
_LASTS, _FIRSTS, _ZIPS = 1500, 200, 4  # surrogates are the most frequent names, and towns with many ZIP codes
# ZIP codes of three digits with 20,000 people or fewer (HHS, "Guidance regarding methods for de-identification", 2012).
_FEW_PEOPLE = frozenset(
    ["036", "059", "063", "102", "203", "556", "692", "790", "821", "823", "830", "831", "878", "879"]
    + ["884", "890", "893"]
)
_NAME = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]{2,})?")
_WAYS = re.compile(r"(?i)\b(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|place|pl|way)\b\.?")


class Person:
    """What stands for each identifier of one person's record; made anew from the same arguments, it is the same.

    Args:
        rng_seed: of the job; seed_id: of the person.
        avoid: names and towns in lower case that no surrogate may be, such as those of all seeds.
    """

    def __init__(self, rng_seed: int, seed_id: str, avoid: Collection[str] = frozenset()) -> None:
        self._rng_seed, self._id, self._avoid = rng_seed, seed_id, avoid
        rng = self._rng("offset")
        self.offset = datetime.timedelta(weeks=rng.choice([-1, 1]) * rng.randint(1, WEEKS))
        self._given: dict[tuple[str, str], str] = {}

    def masked(self, text: str) -> str:
        """The text with `[NAME]`, `[DATE]` ... in place of identifiers."""
        return _replaced(text, ((one, f"[{one.kind.upper()}]") for one in identifiers_in(text)))

    def with_surrogates(self, text: str) -> str:
        """The text with fictional identifiers: dates moved, ages over 89 as 90, ZIP codes of three digits."""
        dates = {(when.start, when.end): when for when in reversed([*dates_in(text)])}
        found = identifiers_in(text)
        self._meet(found, text)
        return _replaced(text, ((one, self._surrogate(text, one, dates)) for one in found))

    def shifted(self, text: str) -> str | None:
        """A date, or a date and time, moved by the person's offset and written as it was; None where it is no date."""
        head, sep, time = text.partition("T") if re.match(r"\d{4}-\d\d-\d\dT", text) else (text, "", "")
        when = read_date(head)
        return None if when is None else moved(head.strip(), when, self.offset) + sep + time

    def surrogate(self, value: str) -> str:
        """A surrogate for a whole field: a name, a place or a code as it stands."""
        found = identifiers_in(value)
        if found and sum(one.end - one.start for one in found) >= len(value.strip()) - 2:
            return self.with_surrogates(value)
        if not re.search(r"\d", value):
            known = plain_words(value)
            is_place = known in cities() and known not in first_names() and last_names().get(known, _LASTS + 1) > _LASTS
            return self._place(value) if is_place else self._name(value)
        return self._scrambled(value, value.upper())

    def _surrogate(self, text: str, one: Identifier, dates: Mapping[tuple[int, int], When]) -> str:
        said = text[one.start : one.end]
        if one.kind == "date":
            return moved(said, dates[one.start, one.end], self.offset)
        if one.kind == "age":
            return "90" if said[0].isdigit() else "ninety"
        if one.kind == "name":
            return self._name(said)
        if one.kind == "place":
            return self._place(said)
        if one.kind in ("email", "url"):
            host = "https://www.example.com/" if one.kind == "url" else "@example.com"
            code = self._scrambled("a000000", one.value).lower()
            return host + code if one.kind == "url" else code + host
        return self._scrambled(said, one.value)

    def _meet(self, found: Iterable[Identifier], text: str) -> None:
        """Give surrogates to full names first, so that a last name alone is known for one."""
        for one in sorted(found, key=lambda one: one.start - one.end):
            if one.kind == "name":
                self._name(text[one.start : one.end])

    def _name(self, said: str) -> str:
        """Each word of a name by a surrogate of its own, initials by the initial of theirs."""
        words = _NAME.findall(said)
        lasts = _last_of(said, words)
        given = {word: self._word(word, word in lasts) for word in words if len(word) > 1}
        initials = iter(self._initials(words, given))
        return _NAME.sub(lambda one: _as(one[0], given[one[0]]) if one[0] in given else next(initials), said)

    def _initials(self, words: Sequence[str], given: Mapping[str, str]) -> list[str]:
        last = next((word for word in reversed(words) if word in given), "")
        return [self._initial(word, last, at) for at, word in enumerate(words) if word not in given]

    def _initial(self, letter: str, last: str, at: int) -> str:
        """The initial of the surrogate of a first name already met that begins so, else of a new one."""
        met = [to for (kind, word), to in self._given.items() if kind == "first" and word[:1] == letter.lower()]
        found = met[0][0] if met and at == 0 else self._rng("initial", letter, last.lower()).choice("ABCDEGHJKLMNPRSTW")
        return found.upper() if letter.isupper() else found

    def _word(self, word: str, last: bool) -> str:
        key = word.lower().replace("’", "'")
        for kind in ("first", "last"):
            if (kind, key) in self._given:
                return self._given[kind, key]
        kind = "last" if last else "first"
        names = _lasts() if last else _firsts("male" if _is_male(key) else "female")
        taken = set(self._given.values())
        rng = self._rng(kind, key)
        order = (names[rng.randrange(len(names))] for _ in range(10_000))
        self._given[kind, key] = next(
            name for name in order if name != key and name not in self._avoid and name not in taken
        )
        return self._given[kind, key]

    def _place(self, said: str) -> str:
        if re.fullmatch(r"\d{5}(?:-\d{4})?", said):
            return zip_of(said, 3)
        if re.search(r"\d", said):
            said = self._scrambled(said, said.lower())
        rng = self._rng("place", said.lower())
        way = _WAYS.search(said)
        kind = next((word for word in ("County", "Parish", "Township") if said.endswith(word)), "")
        if way or kind or re.match(r"(?i)p\.?\s?o\.?\b|highway|hwy|route|rural|interstate", said):
            new = next(n for n in (rng.choice(_lasts()) for _ in range(10_000)) if n not in self._avoid)
            head = re.match(r"[\d\s]*", said)
            return (
                f"{new.title()} {kind}"
                if kind
                else f"{head[0] if head else ''}{new.title()} {said[way.start() :]}"
                if way
                else said
            )
        towns = _towns()
        new = next(n for n in (rng.choice(towns) for _ in range(10_000)) if n not in self._avoid and n != said.lower())
        return _as(said, new) if said.isupper() or said.islower() else new.title()

    def _scrambled(self, said: str, key: str) -> str:
        """Other digits and letters at the same places; words such as `ext` stay."""
        rng = self._rng("code", re.sub(r"\W", "", key))
        out = [rng.choice("0123456789") if c.isdigit() else c for c in said]
        for run in re.finditer(r"(?<![a-z])[A-Z]{1,6}(?![a-z])", said):
            out[run.start() : run.end()] = [rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ") for _ in run[0]]
        new = "".join(out)
        return new if new != said or not re.search(r"[\dA-Z]", said) else self._scrambled(said, key + "0")

    def _rng(self, *names: str) -> Random:
        return rng_for(self._rng_seed, "privacy", self._id, *names)


def zip_of(code: str, digits: int) -> str:
    """The first digits of a ZIP code; of three, 000 where few people live."""
    head = re.sub(r"\D", "", code)[:digits]
    return "000" if digits == 3 and head in _FEW_PEOPLE else head


def _replaced(text: str, pairs: Iterable[tuple[Identifier, str]]) -> str:
    parts, last = list[str](), 0
    for one, new in pairs:
        parts += [text[last : one.start], new]
        last = one.end
    return "".join([*parts, text[last:]])


def _last_of(said: str, words: Sequence[str]) -> set[str]:
    """The last name's words: those before a comma, else the end; a word alone if it is no first name."""
    if len(words) < 2:
        return {word for word in words if first_names().get(word.lower(), 0) < 0.02}
    last = said.partition(",")[0] if "," in said else said.split()[-1]
    return set(_NAME.findall(last))


def _as(model: str, new: str) -> str:
    """A name in the capitals of another."""
    return new.upper() if model.isupper() and len(model) > 1 else new if model.islower() else new.title()


def _is_male(word: str) -> bool:
    return first_names("male").get(word, 0.0) > first_names("female").get(word, 0.0)


@cache
def _firsts(sex: str) -> Sequence[str]:
    names = sorted(first_names(sex), key=lambda name: -first_names(sex)[name])
    return [name for name in names if name not in WORD_NAMES | NO_NAMES | EPONYMS | TALK][:_FIRSTS]


@cache
def _lasts() -> Sequence[str]:
    words = WORD_NAMES | NO_NAMES | EPONYMS | TALK | first_names().keys()
    return [name for name, rank in last_names().items() if rank <= _LASTS and name not in words]


@cache
def _towns() -> Sequence[str]:
    return sorted(town for town, codes in cities().items() if codes >= _ZIPS and town not in WORD_TOWNS | NO_NAMES)
