"""Every format in, and one clear sentence for every file that is not what its name says."""

from __future__ import annotations

import datetime
import gzip
import itertools
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from textsynth.errors import InputError
from textsynth.inputs.readers import read_rows

SECRET = "Xanthippe"  # stands in faulty lines; no message may repeat it
ROWS = [{"age": 54, "note": "Chest pain, “crushing”."}, {"age": 61, "note": "A cough\nfor two weeks."}]
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def read(path: Path, split: str = "train") -> list[dict[str, Any]]:
    return list(read_rows(path.name, path.parent, "job.yaml: seeds.path", split))


def jsonl_of(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def csv_of(rows: list[dict[str, Any]]) -> bytes:
    return b"age,note\n" + "".join(f'{row["age"]},"{row["note"]}"\n' for row in rows).encode()


def parquet_of(rows: list[dict[str, Any]]) -> bytes:
    import io

    import pyarrow
    import pyarrow.parquet

    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), stream)
    return stream.getvalue()


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(("suffix", "write"), [(".jsonl", jsonl_of), (".csv", csv_of), (".parquet", parquet_of)])
def test_each_format_gives_the_rows_in_order(
    tmp_path: Path, suffix: str, write: Callable[[list[dict[str, Any]]], bytes], zipped: bool
) -> None:
    data = write(ROWS)
    path = tmp_path / ("seeds" + suffix + (".gz" if zipped else ""))
    path.write_bytes(gzip.compress(data) if zipped else data)
    text = [{"age": str(row["age"]), "note": row["note"]} for row in ROWS]
    assert read(path) == (text if suffix == ".csv" else ROWS)


@pytest.mark.parametrize(("name", "data"), [("a.jsonl", jsonl_of(ROWS)), ("a.csv", csv_of(ROWS))])
def test_a_byte_order_mark_is_no_part_of_the_data(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + data)
    assert list(read(tmp_path / name)[0]) == ["age", "note"]


