"""RowSetTest flags rows that took several cells from single seeds, and no clean ones."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textsynth.similarity.linkage import FEWEST, Linkage, RowSetTest, units_of

Row = dict[str, Any]
NAMES = ["age", "income", "weight", "city", "job", "smoker"]
EACH = [[name] for name in NAMES]


def people(count: int, rng: random.Random) -> list[Row]:
    """Rows whose columns go together: income with age and job, smoking with city."""
    rows = []
    for _ in range(count):
        age, job, city = rng.randrange(18, 90), rng.choice(["clerk", "nurse", "cook"]), rng.choice("abcdefgh")
        income = 200 * age + 9000 * (job == "nurse") + rng.randrange(20_000)
        smoker = rng.random() < (0.6 if city in "abc" else 0.2)
        rows.append({"age": age, "income": income, "weight": rng.randrange(450, 1200) / 10, "city": city, "job": job})
        rows[-1]["smoker"] = smoker
    return rows


def mixed(seeds: list[Row], count: int, kept: int, rng: random.Random) -> list[Row]:
    """Rows that each have `kept` cells of one seed, and of every other column a value of any seed."""
    return [
        {name: (source if name in keep else rng.choice(seeds))[name] for name in NAMES}
        for source in (rng.choice(seeds) for _ in range(count))
        for keep in [rng.sample(NAMES, kept)]
    ]


def outcome(shown: list[Row], held: list[Row], rows: list[Row], units: list[list[str]] = EACH) -> dict[str, Any]:
    test = RowSetTest(shown, held, units)
    for at, row in enumerate(rows):
        test.add(f"r{at}", row)
    return test.result()


@pytest.mark.parametrize("kept", [2, 3, 5])
def test_rows_that_keep_some_cells_of_a_seed_are_flagged(kept: int) -> None:
    rng = random.Random(kept)
    shown, held = people(400, rng), people(100, rng)
    found = outcome(shown, held, mixed(shown, 150, kept, rng))
    assert found["flagged"] is True
    assert found["excess"] > max(found["calibration_excess"], found["independent_excess"])
    assert max(found["calibration_p_value"], found["independent_p_value"]) <= found["level"]


def test_genuine_rows_and_independent_columns_are_not_flagged() -> None:
    flags = []
    for number in range(6):
        rng = random.Random(number)
        shown, held = people(300, rng), people(100, rng)
        flags += [outcome(shown, held, rows)["flagged"] for rows in (people(100, rng), mixed(shown, 100, 0, rng))]
    assert flags == [False] * 12


def test_columns_drawn_together_by_request_are_one_value() -> None:
    rng = random.Random(1)
    shown, held = people(400, rng), people(100, rng)
    group = ["income", "weight", "job"]
    units = units_of(NAMES, [group, ["height", "width"]])
    assert units == [group, ["age"], ["city"], ["smoker"]]

    def drawn(keep: list[str]) -> list[Row]:
        sources = [rng.choice(shown) for _ in range(150)]
        return [{n: (source if n in keep else rng.choice(shown))[n] for n in NAMES} for source in sources]

    asked, more = drawn(group), drawn([*group, "age"])
    assert outcome(shown, held, asked)["flagged"] is True
    assert outcome(shown, held, asked, units)["flagged"] is False
    assert outcome(shown, held, more, units)["flagged"] is True


def test_the_result_is_that_of_the_set_in_any_order_and_plain_json() -> None:
    rng = random.Random(2)
    shown, held = people(100, rng), people(40, rng)
    rows = list(enumerate(mixed(shown, 1300, 2, rng)))  # more than are compared
    results = []
    for order in (rows, rows[::-1]):
        test = RowSetTest(shown, held, EACH)
        for at, row in order:
            test.add(f"r{at}", row)
        results.append(test.result())
    assert results[0] == results[1] == json.loads(json.dumps(results[0], allow_nan=False))
    assert results[0]["rows"] == 1000
    assert results[0]["calibration_records"] == 40


@pytest.mark.parametrize(
    ("rows", "held", "units", "why"),
    [
        (FEWEST - 1, 40, EACH, "takes 20 rows"),
        (40, FEWEST - 1, EACH, "held-out seeds"),
        (40, 40, [NAMES], "not drawn together"),
        (40, 40, [["city"], ["job"], ["smoker"]], "has rare numbers"),
        (0, 0, [], "takes 20 rows"),
    ],
)
def test_what_cannot_be_tested_is_said(rows: int, held: int, units: list[list[str]], why: str) -> None:
    rng = random.Random(3)
    found = outcome(people(60, rng), people(held, rng), people(rows, rng), units)
    assert found["flagged"] is None
    assert why in found["untested"]


def test_a_fit_is_the_likelihood_ratio_over_all_seeds() -> None:
    seeds = [{"a": at, "b": "xyz"[at % 3]} for at in range(6)]

    def weight(row: Row, seed: Row) -> float:
        total = 0.0
        for name in ("a", "b"):
            share = sum(one[name] == row[name] for one in seeds) / len(seeds)
            m = 0.5 + 0.5 * share
            total += math.log(m / share) if row[name] == seed[name] else math.log((1 - m) / (1 - share))
        return total

    linkage = Linkage(seeds, [["a"], ["b"]])
    assert linkage.swapped == ["a"]
    fits = []
    for arrangement in range(1, 5):
        codes = linkage._arranged[0][arrangement]
        swapped = [{"a": int(code), "b": seed["b"]} for code, seed in zip(codes, seeds, strict=True)]
        fits.append([math.log(sum(math.exp(weight(row, seed)) for seed in swapped)) for row in seeds])
    actual = [math.log(sum(math.exp(weight(row, seed)) for seed in seeds)) for row in seeds]
    assert linkage.excess(seeds) == pytest.approx(np.array(actual) - np.mean(fits, axis=0), abs=1e-5)


@given(st.lists(st.integers(0, 40) | st.none() | st.just("n/a") | st.floats(-9, 9), min_size=1, max_size=80))
def test_swapping_keeps_a_column_and_moves_rare_numbers_alone(values: list[Any]) -> None:
    linkage = Linkage([{"x": value} for value in values], [["x"]])
    actual, *others = linkage._arranged[0]
    for swapped in others:
        assert sorted(swapped) == sorted(actual)
        moved = [value for value, a, b in zip(values, actual, swapped, strict=True) if a != b]
        assert all(
            isinstance(value, int | float) and values.count(value) <= max(2, 0.02 * len(values)) for value in moved
        )


def test_what_a_row_gets_does_not_depend_on_the_others() -> None:
    rng = random.Random(4)
    shown = people(200, rng)
    linkage, rows = Linkage(shown, EACH), mixed(shown, 20, 3, rng)
    assert linkage.excess(rows).tolist() == [linkage.excess([row])[0] for row in rows]
    assert linkage.excess([{}, {"age": "no number", "city": ["odd"]}]).tolist() == [0.0, 0.0]
