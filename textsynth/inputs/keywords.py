"""What the keywords of a schema say, alike for all drafts: each function reads one kind, for schemas that all hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonschema.protocols import Validator

from textsynth.inputs.dialects import Part

NAME = "^[A-Za-z_][A-Za-z0-9_.-]{0,31}$"  # a property whose name the schema leaves free
IMPLIED = {
    "object": {"properties", "required", "additionalProperties", "patternProperties", "propertyNames"},
    "array": {"items", "prefixItems", "minItems", "maxItems", "contains"},
    "string": {"minLength", "maxLength", "pattern", "format"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}
"""The types that the keywords of an untyped schema speak of."""
KINDS = ("object", "array", "string", "number", "integer", "boolean", "null")
NUMBERS = {"integer", "number"}
LITERAL = {"enum", "const"}
ANY = ("string", "number", "boolean")  # the types of a value about which nothing is said
CHECKED = {"type", "enum", "minItems", "maxItems", "minProperties", "maxProperties", "required"}.union(
    IMPLIED["string"], IMPLIED["number"]
)


def literal(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with `const` as an enum of one value."""
    found = {key: value for key, value in schema.items() if key != "const"}
    return {**found, "enum": [schema["const"]]} if "const" in schema else found


def check_value(draft: Any, schema: Mapping[str, Any]) -> Validator:
    """A validator of the keywords that hold for a value as a whole, and need no reference."""
    checked = {key: value for key, value in schema.items() if key in CHECKED}
    if isinstance(schema.get("not"), dict) and schema["not"].keys() <= LITERAL:
        checked["not"] = schema["not"]
    found: Validator = draft.reference(checked)
    return found


def fits(rule: Validator, value: Any) -> bool:
    """Whether a value passes; a pattern that Python cannot compile is left to the final check."""
    try:
        return rule.is_valid(value)
    except re.error:
        return True


def writable(value: Any) -> bool:
    """Whether a value's JSON needs no other escape than those of a quote, a backslash and a new line."""
    text = json.dumps(value, ensure_ascii=False)
    return re.search(r'[\x7f\ud800-\udfff]|\\[^"\\n]', re.sub(r'\\["\\n]', "", text)) is None


def unions(part: Part) -> list[Part]:
    """The choices that a schema gives, each as a schema with `anyOf` alone."""
    schema = part.schema
    found = [schema[key] for key in ("anyOf", "oneOf") if isinstance(schema.get(key), list)]
    if "if" in schema and ("then" in schema or "else" in schema):
        met = {"allOf": [schema["if"], schema.get("then", True)]}
        unmet = {"allOf": [negation(schema["if"]), schema.get("else", True)]}
        found.append([met, unmet])
    return [part.child({"anyOf": options}) for options in found]


def also(part: Part) -> list[Part]:
    """Schemas that hold beside the keywords of this one."""
    found = list(part.schema.get("allOf", ()))
    refused = part.schema.get("not", False)
    if isinstance(refused, bool) or not refused.keys() & LITERAL:
        found.append(negation(refused))
    return [part.child(one) for one in found]


def negation(schema: Any) -> Any:
    """A schema for some of the values that do not fit `schema`; True where we know no way to say it."""
    if isinstance(schema, bool):
        return not schema
    if not schema:
        return False
    if schema.keys() & LITERAL:
        return {"not": {key: schema[key] for key in LITERAL if key in schema}}
    if schema.get("properties"):
        name, value = next(iter(schema["properties"].items()))
        return {"properties": {name: negation(value)}, "required": [name]}
    if schema.get("required"):
        return {"properties": {schema["required"][-1]: False}}
    if "type" in schema:
        gone = set(_listed(schema["type"]))
        gone |= NUMBERS if gone & NUMBERS else set()  # every integer is a number
        return {"type": [kind for kind in KINDS if kind not in gone]}
    return True


def dependents(part: Part, plain: Sequence[Part]) -> list[Part]:
    """What follows from properties that must be there; those that may, and then ask for more, are left out."""
    required = required_names(plain)
    found: list[Any] = []
    for key in ("dependencies", "dependentRequired", "dependentSchemas"):
        for name, needs in part.schema.get(key, {}).items():
            if name not in required:
                found.append({"properties": {name: False}})
            else:
                found.append({"required": needs} if isinstance(needs, list) else needs)
    return [part.child(one) for one in found]


