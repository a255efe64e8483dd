"""RowIndex finds the closest row that comparing with every row finds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(ROWS, ROW, st.sampled_from([None, 0, 1, 2]))
def test_the_closest_row_equals_brute_force(rows: list[Row], row: Row, without: int | None) -> None:
    groups = [at % 3 for at in range(len(rows))]
    each = [-1 if group == without else brute(rows, row, other) for group, other in zip(groups, rows, strict=True)]
    similarity, position = RowIndex(rows, NAMES, groups).closest(row, without)
    if max(each) < 0:
        assert (similarity, position) == (0.0, -1)
    else:
        assert similarity == pytest.approx(max(each))
        assert each[position] == pytest.approx(max(each))


@given(ROWS, st.data())
def test_similarity_is_symmetric_and_1_with_itself(rows: list[Row], data: st.DataObject) -> None:
    def similarity(a: int, b: int) -> float:
        return RowIndex(rows, NAMES, [int(at == b) for at in range(len(rows))]).closest(rows[a], without=0)[0]

    a, b = (data.draw(st.integers(0, len(rows) - 1)) for _ in range(2))
    assert similarity(a, b) == pytest.approx(similarity(b, a))
    assert similarity(a, a) == pytest.approx(1.0)


def test_without_rows_nothing_is_close() -> None:
    assert RowIndex([], ["age"]).closest({"age": 3}) == (0.0, -1)


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
    assert index.closest(row)[0] == pytest.approx(expected)
