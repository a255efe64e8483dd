"""RowIndex finds the closest row that comparing with every row finds."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textsynth.similarity import rows as module
from textsynth.similarity.rows import RowIndex

Row = dict[str, Any]
NAMES = ["age", "score", "sex", "smoker"]
ROW = st.fixed_dictionaries(
    {},
    optional={
        "age": st.integers(-5, 90) | st.none(),
        "score": st.floats(-2, 2) | st.none(),
        "sex": st.sampled_from(["female", "male", "Male"]) | st.none(),
        "smoker": st.booleans() | st.none(),
    },
)
# the first rows say which columns are numbers
ROWS = st.lists(ROW, max_size=8).map(lambda rows: [{"age": 40, "score": 0.5, "sex": "male", "smoker": True}, *rows])


def brute(rows: list[Row], a: Row, b: Row) -> float:
    total = 0.0
    for name in NAMES:
        x, y = a.get(name), b.get(name)
        if x is None or y is None or name in ("sex", "smoker"):
            total += x == y
            continue
        known = [row[name] for row in rows if row.get(name) is not None]
        spread = (max(known) - min(known)) or 1
        total += 1 - min(abs(x - y) / spread, 1)
    return total / len(NAMES)


@given(ROWS, ROWS, st.data())
def test_the_closest_row_equals_brute_force(rows: list[Row], asked: list[Row], data: st.DataObject) -> None:
    groups = [at % 3 for at in range(len(rows))]
    without = data.draw(st.lists(st.integers(-1, 2), min_size=len(asked), max_size=len(asked)))
    similarities, positions = RowIndex(rows, NAMES, groups).closest(asked, without)
    for at, (row, passed) in enumerate(zip(asked, without, strict=True)):
        each = [-1 if group == passed else brute(rows, row, other) for group, other in zip(groups, rows, strict=True)]
        if max(each) < 0:
            assert (similarities[at], positions[at]) == (0.0, -1)
        else:
            assert similarities[at] == pytest.approx(max(each))
            assert each[positions[at]] == pytest.approx(max(each))


@given(ROWS, ROWS, st.sampled_from([1, 7, 1 << 16]))
def test_what_a_row_gets_does_not_depend_on_the_others(rows: list[Row], asked: list[Row], block: int) -> None:
    index = RowIndex(rows, NAMES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        together = index.closest(asked)
    alone = [index.closest([row]) for row in asked]
    assert [(s, o) for s, o in zip(*together, strict=True)] == [(s[0], o[0]) for s, o in alone]


@given(ROWS, st.data())
def test_similarity_is_symmetric_and_1_with_itself(rows: list[Row], data: st.DataObject) -> None:
    def similarity(a: int, b: int) -> float:
        return float(RowIndex(rows, NAMES, [int(at == b) for at in range(len(rows))]).closest([rows[a]], [0])[0][0])

    a, b = (data.draw(st.integers(0, len(rows) - 1)) for _ in range(2))
    assert similarity(a, b) == similarity(b, a)
    assert similarity(a, a) == 1.0


def test_of_equally_close_rows_the_first_is_named() -> None:
    rows: list[Row] = [{"age": 1, "sex": "f"}, {"age": 3, "sex": "f"}, {"age": 1, "sex": "f"}, {"age": 3, "sex": "f"}]
    assert RowIndex(rows, ["age", "sex"]).closest(rows)[1].tolist() == [0, 1, 0, 1]
    assert RowIndex(rows, ["age", "sex"]).closest(rows, [0, 1, -1, -1])[1].tolist() == [2, 3, 0, 1]


def test_without_rows_nothing_is_close() -> None:
    similarities, positions = RowIndex([], ["age"]).closest([{"age": 3}, {}])
    assert (similarities.tolist(), positions.tolist()) == ([0.0, 0.0], [-1, -1])
    assert [len(found) for found in RowIndex([{"age": 3}], ["age"]).closest([])] == [0, 0]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"age": 40, "sex": "f"}, 1.0),
        ({"age": 50, "sex": "f"}, 0.75),
        ({"age": 10**9, "sex": "f"}, 0.5),
        ({"age": 10**400, "sex": "f"}, 0.5),  # larger than any float
        ({"age": 40.0, "sex": "x"}, 0.5),
        ({"sex": "f"}, 0.5),
        ({}, 0.0),
    ],
)
def test_similarity_of_a_row(row: Row, expected: float) -> None:
    index = RowIndex([{"age": 40, "sex": "f"}, {"age": 60, "sex": "m"}], ["age", "sex"])
    assert index.closest([row])[0][0] == pytest.approx(expected)


def test_a_range_next_to_nothing_is_no_fault() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = RowIndex([{"x": 0.0}, {"x": 5e-324}], ["x"]).closest([{"x": 1e300}, {"x": 0.0}])
    assert np.array_equal(found[0], [0.0, 1.0])