def types(schemas: Sequence[Mapping[str, Any]], values: Sequence[Any]) -> list[str]:
    """The types that all schemas allow; where none names one, those that its keywords or the examples imply."""
    named = [_listed(schema["type"]) for schema in schemas if "type" in schema]
    if not named:
        keys = set().union(*schemas)
        implied = [kind for kind, words in IMPLIED.items() if words & keys]
        return implied or list(dict.fromkeys(map(type_name, values))) or list(ANY)
    wide = [set(kinds) | ({"integer"} if "number" in kinds else set()) for kinds in named]
    common = set.intersection(*wide)
    order = dict.fromkeys(kind for kinds in named for kind in kinds if kind in common)
    return [kind for kind in order if kind != "integer" or "number" not in common]


def _listed(kinds: str | list[str]) -> list[str]:
    return [kinds] if isinstance(kinds, str) else kinds


def type_name(value: Any) -> str:
    """The JSON Schema type of a value."""
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (dict, "object")):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "array"


def property_names(plain: Sequence[Part]) -> list[str]:
    """All properties that schemas name, in order."""
    found: list[str] = [name for part in plain for name in part.schema.get("properties", {})]
    if not found:
        for part in plain:
            names = part.schema.get("propertyNames")
            listed = names.get("enum", ()) if isinstance(names, dict) else ()
            found += [name for name in listed if isinstance(name, str)]
    for part in plain:
        found += part.schema.get("required", ())
    return list(dict.fromkeys(found))


def required_names(plain: Sequence[Part]) -> set[str]:
    """All properties that schemas require."""
    return {name for part in plain for name in part.schema.get("required", ())}


def about_property(plain: Sequence[Part], name: str) -> Iterator[Part]:
    """Everything that schemas say about the property of one name."""
    for part in plain:
        said = [part.schema["properties"][name]] if name in part.schema.get("properties", {}) else []
        said += [one for pattern, one in part.schema.get("patternProperties", {}).items() if _matches(pattern, name)]
        if not said and "additionalProperties" in part.schema:
            said = [part.schema["additionalProperties"]]
        yield from map(part.child, said)


def about_free_names(plain: Sequence[Part]) -> tuple[str, list[Part]]:
    """The pattern of property names that the schemas leave free, and everything they say about those properties."""
    pattern, about = NAME, []
    for part in plain:
        schema = part.schema
        names = schema.get("propertyNames")
        if isinstance(names, dict) and "pattern" in names:
            pattern = names["pattern"]
        if schema.get("patternProperties"):
            pattern, value = next(iter(schema["patternProperties"].items()))
            about.append(part.child(value))
        else:
            about += [part.child(schema[key]) for key in ("additionalProperties", "unevaluatedProperties")
                      if key in schema][:1]  # fmt: skip
    return pattern, about


def counts(plain: Sequence[Part], things: str) -> tuple[int, int | None]:
    """The bounds that schemas set for the number of their "Items" or "Properties"."""
    least = max((int(part.schema.get(f"min{things}", 0)) for part in plain), default=0)
    most = min((int(part.schema[f"max{things}"]) for part in plain if f"max{things}" in part.schema), default=None)
    return least, most


def item_counts(plain: Sequence[Part]) -> tuple[int, int | None]:
    """The bounds for the number of a list's items, each of which is what `contains` asks of some."""
    least, most = counts(plain, "Items")
    for part in plain:
        if _contains(part) is not None:
            least = max(least, int(part.schema.get("minContains", 1)))
            limits = [limit for limit in (most, part.schema.get("maxContains")) if limit is not None]
            most = int(min(limits)) if limits else None
    return least, most


def _contains(part: Part) -> Any:
    return part.schema.get("contains") if part.schema.get("minContains", 1) else None


def listed_items(part: Part) -> tuple[list[Any], Any]:
    """The schemas of a list's first items, and that of all others (None: nothing is said)."""
    schema = part.schema
    if isinstance(schema.get("items"), list):
        return schema["items"], schema.get("additionalItems")
    return schema.get("prefixItems", []), schema.get("items", schema.get("unevaluatedItems"))


def about_item(plain: Sequence[Part], index: int | None) -> list[Part]:
    """Everything that schemas say about the item at an index; None: about those that none of them lists."""
    found = []
    for part in plain:
        first, rest = listed_items(part)
        said = first[index] if index is not None and index < len(first) else rest
        found += [part.child(said)] if said is not None else []
        if index is None and _contains(part) is not None:
            found.append(part.child(_contains(part)))
    return found


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False
