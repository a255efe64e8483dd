"""No identifier of a seed's person in a record, and a count of all that looks like one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from textsynth.filters.base import Memory
from textsynth.privacy.identifiers import identifiers_in
from textsynth.privacy.known import Known, given_in
from textsynth.records import Record, Verdict, text_of


class IdentifiersFilter:
    """Refuses a text with an identifier of a seed, as `identifier_of_seed`, and counts what looks like any identifier.

    An identifier is the same in any case, punctuation and format of a date or phone number, and with one letter of a
    name of five or more changed, or one digit of a number of six or more.

    Args:
        known: the identifiers of all seeds as they were read, shown or held out.
        text: the fields looked at. facts: those whose values were given to the record, which it may repeat.
        refuse_any: also refuse what looks like an identifier and was not given, as `identifier`.
    """

    name = "identifiers"
    memory: Memory = "records"

    def __init__(self, known: Known, text: Sequence[str], facts: Sequence[str], refuse_any: bool = False) -> None:
        self._known, self._text, self._facts, self._refuse_any = known, tuple(text), tuple(facts), refuse_any
        self._flagged: Counter[str] = Counter()

    def prepare(self, records: Sequence[Record]) -> None:
        """Nothing to do in bulk."""

    def check(self, record: Record) -> Verdict:
        """Accept, with how many identifiers of each kind it seems to have; or refuse, with the seed whose one it is."""
        fields = record.fields or {}
        text = text_of(fields, self._text)
        given = given_in(fields[name] for name in self._facts if name in fields)
        for (kind, start, end, near), owner in self._known.hits(text, given):
            where: dict[str, float | str] = {"kind": kind, "start": start, "end": end, "near": int(near)}
            return Verdict(self.name, False, "identifier_of_seed", where, owner)
        flagged = self._flags(text, given)
        if flagged and self._refuse_any:
            return Verdict(self.name, False, "identifier", dict(flagged))
        return Verdict(self.name, True, None, dict(flagged))

    def remember(self, record: Record) -> None:
        """Count what an accepted record seems to have."""
        fields = record.fields or {}
        given = given_in(fields[name] for name in self._facts if name in fields)
        self._flagged.update(self._flags(text_of(fields, self._text), given))

    def evidence(self) -> Mapping[str, Any]:
        """How many identifiers of seeds are kept out, and how many of each kind the accepted records seem to have."""
        return {"known": len(self._known), "flagged": dict(sorted(self._flagged.items()))}

    def _flags(self, text: str, given: frozenset[str]) -> Counter[str]:
        found = [one for one in identifiers_in(text) if one.value not in given]
        return Counter(one.kind for one in found if not set(one.value.split()) <= given)
