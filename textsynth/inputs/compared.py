"""Files that are to be compared: rows read, columns matched and typed, and a holdout set aside where none is given."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from textsynth.errors import InputError
from textsynth.inputs.infer import FREE_TEXT_WORDS, is_free_text
from textsynth.inputs.left_out import LeftOut
from textsynth.inputs.readers import Row, read_rows
from textsynth.inputs.seeds import to_numbers
from textsynth.records import canonical_json, rng_for, text_of
from textsynth.similarity.minhash import clusters_of

Frame = Any  # pandas.DataFrame
MISSING = ("", "?")
_SHARE, _MOSTLY = 0.2, 0.95  # held out; the share of a column's values that make it a column of numbers


@dataclass(frozen=True)
class Compared:
    """Three sets of rows with the same columns, clean and typed.

    `kinds` has number, category, text or constant (one value, or none) for each column; `frames` and `texts` go by set.
    """

    rows: Mapping[str, list[Row]]
    kinds: Mapping[str, str]
    files: Mapping[str, Any]
    notes: list[str] = field(default_factory=list)

    def of_kind(self, *kinds: str) -> dict[str, str]:
        """The columns of these kinds."""
        return {name: kind for name, kind in self.kinds.items() if kind in kinds}

    def frame(self, which: str) -> Frame:
        """Number columns as floats, categories as text; missing and unfit values are NaN and None."""
        import pandas as pd

        rows, data = self.rows[which], {}
        for name, kind in self.kinds.items():
            values = [row.get(name) for row in rows]
            if kind == "number":
                data[name] = pd.Series([v if _is_number(v) else float("nan") for v in values], dtype="float64")
            elif kind == "category":
                data[name] = pd.Series([None if v is None else _text(v) for v in values], dtype="object")
        return pd.DataFrame(data, index=range(len(rows)))

    def texts(self, which: str) -> list[str]:
        """Each row's text columns, one a line."""
        names = [name for name, kind in self.kinds.items() if kind == "text"]
        return [text_of(row, names) for row in self.rows[which]]


def read_sample(
    source: str, place: str, most: int, rng: random.Random, left_out: LeftOut | None = None
) -> tuple[list[Row], int]:
    """At most `most` rows drawn evenly, in file order (Vitter's algorithm R), and how many the file has."""
    kept: list[tuple[int, Row]] = []
    count = 0
    for at, row in enumerate(read_rows(source, Path(), place, left_out=left_out)):
        count = at + 1
        if at < most:
            kept.append((at, row))
        elif (slot := rng.randrange(count)) < most:
            kept[slot] = (at, row)
    if not count:
        raise InputError(f"{place}: {Path(source).name} holds no rows. Give at least one record.")
    return [row for _, row in sorted(kept, key=lambda pair: pair[0])], count


def compared(
    rows: dict[str, list[Row]], files: dict[str, Any], columns: Mapping[str, str], text: Sequence[str], rng_seed: int
) -> Compared:
    """Match, clean and type the columns; split a holdout off the real rows if there is none.

    Args:
        rows: by set: synthetic, real, and holdout if there is one.
        columns: names in the synthetic file -> names in the real one.
        text: columns that are text whatever their values look like.

    Raises:
        InputError: no column is in both, or an option names a column that is not there.
    """
    notes: list[str] = []
    names = _matched(rows, columns, notes)
    unknown = [name for name in text if name not in names]
    if unknown:
        raise InputError(f"--text is {unknown[0]}, which is no column of both files. Columns: {', '.join(names)}.")
    clean = {which: [_clean(row, names) for row in some] for which, some in rows.items()}
    for some in clean.values():
        to_numbers(some, _stringy(some, names))
    if "holdout" not in clean:
        clean["real"], clean["holdout"] = _split(clean["real"], rng_seed)
        files["holdout"] = {"name": files["real"]["name"], "records": len(clean["holdout"]), "from_real": True}
        notes.append(
            f"holdout: none is given, so {len(clean['holdout'])} of the real records are set aside, by near-duplicate "
            "cluster. If the generator saw them, what is said of privacy is too good."
        )
    for which, some in clean.items():
        files[which]["used"] = len(some)
    kinds = {name: _kind(name, clean, text, notes) for name in names}
    return Compared(clean, kinds, files, notes)


