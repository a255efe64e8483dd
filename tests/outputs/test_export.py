"""The files of a run folder, and accepted records in other formats."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.outputs.fake_run import NOTES, SEED_TEXT, SOURCES, fake_run
from textsynth.errors import InputError, StoreError
from textsynth.outputs.export import write_run_files
from textsynth.outputs.store import Store
from textsynth.records import content_hash
from textsynth.training import export

FILES = ("accepted.jsonl", "lineage.jsonl", "rejected.jsonl", "manifest.json")
ODD: list[dict[str, Any]] = [
    {"note": "line one\nline two, “quoted” \u2028 =1+1", "age": 1, "score": 1, "tags": ["a", "b"], "box": {"x": 1}},
    {"note": "ünïcödé 🙂\r\n", "age": 2, "score": 2.5, "tags": [], "box": {"x": 2}, "mixed": 7, "flag": True},
    {"note": "", "age": None, "score": 3, "tags": ["c"], "box": {"x": None}, "mixed": "seven", "flag": None},
]
ODD_SCHEMA = {
    "type": "object",
    "properties": {
        "age": {"type": ["integer", "null"]},
        "note": {"type": "string"},
        "score": {"type": "number"},
        "tags": {"type": "array"},
        "box": {"type": "object"},
        "flag": {"type": "boolean"},
        "unused": {"type": "number"},
    },
}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().decode().split("\n")[:-1]]


def run_with(folder: Path, records: list[dict[str, Any]]) -> Store:
    return fake_run(folder, len(records), ("accepted",), records, schema=ODD_SCHEMA, sources={})


@pytest.fixture
def written(tmp_path: Path) -> Path:
    with fake_run(tmp_path / "run") as store:
        write_run_files(store, store.folder)
    return tmp_path / "run"


def test_accepted_holds_exactly_the_fields_in_schema_order(written: Path) -> None:
    found = lines(written / "accepted.jsonl")
    assert len(found) == 40
    assert found[0] == NOTES[0]
    assert list(found[0]) == list(SOURCES)


def test_fields_follow_the_schema_and_keep_what_it_does_not_name(tmp_path: Path) -> None:
    with run_with(tmp_path / "run", ODD) as store:
        write_run_files(store, store.folder)
    found = lines(tmp_path / "run" / "accepted.jsonl")
    assert found == ODD
    assert [list(fields) for fields in found][1] == ["age", "note", "score", "tags", "box", "flag", "mixed"]
    assert "ünïcödé 🙂" in (tmp_path / "run" / "accepted.jsonl").read_text(encoding="utf-8")


def test_lineage_tells_how_each_accepted_record_came_to_be(written: Path) -> None:
    found = lines(written / "lineage.jsonl")
    assert [line["id"] for line in found][:3] == ["r0000000", "r0000001", "r0000003"]
    first = found[0]
    assert first["seed_ids"] == ["s000001", "s000002"]
    assert first["drawn_from"] == {"age": "s000003"}
    assert (first["attributes"], first["working"]) == ({"style": "terse"}, {"judge": 4})
    assert first["steps"][0] | {"prompt_hash": "22dd", "sampling": {"temperature": 0.5}} == first["steps"][0]
    assert first["steps"][0]["engine"] == {"type": "scripted", "model": "scripted", "fingerprint": "abc"}
    assert set(first["scores"]) == {"schema", "leakage", "dedup"}
    assert first["scores"]["leakage"]["span"] == 2


def test_rejected_records_have_the_same_lineage_without_what_may_hold_seed_text(written: Path) -> None:
    accepted, rejected = lines(written / "lineage.jsonl"), lines(written / "rejected.jsonl")
    assert all(line["lineage"]["id"] == line["id"] for line in rejected)
    assert all(set(line["lineage"]) == set(accepted[0]) for line in rejected)
    assert all(set(line["lineage"]["steps"][0]) == set(accepted[0]["steps"][0]) for line in rejected)
    copied = next(line["lineage"] for line in rejected if line["reason"] == "copied_span")
    assert (set(copied["scores"]), copied["working"]) == ({"schema", "leakage"}, {})
    assert next(line["lineage"] for line in rejected if line["reason"] == "near_duplicate")["working"] == {"judge": 4}


def test_rejected_shows_fields_only_beyond_the_leakage_gate(written: Path) -> None:
    found = {line["reason"]: line for line in lines(written / "rejected.jsonl")}
    assert {reason for reason, line in found.items() if "fields" in line} == {"near_duplicate", "surplus"}
    assert set(found) == {"near_duplicate", "surplus", "copied_span", "invalid_json", "schema_mismatch"}
    copied = found["copied_span"]
    assert (copied["filter"], copied["scores"]["span"], copied["neighbor_id"][0]) == ("leakage", 20, "s")
    assert copied["hash"] == content_hash(NOTES[int(copied["id"][1:]) % len(NOTES)])
    assert copied["length"] > 300
    assert found["invalid_json"]["hash"] == content_hash("null")  # the text of its completion
    assert (found["surplus"]["filter"], found["surplus"]["scores"]) == (None, {})


def test_a_record_that_one_of_two_gates_refused_is_not_shown(tmp_path: Path) -> None:
    with fake_run(tmp_path / "run", 1, ("near_duplicate",)) as store:
        store._run("UPDATE verdicts SET filter = 'leakage' WHERE filter = ?", [("dedup",)])
        write_run_files(store, store.folder)
    assert "fields" not in lines(tmp_path / "run" / "rejected.jsonl")[0]


def test_no_file_holds_seed_text(written: Path) -> None:
    assert SEED_TEXT.encode() in (written / "run.db").read_bytes()
    assert not [name for name in FILES if SEED_TEXT.encode() in (written / name).read_bytes()]


def test_manifest_counts_and_vouches_for_the_other_files(written: Path) -> None:
    manifest = json.loads((written / "manifest.json").read_text())
    assert manifest["counts"] == {"completed": 80, "accepted": 40, "rejected": 32, "surplus": 8}
    assert manifest["reasons"] == dict.fromkeys(("copied_span", "invalid_json", "near_duplicate", "schema_mismatch"), 8)
    assert (manifest["target"], manifest["yield_rate"], manifest["status"]) == (40, 0.5, "done")
    assert manifest["totals"]["completion_tokens"] == 80 * 70
    for name in FILES[:3]:
        data = (written / name).read_bytes()
        said = manifest["files"][name]
        assert said == {"lines": data.count(b"\n"), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_manifest_labels_copied_fields(tmp_path: Path) -> None:
    with fake_run(tmp_path / "run", sources=SOURCES | {"age": "copied"}) as store:
        write_run_files(store, store.folder)
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["copied_fields"] == ["age"]


def test_files_are_the_same_bytes_each_time(written: Path) -> None:
    before = [(written / name).read_bytes() for name in FILES]
    with Store(written, write=False) as store:
        write_run_files(store, written)
    assert [(written / name).read_bytes() for name in FILES] == before


def test_a_run_without_records_has_empty_files(tmp_path: Path) -> None:
    with fake_run(tmp_path / "run", 0, engine=None, job=None, schema=None, status="running") as store:
        write_run_files(store, store.folder)
    assert [(tmp_path / "run" / name).read_bytes() for name in FILES[:3]] == [b"", b"", b""]
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["yield_rate"] is None


@pytest.mark.parametrize("format", ["run", "jsonl", "csv", "parquet"])
def test_a_full_disk_is_one_sentence_and_harms_no_file(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = {path.name: path.read_bytes() for path in written.glob("*.json*")}
    monkeypatch.setattr("textsynth.outputs.export.os.fsync", full)
    with Store(written, write=False) as store, pytest.raises(StoreError, match="the disk is full .*Make room"):
        write_run_files(store, written) if format == "run" else export(store, format, tmp_path / "new")
    assert {path.name: path.read_bytes() for path in written.iterdir() if "run.db" not in path.name} == before
    assert list(tmp_path.iterdir()) == [written]


def test_export_jsonl_is_accepted_jsonl(written: Path, tmp_path: Path) -> None:
    with Store(written, write=False) as store:
        assert export(store, "jsonl", tmp_path / "out.jsonl").records == 40
    assert (tmp_path / "out.jsonl").read_bytes() == (written / "accepted.jsonl").read_bytes()


def test_export_csv_keeps_every_character(tmp_path: Path) -> None:
    with run_with(tmp_path / "run", ODD) as store:
        made = export(store, "csv", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["age", "note", "score", "tags", "box", "flag", "unused", "mixed"]
    assert [row["note"] for row in rows] == [fields["note"] for fields in ODD]
    assert [row["score"] for row in rows] == ["1", "2.5", "3"]
    assert (json.loads(rows[0]["tags"]), json.loads(rows[2]["box"])) == (["a", "b"], {"x": None})
    assert [row["flag"] for row in rows] == ["", "true", ""]
    assert set(made.json_columns) == {"tags", "box"}


def test_export_parquet_types_follow_the_schema_and_the_values(tmp_path: Path) -> None:
    import pyarrow.parquet

    with run_with(tmp_path / "run", ODD) as store:
        made = export(store, "parquet", tmp_path / "out.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert {name: str(table.schema.field(name).type) for name in table.column_names} == {
        "age": "int64", "note": "string", "score": "double", "tags": "list<element: string>",
        "box": "struct<x: int64>", "flag": "bool", "unused": "double", "mixed": "string",
    }  # fmt: skip
    rows = table.to_pylist()
    assert [{k: v for k, v in row.items() if k in ODD[0]} for row in rows] == [
        {k: v for k, v in fields.items() if k in ODD[0]} for fields in ODD
    ]
    assert [row["mixed"] for row in rows] == [None, "7", '"seven"']
    assert made.json_columns == ("mixed",)


def test_whole_numbers_keep_the_type_that_the_schema_gives_them(tmp_path: Path) -> None:
    import pyarrow.parquet

    with run_with(tmp_path / "run", [{"score": 1, "age": 2.0}, {"score": 3, "age": 4}]) as store:
        export(store, "parquet", tmp_path / "out.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert table.column("score").to_pylist() == [1.0, 3.0]
    assert [str(table.schema.field(name).type) for name in ("age", "score")] == ["int64", "double"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([{"a": 1}, {"b": 1}], "string"),
        ([{}, {}], "string"),
        ([[1], ["x"]], "list<element: string>"),
        ([[1], [2.5]], "list<element: double>"),
        ([2**70, 1], "string"),
        ([True, 1], "string"),
        ([[{"r": "u", "c": "x"}], [{"r": "a", "c": "y"}]], "list<element: struct<r: string, c: string>>"),
    ],
)
def test_values_with_no_common_type_become_json(tmp_path: Path, values: list[Any], kind: str) -> None:
    import pyarrow.parquet

    with run_with(tmp_path / "run", [{"x": value} for value in values]) as store:
        export(store, "parquet", tmp_path / "out.parquet")
    column = pyarrow.parquet.read_table(tmp_path / "out.parquet").column("x")
    assert str(column.type) == kind
    if kind == "string":
        assert [json.loads(text) for text in column.to_pylist()] == values


def test_export_dataset_opens_as_one(written: Path, tmp_path: Path) -> None:
    import datasets

    with Store(written, write=False) as store:
        export(store, "dataset", tmp_path / "out")
        export(store, "dataset", tmp_path / "out", force=True)
    found = datasets.load_from_disk(str(tmp_path / "out"))
    assert len(found) == 40
    assert found[0] == NOTES[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run"]


@pytest.mark.parametrize(
    ("format", "name", "says"),
    [
        ("parket", "new", "parket is not a known format. Did you mean parquet"),
        ("xml", "new", "Use one of jsonl, csv, parquet, dataset"),
        ("csv", "taken", "exists already"),
        ("dataset", "run", "exists already"),
        ("csv", "no/such/new", "there is no folder"),
    ],
)
def test_export_refuses(written: Path, tmp_path: Path, format: str, name: str, says: str) -> None:
    (tmp_path / "taken").write_text("mine")
    with Store(written, write=False) as store, pytest.raises(InputError, match=says):
        export(store, format, tmp_path / name)
    assert (tmp_path / "taken").read_text() == "mine"


def test_force_replaces_a_file_but_no_folder_and_no_run(written: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    (tmp_path / "folder").mkdir()
    with Store(written, write=False) as store:
        export(store, "jsonl", tmp_path / "taken", force=True)
        assert len(lines(tmp_path / "taken")) == 40
        for format, place in (("csv", tmp_path / "folder"), ("dataset", written), ("jsonl", written / "run.db")):
            with pytest.raises(InputError, match="something else than an earlier export"):
                export(store, format, place, force=True)


def test_export_needs_an_accepted_record(tmp_path: Path) -> None:
    with fake_run(tmp_path / "run", 4, ("invalid_json",)) as store, pytest.raises(InputError, match="no record is acc"):
        export(store, "csv", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
