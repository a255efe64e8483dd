"""Rows as a file or folder that others read: jsonl, csv, parquet, a saved dataset, FHIR's bulk format."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from textsynth.errors import InputError
from textsynth.outputs.export import replacing, unwritable, write_jsonl
from textsynth.outputs.tables import column_kinds, write_csv, write_dataset, write_parquet
from textsynth.records import canonical_json
from textsynth.wording import nearest

FORMATS = ("jsonl", "csv", "parquet", "dataset", "ndjson")
Rows = Callable[[], Iterable[Mapping[str, Any]]]  # the same rows each time


def check_format(format: str, bundles: bool, split: bool) -> None:
    """Refuse a format that there is not, and one that such rows cannot have: FHIR's bundles, or in splits."""
    if format not in FORMATS:
        raise InputError(
            f"export: {format} is not a known format. {nearest(format, FORMATS)}Use one of {', '.join(FORMATS)}."
        )
    if bundles and format not in ("jsonl", "ndjson"):
        raise InputError(f"export: FHIR is not written as {format}. Use jsonl (bundles) or ndjson (bulk).")
    if format == "ndjson" and (split or not bundles):
        raise InputError("export: ndjson is FHIR's bulk format, without splits. Use it with --as fhir, or use jsonl.")


def save(sets: Mapping[str, Rows], format: str, out: Path, schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Write rows; returns the columns that became JSON strings.

    Values are written as they are. A csv cell that begins with `=`, `+`, `-` or `@` is not altered either, though a
    spreadsheet may take it for a formula: import such a file with its columns set to text.

    Args:
        sets: the rows by the name of their split. One named "" becomes the file, or the dataset; others become files in
            the folder `out`, or the parts of a dataset.
        schema: says the type of columns where it is plain.

    Raises:
        StoreError: the disk is full or the place cannot be written.
    """
    if format == "ndjson":
        _save_bulk(sets[""](), out)
        return ()
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
    elif format == "ndjson":
        replaceable = all(name.endswith(".ndjson") for name in names) and out.is_dir()
    elif split:
        replaceable = all(name == "README.md" or name.endswith(f".{format}") for name in names) and out.is_dir()
    else:
        replaceable = out.is_file()
    if not replaceable or out.resolve() in ((run / "run.db").resolve(), run.resolve()):
        raise InputError(f"{place} is something else than an earlier export. Choose a new path.")


def _place(out: Path, name: str, format: str) -> Path:
    return out / f"{name}.{format}" if name else out


def _save_dataset(sets: Mapping[str, Rows], out: Path, kinds: Mapping[str, Any]) -> None:
    with _new_folder(out) as (folder, scratch):
        write_dataset(folder, {name: rows() for name, rows in sets.items()}, kinds, scratch)


def _save_bulk(bundles: Iterable[Mapping[str, Any]], out: Path) -> None:
    """The resources of FHIR bundles, one a line, in a file for each type."""
    with _new_folder(out) as (folder, _), ExitStack() as opened:
        folder.mkdir()
        files: dict[str, IO[str]] = {}
        for resource in (entry["resource"] for bundle in bundles for entry in bundle["entry"]):
            kind = resource["resourceType"]
            if kind not in files:
                files[kind] = opened.enter_context((folder / f"{kind}.ndjson").open("w", encoding="utf-8"))
            files[kind].write(json.dumps(resource) + "\n")


@contextmanager
def _new_folder(out: Path) -> Iterator[tuple[Path, Path]]:
    """A folder to make beside `out` that then takes its name, and one for scratch; an earlier export goes only then."""
    try:
        with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=f".{out.name}.") as made:
            folder = Path(made) / "folder"
            yield folder, Path(made)
            if out.exists():
                shutil.rmtree(out)
            folder.rename(out)
    except OSError as error:
        raise unwritable(out, error) from None


def _json_columns(kinds: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name, kind in kinds.items() if '"json"' in canonical_json(kind))
