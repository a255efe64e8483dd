"""Which metrics of `textsynth evaluate` tell three anchors apart. Usage: python eval/anchors.py adult|mtsamples

The anchors, each as large as the holdout:

- genuine records of neither file;
- an honest generator, which is worse than genuine. adult: independent columns, numbers from a normal distribution,
  values of fewer than 1% never drawn, one value in fifty misspelled, none missing. mtsamples: a bigram model of each
  specialty, whose notes are too short and have no rare words;
- a copying one. adult: real rows with numbers moved by one. mtsamples: real notes with a word in twenty replaced.

A metric of fidelity, text, diversity or utility must put the honest one behind the genuine one; a metric of privacy
must put the copying one behind both others: beyond the intervals where there are any, else by a tenth of the value.
Everything is drawn `--times` times; a metric passes that tells in each. It reads ../shared/data.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from textsynth.evaluation import evaluate

DATA = Path(__file__).resolve().parents[2] / "shared/data"
Rows = list[dict[str, Any]]
CUT = 700  # characters of a note


def adult(rng: np.random.Generator) -> dict[str, Rows]:
    frame = pd.read_csv(DATA / "tabular/adult.dev.csv.gz", keep_default_na=False, skipinitialspace=True)
    order = rng.permutation(len(frame))
    real, holdout, genuine = (frame.iloc[order[at : at + 4000]].reset_index(drop=True) for at in (0, 4000, 8000))
    copies = real.copy()
    for name in copies.select_dtypes("number"):
        copies[name] = (copies[name] + rng.integers(-1, 2, len(copies))).clip(lower=0)
    honest = pd.DataFrame({name: simple(real[name], rng) for name in real})
    sets = {"real": real, "holdout": holdout, "genuine": genuine, "honest": honest, "copying": copies}
    return {name: some.to_dict("records") for name, some in sets.items()}


def simple(column: pd.Series, rng: np.random.Generator) -> Any:
    """A column as a simple generator draws it."""
    if pd.api.types.is_numeric_dtype(column):
        return rng.normal(column.mean(), column.std(), len(column)).clip(column.min(), column.max()).round().astype(int)
    shares = column[column != "?"].value_counts(normalize=True)
    shares = shares[shares >= 0.01]
    drawn = rng.choice(shares.index, len(column), p=shares / shares.sum())
    return [value[:-1] if rng.random() < 0.02 else value for value in drawn]


def mtsamples(rng: np.random.Generator) -> dict[str, Rows]:
    with gzip.open(DATA / "clinical/mtsamples.dev.jsonl.gz", "rt", encoding="utf-8") as file:
        notes = [json.loads(line) for line in file]
    groups: dict[Any, dict[str, Any]] = {}
    for note in notes:  # one of each cluster of near duplicates
        groups.setdefault(
            note["cluster"], {"specialty": note["medical_specialty"], "text": note["transcription"][:CUT]}
        )
    common = pd.Series([row["specialty"] for row in groups.values()]).value_counts().index[:8]
    rows = [row for row in groups.values() if row["specialty"] in common]
    order = rng.permutation(len(rows))
    third = len(rows) // 3
    real, holdout, genuine = ([rows[at] for at in order[i * third : (i + 1) * third]] for i in range(3))
    draw = random.Random(int(rng.integers(2**31)))
    words = [word for row in real for word in row["text"].split()]
    copies = [
        row | {"text": " ".join(draw.choice(words) if draw.random() < 0.05 else w for w in row["text"].split())}
        for row in real
    ]
    return {"real": real, "holdout": holdout, "genuine": genuine, "honest": bigrams(real, draw), "copying": copies}


def bigrams(rows: Rows, draw: random.Random) -> Rows:
    """As many notes of each specialty as there are, two thirds as long, from its pairs of words that are not rare."""
    times = Counter(word for row in rows for word in row["text"].split())
    follows: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        words = ["", *(word for word in row["text"].split() if times[word] > 1)]
        for a, b in zip(words, words[1:], strict=False):
            follows[row["specialty"], a].append(b)
    made = []
    for row in rows:
        text, word = list[str](), ""
        for _ in range(len(row["text"].split()) * 2 // 3):
            word = draw.choice(follows.get((row["specialty"], word)) or follows[row["specialty"], ""])
            text.append(word)
        made.append(row | {"text": " ".join(text)})
    return made


LABELS = {"adult": "income", "mtsamples": "specialty"}
ANCHORS = ("genuine", "honest", "copying")


def once(name: str, rng_seed: int) -> dict[str, dict[str, dict[str, Any]]]:
    """Each metric of each anchor."""
    sets = {"adult": adult, "mtsamples": mtsamples}[name](np.random.default_rng(rng_seed))
    with tempfile.TemporaryDirectory() as folder:
        files = {which: Path(folder) / f"{which}.jsonl" for which in sets}
        for which, rows in sets.items():
            files[which].write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        found = {
            which: evaluate(files[which], files["real"], files["holdout"], label=LABELS[name], rng_seed=rng_seed)
            for which in ANCHORS
        }
    return {
        which: {f"{g}.{n}": metric for g, some in one["metrics"].items() for n, metric in some.items()}
        for which, one in found.items()
    }


def tells(name: str, metrics: dict[str, dict[str, Any]]) -> bool:
    """Whether a metric puts the anchor that is bad in its sense behind the others."""
    genuine, honest, copying = (metrics[which] for which in ANCHORS)
    pairs = [(copying, genuine), (copying, honest)] if name.startswith("privacy") else [(honest, genuine)]
    return all(behind(bad, good) for bad, good in pairs)


def behind(bad: dict[str, Any], good: dict[str, Any]) -> bool:
    if bad["value"] is None or good["value"] is None:
        return False
    if bad["better"] == "higher":
        bad, good = (
            {k: -one[k] if one[k] is not None else None for k in ("value", "low", "high")} for one in (bad, good)
        )
    if bad["low"] is not None and good["high"] is not None:
        return bool(bad["low"] > good["high"])
    return bool(bad["value"] > good["value"] + 0.1 * abs(good["value"]) * (bad["value"] > 0))


def main(name: str, times: int) -> None:
    runs = [once(name, rng_seed) for rng_seed in range(times)]
    told = {}
    for metric in runs[0]["genuine"]:
        each = [{which: run[which][metric] for which in ANCHORS} for run in runs]
        told[metric] = {
            "tells": f"{sum(tells(metric, one) for one in each)} of {times}",
            **{which: float(np.median([one[which]["value"] for one in each])) for which in ANCHORS},
        }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", choices=LABELS)
    parser.add_argument("--times", type=int, default=3)
    given = parser.parse_args()
    main(given.data, given.times)
