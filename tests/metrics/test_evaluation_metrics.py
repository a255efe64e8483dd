"""Metrics against values that can be counted by hand, or computed in another way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from textsynth.metrics.diversity import vendi
from textsynth.metrics.estimate import share
from textsynth.metrics.fidelity import Binning, accuracies, total_variation
from textsynth.metrics.privacy import cells, coverage, dcr_share, highest_cosine, near_rows, nndr_share
from textsynth.metrics.text import frechet
from textsynth.similarity.rows import RowIndex


def unit(count: int, dim: int) -> np.ndarray:
    rows = np.random.default_rng(0).standard_normal((count, dim))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.mark.parametrize(("count", "dim"), [(60, 8), (8, 60)])
def test_vendi_is_that_of_the_similarity_matrix(count: int, dim: int) -> None:
    rows = unit(count, dim)
    values = np.linalg.eigvalsh(rows @ rows.T / count)
    values = values[values > 1e-12]
    assert vendi(rows) == pytest.approx(np.exp(-(values * np.log(values)).sum()), rel=1e-4)
    assert vendi(np.eye(5)) == pytest.approx(5)


@pytest.mark.parametrize(("count", "dim"), [(300, 4), (10, 40)])
def test_frechet_is_that_of_the_covariances(count: int, dim: int) -> None:
    from scipy.linalg import sqrtm

    a, b = unit(count, dim), unit(count + 5, dim)[::-1] * 2 + 1
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.real(sqrtm(ca))
    values = np.linalg.eigvalsh(root @ cb @ root)
    cross = np.sqrt(np.maximum(values, 0)).sum()
    wanted = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(ca) + np.trace(cb) - 2 * cross
    assert frechet(a, b) == pytest.approx(wanted, rel=1e-4)


def test_a_frequent_missing_value_takes_a_place_and_rare_values_share_a_bin() -> None:
    real = pd.DataFrame({"x": ["a"] * 6 + ["b"] * 5 + ["c"] + [None] * 4, "n": [float(at % 3) for at in range(16)]})
    binning = Binning(real, {"x": "category", "n": "number"})
    assert binning.bins["x"] == ["a", "b"]
    codes = binning.codes(real)
    assert np.bincount(codes["x"]).tolist() == [6, 5, 1, 4]
    single, pairs = accuracies(codes, codes, {"x": 4, "n": binning.size("n")})
    assert single.tolist() == [1, 1] and pairs.tolist() == [1]


def test_cells_count_the_records_that_share_one() -> None:
    rows = [{"age": 1}] * 3 + [{"age": 2}] * 5
    found = cells(rows, ["age"])
    assert (found["smallest"], found["cells"], found["below"]) == (3, 2, {"2": 0, "5": 0.375, "10": 1})


def test_ties_of_distance_count_for_the_holdout() -> None:
    found = dcr_share(np.array([0.1, 0.2, 0.3, 0.0]), np.array([0.2, 0.2, 0.1, 0.5]))
    assert (found["value"], found["ceiling"]) == (0.5, 0.375)


def test_coverage_is_the_share_of_runs_of_four() -> None:
    assert coverage(["a b c d e", "x y z w"], ["a b c d"]).tolist() == [0.5, 0]


def test_a_share_has_wilsons_interval() -> None:
    found = share(0, 10, None)
    assert (found["low"], found["high"]) == (0, pytest.approx(0.2775, abs=1e-4))


def test_the_two_closest_rows_are_those_of_brute_force() -> None:
    rng = np.random.default_rng(1)
    rows = [{"x": float(rng.normal()), "y": rng.choice(["a", "b", "c"])} for _ in range(40)]
    base, some = rows[:25], rows[25:]
    spread = max(r["x"] for r in base) - min(r["x"] for r in base)
    gaps = [sorted((min(abs(a["x"] - b["x"]) / spread, 1) + (a["y"] != b["y"])) / 2 for b in base)[:2] for a in some]
    assert RowIndex(base, ["x", "y"]).nearest_distances(some, 2) == pytest.approx(np.array(gaps))
    assert RowIndex(base[:1], ["x", "y"]).nearest_distances(some, 2)[:, 1].tolist() == [1] * 15


def test_near_rows_are_those_nearer_than_the_nearest_hundredth_of_the_holdout() -> None:
    holdout = np.linspace(0.1, 1, 200)
    found = near_rows(np.array([0.05, 0.1, 0.5, 0.9]), holdout)
    assert (found["value"], found["ceiling"]) == (0.5, 0.01)
    assert near_rows(np.array([0.0, 0.2]), np.array([0.0, 0.0, 0.3]))["ceiling"] == pytest.approx(2 / 3, abs=1e-6)


def test_nndr_is_the_share_twice_as_near_to_one_as_to_any_other() -> None:
    found = nndr_share(np.array([[0.1, 0.9], [0.4, 0.5], [0.0, 0.3]]), np.array([[0.2, 0.3]]))
    assert (found["value"], found["ceiling"]) == (pytest.approx(2 / 3, abs=1e-6), 0)


def test_the_highest_cosine_does_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, base = unit(30, 8), unit(50, 8)[::-1]
    whole = highest_cosine(rows, base)
    monkeypatch.setattr("textsynth.metrics.privacy._CELLS", 170)
    assert highest_cosine(rows, base) == pytest.approx(whole)
    assert whole == pytest.approx((rows @ base.T).max(axis=1))


def test_total_variation_leaves_missing_values_out() -> None:
    real, other = pd.Series(["a", "a", "b", None]), pd.Series(["a", "c", None, None])
    assert total_variation(real, other) == pytest.approx((abs(2 / 3 - 1 / 2) + 1 / 3 + 1 / 2) / 2)
