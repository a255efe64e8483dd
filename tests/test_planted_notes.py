"""The planted notes of eval/: every fact stands where it is said to, and a contradiction changes only its own."""

from __future__ import annotations

import random
import re
import sys
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EVAL = Path(__file__).resolve().parents[1] / "eval"
DATA = EVAL.parents[1] / "shared/data/clinical/synthea_patients.dev.jsonl.gz"
HALVES = ("dev", "test", "fresh")
LISTS = ("problems", "medications", "allergies", "vitals", "labs")

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="shared/data is not here")


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EVAL))
    import planted_notes

    return sys.modules[planted_notes.__name__]


def pointers(facts: dict[str, Any]) -> set[str]:
    listed = {f"/{kind}/{i}" for kind in LISTS for i in range(len(facts[kind]))}
    return {"/age", "/sex", "/admitted", "/discharged"} | listed


@pytest.mark.parametrize("half", HALVES)
def test_every_fact_stands_in_the_note_among_distractors(notes: ModuleType, half: str) -> None:
    rng = random.Random(1)
    for facts in notes.patients(25, 1):
        text, planted = notes.write_note(facts, rng, half)
        assert {pointer for pointer, _, _ in planted.facts} == pointers(facts)
        assert all(text[start:end].strip() == text[start:end] != "" for _, start, end in planted.facts)
        assert len({why for *_, why in planted.distractors}) >= 2
        named = [(name, text[start:end]) for kind, name, start, end, why in planted.distractors if why == "stopped"]
        assert all(name.lower() == stands.lower() for name, stands in named)


@pytest.mark.parametrize("half", HALVES)
def test_a_contradiction_changes_the_note_and_leaves_the_rest(notes: ModuleType, half: str) -> None:
    rng, made = random.Random(2), set()
    for facts in notes.patients(25, 2):
        text, planted = notes.write_note(facts, rng, half)
        for what in notes.CONTRADICTIONS:
            changed = notes.contradict(facts, text, planted, what, rng)
            made |= {what} if changed else set()
            assert changed != text and not re.search(r"[{}\ue000\ue001]|\[\w+(/[^:\]]+)?:", changed or "")
            if changed and what == "vital":
                kept = [text[s:e] for p, s, e in planted.facts if not p.startswith("/vitals")]
                assert all(part in changed for part in kept)
    assert made == set(notes.CONTRADICTIONS)


def test_a_note_is_contradicted_only_with_its_own_facts(notes: ModuleType) -> None:
    one, other = notes.patients(2, 3)
    text, planted = notes.write_note(one, random.Random(3))
    with pytest.raises(ValueError, match="not the note"):
        notes.contradict(other, text, planted, "age", random.Random(3))


@pytest.mark.parametrize(("one", "other"), list(combinations(HALVES, 2)))
def test_the_halves_share_no_phrase(notes: ModuleType, one: str, other: str) -> None:
    from planted import distractors, layouts, phrases

    tables = [phrases.INTRO, phrases.DEMO, phrases.STAY, phrases.DATES, phrases.LISTS, layouts.LAYOUTS]
    for table in [*tables, distractors.DENIED, distractors.NEGATED]:
        assert not set(table[one]) & set(table[other])
        assert len(table[one]) == len(table[other]) >= 4
    assert not set(layouts.LAYOUTS[one].values()) & set(layouts.LAYOUTS[other].values())
    for table in (phrases.CARRIERS, distractors.DISTRACTORS):
        for kind, said in table[one].items():
            assert not set(said) & set(table[other][kind])
            assert len(said) == len(table[other][kind]) >= 6


def test_the_fresh_half_has_its_own_names(notes: ModuleType) -> None:
    from planted import distractors, fresh_names, names

    assert fresh_names.PROBLEMS.keys() == names.PROBLEMS.keys() and fresh_names.DRUGS.keys() == names.DRUGS.keys()
    for table in ("DISEASES", "SYMPTOMS", "PASTS", "FAMILIAL", "RISKS", "CLOTS", "STOPPED", "OTHERS"):
        assert not set(getattr(fresh_names, table)) & set(getattr(distractors, table))
    others = {name: {n for half in said[1:] for n in half.split("/")} for name, said in names.PROBLEMS.items()}
    shared = [n for name, said in fresh_names.PROBLEMS.items() for n in said.split("/") if n in others[name]]
    assert len(shared) < 5
