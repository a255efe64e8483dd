"""Several prompts in a row: what each reads, writes, shows and asks of whom, and how a record ends early."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import SEEDS, Noting, Shuffled, lines, tiny_job
from textsynth import InputError, run_job
from textsynth.job import EngineSpec, Job
from textsynth.outputs.store import Store
from textsynth.prepare import prepare
from textsynth.records import Request

DRAFT = {"draft": {"type": "string", "maxLength": 80}}
JUDGED = {"problem": {"type": "string", "maxLength": 40}, "score": {"type": "integer", "minimum": 1, "maximum": 5}}
WRITE = {"prompt": "./tiny.j2", "few_shot": 0, "writes": DRAFT}
CRITIQUE = {"prompt": "./critique.j2", "few_shot": 0, "writes": JUDGED}
REVISE = {"prompt": "./revise.j2", "few_shot": 0, "writes": ["text"]}
PROMPTS = {
    "critique.j2": "{% block user %}CRITICIZE {{ fields.draft }} ABOUT {{ fields.topic }}{% endblock %}",
    "revise.j2": "{% block user %}MEND {{ fields.draft }} FOR {{ fields.problem }} AT {{ fields.score }}{% endblock %}",
    "pick.j2": "{% block user %}PICK FROM {{ fields.draft | join(' / ') }}{% endblock %}",
}


def stepped(folder: Path, *steps: Mapping[str, Any], **changes: Any) -> Job:
    """A job with these steps, and the prompts above beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in PROMPTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tiny_job(folder, steps=list(steps), **changes)


def number(request: Request) -> int:
    return int(request.id[1:8])


def answer(request: Request) -> str:
    """One draft, problem, score and text for each record."""
    n = number(request)
    said = [{"draft": f"draft {n}"}, {"problem": f"problem {n}", "score": 1 + n % 5}, {"text": f"Text {n}."}]
    return json.dumps(said[request.step])


def question(request: Request) -> str:
    return str(request.messages[-1]["content"]).strip()


def test_write_critique_and_revise_each_see_what_was_written_before(tmp_path: Path) -> None:
    engine = Noting(answer)
    assert run_job(stepped(tmp_path, WRITE, CRITIQUE, REVISE), tmp_path / "run", engine=engine).done
    lineage = lines(tmp_path / "run/lineage.jsonl")
    accepted = lines(tmp_path / "run/accepted.jsonl")
    topic = {row["id"]: fields["topic"] for row, fields in zip(lineage, accepted, strict=True)}
    asked = [request for request in engine.asked if request.id[:8] in topic]
    assert len(asked) == 3 * len(topic) == 60
    for request in asked:
        n, record_id = number(request), request.id[:8]
        if request.step:
            critique = f"CRITICIZE draft {n} ABOUT {topic[record_id]}"
            assert question(request) == [critique, f"MEND draft {n} FOR problem {n} AT {1 + n % 5}"][request.step - 1]
    for row, fields in zip(lineage, accepted, strict=True):
        n = int(row["id"][1:])
        assert row["working"] == {"draft": f"draft {n}", "problem": f"problem {n}", "score": 1 + n % 5}
        assert fields["text"] == f"Text {n}." and fields.keys() == SEEDS[0].keys()  # none of them in the record
        assert [(step["step"], step["prompt"]) for step in row["steps"]] == [
            (0, "./tiny.j2"), (1, "./critique.j2"), (2, "./revise.j2"),
        ]  # fmt: skip


class Named(Noting):
    """A noting engine with a model's name."""

    def __init__(self, name: str) -> None:
        super().__init__(answer)
        self.name = name

    def describe(self) -> Mapping[str, Any]:
        return {"type": "scripted", "model": self.name, "fingerprint": f"print of {self.name}"}


def test_a_step_with_an_engine_or_sampling_of_its_own_is_asked_there_and_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = {name: Named(name) for name in ("writer", "judge")}

    def build(spec: EngineSpec, place: str) -> Named:
        return engines[spec.model]

    monkeypatch.setattr("textsynth.prepare.build_engine", build)
    judge = {"engine": {"type": "scripted", "model": "judge"}, "sampling": {"temperature": 0.0}}
    job = stepped(
        tmp_path, WRITE, CRITIQUE | judge, REVISE, engine={"type": "scripted", "model": "writer"},
        sampling={"temperature": 0.4},
    )  # fmt: skip
    assert run_job(job, tmp_path / "run").done
    assert {request.step for request in engines["judge"].asked} == {1}
    assert {request.step for request in engines["writer"].asked} == {0, 2}
    for row in lines(tmp_path / "run/lineage.jsonl"):
        assert [step["engine"]["model"] for step in row["steps"]] == ["writer", "judge", "writer"]
        assert row["steps"][1]["engine"]["fingerprint"] == "print of judge"
        assert [step["sampling"]["temperature"] for step in row["steps"]] == [0.4, 0.0, 0.4]


