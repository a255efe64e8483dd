from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.jobs import SEEDS, tiny_job
from textsynth.errors import InputError
from textsynth.inputs.plan import Cost, Planner
from textsynth.inputs.targets import Standing, nothing
from textsynth.prepare import prepare


def planner(folder: Path, **changes: Any) -> Planner:
    return prepare(tiny_job(folder, **changes)).planner


def faults(folder: Path, **changes: Any) -> str:
    with pytest.raises(InputError) as error:
        prepare(tiny_job(folder, **changes))
    return str(error.value)


def test_a_record_depends_on_its_number_and_the_rng_seed_alone(tmp_path: Path) -> None:
    one, same = planner(tmp_path / "a"), planner(tmp_path / "b", plan={"round": 3, "target": 99})
    other = planner(tmp_path / "c", rng_seed=6)
    made = [one.record(number, 0) for number in range(30)]
    assert [same.record(number, 0) for number in reversed(range(30))] == made[::-1]
    assert [other.record(number, 0).fields for number in range(30)] != [record.fields for record in made]


def test_examples_are_the_same_in_a_block_whatever_was_asked_before(tmp_path: Path) -> None:
    one, other = planner(tmp_path / "a"), planner(tmp_path / "b")
    pool = {seed.id: seed for seed in one.seeds.shown}
    there = [one.examples(number, 7, pool, 3) for number in range(100)]
    back = [other.examples(number, 7, pool, 3) for number in reversed(range(100))][::-1]
    assert there == back
    assert all(len({seed.id for seed in shown}) == 3 for shown in there)
    assert len({tuple(seed.id for seed in shown) for shown in there}) > 20  # blocks of 4


def test_more_examples_than_seeds_are_all_there_are(tmp_path: Path) -> None:
    one = planner(tmp_path)
    assert len(one.examples(0, 7, {seed.id: seed for seed in one.seeds.shown}, 64)) == 18


def closed(*rounds: tuple[int, int, int]) -> Standing:
    """What rounds gave together: records planned, requests, records accepted."""
    found = nothing(1)
    for planned, requests, accepted in rounds:
        found = found.plus(Standing((planned,), (accepted,), (accepted,), requests))
    return found


def size(plan: Planner, standing: Standing, open_records: int = 0, calls: int = 1, worst: int = 1) -> int:
    return sum(plan.next_round(standing, [open_records], Cost(calls, worst, 0)))


def test_rounds_shrink_to_what_is_needed(tmp_path: Path) -> None:
    plan = planner(tmp_path, plan={"target": 100, "round": 64})
    assert size(plan, closed()) == 64
    assert size(plan, closed((64, 64, 60))) == pytest.approx(40 / 0.94, abs=6)
    assert size(plan, closed((64, 64, 60), (44, 44, 40))) == 0


def test_a_low_yield_asks_for_more(tmp_path: Path) -> None:
    plan = planner(tmp_path, plan={"target": 100, "round": 1000})
    good, bad = size(plan, closed((50, 50, 50))), size(plan, closed((50, 50, 5)))
    assert 50 <= good < 70 and bad > 600 / 2


numbers = st.integers(0, 200)


@given(
    st.lists(st.tuples(numbers, numbers), max_size=6),
    numbers,
    st.integers(1, 4),
    st.integers(0, 5),
    st.integers(1, 900),
)
def test_no_round_can_pass_the_budget(
    tmp_path_factory: pytest.TempPathFactory,
    rounds: list[tuple[int, int]],
    open_records: int,
    calls: int,
    retry: int,
    budget: int,
) -> None:
    plan = planner(tmp_path_factory.mktemp("plan"), plan={"target": 100, "max_requests": budget, "round": 77})
    worst = calls * (1 + retry)
    standing = closed(*((planned, planned * calls, min(planned, accepted)) for planned, accepted in rounds))
    asked = size(plan, standing, open_records, calls, worst)
    spent = standing.requests + open_records * worst
    assert 0 <= asked <= 77
    assert asked == 0 or spent + asked * worst <= budget


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fields": {"topik": {"source": "sampled"}}}, "fields.topik is not in the record schema. Did you mean topic?"),
        (
            {"fields": {"color": {"source": "written", "values": ["red"]}}},
            "fields.color has values but is written. Give it source: sampled.",
        ),
        (
            {"fields": {"color": {"source": "sampled", "values": ["red", "pink"]}}},
            "fields.color.values: ",
        ),
        ({"fields": {"text": {"source": "sampled"}}}, "fields.text is sampled, but the seeds hold free text there."),
        ({"together": [["topic", "text"]]}, "together[0]: text is not sampled from the seeds."),
        (
            {"together": [["topic", "color"], ["color", "size"]]},
            "together[1]: color stands in two groups. Put it into one.",
        ),
        (
            {"fields": {"topic": {"source": "sampled", "values": ["a"]}}, "together": [["topic", "size"]]},
            "together[0]: topic is not sampled from the seeds.",
        ),
    ],
)
def test_fields_that_no_source_can_give_are_faults(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    assert f"job.yaml: {said}" in faults(tmp_path, **changes)


def test_all_faults_of_the_plan_are_told_at_once(tmp_path: Path) -> None:
    found = faults(
        tmp_path, fields={"topik": {"source": "sampled"}, "text": {"source": "sampled"}}, together=[["size", "color"]]
    )
    assert len(found.splitlines()) >= 4


def test_a_fault_never_says_what_a_seed_says(tmp_path: Path) -> None:
    found = faults(tmp_path, fields={"text": {"source": "sampled"}})
    assert not any(seed["text"] in found for seed in SEEDS)
