"""Span search: the longest run of tokens that each of 10k notes shares with 10k seeds, beside a suffix array.

    pip install pydivsufsort
    python eval/spans.py [DATA] > eval/results/spans.json

DATA (default ../shared/data) holds clinical/mtsamples.dev.jsonl.gz and clinical/mts_dialog.dev.jsonl.gz. Their texts
are divided between seeds and notes and cut to passages of about 450 characters, all distinct. Where passages run out,
more are made of sentences drawn from the same side. One note in ten gets 8 to 60 tokens of a seed. Tokenizing and
indexing are counted for all.

- ours: in bulk, and as a run does it: the index first, then rounds of 128 notes.
- suffix array: one over seeds and notes together (pydivsufsort), its LCP array by the same library, and for each note
  position the nearest seed positions in both directions, in NumPy. Once over the bytes of the normalized text, once
  over token numbers, which are taken from our fast tokenizer; the faster one counts. Where notes share less than a
  token, bytes agree only up to token borders, so answers are checked over token numbers.
- suffix automaton (Python, tokens) and difflib: on samples, extrapolated; the numbers say so.
"""

from __future__ import annotations

import difflib
import gzip
import json
import random
import re
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from textsynth.similarity.spans import ShingleIndex, SpanIndex
from textsynth.similarity.words import Tokens, tokenize, tokens

try:
    import pydivsufsort
except ImportError:
    pydivsufsort = None

SIZE, ROUND, REPEATS = 450, 128, 3
Ints = np.ndarray[Any, np.dtype[np.int64]]


def main(data: Path) -> None:
    if pydivsufsort is None:
        sys.exit("eval/spans.py: pydivsufsort is missing. Run: pip install pydivsufsort")
    seeds, notes, made = corpus(data, 10_000, 10_000)
    rounds = [one_round(seeds, notes) for _ in range(REPEATS)]
    median = {name: statistics.median(row[name] for row in rounds) for name in rounds[0]}
    peer = min(("suffix_array_bytes", "suffix_array_tokens"), key=median.__getitem__)
    numbers = {
        "notes": len(notes),
        "seeds": len(seeds),
        "megabytes": round(sum(map(len, [*seeds, *notes])) / 1e6, 2),
        "made_of_sentences_rate": round(made, 3),
        "us_per_note": {name: round(value / len(notes) * 1e6, 1) for name, value in median.items()},
        "faster_suffix_array": peer,
        "times_as_fast_bulk": ratio(rounds, peer, "ours_bulk"),
        "times_as_fast_streaming": ratio(rounds, peer, "ours_streaming"),
        "answers": agreement(seeds, notes),
        "extrapolated_us_per_note": {"suffix_automaton": automaton(seeds, notes), "difflib": pairwise(seeds, notes)},
        "planted": planted(seeds, notes),
        "growth": [in_a_process(data, *sizes) for sizes in [(n, 10_000) for n in (10_000, 30_000, 100_000)]]
        + [in_a_process(data, 100_000, 100_000)],
    }
    print(json.dumps(numbers, indent=2))


def one_round(seeds: Sequence[str], notes: Sequence[str]) -> dict[str, float]:
    """Seconds of each contender, in turn."""
    row: dict[str, float] = {}
    start = time.perf_counter()
    seed_words, note_words = tokenize(seeds), tokenize(notes)
    row["ours_tokenizing"] = time.perf_counter() - start
    index = SpanIndex(seed_words)
    index.longest(note_words)
    row["ours_bulk"] = time.perf_counter() - start
    start = time.perf_counter()
    index.longest(note_words)
    row["ours_search_index_made"] = time.perf_counter() - start
    row["ours_index"] = row["ours_bulk"] - row["ours_tokenizing"] - row["ours_search_index_made"]
    row["ours_streaming"] = seconds(lambda: stream(seeds, notes))
    row["shingles_bulk"] = seconds(lambda: ShingleIndex(tokenize(seeds)).most(tokenize(notes)))
    row["suffix_array_tokens"] = seconds(lambda: by_tokens(seeds, notes))
    row["suffix_array_bytes"] = seconds(lambda: by_bytes(seeds, notes))
    return row


def stream(seeds: Sequence[str], notes: Sequence[str]) -> None:
    index = SpanIndex(tokenize(seeds))
    for at in range(0, len(notes), ROUND):
        index.longest(tokenize(notes[at : at + ROUND]))


def by_tokens(seeds: Sequence[str], notes: Sequence[str]) -> Ints:
    """The longest shared run of each note, in tokens, by a suffix array over token numbers."""
    seed_words, note_words = tokenize(seeds), tokenize(notes)
    _, ids = np.unique(np.concatenate([seed_words.ids, note_words.ids]), return_inverse=True)
    kinds = int(ids.max()) + 3
    # a number of its own after each seed, and another after each note: no shared run goes beyond a text
    stream = np.concatenate(
        [with_ends(ids[: len(seed_words.ids)], seed_words, 0), with_ends(ids[len(seed_words.ids) :], note_words, 1)]
    ).astype(np.uint16 if kinds < 1 << 16 else np.uint32)
    order = pydivsufsort.divsufsort(stream)
    shared = matches(order, pydivsufsort.kasai(stream, order), len(seed_words.ids) + len(seed_words))
    begins = note_words.starts[:-1] + np.arange(len(note_words))
    return np.maximum.reduceat(shared, begins)


