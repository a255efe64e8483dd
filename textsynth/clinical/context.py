"""Of whom and how a text speaks: sentences, headed sections, and what is denied, past, possible or of a relative.

The rules are those of NegEx and ConText (Chapman et al., "A simple algorithm for identifying negated findings and
diseases in discharge summaries", 2001; Harkema et al., "ConText", 2009): a trigger holds for what follows it (or comes
before it) in its sentence, up to a word that ends its scope. English.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from textsynth.clinical import headings, triggers
from textsynth.clinical.mentions import Status

_PAST_REACH = 5  # words from "prior" or "s/p" to what is past


@dataclass(frozen=True, slots=True)
class Sentence:
    """A part of a text that ends with a sentence, a line or a semicolon, and the headed section that it stands in."""

    start: int
    end: int
    section: str


class Context:
    """A text's sentences, and what is said of each place in them.

    Args:
        names: characters of the names in it, whose own words trigger nothing: migraine without aura. They are masked
            in `plain`.
    """

    def __init__(self, text: str, names: Sequence[tuple[int, int]] = ()) -> None:
        self.text = text
        pieces, at = list[str](), 0
        for start, end in sorted(names):
            pieces += [text[at:start], re.sub(r"\w", "x", text[max(at, start) : end])]
            at = max(at, end)
        self.plain = "".join(pieces) + text[at:]
        self.sentences = list(_sentences(text))
        self._starts = [one.start for one in self.sentences]

    def sentence(self, place: int) -> Sentence:
        """The sentence that a character stands in."""
        return self.sentences[max(0, bisect_right(self._starts, place) - 1)]

    def status(self, start: int, end: int) -> Status:
        """What is said of the words from `start` to `end`: of the strongest trigger that holds for them."""
        sentence = self.sentence(start)
        if sentence.section in headings.OF_SECTION:
            return headings.OF_SECTION[sentence.section]
        before, after = self.plain[sentence.start : start], self.plain[end : sentence.end]
        if sign := triggers.SIGN.search(before):
            return "negated" if sign[1] else "possible"
        for status, trigger in triggers.BEFORE:
            if _holds_before(status, trigger, before):
                return status
        if triggers.DIAGNOSED.search(before):
            after = triggers.ITS_YEAR.sub(r"\1", after)
        return next((status for status, trigger in triggers.AFTER if trigger.search(after)), "present")


def _holds_before(status: Status, trigger: re.Pattern[str], before: str) -> bool:
    """Whether a trigger stands before a place and its scope reaches it."""
    plain = triggers.NO_DENIAL.sub(lambda match: " " * len(match[0]), before) if status == "negated" else before
    for found in trigger.finditer(plain):
        rest = plain[found.end() :]
        if status == "family":
            holds = not triggers.OPPOSED.search(rest)
        elif status == "past":
            holds = len(rest.split()) <= _PAST_REACH and not triggers.STOP.search(rest)
        else:
            holds = not (triggers.CONDITION_STOP if status == "conditional" else triggers.STOP).search(rest)
        if (
            holds
            and ")" not in rest.partition("(")[0]
            and not (status == "negated" and triggers.COMPLEMENT.search(rest))
        ):
            return True
    return False


def _sentences(text: str) -> Iterator[Sentence]:
    """Each with its section, which lasts for its line, and for what is listed or stands alone below its heading."""
    section, start, headed, alone, mark = "", 0, False, False, ""
    for end in [match.end() for match in headings.END.finditer(text)] + [len(text)]:
        piece = text[start:end]
        if not piece.strip():
            continue
        heading = headings.HEADING.match(piece)
        name = heading[1].strip() if heading else ""
        if headings.HEADING_IN_CAPITALS.match(name) or headings.KNOWN_HEADING.match(name):
            section = next((kind for kind, pattern in headings.SECTIONS.items() if pattern.search(name)), "")
            alone, mark = piece.rstrip().endswith(":"), _mark(piece)
        elif section and not headed and not _goes_on(text[:start], piece, section, alone, mark):
            section = ""
        headed = piece.rstrip().endswith(":")
        yield Sentence(start, end, section)
        start = end


def _goes_on(before: str, piece: str, section: str, alone: bool, mark: str) -> bool:
    """Whether a section that has begun holds for what follows it.

    Args:
        alone: its heading stands on a line of its own; mark: of the list that the heading is an item of, if any.
    """
    if headings.GOES_ON[section].search(piece):
        return True
    gap = before[len(before.rstrip()) :] + piece[: len(piece) - len(piece.lstrip())]
    if "\n\n" in gap or re.match(rf"\s*(?:[-*•]\s*)?{triggers.PATIENT}\b", piece, re.IGNORECASE):
        return False
    if "\n" in gap and _mark(piece):
        return _mark(piece) != mark
    return (alone or "\n" not in gap) and not headings.HAS_A_VERB.search(piece)


def _mark(piece: str) -> str:
    """The mark of a list's item: "-" or the end of its number."""
    found = headings.BULLET.match(piece)
    return (found[1] or found[2]) if found else ""
