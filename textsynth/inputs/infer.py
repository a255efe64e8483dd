"""A record schema for data that comes without one, and which of its columns are free text."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from textsynth.inputs.dialects import DRAFTS
from textsynth.inputs.keywords import type_name

MOST_CHOICES = 20  # most distinct texts of a column that becomes an enum
FREE_TEXT_WORDS = 5  # a column whose median text has more words than this is free text


def infer_schema(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A 2020-12 schema that every row fits: types, ranges, choices, and which fields are always there."""
    return {"$schema": DRAFTS[-1].uri, **_object(rows)}


def is_free_text(values: Sequence[Any]) -> bool:
    """Whether a column holds texts rather than categories, so that drawing from it would repeat a seed's text.

    True where its texts have a median of more than 5 words, or more than half of them are distinct.
    """
    texts = [value for value in values if isinstance(value, str)]
    if not texts:
        return False
    words = statistics.median(len(text.split()) for text in texts)
    return words > FREE_TEXT_WORDS or len(set(texts)) > len(texts) / 2


def _object(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = dict.fromkeys(name for row in rows for name in row)
    properties = {name: _value([row[name] for row in rows if name in row]) for name in names}
    required = [name for name in names if all(name in row for row in rows)]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _value(values: Sequence[Any]) -> dict[str, Any]:
    """One schema that each of these values fits."""
    kinds = list(dict.fromkeys(map(type_name, values)))
    if "number" in kinds and "integer" in kinds:
        kinds.remove("integer")
    found: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else kinds} if kinds else {}
    texts = [value for value in values if isinstance(value, str)]
    choices = _choices(texts)
    if choices and set(kinds) <= {"string", "null"}:
        found["enum"] = choices + [None] * ("null" in kinds)
    numbers = [value for value in values if type_name(value) in {"integer", "number"}]
    if numbers:
        found |= {"minimum": min(numbers), "maximum": max(numbers)}
    items = [item for value in values if isinstance(value, list) for item in value]
    if items:
        found["items"] = _value(items)
    objects = [value for value in values if isinstance(value, Mapping)]
    return found | (_object(objects) | {"type": found["type"]} if objects else {})


def _choices(texts: Sequence[str]) -> list[str]:
    """The distinct texts of a column, in order, if they are few and each of them comes back; else none."""
    counted = Counter(texts)
    few = len(counted) <= MOST_CHOICES and len(counted) <= len(texts) / 2
    return sorted(counted) if few and min(counted.values(), default=0) > 1 else []
