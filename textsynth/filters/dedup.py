"""Not a repeat of an accepted record, exact or near."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from textsynth.filters.base import Memory
from textsynth.records import Record, Verdict, canonical_json, strings_in
from textsynth.similarity.minhash import SHINGLE, NearDuplicates, Sketch
from textsynth.similarity.words import Tokens, tokenize, tokens

_Compared = tuple[bytes, Sketch | None]


class DedupFilter:
    """Refuses what an accepted record already says.

    Exact: equal after normalization (case, punctuation, white space) of every compared field. Near: Jaccard similarity
    of shingles of tokens, found by MinHash and verified.

    Args:
        near: similarity from which a record is a near duplicate; None looks for exact ones only.
        on: the fields compared exactly.
        text: those of them whose text is compared for near duplicates; none: exact only.
        shingle: tokens in a shingle.
    """

    name = "dedup"

    def __init__(self, near: float | None, on: Sequence[str], text: Sequence[str], shingle: int = SHINGLE) -> None:
        self._text, self._others = tuple(text), tuple(name for name in on if name not in text)
        self._near = NearDuplicates(near, shingle) if near is not None and text else None
        self._round: dict[str, _Compared] = {}  # by record id, of the round that is judged
        self._exact: dict[bytes, int] = {}  # numbers of remembered records, in the order of `_ids`
        self._ids: list[str] = []
        self._new = Verdict(self.name, True)
        self.memory: Memory = "trace" if self._near is None else "records"

    def prepare(self, records: Sequence[Record]) -> None:
        """Make a round's keys and sketches in bulk."""
        self._round = dict(zip((record.id for record in records), self._compared(records), strict=True))

    def check(self, record: Record) -> Verdict:
        """Accept, or refuse as `exact_duplicate` or `near_duplicate` with the twin's id."""
        key, sketch = self._of(record)
        twin = self._exact.get(key)
        if twin is not None:
            return Verdict(self.name, False, "exact_duplicate", {"jaccard": 1.0}, self._ids[twin])
        if self._near is not None and sketch is not None:
            similarity, number = self._near.nearest(sketch)
            if number >= 0:
                return Verdict(self.name, False, "near_duplicate", {"jaccard": similarity}, self._ids[number])
        return self._new

    def remember(self, record: Record) -> None:
        """Later repeats of this record are refused."""
        key, sketch = self._of(record)
        self._exact.setdefault(key, len(self._ids))
        self._ids.append(record.id)
        if self._near is not None and sketch is not None:
            self._near.add(sketch)

    def traces(self) -> dict[str, bytes]:
        """The exact keys of the round's records, by record id."""
        return {record_id: key for record_id, (key, _) in self._round.items()}

    def recall(self, traces: Iterable[tuple[str, bytes]]) -> None:
        """Remember records by id and exact key."""
        for record_id, key in traces:
            self._exact.setdefault(key, len(self._ids))
            self._ids.append(record_id)

    def evidence(self) -> Mapping[str, Any]:
        """Nothing measured."""
        return {}

    def _of(self, record: Record) -> _Compared:
        return self._round.get(record.id) or self._compared([record])[0]

    def _compared(self, records: Sequence[Record]) -> list[_Compared]:
        """Each record's exact key and, for near duplicates, its sketch. A text is tokenized once for both."""
        said = [self._said(record.fields or {}) for record in records]
        pieces = tokenize([text for texts in said for text in texts])
        firsts = [0, *accumulate(map(len, said))]
        whole = Tokens(pieces.ids, pieces.starts[firsts])
        counts, ids = iter(np.diff(pieces.starts).tolist()), whole.ids.data
        ends = whole.starts.tolist()
        parts = (ids[low:high] for low, high in zip(ends, ends[1:], strict=False))
        keys = [self._key(record.fields or {}, part, counts) for record, part in zip(records, parts, strict=True)]
        near: Sequence[Sketch | None] = self._near.sketches(whole) if self._near is not None else [None] * len(records)
        return list(zip(keys, near, strict=True))

    def _said(self, fields: Mapping[str, Any]) -> list[str]:
        """All strings of the fields in `text`."""
        said: list[str] = []
        for name in self._text:
            value = fields.get(name)
            if isinstance(value, str):
                said.append(value)
            else:
                said.extend(strings_in(value))
        return said

    def _key(self, fields: Mapping[str, Any], ids: memoryview, counts: Iterator[int]) -> bytes:
        """16 bytes that stand for all compared fields; `ids` and `counts` are the tokens of those in `text`.

        A text without any word stands as it is, so that "+" and "-" differ.
        """
        rest: list[Any] = []
        for name in self._text:
            value = fields.get(name)
            if isinstance(value, str):
                size = next(counts)
                rest.append(f"{size} words" if size else value)
            else:
                rest.append(value)
                for _ in strings_in(value):
                    next(counts)
        rest += [_normal(fields.get(name)) for name in self._others]
        digest = hashlib.blake2b(ids, digest_size=16)
        if rest != [f"{len(ids)} words"]:
            digest.update(canonical_json(rest).encode("utf-8", "surrogatepass"))
        return digest.digest()


def _normal(value: Any) -> Any:
    return " ".join(tokens(value)) or value if isinstance(value, str) else value
