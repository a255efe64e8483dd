"""The values that flow through a run, and the small functions on them."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textsynth.records import Record, Seed, canonical_json, content_hash, rng_for, strings_in, text_of


def test_values_cannot_be_changed() -> None:
    for value, name in ((Seed("s000001", {}), "data"), (Record("r0000001", 0, {}, {}), "fields")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, {})


def test_a_seed_is_no_record() -> None:
    assert not isinstance(Seed("s000001", {}), Record)


@given(st.dictionaries(st.text(), st.integers() | st.text(), max_size=5))
def test_equal_values_have_one_text_and_one_hash(value: dict[str, object]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical_json(turned) == canonical_json(value)
    assert content_hash(turned) == content_hash(value)


def test_hashes_tell_values_apart() -> None:
    values = ["", "a", {"a": 1}, {"a": "1"}, ["a"], None, True, 1, "\ud800"]
    assert len({content_hash(value) for value in values}) == len(values)
    assert content_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_canonical_json_has_no_spaces_and_keeps_utf8() -> None:
    assert canonical_json({"b": [1, 2], "a": "é"}) == '{"a":"é","b":[1,2]}'


def test_each_purpose_has_a_random_stream_of_its_own_that_repeats() -> None:
    streams = [rng_for(7, "r000001", "examples"), rng_for(7, "r000002", "examples"), rng_for(8, "r000001", "examples")]
    numbers = [stream.random() for stream in streams]
    assert len(set(numbers)) == 3
    assert rng_for(7, "r000001", "examples").random() == numbers[0]
    assert math.isclose(numbers[0], FIRST)  # the same in every process and version


FIRST = 0.04980801018979797


@pytest.mark.parametrize(
    ("value", "strings"),
    [
        ("a", ["a"]),
        (["a", {"x": "b", "y": [1, None, "c"]}, ("d",)], ["a", "b", "c", "d"]),
        (None, []),
        (7, []),
        ({}, []),
    ],
)
def test_strings_in(value: object, strings: list[str]) -> None:
    assert list(strings_in(value)) == strings


def test_text_of_has_a_line_for_each_string_of_the_named_fields() -> None:
    data = {"note": "Rests.", "tags": ["a", "", "b"], "age": 7, "other": "x"}
    assert text_of(data, ["tags", "note", "age", "missing"]) == "a\nb\nRests."
    assert text_of(data, []) == ""
