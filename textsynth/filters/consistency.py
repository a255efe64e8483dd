"""The text states the facts that it was given, and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textsynth.clinical.agreement import Agreement, agreement, facts_of, names_in
from textsynth.clinical.vocabulary import Vocabulary
from textsynth.filters.base import Memory
from textsynth.records import Json, Record, Verdict

_REASONS = {"facts": "contradicts_fact", "kinds": "unsupported_fact"}
_MOST = 6  # things told to a model at once
_SAID = {
    "problem": "problem", "symptom": "symptom", "medication": "drug", "allergy": "allergy", "vital": "vital sign",
    "lab": "lab value", "date": "date", "age": "age", "sex": "sex", "side": "side",
}  # fmt: skip


class ConsistencyFilter:
    """Refuses a text that contradicts its facts, leaves one out, or states another, by rules and without a model.

    As `contradicts_fact`, `missing_fact` or `unsupported_fact`, in this order, with the facts' JSON Pointers and where
    in the text it is.

    Args:
        text: the field; kinds: the kind of each field that holds facts.
        required: fields whose facts must all be stated.
        closed: kinds of which the text may state nothing but the facts.
        vocabulary: what things are called.
    """

    name = "consistency"
    memory: Memory = "nothing"

    def __init__(
        self,
        text: str,
        kinds: Mapping[str, str],
        required: Sequence[str],
        closed: Sequence[str],
        vocabulary: Vocabulary,
    ) -> None:
        self.text, self._kinds, self._required, self._closed = text, dict(kinds), tuple(required), tuple(closed)
        self._vocabulary = vocabulary

    def prepare(self, records: Sequence[Record]) -> None:
        """Nothing to do in bulk."""

    def check(self, record: Record) -> Verdict:
        """Accept, with how many facts are stated; or refuse."""
        fields = record.fields or {}
        found = self.agreement(fields)
        missing = self._missed(found)
        for what, places in (("facts", found.contradicted), ("kinds", found.unsupported)):
            if missing and what == "kinds":
                return Verdict(self.name, False, "missing_fact", {"facts": ", ".join(missing)})
            if places:
                named, (_, start, end) = ", ".join(dict.fromkeys(place[0] for place in places)), places[0]
                return Verdict(self.name, False, _REASONS[what], {what: named, "start": start, "end": end})
        return Verdict(self.name, True, None, {"facts": len({pointer for pointer, _, _ in found.spans})})

    def remember(self, record: Record) -> None:
        """Nothing."""

    def evidence(self) -> Mapping[str, Any]:
        """What was asked of the texts."""
        return {"text": self.text, "facts": self._kinds, "required": list(self._required), "closed": list(self._closed)}

    def agreement(self, fields: Mapping[str, Json]) -> Agreement:
        """What the text of a record makes of its facts."""
        text, vocabulary = fields.get(self.text), self._vocabulary
        if not isinstance(text, str):
            return Agreement()
        vocabulary = vocabulary.with_names(names_in(fields, self._kinds))
        return agreement(text, facts_of(fields, self._kinds, vocabulary), vocabulary, self._closed)

    def spans(self, fields: Mapping[str, Json]) -> list[dict[str, Any]]:
        """Where the text states each fact: JSON Pointer, start and end in characters, in the text's order."""
        found = self.agreement(fields).spans
        order = sorted(set(found), key=lambda place: (place[1], place[2], place[0]))
        return [{"fact": pointer, "start": start, "end": end} for pointer, start, end in order]

    def disagreement(self, fields: Mapping[str, Json]) -> tuple[str, str]:
        """What is wrong with a text, as a model is told it, and as lineage keeps it: without words of the text."""
        found = self.agreement(fields)
        text, missing = str(fields.get(self.text) or ""), self._missed(found)
        told, noted = list[str](), list[str]()
        for what, pointers in (
            ("It says otherwise than the facts about", [place[0] for place in found.contradicted]),
            ("It leaves out", missing),
        ):
            if pointers := list(dict.fromkeys(pointers))[:_MOST]:
                told.append(f"{what} {'; '.join(_said(fields, pointer) for pointer in pointers)}.")
                noted += pointers
        if found.unsupported:
            places = found.unsupported[:_MOST]
            said = "; ".join(f"{_SAID[kind]} {text[start:end]}" for kind, start, end in places)
            told.append(f"It states what is none of the facts: {said}.")
            noted += [kind for kind, _, _ in places]
        return " ".join(told), ", ".join(noted)

    def _missed(self, found: Agreement) -> list[str]:
        return [pointer for pointer in found.missing if pointer.split("/")[1] in self._required]


def _said(fields: Mapping[str, Json], pointer: str) -> str:
    """A fact in words: its name, dose, value and unit."""
    name, *place = pointer.split("/")[1:]
    value = fields[name][int(place[0])] if place else fields[name]
    if isinstance(value, Mapping):
        return " ".join(str(value[key]) for key in ("name", "dose", "value", "unit") if value.get(key) is not None)
    return f"{name} {value}"
