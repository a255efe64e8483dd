"""A tiny job of our own in a folder, and engines for it that no user would want."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from textsynth.engines.scripted import ScriptedEngine
from textsynth.job import Job, load_job
from textsynth.records import Completion, Request

TOPICS = ("boats", "bread", "bees", "bikes")
COLORS = ("red", "blue", "green")
SEEDS = [
    {
        "topic": TOPICS[n % 4],
        "color": COLORS[n % 3],
        "size": 1 + (n * 5) % 9,
        "text": f"The {COLORS[n % 3]} example number {n} tells a little of {TOPICS[n % 4]} and stops.",
    }
    for n in range(24)
]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "topic": {"type": "string"},
        "color": {"enum": list(COLORS)},
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "text": {"type": "string", "minLength": 1, "maxLength": 120},
    },
    "required": ["topic", "color", "size", "text"],
    "additionalProperties": False,
}
PROMPT = """{% block system %}You write.{% endblock %}
{% block user %}
{% for name, value in fields.items() if value is not none %}{{ name }}: {{ value }}
{% endfor %}
{% for name, value in attributes.items() if value is not none %}{{ name }}={{ value }}
{% endfor %}
Write {{ writes | join(", ") }}.
{% endblock %}
"""
JOB: dict[str, Any] = {
    "seeds": {"path": "seeds.jsonl", "holdout": 0.25},
    "record_schema": "./tiny.json",
    "fields": {"topic": {"source": "sampled"}, "color": {"source": "sampled"}, "size": {"source": "sampled"}},
    "steps": [{"prompt": "./tiny.j2", "few_shot": 2}],
    "plan": {"target": 20, "round": 8, "few_shot_block": 4},
    "engine": {"type": "scripted"},
    "filters": [{"type": "schema"}, {"type": "dedup", "near": None}],
    "rng_seed": 5,
}
FILES = ("accepted.jsonl", "rejected.jsonl", "lineage.jsonl", "metrics.json")


def tiny_job(folder: Path, **changes: Any) -> Job:
    """Write the job with its files into `folder` and load it; `plan` is merged, every other key replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seeds.jsonl").write_text("".join(json.dumps(seed) + "\n" for seed in SEEDS), encoding="utf-8")
    (folder / "tiny.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    (folder / "tiny.j2").write_text(PROMPT, encoding="utf-8")
    data = {**JOB, **changes, "plan": {**JOB["plan"], **changes.get("plan", {})}}
    (folder / "job.yaml").write_text(json.dumps(data, indent=1), encoding="utf-8")
    return load_job(folder / "job.yaml")


def lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a jsonl file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def contents(run: Path) -> dict[str, bytes]:
    """The files of a run folder that must not depend on when and how often it ran."""
    return {name: (run / name).read_bytes() for name in FILES}


class Noting(ScriptedEngine):
    """A scripted engine that keeps the requests it was asked."""

    def __init__(self, answer: Callable[[Request], str] | None = None, **options: Any) -> None:
        super().__init__(answer, **options)
        self.asked: list[Request] = []

    def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
        def noted() -> Iterator[Request | None]:
            for request in feed:
                if request is not None:
                    self.asked.append(request)
                yield request

        yield from super().generate(noted())


class Shuffled(ScriptedEngine):
    """Answers as the scripted engine does, but out of order and after waits of all lengths."""

    def __init__(self, width: int, seed: int, **options: Any) -> None:
        super().__init__(width=width, **options)
        self._room, self._rng = width, random.Random(seed)

    def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
        held: list[Request] = []
        while True:
            while len(held) < self._room and (request := next(feed)) is not None:
                held.append(request)
            time.sleep(self._rng.choice((0, 0, 0.001, 0.004)))
            if held:
                yield from super().generate(iter([held.pop(self._rng.randrange(len(held)))]))


class Refusing:
    """A filter of a caller's own: refuses the records with these ids, remembers the others."""

    name = "mine"

    def __init__(self, *ids: str) -> None:
        self.ids, self.prepared, self.remembered = ids, 0, list[str]()

    def prepare(self, records: Any) -> None:
        self.prepared += len(records)

    def check(self, record: Any) -> Any:
        from textsynth import Verdict

        return Verdict("mine", record.id not in self.ids, "unwanted" if record.id in self.ids else None)

    def remember(self, record: Any) -> None:
        self.remembered.append(record.id)

    def evidence(self) -> Mapping[str, Any]:
        return {"refuses": len(self.ids)}
