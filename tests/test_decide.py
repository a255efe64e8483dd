from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import SCHEMA, SEEDS, Noting, lines, tiny_job
from textsynth import InputError, Job, load_job, run_job
from textsynth.cli import main
from textsynth.decide import filter_records, planned_request, preview_job
from textsynth.engines.scripted import ScriptedEngine
from textsynth.errors import MissingExtraError
from textsynth.outputs.store import Store
from textsynth.prepare import prepare

GOOD: list[dict[str, Any]] = [
    {"topic": "boats", "color": "red", "size": 1 + n, "text": f"A record from elsewhere, the {n}th."} for n in range(6)
]


def decided(job: Job, source: Path, out: Path) -> Any:
    return filter_records(prepare(job), str(source), out)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_records_made_elsewhere_are_judged_in_their_order(tmp_path: Path) -> None:
    rows = [GOOD[0], GOOD[1], GOOD[0], {**GOOD[2], "color": "pink"}, GOOD[3], {"topic": "bees"}]
    source = write(tmp_path / "in.jsonl", rows)
    result = decided(tiny_job(tmp_path / "job", plan={"round": 2}), source, tmp_path / "out")
    assert result.done and result.accepted == 3
    assert lines(tmp_path / "out/accepted.jsonl") == [GOOD[0], GOOD[1], GOOD[3]]
    refused = [(row["id"], row["reason"]) for row in lines(tmp_path / "out/rejected.jsonl")]
    assert refused == [
        ("r0000002", "exact_duplicate"),
        ("r0000003", "schema_mismatch"),
        ("r0000005", "schema_mismatch"),
    ]
    assert dict(result.counts) == {"exact_duplicate": 1, "schema_mismatch": 2}
    third = lines(tmp_path / "out/lineage.jsonl")[2]
    assert (third["source"], third["steps"]) == ("in.jsonl", [])
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "3 of 6 records accepted" in page and "From 6 read (50% yield)" in page


def test_long_texts_made_elsewhere_are_not_taken_for_cut_ones(tmp_path: Path) -> None:
    tiny_job(tmp_path / "job")
    unbounded = {**SCHEMA, "properties": {**SCHEMA["properties"], "text": {"type": "string"}}}
    (tmp_path / "job/tiny.json").write_text(json.dumps(unbounded), encoding="utf-8")
    source = write(tmp_path / "in.jsonl", [{**GOOD[0], "text": "A long text. " * 1000}])
    job = load_job(tmp_path / "job/job.yaml")
    assert decided(job, source, tmp_path / "out").accepted == 1
    assert decided(job, tmp_path / "out", tmp_path / "again").accepted == 1


def test_what_was_accepted_is_accepted_again(tmp_path: Path) -> None:
    job = tiny_job(tmp_path / "job")
    first = decided(job, write(tmp_path / "in.jsonl", [*GOOD, *GOOD]), tmp_path / "one")
    again = decided(job, tmp_path / "one/accepted.jsonl", tmp_path / "two")
    assert first.accepted == again.accepted == 6 and not sum(again.counts.values())
    assert (tmp_path / "one/accepted.jsonl").read_bytes() == (tmp_path / "two/accepted.jsonl").read_bytes()


