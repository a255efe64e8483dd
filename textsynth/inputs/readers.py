"""Rows out of files: jsonl, csv, parquet and FHIR (each also .gz), a folder of .txt, a saved or named dataset.

Every reader is a generator, so a file larger than memory passes through row by row.
"""

from __future__ import annotations

import csv
import decimal
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from textsynth.errors import InputError
from textsynth.inputs.fhir import rows_in, rows_of_bundle, rows_of_resources
from textsynth.inputs.left_out import LeftOut

Row = dict[str, Any]
_MAX_FIELD = 2**31 - 1


def read_rows(
    source: str, base: Path, place: str, split: str = "train", left_out: LeftOut | None = None
) -> Iterator[Row]:
    """Yield the rows of a file, folder or dataset in their order; of FHIR, one a patient (see `inputs/fhir.py`).

    Args:
        source: a path, relative to `base`, or the name of a dataset that the `datasets` library can load.
        place: how messages name the key that holds `source`.
        split: the split of a dataset.
        left_out: counts what of FHIR data cannot be used; without it that is an error.

    Raises:
        InputError: when the first row is asked for or while reading; the message names the file and line.
    """
    path = base / Path(source).expanduser()
    kind = path.name.removesuffix(".gz")
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError as error:
        raise InputError(f"{place} is {path.name}: it cannot be read ({error.strerror}). Check the path.") from None
    left_out = LeftOut(strict=True) if left_out is None else left_out
    if is_folder:
        yield from _folder(path, place, split, left_out)
    elif is_file:
        if kind.endswith(".jsonl"):
            for number, row in enumerate(_jsonl(path), 1):
                yield from rows_in(row, f"{path.name} row {number}", left_out)
        elif kind.endswith(".ndjson"):
            yield from _bulk([path], left_out)
        elif kind.endswith(".json"):
            yield from _bundle(path, left_out)
        elif kind.endswith(".csv"):
            yield from _csv(path)
        elif kind.endswith(".parquet"):
            yield from _parquet(path)
        else:
            raise InputError(f"{place}: {path.name} has an unknown format. Use .jsonl, .csv or .parquet (also .gz).")
    elif path.suffix or source.startswith((".", "/", "~")):
        raise InputError(
            f"{place}: there is no file or folder {source}. Check the path; in a job it starts at the job's folder."
        )
    else:
        yield from _named_dataset(source, split, place)


def _open(path: Path) -> IO[bytes]:
    try:
        return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]
    except OSError as error:
        raise InputError(f"{path.name}: the file cannot be read ({error.strerror}). Check its permissions.") from None


def _lines(path: Path) -> Iterator[str]:
    number = 0
    with _open(path) as stream:
        try:
            for number, line in enumerate(stream, 1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise InputError(f"{path.name} line {number}: the text is not UTF-8. Save the file as UTF-8.") from None
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise InputError(f"{path.name}: the file is not whole gzip data. Compress it again.") from None
        except OSError as error:
            raise InputError(f"{path.name}: the file cannot be read ({error.strerror}). Check it.") from None


def _jsonl(path: Path) -> Iterator[Row]:
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if "\\u" in line:
                json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise InputError(f"{path.name} line {number}: half of a surrogate pair. Write whole characters.") from None
        except ValueError as error:
            what = getattr(error, "msg", "not JSON")
            raise InputError(f"{path.name} line {number}: not JSON ({what}). Give one JSON object a line.") from None
        except RecursionError:
            raise InputError(f"{path.name} line {number}: the value is nested too deep. Flatten it.") from None
        if not isinstance(row, dict):
            raise InputError(f"{path.name} line {number}: a {_kind(row)}, not an object. Give one JSON object a line.")
        yield row


def _csv(path: Path) -> Iterator[Row]:
    csv.field_size_limit(_MAX_FIELD)
    reader = csv.reader(_lines(path), strict=True)
    try:
        header = next(reader, [])
        if len(set(header)) != len(header) or not all(header):
            raise InputError(f"{path.name} line 1: a column has no name or the name of another. Name each column once.")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise InputError(
                    f"{path.name} line {reader.line_num}: {len(cells)} cells where the header has {len(header)}. "
                    "Mend the row or its quotes."
                )
            yield dict(zip(header, cells, strict=True))
    except csv.Error as error:
        where = f"{path.name} line {reader.line_num}"
        raise InputError(f"{where}: not CSV ({error}). Mend the row or its quotes.") from None


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        with _open(path) as stream:
            source = io.BytesIO(stream.read()) if path.suffix == ".gz" else stream
            for batch in pyarrow.parquet.ParquetFile(source).iter_batches(batch_size=1024):
                yield from map(_plain, batch.to_pylist())
    except (pyarrow.ArrowException, OSError, EOFError, zlib.error):
        raise InputError(f"{path.name}: the file is not parquet. Write it again, or use jsonl or csv.") from None


def _folder(path: Path, place: str, split: str, left_out: LeftOut) -> Iterator[Row]:
    if _is_dataset(path):
        yield from _saved_dataset(path, split)
    elif texts := sorted(path.glob("*.txt")):
        for file in texts:
            yield {"text": "".join(_lines(file)), "file": file.name}
    elif bulk := _files(path, ".ndjson"):
        yield from _bulk(bulk, left_out)
    elif bundles := _files(path, ".json"):
        for file in bundles:
            try:
                bundle = _json(file)
            except InputError:
                left_out.add("a file that is no JSON", file.name)
                continue
            yield from rows_of_bundle(bundle, file.name, left_out)
    else:
        raise InputError(
            f"{place}: the folder {path.name} has no .txt files, and none of FHIR (.json, .ndjson). "
            "Give a folder with one text or bundle a file."
        )


def _files(folder: Path, ending: str) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.removesuffix(".gz").endswith(ending))


