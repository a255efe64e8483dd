"""What is too similar in meaning to an accepted record is refused. A hashed bag of words stands in for a model."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from textsynth.filters.diversity import DiversityFilter
from textsynth.records import Record


class BagOfWords:
    """Cosine of texts is that of their word counts, but for rare collisions."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = np.zeros((len(texts), 4096), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                row[zlib.crc32(word.encode()) % 4096] += 1
        return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), np.float32)


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
