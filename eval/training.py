"""Training sets: recipes, formats, splits, benchmarks, labels. It reads ../shared/data and prints JSON.

python eval/training.py recipes DIR...           yield, tokens and seconds of run folders, one a recipe
python eval/training.py formats DIR...           every layout and format of run folders, loaded by `datasets`
python eval/training.py trl DIR... --peer PYTHON two steps of SFTTrainer and DPOTrainer on those exports
python eval/training.py splits                   near duplicates across the splits of alpaca
python eval/training.py benchmarks               planted items of gsm8k and humaneval in 5,000 rows of alpaca
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from textsynth.decide import filter_records
from textsynth.filters.decontaminate import DecontaminateFilter
from textsynth.inputs.benchmarks import read_benchmarks
from textsynth.inputs.dialects import fast_validator
from textsynth.job import job_from
from textsynth.outputs.store import Store
from textsynth.prepare import prepare
from textsynth.records import Record
from textsynth.similarity.encoder import TextEncoder
from textsynth.training import export

DATA = Path(__file__).resolve().parents[2] / "shared/data"
OTHERS = "time house water seven green number people letter small find often under paper third".split()  # noqa: SIM905
FORMATS = ("jsonl", "parquet", "dataset")
LAYOUTS = {
    "chat": ("messages", "sharegpt", "prompt_completion"),
    "preference": ("preference", "preference_messages"),
    "instruction": ("records", "messages", "alpaca", "sharegpt", "prompt_completion"),
    "evolve": ("messages", "alpaca"),
    "classification": ("messages", "prompt_completion"),
    "extraction": ("messages", "prompt_completion"),
    "qa_from_documents": ("messages", "alpaca"),
}
TRAIN = """
import sys, datasets, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
model, kind, *paths = sys.argv[1:]
for path in paths:
    load = datasets.load_from_disk if path.endswith("dataset") else datasets.load_dataset
    data = load(path)
    config, trainer = (DPOConfig, DPOTrainer) if kind == "dpo" else (SFTConfig, SFTTrainer)
    made = trainer(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        processing_class=AutoTokenizer.from_pretrained(model),
        train_dataset=data["train"],
        args=config(output_dir=path + ".out", max_steps=2, per_device_train_batch_size=2, report_to=[], use_cpu=True,
                    save_strategy="no", logging_steps=1, disable_tqdm=True, bf16=False),
    )
    print(path, made.train().training_loss, flush=True)
