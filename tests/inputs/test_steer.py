"""Rounds are steered toward what is missing, by what is stored of other rounds alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.encoders import BagOfWords
from tests.jobs import SEEDS, TOPICS, tiny_job
from textsynth.inputs.steer import Aim, Gave, Steer, saturated
from textsynth.records import Record, Verdict, canonical_json

DIVERSITY = [{"type": "schema"}, {"type": "diversity"}]
FIRST, LATE = Gave(judged=30, new=20), Gave(judged=30, new=9)


def steer(folder: Path, **changes: Any) -> Steer:
    from textsynth.prepare import prepare

    prepared = prepare(tiny_job(folder, **{"filters": DIVERSITY, **changes}))
    found = prepared.steer(lambda name: BagOfWords())
    assert found is not None
    return found


def aim(one: Steer, planned: Sequence[Aim] = (), closed: Sequence[Gave] = (), size: int = 8) -> Aim:
    found = one.aim(8 * len(planned), size, planned, closed)
    assert found is not None
    return found


def topic_of(seed_id: str) -> str:
    return SEEDS[int(seed_id[1:]) - 1]["topic"]  # type: ignore[return-value]


def shown(*aims: Aim) -> list[str]:
    """The seeds of all blocks, the most wanted of each block first."""
    return [seeds[at] for one in aims for at in range(len(one.shown[0])) for seeds in one.shown]


def test_the_blocks_of_a_round_show_seeds_from_all_over(tmp_path: Path) -> None:
    found = aim(steer(tmp_path, steps=[{"prompt": "./tiny.j2", "few_shot": 3}]), size=10)
    assert (found.first, found.block, len(found.shown)) == (0, 4, 3)
    assert all(len(set(seeds)) == 3 for seeds in found.shown) and len(set(shown(found))) == 9
    assert {topic_of(one) for one in shown(found)} == set(TOPICS)


def test_a_block_shows_each_seed_there_is_where_more_are_asked_for(tmp_path: Path) -> None:
    few = aim(steer(tmp_path, steps=[{"prompt": "./tiny.j2", "few_shot": 64}]), size=4)
    assert len(few.shown) == 1 and len(set(few.shown[0])) == len(few.shown[0]) == 18


def test_what_was_asked_and_what_came_is_not_asked_again_first(tmp_path: Path) -> None:
    one = steer(tmp_path)
    planned = [aim(one)]
    while len(planned) < 6:
        planned.append(aim(one, planned, [Gave()] * (len(planned) - 1)))
    assert set(Counter(shown(*planned)).values()) == {1, 2}  # 12 blocks of 2, 18 seeds: each before any again
    assert len(set(shown(*planned[:4]))) == 16
    assert max(Counter(map(topic_of, shown(*planned))).values()) <= 8
    near = {seed_id: 30 for seed_id in one._ids if topic_of(seed_id) in ("boats", "bread")}
    following = aim(one, planned[:1], [Gave(near=near)], size=24)
    assert {topic_of(seed_id) for seed_id in shown(following)[:2]} <= {"bees", "bikes"}


def test_an_aim_is_read_back_from_what_is_stored_and_depends_on_nothing_else(tmp_path: Path) -> None:
    import json

    tones = {"tone": {"dry": 3, "warm": 1}}
    one, other = steer(tmp_path / "a", attributes=tones), steer(tmp_path / "b", attributes=tones)
    closed = [Gave({one._ids[2]: 3}, 8, 5, {"tone": {'"dry"': [6, 3, 1], '"warm"': [2, 2, 1]}})]
    planned = [aim(one), aim(one, [aim(one)])]
    again = [Aim(**json.loads(json.dumps(asdict(a)))) for a in planned]
    kept = [Gave(**json.loads(json.dumps(asdict(g)))) for g in closed]
    aim(other, planned, [Gave()] * 2)  # what was planned otherwise leaves nothing behind
    assert canonical_json(asdict(aim(other, again, kept))) == canonical_json(asdict(aim(one, planned, closed)))


def test_no_aim_where_the_job_is_not_to_be_steered(tmp_path: Path) -> None:
    one = steer(tmp_path, plan={"steer": False})
    assert one.aim(0, 8, [], []) is None
    assert "Set plan.steer" in one.says(5, [], [FIRST, FIRST, LATE, LATE])[0]


def gave(records: Sequence[tuple[str, bool, float | None]], one: Steer, tone: str = "dry") -> Gave:
    return one.gave(
        [
            (
                Record(f"r{at}", 0, {"tone": tone}, {"text": text}),
                passed,
                [] if similarity is None else [Verdict("diversity", passed, None, {"similarity": similarity})],
            )
            for at, (text, passed, similarity) in enumerate(records)
        ]
    )


def test_what_a_round_gave_is_counted_at_the_seeds_it_came_closest_to(tmp_path: Path) -> None:
    one = steer(tmp_path)
    there = one._ids[3]
    text = str(SEEDS[int(there[1:]) - 1]["text"])
    found = gave([(text, True, 0.1), (text, True, 0.99), (text, False, 0.2), (text, False, None)], one)
    assert found == Gave({there: 2}, 3, 1, {"tone": {'"dry"': [4, 2, 1]}})


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        ([], False),
        ([FIRST, FIRST], False),
        ([FIRST, FIRST, LATE, LATE], True),
        ([FIRST, FIRST, LATE, FIRST], False),
        ([FIRST, FIRST, LATE, LATE, FIRST, FIRST], False),
        ([Gave(judged=5, new=5), Gave(judged=5, new=5), LATE, LATE], False),  # too few to say
    ],
)
def test_saturation_is_half_as_much_new_ground_in_two_rounds_as_in_the_first_two(
    rounds: list[Gave], expected: bool
) -> None:
    assert saturated([Aim(0, 4)] * (len(rounds) + 1), rounds) is expected
    assert saturated([], rounds) is expected  # without steering it is measured all the same


def test_saturation_is_answered_once_a_time_and_each_answer_is_given_two_rounds(tmp_path: Path) -> None:
    one = steer(
        tmp_path,
        attributes={"tone": ["dry", "warm"]},
        plan={"max_temperature": 1.0, "few_shot_block": 8},
        steps=[{"prompt": "./tiny.j2", "few_shot": 2, "sampling": {"temperature": 0.4}}],
    )
    planned: list[Aim] = []
    said: list[str] = []
    for number in range(22):
        closed = [FIRST if at < 2 else LATE for at in range(max(0, number - 1))]
        said += one.says(number, planned, closed)
        planned.append(aim(one, planned, closed))
    every = ["examples", "attributes", "temperature", "temperature", "temperature"]
    levels = [len(a.answers) for a in planned]
    assert levels == sorted(levels) and max(Counter(levels[5:17]).values()) <= 4
    assert min(levels.count(level) for level in range(6)) >= 3
    assert list(planned[-1].answers) == every and planned[-1].heat == 1.0
    assert {a.block for a in planned if not a.answers} == {8} and {a.block for a in planned if a.answers} == {2}
    assert [f"from round {levels.index(level)} on" in s for level, s in enumerate(said[:5], 1)] == [True] * 5
    assert "nothing is left to answer it with" in said[5] and len(set(said[5:])) == 1


def test_without_a_limit_the_temperature_is_never_raised(tmp_path: Path) -> None:
    one, planned = steer(tmp_path), list[Aim]()
    for number in range(15):
        planned.append(aim(one, planned, [FIRST if at < 2 else LATE for at in range(max(0, number - 1))]))
    assert list(planned[-1].answers) == ["examples"] and planned[-1].heat == 0.0
    alone = steer(tmp_path / "alone", plan={"few_shot_block": 1})
    assert not aim(alone, planned[:4], [FIRST, FIRST, LATE, LATE]).answers


def test_values_with_a_low_yield_are_asked_more_so_that_accepted_shares_are_the_given_ones(tmp_path: Path) -> None:
    one = steer(tmp_path, attributes={"tone": {"dry": 3, "warm": 1}, "length": ["short", "long"]})
    assert aim(one).weights == {"tone": [3, 1], "length": [1, 1]}
    counts = {"tone": {'"dry"': [600, 540, 9], '"warm"': [200, 60, 9]}}
    dry, warm = aim(one, [aim(one)], [Gave(attributes=counts)]).weights["tone"]
    assert dry * 0.9 / (warm * 0.3) == pytest.approx(3, rel=0.05)


def test_values_without_weights_are_asked_by_new_ground_once_a_run_is_saturated(tmp_path: Path) -> None:
    one = steer(tmp_path, attributes={"tone": {"dry": 3, "warm": 1}, "length": ["short", "long"]})
    counts = {name: {f'"{a}"': [30, 30, 3], f'"{b}"': [30, 30, 9]} for name, a, b in (
        ("tone", "dry", "warm"), ("length", "short", "long"),
    )}  # fmt: skip
    late = Gave(judged=60, new=12, attributes=counts)
    answered = Aim(0, 1, answers=["examples"])
    weights = aim(one, [Aim(0, 4), Aim(0, 4), answered, answered], [FIRST, FIRST, late, late]).weights
    assert weights["tone"] == [3, 1]
    assert weights["length"][1] > 2 * weights["length"][0]


def test_there_is_no_steering_without_a_diversity_filter_or_an_example(tmp_path: Path) -> None:
    from textsynth.prepare import prepare

    for name, changes in (
        ("a", {"filters": [{"type": "schema"}]}),
        ("b", {"filters": DIVERSITY, "steps": [{"prompt": "./tiny.j2", "few_shot": 0}]}),
        ("c", {"filters": [{"type": "schema"}, {"type": "diversity", "on": ["size"]}]}),
    ):
        assert prepare(tiny_job(tmp_path / name, **changes)).steer(lambda name: BagOfWords()) is None
