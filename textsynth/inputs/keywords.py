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
DEPENDENCIES = ("dependencies", "dependentRequired", "dependentSchemas")
MOST_WAYS = 4  # properties by which a schema may be refused
ANY = ("string", "number", "boolean")  # the types of a value about which nothing is said
FIRST = "first of"  # our own keyword: like anyOf, but only the first choice that some value fits is taken
CHECKED = {"type", "enum", "minItems", "maxItems", "minProperties", "maxProperties", "required"}.union(
    IMPLIED["string"], IMPLIED["number"]
)


def literal(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with `const` as an enum of one value, and without a `not` that `also` tells."""
    told = {"const"} if _refuses_values(schema) else {"const", "not"}
    found = {key: value for key, value in schema.items() if key not in told}
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


def unions(part: Part, apart: bool) -> list[Part]:
    """A schema's choices, each as a schema with `anyOf` or FIRST alone; `apart`: those of a oneOf exclude others."""
    schema = part.schema
    found = [{key: schema[key]} for key in ("anyOf", FIRST) if isinstance(schema.get(key), list)]
    if isinstance(schema.get("oneOf"), list):
        listed = schema["oneOf"]
        found.append({"anyOf": [_alone(part, at) for at in range(len(listed))] if apart else listed})
    if "if" in schema and ("then" in schema or "else" in schema):
        met = {"allOf": [schema["if"], schema.get("then", True)]}
        unmet = {"allOf": [negation(schema["if"]), schema.get("else", True)]}
        found.append({"anyOf": [met, unmet]})
    return [part.child(one) for one in found]


def _alone(part: Part, at: int) -> Any:
    """One choice of a oneOf without what fits the others too, where we can say that; else the choice as it is."""
    choice, others = part.schema["oneOf"][at], [*part.schema["oneOf"][:at], *part.schema["oneOf"][at + 1 :]]
    own = _followed(part.child(choice)).schema
    rivals = [_followed(part.child(one)).schema for one in others]
    refused = [negation(one) for one in rivals if not _differ(own, one)]
    refused = [one for one in refused if one is not True]
    return {FIRST: [{"allOf": [choice, *refused]}, choice]} if refused else choice


def _differ(one: Any, other: Any) -> bool:
    """Whether two schemas name types that exclude each other."""
    named = [set(_listed(schema["type"])) for schema in (one, other) if isinstance(schema, dict) and "type" in schema]
    wide = [kinds | NUMBERS if kinds & NUMBERS else kinds for kinds in named]
    return len(wide) == 2 and not wide[0] & wide[1]


def _followed(part: Part) -> Part:
    """What the references of a schema lead to."""
    for _ in range(8):
        reference = part.reference() if isinstance(part.schema, dict) else None
        part = part if reference is None else part.target(reference)
    return part


def also(part: Part) -> list[Part]:
    """Schemas that hold beside the keywords of this one."""
    found = list(part.schema.get("allOf", ()))
    if "not" in part.schema and not _refuses_values(part.schema):
        found.append(negation(part.schema["not"]))
    return [part.child(one) for one in found]


def _refuses_values(schema: Mapping[str, Any]) -> bool:
    """Whether a schema has a `not` that lists values."""
    return isinstance(schema.get("not"), dict) and bool(schema["not"].keys() & LITERAL)


def negation(schema: Any) -> Any:
    """A schema for some of the values that do not fit `schema`; True where we know no way to say it."""
    if isinstance(schema, bool):
        return not schema
    if not schema:
        return False
    if schema.keys() & LITERAL:
        return {"not": {key: schema[key] for key in LITERAL if key in schema}}
    if isinstance(schema.get("not"), dict):
        return schema["not"]
    ways = [way for way in _refusals(schema) if way is not True]
    return True if not ways else ways[0] if len(ways) == 1 else {FIRST: ways}


def _refusals(schema: Mapping[str, Any]) -> Iterator[Any]:
    """Ways not to fit a schema, the most telling ones first."""
    inside = {name: negation(one) for name, one in schema.get("properties", {}).items()}
    marks = [
        name for name, one in schema.get("properties", {}).items() if isinstance(one, dict) and LITERAL & one.keys()
    ]
    for name in list(dict.fromkeys([*marks, *inside]))[:MOST_WAYS]:
        if inside[name] is not True:
            yield {"properties": {name: inside[name]}, "required": [name]}
    for name in schema.get("required", [])[: -MOST_WAYS - 1 : -1]:
        yield {"properties": {name: False}}
    for one in schema.get("allOf", ()):
        yield negation(one)
    if "anyOf" in schema and all(negation(one) is not True for one in schema["anyOf"]):
        yield {"allOf": [negation(one) for one in schema["anyOf"]]}
    if isinstance(schema.get("items"), dict) and (one := negation(schema["items"])) is not True:
        yield {"type": "array", "contains": one}
    if "type" in schema:
        gone = set(_listed(schema["type"]))
        gone |= NUMBERS if gone & NUMBERS else set()  # every integer is a number
        yield {"type": [kind for kind in KINDS if kind not in gone]}


def dependents(part: Part, plain: Sequence[Part]) -> list[Part]:
    """What follows from properties that must be there; those that may, and then ask for more, are left out."""
    keys = [key for key in DEPENDENCIES if key in part.schema]
    required = required_names(plain) if keys else set()
    found: list[Any] = []
    for key in keys:
        for name, needs in part.schema[key].items():
            if name not in required:
                found.append({"properties": {name: False}})
            else:
                found.append({"required": needs} if isinstance(needs, list) else needs)
    return [part.child(one) for one in found]


def settled(part: Part) -> Part:
    """The schema without what `dependents` has told."""
    return part._replace(schema={key: value for key, value in part.schema.items() if key not in DEPENDENCIES})


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
            names = _followed(part.child(part.schema.get("propertyNames"))).schema
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
        names = _followed(part.child(schema.get("propertyNames"))).schema
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
