"""Splits that share no group."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textsynth.errors import InputError
from textsynth.outputs.splits import assign, joined, parse_shares


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from("ab")), min_size=1, max_size=80), st.integers(0, 5))
def test_a_group_is_never_in_two_parts(items: list[tuple[int, str]], rng_seed: int) -> None:
    groups, strata = [group for group, _ in items], [stratum for _, stratum in items]
    places = assign(groups, strata, {"train": 0.7, "test": 0.3}, random.Random(rng_seed))
    found = defaultdict(set)
    for group, place in zip(groups, places, strict=True):
        found[group].add(place)
    assert all(len(some) == 1 for some in found.values())


def test_each_part_gets_its_share_of_every_stratum() -> None:
    strata = ["rare"] * 20 + ["usual"] * 180
    places = assign(range(200), strata, {"train": 0.8, "validation": 0.1, "test": 0.1}, random.Random(1))
    assert Counter(zip(places, strata, strict=True)) == {
        ("train", "rare"): 16, ("train", "usual"): 144, ("test", "rare"): 2, ("test", "usual"): 18,
        ("validation", "rare"): 2, ("validation", "usual"): 18,
    }  # fmt: skip


def test_what_shares_any_label_is_one_group() -> None:
    clusters, seeds = [0, 1, 1, 2, 3], ["a", None, "b", "b", None]
    found = joined(clusters, seeds)
    assert found[1] == found[2] == found[3]
    assert len(set(found)) == 3


def test_shares_add_up() -> None:
    assert parse_shares("train=8, test=2") == {"train": 0.8, "test": 0.2}


@pytest.mark.parametrize("text", ["train", "train=0.9", "train=0.9,test=x", "a b=1,c=1", "train=1,test=0", "x=inf,y=1"])
def test_bad_shares(text: Any) -> None:
    with pytest.raises(InputError, match="export: --split"):
        parse_shares(text)
