"""Labelled duplicates: textsynth's near duplicates beside datasketch's MinHashLSH at its best threshold. Usage:

    pip install datasketch scikit-learn
    python eval/duplicates.py

Two data sets of ../shared/data. `text/record_matching`: restaurants, papers and products, as pairs of records labelled
as the same or not; the true clusters are what matching pairs link. `clinical/mtsamples`: the notes with their `cluster`
column (half of the 8-word shingles shared). A record is one text, its values joined, as `dedup` takes the text of the
fields that it compares. F1 is over labelled pairs (of mtsamples over all pairs), a pair counting as found where the one
is near the other; ARI is over what near duplicates link to clusters.

datasketch is fed as in its README, with the set of the words of a text, and its threshold is the best of 0.1 to 0.95
for each number by itself, on the very pairs that are counted. textsynth stands here as it is by default
(`near: 0.8`), and for short records as a user with some labels would set it: `shingle: 1`, and `near` chosen for each
number on the pairs of the set's own training split, which do not count in the F1 (for ARI from 0.35 up).
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Collection, Container, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from textsynth.records import text_of
from textsynth.similarity.minhash import NearDuplicates, jaccard
from textsynth.similarity.words import shingles, tokenize

DATA = Path(__file__).parents[2] / "shared/data"
FOR_CLUSTERS = [round(0.05 * at, 2) for at in range(7, 20)]
SWEPT = [round(0.05 * at, 2) for at in range(2, 20)]
Pair = tuple[int, int]


def rows(name: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / f"{name}.dev.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def clusters(count: int, links: Iterable[Pair]) -> list[int]:
    """A number for each of `count` texts, shared by those that are linked."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ends = np.array(list(links), np.int64).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (count, count))
    return connected_components(graph, directed=False)[1].tolist()


def textsynth(texts: Sequence[str], near: float = 0.8, shingle: int = 3) -> dict[Pair, float]:
    """Pairs of texts, the first one first, that are near duplicates, and how similar they are."""
    index = NearDuplicates(near, shingle)
    links: dict[Pair, float] = {}
    for number, sketch in enumerate(index.sketches(tokenize(texts))):
        links |= {(other, number): similarity for similarity, other in index.all_near(sketch)}
        index.add(sketch)
    return links


def datasketch(texts: Sequence[str], thresholds: Sequence[float]) -> dict[float, set[Pair]]:
    from datasketch import MinHash, MinHashLSH

    sketches = []
    for text in texts:
        sketch = MinHash(num_perm=128)
        sketch.update_batch([word.encode() for word in text.split()])
        sketches.append(sketch)
    found: dict[float, set[Pair]] = {}
    for threshold in thresholds:
        index = MinHashLSH(threshold=threshold, num_perm=128)
        links = found[threshold] = set()
        for number, sketch in enumerate(sketches):
            links.update((other, number) for other in index.query(sketch))
            index.insert(number, sketch)
    return found


def f1(links: Container[Pair], labels: dict[Pair, bool]) -> float:
    hits = sum(same for pair, same in labels.items() if pair in links)
    found = sum(pair in links for pair in labels)
    return 2 * hits / max(1, found + sum(labels.values()))


