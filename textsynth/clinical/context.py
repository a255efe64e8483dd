"""Of whom and how a text speaks: sentences, headed sections, and what is denied, past, possible or of a relative.

The rules are those of NegEx and ConText (Chapman et al., "A simple algorithm for identifying negated findings and
diseases in discharge summaries", 2001; Harkema et al., "ConText", 2009): a trigger holds for what follows it (or comes
before it) in its sentence, up to a word that ends its scope. English.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from textsynth.clinical.mentions import Status

_END = re.compile(
    r"(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bMrs)(?<!\bvs)(?<!\bE)(?<!\n\d)(?<!\n\d\d)[.!?][\"')\]]*(?=\s+[A-Z\d\[(*-]|\s*$|\s*\n)|\n+|;\s",
)
_HEADING = re.compile(r"\s*(?:[-*•\d.)]+\s*)?([A-Za-z][A-Za-z /&'-]{0,40}?)\s*(?::|\s-\s)")
_SECTIONS = (
    ("family", re.compile(r"\b(?:family (?:medical )?history|fh|fhx|family hx)$", re.IGNORECASE)),
    ("allergies", re.compile(r"\b(?:allerg(?:y|ies)|all|drug allergies|adverse reactions)$", re.IGNORECASE)),
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
RELATIVE = (
    r"(?:family|mother|father|mom|dad|parents?|brothers?|sisters?|siblings?|grand(?:mother|father|parents?)|aunts?|"
    r"uncles?|cousins?|sons?|daughters?|husband|wife|spouse|twin|relatives?|nephew|niece)"
)
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
    ("family", re.compile(rf"\b(?:family history (?:of|is|includes|significant for)|{RELATIVE}\b)", re.IGNORECASE)),
    ("conditional", re.compile(
        r"\b(?:if|should (?:she|he|the patient|there)|in case of|(?:return|come back|call|seek (?:care|help|medical "
        r"attention)|present)\b[^.;]{0,30}\b(?:for|if|with|should)|risk (?:of|for)|"
        r"screen(?:ed|ing)? for|"
        r"monitor(?:ing)? for|watch(?:ing)? for|to prevent|prevention of|prophylaxis|warned about|counseled about|"
        r"educated (?:about|on)|vaccin\w+ (?:for|against)|signs? of|symptoms? of)\b", re.IGNORECASE)),
    ("negated", re.compile(
        r"\b(?:no longer (?:has|on|takes?|taking|needs|requires)|no|not|"
        r"denie[sd]|deny|denying|without|negative for|never|free of|ruled out for|absence of|nor|neither|"
        r"lacks?|does(?: not|n't) have|did(?: not|n't) have|has(?: not|n't) had|isn't|wasn't|doesn't|didn't|hasn't|"
        r"rather than|unremarkable for|declined|held|stopped|quit|discontinued)\b",
        re.IGNORECASE)),
    ("possible", re.compile(
        r"\b(?:possible|possibly|probable|suspected|suspicion (?:of|for)|suspicious for|questionable|rule out|r/o|"
        r"concern(?:ing)? for|may have|might have|could be|consider(?:ed|ing)?|versus|vs\.?|cannot exclude|"
        r"differential (?:diagnosis )?(?:includes?|included|of))(?=\W)", re.IGNORECASE)),
    ("past", re.compile(
        r"\b(?:status[ -]post|s/p|resolved|remote(?: history of)?|prior|previous(?:ly)?|former(?:ly)?|"
        r"used to (?:take|have|be on)|completed a course of|finished a course of|childhood history of|recovered from|"
        r"treated in (?:19|20)\d\d for|baseline|(?:down|up) from|goal|target|"
        r"last (?:year|visit|month))(?=\W)", re.IGNORECASE)),
)  # fmt: skip
_AFTER: tuple[tuple[Status, re.Pattern[str]], ...] = (
    ("negated", re.compile(
        r"^[^.;,]{0,25}\b(?:(?:was|were|is|has been|have been|are) (?:ruled out|excluded|negative|absent|stopped|"
        r"discontinued|held|not (?:present|seen|identified|found))|unlikely|not (?:present|seen|found|identified))\b"
        r"|^\s*:?\s*(?:none|denies|negative|absent|no)\b(?!\s+(?:change|new))", re.IGNORECASE)),
    ("possible", re.compile(r"^[^.;,]{0,15}\bconsidered\b", re.IGNORECASE)),
    ("family", re.compile(
        rf"^[^.;]{{0,30}}(?:\bin (?:her|his|the patient's|a|their) {RELATIVE}\b|\({RELATIVE}\)|\bruns in the family)",
        re.IGNORECASE)),
    ("past", re.compile(
        r"^[^.;,]{0,35}\b(?:as a child|in childhood|(?:years?|months?|decades?|weeks?) ago|since resolved|has resolved|"
        r"resolved|in remission|(?:in|from|of|before|since) (?:19|20)\d\d|last (?:year|month|week|winter|spring|summer|"
        r"fall|autumn|visit|time)|before (?:treatment|admission)|recovered)\b"
        r"|^,? ?\(?(?:now |since |fully |completely )?(?:resolved|recovered|(?:19|20)\d\d)\b", re.IGNORECASE)),
)  # fmt: skip


_OF_SECTION: Mapping[str, Status] = {"family": "family", "return": "conditional", "surgical": "past"}
_WORDS = {  # that go on with a section
    "family": re.compile(rf"\b{RELATIVE}\b", re.IGNORECASE),
    "allergies": re.compile(r"\ballerg", re.IGNORECASE),
    "surgical": re.compile(r"\b(?:surgery|\w+ectomy|\w+plasty|repair|replacement)\b", re.IGNORECASE),
    "return": re.compile(r"\b(?:return|call|come back|if)\b", re.IGNORECASE),
}
_HAS_A_VERB = re.compile(r"\b(?:is|was|are|were|has|had|denies|takes|shows?|showed|reports?)\b", re.IGNORECASE)
_BULLET = re.compile(r"\s*(?:[-*•]|\d+[.)])\s")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A part of a text that ends with a sentence, a line or a semicolon, and the headed section that it stands in."""

    start: int
    end: int
    section: str


