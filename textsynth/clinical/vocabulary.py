"""Names of problems, drugs, allergens and measurements with their synonyms, found in texts.

The built-in list is vocabulary.yaml; the names of a job's own facts are added. A name is found in any case, singular or
plural, with a hyphen or without, with an article or a side inside, and turned round: `fracture of forearm` is also a
`forearm fracture`, and a known part of a longer name may stand there by its synonym.
"""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from textsynth.yaml12 import load_yaml

_SECTIONS = {
    "problems": "problem", "symptoms": "symptom", "medications": "medication", "allergens": "allergy",
    "vitals": "vital", "labs": "lab",
}  # fmt: skip
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?")
_GAP = re.compile(r"[\s\-–/,()\[\]+#'’]{0,4}")  # what may stand between two words of a name
SIDES = ("left", "right", "bilateral")
SIDE_OF = {"l": "left", "lt": "left", "r": "right", "rt": "right", "both": "bilateral"} | {side: side for side in SIDES}
_BETWEEN = frozenset(("the", "a", "an", "his", "her", "their", *SIDE_OF))
_TAIL = re.compile(r"\s*[\[(][^\])]*[\])]\s*$|,? (?:unspecified|nos|without complications?|disorder)$", re.IGNORECASE)
_SALTS = frozenset(
    (
        *("hydrochloride", "sodium", "potassium", "succinate", "tartrate", "bitartrate", "maleate", "monohydrate"),
        *("propionate", "acetate", "mesylate", "besylate", "calcium", "hydrobromide", "fumarate", "phosphate"),
    )
)
_ADJECTIVES = frozenset(("acute", "chronic", "recurrent", "primary", "severe", "intractable", "idiopathic"))
_DONE = {
    "fracture": ("broken", "fractured"), "tear": ("torn",), "rupture": ("ruptured",), "sprain": ("sprained",),
    "laceration": ("lacerated",),
}  # fmt: skip
_TURNED = re.compile(r"^(.+?) of (?:the )?([^,]+)$")
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
_BRITISH = re.compile(r"(?<=h)ae(?=m)|ae(?=mi)|^oe(?=[ds])")  # haematuria, anaemia, oedema
_PLURAL = re.compile(r"^([A-Z]{2,})s$")  # of an abbreviation
_SHORT = 3  # letters of an abbreviation, which must stand in capitals: MI, but not "mi"
Words = tuple[str, ...]


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
        found = list(_TOKEN.finditer(text))
        tokens = [_plain(_PLURAL.sub(r"\1", match[0])) for match in found]
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


def words_of(name: str) -> Words:
    """The words of a name as they are compared: small, singular, without possessives, a bracketed tail and a side."""
    while (cut := _TAIL.sub("", name)) != name and cut:
        name = cut
    words = tuple(_plain(word) for word in _TOKEN.findall(name))
    return tuple(word for word in words if word not in SIDES) or words


def side_of(name: str) -> str:
    """The side that a name says, or "": a name is compared without it."""
    return next((word for word in map(_plain, _TOKEN.findall(name)) if word in SIDES), "")


def variants_of(kind: str, name: str) -> Iterator[Words]:
    """The word sequences by which a name may stand in a text; its own comes first."""
    words = words_of(name)
    if kind == "allergy":  # "allergy to peanuts", "peanut allergy", "peanuts"
        words = tuple(w for w in words if w not in ("allergy", "to", "allergic", "animal", "product")) or words
    yield words
    if kind == "medication" and (bare := tuple(w for w in words if w not in _SALTS)) and bare != words:
        yield bare
    if len(words) > 2 and words[0] in _ADJECTIVES and words[1] not in ("of", "and"):
        yield (words[1], words[0], *words[2:])  # intractable chronic migraine
    if turned := _TURNED.match(_TAIL.sub("", name)):
        (*kind_of, what), where = words_of(turned[1]), words_of(turned[2])
        yield (*where, *kind_of, what)
        yield (*kind_of, *where, what)
        for done in _DONE.get(what, ()):
            yield from ((*kind_of, done, *where), (*kind_of, done, "of", *where))
        yield from ((*kind_of, what, link, *where) for link in ("to", "on", "in"))
    if "type" in words and {"ii", "2", "i", "1"} & set(words):
        swap = {"ii": "2", "2": "ii", "i": "1", "1": "i"}
        yield tuple(swap.get(w, w) if words[max(0, n - 1)] == "type" else w for n, w in enumerate(words))


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
    return here, side


def _in_capitals(word: str, kind: str) -> bool:
    if kind in ("vital", "lab"):  # a number follows them, so that only single letters are doubtful
        return len(word) > 1 or word.isupper()
    return word.isupper() or word[:-1].isupper()


def _plain(word: str) -> str:
    word = word.casefold().replace("’", "'").removesuffix("'s").replace("'", "")
    word = _BRITISH.sub("e", word)
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    plural = len(word) > 3 and word[-1] == "s" and word[-2:] not in ("ss", "us", "is")
    word = word[:-1] if plural else word
    return _same_words().get(word, word)


@cache
def built_in_vocabulary() -> Vocabulary:
    """The vocabulary without a job's own names."""
    return Vocabulary()


@cache
def _built_in() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    return tuple(
        (kind, name, tuple(map(str, variants)))
        for section, kind in _SECTIONS.items()
        for name, variants in _file()[section].items()
    )


@cache
def _same_words() -> dict[str, str]:
    return {str(other): word for word, others in _file()["words"].items() for other in others}


@cache
def _file() -> Mapping[str, Mapping[str, list[str]]]:
    path = Path(__file__).with_name("vocabulary.yaml")
    sections: Mapping[str, Mapping[str, list[str]]] = load_yaml(path.read_text(encoding="utf-8"), path.name)
    return sections
