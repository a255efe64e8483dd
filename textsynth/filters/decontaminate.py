"""Not a repeat of a benchmark's items, by the published rules and by meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from textsynth.filters.base import Memory
from textsynth.records import Record, Verdict, text_of
from textsynth.similarity.encoder import Encoder, encode_windows
from textsynth.similarity.spans import ShingleIndex, SpanIndex
from textsynth.similarity.words import tokenize

RUN, GRAM = 13, 8  # tokens


class DecontaminateFilter:
    """Refuses what shares too much with any text of a benchmark, as `contaminated` with the item's place.

    Three rules, each enough: a shared run of 13 tokens (Brown et al., "Language models are few-shot learners", 2020,
    appendix C), or of all tokens of a shorter item of eight or more; a share `max_overlap` of the runs of eight tokens
    of the shorter of the two (Chowdhery et al., "PaLM", 2022, 70%); a cosine of `max_similarity` of two windows.

    Args:
        items: place and text of the benchmarks' items, a place such as `gsm8k:12`; a text below eight tokens is too
            short to tell and passed over.
        text: the fields compared.
        encoder: None: no comparison of meaning.
    """

    name = "decontaminate"
    memory: Memory = "nothing"

    def __init__(
        self, items: Sequence[tuple[str, str]], text: Sequence[str], max_overlap: float, max_similarity: float | None,
        encoder: Encoder | None,
    ) -> None:  # fmt: skip
        tokens = tokenize([text for _, text in items])
        long = np.diff(tokens.starts) >= GRAM
        self._items = [item for item, enough in zip(items, long.tolist(), strict=True) if enough]
        self._short = len(items) - len(self._items)
        tokens = tokenize([text for _, text in self._items])
        self._sizes = np.diff(tokens.starts)
        self._spans, self._grams = SpanIndex(tokens), ShingleIndex(tokens, size=GRAM)
        self._text, self._overlap, self._similarity = tuple(text), max_overlap, max_similarity
        self._encoder = encoder if max_similarity is not None and self._items else None
        self._rows: Any = None  # of the items' windows; encoded at the first use
        self._owners: Any = None
        self._round: dict[str, tuple[dict[str, float | str], int]] = {}

    def prepare(self, records: Sequence[Record]) -> None:
        """Score a round's records in bulk."""
        texts = [text_of(record.fields or {}, self._text) for record in records]
        tokens = tokenize(texts)
        runs, run_of = self._spans.longest(tokens)
        overlaps, _, overlap_of = self._grams.most(tokens)
        cosines, cosine_of = self._cosines(texts)
        self._round = {}
        for at, record in enumerate(records):
            scores: dict[str, float | str] = {"run": int(runs[at]), "overlap": round(float(overlaps[at]), 6)}
            if self._encoder is not None:
                scores["similarity"] = round(float(cosines[at]), 6)
            item = -1
            if run_of[at] >= 0 and runs[at] >= min(RUN, self._sizes[run_of[at]]):
                item = int(run_of[at])
            elif overlap_of[at] >= 0 and overlaps[at] >= self._overlap:
                item = int(overlap_of[at])
            elif self._similarity is not None and cosines[at] >= self._similarity:
                item = int(cosine_of[at])
            self._round[record.id] = scores, item

    def check(self, record: Record) -> Verdict:
        """Accept, or refuse as `contaminated` with the place of the item."""
        scores, item = self._round[record.id]
        if item < 0:
            return Verdict(self.name, True, None, scores)
        return Verdict(self.name, False, "contaminated", scores, self._items[item][0])

    def remember(self, record: Record) -> None:
        """Nothing: a verdict rests on the benchmarks alone."""

    def evidence(self) -> Mapping[str, Any]:
        """Texts of each benchmark that are compared, how many were too short, and the thresholds."""
        names = [place.rpartition(":")[0] for place, _ in self._items]
        return {
            "benchmarks": {name: names.count(name) for name in dict.fromkeys(names)},
            "too_short": self._short,
            "run": RUN,
            "max_overlap": self._overlap,
            "max_similarity": self._similarity,
        }

    def _cosines(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """The highest cosine of each text with an item, and that item."""
        best, owners = np.full(len(texts), -1.0), np.full(len(texts), -1, np.int64)
        if self._encoder is None:
            return best, owners
        if self._rows is None:
            self._rows, starts = encode_windows(self._encoder, [text for _, text in self._items])
            self._owners = np.repeat(np.arange(len(self._items)), np.diff(starts))
        rows, starts = encode_windows(self._encoder, texts)
        for at in range(len(texts)):
            if starts[at] < starts[at + 1]:
                close = rows[starts[at] : starts[at + 1]] @ self._rows.T
                where = int(close.max(axis=0).argmax())
                best[at], owners[at] = close[:, where].max(), self._owners[where]
        return best, owners
