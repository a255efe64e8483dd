"""Of whom and how a text speaks: sentences, headed sections, and what is denied, past, possible or of a relative.

The rules are those of NegEx and ConText (Chapman et al., "A simple algorithm for identifying negated findings and
diseases in discharge summaries", 2001; Harkema et al., "ConText", 2009): a trigger holds for what follows it (or comes
before it) in its sentence, up to a word that ends its scope. English.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from textsynth.clinical.mentions import Status

_END = re.compile(
    r"(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bMrs)(?<!\bvs)(?<!\bE)[.!?][\"')\]]*(?=\s+[A-Z\d\[(*-]|\s*$|\s*\n)|\n+|;\s",
)
_HEADING = re.compile(r"\s*(?:[-*•\d.)]+\s*)?([A-Za-z][A-Za-z /&'-]{1,40}?)\s*(?::|\s-\s)")
_SECTIONS = (
    ("family", re.compile(r"\b(?:family (?:medical )?history|fh|fhx|family hx)$", re.IGNORECASE)),
    ("allergies", re.compile(r"\b(?:allerg(?:y|ies)|drug allergies|adverse reactions)$", re.IGNORECASE)),
    ("surgical", re.compile(r"\b(?:past surgical history|surgical history|psh)$", re.IGNORECASE)),
    ("return", re.compile(r"\b(?:return precautions|warning signs|return instructions)$", re.IGNORECASE)),
)
_IN_CAPITALS = re.compile(r"[A-Z][A-Z /&'-]+$")
_KNOWN_HEADING = re.compile(
    r"^(?:.*\b(?:history|exam|examination|medications?|meds|plan|assessment|impression|findings?|"
    r"diagnos[ei]s|subjective|objective|vitals?|vital signs|labs?|laboratory|data|results|course|complaint|hpi|pmh|"
    r"review of systems|ros|disposition|follow-?up|instructions|technique|indication|comparison|problems?|s|o|a|p|cc|"
    r"social|allerg(?:y|ies)|precautions|signs|condition|procedures?|summary|note|admission|discharge))$",
    re.IGNORECASE,
)
_RELATIVE = (
    r"(?:family|mother|father|mom|dad|parents?|brothers?|sisters?|siblings?|grand(?:mother|father|parents?)|aunts?|"
    r"uncles?|cousins?|sons?|daughters?|husband|wife|spouse|twin|relatives?|nephew|niece)"
)
_KIN = re.compile(rf"\b{_RELATIVE}\b", re.IGNORECASE)
_PATIENT = r"(?:the patient|patient|pt|she|he|they|her own|his own|who|this (?:man|woman|lady|gentleman))"
_STOP = (
    r"\b(?:but|however|except|although|though|aside from|apart from|other than|which|because|due to|secondary to|"
    r"related to|yet|still|whereas|while|has|had|is|was|are|were|presents|presented|reports|reported|takes|taking|"
    r"continues?|remains?|started|with a history of|positive for|admits?|endorses?|known|worsening|currently)\b"
)
_NO_TRIGGER = re.compile(  # look like a denial and are none
    r"\b(?:no (?:increase|change|worsening|further|new|interval|progression|complications?)\b(?: in| of| from)?"
    r"|not only|gram negative|without (?:difficulty|change|complications?)\b(?: of| from)?|no doubt)\b",
    re.IGNORECASE,
)
_BEFORE: tuple[tuple[Status, re.Pattern[str]], ...] = (
    ("family", re.compile(rf"\b(?:family history (?:of|is|includes|significant for)|{_RELATIVE}\b)", re.IGNORECASE)),
    ("conditional", re.compile(
        r"\b(?:if|should (?:she|he|the patient|there)|in case of|return (?:for|if|with)|risk (?:of|for)|"
        r"screen(?:ed|ing)? for|"
        r"monitor(?:ing)? for|watch(?:ing)? for|to prevent|prevention of|prophylaxis|warned about|counseled about|"
        r"educated (?:about|on)|vaccin\w+ (?:for|against)|signs? of|symptoms? of)\b", re.IGNORECASE)),
    ("negated", re.compile(
        r"\b(?:no longer (?:has|on|takes?|taking|needs|requires)|no|not|"
        r"denie[sd]|deny|denying|without|negative for|never|free of|ruled out for|absence of|nor|neither|"
        r"lacks?|does(?: not|n't) have|did(?: not|n't) have|has(?: not|n't) had|isn't|wasn't|doesn't|didn't|hasn't|"
        r"rather than|unremarkable for|declined|held|stopped|discontinued)\b",
        re.IGNORECASE)),
    ("possible", re.compile(
        r"\b(?:possible|possibly|probable|suspected|suspicion (?:of|for)|suspicious for|questionable|rule out|r/o|"
        r"concern(?:ing)? for|may have|might have|could be|consider(?:ed|ing)?|versus|vs\.?|cannot exclude|"
        r"differential (?:diagnosis )?(?:includes|of))(?=\W)", re.IGNORECASE)),
    ("past", re.compile(
        r"\b(?:status[ -]post|s/p|resolved|remote history of|prior|previous(?:ly)?|former(?:ly)?|used to (?:take|have|"
        r"be on)|completed a course of|finished a course of|childhood history of|recovered from|"
        r"treated in (?:19|20)\d\d for|baseline|(?:down|up) from|goal|target|"
        r"last (?:year|visit|month))(?=\W)", re.IGNORECASE)),
)  # fmt: skip
_AFTER: tuple[tuple[Status, re.Pattern[str]], ...] = (
    ("negated", re.compile(
        r"^[^.;,]{0,25}\b(?:(?:was|were|is|has been|have been|are) (?:ruled out|excluded|negative|absent|stopped|"
        r"discontinued|held|not (?:present|seen|identified|found))|unlikely|not (?:present|seen|found|identified))\b"
        r"|^\s*:?\s*(?:none|denies|negative|absent|no)\b(?!\s+(?:change|new))", re.IGNORECASE)),
    ("family", re.compile(
        rf"^[^.;]{{0,30}}(?:\bin (?:her|his|the patient's|a|their) {_RELATIVE}\b|\({_RELATIVE}\)|\bruns in the family)",
        re.IGNORECASE)),
    ("past", re.compile(
        r"^[^.;,]{0,35}\b(?:as a child|in childhood|years? ago|decades? ago|since resolved|has resolved|resolved|in "
        r"remission|(?:in|from|of) (?:19|20)\d\d)\b", re.IGNORECASE)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sentence:
    """A part of a text that ends with a sentence, a line or a semicolon, and the headed section that it stands in."""

    start: int
    end: int
    section: str


class Context:
    """A text's sentences, and what is said of each place in them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sentences = list(_sentences(text))
        self._starts = [one.start for one in self.sentences]

    def sentence(self, place: int) -> Sentence:
        """The sentence that a character stands in."""
        return self.sentences[max(0, bisect_right(self._starts, place) - 1)]

    def status(self, start: int, end: int) -> Status:
        """What is said of the words from `start` to `end`: of the strongest trigger that holds for them."""
        sentence = self.sentence(start)
        if sentence.section == "family":
            return "family"
        if sentence.section == "return":
            return "conditional"
        before, after = self.text[sentence.start : start], self.text[end : sentence.end]
        for status, trigger in _BEFORE:
            if _holds_before(status, trigger, before):
                return status
        for status, trigger in _AFTER:
            if trigger.search(after):
                return status
        return "past" if sentence.section == "surgical" else "present"


