"""Runs and shingles of tokens that a text shares with a set of texts. Arrays and lists in and out, no files.

A token is a Unicode word, or one character in scripts that are written without spaces. Texts are compared after
NFKC, case folding, and dropping punctuation and white space; digits are kept.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_ODD = 0x9E3779B97F4A7C15  # from the golden ratio: spreads the bits of products


def tokens(text: str) -> list[str]:
    """The tokens of a text, normalized: `tokens("A 54-Year-old…") == ["a", "54", "year", "old"]`."""
    return _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())


@dataclass(frozen=True)
class _Level:
    """All windows of one length: sorted hashes with, for each, a window from the lowest and the highest group."""

    hashes: Hashes
    low: Ints
    high: Ints


class SpanIndex:
    """Finds the longest run of tokens that a text shares with any indexed text.

    Windows of one length are compared by a 64-bit rolling hash (Karp and Rabin, 1987) in sorted arrays that are made
    when a length is first asked for; the length is found by doubling, then bisection, since every part of a shared
    run is shared too. A found run is compared token by token, so a hash collision cannot pass for one.

    Args:
        texts: token lists.
        groups: a number for each text; `longest(..., without=g)` passes over the texts of group g.
    """

    def __init__(self, texts: Sequence[Sequence[str]], groups: Sequence[int] | None = None) -> None:
        self._vocabulary: dict[str, int] = {}
        ids = [self._numbers(text, grow=True) for text in texts]
        self._stream = np.concatenate([np.zeros(0, np.int64), *ids])
        self._owner = np.repeat(np.arange(len(ids)), [len(i) for i in ids])
        self._group = np.asarray(range(len(ids)) if groups is None else groups, np.int64)
        self._levels: dict[int, _Level] = {}

    def longest(self, text: Sequence[str], without: int | None = None) -> tuple[int, int]:
        """The length of the longest shared run and the position of a text that has it; (0, -1) without one."""
        ids = self._numbers(text, grow=False)
        best, most = (0, -1), 1
        while most <= len(ids) and (owner := self._shared(ids, most, without)) >= 0:
            best, most = (most, owner), most * 2
        low, high = best[0], min(most, len(ids) + 1)
        while high - low > 1:
            middle = (low + high) // 2
            owner = self._shared(ids, middle, without)
            if owner >= 0:
                low, best = middle, (middle, owner)
            else:
                high = middle
        return best

    def _numbers(self, text: Sequence[str], grow: bool) -> Ints:
        words = self._vocabulary
        if grow:
            return np.array([words.setdefault(token, len(words) + 1) for token in text], np.int64)
        return np.array([words.get(token, 0) for token in text], np.int64)

    def _shared(self, ids: Ints, length: int, without: int | None) -> int:
        """The position of a text that has one of the windows of `ids`, or -1."""
        level = self._levels.get(length)
        if level is None:
            level = self._levels[length] = self._build(length)
        wanted = _window_hashes(ids, length)
        at = np.searchsorted(level.hashes, wanted)
        at[at == len(level.hashes)] = 0
        found: list[int] = np.flatnonzero(level.hashes[at] == wanted).tolist() if len(level.hashes) else []
        for start in found:
            for window in (level.low[at[start]], level.high[at[start]]):
                owner = int(self._owner[window])
                same = np.array_equal(self._stream[window : window + length], ids[start : start + length])
                if same and (without is None or self._group[owner] != without):
                    return owner
        return -1

    def _build(self, length: int) -> _Level:
        hashes = _window_hashes(self._stream, length)
        starts = np.arange(len(hashes))
        inside = self._owner[starts] == self._owner[starts + length - 1]  # a window never spans two texts
        starts = starts[inside]
        order = np.lexsort((self._group[self._owner[starts]], hashes[starts]))
        starts, sorted_hashes = starts[order], hashes[starts][order]
        unique, first, count = np.unique(sorted_hashes, return_index=True, return_counts=True)
        last = first + count - 1
        return _Level(unique, starts[first], starts[last])


class ShingleIndex:
    """Finds the indexed text that shares the largest part of its shingles with a text.

    The part is |A & B| / min(|A|, |B|), the overlap coefficient: 1 where one text holds all of the other. It is the
    same in both directions.

    Args:
        texts: token lists.
        groups: as for SpanIndex.
        size: tokens in a shingle.
    """

    def __init__(self, texts: Sequence[Sequence[str]], groups: Sequence[int] | None = None, size: int = 3) -> None:
        self._size = size
        sets = [shingle_hashes(text, size) for text in texts]
        hashes = np.concatenate([np.zeros(0, np.uint64), *sets])
        owners = np.repeat(np.arange(len(sets)), [len(s) for s in sets])
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._owners = hashes[order], owners[order]
        self._sizes = np.array([len(s) for s in sets], np.int64)
        self._group = np.asarray(range(len(sets)) if groups is None else groups, np.int64)

    def most(self, text: Sequence[str], without: int | None = None) -> tuple[float, int]:
        """The largest overlap (0..1) and the position of the text that has it; (0.0, -1) without any."""
        mine = shingle_hashes(text, self._size)
        low = np.searchsorted(self._hashes, mine, "left")
        high = np.searchsorted(self._hashes, mine, "right")
        lengths = high - low
        if not lengths.sum():
            return 0.0, -1
        ends = np.cumsum(lengths)
        hits = self._owners[np.arange(ends[-1]) - np.repeat(ends - lengths, lengths) + np.repeat(low, lengths)]
        shared = np.bincount(hits, minlength=len(self._sizes))
        part = shared / np.maximum(np.minimum(self._sizes, len(mine)), 1)
        if without is not None:
            part[self._group == without] = 0
        best = int(part.argmax())
        return (float(part[best]), best) if part[best] > 0 else (0.0, -1)


def shingle_hashes(text: Sequence[str], size: int) -> Hashes:
    """Sorted distinct 64-bit hashes of the runs of `size` tokens; a shorter text is one shingle, an empty one none."""
    if not text:
        return np.zeros(0, np.uint64)
    words = np.array([_token_hash(token) for token in text], np.uint64)
    return np.unique(_window_hashes(words, min(size, len(text))))


def _token_hash(token: str) -> int:
    """FNV-1a over UTF-8 bytes: the same in every process, unlike `hash`."""
    value = 0xCBF29CE484222325
    for byte in token.encode("utf-8", "surrogatepass"):
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def _window_hashes(ids: NDArray[np.int64] | Hashes, length: int) -> Hashes:
    """A hash for each run of `length` ids, by doubling: log2(length) passes over the array."""
    if len(ids) < length:
        return np.zeros(0, np.uint64)
    power = (ids.astype(np.uint64) + np.uint64(1)) * np.uint64(_ODD)
    power ^= power >> np.uint64(29)
    total, done, width, base = np.zeros(len(ids), np.uint64), 0, 1, _ODD
    while done < length:  # power[i] is the hash of the `width` ids at i, total[i] of the `done` ids at i
        if length & width:
            total = total[: len(power) - done] * np.uint64(base) + power[done:]
            done += width
        if done < length:
            power = power[: len(power) - width] * np.uint64(base) + power[width:]
            base, width = base * base % 2**64, width * 2
    return total