def test_cells_of_a_csv_become_what_the_schema_asks(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("topic,color,size,text\nbees,red,4,A text.\nbees,red,four,Another.\n", encoding="utf-8")
    result = decided(tiny_job(tmp_path / "job"), source, tmp_path / "out")
    assert lines(tmp_path / "out/accepted.jsonl") == [{"topic": "bees", "color": "red", "size": 4, "text": "A text."}]
    assert dict(result.counts) == {"schema_mismatch": 1}


def test_a_run_is_decided_again_with_other_filters_and_keeps_its_ids(tmp_path: Path) -> None:
    job = tiny_job(tmp_path / "job", engine={"type": "scripted", "options": {"broken": 0.4}})
    run_job(job, tmp_path / "run")
    rules = {"type": "rules", "rules": {"properties": {"size": {"minimum": 4}}}}
    stricter = tiny_job(tmp_path / "job", filters=[{"type": "schema"}, rules])
    result = decided(stricter, tmp_path / "run", tmp_path / "again")
    before, after = lines(tmp_path / "run/lineage.jsonl"), lines(tmp_path / "again/lineage.jsonl")
    spare = {row["id"] for row in lines(tmp_path / "run/rejected.jsonl") if row["reason"] == "surplus"}
    assert 0 < result.accepted < 20 and result.counts["rule_failed"]
    assert {row["id"] for row in before} | spare > {row["id"] for row in after}
    assert all(row["steps"] for row in after)
    assert all(row["size"] >= 4 for row in lines(tmp_path / "again/accepted.jsonl"))


def test_filtering_goes_on_where_it_was_and_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from textsynth.filters.dedup import DedupFilter

    job = tiny_job(tmp_path / "job", plan={"round": 2})
    source = write(tmp_path / "in.jsonl", [*GOOD, *GOOD[:3]])
    decided(job, source, tmp_path / "whole")
    check, calls = DedupFilter.check, []

    def interrupted(self: DedupFilter, record: Any) -> Any:
        calls.append(record.id)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return check(self, record)

    monkeypatch.setattr(DedupFilter, "check", interrupted)
    with pytest.raises(KeyboardInterrupt):
        decided(job, source, tmp_path / "out")
    decided(job, source, tmp_path / "out")
    for name in ("accepted.jsonl", "rejected.jsonl", "lineage.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_another_input_for_the_same_folder_is_refused(tmp_path: Path) -> None:
    job = tiny_job(tmp_path / "job")
    decided(job, write(tmp_path / "in.jsonl", GOOD), tmp_path / "out")
    with pytest.raises(InputError, match=r"another run: the input changed\. Choose a new"):
        decided(job, write(tmp_path / "other.jsonl", GOOD[:3]), tmp_path / "out")
    with pytest.raises(InputError, match=r"another run: the input changed\. Choose a new"):
        decided(job, write(tmp_path / "in.jsonl", GOOD[:3]), tmp_path / "out")


@pytest.mark.parametrize(("name", "text"), [("in.jsonl", ""), ("in.csv", "topic,color,size,text\n")])
def test_an_input_without_records_is_a_fault(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"in\.(jsonl|csv)"):
        decided(tiny_job(tmp_path / "job"), tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_preview_shows_records_with_verdicts_and_leaves_nothing(tmp_path: Path) -> None:
    job = tiny_job(tmp_path, engine={"type": "scripted", "options": {"broken": 0.5}})
    before = sorted(tmp_path.iterdir())
    found = preview_job(prepare(job), 7)
    assert len(found) == 7
    assert all(verdicts for _, verdicts in found)
    assert sorted(tmp_path.iterdir()) == before


def test_a_preview_of_one_record_with_many_steps_and_retries(tmp_path: Path) -> None:
    score = {"type": "integer", "minimum": 1, "maximum": 5}
    steps: list[dict[str, Any]] = [{"prompt": "./tiny.j2", "writes": ["text"], "retry": 5}]
    steps += [{"prompt": "./tiny.j2", "writes": {f"score{n}": score}, "retry": 5} for n in range(2)]
    [(record, verdicts)] = preview_job(prepare(tiny_job(tmp_path, steps=steps)), 1)
    assert verdicts[-1].accepted and record.working.keys() == {"score0", "score1"}


def test_the_planned_request_is_the_one_that_a_run_makes_first(tmp_path: Path) -> None:
    engine, job = Noting(), tiny_job(tmp_path)
    run_job(job, tmp_path / "run", engine=engine)
    assert planned_request(prepare(job)) == next(r for r in engine.asked if r.id == "r0000000-0-0")


def test_nothing_is_asked_where_nothing_is_written(tmp_path: Path) -> None:
    fields = {name: {"source": "sampled"} for name in ("topic", "color", "size")} | {"text": {"source": "copied"}}
    job = tiny_job(tmp_path, fields=fields, steps=[])
    assert planned_request(prepare(job)) is None
    found = preview_job(prepare(job, engine=ScriptedEngine()), 3)
    assert {(record.fields or {})["text"] for record, _ in found} <= {seed["text"] for seed in SEEDS}


GATES: list[dict[str, Any]] = [
    {"type": "schema"},
    {"type": "leakage", "alpha": 0.2},
    {"type": "dedup", "near": 0.8},
    {"type": "diversity", "max_similarity": 0.5},
]
OTHERS: list[list[dict[str, Any]]] = [
    [
        {"type": "diversity", "max_similarity": 0.4},
        {"type": "leakage", "alpha": 0.5, "max_span": 3},
        {"type": "dedup", "near": 0.3},
    ],
    [{"type": "dedup", "near": None, "on": ["text"]}, {"type": "diversity", "max_similarity": 0.99}],
]


def gated_job(folder: Path, filters: list[dict[str, Any]], **changes: Any) -> Job:
    """A job that asks for the same 24 records whatever its filters say."""
    plan = {"target": 1000, "max_requests": 24, "steer": False}
    engine = {"type": "scripted", "options": {"broken": 0.2}}
    return tiny_job(folder, filters=filters, plan=plan, **{"engine": engine, **changes})


def judged(folder: Path) -> list[Any]:
    with Store(folder, write=False) as store:
        rows = [(row, verdicts) for row, verdicts in store.judged() if row["fields"] is not None]
    return [(row["id"], row["state"], row["fields"], row["lineage"], verdicts) for row, verdicts in rows]


@pytest.fixture(scope="module")
def gated_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gated")
    run_job(gated_job(folder / "job", GATES), folder / "run")
    return folder / "run"


@pytest.mark.parametrize("filters", OTHERS)
def test_deciding_again_needs_no_encoder_and_no_model_and_decides_as_a_new_run(
    tmp_path: Path, gated_run: Path, filters: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_job(gated_job(tmp_path / "job", filters), tmp_path / "new")
    monkeypatch.setenv("TEXTSYNTH_CACHE", str(tmp_path / "nothing-fetched"))
    for package in ("sentence_transformers", "transformers", "torch"):
        monkeypatch.setitem(sys.modules, package, None)  # importing it raises ImportError
    gated_job(tmp_path / "job", filters, engine={"type": "transformers", "model": "smollm2-135m"})
    command = ["--job", str(tmp_path / "job/job.yaml"), "--out"]
    for source, out in ((gated_run, "again"), (tmp_path / "again", "twice")):
        monkeypatch.setattr(sys, "argv", ["textsynth", "filter", str(source), *command, str(tmp_path / out)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
    assert judged(tmp_path / "again") == judged(tmp_path / "new") == judged(tmp_path / "twice")
    assert [one[:2] for one in judged(gated_run)] != [one[:2] for one in judged(tmp_path / "again")]
    writers = [step["engine"]["type"] for row in lines(tmp_path / "again/lineage.jsonl") for step in row["steps"]]
    assert set(writers) == {"scripted"}  # that wrote them
    for name in ("accepted.jsonl", "rejected.jsonl", "lineage.jsonl"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes()


def test_a_vector_that_is_not_stored_is_a_fault_in_one_sentence(
    tmp_path: Path, gated_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = gated_job(tmp_path / "job", [{"type": "diversity", "on": ["topic", "text"]}])
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    said = r"\d+ of \d+ texts have no stored vector: the package sentence-transformers is not installed\. Run: pip"
    with pytest.raises(MissingExtraError, match=said):
        filter_records(prepare(job, writes=False, encodes=False), str(gated_run), tmp_path / "again")
