"""How many tokens an answer under a tightened schema may take, and a form made small enough for a budget of them.

Making a form smaller only ever narrows it: what the smaller one allows, the larger one allowed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from textsynth.errors import InputError
from textsynth.inputs.bounds import BYTES_PER_CHARACTER, IMPOSED, STATED, pattern_width

Form = dict[str, Any]
END_TOKENS = 8  # for the end-of-text token and what a chat template puts before it


class Rate(NamedTuple):
    """Tokens counted for a byte of JSON that the form settles, and for a character of text that the model chooses."""

    byte: float
    character: float


WORST = Rate(1, BYTES_PER_CHARACTER)
LIKELY = Rate(0.5, 0.5)
"""What nearly every answer keeps to: with the embedded model's tokenizer, names of properties in real schemas take 0.34
tokens a byte and texts in their instances 0.40 a character. Digits are counted as one each at any rate."""


class Limits(NamedTuple):
    """How large a form may be in a step of LADDER."""

    text: int  # characters of a string, of a value in an enum, of a choice in a union below `levels`
    items: int  # of a list; entries of an object with free names
    levels: int  # optional properties below this level are left out
    share: float  # of the top-level properties is kept (all, where they are fewer than 4); the largest go first


LADDER = (
    Limits(200, 6, 99, 1), Limits(100, 4, 99, 1), Limits(60, 3, 4, 1), Limits(60, 2, 2, 1), Limits(40, 2, 1, 1),
    Limits(40, 1, 1, 1), Limits(30, 1, 0, 1), Limits(20, 1, 0, 1), Limits(20, 1, 0, 0.5), Limits(10, 1, 0, 0.5),
    Limits(10, 0, 0, 0.5), Limits(5, 0, 0, 0.5), Limits(5, 0, 0, 0), Limits(1, 0, 0, 0),
)  # fmt: skip
"""Tried in turn until a form fits its budget. None of them goes below what the schema asks for."""


def fitted(form: Mapping[str, Any], max_tokens: int) -> Form:
    """The form, made smaller until its largest answer takes `max_tokens` tokens at the LIKELY rate.

    Raises:
        InputError: what the schema requires takes more; the message names the size and the field.
    """
    choices = [_fitted(one, max_tokens) for one in form.get("anyOf", [form])]
    kept = [one for one in choices if _tokens(one) <= max_tokens]
    if kept:
        return kept[0] if len(kept) == 1 else {"anyOf": kept}
    smallest = min(choices, key=_tokens)
    field = _worst(smallest, LIKELY)[1].lstrip(".")
    raise InputError(
        f"record_schema: the smallest record takes about {_tokens(smallest)} tokens, most of them in "
        f"{field or 'its only value'}, and sampling.max_tokens is {max_tokens}. Raise it, or require less there."
    )


def _fitted(form: Mapping[str, Any], max_tokens: int) -> Form:
    small = dict(form)
    for limits in LADDER:
        if _tokens(small) <= max_tokens:
            break
        small = _fewer(_narrowed(form, limits, 0), max_tokens, limits.share)
    return small


def _tokens(form: Mapping[str, Any]) -> int:
    """Tokens of an answer at the LIKELY rate, in which the longest text rambles at one token a character."""
    return math.ceil(_worst(form, LIKELY)[0] + (1 - LIKELY.character) * _longest(form)) + END_TOKENS


def _longest(form: Mapping[str, Any]) -> int:
    """Characters of the longest text that the model may write in one place."""
    inside = [*form.get("anyOf", ()), *form.get("properties", {}).values(), *form.get("prefixItems", ())]
    inside += [*form.get("patternProperties", {}).values(), *([form["items"]] if form.get("items") else [])]
    own = 0 if form.get("type") != "string" or "format" in form else _characters(form)
    return max([own, *map(_longest, inside)])


def _characters(form: Mapping[str, Any]) -> int:
    return int(form["maxLength"] if "maxLength" in form else pattern_width(form["pattern"])[1] or 0)


def _fewer(form: Form, max_tokens: int, share: float) -> Form:
    """Without the largest of the optional properties at the top, as far as `share` lets them go."""
    if "properties" not in form:
        return form
    properties = dict(form["properties"])
    least = len(properties) if share and len(properties) < 4 else math.ceil(share * len(properties))
    spare = sorted(
        set(properties) - set(form.get("required", ())), key=lambda name: _worst(properties[name], LIKELY)[0]
    )
    found = form
    while spare and len(properties) > least and _tokens(found) > max_tokens:
        del properties[spare.pop()]
        found = {**form, "properties": dict(properties)}
    return found


def _narrowed(form: Mapping[str, Any], limits: Limits, level: int) -> Form:
    if "enum" in form:
        return {"enum": _small(form["enum"], json_bytes, limits.text + 2)}
    if "anyOf" in form:
        choices = [_narrowed(one, limits, level) for one in form["anyOf"]]
        if level > limits.levels:
            choices = _small(choices, lambda one: _worst(one, LIKELY)[0], limits.text)
        return choices[0] if len(choices) == 1 else {"anyOf": choices}
    match form["type"]:
        case "object":
            return _narrowed_object(form, limits, level)
        case "array":
            return _narrowed_array(form, limits, level)
        case "string":
            return _narrowed_string(form, limits)
    return dict(form)


def _small(values: Sequence[Any], size: Any, most: float) -> list[Any]:
    """The values up to a size; where there is none, the smallest."""
    return [one for one in values if size(one) <= most] or [min(values, key=size)]


def _narrowed_object(form: Mapping[str, Any], limits: Limits, level: int) -> Form:
    if "patternProperties" in form:
        most = max(form["minProperties"], min(form["maxProperties"], limits.items))
        if not most:
            return {"type": "object", "additionalProperties": False}
        inside = {name: _narrowed(one, limits, level + 1) for name, one in form["patternProperties"].items()}
        return {**form, "patternProperties": inside, "maxProperties": most}
    properties = {name: _narrowed(one, limits, level + 1) for name, one in form.get("properties", {}).items()}
    if level > limits.levels:
        kept = [name for name in properties if name in form["required"]]
        smallest = min(properties, key=lambda name: _worst(properties[name], LIKELY)[0], default="")
        kept = kept or ([smallest] if properties and limits.share else [])  # an empty object says nothing
        properties = {name: properties[name] for name in kept}
    return {**form, "properties": properties} if "properties" in form else dict(form)


def _narrowed_array(form: Mapping[str, Any], limits: Limits, level: int) -> Form:
    most = max(form["minItems"], min(form["maxItems"], limits.items))
    first = [_narrowed(one, limits, level + 1) for one in form.get("prefixItems", ())[:most]]
    rest = _narrowed(form["items"], limits, level + 1) if form["items"] and most > len(first) else False
    found = {**form, "prefixItems": first, "items": rest, "maxItems": most}
    return found if first else {key: value for key, value in found.items() if key != "prefixItems"}


def _narrowed_string(form: Mapping[str, Any], limits: Limits) -> Form:
    patterns = [one["pattern"] for one in (form, *form.get("allOf", ())) if "pattern" in one]
    low = max([form.get("minLength", 0), form.get(STATED, 0), *(pattern_width(one)[0] for one in patterns)])
    if "format" in form:
        return dict(form)
    if "maxLength" not in form:  # the pattern is what bounds it
        return {**form, "pattern": _shorter_pattern(form["pattern"], limits.text)}
    most = max(low, limits.text)
    return {**form, "maxLength": most, "$comment": IMPOSED} if most < form["maxLength"] else dict(form)


def _shorter_pattern(pattern: str, most: int) -> str:
    """The pattern with no part repeated more than `most` times, unless it asks for it."""

    def capped(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0]
        return f"{{{found[1]},{max(int(found[1]), min(int(found[2]), most))}}}"

    return re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]|\{(\d+),(\d+)\}", capped, pattern)


def asked(form: Form, examples: Sequence[Mapping[str, Any]]) -> Form:
    """The form with those properties at its top required that the examples mostly have: small models leave out much.

    Where there are no examples, all of them are required, and not empty.
    """
    if "anyOf" in form:
        return {"anyOf": [asked(one, examples) for one in form["anyOf"]]}
    if "properties" not in form:
        return form
    having = {name: sum(name in one for one in examples) for name in form["properties"]}
    names = [name for name, count in having.items() if name in form["required"] or 2 * count >= len(examples)]
    properties = form["properties"] if examples else {n: _filled(one) for n, one in form["properties"].items()}
    return {**form, "properties": properties, "required": names}


def _filled(form: Form) -> Form:
    """The form without null and without empty texts, lists and objects, where it allows more."""
    if "anyOf" in form:
        choices = [_filled(one) for one in form["anyOf"] if one.get("type") != "null"]
        return choices[0] if len(choices) == 1 else {"anyOf": choices}
    for least, most in (("minItems", "maxItems"), ("minProperties", "maxProperties"), ("minLength", "maxLength")):
        if form.get(most) and "pattern" not in form and "format" not in form:
            return {**form, least: max(1, form.get(least, 0))}
    return {**form, "required": form["required"] or list(form["properties"])[:1]} if form.get("properties") else form


def token_bound(tightened: Mapping[str, Any]) -> tuple[int, str]:
    """Tokens that a completion under a tightened schema never exceeds, and the field that takes most of them.

    The worst case is one token for each UTF-8 byte of compact JSON.
    """
    size, field = _worst(tightened, WORST)
    return math.ceil(size) + END_TOKENS, field.lstrip(".")


def _worst(form: Mapping[str, Any], rate: Rate) -> tuple[float, str]:
    """Most tokens of a form's JSON, and the path of the leaf that takes most of them."""
    if "enum" in form:
        return rate.byte * max(map(json_bytes, form["enum"])), ""
    if "anyOf" in form:
        return max((_worst(one, rate) for one in form["anyOf"]), key=lambda found: found[0])
    if form["type"] == "object":
        return _worst_object(form, rate)
    if form["type"] == "array":
        items = [(f"[{i}]", *_worst(item, rate)) for i, item in enumerate(form.get("prefixItems", ()))]
        more = form["maxItems"] - len(items)
        if more > 0:
            size, path = _worst(form["items"], rate)
            items.append(("[]", more * (size + rate.byte), path))
        return _sum(items, rate)
    if form["type"] == "string":
        return 2 * rate.byte + _characters(form) * (1 if "format" in form else rate.character), ""
    if form["type"] in {"integer", "number"}:
        decimals = -int(Decimal(str(form.get("multipleOf", 1))).as_tuple().exponent)
        whole = max(len(str(math.floor(form["minimum"]))), len(str(math.ceil(form["maximum"]))))
        return whole + (1 + decimals if decimals > 0 else 0), ""
    return 5 * rate.byte, ""  # true, false, null


def _worst_object(form: Mapping[str, Any], rate: Rate) -> tuple[float, str]:
    fields = []
    for name, value in form.get("properties", {}).items():
        size, path = _worst(value, rate)
        fields.append((f".{name}", rate.byte * (json_bytes(name) + 1) + size, path))
    for pattern, value in form.get("patternProperties", {}).items():
        size, path = _worst(value, rate)
        width = 2 * rate.byte + rate.character * (pattern_width(pattern)[1] or 0)
        fields.append((".*", form["maxProperties"] * (width + 2 * rate.byte + size), path))
    return _sum(fields, rate)


def _sum(parts: Sequence[tuple[str, float, str]], rate: Rate) -> tuple[float, str]:
    """Tokens of parts with their commas and brackets, and the path through the largest of them."""
    if not parts:
        return 2 * rate.byte, ""
    key, _, path = max(parts, key=lambda part: part[1])
    return rate.byte * (1 + len(parts)) + sum(size for _, size, _ in parts), key + path


def json_bytes(value: Any) -> int:
    """Bytes of a value as compact JSON in UTF-8."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
