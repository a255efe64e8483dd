"""Valid against the record schema as the user wrote it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from textsynth.records import Record, Verdict

_ACCEPTED = Verdict("schema", True)  # one for all: to make one takes longer than most checks


class SchemaFilter:
    """Refuses a record that the original schema refuses, or whose text fills the bound that decoding imposed.

    Args:
        is_valid: the fast check of a value against the record schema.
        explain: one sentence on the first error of a value, without its text.
        bounds: field -> longest text that decoding allowed where the schema itself sets no limit.
    """

    name = "schema"
    memory = "nothing"

    def __init__(
        self, is_valid: Callable[[Any], bool], explain: Callable[[Any], str], bounds: Mapping[str, int]
    ) -> None:
        self._is_valid, self._explain, self._bounds = is_valid, explain, bounds

    def prepare(self, records: Sequence[Record]) -> None:
        """Nothing to prepare."""

    def check(self, record: Record) -> Verdict:
        """Accept, or refuse as `schema_mismatch` or `truncated`."""
        fields = record.fields or {}
        if not self._is_valid(fields):
            return Verdict(self.name, False, "schema_mismatch", {"error": self._explain(fields)})
        for name, most in self._bounds.items():
            if isinstance(fields.get(name), str) and len(fields[name]) >= most:
                return Verdict(self.name, False, "truncated", {"field": name, "length": float(len(fields[name]))})
        return _ACCEPTED

    def remember(self, record: Record) -> None:
        """Nothing to remember."""

    def evidence(self) -> Mapping[str, Any]:
        """The bounds that decoding imposed."""
        return {"bounds": dict(self._bounds)}
