"""A text states the facts that it was given, and no others: a table of (text, expected reason)."""

from __future__ import annotations

from typing import Any

import pytest

from textsynth.clinical.agreement import CLOSED, KINDS, names_in
from textsynth.clinical.vocabulary import built_in_vocabulary
from textsynth.filters.consistency import ConsistencyFilter
from textsynth.records import Record

FACTS: dict[str, Any] = {
    "age": 54,
    "sex": "female",
    "admitted": "2019-03-14",
    "problems": [
        {"name": "Hypertension", "code": "38341003", "system": "SNOMED CT"},
        {"name": "Fracture of left forearm"},
    ],
    "medications": [{"name": "Metformin", "dose": "500 mg"}],
    "allergies": [{"name": "Penicillin"}],
    "vitals": [{"name": "heart rate", "value": 88, "unit": "/min"}],
    "labs": [{"name": "Creatinine", "value": 1.4, "unit": "mg/dL"}],
}
RIGHT = (
    "A 54-year-old woman with HTN was admitted on March 14, 2019 with a left forearm fracture. Heart rate 88, "
    "creatinine 1.4 mg/dL. She takes metformin 500 mg. She is allergic to penicillin. She denies chest pain. "
    "Family history: father had a stroke."
)


def one(**keys: Any) -> ConsistencyFilter:
    kinds = {name: KINDS[name] for name in FACTS} | keys.pop("facts", {})
    given = {"required": list(kinds), "closed": CLOSED} | keys
    return ConsistencyFilter(
        "note", kinds, given["required"], given["closed"], built_in_vocabulary().with_names(names_in(FACTS, kinds))
    )


def judged(note: str, given: dict[str, Any] | None = None, **keys: Any) -> tuple[str | None, Any]:
    verdict = one(**keys).check(Record("r0000000", 0, {}, {**(given or FACTS), "note": note}))
    return verdict.reason, verdict.scores.get("facts", verdict.scores.get("kinds"))


def test_a_note_that_agrees_is_accepted_with_its_facts_counted() -> None:
    assert judged(RIGHT) == (None, 9)


@pytest.mark.parametrize(
    ("old", "new", "reason", "facts"),
    [
        ("54-year-old", "55-year-old", "contradicts_fact", "/age"),
        ("A 54-year-old woman", "A woman", "missing_fact", "/age"),
        ("woman", "man", "contradicts_fact", "/sex"),
        ("March 14, 2019", "March 15, 2019", "contradicts_fact", "/admitted"),
        ("with HTN ", "", "missing_fact", "/problems/0"),
        ("with HTN", "with no history of hypertension", "contradicts_fact", "/problems/0"),
        ("left forearm", "right forearm", "contradicts_fact", "/problems/1"),
        ("500 mg", "850 mg", "contradicts_fact", "/medications/0"),
        ("metformin 500 mg", "metformin", "missing_fact", "/medications/0"),
        ("She takes metformin 500 mg.", "She stopped metformin 500 mg.", "contradicts_fact", "/medications/0"),
        ("metformin 500 mg", "glipizide 5 mg", "missing_fact", "/medications/0"),
        ("500 mg.", "500 mg and glipizide 5 mg.", "unsupported_fact", "medication"),
        ("She is allergic to penicillin.", "NKDA.", "contradicts_fact", "/allergies/0"),
        ("to penicillin", "to penicillin and latex", "unsupported_fact", "allergy"),
        ("to penicillin", "to penicillin and metformin", "unsupported_fact", "allergy"),
        ("Heart rate 88", "Heart rate 98", "contradicts_fact", "/vitals/0"),
        ("1.4 mg/dL", "2.4 mg/dL", "contradicts_fact", "/labs/0"),
        ("1.4 mg/dL", "124 umol/L", None, 9),
        ("1.4 mg/dL.", "1.4 mg/dL, potassium 4.1.", "unsupported_fact", "lab"),
        ("denies chest pain", "has asthma", "unsupported_fact", "problem"),
        ("father had a stroke", "father had asthma, gout and a stroke", None, 9),
        ("She takes", "Return if you have signs of sepsis. She takes", None, 9),
    ],
)
def test_each_slip_has_its_reason(old: str, new: str, reason: str | None, facts: Any) -> None:
    assert old in RIGHT
    assert judged(RIGHT.replace(old, new)) == (reason, facts)


def test_only_required_facts_must_be_stated() -> None:
    note = "A 54-year-old woman with HTN and a left forearm fracture."
    assert judged(note)[0] == "missing_fact"
    assert judged(note, required=["age", "sex", "problems"]) == (None, 4)


def test_kinds_that_are_open_may_be_added_to() -> None:
    assert judged(RIGHT + " She takes glipizide.")[0] == "unsupported_fact"
    assert judged(RIGHT + " She takes glipizide.", closed=["problem"])[0] is None


def test_a_phrase_is_a_fact_in_its_own_words() -> None:
    facts = {"complaint": "crushing chest pain"}
    keys: dict[str, Any] = {"facts": {"complaint": "phrase"}, "required": ["complaint"]}
    assert judged("He describes crushing chest pain.", facts, **keys)[0] is None
    assert judged("He describes chest pain.", facts, **keys) == ("missing_fact", "/complaint")
    assert judged("He denies crushing chest pain.", facts, **keys) == ("contradicts_fact", "/complaint")


def test_names_that_no_seed_has_are_known_too() -> None:
    facts = {"problems": [{"name": "Wobbling of the gizmo"}]}
    assert judged("He has a wobbling gizmo.", facts)[0] == "missing_fact"
    assert judged("He has gizmo wobbling.", facts)[0] is None


def test_spans_are_where_the_facts_stand() -> None:
    spans = one().spans({**FACTS, "note": RIGHT})
    stated = {span["fact"]: RIGHT[span["start"] : span["end"]] for span in spans}
    assert stated["/problems/1"] == "left forearm fracture" or stated["/problems/1"] == "forearm fracture"
    assert stated["/medications/0"] == "metformin 500 mg"
    assert len({span["fact"] for span in spans}) == 9
    assert spans == sorted(spans, key=lambda span: (span["start"], span["end"]))


def test_what_is_wrong_is_told_in_words_and_noted_without_them() -> None:
    note = RIGHT.replace("500 mg", "850 mg").replace("54-year-old ", "") + " She has asthma."
    told, noted = one().disagreement({**FACTS, "note": note})
    assert "Metformin 500 mg" in told and "age 54" in told and "asthma" in told
    assert noted == "/medications/0, /age, problem"
    assert one().disagreement({**FACTS, "note": RIGHT}) == ("", "")


@pytest.mark.parametrize(
    "value", [None, 5, [], {}, [[]], [None], [{"name": None}], [{"value": "x"}], {"name": "x"}, "54", True]
)
def test_facts_of_odd_shapes_end_in_a_verdict(value: Any) -> None:
    for name in FACTS:
        one().check(Record("r0000000", 0, {}, {**FACTS, name: value, "note": RIGHT}))


def test_a_value_that_is_no_number_is_only_looked_for_by_name() -> None:
    facts = {**FACTS, "vitals": [{"name": "heart rate", "value": "high", "unit": "/min"}]}
    assert judged(RIGHT, facts) == (None, 9)