def _holds_before(status: Status, trigger: re.Pattern[str], before: str) -> bool:
    """Whether a trigger stands before a place and its scope reaches it."""
    plain = _NO_TRIGGER.sub(lambda match: " " * len(match[0]), before) if status == "negated" else before
    for found in trigger.finditer(plain):
        rest = plain[found.end() :]
        if status == "family":
            if not re.search(rf"\b{_PATIENT} (?:\w+ )?(?:has|had|is|was|denies|reports|takes)\b", rest, re.IGNORECASE):
                return True
        elif status == "past":
            if len(rest.split()) <= 5 and not re.search(_STOP, rest):
                return True
        elif not re.search(_STOP, rest, re.IGNORECASE) and not (status == "negated" and _left(rest)):
            return True
    return False


def _left(rest: str) -> bool:
    """Whether a denied noun has a complement, which is not denied: no pain from the fracture."""
    return bool(re.search(r"\b(?:from|after|despite|for (?:her|his|the))\b", rest)) or bool(
        re.search(r"^\s*(?!history|evidence|sign|symptom|complaint|report|finding|known|family|personal)\w+ of\b", rest)
    )


def _sentences(text: str) -> Iterator[Sentence]:
    section, start = "", 0
    for end in [match.end() for match in _END.finditer(text)] + [len(text)]:
        piece = text[start:end]
        if not piece.strip():
            continue
        heading = _HEADING.match(piece)
        name = heading[1].strip() if heading else ""
        if "\n\n" in text[max(0, start - 2) : start + 1]:
            section = ""
        if section == "family" and re.match(rf"\s*{_PATIENT}\b", piece, re.IGNORECASE) and not _KIN.search(piece):
            section = ""
        if _IN_CAPITALS.match(name) or _KNOWN_HEADING.match(name):
            section = next((kind for kind, pattern in _SECTIONS if pattern.search(name)), "")
        yield Sentence(start, end, section)
        start = end
