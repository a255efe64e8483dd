"""Cells and their quotas: which there are, how many records belong in each, and what no seed can give."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.jobs import COLORS, JOB, SCHEMA, TOPICS, tiny_job
from textsynth.errors import InputError
from textsynth.inputs.targets import (
    GIVE_UP,
    Bin,
    Standing,
    Targets,
    apportion,
    interleaved,
    next_counts,
    nothing,
    targets_for,
)
from textsynth.job import job_from
from textsynth.prepare import prepare
from textsynth.records import Seed

SECRET = "zeppelins"  # a topic that only seeds have
shares = st.lists(st.floats(0.001, 1000), min_size=1, max_size=20)


def targets_of(shares: list[float]) -> Targets:
    cells = tuple((Bin(str(at), at),) for at in range(len(shares)))
    return Targets(("x",), cells, tuple(share / sum(shares) for share in shares))


def cells_of(match: Any, rows: list[dict[str, Any]], **changes: Any) -> dict[str, float]:
    """Label -> share, of the cells that a job has over these seeds."""
    targets = targets_over(match, rows, **changes)
    labels = [" ".join(targets.label(cell).values()) for cell in range(len(targets.cells))]
    assert len(set(labels)) == len(labels)
    return dict(zip(labels, targets.shares, strict=True))


def targets_over(match: Any, rows: list[dict[str, Any]], **changes: Any) -> Targets:
    seeds = [Seed(f"s{number:06d}", row) for number, row in enumerate(rows)]
    job = job_from({**JOB, **changes, "plan": {"target": 20, "match": match}})
    return targets_for(job, seeds, SCHEMA["properties"])


def sizes(*values: Any) -> list[dict[str, Any]]:
    return [{"size": value} for value in values]


@given(shares, st.integers(1, 5000))
def test_quotas_add_up_and_lie_within_one_of_the_shares(weights: list[float], target: int) -> None:
    targets = targets_of(weights)
    quotas = targets.quotas(target)
    assert sum(quotas) == target
    assert all(abs(q - share * target) < 1 + 1e-6 for q, share in zip(quotas, targets.shares, strict=True))


def test_what_is_left_goes_to_the_largest_remainders() -> None:
    assert apportion([0.5, 0.3, 0.2], 7) == (4, 2, 1)  # 3.5, 2.1, 1.4
    assert apportion([1, 1, 1], 2) == (1, 1, 0)  # of equal ones the first
    assert apportion([0.2, 0.7, 0.1], 6) == (1, 4, 1)  # 1.2, 4.2, 0.6
    assert apportion([0, 0], 5) == (0, 0)


@given(shares, st.integers(1, 5000), st.integers(1, 40))
def test_quotas_of_all_shards_add_up_cell_by_cell_and_are_about_equal(
    weights: list[float], target: int, n: int
) -> None:
    targets = targets_of(weights)
    parts = [targets.quotas(target, (i, n)) for i in range(1, n + 1)]
    assert tuple(map(sum, zip(*parts, strict=True))) == targets.quotas(target)
    assert all(max(cell) - min(cell) <= 1 for cell in zip(*parts, strict=True))


@given(st.lists(st.integers(0, 30), max_size=8))
def test_a_round_has_the_records_of_each_cell_spread_over_it(counts: list[int]) -> None:
    found = interleaved(counts)
    assert Counter(found) == {cell: count for cell, count in enumerate(counts) if count}
    half = Counter(found[: len(found) // 2])
    assert all(abs(half[cell] - count / 2) <= 1 for cell, count in enumerate(counts))


cell = st.tuples(st.integers(0, 100), st.integers(0, 400), st.floats(0, 1), st.integers(0, 50))


@given(st.lists(cell, min_size=1, max_size=8), st.integers(0, 300))
def test_a_round_is_never_larger_than_it_may_be_and_asks_nothing_of_full_or_hopeless_cells(
    cells: list[tuple[int, int, float, int]], most: int
) -> None:
    quotas = [quota for quota, _, _, _ in cells]
    planned = tuple(count for _, count, _, _ in cells)
    passed = tuple(int(count * rate) for _, count, rate, _ in cells)
    accepted = tuple(min(p, q) for p, q in zip(passed, quotas, strict=True))
    waiting = [count for _, _, _, count in cells]
    counts = next_counts(quotas, Standing(planned, passed, accepted), waiting, most)
    assert sum(counts) <= most and len(counts) == len(cells)
    for at, count in enumerate(counts):
        if accepted[at] == quotas[at] or (planned[at] >= GIVE_UP and not passed[at]):
            assert count == 0
    short = [at for at in range(len(cells)) if accepted[at] < quotas[at] and planned[at] < GIVE_UP]
    if short and not any(waiting) and most:
        assert sum(counts) > 0


def test_a_cell_of_low_yield_is_asked_for_more() -> None:
    low, high = next_counts([50, 50], Standing((100, 100), (10, 90), (10, 45)), [0, 0], 10_000)
    assert low > 40 / 0.12 and 5 <= high < 12
    assert next_counts([50, 50], nothing(2), [0, 0], 10_000) == next_counts([50, 50], nothing(2), [0, 0], 10_000)[::-1]


def test_the_seeds_own_values_are_cells_in_their_shares() -> None:
    rows = [{"topic": topic} for topic in ("bees", "bees", "bees", "boats")] + [{}]
    assert cells_of(["topic"], rows) == {"bees": 0.6, "boats": 0.2, "none": 0.2}


def test_columns_are_matched_jointly() -> None:
    rows = [{"topic": "bees", "color": "red"}] * 3 + [{"topic": "boats", "color": "blue"}]
    assert cells_of(["topic", "color"], rows) == {"bees red": 0.75, "boats blue": 0.25}


def test_up_to_twelve_numbers_are_cells_of_their_own() -> None:
    assert cells_of(["size"], sizes(*range(12), 3)) == {
        str(value): (2 if value == 3 else 1) / 13 for value in range(12)
    }


def test_more_numbers_are_cut_into_five_ranges_of_about_equal_weight() -> None:
    found = cells_of(["size"], sizes(*range(100)))
    assert found == {"..20": 0.2, "20..40": 0.2, "40..60": 0.2, "60..80": 0.2, "80..": 0.2}


def test_the_edges_of_ranges_have_two_digits_so_that_none_tells_a_seeds_value() -> None:
    values = [1003 + 37 * number for number in range(60)]
    targets = targets_over(["size"], sizes(*values, None))
    bins = [one for (one,) in targets.cells if one.is_range]
    assert len(bins) == 5 and len(targets.cells) == 6  # one for where it is missing
    edges = {edge for one in bins for edge in (one.low, one.high)} - {float("inf"), float("-inf")}
    assert len(edges) == 4 and all(edge == float(f"{edge:.2g}") for edge in edges)
    assert not edges & set(values)
    for value in [*values, None]:
        assert sum(targets.holds(at, {"size": value}, ["size"]) for at in range(6)) == 1


def test_given_ranges_hold_their_low_end_and_not_their_high_one() -> None:
    targets = targets_over({"size": {"..18": 1, "18..65": 2, "65..": 1}}, sizes(*range(90)))
    assert targets.shares == (0.25, 0.5, 0.25)
    where = {value: [targets.holds(at, {"size": value}, ["size"]) for at in range(3)] for value in (17, 18, 64, 65, 90)}
    assert where == {
        17: [True, False, False], 18: [False, True, False], 64: [False, True, False],
        65: [False, False, True], 90: [False, False, True],
    }  # fmt: skip


def test_given_shares_replace_those_of_the_seeds() -> None:
    rows = [{"topic": "bees"}] * 9 + [{"topic": "boats"}]
    assert cells_of({"topic": {"boats": 1, "bees": 1}}, rows) == {"boats": 0.5, "bees": 0.5}
    assert cells_of({"topic": "equal"}, rows) == {"boats": 0.5, "bees": 0.5}
    assert cells_of({"topic": "seeds"}, rows) == {"bees": 0.9, "boats": 0.1}


def test_listed_values_and_attributes_are_cells_with_their_weights_or_equal_ones() -> None:
    listed = {"topic": {"source": "sampled", "values": {"bees": 3, "boats": 1}}, "color": {"source": "sampled"}}
    assert cells_of(["topic"], [{}], fields=listed) == {"bees": 0.75, "boats": 0.25}
    tones: dict[str, Any] = {"attributes": {"tone": {"dry": 4, "warm": 1}}}
    assert cells_of(["tone"], [{}], **tones) == {"dry": 0.8, "warm": 0.2}
    assert cells_of({"tone": "equal"}, [{}], **tones) == {"dry": 0.5, "warm": 0.5}
    assert cells_of({"tone": {"warm": 3, "dry": 1}}, [{}], **tones) == {"warm": 0.75, "dry": 0.25}
    rows = [{"topic": "bees"}, {"topic": "bees"}, {"topic": "bees"}, {"topic": "boats"}]
    both = cells_of({"topic": "seeds", "tone": "equal"}, rows, **tones)
    assert both == {"bees dry": 0.375, "bees warm": 0.375, "boats dry": 0.125, "boats warm": 0.125}


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ({"size": {"..5": 1, "4..": 1}}, "plan.match.size: 4.. and ..5 overlap. A range holds its low end, not its"),
        ({"size": {"1..4": 1, "2..3": 1, "5..": 1}}, "plan.match.size: 2..3 and 1..4 overlap."),
        ({"topic": {"boats": 1, "trains": 1}}, "plan.match.topic: no seed has trains there. Leave it out, or mend it."),
        ({"size": {"..20": 1, "20..": 1}}, "plan.match.size: no seed has 20.. there. Leave it out"),
        ({"tone": {"dry": 1, "loud": 1}}, "plan.match.tone: no listed value is loud there."),
        (["text"], "plan.match: text is written by the model, so no plan can hold it. Make it sampled, or leave it"),
        (["topik"], "plan.match: topik is neither a field of the record nor an attribute. Did you mean topic?"),
    ],
)
def test_what_cannot_be_matched_is_one_sentence(tmp_path: Path, match: Any, said: str) -> None:
    with pytest.raises(InputError) as error:
        prepare(tiny_job(tmp_path, attributes={"tone": ["dry", "warm"]}, plan={"match": match}))
    assert f"job.yaml: {said}" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def paired_job(folder: Path, match: Any) -> Any:
    """A job whose seeds have one color a topic, both drawn from one row."""
    job = tiny_job(folder, together=[["topic", "color"]], plan={"match": match})
    topics = [*TOPICS[:2], SECRET]
    rows = [{"topic": topics[n % 3], "color": COLORS[n % 3], "size": 1, "text": f"Seed {n} tells."} for n in range(24)]
    (folder / "seeds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return job


def test_cells_that_no_seed_row_can_give_are_a_fault(tmp_path: Path) -> None:
    match = {"topic": {"boats": 0.5, "bread": 0.5}, "color": {"red": 0.5, "blue": 0.5}}
    with pytest.raises(InputError) as error:
        prepare(paired_job(tmp_path, match))
    said = str(error.value)
    assert (
        "plan.match: no seed has topic boats and color blue together, and topic, color are drawn from one row" in said
    )
    assert "topic bread and color red together" in said and len(said.splitlines()) == 2
    assert len(prepare(paired_job(tmp_path, ["topic", "color"])).planner.quotas) == 3


def test_no_message_names_a_value_that_only_seeds_have(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        prepare(paired_job(tmp_path, {"topic": "seeds", "color": {"red": 1, "blue": 1}}))
    said = str(error.value)
    assert "no seed has topic a value of the seeds and color " in said
    assert not any(topic in said for topic in (*TOPICS, SECRET))


def test_a_record_lies_in_its_cell_whatever_its_number(tmp_path: Path) -> None:
    match = {"topic": "equal", "size": {"..3": 1, "3..7": 2, "7..": 1}, "tone": "seeds", "color": "seeds"}
    drawn: dict[str, Any] = {"topic": {"source": "sampled"}, "size": {"source": "sampled"}}
    fields = drawn | {"color": {"source": "sampled", "values": {"red": 2, "blue": 1}}}
    job = tiny_job(tmp_path, fields=fields, attributes={"tone": ["dry", "warm"]}, plan={"match": match})
    planner = prepare(job).planner
    targets = planner.targets
    assert len(targets.cells) == 4 * 3 * 2 * 2
    for at in range(len(targets.cells)):
        for number in (0, 1, 77):
            record = planner.record(number, 0, None, at)
            assert targets.holds(at, {**(record.fields or {}), **record.attributes}, targets.columns)
            assert record.lineage["cell"] == targets.label(at)
