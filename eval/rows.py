"""Rows leaked in part: is the set seen? Usage:

    python eval/rows.py [adult|heart] --kept adult.jsonl [--splits 10 --sets 10 --data PATH]

A leaking generator takes a real seed row and redraws x% of its cells, each from its column's values in the seeds. For
each x, sets of such rows are judged by what a run computes (`RowSetTest`: the flag, and how far the set's mean excess
is above the higher of its two clean sets), and by the usual number beside it, the DCR share: how many rows are closer
to a seed than to a holdout row, of as many of each (ties count half; 0.5 is what a clean set has).

Clean sets, the anchors: `holdout` (real rows that are neither seeds nor calibration), `independent` (columns drawn one
by one from the seeds), and two honest models fitted to the seeds, a Gaussian copula and a Chow-Liu tree over binned
columns, both of which give out the seeds' own values. An AUC compares leaked sets with those of one clean kind, over
all splits; `flag_rate` of a clean kind is its rate of false alarms. `redrawn 0%` is the anchor that copies. `--kept`
has a line for each split: the same command goes on where it stopped, and prints the numbers of all lines.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from textsynth.similarity.linkage import LEVEL, RowSetTest
from textsynth.similarity.rows import RowIndex

Row = Mapping[str, Any]
Rng = np.random.Generator
REDRAWN = (0, 20, 40, 50, 60, 70, 80)
# file; seeds, calibration, DCR holdout, rows of a set; most rows of one clean holdout set come from what is left
DATA = {
    "adult": ("tabular/adult.dev.csv.gz", 5000, 1000, 5000, 300),
    "heart": ("tabular/heart_cleveland.dev.csv", 110, 54, 54, 54),
}
BINS = 12


def main(name: str, kept: Path, splits: int, sets: int, data: Path) -> None:
    file, shown, calibration, _, size = DATA[name]
    rows = read(data / file)
    done = [json.loads(text) for text in kept.read_text().splitlines()] if kept.exists() else []
    for split in range(len(done), splits):
        done.append(of_split(name, rows, sets, np.random.default_rng(split)))
        with kept.open("a") as lines:
            lines.write(json.dumps(done[-1]) + "\n")
    found = {kind: [one for split in done for one in split["sets"][kind]] for kind in done[0]["sets"]}
    table = [line(kind, some, found) for kind, some in found.items()]
    sizes = {"seeds": shown, "calibration": calibration, "set": size, "columns": len(rows[0]), "splits": len(done)}
    seconds = {part: round(float(np.median([split[part] for split in done])), 3) for part in ("first_s", "set_s")}
    print(json.dumps({"data": name, **sizes, "level": LEVEL, **seconds, "sets": table}, indent=1))


def of_split(name: str, rows: Sequence[Row], sets: int, rng: Rng) -> dict[str, Any]:
    """All sets of one split: results by kind; seconds of the first test, which reads the seeds, and of others."""
    _, shown, calibration, reference, size = DATA[name]
    names = list(rows[0])
    order = [rows[at] for at in rng.permutation(len(rows))]
    seeds, rest = order[:shown], order[shown:]
    held, rest = rest[:calibration], rest[calibration:]
    # of a small table the calibration rows are the DCR holdout too
    apart, rest = (rest[:reference], rest[reference:]) if len(rest) > 2 * reference else (held, rest)
    began = time.perf_counter()
    test = RowSetTest(seeds, held, [[name] for name in names])
    test.of(rest[:size])
    first, took = time.perf_counter() - began, []
    near, far = RowIndex(seeds[: len(apart)], names), RowIndex(apart, names)
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, draw in kinds(seeds, rest, names, rng).items():
        for number in range(sets if kind != "holdout" else min(sets, len(rest) // size)):
            some = draw(size, number)
            began = time.perf_counter()
            result = test.of(some)
            took.append(time.perf_counter() - began)
            ours, theirs = near.closest(some)[0], far.closest(some)[0]
            share = float(np.mean((ours > theirs) + 0.5 * (ours == theirs)))
            found.setdefault(kind, []).append({**result, "dcr_share": share})
    return {"sets": found, "first_s": first, "set_s": float(np.median(took))}


def line(kind: str, some: Sequence[Mapping[str, Any]], found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Any:
    """One kind of set: the rate at which it is flagged, and how well each number tells it from the clean kinds."""
    flagged = [one["flagged"] for one in some]
    row: dict[str, Any] = {"kind": kind, "count": len(some), "flag_rate": sum(map(bool, flagged)) / len(flagged)}
    row |= {"untested": flagged.count(None)} if None in flagged else {}
    row |= {"median_margin": round(float(np.median([margin(one) for one in some])), 4)}
    row |= {"mean_dcr_share": round(float(np.mean([one["dcr_share"] for one in some])), 4)}
    if kind.startswith("redrawn"):
        for clean in [kind for kind in found if not kind.startswith("redrawn")]:
            pairs = {"": margin, "_dcr": lambda one: float(one["dcr_share"])}
            for suffix, value in pairs.items():
                row[f"auc_{clean}{suffix}"] = auc([value(one) for one in some], [value(one) for one in found[clean]])
    return row


def margin(result: Mapping[str, Any]) -> float:
    if "excess" not in result:
        return 0.0
    return float(result["excess"] - max(result["calibration_excess"], result["independent_excess"]))


def auc(high: Sequence[float], low: Sequence[float]) -> float:
    gap = np.asarray(high)[:, None] - np.asarray(low)
    return round(float(np.mean((gap > 0) + 0.5 * (gap == 0))), 4)


def kinds(
    seeds: Sequence[Row], rest: Sequence[Row], names: Sequence[str], rng: Rng
) -> dict[str, Callable[[int, int], list[Row]]]:
    """Each kind of set: a function of its size and number."""

    def redrawn(percent: int) -> Callable[[int, int], list[Row]]:
        def draw(size: int, number: int) -> list[Row]:
            sources = np.repeat(rng.integers(len(seeds), size=(size, 1)), len(names), axis=1)
            lost = rng.random(sources.shape).argsort(axis=1) < round(percent / 100 * len(names))
            return pick(np.where(lost, rng.integers(len(seeds), size=sources.shape), sources))

        return draw

    def pick(where: Any) -> list[Row]:
        return [{n: seeds[at][n] for n, at in zip(names, some, strict=True)} for some in where.tolist()]

    numbers = np.array([codes([row[n] for row in seeds]) for n in names])
    tree, copula = chow_liu(numbers, rng), gaussian_copula(numbers, rng)
    return {
        "holdout": lambda size, number: list(rest[number * size : (number + 1) * size]),
        "independent": lambda size, number: pick(rng.integers(len(seeds), size=(size, len(names)))),
        "copula": lambda size, number: pick(copula(size)),
        "tree": lambda size, number: pick(tree(size)),
        **{f"redrawn {percent}%": redrawn(percent) for percent in REDRAWN},
    }


def codes(column: Sequence[Any]) -> list[float]:
    """Numbers as they are, other values by how frequent they are."""
    if all(isinstance(value, int | float) for value in column):
        return [float(value) for value in column]
    common = sorted(set(map(repr, column)), key=lambda text: (-sum(repr(v) == text for v in column), text))
    return [float(common.index(repr(value))) for value in column]


def gaussian_copula(numbers: Any, rng: Rng) -> Callable[[int], Any]:
    """Positions of seeds, column by column, whose ranks go together as the seeds' do."""
    count = numbers.shape[1]
    normal = NormalDist()
    scale = np.array([normal.inv_cdf((at + 0.5) / count) for at in range(count)])
    order = np.array([np.lexsort((rng.random(count), column)) for column in numbers])
    scores = np.empty_like(numbers)
    for row, places in zip(scores, order, strict=True):
        row[places] = scale
    together = np.corrcoef(scores)

    def draw(size: int) -> Any:
        normals = rng.multivariate_normal(np.zeros(len(numbers)), together, size)
        ranks = np.searchsorted(scale, normals).clip(0, count - 1)
        return np.stack([order[c][ranks[:, c]] for c in range(len(numbers))], axis=1)

    return draw


