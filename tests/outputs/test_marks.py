"""A record's facts become lines and its texts pieces: nothing of a text is lost, and what is marked stands there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.outputs.clinical import FACTS, NOTE, SOURCES, said, spans_of
from textsynth.outputs.marks import shown
from textsynth.similarity.words import tokens


def gate(start: int, words: int) -> dict[str, Any]:
    scores = {"span": float(words), "span_start": float(start)}
    return {"filter": "leakage", "accepted": True, "reason": None, "scores": scores}


def verdict(*args: Any, **kwargs: Any) -> dict[str, Any]:
    found = said(*args, **kwargs)
    return {"filter": found.filter, "accepted": False, "reason": found.reason, "scores": dict(found.scores)}


def marked(part: list[Any], kind: str) -> list[str]:
    """The marked pieces of a text that have a kind, joined where they touch."""
    found, touching = list[str](), False
    for piece in part[1]:
        has = not isinstance(piece, str) and kind in piece[1].split()
        if has and touching:
            found[-1] += piece[0]
        elif has:
            found.append(piece[0])
        touching = has
    return found


def plain(part: list[Any]) -> str:
    return "".join(piece if isinstance(piece, str) else piece[0] for piece in part[1])


def test_facts_are_lines_that_people_read() -> None:
    lines = [(name, line) for name, line, _ in shown({**FACTS, "note": NOTE}, SOURCES, [], [])["facts"]]
    assert lines == [
        ("age", "67"), ("sex", "female"), ("admitted", "2031-03-04"),
        ("problems", "Hypertension (SNOMED CT 38341003)"),
        ("problems", "Type 2 diabetes mellitus (SNOMED CT 44054006)"),
        ("medications", "hydrochlorothiazide 25 mg"), ("medications", "metformin 500 mg"), ("allergies", "none"),
        ("vitals", "systolic blood pressure 152 mmHg"), ("vitals", "heart rate 88 /min"),
        ("labs", "Hemoglobin A1c 7.2 % (4548-4)"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ({"name": "gout", "onset": 2019, "note": None}, ["gout, onset 2019"]),
        ({"a": 1, "b": [2]}, ["a 1, b [2]"]),
        ([{"code": "I10"}], ["(I10)"]),
        ([{}], [""]),
        (["red", 3, None, [1]], ["red", "3", "null", "[1]"]),
        (True, ["true"]),
        ("<b>", ["<b>"]),
    ],
)
def test_any_other_value_has_its_lines_too(value: Any, lines: list[str]) -> None:
    assert [line for _, line, _ in shown({"f": value}, {"f": "sampled"}, [], [])["facts"]] == lines


def test_the_records_own_spans_are_used_and_are_no_fact() -> None:
    found = shown({**FACTS, "note": NOTE, "spans": spans_of(NOTE)}, SOURCES, [], [])
    assert found["located"] and "spans" not in {name for name, *_ in found["facts"]}
    (note,) = found["texts"]
    assert marked(note, "stated") == [
        "67-year-old", "woman", "hypertension", "type 2 diabetes", "2031-03-04", "hydrochlorothiazide 25 mg",
        "152 mmHg systolic", "pulse 88", "Hemoglobin A1c was 7.2 %",
    ]  # fmt: skip
    assert plain(note) == NOTE


def test_without_spans_facts_are_looked_for_word_for_word() -> None:
    fields = {"age": 5, "drug": [{"name": "Ibuprofen"}], "note": "At 5, not 15, IBUPROFEN. Ibuprofens 2.5"}
    found = shown(fields, {"age": "sampled", "drug": "sampled", "note": "written"}, [], [])
    assert not found["located"]
    assert marked(found["texts"][0], "stated") == ["5", "IBUPROFEN", "5"]


@pytest.mark.parametrize(
    "spans",
    [
        [{"fact": "/nothing", "start": 0, "end": 4}],
        [{"fact": "/age", "start": "0", "end": 4}],
        [{"fact": "/age", "start": 9, "end": 3}],
        [{"fact": "/age", "start": 10**9, "end": 10**10}],
        [{"fact": "", "start": 0, "end": 4}],
        [],
    ],
)
def test_spans_that_name_nothing_mark_nothing(spans: list[Any]) -> None:
    found = shown({"age": 4, "note": "4 boats", "spans": spans}, {"age": "sampled", "note": "written"}, [], [])
    assert found["texts"] == [["note", ["4 boats"]]]


def test_a_field_called_spans_that_is_something_else_is_a_fact() -> None:
    found = shown({"spans": 3, "note": "3 boats"}, {"spans": "sampled", "note": "written"}, [], [])
    assert found["facts"] == [["spans", "3", "sampled"]] and not found["located"]


def test_what_is_missing_or_contradicted_is_said_of_the_fact_and_where_it_stands() -> None:
    fields = {**FACTS, "note": NOTE, "spans": spans_of(NOTE)}
    found = shown(fields, SOURCES, [], [verdict("", "/age, /medications/1", "missing_fact")])
    assert [row[1:] for row in found["facts"] if len(row) > 3] == [
        ["67", "sampled", "missing"], ["metformin 500 mg", "sampled", "missing"],
    ]  # fmt: skip
    found = shown(fields, SOURCES, [], [verdict("woman", "/sex")])
    assert ["sex", "female", "sampled", "contradicted"] in found["facts"]
    assert marked(found["texts"][0], "contradicted") == ["woman"] == marked(found["texts"][0], "end")
    found = shown(fields, SOURCES, [], [verdict("asthma", "", "unsupported_fact")])
    assert marked(found["texts"][0], "unsupported") == ["asthma"]
    assert all(len(row) == 3 for row in found["facts"])


def test_spans_and_verdicts_are_about_the_note_also_beside_a_dialogue() -> None:
    fields = {
        "dialogue": "How old? 67.",
        "age": 67,
        "note": "Is 67.",
        "spans": [{"fact": "/age", "start": 3, "end": 5}],
    }
    sources = {"dialogue": "written", "age": "sampled", "note": "written", "spans": "located"}
    dialogue, note = shown(fields, sources, [], [verdict("", "/age"), gate(0, 4)])["texts"]
    assert (marked(dialogue, "stated"), marked(note, "stated")) == ([], ["67"])
    assert marked(dialogue, "shared") == ["How old? 67"] and marked(note, "shared") == ["Is"]


@pytest.mark.parametrize(
    ("words", "shared"), [(3, []), (4, ["in the\nBLUE\u2014barn"]), (5, ["in the\nBLUE\u2014barn; n\u00e4mely"])]
)
def test_a_run_of_four_words_or_more_is_marked(words: int, shared: list[str]) -> None:
    note = "A \ufb01ne cafe\u0301 in the\nBLUE\u2014barn; n\u00e4mely there."
    found = shown({"note": note}, {"note": "written"}, [], [gate(3, words)])
    assert marked(found["texts"][0], "shared") == shared
    assert found["shared"] == (words if shared else 0)


def test_a_run_in_a_list_of_turns_is_marked_in_its_json() -> None:
    turns = [{"role": "user", "content": "Where is the red boat?"}, {"role": "assistant", "content": 'In "the" bay.'}]
    start = len(tokens("user Where"))
    found = shown({"turns": turns}, {"turns": "written"}, [], [gate(start, 4)])
    assert marked(found["texts"][0], "shared") == ["is the red boat"]
    assert plain(found["texts"][0]) == json.dumps(turns)


def test_a_run_beyond_what_is_shown_is_not_marked() -> None:
    found = shown({"note": "y " * 15_000}, {"note": "written"}, [], [gate(14_000, 9)])
    assert (found["shared"], found["texts"][0][2]) == (0, 30_000)


@given(
    st.text(max_size=40), st.lists(st.tuples(st.integers(-5, 50), st.integers(-5, 50)), max_size=8), st.integers(0, 9)
)
def test_no_mark_changes_a_text(note: str, spans: list[tuple[int, int]], first: int) -> None:
    fields = {"age": 1, "note": note, "spans": [{"fact": "/age", "start": a, "end": b} for a, b in spans]}
    (part,) = shown(fields, {"age": "sampled", "note": "written"}, [], [gate(first, 4)])["texts"]
    assert plain(part) == note
    inside = {at for a, b in spans for at in range(max(a, 0), min(b, len(note)))}
    stated, at = set[int](), 0
    for piece in part[1]:
        text = piece if isinstance(piece, str) else piece[0]
        stated |= set(range(at, at + len(text))) if piece is not text and "stated" in piece[1] else set()
        at += len(text)
    assert stated == inside
