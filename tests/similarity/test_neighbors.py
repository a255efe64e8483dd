"""Nearest finds what comparing with every row finds, however rows arrive."""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textsynth.errors import MissingExtraError
from textsynth.similarity.neighbors import Nearest, kmeans


def unit(rows: npt.ArrayLike) -> npt.NDArray[np.float32]:
    array = np.asarray(rows, np.float32)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def brute(
    rows: npt.NDArray[np.float32], queries: npt.NDArray[np.float32], k: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    all_pairs = (queries[:, None, :].astype(np.float64) * rows[None]).sum(axis=2)
    order = np.argsort(-all_pairs, axis=1, kind="stable")[:, :k]
    missing = ((0, 0), (0, k - order.shape[1]))
    similarities = np.pad(np.take_along_axis(all_pairs, order, axis=1), missing, constant_values=-np.inf)
    return similarities.astype(np.float32), np.pad(order, missing, constant_values=-1)


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 90),
    m=st.integers(0, 40),
    k=st.integers(1, 6),
    kinds=st.integers(1, 90),
    cuts=st.lists(st.integers(0, 90), max_size=3),
)
def test_any_split_equals_brute_force(seed: int, n: int, m: int, k: int, kinds: int, cuts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    pool = unit(rng.standard_normal((kinds, 24)))  # few kinds: many exact ties
    rows, queries = pool[rng.integers(0, kinds, n)], unit(rng.standard_normal((m, 24)))
    index = Nearest(24)
    for part in np.split(rows, sorted(cuts)):
        index.add(part)
    assert len(index) == n
    expected = brute(rows, queries, k)
    parts = [index.search(part, k) for part in np.split(queries, sorted(cuts))]
    for found, wanted in zip(map(np.concatenate, zip(*parts, strict=True)), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_the_first_of_many_equal_rows_is_found() -> None:
    index = Nearest(3)
    index.add(unit([[0, 1, 0]] + [[1, 0, 0]] * 50))
    similarities, indices = index.search(unit([[1, 0, 0]]), 2)
    assert (similarities.tolist(), indices.tolist()) == ([[1, 1]], [[1, 2]])


def test_rows_closer_together_than_32_bits_tell_are_still_ranked() -> None:
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, (2, 400_000))
    rows, queries = (unit(np.stack([np.cos(a), np.sin(a)], axis=1)) for a in angles)
    index = Nearest(2)
    index.add(rows)
    for found, wanted in zip(index.search(queries[:5], 2), brute(rows, queries[:5], 2), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_an_empty_index_finds_nothing() -> None:
    similarities, indices = Nearest(3).search(unit([[1, 0, 0]]), 2)
    assert (similarities.tolist(), indices.tolist()) == ([[-np.inf, -np.inf]], [[-1, -1]])
    assert (similarities.dtype, indices.dtype) == (np.float32, np.int64)


def test_without_faiss_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError, match=r"faiss-cpu is not installed.*\[local\]"):
        Nearest(3)


def test_k_means_finds_the_clusters_and_the_same_ones_each_time() -> None:
    rng = np.random.default_rng(3)
    middles = unit(rng.standard_normal((4, 24)))
    rows = unit(np.repeat(middles, 50, axis=0) + 0.05 * rng.standard_normal((200, 24)))
    centers = kmeans(rows, 4, rng_seed=2**40)
    assert (centers.shape, centers.dtype) == ((4, 24), np.float32)
    np.testing.assert_allclose(np.linalg.norm(centers, axis=1), 1, atol=1e-6)
    assert (middles @ centers.T).max(axis=1).min() > 0.99
    np.testing.assert_array_equal(centers, kmeans(rows, 4, rng_seed=2**40))
    assert not np.array_equal(kmeans(rows, 20, rng_seed=1), kmeans(rows, 20, rng_seed=2))


@pytest.mark.parametrize(("n", "k", "centers"), [(3, 9, 3), (3, 3, 3), (1, 1, 1), (0, 4, 0)])
def test_there_are_at_most_as_many_centers_as_rows(n: int, k: int, centers: int) -> None:
    rows = unit(np.eye(5)[:n]) if n else np.zeros((0, 5), np.float32)
    found = kmeans(rows, k, rng_seed=0)
    assert found.shape == (centers, 5)
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(rows, axis=0))


def test_k_means_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    kmeans(unit(np.random.default_rng(0).standard_normal((30, 8))), 7, rng_seed=0)
    assert capfd.readouterr() == ("", "")
