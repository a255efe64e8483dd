"""One record's whole life, as text."""

from __future__ import annotations

import json
from typing import Any

from textsynth.errors import InputError
from textsynth.outputs.export import passed_gate
from textsynth.outputs.store import Store


def life_of(store: Store, record_id: str, with_seeds: bool = False) -> str:
    """Prompts, raw answers, verdicts and fields of one record.

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
            f"attributes: {row['attributes']}",
            f"lineage: {row['lineage']}",
        ]
    for request in requests:
        lines += ["", *_request(request, with_seeds, clear)]
    lines.append("")
    for verdict in verdicts:
        state = "accepted" if verdict["accepted"] else f"refused: {verdict['reason']}"
        near = f", neighbor {verdict['neighbor_id']}" if verdict["neighbor_id"] else ""
        lines.append(f"{verdict['filter']}: {state} {json.dumps(verdict['scores'])}{near}")
    if found and found[0]["fields"]:
        fields: Any = json.loads(found[0]["fields"])
        lines += ["", json.dumps(fields, indent=2, ensure_ascii=False) if clear else _mask(found[0]["fields"])]
    return "\n".join(lines)


def _request(request: dict[str, Any], with_seeds: bool, clear: bool) -> list[str]:
    """One request's turns and answer; the turns that show seeds stand first, behind the system turn."""
    seeds = ", ".join(request["seed_ids"]) or "none"
    lines = [f"request {request['id']}, rng_seed {request['rng_seed']}, seeds {seeds}"]
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