def test_empty_lines_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('\n{"a": 1}\n   \n{"a": 2}\n\n')
    (tmp_path / "a.csv").write_text("a,b\n1,2\n\n3,4\n")
    assert read(tmp_path / "a.jsonl") == [{"a": 1}, {"a": 2}]
    assert read(tmp_path / "a.csv") == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_a_quoted_csv_cell_holds_commas_quotes_and_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n"x, ""y""\nz",2\n')
    assert read(tmp_path / "a.csv") == [{"a": 'x, "y"\nz', "b": "2"}]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_an_empty_file_has_no_rows(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert read(tmp_path / name) == []


def test_a_folder_gives_one_row_a_text_file(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    for name, text in (("b.txt", "second\nline"), ("a.txt", "first"), ("c.md", "not a text file")):
        (tmp_path / "notes" / name).write_text(text)
    assert read(tmp_path / "notes") == [{"text": "first", "file": "a.txt"}, {"text": "second\nline", "file": "b.txt"}]


def test_a_saved_dataset_and_its_splits(tmp_path: Path) -> None:
    import datasets

    data = datasets.Dataset.from_list(ROWS)
    data.save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict({"train": data, "test": data.select([1])}).save_to_disk(str(tmp_path / "two"))
    assert read(tmp_path / "one") == ROWS
    assert read(tmp_path / "two", "test") == ROWS[1:]
    with pytest.raises(InputError, match=r"seeds\.split is dev\. The dataset two has train, test\."):
        read(tmp_path / "two", "dev")


def test_a_broken_saved_dataset_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "state.json").write_text("{}")
    with pytest.raises(InputError, match="one is no whole saved dataset"):
        read(tmp_path / "one")


def test_typed_cells_become_what_json_has(tmp_path: Path) -> None:
    row = {"on": datetime.date(2024, 1, 3), "at": datetime.datetime(2024, 1, 3, 4, 5), "cost": Decimal("2.50"),
           "scan": b"\x00\x01", "codes": ["a", None], "more": {"n": 1}}  # fmt: skip
    (tmp_path / "a.parquet").write_bytes(parquet_of([row]))
    found = read(tmp_path / "a.parquet")
    assert found == [{**row, "on": "2024-01-03", "at": "2024-01-03T04:05:00", "cost": 2.5, "scan": None}]
    assert type(found[0]["cost"]) is float


def test_a_long_file_is_read_row_by_row(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.jsonl.gz", "wt") as stream:
        for number in range(50_000):
            stream.write(f'{{"n": {number}}}\n')
        stream.write("not JSON\n")
    rows = read_rows("a.jsonl.gz", tmp_path, "seeds.path")
    assert [row["n"] for row in itertools.islice(rows, 3)] == [0, 1, 2]  # the fault at the end is not met


FAULTS: list[tuple[str, bytes, str]] = [
    ("a.jsonl", f'{{"a": 1}}\n{{"a": {SECRET}}}\n'.encode(), r"a\.jsonl line 2: not JSON"),
    ("a.jsonl", f'{{"a": "{SECRET}\n'.encode(), r"a\.jsonl line 1: not JSON"),
    ("a.jsonl", f'{{"a": 1}}\n["{SECRET}"]\n'.encode(), r"a\.jsonl line 2: a list, not an object"),
    ("a.jsonl", b"null\n", r"a\.jsonl line 1: a null, not an object"),
    ("a.jsonl", b"[" * 200_000, r"a\.jsonl line 1: .*(nested too deep|not JSON)"),
    ("a.jsonl", b'{"a": ' + b"9" * 5000 + b"}", r"a\.jsonl line 1: not JSON"),
    ("a.jsonl", f'{{"a": "{SECRET} \\ud83d"}}'.encode(), r"a\.jsonl line 1: half of a surrogate pair"),
    ("a.jsonl", b'{"a": 1}\n{"a": "caf\xe9 ' + SECRET.encode() + b'"}\n', r"a\.jsonl line 2: the text is not UTF-8"),
    ("a.jsonl", SECRET.encode("utf-16"), r"a\.jsonl line 1: the text is not UTF-8"),
    ("a.jsonl.gz", f'{{"a": "{SECRET}"}}\n'.encode(), r"a\.jsonl\.gz: the file is not whole gzip data"),
    ("a.jsonl.gz", gzip.compress(jsonl_of(ROWS) * 99)[:-30], r"a\.jsonl\.gz: the file is not whole gzip data"),
    ("a.csv", f"a,b\n1,2\n{SECRET},2,3\n".encode(), r"a\.csv line 3: 3 cells where the header has 2"),
    ("a.csv", f"a,b\n{SECRET}\n".encode(), r"a\.csv line 2: 1 cells where the header has 2"),
    ("a.csv", f'a,b\n1,"{SECRET}" x\n'.encode(), r"a\.csv line 2: not CSV"),
    ("a.csv", f'a,b\n1,"{SECRET}\n'.encode(), r"a\.csv line 2: not CSV"),
    ("a.csv", b"a,a\n1,2\n", r"a\.csv line 1: a column has no name or the name of another"),
    ("a.csv", b"a,\n1,2\n", r"a\.csv line 1: a column has no name or the name of another"),
    ("a.csv", b"a,b\n\xff,2\n", r"a\.csv line 2: the text is not UTF-8"),
    ("a.parquet", f"PAR1 {SECRET}".encode(), r"a\.parquet: the file is not parquet"),
    ("a.parquet", b"", r"a\.parquet: the file is not parquet"),
    ("a.parquet.gz", parquet_of(ROWS), r"a\.parquet\.gz: the file is not parquet"),
    ("a.parquet.gz", gzip.compress(parquet_of(ROWS))[:-30], r"a\.parquet\.gz: the file is not parquet"),
    ("a.xlsx", SECRET.encode(), r"a\.xlsx has an unknown format\. Use \.jsonl, \.csv or \.parquet"),
]


@pytest.mark.parametrize(("name", "data", "says"), FAULTS)
def test_a_faulty_file_is_one_sentence_without_its_text(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=says) as raised:
        read(tmp_path / name)
    assert len(raised.value.faults) == 1
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("source", ["no.jsonl", "./no", "../no.csv", "/no/such/folder", "~/no such file.csv"])
def test_a_missing_file_is_named(tmp_path: Path, source: str) -> None:
    with pytest.raises(InputError, match=f"job.yaml: seeds.path: there is no file or folder {source}"):
        list(read_rows(source, tmp_path, "job.yaml: seeds.path"))


def test_a_folder_without_texts_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    with pytest.raises(InputError, match=r"the folder notes has no \.txt files"):
        read(tmp_path / "notes")


def test_a_name_too_long_for_a_file_is_a_fault_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it cannot be read"):
        list(read_rows("x" * 5000, tmp_path, "seeds.path"))


def test_a_dataset_that_cannot_be_loaded_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seeds.path is no-such-dataset, neither a path nor a dataset"):
        list(read_rows("no-such-dataset", tmp_path, "seeds.path"))


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl_of(ROWS))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert list(read_rows("~/a.jsonl", Path("/somewhere"), "seeds.path")) == ROWS


@pytest.mark.parametrize(
    ("name", "rows"), [("tabular/adult.dev.csv.gz", 32561), ("clinical/aci_bench.dev.jsonl.gz", 127)]
)
def test_real_files_are_read_whole(name: str, rows: int) -> None:
    if not (DATA / name).is_file():
        pytest.skip(f"the development data has no {name} here")
    assert len(read(DATA / name)) == rows
