"""Runs that are killed at random moments. Usage: python eval/kill.py --engine scripted|transformers|bf16 [--kills 50]

Each sitting is a process of its own, which gets SIGKILL at a moment drawn uniformly from the length of a whole sitting
(measured on the unbroken run; imports are done before it begins). Right after a kill the completions that are durable
are read from a copy of run.db; then the run goes on, until a sitting outlives its moment,
or after eight kills. Every sitting logs the ids
that it asks. A kill counts as good when the next sitting asks no durable completion again nor any id twice, and at the
end of its run every durable completion is there unchanged and the run's files and tables are those of the unbroken run,
byte for byte.

- scripted: shares by cell, two steps (the second judges, with a rule), retries, near duplicates, answers out of order.
- transformers: smollm2-135m in float32, one row at a time, temperature 0.
- bf16: the engine's defaults, whose answers depend on which rows are decoded together: instead of the unbroken run,
  every file must equal the one made again from run.db.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.jobs import FILES, Shuffled, lines, tiny_job
from textsynth.engines.scripted import ScriptedEngine
from textsynth.engines.transformers import TransformersEngine
from textsynth.job import load_job
from textsynth.outputs.export import write_run_files
from textsynth.outputs.report import write_report
from textsynth.outputs.store import Store
from textsynth.pipeline import run_job
from textsynth.records import Completion, Request

LIGHT = ("textsynth.pipeline", "textsynth.outputs.report", "rensa", "jsonschema", "tests.jobs")
HEAVY = (
    *("torch", "llguidance", "transformers.models.auto.modeling_auto", "transformers.models.auto.tokenization_auto"),
    *("transformers.models.llama.modeling_llama", "textsynth.engines.decoding", "textsynth.engines.sampling"),
)
MOST = 8  # kills of one run, after which a sitting is left to end: resuming takes time too, and none may get on
TABLES = ("texts", "requests", "completions", "rounds", "records", "verdicts")
MODEL = {"type": "transformers", "model": "smollm2-135m"}
LOCAL: dict[str, Any] = {
    "plan": {"target": 5, "round": 2},
    "steps": [{"prompt": "./tiny.j2", "few_shot": 1}],
    "fields": {"text": {"source": "copied"}},
    "sampling": {"temperature": 0.0},
    "filters": [{"type": "schema"}, {"type": "dedup", "near": None}],
}
JOBS: dict[str, dict[str, Any]] = {
    "scripted": {
        "plan": {"target": 40, "round": 8, "match": {"color": "seeds", "topic": "equal"}},
        "steps": [
            {"prompt": "./tiny.j2", "few_shot": 2, "retry": 1},
            {
                "prompt": "./tiny.j2",
                "few_shot": 0,
                "writes": {"score": {"type": "integer", "minimum": 1, "maximum": 5}},
                "rules": {"properties": {"score": {"minimum": 2}}},
            },
        ],
        "filters": [{"type": "schema"}, {"type": "dedup", "near": 0.5}],
    },
    "transformers": LOCAL | {"engine": MODEL | {"options": {"dtype": "float32", "batch": 1}}},
    "bf16": LOCAL | {"engine": MODEL, "sampling": {"temperature": 0.7}, "plan": {"target": 10, "round": 4}},
}


def answer(request: Request) -> str:
    """Drawn from the schema; a tenth is no JSON, and a fifth of the texts are one of four, with another last word."""
    rng = random.Random(request.rng_seed)
    if rng.random() < 0.1:
        return "No."
    value = json.loads(next(ScriptedEngine().generate(iter([request]))).text)
    if "text" in value and rng.random() < 0.2:
        value["text"] = (
            f"{rng.choice(('One', 'Two', 'Three', 'Four'))} of the texts that come again and again {rng.random()}."
        )
    return json.dumps(value)


class Logging:
    """An engine that logs each id that it is asked before it does anything."""

    def __init__(self, engine: Any, log: Path) -> None:
        self._engine, self._log = engine, log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
        def noted() -> Iterator[Request | None]:
            with self._log.open("a") as file:
                for request in feed:
                    if request is not None:
                        file.write(request.id + "\n")
                        file.flush()
                    yield request

        return self._engine.generate(noted())


def sit(name: str, folder: Path, log: Path, begun: Any) -> None:
    """One sitting."""
    job = load_job(folder / "job.yaml")
    engine: Any
    if name == "scripted":
        engine = Shuffled(8, len(log.name), answer=answer)
    else:
        engine = TransformersEngine.from_options(job.engine.model, job.engine.options, "engine")
    begun.set()
    run_job(job, folder / "run", engine=Logging(engine, log))


def sitting(name: str, folder: Path, number: int, until: float | None) -> tuple[bool, float, list[str]]:
    """Whether a sitting was killed, its seconds, and the ids that it asked."""
    context, log = multiprocessing.get_context("forkserver"), folder / f"log{number}"
    begun = context.Event()
    process = context.Process(target=sit, args=(name, folder, log, begun))
    process.start()
    begun.wait()
    start = time.perf_counter()
    process.join(until)
    seconds = time.perf_counter() - start
    process.kill()
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise SystemExit(f"{folder}: a sitting ended with {process.exitcode}")
    return process.exitcode != 0, seconds, log.read_text().splitlines() if log.exists() else []


def durable(run: Path, table: str = "completions") -> list[tuple[Any, ...]]:
    """The rows of a table, from a copy of run.db with its log, so that the next sitting finds what the kill left."""
    with tempfile.TemporaryDirectory() as folder:
        for path in run.glob("run.db*"):
            shutil.copyfile(path, Path(folder) / path.name)
        with closing(sqlite3.connect(Path(folder) / "run.db")) as db:
            known = [row[0] for row in db.execute("SELECT name FROM sqlite_master")]
            query = f"SELECT * FROM {table} ORDER BY 1, 2"  # noqa: S608
            return db.execute(query).fetchall() if table in known else []


def same_as_rebuilt(run: Path) -> bool:
    """Whether every file made from run.db is the one that it gives again."""
    with tempfile.TemporaryDirectory() as folder, Store(run, write=False) as store:
        write_run_files(store, Path(folder))
        write_report(store, Path(folder))
        return all(path.read_bytes() == (run / path.name).read_bytes() for path in Path(folder).iterdir())


def run_to_the_end(name: str, folder: Path, whole: Path, length: float, rng: random.Random) -> Counter[str]:
    """A run that is killed until a sitting outlives its moment: its kills, and what was wrong."""
    seen, number, kept = Counter[str](), 0, dict[str, tuple[Any, ...]]()
    tiny_job(folder, **JOBS[name])
    while True:
        until = rng.uniform(0, length) if number < MOST else None
        killed, _, asked = sitting(name, folder, number, until)
        seen["asked twice"] += len(asked) - len(set(asked))
        seen["durable asked again"] += len(kept.keys() & set(asked))
        now = {row[0]: row for row in durable(folder / "run")}
        seen["durable lost or changed"] += sum(now.get(key) != row for key, row in kept.items())
        if not killed:
            break
        kept, number = now, number + 1
        seen["kills"] += 1
        seen["kills before the first durable completion"] += not kept
        seen["kills while the files were written"] += bool(list((folder / "run").glob(".*.tmp")))
    if name == "bf16":
        seen["files unlike those made again from run.db"] += not same_as_rebuilt(folder / "run")
    else:
        seen["files unlike the unbroken run's"] += sum(
            (folder / "run" / file).read_bytes() != (whole / file).read_bytes() for file in FILES
        )
        seen["tables unlike the unbroken run's"] += sum(
            durable(folder / "run", table) != durable(whole, table) for table in TABLES
        )
    return seen


def main(name: str, kills: int, rng_seed: int, seconds: float) -> None:
    multiprocessing.set_forkserver_preload([*LIGHT, *([] if name == "scripted" else HEAVY)])
    rng, total, runs = random.Random(rng_seed), Counter[str](), 0
    with tempfile.TemporaryDirectory() as made:
        unbroken = Path(made) / "whole"
        tiny_job(unbroken, **JOBS[name])
        _, length, asked = sitting(name, unbroken, 0, None)
        start = time.perf_counter()
        while total["kills"] < kills and time.perf_counter() - start < seconds:
            runs += 1
            total.update(run_to_the_end(name, Path(made) / f"run{runs}", unbroken / "run", length, rng))
            print(f"{runs} runs, a sitting takes {length:.1f} s: {dict(total)}", file=sys.stderr, flush=True)
        counts = {name: len(lines(unbroken / f"run/{name}.jsonl")) for name in ("accepted", "rejected")}
    told = {"engine": name, "runs": runs, "seconds_of_a_sitting": round(length, 1), "requests": len(asked)}
    print(json.dumps(told | counts | {key: total[key] for key in sorted(total)}, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=JOBS, default="scripted")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rng-seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600, help="begin no run after this time")
    given = parser.parse_args()
    main(given.engine, given.kills, given.rng_seed, given.seconds)
