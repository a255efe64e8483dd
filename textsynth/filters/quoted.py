"""A quotation stands in the text that it is said to come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textsynth.filters.base import Memory
from textsynth.records import Record, Verdict


class QuotedFilter:
    """Refuses a record whose quotation is not in its source, word for word, as `not_quoted`.

    White space counts as one space; everything else as it stands.

    Args:
        quote: the field of the quotation; source: the field that it comes from.
    """

    name = "quoted"
    memory: Memory = "nothing"

    def __init__(self, quote: str, source: str) -> None:
        self._quote, self._source = quote, source

    def prepare(self, records: Sequence[Record]) -> None:
        """Nothing to do in bulk."""

    def check(self, record: Record) -> Verdict:
        """Accept, with the place of the quotation in characters, or refuse as `not_quoted`."""
        quote, source = (
            " ".join(str((record.fields or {}).get(name) or "").split()) for name in (self._quote, self._source)
        )
        at = source.find(quote) if quote else -1
        return Verdict(self.name, at >= 0, None if at >= 0 else "not_quoted", {"at": at})

    def remember(self, record: Record) -> None:
        """Nothing."""

    def evidence(self) -> Mapping[str, Any]:
        """Nothing measured."""
        return {}
