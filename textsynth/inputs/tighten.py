"""A record schema, made narrow enough to decode under: every completion ends, and fits what grammars can express.

The result has no references, no unions but anyOf, and a bound on everything. It allows nothing that the original
forbids, except by the few keywords that no grammar holds (some of not and oneOf, uniqueItems, look-around in patterns):
the original judges every record afterwards. A schema whose every trial record breaks such a keyword is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from textsynth.errors import InputError
from textsynth.inputs import keywords
from textsynth.inputs.bounds import (
    ARRAY,
    MAP,
    SHORTEST_ARRAY,
    SLACK,
    Impossible,
    bounded_name,
    number_form,
    string_form,
)
from textsynth.inputs.budget import asked, fitted
from textsynth.inputs.dialects import DRAFTS, Part, root_part
from textsynth.inputs.trial import hopeless

Form = dict[str, Any]
GUIDANCE = {
    "whitespace_flexible": False,
    "item_separator": ",",
    "key_separator": ":",
    "json_allowed_escapes": '"\\n',
}
"""llguidance's options for compact JSON with no escapes but those of a quote, a backslash and a new line."""

MAX_NODES = 3000
MAX_DEPTH = 60  # levels and references on the way to a node; more would exhaust Python's stack
SIZES = (
    (2, 99, 16, True), (2, 99, 16, False), (1, 99, 8, False), (1, 6, 4, False), (0, 3, 2, False), (0, 1, 1, False),
    (0, 0, 1, False),
)  # fmt: skip
"""How large a form may get, tried in turn until it keeps to MAX_NODES and MAX_DEPTH: how often a reference may stand
inside itself, the level below which optional properties are left out, how many branches of a union are kept, and
whether the branches of a oneOf are kept apart, where the schema as a whole judges that too."""

COMPOSED = {"allOf", "anyOf", "oneOf", "if", "then", "else", keywords.FIRST}


class _TooLarge(Exception):
    """The form has more nodes or levels than we allow."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in a record: the examples' values there, and which references lead to it through how many levels."""

    values: Sequence[Any]
    entered: tuple[int, ...] = ()
    level: int = 0

    def inside(self, values: Sequence[Any]) -> _Place:
        return replace(self, values=values, level=self.level + 1)


def tighten(
    schema: Mapping[str, Any], examples: Sequence[Mapping[str, Any]] = (), max_tokens: int | None = None
) -> Form:
    """The schema to decode under; bounds that the user did not set come from the examples, else from defaults.

    Top-level properties that the examples mostly have, or all where there are no examples, are required of an answer.

    Args:
        max_tokens: shrinks all bounds, also the user's, and leaves out optional properties, until nearly every answer
            ends within so many tokens.

    Raises:
        InputError: no value fits the schema, a keyword of it is beyond grammars, or what it requires is too large.
    """
    part = root_part(schema)
    for size in SIZES:
        try:
            form = _Former(part, *size).form([part], _Place(examples, (id(schema),)))
        except _TooLarge:
            continue
        except Impossible as reason:
            raise InputError(f"record_schema: no value fits it ({reason}). Mend the schema.") from None
        form = asked(form if max_tokens is None else fitted(form, max_tokens), examples)
        if hindrance := hopeless(schema, form):
            raise InputError(f"record_schema: {hindrance}. Say it in other keywords, or take it out.")
        return {"$schema": DRAFTS[-1].uri, **form, "x-guidance": dict(GUIDANCE)}
    raise InputError(
        f"record_schema: what it requires has more than {MAX_NODES} parts or {MAX_DEPTH} levels. Require less."
    )


def impossible(part: Part, among: Sequence[Part]) -> str | None:
    """Why no value fits all of `among`, parts of the document `part`, as a clause; None where some value may."""
    reason = None
    for size in SIZES[::-1]:  # a small form settles most schemas
        try:
            _Former(part, *size).form(among, _Place(()))
            return None
        except Impossible as refusal:
            reason = str(refusal)
        except _TooLarge:
            break
    return reason


