"""Numbers as the planted notes writes them: ages in words, other units, and values that are changed."""

from __future__ import annotations

import random
from typing import Any

ONES = (
    *("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def age_words(age: int) -> str:
    """54 -> "fifty-four"."""
    return ONES[age] if age < 20 else TENS[age // 10] + (f"-{ONES[age % 10]}" if age % 10 else "")


def article(age: int) -> str:
    """The article before an age of 18 to 99: "an" before eighteen and the eighties."""
    return "an" if age == 18 or 80 <= age <= 89 else "a"


def ordinal(day: int) -> str:
    """3 -> "3rd"."""
    return f"{day}{'th' if 10 < day < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


def form(pattern: str, value: float) -> str:
    """The value in a pattern's unit; `{}` is the value as the fact has it."""
    inches = round(value / 2.54)
    return pattern.format(
        value,
        F=f"{value * 9 / 5 + 32:.1f}",
        lb=round(value * 2.20462),
        ft=inches // 12,
        inches=inches,
        mmol=f"{value / 18.016:.1f}",
        thousand=f"{round(value * 1000):,}",
        **{"in": inches % 12},
    )


def changed_number(facts: dict[str, Any], what: str, rng: random.Random) -> bool:
    """One lab or vital value changed in place by 25 to 45 percent; False where there is none.

    Temperature, height and body mass index are left alone: no such change of them could be believed.
    """
    kept = ("temperature", "height", "body mass index")
    rows = [row for row in facts["vitals" if what == "vital" else "labs"] if row["name"] not in kept]
    if any(row["name"] == "body mass index" for row in facts["vitals"]):
        rows = [row for row in rows if row["name"] != "weight"]
    if not rows:
        return False
    row = rng.choice(rows)
    up = {"oxygen saturation": False, "diastolic blood pressure": False, "systolic blood pressure": True}
    factor = 1 + rng.uniform(0.25, 0.45) if up.get(row["name"], rng.random() < 0.5) else 1 - rng.uniform(0.25, 0.4)
    value = row["value"] * factor
    row["value"] = round(value) if isinstance(row["value"], int) else round(value, 1)
    return True


def other_numbers(facts: dict[str, Any], female: bool, diabetic: bool, rng: random.Random) -> dict[str, str]:
    """Earlier values, which differ from those of now, and ages of relatives, which differ from the patient's."""
    now = {row["name"]: float(row["value"]) for row in [*facts["vitals"], *facts["labs"]]}
    age, a1c = facts["age"], now.get("hemoglobin A1c", 6.0)
    kin_age = age - rng.randint(24, 29) if age >= 48 else age + rng.choice((-6, 3, 5))
    return {
        "year": str(int(facts["admitted"][:4]) - rng.randint(2, min(14, age - 12))),
        "old": str(rng.choice([n for n in range(51, 79) if abs(n - age) > 2])),
        "mate": str(age + rng.choice((-3, -2, 2, 3))),
        "kin": (("daughter", "son") if age >= 48 else ("sister", "brother"))[female],
        "kinage": str(kin_age if article(kin_age) == "a" and kin_age > 18 else kin_age + 12),
        "cr": f"{now.get('creatinine', 1.2) + rng.uniform(0.6, 1.4):.1f}",
        "a1c": f"{a1c + rng.uniform(1.6, 3):.1f}" if diabetic else f"{a1c * 0.78:.1f}",
        "lb": str(round(now.get("weight", 90) * 2.20462 + rng.randint(15, 40))),
        "hgb": f"{now.get('hemoglobin', 13) * rng.uniform(0.66, 0.78):.1f}",
        "ldl": str(round(now.get("LDL cholesterol", 120) * rng.uniform(1.3, 1.6))),
        "glu": str(round(now.get("glucose", 100) * rng.uniform(1.4, 1.9))),
        "bp": f"{round(now['systolic blood pressure'] + 22)}/{round(now['diastolic blood pressure'] + 17)}",
    }
