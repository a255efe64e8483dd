"""The record schema: read and checked, asked about its properties, and cut down to what one step writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonschema_rs import meta
from referencing.exceptions import Unresolvable

from textsynth.errors import InputError
from textsynth.inputs import keywords
from textsynth.inputs.bounds import Impossible
from textsynth.inputs.dialects import (
    DRAFTS,
    REFERENCES,
    Part,
    Schema,
    draft_of,
    excerpt,
    explain,
    fast_validator,
    root_part,
)
from textsynth.inputs.tighten import impossible, plain_parts
from textsynth.job import builtin, builtin_names
from textsynth.wording import nearest

MOST_FAULTS = 8  # of one kind in one schema
DEFINITIONS = ("$defs", "definitions")
INSIDE = ("#/$defs/", "#/definitions/")
BETWEEN_FIELDS = ("allOf", "anyOf", "oneOf", "if", "then", "else", "not")
RECORD = "urn:textsynth:record"


def load_schema(ref: str, job_path: Path) -> dict[str, Any]:
    """Read the record schema that a job names: a built-in one, or a .json file relative to the job's folder.

    Raises:
        InputError: there is no such file, or it is no schema that a record can be made from; all faults at once.
    """
    place = f"{job_path.name}: record_schema"
    if ref.endswith(".json"):
        path = job_path.parent / ref
    elif (found := builtin("schemas", ref, ".json")) is not None:
        path = found
    else:
        names = builtin_names("schemas", ".json")
        raise InputError(
            f"{place} is {excerpt(ref)}, which is no built-in schema. {nearest(ref, names)}"
            f"Use one of {', '.join(names)}, or a path that ends in .json."
        )
    schema = _read(path, f"{place} {ref}")
    faults = schema_faults(schema, path.name) or record_faults(schema, path.name)
    if faults:
        raise InputError(faults)
    return dict(schema)


def _read(path: Path, place: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise InputError(f"{place}: there is no such file. Give a path relative to the job file.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{path.name}: {where}: not valid JSON ({error.msg}). Mend that line.") from None
    except (RecursionError, _ConstantError):
        raise InputError(f"{path.name}: not valid JSON (NaN, Infinity or nested too deep). Use plain JSON.") from None
    except (OSError, ValueError):
        raise InputError(f"{place}: the file cannot be read. Give a UTF-8 JSON file.") from None


class _ConstantError(Exception):
    """The file has a number that JSON does not know."""


def _refuse_constant(name: str) -> None:
    raise _ConstantError(name)


def schema_faults(schema: Any, place: str) -> list[str]:
    """What makes a value no JSON Schema that we can use: its draft, its meta-schema, its references, its patterns."""
    if not isinstance(schema, dict):
        return [f"{place}: the schema is {excerpt(schema)}. Use a JSON object with properties."]
    draft = draft_of(schema)
    if draft is None:
        known = ", ".join(one.uri for one in DRAFTS)
        return [f"{place}: $schema is {excerpt(schema['$schema'])}, which is not a known draft. Use one of {known}."]
    try:
        fast_validator(schema)
        said = ""
    except ValueError as error:
        said = excerpt(str(error).split("\n")[0])
        rules = draft.reference(draft.reference.META_SCHEMA)
        broken = [explain(one) for one in rules.iter_errors(schema)][:MOST_FAULTS]
        if broken:
            return [f"{place}: {one} Mend the schema (draft {draft.name})." for one in broken]
    faults = _reference_faults(schema, place)
    if said and not faults:
        faults = [f"{place}: {said}. Use regular expressions and references that JSON Schema knows."]
    return faults


def _reference_faults(schema: Schema, place: str) -> list[str]:
    """Every `$ref` that leaves the document or points to nothing."""
    faults: dict[str, None] = {}
    for part in _every(root_part(schema)):
        reference = part.reference()
        if reference is None or _follow(part, reference) is not None:
            continue
        if reference.startswith("#"):
            said = "which is no schema in this file. Point it to one, such as #/$defs/NAME."
        else:
            said = "which is outside this file. Copy that schema under $defs and point to #/$defs/NAME."
        faults[f"{place}: a $ref is {excerpt(reference)}, {said}"] = None
    return list(faults)[:MOST_FAULTS]


def _follow(part: Part, reference: str) -> Part | None:
    """What a reference points to; None if that is no schema of this document."""
    try:
        target = part.target(reference)
    except Unresolvable:
        return None
    if isinstance(target.schema, bool):
        return target
    fits = isinstance(target.schema, dict) and meta.is_valid({**target.schema, "$schema": part.draft.uri})
    return target if fits else None


def _every(root: Part) -> Iterator[Part]:
    """A schema and all schemas in it or behind its references, each once."""
    stack, seen = [root], set()
    while stack:
        part = stack.pop()
        if not isinstance(part.schema, dict) or id(part.schema) in seen:
            continue
        seen.add(id(part.schema))
        yield part
        stack += [part.child(one) for one in part.draft.specification.subresources_of(part.schema)]
        reference = part.reference()
        target = _follow(part, reference) if reference is not None else None
        stack += [target] if target is not None else []


def record_faults(schema: Schema, place: str) -> list[str]:
    """What makes a valid schema no schema of records: an object with named properties that some value fits."""
    kinds = schema.get("type", "object")
    if "object" not in ([kinds] if isinstance(kinds, str) else kinds):
        return [f"{place}: its type is {excerpt(kinds)}. A record is an object: use the type object with properties."]
    try:
        names = _raw_properties(schema)
    except Impossible as reason:
        return [f"{place}: no record fits it ({reason}). Loosen it."]
    if not names:
        return [f"{place}: it names no properties. Name each field of a record under properties."]
    if any(not name.strip() for name in names):
        return [f"{place}: a property has an empty name. Give each field a name."]
    return satisfiable_faults(schema, place)


def satisfiable_faults(schema: Schema, place: str) -> list[str]:
    """The properties that no value fits, and why; else why no record fits the schema as a whole."""
    root = root_part(schema)
    faults = []
    for name, parts in _property_parts(schema).items():
        reason = impossible(root, parts)
        if reason is not None:
            faults.append(f"{place}: no value fits the property {excerpt(name)} ({reason}). Loosen it or take it out.")
    whole = None if faults else impossible(root, [root])
    return faults if whole is None else [f"{place}: no record fits it ({whole}). Loosen it."]


def property_schemas(schema: Schema) -> dict[str, Any]:
    """The schema of each property of a record, in order; a local $ref is followed one step."""
    found: dict[str, Any] = {}
    for name, parts in _property_parts(schema).items():
        reference = parts[0].reference() if len(parts) == 1 and isinstance(parts[0].schema, dict) else None
        found[name] = _all_of([parts[0].target(reference)] if reference else parts)
    return found


def required(schema: Schema) -> set[str]:
    """The properties that every record must have."""
    return keywords.required_names(plain_parts(root_part(schema)))


def sub_schema(schema: Schema, names: Sequence[str], extra: Mapping[str, Any]) -> dict[str, Any]:
    """The object that one step writes: the named properties in the schema's order, then its working fields.

    Each of them is required, also where a record could do without it: a step writes what it is asked for. Rules
    between fields (anyOf, if, ...) are kept where the step writes all fields and these can meet them. The result
    stands on its own.
    """
    raw = _raw_properties(schema)
    properties = {name: one for name, one in raw.items() if name in set(names)}
    kept = {key: schema[key] for key in ("$schema", "$id", "id", *DEFINITIONS) if key in schema}
    inside = all(reference.startswith(INSIDE) for reference in _references(schema))
    if not inside:
        base = str(schema.get("$id", schema.get("id", RECORD))).rstrip("#")
        kept = {"$schema": schema.get("$schema", DRAFTS[-1].uri)}
        kept["definitions"] = {"record": {**schema, "id" if draft_of(schema) == DRAFTS[0] else "$id": base}}
        properties = {name: _rebased(one, base) for name, one in properties.items()}
    step = {**kept, "type": "object", "properties": {**properties, **extra},
            "required": [*properties, *extra], "additionalProperties": False}  # fmt: skip
    rules = {key: schema[key] for key in BETWEEN_FIELDS if key in schema}
    if not rules or extra or len(properties) < len(raw) or not inside:
        return step
    whole = root_part({**step, **rules})
    return step if impossible(whole, [whole]) else dict(whole.schema)


def _references(schema: Schema) -> list[str]:
    return [found for part in _every(root_part(schema)) if (found := part.reference()) is not None]


def _rebased(schema: Any, base: str) -> Any:
    """A schema whose references are relative to the document `base` instead of the one they stand in."""
    if isinstance(schema, dict):
        return {key: base + value if key in REFERENCES and isinstance(value, str) and value.startswith("#")
                else _rebased(value, base) for key, value in schema.items()}  # fmt: skip
    return [_rebased(one, base) for one in schema] if isinstance(schema, list) else schema


def _property_parts(schema: Schema) -> dict[str, list[Part]]:
    """All that a schema says about each of its properties, in order; those that it plainly forbids are left out."""
    plain = plain_parts(root_part(schema))
    found = {name: list(keywords.about_property(plain, name)) for name in keywords.property_names(plain)}
    needed = keywords.required_names(plain)
    return {name: parts for name, parts in found.items()
            if name in needed or all(part.schema is not False for part in parts)}  # fmt: skip


def _raw_properties(schema: Schema) -> dict[str, Any]:
    """The schema of each property as it stands."""
    return {name: _all_of(parts) for name, parts in _property_parts(schema).items()}


def _all_of(parts: Sequence[Part]) -> Any:
    """One schema for several; `not: {}` instead of false, which draft 4 does not know."""
    schemas = [{"not": {}} if part.schema is False else part.schema for part in parts if part.schema is not True]
    return schemas[0] if len(schemas) == 1 else {"allOf": schemas} if schemas else {}