def chow_liu(numbers: Any, rng: Rng) -> Callable[[int], Any]:
    """Positions of seeds from a tree of pairwise dependences (Chow and Liu, 1968) over at most BINS bins a column."""
    bins = []
    for column in numbers:
        few = len(np.unique(column)) <= 2 * BINS
        edges = np.unique(column) if few else np.unique(np.quantile(column, np.linspace(0, 1, BINS + 1)[1:-1]))
        bins.append(np.unique(np.searchsorted(edges, column, side="right"), return_inverse=True)[1])
    count = len(bins)
    strength = np.array([[information(a, b) for b in bins] for a in bins])
    parents: dict[int, int] = {}
    known = [0]
    while len(known) < count:
        best = max(((a, b) for a in known for b in range(count) if b not in known), key=lambda ab: strength[ab])
        parents[best[1]] = best[0]
        known.append(best[1])
    members = [[np.flatnonzero(column == value) for value in range(column.max() + 1)] for column in bins]

    def draw(size: int) -> Any:
        rows = np.empty((size, count), np.int64)
        for row in rows:
            row[0] = rng.integers(len(bins[0]))
            for column in known[1:]:
                parent = parents[column]
                row[column] = rng.choice(members[parent][bins[parent][row[parent]]])
            # the bin is what the tree draws; the value comes from any seed in it
            for column in known:
                row[column] = rng.choice(members[column][bins[column][row[column]]])
        return rows

    return draw


def information(a: Any, b: Any) -> float:
    """Mutual information of two columns of codes, in nats."""
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1 / len(a))
    apart = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True)
    some = table > 0
    return float((table[some] * np.log(table[some] / apart[some])).sum())


def read(file: Path) -> list[Row]:
    with gzip.open(file, "rt", newline="") if file.suffix == ".gz" else file.open(newline="") as lines:
        return [{name: value(text) for name, text in row.items()} for row in csv.DictReader(lines)]


def value(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="adult", choices=DATA)
    parser.add_argument("--kept", type=Path, required=True)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--sets", type=int, default=10)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[1] / "../shared/data")
    given = parser.parse_args()
    main(given.name, given.kept, given.splits, given.sets, given.data)
