"""Numbers about a run, against small runs whose numbers can be counted by hand."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from textsynth.metrics.run import gate, histogram, reason_counts, round_yield, run_metrics, summary, value_counts

SOURCES = {"age": "sampled", "note": "written"}
LEAKAGE: dict[str, Any] = {
    "alpha": 0.1,
    "method": "split conformal",
    "calibration_records": 19,
    "smallest_alpha": 0.05,
    "center": {"span": 4.0},
    "spread": {"span": 2.0},
    "calibration_scores": [float(at) for at in range(19)],
    "calibration_raw": {"span": [4.0 + 2 * at for at in range(19)]},
    "max_span": None,
    "max_span_refuses_of_calibration": None,
}


def verdict(filter: str, accepted: bool = True, **scores: float) -> dict[str, Any]:
    return {"filter": filter, "accepted": accepted, "scores": scores}


def judged(
    state: str, verdicts: list[dict[str, Any]], reason: str | None = None, age: int = 40, note: str | None = "one two"
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    fields = None if note is None else {"age": age, "note": note}
    return {"state": state, "reason": reason, "fields": fields, "attributes": {"tone": "dry"}, "working": {}}, verdicts


RECORDS = [
    judged("accepted", [verdict("schema"), verdict("leakage", span=3, p_value=0.9)], note="one two three"),
    judged("accepted", [verdict("schema"), verdict("leakage", span=5, p_value=0.7)], age=41, note="它很好"),
    judged("surplus", [verdict("schema"), verdict("leakage", span=4, p_value=0.8)]),
    judged("rejected", [verdict("schema"), verdict("leakage", False, span=30, p_value=0.05)], "copied_span", age=99),
    judged(
        "rejected", [verdict("leakage", span=4, p_value=0.8), verdict("dedup", False, jaccard=1.0)], "near_duplicate"
    ),
    judged("rejected", [verdict("parse", False)], "invalid_json", note=None),
]
ROUNDS: list[dict[str, Any]] = [
    {"round": 0, "planned": 6, "requests": 7, "passed": [2, 1], "accepted": [1, 1], "closed": 1},
    {"round": 1, "planned": 6, "requests": None, "passed": None, "accepted": None, "closed": 0},
]


def numbers(leakage: dict[str, Any] | None = LEAKAGE) -> dict[str, Any]:
    return run_metrics(iter(RECORDS), iter(ROUNDS), 10, SOURCES, leakage)


def test_counts_and_yield() -> None:
    found = numbers()
    assert [found[key] for key in ("target", "completed", "accepted", "rejected", "surplus")] == [10, 6, 2, 3, 1]
    assert found["yield_rate"] == pytest.approx(2 / 6, abs=1e-6)
    assert {(row["filter"], row["reason"], row["count"]) for row in found["reasons"]} == {
        ("dedup", "near_duplicate", 1),
        ("leakage", "copied_span", 1),
        ("parse", "invalid_json", 1),
    }
    assert found["duplicates"] == {"exact_duplicate": 0, "near_duplicate": 1, "too_similar": 0}


def test_words_are_those_of_accepted_written_text() -> None:
    found = numbers()["words"]["summary"]
    assert found["accepted"] == {"count": 2, "min": 3, "median": 3, "p90": 3, "max": 3}  # characters where unspaced
    assert found["calibration"] is None
    lengths = numbers(LEAKAGE | {"calibration_words": [5, 7]})["words"]
    assert lengths["summary"]["calibration"]["max"] == 7
    assert lengths["histogram"]["counts"] == {"accepted": [2, 0, 0, 0, 0], "calibration": [0, 0, 1, 0, 1]}


def test_leakage_scores_stand_in_three_groups() -> None:
    spans = numbers()["leakage"]["scores"]["span"]
    assert spans["summary"]["accepted"]["max"] == 5
    assert spans["summary"]["refused"] == {"count": 1, "min": 30, "median": 30, "p90": 30, "max": 30}
    assert spans["summary"]["calibration"]["count"] == 19
    counts = spans["histogram"]["counts"]
    assert {name: sum(some) for name, some in counts.items()} == {"accepted": 2, "refused": 1, "calibration": 19}
    assert "similarity" not in numbers()["leakage"]["scores"]
    assert numbers(None)["leakage"] is None


def test_numbers_are_plain_json() -> None:
    assert json.loads(json.dumps(numbers(), allow_nan=False)) == numbers()


def test_nothing_judged_yet() -> None:
    found = run_metrics([], ROUNDS[1:], 10, {}, None)
    assert (found["completed"], found["yield_rate"], found["reasons"], found["values"]) == (0, None, [], {})
    assert found["words"]["summary"]["accepted"] is None


def test_reasons_are_ordered_by_count_then_name() -> None:
    rows = reason_counts({("b", "y"): 1, ("a", "x"): 1, ("c", "z"): 3}, 10)
    assert [row["reason"] for row in rows] == ["z", "x", "y"]
    assert rows[0]["rate"] == 0.3


def test_an_open_round_has_no_yield() -> None:
    assert round_yield(ROUNDS[0]) | {"requests": 7, "accepted": 2} == round_yield(ROUNDS[0])
    assert round_yield(ROUNDS[0])["yield_rate"] == 0.5  # surplus passed as well
    assert (round_yield(ROUNDS[1])["accepted"], round_yield(ROUNDS[1])["yield_rate"]) == (None, None)


def test_a_steered_round_says_how_much_was_new_and_what_was_done() -> None:
    aim, gave = {"answers": ["examples", "temperature"]}, {"judged": 8, "new": 2}
    found = round_yield(ROUNDS[0] | {"aim": aim, "gave": gave})
    assert (found["new_ground_rate"], found["answers"]) == (0.25, ["examples", "temperature"])
    assert round_yield(ROUNDS[0] | {"gave": {"judged": 0, "new": 0}})["new_ground_rate"] is None
    plain = round_yield(ROUNDS[0] | {"aim": None, "gave": None})
    assert (plain["new_ground_rate"], plain["answers"]) == (None, [])


def test_summary_of_nothing_is_none() -> None:
    assert summary([]) is None


@pytest.mark.parametrize(
    "values", [[0.5], [0.0, 1.0], [3.0, 3.0], [2, 400], [-0.3, 0.7, 12.25], [0.0], [], list(range(1000))]
)
def test_a_histogram_leaves_nothing_out(values: list[float]) -> None:
    found = histogram({"some": values, "none": []})
    assert sum(found["counts"]["some"]) == len(values)
    assert sum(found["counts"]["none"]) == 0
    assert found["edges"] == sorted(set(found["edges"]))
    assert len(found["counts"]["some"]) == len(found["edges"]) - 1 <= 24


def p_value(score: float, leakage: dict[str, Any]) -> float:
    """The p-value of a score; in full conformal its nearest seed scores lower and counts as well."""
    beyond = sum(base >= score for base in leakage["calibration_scores"])
    return float(1 + beyond + (leakage["method"] == "full conformal")) / (len(leakage["calibration_scores"]) + 1)


@pytest.mark.parametrize("method", ["split conformal", "full conformal"])
@pytest.mark.parametrize("alpha", [0.1, 0.15, 0.31, 0.5])
def test_beyond_the_gate_is_refused_and_at_it_is_not(method: str, alpha: float) -> None:
    leakage = LEAKAGE | {"method": method, "alpha": alpha}
    place = gate(leakage)
    assert p_value(place["score"], leakage) > alpha >= p_value(place["score"] + 1e-6, leakage)
    assert place["span"] == 4 + 2 * place["score"]
    assert place["p_value"] == alpha


def test_no_gate_where_alpha_cannot_be_resolved() -> None:
    assert gate(LEAKAGE | {"alpha": 0.01}) == {}
    assert gate(LEAKAGE | {"calibration_scores": [], "center": {}, "spread": {}}) == {}


def test_values_asked_and_accepted() -> None:
    found = numbers()["values"]
    assert found["tone"]["rows"] == [{"value": "dry", "asked": 6, "accepted": 2}]
    assert found["age"]["asked"] == 5  # a record that did not parse has no fields


def test_a_value_that_was_never_accepted_is_not_named() -> None:
    found = numbers()["values"]["age"]
    assert [row["value"] for row in found["rows"]] == ["40", "41"]
    assert found["other"] == {"asked": 1, "accepted": 0}
    many = Counter({str(age): 1 for age in range(20, 60)})
    ranges = value_counts(many + Counter({"99": 2, "40.5": 1}), many)
    assert ranges["rows"][0] == {"value": "20 to 24", "asked": 5, "accepted": 5}
    assert sum(row["asked"] for row in ranges["rows"]) == 41
    assert ranges["other"] == {"asked": 2, "accepted": 0}


def test_a_long_value_is_cut() -> None:
    key = json.dumps("x" * 100)
    assert len(value_counts(Counter([key]), Counter([key]))["rows"][0]["value"]) == 60
