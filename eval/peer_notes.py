"""Clinical notes beside DataDesigner and distilabel, by the same model: `python eval/peer_notes.py [--tokens 20000]`.

One task (the `clinical_note` recipe), its seeds, and about as many generated tokens for each contender, all from one
server of the embedded model on loopback (`peers/model_server.py`), which counts them. The facts of each note are drawn
by textsynth's plan and given to the peers as their rows. What they wrote goes through the recipe's filters
(`textsynth filter`), and counts where a note also states at least 90% of its six facts: the age as a number, the sex by
a word for it, the others word for word, case aside. Peers run once as their documentation shows (`peers/*_notes.py` say
where), and once with textsynth's prompt; environments of their own are made when missing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from openai_engine import HERE, PACKAGES, QUIET, ROOT, call, stats, tokenizer

from textsynth.decide import filter_records
from textsynth.job import job_from
from textsynth.outputs.store import Store
from textsynth.parse import ParseError, parse_fields
from textsynth.pipeline import run_job
from textsynth.prepare import prepare
from textsynth.rounds import Writer

RECIPE = ROOT / "textsynth/recipes/clinical_note"
WORDS = {"female": "female|woman|girl|lady|she|her", "male": "male|man|boy|gentleman|he|his|him"}
FACTS = ("complaint", "finding", "diagnosis", "treatment")
PEERS = {"DataDesigner": "datadesigner", "distilabel": "distilabel"}
NOTE = 67  # tokens of one of textsynth's notes
FIRST = 10  # notes that tell how many a peer makes of its tokens
Row = dict[str, Any]


def recipe(**changes: Any) -> Any:
    job = yaml.safe_load((RECIPE / "job.yaml").read_text(encoding="utf-8"))
    return job_from(job | changes, RECIPE / "job.yaml")


def planned() -> Iterator[Row]:
    """The facts of one record after the other, with textsynth's prompt for it."""
    writer, first = Writer(prepare(recipe(), writes=False, check_only=True)), 0
    while True:
        for draft in writer.plan(0, first, [64]).drafts:
            [request] = writer.requests(draft)
            turns = [turn["content"] for turn in request.messages[1:]]
            shown = [f"{ask}\nNote: {note_of(text)}" for ask, text in zip(turns[::2], turns[1::2], strict=False)]
            yield {
                **(draft.record.fields or {}),
                "number": first,
                "messages": list(request.messages),
                "chat": "\n\n".join([*shown, f"{turns[-1]}\nNote:"]),
            }
            first += 1


