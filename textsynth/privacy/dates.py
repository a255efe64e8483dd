"""Dates in any usual English format, and ages over 89.

A year alone, a weekday and a time of day are none: Safe Harbor leaves them.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from textsynth.privacy.kinds import Identifier

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
    "twentieth", "twenty-first", "twenty-second", "twenty-third", "twenty-fourth", "twenty-fifth", "twenty-sixth",
    "twenty-seventh", "twenty-eighth", "twenty-ninth", "thirtieth", "thirty-first",
)  # fmt: skip
ANY_YEAR = 2001  # stands for the year of a date that has none
_MON = rf"(?P<month>(?:{'|'.join(MONTHS)}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b)\.?"
_1_TO_31 = r"3[01]|[12]\d|0?[1-9]"
_DAY = rf"(?P<day>{_1_TO_31})"
_WORDS = "|".join(sorted((one.replace("-", "[- ]") for one in ORDINALS), key=len, reverse=True))
_NTH = rf"(?P<day>(?:{_1_TO_31})(?:\s?(?:st|nd|rd|th))?(?!\w)|(?:{_WORDS})\b)"
_YEAR = r"(?P<year>(?:19|20)\d\d(?!\d)|['’]\d\d(?!\d))"
_ANY_YEAR = r"(?P<year>(?:19|20)\d\d(?!\d)|['’]?\d\d(?![\d:]))"
_NUM = r"(?P<month>1[0-2]|0?[1-9])"
_FREE = r"(?<![\w/.-])"  # not inside another number
_SHUT = r"(?![\w/]|[.-]\d)"
_BORN = r"(?:\bd\.?o\.?b\.?|\bdate of birth|\bbirth ?date|\bborn(?: on)?)\W{0,3}"
_WHEN = (
    r"(?:\b(?:on|since|between|from|dated?|until|till|through|thru|as of|admitted|discharged|seen|visit|starting"
    r"|effective|beginning|before|after|by|appointment|surgery|scheduled(?: for)?|follow-?up|for|due|(?:mon|tues?"
    r"|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?)|\bdate:|^)\s*(?:of\s|on\s|the\s)?"
)
_MONTH_ALONE = (
    r"\b(?:in|since|last|this|next|until|till|by|during|through|from|between|early|late|mid|of|every|to|back in)[ -]"
    rf"(?P<it>(?P<month>{'|'.join(MONTHS)})\b)"
)
_NO_DATE = r"(?![\w/.]*\d|\s*(?:scale|strength|systolic|murmur|bilat|motor|power|throughout|in all|positive)|-\d{3})"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE | re.MULTILINE)
    for form in (
        rf"{_FREE}(?P<year>(?:19|20)\d\d)(?P<sep>[-/.]){_NUM}(?P=sep){_DAY}(?:(?=T\d)|{_SHUT})",
        rf"{_FREE}{_NUM}(?P<sep>[-/.])\s?{_DAY}(?P=sep)\s?{_ANY_YEAR}{_SHUT}",
        rf"{_FREE}{_DAY}(?P<sep>[-/.]){_NUM}(?P=sep){_ANY_YEAR}{_SHUT}",
        rf"(?<!\d-)(?<!\d/)\b{_MON}(?:(?<!\.)\s*|[ ]*)[-/]?[ ]*(?:the\s+)?{_NTH}(?:\s*[-,/]?\s*(?:of\s+)?{_YEAR})?",
        rf"(?<![\w.]){_NTH}(?:\s+day)?(?:\s+of)?[\s,/-]*{_MON}(?:[\s,/-]*{_ANY_YEAR})?",
        rf"(?<![\w.]){_DAY}{_MON[:-3].replace(chr(92) + 'b', '')}(?P<year>(?:19|20)?\d\d)\b",
        rf"\b{_MON}\s*(?:[-,/]|of)?\s*{_YEAR}",
        rf"{_FREE}{_NUM}[/-](?P<year>(?:19|20)\d\d){_SHUT}",
        rf"{_FREE}(?P<year>(?:19|20)\d\d)[/-](?P<month>0[1-9]|1[0-2]){_SHUT}",
        rf"{_BORN}(?P<it>(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])(?P<year>(?:19|20)?\d\d))\b",
        rf"{_FREE}(?P<year>(?:19|20)\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])(?!\w)",
        rf"{_WHEN}(?P<it>{_NUM}/{_DAY}){_NO_DATE}",
        r"\bon the (?P<it>(?P<day>(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)))(?=\s*(?:[.,;)]|$|at\b|and\b|of (?:this"
        r"|last)\b))",
        _MONTH_ALONE,
    )
)
_TEENS = "ninety|one hundred(?: and)?|a hundred(?: and)?"
_OLD = rf"(?P<age>9\d|1[0-2]\d|(?:{_TEENS})(?:[- ](?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve))?)"
_AGES = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?<![\w./-]){_OLD}\s?-?\s?(?:years?|yrs?\.?|y)(?:[- ]?(?:old|of age)|[./]?o\b)",
        rf"(?<![\w./-]){_OLD}\s?y\.\s?o\.",
        rf"\b(?:aged?|age of|age is|age was|age:|at age|turn(?:s|ed|ing)|died at)\s*:?\s*{_OLD}(?![\w%/]|\.\d"
        rf"|\s*degrees)",
        r"(?<![\w./-])(?P<age>9\d|1[01]\d)\s?(?:[MF]\b|(?:year )?(?:fe)?male\b)",
        r"\bin (?:his|her|their)(?: (?:early|mid|late))?[- ](?P<age>90['’]?s|nineties)\b",
    )
)
_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}
_NUMBERS |= {"ten": 10, "eleven": 11, "twelve": 12}


@dataclass(frozen=True)
class When:
    """A date as it was read: the parts that it has, and where each stands in the text."""

    start: int
    end: int
    spans: Mapping[str, tuple[int, int]]
    year: int | None
    month: int | None
    day: int | None

    @property
    def value(self) -> str:
        """ISO 8601, with what is missing left out."""
        year = f"{self.year:04d}" if self.year else "-"
        return "-".join([year, *(f"{part:02d}" if part else "" for part in (self.month, self.day))]).rstrip("-")


def dates_in(text: str) -> Iterator[When]:
    """Every date of a text in each way that it can be read; they may overlap."""
    for form in _FORMS:
        for found in form.finditer(text):
            parts = {name: found.span(name) for name in ("year", "month", "day") if found.groupdict().get(name)}
            read = {name: text[slice(*span)].lower().strip(".") for name, span in parts.items()}
            when = When(
                *found.span("it" if "it" in form.groupindex else 0),
                parts,
                _year(read.get("year")),
                _month(read.get("month")),
                _day(read.get("day")),
            )
            if _is_real(when) and not _is_word(text, parts):
                yield when


def read_date(text: str) -> When | None:
    """The date that a whole text is, or None."""
    return next((when for when in dates_in(text.strip()) if (when.start, when.end) == (0, len(text.strip()))), None)


def ages_in(text: str) -> Iterator[Identifier]:
    """Ages over 89, the number alone."""
    for form in _AGES:
        for found in form.finditer(text):
            number = _age(found["age"].lower())
            if number > 89:
                yield Identifier(*found.span("age"), "age", str(number))


def _age(said: str) -> int:
    if said[:1].isdigit():
        return int(re.match(r"\d+", said)[0])  # type: ignore[index]
    base = 100 if "hundred" in said else 90
    return base + _NUMBERS.get(re.split(r"[- ]", said)[-1], 0)


def _year(said: str | None) -> int | None:
    if said is None:
        return None
    digits = said.lstrip("'’")
    return int(digits) if len(digits) == 4 else int(digits) + (1900 if int(digits) > 40 else 2000)


def _month(said: str | None) -> int | None:
    if said is None or said.isdigit():
        return int(said) if said else None
    return next(number for number, name in enumerate(MONTHS, 1) if name.startswith(said[:3]))


def _day(said: str | None) -> int | None:
    if said is None or said[0].isdigit():
        return int(re.match(r"\d+", said)[0]) if said else None  # type: ignore[index]
    return ORDINALS.index(said.replace(" ", "-")) + 1


def _is_real(when: When) -> bool:
    try:
        datetime.date(when.year or 2000, when.month or 1, when.day or 1)
    except ValueError:
        return False
    return True


def _is_word(text: str, parts: Mapping[str, tuple[int, int]]) -> bool:
    """Whether a month is a word, such as may or march, with neither a whole date nor an ordinal beside it."""
    said = {name: text[slice(*span)] for name, span in parts.items()}
    whole = "day" in said and ("year" in said or not said["day"].isdigit())
    return said.get("month") in ("may", "march", "mar", "dec", "sept", "sep", "jan") and not whole


def moved(said: str, when: When, offset: datetime.timedelta) -> str:
    """A date as it stands, moved, each of its parts written as it was."""
    day = when.day or 15
    old = datetime.date(
        when.year or ANY_YEAR, when.month or 6, min(day, 28) if when.month == 2 and not when.year else day
    )
    new = old + offset
    days = [said[start - when.start : end - when.start] for name, (start, end) in when.spans.items() if name != "year"]
    padded = all(len(part) == 2 for part in days if part.isdigit())  # 2019-09-28 has no 2019-09-3
    for name, (start, end) in sorted(when.spans.items(), key=lambda item: -item[1][0]):
        start, end = start - when.start, end - when.start
        said = said[:start] + _written(said[start:end], name, new, padded) + said[end:]
    return said


def _written(part: str, name: str, new: datetime.date, padded: bool) -> str:
    if name == "year":
        return re.sub(r"\d+", lambda digits: f"{new.year:04d}"[-len(digits[0]) :], part)
    number = new.month if name == "month" else new.day
    if part[0].isdigit():
        digits = f"{number:02d}" if padded and part.isdigit() else str(number)
        return digits + (_suffix(number) if re.search("[a-z]", part, re.I) else "")
    said = MONTHS[new.month - 1] if name == "month" else ORDINALS[new.day - 1]
    if name == "month" and len(part) < 5 and part.lower() not in MONTHS:
        said = said[:3]
    return said.upper() if part.isupper() else said.title() if part[0].isupper() and name == "month" else said


def _suffix(number: int) -> str:
    return "th" if 10 < number < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
