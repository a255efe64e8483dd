"""Facts that the grammar makes a text state: in an order, word for word, with the model's own words between them.

A small model leaves facts out, and alters numbers. Here the text of each record is held to a pattern of its own: its
facts one after another, each behind words that stand before such facts in the examples, and between them no more words
than there, without a digit. So what the model chooses is how it is said.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any, NamedTuple

from textsynth.clinical.units import unit_of
from textsynth.inputs.bounds import pattern_width
from textsynth.records import Json

_APART = r"[,;:.]?[ \n]"  # what may stand before a fact
_NEXT = r"(?:[,;:]?[ \n][A-Za-z]|[.][ \n][A-Z])"  # up to a word's first letter: a sentence begins with a capital
_REST = r"(?:[a-z'-]{0,%d}|[A-Z]{1,4})"  # of a word: MRI, but no two in one, where a model has no room for a space
_LONG = f"(?:{_NEXT}{_REST % 15})?"
_WORDS = ((f"(?:{_NEXT}{_REST % 6}){{0,2}}{_LONG}", 36), (_LONG, 18))  # three of the model's, or one; their width
_OPENING = 18  # most characters of a text's first word and what stands around it
_LIST = r"(?:, |,? and |; |\n- )"  # between facts of one field
_FIRST, _BETWEEN, _LAST = 2, 3, 9  # most times such words of the model's own, before, between and after the facts
_OPEN = ("age", "sex", "date")  # kinds that any words may stand before
_PLAIN = ("", "phrase")  # kinds of which a value is stated as it stands
_SHARED, _COVERED, _LEADS = 3, 0.6, 24  # examples that share a lead-in, their share of all examples, and most of them
_SAY = r"(?: of| was| is| at|:)? "
_SEXES = {"female": ("woman", "female", "girl"), "male": ("man", "male", "boy")}
_EMPTY = ("a ", "an ", "the ", "and ", "or ")  # lead-ins that do not say what a field is
_SEXED = r"(?:wo)?man |(?:fe)?male |girl |boy "
_LEAD = re.compile(rf"(?:(?<!\S)(?!{_SEXED})[A-Za-z'-]+ ){{0,4}}(?<!\S)[A-Za-z'-]+:? $")  # a sex is a fact itself
_UNITS = {"cel": "(?: C| ?°C)", "/min": "(?:/min| bpm| per minute)", "%": "%"}


AFTER = ""  # the name under which habits tell of the words after the facts


class Habit(NamedTuple):
    """How examples state a field: the words right before it, if they share them, and how many others before those."""

    leads: Sequence[str] = ()
    free: int = 2 * _LAST


def stating(
    text: Mapping[str, Any],
    fields: Mapping[str, Json],
    names: Sequence[str | Sequence[str]],
    kinds: Mapping[str, str],
    habits: Mapping[str, Habit] | None = None,
) -> dict[str, Any] | None:
    """The form of a text that states facts, within the length of the form that it is made of; None if they do not fit.

    Args:
        text: the tightened form of the text.
        names: the fields that it states, in this order; a list among them stands for its fields in any order.
        kinds: of the fields (see clinical.agreement); one without a kind is stated as it stands.
        habits: what stands around the fields in the examples (see habits_of).
    """
    known = {name: (habits or {}).get(name, Habit()) for name in (*flat(names), AFTER)}
    forms = ((n, _field(n, fields.get(n), kinds.get(n, ""), bool(known[n].leads))) for n in flat(names))
    told = {name: form for name, form in forms if form}
    most = text["maxLength"] if "maxLength" in text else pattern_width(str(text.get("pattern", "")))[1]
    if most is None or not told:
        return None
    for one, two in pairwise(tuple(told)):
        if (kinds.get(one), kinds.get(two)) == ("age", "sex"):
            told[one] += f" {told.pop(two)}"
    width = sum((pattern_width(f"^{form}$")[1] or most) + 2 for form in told.values())
    width += _OPENING + sum(max(map(len, known[name].leads), default=0) + 4 for name in told)
    groups = [group for name in names if (group := [n for n in flat([name]) if n in told])]
    free = [[known[n].free for n in group] for group in groups]
    for words, widest in _WORDS:
        if gaps := _gaps(free, known[AFTER].free, (most - width) // widest):
            first, between, last = gaps
            body = ""
            for group, some in zip(groups, between, strict=True):
                facts = [(gap, told[n], known[n].leads) for n, gap in zip(group, some, strict=True)]
                body += _any_order(facts, words, max(some) if body else -1)
            opening = f"(?:[A-Z]{_REST % 13}(?:{words}){{0,{first}}}{_APART})?"
            return {"type": "string", "pattern": f"^{opening}{body}(?:{words}){{0,{last}}}[.]$"}
    return None


def _gaps(free: Sequence[Sequence[int]], after: int, times: int) -> tuple[int, list[list[int]], int] | None:
    """How often words may stand before all facts, before each of a group, and after them: `times` in all at most.

    What comes first of a group, whichever it is, has the widest gap of the group before it.
    """
    for most in range(_BETWEEN, 0, -1):
        between = [[min(most, -(-words // 2)) for words in group] for group in free]
        if (left := times - sum(sum(group) + max(group) * (len(group) > 1) for group in between)) > 0:
            first = min(_FIRST, left // 3, -(-max(free[0]) // 2))
            return first, between, min(_LAST, left - first, -(-after // 2))
    return None


def flat(names: Sequence[str | Sequence[str]]) -> list[str]:
    """All fields of a list in which lists stand for fields in any order."""
    return [n for name in names for n in ([name] if isinstance(name, str) else name)]


def habits_of(
    names: Sequence[str], text: str, examples: Sequence[Mapping[str, Json]], kinds: Mapping[str, str]
) -> dict[str, Habit]:
    """How the examples' texts state fields: in a new text each fact is said to be what it is, and where it belongs.

    The one to five words right before a field, such as `diagnosis is` or `Allergies:`, where several examples share
    each and most have one; and how many words stand before those, in nine examples of ten.
    """
    before: dict[str, list[str]] = defaultdict(list)  # what stands between a field and the one before it
    for one in examples:
        said, at = str(one.get(text) or ""), 0
        places = _places(names, said, one, kinds)
        for name, (start, end) in sorted(places.items(), key=lambda place: place[1]):
            before[name].append(said[at:start])
            at = max(at, end)
        before[AFTER] += [said[at:]] if places else []
    leads = {n: [] if n == AFTER or kinds.get(n) in _OPEN else _leads(some) for n, some in before.items()}
    return {name: Habit(leads[name], _ninth(leads[name], some)) for name, some in before.items() if some}


def _ninth(leads: Sequence[str], texts: Sequence[str]) -> int:
    """The words that stand before lead-ins in texts that end with them: as many as nine of ten have, or fewer."""
    bare = [text[: len(text) - max((len(one) for one in leads if text.endswith(one)), default=0)] for text in texts]
    return sorted(len(re.findall(r"[\w'-]+", text)) for text in bare)[int(0.9 * (len(texts) - 1))]


def _places(names: Sequence[str], said: str, row: Mapping[str, Json], kinds: Mapping[str, str]) -> dict[str, Any]:
    """Where a text states each field: the characters from its first fact to its last."""
    found = {
        n: [m for f in _forms(n, row.get(n), kinds.get(n, "")) if (m := re.search(rf"(?<!\w)(?:{f})(?!\w)", said))]
        for n in names
    }
    return {n: (min(m.start() for m in some), max(m.end() for m in some)) for n, some in found.items() if some}


def _leads(before: Sequence[str]) -> list[str]:
    """The last words of texts that several share; none where they do not stand in most of the texts."""
    leads = Counter(found[0] for words in before if (found := _LEAD.search(words)))
    for _ in range(4):  # what few share is shortened from its beginning
        leads, longer = Counter[str](), leads
        for lead, count in longer.items():
            leads[lead if count >= _SHARED else lead.split(" ", 1)[-1] or lead] += count
    kept = {lead: n for lead, n in leads.most_common(_LEADS) if n >= _SHARED and lead not in _EMPTY}
    return sorted(kept) if kept and sum(kept.values()) >= _COVERED * len(before) else []


def _any_order(facts: Sequence[tuple[int, str, Sequence[str]]], words: str, before: int | None = None) -> str:
    """All orders of some facts, each behind its gap, in words; the first behind `before`: -1 where the text begins."""
    orders = []
    for at, (own, form, leads) in enumerate(facts):
        gap, rest = own if before is None else before, [*facts[:at], *facts[at + 1 :]]
        start = _led(form, leads, True) if gap < 0 else f"(?:{words}){{0,{gap}}}{_led(form, leads, False)}"
        orders.append(start + (_any_order(rest, words) if rest else ""))
    return orders[0] if len(orders) == 1 else f"(?:{'|'.join(orders)})"


def _led(fact: str, leads: Sequence[str], begins: bool) -> str:
    """The pattern of a fact and what stands before it: a lead-in with a capital, or The, begins a sentence."""
    if leads:
        within, starts = ([_plain(lead) for lead in leads if lead[:1].isupper() is big] for big in (False, True))
        starts += [f"The {lead[:1].lower()}{lead[1:]}" for lead in starts if not lead.startswith("The ")]
        if begins:
            return f"(?:{'|'.join((*within, *starts))}){fact}"
        places = [rf"[,;:]?[ \n](?:{'|'.join(within)})"] * bool(within)
        places += [rf"(?:[.]?\n|[.] )(?:{'|'.join(starts)})"] * bool(starts)
        return f"(?:{'|'.join(places)}){fact}"
    first = re.match(r"\[([A-Z])[a-z]\]", fact)
    if begins or not first:
        return fact if begins else f"{_APART}{fact}"
    return rf"(?:[,;:]?[ \n]{first[0]}|[.][ \n]{first[1]}){fact[first.end() :]}"


def _field(name: str, value: Json, kind: str, led: bool) -> str:
    """The pattern of all facts of a field; without any, of words that say so, behind its name where no others lead."""
    if value != []:
        return _LIST.join(_forms(name, value, kind))
    none = "(?:none|no known allergies)" if kind == "allergy" else "none"
    return none if led else f"{_name(name)}: {none}"


def _forms(name: str, value: Json, kind: str) -> list[str]:
    """The patterns of the facts of a field; none where it has no value."""
    if isinstance(value, list):
        return list(_items(value, kind))
    if value is None or value == "":
        return []
    return [f"{_name(name)}(?: on|:)? {_date(str(value))}" if kind == "date" else _fact(value, kind)]


def _items(values: Sequence[Json], kind: str) -> Iterator[str]:
    """A form a fact; the two numbers of a blood pressure are one."""
    systolic = None
    for value in values:
        name = str(value.get("name", "")).lower() if isinstance(value, Mapping) else ""
        if name == "systolic blood pressure":
            systolic = value
        elif name == "diastolic blood pressure" and systolic is not None:
            numbers = f"{_number(systolic.get('value'))}/{_number(value.get('value'))}"
            yield f"(?:[Bb]lood pressure|BP){_SAY}{numbers} mmHg"
            systolic = None
        elif form := _fact(value, kind):
            yield form


def _fact(value: Json, kind: str) -> str:
    """The pattern of what states one fact."""
    if kind == "age":
        return f"{value}-year-old"
    if kind == "sex" and value in _SEXES:
        return f"(?:{'|'.join(_SEXES[value])})"
    if isinstance(value, Mapping):
        name, amount = _name(str(value.get("name", ""))), value.get("dose")
        if value.get("value") is not None:
            unit = str(value.get("unit") or "")
            written = _UNITS.get(unit_of(unit), f" {_plain(unit)}" if unit else "")
            return f"{name}{_SAY}{_number(value['value'])}{written}"
        return f"{name} {_plain(str(amount))}" if amount else name
    own = isinstance(value, str) and (kind not in _PLAIN or value[:1].islower())
    return _name(value) if own else _plain(str(value))  # what stands with a capital keeps it: it may be a name


def _date(iso: str) -> str:
    try:
        day = date.fromisoformat(iso)
    except ValueError:
        return _plain(iso)
    return f"(?:{iso}|{day:%B} {day.day}, {day.year}|{day:%m}/{day:%d}/{day.year})"


def _number(value: Any) -> str:
    return _plain(f"{value:g}" if isinstance(value, float) and value == int(value) else str(value))


def _name(name: str) -> str:
    """A name, its first letter small or large."""
    first = name[:1]
    return (f"[{first.upper()}{first.lower()}]" if first.isalpha() and first.isascii() else _plain(first)) + _plain(
        name[1:]
    )


def _plain(text: str) -> str:
    return re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", text)