def ours(tokens: int, folder: Path) -> None:
    with server() as port:
        engine = {"type": "openai", "model": "smollm2-135m", "base_url": f"http://127.0.0.1:{port}/v1"}
        engine["options"] = {"concurrency": 64}  # as many as the peers have open
        plan = {"target": 10_000, "max_requests": tokens // NOTE, "round": 64, "few_shot_block": 16}
        run_job(recipe(engine=engine, plan=plan), folder / "run")
        told = stats(port)
    (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")


def theirs(name: str, kind: str, tokens: int, folder: Path, peers: Path) -> None:
    """What a peer makes of so many tokens, through the recipe's filters."""
    home, facts, made = PEERS[name], planned(), list[Row]()
    with server() as port:
        told = {"answered": 0, "completion_tokens": 0}
        while (left := tokens - told["completion_tokens"]) > 0:
            count = FIRST if not made else int(left * len(made) / told["completion_tokens"])
            if count < 1:
                break
            made += asked(home, kind, list(islice(facts, count)), port, folder, peers)
            told = {key: told[key] + value for key, value in stats(port).items() if key in told}
    (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    filter_records(prepare(recipe(), writes=False, check_only=True), str(folder / "rows.jsonl"), folder / "run")


def asked(home: str, kind: str, rows: list[Row], port: int, folder: Path, peers: Path) -> list[Row]:
    """Records of a peer: its rows with what it wrote, or with the note in that, where it is the JSON of our prompt."""
    (folder / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "written.jsonl").unlink(missing_ok=True)
    files = [str((folder / f"{name}.jsonl").resolve()) for name in ("asked", "written")]
    python, script = str(peers / home / "bin/python"), str(HERE / f"peers/{home}_notes.py")
    with tempfile.TemporaryDirectory() as own:
        settings = {"PATH": os.environ["PATH"], "HOME": own, **QUIET, **tokenizer(peers)}
        command = [python, script, f"http://127.0.0.1:{port}/v1", *files, kind]
        done = subprocess.run(command, cwd=own, env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{home}: {done.stderr[-1500:]}")
    by_number = {row["number"]: row for row in rows}
    records = []
    for line in (folder / "written.jsonl").read_text(encoding="utf-8").splitlines():
        got = json.loads(line)
        known = {key: v for key, v in by_number[got["number"]].items() if key not in ("number", "messages", "chat")}
        records.append(known | {"note": note_of(got["note"] or "")})
    return records


def note_of(text: str) -> str:
    try:
        return str(parse_fields(text).get("note", text)).strip()
    except ParseError:
        return text.strip()


def stated(record: Mapping[str, Any]) -> float:
    """The share of a record's facts that its note states."""
    note = " ".join(record["note"].lower().split())
    found = [f" {record['age']} " in re.sub(r"\D+", lambda gap: f" {gap[0]} ", f" {note} ")]
    found += [bool(re.search(rf"\b(?:{WORDS[record['sex']]})\b", note))]
    found += [" ".join(str(record[name]).lower().split()) in note for name in FACTS]
    return sum(found) / len(found)


@contextmanager
def server() -> Iterator[int]:
    """The model's server in a process of its own; yields its port."""
    command = [sys.executable, str(HERE / "peers/model_server.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def install(peers: Path) -> None:
    for home in PEERS.values():
        if not (peers / home / "bin/python").is_file():
            call([sys.executable, "-m", "venv", str(peers / home)])
            call([str(peers / home / "bin/python"), "-m", "pip", "install", "-q", *PACKAGES[home]])


def good_of(run: Path) -> tuple[list[Row], int]:
    """A run's accepted records, and how many of them state their facts."""
    records = [json.loads(line) for line in (run / "accepted.jsonl").read_text(encoding="utf-8").splitlines()]
    return records, sum(stated(record) >= 0.9 for record in records)


def any_form(run: Path) -> tuple[list[Row], int]:
    """The same with a schema that takes any text for a note, where the recipe's asks for five to seven sentences."""
    out = run.parent / "any_form"
    if not out.is_dir():
        schema = json.loads((ROOT / "schemas/clinical_note.json").read_text(encoding="utf-8"))
        schema["properties"]["note"] = {"type": "string", "minLength": 1}
        path = run.parent.resolve() / "any_form.json"
        path.write_text(json.dumps(schema), encoding="utf-8")
        filter_records(prepare(recipe(record_schema=str(path)), writes=False, check_only=True), str(run), out)
    return good_of(out)


def numbers(run: Path, shown: int) -> dict[str, Any]:
    told = json.loads((run.parent / "told.json").read_text(encoding="utf-8"))
    (records, good), (loose, loosely) = good_of(run), any_form(run)
    with Store(run, write=False) as store:
        every = [stated(row["fields"]) for row in store.records() if row["fields"]]
    thousands = told["completion_tokens"] / 1000
    return {
        "answers": told["answered"],
        "generated_tokens": told["completion_tokens"],
        "accepted": len(records),
        "accepted_and_stating_the_facts": good,
        "accepted_per_1000_tokens": round(len(records) / thousands, 3),
        "per_1000_tokens": round(good / thousands, 3),
        "of_any_form": {
            "accepted": len(loose),
            "accepted_and_stating_the_facts": loosely,
            "per_1000_tokens": round(loosely / thousands, 3),
        },
        "stating_the_facts_of_all_answers": sum(share >= 0.9 for share in every),
        "facts_stated_of_all_answers": round(sum(every) / max(1, len(every)), 3),
        "refused": json.loads((run / "manifest.json").read_text(encoding="utf-8"))["reasons"],
        "some": [record["note"][:300] for record in records[:shown]],
    }


def main(tokens: int, peers: Path, out: Path, shown: int) -> None:
    install(peers)
    told: dict[str, Any] = {"tokens": tokens, "packages": [one for home in PEERS.values() for one in PACKAGES[home]]}
    contenders = {"textsynth": lambda folder: ours(tokens, folder)}
    for name in PEERS:
        for kind in ("default", "chat"):
            contenders[f"{name}, {kind}"] = lambda folder, name=name, kind=kind: theirs(  # type: ignore[misc]
                name, kind, tokens, folder, peers
            )
    for name, run in contenders.items():
        folder = out / name.replace(", ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "run/manifest.json").is_file():
            run(folder)
        told[name] = numbers(folder / "run", shown)
        print(name, told[name], file=sys.stderr, flush=True)
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--peers", type=Path, default=ROOT / ".peers")
    parser.add_argument("--out", type=Path, required=True, help="what is there already is not made again")
    parser.add_argument("--shown", type=int, default=0, help="notes of each that are printed")
    given = parser.parse_args()
    main(given.tokens, given.peers.resolve(), given.out, given.shown)
