"""One record's whole life, as text."""

from __future__ import annotations

import json
from typing import Any

from textsynth.errors import InputError
from textsynth.outputs.store import Store


def life_of(store: Store, record_id: str, with_seeds: bool = False) -> str:
    """Prompts, raw answers, verdicts and fields of one record.

    Turns that show seeds are masked unless `with_seeds`; so is what a retry or a prompt repeats of them.

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
        lines += [f"state: {row['state']}" + (f" ({row['reason']})" if row["reason"] else ""),
                  f"attributes: {row['attributes']}", f"lineage: {row['lineage']}"]
    for request in requests:
        lines += ["", f"request {request['id']}, rng_seed {request['rng_seed']}, seeds {', '.join(request['seed_ids']) or 'none'}"]
        shown = 2 * len(request["seed_ids"])
        first_turn = next((i for i, m in enumerate(request["messages"]) if m["role"] != "system"), 0)
        for at, message in enumerate(request["messages"]):
            seed_turn = first_turn <= at < first_turn + shown
            text = f"(a seed, {len(message['content'])} characters)" if seed_turn and not with_seeds else message["content"]
            lines.append(f"[{message['role']}] {text}")
        lines.append("no answer yet" if request["text"] is None else
                     f"[answer, {request['finish_reason']}, {request['completion_tokens']} tokens] {request['text']}")
    lines.append("")
    for verdict in store.verdicts(record_id):
        state = "accepted" if verdict["accepted"] else f"refused: {verdict['reason']}"
        near = f", neighbor {verdict['neighbor_id']}" if verdict["neighbor_id"] else ""
        lines.append(f"{verdict['filter']}: {state} {json.dumps(verdict['scores'])}{near}")
    if found and found[0]["fields"]:
        fields: Any = json.loads(found[0]["fields"])
        lines += ["", json.dumps(fields, indent=2, ensure_ascii=False)]
    return "\n".join(lines)
