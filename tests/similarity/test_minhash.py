"""Near duplicates are found by hashing and verified exactly; clusters do not depend on the order of texts."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from textsynth.similarity.minhash import NearDuplicates, banding, clusters_of
from textsynth.similarity.words import tokenize, tokens

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


class Index:
    """Texts one at a time."""

    def __init__(self, threshold: float, texts: Sequence[str] = ()) -> None:
        self.near = NearDuplicates(threshold)
        for one in self.near.sketches(tokenize(texts)):
            self.near.add(one)

    def nearest(self, text: str) -> tuple[float, int]:
        return self.near.nearest(self.near.sketches(tokenize([text]))[0])

    def all_near(self, text: str) -> list[tuple[float, int]]:
        return self.near.all_near(self.near.sketches(tokenize([text]))[0])


@pytest.mark.parametrize("edits", [0, 1, 2])
def test_planted_edits_are_found_with_their_exact_similarity(edits: int) -> None:
    rng = random.Random(edits)
    kept = [text(rng) for _ in range(80)]
    index = Index(0.75, kept)
    for number, one in enumerate(kept):
        copy = edited(one, rng, edits)
        assert index.nearest(copy) == (exact(one, copy), number)
    assert [index.nearest(text(rng)) for _ in range(80)] == [(0.0, -1)] * 80


@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=12).map(" ".join), min_size=2, max_size=8))
@settings(deadline=None, max_examples=50)
def test_every_hit_is_verified(texts: list[str]) -> None:
    expected = [(exact(texts[0], one), at) for at, one in enumerate(texts[1:]) if exact(texts[0], one) >= 0.95]
    found = Index(0.95, texts[1:]).all_near(texts[0])
    assert [at for _, at in found] == [at for _, at in expected]
    assert [similarity for similarity, _ in found] == pytest.approx([similarity for similarity, _ in expected])
    for similarity, at in Index(0.3, texts[1:]).all_near(texts[0]):
        assert 0.3 <= similarity == pytest.approx(exact(texts[0], texts[1 + at]))


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=30).map(" ".join), max_size=12), st.integers(0, 12))
@settings(deadline=None, max_examples=50)
def test_sketches_do_not_depend_on_how_texts_are_split_into_batches(texts: list[str], at: int) -> None:
    near = NearDuplicates(0.8)
    whole = near.sketches(tokenize(texts))
    parts = [*near.sketches(tokenize(texts[:at])), *near.sketches(tokenize(texts[at:]))]
    assert [(s.shingles.tolist(), list(s.bands)) for s in whole] == [
        (s.shingles.tolist(), list(s.bands)) for s in parts
    ]


def test_the_most_similar_text_is_named_and_of_equal_ones_the_first() -> None:
    words = WORDS[:40]
    near, far = " ".join([*words[:39], "else"]), " ".join([*words[:37], "other", "words", "here"])
    whole = " ".join(words)
    assert Index(0.5, [far, near, near.upper(), far]).nearest(whole) == (exact(whole, near), 1)
    assert Index(0.5, ["one two three four", "One, two; three four!"]).nearest("one two three four") == (1.0, 0)


@pytest.mark.parametrize("empty", ["", "  ", "+", "?!"])
def test_texts_without_words_are_near_nothing(empty: str) -> None:
    assert Index(0.1, [empty, "words"]).nearest(empty) == (0.0, -1)
    assert Index(0.1, [empty, "words"]).nearest("words") == (1.0, 1)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_a_pair_at_the_threshold_is_missed_once_in_a_thousand(threshold: float) -> None:
    rows, bands = banding(threshold)
    assert (1 - threshold**rows) ** bands <= 1e-3
    assert rows * bands <= 160


def test_pairs_at_the_threshold_are_found() -> None:
    rng, missed = random.Random(11), 0
    texts = [text(rng, 90) for _ in range(600)]
    copies = [edited(one, rng, 3) for one in texts]
    index = Index(0.8, texts)
    for number, copy in enumerate(copies):
        similarity = exact(texts[number], copy)
        missed += similarity >= 0.8 and index.nearest(copy)[1] != number

    assert missed <= 3  # more happens once in 300 times at one in a thousand


def test_similarity_agrees_with_the_estimate_of_datasketch() -> None:
    rng = random.Random(3)
    for edits in (0, 1, 3, 8):
        a = text(rng)
        b = edited(a, rng, edits)
        sketches = []
        for one in (a, b):
            sketch = MinHash(num_perm=512)
            for shingle in shingles(one):
                sketch.update(" ".join(shingle).encode())
            sketches.append(sketch)
        [(ours, _)] = Index(0.3, [a]).all_near(b)
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
