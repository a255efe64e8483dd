"""A record fits the schema as the user wrote it, and its text ends by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from textsynth.filters.schema import SchemaFilter
from textsynth.inputs.dialects import fast_validator, first_error, validator
from textsynth.records import Record

SCHEMA = {
    "type": "object",
    "properties": {
        "age": {"type": "integer", "minimum": 0},
        "note": {"type": "string", "pattern": "^[A-Z]"},
        "tags": {"type": "array", "uniqueItems": True},
    },
    "required": ["age", "note"],
    "additionalProperties": False,
}


def schema_filter() -> SchemaFilter:
    slow = validator(SCHEMA)
    return SchemaFilter(fast_validator(SCHEMA).is_valid, lambda value: first_error(slow, value), {"note": 20})


def record(fields: Mapping[str, Any] | None) -> Record:
    return Record("r0000001", 0, {}, fields)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"age": 4, "note": "Rests."}, None),
        ({"age": 4, "note": "N" + "n" * 18}, None),
        ({"age": 4, "note": "N" + "n" * 19}, "truncated"),  # as long as decoding let it be
        ({"age": 4, "note": "N" + "n" * 99}, "truncated"),
        ({"age": "4", "note": "Rests."}, "schema_mismatch"),
        ({"age": -1, "note": "Rests."}, "schema_mismatch"),
        ({"age": 4, "note": "rests quietly"}, "schema_mismatch"),
        ({"age": 4, "note": "Rests.", "tags": ["a", "a"]}, "schema_mismatch"),
        ({"age": 4, "note": "Rests.", "tag": []}, "schema_mismatch"),
        ({"age": 4}, "schema_mismatch"),
        ({}, "schema_mismatch"),
        (None, "schema_mismatch"),
    ],
)
def test_reasons(fields: Mapping[str, Any] | None, reason: str | None) -> None:
    verdict = schema_filter().check(record(fields))
    assert (verdict.accepted, verdict.reason) == (reason is None, reason)


def test_a_verdict_names_the_place_and_holds_no_text() -> None:
    verdict = schema_filter().check(record({"age": 4, "note": "rests quietly"}))
    assert "note" in str(verdict.scores["error"])
    assert "rests" not in str(verdict)
    verdict = schema_filter().check(record({"age": 4, "note": "Rests quietly for now"}))
    assert verdict.scores == {"field": "note", "length": 21.0}


def test_evidence_has_the_bounds_that_decoding_imposed() -> None:
    assert schema_filter().evidence() == {"bounds": {"note": 20}}
