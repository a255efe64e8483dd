"""What the report's browser of records holds: verdicts of each, and its text where that may leave run.db."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from textsynth.outputs.export import passed_gate
from textsynth.outputs.marks import CHARACTERS, SHARED, as_text, shown
from textsynth.outputs.store import Store

MOST = 1000  # records in the page
_ROOM = 2_200_000  # bytes of them, so that the page stays under 3 MB
Row = Mapping[str, Any]


def browsed(store: Store, judged: int, sources: Mapping[str, str]) -> tuple[list[dict[str, Any]], str]:
    """Records for the page, spread evenly over the run, and a sentence that says which they are.

    All of them up to `MOST`, or as many as fit into 2.2 MB of JSON. A refused record's text is there only where
    rejected.jsonl has it: a leakage gate had accepted it, or it was surplus.
    """
    order = list((store.get("schema") or {}).get("properties", ()))
    records = [_entry(row, verdicts, sources, order) for row, verdicts in store.judged(most=MOST)]
    sizes = [len(json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")) for record in records]
    kept = len(records)
    while kept > 1 and sum(sizes[at] for at in _places(len(sizes), kept)) > _ROOM:
        kept = kept * 9 // 10
    records = [records[at] for at in _places(len(records), kept)]
    if kept == judged:
        which = "" if not judged else "All of them. "
    else:
        which = f"{kept:,} of {judged:,}, spread evenly over the run; the files of the run folder have all. "
    return records, which + (
        "Open one to see what is behind it: its facts are marked where they stand in the text, and so is its longest "
        f"run of words shared with a seed, from {SHARED} words on. "
        "A refused record has its text here only where the leakage gate had accepted it."
    )


def _places(judged: int, most: int) -> set[int]:
    count = min(judged, most)
    return {at * judged // count for at in range(count)}


def _entry(row: Row, verdicts: Sequence[Row], sources: Mapping[str, str], order: Sequence[str]) -> dict[str, Any]:
    clear = row["state"] in ("accepted", "surplus") or passed_gate(verdicts)
    entry = {"id": row["id"], "state": row["state"], "reason": row["reason"] or ""}
    entry |= shown(row["fields"] or {} if clear else {}, sources, order, verdicts)
    if not clear:
        entry["hidden"] = True
    said = [
        [v["filter"], "accepted" if v["accepted"] else f"refused: {v['reason']}", scores_in_words(v["scores"]),
         v["neighbor_id"] or ""]
        for v in verdicts
    ]  # fmt: skip
    return entry | {"verdicts": said, "lineage": _lineage(row if clear else {**row, "working": {}})}


def scores_in_words(scores: Row) -> str:
    """A filter's scores in one line, numbers to four digits."""
    return ", ".join(f"{n} {v:.4g}" if isinstance(v, float) else f"{n} {v}" for n, v in scores.items())


def _lineage(row: Row) -> str:
    """How a record came to be, a line each; lineage.jsonl and rejected.jsonl have the rest."""
    lineage = row["lineage"]
    lines = [f"round {row['round']}"]
    for name, part in (("attributes", row["attributes"]), ("drawn from", lineage.get("drawn_from"))):
        if part:
            lines.append(f"{name}: " + ", ".join(f"{key} = {as_text(value)}" for key, value in part.items()))
    for step in lineage.get("steps", ()):
        seeds = ", ".join(step.get("seed_ids", ())) or "none"
        lines.append(
            f"step {step.get('step')}, prompt {step.get('prompt')} ({str(step.get('prompt_hash'))[:12]}): seeds shown "
            f"{seeds}; {step.get('prompt_tokens')} tokens read, {step.get('completion_tokens')} written, "
            f"ended by {step.get('finish_reason')}"
        )
    if row["working"]:
        lines.append(f"working fields: {as_text(row['working'])[:CHARACTERS]}")
    return "\n".join(lines)
