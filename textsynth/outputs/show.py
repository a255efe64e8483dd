"""One record's whole life, as text."""

from __future__ import annotations

import json
from typing import Any

from textsynth.errors import InputError
from textsynth.outputs.store import Store


def life_of(store: Store, record_id: str, with_seeds: bool = False) -> str:
    """Prompts, raw answers, verdicts and fields of one record.

    Turns that show seeds are masked unless `with_seeds`.

    Raises:
        InputError: the run has no such record.
    """
    requests = store.requests(record_id)
    found = list(store.rows("SELECT * FROM records WHERE id = ?", (record_id,)))
    if not found and not requests:
        first = next(iter(store.rows("SELECT id FROM records ORDER BY number LIMIT 1")), {"id": "none yet"})
        raise InputError(f"{store.folder}: there is no record {record_id}. Ids look like {first['id']}.")
    lines = [f"record {record_id}"]
    if found:
        row = found[0]
        lines += [
            f"state: {row['state']}" + (f" ({row['reason']})" if row["reason"] else ""),
            f"attributes: {row['attributes']}",
            f"lineage: {row['lineage']}",
        ]
    for request in requests:
        lines += ["", *_request(request, with_seeds)]
    lines.append("")
    for verdict in store.verdicts(record_id):
        state = "accepted" if verdict["accepted"] else f"refused: {verdict['reason']}"
        near = f", neighbor {verdict['neighbor_id']}" if verdict["neighbor_id"] else ""
        lines.append(f"{verdict['filter']}: {state} {json.dumps(verdict['scores'])}{near}")
    if found and found[0]["fields"]:
        fields: Any = json.loads(found[0]["fields"])
        lines += ["", json.dumps(fields, indent=2, ensure_ascii=False)]
    return "\n".join(lines)


def _request(request: dict[str, Any], with_seeds: bool) -> list[str]:
    """One request's turns and answer; the turns that show seeds stand first, behind the system turn."""
    seeds = ", ".join(request["seed_ids"]) or "none"
    lines = [f"request {request['id']}, rng_seed {request['rng_seed']}, seeds {seeds}"]
    first = next((i for i, m in enumerate(request["messages"]) if m["role"] != "system"), 0)
    for at, message in enumerate(request["messages"]):
        masked = first <= at < first + 2 * len(request["seed_ids"]) and not with_seeds
        content = message["content"]
        lines.append(f"[{message['role']}] " + (f"(a seed, {len(content)} characters)" if masked else content))
    if request["text"] is None:
        return [*lines, "no answer yet"]
    return [*lines, f"[answer, {request['finish_reason']}, {request['completion_tokens']} tokens] {request['text']}"]
