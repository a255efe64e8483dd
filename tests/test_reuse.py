"""A new run that takes the answers of an earlier one, whole or damaged, where it asks the very same thing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import Noting, contents, lines, tiny_job
from textsynth import InputError, run_job
from textsynth.errors import StoreError
from textsynth.outputs.reuse import Earlier
from textsynth.outputs.store import Store
from textsynth.prepare import prepare
from textsynth.records import Completion
from textsynth.rounds import Writer

OTHER_FILTERS: dict[str, Any] = {
    "filters": [{"type": "schema"}, {"type": "rules", "rules": {"properties": {"size": {"minimum": 3}}}}]
}


def answers(run: Path) -> dict[str, Completion]:
    with Store(run, write=False) as store:
        return {row["request_id"]: Completion(*row.values()) for row in store.rows("SELECT * FROM completions")}


def taken(run: Path) -> int:
    said = json.loads((run / "manifest.json").read_text())["said"]
    return int(said.get("answers taken from an earlier run", 0))


@pytest.mark.parametrize("changes", [{}, OTHER_FILTERS, {"plan": {"target": 30}}, {"plan": {"target": 9}}])
def test_what_was_answered_is_not_asked_again(tmp_path: Path, changes: dict[str, Any]) -> None:
    run_job(tiny_job(tmp_path), tmp_path / "old")
    before, engine = answers(tmp_path / "old"), Noting()
    job = tiny_job(tmp_path, **changes)
    assert run_job(job, tmp_path / "new", engine=engine, reuse=tmp_path / "old").done
    assert not set(before) & {request.id for request in engine.asked}
    after = answers(tmp_path / "new")
    shared = set(before) & set(after)
    assert shared and taken(tmp_path / "new") == len(shared)
    assert {key: after[key] for key in shared} == {key: before[key] for key in shared}
    assert len(engine.asked) == len(after) - len(shared)
    run_job(job, tmp_path / "afresh")
    assert contents(tmp_path / "new") == contents(tmp_path / "afresh")


@pytest.mark.parametrize("changes", [{"sampling": {"temperature": 0.1}}, {"rng_seed": 6}])
def test_what_is_asked_otherwise_is_asked_again(tmp_path: Path, changes: dict[str, Any]) -> None:
    run_job(tiny_job(tmp_path), tmp_path / "old")
    engine, job = Noting(), tiny_job(tmp_path, **changes)
    assert run_job(job, tmp_path / "new", engine=engine, reuse=tmp_path / "old").done
    assert {request.id for request in engine.asked} == set(answers(tmp_path / "new"))
    assert taken(tmp_path / "new") == 0


def test_another_prompt_asks_again_only_where_it_says_something_else(tmp_path: Path) -> None:
    steps = {"steps": [{"prompt": "./tiny.j2", "few_shot": 0}]}  # an example of bees would change other prompts too
    run_job(tiny_job(tmp_path, **steps), tmp_path / "old")
    job, engine, prompt = tiny_job(tmp_path, **steps), Noting(), tmp_path / "tiny.j2"
    more = "{% if fields.topic == 'bees' %}Mind the bees. {% endif %}Write {{"
    prompt.write_text(prompt.read_text().replace("Write {{", more))
    assert run_job(job, tmp_path / "new", engine=engine, reuse=tmp_path / "old").done
    assert engine.asked and taken(tmp_path / "new") > 0
    assert all("Mind the bees." in request.messages[-1]["content"] for request in engine.asked)


class Newer(Noting):
    """The same engine with another model."""

    def describe(self) -> Mapping[str, Any]:
        return {**super().describe(), "fingerprint": "another"}


def test_another_model_is_asked_for_everything(tmp_path: Path) -> None:
    job, engine = tiny_job(tmp_path), Newer()
    run_job(job, tmp_path / "old")
    assert run_job(job, tmp_path / "new", engine=engine, reuse=tmp_path / "old").done
    assert {request.id for request in engine.asked} == set(answers(tmp_path / "new"))


MANY: dict[str, Any] = {"plan": {"target": 250, "round": 64}}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 250 records."""
    folder = tmp_path_factory.mktemp("many")
    assert run_job(tiny_job(folder, **MANY), folder / "run").done
    return folder / "run"


