"""Trial records: random values of a tightened schema, to learn before a model is asked what no grammar can hold."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from jsonschema.exceptions import ValidationError, best_match
from referencing.exceptions import Unresolvable

from textsynth.inputs.dialects import Schema, pointer, validator

TRIALS = 50
NAMES = ("a", "ab", "abc", "abcd", "A", "1", "12", "a1", "name", "x-a", "/a", "a.b", "com.example.name")
TEXT_RULES = {"pattern", "format", "minLength", "maxLength"}  # a model may keep what random letters break


class _Unknown(Exception):
    """We have no value for a part of the form."""


def hopeless(schema: Schema, form: Mapping[str, Any]) -> str:
    """Which keyword of the schema every trial record of its form breaks, as a clause; empty where one does not."""
    check, rng, found = validator(schema), random.Random(0), None
    for _ in range(TRIALS):
        try:
            error = best_match(check.iter_errors(_value(form, rng)), key=lambda one: -len(one.absolute_path))
        except (re.error, Unresolvable, _Unknown):
            return ""
        if error is None or not _decided(error):
            return ""
        found = found or error
    if found is None:
        return ""
    rule, place = found.validator, pointer(found.absolute_path)
    return f"no grammar holds the keyword {rule} at {place}: {TRIALS} of {TRIALS} trial records break it"


def _decided(error: ValidationError) -> bool:
    """Whether no other text in the same places would do."""
    if error.context:
        return all(map(_decided, error.context))
    return not (isinstance(error.instance, str) and error.validator in TEXT_RULES)


def _value(form: Mapping[str, Any], rng: random.Random) -> Any:
    if "enum" in form:
        return rng.choice(form["enum"])
    if "anyOf" in form:
        return _value(rng.choice(form["anyOf"]), rng)
    match form["type"]:
        case "object":
            return _object(form, rng)
        case "array":
            size = rng.randint(form["minItems"], max(form["minItems"], min(2, form["maxItems"])))
            items = [*form.get("prefixItems", ()), *[form["items"]] * size][:size]
            return [_value(one, rng) for one in items]
        case "string":
            least = form.get("minLength", 0)
            size = rng.randint(least, max(least, min(form.get("maxLength", 8), least + 8)))
            return "".join(rng.choices(string.ascii_lowercase, k=size))
        case "integer" | "number":
            return _number(form, rng)
        case "boolean":
            return rng.random() < 0.5
    return None


def _object(form: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    found = {name: _value(one, rng) for name, one in form.get("properties", {}).items()
             if name in form["required"] or rng.random() < 0.5}  # fmt: skip
    for pattern, one in form.get("patternProperties", {}).items():
        names = [name for name in NAMES if re.search(pattern, name)]
        least = form["minProperties"]
        if len(names) < least:
            raise _Unknown
        size = rng.randint(least, max(least, min(len(names), 2, form["maxProperties"])))
        found |= {name: _value(one, rng) for name in names[:size]}
    return found


def _number(form: Mapping[str, Any], rng: random.Random) -> int | float:
    step, low = (Fraction(str(form.get(key, 1))) for key in ("multipleOf", "minimum"))
    number = low + step * rng.randint(0, int((Fraction(str(form["maximum"])) - low) / step))
    return int(number) if number.denominator == 1 else float(number)