def _bundle(path: Path, left_out: LeftOut) -> Iterator[Row]:
    bundle = _json(path)
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise InputError(f"{path.name} is no FHIR Bundle. Give one, or rows as .jsonl, .csv or .parquet.")
    yield from rows_of_bundle(bundle, path.name, left_out)


def _bulk(paths: Sequence[Path], left_out: LeftOut) -> Iterator[Row]:
    """The patients of a bulk export: a resource a line, over all files; a line may also be a Bundle of its own."""
    alone = list[Row]()

    def resources() -> Iterator[tuple[str, Row]]:
        for path in paths:
            for number, resource in enumerate(_jsonl(path), 1):
                place = f"{path.name} row {number}"
                if resource.get("resourceType") == "Bundle":
                    alone.extend(rows_of_bundle(resource, place, left_out))
                else:
                    yield place, resource

    yield from rows_of_resources(resources(), left_out)
    yield from alone


def _json(path: Path) -> Any:
    try:
        value = json.loads("".join(_lines(path)))
        json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError:
        raise InputError(f"{path.name}: half of a surrogate pair. Write whole characters.") from None
    except ValueError as error:
        raise InputError(f"{path.name}: not JSON ({getattr(error, 'msg', 'not JSON')}). Mend the file.") from None
    except RecursionError:
        raise InputError(f"{path.name}: the value is nested too deep. Flatten it.") from None


def _is_dataset(path: Path) -> bool:
    return (path / "state.json").is_file() or (path / "dataset_dict.json").is_file()


def _saved_dataset(path: Path, split: str) -> Iterator[Row]:
    import datasets

    try:
        saved = datasets.load_from_disk(str(path))
    except Exception as error:  # a broken folder makes it fail in many ways
        raise InputError(
            f"seeds.path: {path.name} is no whole saved dataset ({type(error).__name__}). Save it again."
        ) from None
    if isinstance(saved, datasets.DatasetDict):
        if split not in saved:
            raise InputError(f"seeds.split is {split}. The dataset {path.name} has {', '.join(saved)}.")
        saved = saved[split]
    yield from map(_plain, saved)


def _named_dataset(name: str, split: str, place: str) -> Iterator[Row]:
    import datasets

    try:
        yield from map(_plain, datasets.load_dataset(name, split=split, streaming=True))
    except Exception as error:  # network, hub and file formats each fail in ways of their own
        raise InputError(
            f"{place} is {name}, neither a path nor a dataset that can be loaded ({type(error).__name__}). "
            "Give a .jsonl, .csv or .parquet file, a folder, or a dataset's name."
        ) from None


def _plain(value: Any) -> Any:
    """A value as JSON has it: dates as ISO text; binary data, which no record can hold, counts as missing."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, decimal.Decimal):
        return float(value)
    return value.isoformat() if hasattr(value, "isoformat") else None


def _kind(value: object) -> str:
    names = {list: "list", str: "string", int: "number", float: "number", bool: "boolean"}
    return names.get(type(value), "null")