"""


def lines(name: str) -> Iterator[dict[str, Any]]:
    path = DATA / name
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def recipes(folders: list[Path]) -> dict[str, Any]:
    """What a run of each recipe took, and whether all of its records are valid by a check of its own."""
    rows = {}
    for folder in folders:
        manifest = json.loads((folder / "manifest.json").read_text())
        (schema,) = (json.loads(path.read_text()) for path in folder.glob("*.schema.json"))
        records = [json.loads(line) for line in (folder / "accepted.jsonl").read_text().splitlines()]
        accepted, totals = manifest["counts"]["accepted"], manifest["totals"]
        rows[folder.parent.name.removeprefix("run_")] = {
            "accepted": accepted,
            "completed": manifest["counts"]["completed"],
            "valid": sum(map(fast_validator(schema).is_valid, records)),
            "yield": manifest["yield_rate"],
            "refused": manifest["reasons"],
            "tokens_written_per_accepted": round(totals["completion_tokens"] / max(accepted, 1)),
            "tokens_read_per_accepted": round(totals["prompt_tokens"] / max(accepted, 1)),
            "seconds": manifest["elapsed_seconds"],
        }
        if "quote" in schema["properties"]:
            rows[folder.parent.name.removeprefix("run_")]["quotes_in_passage"] = sum(
                " ".join(r["quote"].split()) in " ".join(r["passage"].split()) for r in records
            )
    return rows


def exports(folders: list[Path], out: Path) -> Iterator[tuple[str, str, Path]]:
    """Every layout and format of each run folder, split in two."""
    for folder in folders:
        name = folder.parent.name.removeprefix("run_")
        for layout in LAYOUTS.get(name, ("records",)):
            for format in FORMATS:
                path = out / f"{name}-{layout}-{format}"
                with Store(folder, write=False) as store:
                    export(store, format, path, layout=layout, shares={"train": 0.8, "test": 0.2})
                yield name, layout, path


def formats(folders: list[Path]) -> dict[str, Any]:
    import datasets

    loaded = {}
    with tempfile.TemporaryDirectory() as made:
        for _, _, path in exports(folders, Path(made)):
            load = datasets.load_from_disk if path.name.endswith("dataset") else datasets.load_dataset
            data = load(str(path))
            loaded[path.name] = {part: len(rows) for part, rows in data.items()} | {
                "columns": data["train"].column_names
            }
    return {"loaded": len(loaded), "sets": loaded}


def trl(folders: list[Path], peer: str) -> dict[str, Any]:
    from textsynth.models import resolve

    with tempfile.TemporaryDirectory() as made:
        paths: dict[str, list[str]] = defaultdict(list)
        for _, layout, path in exports(folders, Path(made)):
            if layout in ("messages", "prompt_completion"):
                paths["sft"].append(str(path))
            elif layout.startswith("preference"):
                paths["dpo"].append(str(path))
        told: dict[str, Any] = {}
        for kind, some in paths.items():
            command = [peer, "-c", TRAIN, resolve("smollm2-135m", "eval"), kind, *some]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            losses = [line.rsplit(" ", 1) for line in done.stdout.splitlines() if line.startswith(made)]
            told[kind] = {"wanted": len(some), "trained": {Path(p).name: round(float(v), 3) for p, v in losses}}
            if done.returncode:
                told[kind]["error"] = done.stderr[-1500:]
    return told


def splits() -> dict[str, Any]:
    """alpaca through `textsynth filter` with the schema alone, exported in two parts; every pair across is compared.

    alpaca.dev has hardly a near duplicate left, so 1,000 of its rows are added again with a word in twenty replaced.
    """
    schema = {"type": "object", "properties": {n: {"type": "string"} for n in ("instruction", "input", "output")}}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        rows = [{name: row[name] for name in schema["properties"]} for row in lines("instructions/alpaca.dev.jsonl.gz")]
        draw = random.Random(2)
        rows += [{name: changed(text, 0.05, draw) for name, text in row.items()} for row in draw.sample(rows, 1000)]
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        (folder / "task.json").write_text(json.dumps(schema), encoding="utf-8")
        (folder / "task.j2").write_text("{% block user %}Write.{% endblock %}", encoding="utf-8")
        job = {
            "seeds": {"path": "rows.jsonl", "limit": 100}, "record_schema": "./task.json", "plan": {"target": 1},
            "steps": [{"prompt": "./task.j2"}], "engine": {"type": "scripted"},
        }  # fmt: skip
        prepared = prepare(job_from(job, folder / "job.yaml"), writes=False, check_only=True)
        filter_records(prepared, str(folder / "rows.jsonl"), folder / "run")
        with Store(folder / "run", write=False) as store:
            made_of = export(store, "jsonl", folder / "set", shares={"train": 0.9, "test": 0.1})
        parts = {
            name: [json.loads(line) for line in (folder / f"set/{name}.jsonl").read_text().splitlines()]
            for name in ("train", "test")
        }
    naive = random.Random(1)
    mixed = [row for rows in parts.values() for row in rows]
    naive.shuffle(mixed)
    cut = len(parts["test"])
    return {
        "rows": dict(made_of.parts),
        "pairs_across": pairs_across(parts["train"], parts["test"]),
        "pairs_across_a_random_split": pairs_across(mixed[cut:], mixed[:cut]),
    }


def pairs_across(train: list[dict[str, Any]], test: list[dict[str, Any]], least: float = 0.5) -> int:
    """Pairs whose sets of three-word runs have a Jaccard similarity of `least`, by an inverted index, all of them."""

    def runs(row: dict[str, Any]) -> set[tuple[str, ...]]:
        words = " ".join(row.values()).casefold().split()
        words = [w for word in words if (w := "".join(c for c in word if c.isalnum()))]
        return {tuple(words[at : at + 3]) for at in range(max(1, len(words) - 2))}

    sets = [runs(row) for row in train]
    where: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for at, one in enumerate(sets):
        for run in one:
            where[run].append(at)
    count = 0
    for row in test:
        mine, shared = runs(row), defaultdict(int)
        for run in mine:
            for at in where.get(run, ()):
                shared[at] += 1
        count += sum(both / (len(mine) + len(sets[at]) - both) >= least for at, both in shared.items())
    return count


def benchmarks() -> dict[str, Any]:
    draw = random.Random(3)
    gsm, human = list(lines("instructions/gsm8k_train.dev.jsonl.gz")), list(lines("instructions/humaneval.dev.jsonl"))
    items = [f"{row['question']}\n{row['answer']}" for row in draw.sample(gsm, 60)]
    items += [f"{row['prompt']}\n{row['canonical_solution']}" for row in draw.sample(human, 40)]
    alpaca = [
        f"{r['instruction']}\n{r['input']}\n{r['output']}"
        for r in islice(lines("instructions/alpaca.dev.jsonl.gz"), 5000)
    ]
    altered = [changed(text, 0.1, draw) for text in items]
    files = [str(DATA / f"instructions/{name}") for name in ("gsm8k_train.dev.jsonl.gz", "humaneval.dev.jsonl")]
    found = read_benchmarks(files, Path(), "eval")
    told: dict[str, Any] = {"items": len(found), "rows": len(alpaca)}
    for name, similarity in (("by_words_alone", None), ("default", 0.9)):
        one = DecontaminateFilter(found, ["text"], 0.7, similarity, TextEncoder() if similarity else None)
        told[name] = {
            which: round(sum(judged(one, texts)) / len(texts), 6)
            for which, texts in (("verbatim", items), ("changed", altered), ("alpaca", alpaca))
        }
    return told


def changed(text: str, share: float, draw: random.Random) -> str:
    """A text in which that share of the words is another one; white space stays."""
    pieces = re.findall(r"\s+|\S+", text)
    return "".join(draw.choice(OTHERS) if piece.strip() and draw.random() < share else piece for piece in pieces)


def judged(one: DecontaminateFilter, texts: list[str]) -> list[bool]:
    records = [Record(f"r{at:07d}", 0, {}, {"text": text}) for at, text in enumerate(texts)]
    refused = []
    for first in range(0, len(records), 1024):
        part = records[first : first + 1024]
        one.prepare(part)
        refused += [not one.check(record).accepted for record in part]
    return refused


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["recipes", "formats", "trl", "splits", "benchmarks"])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--peer", default="python")
    given = parser.parse_args()
    work: dict[str, Any] = {
        "recipes": lambda: recipes(given.folders), "formats": lambda: formats(given.folders),
        "trl": lambda: trl(given.folders, given.peer), "splits": splits, "benchmarks": benchmarks,
    }  # fmt: skip
    print(json.dumps(work[given.what](), indent=2))


if __name__ == "__main__":
    main()
