"""What the leakage gate refuses: copies of seeds, genuine records that it has not seen, and what lies between.

Usage:  python eval/leakage.py [--cache FOLDER] [--splits 20]     (reads ../shared/data; some minutes, mostly encoding)

Texts: mtsamples (one row a cluster, cut at 1,500 characters), aci_bench (notes, cut the same), banking77 (one a
cluster); rows: adult. Seeds, calibration and test records never share a cluster. Prints:
- claim: genuine test records refused at alpha 0.01 and 0.05, pooled over the splits, beside the upper 95% bound of the
  claim: given the calibration set, a split's refusals are beta-binomial (Vovk, "Conditional validity of inductive
  conformal predictors", 2012) with k = floor(alpha (n + 1)); their sum over the splits is taken as independent.
- anchors: the share refused of three kinds: `holdout` (genuine test records), honest generators (`bigrams`, a model
  of word pairs trained on the seeds; `recombined`, sentences of genuine notes that are not seeds; for rows
  `independent`, each column drawn by itself) and `copies` (seeds with case, punctuation and line breaks changed and 5%
  of the tokens replaced; rows with one cell redrawn), by the gate at alpha 0.01 and 0.05, by max_span alone, and by the
  published rules: a shared run of 13 words (GPT-3) or of 8 (Tulu 3: in runs that make up half of the record).
- planted: runs of seeds' tokens put into other genuine notes, found by max_span alone.
- conformal: the same, found by the gate at alpha 0.05 without max_span, by the length of the run, beside the share of
  genuine notes that share as much with a seed anyway.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import random
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import betabinom

from textsynth.filters.base import References
from textsynth.filters.leakage import LeakageFilter
from textsynth.filters.scores import SeedScores
from textsynth.inputs.passages import cut_text
from textsynth.records import Record, Seed
from textsynth.similarity.encoder import TextEncoder
from textsynth.similarity.minhash import clusters_of

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SIZES = {
    "mtsamples": (250, 150, 200),
    "aci_bench": (50, 20, 57),
    "banking77": (800, 300, 500),
    "adult": (1500, 500, 1500),
}
TOKEN = re.compile(r"[^\W_]+")
LENGTHS = (8, 10, 13, 16, 20, 25, 30, 40, 60)
Rule = Callable[[Sequence[Mapping[str, Any]]], "list[bool]"]


class Kept:
    """The embedded encoder; each text is encoded once, and kept in a folder for the next time."""

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / "vectors.npz" if folder else None
        self._rows: dict[str, Any] = {}
        if self._file and self._file.is_file():
            with np.load(self._file) as kept:
                self._rows = dict(zip(kept["keys"].tolist(), kept["rows"], strict=True))
        self._encoder = TextEncoder()

    def encode(self, texts: Sequence[str]) -> Any:
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._rows}
        for first in range(0, len(missing), 1024):
            some = dict(list(missing.items())[first : first + 1024])
            self._rows |= dict(zip(some, self._encoder.encode(list(some.values())), strict=True))
            self._save()
        return np.array([self._rows[key] for key in keys], np.float32).reshape(len(keys), -1)

    def _save(self) -> None:
        if self._file:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(self._file, keys=np.array(list(self._rows)), rows=np.array(list(self._rows.values())))


def lines(name: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / f"{name}.dev.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def pool(name: str) -> list[dict[str, Any]]:
    """Genuine records of a set, one a near-duplicate cluster, in an order drawn once."""
    if name == "adult":
        with gzip.open(DATA / "tabular" / "adult.dev.csv.gz", "rt", encoding="utf-8") as file:
            rows = [{k: int(v) if v.isdigit() else v for k, v in row.items()} for row in csv.DictReader(file)]
        found = list({tuple(row.values()): row for row in rows}.values())
    elif name == "mtsamples":
        notes = {row["cluster"]: row["transcription"] for row in reversed(lines("clinical/mtsamples"))}
        found = [{"text": cut_text(note, 1500)} for note in notes.values() if len(note) > 300]
    elif name == "aci_bench":
        found = [{"text": cut_text(row["note"], 1500)} for row in lines("clinical/aci_bench")]
    else:
        texts = [row["text"] for row in lines("text/banking77")]
        random.Random(1).shuffle(texts)
        texts = texts[:2500]
        found = [{"text": t} for t in dict(reversed(list(zip(clusters_of(texts), texts, strict=True)))).values()]
    random.Random(2).shuffle(found)
    return found[: sum(SIZES[name])]


class Gate:
    """A leakage filter over some seeds and calibration records, each a cluster of its own."""

    def __init__(
        self, seeds: Sequence[Any], held: Sequence[Any], encoder: Any, alpha: float, max_span: int | None = None
    ) -> None:
        shown = [Seed(f"s{at:06d}", data) for at, data in enumerate(seeds)]
        calibration = [Seed(f"h{at:06d}", data) for at, data in enumerate(held)]
        cluster = {seed.id: at for at, seed in enumerate([*shown, *calibration])}
        text, columns = (["text"], []) if "text" in seeds[0] else ([], list(seeds[0]))
        scores = SeedScores(shown, cluster, text, columns, encoder if text else None)
        references = References(shown, calibration, cluster)
        self.filter = LeakageFilter(alpha, max_span, scores, references, text, columns)

    def verdicts(self, data: Sequence[Mapping[str, Any]]) -> list[Any]:
        records = [Record(f"r{at:07d}", 0, {}, one) for at, one in enumerate(data)]
        self.filter.prepare(records)
        return [self.filter.check(record) for record in records]

    def refuses(self, data: Sequence[Mapping[str, Any]]) -> list[bool]:
        return [not verdict.accepted for verdict in self.verdicts(data)]


def published(seeds: Sequence[Mapping[str, Any]], size: int, part: float) -> Rule:
    """Whether words in runs of `size` that one seed shares make up `part` of a record (0: any run will do)."""

    def words(data: Mapping[str, Any]) -> list[str]:
        return re.sub(r"[^\w\s]", "", data["text"].lower()).split()

    def runs(some: list[str]) -> list[tuple[str, ...]]:
        return [tuple(some[at : at + size]) for at in range(len(some) - size + 1)]

    owners: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for number, seed in enumerate(seeds):
        for run in runs(words(seed)):
            owners[run].add(number)

    def refused(data: Mapping[str, Any]) -> bool:
        some = words(data)
        covered: dict[int, set[int]] = defaultdict(set)
        for at, run in enumerate(runs(some)):
            for owner in owners.get(run, ()):
                covered[owner].update(range(at, at + size))
        return any(len(places) > part * len(some) for places in covered.values())

    return lambda data: [refused(one) for one in data]


def light_edit(data: Mapping[str, Any], rng: random.Random, vocabulary: Sequence[str]) -> dict[str, Any]:
    """Case, punctuation and line breaks changed, 5% of the tokens replaced."""
    text = data["text"]
    places = [match.span() for match in TOKEN.finditer(text)]
    count = max(1, round(0.05 * len(places)))
    for start, end in sorted(rng.sample(places, count), reverse=True):
        text = text[:start] + rng.choice(vocabulary) + text[end:]
    text = re.sub(r"[,;:]", lambda _: rng.choice(["", ",", " -"]), text)
    text = re.sub(r"\.\s", lambda _: rng.choice([".\n", "; ", "! ", "\n\n"]), text)
    return {"text": rng.choice([str.lower, str.upper, str.title, str.swapcase])(text)}


def bigrams(seeds: Sequence[Mapping[str, Any]], count: int, rng: random.Random) -> list[dict[str, Any]]:
    """Texts of a model of word pairs, as long as a seed each."""
    after: dict[str, list[str]] = defaultdict(list)
    for seed in seeds:
        words = ["", *seed["text"].split()]
        for one, other in zip(words, [*words[1:], ""], strict=True):
            after[one].append(other)
    made = []
    for _ in range(count):
        wanted, words, word = len(rng.choice(seeds)["text"].split()), list[str](), ""
        while len(words) < wanted:
            word = rng.choice(after[word])
            words += [word] if word else []
        made.append({"text": " ".join(words)})
    return made


def recombined(others: Sequence[Mapping[str, Any]], count: int, rng: random.Random) -> list[dict[str, Any]]:
    """Sentences of other genuine texts, each from another one, as many as a text has."""
    cut = [re.split(r"(?<=[.!?])\s+", other["text"]) for other in others]
    return [{"text": " ".join(rng.choice(rng.choice(cut)) for _ in rng.choice(cut))} for _ in range(count)]


def redrawn(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], rng: random.Random) -> dict[str, Any]:
    name = rng.choice(list(row))
    return {**row, name: rng.choice(rows)[name]}


def share(flags: Sequence[bool]) -> float:
    return round(sum(flags) / len(flags), 4)


def claim(name: str, records: list[Any], encoder: Any, splits: int) -> dict[str, Any]:
    """Refusals of genuine records pooled over splits, and the bound that the claim sets."""
    seeds, held, tested = SIZES[name]
    alphas = (0.01, 0.05)
    refused = dict.fromkeys(alphas, 0)
    for split in range(splits):
        drawn = random.Random(split).sample(records, len(records))
        gate = Gate(drawn[:seeds], drawn[seeds : seeds + held], encoder, alphas[0])
        found = gate.verdicts(drawn[seeds + held :])
        for alpha in alphas:
            refused[alpha] += sum(v.scores["p_value"] <= alpha or v.reason == "copied_row" for v in found)
    answer: dict[str, Any] = {"seeds": seeds, "calibration": held, "test": tested, "splits": splits}
    for alpha in alphas:
        k = int(alpha * (held + 1) + 1e-9)
        one = betabinom.pmf(np.arange(tested + 1), tested, k, held + 1 - k)
        total = one
        for _ in range(splits - 1):
            total = np.convolve(total, one)
        bound = int(np.searchsorted(np.cumsum(total), 0.95))
        answer[f"alpha {alpha}"] = {
            "refused": refused[alpha],
            "rate": round(refused[alpha] / (splits * tested), 5),
            "expected_rate": round(k / (held + 1), 5),
            "upper_95_rate": round(bound / (splits * tested), 5),
            "held": refused[alpha] <= bound,
        }
    return answer


def anchors(name: str, records: list[Any], encoder: Any) -> dict[str, Any]:
    """The share refused of each kind of record, by each rule."""
    seeds, held, test = divided(name, records)
    rng = random.Random(3)
    if name == "adult":
        kinds = {
            "holdout": test,
            "independent": [{column: rng.choice(seeds)[column] for column in seeds[0]} for _ in range(len(test))],
            "copies": [redrawn(rng.choice(seeds), seeds, rng) for _ in range(len(test))],
        }
    else:
        vocabulary = [word for other in held for word in other["text"].split() if word.isalpha()]
        kinds = {"holdout": test, "bigrams": bigrams(seeds, len(test), rng)}
        if name != "banking77":
            kinds["recombined"] = recombined(held, len(test), rng)
        kinds["copies"] = [light_edit(seed, rng, vocabulary) for seed in rng.sample(seeds, min(len(seeds), 200))]
    rules: dict[str, Rule] = {f"alpha {a}": Gate(seeds, held, encoder, a).refuses for a in (0.01, 0.05)}
    if name == "aci_bench":  # its 20 calibration records do not resolve 0.01
        rules.pop("alpha 0.01")
    if name != "adult":
        rules |= {f"max_span {n}": Gate(seeds, held, None, 1e-9, n).refuses for n in (13, 8)}
        rules["13-gram"] = published(seeds, 13, 0)
        rules["8-gram"] = published(seeds, 8, 0)
        rules["8-gram, half of the record"] = published(seeds, 8, 0.5)
    table = {kind: {rule: share(judge(some)) for rule, judge in rules.items()} for kind, some in kinds.items()}
    return {"records": {kind: len(some) for kind, some in kinds.items()}, "refused": table}


def divided(name: str, records: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    seeds, held, _ = SIZES[name]
    return records[:seeds], records[seeds : seeds + held], records[seeds + held :]


def plant(host: str, seed: str, length: int, rng: random.Random) -> dict[str, Any] | None:
    """A note with exactly `length` tokens of the seed, as they stand there, after one of its words; None: too short."""
    places = [match.span() for match in TOKEN.finditer(seed)]
    if len(places) < length:
        return None
    at = rng.randrange(len(places) - length + 1)
    run = seed[places[at][0] : places[at + length - 1][1]]
    words = host.split(" ")
    here = rng.randrange(len(words) + 1)
    return {"text": " ".join([*words[:here], run, *words[here:]])}


def planted(seeds: list[Any], hosts: list[Any], lengths: Sequence[int], count: int) -> list[dict[str, Any]]:
    rng, made = random.Random(5), list[dict[str, Any]]()
    while len(made) < count:
        one = plant(rng.choice(hosts)["text"], rng.choice(seeds)["text"], rng.choice(lengths), rng)
        made += [one] if one else []
    return made


def found_by_max_span(name: str, records: list[Any]) -> dict[str, Any]:
    """Recall on planted runs, and the share of genuine notes that are refused too, by max_span and published rules."""
    seeds, held, test = divided(name, records)
    answer = {}
    for most, lengths, size in ((13, range(13, 61), 13), (8, range(8, 13), 8)):
        notes = planted(seeds, test, lengths, 500)
        gate, rule = Gate(seeds, held, None, 1e-9, most), published(seeds, size, 0)
        answer[f"max_span {most}"] = {
            "planted": len(notes),
            "lengths": f"{lengths[0]}-{lengths[-1]}",
            "recall": share(gate.refuses(notes)),
            f"recall of the {size}-gram rule": share(rule(notes)),
            "refused of the holdout": share(gate.refuses(test)),
            f"refused of the holdout by the {size}-gram rule": share(rule(test)),
        }
    return answer


def found_by_gate(name: str, records: list[Any], encoder: Any, count: int = 40) -> dict[str, Any]:
    """Recall of the conformal gate at alpha 0.05 by the length of a planted run."""
    seeds, held, test = divided(name, records)
    gate = Gate(seeds, held, encoder, 0.05)
    genuine = gate.verdicts(test)
    spans = np.array([verdict.scores["span"] for verdict in genuine])
    answer: dict[str, Any] = {"refused of the holdout": share([not verdict.accepted for verdict in genuine])}
    for length in LENGTHS:
        notes = planted(seeds, test, [length], count)
        answer[f"{length} tokens"] = {
            "recall": share(gate.refuses(notes)),
            "holdout that shares as much": round(float((spans >= length).mean()), 4),
        }
    return answer


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cache", type=Path)
    arguments.add_argument("--splits", type=int, default=20)
    arguments.add_argument("--only", nargs="*", default=["claim", "anchors", "planted", "conformal"])
    chosen = arguments.parse_args()
    encoder, pools = Kept(chosen.cache), {name: pool(name) for name in SIZES}
    clinical = ("mtsamples", "aci_bench")
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "planted": lambda: {name: found_by_max_span(name, pools[name]) for name in clinical},
        "claim": lambda: {n: claim(n, pools[n], encoder, chosen.splits) for n in SIZES if n != "aci_bench"},
        "anchors": lambda: {name: anchors(name, records, encoder) for name, records in pools.items()},
        "conformal": lambda: {name: found_by_gate(name, pools[name], encoder) for name in clinical},
    }
    result: dict[str, Any] = {}
    for name in parts:
        if name in chosen.only:
            began = time.monotonic()
            result[name] = parts[name]()
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