def check_taken(many: Path, tmp_path: Path, data: bytes) -> list[str]:
    """Run anew with the answers that a damaged run.db still has; returns what was asked for again."""
    (tmp_path / "old").mkdir()
    path, engine, before = tmp_path / "old/run.db", Noting(), answers(many)
    path.write_bytes(data)
    job = tiny_job(tmp_path, **MANY)
    with pytest.raises(StoreError, match=r"run\.db is damaged .*can still be read.* --reuse"):
        run_job(job, tmp_path / "old")
    assert run_job(job, tmp_path / "new", engine=engine, reuse=tmp_path / "old").done
    assert 0 < taken(tmp_path / "new") == len(before) - len(engine.asked)
    assert answers(tmp_path / "new") == before
    assert contents(tmp_path / "new") == contents(many)
    assert path.read_bytes() == data and [one.name for one in (tmp_path / "old").iterdir()] == ["run.db"]
    return [request.id for request in engine.asked]


@pytest.mark.parametrize("cut", [0.35, 0.61, 0.9])  # within a page: what is read of it must not pass for an answer
def test_of_a_database_that_was_cut_short_what_can_be_read_is_taken(many: Path, tmp_path: Path, cut: float) -> None:
    data = (many / "run.db").read_bytes()
    assert len(check_taken(many, tmp_path, data[: int(len(data) * cut)])) < 250


def test_of_a_database_with_a_page_overwritten_what_can_be_read_is_taken(many: Path, tmp_path: Path) -> None:
    data = bytearray((many / "run.db").read_bytes())
    at = data.index(answers(many)["r0000100-0-0"].text.encode() + b"stop") // 4096 * 4096  # of completions
    data[at : at + 4096] = b"\xff" * 4096
    again = check_taken(many, tmp_path, bytes(data))
    assert "r0000100-0-0" in again and len(again) < 100


def test_a_run_that_stopped_goes_on_taking_answers(tmp_path: Path) -> None:
    run_job(tiny_job(tmp_path), tmp_path / "old")
    before = set(answers(tmp_path / "old"))
    job = tiny_job(tmp_path, **OTHER_FILTERS, plan={"max_requests": 8})
    assert not run_job(job, tmp_path / "new", engine=Noting(), reuse=tmp_path / "old").done
    engine = Noting()
    job = tiny_job(tmp_path, **OTHER_FILTERS, plan={"max_requests": 300})
    assert run_job(job, tmp_path / "new", engine=engine, reuse=tmp_path / "old").done
    assert not before & {request.id for request in engine.asked}
    assert taken(tmp_path / "new") == len(before & set(answers(tmp_path / "new")))


def test_there_must_be_an_earlier_run(tmp_path: Path) -> None:
    job = tiny_job(tmp_path)
    with pytest.raises(InputError, match="there is no run here"):
        run_job(job, tmp_path / "new", reuse=tmp_path)
    run_job(job, tmp_path / "run")
    was = lines(tmp_path / "run/accepted.jsonl")
    with pytest.raises(InputError, match="--reuse names the new run itself. Give the folder of an earlier one"):
        run_job(job, tmp_path / "run", reuse=tmp_path / "x/../run")
    assert lines(tmp_path / "run/accepted.jsonl") == was and not (tmp_path / "new").exists()


def test_an_answer_that_another_steps_model_gave_is_not_taken(tmp_path: Path) -> None:
    job = tiny_job(tmp_path)
    run_job(job, tmp_path / "run")
    with Store(tmp_path / "run") as store:
        store.put("engines", [{"fingerprint": "small"}, {"fingerprint": "large"}])
        store.put("step_engines", [0, 1])
    writer = Writer(prepare(job))
    request = writer.requests(writer.plan(0, 0, [8]).drafts[0])[0]
    with Earlier(tmp_path / "run", tmp_path / "new") as earlier:
        assert earlier.answer(request, {"fingerprint": "small"}) is not None
        assert earlier.answer(request, {"fingerprint": "large"}) is None
