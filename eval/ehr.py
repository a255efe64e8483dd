"""100 five-field patient records with a pattern, beside raw vLLM with its guidance backend on the same facts.

Usage: python eval/ehr.py --vllm PYTHON [--rounds 3]. PYTHON is one that has vLLM. Prints JSON. Raw vLLM is asked twice:
once the usual way, one message with the examples pasted in and all five fields to write, and each round with our chats.
Time runs from the first request, the model loaded, to the end of the run. Counts are of the first 100 records.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from textsynth import load_job, run_job
from textsynth.engines.transformers import TransformersEngine
from textsynth.inputs.dialects import validator
from textsynth.models import resolve
from textsynth.prepare import prepare
from textsynth.records import Completion, Record, Request
from textsynth.rounds import Writer

HERE = Path(__file__).parent
JOB = HERE / "jobs" / "ehr.yaml"
MODEL = "smollm2-135m"
VLLM = {  # in one process, which is faster on a CPU
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_KVCACHE_SPACE": "4", "VLLM_LOGGING_LEVEL": "ERROR",
    "HF_HUB_OFFLINE": "1",
}  # fmt: skip
LIMIT = 400  # tokens of a raw answer
PREPARED = prepare(load_job(JOB), check_only=True)
CHECK = validator(PREPARED.schema)


class Timed(TransformersEngine):
    """Notes when the first request was taken."""

    started = 0.0

    def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
        def noted() -> Iterator[Request | None]:
            for request in feed:
                self.started = self.started or time.perf_counter()
                yield request

        return super().generate(noted())


def ours() -> dict[str, Any]:
    engine = Timed(MODEL, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        result = run_job(load_job(JOB), Path(folder) / "run", engine=engine)
        spent = time.perf_counter() - engine.started
        rows = {kind: read(result.folder / f"{kind}.jsonl") for kind in ("accepted", "lineage", "rejected")}
    first = [row for row, lineage in zip(rows["accepted"], rows["lineage"], strict=True) if number(lineage) < 100]
    assert all(CHECK.is_valid(record) for record in first)
    refused = Counter(row["reason"] for row in rows["rejected"] if number(row) < 100)
    return {
        "valid": len(first), "refused": dict(refused), "asked_in_all": len(rows["accepted"]) + len(rows["rejected"]),
        "age_stated": sum(states(record["note"], record["age"]) for record in first),
        "seconds": spent, "a_second": 100 / spent,
    }  # fmt: skip


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def number(row: dict[str, Any]) -> int:
    return int(row["id"][1:])


def pasted(record: Record) -> list[dict[str, str]]:
    """The usual prompt: the examples in one message."""
    shown = PREPARED.examples(PREPARED.steps[0], record)
    examples = "\n".join(json.dumps(dict(seed.data)) for seed in shown)
    facts = record.fields or {}
    asked = f"age {facts['age']}, sex {facts['sex']}, diagnosis {facts['diagnosis']}"
    return [{"role": "user", "content": f"Examples of patient records:\n{examples}\n\nWrite a new record: {asked}."}]


def raw(
    python: str, chats: Sequence[Any], schema: Any, records: Sequence[Record], given: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    job = {"model": resolve(MODEL, "eval"), "new": LIMIT, "chats": chats, "schemas": [schema] * len(chats),
           "sampling": {"temperature": 0.4, "min_p": 0.1}}  # fmt: skip
    done = subprocess.run(
        [python, str(HERE / "raw_vllm.py")], input=json.dumps(job), text=True, capture_output=True, check=True,
        env=os.environ | VLLM | {"LD_PRELOAD": str(Path(python).parent.parent / "lib" / "libiomp5.so")},
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    valid = copied = stated = 0
    for text, record, facts in zip(found["texts"], records, given, strict=True):
        try:
            whole = {**facts, **json.loads(text)}
        except ValueError:
            continue
        if CHECK.is_valid(whole):
            valid += 1
            asked = (record.fields or {})["age"]
            stated += states(whole["note"], asked) and whole["age"] == asked
            copied += whole["age"] != asked or not states(whole["note"], asked)
    return {
        "valid": valid, "truncated": found["ends"].count("length"), "age_stated": stated, "other_age": copied,
        "seconds": found["seconds"], "a_second": 100 / found["seconds"],
    }  # fmt: skip


def states(note: str, age: int) -> bool:
    return re.search(rf"\b{age}\b", note) is not None


def main(python: str, rounds: int) -> None:
    step, writer = PREPARED.steps[0], Writer(PREPARED)
    drafts = writer.plan(0, 0, 100).drafts
    chats = [[dict(message) for message in writer.request(draft).messages] for draft in drafts]
    records = [draft.record for draft in drafts]
    facts = [dict(record.fields or {}) for record in records]
    whole = {key: part for key, part in PREPARED.schema.items() if key != "$schema"}
    usual = raw(python, [pasted(r) for r in records], whole, records, [{}] * 100)
    rows = []
    for _ in range(rounds):
        rows.append({"ours": ours(), "vllm_our_chats": raw(python, chats, dict(step.answer), records, facts)})
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    rates = [(row["ours"]["a_second"], row["vllm_our_chats"]["a_second"]) for row in rows]
    print(
        json.dumps(
            {
                "rounds": rounds,
                "ours_over_vllm_our_chats": round(median(one / other for one, other in rates), 3),
                "ours_over_vllm_pasted": round(median(one for one, _ in rates) / usual["a_second"], 3),
                "vllm_pasted": usual,
                "each": rows,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--vllm", metavar="PYTHON", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    main(options.vllm, options.rounds)
