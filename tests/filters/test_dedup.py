"""No accepted record repeats another, exactly or nearly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textsynth.filters.dedup import DedupFilter
from textsynth.records import Record

NOTE = "The patient is a retired pilot who came in with a cough that had lasted for three weeks and kept him awake."


def records(notes: Sequence[Mapping[str, Any]], first: int = 0) -> list[Record]:
    return [Record(f"r{first + number:07d}", 0, {}, fields) for number, fields in enumerate(notes)]


def dedup(near: float | None = 0.8) -> DedupFilter:
    return DedupFilter(near, ["note", "age"], ["note"])


def keep(filter: DedupFilter, candidates: Sequence[Record]) -> list[Record]:
    """Those accepted one after another, as a run does it."""
    filter.prepare(candidates)
    kept = []
    for record in candidates:
        if filter.check(record).accepted:
            filter.remember(record)
            kept.append(record)
    return kept


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"note": NOTE, "age": 70}, "exact_duplicate"),
        ({"age": 70, "note": NOTE}, "exact_duplicate"),
        ({"note": f"  {NOTE.upper().replace(' ', chr(10))}!", "age": 70}, "exact_duplicate"),
        ({"note": NOTE, "age": 71}, "near_duplicate"),
        ({"note": NOTE.replace("awake", "restless"), "age": 70}, "near_duplicate"),
        ({"note": NOTE + " He sleeps now.", "age": 70}, "near_duplicate"),
        ({"note": "A retired pilot, awake for three weeks with a cough.", "age": 70}, None),
        ({"note": "", "age": 70}, None),
        ({"age": 70}, None),
        (None, None),
    ],
)
def test_reasons(fields: Mapping[str, Any] | None, reason: str | None) -> None:
    filter = dedup()
    filter.remember(Record("r0000007", 0, {}, {"note": NOTE, "age": 70}))
    verdict = filter.check(Record("r0000008", 0, {}, fields))
    assert (verdict.accepted, verdict.reason) == (reason is None, reason)
    assert verdict.neighbor_id == (None if reason is None else "r0000007")
    assert "pilot" not in str(verdict)


def test_without_near_only_exact_repeats_are_refused() -> None:
    filter = dedup(near=None)
    filter.remember(Record("r0000007", 0, {}, {"note": NOTE, "age": 70}))
    assert filter.check(Record("r0000008", 0, {}, {"note": NOTE, "age": 71})).accepted
    assert filter.check(Record("r0000008", 0, {}, {"note": NOTE, "age": 70})).reason == "exact_duplicate"


@pytest.mark.parametrize("values", [("", 1, 2), ("+", "-", "*"), (1, 2, 3), ([], ["a"], None)])
def test_what_says_nothing_is_no_near_duplicate(values: tuple[Any, ...]) -> None:
    notes = [{"note": value, "age": at} for at, value in enumerate(values)]
    assert len(keep(dedup(), records(notes))) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"note": ["a b", 1], "age": 1}, {"note": ["a b", 2], "age": 1}),
        ({"note": ["a b", "c"], "age": 1}, {"note": ["a", "b c"], "age": 1}),
        ({"note": "a b", "age": "c"}, {"note": "a", "age": "b c"}),
        ({"note": "words", "age": None}, {"note": None, "age": "words"}),
        ({"note": "1 words"}, {"note": "2 words"}),
        ({"note": "+"}, {"note": "-"}),
        ({"note": ""}, {"note": None}),
    ],
)
def test_values_that_differ_are_no_exact_duplicates(one: dict[str, Any], other: dict[str, Any]) -> None:
    filters = [DedupFilter(None, ["note", "age"], text) for text in ([], ["note"], ["note", "age"])]
    assert [len(keep(filter, records([one, other, one]))) for filter in filters] == [2, 2, 2]


@pytest.mark.parametrize(("one", "other"), [(["a b", 1], ["a b", 2]), (["a b", "c"], ["a", "b c"]), (["a b"], "a b")])
def test_a_list_is_compared_with_all_that_it_holds(one: Any, other: Any) -> None:
    assert (
        len(keep(DedupFilter(None, ["note"], ["note"]), records([{"note": value} for value in (one, other, one)]))) == 2
    )


def test_only_the_chosen_fields_are_compared_and_the_first_twin_is_named() -> None:
    note = {"note": NOTE, "age": 70, "title": "One."}
    others = [
        {"note": NOTE.upper(), "age": 3, "title": "Quite another title for the same note."},
        {"note": NOTE.replace("awake", "up"), "age": 4, "title": "And one more of them."},
        {"note": "Something else is said here, of somebody else.", "age": 70, "title": "One."},
    ]
    filter = DedupFilter(0.8, ["note"], ["note"])
    first, *rest = records([note, *others])
    assert keep(filter, [first, *rest]) == [first, rest[2]]
    filter.prepare(rest)
    reasons = [(filter.check(one).reason, filter.check(one).neighbor_id) for one in rest[:2]]
    assert reasons == [("exact_duplicate", first.id), ("near_duplicate", first.id)]


def test_single_words_are_compared_where_a_shingle_is_one() -> None:
    short = [{"note": "blue boat harbor lane four"}, {"note": "harbor lane four blue ship boat"}]
    assert len(keep(DedupFilter(0.8, ["note"], ["note"]), records(short))) == 2
    [record] = keep(DedupFilter(0.8, ["note"], ["note"], 1), records(short))
    assert record.fields == short[0]


@given(st.lists(st.sampled_from(["a b c d", "a b c e", "x", "", "A, b; c d", "q r s t u v"]), max_size=12), st.data())
@settings(deadline=None, max_examples=50)
def test_verdicts_do_not_depend_on_how_records_are_split_into_rounds(notes: list[str], data: st.DataObject) -> None:
    every = records([{"note": note, "age": at % 2} for at, note in enumerate(notes)])
    at = data.draw(st.integers(0, len(every)))
    split = dedup(0.3)
    assert [*keep(split, every[:at]), *keep(split, every[at:])] == keep(dedup(0.3), every)


def test_a_check_leaves_no_trace() -> None:
    filter = dedup()
    twins = records([{"note": NOTE, "age": 70}] * 2)
    assert filter.check(twins[0]).accepted
    assert filter.check(twins[1]).accepted
    filter.remember(twins[0])
    assert not filter.check(twins[1]).accepted


def test_a_record_is_judged_alike_whether_or_not_its_round_was_prepared() -> None:
    prepared, bare = dedup(), dedup()
    first, twin, other = records([{"note": NOTE, "age": 70}, {"note": NOTE.upper(), "age": 70}, {"note": "Else."}])
    prepared.prepare([first])
    for filter in (prepared, bare):
        filter.remember(first)
    prepared.prepare([twin, other])
    assert [prepared.check(one) for one in (twin, other)] == [bare.check(one) for one in (twin, other)]
    assert prepared.check(twin).neighbor_id == first.id


FIELDS = st.fixed_dictionaries(
    {"note": st.lists(st.sampled_from("abcde"), max_size=9).map(" ".join), "age": st.integers(0, 2)}
)


@given(st.lists(FIELDS, max_size=10))
@settings(deadline=None, max_examples=50)
def test_filtering_twice_is_filtering_once(notes: list[dict[str, Any]]) -> None:
    once = keep(dedup(), records(notes))
    assert keep(dedup(), once) == once
    assert keep(dedup(), [*records(notes), *records(notes, first=100)]) == once
