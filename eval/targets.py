"""Targets by cell against the plain way. Usage: python eval/targets.py [--rng-seeds 20] [--target 600]

Twelve cells (topic x color); a record passes with a probability that its cell fixes, from 5% to 90%, because the
scripted engine's answer is good or bad by the request's rng_seed and a rules filter refuses the bad ones. Wanted:
all cells equal, or the seeds' own skewed ones, in which hard cells are as large as easy ones. The plain way is a fixed
list of prompts, the cells drawn as the seeds have them, with the same filter behind it: its distance after as many
requests, and at the same number of accepted records with the requests that took.

Distance is total variation: half the sum of |share - wanted share| over the cells.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.jobs import COLORS, TOPICS, lines, tiny_job
from textsynth.engines.scripted import ScriptedEngine
from textsynth.inputs.targets import apportion
from textsynth.job import load_job
from textsynth.pipeline import run_job
from textsynth.records import Request

CELLS = [(topic, color) for topic in TOPICS for color in COLORS]
EASY = dict(zip(CELLS, [0.05 + 0.85 * ((5 * at) % 12) / 11 for at in range(12)], strict=True))  # 5% to 90%
WEIGHT = dict(zip(CELLS, [1 + (7 * at) % 12 for at in range(12)], strict=True))  # seeds of each cell: 1 to 12
JOB: dict[str, Any] = {
    "seeds": {"path": "seeds.jsonl", "holdout": 0},
    "fields": {"topic": {"source": "sampled"}, "color": {"source": "sampled"}, "size": {"source": "sampled"}},
    "together": [["topic", "color"]],
    "steps": [{"prompt": "./tiny.j2", "few_shot": 0}],
    "filters": [{"type": "schema"}, {"type": "rules", "rules": {"properties": {"text": {"pattern": "good"}}}}],
}


def main(rng_seeds: int, target: int) -> None:
    rows = [one_seed(rng_seed, target) for rng_seed in range(rng_seeds)]
    told = {name: spread([row[name] for row in rows]) for name in rows[0]}
    passes = [round(chance, 2) for chance in sorted(EASY.values())]
    print(json.dumps({"target": target, "rng_seeds": rng_seeds, "pass": passes} | told, indent=2))


def one_seed(rng_seed: int, target: int) -> dict[str, float]:
    """Distances and requests of the two matched runs and of the plain one, which may ask as much as the longer."""
    equal = dict.fromkeys(CELLS, 1 / len(CELLS))
    seeds = {cell: count / sum(WEIGHT.values()) for cell, count in WEIGHT.items()}
    told: dict[str, float] = {}
    asked = {}
    for name, wanted in (("equal", equal), ("seeds", seeds)):
        match = {"topic": "equal", "color": "equal"} if name == "equal" else ["topic", "color"]
        cells, _, asked[name] = run({"target": target, "max_requests": 40 * target, "match": match}, rng_seed)
        need = sum(quota / EASY[cell] for cell, quota in quotas(wanted, target).items())
        told |= {f"{name}: distance": distance(cells, wanted), f"{name}: requests": asked[name]}
        told |= {f"{name}: requests over quota / yield": asked[name] / need, f"{name}: accepted": len(cells)}
    most = max(asked.values())
    cells, numbers, _ = run({"target": most, "max_requests": most}, rng_seed)
    told["plain: requests for the target"] = numbers[target - 1] + 1
    for name, wanted in (("equal", equal), ("seeds", seeds)):
        same = [cell for cell, number in zip(cells, numbers, strict=True) if number < asked[name]]
        told[f"plain: distance to {name} at the target"] = distance(cells[:target], wanted)
        told[f"plain: distance to {name} at its requests"] = distance(same, wanted)
    return told


def run(plan: Mapping[str, Any], rng_seed: int) -> tuple[list[tuple[str, str]], list[int], int]:
    """The accepted records' cells and numbers, and how many requests were made."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        tiny_job(folder, **JOB, plan=plan | {"round": 128}, rng_seed=rng_seed)
        seeds = [
            {"topic": t, "color": c, "size": 1, "text": f"Text {n}."} for t, c in CELLS for n in range(WEIGHT[t, c])
        ]
        (folder / "seeds.jsonl").write_text("".join(json.dumps(seed) + "\n" for seed in seeds), encoding="utf-8")
        engine = ScriptedEngine(answer)
        result = run_job(load_job(folder / "job.yaml"), folder / "run", engine=engine)
        cells = [(row["topic"], row["color"]) for row in lines(folder / "run/accepted.jsonl")]
        numbers = [int(row["id"][1:]) for row in lines(folder / "run/lineage.jsonl")]
        return cells, numbers, result.accepted + sum(result.counts.values())  # one request a record


def answer(request: Request) -> str:
    """A text that is good with the chance of the cell that the request names."""
    said = dict(line.split(": ", 1) for line in request.messages[-1]["content"].splitlines() if ": " in line)
    good = random.Random(request.rng_seed).random() < EASY[said["topic"], said["color"]]
    return json.dumps({"text": f"A {'good' if good else 'bad'} text of {request.id}."})


def quotas(wanted: Mapping[tuple[str, str], float], target: int) -> dict[tuple[str, str], int]:
    return dict(zip(wanted, apportion(list(wanted.values()), target), strict=True))


def distance(cells: Sequence[tuple[str, str]], wanted: Mapping[tuple[str, str], float]) -> float:
    counts = Counter(cells)
    return sum(abs(counts[cell] / len(cells) - share) for cell, share in wanted.items()) / 2


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": round(statistics.mean(values), 4), "least": round(min(values), 4), "most": round(max(values), 4)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rng-seeds", type=int, default=20)
    parser.add_argument("--target", type=int, default=600)
    given = parser.parse_args()
    main(given.rng_seeds, given.target)
