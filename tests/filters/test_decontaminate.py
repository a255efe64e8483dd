"""What repeats a benchmark's item is refused, by each of three rules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.encoders import BagOfWords
from tests.jobs import lines, tiny_job
from textsynth import InputError, run_job
from textsynth.engines.scripted import ScriptedEngine
from textsynth.filters.decontaminate import DecontaminateFilter
from textsynth.inputs.benchmarks import read_benchmarks
from textsynth.records import Record

ITEM = " ".join(f"word{at}" for at in range(40))
SHORT = "nine plain words that stand here all by themselves"
ITEMS = [("gsm:1", ITEM), ("gsm:2", SHORT), ("gsm:3", "too short")]
CHANGED = " ".join(f"word{at}" if at % 12 else "other" for at in range(40))  # no run of 13; 70% of the words' windows


def judged(text: str, similarity: float | None = None, overlap: float = 0.3) -> Any:
    one = DecontaminateFilter(ITEMS, ["text"], overlap, similarity, BagOfWords())
    record = Record("r0", 0, {}, {"text": text})
    one.prepare([record])
    return one.check(record)


@pytest.mark.parametrize(
    ("text", "rule", "place"),
    [
        ("Before. " + " ".join(ITEM.split()[3:16]) + " after.", {}, "gsm:1"),
        (f"So: {SHORT}!", {}, "gsm:2"),
        (CHANGED, {}, "gsm:1"),
        (" ".join(reversed(ITEM.split())), {"similarity": 0.9}, "gsm:1"),
        (" ".join(ITEM.split()[3:15]) + " " + " ".join(f"new{at}" for at in range(60)), {}, None),
        (" ".join(reversed(ITEM.split())), {}, None),
        (CHANGED, {"overlap": 0.9}, None),
        ("too short", {"similarity": 0.9}, None),
        ("", {}, None),
    ],
)
def test_each_rule_alone_refuses(text: str, rule: dict[str, float], place: str | None) -> None:
    verdict = judged(text, **rule)
    assert (verdict.accepted, verdict.neighbor_id) == (place is None, place)
    assert verdict.reason == (None if place is None else "contaminated")


def test_evidence_counts_what_is_compared() -> None:
    found: Mapping[str, Any] = DecontaminateFilter(ITEMS, ["text"], 0.7, None, None).evidence()
    assert (found["benchmarks"], found["too_short"]) == ({"gsm": 2}, 1)


def test_a_run_refuses_benchmark_items_and_tells_which(tmp_path: Path) -> None:
    (tmp_path / "bench.jsonl").write_text(json.dumps({"q": ITEM, "more": {"a": [SHORT]}}) + "\n")
    spec = {"type": "decontaminate", "files": ["bench.jsonl"], "max_similarity": None}
    job = tiny_job(tmp_path, filters=[{"type": "schema"}, spec], plan={"target": 6, "max_requests": 60})

    def answer(request: Any) -> str:
        number = int(request.id[1:8])
        return json.dumps({"text": SHORT if number % 3 == 0 else f"A text of its own, number {number}."})

    result = run_job(job, tmp_path / "run", engine=ScriptedEngine(answer))
    assert result.counts["contaminated"] >= 2
    refused = [row for row in lines(tmp_path / "run/rejected.jsonl") if row["reason"] == "contaminated"]
    assert {row["neighbor_id"] for row in refused} == {"bench:1"}
    (tmp_path / "bench.jsonl").write_text('{"q": "another one of some eight or nine words here"}\n')
    with pytest.raises(InputError, match="the rows of a benchmark changed"):
        run_job(job, tmp_path / "run", engine=ScriptedEngine(answer))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (["none.jsonl"], r"filters\[0\].files\[0\]: there is no file or folder none.jsonl"),
        (["numbers.jsonl"], "numbers.jsonl, which holds no text"),
        (["broken.jsonl"], "broken.jsonl"),
        (["list.jsonl"], "list.jsonl"),
        (["binary.parquet"], "binary.parquet"),
        (["texts.jsonl", "texts.csv"], "another file is named texts too"),
    ],
)
def test_benchmarks_of_another_shape(tmp_path: Path, files: list[str], says: str) -> None:
    (tmp_path / "numbers.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "broken.jsonl").write_text("{'a': 1}\n")
    (tmp_path / "list.jsonl").write_text('["a question", "an answer"]\n')
    (tmp_path / "binary.parquet").write_bytes(bytes(range(256)))
    (tmp_path / "texts.jsonl").write_text('{"a": "some"}\n')
    (tmp_path / "texts.csv").write_text("a\nsome\n")
    with pytest.raises(InputError, match=says) as told:
        read_benchmarks(files, tmp_path, "job.yaml: filters[0].files")
    assert len(told.value.faults) == 1 and "\n" not in str(told.value)
