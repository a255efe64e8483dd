"""Notes of eight specialties made for training. Usage: python eval/specialty.py --out DIR [--made 25] [--facts]

Forty real mtsamples notes (their beginnings) of each of the eight largest specialties are seeds; a job makes `--made`
notes a specialty with the embedded model, and what its gates accept trains MiniLM with logistic regression. The test
notes are real ones that no step saw. Without `--facts` the prompt says the specialty alone; with them also the age and
sex that the note states and its commonest keyword. A note filed under several of the eight counts for the smallest.
It reads ../shared/data and prints JSON.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from classify import macro_f1

from textsynth.clinical.extract import extract
from textsynth.clinical.vocabulary import built_in_vocabulary
from textsynth.inputs.passages import cut_text
from textsynth.job import job_from
from textsynth.pipeline import run_job
from textsynth.similarity.encoder import TextEncoder

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared/data/clinical/mtsamples.dev.jsonl.gz"
SEEDS, TEST, LONGEST = 40, 30, 500
Row = dict[str, Any]


def rows_of() -> dict[str, list[Row]]:
    """One row a near-duplicate cluster, by specialty, in an order drawn once."""
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        notes = [json.loads(line) for line in file]
    filed: dict[int, set[str]] = defaultdict(set)
    first: dict[int, Row] = {}
    for note in notes:
        filed[note["cluster"]].add(note["medical_specialty"].strip())
        first.setdefault(note["cluster"], note)
    sizes = Counter(specialty for some in filed.values() for specialty in some)
    largest = [specialty for specialty, _ in sizes.most_common(8)]
    common = Counter(word for note in first.values() for word in set((note["keywords"] or [])[1:]))
    vocabulary = built_in_vocabulary()
    found: dict[str, list[Row]] = {specialty: [] for specialty in largest}
    for cluster in sorted(first):
        mine = [specialty for specialty in largest if specialty in filed[cluster]]
        if mine:
            text = cut_text(" ".join(first[cluster]["transcription"].split()), LONGEST)
            said = {m.kind: m.value for m in reversed(extract(text, vocabulary)) if m.status == "present"}
            words = sorted((first[cluster]["keywords"] or [])[1:], key=lambda word: (-common[word], word))
            row = {"specialty": mine[-1], "age": said.get("age"), "sex": said.get("sex"), "note": text}
            found[mine[-1]].append(row | {"topic": words[0] if words and common[words[0]] > 2 else None})
    rng = np.random.default_rng(0)
    return {name: [some[at] for at in rng.permutation(len(some))] for name, some in found.items()}


def job_for(facts: bool, made: int) -> Row:
    drawn = ["specialty", "age", "sex", "topic"] if facts else ["specialty"]
    return {
        "seeds": {"path": "seeds.jsonl", "holdout": 0.2},
        "record_schema": "./note.json",
        "fields": {name: {"source": "sampled"} for name in drawn},
        "together": [drawn] if facts else [],
        "steps": [{"prompt": "./specialty.j2", "few_shot": 2, "alike": ["specialty"]}],
        "plan": {"target": 8 * made, "max_requests": 60 * made, "match": {"specialty": "equal"}, "few_shot_block": 1},
        "sampling": {"temperature": 0.7, "min_p": 0.1, "repetition_penalty": 1.1},
        "filters": [
            {"type": "leakage", "alpha": 0.05},
            {"type": "dedup", "near": 0.7},
            {"type": "quality", "max_repeats": 0.3},
        ],
    }


def main(out: Path, made: int, facts: bool) -> None:
    rows = rows_of()
    seeds = [row for some in rows.values() for row in some[:SEEDS]]
    out.mkdir(parents=True, exist_ok=True)
    kept = ("specialty", "age", "sex", "topic", "note") if facts else ("specialty", "note")
    lines = [json.dumps({name: row[name] for name in kept if row[name] is not None}) for row in seeds]
    (out / "seeds.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = {"type": "string", "minLength": 60, "maxLength": LONGEST}
    properties = {"specialty": {"type": "string"}, "age": {"type": "number"}, "sex": {"type": "string"}}
    properties |= {"topic": {"type": "string"}, "note": text}
    schema = {"type": "object", "properties": {n: properties[n] for n in kept}, "required": ["specialty", "note"]}
    (out / "note.json").write_text(json.dumps(schema), encoding="utf-8")
    (out / "specialty.j2").write_text((HERE / "jobs/specialty.j2").read_text(encoding="utf-8"), encoding="utf-8")
    result = run_job(job_from(job_for(facts, made), out / "job.yaml"), out / "run")
    accepted = [json.loads(line) for line in (out / "run/accepted.jsonl").read_text(encoding="utf-8").splitlines()]
    each = Counter(row["specialty"] for row in accepted)
    test = [(row["note"], name) for name, some in rows.items() for row in some[SEEDS : SEEDS + TEST]]
    sets = {
        "synthetic": [(row["note"], row["specialty"]) for row in accepted],
        "as_many_real": [(row["note"], name) for name, some in rows.items() for row in some[: each[name]]],
        "seeds": [(row["note"], row["specialty"]) for row in seeds],
    }
    encoder = TextEncoder()
    told: Row = {"facts": facts, "accepted": result.accepted, "refused": dict(result.counts), "test": len(test)}
    told |= {name: {"rows": len(some), **macro_f1(encoder, some, test)} for name, some in sets.items()}
    told["ratio"] = round(told["synthetic"]["macro_f1"] / told["as_many_real"]["macro_f1"], 4)
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--made", type=int, default=25)
    parser.add_argument("--facts", action="store_true")
    given = parser.parse_args()
    main(given.out, given.made, given.facts)
