"""Facts of fictional patients for the planted notes, taken from Synthea records and rounded as notes round them."""

from __future__ import annotations

import gzip
import json
import random
import re
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from planted.names import CHRONIC, DRUGS, EVENTS, PROBLEMS

DATA = Path(__file__).resolve().parents[3] / "shared/data/clinical/synthea_patients.dev.jsonl.gz"
Facts = dict[str, Any]

SALTS = r" (hydrochloride|sodium|potassium|succinate)\b"
RENAMED = {"Diabetes": "Type 2 diabetes mellitus", "Body mass index 30+ - obesity": "Obesity"}
RXNORM = re.compile(
    r"(?:(?:24|12) HR )?([A-Za-z ]+?)(?: ([\d.]+) ?MG(?: (?:Extended Release )?(?:Oral|Chewable) (?:Tablet|Capsule))?)?"
    r"(?: ?\[\w+\])?",
    re.I,
)
SPELLED = {"simvistatin": "simvastatin", "lasix": "furosemide"}
DRUG_ALLERGIES = ("penicillin", "codeine", "sulfa drugs", "morphine", "aspirin", "erythromycin")

# Synthea's name, the fact's name, unit, LOINC, decimals, mean and spread where a patient has none.
LABS: tuple[tuple[str, str, str, str, int, float, float], ...] = (
    ("Glucose", "glucose", "mg/dL", "2339-0", 0, 105, 20),
    ("Hemoglobin A1c/Hemoglobin.total in Blood", "hemoglobin A1c", "%", "4548-4", 1, 6.0, 0.5),
    ("Creatinine", "creatinine", "mg/dL", "38483-4", 1, 1.0, 0.2),
    ("Urea Nitrogen", "urea nitrogen", "mg/dL", "6299-2", 0, 15, 4),
    ("Sodium", "sodium", "mmol/L", "2947-0", 0, 139, 2),
    ("Potassium", "potassium", "mmol/L", "6298-4", 1, 4.2, 0.4),
    ("Total Cholesterol", "total cholesterol", "mg/dL", "2093-3", 0, 185, 20),
    ("Triglycerides", "triglycerides", "mg/dL", "2571-8", 0, 135, 20),
    ("Low Density Lipoprotein Cholesterol", "LDL cholesterol", "mg/dL", "18262-6", 0, 110, 20),
    ("High Density Lipoprotein Cholesterol", "HDL cholesterol", "mg/dL", "2085-9", 0, 55, 8),
    ("Hemoglobin [Mass/volume] in Blood", "hemoglobin", "g/dL", "718-7", 1, 13.5, 1.0),
    ("Leukocytes [#/volume] in Blood by Automated count", "white blood cells", "10*3/uL", "6690-2", 1, 7.5, 1.5),
    ("Platelets [#/volume] in Blood by Automated count", "platelets", "10*3/uL", "777-3", 0, 250, 40),
)


