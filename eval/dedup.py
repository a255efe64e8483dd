"""Near duplicates in a stream: how fast, how sure, and against a million kept records.

    pip install datasketch                                  # a peer; rensa is a dependency of textsynth
    python eval/dedup.py stream                             # texts a second, precision and recall
    python eval/dedup.py kept [--records 1000000]           # ms to judge one record against so many, and memory

Texts are 90 words cut from random sentences of alpaca's outputs and mtsamples' notes (../shared/data), so each differs
from all others. In `stream` one text in twenty is a copy of an earlier one in which 3% of the words (3 of 90) are
replaced by random ones. Records pass one at a time, each refused or kept before the next is looked at; tokenizing is
counted for all. "dedup filter" is the whole filter, exact keys and evidence too. Peers: rensa's streaming deduplicator
as its README feeds it (`add_pairs` with `text.split()`, 128 permutations, LSH), the same with 3-word shingles, which is
the similarity that textsynth compares, the same at a lower threshold and with 32 bands, without which its estimates
lose most of these copies, and datasketch's MinHashLSH over words (its README), on the first texts only. A ratio is
taken within a round; medians of the rounds.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from textsynth.filters.dedup import DedupFilter
from textsynth.records import Record
from textsynth.similarity.minhash import NearDuplicates
from textsynth.similarity.words import tokenize

DATA = Path(__file__).parents[2] / "shared/data"
WORDS, NEAR, PERMUTATIONS = 90, 0.8, 128
Kept = list[bool]


def sentences() -> list[str]:
    """Sentences of 6 to 40 words from real texts."""
    found: dict[str, None] = {}
    for name, field in (("instructions/alpaca", "output"), ("clinical/mtsamples", "transcription")):
        with gzip.open(DATA / f"{name}.dev.jsonl.gz", "rt", encoding="utf-8") as file:
            for line in file:
                for part in re.split(r"(?<=[.!?])\s+", json.loads(line)[field] or ""):
                    if 5 < part.count(" ") < 40:
                        found[part] = None
    return list(found)


def texts(pool: Sequence[str], count: int, rng: random.Random) -> Iterator[str]:
    """Texts of 90 words, joined from random sentences."""
    for _ in range(count):
        words: list[str] = []
        while len(words) < WORDS:
            words += rng.choice(pool).split()
        yield " ".join(words[:WORDS])


def planted(pool: Sequence[str], count: int, rng: random.Random) -> tuple[list[str], Kept]:
    """A stream of texts, and which of them copy an earlier one with 3% of its words replaced."""
    vocabulary = [word for part in pool[:5000] for word in part.split()]
    originals: list[str] = []
    stream, copies = [], []
    for text in texts(pool, count, rng):
        copy = len(originals) > 50 and rng.random() < 0.05
        if copy:
            words = rng.choice(originals).split()
            for at in rng.sample(range(WORDS), round(0.03 * WORDS)):
                words[at] = rng.choice(vocabulary)
            text = " ".join(words)
        else:
            originals.append(text)
        stream.append(text)
        copies.append(copy)
    return stream, copies


def records(stream: Sequence[str], first: int = 0) -> list[Record]:
    return [Record(f"r{first + at:07d}", 0, {}, {"text": text}) for at, text in enumerate(stream)]


def near_duplicates(stream: Sequence[str], size: int = 1024) -> Kept:
    """What the filter finds near duplicates with: each text is looked up and, if it is new, kept."""
    index, kept = NearDuplicates(NEAR), []
    for start in range(0, len(stream), size):
        for sketch in index.sketches(tokenize(stream[start : start + size])):
            new = index.nearest(sketch)[1] < 0
            if new:
                index.add(sketch)
            kept.append(new)
    return kept


def dedup_filter(stream: Sequence[Record], size: int = 1024) -> Kept:
    """The filter as a run uses it: rounds are prepared, then each record is checked and, if accepted, remembered."""
    dedup, kept = DedupFilter(NEAR, ["text"], ["text"]), []
    for start in range(0, len(stream), size):
        batch = stream[start : start + size]
        dedup.prepare(batch)
        for record in batch:
            accepted = dedup.check(record).accepted
            if accepted:
                dedup.remember(record)
            kept.append(accepted)
    return kept


def rensa(stream: Sequence[str], shingle: int = 1, near: float = NEAR, bands: int | None = None) -> Kept:
    from rensa import RMinHashDeduplicator

    dedup = RMinHashDeduplicator(threshold=near, num_perm=PERMUTATIONS, use_lsh=True, num_bands=bands)
    if shingle == 1:
        return list(dedup.add_pairs((str(at), text.split()) for at, text in enumerate(stream)))
    return list(dedup.add_pairs((str(at), shingled(text)) for at, text in enumerate(stream)))


def shingled(text: str) -> list[str]:
    words = text.split()
    return [f"{a} {b} {c}" for a, b, c in zip(words, words[1:], words[2:], strict=False)]


def datasketch(stream: Sequence[str]) -> Kept:
    from datasketch import MinHash, MinHashLSH

    index, kept = MinHashLSH(threshold=NEAR, num_perm=PERMUTATIONS), []
    for at, text in enumerate(stream):
        sketch = MinHash(num_perm=PERMUTATIONS)
        sketch.update_batch([word.encode() for word in text.split()])
        new = not index.query(sketch)
        if new:
            index.insert(str(at), sketch)
        kept.append(new)
    return kept


def quality(kept: Kept, copies: Kept) -> dict[str, float]:
    hits = sum(copy and not new for new, copy in zip(kept, copies, strict=True))
    refused = len(kept) - sum(kept)
    return {"precision": round(hits / max(1, refused), 4), "recall": round(hits / max(1, sum(copies)), 4)}


def stream(count: int, rounds: int) -> dict[str, object]:
    texts_, copies = planted(sentences(), count, random.Random(7))
    records_ = records(texts_)
    ways: dict[str, Callable[[], Kept]] = {
        "textsynth": lambda: near_duplicates(texts_),
        "textsynth, rounds of 128": lambda: near_duplicates(texts_, 128),
        "textsynth, dedup filter": lambda: dedup_filter(records_),
        "rensa, 3-word shingles": lambda: rensa(texts_, 3),
        "rensa, 3-word shingles, at 0.7 in 32 bands": lambda: rensa(texts_, 3, 0.7, 32),
        "rensa, words (its README)": lambda: rensa(texts_),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, object] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            kept = way()
            seconds[name].append(time.perf_counter() - began)
            found[name] = quality(kept, copies)
    rates = {name: round(count / statistics.median(some)) for name, some in seconds.items()}
    ratios = {
        name: round(statistics.median(b / a for a, b in zip(seconds["textsynth"], seconds[name], strict=True)), 3)
        for name in ways
    }
    some = texts_[: count // 10]
    try:
        began = time.perf_counter()
        found["datasketch, words"] = quality(datasketch(some), copies[: len(some)])
        rates["datasketch, words"] = round(len(some) / (time.perf_counter() - began))
    except ImportError:
        found["datasketch, words"] = "not installed: pip install datasketch"
    return {"texts": count, "texts_per_second": rates, "textsynth_over": ratios, "planted_copies": found}


def kept(count: int) -> dict[str, object]:
    pool, rng = sentences(), random.Random(11)
    dedup, size, refused = DedupFilter(NEAR, ["text"], ["text"]), 1024, 0
    before, spent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0.0
    for start in range(0, count, size):
        batch = records(list(texts(pool, min(size, count - start), rng)), start)
        began = time.perf_counter()
        dedup.prepare(batch)
        for record in batch:
            if dedup.check(record).accepted:
                dedup.remember(record)
            else:
                refused += 1
        spent += time.perf_counter() - began
    judged: dict[str, float] = {}
    for width, name in ((1024, "rounds of 1024"), (128, "rounds of 128"), (1, "one at a time")):
        times = []
        for turn in range(5 if width > 1 else 300):
            batch = records(list(texts(pool, width, rng)), count + turn * width)
            began = time.perf_counter()
            dedup.prepare(batch)
            for record in batch:
                dedup.check(record)
            times.append((time.perf_counter() - began) * 1000 / width)
        judged[name] = round(statistics.median(times), 4)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "kept": count - refused,
        "refused": refused,
        "records_per_second_while_filling": round(count / spent),
        "ms_to_judge_one": judged,
        "peak_rss_gb": round(peak / 2**20, 2),
        "rss_before_gb": round(before / 2**20, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("stream", "kept"))
    parser.add_argument("--records", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    few, many = given.records or 20_000, given.records or 1_000_000
    result = stream(few, given.rounds) if given.what == "stream" else kept(many)
    json.dump(result, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
