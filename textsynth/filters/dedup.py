"""Not a repeat of an accepted record, exact or near."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textsynth.records import Record, Verdict, canonical_json, content_hash, text_of
from textsynth.similarity.minhash import NearDuplicates
from textsynth.similarity.spans import tokens


class DedupFilter:
    """Refuses what an accepted record already says.

    Exact: equal after normalization (case, punctuation, white space) of every compared field. Near: Jaccard similarity
    of 3-token shingles, found by MinHash and verified.

    Args:
        near: similarity from which a record is a near duplicate; None looks for exact ones only.
        on: the fields compared exactly.
        text: the fields whose text is compared for near duplicates; none: exact only.
    """

    name = "dedup"

    def __init__(self, near: float | None, on: Sequence[str], text: Sequence[str]) -> None:
        self._on, self._text = tuple(on), tuple(text)
        self._keys: dict[str, str] = {}  # of the round that is judged
        self._exact: dict[str, str] = {}
        self._near = NearDuplicates(near) if near is not None and text else None
        self._near_ids: list[str] = []

    def prepare(self, records: Sequence[Record]) -> None:
        """Normalize a round's records once: `check` and `remember` both need it."""
        self._keys = {record.id: self._key_of(record) for record in records}

    def check(self, record: Record) -> Verdict:
        """Accept, or refuse as `exact_duplicate` or `near_duplicate` with the twin's id."""
        twin = self._exact.get(self._key(record))
        if twin is not None:
            return Verdict(self.name, False, "exact_duplicate", {"jaccard": 1.0}, twin)
        if self._near is not None:
            similarity, number = self._near.nearest(self._text_of(record))
            if number >= 0:
                return Verdict(self.name, False, "near_duplicate", {"jaccard": similarity}, self._near_ids[number])
        return Verdict(self.name, True)

    def remember(self, record: Record) -> None:
        """Later repeats of this record are refused."""
        self._exact[self._key(record)] = record.id
        if self._near is not None:
            self._near.add(self._text_of(record))
            self._near_ids.append(record.id)

    def evidence(self) -> Mapping[str, Any]:
        """Nothing measured."""
        return {}

    def _key(self, record: Record) -> str:
        return self._keys.get(record.id) or self._key_of(record)

    def _key_of(self, record: Record) -> str:
        fields = record.fields or {}
        return content_hash([_normal(fields.get(name)) for name in self._on])

    def _text_of(self, record: Record) -> str:
        return text_of(record.fields or {}, self._text)


def _normal(value: Any) -> str:
    """A value's text for comparison; one without any word stands as it is, so that "+" and "-" differ."""
    return " ".join(tokens(value)) or value if isinstance(value, str) else canonical_json(value)
