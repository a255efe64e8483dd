"""Records as tables: the type of each column, csv, and Arrow for parquet and saved datasets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Any

Fields = Mapping[str, Any]
Kind = Any  # "null", "bool", "int", "float", "str", "json", ["list", Kind] or {key: Kind}
_BATCH = 2000
_PLAIN = {"integer": "int", "number": "float", "string": "str", "boolean": "bool"}


def column_kinds(records: Iterable[Fields], schema: Mapping[str, Any]) -> dict[str, Kind]:
    """Each column's type: what the record schema says where that is plain, else what all values have in common.

    Values with nothing in common, and objects whose keys differ, are "json": they become JSON strings.
    """
    properties: Mapping[str, Any] = schema.get("properties") or {}
    kinds: dict[str, Kind] = dict.fromkeys(properties, "null")
    for fields in records:
        for name, value in fields.items():
            kinds[name] = _common(kinds.get(name, "null"), _kind(value))
    for name, kind in kinds.items():
        said = properties.get(name)
        types = said.get("type") if isinstance(said, Mapping) else None
        plain = [_PLAIN.get(t, "json") for t in ([types] if isinstance(types, str) else types or ()) if t != "null"]
        if len(plain) == 1 and plain[0] != "json" and kind in ("null", "int", "float"):
            kinds[name] = plain[0]
        elif kind == "null":
            kinds[name] = "str"
    return kinds


def write_csv(file: IO[bytes], records: Iterable[Fields], names: Iterable[str]) -> None:
    """RFC 4180 in UTF-8; lists and objects as JSON, true and false as in JSON, a missing or null value as nothing."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    names = list(names)
    writer.writerow(names)
    for fields in records:
        writer.writerow([_cell(fields.get(name)) for name in names])
    text.detach()


def write_parquet(file: IO[bytes], records: Iterable[Fields], kinds: Mapping[str, Kind]) -> None:
    """Parquet, a few thousand records at a time."""
    import pyarrow.parquet

    schema = _arrow_schema(kinds)
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        for batch in _batches(records, kinds):
            writer.write_batch(batch)


def write_dataset(folder: Path, sets: Mapping[str, Iterable[Fields]], kinds: Mapping[str, Kind], scratch: Path) -> None:
    """A folder that `datasets.load_from_disk` opens: a DatasetDict, or a Dataset of a single set named "".

    Files are left behind in the folder `scratch`.
    """
    import datasets
    import pyarrow

    parts = {}
    for name, records in sets.items():
        file_name = str(scratch / f"{name or 'records'}.arrow")
        with open(file_name, "wb") as file, pyarrow.ipc.new_stream(file, _arrow_schema(kinds)) as writer:
            for batch in _batches(records, kinds):
                writer.write_batch(batch)
        parts[name] = datasets.Dataset.from_file(file_name)
    whole = parts[""] if "" in parts else datasets.DatasetDict(parts)
    quiet = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        whole.save_to_disk(str(folder))
    finally:
        if not quiet:
            datasets.enable_progress_bars()


def _kind(value: Any) -> Kind:
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return {key: _kind(part) for key, part in value.items()} or "json"
    if isinstance(value, list):
        inside: Kind = "null"
        for part in value:
            inside = _common(inside, _kind(part))
        return ["list", inside]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return "json"
    return type(value).__name__


def _common(one: Kind, other: Kind) -> Kind:
    """The narrowest type that holds both."""
    if one == other or other == "null":
        return one
    if one == "null":
        return other
    if isinstance(one, list) and isinstance(other, list):
        return ["list", _common(one[1], other[1])]
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return {key: _common(one[key], other[key]) for key in one}
    return "float" if {str(one), str(other)} == {"int", "float"} else "json"


def _arrow_schema(kinds: Mapping[str, Kind]) -> Any:
    import pyarrow

    return pyarrow.schema([pyarrow.field(name, _arrow_type(kind)) for name, kind in kinds.items()])


def _arrow_type(kind: Kind) -> Any:
    import pyarrow

    if isinstance(kind, list):
        return pyarrow.list_(_arrow_type(kind[1]))
    if isinstance(kind, dict):
        return pyarrow.struct([pyarrow.field(key, _arrow_type(part)) for key, part in kind.items()])
    types = {"bool": pyarrow.bool_(), "int": pyarrow.int64(), "float": pyarrow.float64()}
    return types.get(kind, pyarrow.string())


def _batches(records: Iterable[Fields], kinds: Mapping[str, Kind]) -> Iterator[Any]:
    import pyarrow

    schema = _arrow_schema(kinds)
    rows = ({name: _cast(fields.get(name), kind) for name, kind in kinds.items()} for fields in records)
    while batch := list(islice(rows, _BATCH)):
        yield pyarrow.RecordBatch.from_pylist(batch, schema=schema)


def _cast(value: Any, kind: Kind) -> Any:
    """A value as its column's type has it."""
    if value is None:
        return None
    if isinstance(kind, list):
        return [_cast(part, kind[1]) for part in value]
    if isinstance(kind, dict):
        return {key: _cast(value[key], part) for key, part in kind.items()}
    casts: Mapping[str, Callable[[Any], Any]] = {"json": _json, "int": int, "float": float}
    return casts.get(kind, lambda same: same)(value)


def _cell(value: Any) -> Any:
    return _json(value) if isinstance(value, bool | list | dict) else value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
