"""Labeled texts made for training. Usage: python eval/classify.py banking77|clinc150 --out DIR [--made 50] [--near]

Ten real rows of each of 20 intents are the seeds of the `classification` recipe's job; the intents are drawn at random,
or with `--near` one is, and the others are those whose names are nearest to its in meaning, so that they are hard to
tell apart. The job makes `--made` texts an intent with the embedded model, and what its gates accept trains MiniLM with
logistic regression. The test rows are real ones that no step saw. Beside it: trained on the seeds, on the seeds copied
as often (an anchor that adds nothing), on synthetic rows and seeds, on those of them whose label a classifier of all
other real rows gives too (what a perfect filter behind the gates would leave), and on as many real rows.
Macro-F1 with its bootstrap interval, and the gain over the seeds with that of the pairs; it reads ../shared/data.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from textsynth.job import job_from
from textsynth.pipeline import run_job
from textsynth.similarity.encoder import TextEncoder

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared/data/text"
LABEL = {"banking77": "category", "clinc150": "label"}
SEEDS = 10
Rows = list[tuple[str, str]]  # text, label


def rows_of(name: str, intents: int, near: TextEncoder | None = None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    with gzip.open(DATA / f"{name}.dev.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if row["text"] not in found[row[LABEL[name]]]:
                found[row[LABEL[name]]].append(row["text"])
    rng = np.random.default_rng(0)
    full = sorted(label for label, texts in found.items() if len(texts) >= 90 and label != "oos")
    if near is None:
        chosen = sorted(rng.permutation(full)[:intents].tolist())
    else:
        names = near.encode([label.replace("_", " ") for label in full])
        close = names @ names[int(rng.integers(len(full)))]
        chosen = sorted(full[at] for at in close.argsort()[::-1][:intents])
    return {label: [found[label][at] for at in rng.permutation(len(found[label]))] for label in chosen}


def labels(encoder: TextEncoder, train: Rows, texts: Rows) -> Any:
    from sklearn.linear_model import LogisticRegression

    x, y = encoder.encode([text for text, _ in train]), [label for _, label in train]
    return LogisticRegression(max_iter=2000, C=10.0).fit(x, y).predict(encoder.encode([text for text, _ in texts]))


def macro_f1(said: Any, truth: Any, less: Any = None) -> dict[str, float]:
    """Macro-F1 and its 95% interval over the test rows; or by how much it is above that of the answers `less`."""
    from sklearn.metrics import f1_score

    def score(at: Any) -> float:
        of = f1_score(truth[at], said[at], average="macro")
        return float(of - f1_score(truth[at], less[at], average="macro")) if less is not None else float(of)

    again = [score(at) for at in np.random.default_rng(1).integers(0, len(truth), (200, len(truth)))]
    low, high = np.quantile(again, [0.025, 0.975])
    return {"macro_f1": round(score(np.arange(len(truth))), 4), "low": round(low, 4), "high": round(high, 4)}


def main(name: str, intents: int, made: int, out: Path, near: bool) -> None:
    encoder = TextEncoder()
    rows = rows_of(name, intents, encoder if near else None)
    seeds = [(text, label) for label, texts in rows.items() for text in texts[:SEEDS]]
    test = [(text, label) for label, texts in rows.items() for text in texts[SEEDS : SEEDS + 30]]
    real = [(text, label) for label, texts in rows.items() for text in texts[SEEDS + 30 : SEEDS + 30 + made]]
    untested = [(text, label) for label, texts in rows.items() for text in texts[:SEEDS] + texts[SEEDS + 30 :]]
    out.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"label": label.replace("_", " "), "text": text}) for text, label in seeds]
    (out / "seeds.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    job: dict[str, Any] = yaml.safe_load(
        (ROOT / "textsynth/recipes/classification/job.yaml").read_text(encoding="utf-8")
    )
    job["plan"] |= {"target": made * intents, "max_requests": 12 * made * intents, "round": 256}
    job["seeds"] |= {"holdout": 0.2}
    result = run_job(job_from(job, out / "job.yaml"), out / "run")
    accepted = [json.loads(line) for line in (out / "run/accepted.jsonl").read_text(encoding="utf-8").splitlines()]
    names = {label.replace("_", " "): label for label in rows}
    synthetic = [(row["text"], names[row["label"]]) for row in accepted]
    right = [row for row, label in zip(synthetic, labels(encoder, untested, synthetic), strict=True) if row[1] == label]
    sets = {
        "seeds": seeds,
        "seeds_copied": [seed for seed in seeds for _ in range(made // SEEDS)],
        "synthetic": synthetic,
        "synthetic_and_seeds": synthetic + seeds,
        "right_synthetic_and_seeds": right + seeds,
        "as_many_real": real[: len(synthetic)],
    }
    told: dict[str, Any] = {
        "data": name,
        "intents": intents,
        "near": near,
        "accepted": result.accepted,
        "refused": dict(result.counts),
    }
    truth = np.array([label for _, label in test])
    said = {which: labels(encoder, some, test) for which, some in sets.items()}
    told |= {which: {"rows": len(sets[which]), **macro_f1(said[which], truth)} for which in sets}
    told["gain_over_seeds"] = macro_f1(said["synthetic_and_seeds"], truth, less=said["seeds"])
    told["test_rows"] = len(test)
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", choices=LABEL)
    parser.add_argument("--intents", type=int, default=20)
    parser.add_argument("--made", type=int, default=50)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--near", action="store_true", help="intents whose names are near in meaning")
    given = parser.parse_args()
    main(given.data, given.intents, given.made, given.out, given.near)
