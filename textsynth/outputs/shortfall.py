"""What a run did not reach, by cell and reason: as numbers for metrics.json, and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from textsynth.outputs.store import Store
from textsynth.progress import Progress

_NAMED = 8  # cells that are told in words


def cell_numbers(store: Store) -> list[dict[str, Any]]:
    """For each cell of `plan.match`: its label and quota, and what became of its records; none without `match`.

    A value that only seeds have is not named.
    """
    cells = store.get("cells") or []
    if len(cells) == 1 and not cells[0]["label"]:
        return []
    states = [Counter[str]() for _ in cells]
    reasons = [Counter[str]() for _ in cells]
    for row in store.tally():
        states[row["cell"]][row["state"]] += row["count"]
        if row["state"] == "rejected":
            reasons[row["cell"]][row["reason"]] += row["count"]
    return [
        {
            "cell": cell["label"] if found["accepted"] else cell["masked"],
            "quota": cell["quota"],
            "completed": (completed := found.total()),
            "accepted": found["accepted"],
            "surplus": found["surplus"],
            "yield_rate": round((found["accepted"] + found["surplus"]) / completed, 6) if completed else None,
            "reasons": dict(sorted(why.items(), key=lambda item: (-item[1], item[0]))),
        }
        for cell, found, why in zip(cells, states, reasons, strict=True)
    ]


def shortfall(store: Store, p: Progress, requests: int) -> list[str]:
    """Why fewer records were accepted than asked, and what to do, in words."""
    reasons = _listed({reason: count for reason, count in p.rejected.items() if count})
    said = [
        f"{p.accepted} of {p.target} records were accepted, from {p.completed} completed with {requests} requests "
        f"(refused: {reasons}). {_advice(store, p)}"
    ]
    short = [cell for cell in cell_numbers(store) if cell["accepted"] < cell["quota"]]
    for cell in sorted(short, key=lambda one: one["accepted"] - one["quota"])[:_NAMED]:
        label = ", ".join(f"{name} {value}" for name, value in cell["cell"].items())
        said.append(
            f"{label}: {cell['accepted']} of {cell['quota']}, from {cell['completed']} completed "
            f"(refused: {_listed(cell['reasons'])})."
        )
    if len(short) > _NAMED:
        said.append(f"{len(short) - _NAMED} more cells are short; metrics.json has them all.")
    return said


def _advice(store: Store, p: Progress) -> str:
    plan = (store.get("job") or {}).get("plan") or {}
    if p.out_of_time:
        return f"plan.max_time of {plan.get('max_time'):g} seconds is over: raise it and run again to go on."
    if "merged" in (store.get("hashes") or {}):
        return "Run the shards again with a higher target, and merge into a new folder."
    if store.get("given_up"):
        return (
            "Nothing passed of the first 300 records or more, so asking was ended there. See the reasons; another "
            "prompt, rule or model is needed."
        )
    budgets = "plan.max_requests or plan.max_tokens" if plan.get("max_tokens") else "plan.max_requests"
    return f"Raise {budgets} and run again to go on."


def _listed(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {reason}" for reason, count in ordered) or "none"
