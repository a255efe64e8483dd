"""Identifiers of all 18 classes are found in the ways in which notes write them, and words of notes are left alone."""

from __future__ import annotations

import pytest

from textsynth.privacy.identifiers import identifiers_in
from textsynth.privacy.kinds import KINDS


def found(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in identifiers_in(text)]


ONE = [
    ("Mrs. Okafor was seen.", "name", "Okafor"),
    ("Patient: DOE, JANE M.", "name", "DOE, JANE M"),
    ("seen with Mary-Anne Smith-Jones today", "name", "Mary-Anne Smith-Jones"),
    ("J. R. Tolbert, M.D.", "name", "J. R. Tolbert"),
    ("Electronically signed by Thuy Nguyen, RN", "name", "Thuy Nguyen"),
    ("She came with her daughter Saoirse.", "name", "Saoirse"),
    ("hi , martha . how are you ?", "name", "martha"),
    ("Grace is a 4-year-old girl.", "name", "Grace"),
    ("lives at 12 Elm Street, Apt 4B with her son", "place", "12 Elm Street, Apt 4B"),
    ("moved here from Ann Arbor last year", "place", "Ann Arbor"),
    ("mailed to Reno, NV 89501", "place", "89501"),
    ("in Tulare County now", "place", "Tulare County"),
    ("a 94-year-old woman", "age", "94"),
    ("she is ninety-two years old", "age", "ninety-two"),
    ("call (555) 014-2233 ext. 12", "phone", "(555) 014-2233 ext. 12"),
    ("at +44 20 7946 0958", "phone", "+44 20 7946 0958"),
    ("fax: 555-014-2234", "fax", "555-014-2234"),
    ("write to jane.doe@example.org please", "email", "jane.doe@example.org"),
    ("SSN 123-45-6789", "ssn", "123-45-6789"),
    ("medical record number is A-449201", "mrn", "A-449201"),
    ("policy # XG12345", "health_plan", "XG12345"),
    ("account no. 99-20391", "account", "99-20391"),
    ("DEA AB1234567", "license", "AB1234567"),
    ("license plate KLM 4821", "vehicle", "KLM 4821"),
    ("pacemaker serial number SN-8841-22", "device", "SN-8841-22"),
    ("see https://example.org/p/123.", "url", "https://example.org/p/123"),
    ("from IP 10.0.0.12", "ip", "10.0.0.12"),
    ("fingerprint template FP-88213", "biometric", "FP-88213"),
    ("photo IMG_2231.jpg", "photo", "IMG_2231.jpg"),
    ("study ID 0042-19", "code", "0042-19"),
]


@pytest.mark.parametrize(("text", "kind", "said"), ONE)
def test_an_identifier_is_found_with_its_kind(text: str, kind: str, said: str) -> None:
    assert (kind, said) in found(text)


def test_every_class_of_safe_harbor_is_covered() -> None:
    assert set(KINDS.values()) == set("ABCDEFGHIJKLMNOPQR")
    assert {kind for _, kind, _ in ONE} | {"date"} == set(KINDS)


@pytest.mark.parametrize(
    "date",
    ["03/14/2019", "3/14/19", "2019-03-14", "2019/3/14", "14.03.2019", "March 14, 2019", "Mar. 14th '19", "14-Mar-19"]
    + ["14MAR2019", "14 March 2019", "the 14th of March 2019", "20190314", "March fourteenth, 2019"],
)  # fmt: skip
def test_a_date_has_one_value_in_every_format(date: str) -> None:
    (one,) = identifiers_in(f"seen on {date}.")
    assert (one.kind, one.value) == ("date", "2019-03-14")


@pytest.mark.parametrize(
    ("text", "value"),
    [("on 3/14", "--03-14"), ("in March 2019", "2019-03"), ("since last March", "--03"), ("14 mar 62", "1962-03-14")],
)
def test_parts_of_a_date_are_found(text: str, value: str) -> None:
    assert [one.value for one in identifiers_in(text)] == [value]


@pytest.mark.parametrize(
    "text",
    [
        "Parkinson disease, Crohn's disease, Bell's palsy and Foley catheter; Babcock and Kelly clamps.",
        "Strength was 5/5, a 2/6 systolic murmur, BP 120/80, pulse 92, weight 94 kg, L4-5 disc, 10-12 mm.",
        "May repeat in 2 weeks. The rash was brown; white blood cells 11.2. He may march on Monday in 2019.",
        "She drinks 1500-2000 mL; lot of pain, group 2, case 3, order 1000 mL, hospital day 3, 98.6 degrees.",
        "He is 89 years old and lives in Michigan. Dr. XXX and Mrs. ABC agreed.",
        "PHYSICAL EXAMINATION: GENERAL: Alert. HEART: Regular. ASSESSMENT AND PLAN: Continue Lasix.",
    ],
)
def test_words_of_notes_are_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_name_told_once_is_one_everywhere_but_not_in_the_name_of_a_thing() -> None:
    text = "Dr. Foley placed a Foley catheter. Karen Miller agreed. Miller was told by Foley."
    assert [said for _, said in found(text)] == ["Foley", "Karen Miller", "Miller", "Foley"]


def test_spans_never_overlap_and_an_empty_text_has_none() -> None:
    text = "Patient: DOE, JANE. MRN 123-45-6789 03/14/2019 jane.doe@example.org https://example.org/12345678 " * 3
    ends = [0]
    for one in identifiers_in(text):
        assert one.start >= ends[-1]
        ends.append(one.end)
    assert identifiers_in("") == ()
