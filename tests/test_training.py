"""A run exported as a set that trainers load: rows left out, splits, the card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.outputs.fake_run import META, fake_run
from tests.similarity.test_minhash import WORDS
from textsynth.errors import InputError
from textsynth.models import resolve
from textsynth.outputs.store import Store
from textsynth.training import export

SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("instruction", "input", "output", "topic")},
}
SOURCES = {"instruction": "copied", "input": "written", "output": "written", "topic": "sampled"}


def task(number: int) -> dict[str, Any]:
    words = [WORDS[(number * 37 + at * 11) % len(WORDS)] for at in range(12)]
    return {
        "instruction": f"Say {number}.",
        "input": "",
        "output": " ".join(words),
        "topic": ("tea", "rain")[number % 4 == 0],
    }


def run_of(folder: Path, tasks: list[dict[str, Any]], **meta: Any) -> Store:
    return fake_run(folder, len(tasks), ("accepted",), tasks, schema=SCHEMA, sources=SOURCES, **meta)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_that_cannot_be_are_left_out_and_said(tmp_path: Path) -> None:
    tasks = [task(0), task(1) | {"output": " "}, task(2), task(3) | {"output": ""}]
    with run_of(tmp_path / "run", tasks) as store:
        made = export(store, "jsonl", tmp_path / "out.jsonl", layout="messages")
    assert (made.records, made.left_out) == (2, {"has an empty completion": 2})
    assert made.notes == ["2 records left out: has an empty completion (first: r0000001)."]
    assert [row["messages"][0]["content"] for row in lines(tmp_path / "out.jsonl")] == ["Say 0.", "Say 2."]


def test_nothing_to_write_is_a_fault(tmp_path: Path) -> None:
    with run_of(tmp_path / "run", [task(0) | {"output": ""}]) as store:
        with pytest.raises(InputError, match="r0000000 has an empty completion"):
            export(store, "jsonl", tmp_path / "out.jsonl", layout="messages")
        with pytest.raises(InputError, match="--stratify is colour, which is no field"):
            export(store, "jsonl", tmp_path / "out", shares={"a": 0.5, "b": 0.5}, stratify=["colour"])
        with pytest.raises(InputError, match="go together"):
            export(store, "jsonl", tmp_path / "out.jsonl", max_length=5)
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("format", ["jsonl", "parquet", "csv", "dataset"])
def test_splits_load_in_datasets_with_their_card(tmp_path: Path, format: str) -> None:
    import datasets

    with run_of(tmp_path / "run", [task(number) for number in range(40)]) as store:
        made = export(store, format, tmp_path / "set", shares={"train": 0.75, "test": 0.25}, stratify=["topic"])
    load = datasets.load_from_disk if format == "dataset" else datasets.load_dataset
    data = load(str(tmp_path / "set"))
    assert {name: len(rows) for name, rows in data.items()} == made.parts
    assert made.parts["train"] + made.parts["test"] == 40 and 9 <= made.parts["test"] <= 11
    assert sum(row["topic"] == "rain" for row in data["test"]) in (2, 3)
    card = (tmp_path / "set/README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    assert "synthetic" in head["tags"] and head["size_categories"] == ["n<1K"]
    if format != "dataset":
        assert [part["split"] for part in head["configs"][0]["data_files"]] == ["train", "test"]


def test_near_duplicates_and_records_of_one_seed_are_in_one_split(tmp_path: Path) -> None:
    tasks = [task(number) for number in range(30)]
    tasks += [row | {"output": row["output"] + " indeed"} for row in tasks[:10]]  # each nearly repeats another
    with run_of(tmp_path / "run", tasks) as store:
        rows = [(f"r{at:07d}", {"drawn_from": {"instruction": f"s{at % 15}"}}) for at in range(40)]
        store._run("UPDATE records SET lineage = ? WHERE id = ?", [(json.dumps(b), a) for a, b in rows])
        store.commit()
        export(store, "jsonl", tmp_path / "set", shares={"train": 0.6, "test": 0.4})
    places = {row["output"]: name for name in ("train", "test") for row in lines(tmp_path / "set" / f"{name}.jsonl")}
    assert len(places) == 40
    assert all(places[row["output"]] == places[row["output"] + " indeed"] for row in tasks[:10])
    assert all(places[tasks[at]["output"]] == places[tasks[at + 15]["output"]] for at in range(15))


def test_a_card_says_what_a_reader_needs_and_no_seed_text(tmp_path: Path) -> None:
    job = META["job"] | {"seeds": {"path": "secret-name.jsonl", "license": "CC-BY-4.0"}}
    with fake_run(tmp_path / "run", job=job) as store:
        export(store, "jsonl", tmp_path / "set", shares={"train": 0.5, "test": 0.5})
    card = (tmp_path / "set/README.md").read_text()
    for said in (
        "CC-BY-4.0",
        "104 shown, 26 held out",
        "copying a run of words from a seed",
        "Not claimed",
        "scripted",
    ):
        assert said in card, said
    assert "parrots" not in card


def test_an_unstated_license_is_asked_for(tmp_path: Path) -> None:
    with fake_run(tmp_path / "run") as store:
        export(store, "parquet", tmp_path / "set", shares={"train": 0.5, "test": 0.5})
    assert "state it before you share this set" in (tmp_path / "set/README.md").read_text()


def test_an_earlier_export_is_replaced_only_by_force_and_nothing_else_ever(tmp_path: Path) -> None:
    shares = {"train": 0.5, "test": 0.5}
    with run_of(tmp_path / "run", [task(number) for number in range(12)]) as store:
        export(store, "jsonl", tmp_path / "set", shares=shares)
        with pytest.raises(InputError, match="exists already"):
            export(store, "jsonl", tmp_path / "set", shares=shares)
        export(store, "jsonl", tmp_path / "set", shares=shares, force=True)
        (tmp_path / "set/mine.txt").write_text("x")
        with pytest.raises(InputError, match="something else than an earlier export"):
            export(store, "jsonl", tmp_path / "set", shares=shares, force=True)


@pytest.mark.model
def test_rows_that_are_too_long_for_a_tokenizer_are_left_out(tmp_path: Path) -> None:
    tasks = [task(0), task(1) | {"output": "word " * 200}]
    with run_of(tmp_path / "run", tasks) as store:
        made = export(
            store, "jsonl", tmp_path / "out.jsonl", layout="messages", tokenizer="smollm2-135m", max_length=100
        )
        assert made.left_out == {"has more than 100 tokens": 1}
        pair = tasks[0] | {"prompt": "Why?", "chosen": "Yes.", "rejected": "No." * 100}
    with (
        fake_run(tmp_path / "pairs", 1, ("accepted",), [pair], schema={"properties": dict.fromkeys(pair, {})}) as pairs,
        pytest.raises(InputError, match="has more than 60 tokens"),
    ):
        export(pairs, "jsonl", tmp_path / "p.jsonl", layout="preference", tokenizer="smollm2-135m", max_length=60)


@pytest.mark.model
def test_a_tokenizer_without_a_chat_template_is_said(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(resolve("smollm2-135m", "tests"))
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "model/config.json").write_text('{"model_type": "llama"}')
    with run_of(tmp_path / "run", [task(0)]) as store:
        made = export(
            store, "jsonl", tmp_path / "out.jsonl", layout="messages", tokenizer=str(tmp_path / "model"), max_length=500
        )
    [said] = made.notes
    assert "has no chat template: a turn is written as" in said
