"""Do accepted clinical notes state the facts they were given? Usage: python eval/facts.py RUN_FOLDER

Counts notes that hold the age as a number and the other facts word for word (case aside), and prints what the demo is
judged by: yield, length, openings, the longest span shared with the record's own few-shot examples.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from textsynth.outputs.store import Store
from textsynth.similarity.spans import SpanIndex
from textsynth.similarity.words import tokenize

FACTS = ("complaint", "finding", "diagnosis", "treatment")


def main(folder: Path) -> None:
    with Store(folder, write=False) as store:
        rows = list(store.records())
        accepted = [row for row in rows if row["state"] == "accepted"]
        spans = [own_span(store, row) for row in accepted]
        totals = store.totals()
    notes = [(row["fields"], row["fields"]["note"]) for row in accepted]
    n = len(notes)
    openings = Counter(" ".join(note.lower().split()[:6]) for _, note in notes)
    words = [len(note.split()) for _, note in notes]
    passed = sum(row["state"] != "rejected" for row in rows)
    numbers: dict[str, Any] = {
        "accepted": n,
        "yield": round(n / len(rows), 3),
        "passed_every_filter_rate": round(passed / len(rows), 3),
        "states_age": round(sum(bool(re.search(rf"\b{f['age']}\b", note)) for f, note in notes) / n, 3),
        **{f"states_{k}": round(sum(f[k].lower() in note.lower() for f, note in notes) / n, 3) for k in FACTS},
        "median_words": statistics.median(words),
        "most_common_opening_rate": round(openings.most_common(1)[0][1] / n, 3),
        "own_example_span": {"median": statistics.median(spans), "max": max(spans)},
        "completion_tokens": totals["completion_tokens"],
    }
    print(json.dumps(numbers, indent=2))


def own_span(store: Store, row: dict[str, Any]) -> int:
    """The longest run of tokens that a note shares with an example shown in its own prompt."""
    last = store.requests(row["id"])[-1]
    shown = [m["content"] for m in last["messages"] if m["role"] == "assistant"]
    notes = [json.loads(text)["note"] for text in shown if text.startswith("{")]
    return int(SpanIndex(tokenize(notes)).longest(tokenize([row["fields"]["note"]]))[0][0])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
