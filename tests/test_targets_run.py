"""Runs that fill their cells exactly, whatever each cell yields; and what ends them when something runs out."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import TOPICS, Noting, contents, lines, tiny_job
from tests.shell import Shell
from textsynth import InputError, run_job
from textsynth.engines.scripted import ScriptedEngine
from textsynth.outputs.store import Store
from textsynth.prepare import prepare
from textsynth.records import Request

YIELDS = {"boats": 0.9, "bread": 0.5, "bees": 0.25, "bikes": 0.15}
MATCH: dict[str, Any] = {"plan": {"target": 30, "round": 16, "max_requests": 2000, "match": {"topic": "equal"}}}
NO_BIKES = [{"type": "schema"}, {"type": "rules", "rules": {"properties": {"topic": {"not": {"const": "bikes"}}}}}]


def answer(request: Request) -> str:
    """A text that is good as often as its topic's yield says."""
    topic = re.search(r"topic: (\w+)", request.messages[-1]["content"])
    good = topic is not None and random.Random(request.rng_seed).random() < YIELDS[topic[1]]
    return json.dumps({"text": f"Text {request.id}." if good else ""})


def topics(run: Path) -> Counter[str]:
    return Counter(row["topic"] for row in lines(run / "accepted.jsonl"))


def plan(**changes: Any) -> dict[str, Any]:
    return {"plan": MATCH["plan"] | changes}


@pytest.mark.parametrize(
    ("match", "quotas"),
    [
        ({"topic": "equal"}, {"boats": 8, "bread": 8, "bees": 7, "bikes": 7}),  # the first of equal ones get the rest
        ({"topic": {"bikes": 0.6, "bread": 0.3, "boats": 0.1}}, {"bikes": 18, "bread": 9, "boats": 3}),
    ],
)
def test_quotas_are_filled_exactly_though_yields_differ(
    tmp_path: Path, match: dict[str, Any], quotas: dict[str, int]
) -> None:
    job = tiny_job(tmp_path, **plan(match=match))
    wanted = prepare(job).planner.quotas
    assert sorted(wanted) == sorted(quotas.values())
    result = run_job(job, tmp_path / "run", engine=ScriptedEngine(answer))
    assert result.done and topics(tmp_path / "run").total() == 30
    if isinstance(match["topic"], dict):
        assert topics(tmp_path / "run") == quotas
    assert sorted(topics(tmp_path / "run").values()) == sorted(wanted)
    expected = sum(quota / YIELDS[topic] for topic, quota in topics(tmp_path / "run").items())
    with Store(tmp_path / "run", write=False) as store:
        assert sum(row["requests"] for row in store.rounds()) < 2 * expected


def test_the_seeds_own_distribution_is_reached_over_several_columns(tmp_path: Path) -> None:
    job = tiny_job(tmp_path, **plan(match=["topic", "color"]))
    planner = prepare(job).planner
    assert run_job(job, tmp_path / "run", engine=ScriptedEngine(answer)).done
    found = Counter((row["topic"], row["color"]) for row in lines(tmp_path / "run/accepted.jsonl"))
    targets = planner.targets
    wanted = [(tuple(targets.label(at).values()), quota) for at, quota in enumerate(planner.quotas) if quota]
    assert found == dict(wanted)
    numbers = json.loads((tmp_path / "run/metrics.json").read_text())["cells"]
    assert [(tuple(row["cell"].values()), row["quota"], row["accepted"]) for row in numbers if row["quota"]] == [
        (label, quota, quota) for label, quota in wanted
    ]


def late(request: Request) -> str:
    """Nothing good in the first 32 records, then all: the plan, which knows too little, asks for too many."""
    return json.dumps({"text": f"Text {request.id}." if int(request.id[1:8]) >= 32 else ""})


