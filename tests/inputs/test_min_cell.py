"""No combination that fewer than k shown seeds have is drawn or shown; the report counts it over accepted records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.jobs import Noting, lines, tiny_job
from textsynth import run_job
from textsynth.decide import filter_records
from textsynth.errors import InputError
from textsynth.job import Job
from textsynth.prepare import Prepared, prepare

SAMPLED = {"source": "sampled"}
TOGETHER = [["topic", "color"]]
COMMON, RARE = ("boats", "red"), ("bikes", "green")


def rows(*kinds: tuple[str, str, int]) -> list[dict[str, Any]]:
    """So many seeds of each topic and color, no two alike."""
    pairs = [(topic, color) for topic, color, count in kinds for _ in range(count)]
    return [
        {"topic": topic, "color": color, "size": 1 + at % 9, "text": f"Number {at} tells of {topic} and stops there."}
        for at, (topic, color) in enumerate(pairs)
    ]


SEEDS = rows(("boats", "red", 6), ("boats", "blue", 5), ("bees", "red", 4), ("bikes", "green", 1), ("bread", "blue", 7))


def job(folder: Path, given: list[dict[str, Any]] = SEEDS, k: int = 5, **changes: Any) -> Job:
    cell = {"k": k, "of": ["topic", "color"]}
    changes = {"together": TOGETHER, "seeds": {"path": "own.jsonl", "holdout": 0.0, "min_cell": cell}, **changes}
    made = tiny_job(folder, **changes)
    (folder / "own.jsonl").write_text("".join(json.dumps(seed) + "\n" for seed in given), encoding="utf-8")
    return made


def drawn(prepared: Prepared, count: int = 300) -> Counter[tuple[Any, Any]]:
    """Topic and color of records, over all cells that have a quota."""
    cells = [cell for cell, quota in enumerate(prepared.planner.quotas) if quota]
    made = [prepared.planner.record(at, 0, cell=cell).fields or {} for at in range(count) for cell in cells]
    return Counter((one.get("topic"), one.get("color")) for one in made)


@pytest.mark.parametrize("source", ["sampled", "copied"])
def test_only_combinations_of_k_seeds_are_drawn(tmp_path: Path, source: str) -> None:
    fields = {"topic": {"source": source}, "color": {"source": source}, "size": {"source": "sampled"}}
    changes: dict[str, Any] = {"fields": fields, "together": TOGETHER if source == "sampled" else []}
    prepared = prepare(job(tmp_path, **changes))
    assert set(drawn(prepared)) == {("boats", "red"), ("boats", "blue"), ("bread", "blue")}
    assert set(drawn(prepare(job(tmp_path, k=7, **changes)))) == {("bread", "blue")}


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 6), min_size=4, max_size=6), st.integers(2, 6))
def test_whatever_seeds_there_are(tmp_path_factory: pytest.TempPathFactory, counts: list[int], k: int) -> None:
    kinds = [
        ("boats", "red"),
        ("boats", "blue"),
        ("bees", "red"),
        ("bees", "blue"),
        ("bikes", "green"),
        ("bread", "red"),
    ]
    seeds = rows(*((*kind, count) for kind, count in zip(kinds, counts, strict=False)))
    if max(counts) < k:
        return
    prepared = prepare(job(tmp_path_factory.mktemp("cells"), seeds, k))
    told = Counter((seed.data["topic"], seed.data["color"]) for seed in prepared.seeds.shown)
    assert {one for one in drawn(prepared, 100)} <= {one for one, count in told.items() if count >= k}
    assert prepared.seeds.counts["rare"] == sum(count for count in told.values() if count < k)


def test_seeds_of_rare_combinations_are_no_examples_but_are_still_compared_with(tmp_path: Path) -> None:
    engine = Noting()
    run_job(job(tmp_path, plan={"target": 40}), tmp_path / "run", engine=engine)
    shown = "".join(message["content"] for request in engine.asked for message in request.messages)
    told = {(seed["topic"], seed["color"]) for seed in SEEDS if seed["text"] in shown}
    assert told == {("boats", "red"), ("boats", "blue"), ("bread", "blue")}
    prepared = prepare(job(tmp_path))
    assert len(prepared.seeds.shown) == 23 and len(prepared.seeds.usable) == 18


def test_a_missing_value_is_a_value_of_its_own(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {name: {} for name in ("topic", "color", "size")}}
    kinds = [({"topic": "boats"}, 5), ({"color": "red"}, 6), ({"topic": "boats", "color": "red"}, 4)]
    seeds = [{**kind, "size": at} for kind, count in kinds for at in range(count)]
    made = job(tmp_path, seeds, record_schema="./open.json", steps=[], filters=[{"type": "schema"}])
    (tmp_path / "open.json").write_text(json.dumps(schema), encoding="utf-8")
    assert set(drawn(prepare(made))) == {("boats", None), (None, "red")}


@pytest.mark.parametrize(
    "match",
    [["topic"], ["color"], {"color": {"red": 0.5, "blue": 0.5}}, {"topic": "equal", "color": "equal"}, ["size"]],
)
def test_cells_of_a_target_hold_no_rare_combination(tmp_path: Path, match: Any) -> None:
    prepared = prepare(job(tmp_path, plan={"match": match}))
    assert set(drawn(prepared, 60)) == {("boats", "red"), ("boats", "blue"), ("bread", "blue")}


FAULTS: list[tuple[Mapping[str, Any], list[str], str]] = [
    ({}, ["topik"], "min_cell.of: topik is not in the record schema. Did you mean topic?"),
    ({}, ["topic", "text"], "min_cell.of: text is written by the model, so no plan can hold it."),
    ({"together": []}, ["topic", "color"], "topic, color are not drawn from one seed row"),
    ({"together": [["topic", "size"]]}, ["topic", "color"], "Draw them together: [[topic, color]], or copy all"),
    (
        {"fields": {"topic": {"source": "copied"}, "color": SAMPLED, "size": SAMPLED}, "together": []},
        ["topic", "color"],
        "topic, color are not drawn from one seed row",
    ),
    (
        {"fields": {"topic": SAMPLED, "color": SAMPLED | {"values": ["red"]}, "size": SAMPLED}, "together": []},
        ["topic", "color"],
        "color is drawn from values of your own, which no seed stands behind. Take fields.color.values out, or it.",
    ),
    (
        {"plan": {"match": {"color": {"green": 1}}}},
        ["topic", "color"],
        "plan.match.color: no seed that min_cell leaves has green there.",
    ),
    ({"together": []}, ["color"], ""),
    ({"together": [["topic", "color", "size"]]}, ["color", "topic", "color"], ""),
]


@pytest.mark.parametrize(("changes", "of", "said"), FAULTS)
def test_columns_that_no_rule_could_hold_are_faults(
    tmp_path: Path, changes: dict[str, Any], of: list[str], said: str
) -> None:
    seeds = {"path": "own.jsonl", "holdout": 0.0, "min_cell": {"k": 3, "of": of}}
    made = job(tmp_path, **{"seeds": seeds, **changes})
    if not said:
        assert prepare(made).seeds.rare
        return
    with pytest.raises(InputError) as error:
        prepare(made)
    assert said in str(error.value)


def test_nothing_left_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        prepare(job(tmp_path, k=8))
    assert str(error.value) == (
        "job.yaml: seeds.min_cell: no combination of topic, color is shared by 8 of the 23 shown seeds. "
        "Use a smaller k, fewer columns, or coarser values."
    )


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    notes = prepare(job(tmp_path)).notes
    said = "seeds.min_cell: 5 of the 23 shown are neither drawn from nor examples: fewer than 5 have their topic, color"
    assert [note for note in notes if note.startswith("seeds.min_cell")] == [f"{said} (2 combinations)."]


def numbers(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return found


def test_the_report_proves_it_over_the_accepted_records(tmp_path: Path) -> None:
    run_job(job(tmp_path, plan={"target": 60}), tmp_path / "run")
    accepted = Counter((row["topic"], row["color"]) for row in lines(tmp_path / "run/accepted.jsonl"))
    told = Counter((seed["topic"], seed["color"]) for seed in SEEDS)
    assert min(told[one] for one in accepted) == 5
    assert numbers(tmp_path / "run")["min_cell"] == {
        "k": 5, "of": ["topic", "color"], "counted": ["topic", "color"],
        "left_out": {"seeds": 5, "combinations": 2}, "smallest": 5, "below": 0,
    }  # fmt: skip
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    said = "The combination of topic, color of each accepted record is that of 5 shown seeds or more (counted over the"
    assert page.index("Claimed") < page.index(said) < page.index("Not claimed")
    assert "5 seeds of 2 rarer combinations were neither drawn from nor shown as examples" in page


def test_records_made_elsewhere_that_hold_rare_combinations_are_the_first_thing_said(tmp_path: Path) -> None:
    given = [{**SEEDS[0], "text": f"new text {at}", "topic": topic, "color": color}
             for at, (topic, color) in enumerate([COMMON, RARE, ("bees", "green")])]  # fmt: skip
    (tmp_path / "given.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
    filter_records(prepare(job(tmp_path)), str(tmp_path / "given.jsonl"), tmp_path / "run")
    found = numbers(tmp_path / "run")["min_cell"]
    assert (found["smallest"], found["below"]) == (0, 2)
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    said = (
        "2 accepted records have a combination of topic, color that fewer than 5 shown seeds have; the rarest is that"
    )
    assert page.index(said) < page.index("What this vouches for")


def test_no_rare_value_leaves_run_db(tmp_path: Path) -> None:
    run_job(job(tmp_path), tmp_path / "run")
    for name in ("report.html", "metrics.json", "manifest.json", "accepted.jsonl", "lineage.jsonl"):
        assert "bikes" not in (tmp_path / "run" / name).read_text(encoding="utf-8"), name
