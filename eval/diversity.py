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
(the ceiling), the seeds themselves drawn again (a generator that copies), and for the loops what the gates of our job
accept of them. `at_equal_tokens` is of what passes those gates, for as many tokens, of prompts and answers, as that
of the four took which took least.

The Vendi score is exp of the entropy of the eigenvalues of the cosine kernel over n (Friedman and Dieng, 2023) with
MiniLM; it and every count are of the first 300 accepted, or as many as there are. `clusters` is how many of 30 k-means
clusters of the real holdout the notes fall into; `nearest_real` the mean cosine of a note to the closest one there.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from textsynth import run_job
from textsynth.decide import filter_records
from textsynth.engines.scripted import ScriptedEngine
from textsynth.job import Job, job_from
from textsynth.outputs.store import Store
from textsynth.prepare import prepare
from textsynth.records import Request
from textsynth.similarity.encoder import TextEncoder
from textsynth.similarity.neighbors import Nearest, kmeans
from textsynth.yaml12 import load_yaml

Row = Mapping[str, Any]
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


class Scale:
    """What all sets are measured with."""

    def __init__(self, holdout: Sequence[str]) -> None:
        self.encoder = TextEncoder()
        self.real = self.encoder.encode(list(holdout))
        self.centers = kmeans(self.real, 30, 1)

    def numbers(self, records: Sequence[Row], holdout: bool = False) -> dict[str, Any]:
        notes = [row["note"] for row in records]
        if len(notes) < 2:
            return {"notes": len(notes), "vendi": float(len(notes))}
        rows = self.encoder.encode(notes)
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


def accepted(run: Path, tokens: float = math.inf) -> tuple[list[Row], float]:
    """The accepted records of the first requests that these tokens, of prompts and answers, pay for; and the tokens."""
    query = (
        "SELECT d.state, d.fields, SUM(c.prompt_tokens + c.completion_tokens) AS spent FROM records d JOIN requests r "
        "ON r.record_id = d.id JOIN completions c ON c.request_id = r.id GROUP BY d.number ORDER BY d.number"
    )
    found, spent = [], 0.0
    with Store(run, write=False) as store:
        for row in store.rows(query):
            if spent + row["spent"] > tokens:
                break
            spent += row["spent"]
            found += [json.loads(row["fields"])] if row["state"] == "accepted" else []
    return found, spent


def gated(found: Sequence[Row]) -> tuple[list[Row], dict[str, int]]:
    """What the gates of our job accept of these records, and why they refuse the others."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "records.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
        result = filter_records(prepare(job_of("plain"), check_only=True), str(source), Path(folder) / "out")
        kept = (Path(folder) / "out" / "accepted.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in kept], dict(result.counts)


def generated(name: str, run: Path, scale: Scale, count: int, tokens: float) -> dict[str, Any]:
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    found, spent = accepted(run)
    paid, _ = accepted(run, tokens)
    result: dict[str, Any] = scale.numbers(found[:count]) | {
        "completed": metrics["completed"],
        "accepted_share": metrics["yield_rate"],
        "refused": {r["reason"]: r["count"] for r in metrics["reasons"]},
        "truncated": metrics["totals"]["truncated"],
        "tokens": spent,
        "tokens_written": metrics["totals"]["completion_tokens"],
    }
    if name in ("fixed", "fresh"):
        kept, refused = gated(found)
        result["gated"] = scale.numbers(kept[:count]) | {"of": len(found), "refused": refused}
        paid = gated(paid)[0]
    return result | {"at_equal_tokens": scale.numbers(paid[:count])}


def score(folder: Path, count: int) -> dict[str, Any]:
    seeds = prepare(job_of("plain"), check_only=True).seeds
    rng = random.Random(5)
    scale = Scale([seed.data["note"] for seed in seeds.holdout])
    found: dict[str, Any] = {
        "real_holdout": scale.numbers([seed.data for seed in rng.sample(list(seeds.holdout), count)], holdout=True),
        "copies_of_seeds": scale.numbers([seed.data for seed in rng.choices(seeds.shown, k=count)]),
    }
    names = [name for name in VARIANTS if (folder / name / "metrics.json").is_file()]
    tokens = min(accepted(folder / name)[1] for name in names if not name.startswith("ideal"))
    for name in names:
        found[name] = generated(name, folder / name, scale, count, math.inf if name.startswith("ideal") else tokens)
        print(name, found[name], file=sys.stderr, flush=True)
    mine = found["steered"]
    return found | {
        "equal_tokens": tokens,
        "vendi_steered_over": {name: round(mine["vendi"] / row["vendi"], 3) for name, row in found.items()},
        "vendi_steered_over_at_equal_tokens": {
            name: round(mine["at_equal_tokens"]["vendi"] / found[name]["at_equal_tokens"]["vendi"], 3)
            for name in names
            if not name.startswith("ideal")
        },
        "clusters_hit": round(mine["clusters"] / 30, 3),
    }


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
