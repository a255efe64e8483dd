"""Texts as tokens, and tokens as 64-bit hashes: what spans, shingles and near duplicates are made of.

A token is a Unicode word, or one character in scripts that are written without spaces. Texts are compared after
NFKC, case folding, and dropping punctuation and white space; digits are kept.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_RUN = re.compile(r"\S+", re.ASCII)
_BEYOND, _BREAK, _SINGLE = re.compile(r"[^\x00-\x7f]+"), re.compile(r"\W+"), re.compile(f"[{_UNSPACED}]")
_ODD = 0x9E3779B97F4A7C15  # from the golden ratio: spreads the bits of products
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_CHUNK = 1 << 16  # characters hashed at once: what they need stays in the processor's cache
# Of a text in ASCII, or of tokens in UTF-8: what is no part of a token becomes zero, and letters become small.
_FOLDED = bytes(b if b > 127 else ord(chr(b).lower()) if chr(b).isalnum() else 0 for b in range(256))


def tokens(text: str) -> list[str]:
    """The tokens of a text, normalized: `tokens("A 54-Year-old…") == ["a", "54", "year", "old"]`."""
    return _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())


def places(text: str) -> list[tuple[int, int]]:
    """Where each token of `tokens(text)` stands in the text: its first character, and the one after its last.

    Where normalizing joins characters, as an e and an accent, a token has the whole of its run without white space.
    """
    if text.isascii():
        return [found.span() for found in _TOKEN.finditer(text)]
    standing: list[tuple[int, int]] = []
    for run in _RUN.finditer(text):  # nothing is joined across white space
        folded = [unicodedata.normalize("NFKC", one).casefold() for one in run[0]]
        origin = [at for at, some in enumerate(folded, run.start()) for _ in some]
        found, wanted = list(_TOKEN.finditer("".join(folded))), tokens(run[0])
        if [one[0] for one in found] == wanted:
            standing += [(origin[one.start()], origin[one.end() - 1] + 1) for one in found]
        else:
            standing += [run.span()] * len(wanted)
    return standing


@dataclass(frozen=True)
class Tokens:
    """The tokens of many texts, one after another.

    Attributes:
        ids: a hash for each token (uint64).
        starts: where each text begins in `ids`, and where the last one ends: one more number than texts.
    """

    ids: Hashes
    starts: Ints

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, text: int) -> Hashes:
        return self.ids[self.starts[text] : self.starts[text + 1]]

    def owners(self) -> Ints:
        """The number of the text that each token is in."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))


def tokenize(texts: Sequence[str]) -> Tokens:
    """The tokens of many texts, the same ones as `tokens` gives, as hashes that are the same in every process.

    A hash is a polynomial of the token's UTF-8 bytes modulo 2^64, mixed. All tokens of a chunk of texts are hashed at
    once, from differences of running sums (Karp and Rabin, 1987).
    """
    ids, counts = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for chunk in _chunks(texts):
        plain = [text if text.isascii() else _spaced(text) for text in chunk]
        folded = "\0".join(["", *plain, ""]).encode().translate(_FOLDED)
        some, starts = _hashed(np.frombuffer(folded, np.uint8))
        lengths = [len(text) if text.isascii() else len(text.encode()) for text in plain]
        ends = np.cumsum(np.array(lengths, np.int64) + 1)
        ids.append(some)
        counts.append(np.diff(np.searchsorted(starts, ends), prepend=0))
    return Tokens(np.concatenate(ids), _starts(np.concatenate(counts)))


def runs(words: Tokens, size: int) -> Tokens:
    """For each text the hashes of its runs of `size` tokens, in order and with repeats.

    A shorter text is one run, one without tokens has none.
    """
    lengths = np.diff(words.starts)
    counts = np.where(lengths > 0, np.maximum(lengths - size + 1, 1), 0)
    starts = _starts(counts)
    # the first token of each run: its number among the runs, moved by what earlier texts have more tokens than runs
    first = np.arange(starts[-1]) + np.repeat(words.starts[:-1] - starts[:-1], counts)
    widths = np.repeat(np.minimum(lengths, size), counts)
    hashes = np.zeros(len(first), np.uint64)
    last = max(len(words.ids) - 1, 0)
    for at in range(size):
        longer = hashes * np.uint64(_ODD) + words.ids[np.minimum(first + at, last)]
        hashes = np.where(at < widths, longer, hashes) if (lengths < size).any() else longer
    return Tokens(hashes, starts)


def shingles(words: Tokens, size: int) -> Tokens:
    """For each text its runs of `size` tokens as a set: sorted distinct hashes."""
    repeated = runs(words, size)
    hashes, starts = repeated.ids, repeated.starts
    for low, high in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        hashes[low:high].sort()
    fresh = np.ones(len(hashes), bool)
    fresh[1:] = hashes[1:] != hashes[:-1]
    fresh[starts[:-1][np.diff(starts) > 0]] = True
    distinct = np.concatenate([[0], np.cumsum(fresh)])
    return Tokens(hashes[fresh], distinct[starts])


def _spaced(text: str) -> str:
    """A text normalized, with every token of it between characters in ASCII that are part of none."""
    return _BEYOND.sub(lambda run: _apart(run[0]), unicodedata.normalize("NFKC", text).casefold())


@lru_cache(maxsize=4096)  # most are quotes and dashes, over and over
def _apart(run: str) -> str:
    return _SINGLE.sub(r" \g<0> ", _BREAK.sub(" ", run))


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """The texts in pieces of about `_CHUNK` characters."""
    low, size = 0, 0
    for high, text in enumerate(texts):
        if size and size + len(text) > _CHUNK:
            yield texts[low:high]
            low, size = high, 0
        size += len(text) + 1
    if low < len(texts):
        yield texts[low:]


def _hashed(folded: NDArray[np.uint8]) -> tuple[Hashes, Ints]:
    """The hash of each run of bytes that are not zero, and where it starts. The first and the last byte are zero."""
    inside = folded != 0
    edges = np.flatnonzero(inside[1:] != inside[:-1])  # the byte before a run, and its last byte
    before, last = edges[0::2], edges[1::2]
    power, inverse = _powers(1 << len(folded).bit_length())
    sums = np.cumsum(folded * power[: len(folded)])
    hashes = (sums[last] - sums[before]) * inverse[before]
    hashes ^= hashes >> np.uint64(32)
    hashes *= _MIX
    hashes ^= hashes >> np.uint64(29)
    return hashes, before + 1


@lru_cache(maxsize=2)
def _powers(count: int) -> tuple[Hashes, Hashes]:
    """The powers of an odd number modulo 2^64, and of its inverse, from exponent 1 on."""
    up, down = (np.full(count, base, np.uint64) for base in (_ODD, pow(_ODD, -1, 2**64)))
    np.cumprod(up, out=up)
    np.cumprod(down, out=down)
    return up, down


def _starts(counts: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
