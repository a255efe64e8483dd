"""Schemas inferred from rows, and which columns are free text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textsynth.inputs.dialects import fast_validator
from textsynth.inputs.infer import infer_schema, is_free_text
from textsynth.inputs.schemas import schema_faults

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.floats(-1e9, 1e9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=3), inner, max_size=3),
    max_leaves=8,
)
ROWS = st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), min_size=1, max_size=6)


@settings(max_examples=80, deadline=None)
@given(ROWS)
def test_every_row_fits_the_schema_inferred_from_all(rows: list[dict[str, Any]]) -> None:
    schema = infer_schema(rows)
    assert not schema_faults(schema, "inferred")
    assert all(fast_validator(schema).is_valid(row) for row in rows)


def test_types_ranges_choices_and_required_fields() -> None:
    rows = [
        {"age": 40 + i, "dose": 0.5 * i, "sex": "fm"[i % 2], "note": f"note {i}", "smokes": i > 2,
         "tags": ["a", "b"], "lab": {"k": 4.1}, "side": None if i else "left"}
        for i in range(6)
    ]  # fmt: skip
    del rows[3]["age"]
    schema = infer_schema(rows)
    found = schema["properties"]
    assert found["age"] == {"type": "integer", "minimum": 40, "maximum": 45}
    assert found["dose"] == {"type": "number", "minimum": 0.0, "maximum": 2.5}
    assert found["sex"] == {"type": "string", "enum": ["f", "m"]}
    assert found["note"] == {"type": "string"}
    assert found["smokes"] == {"type": "boolean"}
    assert found["tags"] == {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}}
    assert found["lab"]["properties"]["k"]["type"] == "number"
    assert set(found["side"]["type"]) == {"string", "null"}
    assert set(schema["required"]) == set(found) - {"age"}
    assert not fast_validator(schema).is_valid(rows[0] | {"other": 1})


def test_whole_and_broken_numbers_are_numbers() -> None:
    assert infer_schema([{"a": 1}, {"a": 2.5}])["properties"]["a"] == {"type": "number", "minimum": 1, "maximum": 2.5}


def test_a_column_of_many_texts_is_no_enum() -> None:
    assert "enum" not in infer_schema([{"a": str(i // 2)} for i in range(60)])["properties"]["a"]


@pytest.mark.parametrize(
    ("values", "free"),
    [
        (["a b c d e f"] * 10, True),
        (["a b c d e"] * 10, False),
        (["x", "y", "z", "x"], True),
        (["x", "y", "x", "y"], False),
        ([1, 2, 3, 4.5], False),
        ([True, None], False),
        ([None, "f", "m", "f", "m"], False),
        ([], False),
    ],
)
def test_free_text_has_long_or_mostly_distinct_values(values: list[Any], free: bool) -> None:
    assert is_free_text(values) is free
