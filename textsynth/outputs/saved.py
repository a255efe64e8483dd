"""Rows as a file or folder that others read: jsonl, csv, parquet, a saved dataset."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from textsynth.errors import InputError
from textsynth.outputs.export import replacing, unwritable, write_jsonl
from textsynth.outputs.tables import column_kinds, write_csv, write_dataset, write_parquet
from textsynth.records import canonical_json
from textsynth.wording import nearest

FORMATS = ("jsonl", "csv", "parquet", "dataset")
Rows = Callable[[], Iterable[Mapping[str, Any]]]  # the same rows each time


def check_format(format: str) -> None:
    """Refuse a format that there is not."""
    if format not in FORMATS:
        raise InputError(
            f"export: {format} is not a known format. {nearest(format, FORMATS)}Use one of {', '.join(FORMATS)}."
        )


def save(sets: Mapping[str, Rows], format: str, out: Path, schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Write rows as jsonl, csv, parquet or a saved `datasets` folder; returns the columns that became JSON strings.

    Values are written as they are. A csv cell that begins with `=`, `+`, `-` or `@` is not altered either, though a
    spreadsheet may take it for a formula: import such a file with its columns set to text.

    Args:
        sets: the rows by the name of their split. One named "" becomes the file, or the dataset; others become files in
            the folder `out`, or the parts of a dataset.
        schema: says the type of columns where it is plain.

    Raises:
        StoreError: the disk is full or the place cannot be written.
    """
    if format == "jsonl":
        for name, rows in sets.items():
            write_jsonl(_place(out, name, format), rows())
        return ()
    kinds = column_kinds((row for rows in sets.values() for row in rows()), schema)
    if format == "dataset":
        _save_dataset(sets, out, kinds)
        return _json_columns(kinds)
    for name, rows in sets.items():
        with replacing(_place(out, name, format)) as file:
            if format == "csv":
                write_csv(file, rows(), kinds)
            else:
                write_parquet(file, rows(), kinds)
    nested = tuple(name for name, kind in kinds.items() if not isinstance(kind, str))
    return nested if format == "csv" else _json_columns(kinds)


def check_place(out: Path, format: str, split: bool, force: bool, run: Path) -> None:
    """Refuse a place that is taken or cannot be made.

    Raises:
        InputError: something else than an earlier export is there, or it is the run folder itself.
    """
    place, parent = f"export: {out}", out.absolute().parent
    if not parent.is_dir():
        raise InputError(f"{place}: there is no folder {parent}. Make it, or choose another path.")
    if not os.access(parent, os.W_OK):
        raise InputError(f"{place}: the folder {parent} cannot be written. Choose another path.")
    if not (out.exists() or out.is_symlink()):
        return
    if not force:
        raise InputError(f"{place} exists already. Choose a new path, or use --force.")
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if format == "dataset":
        replaceable = bool(names & {"dataset_info.json", "dataset_dict.json"})
    elif split:
        replaceable = all(name == "README.md" or name.endswith(f".{format}") for name in names) and out.is_dir()
    else:
        replaceable = out.is_file()
    if not replaceable or out.resolve() in ((run / "run.db").resolve(), run.resolve()):
        raise InputError(f"{place} is something else than an earlier export. Choose a new path.")


def _place(out: Path, name: str, format: str) -> Path:
    return out / f"{name}.{format}" if name else out


def _save_dataset(sets: Mapping[str, Rows], out: Path, kinds: Mapping[str, Any]) -> None:
    """Save into a folder beside `out`, then give it its name; an earlier dataset goes only then."""
    try:
        with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=f".{out.name}.") as made:
            folder = Path(made) / "dataset"
            write_dataset(folder, {name: rows() for name, rows in sets.items()}, kinds, Path(made))
            if out.exists():
                shutil.rmtree(out)
            folder.rename(out)
    except OSError as error:
        raise unwritable(out, error) from None


def _json_columns(kinds: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name, kind in kinds.items() if '"json"' in canonical_json(kind))
