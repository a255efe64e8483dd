"""One record's whole life, as text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from textsynth.errors import InputError
from textsynth.outputs.export import passed_gate
from textsynth.outputs.store import Store


def life_of(store: Store, record_id: str, with_seeds: bool = False) -> str:
    """One record's way: its plan, prompts, raw answers, verdicts, fields, and the accepted record nearest to it.

    Masked unless `with_seeds`: turns that show seeds, and what was written where no leakage gate accepted it.

    Raises:
        InputError: the run has no such record.
    """
    requests = store.requests(record_id)
    found = list(store.rows("SELECT * FROM records WHERE id = ?", (record_id,)))
    if not found and not requests:
        first = next(iter(store.rows("SELECT id FROM records ORDER BY number LIMIT 1")), {"id": "none yet"})
        raise InputError(f"{store.folder}: there is no record {record_id}. Ids look like {first['id']}.")
    verdicts = store.verdicts(record_id)
    kept = bool(found) and found[0]["state"] in ("accepted", "surplus")
    clear = with_seeds or kept or passed_gate(verdicts)
    lines = [f"record {record_id}"]
    if found:
        row = found[0]
        lines += [
            f"state: {row['state']}" + (f" ({row['reason']})" if row["reason"] else ""),
            f"round {row['round']}, attributes: {row['attributes']}",
            *_plan(json.loads(row["lineage"])),
        ]
        if row["working"] != "{}":
            lines.append(f"working fields: {row['working'] if clear else _mask(row['working'])}")
    models = _models(store)
    for request in requests:
        model = models[request["step"]] if request["step"] < len(models) else "no engine"
        lines += ["", *_request(request, model, with_seeds, clear)]
    lines.append("")
    for verdict in verdicts:
        state = "accepted" if verdict["accepted"] else f"refused: {verdict['reason']}"
        near = f", neighbor {verdict['neighbor_id']}" if verdict["neighbor_id"] else ""
        lines.append(f"{verdict['filter']}: {state} {json.dumps(verdict['scores'])}{near}")
    lines += _neighbor(store, verdicts)
    if found and found[0]["fields"]:
        fields: Any = json.loads(found[0]["fields"])
        lines += ["", json.dumps(fields, indent=2, ensure_ascii=False) if clear else _mask(found[0]["fields"])]
    return "\n".join(lines)


def _plan(lineage: Mapping[str, Any]) -> list[str]:
    """What was decided before a model was asked, and which prompt each attempt used."""
    lines = [f"cell: {lineage['cell']}"] if lineage.get("cell") else []
    lines += [f"drawn from: {lineage['drawn_from']}"] if lineage.get("drawn_from") else []
    return lines + [
        f"step {step['step']}, attempt {step['attempt']}: prompt {step['prompt']} (sha256 {step['prompt_hash'][:16]}), "
        f"{step['prompt_tokens']} tokens read, {step['completion_tokens']} written"
        + (f"; its fault: {step['error']}" if step.get("error") else "")
        for step in lineage.get("steps", ())
        if "attempt" in step
    ]


def _models(store: Store) -> list[str]:
    """Engine and model of each step."""
    engines = store.get("engines") or []
    told = [f"{one['type']} {one['model']} ({str(one.get('fingerprint'))[:24]})" for one in engines]
    return [told[at] for at in store.get("step_engines") or ()] if told else []


def _neighbor(store: Store, verdicts: Sequence[Mapping[str, Any]]) -> list[str]:
    """The accepted record that the record is nearest to, as the filters that compare records found it."""
    ids = [verdict["neighbor_id"] for verdict in verdicts if verdict["filter"] in ("dedup", "diversity")]
    found = [
        row
        for record_id in dict.fromkeys(reversed([one for one in ids if one]))
        for row in store.rows("SELECT * FROM records WHERE id = ? AND state = 'accepted'", (record_id,))
    ]
    if not found:
        return []
    fields = json.dumps(json.loads(found[0]["fields"]), indent=2, ensure_ascii=False)
    return ["", f"nearest accepted record: {found[0]['id']}", fields]


def _request(request: dict[str, Any], model: str, with_seeds: bool, clear: bool) -> list[str]:
    """One request's turns and answer; the turns that show seeds stand first, behind the system turn."""
    seeds = ", ".join(request["seed_ids"]) or "none"
    lines = [
        f"request {request['id']}: {model}, sampling {json.dumps(request['sampling'])}, "
        f"rng_seed {request['rng_seed']}, seeds {seeds}"
    ]
    first = next((i for i, m in enumerate(request["messages"]) if m["role"] != "system"), 0)
    for at, message in enumerate(request["messages"]):
        content = message["content"]
        if first <= at < first + 2 * len(request["seed_ids"]) and not with_seeds:
            content = f"(a seed, {len(content)} characters)"
        elif message["role"] == "assistant" and not clear:  # an answer that a retry shows the model again
            content = _mask(content)
        lines.append(f"[{message['role']}] {content}")
    if request["text"] is None:
        return [*lines, "no answer yet"]
    answer = request["text"] if clear else _mask(request["text"])
    return [*lines, f"[answer, {request['finish_reason']}, {request['completion_tokens']} tokens] {answer}"]


def _mask(text: str) -> str:
    return f"(it may hold seed text, {len(text)} characters; --with-seeds shows it)"
