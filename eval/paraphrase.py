"""Do numbers, negations and names tell paraphrases from look-alikes better than an embedding alone?

Usage:  python eval/paraphrase.py            (reads ../shared/data; encodes 8,800 sentences, about a minute)

Labelled pairs: medical_question_pairs (1: same intent in other words; 0: same key words, another intent), and
sts_benchmark with a score of 4.5 or more against 2 or less. Prints, for each, average precision and ROC AUC of the
cosine (an embedding-only filter) and of the leakage gate's similarity in meaning (`claims.paraphrase`), whose constants
were chosen once on all of these pairs. To see what that choice is worth, each set is cut in two by its first sentence:
the constants are chosen again on one half of both sets (the largest gain, summed) and scored on the other.

`in_the_gate`: the whole leakage gate, with the first texts of one half as seeds and 400 of the other half's as
calibration: the share refused of the seeds' paraphrases, of their look-alikes and of the other half's remaining first
texts (holdout), with claims compared and with the cosine alone.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from textsynth.filters.base import References
from textsynth.filters.leakage import LeakageFilter
from textsynth.filters.scores import SeedScores
from textsynth.records import Record, Seed
from textsynth.similarity import claims
from textsynth.similarity.encoder import TextEncoder

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "text"
GRID = list(itertools.product((0.6, 0.7, 0.8), (0.5, 1.0), (0.0, 0.25, 0.5), (0.0, 0.1, 0.25)))


def rows(name: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / f"{name}.dev.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def labelled() -> dict[str, list[tuple[str, str, int]]]:
    """(one, other, whether they say the same) by set."""
    sts = [(r["sentence1"], r["sentence2"], float(r["score"])) for r in rows("sts_benchmark")]
    return {
        "medical_question_pairs": [
            (r["question_1"], r["question_2"], int(r["label"])) for r in rows("medical_question_pairs")
        ],
        "sts_benchmark": [(one, other, int(score >= 4.5)) for one, other, score in sts if score >= 4.5 or score <= 2],
    }


class Pairs:
    """One set: labels, cosines, and each pair's half."""

    def __init__(self, pairs: list[tuple[str, str, int]], vectors: dict[str, Any]) -> None:
        self.labels = np.array([label for _, _, label in pairs])
        self.cosines = np.array([float(vectors[one] @ vectors[other]) for one, other, _ in pairs])
        self.claims = [(claims.claims_of(one), claims.claims_of(other)) for one, other, _ in pairs]
        self.half = np.array([hashlib.sha256(one.encode()).digest()[0] % 2 for one, _, _ in pairs])

    def scores(self, constants: tuple[float, ...] | None = None) -> Any:
        """The gate's similarity of each pair, with these constants instead of the shipped ones."""
        shipped = claims.NEAR, claims._NUMBERS, claims._NEGATIONS, claims._NAMES
        claims.NEAR, claims._NUMBERS, claims._NEGATIONS, claims._NAMES = constants or shipped
        try:
            found = zip(self.cosines, self.claims, strict=True)
            return np.array([claims.paraphrase(cosine, *two) for cosine, two in found])
        finally:
            claims.NEAR, claims._NUMBERS, claims._NEGATIONS, claims._NAMES = shipped

    def gain(self, scores: Any, among: Any) -> float:
        """How much average precision the scores have over the cosine, among some of the pairs."""
        labels = self.labels[among]
        of = [average_precision_score(labels, values[among]) for values in (scores, self.cosines)]
        return float(of[0] - of[1])


def table(pairs: Pairs, chosen: dict[int, tuple[float, ...]], scored: dict[tuple[float, ...], Any]) -> dict[str, Any]:
    shipped, everything = pairs.scores(), np.ones(len(pairs.labels), bool)
    other_half = [pairs.gain(scored[chosen[1 - half]], pairs.half == half) for half in (0, 1)]
    crossed = np.where(pairs.half == 0, scored[chosen[1]], scored[chosen[0]])
    return {
        "pairs": len(pairs.labels),
        "paraphrases": int(pairs.labels.sum()),
        "average_precision": {
            "cosine": round(float(average_precision_score(pairs.labels, pairs.cosines)), 4),
            "gate": round(float(average_precision_score(pairs.labels, shipped)), 4),
            "gain": round(pairs.gain(shipped, everything), 4),
        },
        "roc_auc": {
            "cosine": round(float(roc_auc_score(pairs.labels, pairs.cosines)), 4),
            "gate": round(float(roc_auc_score(pairs.labels, shipped)), 4),
        },
        "gain_by_half_with_shipped_constants": [round(pairs.gain(shipped, pairs.half == half), 4) for half in (0, 1)],
        "gain_by_half_with_constants_of_the_other": [round(gain, 4) for gain in other_half],
        "gain_with_each_half_scored_by_constants_of_the_other": round(pairs.gain(crossed, everything), 4),
        "pairs_whose_numbers_disagree": {
            name: round(float(np.mean([claims.agreement(*two) < 0.5 for two in some])), 4)
            for name, some in (
                ("paraphrases", [two for two, label in zip(pairs.claims, pairs.labels, strict=True) if label]),
                ("others", [two for two, label in zip(pairs.claims, pairs.labels, strict=True) if not label]),
            )
        },
    }


