"""A JSON Schema over all fields and working fields: what a judge's score must be, which values go together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from textsynth.records import Record, Verdict


class RulesFilter:
    """Refuses a record whose fields and working fields, taken as one object, break the rules.

    Args:
        is_valid: the check of that object against the rules.
        explain: one sentence on its first error, without its text.
    """

    name = "rules"
    memory = "nothing"

    def __init__(self, is_valid: Callable[[Any], bool], explain: Callable[[Any], str]) -> None:
        self._is_valid, self._explain = is_valid, explain

    def prepare(self, records: Sequence[Record]) -> None:
        """Nothing to prepare."""

    def check(self, record: Record) -> Verdict:
        """Accept, or refuse as `rule_failed`."""
        together = {**(record.fields or {}), **record.working}
        if self._is_valid(together):
            return Verdict(self.name, True)
        return Verdict(self.name, False, "rule_failed", {"error": self._explain(together)})

    def remember(self, record: Record) -> None:
        """Nothing to remember."""

    def evidence(self) -> Mapping[str, Any]:
        """Nothing measured."""
        return {}
