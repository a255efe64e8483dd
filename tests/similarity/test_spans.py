"""SpanIndex and ShingleIndex find what comparing with every text finds."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textsynth.similarity.spans import ShingleIndex, SpanIndex, shingle_hashes, tokens

# few words, so that runs are shared, repeated and overlapping
TEXT = st.lists(st.sampled_from("abc"), max_size=14)
TEXTS = st.lists(st.tuples(TEXT, st.integers(0, 2)), max_size=6)


def run_of(a: Sequence[str], b: Sequence[str]) -> int:
    """The longest common run of two texts, by looking at all of them."""
    return max(
        (n for i in range(len(a)) for j in range(len(b)) for n in range(1, len(a) + 1) if a[i : i + n] == b[j : j + n]
         and i + n <= len(a) and j + n <= len(b)),
        default=0,
    )  # fmt: skip


def shingles(text: Sequence[str], size: int) -> set[tuple[str, ...]]:
    size = min(size, len(text))
    return {tuple(text[i : i + size]) for i in range(len(text) - size + 1)} if text else set()


def overlap_of(a: Sequence[str], b: Sequence[str], size: int) -> float:
    mine, other = shingles(a, size), shingles(b, size)
    return len(mine & other) / min(len(mine), len(other)) if mine and other else 0.0


@given(TEXTS, TEXT, st.sampled_from([None, 0, 1, 2]))
def test_the_longest_run_equals_brute_force(
    indexed: list[tuple[list[str], int]], text: list[str], without: int
) -> None:
    index = SpanIndex([words for words, _ in indexed], [group for _, group in indexed])
    lengths = [0 if group == without else run_of(text, words) for words, group in indexed]
    length, position = index.longest(text, without)
    assert length == max(lengths, default=0)
    assert position == -1 if length == 0 else lengths[position] == length


@given(TEXTS, TEXT, st.sampled_from([None, 0, 1, 2]), st.integers(1, 4))
def test_the_largest_overlap_equals_brute_force(
    indexed: list[tuple[list[str], int]], text: list[str], without: int, size: int
) -> None:
    index = ShingleIndex([words for words, _ in indexed], [group for _, group in indexed], size)
    parts = [0 if group == without else overlap_of(text, words, size) for words, group in indexed]
    part, position = index.most(text, without)
    assert part == pytest.approx(max(parts, default=0))
    assert position == -1 if part == 0 else parts[position] == pytest.approx(part)


@given(TEXT, TEXT)
def test_both_scores_are_the_same_in_both_directions(a: list[str], b: list[str]) -> None:
    assert SpanIndex([a]).longest(b)[0] == SpanIndex([b]).longest(a)[0]
    assert ShingleIndex([a]).most(b)[0] == pytest.approx(ShingleIndex([b]).most(a)[0])


def test_each_text_is_its_own_group_where_none_is_given() -> None:
    texts = [["a", "b", "c"], ["a", "b", "d"]]
    assert SpanIndex(texts).longest(["a", "b", "c"], without=0) == (2, 1)
    assert ShingleIndex(texts, size=2).most(["a", "b", "c"], without=0) == (0.5, 1)


def test_a_run_never_spans_two_texts() -> None:
    assert SpanIndex([["a", "b"], ["c", "d"]]).longest(["b", "c"]) in {(1, 0), (1, 1)}


def test_a_long_run_is_found_to_the_token() -> None:
    words = [f"w{n}" for n in range(1000)]
    assert SpanIndex([words[:400], words]).longest(["x", *words[100:777], "y"]) == (677, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A 54-Year-old\u2026", ["a", "54", "year", "old"]),
        ("  ", []),
        ("+-*/ ...", []),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("\uff21\uff22 \ufb01ne", ["ab", "fine"]),  # full-width letters, a ligature
        ("caf\u00e9 cafe\u0301", ["caf\u00e9", "caf\u00e9"]),
        ("\u60a3\u8005 54\u6b73", ["\u60a3", "\u8005", "54", "\u6b73"]),  # no spaces between Chinese words
        ("a_b", ["a", "b"]),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_shingle_hashes_are_the_same_in_every_process() -> None:
    assert shingle_hashes(["a", "b"], 3).tolist() == [HASH_OF_A_B]
    assert shingle_hashes([], 3).tolist() == []
    assert len(shingle_hashes(["a"] * 9, 3)) == 1


HASH_OF_A_B = 16438720976622825534
