"""Identifiers of seeds planted into what an engine writes: how many records with one are accepted.

    python eval/leaks.py     # writes eval/results/identifier_leaks.json

Seeds are mtsamples notes with identifiers of eval/planted.py in them. A scripted engine gives notes of other clusters,
half of them with one identifier of a seed: as it stands, in another case or format, or with one character changed.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from deidentify import notes, planted
from planted_identifiers import forms, made

from textsynth import run_job
from textsynth.engines.scripted import ScriptedEngine
from textsynth.job import job_from
from textsynth.records import Completion, Request

RESULT = Path(__file__).parent / "results" / "identifier_leaks.json"
UNIQUE = "email ssn mrn health_plan account license vehicle url phone fax".split()  # noqa: SIM905


def main(people: int = 200, records: int = 400) -> None:
    rng = random.Random(4)
    seeds, leaks = [], list[tuple[str, str]]()
    for text in notes(0)[:people]:
        text, spans = planted(text[:1500], 3, rng)
        seeds.append({"note": text})
        leaks += [(kind, text[slice(*span)]) for kind, span in spans if kind in UNIQUE]
        _, name, _ = made("Mr. <{first} {last}>", 3, rng)
        seeds[-1]["note"] += f" Seen with Mr. {name}."
        leaks.append(("name", name))
    texts, truth = notes(1), dict[str, tuple[str, str]]()

    class Leaking(ScriptedEngine):
        def answer(self, request: Request) -> Completion:
            own = random.Random(request.id)
            text = own.choice(texts)[:800]
            if own.random() < 0.5:
                kind, said = own.choice(leaks)
                way = own.choice(["as it is", "upper case", "other separators", "one changed"])
                truth[request.id] = kind, way
                text += f" {'Mr. ' if kind == 'name' else ''}{changed(kind, said, way, own)} was noted."
            return Completion(request.id, json.dumps({"note": text}), "stop", 1, 1)

        def generate(self, feed: Any) -> Any:
            for request in feed:
                if request is None:
                    break
                yield self.answer(request)

    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "seeds.jsonl").write_text("\n".join(map(json.dumps, seeds)), encoding="utf-8")
        (base / "p.j2").write_text("{% block user %}Write a note.{% endblock %}", encoding="utf-8")
        schema = {"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}
        (base / "s.json").write_text(json.dumps(schema), encoding="utf-8")
        job = job_from(
            {
                "seeds": {"path": "seeds.jsonl", "deidentify": {"note": "surrogate"}},
                "record_schema": "./s.json",
                "steps": [{"prompt": "./p.j2", "few_shot": 1}],
                "plan": {"target": records, "max_requests": records, "round": 50},
                "engine": {"type": "scripted"},
                "filters": [{"type": "schema"}, {"type": "identifiers"}],
            },
            base / "job.yaml",
        )
        run_job(job, base / "run", engine=Leaking())
        lineage = [json.loads(line) for line in (base / "run" / "lineage.jsonl").read_text().splitlines()]
        rejected = [json.loads(line) for line in (base / "run" / "rejected.jsonl").read_text().splitlines()]
    print(json.dumps(result(truth, {row["id"] for row in lineage}, rejected), indent=2))


def result(truth: dict[str, tuple[str, str]], accepted: set[str], rejected: list[dict[str, Any]]) -> dict[str, Any]:
    leaking = {request_id.split("-")[0].split("/")[0].split(".")[0]: what for request_id, what in truth.items()}
    missed = [leaking[one] for one in accepted if one in leaking]
    refused = Counter(
        f"{row['scores']['kind']}{', one changed' * row['scores']['near']}"
        for row in rejected
        if row["id"] not in leaking
    )
    caught = Counter(leaking[row["id"]][1] for row in rejected if row["id"] in leaking)
    numbers = {
        "records_with_a_leak": len(leaking),
        "accepted_with_a_leak": len(missed),
        "missed": [" ".join(one) for one in missed],
        "caught_by_way": dict(caught),
        "records_without": len(accepted) - len(missed) + refused.total(),
        "refused_without": dict(refused),
    }
    RESULT.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return numbers


def changed(kind: str, said: str, way: str, rng: random.Random) -> str:
    """The identifier written in another way."""
    if way == "upper case":
        return said.upper()
    if way == "other separators" and kind not in ("name", "email", "url"):
        return re.sub(r"[-. ()]+", rng.choice([" ", "-", "."]), said).strip(" -.")
    if way == "one changed" and kind not in ("email", "url"):
        if kind != "name" and sum(c.isdigit() for c in said) < 6:  # the filter's own limit
            return said
        words = [m for m in re.finditer(r"[a-z]{4,}" if kind == "name" else r"\d{3,}", said)]
        if words:
            at = words[-1].start() + 1
            new = rng.choice([c for c in ("aeiou" if kind == "name" else "0123456789") if c != said[at]])
            return said[:at] + new + said[at + 1 :]
    return said


if __name__ == "__main__":
    assert forms(3)
    main()
