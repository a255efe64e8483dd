"""What is taken out of an answer, and what is refused with which words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textsynth.parse import ParseError, parse_fields

VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]),
                                                                        max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('{"a": 1}', {"a": 1}),
        ('\n  {"a": 1}\n', {"a": 1}),
        ('Here it is: {"a": 1} I hope that it helps.', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('```\n{"a": 1}\n```', {"a": 1}),
        ('Sure, with {"b": 2} in mind:\n```json\n{"a": 1}\n```\nNot {"b": 2}.', {"a": 1}),
        ('```json\n{"a": "```python\\nx = {}\\n```"}\n```', {"a": "```python\nx = {}\n```"}),
        ('{"a": "```json\\n{}\\n```"}', {"a": "```json\n{}\n```"}),
        ('<think>maybe {"b": 2}?</think>{"a": 1}', {"a": 1}),
        ('maybe {"b": 2}?</think>\n\n{"a": 1}', {"a": 1}),  # the server had opened the block itself
        ('<think>hm</think>\n```json\n{"a": 1}\n```', {"a": 1}),
        ('{"a": "<think>b</think>"}', {"a": "<think>b</think>"}),
        ('```json\n{"a": "<think>b</think>"}\n```', {"a": "<think>b</think>"}),
        ('Here: {"a": "b</think> {"}', {"a": "b</think> {"}),
        ('<think>{"b": "</think>"} </think>{"a": 1}', {"a": 1}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        ("{}", {}),
    ],
)
def test_an_object_is_taken_out(text: str, fields: dict[str, object]) -> None:
    assert parse_fields(text) == fields


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "there is no JSON object"),
        ("I cannot do that.", "there is no JSON object"),
        ("[1, 2]", "there is no JSON object"),
        ('<think>{"a": 1}</think>', "there is no JSON object"),
        ('{"a": "the patient', "not valid JSON: Unterminated string"),
        ('{"a": 1', "not valid JSON: Expecting"),
        ('{"a": "two\nlines"}', "not valid JSON: Invalid control character"),
        ("{'a': 1}", "not valid JSON"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": [-Infinity]}', "-Infinity is not JSON"),
        ('{"a": 1e999}', "a number is too large"),
        ('{"a": ' + "1" * 9000 + "}", "a number is too large"),
        ('{"a": 1, "a": 2}', "a key stands twice"),
        ('{"a": {"b": 1, "b": 1}}', "a key stands twice"),
        ('{"a": 1} {"a": 2}', "there is more than one JSON object"),
        ('```json\n{"a": 1}\n{"a": 2}\n```', "there is more than one JSON object"),
        ('{"a": "\\ud83d"}', "half a surrogate pair"),
        ('{"\\ude00": 1}', "half a surrogate pair"),
        ('{"a":' * 100_000, "nested too deep"),
    ],
)
def test_anything_else_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(ParseError, match=why):
        parse_fields(text)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), VALUE, max_size=4), st.booleans())
def test_what_json_writes_is_read_back(fields: dict[str, object], fenced: bool) -> None:
    text = json.dumps(fields, ensure_ascii=False)
    assert parse_fields(f"```json\n{text}\n```" if fenced else text) == fields


@given(st.text())
def test_any_text_gives_fields_or_a_parse_error_without_it(text: str) -> None:
    try:
        assert isinstance(parse_fields("{" + text), dict)
    except ParseError as error:
        assert len(text) < 12 or text not in str(error)
