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
from textsynth.inputs.stated import stating

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


def pattern(fields: dict[str, Any] = FIELDS, names: list[str] = NAMES, most: int = 900) -> str:
    return str(stating({"type": "string", "maxLength": most}, fields, names, KINDS)["pattern"])


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
