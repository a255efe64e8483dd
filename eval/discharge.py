"""Discharge summaries of Synthea patients. Usage: python eval/discharge.py --out DIR [--target 200]

The facts are those of real Synthea patients (shared data), read as any FHIR data and cut to at most three of a kind;
dates are shifted by an offset a person. The recipe's own seeds are the examples, so no patient's text is shown: there
is none. It prints time, yield and tokens a note, and draws 30 accepted notes for a reader.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from textsynth.inputs.left_out import LeftOut
from textsynth.inputs.readers import read_rows
from textsynth.job import job_from
from textsynth.pipeline import run_job

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared/data/clinical/synthea_patients.dev.jsonl.gz"
VITALS = (
    "systolic blood pressure",
    "diastolic blood pressure",
    "heart rate",
    "temperature",
    "weight",
    "body mass index",
)
LABS = (
    "glucose",
    "creatinine",
    "hemoglobin",
    "sodium",
    "potassium",
    "hemoglobin A1c",
    "platelets",
    "white blood cells",
)
Row = dict[str, Any]


def facts(row: Row) -> Row | None:
    """A patient's facts, at most three of a kind; None for one with no problem, or without an adult's visit."""
    seen = row.get("admitted") or row.get("seen")
    problems = [one for one in row.get("problems", ()) if len(one["name"]) <= 60][-3:]
    if not seen or not problems or row["age"] < 18:
        return None
    stay = timedelta(days=random.Random(row["patient_id"]).randint(1, 6))  # noqa: S311
    vitals = [one for name in VITALS for one in row.get("vitals", ()) if one["name"] == name]
    return {
        "age": row["age"], "sex": row["sex"], "admitted": seen,
        "discharged": row.get("discharged") or (date.fromisoformat(seen) + stay).isoformat(),
        "problems": problems, "vitals": vitals[:4],
        "labs": [one for one in row.get("labs", ()) if one["name"] in LABS][:3],
        "medications": [one for one in row.get("medications", ()) if 0 < len(one.get("dose", "")) <= 20][:3],
        "allergies": row.get("allergies", [])[:2],
    }  # fmt: skip


def main(out: Path, target: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    left_out = LeftOut()
    rows = [one for row in read_rows(str(DATA), Path(), "seeds", "train", left_out) if (one := facts(row))]
    (out / "patients.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    recipe = ROOT / "textsynth/recipes/discharge_summary"
    (out / "examples.jsonl").write_text((recipe / "seeds.jsonl").read_text(encoding="utf-8"), encoding="utf-8")
    schema = json.loads((ROOT / "schemas/discharge_summary.json").read_text(encoding="utf-8"))
    for name in ("vitals", "labs", "medications"):  # not every patient has them
        schema["properties"][name] |= {"minItems": 0}
    (out / "discharge.json").write_text(json.dumps(schema), encoding="utf-8")
    job: Row = yaml.safe_load((recipe / "job.yaml").read_text(encoding="utf-8"))
    job["seeds"] = {"path": "patients.jsonl", "holdout": 0.2}
    job["record_schema"] = "./discharge.json"
    job["fields"] |= {name: {"source": "perturbed", "how": "shift"} for name in ("admitted", "discharged")}
    job["together"] = [["age", "sex", "problems", "medications"]]
    job["steps"][0] |= {"examples": "./examples.jsonl", "few_shot": 3, "retry": 0}  # told its faults, it repeats itself
    job["filters"] = [
        one for one in job["filters"] if one["type"] in ("schema", "consistency", "quality", "dedup", "diversity")
    ]
    job["plan"] |= {"target": target, "max_requests": 10 * target, "round": 64, "few_shot_block": 32}
    result = run_job(job_from(job, out / "job.yaml"), out / "run")
    manifest = json.loads((out / "run/manifest.json").read_text(encoding="utf-8"))
    totals, accepted = manifest["totals"], max(1, result.accepted)
    notes = [json.loads(line) for line in (out / "run/accepted.jsonl").read_text(encoding="utf-8").splitlines()]
    for note in random.Random(30).sample(notes, min(30, len(notes))):  # noqa: S311
        print(json.dumps({name: note[name] for name in note if name != "spans"}))
    told = {
        "patients": len(rows), "accepted": result.accepted, "yield": manifest["yield_rate"],
        "refused": dict(Counter(result.counts)), "seconds": manifest["elapsed_seconds"],
        "tokens_written_per_accepted": round(totals["completion_tokens"] / accepted),
        "tokens_read_per_accepted": round(totals["prompt_tokens"] / accepted),
        "words": sorted(len(note["note"].split()) for note in notes)[len(notes) // 2] if notes else 0,
    }  # fmt: skip
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--target", type=int, default=200)
    given = parser.parse_args()
    main(given.out, given.target)
