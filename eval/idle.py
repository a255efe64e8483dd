"""Engine idle time under the full pipeline. Usage: python eval/idle.py [--target 3000] [--round 128]

A scripted engine answers 64 requests at a time, each after 200 ms, with a real query of banking77 that no seed has (47
characters in the median). The filters are all there are: schema, rules, leakage at alpha 0.05, dedup, diversity, with
the real minilm encoder, and steering. Idle is 1 - busy / (64 x time), where time goes from the first request taken to
the last answer given, and a slot is busy while its 200 ms run. The CPU seconds tell what the pipeline takes.
It reads ../shared/data/text.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textsynth.engines.scripted import ScriptedEngine
from textsynth.job import job_from
from textsynth.pipeline import run_job
from textsynth.progress import Progress
from textsynth.records import Completion, Request
from textsynth.similarity.encoder import TextEncoder

DATA = Path(__file__).resolve().parents[2] / "shared/data/text/banking77.dev.jsonl.gz"
WIDTH, SEEDS = 64, 500
SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 600}},
    "required": ["text"],
    "additionalProperties": False,
}


class Timed(ScriptedEngine):
    """Notes how long its slots were busy. What it is late in handing over counts as idle."""

    def __init__(self, texts: list[str], delay: float) -> None:
        self.delay = delay
        super().__init__(lambda request: json.dumps({"text": texts[int(request.id[1:8]) % len(texts)]}))
        self.busy = self.first = self.last = self.cpu = 0.0

    def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
        waiting: deque[tuple[float, Request]] = deque()
        while True:
            while len(waiting) < WIDTH and (request := next(feed)) is not None:
                now = time.perf_counter()
                if not self.first:
                    self.first, self.cpu = now, time.process_time()
                waiting.append((now + self.delay, request))
            if (early := waiting[0][0] - time.perf_counter()) > 0:
                time.sleep(early if len(waiting) == WIDTH else min(early, 0.002))  # looks often for what fills a slot
                continue
            request = waiting.popleft()[1]
            self.busy, self.last = self.busy + self.delay, time.perf_counter()
            yield self._completion(request)


def main(target: int, size: int, delay: float) -> None:
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        rows = list(dict.fromkeys(json.loads(line)["text"] for line in file))
    seeds = rows[:: len(rows) // SEEDS][:SEEDS]
    known = set(seeds)
    texts = [text for text in rows if text not in known]
    spent: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "seeds.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in seeds), encoding="utf-8")
        (folder / "query.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
        (folder / "query.j2").write_text(
            "{% block user %}Write {{ writes | join(', ') }}.{% endblock %}", encoding="utf-8"
        )
        engine, job = Timed(texts, delay), job_from(job_of(target, size), folder / "job.yaml")
        last: list[tuple[float, str]] = []

        def note(progress: Progress) -> None:
            now = time.perf_counter()
            if last:
                spent[last[0][1]] = spent.get(last[0][1], 0.0) + now - last[0][0]
            last[:] = [(now, progress.doing)]

        result = run_job(job, folder / "run", engine=engine, on_progress=note)
    seconds = engine.last - engine.first
    told: dict[str, Any] = {
        "accepted": result.accepted,
        "requests": result.accepted + sum(result.counts.values()),
        "refused": dict(result.counts),
        "round": size,
        "delay": delay,
        "texts_encoded_a_second": round(encoded(texts)),
        "median_characters": statistics.median(map(len, texts)),
        "seconds": round(seconds, 1),
        "idle": round(1 - engine.busy / (WIDTH * seconds), 4),
        "cpu_seconds_of_the_pipeline": round(time.process_time() - engine.cpu, 1),
        "main_thread_seconds": {doing: round(took, 1) for doing, took in spent.items()},
    }
    print(json.dumps(told, indent=2))


def encoded(texts: list[str]) -> float:
    """How many of the texts this machine encodes a second, a round at a time and nothing else."""
    encoder = TextEncoder()
    encoder.encode(texts[:128])
    began = time.perf_counter()
    for first in range(128, 128 * 9, 128):
        encoder.encode(texts[first : first + 128])
    return 128 * 8 / (time.perf_counter() - began)


def job_of(target: int, size: int) -> dict[str, Any]:
    return {
        "seeds": {"path": "seeds.jsonl", "holdout": 0.3},
        "record_schema": "./query.json",
        "steps": [{"prompt": "./query.j2", "few_shot": 2}],
        "plan": {"target": target, "round": size, "max_requests": 3 * target},
        "engine": {"type": "scripted"},
        "filters": [
            {"type": "schema"},
            {"type": "rules", "rules": {"properties": {"text": {"minLength": 12}}}},
            {"type": "leakage", "alpha": 0.05},
            {"type": "dedup", "near": 0.8},
            {"type": "diversity", "max_similarity": 0.97},
        ],
        "rng_seed": 7,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", type=int, default=3000)
    parser.add_argument("--round", type=int, default=128)
    parser.add_argument("--delay", type=float, default=0.2, help="seconds that an answer takes")
    given = parser.parse_args()
    main(given.target, given.round, given.delay)