def f1_of_all(links: Collection[Pair], names: Sequence[int]) -> float:
    """Over all pairs; those of one name are the same."""
    hits = sum(names[a] == names[b] for a, b in links)
    sizes = np.bincount(np.unique(names, return_inverse=True)[1])
    return 2 * hits / max(1, len(links) + int((sizes * (sizes - 1) // 2).sum()))


def best_near(texts: Sequence[str], labels: dict[Pair, bool]) -> float:
    """The threshold on sets of words with the best F1 on labelled pairs."""
    sets = shingles(tokenize(texts), 1)
    values = [(jaccard(sets[a], sets[b]), same) for (a, b), same in labels.items()]
    links = {near: {pair for pair, (value, _) in zip(labels, values, strict=True) if value >= near} for near in SWEPT}
    return max(SWEPT, key=lambda near: f1(links[near], labels))


def best_near_for_clusters(texts: Sequence[str], labels: dict[Pair, bool]) -> float:
    """The threshold on sets of words at which clusters of the labelled pairs' texts are most like the true ones."""
    from sklearn.metrics import adjusted_rand_score

    used = sorted({number for pair in labels for number in pair})
    place = {number: at for at, number in enumerate(used)}
    truth = clusters(len(used), ((place[a], place[b]) for (a, b), same in labels.items() if same))
    links = textsynth([texts[number] for number in used], FOR_CLUSTERS[0], 1)

    def ari(near: float) -> float:
        return float(adjusted_rand_score(truth, clusters(len(used), [p for p, v in links.items() if v >= near])))

    return max(FOR_CLUSTERS, key=ari)


def matching(dataset: str) -> dict[str, Any]:
    from sklearn.metrics import adjusted_rand_score

    numbers: dict[str, int] = {}
    train: dict[Pair, bool] = {}
    test: dict[Pair, bool] = {}
    for row in rows("text/record_matching"):
        if row["dataset"] == dataset:
            both = [(side, text_of(row[side], row[side])) for side in ("left", "right")]
            a, b = (numbers.setdefault("\0".join(one), len(numbers)) for one in both)
            (train if row["official_split"] == "train" else test)[min(a, b), max(a, b)] = bool(row["match"])
    texts = [key.split("\0")[1] for key in numbers]
    truth = clusters(len(texts), (pair for pair, same in (train | test).items() if same))

    def numbers_of(links: Collection[Pair]) -> dict[str, float]:
        ari = adjusted_rand_score(truth, clusters(len(texts), links))
        return {"f1": round(f1(links, test), 3), "ari": round(ari, 3)}

    near, linked = best_near(texts, train), best_near_for_clusters(texts, train)
    chosen = {
        "f1": round(f1(textsynth(texts, near, 1), test), 3),
        "ari": numbers_of(textsynth(texts, linked, 1))["ari"],
        "f1_near": near,
        "ari_near": linked,
    }
    peer = {at: numbers_of(links) for at, links in datasketch(texts, SWEPT).items()}
    return {
        "records": len(texts),
        "labelled_pairs": len(test),
        "textsynth, default": numbers_of(textsynth(texts)),
        "textsynth, shingle 1, near from its training pairs": chosen,
        "datasketch": best(peer),
    }


def notes() -> dict[str, Any]:
    from sklearn.metrics import adjusted_rand_score

    found = rows("clinical/mtsamples")
    texts, truth = [row["transcription"] or "" for row in found], [row["cluster"] for row in found]

    def numbers_of(links: Collection[Pair]) -> dict[str, float]:
        ari = adjusted_rand_score(truth, clusters(len(texts), links))
        return {"f1": round(f1_of_all(links, truth), 3), "ari": round(ari, 3)}

    peer = {at: numbers_of(links) for at, links in datasketch(texts, SWEPT).items()}
    return {
        "records": len(texts),
        "textsynth, default": numbers_of(textsynth(texts)),
        "textsynth, near 0.5 (clusters of seeds)": numbers_of(textsynth(texts, 0.5)),
        "datasketch": best(peer),
    }


def best(peer: dict[float, dict[str, float]]) -> dict[str, Any]:
    """The best of each number, and the threshold that it has."""
    tops = {name: max(peer, key=lambda at: peer[at][name]) for name in ("f1", "ari")}
    return {name: peer[at][name] for name, at in tops.items()} | {f"best_{name}_at": at for name, at in tops.items()}


def main() -> None:
    results = {name: matching(name) for name in ("Fodors-Zagats", "DBLP-ACM", "Abt-Buy")}
    json.dump(results | {"mtsamples": notes()}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