def several(request: Request) -> str:
    if request.step:
        return json.dumps({"text": f"Text {number(request)}."})
    return json.dumps({"draft": f"draft {request.id.partition('.')[2]}", "mark": random.Random(request.id).random()})


def test_several_answers_become_lists_in_their_order_whatever_order_they_come(tmp_path: Path) -> None:
    step = WRITE | {"n": 3, "writes": DRAFT | {"mark": {"type": "number"}}}
    job = stepped(tmp_path, step, REVISE | {"prompt": "./pick.j2"})
    first = Noting(several)
    assert run_job(job, tmp_path / "a", engine=first).done
    assert run_job(job, tmp_path / "b", engine=Shuffled(7, 3, answer=several)).done
    lineage = lines(tmp_path / "a/lineage.jsonl")
    assert (tmp_path / "a/lineage.jsonl").read_bytes() == (tmp_path / "b/lineage.jsonl").read_bytes()
    for row in lineage:
        marks = [random.Random(f"{row['id']}-0-0.{place}").random() for place in range(3)]
        assert row["working"] == {"draft": ["draft 0", "draft 1", "draft 2"], "mark": marks}
        assert [step["request_id"] for step in row["steps"]] == [
            *(f"{row['id']}-0-0.{place}" for place in range(3)), f"{row['id']}-1-0",
        ]  # fmt: skip
    choices = [question(request) for request in first.asked if request.step]
    assert set(choices) == {"PICK FROM draft 0 / draft 1 / draft 2"}
    assert len({request.rng_seed for request in first.asked}) == len(first.asked)


def test_rules_after_a_step_end_a_record_before_anything_more_is_asked(tmp_path: Path) -> None:
    rules = {"properties": {"score": {"minimum": 3}}}
    engine = Noting(answer)
    job = stepped(tmp_path, WRITE, CRITIQUE | {"rules": rules}, REVISE)
    result = run_job(job, tmp_path / "run", engine=engine)
    assert result.done and result.counts["rule_failed"] > 5
    assert {1 + number(request) % 5 for request in engine.asked if request.step == 2} == {3, 4, 5}
    assert {1 + number(request) % 5 for request in engine.asked if request.step == 1} == {1, 2, 3, 4, 5}
    for row in lines(tmp_path / "run/rejected.jsonl"):
        if row["reason"] == "rule_failed":
            assert (row["filter"], row["scores"]["step"]) == ("rules", 1)
            assert [step["step"] for step in row["lineage"]["steps"]] == [0, 1]


def test_examples_come_from_a_file_or_from_a_field_of_the_seeds(tmp_path: Path) -> None:
    rows = [
        {"draft": f"an old draft {n}", "topic": f"kites {n}", "problem": f"dull {n}", "score": n} for n in (1, 2, 3)
    ]
    rows.append({"draft": "without a score", "topic": "kites", "problem": "dull"})
    (tmp_path / "shown.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    steps = (
        WRITE | {"few_shot": 2, "examples": {"draft": "text"}},
        CRITIQUE | {"few_shot": 3, "examples": "shown.jsonl"},
        REVISE,
    )
    engine = Noting(answer)
    assert run_job(stepped(tmp_path, *steps), tmp_path / "run", engine=engine).done
    texts = {seed["text"] for seed in SEEDS}
    for request in engine.asked:
        turns = [message["content"] for message in request.messages if message["role"] == "assistant"]
        assert len(turns) == (2, 3, 0)[request.step]
        if request.step == 0:
            assert {json.loads(turn)["draft"] for turn in turns} < texts
            assert all(seed_id.startswith("s") for seed_id in request.seed_ids)
        if request.step == 1:
            told = sorted((json.loads(turn) for turn in turns), key=lambda one: int(one["score"]))
            assert told == [{"problem": f"dull {n}", "score": n} for n in (1, 2, 3)]
            asked = {message["content"].strip() for message in request.messages if message["role"] == "user"}
            assert {f"CRITICIZE an old draft {n} ABOUT kites {n}" for n in (1, 2, 3)} < asked
    shown = [step["seed_ids"] for row in lines(tmp_path / "run/lineage.jsonl") for step in row["steps"]]
    assert {len(ids) for ids in shown} == {2, 3, 0}


