"""A run of clinical notes with facts beside them, as the page's expert sees it: all made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.outputs.fake_run import JOB, judged, kept_run
from textsynth.outputs.store import Judged, Store
from textsynth.records import Verdict

NOTE = (
    "CHIEF COMPLAINT: Chest tightness.\n\nHISTORY: This 67-year-old woman with hypertension and type 2 diabetes came "
    "in on 2031-03-04 with two days of chest tightness. Her mother had asthma. She takes hydrochlorothiazide 25 mg "
    "each morning and has no known allergies.\n\nEXAM: Blood pressure 152 mmHg systolic, pulse 88. The lungs are clear "
    "to auscultation on both sides and the heart has a regular rate and rhythm.\n\nPLAN: Hemoglobin A1c was 7.2 %. She "
    "goes home and returns in two weeks."
)
FACTS: dict[str, Any] = {
    "age": 67, "sex": "female", "admitted": "2031-03-04",
    "problems": [
        {"name": "Hypertension", "code": "38341003", "system": "SNOMED CT"},
        {"name": "Type 2 diabetes mellitus", "code": "44054006", "system": "SNOMED CT"},
    ],
    "medications": [{"name": "hydrochlorothiazide", "dose": "25 mg"}, {"name": "metformin", "dose": "500 mg"}],
    "allergies": [],
    "vitals": [{"name": "systolic blood pressure", "value": 152, "unit": "mmHg"},
               {"name": "heart rate", "value": 88, "unit": "/min"}],
    "labs": [{"name": "Hemoglobin A1c", "value": 7.2, "unit": "%", "code": "4548-4"}],
}  # fmt: skip
STATED = {
    "/age": ["67-year-old"], "/sex": ["woman"], "/admitted": ["2031-03-04"], "/problems/0": ["hypertension"],
    "/problems/1": ["type 2 diabetes"], "/medications/0": ["hydrochlorothiazide 25 mg"],
    "/vitals/0": ["152 mmHg systolic"], "/vitals/1": ["pulse 88"], "/labs/0": ["Hemoglobin A1c was 7.2 %"],
}  # fmt: skip
SOURCES = dict.fromkeys(FACTS, "sampled") | {"note": "written", "spans": "located"}
SHARED = (53, 17)  # token and tokens of "lungs are clear to auscultation ... rate and rhythm"


def spans_of(note: str) -> list[dict[str, Any]]:
    """Where the facts above stand in a note that says them so."""
    return [
        {"fact": fact, "start": start, "end": start + len(words)}
        for fact, said in STATED.items()
        for words in said
        if (start := note.find(words)) >= 0
    ]


def noted(number: int, note: str, wrong: Verdict | None = None, located: bool = True, **facts: Any) -> Judged:
    """One record; `wrong` is what a consistency filter refused it for."""
    fields = {**FACTS, **facts, "note": note} | ({"spans": spans_of(note)} if located else {})
    at, record, cell, state, verdicts = judged(number, fields, "accepted")
    start, words = SHARED if number % 2 == 0 else (-1, 0)
    gate = verdicts[1]
    verdicts = [verdicts[0], replace(gate, scores={**gate.scores, "span": float(words), "span_start": float(start)})]
    if wrong:
        return at, record, cell, "rejected", [*verdicts, wrong]
    return at, record, cell, state, [*verdicts, Verdict("consistency", True)]


def said(words: str, facts: str = "", reason: str = "contradicts_fact", note: str = NOTE) -> Verdict:
    """A refusal for these words of a note, or for facts that are missing."""
    place = {"start": float(note.index(words)), "end": float(note.index(words) + len(words))} if words else {}
    return Verdict("consistency", False, reason, {"facts": facts, **place})


def clinical_records() -> Sequence[Judged]:
    """Accepted, refused for each reason that a consistency filter has, and accepted without `spans`."""
    man = NOTE.replace("woman", "man")
    old = FACTS["medications"]
    return [
        noted(0, NOTE, medications=old[:1]),
        noted(1, man, said("man", "/sex", note=man), medications=old[:1]),
        noted(2, NOTE, said("", "/medications/1", "missing_fact")),
        noted(3, NOTE, said("asthma", reason="unsupported_fact"), medications=old[:1]),
        noted(4, NOTE, located=False),
    ]


def clinical_run(folder: Path, made: Sequence[Judged] = ()) -> Store:
    """A store with these records, or those of `clinical_records`. Close it."""
    job = JOB | {"filters": [*JOB["filters"], {"type": "consistency"}]}
    return kept_run(folder, made or clinical_records(), sources=SOURCES, schema={"properties": SOURCES}, job=job)
