"""Names of problems, drugs, allergens and measurements with their synonyms, found in texts.

The built-in list is vocabulary.yaml; the names of a job's own facts are added. A name is found in any case, singular or
plural, with a hyphen or without, with an article or a side inside, and turned round: `fracture of forearm` is also a
`forearm fracture`, and a known part of a longer name may stand there by its synonym.
"""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from functools import cache

from textsynth.clinical.names import (
    ADJECTIVES,
    SIDE_OF,
    TOKEN,
    Words,
    file_of_names,
    plain,
    same_phrases,
    variants_of,
    words_of,
)

_SECTIONS = {
    "problems": "problem", "symptoms": "symptom", "medications": "medication", "allergens": "allergy",
    "vitals": "vital", "labs": "lab",
}  # fmt: skip
_GAP = re.compile(r"[\s\-–/,()\[\]+#'’]{0,4}")  # what may stand between two words of a name
_BETWEEN = frozenset(("the", "a", "an", "his", "her", "their", *SIDE_OF))
_MORE = re.compile(r"\s(?!(?:type|form|variant|kind|and|or|with|in|for|on|at|by|since|after)\b)\w")
_ENDINGS = {  # of drugs and diseases that the vocabulary does not have
    "medication": re.compile(
        r"[a-z]{3,}(?:pril|sartan|olol|statin|dipine|azole|cillin|mycin|floxacin|cycline|gliptin|gliflozin|glutide|"
        r"prazole|setron|triptan|xaban|gatran|parin|zepam|oxetine|tidine|thiazide|semide|pramine|barbital|caine|profen|"
        r"cef\w+|tadine|lukast|terol|sone|solone|vudine|navir|mab|tinib|platin|rubicin|lone)"
    ),
    "problem": re.compile(r"[a-z]{4,}(?:itis|oma|emia|plegia|opathy|osis|iasis|penia)"),
}
_OTHER_WORDS = frozenset(
    ("alone", "stone", "clone", "prone", "cyclone", "hormone", "diagnosis", "prognosis", "arthritis", "stenosis")
)
_PLURAL = re.compile(r"^([A-Z]{2,})s$")  # of an abbreviation
_SHORT = 3  # letters of an abbreviation, which must stand in capitals: MI, but not "mi"


@dataclass(frozen=True, slots=True)
class Term:
    """A name found in a text: its kind, its canonical name, its characters, and the side said inside it, if any."""

    kind: str
    name: str
    start: int
    end: int
    side: str = ""


