"""One thing that a text says, and of whom: what every reader of texts here gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["age", "sex", "date", "problem", "symptom", "medication", "allergy", "vital", "lab", "side", "phrase"]
Status = Literal["present", "past", "negated", "possible", "conditional", "family"]


@dataclass(frozen=True, slots=True)
class Mention:
    """A fact that a text states, denies, or says of someone else.

    Attributes:
        name: the canonical name of what is meant (lower case); of a date its role, such as `admitted`, or "".
        value: a number (age in years, a vital, a lab, a dose), an ISO date, or a word (a sex, a side); None: none.
        unit: of the value, as written; "" where there is none.
        start, end: its characters in the text; digits: after the point of the value as written.
        status: what is said of it: only `present` holds for the patient now.
    """

    kind: Kind
    name: str
    start: int
    end: int
    value: float | str | None = None
    unit: str = ""
    status: Status = "present"
    digits: int = 0
