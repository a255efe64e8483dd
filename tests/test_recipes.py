from __future__ import annotations

import itertools
import json
import re
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
from textsynth.records import Record, Request

RECIPES = (
    "chat", "classification", "clinical_note", "consult_dialogue", "discharge_summary", "evolve", "extraction",
    "instruction", "preference", "qa_from_documents", "radiology_report", "soap_note", "triage_note",
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


WITH_FACTS = ("consult_dialogue", "discharge_summary", "radiology_report", "soap_note", "triage_note")
FIGURE = r"\d[\d./-]*(?:%|/min| (?:mmHg|°C|kg|mg/dL|mmol/L|g/dL|U/L|ng/mL|pg/mL|mg/L|mIU/L|mg|mcg|g|mEq|units))?"


def facts_of(seed: dict[str, Any]) -> list[str]:
    """What a note must say, word for word, but for the patient's sex."""
    found = [f"{seed['age']}-year-old", *(str(seed[n]) for n in ("admitted", "discharged", "seen") if n in seed)]
    found += [
        seed[name] for name in ("complaint", "modality", "body_part", "side", "finding", "impression") if name in seed
    ]
    found += [one["name"] for one in (*seed.get("problems", ()), *seed.get("allergies", ()))]
    found += [f"{one['name']} {one['dose']}" for one in seed.get("medications", ())]
    found += [f"{one['name']} {measured(one)}" for one in seed.get("labs", ())]
    values = {one["name"]: one for one in seed.get("vitals", ())}
    low, high = values.pop("diastolic blood pressure", None), values.pop("systolic blood pressure", None)
    assert (low is None) == (high is None)
    found += [f" {high['value']}/{low['value']} mmHg"] if high and low else []
    found += [f"{name} {measured(one)}" for name, one in values.items()]
    return [*found, str(seed["acuity"])] if "acuity" in seed else found


def measured(one: dict[str, Any]) -> str:
    unit = "°C" if one["unit"] == "Cel" else one["unit"]
    return f"{one['value']}{'' if unit in ('%', '/min') else ' '}{unit}"


@pytest.mark.parametrize("name", WITH_FACTS)
def test_a_note_states_all_of_its_facts_and_no_other_figure(name: str, tmp_path: Path) -> None:
    copy_recipe(name, tmp_path / "mine")
    seeds = lines(tmp_path / "mine/seeds.jsonl")
    for seed in seeds:
        note, facts = seed["note"].lower(), [fact.lower() for fact in facts_of(seed)]
        assert not [fact for fact in facts if fact not in note], seed["note"]
        said = " ".join(facts)
        ordered = re.sub(r"^\d\. ", "", note, flags=re.MULTILINE)
        assert not [figure for figure in re.findall(FIGURE, ordered) if figure.strip("./-") not in said], seed["note"]
        words = {"female": {"woman", "female"}, "male": {"man", "male"}}
        other = words["male" if seed["sex"] == "female" else "female"] | {"he", "she", "his", "her"}
        told = set(re.findall(r"[a-z]+", note))
        assert told & words[seed["sex"]] and not told & other, seed["note"]
        assert seed.get("allergies", True) or re.search(r"allergies:?\s+none", note), seed["note"]
    same = [re.sub(r"\d+", "0", seed["note"]).replace("female", "woman").replace("male", "man") for seed in seeds]
    openings = {text.replace("woman", "man")[:24] for text in same}
    assert len(openings) >= 8


@pytest.mark.parametrize("name", WITH_FACTS)
def test_a_code_has_one_meaning_and_no_seed_holds_a_name_or_number_of_a_person(name: str, tmp_path: Path) -> None:
    copy_recipe(name, tmp_path / "mine")
    meanings: dict[str, set[str]] = {}
    for seed in lines(tmp_path / "mine/seeds.jsonl"):
        for one in (fact for value in seed.values() if isinstance(value, list) for fact in value if "code" in fact):
            meanings.setdefault(f"{one.get('system', 'LOINC')} {one['code']}", set()).add(one["name"])
        assert not re.search(r"\b(?:Mr|Mrs|Ms|Dr)\b|\d{3}-\d{4}|@", seed["note"])
    assert all(len(names) == 1 for names in meanings.values()), meanings


def test_what_goes_together_is_drawn_from_one_seed_and_the_rest_is_not(tmp_path: Path) -> None:
    copy_recipe("discharge_summary", tmp_path / "mine")
    prepared = prepare(load_job(tmp_path / "mine/job.yaml"), check_only=True)
    rows = [prepared.planner.record(number, 0).fields or {} for number in range(200)]
    seeds = [seed.data for seed in prepared.seeds.shown]
    for group in prepared.job.together:
        known = [[seed[name] for name in group] for seed in seeds]
        assert all([row[name] for name in group] in known for row in rows)
    names = [name for name in prepared.properties if name not in ("note", "spans")]
    copies = sum(any(all(row[n] == seed[n] for n in names) for seed in seeds) for row in rows)
    assert copies == 0


def test_a_talk_alternates_and_the_patient_tells_the_facts(tmp_path: Path) -> None:
    copy_recipe("consult_dialogue", tmp_path / "mine")
    for seed in lines(tmp_path / "mine/seeds.jsonl"):
        turns = seed["dialogue"]
        assert [turn["speaker"] for turn in turns] == ["doctor", "patient"] * (len(turns) // 2)
        told = " ".join(turn["text"] for turn in turns if turn["speaker"] == "patient")
        facts = [f"{seed['age']} years", *facts_of(seed)[1:]]
        assert not [fact for fact in facts if fact not in told], told


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
    data["filters"] = [spec for spec in data["filters"] if spec["type"] in ("schema", "consistency")]
    data["plan"]["target"] = 10
    talks = itertools.cycle(lines(tmp_path / "mine/seeds.jsonl") if name in WITH_FACTS else [])

    def answer(request: Request) -> str:
        """The note is what the prompt says of its facts; a talk is that of a seed."""
        if "dialogue" in request.schema["properties"]:  # type: ignore[index]
            return json.dumps({"dialogue": next(talks)["dialogue"]})
        told = request.messages[-1]["content"].splitlines()
        return json.dumps(
            {"note": "\n".join(line for line in told if line.partition(":")[0] not in ("doctor", "patient"))}
        )

    engine = ScriptedEngine(answer) if name in (*WITH_FACTS, "clinical_note") else ScriptedEngine()
    result = run_job(job_from(data, tmp_path / "mine/job.yaml"), tmp_path / "run", engine=engine)
    assert result.done
    if name in WITH_FACTS:
        assert all(record["spans"] for record in lines(tmp_path / "run/accepted.jsonl"))


@pytest.mark.parametrize("name", WITH_FACTS)
def test_every_seed_of_a_clinical_recipe_agrees_with_its_facts(name: str, tmp_path: Path) -> None:
    copy_recipe(name, tmp_path / "mine")
    prepared = prepare(load_job(tmp_path / "mine/job.yaml"), check_only=True)
    (filter,) = prepared.consistency.values()
    refused = [
        (seed.id, verdict.reason, verdict.scores)
        for seed in prepared.seeds.by_id.values()
        if not (verdict := filter.check(Record("r0000000", 0, {}, seed.data))).accepted
    ]
    assert not refused


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
