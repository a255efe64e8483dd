"""The identifiers of some people, and whether one stands in another text, also with one letter or digit changed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from textsynth.privacy.dates import dates_in
from textsynth.privacy.identifiers import identifiers_in
from textsynth.privacy.kinds import Identifier, plain_code, plain_words
from textsynth.privacy.lists import EPONYMS, NO_NAMES, TALK, WORD_NAMES, WORD_SURNAMES, cities, first_names
from textsynth.privacy.words import Words
from textsynth.records import strings_in

COMMON = 0.1  # percent of people from which a first name alone points to nobody
_LARGE = 10  # ZIP codes of a town that points to nobody by itself
_LETTERS, _DIGITS = 5, 6  # of a name, and of a number, from which one change still makes it the same
_PLACE = 6  # words of a place that is looked for
_TOKEN = re.compile(r"[^\W_](?:[\w.@/'’-]*[^\W_])?")
_PIECE, _PIECES = re.compile(r"[A-Za-z]{0,5}\d+[A-Za-z]{0,5}|\b[A-Z]{1,5}\b"), 6
_BETWEEN = re.compile(r"\)?[-. /]{0,2}\(?")
Hit = tuple[str, int, int, bool]  # kind, where it stands, and whether it is the same only but for one change


class Known:
    """The identifiers of people's records, by what they are worth to tell a person.

    What many people share tells none: a first name that one of a thousand bears, an age, a date without day or year,
    a large town. A last name, a rarer first name, a smaller place, a whole date and every number or code do. A name
    that is also a word counts only where a text has it as a name.

    Args:
        rows: each person's record by id; values under a name that begins with `column ` are identifiers as a whole.
    """

    def __init__(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        self.names: dict[str, str] = {}  # one word -> whose it is
        self.codes: dict[str, str] = {}  # dates, numbers, codes, addresses, normalized
        self.places: dict[str, str] = {}
        self._words = set[str]()  # that stand without a capital in these records
        for row_id, row in rows.items():
            for name, value in row.items():
                if name.startswith("column "):
                    self._take_whole(str(value), row_id)
                    continue
                for text in strings_in(value):
                    self._words |= Words(text).small
                    for one in identifiers_in(text):
                        self._take(one, row_id)
        self._near_names = _deletions(word for word in self.names if len(word) >= _LETTERS)
        self._near_codes = _deletions(code for code in self.codes if sum(c.isdigit() for c in code) >= _DIGITS)

    def __len__(self) -> int:
        return len(self.names) + len(self.codes) + len(self.places)

    def hits(self, text: str, given: Collection[str] = frozenset()) -> Iterator[tuple[Hit, str]]:
        """Known identifiers in a text, each with whose it is; `given` are those it may have (see `given_in`)."""
        found = identifiers_in(text)
        named = [(one.start, one.end) for one in found if one.kind == "name"]
        for token in re.finditer(r"[^\W\d_]{2,}(?:['’][^\W\d_]{2,})?", text):
            word = token[0].lower().replace("’", "'")
            is_name = any(start <= token.start() < end for start, end in named)
            if word not in given and (hit := self._name(word, is_name)):
                yield ("name", *token.span(), hit[1]), hit[0]
        for start, end, code in _codes(text, found):
            if code not in given and (hit := self._code(code)):
                yield ("code", start, end, hit[1]), hit[0]
        for place in _runs(plain_words(text).split(), _PLACE):
            if place in self.places and place not in given:
                yield ("place", 0, 0, False), self.places[place]

    def _take(self, one: Identifier, row_id: str) -> None:
        if one.kind == "name":
            for word in re.findall(r"[^\W\d_]{2,}(?:'[^\W\d_]{2,})?", one.value):
                if first_names().get(word, 0) < COMMON and word not in NO_NAMES:
                    self.names.setdefault(word, row_id)
        elif one.kind == "place":
            digits = plain_code(one.value)
            if digits.isdigit():
                self.codes.setdefault(digits, row_id)
            elif cities().get(one.value, 0) < _LARGE:
                self.places.setdefault(one.value, row_id)
        elif one.kind == "date":
            if re.fullmatch(r"\d{4}-\d\d-\d\d", one.value):
                self.codes.setdefault(one.value, row_id)
        elif one.kind != "age" and len(one.value) > 3:
            self.codes.setdefault(one.value, row_id)

    def _take_whole(self, value: str, row_id: str) -> None:
        """A value that is an identifier as it stands: a date, a code, or names."""
        whole = next((w.value for w in dates_in(value) if (w.start, w.end) == (0, len(value)) and w.day), None)
        if whole or re.search(r"\d", value):
            self.codes.setdefault(whole or plain_code(value), row_id)
        else:
            self._take(Identifier(0, len(value), "name", plain_words(value)), row_id)

    def _name(self, word: str, is_name: bool) -> tuple[str, bool] | None:
        wordy = word in WORD_NAMES | WORD_SURNAMES | EPONYMS | TALK or word in self._words
        if word in self.names and (is_name or not wordy):
            return self.names[word], False
        if not is_name or len(word) < _LETTERS - 1:
            return None
        near = _near(word, self._near_names)
        return (self.names[near], True) if near and first_names().get(word, 0) < COMMON else None

    def _code(self, code: str) -> tuple[str, bool] | None:
        if code in self.codes:
            return self.codes[code], False
        near = None if re.fullmatch(r"\d{4}-\d\d-\d\d", code) else _near(code, self._near_codes)
        return (self.codes[near], True) if near and not re.fullmatch(r"\d{4}-\d\d-\d\d", near) else None


def given_in(values: Iterable[Any]) -> frozenset[str]:
    """What a record was given as its facts, in the forms in which `Known` compares."""
    found = set[str]()
    for value in values:
        for text in strings_in(value) if not isinstance(value, int | float) else (str(value),):
            found.update(re.findall(r"[^\W\d_]{2,}(?:'[^\W\d_]{2,})?", text.lower()))
            found.update(code for _, _, code in _codes(text, identifiers_in(text)))
            found |= {plain_words(text), plain_code(text)}
    return frozenset(found)


def _codes(text: str, found: Iterable[Identifier]) -> Iterator[tuple[int, int, str]]:
    """Dates, numbers and codes of a text, whether or not a recognizer sees them: as they stand, and joined."""
    seen = set[str]()
    for start, end, code in (
        *((one.start, one.end, one.value) for one in found if one.kind not in ("name", "place", "age")),
        *((when.start, when.end, when.value) for when in dates_in(text) if when.day and when.year),
        *((*m.span(), plain_code(m[0])) for m in _TOKEN.finditer(text) if re.search(r"\d", m[0])),
        *_joined(text),
    ):
        if len(code) > 3 and code not in seen:
            seen.add(code)
            yield start, end, code


def _joined(text: str) -> Iterator[tuple[int, int, str]]:
    """Up to six pieces in a row, a separator apart, as one code: 448-2913, KLM 48 21."""
    pieces = list(_PIECE.finditer(text))
    for first, start in enumerate(pieces):
        for last in range(first + 1, min(first + _PIECES, len(pieces))):
            if not _BETWEEN.fullmatch(text[pieces[last - 1].end() : pieces[last].start()]):
                break
            said = text[start.start() : pieces[last].end()]
            if re.search(r"\d", said):
                yield start.start(), pieces[last].end(), plain_code(said)


def _runs(words: Sequence[str], most: int) -> Iterator[str]:
    """Every run of up to so many words."""
    yield from (" ".join(words[at : at + n]) for n in range(1, most + 1) for at in range(len(words) - n + 1))


def _deletions(words: Iterable[str]) -> dict[str, list[str]]:
    """Each word, and what is left of it without one of its letters -> the words that it is of."""
    found: dict[str, list[str]] = {}
    for word in words:
        for short in _shorter(word):
            found.setdefault(short, []).append(word)
    return found


def _near(word: str, table: Mapping[str, Sequence[str]]) -> str | None:
    """A word of the table that differs in one letter at most: put in, left out or changed."""
    return next((other for short in _shorter(word) for other in table.get(short, ()) if _one_apart(word, other)), None)


def _shorter(word: str) -> set[str]:
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def _one_apart(a: str, b: str) -> bool:
    if len(a) > len(b):
        a, b = b, a
    if len(b) - len(a) > 1:
        return False
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    return a[at + (len(a) == len(b)) :] == b[at + 1 :]
