"""What a field says stands in the text that it is said to come from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from textsynth.filters.base import Memory
from textsynth.records import Record, Verdict


class QuotedFilter:
    """Refuses a record with a quotation that is not in its source, word for word, as `not_quoted`.

    White space counts as one space; everything else as it stands. It begins and ends where words do.

    Args:
        quotes: the fields that must stand in the source; a value that is no text stands as in JSON. source: the field.
    """

    name = "quoted"
    memory: Memory = "nothing"

    def __init__(self, quotes: Sequence[str], source: str) -> None:
        self._quotes, self._source = tuple(quotes), source

    def prepare(self, records: Sequence[Record]) -> None:
        """Nothing to do in bulk."""

    def check(self, record: Record) -> Verdict:
        """Accept, with where each field stands in the source, in characters; or refuse with the one that does not."""
        fields = record.fields or {}
        source, places = _one_line(fields.get(self._source)), dict[str, float | str]()
        for name in self._quotes:
            quote = _one_line(fields.get(name))
            found = re.search(rf"(?<!\w){re.escape(quote)}(?!\w)", source) if quote else None
            if found is None:
                return Verdict(self.name, False, "not_quoted", {"field": name})
            places[name] = found.start()
        return Verdict(self.name, True, None, places)

    def remember(self, record: Record) -> None:
        """Nothing."""

    def evidence(self) -> Mapping[str, Any]:
        """Nothing measured."""
        return {}


def _one_line(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(text.split())