class Context:
    """A text's sentences, and what is said of each place in them.

    Args:
        names: characters of the names in it, whose own words trigger nothing: migraine without aura.
    """

    def __init__(self, text: str, names: Sequence[tuple[int, int]] = ()) -> None:
        self.text = text
        for start, end in names:
            text = text[:start] + re.sub(r"\w", "x", text[start:end]) + text[end:]
        self._plain = text
        self.sentences = list(_sentences(self.text))
        self._starts = [one.start for one in self.sentences]

    def sentence(self, place: int) -> Sentence:
        """The sentence that a character stands in."""
        return self.sentences[max(0, bisect_right(self._starts, place) - 1)]

    def status(self, start: int, end: int) -> Status:
        """What is said of the words from `start` to `end`: of the strongest trigger that holds for them."""
        sentence = self.sentence(start)
        if sentence.section in _OF_SECTION:
            return _OF_SECTION[sentence.section]
        before, after = self._plain[sentence.start : start], self._plain[end : sentence.end]
        for status, trigger in _BEFORE:
            if _holds_before(status, trigger, before):
                return status
        return next((status for status, trigger in _AFTER if trigger.search(after)), "present")


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
    """Each with its section, which lasts for its line, and for what is listed or stands alone below its heading."""
    section, start, headed, listed = "", 0, False, False
    for end in [match.end() for match in _END.finditer(text)] + [len(text)]:
        piece = text[start:end]
        if not piece.strip():
            continue
        heading = _HEADING.match(piece)
        name = heading[1].strip() if heading else ""
        if _IN_CAPITALS.match(name) or _KNOWN_HEADING.match(name):
            section = next((kind for kind, pattern in _SECTIONS if pattern.search(name)), "")
            listed = bool(_BULLET.match(piece))
        elif section and not headed and not _goes_on(text[:start], piece, section, listed):
            section = ""
        headed = piece.rstrip().endswith(":")
        yield Sentence(start, end, section)
        start = end


def _goes_on(before: str, piece: str, section: str, listed: bool) -> bool:
    """Whether a section that has begun holds for what follows it."""
    if _WORDS[section].search(piece):
        return True
    gap = before[len(before.rstrip()) :] + piece[: len(piece) - len(piece.lstrip())]
    if "\n\n" in gap or re.match(rf"\s*(?:[-*•]\s*)?{_PATIENT}\b", piece, re.IGNORECASE):
        return False
    return bool(_BULLET.match(piece)) and not listed if "\n" in gap else not _HAS_A_VERB.search(piece)
