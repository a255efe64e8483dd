"""A text's words, and what can be told of each: whether it can be a name, and whether it is also a word."""

from __future__ import annotations

import re
from dataclasses import dataclass

from textsynth.privacy.lists import EPONYMS, NO_NAMES, TALK, WORD_NAMES, WORD_SURNAMES, first_names, last_names

_WORD = re.compile(r"[^\W\d_]+(?:['’](?![sS]\b)[^\W\d_]+|-[^\W\d_]+)*")
_HOLDER = re.compile(r"(?:x+|y+|z+|abcd?|xyz|def|name|sample|[a-z])$")  # what stands for a name that was taken out
COMMON = 2000  # the rank of a last name up to which it is one after a title, even if it is a word
_FREQUENT = 0.05  # percent of people from which a first name is one, even if a thing bears it too
_CASED = 0.02  # share of words with a capital from which a text has capitals at all
# What makes a thing or a place of a person's name: Foley catheter, Crohn's disease, Bell County.
_THING = re.compile(
    r"(?:['’]s?)?[- ](?:\w+ )?(?:disease|syndrome|palsy|signs?|tests?|maneuver|clamps?|forceps|retractors?|scissors"
    r"|catheters?"
    r"|procedure|technique|method|operation|incision|criteria|scores?|scale|class(?:ification)?|stage|fractures?"
    r"|contracture"
    r"|ligament|tubes?|drains?|blades?|needles?|position|approach|space|pouch|lymphoma|sarcoma|tumou?r|esophagus"
    r"|phenomenon"
    r"|law|reflex|nodes?|gland|duct|canal|fascia|triangle|stapler|elevator|rongeur|curettes?|speculum|trocar|cannula"
    r"|sutures?|knot"
    r"|grafts?|stents?|filter|valve|bandage|dressing|splints?|collar|brace|boot|cast|frame|traction|pins?|nail"
    r"|plates?|screws?"
    r"|wires?|rods?|prosthesis|implant|lens|laser|bag|mask|airway|laryngoscope|hooks?|dilators?|punch|snare|basket"
    r"|balloon"
    r"|introducer|port|pads?|tip|suction|electrocautery|cautery|chorea|thyroiditis|dementia|encephalopathy|aphasia"
    r"|anemia"
    r"|murmur|lines|bod(?:y|ies)|cells?|stain|solution|diet|exercises?|hernia|contractions|deformity|angle|view|index"
    r"|formula|block"
    r"|effect|ulcer|nevus|fundoplication|repair|arthroplasty|anastomosis|corporation|company|shunt|bars?|instrument|ink|drill|wrap|silk|protocols?"
    r"|osteotomy|bunionectomy|drops|vacuum|paralysis|I{1,3}\b|IV\b|V\b"
    r"|county|street|avenue|road|hospital|clinic|centers?|university|medical|general|memorial|health\b|institute"
    r"|school|pediatrics"
    r"|laborator\w+|insurance|building|church|music|plastic|surgery|\w*diagnostics?|rehabilitation|orthop\w+|group"
    r"|associates|pacific|complex|auditory|figure)\b",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(r"(?<=[@/_.])[^\W\d_]+|[^\W\d_]+(?:[@/_]|\.\w)")  # of mail or the web
_BEGINS = re.compile(r"\s+(?:\w+ly )?(?:was|were|is|are|if|of|with|for|shows?|showed)\b")
_SAINT = re.compile(r"\b(?:San|Santa|St\.?|Saint|Fort|Mount|Mt\.?|Los|Las|Port|Lake|El|North|South|East|West|New) $")


@dataclass(frozen=True, slots=True)
class Token:
    """A word as it stands, and in lower case."""

    start: int
    end: int
    said: str
    word: str

    @property
    def upper(self) -> bool:
        """Whether it begins with a capital."""
        return self.said[0].isupper()

    @property
    def initial(self) -> bool:
        """Whether it is one capital letter."""
        return len(self.said) == 1 and self.upper


class Words:
    """The tokens of a text. `cased`: whether it has capitals; `small`: words that stand in it without one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [Token(*m.span(), m[0], m[0].lower().replace("’", "'")) for m in _WORD.finditer(text)]
        self.cased = sum(token.upper for token in self.tokens) > _CASED * len(self.tokens)
        small = (token.word for token in self.tokens if not token.upper and not _IN_ADDRESS.match(text, token.start))
        self.small = frozenset(small) if self.cased else frozenset[str]()

    def gap(self, at: int) -> str:
        """What stands between a token and the next."""
        return self.text[self.tokens[at].end : self.tokens[at + 1].start] if at + 1 < len(self.tokens) else "\n\n"

    def can_be_name(self, token: Token, beside: bool = False) -> bool:
        """Whether a token can be part of a name; `beside` a title, any capitalized word can."""
        common = beside and token.upper and last_names().get(token.word, COMMON + 1) <= COMMON  # Mrs. Long, Dr. Day
        if (token.word in NO_NAMES and not common) or _HOLDER.match(token.word):
            return False
        known = is_first(token.word) or is_last(token.word)
        if not token.upper:
            return known and not self.cased
        parts = token.said.split("-")
        if not all(part[:1].isupper() for part in parts) or (
            token.said.isupper() and min(map(len, parts)) < 4 and not known
        ):
            return False
        return beside or known or token.word not in self.small

    def is_word(self, word: str) -> bool:
        """Whether a word is or may be none but a name only by chance."""
        if word in self.small or word in TALK or word in WORD_SURNAMES:
            return True
        return any(
            part in WORD_NAMES or (part in EPONYMS and first_names().get(part, 0) < _FREQUENT)
            for part in word.split("-")
        )

    def is_thing(self, at: int) -> bool:
        """Whether a token is part of the name of a thing or a place."""
        token = self.tokens[at]
        if _SAINT.search(self.text, max(0, token.start - 6), token.start):
            return True
        return _THING.match(self.text, token.end) is not None

    def run(self, at: int, most: int, beside: bool = False) -> int:
        """How many tokens from `at` on are one name: a space apart, or after an initial a period."""
        count = 0
        while at + count < len(self.tokens) and count < most:
            token, gap = self.tokens[at + count], self.gap(at + count - 1) if count else ""
            before = self.tokens[at + count - 1] if count else token
            joined = (
                not count
                or gap == " "
                or (before.initial and gap in (".", ". "))
                or (gap == ". " and before.word == "st")
            )
            after_initial = count > 0 and before.initial and gap != " "
            sure = count > 1 and (self.tokens[at + count - 2].initial or is_first(self.tokens[at].word))  # J.R. Roe
            sure = sure or (
                beside and _BEGINS.match(self.text, token.end) is None
            )  # Dr. J. Roe; not: Dr. X. Tests were
            fits = self.can_be_name(token, beside and not after_initial)
            if after_initial and not (sure or self.known(token.word)):
                fits = False
            if not joined or not (token.initial or fits):
                break
            count += 1
        if count > 1 and self.tokens[at + count - 1].word in ("a", "i") and self.gap(at + count - 1)[:1] != ".":
            count -= 1
        return count if any(not token.initial for token in self.tokens[at : at + count]) else 0

    def last_first(self, at: int, count: int) -> int:
        """The tokens of `Last, First M`, where `count` tokens from `at` on end with a comma; else `count`."""
        after = at + count
        if count and self.gap(after - 1) in (", ", ",") and self.can_be_name(self.tokens[after]):
            return count + self.run(after, 3)
        return count

    def known(self, word: str) -> bool:
        """Whether a word is a first or last name."""
        return is_first(word) or is_last(word)


def is_first(word: str) -> bool:
    """Whether it is a first name; of one with a hyphen, whether all parts are."""
    return word in first_names() or ("-" in word and all(part in first_names() for part in word.split("-")))


def is_last(word: str) -> bool:
    """Whether it is a last name; of one with a hyphen, whether all parts are."""
    return all(part in last_names() or part.replace("'", "") in last_names() for part in word.split("-"))
