"""Not too similar in meaning to what is already accepted, and not too much of one kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from textsynth.records import Record, Verdict, canonical_json, text_of
from textsynth.similarity.encoder import Encoder, encode_windows, text_rows
from textsynth.similarity.neighbors import Nearest, kmeans

CLUSTERS = 30  # that the seeds are cut into, or one for every four of them
_BLOCK = 1024  # records remembered before those that still wait are searched against them in bulk
Rows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Cap:
    """At most `most` accepted records of one kind.

    A kind is one combination of the values of the fields `per`; without them, one cluster of the texts `seeds`, to
    which a record belongs if it is closest to its center.
    """

    most: int
    per: Sequence[str] = ()
    seeds: Sequence[str] = ()
    rng_seed: int = 0

    @staticmethod
    def of(share: float, target: int) -> int:
        """The number of records that a share of the target is: rounded down, at least one."""
        return max(1, int(share * target + 1e-9))


def clusters_for(seeds: int) -> int:
    """How many clusters that many seeds with text are cut into."""
    return min(CLUSTERS, -(-seeds // 4))


class DiversityFilter:
    """Refuses a record that is closer than `max_similarity` (cosine) to an accepted one, or of a kind that is full.

    A whole round is searched at once; verdicts are those of searching each record by itself against all accepted.

    Args:
        text: the fields whose text is compared.
        encoder: shared with the leakage gate, so that each window of text is encoded once.
    """

    name = "diversity"

    def __init__(self, max_similarity: float, text: Sequence[str], encoder: Encoder, cap: Cap | None = None) -> None:
        self._most, self._text, self._encoder, self._cap = max_similarity, tuple(text), encoder, cap
        self._at: dict[str, int] = {}  # of the round's records that say something: their rows
        self._rows: Rows = np.zeros((0, 1), np.float32)
        self._kinds: dict[str, Any] = {}
        self._accepted: Nearest | None = None
        self._ids: list[str] = []
        self._fresh: Nearest | None = None  # what was remembered since the round was last searched
        self._fresh_at: list[int] = []
        self._count = Counter[Any]()

    def prepare(self, records: Sequence[Record]) -> None:
        """Encode a round's texts, and search all of them among the accepted ones, in bulk."""
        self._add_fresh()
        texts = {record.id: text_of(record.fields or {}, self._text) for record in records}
        said = [record_id for record_id, text in texts.items() if text.strip()]
        self._rows = text_rows(*encode_windows(self._encoder, [texts[record_id] for record_id in said]))
        self._at = {record_id: at for at, record_id in enumerate(said)}
        self._similarity = np.full(len(said), -np.inf)
        self._neighbor = np.full(len(said), -1)
        if self._accepted is not None:
            self._search(self._accepted, 0)
        self._kinds = self._kinds_of(records) if self._cap else {}

    def check(self, record: Record) -> Verdict:
        """Accept, or refuse as `too_similar` with the neighbor's id, or as `crowded` with how full its kind is.

        What says nothing is similar to nothing and in no cluster.
        """
        similarity, neighbor = self._closest(record.id)
        scores: dict[str, float | str] = {"similarity": similarity}
        if similarity > self._most:
            return Verdict(self.name, False, "too_similar", scores, neighbor)
        kind = self._kinds.get(record.id)
        if self._cap is None or kind is None:
            return Verdict(self.name, True, None, scores, neighbor)
        scores |= {"in_kind": self._count[kind]} | ({} if self._cap.per else {"cluster": kind})
        full = self._count[kind] >= self._cap.most
        return Verdict(self.name, not full, "crowded" if full else None, scores, neighbor)

    def remember(self, record: Record) -> None:
        """Later records are compared with this one."""
        if record.id in self._kinds:
            self._count[self._kinds[record.id]] += 1
        if record.id in self._at:
            self._fresh = self._fresh or Nearest(self._rows.shape[1])
            self._fresh.add(self._row(record.id))
            self._fresh_at.append(self._at[record.id])
            self._ids.append(record.id)
            if len(self._fresh) == _BLOCK:
                self._add_fresh()

    def evidence(self) -> Mapping[str, Any]:
        """The thresholds; with a cap, how many kinds there are with an accepted record, and how many are full."""
        if self._cap is None:
            return {"max_similarity": self._most}
        full = sum(count >= self._cap.most for count in self._count.values())
        kinds = {"most": self._cap.most, "kinds": len(self._count), "full": full}
        return {
            "max_similarity": self._most,
            "cap": kinds | ({} if self._cap.per else {"clusters": len(self._centers)}),
        }

    def _closest(self, record_id: str) -> tuple[float, str | None]:
        at = self._at.get(record_id)
        if at is None or not self._ids:
            return 0.0, None
        best, neighbor = float(self._similarity[at]), int(self._neighbor[at])
        if self._fresh is not None:
            found, index = self._fresh.search(self._row(record_id))
            if found[0, 0] > best:
                best, neighbor = float(found[0, 0]), len(self._ids) - len(self._fresh) + int(index[0, 0])
        return round(best, 6), self._ids[neighbor]

    def _row(self, record_id: str) -> Rows:
        at = self._at[record_id]
        return self._rows[at : at + 1]

    def _add_fresh(self) -> None:
        """Take what was remembered into the index, and search this round's records among that alone."""
        if self._fresh is None:
            return
        if self._accepted is None:
            self._accepted = Nearest(self._rows.shape[1])
        self._search(self._fresh, len(self._accepted))
        self._accepted.add(self._rows[self._fresh_at])
        self._fresh, self._fresh_at = None, []

    def _search(self, among: Nearest, before: int) -> None:
        similarities, indices = among.search(self._rows)
        closer = similarities[:, 0] > self._similarity  # among equals the one accepted first stays
        self._similarity[closer] = similarities[closer, 0]
        self._neighbor[closer] = indices[closer, 0] + before

    def _kinds_of(self, records: Sequence[Record]) -> dict[str, Any]:
        if self._cap and self._cap.per:
            fields = {record.id: record.fields or {} for record in records}
            return {i: canonical_json([values.get(n) for n in self._cap.per]) for i, values in fields.items()}
        closest = self._centers.search(self._rows)[1]
        return {record_id: int(closest[at, 0]) for record_id, at in self._at.items()}

    @cached_property
    def _centers(self) -> Nearest:
        texts = [text for text in (self._cap.seeds if self._cap else ()) if text.strip()]
        rows = text_rows(*encode_windows(self._encoder, texts))
        centers = kmeans(rows, clusters_for(len(texts)), self._cap.rng_seed if self._cap else 0)
        nearest = Nearest(centers.shape[1])
        nearest.add(centers)
        return nearest
