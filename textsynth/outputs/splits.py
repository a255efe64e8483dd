"""Parts of a set that share no near duplicate and no source seed."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence

from textsynth.errors import InputError


def parse_shares(text: str) -> dict[str, float]:
    """`train=0.8,test=0.2` as shares of 1.

    Raises:
        InputError: a part has no name or no share above 0, a name is no plain word, or there is one part only.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = (piece.strip() for piece in part.partition("="))
        try:
            shares[name] = float(share)
        except ValueError:
            shares[name] = -1.0
        if not name.isidentifier() or not 0 < shares[name] < float("inf"):
            raise InputError(f"export: --split has {part.strip()!r}. Use NAME=SHARE, such as train=0.9,test=0.1.")
    if len(shares) < 2:
        raise InputError(f"export: --split is {text}. Name two parts or more, such as train=0.9,test=0.1.")
    whole = sum(shares.values())
    return {name: share / whole for name, share in shares.items()}


def joined(*labels: Sequence[Hashable | None]) -> list[int]:
    """One group number for each item: items that share any label, directly or through others, are in one group.

    None is shared with nobody.
    """
    count = len(labels[0])
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for some in labels:
        first: dict[Hashable, int] = {}
        for item, label in enumerate(some):
            if label is not None:
                parent[root(item)] = root(first.setdefault(label, item))
    return [root(item) for item in range(count)]


def assign(
    groups: Sequence[Hashable], strata: Sequence[Hashable], shares: Mapping[str, float], rng: random.Random
) -> list[str]:
    """The part of each item: whole groups go to one part, and each part gets its share of every stratum.

    Groups are placed from the largest to the smallest, each where most of its strata is still wanted; a group that is
    larger than what is wanted makes its part too large.
    """
    members: dict[Hashable, Counter[Hashable]] = defaultdict(Counter)
    for group, stratum in zip(groups, strata, strict=True):
        members[group][stratum] += 1
    sizes = Counter(strata)
    wanted = {name: {stratum: share * size for stratum, size in sizes.items()} for name, share in shares.items()}
    order = list(members)
    rng.shuffle(order)
    order.sort(key=lambda group: -members[group].total())
    place: dict[Hashable, str] = {}
    for group in order:
        needs = {name: sum(min(left[s], count) for s, count in members[group].items()) for name, left in wanted.items()}
        shortest = {name: sum(left[s] for s in members[group]) / shares[name] for name, left in wanted.items()}
        place[group] = max(shares, key=lambda name: (needs[name], shortest[name]))
        for stratum, count in members[group].items():
            wanted[place[group]][stratum] -= count
    return [place[group] for group in groups]
