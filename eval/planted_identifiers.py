"""Identifiers of the 18 Safe Harbor classes, made up in many formats, to be planted into real sentences.

The formats stand in planted.txt, in four sets. They share no code and no list with the recognizers of
textsynth/privacy, but one author wrote both.
"""

from __future__ import annotations

import random
import re
from datetime import date, timedelta
from functools import cache
from pathlib import Path

FORMS = Path(__file__).with_suffix(".txt")
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third twenty-fourth "
    "twenty-fifth twenty-sixth twenty-seventh twenty-eighth twenty-ninth thirtieth thirty-first"
)


def forms(which: int) -> dict[str, list[str]]:
    """The phrases of a set, by class."""
    found: dict[str, list[str]] = {}
    for line in FORMS.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            phrases = found.setdefault(line.strip("[]"), [])
        elif line.startswith(f"{which} ") and found:
            phrases += [phrase.strip() for phrase in line[2:].split(" | ")]
    return found


def made(phrase: str, which: int, rng: random.Random) -> tuple[str, str, str]:
    """What stands before an identifier, the identifier, and what stands after it."""
    before, said, after = re.split("[<>]", phrase)
    day = date(1990, 1, 1) + timedelta(days=rng.randrange(12_700))
    said = day.strftime(said) if "%" in said else said
    said = (
        re.sub(r"[#?]|(?<!\{)\b9(?=[#?9a-z.-])|(?<=[#?])9", lambda c: _character(c[0], rng), said)
        if "%" not in phrase
        else said
    )
    words = _words(which, day, rng)
    said = said.format(**words)
    if "@" in said or "/" in said and "." in said:
        said = said.replace("'", "").lower() if said.upper() != said else said
    return before, said, after.format(**words)


def _character(sign: str, rng: random.Random) -> str:
    return rng.choice({"#": "0123456789", "?": "ABCDEFGHJKLMNPRSTUVWXYZ", "9": "23456789"}[sign])


def _words(which: int, day: date, rng: random.Random) -> dict[str, str]:
    lists = _lists("new" if which > 1 else "seen")
    words = {name: rng.choice(some) for name, some in lists.items()}
    nth = "th" if 10 < day.day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    words |= {"last2": rng.choice(lists["last"]), "f": words["first"][0], "mid": rng.choice("BCDEGHJKLMNPRSTW")}
    words |= {"FIRST": words["first"].upper(), "LAST": words["last"].upper(), "nth": f"{day.day}{nth}"}
    words |= {
        "ordinal": _ORDINALS.split()[day.day - 1],
        "old": str(rng.randrange(90, 105)),
        "n": str(rng.randrange(10, 9999)),
    }
    return words | {"zip": str(rng.randrange(10_000, 99_999))}


@cache
def _lists(which: str) -> dict[str, list[str]]:
    """The words of planted.txt by what they are."""
    found = re.findall(rf"^= {which} (\w+): (.*)$", FORMS.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: words.split(", ") for name, words in found}
