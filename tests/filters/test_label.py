"""A text reads like the seeds of its own label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.encoders import BagOfWords
from tests.jobs import tiny_job
from textsynth.errors import InputError
from textsynth.filters.label import LabelFilter
from textsynth.prepare import prepare
from textsynth.records import Record, Seed

TEXTS = [("tea", "a hot cup of tea"), ("tea", "green tea leaves"), ("rain", "rain on the roof"), ("rain", "heavy rain")]
HELD = [("tea", "the leaves of green tea"), ("rain", "a cup of tea on the roof"), ("snow", "white")]


def seeds(texts: list[tuple[str, str]]) -> list[Seed]:
    return [Seed(f"s{at}", {"label": label, "text": text}) for at, (label, text) in enumerate(texts)]


def judged(label: Any, text: str, known: list[Seed] | None = None) -> Any:
    one = LabelFilter("label", ["text"], seeds(TEXTS) if known is None else known, seeds(HELD), BagOfWords())
    record = Record("r0", 0, {}, {"label": label, "text": text})
    one.prepare([record])
    return one.check(record)


@pytest.mark.parametrize(
    ("label", "text", "accepted"),
    [
        ("tea", "some tea leaves", True),
        ("rain", "some tea leaves", False),
        ("rain", "the roof leaks", True),
        ("snow", "some tea leaves", True),  # no seed tells how that label reads
        ("tea", "", True),  # equally far from all
    ],
)
def test_a_text_of_another_label_is_refused(label: str, text: str, accepted: bool) -> None:
    verdict = judged(label, text)
    assert (verdict.accepted, verdict.reason) == (accepted, None if accepted else "wrong_label")


def test_a_verdict_holds_both_cosines() -> None:
    scores = judged("rain", "green tea leaves").scores
    assert scores["other"] > 0.5
    assert scores["own"] == 0
    assert judged("tea", "anything", seeds(TEXTS[:2])).scores == {}  # one label tells nothing apart


def test_evidence_is_how_many_held_out_seeds_would_be_refused() -> None:
    one = LabelFilter("label", ["text"], seeds(TEXTS), seeds(HELD), BagOfWords())
    assert one.evidence() == {"labels": 2, "held_out": 2, "held_out_refused": 1}


@pytest.mark.parametrize(
    ("spec", "fields", "says"),
    [
        ({"label": "colour"}, {}, r"filters\[1\].label: colour is not in the record schema. Did you mean color"),
        ({"label": "color"}, {"color": {"source": "sampled", "values": ["red", "green", "black"]}}, "color black"),
    ],
)
def test_a_label_that_no_seed_has_is_a_fault(tmp_path: Path, spec: Any, fields: Any, says: str) -> None:
    schema: dict[str, Any] = {"filters": [{"type": "schema"}, {"type": "label"} | spec]}
    base = {name: {"source": "sampled"} for name in ("topic", "color", "size")}
    with pytest.raises(InputError, match=says):
        prepare(tiny_job(tmp_path, **schema, fields=base | fields), writes=False, check_only=True)