class Known:
    """An encoder of texts that were encoded before."""

    def __init__(self, vectors: dict[str, Any]) -> None:
        self._vectors = vectors

    def encode(self, texts: Sequence[str]) -> Any:
        return np.array([self._vectors[text] for text in texts], np.float32).reshape(len(texts), -1)


def in_the_gate(pairs: list[tuple[str, str, int]], half: Any, vectors: dict[str, Any]) -> dict[str, Any]:
    """The share refused of each kind of text at alpha 0.01 and 0.05."""
    firsts = [list(dict.fromkeys(one for (one, _, _), h in zip(pairs, half, strict=True) if h == n)) for n in (0, 1)]
    texts = [text for text in firsts[1] if text not in firsts[0]]
    random.Random(1).shuffle(texts)
    seeds, held = ([Seed(f"{n}{i:06d}", {"text": text}) for i, text in enumerate(some)]
                   for n, some in (("s", firsts[0]), ("h", texts[:400])))  # fmt: skip
    cluster = {seed.id: at for at, seed in enumerate([*seeds, *held])}
    scores = SeedScores(seeds, cluster, ["text"], [], Known(vectors))
    gate = LeakageFilter(0.01, None, scores, References(seeds, held, cluster), ["text"], [])
    kinds = {"holdout": texts[400:]}
    for name, wanted in (("paraphrases", 1), ("look-alikes", 0)):
        found = zip(pairs, half, strict=True)
        kinds[name] = [other for (_, other, label), h in found if h == 0 and label == wanted and other not in firsts[0]]
    answer = dict[str, Any]()
    for name, some in kinds.items():
        records = [Record(f"r{at}", 0, {}, {"text": text}) for at, text in enumerate(some)]
        gate.prepare(records)
        p_values = np.array([float(gate.check(record).scores["p_value"]) for record in records])
        answer[name] = {f"alpha {alpha}": round(float((p_values <= alpha).mean()), 4) for alpha in (0.01, 0.05)}
    return answer


def gates(pairs: list[tuple[str, str, int]], half: Any, vectors: dict[str, Any]) -> dict[str, dict[str, Any]]:
    with_claims, near = in_the_gate(pairs, half, vectors), claims.NEAR
    claims.NEAR = 2.0  # no cosine is beyond it, so nothing is compared
    try:
        return {"claims compared": with_claims, "cosine alone": in_the_gate(pairs, half, vectors)}
    finally:
        claims.NEAR = near


def main() -> None:
    sets = labelled()
    texts = list(dict.fromkeys(text for pairs in sets.values() for one, other, _ in pairs for text in (one, other)))
    vectors = dict(zip(texts, TextEncoder().encode(texts), strict=True))
    held = {name: Pairs(pairs, vectors) for name, pairs in sets.items()}
    scored = {name: {constants: pairs.scores(constants) for constants in GRID} for name, pairs in held.items()}
    chosen = {
        half: max(GRID, key=lambda c: sum(p.gain(scored[name][c], p.half == half) for name, p in held.items()))
        for half in (0, 1)
    }
    shipped = [claims.NEAR, claims._NUMBERS, claims._NEGATIONS, claims._NAMES]
    result: dict[str, Any] = {"constants": {"names": ["NEAR", "numbers", "negations", "names"], "shipped": shipped}}
    result["constants"]["chosen_on_half"] = {str(half): list(constants) for half, constants in chosen.items()}
    for name, pairs in held.items():
        in_gate = gates(sets[name], pairs.half, vectors)
        result[name] = table(pairs, chosen, scored[name]) | {"in_the_gate": in_gate}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
