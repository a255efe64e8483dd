"""Benchmark files as texts, each with its place, for the filter that keeps them out of a training set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textsynth.errors import InputError
from textsynth.inputs.readers import read_rows
from textsynth.records import strings_in

Item = tuple[str, str]  # place, such as `gsm8k:12`, and text


def read_benchmarks(files: Sequence[str], base: Path, place: str) -> list[Item]:
    """Every text of every row, also inside lists and objects, with the file's name and the row's number from 1.

    Raises:
        InputError: a file cannot be read, two have one name, or one holds no text.
    """
    items: list[Item] = []
    for number, file in enumerate(files):
        here, name = f"{place}[{number}]", Path(file).name.split(".")[0]
        if any(known.startswith(f"{name}:") for known, _ in items):
            raise InputError(f"{here} is {Path(file).name}, and another file is named {name} too. Rename one.")
        before = len(items)
        for row, data in enumerate(read_rows(file, base, here), 1):
            items += [(f"{name}:{row}", text) for text in strings_in(data) if text.strip()]
        if len(items) == before:
            raise InputError(f"{here} is {Path(file).name}, which holds no text. Give rows with texts to compare with.")
    return items
