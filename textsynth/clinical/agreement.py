"""Whether a text states the facts that it was given, and no others: what the consistency filter decides by."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textsynth.clinical.extract import extract
from textsynth.clinical.mentions import Mention
from textsynth.clinical.names import side_of, words_of
from textsynth.clinical.quantities import dose_of
from textsynth.clinical.units import same
from textsynth.clinical.vocabulary import Vocabulary
from textsynth.records import Json

KINDS = {  # fields that are facts by their names
    "age": "age", "sex": "sex", "admitted": "date", "discharged": "date", "seen": "date", "problems": "problem",
    "diagnosis": "problem", "medications": "medication", "allergies": "allergy", "vitals": "vital", "labs": "lab",
    "side": "side",
}  # fmt: skip
CLOSED = ("problem", "symptom", "medication", "allergy", "vital", "lab")  # kinds that are found in any text
_NAMED = ("problem", "medication", "allergy")
Place = tuple[str, int, int]  # a fact's JSON Pointer, or a mention's kind, and characters of the text


@dataclass(frozen=True)
class Fact:
    """One fact of a record. `pointer` is a JSON Pointer (RFC 6901) into its fields; `name` is canonical.

    The `value` of a problem is its side, if it has one; of a drug its dose.
    """

    pointer: str
    kind: str
    name: str
    value: Any = None
    unit: str = ""
    problem: str = ""  # the canonical name of a phrase that is also a problem


@dataclass(frozen=True)
class Agreement:
    """What a text makes of its facts.

    Attributes:
        spans: where each fact is stated; missing: the pointers of facts that are not.
        contradicted: facts, and where the text says otherwise.
        unsupported: kinds, and where the text says what no fact does.
    """

    spans: Sequence[Place] = ()
    missing: Sequence[str] = ()
    contradicted: Sequence[Place] = ()
    unsupported: Sequence[Place] = ()


def closed_by(kinds: Collection[str]) -> list[str]:
    """The kinds of which a text states the facts alone, by default: those of its facts; symptoms go with problems."""
    return [kind for kind in CLOSED if kind in kinds or (kind == "symptom" and "problem" in kinds)]


def names_in(data: Mapping[str, Json], kinds: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Kind and name of all that is named in the facts of a record or a seed, for a Vocabulary."""
    for name, kind in kinds.items():
        for item in _items(data.get(name)):
            said = item.get("name") if isinstance(item, Mapping) else item
            if isinstance(said, str) and kind in ("problem", "medication", "allergy", "vital", "lab", "phrase"):
                yield kind, said


def facts_of(data: Mapping[str, Json], kinds: Mapping[str, str], vocabulary: Vocabulary) -> list[Fact]:
    """The facts in a record's fields.

    Args:
        kinds: the kind of each field that holds facts; a list holds one fact an item.
    """
    found = []
    for name, kind in kinds.items():
        several = isinstance(data.get(name), list)
        for at, item in enumerate(_items(data.get(name))):
            pointer = f"/{name}/{at}" if several else f"/{name}"
            entry = item if isinstance(item, Mapping) else {"name": item, "value": item}
            said = str(entry.get("name", ""))
            named = vocabulary.canonical(kind, said) if kind not in ("age", "sex", "date", "side") else name
            if kind == "medication":
                dose = dose_of(str(entry.get("dose") or ""))
                found.append(Fact(pointer, kind, named, dose[0] if dose else None, dose[1] if dose else ""))
            elif kind in ("vital", "lab"):
                value = entry.get("value")
                number = float(value) if isinstance(value, int | float) else None
                found.append(Fact(pointer, kind, named, number, str(entry.get("unit") or "")))
            else:
                own = item if kind in ("age", "sex", "date", "side") else side_of(said)
                also = vocabulary.canonical("problem", said) if kind == "phrase" else ""
                found.append(Fact(pointer, kind, named, own, "", also))
    return found


def agreement(text: str, facts: Sequence[Fact], vocabulary: Vocabulary, closed: Sequence[str]) -> Agreement:
    """Compare a text with the facts that it was given.

    Args:
        closed: kinds of which the text may state nothing but the facts.
    """
    mentions = extract(text, vocabulary)
    spans, missing, contradicted = list[Place](), list[str](), list[Place]()
    for fact in facts:
        stated = [m for m in mentions if _states(m, fact)]
        against = [m for m in mentions if _contradicts(m, fact, facts, bool(stated))]
        spans += [(fact.pointer, m.start, m.end) for m in stated]
        contradicted += [(fact.pointer, m.start, m.end) for m in against]
        if not stated and not against:
            missing.append(fact.pointer)
    taken = {(start, end) for _, start, end in contradicted}
    unsupported = [
        (m.kind, m.start, m.end)
        for m in mentions
        if m.kind in closed and m.status == "present" and (m.start, m.end) not in taken and not _supported(m, facts)
    ]
    return Agreement(spans, missing, contradicted, unsupported)


def _items(value: Json) -> list[Any]:
    return [] if value is None or value == "" else value if isinstance(value, list) else [value]


def _states(m: Mention, fact: Fact) -> bool:
    """Whether a mention states a fact."""
    if m.kind != fact.kind and not (fact.kind == "problem" and m.kind == "symptom") or m.status != "present":
        return False
    if fact.kind in ("age", "sex", "side"):
        return bool(m.value == fact.value)
    if fact.kind == "date":
        return m.value == fact.value and m.name in ("", "seen", fact.name)
    if m.name != fact.name:
        return False
    if fact.kind in ("vital", "lab", "medication") and fact.value is not None:
        return isinstance(m.value, float) and same(fact.name, m.value, m.unit, m.digits, fact.value, fact.unit)
    return not fact.value or m.value == fact.value  # a side, where the fact has one


def _contradicts(m: Mention, fact: Fact, facts: Sequence[Fact], stated: bool) -> bool:
    """Whether a mention says otherwise than a fact, and no other fact explains it."""
    if m.kind != fact.kind and not (fact.kind == "problem" and m.kind == "symptom"):
        return False
    if fact.kind in ("age", "sex"):
        return m.status == "present" and m.value != fact.value
    if fact.kind == "side":
        return m.status == "present" and m.value != fact.value and fact.value in ("left", "right")
    if fact.kind == "date":
        return m.status == "present" and m.name == fact.name and m.value != fact.value
    if fact.kind == "allergy" and m.name == "none":
        return True
    if m.name != fact.name:
        return False
    if m.status == "negated" or (fact.kind == "medication" and m.status == "past" and not stated):
        return True
    if m.status != "present":
        return False
    if fact.kind in ("vital", "lab", "medication"):
        return m.value is not None and fact.value is not None and not any(_states(m, one) for one in facts)
    return bool(m.value and fact.value and m.value != fact.value and not any(_states(m, one) for one in facts))


def _supported(m: Mention, facts: Sequence[Fact]) -> bool:
    """Whether some fact says what a mention says: the same, or more."""
    if m.kind == "allergy" and m.name == "none":
        return True
    mine = set(words_of(m.name))
    for fact in facts:
        if _states(m, fact) or (fact.kind == m.kind == "date" and m.value == fact.value):
            return True
        if (m.kind == fact.kind and m.kind in _NAMED and m.name == fact.name) or m.name == fact.problem:
            return True
        alike = m.kind == fact.kind or "allergy" not in (m.kind, fact.kind)  # a drug that is taken is no allergy
        alike = alike and m.kind in (*_NAMED, "symptom") and fact.kind in (*_NAMED, "phrase")
        if alike and mine <= set(words_of(fact.name)):
            return True
    return False
