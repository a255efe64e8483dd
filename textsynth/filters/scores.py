"""The raw scores of many candidates against the seeds at once; each is 0 or more, and higher is closer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsynth.records import Seed, text_of
from textsynth.similarity.claims import NEAR, Claims, claims_of, paraphrase
from textsynth.similarity.encoder import Encoder, encode_windows, windows
from textsynth.similarity.rows import RowIndex
from textsynth.similarity.spans import ShingleIndex, SpanIndex
from textsynth.similarity.words import Tokens, tokenize

Rows = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BLOCK = 1 << 24  # most cosines held at a time (64 MB)
_ROUNDING = 1e-5  # a product of many rows at once is off by less than this from one of two rows


@dataclass(frozen=True)
class RawScores:
    """Scores of m candidates, by name: `values` [m], and in `owners` [m] the position of the seed that gave each.

    The position is -1 where no seed did. `beside` [m] is evidence that decides nothing: the token of the record's text,
    from 0, at which the run of `span` begins (-1: none), the Jaccard similarity with the seed of `overlap`, the plain
    cosine with the seed of `similarity`.
    """

    values: Mapping[str, Floats]
    owners: Mapping[str, Ints]
    beside: Mapping[str, Floats]


@dataclass(frozen=True)
class _Features:
    """What is compared of some records."""

    data: Sequence[Mapping[str, Any]]
    tokens: Tokens
    pieces: Sequence[str]  # the windows of all texts, text after text
    rows: Rows  # one a window
    starts: Ints  # where each text's windows start


class SeedScores:
    """Longest shared run (tokens), shingle overlap, similarity in meaning, similarity of the closest row.

    The overlap is containment, |A & B| / min(|A|, |B|) of runs of three tokens: a short seed inside a long record, or
    the other way around, has all of it, while their Jaccard similarity is small. The similarity in meaning is the
    highest cosine of two windows, lowered where their numbers, negations and names disagree (`claims.paraphrase`).
    All four are the same in both directions, which full conformal calibration rests on.

    Args:
        seeds: what is compared with; `cluster` numbers their near-duplicate clusters.
        text: written fields; none: no text scores.
        columns: the fields of a row; none: no row score.
        encoder: None: no similarity in meaning. Seeds are encoded at the first use.
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
        self._data, self._text = [seed.data for seed in seeds], tuple(text)
        self._groups = np.array([cluster[seed.id] for seed in seeds], np.int64)
        self._tokens = tokenize([text_of(data, text) for data in self._data])
        has_text = len(self._tokens.ids) > 0
        self._spans = SpanIndex(self._tokens, self._groups.tolist()) if has_text else None
        self._shingles = ShingleIndex(self._tokens, self._groups.tolist()) if has_text else None
        self._encoder = encoder if has_text else None
        self._row_index = RowIndex(self._data, columns, self._groups.tolist()) if columns else None
        self._seeds: _Features | None = None
        parts = (self._spans, self._shingles, self._encoder, self._row_index)
        self.names = [name for name, part in zip(self.floors, parts, strict=True) if part is not None]

    def of(self, data: Sequence[Mapping[str, Any]]) -> RawScores:
        """The scores of records against all seeds."""
        return self._against(self._features(data, tokenize([text_of(one, self._text) for one in data])), None)

    def among_seeds(self) -> RawScores:
        """The scores of each seed against those of other clusters."""
        return self._against(self._of_seeds(), self._groups)

    def _features(self, data: Sequence[Mapping[str, Any]], tokens: Tokens) -> _Features:
        if self._encoder is None:
            return _Features(data, tokens, (), np.zeros((0, 1), np.float32), np.zeros(len(data) + 1, np.int64))
        texts = [text_of(one, self._text) for one in data]
        rows, starts = encode_windows(self._encoder, texts)
        counts = np.diff(starts)
        pieces = [piece for text, count in zip(texts, counts, strict=True) if count for piece in windows(text)]
        return _Features(data, tokens, pieces, rows, starts)

    def _of_seeds(self) -> _Features:
        if self._seeds is None:
            self._seeds = self._features(self._data, self._tokens)
        return self._seeds

    def _against(self, them: _Features, without: Ints | None) -> RawScores:
        """Scores against the seeds; `without[i]` is the cluster that is passed over for record i."""
        values: dict[str, Floats] = {}
        owners: dict[str, Ints] = {}
        beside: dict[str, Floats] = {}
        passed = None if without is None else without.tolist()
        if self._spans is not None and self._shingles is not None:
            lengths, owners["span"], starts = self._spans.longest_at(them.tokens, passed)
            values["span"], beside["span_start"] = lengths.astype(np.float64), starts.astype(np.float64)
            values["overlap"], beside["jaccard"], owners["overlap"] = self._shingles.most(them.tokens, passed)
        if self._encoder is not None:
            values["similarity"], beside["cosine"], owners["similarity"] = self._nearest(them, without)
        if self._row_index is not None:
            values["row_similarity"], owners["row_similarity"] = self._row_index.closest(them.data, passed)
        return RawScores(values, owners, beside)

    def _nearest(self, them: _Features, without: Ints | None) -> tuple[Floats, Floats, Ints]:
        """For each record the highest similarity of two windows, their cosine, and the seed; 0, 0 and -1 without."""
        seeds, count = self._of_seeds(), len(them.starts) - 1
        best, cosines, owners = np.zeros(count), np.zeros(count), np.full(count, -1, np.int64)
        if not len(seeds.rows):
            return best, cosines, owners
        theirs = np.repeat(np.arange(len(self._data)), np.diff(seeds.starts))
        mine = np.repeat(np.arange(count), np.diff(them.starts))
        step = max(1, _BLOCK // len(seeds.rows))
        for first in range(0, len(mine), step):
            close = them.rows[first : first + step] @ seeds.rows.T
            if without is not None:
                close[without[mine[first : first + step], None] == self._groups[theirs]] = -np.inf
            for at, row in enumerate(close, first):
                record = mine[at]
                value, cosine, window = _closest(row, them.rows[at], them.pieces[at], seeds)
                if value > best[record]:
                    best[record], cosines[record], owners[record] = value, cosine, theirs[window]
        return best, cosines, owners


def _closest(close: Rows, row: Rows, piece: str, seeds: _Features) -> tuple[float, float, int]:
    """The highest similarity of one window with any of the seeds', its cosine, and which window of theirs it is.

    Claims never raise a cosine, and leave it alone up to NEAR. So windows are taken in falling order of cosine until
    what is left cannot win. The cosine of each is taken again by itself, so that it does not depend on the others.
    """
    top = float(close.max())
    if top == -np.inf:
        return 0.0, 0.0, 0
    near = np.flatnonzero(close >= min(top, NEAR) - _ROUNDING)
    best = (-1.0, 0.0, 0)
    for window in near[np.argsort(-close[near], kind="stable")].tolist():
        if close[window] + _ROUNDING < best[0]:
            break
        cosine = float((row.astype(np.float64) * seeds.rows[window]).sum())
        value = cosine
        if cosine > NEAR:
            value = paraphrase(cosine, _claims(piece), _claims(seeds.pieces[window]))
        if (value, -window) > (best[0], -best[2]):
            best = (value, cosine, window)
    return best


@lru_cache(maxsize=1 << 14)
def _claims(piece: str) -> Claims:
    return claims_of(piece)
