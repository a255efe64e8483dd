"""Identifiers of the seeds are kept out of records, however they are written; others are counted."""

from __future__ import annotations

from typing import Any

import pytest

from textsynth.filters.identifiers import IdentifiersFilter
from textsynth.privacy.known import Known
from textsynth.records import Record

SEED = (
    "Martha Kowalczyk and Mary Brown, MRN 4482913, DOB 03/14/1962, live at 12 Elm Street in Sacaton. "
    "Call (555) 294-2233. Seen in Chicago on 3/15 at 92 years old."
)
KNOWN = Known(
    {"s000003": {"note": SEED, "column pid": "77-2210", "column family": "Okonkwo", "column seen": "1999-01-02"}}
)


def verdict(text: str, refuse_any: bool = False, **facts: Any) -> Any:
    one = IdentifiersFilter(KNOWN, ["note"], ["name", "seen"], refuse_any)
    return one.check(Record("r0", 0, {}, {"note": text, **facts}))


@pytest.mark.parametrize(
    "text",
    ["Ms. Kowalczyk left.", "KOWALCZYK, M", "kowalczyk came", "Ms. Kowalczik left.", "Mrs. Brown left."]
    + ["MRN 448-2913", "id 4482914", "born March 14, 1962", "14 mar 62", "1962-03-14", "tel 555.294.2233", "5552942233"]
    + ["at 12 ELM STREET", "from Sacaton", "pid 77 2210", "id 77-2219", "Okonkwo came", "on Jan 2, 1999"],
)  # fmt: skip
def test_an_identifier_of_a_seed_is_refused_in_any_form(text: str) -> None:
    found = verdict(text)
    assert (found.accepted, found.reason, found.neighbor_id) == (False, "identifier_of_seed", "s000003")
    assert not any(isinstance(value, str) and value in text for name, value in found.scores.items() if name != "kind")


@pytest.mark.parametrize(
    "text",
    ["Mary came.", "The stool was brown.", "in Chicago", "on 3/15", "a 92-year-old", "Ms. Abernathy left."]
    + ["MRN 9911357", "no elm trees here", "BP 120/80, 4482 steps"],
)  # fmt: skip
def test_what_many_people_share_points_to_nobody(text: str) -> None:
    assert verdict(text).accepted


def test_a_record_may_repeat_what_it_was_given() -> None:
    assert verdict("Ms. Kowalczyk came on 03/14/1962.", name="Kowalczyk", seen="1962-03-14").accepted
    assert not verdict("Ms. Kowalczyk came on 03/14/1962.", name="Kowalczyk").accepted


def test_what_only_looks_like_one_is_counted_and_refused_if_wanted() -> None:
    text = "Ms. Abernathy came on March 3rd, call 555-014-9911."
    assert verdict(text).scores == {"name": 1, "date": 1, "phone": 1}
    assert verdict(text, refuse_any=True).reason == "identifier"
    assert verdict("Ms. Abernathy came.", refuse_any=True, name="Abernathy").accepted
    one = IdentifiersFilter(KNOWN, ["note"], [])
    one.remember(Record("r0", 0, {}, {"note": text}))
    assert one.evidence()["flagged"] == {"date": 1, "name": 1, "phone": 1}
