"""A run tells whether its accepted rows as a set point to single seeds, in the end or when it goes on."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import lines
from tests.similarity.test_linkage import EACH, NAMES, Row, mixed, people
from textsynth import run_job
from textsynth.decide import filter_records
from textsynth.job import Job, load_job
from textsynth.pipeline import Run
from textsynth.prepare import prepare

SCHEMA = {
    "type": "object",
    "properties": {
        **{name: {"type": "number"} for name in ("age", "income", "weight")},
        **{"city": {"type": "string"}, "job": {"type": "string"}, "smoker": {"type": "boolean"}},
    },
    "required": NAMES,
}


def rows_file(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def table_job(folder: Path, seeds: list[Row], **changes: Any) -> Job:
    rows_file(folder / "seeds.jsonl", seeds)
    (folder / "row.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    data = {
        "seeds": {"path": "seeds.jsonl", "holdout": 0.2},
        "record_schema": "./row.json",
        "fields": {name: {"source": "sampled"} for name in NAMES},
        "plan": {"target": 120, "round": 50},
        "filters": [{"type": "schema"}, {"type": "leakage", "alpha": 0.05}],
        **changes,
    }
    (folder / "job.yaml").write_text(json.dumps(data), encoding="utf-8")
    return load_job(folder / "job.yaml")


def as_a_set(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["leakage"]["rows_as_a_set"]
    return found


def test_rows_from_a_generator_that_keeps_cells_of_seeds_are_flagged_and_others_are_not(tmp_path: Path) -> None:
    rng = random.Random(0)
    seeds = people(500, rng)
    job = table_job(tmp_path, seeds)
    shown = [dict(seed.data) for seed in prepare(job).seeds.shown]
    for name, rows in (("leaked", mixed(shown, 150, 3, rng)), ("genuine", people(150, rng))):
        result = filter_records(prepare(job), str(rows_file(tmp_path / f"{name}.jsonl", rows)), tmp_path / name)
        assert result.done == (name == "genuine") and len(result.shortfall) == (name == "leaked")
        found = as_a_set(tmp_path / name)
        assert found["rows"] == len(lines(tmp_path / name / "accepted.jsonl")) > 100
        assert found["units"] == EACH
        assert found["flagged"] is (name == "leaked")
        said = (tmp_path / name / "report.html").read_text(encoding="utf-8")
        assert said.count("as a set point to single seeds: several values") == (name == "leaked")


def test_what_the_job_draws_together_is_not_held_against_it(tmp_path: Path) -> None:
    job = table_job(tmp_path, people(500, random.Random(1)), together=[["income", "weight", "city"]])
    run_job(job, tmp_path / "run")
    found = as_a_set(tmp_path / "run")
    assert found["units"] == [["income", "weight", "city"], ["age"], ["job"], ["smoker"]]
    assert found["rows"] >= 120  # those that passed every filter, needed or not
    assert found["flagged"] is False


def test_a_run_that_was_stopped_ends_with_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = table_job(tmp_path, people(300, random.Random(2)))
    run_job(job, tmp_path / "whole")
    close = Run._close

    def stop(self: Run) -> None:
        number = self.open[0].number
        close(self)
        if number == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "_close", stop)
        with pytest.raises(KeyboardInterrupt):
            run_job(job, tmp_path / "broken")
    assert as_a_set(tmp_path / "broken")["rows"] < 120
    run_job(job, tmp_path / "broken")
    assert as_a_set(tmp_path / "broken") == as_a_set(tmp_path / "whole")


def test_a_record_of_texts_has_no_rows_to_test(tmp_path: Path) -> None:
    job = table_job(tmp_path, people(100, random.Random(3)), fields={n: {"source": "copied"} for n in NAMES[1:]} | {
        "age": {"source": "sampled"}})  # fmt: skip
    run_job(job, tmp_path / "run")
    assert as_a_set(tmp_path / "run") is None
