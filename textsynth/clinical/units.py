"""Whether two values with units are the same, as far as the digits go that were written."""

from __future__ import annotations

import re

_SAME = {  # how a unit is written: its one name
    "percent": "%", "pct": "%", "kgs": "kg", "mgs": "mg", "mcgs": "mcg", "thousand": "10*3/ul",
    "mm[hg]": "mmhg", "beats/min": "/min", "beats/minute": "/min", "breaths/min": "/min",
    "breaths/minute": "/min", "beatspermin": "/min", "beatsperminute": "/min", "breathspermin": "/min",
    "breathsperminute": "/min", "bpm": "/min", "perminute": "/min", "/minute": "/min", "c": "cel", "celsius": "cel",
    "degc": "cel", "f": "fahr", "fahrenheit": "fahr", "degf": "fahr", "[degf]": "fahr", "kilogram": "kg", "pound": "lb",
    "lbs": "lb", "#": "lb", "[lb_av]": "lb", "centimeter": "cm", "inches": "in", "inch": "in", "[in_i]": "in",
    "meter": "m", "metre": "m", "centimetre": "cm", "kilo": "kg", "ins": "in", "cms": "cm",
    "gm/dl": "g/dl", "gm/l": "g/l",
    "kg/squaremeter": "kg/m2", "kg/squaremetre": "kg/m2", "kg/sqm": "kg/m2",
    "kg/sqmeter": "kg/m2", "kg/metersquared": "kg/m2",
    "thou": "10*3/ul", "thou/ul": "10*3/ul", "th/ul": "10*3/ul", "/mm3": "/ul", "cells/ul": "/ul", "cells/mm3": "/ul",
    "cells/cmm": "/ul", "cells/mm^3": "/ul", "tab": "tablet", "cap": "capsule", "cc": "ml",
    "milliliter": "ml", "gm": "g",
    "kg/m^2": "kg/m2", "mcmol/l": "umol/l", "units/l": "u/l", "unit/l": "u/l", "10^3/ul": "10*3/ul", "k/ul": "10*3/ul",
    "thousand/ul": "10*3/ul", "x10^3/ul": "10*3/ul", "x10*3/ul": "10*3/ul", "10^9/l": "10*3/ul", "10*9/l": "10*3/ul",
    "x10^9/l": "10*3/ul", "10^6/ul": "10*6/ul", "milligram": "mg", "gram": "g", "microgram": "mcg", "ug": "mcg",
    "unit": "u", "iu": "u", "puff": "puff", "outof10": "/10", "{score}": "/10", "ug/l": "mcg/l",
    "ml/min/1.73m2": "ml/min", "ml/min/1.73m^2": "ml/min", "ml/min/{1.73_m2}": "ml/min", "mm/hr": "mm/h",
}  # fmt: skip
_FACTORS: dict[tuple[str, str], float] = {  # from, to: times
    ("lb", "kg"): 0.45359237, ("in", "cm"): 2.54, ("m", "cm"): 100, ("g", "mg"): 1000, ("mcg", "mg"): 0.001,
    ("g/l", "g/dl"): 0.1, ("meq/l", "mmol/l"): 1, ("/ul", "10*3/ul"): 0.001, ("ng/ml", "mcg/l"): 1,
    ("ng/l", "pg/ml"): 1,
}  # fmt: skip
_MOLAR = {  # mg/dl in one mmol/l (umol/l times a thousand)
    "glucose": 18.016, "total cholesterol": 38.67, "ldl cholesterol": 38.67, "hdl cholesterol": 38.67,
    "triglycerides": 88.57, "creatinine": 11.312, "urea nitrogen": 2.801, "calcium": 4.008, "uric acid": 16.81,
    "total bilirubin": 58.47,
}  # fmt: skip


def _long_units(written: str) -> str:
    for long, short in (("deciliter", "dl"), ("milliliter", "ml"), ("liter", "l"), ("milligram", "mg"), ("gram", "g")):
        written = re.sub(rf"{long}s?(?=/|$)|(?<=/){long}s?$", short, written) if "/" in written else written
    return written


def unit_of(written: str) -> str:
    """The one name of a unit; "" for none."""
    plain = (
        re.sub(r"\s|°|deg(?:rees?)?(?=[^a-z]|[cf ])", "", _long_units(written.casefold().replace(" per ", "/")))
        .replace("µ", "u")
        .replace("μ", "u")
        .replace("²", "2")
    )
    if plain in _SAME:
        return _SAME[plain]
    return _SAME.get(
        plain.removesuffix("s"), plain.removesuffix("s") if plain.endswith(("ts", "fs", "ps", "ms")) else plain
    )


def same(name: str, value: float, unit: str, digits: int, fact: float, fact_unit: str) -> bool:
    """Whether a value as written, with its digits, is a fact's value; a unit that is not written is any.

    Args:
        name: the canonical name of what is measured: some labs convert by their molar mass.
    """
    half = 0.5000001 * 10.0**-digits
    wanted = unit_of(fact_unit)
    given = unit_of(unit) or wanted
    if name == "temperature" and not unit:
        given = "fahr" if value > 60 else "cel"
    if wanted == "10*3/ul" and value >= 1000:  # a count in full
        given = "/ul"
    choices = (
        {given} if unit or name not in ("weight", "height") else {"kg", "lb"} if name == "weight" else {"cm", "in"}
    )
    for one in choices:
        if name == "temperature" and {one, wanted} == {"cel", "fahr"}:
            converted, factor = ((value - 32) / 1.8, 1 / 1.8) if one == "fahr" else (value * 1.8 + 32, 1.8)
        else:
            factor = _factor(name, one, wanted)
            converted = value * factor
        tolerance = half * factor + (0.05 if one != wanted else 0.0)
        if factor and abs(converted - fact) <= tolerance + 1e-9:
            return True
    return False


def _factor(name: str, given: str, wanted: str) -> float:
    if given == wanted or not given or not wanted:
        return 1.0
    if (given, wanted) in _FACTORS:
        return _FACTORS[given, wanted]
    if (wanted, given) in _FACTORS:
        return 1 / _FACTORS[wanted, given]
    molar = {"mmol/l": 1.0, "umol/l": 0.001}
    if name in _MOLAR and given in molar and wanted == "mg/dl":
        return _MOLAR[name] * molar[given]
    if name in _MOLAR and wanted in molar and given == "mg/dl":
        return 1 / (_MOLAR[name] * molar[wanted])
    return 0.0
