"""A run folder made through Store alone: our own clinical notes stand in for what a model would write."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from textsynth.outputs.store import Judged, State, Store
from textsynth.records import Completion, Record, Request, Verdict

ROOT = Path(__file__).resolve().parents[2]
NOTES = [
    json.loads(line)
    for line in (ROOT / "textsynth/recipes/clinical_note/seeds.jsonl").read_text(encoding="utf-8").splitlines()
]
SEED_TEXT = "the seed said that the patient keeps nine parrots"
SOURCES = {name: "sampled" for name in NOTES[0]} | {"note": "written"}
SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}} | {name: {"type": "string"} for name in NOTES[0] if name != "age"},
}
JOB: dict[str, Any] = {
    "seeds": {"path": "seeds.jsonl"},
    "steps": [{"prompt": "clinical_note", "few_shot": 2, "sampling": None}],
    "sampling": {"temperature": 0.5},
    "plan": {"target": 40, "round": 30},
    "filters": [{"type": "schema"}, {"type": "leakage", "alpha": 0.05, "max_span": 14}, {"type": "dedup"}],
}
LEAKAGE: dict[str, Any] = {
    "alpha": 0.05, "method": "split conformal", "calibration_records": 19, "smallest_alpha": 0.05,
    "center": {"span": 3.0, "overlap": 0.1, "similarity": 0.5},
    "spread": {"span": 2.0, "overlap": 0.05, "similarity": 0.1},
    "calibration_scores": [round(-1 + at * 0.2, 2) for at in range(19)],
    "calibration_raw": {
        "span": [2 + at // 4 for at in range(19)], "overlap": [at / 100 for at in range(19)],
        "similarity": [0.4 + at / 50 for at in range(19)],
    },
    "max_span": 14, "max_span_refuses_of_calibration": 0.0,
}  # fmt: skip
META: dict[str, Any] = {
    "job": JOB, "job_name": "notes", "schema": SCHEMA, "sources": SOURCES, "status": "done", "shortfall": [],
    "seeds": {"read": 130, "shown": 104, "holdout": 26}, "evidence": {"leakage": LEAKAGE}, "elapsed": 192.4,
    "engine": {"type": "scripted", "model": "scripted", "fingerprint": "abc"},
    "engines": [{"type": "scripted", "model": "scripted", "fingerprint": "abc"}], "step_engines": [0],
    "hashes": {"job": {"plan": "00ff"}, "seeds": "11ee", "prompts": {"clinical_note": "22dd"}},
    "versions": {"textsynth": "0.1.0", "python": "3.11"},
}  # fmt: skip


def leakage_verdict(number: int, reason: str | None = None) -> Verdict:
    """A verdict of the gate; refused ones score high."""
    span, extra = (20.0, 4.0) if reason else (float(2 + number % 6), 0.0)
    scores = {"span": span, "overlap": 0.01 * (number % 15), "similarity": 0.4 + 0.01 * (number % 30)}
    scores |= {"score": -0.5 + 0.1 * (number % 25) + extra, "p_value": 0.05 if reason else 0.1 + 0.03 * (number % 30)}
    return Verdict("leakage", reason is None, reason, scores, f"s{number:06d}")


def judged(number: int, fields: Mapping[str, Any] | None, kind: str) -> Judged:
    """One record with the verdicts that its kind gets."""
    record_id = f"r{number:07d}"
    step = {
        "step": 0, "attempt": 0, "request_id": f"{record_id}-0-0", "sampling": {"temperature": 0.5},
        "prompt": "clinical_note", "prompt_hash": "22dd",
        "seed_ids": ["s000001", "s000002"], "finish_reason": "stop", "prompt_tokens": 300, "completion_tokens": 70,
    }  # fmt: skip
    lineage = {"drawn_from": {"age": "s000003"}, "steps": [step]}
    attributes = {"style": ("terse", "narrative")[number % 2]}
    record = Record(record_id, number // 30, attributes, fields, {"judge": 4}, lineage)
    fits, gate = Verdict("schema", True), leakage_verdict(number)
    state: State = "accepted" if kind == "accepted" else "surplus" if kind == "surplus" else "rejected"
    verdicts = {
        "accepted": [fits, gate, Verdict("dedup", True)],
        "surplus": [fits, gate, Verdict("dedup", True)],
        "invalid_json": [Verdict("parse", False, "invalid_json", {"error": "there is no JSON object"})],
        "schema_mismatch": [Verdict("schema", False, "schema_mismatch", {"error": "/age is no integer"})],
        "copied_span": [fits, leakage_verdict(number, "copied_span")],
        "near_duplicate": [fits, gate, Verdict("dedup", False, "near_duplicate", {"jaccard": 0.9}, "r0000000")],
    }[kind]
    return number, record, 0, state, verdicts


def gave(part: Sequence[Judged]) -> dict[str, Any]:
    """What a round with these records gave."""
    states = [state for _, _, _, state, _ in part]
    passed, accepted = len(states) - states.count("rejected"), states.count("accepted")
    return {"requests": len(part), "tokens": 70 * len(part), "passed": [passed], "accepted": [accepted]}


KINDS = ("accepted", "accepted", "near_duplicate", "accepted", "copied_span", "accepted", "invalid_json", "accepted",
         "schema_mismatch", "surplus")  # fmt: skip


def fake_run(
    folder: Path,
    records: int = 80,
    kinds: Sequence[str] = KINDS,
    notes: Sequence[Mapping[str, Any]] = NOTES,
    **meta: Any,
) -> Store:
    """A store with that many records whose kinds repeat; `meta` replaces notes of the run. Close it."""
    made = []
    for number in range(records):
        kind = kinds[number % len(kinds)]
        made.append(judged(number, None if kind == "invalid_json" else notes[number % len(notes)], kind))
    return kept_run(folder, made, **meta)


def kept_run(folder: Path, made: Sequence[Judged], **meta: Any) -> Store:
    """A store with these records. Close it."""
    store = Store(folder)
    target = ((META | meta)["job"] or {}).get("plan", {}).get("target", 0)
    for key, value in ({"cells": [{"label": {}, "masked": {}, "quota": target}]} | META | meta).items():
        store.put(key, value)
    for first in range(0, len(made), 30):
        part = made[first : first + 30]
        store.open_round(first // 30, first, [len(part)])
        for _, record, _, _, _ in part:
            request_id = f"{record.id}-0-0"
            messages = ({"role": "user", "content": SEED_TEXT},)
            store.add_requests([(record.id, Request(request_id, record.round, 0, messages, None, {}, 1))])
            store.add_completion(Completion(request_id, json.dumps(record.fields), "stop", 300, 70))
        store.close_round(first // 30, part, gave(part))
    return store
