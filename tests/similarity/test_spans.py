"""SpanIndex and ShingleIndex find what comparing with every text finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textsynth.similarity import spans
from textsynth.similarity.spans import ShingleIndex, SpanIndex
from textsynth.similarity.words import Tokens, tokenize

# few words, so that runs are shared, repeated, overlapping and tied
TEXT = st.one_of(
    st.text("abc", max_size=14),
    st.text("ab", max_size=60),
    st.integers(0, 70).map(lambda n: "a" * n),
    st.tuples(st.integers(0, 70), st.integers(0, 70)).map(lambda cut: ("abcaacbb" * 9)[min(cut) : max(cut)]),
)
INDEXED = st.lists(st.tuples(TEXT, st.integers(0, 2)), max_size=6)
ASKED = st.lists(st.tuples(TEXT, st.sampled_from([-1, 0, 1, 2])), max_size=6)


def words(texts: Sequence[str]) -> Tokens:
    """Each letter is a token."""
    return tokenize([" ".join(text) for text in texts])


def run_of(a: str, b: str) -> int:
    """The longest common run of two texts."""
    longest, ends = 0, [0] * (len(b) + 1)
    for one in a:
        ends = [0, *(ends[at] + 1 if one == other else 0 for at, other in enumerate(b))]
        longest = max(longest, *ends)
    return longest


def shingles_of(text: str, size: int) -> set[str]:
    size = min(size, len(text))
    return {text[i : i + size] for i in range(len(text) - size + 1)} if text else set()


def overlap_of(a: str, b: str, size: int) -> tuple[float, float]:
    mine, other = shingles_of(a, size), shingles_of(b, size)
    shared = len(mine & other)
    return (shared / min(len(mine), len(other)), shared / len(mine | other)) if shared else (0.0, 0.0)


@given(INDEXED, ASKED)
def test_the_longest_run_and_its_first_text_equal_brute_force(
    indexed: list[tuple[str, int]], asked: list[tuple[str, int]]
) -> None:
    index = SpanIndex(words([text for text, _ in indexed]), [group for _, group in indexed])
    tokens, passed = words([text for text, _ in asked]), [without for _, without in asked]
    lengths, owners, starts = index.longest_at(tokens, passed)
    expected = []
    for text, without in asked:
        runs = [0 if group == without else run_of(text, other) for other, group in indexed]
        longest = max(runs, default=0)
        expected.append((longest, runs.index(longest) if longest else -1))
    assert list(zip(lengths.tolist(), owners.tolist(), strict=True)) == expected
    assert [found.tolist() for found in index.longest(tokens, passed)] == [lengths.tolist(), owners.tolist()]
    for (text, _), length, owner, start in zip(asked, lengths, owners, starts, strict=True):
        assert start == -1 if not length else start >= 0 and text[start : start + length] in indexed[owner][0]


@given(INDEXED, ASKED, st.integers(1, 4))
def test_the_largest_overlap_and_its_first_text_equal_brute_force(
    indexed: list[tuple[str, int]], asked: list[tuple[str, int]], size: int
) -> None:
    index = ShingleIndex(words([text for text, _ in indexed]), [group for _, group in indexed], size)
    parts, similar, owners = index.most(words([text for text, _ in asked]), [without for _, without in asked])
    for at, (text, without) in enumerate(asked):
        pairs = [(0.0, 0.0) if group == without else overlap_of(text, other, size) for other, group in indexed]
        largest = max((part for part, _ in pairs), default=0.0)
        first = next((n for n, (part, _) in enumerate(pairs) if part == largest > 0), -1)
        assert (parts[at], owners[at]) == (largest, first)
        assert similar[at] == (pairs[first][1] if first >= 0 else 0.0)


@given(INDEXED, ASKED, st.integers(1, 6))
def test_results_do_not_depend_on_batches(
    indexed: list[tuple[str, int]], asked: list[tuple[str, int]], batch: int
) -> None:
    tokens, groups = words([text for text, _ in indexed]), [group for _, group in indexed]
    texts, without = [text for text, _ in asked], [group for _, group in asked]
    whole = [
        *SpanIndex(tokens, groups).longest(words(texts), without),
        *ShingleIndex(tokens, groups).most(words(texts), without),
    ]
    runs, overlaps = SpanIndex(tokens, groups), ShingleIndex(tokens, groups)
    parts = []
    for at in range(0, len(texts), batch):
        some, passed = words(texts[at : at + batch]), without[at : at + batch]
        parts.append([*runs.longest(some, passed), *overlaps.most(some, passed)])
    for number, values in enumerate(whole):
        assert values.tolist() == [value for part in parts for value in part[number].tolist()]


@given(INDEXED, ASKED)
def test_without_no_group_nothing_is_passed_over(indexed: list[tuple[str, int]], asked: list[tuple[str, int]]) -> None:
    tokens, texts = words([text for text, _ in indexed]), words([text for text, _ in asked])
    for index in (SpanIndex(tokens), SpanIndex(tokens, [group for _, group in indexed])):
        every, none = index.longest(texts), index.longest(texts, [-1] * len(texts))
        assert [one.tolist() for one in every] == [one.tolist() for one in none]


@given(TEXT, TEXT)
def test_both_scores_are_the_same_in_both_directions(a: str, b: str) -> None:
    one, other = words([a]), words([b])
    assert SpanIndex(one).longest(other)[0] == SpanIndex(other).longest(one)[0]
    assert [x.tolist() for x in ShingleIndex(one).most(other)] == [x.tolist() for x in ShingleIndex(other).most(one)]


def test_each_text_is_its_own_group_where_none_is_given() -> None:
    index, overlap = SpanIndex(words(["abc", "abd"])), ShingleIndex(words(["abc", "abd"]), size=2)
    assert [x.tolist() for x in index.longest(words(["abc", "abc"]), [0, -1])] == [[2, 3], [1, 0]]
    assert [x.tolist() for x in overlap.most(words(["abc", "abc"]), [0, -1])] == [[0.5, 1.0], [1 / 3, 1.0], [1, 0]]


def test_a_run_never_spans_two_texts() -> None:
    assert SpanIndex(words(["ab", "cd"])).longest(words(["bc", "b", "c"]))[0].tolist() == [1, 1, 1]


@pytest.mark.parametrize("length", [*range(1, 70), 127, 128, 129, 500, 777])
def test_a_planted_run_is_found_to_the_token(length: int) -> None:
    source = [f"w{n}" for n in range(1000)]
    text = " ".join(["x", *source[100 : 100 + length], "y", *source[100 : 100 + length // 2]])
    texts = tokenize(["", " ".join(source[:99]), " ".join(source), " ".join(source)])
    lengths, owners = SpanIndex(texts).longest(tokenize([text]))
    assert (lengths.tolist(), owners.tolist()) == ([length], [2])


def test_many_runs_of_all_lengths_at_once_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "_AT_ONCE", 100)
    rng = np.random.default_rng(5)
    source = ["".join(rng.choice(list("abcdefgh"), 60)) for _ in range(16)]
    groups = [at // 2 for at in range(16)]
    asked = ["z".join(source[at][: 4 * at] for at in rng.integers(0, 16, 3)) for _ in range(30)]
    without = rng.integers(-1, 8, 30).tolist()
    lengths, owners = SpanIndex(words(source), groups).longest(words(asked), without)
    for at, text in enumerate(asked):
        runs = [0 if groups[n] == without[at] else run_of(text, other) for n, other in enumerate(source)]
        assert (lengths[at], owners[at]) == (max(runs), runs.index(max(runs)))


def test_texts_of_one_repeated_word_are_no_trap() -> None:
    index = SpanIndex(tokenize(["the " * (200 + n) for n in range(500)]))
    lengths, owners = index.longest(tokenize(["the " * n for n in (1, 150, 255, 650, 900)] * 20))
    assert lengths.tolist() == [1, 150, 255, 650, 699] * 20
    assert owners.tolist() == [0, 0, 55, 450, 499] * 20


def test_an_empty_index_and_no_texts() -> None:
    for indexed in ([], ["", "?!"]):
        assert [x.tolist() for x in SpanIndex(words(indexed)).longest(words(["abc", ""]), [0, -1])] == [
            [0, 0],
            [-1, -1],
        ]
        overlap = [x.tolist() for x in ShingleIndex(words(indexed)).most(words(["abc", ""]))]
        assert overlap == [[0.0, 0.0], [0.0, 0.0], [-1, -1]]
    assert [len(x) for x in SpanIndex(words(["abc"])).longest(words([]))] == [0, 0]
    assert [len(x) for x in ShingleIndex(words(["abc"])).most(words([]), [])] == [0, 0, 0]
