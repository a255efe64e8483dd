"""The fast validator gives the verdicts of the reference, on every kind of schema where the two differ by nature."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textsynth.inputs.dialects import DRAFTS, Draft, fast_validator, validator
from textsynth.inputs.fast import translated

SCHEMAS = Path(__file__).parents[3] / "shared" / "data" / "schemas"
NUMBERS = [0, 1, -3, 0.07, 0.1, 0.3, 4.35, 19.99, 1.0, 2**53, 2**53 + 1, 2.0**63, 10**25, 10**25 + 1, 1e25, 1e-300]
TEXTS = ["", "a", "a\n", "\n", "12", "12\n", "\u0664\u0662", "\u00e9", "b\r", "x-a", "\ud800", "\x1c", "\u2028"]
VALUES = [*NUMBERS, *TEXTS, None, True, False, [], {}, [1, 1.0], [1, True], [0, False], *({text: 1} for text in TEXTS)]


@pytest.mark.parametrize("draft", DRAFTS, ids=[draft.name for draft in DRAFTS])
@pytest.mark.parametrize(
    ("schema", "is_fast"),
    [
        ({"multipleOf": 0.01}, True),
        ({"multipleOf": 3}, True),
        ({"not": {"multipleOf": 0.1}}, True),
        ({"pattern": "^a$"}, True),
        ({"pattern": r"^\d+$"}, True),
        ({"pattern": r"^\w$"}, True),
        ({"pattern": ".+a*.+"}, True),
        ({"pattern": r"^[^\s\d]"}, True),
        ({"patternProperties": {"^[a-z0-9-]+$": {"type": "null"}}, "additionalProperties": False}, True),
        ({"patternProperties": {r"^\d": {"not": {}}}}, True),
        ({"patternProperties": {r"^\w+$": {"not": {}}}}, False),
        ({"contentEncoding": "base64", "contentMediaType": "application/json"}, True),
        ({"properties": {"dependencies": {"type": "string"}, "pattern": {"pattern": "a$"}}}, True),
        ({"enum": [1, "a", [0], None]}, True),
        ({"enum": [10**25]}, False),
        ({"minimum": 1e25}, False),
        ({"uniqueItems": True}, True),
        ({"allOf": [{"$ref": "#/definitions/a"}], "definitions": {"a": {"pattern": "^.$"}}}, True),
        ({"$ref": "#/definitions/a", "pattern": "^a", "definitions": {"a": {"pattern": "a$"}}}, True),
    ],
)
def test_verdicts_are_those_of_the_reference(schema: dict[str, Any], is_fast: bool, draft: Draft) -> None:
    schema = {"$schema": draft.uri, **schema}
    ours, reference = fast_validator(schema), validator(schema)
    assert ours.is_fast is is_fast
    for value in VALUES:
        assert ours.is_valid(value) is reference.is_valid(value), value


@pytest.mark.parametrize("draft", DRAFTS[3:], ids=["2019-09", "2020-12"])
def test_dependencies_say_nothing_since_they_were_dropped(draft: Draft) -> None:
    schema = {"$schema": draft.uri, "dependencies": {"a": ["b"]}}
    assert fast_validator(schema).is_valid({"a": 1}) is validator(schema).is_valid({"a": 1}) is True


def test_a_pattern_that_is_none_to_python_is_left_to_the_fast_validator() -> None:
    check = fast_validator({"pattern": r"^\p{Lu}"})
    assert check.is_valid("Éa")
    assert not check.is_valid("éa")


PIECES = st.sampled_from(["a", "b", "-", ".", r"\.", r"\d", r"\s", "[ab-]", r"[^a\d]", "(?:a|b)", "(ab)", " ", "/"])
PATTERNS = st.builds(
    lambda pieces, head, tail: head + "".join(piece + times for piece, times in pieces) + tail,
    st.lists(st.tuples(PIECES, st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,2}", "{0,}"])), max_size=4),
    st.sampled_from(["", "^"]),
    st.sampled_from(["", "$"]),
)


@given(PATTERNS, st.data())
def test_a_translated_pattern_matches_what_the_pattern_matches(pattern: str, data: st.DataObject) -> None:
    assert translated(pattern) is not None
    near = st.from_regex(pattern).map(lambda text: text[:8])
    text = data.draw(
        near | near.map(lambda text: text + "\n") | st.text("ab-. /3\u0663\n\r\x1c\u2028\u00e9", max_size=5)
    )
    matches = re.search(pattern, text) is not None
    assert fast_validator({"pattern": pattern}).is_valid(text) is matches
    assert fast_validator({"patternProperties": {pattern: False}}).is_valid({text: 1}) is not matches


@pytest.mark.parametrize("pattern", [r"\w", r"\bx", "(a$)", "a$b", "(?i)a", "(?=a)", "[[a]", "[a&&b]", r"(a)\1", "a++"])
def test_what_python_reads_in_its_own_way_is_not_translated(pattern: str) -> None:
    assert translated(pattern) is None


@pytest.mark.skipif(not SCHEMAS.exists(), reason="shared/data is not here")
def test_verdicts_on_the_test_suite_are_those_of_the_reference() -> None:
    judged = 0
    for line in gzip.decompress((SCHEMAS / "json_schema_test_suite.dev.jsonl.gz").read_bytes()).decode().split("\n"):
        row = json.loads(line or "null")
        if row is None or not isinstance(row["schema"], dict) or "localhost:1234" in line:
            continue
        draft = next(one for one in DRAFTS if row["draft"] == f"draft{one.name}")
        schema = {"$schema": draft.uri, **row["schema"]}
        ours, reference = fast_validator(schema), validator(schema)
        for test in row["tests"]:
            try:
                expected = reference.is_valid(test["data"])
            except re.error:
                expected = test["valid"]
            assert ours.is_valid(test["data"]) is expected, (row["file"], row["group"], test)
            judged += 1
    assert judged > 1500
