"""Facts in clinical text: what the extractor finds, and which slips the consistency filter catches. It prints JSON.

python eval/consistency.py planted [--half test] [--notes 300]   notes written from Synthea patients, with distractors
python eval/consistency.py slips [--half test] [--notes 300]     one contradiction planted in each
python eval/consistency.py aci                                   ages and sexes of aci_bench, against its columns

The notes of planted_notes.py were written without a look at the extractor; it was developed on their half `dev`,
and looked at on `test`: `fresh`, `plain` and `chart` were written after that, again without a look at the extractor.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from planted_notes import CONTRADICTIONS, contradict, patients, write_note

from textsynth.clinical.agreement import CLOSED, KINDS, facts_of, names_in
from textsynth.clinical.extract import extract
from textsynth.clinical.vocabulary import built_in_vocabulary
from textsynth.filters.consistency import ConsistencyFilter
from textsynth.records import Record

DATA = Path(__file__).resolve().parents[2] / "shared/data/clinical"
JUDGED = ("age", "sex", "date", "problem", "medication", "allergy", "vital", "lab")
Notes = list[tuple[dict[str, Any], str, Any]]


def notes(count: int, half: str) -> Notes:
    everyone = patients(count, 11)
    rng = random.Random(f"{half}-notes")  # noqa: S311
    return [(facts, *write_note(facts, rng, half)) for facts in everyone]


def planted(count: int, half: str, show: int) -> dict[str, Any]:
    """Precision and recall of each kind.

    A fact is found if a mention states it; a mention of the patient now is right where words that state a fact of its
    kind stand.
    """
    hit, wanted, right, said = (Counter[str]() for _ in range(4))
    wrong: list[str] = []
    kinds_of_wrong: dict[str, Counter[str]] = defaultdict(Counter)
    for facts, text, truth in notes(count, half):
        vocabulary = built_in_vocabulary().with_names(names_in(facts, KINDS))
        mentions = [m for m in extract(text, vocabulary) if m.status == "present" and m.kind in JUDGED]
        known = {fact.pointer: fact for fact in facts_of(facts, KINDS, vocabulary)}
        one = judge(facts)
        found = {pointer for pointer, _, _ in one.agreement({**facts, "note": text}).spans}
        stated = {pointer for pointer, _, _ in truth.facts}
        for pointer in stated:
            kind = known[pointer].kind
            wanted[kind] += 1
            hit[kind] += pointer in found
            if pointer not in found:
                places = "; ".join(text[max(0, s - 40) : e + 20] for p, s, e in truth.facts if p == pointer)
                wrong.append(f"missed {pointer} {fact_said(facts, pointer)} | {places!r}")
        for m in mentions:
            if m.kind == "allergy" and m.name == "none":
                continue
            said[m.kind] += 1
            fine = any(start < m.end and m.start < end and known[p].kind == m.kind for p, start, end in truth.facts)
            right[m.kind] += fine
            if not fine:
                why = next((why for _, _, start, end, why in truth.distractors if start < m.end and m.start < end), "?")
                kinds_of_wrong[m.kind][why] += 1
                wrong.append(f"extra {m.kind} {m.name} {m.value} ({why}) | {text[max(0, m.start - 60) : m.end + 30]!r}")
    for line in random.Random(1).sample(wrong, min(show, len(wrong))):  # noqa: S311
        print(line)
    return {
        kind: {
            "recall": round(hit[kind] / max(1, wanted[kind]), 4),
            "precision": round(right[kind] / max(1, said[kind]), 4),
            "facts": wanted[kind],
            "mentions": said[kind],
            "wrong": dict(kinds_of_wrong[kind]),
        }
        for kind in JUDGED
    } | {
        "all": {
            "recall": round(hit.total() / wanted.total(), 4),
            "precision": round(right.total() / said.total(), 4),
            "facts": wanted.total(),
            "mentions": said.total(),
        }
    }


def fact_said(facts: dict[str, Any], pointer: str) -> str:
    name, *place = pointer.split("/")[1:]
    return str(facts[name][int(place[0])] if place else facts[name])


def judge(facts: dict[str, Any]) -> ConsistencyFilter:
    kinds = {name: kind for name, kind in KINDS.items() if name in facts}
    vocabulary = built_in_vocabulary().with_names(names_in(facts, kinds))
    return ConsistencyFilter("note", kinds, list(kinds), CLOSED, vocabulary)


def slips(count: int, half: str, show: int) -> dict[str, Any]:
    caught, planted_of, alarms, reasons = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    rng, shown = random.Random(f"{half}-slips"), []  # noqa: S311
    everything = notes(count, half)
    for facts, text, truth in everything:
        one = judge(facts)
        verdict = one.check(Record("r0000000", 0, {}, {**facts, "note": text}))
        if not verdict.accepted:
            alarms[str(verdict.reason)] += 1
            at = int(verdict.scores.get("start", 0))
            shown.append(f"alarm {verdict.reason} {verdict.scores} | {text[max(0, at - 60) : at + 60]!r}")
        for what in CONTRADICTIONS:
            slip = contradict(facts, text, truth, what, rng)
            if slip is None:
                continue
            planted_of[what] += 1
            found = one.check(Record("r0000000", 0, {}, {**facts, "note": slip}))
            caught[what] += not found.accepted
            reasons[f"{what} {found.reason}"] += 1
            if found.accepted:
                at = next((n for n, (a, b) in enumerate(zip(text, slip, strict=False)) if a != b), 0)
                shown.append(
                    f"not caught {what} | {text[max(0, at - 60) : at + 40]!r} -> {slip[max(0, at - 60) : at + 40]!r}"
                )
    for line in random.Random(1).sample(shown, min(show, len(shown))):  # noqa: S311
        print(line)
    told: dict[str, Any] = {
        what: {"planted": planted_of[what], "caught": round(caught[what] / max(1, planted_of[what]), 4)}
        for what in CONTRADICTIONS
    }
    told["all"] = {"planted": planted_of.total(), "caught": round(caught.total() / planted_of.total(), 4)}
    told["right_notes"] = len(everything)
    told["false_alarms"] = round(alarms.total() / len(everything), 4)
    told["alarms"] = dict(alarms)
    return told


def aci() -> dict[str, Any]:
    told: dict[str, Any] = {}
    with gzip.open(DATA / "aci_bench.dev.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    vocabulary = built_in_vocabulary()
    for where in ("note", "dialogue"):
        counts = Counter[str]()
        for row in rows:
            mentions = [m for m in extract(row[where], vocabulary) if m.status == "present"]
            for kind, column in (("age", "patient_age"), ("sex", "patient_gender")):
                said = {m.value for m in mentions if m.kind == kind}
                value = str(row[column]).strip()
                truth = value if kind == "sex" else years(value)
                if truth:
                    counts[f"{kind}_rows_that_say_one"] += bool(said)
                    counts[f"{kind}_rows_that_say_the_right_one"] += truth in said
                    counts[f"{kind}s_said"] += len(said)
                    counts[f"{kind}s_right"] += truth in said
        told[where] = {"rows": len(rows), **counts}
    return told


def years(said: str) -> float | None:
    """A patient's age as the columns have it: 54.0, 22-month, or nothing."""
    number, _, unit = said.partition("-")
    return float(int(float(number) / (12 if unit == "month" else 1))) if number else None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["planted", "slips", "aci"])
    parser.add_argument("--half", choices=["dev", "test", "fresh", "plain", "chart"], default="test")
    parser.add_argument("--notes", type=int, default=300)
    parser.add_argument("--show", type=int, default=0, help="print so many mistakes")
    given = parser.parse_args()
    work = {
        "planted": lambda: planted(given.notes, given.half, given.show),
        "slips": lambda: slips(given.notes, given.half, given.show),
        "aci": aci,
    }
    print(json.dumps(work[given.what](), indent=2))


if __name__ == "__main__":
    main()
