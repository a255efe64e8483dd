"""Names of persons by the census lists alone: first and last, initial and last, `Last, First`, a first name."""

from __future__ import annotations

import re

from textsynth.privacy.lists import TALK, WORD_NAMES, first_names, last_names
from textsynth.privacy.words import Words, is_first, is_last

DOES = re.compile(
    r"\s+(?:(?:is|was) (?:now )?(?:an? )?(?:very )?(?:pleasant )?\d+[- ]{0,2}(?:year|yr|y/?o|month|week|day)"
    r"|presents?\b"
    r"|presented"
    r"|den(?:ies|ied)|states\b|stated|complain|admits\b|returns\b|says|said\b|underwent"
    r"|was (?:seen|admitted|discharged|informed|advised|told)|agreed|will follow)|\s*[.,]?\s*(?:date of birth"
    r"|d\.?o\.?b)\b"
)
_SAYS = re.compile(
    r"\s+(?:told|tells|said|says|agree[ds]?|explained|asked|called|reports|reported|stated|states|signed|performed"
    r"|requested"
    r"|arrived|accompanied|brought|drove|calls|confirmed|denies|denied|notes that|will|has agreed|who)\b"
)
_ARTICLES = frozenset({"the", "a", "an", "our", "this", "that"})  # things have them, persons do not
RARE = 5000  # last names of a higher rank are too rare to make a name of an unknown word before them
_ALONE, LOWER = 0.01, 0.004  # percent of people whose first name is enough by itself, in a text without capitals too


def listed(words: Words, at: int) -> int:
    """How many tokens are a name by the census lists: first and last, initial and last, `Last, First`, first alone."""
    token = words.tokens[at]
    if token.initial:
        return _after_initials(words, at)
    if not words.can_be_name(token) or (len(token.said) < 3 and token.said.isupper()):
        return 0
    if not token.upper:
        return _without_capitals(words, at)
    count = words.run(at, 4)
    if not count or words.is_thing(at) or words.is_thing(at + count - 1):
        return 0
    easy = not words.is_word(token.word)
    if count > 1 and (whole := _whole(words, at, count, easy)):
        return whole
    if turned := _turned(words, at, easy):
        return turned
    share = first_names().get(token.word, 0.0)
    if easy and share >= _ALONE and (len(token.said) >= 5 or not token.said.isupper()) and len(token.said) > 2:
        return 1
    does = DOES.match(words.text, token.end) is not None and not token.said.isupper()
    return 1 if does and ((easy and is_last(token.word)) or (share and token.word not in words.small | TALK)) else 0


def _whole(words: Words, at: int, count: int, easy: bool) -> int:
    """First, middle and last name in their order."""
    first, tail = words.tokens[at], words.tokens[at + count - 1]
    middle = count > 2 and words.tokens[at + 1].initial and words.gap(at + 1)[:1] == "."
    if is_first(first.word) and ((easy and (tail.initial or middle)) or DOES.match(words.text, tail.end)):
        return count
    if tail.initial:
        return 0
    plain = tail.word in WORD_NAMES or tail.word in words.small or tail.word in TALK
    if is_first(first.word):
        if (easy and is_last(tail.word)) or (is_last(tail.word) and not plain):
            return count
        return count if easy and first_names().get(first.word, 0) >= 0.05 and not words.is_word(tail.word) else 0
    if middle:
        clear = easy and not words.is_word(tail.word) and words.cased and not first.said.isupper()
        return count if clear or (is_last(tail.word) and (easy or not plain)) else 0
    if count != 2 or not easy or words.is_word(tail.word) or not words.cased:
        return 0
    return count if _pair(words, at) else 0


def _pair(words: Words, at: int) -> bool:
    """Whether two capitalized words, neither of which is known to be more than a name, are first and last name."""
    first, tail = words.tokens[at], words.tokens[at + 1]
    alike = first.said.isupper() == tail.said.isupper()
    if alike and _SAYS.match(words.text, tail.end):
        return True
    inside = at > 0 and words.gap(at - 1) == " " and not words.tokens[at - 1].upper  # the middle of a sentence
    before = words.tokens[at - 1].word if inside else ""
    if inside and before not in _ARTICLES:
        known = words.known(first.word) or words.known(tail.word)
        return alike and (not first.said.isupper() or known)
    return not first.said.isupper() and last_names().get(tail.word, RARE + 1) <= RARE and not is_first(tail.word)


def _turned(words: Words, at: int, easy: bool) -> int:
    """`Last, First M`."""
    token, count = words.tokens[at], words.last_first(at, 1)
    if count == 1:
        return 0
    first = words.tokens[at + 1]
    clear = easy and count == 2 and not words.is_word(first.word)
    if clear and DOES.match(words.text, first.end):
        return count
    if not is_last(token.word):
        return 0
    sure = easy and not words.is_word(first.word)
    alike = first.said.isupper() == token.said.isupper()
    return count if is_first(first.word) and alike and (sure or (count > 2 and words.tokens[at + 2].initial)) else 0


def _after_initials(words: Words, at: int) -> int:
    """`J. Smith`, `J.R. Smith`."""
    count = words.run(at, 4)
    tail = words.tokens[at + count - 1]
    fits = (
        count > 1
        and words.text[words.tokens[at].start :][:3] != "U.S"
        and not tail.initial
        and is_last(tail.word)
        and not words.is_word(tail.word)
    )
    return count if fits and words.gap(at)[:1] == "." and not words.is_thing(at + count - 1) else 0


def _without_capitals(words: Words, at: int) -> int:
    """A name in a text without capitals, such as a transcript."""
    token = words.tokens[at]
    count = 1 + (words.run(at, 2) == 2 and is_tail(words, at + 1))
    if len(token.word) < 3 or first_names().get(token.word, 0) < LOWER or token.word in TALK:
        return 0
    sure = DOES.match(words.text, words.tokens[at + count - 1].end) is not None
    return count if sure or not words.is_word(token.word) else 0


def is_tail(words: Words, at: int) -> bool:
    """Whether a word without a capital, after a first name, is the last name."""
    word = words.tokens[at].word
    return last_names().get(word, RARE) < RARE and word not in TALK
