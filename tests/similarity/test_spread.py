from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textsynth.similarity.spread import Spread


def points(count: int, seed: int = 1, dim: int = 5) -> npt.NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_a_row_is_counted_at_the_closest_point() -> None:
    rows, known = points(40, 2), points(9)
    assert Spread(known).nearest(rows) == [int(i) for i in (rows @ known.T).argmax(axis=1)]


def test_the_usual_similarity_is_the_median_to_the_closest_other_point() -> None:
    known = points(9)
    others = known @ known.T - 2 * np.eye(9)
    assert Spread(known).usual() == pytest.approx(float(np.median(others.max(axis=1))), abs=1e-6)
    assert Spread(np.vstack([known[:1]] * 3)).usual() == pytest.approx(1.0)
    assert Spread(known[:1]).usual() == 1.0


@settings(deadline=None)  # the first one loads faiss
@given(st.dictionaries(st.integers(0, 8), st.floats(0.5, 9), min_size=1), st.integers(1, 6))
def test_the_emptiest_points_are_those_of_adding_one_after_another(counts: dict[int, float], count: int) -> None:
    known = points(9)
    kernel = np.maximum(known @ known.T, 0).astype(np.float64) ** 2
    crowding = sum(kernel[i] * n for i, n in counts.items()) / sum(counts.values())
    assert Spread(known).crowding(counts) == pytest.approx(crowding, abs=1e-6)
    times = Counter({3: 1, 5: 1})
    for block in Spread(known).emptiest(crowding, dict(times), count, 2, 0.25):
        assert len(set(block)) == 2
        for found in block:
            least = [i for i in range(9) if times[i] == min(times[j] for j in range(9))]
            assert found in least and crowding[found] == pytest.approx(crowding[least].min(), abs=1e-8)
            crowding = crowding + 0.25 * kernel[found]
            times[found] += 1


def test_points_are_chosen_all_over_before_one_comes_again() -> None:
    clusters = np.repeat(np.eye(6, dtype=np.float32), 4, axis=0)
    spread = Spread(clusters)
    chosen = spread.emptiest(spread.crowding({}), {}, 6, 2, 1 / 12)
    assert sorted(i // 4 for block in chosen for i in block) == sorted(2 * list(range(6)))
    ((one, other),) = spread.emptiest(spread.crowding({0: 5, 4: 5, 8: 5, 12: 5}), {}, 1, 2, 0.1)
    assert {one // 4, other // 4} == {4, 5}
    assert sorted(spread.emptiest(spread.crowding({}), {}, 1, 99, 0.1)[0]) == list(range(24))
