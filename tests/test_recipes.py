from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.jobs import lines
from textsynth import load_job, run_job
from textsynth.decide import planned_request
from textsynth.engines.scripted import ScriptedEngine
from textsynth.inputs.schemas import load_schema
from textsynth.inputs.starter import copy_recipe, recipe_names
from textsynth.job import job_from
from textsynth.prepare import prepare

RECIPES = (
    "chat", "classification", "clinical_note", "evolve", "extraction", "instruction", "preference", "qa_from_documents"
)  # fmt: skip


def test_there_are_these_recipes() -> None:
    assert tuple(recipe_names()) == RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_seeds_fit_their_schema_and_are_many_and_different(name: str, tmp_path: Path) -> None:
    copy_recipe(name, tmp_path / "mine")
    job = load_job(tmp_path / "mine/job.yaml")
    rows = "examples.jsonl" if name == "qa_from_documents" else "seeds.jsonl"
    seeds, schema = lines(tmp_path / "mine" / rows), load_schema(job.record_schema, job.path)
    for seed in seeds:
        jsonschema.validate(seed, dict(schema))
    assert len(prepare(job, check_only=True).seeds.by_id) >= 100
    assert len({json.dumps(seed, sort_keys=True) for seed in seeds}) == len(seeds)


def test_the_notes_come_from_many_specialties_and_state_their_facts(tmp_path: Path) -> None:
    copy_recipe("clinical_note", tmp_path / "mine")
    seeds = lines(tmp_path / "mine/seeds.jsonl")
    assert len({seed["specialty"] for seed in seeds}) >= 8
    assert sum(str(seed["age"]) in seed["note"] for seed in seeds) >= 0.95 * len(seeds)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_has_no_fault_and_asks_what_it_should(name: str, tmp_path: Path) -> None:
    copy_recipe(name, tmp_path / "mine")
    prepared = prepare(load_job(tmp_path / "mine/job.yaml"), check_only=True)
    request = planned_request(prepared)
    assert request is not None and request.seed_ids
    first = prepared.steps[0]
    assert set(request.schema["properties"]) == {*first.written, *first.working}  # type: ignore[index]
    picked = {field for field, spec in prepared.job.fields.items() if spec.source == "picked"}
    assert {n for step in prepared.steps for n in step.written} | picked == set(prepared.named("written"))
    assert all(step.pool for step in prepared.steps if step.spec.few_shot)
    assert prepared.job.plan.target == 60


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs_without_a_model(name: str, tmp_path: Path) -> None:
    copy_recipe(name, tmp_path / "mine")
    data = load_job(tmp_path / "mine/job.yaml").model_dump()
    data["filters"] = [{"type": "schema"}]
    data["plan"]["target"] = 10
    job = job_from(data, tmp_path / "mine/job.yaml")
    result = run_job(job, tmp_path / "run", engine=ScriptedEngine())
    assert result.done


@pytest.mark.model
@pytest.mark.slow
def test_the_clinical_recipe_writes_notes_with_the_embedded_model(tmp_path: Path) -> None:
    copy_recipe("clinical_note", tmp_path / "mine")
    data: dict[str, Any] = load_job(tmp_path / "mine/job.yaml").model_dump()
    data["plan"].update(target=6, round=8, max_requests=24)
    job = job_from(data, tmp_path / "mine/job.yaml")
    result = run_job(job, tmp_path / "run")
    assert result.done, result.shortfall
    notes = lines(tmp_path / "run/accepted.jsonl")
    schema = dict(load_schema(job.record_schema, job.path))
    for note in notes:
        jsonschema.validate(note, schema)
    assert sum(str(note["age"]) in note["note"] for note in notes) >= 4
    assert len({note["note"] for note in notes}) == 6
    seeds = {seed["note"] for seed in lines(tmp_path / "mine/seeds.jsonl")}
    assert not seeds & {note["note"] for note in notes}
    lineage = lines(tmp_path / "run/lineage.jsonl")
    assert all({"p_value", "span"} <= row["scores"]["leakage"].keys() for row in lineage)
    assert (tmp_path / "run/report.html").stat().st_size > 10_000
