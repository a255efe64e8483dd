"""What an identifier is: where it stands, of which kind, and its value whatever way it is written."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The 18 classes of HIPAA Safe Harbor (45 CFR 164.514(b)(2)), by letter; class C has two kinds.
KINDS = {
    "name": "A", "place": "B", "date": "C", "age": "C", "phone": "D", "fax": "E", "email": "F", "ssn": "G", "mrn": "H",
    "health_plan": "I", "account": "J", "license": "K", "vehicle": "L", "device": "M", "url": "N", "ip": "O",
    "biometric": "P", "photo": "Q", "code": "R",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Identifier:
    """Characters `start` to `end` of a text.

    `value` is the same for all ways to write one thing: names and places in lower case, ISO dates (`2019-03-14`,
    `--03-14` without a year, `2019-03` without a day), the last ten digits of a phone number, codes without separators.
    """

    start: int
    end: int
    kind: str
    value: str


def plain_code(text: str) -> str:
    """A code without case and separators."""
    return re.sub(r"[\W_]", "", text).upper()


def plain_words(text: str) -> str:
    """Words in lower case, one space between them, without possessives."""
    return " ".join(re.findall(r"\w+", re.sub(r"['’]s\b", "", text.lower())))