def _matched(rows: Mapping[str, list[Row]], columns: Mapping[str, str], notes: list[str]) -> list[str]:
    for row in rows["synthetic"]:
        for ours, theirs in columns.items():
            if ours in row:
                row[theirs] = row.pop(ours)
    here, there = ({n: None for row in rows[which] for n in row} for which in ("synthetic", "real"))
    bad = [f"{a}={b}" for a, b in columns.items() if b not in there or b not in here]
    if bad:
        raise InputError(
            f"--columns is {bad[0]}. Name a synthetic and a real column. Real columns: {', '.join(there)}."
        )
    names = [name for name in there if name in here]
    for name in (n for n in here if n not in there):
        close = get_close_matches(name.casefold(), [n.casefold() for n in there if n not in here], 1, 0.6)
        offer = next((n for n in there if close and n.casefold() == close[0]), None)
        said = f" Is it the real {offer}? Then use --columns {name}={offer}." if offer else ""
        notes.append(f"column {name}: only in the synthetic records, so it is left out.{said}")
    notes += [f"column {n}: only in the real records, so it is left out." for n in there if n not in here]
    if not names:
        raise InputError(
            f"evaluate: no column is in both files. Synthetic: {', '.join(here)}. Real: {', '.join(there)}. "
            "Use --columns SYNTHETIC=REAL."
        )
    return names


def _stringy(rows: Sequence[Row], names: Iterable[str]) -> list[str]:
    """Columns whose values are all text: what a csv has for numbers too."""
    return [n for n in names if all(isinstance(row[n], str) for row in rows if n in row)]


def _clean(row: Row, names: Iterable[str]) -> Row:
    found = {n: v.strip() if isinstance(v := row.get(n), str) else v for n in names}
    return {n: v for n, v in found.items() if v is not None and v not in MISSING and v == v}


def _split(rows: list[Row], rng_seed: int) -> tuple[list[Row], list[Row]]:
    """Whole clusters of near duplicates to one side: of the long texts, else of equal rows."""
    texts = [
        "\n".join(v for v in row.values() if isinstance(v, str) and len(v.split()) > FREE_TEXT_WORDS) for row in rows
    ]
    if any(texts):
        labels: list[Any] = clusters_of([text or canonical_json(row) for text, row in zip(texts, rows, strict=True)])
    else:
        labels = [canonical_json(row) for row in rows]
    order = list(dict.fromkeys(labels))
    rng_for(rng_seed, "evaluate", "holdout").shuffle(order)
    sizes = {label: 0 for label in order}
    for label in labels:
        sizes[label] += 1
    held, taken = set(), 0
    for label in order:
        if taken + sizes[label] <= max(_SHARE * len(rows), 1):
            held.add(label)
            taken += sizes[label]
    kept = [row for row, label in zip(rows, labels, strict=True) if label not in held]
    return kept, [row for row, label in zip(rows, labels, strict=True) if label in held]


def _kind(name: str, rows: Mapping[str, list[Row]], text: Sequence[str], notes: list[str]) -> str:
    values = [row[name] for row in rows["real"] if name in row]
    if not values:
        notes.append(f"column {name}: all values are missing in the real records, so it is only counted as missing.")
        return "constant"
    if name in text:
        return "text"
    if all(value == values[0] for value in values) and len(values) > 1:
        notes.append(f"column {name}: all real records have one value, so nothing can be compared but copies.")
        return "constant"
    numeric = sum(map(_is_number, values))
    if numeric >= _MOSTLY * len(values):
        for which, some in rows.items():
            if bad := sum(not _is_number(row[name]) for row in some if name in row):
                notes.append(f"column {name}: {bad} {which} values are no numbers, so they are counted as missing.")
        return "number"
    if numeric:
        notes.append(f"column {name}: numbers and other values are mixed, so it is compared as a category.")
    strings = [value for value in values if isinstance(value, str)]
    return "text" if len(strings) == len(values) and is_free_text(strings) and _words(strings) > 1 else "category"


def _words(strings: Sequence[str]) -> float:
    return sum(len(text.split()) for text in strings) / len(strings)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)
