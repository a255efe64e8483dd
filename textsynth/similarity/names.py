"""Equal keys under one name: a hash table that is filled and read in bulk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from textsynth.similarity.words import Hashes, Ints

Small = NDArray[np.int32]

_ODD = 0x9E3779B97F4A7C15  # from the golden ratio: spreads the bits of products
_MANY = 1 << 16


class Names:
    """Names each key by the first place that has it. Keys are compared whole, so none passes for another.

    Args:
        keys: the key of each place; fewer than 2^31.
        places: the places that count, in ascending order.

    Attributes:
        names: for each place the name of its key, -1 for a place that does not count.
    """

    def __init__(self, keys: Hashes, places: Ints) -> None:
        self._keys = keys
        self._tables: list[Small] = []
        self.names: Small = np.full(len(keys), -1, np.int32)
        while len(places):
            # A slot or two for each of many places; more where they are few, so that further tables are seldom asked.
            spare = min(2 * len(self._tables) + 2 * (len(places) < _MANY), 4)
            table: Small = np.full(1 << len(places).bit_length() + spare, -1, np.int32)
            mine = keys[places]
            slots = _slots(mine, table, len(self._tables))
            table[slots[::-1]] = places[::-1]  # of equal slots the last assignment stays, which is of the first place
            first = table[slots]
            same = keys[first] == mine
            self.names[places[same]] = first[same]
            self._tables.append(table)
            places = places[~same]  # another key has their slot: they go to the next table

    def find(self, keys: Hashes) -> Ints:
        """The name of each of these keys, -1 for one that no place has."""
        found = np.full(len(keys), -1, np.int64)
        left = np.arange(len(keys))
        for number, table in enumerate(self._tables):
            first = table[_slots(keys, table, number)]
            taken = first >= 0
            same = taken & (self._keys[first] == keys)
            found[left[same]] = first[same]
            other = taken & ~same
            left, keys = left[other], keys[other]
            if not len(left):
                break
        return found

    def others(self, groups: Ints) -> Small:
        """For each name the first place that has its key and another group than the name's place; -1 without."""
        places = np.flatnonzero(self.names >= 0)
        places = places[groups[places] != groups[self.names[places]]][::-1]
        second: Small = np.full(len(self.names), -1, np.int32)
        second[self.names[places]] = places
        return second


def pairs(a: Small | Ints, b: Small | Ints) -> Hashes:
    """Two numbers from 0 to 2^31 as one."""
    return (a.astype(np.uint64) << np.uint64(32)) | b.astype(np.uint64)


def _slots(keys: Hashes, table: Small, number: int) -> Hashes:
    """Where in a table of 2^n slots each key belongs: the upper bits of a product, another one for each table."""
    odd = np.uint64(pow(_ODD, number + 1, 2**64))
    return (keys * odd) >> np.uint64(65 - len(table).bit_length())
