"""run.db: one writer, nothing committed is ever lost, and every fault is one sentence."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outputs.fake_run import SEED_TEXT, fake_run
from textsynth.errors import InputError, StoreError
from textsynth.outputs.database import VERSION
from textsynth.outputs.store import Store
from textsynth.records import Completion, Record, Request, Verdict

ROOT = Path(__file__).resolve().parents[2]
GAVE = {"requests": 3, "tokens": 12, "passed": [0], "accepted": [0]}

WRITER = """
import sys
from pathlib import Path
from textsynth.outputs.database import VERSION
from textsynth.outputs.store import Store
store = Store(Path(sys.argv[1]))
store.put("kept", True)
store.commit()
store.put("lost", True)
print("ready", flush=True)
sys.stdin.read()
"""

# Writes until the largest file that it may write is full, as on a full disk; says what was committed by then.
FILLER = """
import resource, sys
from pathlib import Path
from textsynth.errors import StoreError
from textsynth.outputs.database import VERSION
from textsynth.outputs.store import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
committed = 0
try:
    with Store(Path(sys.argv[1])) as store:
        while True:
            store.put(f"note {committed + 1}", "x" * 2000)
            store.commit()
            committed += 1
except StoreError as error:
    print(committed, error, sep="|")
"""


@pytest.fixture
def other_writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has a store in tmp_path open for writing."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    with process.stdin, process.stdout:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()
        process.wait()


def request(number: int, content: str = "Write.") -> Request:
    messages = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": content})
    return Request(f"r{number:07d}-0-0", 0, 0, messages, {"type": "object"}, {"temperature": 0.5}, number, ("s000001",))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    record = Record("r0000001", 0, {"style": "terse"}, {"note": "é", "age": 7}, {"judge": 4}, {"steps": []})
    verdicts = [Verdict("schema", True), Verdict("dedup", False, "near_duplicate", {"jaccard": 0.9}, "r0000000")]
    with Store(tmp_path) as store:
        store.put("job", {"a": [1, None]})
        store.open_round(0, 0, [2, 0], {"block": 2})
        store.add_requests([("r0000001", request(1)), ("r0000002", request(2))])
        store.add_completion(Completion("r0000001-0-0", '{"note": "é"}', "length", 30, 4))
        store.close_round(0, [(1, record, 1, "rejected", verdicts)], GAVE | {"passed": [0, 0]}, {"new": 1})
        store.add_vectors({"key": b"\x00\x01"})
    with Store(tmp_path, write=False) as store:
        assert (store.get("job"), store.get("nothing", 3)) == ({"a": [1, None]}, 3)
        assert store.completion("r0000001-0-0") == Completion("r0000001-0-0", '{"note": "é"}', "length", 30, 4)
        assert store.completion("r0000002-0-0") is None
        expected = {"round": 0, "first": 0, "planned": 2, "cells": [2, 0], "requests": 3, "tokens": 12, "closed": 1}
        expected |= {"passed": [0, 0], "accepted": [0], "aim": {"block": 2}, "gave": {"new": 1}}
        assert store.rounds() == [expected]
        (row,) = store.records("rejected")
        assert (row["id"], row["reason"], row["fields"]) == ("r0000001", "near_duplicate", {"note": "é", "age": 7})
        assert (row["number"], row["cell"], row["state"]) == (1, 1, "rejected")
        assert store.tally() == [{"cell": 1, "state": "rejected", "reason": "near_duplicate", "count": 1}]
        assert (row["attributes"], row["working"], row["lineage"]) == ({"style": "terse"}, {"judge": 4}, {"steps": []})
        assert list(store.records("accepted")) == []
        found = [(v["filter"], v["accepted"], v["reason"], v["scores"]) for v in store.verdicts("r0000001")]
        assert found == [("schema", 1, None, {}), ("dedup", 0, "near_duplicate", {"jaccard": 0.9})]
        assert list(store.judged()) == [(row, store.verdicts("r0000001"))]
        (asked,) = store.requests("r0000001")
        assert asked["messages"] == [dict(message) for message in request(1).messages]
        assert (asked["seed_ids"], asked["finish_reason"], asked["sampling"]) == (
            ["s000001"], "length", {"temperature": 0.5},
        )  # fmt: skip
        assert store.vectors(["key", "other"]) == {"key": b"\x00\x01"}
        totals = {"completions": 1, "prompt_tokens": 30, "completion_tokens": 4, "truncated": 1}
        assert store.totals() == totals


def test_the_first_answer_to_a_request_is_kept(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.add_completion(Completion("r0000001-0-0", "first", "stop"))
        store.add_completion(Completion("r0000001-0-0", "second", "stop"))
        answer = store.completion("r0000001-0-0")
    assert answer is not None and answer.text == "first"


def test_a_round_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    twins = [Record(f"r{number:07d}", 0, {}, {}) for number in (1, 2, 2)]
    with Store(tmp_path) as store:
        store.open_round(0, 0, [3])
        store.add_completion(Completion("r0000001-0-0", "{}", "stop"))
        with pytest.raises(StoreError, match="UNIQUE"):
            store.close_round(0, [(at, twin, 0, "accepted", []) for at, twin in enumerate(twins)], GAVE)
    with Store(tmp_path) as store:
        assert list(store.records()) == []
        assert [entry["closed"] for entry in store.rounds()] == [0]
        assert store.completion("r0000001-0-0") is not None
        store.close_round(0, [(at, twin, 0, "accepted", []) for at, twin in enumerate(twins[:2])], GAVE)
        assert [record["id"] for record in store.records("accepted")] == ["r0000001", "r0000002"]


def test_a_clean_end_leaves_one_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    with Store(folder) as store:
        store.put("a", 1)
        assert {path.name for path in folder.iterdir()} >= {"run.db", "run.lock"}
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert [path.name for path in folder.iterdir()] == ["run.db"]
    assert (folder / "run.db").stat().st_mode & 0o777 == 0o600


def test_a_second_writer_is_refused_with_the_name_of_the_first(
    tmp_path: Path, other_writer: subprocess.Popen[str]
) -> None:
    with pytest.raises(InputError, match=rf"a run is writing here \(process {other_writer.pid}, since 2.*Wait for it"):
        Store(tmp_path)
    with Store(tmp_path, write=False) as store:  # reading is allowed
        assert (store.get("kept"), store.get("lost")) == (True, None)


def test_a_killed_writer_leaves_what_it_committed_and_no_lock(
    tmp_path: Path, other_writer: subprocess.Popen[str]
) -> None:
    other_writer.send_signal(signal.SIGKILL)
    other_writer.wait()
    with Store(tmp_path, write=False) as store:
        assert (store.get("kept"), store.get("lost")) == (True, None)
    with Store(tmp_path) as store:
        assert (store.get("kept"), store.get("lost")) == (True, None)
    assert [path.name for path in tmp_path.iterdir()] == ["run.db"]


def test_a_folder_is_free_after_opening_it_failed(tmp_path: Path) -> None:
    (tmp_path / "run.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError):
        Store(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run.db"]
    (tmp_path / "run.db").unlink()
    Store(tmp_path).close()


def test_reading_writes_nothing(tmp_path: Path) -> None:
    fake_run(tmp_path, 5).close()
    before = (tmp_path / "run.db").read_bytes()
    with Store(tmp_path, write=False) as store:
        assert len(list(store.records())) == 5
        with pytest.raises(StoreError, match="readonly"):
            store.put("a", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["run.db"]
    assert (tmp_path / "run.db").read_bytes() == before


def test_a_writer_ends_well_while_another_reads(tmp_path: Path) -> None:
    writer = Store(tmp_path)
    writer.put("a", 1)
    writer.commit()
    with Store(tmp_path, write=False) as reader:
        assert reader.get("a") == 1
        writer.put("a", 2)
        writer.close()
        assert reader.get("a") == 2
    Store(tmp_path).close()
    assert [path.name for path in tmp_path.iterdir()] == ["run.db"]


def test_no_run_here(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no run here"):
        Store(tmp_path, write=False)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_database_can_be_started_but_not_read(tmp_path: Path) -> None:
    (tmp_path / "run.db").touch()
    with pytest.raises(InputError, match=r"run\.db is empty. Start the run again"):
        Store(tmp_path, write=False)
    with Store(tmp_path) as store:
        assert store.rounds() == []


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("other", [VERSION - 1, VERSION + 1])
def test_another_version_is_refused(tmp_path: Path, write: bool, other: int) -> None:
    with Store(tmp_path) as store:
        store.put("version", other)
    before = (tmp_path / "run.db").read_bytes()
    who = "a newer textsynth wrote it: update this one" if other > VERSION else "an older textsynth wrote it"
    said = rf"has version {other}; this textsynth reads {VERSION} \({who}\)\. Use the textsynth that wrote it"
    with pytest.raises(InputError, match=said):
        Store(tmp_path, write=write)
    assert (tmp_path / "run.db").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["run.db"]


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "run.db")
    other.execute("CREATE TABLE songs (name)")
    other.close()
    with pytest.raises(StoreError, match=r"run\.db is damaged \(no such table: meta\), and no completion"):
        Store(tmp_path)


def read_all(folder: Path, write: bool) -> None:
    with Store(folder, write=write) as store:
        for record in store.records():
            store.requests(record["id"])
            store.verdicts(record["id"])


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("keep", [0.02, 0.5, 0.9])
def test_a_truncated_database_is_one_sentence_that_says_what_is_left(tmp_path: Path, write: bool, keep: float) -> None:
    fake_run(tmp_path, 200).close()
    path = tmp_path / "run.db"
    os.truncate(path, int(path.stat().st_size * keep))
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"run\.db is damaged \(.*\)") as caught:
        read_all(tmp_path, write)
    said = str(caught.value)
    assert SEED_TEXT not in said and len(said.splitlines()) == 1
    found = re.search(
        r"; (\d+) completions and (\d+) records can still be read\. Restore it from a copy, or take", said
    )
    if keep == 0.02:
        assert "no completion in it can be read. Restore it from a copy, or choose another folder" in said
    else:
        assert found is not None
        assert 200 * keep * 0.7 < int(found[1]) <= 200 and 200 * keep * 0.7 < int(found[2]) <= 200
        assert said.endswith(f"textsynth run JOB --out NEW --reuse {tmp_path}")
    assert path.read_bytes() == before  # nothing is rebuilt
    assert [one.name for one in tmp_path.iterdir()] == ["run.db"]


@pytest.mark.parametrize("write", [True, False])
def test_an_overwritten_page_is_one_sentence_that_says_what_is_left(tmp_path: Path, write: bool) -> None:
    fake_run(tmp_path, 200).close()
    path = tmp_path / "run.db"
    before = bytearray(path.read_bytes())
    at = before.index(b"r0000100-0-0") // 4096 * 4096
    before[at : at + 4096] = b"\xff" * 4096
    path.write_bytes(before)
    with pytest.raises(StoreError, match=r"run\.db is damaged") as caught:
        read_all(tmp_path, write)
    found = re.search(r"; (\d+) completions and (\d+) records can still be read\.", str(caught.value))
    assert found is not None and int(found[1]) >= 100 and int(found[2]) >= 100
    assert (int(found[1]), int(found[2])) != (200, 200)
    assert path.read_bytes() == before


def test_garbage_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "run.db").write_bytes(b"\xff" * 9000)
    for write in (True, False):
        with pytest.raises(
            StoreError, match=r"damaged \(file is not a database\), and no completion in it can be read"
        ):
            Store(tmp_path, write=write)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="the folder cannot be written"):
        Store(tmp_path / "run")


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(InputError, match="the folder cannot be written .* Choose another --out"):
        Store(tmp_path / "run")


def fill(folder: Path, most: int) -> tuple[int, str]:
    """How many commits went through before the disk was full, and what was said then."""
    done = subprocess.run(
        [sys.executable, "-c", FILLER, str(folder), str(most)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    committed, _, error = done.stdout.strip().partition("|")
    return int(committed), error


def test_a_full_disk_stops_in_words_and_loses_nothing_committed(tmp_path: Path) -> None:
    committed, error = fill(tmp_path, 300_000)
    assert committed > 10
    assert "the disk is full or failed" in error and "nothing committed is lost" in error
    with Store(tmp_path, write=False) as store:
        assert [store.get(f"note {number}") for number in range(1, committed + 1)] == ["x" * 2000] * committed
    with Store(tmp_path) as store:
        assert store.get(f"note {committed}") == "x" * 2000
        store.put("more", 1)


@pytest.mark.parametrize("most", [0, 1000, 40_000, 60_000, 80_000])
def test_a_disk_that_fills_while_a_run_begins_leaves_a_folder_that_can_begin_again(tmp_path: Path, most: int) -> None:
    _, error = fill(tmp_path, most)
    assert "the disk is full or failed" in error
    with Store(tmp_path) as store:
        store.open_round(0, 0, [1])
        assert len(store.rounds()) == 1
