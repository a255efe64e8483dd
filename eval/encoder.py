"""Texts encoded a second by `TextEncoder`, against the library's defaults in the same run. Usage:

    python eval/encoder.py [--data PATH] > eval/results/encoder.json

The model is the embedded one. The other side is `SentenceTransformer(folder).encode(texts)` in float32, with the
library's own batches, order and threads; and, beside it, the same in bfloat16. Texts: windows of 128 words of
clinical notes (mtsamples), instruction answers (alpaca), short queries (banking77), each a fixed random sample of
distinct texts. Paired rounds, medians of 3. `least cosine` is the minimum over all texts of the cosine to the
float32 row; `moved by company` is how far the cosine of a text's rows, encoded in the whole list and in a list of
every seventh text, falls from 1, at most.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from textsynth.models import fetch
from textsynth.similarity.encoder import TextEncoder, windows

DATA = Path(__file__).parents[2] / "shared" / "data"
MODEL, SEED, ROUNDS = "minilm-l6", 5, 3
Rows = Any


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().split("\n") if line]


def samples(data: Path, share: float) -> dict[str, list[str]]:
    """The three kinds of texts."""
    notes = {one["cluster"]: one["transcription"] for one in lines(data / "clinical" / "mtsamples.dev.jsonl.gz")}
    every = {
        "mtsamples windows": ([window for note in notes.values() for window in windows(note)], 256),
        "alpaca outputs": ([one["output"] for one in lines(data / "instructions" / "alpaca.dev.jsonl.gz")], 640),
        "banking77 queries": ([one["text"] for one in lines(data / "text" / "banking77.dev.jsonl.gz")], 2048),
    }
    return {
        kind: random.Random(SEED).sample([text for text in dict.fromkeys(texts) if text.strip()], int(number * share))
        for kind, (texts, number) in every.items()
    }


def unit(rows: Rows) -> Rows:
    rows = np.asarray(rows, np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def timed(encode: Callable[[list[str]], Rows], texts: list[str]) -> tuple[float, Rows]:
    start = time.perf_counter()
    rows = encode(texts)
    return len(texts) / (time.perf_counter() - start), unit(rows)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--share", type=float, default=1.0, help="of the sample sizes")
    options = parser.parse_args()
    folder = str(fetch(MODEL))
    ours = TextEncoder(MODEL)
    sides: dict[str, Callable[[list[str]], Rows]] = {
        "defaults": SentenceTransformer(folder, device="cpu").encode,
        "library bf16": SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": torch.bfloat16}).encode,
        "ours": ours.encode,
    }
    report: dict[str, Any] = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    for kind, texts in samples(options.data, options.share).items():
        for encode in sides.values():
            encode(texts[:64])
        rounds = [{name: timed(encode, texts) for name, encode in sides.items()} for _ in range(ROUNDS)]
        rows = {name: rounds[0][name][1] for name in sides}
        some = unit(ours.encode(texts[::7]))
        report[kind] = {
            "texts": len(texts),
            **{f"{name} a second": round(statistics.median(one[name][0] for one in rounds), 1) for name in sides},
            "times the defaults": round(statistics.median(one["ours"][0] / one["defaults"][0] for one in rounds), 2),
            "times, each round": [round(one["ours"][0] / one["defaults"][0], 2) for one in rounds],
            "least cosine to float32": round(float((rows["ours"] * rows["defaults"]).sum(axis=1).min()), 5),
            "moved by company": round(float(1 - (some * rows["ours"][::7]).sum(axis=1).min()), 5),
            "same list, same rows": all(np.array_equal(rows["ours"], one["ours"][1]) for one in rounds),
        }
    print(json.dumps({**report, "load average": os.getloadavg()}, indent=2))


if __name__ == "__main__":
    main()
