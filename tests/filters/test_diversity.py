"""What is too similar in meaning to an accepted record is refused. A hashed bag of words stands in for a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.encoders import BagOfWords
from textsynth.filters.diversity import Cap, DiversityFilter
from textsynth.records import Record, Verdict
from textsynth.similarity.encoder import encode_windows, text_rows


def record(number: int, note: str | None) -> Record:
    return Record(f"r{number:07d}", 0, {}, {"age": number} if note is None else {"age": number, "note": note})


def diversity(most: float, *notes: str) -> DiversityFilter:
    filter = DiversityFilter(most, ["note"], BagOfWords())
    known = [record(at, note) for at, note in enumerate(notes)]
    filter.prepare(known)
    for one in known:
        filter.remember(one)
    return filter


@pytest.mark.parametrize(
    ("note", "reason", "similarity", "neighbor"),
    [
        ("red green blue pink", "too_similar", 1.0, "r0000000"),
        ("pink blue green red", "too_similar", 1.0, "r0000000"),
        ("one two three five", "too_similar", 0.75, "r0000001"),
        ("one two six five", None, 0.5, "r0000001"),
        ("up down left right", None, 0.0, None),
    ],
)
def test_reasons(note: str, reason: str | None, similarity: float, neighbor: str | None) -> None:
    filter = diversity(0.7, "red green blue pink", "one two three four")
    candidate = record(9, note)
    filter.prepare([candidate])
    verdict = filter.check(candidate)
    assert (verdict.accepted, verdict.reason) == (reason is None, reason)
    assert verdict.scores["similarity"] == pytest.approx(similarity, abs=1e-6)
    assert neighbor is None or verdict.neighbor_id == neighbor
    assert note not in str(verdict)


def test_as_similar_as_the_threshold_is_accepted() -> None:
    filter = diversity(0.75, "one two three four")
    filter.prepare([record(9, "one two three five")])
    assert filter.check(record(9, "one two three five")).accepted


def test_the_first_record_is_always_accepted_and_twins_of_one_round_never_both() -> None:
    filter = diversity(0.9)
    twins = [record(at, "red green blue") for at in range(2)]
    filter.prepare(twins)
    assert filter.check(twins[0]).accepted
    assert filter.check(twins[1]).accepted  # nothing is remembered yet
    filter.remember(twins[0])
    assert filter.check(twins[1]).reason == "too_similar"


def test_records_without_text_are_similar_to_nothing() -> None:
    filter = diversity(0.5)
    silent = [record(0, None), record(1, ""), record(2, "red green"), record(3, None)]
    filter.prepare(silent)
    for one in silent:
        assert filter.check(one).accepted
        filter.remember(one)
    filter.prepare([record(4, "red green")])
    assert filter.check(record(4, "red green")).neighbor_id == "r0000002"


def test_verdicts_do_not_depend_on_how_records_are_split_into_rounds() -> None:
    notes = [" ".join(f"w{(at * step) % 7}" for step in range(5)) for at in range(40)]
    found = []
    for size in (1, 7, 40):
        filter, reasons = diversity(0.8), []
        for first in range(0, 40, size):
            part = [record(first + at, note) for at, note in enumerate(notes[first : first + size])]
            filter.prepare(part)
            for one in part:
                verdict = filter.check(one)
                reasons.append((verdict.reason, verdict.neighbor_id))
                if verdict.accepted:
                    filter.remember(one)
        found.append(reasons)
    assert found[0] == found[1] == found[2]
    assert {reason for reason, _ in found[0]} == {None, "too_similar"}


def test_evidence_is_the_threshold() -> None:
    assert diversity(0.9).evidence() == {"max_similarity": 0.9}


def verdicts(filter: DiversityFilter, notes: Sequence[str | None], size: int) -> list[Verdict]:
    """Of notes that come in rounds of `size`, remembered where they are accepted."""
    found = []
    for first in range(0, len(notes), size):
        part = [record(first + at, note) for at, note in enumerate(notes[first : first + size])]
        filter.prepare(part)
        for one in part:
            found.append(filter.check(one))
            if found[-1].accepted:
                filter.remember(one)
    return found


def one_by_one(most: float, notes: Sequence[str | None]) -> list[tuple[float, str | None]]:
    """Similarity and neighbor of each note among all that were accepted before it, each pair by itself."""
    kept: list[tuple[str, npt.NDArray[np.float64]]] = []
    found = []
    for at, note in enumerate(notes):
        row = text_rows(*encode_windows(BagOfWords(), [note or ""])).reshape(-1).astype(np.float64)
        close = [float(np.float32((one * row).sum())) for _, one in kept] if note else []
        best = max(range(len(close)), key=lambda i: (close[i], -i)) if close else -1
        found.append((round(close[best], 6), kept[best][0]) if close else (0.0, None))
        if note and found[-1][0] <= most:
            kept.append((f"r{at:07d}", row))
    return found


notes_of_few_words = st.lists(
    st.none() | st.lists(st.sampled_from("abcde"), max_size=4).map(" ".join), min_size=1, max_size=30
)


@settings(deadline=None)  # the first one loads faiss
@example(["a", None, "b", "a b"], 2, 0.95, 1024)  # as close to one of this round as to one before
@given(notes_of_few_words, st.integers(1, 30), st.sampled_from((0.5, 0.8, 0.95)), st.sampled_from((1, 3, 1024)))
def test_searching_in_bulk_finds_what_searching_one_by_one_finds(
    notes: list[str | None], size: int, most: float, block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textsynth.filters.diversity._BLOCK", block)
        found = verdicts(DiversityFilter(most, ["note"], BagOfWords()), notes, size)
    expected = one_by_one(most, notes)
    assert [(v.scores["similarity"], v.neighbor_id) for v in found] == expected
    assert [v.reason for v in found] == ["too_similar" if close > most else None for close, _ in expected]


SEEDS = [f"{kind} {kind} {kind} s{at}" for at in range(6) for kind in ("boat", "bread")]


def test_a_cluster_of_meaning_takes_no_more_than_its_cap() -> None:
    filter = DiversityFilter(1.0, ["note"], BagOfWords(), Cap(2, seeds=SEEDS))
    notes = ["boat boat n1", "boat boat n2", "boat boat n3", "bread bread n4", "boat boat n5", None]
    found = verdicts(filter, notes, 3)
    assert [v.reason for v in found] == [None, None, "crowded", None, "crowded", None]
    assert found[2].scores["in_kind"] == 2 and found[2].scores["cluster"] != found[3].scores["cluster"]
    assert filter.evidence()["cap"] == {"most": 2, "kinds": 2, "full": 1, "clusters": 3}
    assert "boat" not in str(found)


def test_a_cell_of_named_fields_takes_no_more_than_its_cap() -> None:
    filter = DiversityFilter(1.0, ["note"], BagOfWords(), Cap(1, per=["age"]))
    same = [Record(f"r{at:07d}", 0, {}, {"age": at // 2, "note": f"w{at}"}) for at in range(4)]
    filter.prepare(same)
    reasons = []
    for one in same:
        reasons.append(filter.check(one).reason)
        if reasons[-1] is None:
            filter.remember(one)
    assert reasons == [None, "crowded", None, "crowded"]


@pytest.mark.parametrize(("share", "target", "most"), [(0.1, 300, 30), (0.29, 100, 29), (0.001, 10, 1), (0.25, 10, 2)])
def test_a_cap_is_a_share_of_the_target_rounded_down(share: float, target: int, most: int) -> None:
    assert Cap.of(share, target) == most
