"""Facts that the grammar makes a text state: in an order, word for word, with the model's own words between them.

A small model leaves facts out, and alters numbers. Here the text of each record is held to a pattern of its own: its
facts one after another, and between them words without a digit. So what the model chooses is how it is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from textsynth.clinical.units import unit_of
from textsynth.inputs.bounds import pattern_width
from textsynth.records import Json

_WORD, _APART = r"[A-Za-z][A-Za-z'-]{0,13}", r"[,;:.]?[ \n]"  # the model's words, and what stands between words
_LIST = r"(?:, |,? and |; |\n- )"  # between facts of one field
_FIRST, _BETWEEN, _LAST = 5, 7, 28  # most words of the model's own, before, between and after the facts
_WIDEST = 16  # characters of a word and what stands before it
_SAY = r"(?: of| was| is| at|:)? "
_SEXES = {"female": ("woman", "female", "girl"), "male": ("man", "male", "boy")}
_UNITS = {"cel": "(?: C| ?°C)", "/min": "(?:/min| bpm| per minute)", "%": "%"}


def stating(text: Mapping[str, Any], fields: Mapping[str, Json], names: Sequence[str], kinds: Mapping[str, str]) -> Any:
    """The form of a text that states facts, within the length of the form that it is made of; None if they do not fit.

    Args:
        text: the tightened form of the text; names: the fields that it states, in this order.
        kinds: of the fields (see clinical.agreement); one without a kind is stated as it stands.
    """
    facts = [form for name in names if (form := _field(name, fields.get(name), kinds.get(name, "")))]
    most = text["maxLength"] if "maxLength" in text else pattern_width(str(text.get("pattern", "")))[1]
    if most is None or not facts:
        return None
    room = most - sum(pattern_width(f"^{form}$")[1] or most for form in facts)
    share = room / _WIDEST / (_FIRST + (_BETWEEN + 1) * (len(facts) - 1) + _LAST + 1)
    first, between, last = (min(n, int(n * share)) for n in (_FIRST, _BETWEEN, _LAST))
    if not between:
        return None
    body = f"{_APART}(?:{_WORD}{_APART}){{0,{between}}}".join(facts)
    return {"type": "string", "pattern": f"^(?:{_WORD}{_APART}){{0,{first}}}{body}(?:{_APART}{_WORD}){{0,{last}}}[.]$"}


def _field(name: str, value: Json, kind: str) -> str:
    if isinstance(value, list):
        items = list(_items(value, kind))
        return _LIST.join(items) or ("(?:none|no known allergies)" if kind == "allergy" else "none")
    if value is None or value == "":
        return ""
    return f"{_name(name)}(?: on|:)? {_date(str(value))}" if kind == "date" else _fact(value, kind)


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
    return _name(value) if isinstance(value, str) else _plain(str(value))


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
