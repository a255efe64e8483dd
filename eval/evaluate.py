"""Numbers of `textsynth evaluate` against peers and planted sets, as JSON.

python eval/evaluate.py vendi                        an exact Vendi score of 100,000 x 384
python eval/evaluate.py accuracy --peer PYTHON       accuracy beside mostlyai-qa's, whose venv PYTHON is of
python eval/evaluate.py attack                       a leaky and a clean generator of adult, and the DCR share
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from itertools import combinations
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from textsynth.evaluation import evaluate
from textsynth.inputs.compared import compared, read_sample
from textsynth.metrics.diversity import vendi
from textsynth.metrics.fidelity import Binning, accuracies
from textsynth.records import rng_for

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "tabular"
SETS = ("adult.dev.csv.gz", "bank_marketing.dev.csv.gz", "german_credit.dev.csv")


def shuffled(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Columns drawn independently: the honest generator."""
    return pd.DataFrame({name: frame[name].to_numpy()[rng.permutation(len(frame))] for name in frame})


def split(name: str, count: int | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two halves of a set, as text, in random order."""
    frame = pd.read_csv(DATA / name, dtype=str, keep_default_na=False)
    frame = frame.iloc[np.random.default_rng(0).permutation(len(frame))].reset_index(drop=True)
    half = count or len(frame) // 2
    return frame.iloc[:half], frame.iloc[half : 2 * half]


def vendi_time() -> dict[str, Any]:
    rows = np.random.default_rng(0).standard_normal((100_000, 384), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    times = []
    for _ in range(3):
        began = perf_counter()
        score = vendi(rows)
        times.append(perf_counter() - began)
    small = rows[:1500].astype(np.float64)
    values = np.linalg.eigvalsh(small @ small.T / len(small))
    values = values[values > 1e-12]
    exact = float(np.exp(-(values * np.log(values)).sum()))
    return {"seconds": sorted(times)[1], "score": score, "difference_to_n_x_n": abs(vendi(rows[:1500]) - exact)}


def accuracy(peer: str) -> dict[str, Any]:
    found = {}
    for name in SETS:
        real, holdout = split(name)
        synthetic = shuffled(real, np.random.default_rng(1))
        with tempfile.TemporaryDirectory() as folder:
            files = {which: Path(folder) / f"{which}.csv" for which in ("real", "synthetic", "holdout")}
            for which, frame in (("real", real), ("synthetic", synthetic), ("holdout", holdout)):
                frame.to_csv(files[which], index=False)
            rows = {w: read_sample(str(f), w, 10**6, rng_for(0))[0] for w, f in files.items()}
            data = compared(rows, {w: {} for w in files}, {}, (), 0)
            binning = Binning(data.frame("real"), data.of_kind("number", "category"))
            codes = {w: binning.codes(data.frame(w)) for w in files}
            sizes = {n: binning.size(n) for n in binning.kinds}
            gaps: dict[str, list[float]] = {"single": [], "pairs": [], "means": []}
            for other in ("synthetic", "holdout"):
                single, pairs = accuracies(codes["real"], codes[other], sizes)
                done = subprocess.run(
                    [peer, str(Path(__file__).parent / "peers" / "mostlyai_accuracy.py"), files["real"], files[other]],
                    capture_output=True, text=True, check=True,
                )  # fmt: skip
                theirs = json.loads(done.stdout.splitlines()[-1])
                gaps["single"] += [abs(v - theirs["single"][n]) for n, v in zip(sizes, single, strict=True)]
                both = zip(combinations(sizes, 2), pairs, strict=True)
                gaps["pairs"] += [abs(v - theirs["pairs"]["|".join(pair)]) for pair, v in both]
                gaps["means"].append(abs(float(pairs.mean()) - float(np.mean([*theirs["pairs"].values()]))))
        found[name] = {"columns": len(sizes)} | {kind: max(some) for kind, some in gaps.items()}
    return found


def attack() -> dict[str, Any]:
    """1,000 members, each of which one of 20,000 synthetic rows repeats, beside the same without."""
    rng = np.random.default_rng(2)
    frame = pd.concat(split("adult.dev.csv.gz", 11_000))
    members, holdout = frame.iloc[:1000], frame.iloc[1000:2000]
    honest = shuffled(frame.iloc[2000:], rng).iloc[:19_000]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        files = {n: Path(folder) / f"{n}.csv" for n in ("real", "holdout", "leaky", "clean")}
        sets = {"real": members, "holdout": holdout, "clean": honest, "leaky": pd.concat([honest, members])}
        for name, rows in sets.items():
            rows.to_csv(files[name], index=False)
        for name in ("leaky", "clean"):
            privacy = evaluate(files[name], files["real"], files["holdout"])["metrics"]["privacy"]
            keys = ("membership_auc", "membership_tpr", "dcr_share", "exact_copies")
            found[name] = {key: {k: privacy[key][k] for k in ("value", "low", "high")} for key in keys}
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["vendi", "accuracy", "attack"])
    parser.add_argument("--peer", default="python")
    chosen = parser.parse_args()
    work = {"vendi": vendi_time, "accuracy": lambda: accuracy(chosen.peer), "attack": attack}
    print(json.dumps(work[chosen.what](), indent=2))


if __name__ == "__main__":
    main()