def plain_parts(part: Part) -> list[Part]:
    """What holds for every value of a schema, with local references and allOf followed, and unions left out.

    Raises:
        Impossible: a part of it allows nothing.
    """
    return _Former(part, *SIZES[0]).flatten([part], _Place(()))[0]


class _Former:
    """Turns schemas that must all hold into one form."""

    def __init__(self, part: Part, nesting: int, levels: int, branches: int, apart: bool) -> None:
        self.draft = part.draft
        self.nesting, self.levels, self.branches, self.apart = nesting, levels, branches, apart
        self.nodes = 0

    def form(self, parts: Sequence[Part], place: _Place) -> Form:
        """The form of all values that fit each of `parts`.

        Raises:
            Impossible: there is no such value.
        """
        self.nodes += 1
        if self.nodes > MAX_NODES or place.level + len(place.entered) > MAX_DEPTH:
            raise _TooLarge
        plain, unions, entered = self.flatten(parts, place)
        place = replace(place, entered=place.entered + entered)
        if unions:
            (key, listed), *_ = unions[0].schema.items()
            options = [unions[0].child(option) for option in listed]
            most = 1 if key == keywords.FIRST else self.branches
            return self._any(lambda option: self.form([*plain, option, *unions[1:]], place), options, most)
        schemas = [part.schema for part in plain]
        if any("enum" in schema for schema in schemas):
            return self._enum(schemas)
        kinds = keywords.types(schemas, place.values)
        return self._any(lambda kind: self._typed(kind, plain, place), kinds, self.branches)

    def _any(self, form: Callable[[Any], Form], options: Iterable[Any], most: int) -> Form:
        """The union of the forms of those options that some value fits, up to `most` of them."""
        forms: list[Form] = []
        reasons = []
        for option in options:
            try:
                found = form(option)
            except Impossible as reason:
                reasons.append(str(reason))
                continue
            forms.extend(one for one in found.get("anyOf", [found]) if one not in forms)
            if len(forms) >= most:
                break
        if not forms:
            raise Impossible(reasons[0] if reasons else "its types exclude each other")
        return forms[0] if len(forms) == 1 else {"anyOf": forms}

    def flatten(self, parts: Sequence[Part], place: _Place) -> tuple[list[Part], list[Part], tuple[int, ...]]:
        """The same parts without references and allOf, their unions apart, and which references were entered."""
        plain: list[Part] = []
        unions: list[Part] = []
        entered: tuple[int, ...] = ()
        stack = list(reversed(parts))
        settled = 0
        while stack or settled < len(plain):
            if not stack:
                stack += reversed(keywords.dependents(plain[settled], plain))
                plain[settled] = keywords.settled(plain[settled])
                settled += 1
                continue
            part = stack.pop()
            if part.schema is False:
                raise Impossible("the schema false allows nothing")
            if not isinstance(part.schema, dict):
                continue
            reference = part.reference()
            if reference is not None:
                target = part.target(reference)
                if id(target.schema) not in entered:
                    if place.entered.count(id(target.schema)) > self.nesting:
                        raise Impossible(f"{reference} holds itself without end")
                    entered += (id(target.schema),)
                    stack.append(target)
                if self.draft.old:
                    continue
            own = keywords.literal(part.schema).items()
            kept = {key: value for key, value in own if key not in COMPOSED and not key.startswith("$")}
            plain.append(part._replace(schema=kept))
            unions += keywords.unions(part, self.apart)
            stack += reversed(keywords.also(part))
        return plain, unions, entered

    def _enum(self, schemas: Sequence[Mapping[str, Any]]) -> Form:
        rules = [keywords.check_value(self.draft, schema) for schema in schemas]
        listed = next(schema["enum"] for schema in schemas if "enum" in schema)
        fitting = [v for v in listed if keywords.writable(v) and all(keywords.fits(rule, v) for rule in rules)]
        if not fitting:
            raise Impossible("no value of its enum fits its other rules" if listed else "its enum is empty")
        return {"enum": fitting}

    def _typed(self, kind: str, plain: Sequence[Part], place: _Place) -> Form:
        schemas = [part.schema for part in plain]
        match kind:
            case "object":
                return self._object(plain, place)
            case "array":
                return self._array(plain, place)
            case "string":
                return string_form(schemas, place.values)
            case "integer" | "number":
                return number_form(schemas, place.values, kind == "integer")
        return {"type": kind}

    def _object(self, plain: Sequence[Part], place: _Place) -> Form:
        names = keywords.property_names(plain)
        least, most = keywords.counts(plain, "Properties")
        if not names:
            return self._map(plain, place, least, most)
        required = keywords.required_names(plain)
        seen = [value for value in place.values if isinstance(value, dict)]
        forms: dict[str, Form] = {}
        for name in names:
            if name not in required and place.level > self.levels:
                continue
            try:
                inside = place.inside([value[name] for value in seen if name in value])
                forms[name] = self.form(list(keywords.about_property(plain, name)), inside)
            except Impossible as reason:
                if name in required:
                    raise Impossible(f"{name}: {reason}") from None
        if most is not None:  # grammars cannot count properties: the last optional ones go
            spare = [name for name in forms if name not in required][max(0, most - len(required)) :]
            forms = {name: form for name, form in forms.items() if name not in spare}
        if len(forms) < least or (most is not None and len(forms) > most):
            raise Impossible(f"it has {len(forms)} properties, which minProperties or maxProperties forbids")
        needed = [name for name in forms if name in required]
        needed += [name for name in forms if name not in required][: max(0, least - len(needed))]
        return {"type": "object", "properties": forms, "required": needed, "additionalProperties": False}

    def _map(self, plain: Sequence[Part], place: _Place, least: int, most: int | None) -> Form:
        """An object whose names are free: short names, and few of them."""
        empty: Form = {"type": "object", "additionalProperties": False}
        seen = [value for value in place.values if isinstance(value, dict)]
        most = most if most is not None else max(least, MAP, *(math.ceil(SLACK * len(value)) for value in seen))
        if least > most:
            raise Impossible(f"minProperties {least} is above maxProperties {most}")
        pattern, about = keywords.about_free_names(plain)
        name = bounded_name(pattern)
        try:
            if name is None or most == 0 or place.level > self.levels:
                raise Impossible(f"names that match {pattern} have no end")
            form = self.form(about, place.inside([one for value in seen for one in value.values()]))
        except Impossible:
            if least:
                raise
            return empty
        return {**empty, "patternProperties": {name: form}, "minProperties": least, "maxProperties": most}

    def _array(self, plain: Sequence[Part], place: _Place) -> Form:
        seen = [value for value in place.values if isinstance(value, list)]
        least, most = keywords.item_counts(plain)
        if most is not None and least > most:
            raise Impossible(f"minItems {least} is above maxItems {most}")
        longest = max((math.ceil(SLACK * len(value)) for value in seen), default=ARRAY)
        listed = max((len(keywords.listed_items(part)[0]) for part in plain), default=0)
        if most is None:
            most = max(least, listed or max(longest, SHORTEST_ARRAY))
        first: list[Form] = []
        rest: Any = False
        try:
            for index in range(min(listed, most)):
                there = place.inside([value[index] for value in seen if len(value) > index])
                first.append(self.form(keywords.about_item(plain, index), there))
            if most > listed:
                there = place.inside([one for value in seen for one in value[listed:]])
                rest = self.form(keywords.about_item(plain, None), there)
        except Impossible as reason:
            most = len(first)
            if least > most:
                raise Impossible(f"item {most}: {reason}") from None
        if any(part.schema.get("uniqueItems") is True for part in plain) and rest and "enum" in rest and not first:
            most = max(least, min(most, len(rest["enum"])))
        form: Form = {"type": "array", "items": rest, "minItems": least, "maxItems": most}
        return {**form, "prefixItems": first} if first else form
