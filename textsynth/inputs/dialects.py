"""The drafts of JSON Schema that we read, their validators, and what a local $ref points to."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jsonschema_rs
import referencing
from jsonschema import Draft4Validator, Draft6Validator, Draft7Validator, Draft201909Validator, Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.protocols import Validator
from referencing.exceptions import Unresolvable
from referencing.jsonschema import specification_with

from textsynth.inputs.fast import KEYWORDS, UntranslatedError, rewritten

Schema = Mapping[str, Any]
_ENGINE = jsonschema_rs.RegexOptions()  # the default one lets ".+a*.+" match a single character
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
EXCERPT = 80  # most characters of a schema's value in a message


class Draft(NamedTuple):
    """One draft: its name, its meta-schema's address, the reference validator and the fast one."""

    name: str
    uri: str
    reference: Any
    fast: Any

    @property
    def old(self) -> bool:
        """Whether a $ref hides the keywords beside it, as up to draft 7."""
        return self.name in {"4", "6", "7"}

    @property
    def specification(self) -> Any:
        """How the draft's references work."""
        return specification_with(self.uri)


DRAFTS = (
    Draft("4", "http://json-schema.org/draft-04/schema", Draft4Validator, jsonschema_rs.Draft4Validator),
    Draft("6", "http://json-schema.org/draft-06/schema", Draft6Validator, jsonschema_rs.Draft6Validator),
    Draft("7", "http://json-schema.org/draft-07/schema", Draft7Validator, jsonschema_rs.Draft7Validator),
    Draft("2019-09", "https://json-schema.org/draft/2019-09/schema", Draft201909Validator,
          jsonschema_rs.Draft201909Validator),
    Draft("2020-12", "https://json-schema.org/draft/2020-12/schema", Draft202012Validator,
          jsonschema_rs.Draft202012Validator),
)  # fmt: skip


def draft_of(schema: Schema) -> Draft | None:
    """The draft that `$schema` names (2020-12 where it names none); None for one that we do not know."""
    named = schema.get("$schema", DRAFTS[-1].uri)
    if not isinstance(named, str):
        return None
    bare = named.rstrip("#").split("://")[-1]
    return next((draft for draft in DRAFTS if draft.uri.split("://")[-1] == bare), None)


def known_draft(schema: Schema) -> Draft:
    """The draft of a schema that `schema_faults` has passed."""
    return draft_of(schema) or DRAFTS[-1]


def validator(schema: Schema) -> Validator:
    """The reference validator: never opens a URL; `format` is not asserted, as the specification has it."""
    found: Validator = known_draft(schema).reference(schema, registry=referencing.Registry())
    return found


class FastValidator:
    """The reference validator's verdicts at the speed of the fast one; never opens a URL.

    `is_valid(value)` says whether a value fits. What the reference cannot judge, such as a pattern that is none to
    Python, is judged by the fast validator alone, or refused where only the reference is used. `is_fast` says whether
    the fast validator is used; if not, every value goes to the reference.

    Raises:
        ValueError: the schema is not one, or a $ref in it points to nothing.
    """

    def __init__(self, schema: Schema) -> None:
        draft = known_draft(schema)
        slow = partial(_reference_verdict, validator(schema))
        draft.fast(dict(schema), validate_formats=False, offline=True)  # a fault is to be said of the schema as it is
        self.is_valid: Callable[[Any], bool] = slow
        with contextlib.suppress(UntranslatedError, ValueError):
            ready = rewritten(schema, draft.name)
            fast = draft.fast(ready, validate_formats=False, offline=True, keywords=KEYWORDS, pattern_options=_ENGINE)
            self.is_valid = _first_able(fast.is_valid, slow)
        self.is_fast = self.is_valid is not slow


