"""A run whose text must agree with its facts: what is refused, what is written again, and where the facts stand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import Noting, lines, tiny_job
from textsynth import InputError, run_job
from textsynth.prepare import prepare
from textsynth.records import Request

PROBLEMS = ("Hypertension", "Gout", "Asthma")
SEEDS = [
    {
        "age": 40 + n,
        "problems": [{"name": PROBLEMS[n % 3], "code": str(n % 3), "system": "X"}],
        "note": f"A {40 + n}-year-old patient with {PROBLEMS[n % 3].lower()} was seen in room {n}.",
    }
    for n in range(24)
]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "age": {"type": "integer"},
        "problems": {"type": "array", "items": {"type": "object"}},
        "note": {"type": "string", "maxLength": 300},
        "spans": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["age", "problems", "note", "spans"],
}
FIELDS: dict[str, Any] = {
    "age": {"source": "sampled"},
    "problems": {"source": "sampled"},
    "spans": {"source": "located"},
}
FILTER: dict[str, Any] = {"type": "consistency", "text": "note"}


def job_with(folder: Path, filter: Any = FILTER, **changes: Any) -> Any:
    tiny_job(folder)
    (folder / "seeds.jsonl").write_text("".join(json.dumps(seed) + "\n" for seed in SEEDS), encoding="utf-8")
    (folder / "tiny.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    keys = {"fields": FIELDS, "filters": [filter], "plan": {"target": 6, "round": 6}} | changes
    data = json.loads((folder / "job.yaml").read_text()) | keys
    (folder / "job.yaml").write_text(json.dumps(data), encoding="utf-8")
    from textsynth import load_job

    return load_job(folder / "job.yaml")


def truthful(request: Request, age: int = 0) -> str:
    """The facts are in the last user turn of the first attempt."""
    user = next(m["content"] for m in reversed(request.messages) if m["content"].startswith("age: "))
    said = dict(line.split(": ", 1) for line in user.splitlines() if ": " in line)
    name = next(name for name in PROBLEMS if name in said["problems"])
    return json.dumps({"note": f"A {int(said['age']) + age}-year-old patient has {name.lower()}, said {request.id}."})


def test_located_spans_are_where_the_facts_stand_and_come_with_the_record(tmp_path: Path) -> None:
    run_job(job_with(tmp_path), tmp_path / "run", engine=Noting(truthful))
    records = lines(tmp_path / "run/accepted.jsonl")
    assert len(records) == 6
    for record in records:
        said = {span["fact"]: record["note"][span["start"] : span["end"]] for span in record["spans"]}
        assert said == {"/age": f"{record['age']}-year-old", "/problems/0": record["problems"][0]["name"].lower()}


def test_a_note_that_disagrees_is_told_what_is_wrong_and_written_again(tmp_path: Path) -> None:
    engine = Noting(lambda request: truthful(request, age=int(request.id.endswith("-0"))))
    result = run_job(job_with(tmp_path), tmp_path / "run", engine=engine)
    assert result.accepted == 6 and not set(result.counts) - {"surplus"}
    told = [request.messages[-1]["content"] for request in engine.asked if request.id.endswith("-1")]
    assert told and all(text.startswith("The note does not agree with the facts. ") for text in told)
    first = lines(tmp_path / "run/lineage.jsonl")[0]["steps"]
    assert [step.get("error") for step in first] == ["/age", None]


def test_without_repair_it_is_refused(tmp_path: Path) -> None:
    engine = Noting(lambda request: truthful(request, age=int(request.id.startswith("r0000001"))))
    run_job(job_with(tmp_path, FILTER | {"repair": False}), tmp_path / "run", engine=engine)
    refused = {row["id"]: (row["reason"], row["scores"]) for row in lines(tmp_path / "run/rejected.jsonl")}
    assert refused["r0000001"] == ("contradicts_fact", {"facts": "/age", "start": 2, "end": 13})
    assert {reason for reason, _ in refused.values()} <= {"contradicts_fact", "surplus"}


@pytest.mark.parametrize(
    ("filter", "changes", "says"),
    [
        (FILTER | {"text": "notes"}, {}, r"filters\[0\].text: notes is not in the record schema. Did you mean note"),
        (FILTER | {"facts": {"complaint": "phrase"}}, {}, r"filters\[0\].facts: complaint is not in the record schema"),
        (FILTER | {"required": ["note"]}, {}, r"filters\[0\].required: note holds no facts. Facts: age, problems"),
        ({"type": "schema"}, {}, "fields.spans is located, and there are 0 consistency filters"),
    ],
)
def test_bad_jobs(tmp_path: Path, filter: Any, changes: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        run_job(job_with(tmp_path, filter, **changes), tmp_path / "run", engine=Noting(truthful))


def test_a_step_that_states_facts_is_decoded_under_a_pattern_of_each_record(tmp_path: Path) -> None:
    engine = Noting(truthful)
    steps = [{"prompt": "./tiny.j2", "few_shot": 2, "states": ["age", "problems"]}]
    run_job(job_with(tmp_path, steps=steps), tmp_path / "run", engine=engine)
    asked = {request.id[:8]: request.schema["properties"]["note"] for request in engine.asked}  # type: ignore[index]
    accepted = zip(lines(tmp_path / "run/lineage.jsonl"), lines(tmp_path / "run/accepted.jsonl"), strict=True)
    for row, record in accepted:
        stated = f"A {record['age']}-year-old patient with {record['problems'][0]['name'].lower()} came."
        assert re.search(asked[row["id"]]["pattern"], stated)
        assert not re.search(asked[row["id"]]["pattern"], stated.replace(str(record["age"]), "39"))


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ({"states": ["age", "sex"]}, r"steps\[0\].states: sex is not known before this step. Known: age, problems"),
        (
            {"states": ["age"], "writes": {"score": {"type": "integer", "minimum": 1, "maximum": 5}}},
            "must write one text",
        ),
    ],
)
def test_bad_states(tmp_path: Path, step: Any, says: str) -> None:
    steps = [{"prompt": "./tiny.j2", "few_shot": 0, **step}, {"prompt": "./tiny.j2"}]
    with pytest.raises(InputError, match=says):
        run_job(job_with(tmp_path, steps=steps), tmp_path / "run", engine=Noting(truthful))


def test_facts_that_do_not_fit_into_the_text_are_said(tmp_path: Path) -> None:
    steps = [{"prompt": "./tiny.j2", "few_shot": 2, "states": ["age", "problems"]}]
    job = job_with(tmp_path, steps=steps)
    assert not [note for note in prepare(job, engine=Noting(truthful)).notes if "do not fit" in note]
    short = {**SCHEMA, "properties": {**SCHEMA["properties"], "note": {"type": "string", "maxLength": 60}}}
    (tmp_path / "tiny.json").write_text(json.dumps(short), encoding="utf-8")
    notes = prepare(job, engine=Noting(truthful)).notes
    assert [note for note in notes if re.match(r"step 0: the facts of \d+ of \d+ seeds do not fit into note", note)]
