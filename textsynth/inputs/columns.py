"""A first look at data without a schema: which columns a record should have, and how long its texts may be."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textsynth.clinical.agreement import KINDS
from textsynth.errors import InputError
from textsynth.inputs.bounds import BYTES_PER_CHARACTER, SLACK
from textsynth.inputs.budget import token_bound
from textsynth.inputs.infer import infer_schema, is_free_text
from textsynth.inputs.readers import Row
from textsynth.inputs.seeds import clean_rows, to_numbers
from textsynth.inputs.tighten import tighten
from textsynth.job import SeedsSpec

WRITTEN_CHARACTERS, ONE_TEXT = 900, 600  # of all written texts, and of one that must be cut: fits a context of 8,192
SHORTEST_CUT = 100
_ID_NAME = re.compile(r"(^|[_\W])(id|ids|uuid|guid|key|nr|nbr|no|number|index|url|uri|file|filename|path|hash)$", re.I)


@dataclass(frozen=True)
class Look:
    """The columns to keep, why others are left out, and which texts to cut at how many characters."""

    kept: tuple[str, ...]
    left_out: Mapping[str, str]
    cut: Mapping[str, int]


def look_at(rows: Sequence[Row], spec: SeedsSpec, is_csv: bool, name: str) -> Look:
    """Choose the columns of some rows.

    Raises:
        InputError: no column can be used.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    counts = dict.fromkeys(("dropped_missing", "dropped_repeat"), 0)
    data = [row for _, row in clean_rows(enumerate(rows, 1), spec, columns, (), counts, set())]
    if is_csv:
        to_numbers(data, columns)
    values = {column: [row[column] for row in data if column in row] for column in columns}
    left_out = {c: why for c in columns if (why := _why_left_out(c, values[c], len(data), len(rows)))}
    texts = [c for c in columns if c not in left_out and (is_free_text(values[c]) or is_nested(values[c]))]
    texts = [c for c in texts if not are_facts(c, values[c])]
    left_out |= _too_sparse(data, texts)
    costs = {c: _tokens(c, values[c]) for c in texts if c not in left_out and is_nested(values[c])}
    room = WRITTEN_CHARACTERS * SLACK * BYTES_PER_CHARACTER
    for column in sorted(costs, key=lambda c: costs[c]):
        if costs[column] > room / 2:
            left_out[column] = "too large for a small model"
        else:
            room -= costs[column]
    kept = tuple(c for c in columns if c not in left_out)
    if not kept:
        said = "; ".join(f"{c}: {why}" for c, why in list(left_out.items())[:20]) or "no row has a value"
        wanted = "Give rows that share numbers, categories or texts."
        raise InputError(f"init --seeds: {name}: no column can be used ({said}). {wanted}")
    longest = {c: max(map(len, values[c])) for c in texts if c in kept and c not in costs and _all_text(values[c])}
    return Look(kept, left_out, _cuts(longest, int(room / SLACK / BYTES_PER_CHARACTER)))


def _why_left_out(column: str, values: Sequence[Any], rows: int, read: int) -> str | None:
    """Why a column says nothing that a synthetic record should have, or None. `rows` are those that differ."""
    if not column.strip():
        return "it has no name"
    if len(values) < max(1, min(5, math.ceil(rows / 2))):
        return "hardly any row has it"
    if read > 1 and len(values) == rows and all(value == values[0] for value in values):
        return "every row has the same value"
    if _is_id(column, values):
        return "it looks like an id"
    return None


def _is_id(column: str, values: Sequence[Any]) -> bool:
    """Whether values name rows: counted up, all different codes, or many under a name such as `url`."""
    if all(type(value) is int for value in values):
        ordered = all(a < b for a, b in zip(values, values[1:], strict=False))
        counted = len(values) > 2 and ordered
    elif all(isinstance(value, str) and value.isascii() and " " not in value for value in values):
        date = all(re.match(r"\d{4}-\d\d-\d\d", value) for value in values)
        counted = not date and len(set(values)) == len(values) > 2 and all(re.search(r"[\d/@]", v) for v in values)
    else:
        return False
    many = len(set(values)) > max(1, min(10 + len(values) / 10, len(values) / 2))
    return counted or (many and _ID_NAME.search(column) is not None)


def are_facts(column: str, values: Sequence[Any]) -> bool:
    """Whether values are clinical facts by the column's name: lists of them, or dates. They are drawn, not written."""
    listed = all(isinstance(value, list) for value in values)
    dated = KINDS.get(column) == "date" and all(re.match(r"\d{4}-\d\d-\d\d", str(value)) for value in values)
    return bool(values) and column in KINDS and (listed or dated)


def is_nested(values: Sequence[Any]) -> bool:
    """Whether there are lists or objects among the values."""
    return any(isinstance(value, list | dict) for value in values)


def _all_text(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _too_sparse(data: Sequence[Row], texts: Sequence[str]) -> dict[str, str]:
    """Written columns that would leave fewer than half of the rows to be shown as examples."""
    found = {}
    rows = list(data)
    for column in sorted(texts, key=lambda c: -sum(c in row for row in data)):
        having = [row for row in rows if column in row]
        if 2 * len(having) < len(data):
            found[column] = "fewer than half of the rows have it and the other texts"
        else:
            rows = having
    return found


def _tokens(column: str, values: Sequence[Any]) -> int:
    """Most tokens that a column's values can take when they are written."""
    rows = [{column: value} for value in values]
    try:
        return token_bound(tighten(infer_schema(rows), rows))[0]
    except InputError:  # larger than a schema to decode under may get
        return 1 << 31


def _cuts(longest: Mapping[str, int], room: int) -> dict[str, int]:
    """How much to keep of each long text so that all of them together have at most `room` characters."""
    if sum(longest.values()) <= room:
        return {}
    most, rest = room, len(longest)
    for length in sorted(longest.values()):  # short texts stay whole and leave their share to the others
        if length * rest > most:
            break
        most, rest = most - length, rest - 1
    cut = max(SHORTEST_CUT, min(ONE_TEXT, most // max(rest, 1)) // 50 * 50)
    return {name: cut for name, length in longest.items() if length > cut}
