"""How varied are 300 notes? The usual few-shot loop beside our job, steered and not, and beside real notes.

Usage: python eval/diversity.py run NAME --out DIR     goes on where it stopped; NAME is one of
           fixed    the loop with one prompt: the same two examples each time, no facts, no gates
           fresh    the loop with two other random examples each time, no facts, no gates
           plain    jobs/steer.yaml with plan.steer: false
           steered  jobs/steer.yaml
           ideal_plain, ideal_steered  the same two with a writer that follows its examples in the model's place: it
                    answers with a real note that no prompt holds, one of the five closest to an example
       python eval/diversity.py score --out DIR        prints JSON for all that were run (--notes N: of fewer notes)

All four use the same seeds, model, sampling and number of examples. Beside them stand real notes that no prompt held
(the ceiling), the seeds themselves drawn again (a generator that copies), and for the loops what our gates would have
accepted of them. The Vendi score is exp of the entropy of the eigenvalues of the cosine kernel over n (Friedman and
Dieng, 2023) with MiniLM; it and every count are of the first 300 accepted, or as many as there are. `clusters` is how
many of 30 k-means clusters of the real holdout the notes fall into.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from textsynth import run_job
from textsynth.decide import filter_records
from textsynth.engines.scripted import ScriptedEngine
from textsynth.job import Job, job_from
from textsynth.prepare import prepare
from textsynth.records import Request
from textsynth.similarity.encoder import TextEncoder
from textsynth.similarity.neighbors import Nearest, kmeans
from textsynth.yaml12 import load_yaml

JOB = Path(__file__).parent / "jobs" / "steer.yaml"
NAIVE = {
    "steps": [{"prompt": "./steer_naive.j2", "few_shot": 2, "retry": 0}],
    "filters": [{"type": "schema"}],
}
IDEAL: dict[str, Any] = {  # the other half of the notes are what is answered; a repeat is asked again
    "filters": [{"type": "schema"}, {"type": "dedup", "near": 0.8}, {"type": "diversity", "max_similarity": 0.95}],
}
VARIANTS: dict[str, dict[str, Any]] = {
    "fixed": NAIVE | {"plan": {"steer": False, "few_shot_block": 1_000_000}},
    "fresh": NAIVE | {"plan": {"steer": False, "few_shot_block": 1}},
    "plain": {"plan": {"steer": False}},
    "steered": {},
    "ideal_plain": IDEAL | {"plan": {"steer": False}},
    "ideal_steered": IDEAL,
}


def job_of(name: str) -> Job:
    data: Any = load_yaml(JOB.read_text(encoding="utf-8"), JOB.name)
    changes = VARIANTS[name]
    seeds = data["seeds"] | ({"holdout": 0.5} if name.startswith("ideal") else {})
    return job_from(data | changes | {"seeds": seeds, "plan": data["plan"] | changes.get("plan", {})}, JOB)


def ideal_writer(job: Job) -> ScriptedEngine:
    seeds = prepare(job, check_only=True).seeds
    notes = [seed.data["note"] for seed in seeds.holdout]
    encoder, among = TextEncoder(), Nearest(384)
    among.add(encoder.encode(notes))
    shown = dict(zip((s.id for s in seeds.shown), encoder.encode([s.data["note"] for s in seeds.shown]), strict=True))

    def answer(request: Request) -> str:
        rng = random.Random(request.rng_seed)
        close = among.search(shown[rng.choice(request.seed_ids)][None], 5)[1][0]
        return json.dumps({"note": notes[rng.choice(close)]})

    return ScriptedEngine(answer)


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


class Scale:
    """What all sets are measured with."""

    def __init__(self, holdout: Sequence[str]) -> None:
        self.encoder = TextEncoder()
        self.real = self.encoder.encode(list(holdout))
        self.centers = kmeans(self.real, 30, 1)

    def numbers(self, notes: Sequence[str], holdout: bool = False) -> dict[str, Any]:
        rows = self.encoder.encode(list(notes))
        kernel = rows @ rows.T
        values = np.linalg.eigvalsh(kernel.astype(np.float64) / len(rows))
        values = values[values > 1e-12]
        count = len(rows)
        pairs = [pair for note in notes for pair in pairwise(note.casefold().split())]
        closest = rows @ self.real.T
        return {
            "notes": count,
            "vendi": round(float(np.exp(-(values * np.log(values)).sum())), 2),
            "clusters": len({int(i) for i in (rows @ self.centers.T).argmax(axis=1)}),
            "mean_similarity": round(float((kernel.sum() - count) / (count * (count - 1))), 4),
            "distinct_2": round(len(set(pairs)) / len(pairs), 4),
            "nearest_real": None if holdout else round(float(closest.max(axis=1).mean()), 4),
        }


def generated(name: str, folder: Path, scale: Scale, count: int) -> dict[str, Any]:
    run = folder / name
    found = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    totals, completed = found["totals"], found["completed"]
    invalid = sum(
        r["count"] for r in found["reasons"] if r["reason"] in ("invalid_json", "schema_mismatch", "truncated")
    )
    result = scale.numbers([row["note"] for row in rows(run / "accepted.jsonl")][:count]) | {
        "completed": completed,
        "accepted_share": found["yield_rate"],
        "valid_share": round(1 - invalid / completed, 4),
        "truncated": totals["truncated"],
        "tokens": totals["prompt_tokens"] + totals["completion_tokens"],
        "tokens_written": totals["completion_tokens"],
        "refused": dict(Counter({r["reason"]: r["count"] for r in found["reasons"]})),
    }
    if name in ("fixed", "fresh"):
        out = folder / f"{name}_gated"
        filter_records(prepare(job_of("plain"), check_only=True), str(run / "accepted.jsonl"), out)
        kept = [row["note"] for row in rows(out / "accepted.jsonl")]
        gated = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
        refused = {r["reason"]: r["count"] for r in gated["reasons"]}
        result["gated"] = {"of": gated["completed"], "refused": refused} | (
            scale.numbers(kept) if len(kept) > 1 else {}
        )
    return result


def score(folder: Path, count: int) -> dict[str, Any]:
    seeds = prepare(job_of("plain"), check_only=True).seeds
    rng = random.Random(5)
    holdout = [seed.data["note"] for seed in seeds.holdout]
    scale = Scale(holdout)
    found: dict[str, Any] = {
        "real_holdout": scale.numbers(rng.sample(holdout, count), holdout=True),
        "copies_of_seeds": scale.numbers(rng.choices([seed.data["note"] for seed in seeds.shown], k=count)),
    }
    for name in VARIANTS:
        if (folder / name / "metrics.json").is_file():
            found[name] = generated(name, folder, scale, count)
            print(name, found[name], file=sys.stderr, flush=True)
    if "steered" in found:
        mine = found["steered"]["vendi"]
        found["steered_over"] = {
            n: round(mine / found[n]["vendi"], 3) for n in found if n not in ("steered", "steered_over")
        }
        found["clusters_hit"] = round(found["steered"]["clusters"] / 30, 3)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["run", "score"])
    parser.add_argument("name", nargs="?", choices=list(VARIANTS))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--notes", type=int, default=300)
    options = parser.parse_args()
    if options.what == "run":
        job = job_of(options.name)
        writer = ideal_writer(job) if options.name.startswith("ideal") else None
        print(run_job(job, options.out / options.name, engine=writer))
    else:
        print(json.dumps(score(options.out, options.notes), indent=1))