def test_a_step_whose_answer_stays_wrong_ends_the_record_after_a_retry_that_shows_the_error(tmp_path: Path) -> None:
    def wrong(request: Request) -> str:
        bad = request.step == 1 and number(request) < 3
        return json.dumps({"problem": "none", "score": 9}) if bad else answer(request)

    engine = Noting(wrong)
    result = run_job(stepped(tmp_path, WRITE, CRITIQUE, REVISE), tmp_path / "run", engine=engine)
    assert result.done and result.counts["schema_mismatch"] == 3
    asked = [request for request in engine.asked if number(request) < 3]
    assert sorted(request.id[8:] for request in asked) == sorted(["-0-0", "-1-0", "-1-1"] * 3)
    (again,) = [request for request in asked if request.id == "r0000000-1-1"]
    assert json.loads(again.messages[-2]["content"]) == {"problem": "none", "score": 9}
    assert "/score is more than 5." in question(again)
    (line,) = [row for row in lines(tmp_path / "run/rejected.jsonl") if row["id"] == "r0000000"]
    assert [(step["step"], step["attempt"]) for step in line["lineage"]["steps"]] == [(0, 0), (1, 0), (1, 1)]
    with Store(tmp_path / "run", write=False) as store:
        assert store.requests("r0000000")[-1]["id"] == "r0000000-1-1"


LATE = {"properties": {"scored": {"minimum": 3}}}
FAULTS: list[tuple[tuple[Mapping[str, Any], ...], dict[str, Any], str]] = [
    (
        (CRITIQUE, WRITE, REVISE), {},
        "steps[0].prompt reads fields.draft, which a later step writes. A step reads what earlier ones wrote.",
    ),
    (
        (WRITE, REVISE, CRITIQUE), {},
        "steps[1].prompt reads fields.problem, which a later step writes. A step reads what earlier ones wrote.",
    ),
    (
        (WRITE, CRITIQUE | {"prompt": "./revise.j2"}, REVISE), {},
        "steps[1].prompt reads fields.problem, which this step itself writes. A step reads what earlier ones wrote.",
    ),
    (
        (WRITE, CRITIQUE | {"rules": LATE}, REVISE), {},
        "steps[1].rules: no step has written scored by then, nor is it drawn. Did you mean score?",
    ),
    (
        (WRITE | {"rules": {"required": ["score"]}}, CRITIQUE, REVISE), {},
        "steps[0].rules: no step has written score by then, nor is it drawn.",
    ),
    (
        (WRITE, CRITIQUE, REVISE), {"filters": [{"type": "rules", "rules": {"properties": {"stars": {"minimum": 1}}}}]},
        "filters[0].rules: no step has written stars by then, nor is it drawn.",
    ),
    (
        (WRITE, CRITIQUE, REVISE | {"n": 2}), {},
        "steps[2].n is 2, but the step writes text of the record, which has one value. Write a working field, and",
    ),
    (
        (WRITE, CRITIQUE, REVISE, CRITIQUE), {},
        "steps[3].writes.problem is a working field of an earlier step. Give it another name.",
    ),
    (
        (WRITE | {"examples": "nowhere.jsonl"}, CRITIQUE, REVISE), {}, "steps[0].examples",
    ),
    (
        (WRITE, CRITIQUE | {"examples": {"problem": "text"}}, REVISE), {},
        "steps[1].examples: score is named on one side only. Give a field of the seeds for each working field",
    ),
    (
        (WRITE | {"examples": {"draft": "texts"}}, CRITIQUE, REVISE), {},
        "steps[0].examples: no seed has texts. Name fields that seeds have.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "changes", "said"), FAULTS, ids=[said[:40] for _, _, said in FAULTS])
def test_steps_that_cannot_work_are_told_in_a_sentence(
    tmp_path: Path, steps: tuple[Mapping[str, Any], ...], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as error:
        prepare(stepped(tmp_path, *steps, **changes))
    told = str(error.value).splitlines()
    assert any(f"job.yaml: {said}" in line for line in told), told
    assert len({line.partition(" ")[2][:60] for line in told if said[:8] in line}) in (1, 2)
