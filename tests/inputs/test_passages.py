"""Documents cut into passages, and passages into their sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.jobs import tiny_job
from textsynth import InputError
from textsynth.inputs.seeds import load_seeds

TEXT = """The first sentence has six words. The second one has a few more words in it.

A new paragraph starts here and goes on. Short one. """


def passages(folder: Path, text: str, words: int, **columns: str) -> list[dict[str, Any]]:
    (folder / "documents").mkdir(parents=True)
    (folder / "documents/one.txt").write_text(text)
    spec = {"path": "documents", "passages": words, "columns": columns, "holdout": 0}
    job = tiny_job(folder, seeds=spec, fields={})
    found = load_seeds(job, list(columns), (), list(columns))
    return [dict(seed.data) for seed in found.shown]


def test_passages_end_with_sentences(tmp_path: Path) -> None:
    found = passages(tmp_path, TEXT, 20, passage="text")
    assert [row["passage"] for row in found] == [
        "The first sentence has six words. The second one has a few more words in it.",
        "A new paragraph starts here and goes on. Short one.",
    ]


def test_each_sentence_of_a_passage_is_a_seed_where_a_field_takes_it(tmp_path: Path) -> None:
    found = passages(tmp_path, TEXT, 20, passage="text", quote="sentence")
    assert [row["quote"] for row in found] == [
        "The first sentence has six words.",
        "The second one has a few more words in it.",
        "A new paragraph starts here and goes on.",
    ]
    assert all(row["quote"] in row["passage"] for row in found)


@pytest.mark.parametrize("words", [20, 37, 100])
def test_no_word_is_lost_and_no_passage_is_longer(tmp_path: Path, words: int) -> None:
    text = " ".join(f"w{n}{'.' if n % 9 == 0 else ''}" for n in range(300)) + " " + "long " * 90
    found = [row["passage"].split() for row in passages(tmp_path, text, words, passage="text")]
    assert max(map(len, found)) <= words
    assert sum(map(len, found)) >= 300  # equal passages of the long sentence are one seed


def test_documents_that_are_empty_or_binary(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of the 0 rows|holds no rows"):
        passages(tmp_path / "empty", " \n ", 20, passage="text")
    (tmp_path / "binary").mkdir()
    (tmp_path / "binary/documents").mkdir()
    (tmp_path / "binary/documents/x.txt").write_bytes(b"\xff\xfe\x00\x01" * 30)
    job = tiny_job(tmp_path / "binary", seeds={"path": "documents", "passages": 20}, fields={})
    with pytest.raises(InputError, match="x.txt line 1: the text is not UTF-8"):
        load_seeds(job, ["text"], (), ["text"])