def with_ends(ids: Ints, words: Tokens, end: int) -> Ints:
    return np.insert(ids + 2, words.starts[1:], end)


def by_bytes(seeds: Sequence[str], notes: Sequence[str]) -> Ints:
    """As `by_tokens`, over the normalized text: whole tokens in bytes, so that lengths are in bytes."""
    first = b"".join(b" " + " ".join(tokens(text)).encode() + b" \0" for text in seeds)
    second = [b" " + " ".join(tokens(text)).encode() + b" \1" for text in notes]
    stream = np.frombuffer(bytearray(first + b"".join(second)), np.uint8)
    order = pydivsufsort.divsufsort(stream)
    shared = matches(order, pydivsufsort.kasai(stream, order), len(first))
    begins = np.concatenate([[0], np.cumsum([len(text) for text in second])[:-1]])
    return np.maximum.reduceat(shared, begins)


def matches(order: Ints, common: Ints, seeds_end: int) -> Ints:
    """For each position from `seeds_end` on the longest prefix that it shares with an earlier position."""
    best = np.zeros(len(order) - seeds_end, np.int64)
    is_note = order >= seeds_end
    ranks = np.flatnonzero(is_note)
    for step in (-1, 1):
        at, length = ranks, np.full(len(ranks), np.iinfo(np.int64).max)
        mine = order[ranks] - seeds_end
        while len(at):
            inside = at + step
            keep = (inside >= 0) & (inside < len(order))
            at, inside, length, mine = at[keep], inside[keep], length[keep], mine[keep]
            length = np.minimum(length, common[np.minimum(at, inside)])
            done = ~is_note[inside]
            best[mine[done]] = np.maximum(best[mine[done]], length[done])
            on = ~done & (length > best[mine])
            at, length, mine = inside[on], length[on], mine[on]
    return best


def agreement(seeds: Sequence[str], notes: Sequence[str]) -> dict[str, Any]:
    """How often our lengths are those of the suffix array, and how they are spread."""
    index = SpanIndex(tokenize(seeds))
    lengths, owners = index.longest(tokenize(notes))
    rounds = [index.longest(tokenize(notes[at : at + ROUND])) for at in range(0, len(notes), ROUND)]
    return {
        "equal_to_suffix_array_rate": float((lengths == by_tokens(seeds, notes)).mean()),
        "equal_in_rounds_rate": float(
            (
                (lengths == np.concatenate([a for a, _ in rounds])) & (owners == np.concatenate([b for _, b in rounds]))
            ).mean()
        ),
        "tokens_median": float(np.median(lengths)),
        "tokens_p90": float(np.quantile(lengths, 0.9)),
        "tokens_max": int(lengths.max()),
    }


def planted(seeds: Sequence[str], notes: Sequence[str]) -> dict[str, Any]:
    """The share of planted runs of 8 to 60 tokens that are found at their length or more, 20 of each."""
    rng, whole = random.Random(11), [text for text in seeds if len(tokens(text)) >= 60]
    texts, lengths = [], []
    for length in range(8, 61):
        for _ in range(20):
            texts.append(with_copy(rng.choice(notes), rng.choice(whole), length, rng))
            lengths.append(length)
    found, _ = SpanIndex(tokenize(seeds)).longest(tokenize(texts))
    return {"lengths": [8, 60], "notes": len(texts), "recall": float((found >= np.array(lengths)).mean())}


def automaton(seeds: Sequence[str], notes: Sequence[str], sample: int = 1000) -> dict[str, Any]:
    """A suffix automaton over the tokens of some seeds, and a walk along each of as many notes."""
    start = time.perf_counter()
    links, lengths, nexts = [-1], [0], [dict[str, int]()]
    for text in seeds[:sample]:
        last = 0  # each seed begins anew, so that no run goes beyond it
        for token in tokens(text):
            last = extend(links, lengths, nexts, last, token)
    for text in notes[:sample]:
        state = length = longest = 0
        for token in tokens(text):
            while state and token not in nexts[state]:
                state, length = links[state], lengths[links[state]]
            if token in nexts[state]:
                state, length = nexts[state][token], length + 1
            longest = max(longest, length)
    return {"value": round((time.perf_counter() - start) / sample * 1e6, 1), "measured_on": f"{sample} x {sample}"}


def extend(links: list[int], lengths: list[int], nexts: list[dict[str, int]], last: int, token: str) -> int:
    """One token more; `last` is the state of all that came before it in this text. Returns the new state."""
    if token in nexts[last]:
        other = nexts[last][token]
        return other if lengths[other] == lengths[last] + 1 else clone(links, lengths, nexts, last, token, other)
    new = len(links)
    links.append(0)
    lengths.append(lengths[last] + 1)
    nexts.append({})
    at = last
    while at >= 0 and token not in nexts[at]:
        nexts[at][token] = new
        at = links[at]
    if at >= 0:
        other = nexts[at][token]
        whole = lengths[other] == lengths[at] + 1
        links[new] = other if whole else clone(links, lengths, nexts, at, token, other)
    return new


