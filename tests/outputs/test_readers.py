"""A finished run folder as it stands, read by the libraries that people read such files with."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import lines, tiny_job
from textsynth import run_job
from textsynth.engines.scripted import ScriptedEngine

FILES = ("accepted.jsonl", "lineage.jsonl", "rejected.jsonl")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with all kinds of records: two steps, attributes, cells, retries, refusals by several filters."""
    folder = tmp_path_factory.mktemp("readers")
    judge = {"prompt": "./tiny.j2", "few_shot": 0, "writes": {"score": {"type": "integer", "minimum": 1, "maximum": 5}}}
    job = tiny_job(
        folder,
        attributes={"tone": ["dry", "warm"]},
        steps=[{"prompt": "./tiny.j2", "few_shot": 2, "writes": ["text"]}, judge],
        plan={"target": 40, "round": 16, "max_requests": 900, "match": ["topic"]},
        filters=[
            {"type": "schema"},
            {"type": "rules", "rules": {"properties": {"score": {"minimum": 2}}}},
            {"type": "dedup", "near": 0.3},
        ],
    )
    assert run_job(job, folder / "run", engine=ScriptedEngine(broken=0.3)).done
    return folder / "run"


def counts(run: Path) -> dict[str, int]:
    """Lines of each file as the manifest says."""
    manifest: dict[str, Any] = json.loads((run / "manifest.json").read_text())
    found = manifest["counts"]
    assert found["accepted"] == 40 and found["rejected"] > 10
    return {
        "accepted.jsonl": found["accepted"],
        "lineage.jsonl": found["accepted"],
        "rejected.jsonl": found["rejected"] + found["surplus"],
    }


@pytest.mark.parametrize("name", FILES)
def test_datasets(run: Path, name: str, tmp_path: Path) -> None:
    from datasets import load_dataset

    found = load_dataset("json", data_files=str(run / name), split="train", cache_dir=str(tmp_path))
    assert found.num_rows == counts(run)[name]
    if name == "accepted.jsonl":
        assert found.to_list() == lines(run / name)
    else:
        assert found["id"][:] == [row["id"] for row in lines(run / name)]


@pytest.mark.parametrize("name", FILES)
def test_pandas(run: Path, name: str) -> None:
    import pandas

    found = pandas.read_json(run / name, lines=True)
    assert len(found) == counts(run)[name]
    if name == "accepted.jsonl":
        assert found.to_dict("records") == lines(run / name)
    else:
        assert list(found["id"]) == [row["id"] for row in lines(run / name)]


@pytest.mark.parametrize("name", FILES)
def test_duckdb(run: Path, name: str) -> None:
    import duckdb

    with duckdb.connect() as db:
        (count,) = db.execute("SELECT count(*) FROM read_json_auto(?)", [str(run / name)]).fetchone() or (0,)
        assert count == counts(run)[name]
        if name == "accepted.jsonl":
            query = "SELECT topic, count(*) FROM read_json_auto(?) GROUP BY topic"
            topics = Counter(row["topic"] for row in lines(run / name))
            assert dict(db.execute(query, [str(run / name)]).fetchall()) == topics
        if name == "rejected.jsonl":
            query = "SELECT reason, count(*) FROM read_json_auto(?) GROUP BY reason"
            reasons = Counter(row["reason"] for row in lines(run / name))
            assert dict(db.execute(query, [str(run / name)]).fetchall()) == reasons


def test_sqlite(run: Path) -> None:
    with closing(sqlite3.connect(f"file:{run / 'run.db'}?mode=ro", uri=True)) as db:
        states = dict(db.execute("SELECT state, COUNT(*) FROM records GROUP BY state"))
        told = json.loads((run / "manifest.json").read_text())["counts"]
        assert states == {state: told[state] for state in states} and states["accepted"] == 40
        query = "SELECT json_extract(fields, '$.topic'), COUNT(*) FROM records WHERE state = 'accepted' GROUP BY 1"
        assert dict(db.execute(query)) == Counter(row["topic"] for row in lines(run / "accepted.jsonl"))
    assert not list(run.glob("run.db-*"))  # reading leaves nothing behind
