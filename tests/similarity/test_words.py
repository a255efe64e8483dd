"""The bulk tokenizer gives the tokens that the plain one gives, and shingles are sets of runs of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from textsynth.similarity import words
from textsynth.similarity.words import places, shingles, tokenize, tokens

ANY = st.text(st.characters(exclude_categories=[]), max_size=30)
NEAR = st.text(
    "aAbB1_ .-\n\0\x1c\x7f\u00e9\u0301\ufb01\u2126\u212a\u0130\u00df\u60a3\u0e01\u3042\ud800\U0001f600", max_size=20
)
TEXTS = st.lists(ANY | NEAR, max_size=8)


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
        ("\ud800a", ["a"]),  # half of a surrogate pair
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@given(ANY | NEAR)
def test_every_token_has_a_place_that_holds_it(text: str) -> None:
    found = places(text)
    assert len(found) == len(tokens(text))
    assert all(0 <= start < end <= len(text) for start, end in found)
    assert all(token in tokens(text[start:end]) for (start, end), token in zip(found, tokens(text), strict=True))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A 54-Year-old\u2026", ["A", "54", "Year", "old"]),
        ("Stra\u00dfe \ufb01ne", ["Stra\u00dfe", "\ufb01ne"]),  # longer once folded
        ("cafe\u0301, no", ["cafe\u0301,", "no"]),  # joined: the whole run
        ("\u60a3\u8005\uff0c54\u6b73\u2026\u60a3", ["\u60a3", "\u8005", "54", "\u6b73", "\u60a3"]),
    ],
)
def test_where_tokens_stand(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in places(text)] == words


@given(TEXTS)
@example(["A_b", "", "Caf\u00e9 a", "x" * 300, "\0", "a b"])
def test_many_texts_at_once_have_the_tokens_of_each(texts: list[str]) -> None:
    found = tokenize(texts)
    assert len(found) == len(texts)
    hash_of: dict[str, int] = {}
    for at, text in enumerate(texts):
        plain = tokens(text)
        assert len(found[at]) == len(plain)
        assert all(
            hash_of.setdefault(token, value) == value for token, value in zip(plain, found[at].tolist(), strict=True)
        )
    assert len(set(hash_of.values())) == len(hash_of)


@given(TEXTS, st.integers(1, 40))
def test_hashes_do_not_depend_on_what_stands_beside(texts: list[str], chunk: int) -> None:
    whole, size = tokenize(texts), words._CHUNK
    try:
        words._CHUNK = chunk
        pieces = tokenize(texts)
    finally:
        words._CHUNK = size
    assert (whole.ids.tolist(), whole.starts.tolist()) == (pieces.ids.tolist(), pieces.starts.tolist())
    assert [whole[at].tolist() for at in range(len(texts))] == [tokenize([text]).ids.tolist() for text in texts]


@given(st.text("abcXYZ019 ,;", max_size=20))
def test_a_hash_does_not_depend_on_the_path_that_made_it(text: str) -> None:
    assert tokenize([text]).ids.tolist() == tokenize([f"{text} \u00b7"]).ids.tolist()


def test_hashes_are_the_same_in_every_process() -> None:
    assert tokenize(["A b", "\u00e9"]).ids.tolist() == HASHES
    assert shingles(tokenize(["A b"]), 2).ids.tolist() == [HASH_OF_A_B]


def test_a_text_longer_than_a_chunk() -> None:
    text = " ".join(f"word{n}" for n in range(20_000))
    ids = tokenize(["a", text, text[::-1]])
    assert [len(ids[at]) for at in range(3)] == [1, 20_000, 20_000]
    assert len(set(ids[1].tolist())) == 20_000
    assert ids[1][-1] == tokenize(["word19999"])[0][0]


@given(st.lists(st.text("abc", max_size=12), max_size=6), st.integers(1, 5))
def test_shingles_are_the_sets_of_runs(texts: list[str], size: int) -> None:
    found = shingles(tokenize([" ".join(text) for text in texts]), size)
    assert len(found) == len(texts)
    sets = [runs(text, size) for text in texts]
    assert [len(found[at]) for at in range(len(texts))] == [len(some) for some in sets]
    for at, mine in enumerate(sets):
        assert found[at].tolist() == sorted(set(found[at].tolist()))
        for other, theirs in enumerate(sets):
            assert len(set(found[at].tolist()) & set(found[other].tolist())) == len(mine & theirs)


def runs(text: Sequence[str], size: int) -> set[tuple[str, ...]]:
    size = min(size, len(text))
    return {tuple(text[at : at + size]) for at in range(len(text) - size + 1)} if text else set()


HASHES = [3854488816253126289, 16100440188754278045, 10201804910029280904]
HASH_OF_A_B = 5583676251045805186
