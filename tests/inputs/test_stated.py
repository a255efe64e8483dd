"""A pattern that makes a text state its facts, within the length that the text may have."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest

from tests.inputs.test_tighten import walk
from textsynth.clinical.agreement import KINDS
from textsynth.inputs.bounds import pattern_width
from textsynth.inputs.stated import Habit, habits_of, stating

FIELDS: dict[str, Any] = {
    "age": 54,
    "sex": "female",
    "admitted": "2023-07-18",
    "problems": [{"name": "Hypertension"}, {"name": "gout (left foot)"}],
    "vitals": [
        {"name": "systolic blood pressure", "value": 132, "unit": "mmHg"},
        {"name": "diastolic blood pressure", "value": 78, "unit": "mmHg"},
        {"name": "temperature", "value": 37.0, "unit": "Cel"},
    ],
    "medications": [{"name": "metformin", "dose": "500 mg"}],
    "allergies": [],
    "note": "C++ (9.5)",
}
NAMES = ["age", "sex", "admitted", "problems", "vitals", "medications", "allergies"]
RIGHT = (
    "A 54-year-old woman was admitted on 2023-07-18 with hypertension and gout (left foot). Vital signs: blood "
    "pressure 132/78 mmHg, temperature 37 °C. She takes metformin 500 mg. Allergies: none. She went home."
)


def pattern(fields: dict[str, Any] = FIELDS, names: list[Any] = NAMES, most: int = 900) -> str:
    form = stating({"type": "string", "maxLength": most}, fields, names, KINDS)
    assert form
    return str(form["pattern"])


def test_a_text_that_states_its_facts_in_their_order_fits() -> None:
    assert re.search(pattern(), RIGHT)
    assert re.search(pattern(), RIGHT.replace("2023-07-18", "July 18, 2023").replace("hyper", "Hyper"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("54", "55"),
        ("woman", "man"),
        ("2023-07-18", "2023-07-19"),
        ("admitted", "discharged"),
        ("hypertension and ", ""),
        ("132/78", "132/79"),
        ("37 °C", "37.5 °C"),
        ("500 mg", "850 mg"),
        ("metformin 500 mg", "metformin"),
        ("She went home.", "She went home after 3 days."),
        ("She went home.", "She went home"),
    ],
)
def test_any_other_fact_or_number_does_not(old: str, new: str) -> None:
    assert old in RIGHT
    assert not re.search(pattern(), RIGHT.replace(old, new))


ORDER: dict[str, Any] = {"item": "jam jars", "quantity": 12, "city": "Porto", "day": "May 30", "customer": "Ines Falk"}
SAID = [
    "Ines Falk needs 12 jam jars in Porto by May 30.",
    "Please send the jam jars, 12 of them, to Ines Falk in Porto. May 30 would do.",
    "By May 30, Porto wants 12 jam jars. Jam jars are for Ines Falk.",
]


def test_fields_in_a_list_are_stated_in_any_order() -> None:
    any_order = pattern(ORDER, [list(ORDER)])
    assert all(re.search(any_order, text) for text in SAID)
    assert not re.search(pattern(ORDER, list(ORDER)), SAID[0])
    wrong = [("12", "13"), ("12 ", ""), ("Porto", "porto"), ("Ines Falk", "Ines"), ("May 30", "May 3")]
    for text in SAID:
        assert not any(re.search(any_order, text.replace(old, new)) for old, new in wrong), text


def test_a_sex_follows_an_age_at_once() -> None:
    stated = pattern(names=["age", "sex"])
    assert re.search(stated, "This 54-year-old woman came in.") and not re.search(
        stated, "This 54-year-old male woman came in."
    )


FOUND: list[dict[str, Any]] = [
    {"finding": f"sign {letter}", "age": 40, "labs": [{"name": "sodium", "value": 140, "unit": "mmol/L"}]}
    for letter in "abcdefgh"
]
NOTES = [
    {**one, "note": f"A 40-year-old man {shows} {one['finding']}. {labs} sodium 140 mmol/L."}
    for one, shows, labs in zip(
        FOUND, ["came. Testing shows", "now shows"] * 4, ["Labs:"] * 4 + ["Last labs:"] * 4, strict=True
    )
]


def test_the_words_before_a_field_are_those_of_several_seeds() -> None:
    habits = habits_of(["age", "finding", "labs"], "note", NOTES, KINDS)
    assert habits["finding"].leads == ["Testing shows ", "now shows "] and not habits["age"].leads
    assert habits["labs"].leads == ["Labs: ", "Last labs: "]
    assert [habits[name].free for name in ("age", "finding", "labs", "")] == [1, 2, 0, 0]
    rare = [
        {**one, "note": one["note"].replace("shows", f"shows {word}")}
        for one, word in zip(NOTES, "abcdefgh", strict=True)
    ]
    assert not habits_of(["finding"], "note", rare, KINDS)["finding"].leads
    assert habits_of(["finding"], "note", [{"finding": "x"}, {"note": 3}], KINDS) == {}


@pytest.mark.parametrize(
    ("note", "fits"),
    [
        ("A 54-year-old had a test. Testing shows sign x. Labs: none.", True),
        ("A 54-year-old had this and now shows sign x.\nLabs: none.", True),
        ("A 54-year-old had a test, sign x. Labs: none.", False),
        ("A 54-year-old had a test. Treatment is sign x. Labs: none.", False),
        ("A 54-year-old had a test. The testing shows sign x. Labs: none.", True),
        ("A 54-year-old had a Testing shows sign x. Labs: none.", False),
        ("A 54-year-old had this and now shows sign x and was treated with none.", False),
    ],
)
def test_a_fact_stands_behind_words_of_the_seeds(note: str, fits: bool) -> None:
    habits = habits_of(["age", "finding", "labs"], "note", NOTES, KINDS)
    fields = {"age": 54, "finding": "sign x", "labs": []}
    form = stating({"type": "string", "maxLength": 900}, fields, ["age", "finding", "labs"], KINDS, habits)
    assert form and bool(re.search(form["pattern"], note)) == fits


def test_what_comes_first_of_several_fields_has_the_room_that_any_of_them_has() -> None:
    habits = {"finding": Habit(["Testing shows "], 4), "diagnosis": Habit(["The diagnosis is "], 0)}
    fields = {"age": 54, "finding": "sign x", "diagnosis": "gout"}
    form = stating(
        {"type": "string", "maxLength": 900}, fields, ["age", ["finding", "diagnosis"]], {"age": "age"}, habits
    )
    assert form and re.search(form["pattern"], "A 54-year-old came today. The diagnosis is gout. Testing shows sign x.")
    assert not re.search(form["pattern"], "A 54-year-old. Testing shows sign x. He came. The diagnosis is gout.")


def test_words_are_not_joined() -> None:
    stated = pattern(names=["age"])
    assert re.search(stated, "A 54-year-old had an MRI and an X-ray.")
    assert not re.search(stated, "A 54-year-old had brainMRI.") and not re.search(
        stated, "A 54-year-old had theSecondDay."
    )


def test_a_field_without_values_is_named() -> None:
    stated = pattern({"age": 54, "labs": []}, ["age", "labs"])
    assert re.search(stated, "A 54-year-old. Labs: none.") and not re.search(
        stated, "A 54-year-old was treated with none."
    )


@pytest.mark.parametrize("most", [200, 260, 400, 900, 5000])
def test_it_keeps_to_the_length_of_the_text(most: int) -> None:
    form = stating({"type": "string", "maxLength": most}, FIELDS, NAMES, KINDS)
    assert form is None or (pattern_width(form["pattern"])[1] or 0) <= most
    assert (form is None) == (most < 300)


def test_values_are_data_and_no_pattern() -> None:
    found = pattern(names=["note"])
    assert re.search(found, "It is C++ (9.5) here.") and not re.search(found, "It is CCC 9x5 here.")


@pytest.mark.parametrize(
    "fields",
    [{}, {"age": None}, {"problems": []}, {"problems": ""}, {"vitals": [{"name": "x"}]}, {"vitals": [None, 3]}],
)
def test_odd_fields_make_a_pattern_or_none(fields: dict[str, Any]) -> None:
    form = stating({"type": "string", "maxLength": 900}, fields, NAMES, KINDS)
    assert form is None or re.compile(form["pattern"])


def test_whatever_a_model_writes_under_it_states_the_facts() -> None:
    form = {"type": "object", "properties": {"note": {"pattern": pattern(), "type": "string"}}, "required": ["note"]}
    for seed in range(12):
        text = walk({**form, "additionalProperties": False}, random.Random(seed), 1200)
        assert text is not None and re.search(pattern(), json.loads(text)["note"])