@cache
def synthea() -> list[Facts]:
    """Every Synthea patient of the development data."""
    with gzip.open(DATA, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def patients(count: int, rng_seed: int) -> list[Facts]:
    """`count` adults with at least one problem; a Synthea patient may come back at another visit.

    Those with a sided problem, and those with a drug, are drawn more often than Synthea has them.
    """
    rng, found = random.Random(rng_seed), []
    while len(found) < count:
        if facts := patient(rng.choice(synthea()), rng):
            found.append(facts)
    return found


def patient(row: Facts, rng: random.Random) -> Facts | None:
    """The facts of one visit: the last, or (half of the time, where there is one) the start of an acute problem."""
    events = [c["onset"] for c in row["conditions"] if base(c["text"]) in EVENTS]
    lateral = [c["onset"] for c in row["conditions"] if "{s}" in PROBLEMS.get(base(c["text"]), ("", ""))[1]]
    events = lateral if lateral and rng.random() < 0.7 else events
    start = rng.choice(events) if events and rng.random() < 0.5 else row["encounters"][-1]["start"]
    day, born = date.fromisoformat(start[:10]), date.fromisoformat(row["birth_date"])
    age = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    problems, drugs = problems_on(day, row, rng), medications_on(day, row, rng)
    one_sided = any(re.search(r"\b(left|right)\b", p["name"]) for p in problems)
    if not problems or not 18 <= age < 100 or rng.random() < (0 if one_sided else 0.5 if drugs else 0.8):
        return None
    return {
        "age": age,
        "sex": row["gender"],
        "admitted": day.isoformat(),
        "discharged": (day + timedelta(rng.randint(1, 9))).isoformat(),
        "problems": problems,
        "medications": drugs,
        "allergies": allergies(row, rng),
        "vitals": vitals(row["latest_observations"], rng, any(p["name"] == "Obesity" for p in problems)),
        "labs": labs(row["latest_observations"], rng),
    }


def base(text: str) -> str:
    """A Synthea condition without its tail, under the name a fact carries."""
    text = re.sub(r" \((disorder|finding|situation)\)$", "", text)
    return RENAMED.get(text, text)


def problems_on(day: date, row: Facts, rng: random.Random) -> list[Facts]:
    """One to four problems of that day, none twice; most of those with a side are given one."""
    now = {}
    for c in row["conditions"]:
        onset, name = date.fromisoformat(c["onset"][:10]), base(c["text"])
        active = onset <= day and (c["abated"] is None or date.fromisoformat(c["abated"][:10]) > day)
        if active and name in PROBLEMS and (name in CHRONIC or (day - onset).days <= 14):
            now[name] = c["code"]
    acute = [name for name in now if name in EVENTS][:2]
    chronic = [name for name in now if name in CHRONIC]
    names = acute + rng.sample(chronic, min(len(chronic), rng.randint(1, 4 - len(acute))))
    return [{"name": sided(name, rng), "code": now[name], "system": "SNOMED CT"} for name in names]


def sided(name: str, rng: random.Random) -> str:
    """ "Sprain of ankle" -> "Sprain of left ankle"."""
    if "{s}" not in PROBLEMS[name][1] or rng.random() < 0.15:
        return name
    head, part = name.rsplit(" of ", 1)
    return f"{head} of {rng.choice(('left', 'right'))} {part}"


def medications_on(day: date, row: Facts, rng: random.Random) -> list[Facts]:
    """Up to four drugs in use that day whose RxNorm text is one plain drug."""
    found: dict[str, Facts] = {}
    for drug in row["medications"]:
        match = RXNORM.fullmatch(drug["text"])
        if drug["status"] != "active" or date.fromisoformat(drug["authored"][:10]) > day or not match:
            continue
        name = re.sub(SALTS, "", match[1].lower())
        name = SPELLED.get(name, name)
        if name in DRUGS:
            dose = {"dose": f"{match[2]} mg"} if match[2] else {}
            found[name] = {"name": name, **dose, "code": drug["code"], "system": "RxNorm"}
    return rng.sample(list(found.values()), min(len(found), rng.choice((0, 1, 2, 2, 3, 4))))


def allergies(row: Facts, rng: random.Random) -> list[Facts]:
    """Up to two allergies, named by the substance; a share of the patients gets a drug that Synthea never gives."""
    found = []
    for a in row["allergies"]:
        name = re.sub(r"^Allergy to | \(animal\)| allergy$", "", a["text"]).lower().replace("mould", "mold")
        found.append({"name": name, "code": a["code"], "system": "SNOMED CT"})
    if rng.random() < 0.3:
        found.append({"name": rng.choice(DRUG_ALLERGIES)})
    return rng.sample(found, min(len(found), rng.choice((0, 1, 2, 2))))


def vitals(seen: Facts, rng: random.Random, obese: bool) -> list[Facts]:
    """Blood pressure, and each of the others in six of ten patients; body mass index only beside its weight."""

    def get(name: str, mean: float, spread: float) -> float:
        value = seen.get(name, {}).get("value")
        return float(value) if isinstance(value, int | float) else rng.gauss(mean, spread)

    weight, height = round(max(get("Body Weight", 80, 12), 45), 1), round(max(get("Body Height", 170, 8), 145))
    if obese:
        weight = max(weight, round(rng.uniform(31, 37) * (height / 100) ** 2, 1))
    upper = rng.randint(104, 164)
    rows = [
        ("systolic blood pressure", upper, "mmHg"),
        ("diastolic blood pressure", round(upper * rng.uniform(0.55, 0.68)), "mmHg"),
        ("heart rate", rng.randint(56, 104), "/min"),
        ("respiratory rate", rng.randint(12, 22), "/min"),
        ("temperature", round(rng.uniform(36.2, 37.4), 1), "Cel"),
        ("oxygen saturation", rng.randint(91, 99), "%"),
        ("weight", weight, "kg"),
        ("height", height, "cm"),
        ("body mass index", round(weight / (height / 100) ** 2, 1), "kg/m2"),
    ]
    return [{"name": n, "value": v, "unit": u} for n, v, u in rows if "blood" in n or rng.random() < 0.6]


def labs(seen: Facts, rng: random.Random) -> list[Facts]:
    """Up to four lab values."""
    found = []
    for source, name, unit, code, decimals, mean, spread in rng.sample(LABS, rng.randint(0, 4)):
        value = seen.get(source, {}).get("value")
        believable = isinstance(value, int | float) and abs(value - mean) < 10 * spread and value > mean / 2
        value = float(value) if believable else rng.gauss(mean, spread)
        rounded = round(value, decimals) if decimals else round(value)
        found.append({"name": name, "value": rounded, "unit": unit, "code": code})
    return found
