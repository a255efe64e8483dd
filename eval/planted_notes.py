"""Planted clinical notes: what the extractor and the consistency check of clinical facts are measured by.

    python eval/planted_notes.py --count 3 [--half test|fresh|plain|chart]

`write_note` states every fact of a patient in one of many ways, among distractors: what is denied, past, another's, or
only possible. Every choice is keyed by the note's seed and by what is chosen, so `contradict` writes the same note
again with one fact changed, and its grammar stays right. The parts stand in the folder `planted`.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import re
from datetime import date, timedelta
from typing import Any

from planted import distractors
from planted.patients import Facts, patients
from planted.values import changed_number
from planted.writer import OWN, Planted, Writer

__all__ = ["CONTRADICTIONS", "Planted", "contradict", "patients", "write_note"]

CONTRADICTIONS = ("age", "sex", "drug", "dose", "laterality", "negation", "lab", "vital", "date")


def write_note(facts: Facts, rng: random.Random, half: str = "dev") -> tuple[str, Planted]:
    """A note that states every fact and two to five distractors, and where they all stand."""
    seed = rng.getrandbits(48)
    return Writer(facts, facts, half, seed).note()


def contradict(facts: Facts, text: str, planted: Planted, what: str, rng: random.Random) -> str | None:
    """The same note with one contradiction of the kind `what`; None where the note has nothing to contradict so."""
    if what not in CONTRADICTIONS:
        raise ValueError(f"what: {what!r} is no contradiction. Use one of: {', '.join(CONTRADICTIONS)}.")
    half, seed = planted.half, planted.seed
    if Writer(facts, facts, half, seed).note()[0] != text:
        raise ValueError("text: not the note that was written of these facts. Give all three of one write_note.")
    altered, edit = copy.deepcopy(facts), {}
    if what == "negation":
        edit = turned(facts, half, seed, rng)
    if not (edit if what == "negation" else alter(altered, what, half, rng)):
        return None
    return Writer(altered, facts, half, seed, edit).note()[0]


def turned(facts: Facts, half: str, seed: int, rng: random.Random) -> dict[str, Any]:
    """Which problem to deny, or the denial to turn round: the first problem stays, since an opening may name it."""
    options: list[dict[str, Any]] = [{"deny": p["name"]} for p in facts["problems"][1:]]
    writer = Writer(facts, facts, half, seed)
    if "negated" in writer.kinds and writer.negation()[1]:
        options.append({"affirm": True})
    return rng.choice(options) if options else {}


def alter(facts: Facts, what: str, half: str, rng: random.Random) -> bool:
    """One fact changed in place; False where there is none of the kind."""
    if what == "age":
        facts["age"] = rng.choice([n for n in range(18, 100) if 3 <= abs(n - facts["age"]) <= 25])
    elif what == "sex":
        facts["sex"] = "male" if facts["sex"] == "female" else "female"
    elif what == "date":
        admitted = date.fromisoformat(facts["admitted"])
        facts["admitted"] = (admitted - timedelta(rng.randint(2, 40))).isoformat()
    elif what in ("drug", "dose"):
        drugs = [d for d in facts["medications"] if what == "drug" or "dose" in d]
        if not drugs:
            return False
        drug = rng.choice(drugs)
        if what == "drug":
            drug["name"] = rng.choice(OWN.get(half, distractors).OTHERS)
        else:
            drug["dose"] = f"{float(drug['dose'].split()[0]) * rng.choice((0.5, 2)):g} mg"
    elif what == "laterality":
        sided = [p for p in facts["problems"] if re.search(r"\b(left|right)\b", p["name"])]
        if not sided:
            return False
        problem = rng.choice(sided)
        problem["name"] = re.sub(r"\b(left|right)\b", lambda m: "left" if m[1] == "right" else "right", problem["name"])
    else:
        return changed_number(facts, what, rng)
    return True


def main() -> None:
    """Print notes with what is planted in them, and every contradiction of the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--half", choices=("dev", "test", "fresh", "plain", "chart"), default="dev")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    for facts in patients(args.count, args.seed):
        text, planted = write_note(facts, rng, args.half)
        print(json.dumps(facts), text, sep="\n\n", end="\n\n")
        print(*((text[start:end], pointer) for pointer, start, end in planted.facts), sep="\n")
        print(*planted.distractors, sep="\n", end="\n\n----\n\n")


if __name__ == "__main__":
    main()
