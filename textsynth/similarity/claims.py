"""What a text claims beside its words: its numbers, its negations and its names, and how far two texts agree on them.

An encoder hardly sees these: two notes that differ in a dose, in a day or in a "no" have nearly the same vector.
Number words, days, months and negations are English; digits and capital letters are read in any language.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

NEAR = 0.7  # the cosine from which claims are compared: texts further apart are about different things anyway
# How much of the cosine above NEAR is lost where all of one kind differ; eval/paraphrase.py measures what it is worth.
_NUMBERS, _NEGATIONS, _NAMES = 1.0, 0.25, 0.1
_STEM = 4  # names that begin with the same letters are the same name: Rowhani and Rohani differ, Taliban's does not

_TOKEN = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|[^\W\d_]+(?:'[^\W\d_]+)?")
_SENTENCE = re.compile(r"[.!?:\n\"]")
_UNITS = "one two three four five six seven eight nine"
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = "third fourth fifth sixth seventh eighth ninth tenth"  # "first" and "second" are seldom numbers
_DAYS = "monday tuesday wednesday thursday friday saturday sunday"
_MONTHS = (
    "january february april june july august september october november december"  # "may", "march": more often verbs
)
_NO = "no not never without none neither nor cannot deny denies denied denying negative nobody nothing nowhere"
_NO_APOSTROPHE = "isnt dont doesnt didnt wont cant wasnt arent havent hasnt wouldnt couldnt shouldnt"

_ONES = frozenset(_UNITS.split())
_TENS = {word: 10.0 * n for n, word in enumerate(_TENS_WORDS.split(), 2)}
_NUMBER_WORDS = {
    **{word: float(n) for n, word in enumerate(f"{_UNITS} {_TEENS}".split(), 1)},
    **_TENS,
    **{word: float(n) for n, word in enumerate(_ORDINALS.split(), 3)},
    **{"zero": 0.0, "twice": 2.0, "half": 0.5, "dozen": 12.0},
}
_DATES = frozenset(f"{_DAYS} {_MONTHS}".split())
_NEGATORS = frozenset(f"{_NO} {_NO_APOSTROPHE}".split())


@dataclass(frozen=True)
class Claims:
    """The numbers (5 mg, 5.0mg and "five" are 5.0; days and months by name), names and words of a text.

    `negations` counts "no", "denies", "without", "n't" and their like, whatever they apply to.
    """

    numbers: frozenset[float | str]
    negations: int
    names: frozenset[str]
    words: frozenset[str]


def claims_of(text: str) -> Claims:
    """Read a text.

    Names are capitalized words that do not begin a sentence, and words in capitals. Where most words are capitalized,
    as in a headline, capitals tell nothing and there are no names.
    """
    numbers: list[float | str] = []
    names, words, negations, plain = set(), set(), 0, 0
    starts, end, before = True, 0, ""
    text = unicodedata.normalize("NFKC", text).replace("\u2019", "'")
    for match in _TOKEN.finditer(text):
        token, gap, end = match.group(), text[end : match.start()], match.end()
        word = token.casefold().removesuffix("'s")
        starts = starts or bool(_SENTENCE.search(gap))
        if token[0].isdigit():
            numbers.append(float(token.replace(",", "")))
        elif before in _TENS and word in _ONES and gap in (" ", "-"):
            numbers[-1] = _TENS[before] + _NUMBER_WORDS[word]
        elif word in _DATES:
            numbers.append(word)
        elif word in _NUMBER_WORDS and word != "one":  # which is a pronoun more often than a number
            numbers.append(_NUMBER_WORDS[word])
        else:
            negations += word in _NEGATORS or word.endswith("n't")
            words.add(word[:_STEM])
            if token[0].isupper() and len(word) > 1 and (token.isupper() or not starts):
                names.add(word[:_STEM])
            plain += token[0].islower() and len(word) > 3
        starts, before = False, word
    return Claims(frozenset(numbers), negations, frozenset(names if len(names) <= plain else ()), frozenset(words))


def agreement(one: Claims, other: Claims) -> float:
    """How far two texts agree, from 0 to 1; the same in both directions.

    Numbers, and names, disagree where each text has some that the other lacks: what only one of them says is no
    contradiction. The share of negations that only one has counts as their disagreement.
    """
    numbers = _conflict(
        len(one.numbers - other.numbers), len(other.numbers - one.numbers), len(one.numbers & other.numbers)
    )
    shared = len((one.names & other.words) | (other.names & one.words))
    names = _conflict(len(one.names - other.words), len(other.names - one.words), shared)
    most = max(one.negations, other.negations)
    negations = abs(one.negations - other.negations) / most if most else 0.0
    return (1 - _NUMBERS * numbers) * (1 - _NEGATIONS * negations) * (1 - _NAMES * names)


def paraphrase(cosine: float, one: Claims, other: Claims) -> float:
    """The cosine of two texts, of which the part above `NEAR` is kept as far as they agree."""
    return NEAR + (cosine - NEAR) * agreement(one, other) if cosine > NEAR else cosine


def _conflict(here: int, there: int, shared: int) -> float:
    """0 where one side has all that the other has, 1 where both have some and share none."""
    least = min(here, there)
    return least / (least + shared) if least else 0.0
