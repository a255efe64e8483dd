"""`textsynth filter` with every gate over instructions that a model wrote: the whole run, and each gate's share. Usage:

    python eval/filter_run.py --out DIR [--rows 19500] [--sitting 240]
    python eval/filter_run.py --out DIR --short --rows 1000000

The records are ../shared/data's alpaca.dev (20,000 rows of text-davinci-003), less 500 that are drawn at random to be
the seeds; a fifth of these are held out for calibration. Gates: schema, leakage (alpha 0.05), dedup (near 0.8) and
diversity (0.95), with the embedded encoder. After `--sitting` seconds it stops as Ctrl-C does; the same command goes
on, and the seconds of all sittings count. A gate's seconds are those of its prepare, check and remember; encoding
stands by itself, whichever gate asked for it first. With `--short` the records are so many rows of 12 random words of
the same file and a number, one in ten of them a repeat, and the gates schema and dedup.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from textsynth import pipeline
from textsynth.decide import filter_records
from textsynth.filters.base import Filter
from textsynth.gates import build_filters
from textsynth.job import load_job
from textsynth.prepare import Prepared, prepare
from textsynth.records import Record, Verdict

DATA = Path(__file__).parents[2] / "shared/data/instructions/alpaca.dev.jsonl.gz"
FIELDS, SEEDS = ("instruction", "input", "output"), 500
SECONDS: Counter[str] = Counter()
PROMPT = "{% block user %}Write an instruction, its input and the answer to it.{% endblock %}\n"
SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in FIELDS},
    "required": list(FIELDS),
    "additionalProperties": False,
}
JOB: dict[str, Any] = {
    "seeds": {"path": "seeds.jsonl", "holdout": 0.2},
    "record_schema": "./alpaca.json",
    "steps": [{"prompt": "./alpaca.j2", "few_shot": 0}],
    "plan": {"target": 1},
    "engine": {"type": "scripted"},
    "filters": [
        {"type": "schema"},
        {"type": "leakage", "alpha": 0.05},
        {"type": "dedup", "near": 0.8},
        {"type": "diversity", "max_similarity": 0.95},
    ],
    "rng_seed": 7,
}


def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """`work`, its own seconds added to those of `name`; those that it spends encoding are the encoder's."""

    def run(*given: Any) -> Any:
        began, encoding = time.perf_counter(), SECONDS["encoding"]
        try:
            return work(*given)
        finally:
            SECONDS[name] += time.perf_counter() - began - (SECONDS["encoding"] - encoding if name != "encoding" else 0)

    return run


class Timed:
    """A filter whose time is kept."""

    def __init__(self, filter: Filter) -> None:
        self.name, self.evidence = filter.name, filter.evidence
        self.prepare: Callable[[Sequence[Record]], None] = timed(filter.name, filter.prepare)
        self.check: Callable[[Record], Verdict] = timed(filter.name, filter.check)
        self.remember: Callable[[Record], None] = timed(filter.name, filter.remember)


class TimedEncoder:
    """An encoder whose time is kept."""

    def __init__(self, encoder: Any) -> None:
        self._encoder, self.encode = encoder, timed("encoding", encoder.encode)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)


def timed_filters(prepared: Prepared, encoder_for: Callable[[str], Any]) -> list[Filter]:
    """A job's filters whose time is kept."""
    return [Timed(one) for one in build_filters(prepared, lambda name: TimedEncoder(encoder_for(name)))]


def inputs(folder: Path, count: int) -> tuple[Path, Path]:
    """Write the job and the records that it judges."""
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        rows = [{name: row[name] for name in FIELDS} for row in map(json.loads, file)]
    seeds = set(random.Random(7).sample(range(len(rows)), SEEDS))
    parts: Mapping[str, list[dict[str, str]]] = {
        "seeds.jsonl": [row for at, row in enumerate(rows) if at in seeds],
        "records.jsonl": [row for at, row in enumerate(rows) if at not in seeds][:count],
    }
    for name, some in parts.items():
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in some), encoding="utf-8")
    (folder / "alpaca.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    (folder / "alpaca.j2").write_text(PROMPT, encoding="utf-8")
    (folder / "job.yaml").write_text(json.dumps(JOB, indent=1), encoding="utf-8")
    return folder / "job.yaml", folder / "records.jsonl"


def short(folder: Path, count: int) -> tuple[Path, Path]:
    """Write a job without a model, and short rows."""
    job, _ = inputs(folder, 0)
    data = {**JOB, "filters": [one for one in JOB["filters"] if one["type"] in ("schema", "dedup")]}
    job.write_text(json.dumps(data, indent=1), encoding="utf-8")
    with (folder / "seeds.jsonl").open(encoding="utf-8") as file:
        words = [word for line in file for word in json.loads(line)["output"].split()]
    rng, last = random.Random(11), ""
    with (folder / "records.jsonl").open("w", encoding="utf-8") as file:
        for at in range(count):
            last = last if rng.random() < 0.1 and last else " ".join(rng.choices(words, k=12))
            file.write(json.dumps({"instruction": last, "input": "", "output": str(at % 7)}) + "\n")
    return job, folder / "records.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=19_500)
    parser.add_argument("--sitting", type=int, default=0)
    given = parser.parse_args()
    kept = given.out / "sittings.json"
    job, records = (short if given.short else inputs)(given.out, given.rows)
    began = time.perf_counter()
    before = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {"sittings": 0, "gates": {}, "whole": 0}
    prepared = prepare(load_job(job), writes=False)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(given.sitting)
    result = None
    try:
        pipeline.build_filters = timed_filters
        result = filter_records(prepared, str(records), given.out / "run")
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
    whole = before["whole"] + time.perf_counter() - began
    gates = {name: round(value, 2) for name, value in (Counter(before["gates"]) + SECONDS).items()}
    sittings = {"sittings": before["sittings"] + 1, "gates": gates, "whole": round(whole, 1)}
    kept.write_text(json.dumps(sittings), encoding="utf-8")
    if result is None:
        sys.exit(130)
    shares = {name: round(seconds / whole, 3) for name, seconds in gates.items()}
    answer = {
        "records": given.rows,
        "accepted": result.accepted,
        "refused": dict(result.counts),
        "seconds": round(whole, 1),
        "records_per_second": round(given.rows / whole),
        "sittings": sittings["sittings"],
        "seconds_by_gate": gates,
        "share_by_gate": shares | {"all else": round(1 - sum(shares.values()), 3)},
        "peak_rss_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    json.dump(answer, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