def _first_able(fast: Callable[[Any], bool], slow: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def is_valid(value: Any) -> bool:
        try:
            return fast(value)
        except ValueError:  # a value that it cannot read, such as half a surrogate pair
            return slow(value)

    return is_valid


def _reference_verdict(reference: Validator, value: Any) -> bool:
    try:
        return bool(reference.is_valid(value))
    except (re.error, Unresolvable, OverflowError):
        return False


def fast_validator(schema: Schema) -> FastValidator:
    """As `FastValidator`."""
    return FastValidator(schema)


_PHRASES = {
    "type": "is not of the type {value}",
    "required": "lacks the property {missing}",
    "additionalProperties": "has properties that are not allowed",
    "unevaluatedProperties": "has properties that are not allowed",
    "enum": "is not one of {value}",
    "const": "is not {value}",
    "minLength": "is shorter than {value} characters",
    "maxLength": "is longer than {value} characters",
    "pattern": "does not match the pattern {value}",
    "minimum": "is less than {value}",
    "maximum": "is more than {value}",
    "exclusiveMinimum": "is not more than {value}",
    "exclusiveMaximum": "is not less than {value}",
    "multipleOf": "is not a multiple of {value}",
    "minItems": "has fewer than {value} items",
    "maxItems": "has more than {value} items",
    "uniqueItems": "has an item twice",
    "minProperties": "has fewer than {value} properties",
    "maxProperties": "has more than {value} properties",
    "anyOf": "fits none of the allowed forms",
    "oneOf": "does not fit exactly one of the allowed forms",
    "not": "has a form that is forbidden",
}


def first_error(schema_validator: Validator, value: Any) -> str:
    """Why a value is refused, as one sentence with its JSON pointer and without the value; empty if it is not."""
    try:
        error = best_match(schema_validator.iter_errors(value))
    except (re.error, Unresolvable, OverflowError):
        return "/ does not fit the schema."
    return "" if error is None else explain(error)


def explain(error: ValidationError) -> str:
    """One sentence for one error of the reference validator: where, and which rule; never the value itself."""
    rule = str(error.validator)
    phrase = _PHRASES.get(rule, "breaks the rule {rule} {value}")
    missing = ""
    if rule == "required" and isinstance(error.validator_value, list) and isinstance(error.instance, dict):
        missing = excerpt(", ".join(str(name) for name in error.validator_value if name not in error.instance))
    said = phrase.format(value=excerpt(error.validator_value), missing=missing, rule=rule)
    return f"{pointer(error.absolute_path)} {said}."


def pointer(path: Iterable[str | int]) -> str:
    """A JSON pointer (RFC 6901); `/` for the whole value."""
    return "/" + "/".join(excerpt(str(part)).replace("~", "~0").replace("/", "~1") for part in path)


def excerpt(value: Any) -> str:
    """A value of a schema as short text for a message."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= EXCERPT else text[: EXCERPT - 3] + "..."


class Part(NamedTuple):
    """A schema, and what is needed to look up the references in it."""

    schema: Any
    resolver: Any
    draft: Draft

    def child(self, schema: Any) -> Part:
        """A schema inside this one; an `$id` in it changes what its references are relative to."""
        resolver = self.resolver
        if isinstance(schema, dict) and any(isinstance(schema.get(key), str) for key in ("$id", "id")):
            resolver = resolver.in_subresource(self.draft.specification.create_resource(schema))
        return Part(schema, resolver, self.draft)

    def target(self, reference: str) -> Part:
        """What a `$ref` in this schema points to.

        Raises:
            Unresolvable: it points to nothing in this document.
        """
        try:
            found = self.resolver.lookup(reference)
        except (AttributeError, TypeError, ValueError):  # an `id` on the way is no text, or the address is no URI
            raise Unresolvable(reference) from None
        return Part(found.contents, found.resolver, self.draft)

    def reference(self) -> str | None:
        """The `$ref` of this schema (or its dynamic or recursive kin), if it has one."""
        found = (self.schema.get(key) for key in REFERENCES)
        return next((ref for ref in found if isinstance(ref, str)), None)


def root_part(schema: Schema) -> Part:
    """The whole schema, ready to look up its references."""
    draft = known_draft(schema)
    resolver = referencing.Registry().resolver_with_root(draft.specification.create_resource(schema))
    return Part(schema, resolver, draft)
