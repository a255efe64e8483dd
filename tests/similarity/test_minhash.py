"""Near duplicates are found by hashing and verified exactly; clusters do not depend on the order of texts."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from textsynth.similarity.minhash import NearDuplicates, clusters_of, jaccard
from textsynth.similarity.spans import shingle_hashes, tokens

WORDS = [f"word{n}" for n in range(300)]


def text(rng: random.Random, length: int = 60) -> str:
    return " ".join(rng.choices(WORDS, k=length))


def edited(source: str, rng: random.Random, edits: int) -> str:
    words = source.split()
    for at in rng.sample(range(len(words)), edits):
        words[at] = "changed"
    return " ".join(words)


def shingles(source: str) -> set[tuple[str, ...]]:
    words = tokens(source)
    size = min(3, len(words))
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)} if words else set()


def exact(a: str, b: str) -> float:
    mine, other = shingles(a), shingles(b)
    return len(mine & other) / len(mine | other)


def partition(texts: Sequence[str], names: Sequence[int]) -> set[frozenset[str]]:
    return {frozenset(t for t, name in zip(texts, names, strict=True) if name == one) for one in names}


@pytest.mark.parametrize("edits", [0, 1, 2])
def test_planted_edits_are_found_with_their_exact_similarity(edits: int) -> None:
    rng = random.Random(edits)
    index, kept = NearDuplicates(0.75), [text(rng) for _ in range(80)]
    for one in kept:
        index.add(one)
    for number, one in enumerate(kept):
        copy = edited(one, rng, edits)
        assert index.nearest(copy) == (pytest.approx(exact(one, copy)), number)
    assert [index.nearest(text(rng)) for _ in range(80)] == [(0.0, -1)] * 80


@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=12).map(" ".join), min_size=2, max_size=8))
@settings(deadline=None, max_examples=50)
def test_every_hit_is_verified(texts: list[str]) -> None:
    index = NearDuplicates(0.8)
    for one in texts[1:]:
        index.add(one)
    expected = [(exact(texts[0], one), at) for at, one in enumerate(texts[1:]) if exact(texts[0], one) >= 0.8]
    found = index.all_near(texts[0])
    assert [at for _, at in found] == [at for _, at in expected]
    assert [similarity for similarity, _ in found] == pytest.approx([similarity for similarity, _ in expected])


def test_of_two_equally_near_texts_the_first_is_named() -> None:
    index = NearDuplicates(0.5)
    assert [index.add("one two three four"), index.add("One, two; three four!")] == [0, 1]
    assert index.nearest("one two three four") == (1.0, 0)


@pytest.mark.parametrize("empty", ["", "  ", "+", "?!"])
def test_texts_without_words_are_near_nothing(empty: str) -> None:
    index = NearDuplicates(0.1)
    index.add(empty)
    assert index.nearest(empty) == (0.0, -1)


def test_similarity_agrees_with_the_estimate_of_datasketch() -> None:
    rng = random.Random(3)
    for edits in (0, 1, 3, 8, 20):
        a = text(rng)
        b = edited(a, rng, edits)
        sketches = []
        for one in (a, b):
            sketch = MinHash(num_perm=512)
            for shingle in shingles(one):
                sketch.update(" ".join(shingle).encode())
            sketches.append(sketch)
        ours = jaccard(*(shingle_hashes(tokens(one), 3) for one in (a, b)))
        assert ours == pytest.approx(exact(a, b))
        # four standard errors of an estimate from 512 permutations
        assert abs(ours - sketches[0].jaccard(sketches[1])) <= 4 * (ours * (1 - ours) / 512) ** 0.5


@given(st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=15)
def test_clusters_are_a_partition_that_does_not_depend_on_order(rng: random.Random) -> None:
    texts = [text(rng, 30) for _ in range(6)]
    texts += [edited(one, rng, edits) for one in texts[:4] for edits in (1, 2, 4)]
    names = clusters_of(texts)
    assert len(names) == len(texts)
    assert list(dict.fromkeys(names)) == list(range(len(set(names))))  # numbered by first appearance
    mixed = rng.sample(texts, len(texts))
    assert partition(texts, names) == partition(mixed, clusters_of(mixed))
    for a, one in zip(names, texts, strict=True):
        for b, other in zip(names, texts, strict=True):
            assert a == b or exact(one, other) < 0.8  # found but once in ten million


def test_a_chain_is_one_cluster_and_texts_without_words_are_clusters_of_their_own() -> None:
    words = [f"w{n}" for n in range(60)]
    chain = [" ".join(words[at : at + 40]) for at in (0, 10, 20)]
    assert exact(chain[0], chain[2]) < 0.5 <= exact(chain[0], chain[1])
    assert clusters_of([chain[0], "", chain[2], "...", "", chain[1]]) == [0, 1, 0, 2, 3, 0]
    assert clusters_of([]) == []
