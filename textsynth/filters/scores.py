"""The raw scores of a candidate against the seeds; each is 0 or more, and higher is closer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsynth.records import Seed, text_of
from textsynth.similarity.encoder import Encoder, windows
from textsynth.similarity.rows import RowIndex
from textsynth.similarity.spans import ShingleIndex, SpanIndex, tokens

Rows = NDArray[np.float32]


class SeedScores:
    """Longest shared run (tokens), shingle overlap, cosine of the nearest window, similarity of the closest row.

    Args:
        seeds: what is compared with; `cluster` numbers their near-duplicate clusters.
        text: written fields; none: no text scores.
        columns: the fields of a row; none: no row score.
        encoder: None: no paraphrase score.
    """

    # the least spread of each raw score, so that seeds that hardly differ do not make noise look like a copy
    floors = {"span": 2.0, "overlap": 0.05, "similarity": 0.02, "row_similarity": 0.02}

    def __init__(
        self,
        seeds: Sequence[Seed],
        cluster: Mapping[str, int],
        text: Sequence[str],
        columns: Sequence[str],
        encoder: Encoder | None,
    ) -> None:
        groups = [cluster[seed.id] for seed in seeds]
        texts = [text_of(seed.data, text) for seed in seeds]
        words = [tokens(one) for one in texts]
        self._has_text = any(words)
        self._spans = SpanIndex(words, groups) if self._has_text else None
        self._shingles = ShingleIndex(words, groups) if self._has_text else None
        self._row_index = RowIndex([seed.data for seed in seeds], columns, groups) if columns else None
        self._encoder = encoder if self._has_text else None
        self._groups = np.array(groups)
        self._texts = texts
        self._seed_rows: Rows | None = None
        self._owners: NDArray[np.int64] = np.zeros(0, np.int64)
        self._rows: dict[str, Rows] = {}
        names = (
            ("span", self._spans),
            ("overlap", self._shingles),
            ("similarity", self._encoder),
            ("row_similarity", self._row_index),
        )
        self.names = [name for name, part in names if part is not None]

    def encode(self, texts: Sequence[str]) -> None:
        """Encode a round's texts at once; `raw` then finds them."""
        self._rows = {}
        if self._encoder is not None and texts:
            self._encode(texts)

    def raw(
        self, text: str, fields: Mapping[str, Any], without: int | None = None
    ) -> tuple[dict[str, float], dict[str, int]]:
        """Each raw score, and the position of the seed that gave it (-1: none); cluster `without` is passed over."""
        found: dict[str, tuple[float, int]] = {}
        words = tokens(text)
        if self._spans is not None and self._shingles is not None:
            found["span"] = self._spans.longest(words, without)
            found["overlap"] = self._shingles.most(words, without)
        if self._encoder is not None:
            found["similarity"] = self._nearest(text, without)
        if self._row_index is not None:
            found["row_similarity"] = self._row_index.closest(fields, without)
        return {k: float(v) for k, (v, _) in found.items()}, {k: at for k, (_, at) in found.items()}

    def _nearest(self, text: str, without: int | None) -> tuple[float, int]:
        seed_rows = self._seed_rows if self._seed_rows is not None else self._encode_seeds()
        if text not in self._rows:
            self._encode([text])
        similarity = (seed_rows @ self._rows[text].T).max(axis=1)
        if without is not None:
            similarity = np.where(self._groups[self._owners] == without, -1.0, similarity)
        if not len(similarity):
            return 0.0, -1
        best = int(similarity.argmax())
        return max(float(similarity[best]), 0.0), int(self._owners[best])

    def _encode_seeds(self) -> Rows:
        rows = self._encode(self._texts)
        self._owners = np.repeat(np.arange(len(rows)), [len(some) for some in rows])
        self._seed_rows = np.concatenate(rows)
        return self._seed_rows

    def _encode(self, texts: Sequence[str]) -> list[Rows]:
        """The rows of each text's windows, encoded at once and kept for `raw`."""
        if self._encoder is None:
            raise AssertionError("texts are encoded only where there is an encoder")
        pieces = [windows(text) for text in texts]
        ends = np.cumsum([len(some) for some in pieces])[:-1]
        rows = np.split(self._encoder.encode([piece for some in pieces for piece in some]), ends)
        self._rows |= dict(zip(texts, rows, strict=True))
        return rows
