"""Runs and shingles of tokens that texts share with a set of texts. Arrays in and out, no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textsynth.similarity.names import Names, Small, pairs
from textsynth.similarity.words import Hashes, Ints, Tokens, shingles

Floats = NDArray[np.float64]

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)  # of a pair the second number, and where the first begins
_STEPS = {1: 2, 2: 4, 4: 6, 6: 8}  # the lengths of windows that are looked up; from 8 on they double
_PARTS = {after: step for step, after in _STEPS.items()}
_AT_ONCE = 1 << 22  # places that are looked through at once


class _Texts:
    """The texts that are looked up, and what was found for each."""

    def __init__(self, tokens: Tokens, without: Sequence[int] | None) -> None:
        self.owner, self.room = tokens.owners(), _room(tokens)
        self.passed = None if without is None else np.asarray(without, np.int64)[self.owner]
        self.length, self.place, self.start = (np.zeros(len(tokens), np.int64) for _ in range(3))

    def having(self, at: Ints) -> NDArray[np.bool_]:
        """Which texts have any of these windows."""
        some = np.zeros(len(self.length), np.bool_)
        some[self.owner[at]] = True
        return some

    def settle(self, at: Ints, place: Ints, length: int | Ints) -> None:
        """The longest runs so far: windows in ascending order, where the index has them, their lengths."""
        owner = self.owner[at]
        first = np.flatnonzero(np.diff(owner, prepend=-1))
        self.length[owner] = length
        if len(first):
            least = np.minimum.reduceat(place, first)
            mine = np.flatnonzero(place == np.repeat(least, np.diff(first, append=len(at))))
            self.place[owner[first]] = least
            self.start[owner[first]] = at[mine[np.diff(owner[mine], prepend=-1) > 0]]


@dataclass(frozen=True)
class _Hits:
    """Windows of one length that the index has: where they begin, their first allowed places, names by beginning."""

    at: Ints
    place: Ints
    name_at: Ints


class SpanIndex:
    """Finds the longest run of tokens that a text shares with any indexed text.

    Windows of tokens are named so that equal ones have one name; the name of a window is made of those of two shorter
    ones that cover it (Karp, Miller and Rosenberg, "Rapid identification of repeated patterns in strings, trees and
    arrays", 1972). Tokens are compared by their hashes, windows by names, so none passes for another. A text's windows
    are looked up in steps of length as far as the index has them; between two steps the length is found by bisection
    among the places that have the shorter window. So no step costs more than a pass over all tokens, however often
    they repeat.

    Args:
        tokens: the indexed texts, fewer than 2^31 tokens.
        groups: a number of 0 or more for each text, its own position where None; see `longest`.
    """

    def __init__(self, tokens: Tokens, groups: Sequence[int] | None = None) -> None:
        self._ids, self._owner, self._room = tokens.ids, tokens.owners(), _room(tokens)
        self._group = np.asarray(range(len(tokens)) if groups is None else groups, np.int64)[self._owner]
        self._levels: dict[int, Names] = {}
        self._others: dict[int, Small] = {}
        self._repeats: dict[int, tuple[Small, Ints]] = {}

    def longest(self, tokens: Tokens, without: Sequence[int] | None = None) -> tuple[Ints, Ints]:
        """For each text the length of the longest shared run, and the first indexed text that has one so long.

        The result for a text does not depend on those beside it.

        Args:
            tokens: the texts that are looked up.
            without: for each of them the group of indexed texts that is passed over; -1: none.

        Returns:
            Lengths in tokens, and positions of indexed texts: -1 where the length is 0.
        """
        return self.longest_at(tokens, without)[:2]

    def longest_at(self, tokens: Tokens, without: Sequence[int] | None = None) -> tuple[Ints, Ints, Ints]:
        """As `longest`, and where in each text a run begins that the indexed text has, in tokens from 0; or -1."""
        texts, step = _Texts(tokens, without), 1
        hits = self._hits(step, np.arange(len(tokens.ids)), tokens.ids, texts)
        while len(hits.at):
            longer = self._longer(step, hits, texts)
            stay = ~texts.having(longer.at)[texts.owner[hits.at]]
            texts.settle(hits.at[stay], hits.place[stay], step)
            self._between(step, hits, hits.at[stay], texts)
            step, hits = _after(step), longer
        owners, starts = np.full((2, len(tokens)), -1, np.int64)
        some = texts.length > 0
        owners[some] = self._owner[texts.place[some]]
        starts[some] = (texts.start - tokens.starts[:-1])[some]
        return texts.length, owners, starts

    def _level(self, step: int) -> Names:
        """The names of the windows of `step` tokens, made when first asked for."""
        if step not in self._levels:
            keys = self._ids
            if step > 1:
                part = _PARTS.get(step, step // 2)
                names = self._level(part).names
                keys = pairs(names[: part - step], names[step - part :])
            self._levels[step] = Names(keys, np.flatnonzero(self._room >= step))
        return self._levels[step]

    def _hits(self, step: int, at: Ints, keys: Hashes, texts: _Texts) -> _Hits:
        """Of the windows of `step` tokens that begin at `at` those that the index has."""
        level = self._level(step)
        names = level.find(keys)
        at, names = at[names >= 0], names[names >= 0]
        places = names
        if texts.passed is not None:
            if step not in self._others:
                self._others[step] = level.others(self._group)
            places = np.where(self._group[names] == texts.passed[at], self._others[step][names], names)
            at, names, places = at[places >= 0], names[places >= 0], places[places >= 0]
        name_at = np.full(len(texts.owner), -1, np.int64)
        name_at[at] = names
        return _Hits(at, places, name_at)

    def _longer(self, step: int, hits: _Hits, texts: _Texts) -> _Hits:
        """The windows of the next step whose two parts are hits, as far as the index has them."""
        length = _after(step)
        at = hits.at[texts.room[hits.at] >= length]
        second = hits.name_at[at + length - step]
        at, second = at[second >= 0], second[second >= 0]
        return self._hits(length, at, pairs(hits.name_at[at], second), texts)

    def _between(self, step: int, hits: _Hits, at: Ints, texts: _Texts) -> None:
        """Settle texts whose longest run has `step` tokens or more, and less than twice as many."""
        half = (_after(step) - step) // 2
        while half and len(at):
            beyond = texts.length[texts.owner[at]] + half - step
            fit = np.flatnonzero(texts.room[at] >= step + beyond)
            fit = fit[hits.name_at[at[fit] + beyond[fit]] >= 0]
            place = self._extended(step, at[fit], beyond[fit], hits, texts) if len(fit) else fit
            won, place = fit[place >= 0], place[place >= 0]
            texts.settle(at[won], place, step + beyond[won])
            keep = ~texts.having(at[won])[texts.owner[at]]
            keep[won] = True  # where a text has longer runs, the longest is one of them
            at, half = at[keep], half // 2

    def _extended(self, step: int, at: Ints, beyond: Ints, hits: _Hits, texts: _Texts) -> Ints:
        """The first allowed place of each window of `step + beyond` tokens that begins at `at`; -1 without."""
        found = np.full(len(at), -1, np.int64)
        wanted, kind = np.unique(hits.name_at[at] * step + beyond, return_inverse=True)
        names, more = wanted // step, wanted % step
        repeats, repeated = self._repeated(step)
        low, high = np.searchsorted(repeated, names, "left"), np.searchsorted(repeated, names, "right")
        chunk = np.cumsum(high - low + 1) // _AT_ONCE
        ends = pairs(kind, hits.name_at[at + beyond])
        for number in range(int(chunk[-1]) + 1 if len(chunk) else 0):
            some = np.flatnonzero(chunk == number)
            counts = high[some] - low[some]
            places = np.concatenate([names[some], repeats[_ranges(low[some], counts)]])
            kinds = np.concatenate([some, np.repeat(some, counts)])
            last = self._level(step).names.take(places + more[kinds], mode="clip")
            table = Names(pairs(kinds, last), np.flatnonzero(self._room[places] >= step + more[kinds]))
            mine = np.flatnonzero(chunk[kind] == number)
            hit = table.find(ends[mine])
            mine, hit = mine[hit >= 0], hit[hit >= 0]
            if texts.passed is not None:
                groups = self._group[places]
                hit = np.where(groups[hit] == texts.passed[at[mine]], table.others(groups)[hit], hit)
                mine, hit = mine[hit >= 0], hit[hit >= 0]
            found[mine] = places[hit]
        return found

    def _repeated(self, step: int) -> tuple[Small, Ints]:
        """Places of windows that an earlier place has too, by name and then in ascending order; and their names."""
        if step not in self._repeats:
            names = self._level(step).names
            places = np.flatnonzero((names >= 0) & (names != np.arange(len(names))))
            both = np.sort(pairs(names[places], places))
            self._repeats[step] = (both & _LOW).astype(np.int32), (both >> _HALF).astype(np.int64)
        return self._repeats[step]


class ShingleIndex:
    """Finds the indexed text that shares the largest part of its shingles with a text.

    The part is |A & B| / min(|A|, |B|), the overlap coefficient or containment: 1 where one text holds all of the
    other. It is the same in both directions.

    Args:
        tokens: the indexed texts.
        groups: as for SpanIndex.
        size: tokens in a shingle.
    """

    def __init__(self, tokens: Tokens, groups: Sequence[int] | None = None, size: int = 3) -> None:
        self._size = size
        sets = shingles(tokens, size)
        self._sizes = np.diff(sets.starts)
        self._names = Names(sets.ids, np.arange(len(sets.ids)))
        self._owners = (np.sort(pairs(self._names.names, sets.owners())) & _LOW).astype(np.int64)
        self._counts = np.bincount(self._names.names, minlength=len(sets.ids))
        self._first = np.cumsum(self._counts) - self._counts
        self._group = np.asarray(range(len(sets)) if groups is None else groups, np.int64)

    def most(self, tokens: Tokens, without: Sequence[int] | None = None) -> tuple[Floats, Floats, Ints]:
        """For each text the largest containment, the Jaccard similarity with the text that has it, and its position.

        Of several the first; 0.0, 0.0 and -1 without any. Arguments as for `SpanIndex.longest`.
        """
        sets = shingles(tokens, self._size)
        names = self._names.find(sets.ids)
        counts = np.where(names >= 0, self._counts[names], 0) if len(self._owners) else np.zeros(len(names), np.int64)
        totals = np.concatenate([[0], np.cumsum(counts)])[sets.starts]
        sizes, passed = np.diff(sets.starts), None if without is None else np.asarray(without, np.int64)
        shared, owners = np.zeros(len(sets), np.int64), np.full(len(sets), -1, np.int64)
        for text in np.flatnonzero(np.diff(totals)).tolist():
            low, high = sets.starts[text], sets.starts[text + 1]
            known = names[low:high] >= 0
            hits = self._owners[_ranges(self._first[names[low:high][known]], counts[low:high][known])]
            if passed is not None:
                hits = hits[self._group[hits] != passed[text]]
            if len(hits):
                together = np.bincount(hits, minlength=len(self._sizes))
                owners[text] = (together / np.minimum(self._sizes, sizes[text]).clip(1)).argmax()
                shared[text] = together[owners[text]]
        theirs = np.where(owners >= 0, self._sizes[owners], 1) if len(self._sizes) else np.ones(len(sets), np.int64)
        return shared / np.minimum(sizes, theirs).clip(1), shared / (sizes + theirs - shared).clip(1), owners


def _after(step: int) -> int:
    return _STEPS.get(step, step * 2)


def _room(tokens: Tokens) -> Ints:
    """How many tokens are left in the text from each token on, that one among them."""
    return np.repeat(tokens.starts[1:], np.diff(tokens.starts)) - np.arange(len(tokens.ids))


def _ranges(low: Ints, counts: Ints) -> Ints:
    """The numbers from each `low` on, as many as `counts` says, one after another."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(low - ends + counts, counts)
