"""Numbers of `textsynth evaluate` against peers and planted sets, as JSON.

python eval/evaluate.py vendi                        an exact Vendi score of 100,000 x 384
python eval/evaluate.py accuracy --peer PYTHON       accuracy beside mostlyai-qa's, whose venv PYTHON is of
python eval/evaluate.py attack                       a leaky and a clean generator of adult, and the DCR share
python eval/evaluate.py sdmetrics --peer PYTHON      total variation, correlations and DCR share beside SDMetrics'
python eval/evaluate.py beside --peer PYTHON         24,000 rows of 15 columns, 2% of them copies, beside mostlyai-qa
python eval/evaluate.py notes --count 5000           so many short notes, embeddings included, by part
python eval/evaluate.py notes --count 50000 --hashed the same without the model: vectors of hashed words
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import resource
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Sequence
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
from textsynth.similarity.encoder import TextEncoder

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


def written(folder: Path, sets: dict[str, pd.DataFrame]) -> dict[str, Path]:
    files = {name: folder / f"{name}.csv" for name in sets}
    for name, rows in sets.items():
        rows.to_csv(files[name], index=False)
    return files


def peer_says(peer: str, script: str, files: dict[str, Path]) -> Any:
    command = [peer, str(Path(__file__).parent / "peers" / script), files["real"], files["synthetic"], files["holdout"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def sdmetrics(peer: str) -> dict[str, Any]:
    """As many training as holdout rows, and no more synthetic ones than are compared, so that nothing is sampled."""
    frame = pd.concat(split("adult.dev.csv.gz", 3000))
    real, holdout = frame.iloc[:2000], frame.iloc[2000:4000]
    with tempfile.TemporaryDirectory() as folder:
        files = written(
            Path(folder),
            {"real": real, "synthetic": shuffled(frame.iloc[4000:], np.random.default_rng(1)), "holdout": holdout},
        )
        ours = evaluate(files["synthetic"], files["real"], files["holdout"])
        theirs = peer_says(peer, "sdmetrics_numbers.py", files)
    known = {column["name"]: column for column in ours["columns"]}
    table = ours["correlation"]
    place = {name: at for at, name in enumerate(table["columns"])}
    gaps = {
        "total_variation": [
            abs(known[n]["total_variation"]["synthetic"] - v) for n, v in theirs["total_variation"].items()
        ],
        "correlation": [
            abs(1 - abs(table["real"][place[a]][place[b]] - table["synthetic"][place[a]][place[b]]) / 2 - v)
            for pair, v in theirs["correlation"].items()
            for a, b in [pair.split("|")]
        ],
    }
    closer = theirs["dcr"]["synthetic_data_percentages"]["closer_to_training"]
    share = ours["metrics"]["privacy"]["dcr_share"]["value"]
    return {name: {"compared": len(some), "largest": max(some)} for name, some in gaps.items()} | {
        "dcr_share": {"ours": share, "theirs": closer, "difference": abs(share - closer)}
    }


ONE = """
import json, resource, sys, time
import pandas, scipy.stats, sklearn.ensemble, sklearn.linear_model, sklearn.metrics, sklearn.model_selection
from textsynth.evaluation import evaluate  # which imports these when it needs them; the peer's script has them too
began = time.perf_counter()
found = evaluate(sys.argv[2], sys.argv[1], sys.argv[3])
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": round(seconds, 1), "peak_mb": round(peak), "metrics": found["metrics"]}))
"""


def beside(peer: str) -> dict[str, Any]:
    """The same files to both, each in a process of its own, in turn; and what each says of the planted copies."""
    frame = pd.concat(split("adult.dev.csv.gz"))
    frame = pd.concat([frame, frame]).iloc[:48_000].reset_index(drop=True)
    real, holdout = frame.iloc[:8000], frame.iloc[8000:16_000]
    honest = shuffled(frame.iloc[16_000:32_000], np.random.default_rng(3))
    honest = pd.concat([honest, shuffled(honest, np.random.default_rng(4))]).iloc[:24_000]
    planted = pd.concat([honest.iloc[480:], real.iloc[:480]])
    found: dict[str, Any] = {"rows": len(planted), "columns": planted.shape[1]}
    with tempfile.TemporaryDirectory() as made:
        for name, rows in (("honest", honest), ("planted", planted)):
            folder = Path(made) / name
            folder.mkdir()
            files = written(folder, {"real": real, "synthetic": rows, "holdout": holdout})
            done = subprocess.run(
                [sys.executable, "-c", ONE, *map(str, (files["real"], files["synthetic"], files["holdout"]))],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            ours = json.loads(done.stdout.splitlines()[-1])
            privacy = ours.pop("metrics")["privacy"]
            ours |= {key: privacy[key] for key in ("exact_copies", "near_row_copies", "dcr_share", "membership_tpr")}
            theirs = peer_says(peer, "mostlyai_report.py", files)
            found[name] = {"ours": ours, "theirs": theirs}
            found[name]["times_faster"] = round(theirs["seconds"] / ours["seconds"], 2)
    return found


class Hashed:
    """Vectors of 384 numbers from the words of a text: as large as the model's, and made in no time."""

    def encode(self, texts: Sequence[str]) -> Any:
        rows = np.zeros((len(texts), 384), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                row[zlib.crc32(word.encode()) % 384] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def notes(count: int, hashed: bool) -> dict[str, Any]:
    """Notes of some 60 words, put together from sentences of mtsamples, beside 1,000 real and 1,000 held-out ones."""
    with gzip.open(DATA.parent / "clinical/mtsamples.dev.jsonl.gz", "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["transcription"] for line in file]
    sentences = [s for text in texts for s in re.split(r"(?<=[.!?]) ", text) if 4 < len(s.split()) < 25]
    rng = np.random.default_rng(5)

    def made(some: int) -> list[dict[str, Any]]:
        rows = []
        for _ in range(some):
            text: list[str] = []
            while sum(len(s.split()) for s in text) < 55:
                text.append(sentences[rng.integers(len(sentences))])
            rows.append({"note": " ".join(text)})
        return rows

    with tempfile.TemporaryDirectory() as folder:
        files = {n: Path(folder) / f"{n}.jsonl" for n in ("synthetic", "real", "holdout")}
        for name, path in files.items():
            rows = made(count if name == "synthetic" else 1000)
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        encoder: Any = Hashed() if hashed else TextEncoder()
        spent = [0.0]

        class Timed:
            def encode(self, texts: Sequence[str]) -> Any:
                began = perf_counter()
                found = encoder.encode(texts)
                spent[0] += perf_counter() - began
                return found

        encoder.encode(["loaded before the clock starts"])
        began = perf_counter()
        evaluate(files["synthetic"], files["real"], files["holdout"], encoder=Timed())
        seconds = perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "notes": count,
        "hashed": hashed,
        "seconds": round(seconds, 1),
        "encoding": round(spent[0], 1),
        "peak_mb": round(peak),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["vendi", "accuracy", "attack", "sdmetrics", "beside", "notes"])
    parser.add_argument("--peer", default="python")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--hashed", action="store_true")
    chosen = parser.parse_args()
    work = {"vendi": vendi_time, "accuracy": lambda: accuracy(chosen.peer), "attack": attack}
    work |= {"sdmetrics": lambda: sdmetrics(chosen.peer), "beside": lambda: beside(chosen.peer)}
    work |= {"notes": lambda: notes(chosen.count, chosen.hashed)}
    print(json.dumps(work[chosen.what](), indent=2))


if __name__ == "__main__":
    main()
