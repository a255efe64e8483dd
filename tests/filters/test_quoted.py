"""A quotation stands in its source, word for word."""

from __future__ import annotations

from typing import Any

import pytest

from textsynth.filters.quoted import QuotedFilter
from textsynth.records import Record

SOURCE = "Here is the blue box, with 13 lids (or so); it's heavy."


@pytest.mark.parametrize(
    ("quote", "at"),
    [
        ("the  blue\nbox", 8),
        ("it's heavy.", 44),
        (13, 27),
        ("The blue box", None),
        ("blue bo", None),
        (3, None),
        ("", None),
        (None, None),
        ("(or so)", 35),
    ],
)
def test_a_quotation_stands_in_its_source(quote: Any, at: int | None) -> None:
    record = Record("r0", 0, {}, {"quote": quote, "passage": SOURCE.replace("is the", "is \n the")})
    verdict = QuotedFilter(["quote"], "passage").check(record)
    assert (verdict.accepted, verdict.reason) == (at is not None, None if at is not None else "not_quoted")
    assert verdict.scores == ({"quote": at} if at is not None else {"field": "quote"})


def test_the_first_field_that_is_missing_is_named() -> None:
    fields = {"a": "blue box", "b": "red box", "text": SOURCE}
    verdict = QuotedFilter(["a", "b"], "text").check(Record("r0", 0, {}, fields))
    assert verdict.scores == {"field": "b"}
