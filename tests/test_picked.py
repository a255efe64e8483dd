"""Fields picked from several answers by a judge, and examples that are like the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import SEEDS, Noting, lines, tiny_job
from textsynth import InputError, run_job
from textsynth.records import Request

JUDGE = {"type": "integer", "minimum": 1, "maximum": 2}
FIELDS = {
    "topic": {"source": "sampled"},
    "color": {"source": "sampled"},
    "size": {"source": "sampled"},
    "text": {"source": "picked", "of": "answers", "by": "best"},
}
STEPS: list[dict[str, Any]] = [
    {"prompt": "./tiny.j2", "few_shot": 0, "n": 2, "writes": {"answers": {"type": "string", "maxLength": 60}}},
    {"prompt": "./tiny.j2", "few_shot": 0, "writes": {"best": JUDGE}},
]


def job_with(folder: Path, **changes: Any) -> Any:
    return tiny_job(folder, **({"steps": STEPS, "fields": FIELDS, "plan": {"target": 6}} | changes))


def answer(request: Request) -> str:
    if request.step == 1:
        return json.dumps({"best": 1 + int(request.id[1:8]) % 2})
    return json.dumps({"answers": f"Text {request.id}."})


def test_the_answer_with_the_judges_number_is_picked(tmp_path: Path) -> None:
    job = job_with(tmp_path)
    run_job(job, tmp_path / "run", engine=Noting(answer))
    records = zip(lines(tmp_path / "run/accepted.jsonl"), lines(tmp_path / "run/lineage.jsonl"), strict=True)
    for fields, lineage in records:
        number = int(lineage["id"][1:])
        assert fields["text"] == f"Text {lineage['id']}-0-0.{number % 2}."
        assert fields["text"] == lineage["working"]["answers"][number % 2]


def test_the_other_answer_is_picked_too_and_a_later_step_sees_both(tmp_path: Path) -> None:
    (tmp_path / "last.j2").write_text("{% block user %}{{ fields.text }} / {{ fields.topic }}{% endblock %}")
    fields = FIELDS | {"topic": FIELDS["text"] | {"other": True}, "color": {"source": "written"}}
    steps = [*STEPS, {"prompt": "./last.j2", "few_shot": 0}]
    (tmp_path / "tiny.j2").write_text("{% block user %}{{ writes }}{% endblock %}")
    engine = Noting(lambda request: answer(request) if request.step < 2 else '{"color": "red"}')
    job = job_with(tmp_path, fields=fields, steps=steps)
    run_job(job, tmp_path / "run", engine=engine)
    for row in lines(tmp_path / "run/accepted.jsonl"):
        assert row["topic"] != row["text"] and row["topic"][:-2] == row["text"][:-2]
    asked = [request.messages[-1]["content"] for request in engine.asked if request.step == 2]
    assert asked and all(text.startswith("Text r") and " / Text r" in text for text in asked)


def test_a_judge_outside_its_scale_is_refused_after_its_retry(tmp_path: Path) -> None:
    def judge(request: Request) -> str:
        return '{"best": 3}' if request.step == 1 and int(request.id[1:8]) == 1 else answer(request)

    run_job(job_with(tmp_path), tmp_path / "run", engine=Noting(judge))
    refused = {row["id"]: row["reason"] for row in lines(tmp_path / "run/rejected.jsonl")}
    assert refused["r0000001"] == "schema_mismatch"


@pytest.mark.parametrize(
    ("field", "steps", "says"),
    [
        ({"source": "picked", "of": "answer", "by": "best"}, STEPS, "fields.text.of is answer. Name a working field"),
        ({"source": "picked", "of": "answers", "by": "bests"}, STEPS, "fields.text.by is bests. Name a working field"),
        ({"source": "picked"}, STEPS, "fields.text.of is None"),
        (FIELDS["text"], [STEPS[0] | {"n": 1}, STEPS[1]], "fields.text.of is answers. Name a working field of a step"),
        (FIELDS["text"], [STEPS[0], STEPS[1] | {"writes": {"best": JUDGE | {"maximum": 3}}}], "maximum: 2, the number"),
        (FIELDS["text"], [STEPS[0], STEPS[1] | {"writes": {"best": JUDGE | {"type": "number"}}}], "that is an integer"),
        ({"source": "written", "of": "answers"}, STEPS, "of, by and other go with source: picked"),
    ],
)
def test_bad_picks(tmp_path: Path, field: dict[str, Any], steps: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        run_job(
            job_with(tmp_path, fields=FIELDS | {"text": field}, steps=steps), tmp_path / "run", engine=Noting(answer)
        )


def test_examples_are_like_the_record(tmp_path: Path) -> None:
    engine = Noting()
    steps = [{"prompt": "./tiny.j2", "few_shot": 2, "alike": ["color"]}]
    job = tiny_job(tmp_path, steps=steps, plan={"target": 12, "few_shot_block": 2})
    run_job(job, tmp_path / "run", engine=engine)
    colors = {f"s{number:06d}": seed["color"] for number, seed in enumerate(SEEDS, 1)}
    lineage = {row["id"]: row for row in lines(tmp_path / "run/lineage.jsonl")}
    records = lines(tmp_path / "run/accepted.jsonl")
    for fields, row in zip(records, lineage.values(), strict=True):
        assert len(row["seed_ids"]) == 2
        assert {colors[seed] for seed in row["seed_ids"]} == {fields["color"]}
    shown = [tuple(row["seed_ids"]) for row in lineage.values()]
    for first in (0, 6):  # a block is of two records a color, so that six in a row show each color's examples once
        assert len(set(shown[first : first + 6])) == len({row["color"] for row in records[first : first + 6]})


@pytest.mark.parametrize(
    ("alike", "fields", "says"),
    [
        (["size"], {"size": {"source": "sampled", "values": [3, 77]}}, "no example has the size 77"),
        (["text"], {}, "alike: text is not drawn before this step"),
        (["shape"], {}, "alike: shape is not drawn before this step"),
    ],
)
def test_a_value_that_no_seed_has_is_a_fault(tmp_path: Path, alike: list[str], fields: Any, says: str) -> None:
    base = {"topic": {"source": "sampled"}, "color": {"source": "sampled"}, "size": {"source": "sampled"}}
    job = tiny_job(tmp_path, steps=[{"prompt": "./tiny.j2", "alike": alike}], fields=base | fields)
    with pytest.raises(InputError, match=says):
        run_job(job, tmp_path / "run", engine=Noting())
