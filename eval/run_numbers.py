"""Check a finished run from outside, and print its numbers. Usage: python eval/run_numbers.py JOB RUN_FOLDER

Reads accepted.jsonl and the job's seeds anew, and trusts none of the run's own verdicts: every record is validated by
`jsonschema` against the original schema, compared with the other records and with every seed, and its longest span
shared with the shown seeds is measured beside the same for the holdout.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from textsynth.inputs.dialects import validator
from textsynth.job import load_job
from textsynth.outputs.store import Store
from textsynth.prepare import prepare
from textsynth.records import canonical_json, text_of
from textsynth.similarity.spans import SpanIndex
from textsynth.similarity.words import tokenize, tokens


def main(job_file: Path, folder: Path) -> None:
    prepared = prepare(load_job(job_file), check_only=True)
    lines = (folder / "accepted.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    check, written = validator(prepared.schema), prepared.named("written")
    seeds = [seed.data for seed in (*prepared.seeds.shown, *prepared.seeds.holdout)]
    rows = {normal(seed, list(prepared.properties)) for seed in seeds}
    texts = {normal(seed, written) for seed in seeds} if written else set()
    with Store(folder, write=False) as store:
        judged = list(store.records())
        totals, elapsed = store.totals(), store.get("elapsed")
    passed = sum(row["state"] != "rejected" for row in judged)
    filled = sum(row["reason"] == "truncated" for row in judged)
    invalid = sum(row["reason"] == "invalid_json" for row in judged)
    numbers: dict[str, Any] = {
        "accepted": len(records),
        "valid_by_jsonschema": sum(check.is_valid(record) for record in records),
        "exact_duplicates": len(records) - len({normal(record, list(prepared.properties)) for record in records}),
        "equal_to_a_seed": sum(normal(record, list(prepared.properties)) in rows for record in records),
        "text_equal_to_a_seed": sum(normal(record, written) in texts for record in records) if written else 0,
        "yield": round(len(records) / len(judged), 3),
        "passed_every_filter_rate": round(passed / len(judged), 3),
        "refused": dict(Counter(row["reason"] for row in judged if row["state"] == "rejected").most_common()),
        "surplus": sum(row["state"] == "surplus" for row in judged),
        "unparseable_or_cut_off_completions": invalid + totals["truncated"],
        "completions": totals["completions"],
        "records_whose_text_filled_its_bound_rate": round(filled / len(judged), 4),
        "completion_tokens": totals["completion_tokens"],
        "seconds": elapsed,
    }
    if written:
        index = SpanIndex(tokenize([text_of(seed.data, written) for seed in prepared.seeds.shown]))
        held = prepared.seeds.one_a_cluster(prepared.seeds.holdout)
        numbers["span_with_seeds"] = spread(index, [text_of(record, written) for record in records])
        numbers["span_of_holdout_with_seeds"] = spread(index, [text_of(seed.data, written) for seed in held])
    print(json.dumps(numbers, indent=2))


def normal(data: Any, names: list[str]) -> str:
    """A record's fields without case, punctuation and white space."""
    return canonical_json([" ".join(tokens(canonical_json(data.get(name)))) for name in names])


def spread(index: SpanIndex, texts: list[str]) -> dict[str, float]:
    """Median, 90th percentile and maximum of the longest span (tokens) that each text shares with the index."""
    lengths = index.longest(tokenize(texts))[0]
    return {"median": float(np.median(lengths)), "p90": float(np.quantile(lengths, 0.9)), "max": float(max(lengths))}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