class Vocabulary:
    """Names by kind: those of vocabulary.yaml, and any that are added."""

    def __init__(self) -> None:
        self._added: frozenset[tuple[str, str]] = frozenset()
        self._canonical: dict[tuple[str, Words], str] = {}
        self._by_first: dict[str, list[tuple[Words, str, str, bool]]] = {}
        self._synonyms: list[tuple[Words, list[Words]]] = []  # of problems: a name, and its others
        for kind, name, others in _built_in():
            every = (name, *others)
            for variant in every:
                for words in variants_of(kind, variant):
                    self._put(kind, words, name, len(variant) <= _SHORT)
            if kind == "problem":
                same = [words_of(variant) for variant in every]
                self._synonyms += [(words, [w for w in same if w != words]) for words in same]
        self._synonyms += [((word,), others) for word, others in same_phrases().items()]

    def with_names(self, names: Iterable[tuple[str, str]]) -> Vocabulary:
        """This vocabulary with further names, each after its kind: problem, medication, allergy, vital, lab, phrase."""
        new = sorted(set(names) - self._added)
        if not new:
            return self
        more = copy(self)
        more._added, more._canonical = self._added | set(new), dict(self._canonical)
        more._by_first = {first: list(found) for first, found in self._by_first.items()}
        for kind, name in new:
            more._add(kind, name)
        return more

    def canonical(self, kind: str, name: str) -> str:
        """The canonical name of a fact's name."""
        for words in variants_of(kind, name):
            if (known := self._canonical.get((kind, words))) is not None:
                return known
        return " ".join(words_of(name))

    def find(self, text: str) -> Iterator[Term]:
        """Every name in a text, in order, the longest at each word; unknown drugs and diseases by their endings."""
        found = list(TOKEN.finditer(text))
        tokens = [plain(_PLURAL.sub(r"\1", match[0])) for match in found]
        at = 0
        while at < len(found):
            best = self._longest(text, found, tokens, at)
            if best is None:
                word = found[at][0].lower()
                for kind, ending in _ENDINGS.items():
                    if ending.fullmatch(word) and word not in _OTHER_WORDS:
                        yield Term(kind, word, found[at].start(), found[at].end())
                at += 1
                continue
            last, terms = best
            yield from terms
            at = last + 1

    def _longest(
        self, text: str, found: list[re.Match[str]], tokens: list[str], at: int
    ) -> tuple[int, list[Term]] | None:
        """The last token and the terms (one a kind) of the longest name that begins at a token."""
        terms, length, last = list[Term](), 0, at
        for words, kind, name, capitals in self._by_first.get(tokens[at], ()):
            if len(words) < length:
                break
            end, side = _matched(text, found, tokens, at, words)
            if end < 0 or (capitals and not _in_capitals(found[at][0], kind)):
                continue
            length, last = len(words), max(last, end)
            terms.append(Term(kind, name, found[at].start(), found[end].end(), side))
        return (last, terms) if terms else None

    def _add(self, kind: str, name: str) -> None:
        variants = list(variants_of(kind, name))
        canonical = self.canonical(kind, name)
        for words in variants:
            self._put(kind, words, canonical, False)
            for part, others in self._synonyms if kind in ("problem", "phrase") else ():
                for place in range(len(words) - len(part) + 1):
                    if len(part) < len(words) and words[place : place + len(part)] == part:
                        for other in others:
                            self._put(kind, (*words[:place], *other, *words[place + len(part) :]), canonical, False)

    def _put(self, kind: str, words: Words, canonical: str, capitals: bool) -> None:
        if words and (kind, words) not in self._canonical:
            self._canonical[kind, words] = canonical
            insort(
                self._by_first.setdefault(words[0], []),
                (words, kind, canonical, capitals),
                key=lambda one: -len(one[0]),
            )


def _matched(text: str, found: list[re.Match[str]], tokens: list[str], at: int, words: Words) -> tuple[int, str]:
    """The last token of a name that begins at a token, or -1, and the side said inside it."""
    side, here = "", at
    for number, word in enumerate(words):
        if number:
            here += 1
            while here < len(tokens) and tokens[here] in _BETWEEN and tokens[here] != word:
                side = SIDE_OF.get(tokens[here], side)
                here += 1
            gap = text[found[here - 1].end() : found[here].start()] if here < len(tokens) else "."
            if not (_GAP.fullmatch(gap) or (gap == ". " and len(tokens[here - 1]) == 1)):  # E. coli
                return -1, ""
        if tokens[here] != word:
            return -1, ""
    if number and word in ADJECTIVES and _MORE.match(text, found[here].end()):
        return -1, ""  # asthma, chronic sinusitis: not chronic asthma
    return here, side


def _in_capitals(word: str, kind: str) -> bool:
    if kind == "allergy":  # soy, nut, egg
        return True
    if kind in ("vital", "lab"):  # a number follows them, so that only single letters are doubtful
        return len(word) > 1 or word.isupper()
    return word.isupper() or word[:-1].isupper()


@cache
def built_in_vocabulary() -> Vocabulary:
    """The vocabulary without a job's own names."""
    return Vocabulary()


@cache
def _built_in() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    return tuple(
        (kind, name, tuple(map(str, variants)))
        for section, kind in _SECTIONS.items()
        for name, variants in file_of_names()[section].items()
    )
