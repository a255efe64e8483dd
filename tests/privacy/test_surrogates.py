"""What stands for an identifier: the same all through one person's record, in the form of what it replaces."""

from __future__ import annotations

import re
from datetime import date, timedelta

from textsynth.privacy.identifiers import identifiers_in
from textsynth.privacy.surrogates import WEEKS, Person, zip_of

NOTE = (
    "Patient: DOE, JANE M. MRN: 00482913. Jane Doe is a 92-year-old from Reno, NV 89501, seen on March 3rd, 2024 with "
    "Dr. R. Alvarez. Ms. Doe returns on 03/17/2024. Call (555) 014-2233. Dr. Alvarez agreed."
)


def test_masks_say_the_kind() -> None:
    text = Person(7, "s000001").masked("Ms. Doe, SSN 123-45-6789, seen 03/14/2019")
    assert text == "Ms. [NAME], SSN [SSN], seen [DATE]"


def test_surrogates_are_the_same_again_and_others_for_another_person() -> None:
    one = Person(7, "s000001").with_surrogates(NOTE)
    assert one == Person(7, "s000001").with_surrogates(NOTE)
    assert one != Person(7, "s000002").with_surrogates(NOTE) != Person(8, "s000002").with_surrogates(NOTE)


def test_one_name_has_one_surrogate_in_every_form() -> None:
    text = Person(7, "s000001").with_surrogates(NOTE)
    found = re.match(r"Patient: (\w+), (\w+) \w\. .*\. (\w+) (\w+) is a 90-year.* Ms\. (\w+) returns", text)
    assert found is not None, text
    last, first = found[1].title(), found[2].title()
    assert (found[3], found[4], found[5]) == (first, last, last)
    doctor = re.findall(r"Dr\. (?:\w\. )?(\w+)", text)
    assert doctor[0] == doctor[1]
    assert not re.search("doe|jane|alvarez|reno|89501|482913|014-2233", text, re.I)
    assert ", NV 895," in text


def test_a_name_in_the_seeds_is_no_surrogate() -> None:
    plain = Person(7, "s000001").with_surrogates("Ms. Doe")
    avoided = plain.removeprefix("Ms. ").lower()
    assert Person(7, "s000001", {avoided}).with_surrogates("Ms. Doe") != plain


def test_dates_move_alike_and_keep_their_form() -> None:
    person = Person(7, "s000001")
    assert person.offset.days % 7 == 0 and 0 < abs(person.offset.days) <= 7 * WEEKS
    moved = date(2024, 3, 14) + person.offset
    assert person.shifted("2024-03-14") == moved.isoformat()
    assert person.shifted("2024-03-14T10:30:00Z") == f"{moved.isoformat()}T10:30:00Z"
    assert person.shifted("03/14/2024") == f"{moved:%m/%d/%Y}"
    assert person.shifted("14-MAR-24") == f"{moved.day}-{moved:%b-%y}".upper()
    assert person.shifted("none") is None
    text = person.with_surrogates("seen on March 14, 2024 and 2024-03-21")
    values = [date.fromisoformat(one.value) for one in identifiers_in(text)]
    assert (values[1] - values[0]).days == 7


def test_a_zip_code_of_few_people_is_000() -> None:
    assert (zip_of("89501", 3), zip_of("05901-1234", 3), zip_of("03601", 3)) == ("895", "000", "000")


def test_every_shifted_iso_date_is_one() -> None:
    for number in range(366):
        day = date(2024, 1, 1) + timedelta(days=number)
        for seed in ("s000001", "s000002"):
            assert date.fromisoformat(Person(7, seed).shifted(day.isoformat()) or "")
