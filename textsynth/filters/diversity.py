"""Not too similar in meaning to what is already accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from textsynth.records import Record, Verdict, text_of
from textsynth.similarity.encoder import Encoder
from textsynth.similarity.neighbors import Nearest


class DiversityFilter:
    """Refuses a record whose embedding is closer than `max_similarity` (cosine) to an accepted one's."""

    name = "diversity"

    def __init__(self, max_similarity: float, text: Sequence[str], encoder: Encoder) -> None:
        self._most, self._text, self._encoder = max_similarity, tuple(text), encoder
        self._round: dict[str, np.ndarray[Any, np.dtype[np.float32]]] = {}
        self._accepted: Nearest | None = None
        self._ids: list[str] = []

    def prepare(self, records: Sequence[Record]) -> None:
        """Encode a round's texts in bulk."""
        texts = {record.id: text_of(record.fields or {}, self._text) for record in records}
        said = {record_id: text for record_id, text in texts.items() if text}
        self._round = dict(zip(said, self._encoder.encode(list(said.values())), strict=True))

    def check(self, record: Record) -> Verdict:
        """Accept, or refuse as `too_similar` with the neighbor's id. What says nothing is similar to nothing."""
        mine = self._round.get(record.id)
        if mine is None or self._accepted is None:
            return Verdict(self.name, True, None, {"similarity": 0.0})
        similarities, numbers = self._accepted.search(mine[None])
        similarity, neighbor = round(float(similarities[0, 0]), 6), self._ids[int(numbers[0, 0])]
        if similarity > self._most:
            return Verdict(self.name, False, "too_similar", {"similarity": similarity}, neighbor)
        return Verdict(self.name, True, None, {"similarity": similarity}, neighbor)

    def remember(self, record: Record) -> None:
        """Later records are compared with this one."""
        mine = self._round.get(record.id)
        if mine is None:
            return
        if self._accepted is None:
            self._accepted = Nearest(len(mine))
        self._accepted.add(mine[None])
        self._ids.append(record.id)

    def evidence(self) -> Mapping[str, Any]:
        """The threshold."""
        return {"max_similarity": self._most}