def clone(links: list[int], lengths: list[int], nexts: list[dict[str, int]], at: int, token: str, other: int) -> int:
    copy = len(links)
    links.append(links[other])
    lengths.append(lengths[at] + 1)
    nexts.append(dict(nexts[other]))
    links[other] = copy
    while at >= 0 and nexts[at].get(token) == other:
        nexts[at][token] = copy
        at = links[at]
    return copy


def pairwise(seeds: Sequence[str], notes: Sequence[str], sample: int = 1000) -> dict[str, Any]:
    rng = random.Random(5)
    pairs = [(tokens(rng.choice(seeds)), tokens(rng.choice(notes))) for _ in range(sample)]
    start = time.perf_counter()
    for seed, note in pairs:
        difflib.SequenceMatcher(None, seed, note, autojunk=False).find_longest_match()
    value = (time.perf_counter() - start) / sample * len(seeds) * 1e6
    return {"value": round(value, 1), "measured_on": f"{sample} pairs"}


def growth(data: Path, seed_count: int, note_count: int) -> None:
    """Printed by a process of its own, so that sizes do not share memory; the peak is taken in a pass of its own."""
    seeds, notes, made = corpus(data, seed_count, note_count)
    start = time.perf_counter()
    index = SpanIndex(tokenize(seeds))
    index.longest(tokenize(notes))
    bulk = time.perf_counter() - start
    row = {
        "seeds": seed_count,
        "notes": note_count,
        "made_of_sentences_rate": round(made, 3),
        "seconds": round(bulk, 3),
        "us_per_text": round(bulk / (seed_count + note_count) * 1e6, 1),
    }
    some = notes[: 40 * ROUND]
    row["streaming_us_per_note_index_made"] = round(
        seconds(lambda: [index.longest(tokenize(some[at : at + ROUND])) for at in range(0, len(some), ROUND)])
        / len(some)
        * 1e6,
        1,
    )
    tracemalloc.start()
    SpanIndex(tokenize(seeds)).longest(tokenize(notes))
    row["peak_mb_beyond_texts"] = round(tracemalloc.get_traced_memory()[1] / 1e6)
    print(json.dumps(row))


def in_a_process(data: Path, seeds: int, notes: int) -> Any:
    command = [sys.executable, __file__, str(data), "--growth", str(seeds), str(notes)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(rounds: Sequence[dict[str, float]], peer: str, ours: str) -> dict[str, Any]:
    ratios = [row[peer] / row[ours] for row in rounds]
    return {"median": round(statistics.median(ratios), 2), "rounds": [round(one, 2) for one in ratios]}


def corpus(data: Path, seed_count: int, note_count: int) -> tuple[list[str], list[str], float]:
    """Seeds, notes, and the share of them that is made of sentences. Seeds and notes come from different texts."""
    rng, texts = random.Random(7), list(dict.fromkeys(clinical(data)))
    rng.shuffle(texts)
    sides, made = [], 0
    for side, count in ((texts[::2], seed_count), (texts[1::2], note_count)):
        found = list(dict.fromkeys(passage for text in side for passage in passages(text)))[:count]
        sentences = [one for text in side for one in re.split(r"(?<=[.?!])\s+", text) if len(one) > 15]
        real = len(found)
        seen = set(found)
        while len(found) < count:
            longer = ""
            while len(longer) < SIZE:
                longer += rng.choice(sentences) + " "
            longer = next(passages(longer))
            if longer not in seen:
                seen.add(longer)
                found.append(longer)
        made += len(found) - real
        rng.shuffle(found)
        sides.append(found)
    seeds, notes = sides
    for at in range(0, len(notes), 10):
        notes[at] = with_copy(notes[at], rng.choice(seeds), rng.randint(8, 60), rng)
    return seeds, notes, made / (seed_count + note_count)


def clinical(data: Path) -> Iterator[str]:
    for name, field in (("mtsamples", "transcription"), ("mts_dialog", "dialogue")):
        with gzip.open(data / "clinical" / f"{name}.dev.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                yield " ".join(str(json.loads(line)[field] or "").split())


def passages(text: str) -> Iterator[str]:
    while len(text) >= SIZE:
        cut = text.rfind(" ", SIZE // 2, SIZE + 1)
        cut = cut if cut > 0 else SIZE
        yield text[:cut]
        text = text[cut:].lstrip()


def with_copy(note: str, seed: str, length: int, rng: random.Random) -> str:
    """The note with so many tokens of the seed inside, or all that it has."""
    words = tokens(seed)
    start = rng.randint(0, max(len(words) - length, 0))
    copied = words[start : start + length]
    mine = note.split()
    at = rng.randint(0, len(mine))
    return " ".join([*mine[:at], *copied, *mine[at:]])


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "shared" / "data"
    if "--growth" in sys.argv:
        growth(where, int(sys.argv[-2]), int(sys.argv[-1]))
    else:
        main(where)
