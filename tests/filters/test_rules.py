"""Rules see fields and working fields as one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from textsynth.filters.rules import RulesFilter
from textsynth.inputs.dialects import first_error, validator
from textsynth.records import Record

RULES = {
    "properties": {"judge": {"minimum": 4}, "note": {"not": {"pattern": "As an AI"}}},
    "required": ["judge"],
    "if": {"properties": {"sex": {"const": "male"}}, "required": ["sex"]},
    "then": {"properties": {"pregnant": {"const": False}}},
}


def rules_filter() -> RulesFilter:
    rules = validator(RULES)
    return RulesFilter(rules.is_valid, lambda value: first_error(rules, value))


@pytest.mark.parametrize(
    ("fields", "working", "accepted"),
    [
        ({"note": "Rests."}, {"judge": 5}, True),
        ({"note": "Rests."}, {"judge": 3}, False),
        ({"note": "Rests."}, {}, False),
        ({"note": "As an AI, I rest."}, {"judge": 5}, False),
        ({"sex": "male", "pregnant": False}, {"judge": 4}, True),
        ({"sex": "male", "pregnant": True}, {"judge": 4}, False),
        ({"sex": "female", "pregnant": True}, {"judge": 4}, True),
        (None, {"judge": 4}, True),
    ],
)
def test_reasons(fields: Mapping[str, Any] | None, working: Mapping[str, Any], accepted: bool) -> None:
    verdict = rules_filter().check(Record("r0000001", 0, {}, fields, working))
    assert (verdict.accepted, verdict.reason) == (accepted, None if accepted else "rule_failed")


def test_a_verdict_names_the_rule_and_holds_no_text() -> None:
    verdict = rules_filter().check(Record("r0000001", 0, {}, {"note": "As an AI, I rest with parrots."}, {"judge": 5}))
    assert "note" in str(verdict.scores["error"])
    assert "parrots" not in str(verdict)