def test_surplus_is_kept_not_exported_and_promoted_when_the_target_is_raised(tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = run_job(tiny_job(tmp_path, **MATCH), run, engine=ScriptedEngine(late))
    spare = {row["id"]: row["fields"]["topic"] for row in lines(run / "rejected.jsonl") if row["reason"] == "surplus"}
    assert first.done and first.counts["surplus"] == len(spare) > 5
    with Store(run, write=False) as store:
        assert {row["id"] for row in store.records("surplus")} == set(spare)
    before = {row["id"] for row in lines(run / "lineage.jsonl")}
    room = {topic: 9 - count for topic, count in topics(run).items()}
    assert not before & set(spare) and sum(room.values()) == 6
    engine = Noting(late)
    more = run_job(tiny_job(tmp_path, **plan(target=36)), run, engine=engine)
    after = {row["id"] for row in lines(run / "lineage.jsonl")}
    assert more.done and len(after) == 36 and before < after and set(topics(run).values()) == {9}
    for topic, wanted in room.items():  # the earliest of each cell, as many as there is room for
        ids = sorted(record_id for record_id, of in spare.items() if of == topic)
        assert [record_id for record_id in ids if record_id in after] == ids[:wanted]
    assert all(Counter(spare.values())[topic] >= wanted for topic, wanted in room.items())
    assert not engine.asked  # what was paid for is enough
    assert {row["id"] for row in lines(run / "rejected.jsonl") if row["reason"] == "surplus"} == set(spare) - after
    again, was = Noting(late), contents(run)
    assert run_job(tiny_job(tmp_path, **plan(target=36)), run, engine=again).done
    assert contents(run) == was and not again.asked  # what was promoted counts once


@pytest.mark.parametrize(
    ("match", "told"), [(["topic"], "topic a value of the seeds"), ({"topic": dict.fromkeys(TOPICS, 1)}, "topic bikes")]
)
def test_a_cell_in_which_nothing_passes_is_given_up_and_said_with_its_reason(
    tmp_path: Path, match: Any, told: str, shell: Shell
) -> None:
    tiny_job(tmp_path, filters=NO_BIKES, **plan(target=12, round=64, match=match))
    said = shell("run", tmp_path / "job.yaml", "--out", tmp_path / "run")
    assert said.code == 1
    assert topics(tmp_path / "run").keys() == {"boats", "bread", "bees"}
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    assert manifest["status"] == "short"
    first, cell = manifest["shortfall"]
    assert f"{topics(tmp_path / 'run').total()} of 12 records were accepted" in first
    assert "asking was ended there" in first and "Raise plan" not in first
    found = re.fullmatch(rf"{told}: 0 of (\d), from (\d+) completed \(refused: (\d+) rule_failed\)\.", cell)
    assert found is not None and 300 <= int(found[2]) == int(found[3]) < 300 + 2 * 64
    assert cell in said.err + said.out
    if told.endswith("seeds"):
        assert "bikes" not in said.err + said.out + (tmp_path / "run/metrics.json").read_text()


@pytest.mark.parametrize("key", ["max_tokens", "max_requests"])
def test_a_spent_budget_stops_and_goes_on_when_it_is_raised(tmp_path: Path, key: str) -> None:
    small, run = {"max_tokens": 1300, "max_requests": 25}[key], tmp_path / "run"
    short = run_job(tiny_job(tmp_path, **plan(**{key: small})), run, engine=ScriptedEngine(answer))
    with Store(run, write=False) as store:
        spent = store.totals()["completion_tokens" if key == "max_tokens" else "completions"]
        asked = {row["id"] for row in store.rows("SELECT id FROM requests")}
    assert 0 < spent <= small and not short.done and 0 < short.accepted < 30
    assert f"{key}" in short.shortfall[0] and "run again to go on" in short.shortfall[0]
    engine = Noting(answer)
    assert run_job(tiny_job(tmp_path, **plan(**{key: 100 * small})), run, engine=engine).done
    assert not asked & {request.id for request in engine.asked}
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["raised"] == [{"key": f"plan.{key}", "from": small, "to": 100 * small}]


def test_max_time_stops_a_run_gently_and_changes_nothing_else(tmp_path: Path) -> None:
    slow = tiny_job(tmp_path, **plan(max_time=0.4))
    short = run_job(slow, tmp_path / "run", engine=ScriptedEngine(answer, width=2, delay=0.05))
    assert not short.done
    assert "plan.max_time of 0.4 seconds is over: raise it and run again to go on." in short.shortfall[0]
    with Store(tmp_path / "run", write=False) as store:
        answered = {row["request_id"] for row in store.rows("SELECT request_id FROM completions")}
    engine = Noting(answer)
    assert run_job(tiny_job(tmp_path, **plan(max_time=600.0)), tmp_path / "run", engine=engine).done
    assert answered and not answered & {request.id for request in engine.asked}
    assert run_job(tiny_job(tmp_path / "b", **MATCH), tmp_path / "b/run", engine=ScriptedEngine(answer)).done
    assert contents(tmp_path / "run") == contents(tmp_path / "b/run")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {"target": 29}, "plan.target was 30 in this run and is 29. It can only be raised"),
        ({}, {"max_requests": 100}, "plan.max_requests was 2000 in this run and is 100."),
        ({"max_tokens": 90_000}, {"max_tokens": 80_000}, "plan.max_tokens was 90000 in this run and is 80000."),
        ({}, {"max_time": 60.0}, "plan.max_time was not set in this run and is 60.0."),
        ({}, {"match": ["topic"]}, "this folder holds another run: plan.match"),
    ],
)
def test_a_lower_target_or_budget_is_refused(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], said: str
) -> None:
    run_job(tiny_job(tmp_path, **plan(**before)), tmp_path / "run", engine=ScriptedEngine(answer))
    was = (tmp_path / "run/run.db").read_bytes()
    with pytest.raises(InputError) as error:
        run_job(tiny_job(tmp_path, **plan(**{**before, **after})), tmp_path / "run", engine=ScriptedEngine(answer))
    assert said in str(error.value)
    assert (tmp_path / "run/run.db").read_bytes() == was
