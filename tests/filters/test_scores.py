"""Raw scores in bulk: equal to scoring every pair, free of how records are split, and long notes seen whole."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textsynth.filters import scores as module
from textsynth.filters.scores import RawScores, SeedScores
from textsynth.records import Seed
from textsynth.similarity.claims import NEAR, claims_of, paraphrase
from textsynth.similarity.encoder import windows

VOCABULARY = ["fever", "pain", "cough", "rash", "5", "ten", "no", "denies", "Anna", "Boston", "walks", "sleeps"]
NOTES = st.lists(st.lists(st.sampled_from(VOCABULARY), max_size=8).map(" ".join), min_size=1, max_size=8)


class Topics:
    """Sums a random direction for each word; numbers, negations and capitals have none, as encoders hardly see them."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = [sum((self._word(word) for word in text.split()), np.full(16, 0.01)) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], np.float32).reshape(-1, 16)

    @staticmethod
    @cache
    def _word(word: str) -> npt.NDArray[np.float64]:
        plain = word.islower() and word not in ("no", "denies", "ten")
        return np.random.default_rng(zlib.crc32(word.rstrip("x").encode())).standard_normal(16) * plain


def scores_of(notes: Sequence[str], clusters: Sequence[int] | None = None, topics: bool = True) -> SeedScores:
    seeds = [Seed(f"s{at:06d}", {"note": note, "size": len(note)}) for at, note in enumerate(notes)]
    cluster = {seed.id: at if clusters is None else clusters[at] for at, seed in enumerate(seeds)}
    return SeedScores(seeds, cluster, ["note"], ["size", "note"], Topics() if topics else None)


def of(scores: SeedScores, notes: Sequence[str]) -> RawScores:
    return scores.of([{"note": note, "size": len(note)} for note in notes])


def pairwise(candidate: str, seed: str) -> float:
    """The highest similarity of any two windows."""
    best = 0.0
    for one in windows(candidate):
        for other in windows(seed):
            if one and other:
                a, b = Topics().encode([one, other]).astype(np.float64)
                best = max(best, paraphrase(float(a @ b), claims_of(one), claims_of(other)))
    return best


@given(NOTES, NOTES)
@settings(deadline=None, max_examples=60)
def test_the_similarity_is_the_highest_of_all_pairs(seeds: list[str], candidates: list[str]) -> None:
    scores = scores_of(seeds)
    if "similarity" not in scores.names:
        assert not any(seeds)
        return
    found = of(scores, candidates)
    for at, candidate in enumerate(candidates):
        every = [pairwise(candidate, seed) for seed in seeds]
        assert found.values["similarity"][at] == pytest.approx(max(every), abs=1e-5)
        owner = found.owners["similarity"][at]
        assert max(every) == 0 if owner < 0 else every[owner] == pytest.approx(max(every), abs=1e-5)
        assert found.beside["cosine"][at] >= found.values["similarity"][at] - 1e-9


@given(NOTES, NOTES, st.integers(1, 20))
@settings(deadline=None, max_examples=50)
def test_scores_do_not_depend_on_which_records_are_scored_together(
    seeds: list[str], candidates: list[str], block: int
) -> None:
    together = of(scores_of(seeds), candidates)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        alone = [of(scores_of(seeds), [candidate]) for candidate in candidates]
        blocks = of(scores_of(seeds), candidates)
    for part in ("values", "owners", "beside"):
        for name, whole in getattr(together, part).items():
            assert whole.tolist() == [getattr(one, part)[name][0] for one in alone]
            assert whole.tolist() == getattr(blocks, part)[name].tolist()


@given(NOTES)
@settings(deadline=None, max_examples=40)
def test_a_seed_is_scored_against_the_seeds_of_other_clusters(notes: list[str]) -> None:
    clusters = [at // 2 for at in range(len(notes))]
    found = scores_of(notes, clusters).among_seeds()
    for at, note in enumerate(notes):
        others = [other for other, cluster in zip(notes, clusters, strict=True) if cluster != clusters[at]]
        for name, values in found.values.items():
            expected = of(scores_of(others), [note]).values.get(name) if others else None
            if name == "row_similarity":
                assert found.owners[name][at] == -1 or clusters[found.owners[name][at]] != clusters[at]
            else:  # the range of a column is the whole set's
                assert values[at] == pytest.approx(expected[0] if expected is not None else 0.0, abs=1e-5)


def test_one_copied_paragraph_in_a_long_note_is_seen_also_in_other_words() -> None:
    rng = random.Random(4)
    words = [
        f"{a}{b}{c}" for a in "bdfgk" for b in ("an", "er", "is", "ok", "ur") for c in ("al", "em", "ic", "ow", "uz")
    ]
    seeds = [" ".join(rng.choices(rng.sample(words, 12), k=90)) for _ in range(30)]  # each has a topic of its own
    scores = scores_of(seeds)
    new = " ".join(rng.choices(words, k=600))
    before, after = new[: len(new) // 2], new[len(new) // 2 :]
    reworded = " ".join(f"{word}x" for word in seeds[7].split())  # each word is a synonym
    found = of(scores, [new, f"{before} {seeds[7]} {after}", f"{before} {reworded} {after}"])
    assert found.owners["similarity"][1:].tolist() == [7, 7]
    assert found.owners["span"][1] == found.owners["overlap"][1] == 7
    assert found.values["span"][1] >= 90
    assert found.values["span"][2] < 10  # nothing but the meaning gives it away
    assert found.values["overlap"][1] == 1.0 > found.beside["jaccard"][1]
    assert min(found.values["similarity"][1:]) > found.values["similarity"][0] + 0.1


def test_numbers_negations_and_names_that_differ_lower_the_similarity() -> None:
    scores = scores_of(["the patient takes pills of 5 mg and has pain", "a story of boats"])
    same, other, no = of(
        scores,
        [
            "the patient takes pills of 5.0 mg and has pain",
            "the patient takes pills of 50 mg and has pain",
            "the patient takes pills of 5 mg and has no pain",
        ],
    ).values["similarity"]
    assert same > no > other
    assert same == pytest.approx(1.0, abs=1e-3)


def test_a_seed_that_agrees_wins_over_one_that_is_closer_but_has_other_numbers() -> None:
    seeds = ["the patient takes pills of 50 mg and has pain", "the patient takes pills of 5 mg and has pain there"]
    found = of(scores_of([*seeds, "a story of boats"]), ["the patient takes pills of 5 mg and has pain"])
    assert found.owners["similarity"].tolist() == [1]
    assert NEAR < found.beside["cosine"][0] < 0.999  # the other's


def test_texts_without_words_are_near_nothing() -> None:
    found = of(scores_of(["fever and pain", ""]), ["", "  ", "?!"])
    assert found.values["span"].tolist() == found.values["overlap"].tolist() == [0.0, 0.0, 0.0]
    assert found.values["similarity"][:2].tolist() == [0.0, 0.0]
    assert found.owners["similarity"][:2].tolist() == [-1, -1]
    assert scores_of(["", ""]).names == ["row_similarity"]


@pytest.mark.parametrize(("text", "at"), [("fever and pain today", 0), ("He has a fever, and PAIN!", 3), ("none", -1)])
def test_where_a_shared_run_stands(text: str, at: int) -> None:
    scores = scores_of(["no", "says that fever and pain went"], topics=False)
    found = of(scores, [text])
    assert (found.beside["span_start"][0], found.values["span"][0]) == (at, 3 if at >= 0 else 0)
