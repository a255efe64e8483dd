"""FHIR in: what becomes a fact, by every way in, and one sentence for what cannot be used."""

from __future__ import annotations

import base64
import copy
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from textsynth.checks import notes_on
from textsynth.errors import InputError
from textsynth.inputs.charted import drug_name, is_problem, lab_name, rounded
from textsynth.inputs.fhir import rows_in
from textsynth.inputs.left_out import LeftOut
from textsynth.inputs.readers import read_rows
from textsynth.inputs.seeds import load_seeds
from textsynth.job import job_from

SNOMED, RXNORM, LOINC = "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm", "http://loinc.org"
HEMOGLOBIN = "Hemoglobin [Mass/volume] in Blood"
NAME = {"text": HEMOGLOBIN}
NOTE = "Placeholder Patient was seen for a sore throat."
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "clinical"
Bundle = dict[str, Any]


def concept(text: str, code: str, system: str = SNOMED) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": text}], "text": text}


def observed(text: str, code: str, value: float, unit: str, kind: str = "vital-signs", visit: str = "e2") -> Bundle:
    return {
        "resourceType": "Observation", "id": f"{visit}-{code}", "status": "final", "category": category(kind),
        "code": concept(text, code, LOINC), "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": f"Encounter/{visit}"}, "effectiveDateTime": f"{DAYS[visit]}T09:30:00Z",
        "valueQuantity": quantity(value, unit),
    }  # fmt: skip


def category(kind: str) -> list[Any]:
    return [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": kind}]}]


def quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}


def condition(text: str, code: str, status: str = "active", **rest: Any) -> Bundle:
    clinical = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": status}]}
    return {
        "resourceType": "Condition", "id": f"c{code}", "clinicalStatus": clinical, "code": concept(text, code),
        "subject": {"reference": "Patient/p1"}, "onsetDateTime": "2019-01-05", **rest,
    }  # fmt: skip


def prescribed(text: str, code: str, status: str = "active") -> Bundle:
    return {
        "resourceType": "MedicationRequest", "id": f"m{code}", "status": status, "intent": "order",
        "medicationCodeableConcept": concept(text, code, RXNORM), "subject": {"reference": "Patient/p1"},
        "authoredOn": "2019-02-01T08:00:00Z",
    }  # fmt: skip


DAYS = {"e1": "2018-03-01", "e2": "2020-06-15"}
ENCOUNTERS: list[Bundle] = [
    {
        "resourceType": "Encounter", "id": visit, "status": "finished", "class": {"code": "AMB"},
        "subject": {"reference": "Patient/p1"}, "period": {"start": f"{day}T09:00:00Z", "end": f"{day}T10:00:00Z"},
    }
    for visit, day in DAYS.items()
]  # fmt: skip
PRESSURE: Bundle = observed("Blood Pressure", "85354-9", 0, "") | {
    "component": [
        {"code": concept("Systolic Blood Pressure", "8480-6", LOINC), "valueQuantity": quantity(131.7402, "mm[Hg]")},
        {"code": concept("Diastolic Blood Pressure", "8462-4", LOINC), "valueQuantity": quantity(84, "mm[Hg]")},
    ]
}
RESOURCES: list[Bundle] = [
    {
        "resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1955-06-16",
        "name": [{"family": "Placeholder", "given": ["Patient", "One"]}],
        "address": [{"city": "Nowhere", "state": "Elsewhere", "postalCode": "00000"}],
    },
    *ENCOUNTERS,
    condition("Anemia (disorder)", "271737000"),
    condition("Received certificate of high school education (finding)", "473461003"),
    condition("History of appendectomy (situation)", "428251008"),
    condition("Viral sinusitis (disorder)", "444814009", "resolved", abatementDateTime="2019-01-20"),
    condition("Otitis media", "65363002", "resolved"),
    prescribed("24 HR Metformin hydrochloride 500 MG Extended Release Oral Tablet", "860975"),
    prescribed("Ibuprofen 200 MG Oral Tablet", "310965", "stopped"),
    {
        "resourceType": "AllergyIntolerance", "id": "a1", "patient": {"reference": "Patient/p1"},
        "code": concept("Latex allergy", "300916003"),
    },
    observed("Body Weight", "29463-7", 60, "kg", visit="e1"),
    observed("Body Weight", "29463-7", 150, "[lb_av]"),
    observed("Oral temperature", "8331-1", 98.6, "[degF]"),
    PRESSURE,
    observed(HEMOGLOBIN, "718-7", 13.16718, "g/dL", "laboratory")
    | {"code": {"coding": [{"system": "urn:local", "code": "HB"}, {"system": LOINC, "code": "718-7"}]} | NAME},
    observed("Total score [MMSE]", "72106-8", 29, "{score}", "survey"),
    {
        "resourceType": "DocumentReference", "id": "d1", "status": "current", "subject": {"reference": "Patient/p1"},
        "content": [{"attachment": {"contentType": "text/plain", "data": base64.b64encode(NOTE.encode()).decode()}}],
    },
    {"resourceType": "Claim", "id": "x1", "patient": {"reference": "Patient/p1"}},
]  # fmt: skip
FACTS: dict[str, Any] = {
    "age": 64, "sex": "female", "seen": "2020-06-15",
    "problems": [{"name": "Anemia", "code": "271737000", "system": "SNOMED CT"}],
    "medications": [{"name": "metformin hydrochloride", "dose": "500 mg", "code": "860975", "system": "RxNorm"}],
    "allergies": [{"name": "Latex allergy", "code": "300916003", "system": "SNOMED CT"}],
    "vitals": [
        {"name": "weight", "value": 68.0, "unit": "kg"}, {"name": "temperature", "value": 37.0, "unit": "Cel"},
        {"name": "systolic blood pressure", "value": 132, "unit": "mmHg"},
        {"name": "diastolic blood pressure", "value": 84, "unit": "mmHg"},
    ],
    "labs": [{"name": "Hemoglobin", "value": 13.2, "unit": "g/dL", "code": "718-7"}],
}  # fmt: skip
NAMED = {
    "given": "Patient One", "family": "Placeholder", "birth_date": "1955-06-16", "city": "Nowhere",
    "state": "Elsewhere", "postal_code": "00000", "patient_id": "p1",
}  # fmt: skip
ROW = FACTS | {"note": NOTE} | NAMED


def bundle_of(resources: list[Any]) -> Bundle:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}


def lines(values: list[Any]) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def bulk(folder: Path, ending: str = ".ndjson") -> Path:
    """A bulk export: a file for each type, Patient not first."""
    folder.mkdir()
    for kind in {one["resourceType"] for one in RESOURCES}:
        text = lines([one for one in RESOURCES if one["resourceType"] == kind]).encode()
        (folder / f"{kind}{ending}").write_bytes(gzip.compress(text) if ending.endswith(".gz") else text)
    return folder


def a_file(name: str, text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path if path.parent == folder else path.parent

    return make


WHOLE = json.dumps(bundle_of(RESOURCES), indent=1)
WAYS: dict[str, Callable[[Path], Path]] = {
    "a Bundle": a_file("a.json", WHOLE),
    "a Bundle, compressed": a_file("a.json.gz", WHOLE),
    "a folder of Bundles": a_file("many/a.json", WHOLE),
    "rows that are Bundles": a_file("a.jsonl", lines([bundle_of(RESOURCES)])),
    "rows that hold one": a_file("a.jsonl", lines([{"bundle": bundle_of(RESOURCES), "ward": 3}])),
    "resources in one file": a_file("a.ndjson", lines(RESOURCES)),
    "a Bundle a line": a_file("a.ndjson.gz", lines([bundle_of(RESOURCES)])),
    "a bulk export": lambda folder: bulk(folder / "bulk"),
    "a bulk export, compressed": lambda folder: bulk(folder / "bulk", ".000.ndjson.gz"),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_gives_the_same_facts(tmp_path: Path, way: str) -> None:
    path = WAYS[way](tmp_path)
    [row] = read_rows(path.name, tmp_path, "seeds.path")
    assert row == (ROW | {"ward": 3} if way == "rows that hold one" else ROW)


def test_a_flattened_patient_gives_the_same_facts() -> None:
    def coded(text: str, code: str, system: str, **rest: Any) -> dict[str, Any]:
        return {"text": text, "code": code, "system": system, **rest}

    patient = NAMED | {
        "given": ["Patient", "One"], "gender": "female",
        "conditions": [
            coded("Anemia (disorder)", "271737000", SNOMED, onset="2019-01-05", abated=None),
            coded("Viral sinusitis (disorder)", "444814009", SNOMED, onset="2019-01-05", abated="2019-01-20"),
        ],
        "medications": [
            coded("Metformin hydrochloride 500 MG Oral Tablet", "860975", RXNORM, status="active"),
            coded("Ibuprofen 200 MG Oral Tablet", "310965", RXNORM, status="stopped", authored="2019-02-01"),
        ],
        "allergies": [coded("Latex allergy", "300916003", SNOMED)],
        "encounters": [{"class": "IMP", "start": day} for day in DAYS.values()],
        "latest_observations": {
            "Body Weight": {"value": 68.0388, "unit": "kg", "date": "2020-06-15"},
            "Oral temperature": {"value": 37, "unit": "Cel", "date": "2018-03-01"},
            "Hemoglobin [Mass/volume] in Blood": {"value": 13.16718, "unit": "g/dL", "date": "2020-06-15"},
            "Total score [MMSE]": {"value": 29, "unit": "{score}", "date": "2020-06-15"},
        },
    }  # fmt: skip
    left_out = LeftOut()
    [row] = rows_in(patient, "a.jsonl row 1", left_out)
    seen = {name: value for name, value in FACTS.items() if name not in ("seen", "vitals", "labs")}
    labs = [{"name": "Hemoglobin", "value": 13.2, "unit": "g/dL"}]
    assert row == seen | NAMED | {"admitted": "2020-06-15", "vitals": FACTS["vitals"][:1], "labs": labs}
    assert not left_out.count


def test_other_rows_stay_as_they_are() -> None:
    for row in ({"note": "x", "bundle": "of joy"}, {"resourceType": "Patient", "id": "p"}, {"conditions": ["x"]}):
        assert list(rows_in(row, "row 1", LeftOut(strict=True))) == [row]


# Bad input


def changed(kind: str, number: int = 0, **keys: Any) -> Callable[[list[Bundle]], None]:
    """Other keys in the resource of that kind and place; a key that is `...` goes."""

    def change(resources: list[Bundle]) -> None:
        one = [resource for resource in resources if resource["resourceType"] == kind][number]
        one.update({key: value for key, value in keys.items() if value is not ...})
        for key in (key for key, value in keys.items() if value is ...):
            del one[key]

    return change


def more(*resources: Any) -> Callable[[list[Bundle]], None]:
    return lambda found: found.extend(copy.deepcopy(resources))


SECRET = "Xanthippe"
NOBODY = {"reference": f"Patient/{SECRET}"}
FAULTS: list[tuple[Callable[[list[Bundle]], None], str, dict[str, Any] | None]] = [
    (changed("Condition", subject=NOBODY), "a resource that refers to no patient who is there: 1 left out (first: "
     "b.jsonl row 1 entry 4).", {"problems": []}),
    (changed("AllergyIntolerance", patient=...), "a resource that refers to no patient who is there: 1 left out",
     {"allergies": []}),
    (changed("Observation", 4, encounter={"reference": f"Encounter/{SECRET}"}),
     "a reference to an encounter that is not there: 1 left out", {}),
    (changed("MedicationRequest", medicationCodeableConcept=..., medicationReference={"reference": "Medication/1"}),
     "a reference to a medication that is not there: 1 left out", {"medications": []}),
    (changed("Condition", code=concept("Anemia", SECRET, f"urn:oid:1.2.3.{SECRET}")),
     "a code of a system that is not known: 1 left out", {"problems": [{"name": "Anemia"}]}),
    (changed("Condition", code={"coding": [{"system": SNOMED, "code": SECRET}]}), "a code without a name: 1 left out",
     {"problems": []}),
    (more(RESOURCES[0] | {"birthDate": "1955-06-17"}), "a patient with two birth dates: 1 left out", None),
    (changed("Patient", birthDate=["1955-06-16", "1955-06-17"]), "a patient with two birth dates: 1 left out", None),
    (changed("Patient", birthDate="2030-01-01"), "a birth date that is no whole date, or lies after the last",
     {"age": ..., "birth_date": ...}),
    (changed("Patient", birthDate=f"1955 {SECRET}"), "a birth date that is no whole date",
     {"age": ..., "birth_date": ...}),
    (changed("Observation", 2, valueQuantity=quantity(98, "mm[Hg]")),
     "a vital sign in a unit that does not fit: 1 left out", {"vitals": [FACTS["vitals"][0], *FACTS["vitals"][2:]]}),
    (changed("Observation", 4, valueQuantity=quantity(5, "g/dL") | {"comparator": "<"}),
     "a measurement without a plain number: 1 left out", {"labs": []}),
    (changed("Observation", 4, valueQuantity={"value": SECRET}), "a measurement without a plain number", {"labs": []}),
    (changed("Observation", 4, code=concept("Hemoglobin", "1", SNOMED)),
     "a code of a lab value that is not of LOINC: 1 left out",
     {"labs": [{"name": "Hemoglobin", "value": 13.2, "unit": "g/dL"}]}),
    (more(SECRET), "a resource that is no FHIR: 1 left out (first: b.jsonl row 1 entry 20).", {}),
    (more({"resourceType": SECRET + " 1"}), "a resource that is no FHIR: 1 left out", {}),
    (changed("DocumentReference", content=[{"attachment": {"contentType": "text/plain", "data": SECRET}}]),
     "a note that is no base64 of UTF-8 text: 1 left out", {"note": ...}),
    (lambda found: found.pop(0) and None, "a bundle without a patient: 1 left out (first: b.jsonl row 1).", None),
    (changed("Condition", meta={"profile": ["http://hl7.org/fhir/STU3/StructureDefinition/x"]}),
     "a bundle of another version of FHIR than R4: 1 left out", None),
    (more({"resourceType": "CapabilityStatement", "fhirVersion": "3.0.1"}),
     "a bundle of another version of FHIR", None),
]  # fmt: skip


@pytest.mark.parametrize(("change", "says", "becomes"), FAULTS, ids=[says[:40] for _, says, _ in FAULTS])
def test_what_cannot_be_used_is_one_sentence_and_the_rest_goes_on(
    tmp_path: Path, change: Callable[[list[Bundle]], None], says: str, becomes: dict[str, Any] | None
) -> None:
    resources = copy.deepcopy(RESOURCES)
    change(resources)
    (tmp_path / "b.jsonl").write_text(lines([bundle_of(resources), bundle_of(RESOURCES)]))
    left_out = LeftOut()
    rows = list(read_rows("b.jsonl", tmp_path, "seeds.path", left_out=left_out))
    [sentence] = left_out.sentences()
    assert sentence.startswith(says) and SECRET not in sentence
    assert rows[-1] == ROW
    if becomes is None:
        assert len(rows) == 1
    else:
        wanted = {name: value for name, value in (ROW | becomes).items() if value is not ...}
        assert rows[0] == wanted
    with pytest.raises(InputError) as raised:  # where nobody could be told
        list(read_rows("b.jsonl", tmp_path, "seeds.path"))
    assert len(raised.value.faults) == 1 and SECRET not in str(raised.value)


@pytest.mark.parametrize("version", [
    "http://hl7.org/fhir/R4/StructureDefinition/x", "http://hl7.org/fhir/4.0/x/y",
    "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient|3.1.1",
])  # fmt: skip
def test_profiles_of_this_version_are_read(version: str) -> None:
    bundle = bundle_of([RESOURCES[0] | {"meta": {"profile": [version]}}, *RESOURCES[1:]])
    assert list(rows_in(bundle, "row 1", LeftOut(strict=True))) == [ROW]


def test_a_file_of_a_folder_that_is_no_bundle_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for name, text in {"a": WHOLE, "b": SECRET, "c": "[1]", "d": json.dumps(RESOURCES[0])}.items():
        (tmp_path / "many" / f"{name}.json").write_text(text)
    left_out = LeftOut()
    assert list(read_rows("many", tmp_path, "seeds.path", left_out=left_out)) == [ROW]
    assert left_out.sentences() == [
        "a file that is no JSON: 1 left out (first: b.json).", "a bundle that is none: 2 left out (first: c.json).",
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "says"), [
    ("a.json", f'{{"a": {SECRET}', r"a\.json: not JSON"),
    ("a.json", json.dumps(RESOURCES[0]), r"a\.json is no FHIR Bundle"),
    ("a.json", "[" * 200_000, r"a\.json: .*(nested too deep|not JSON)"),
    ("a.json", '{"resourceType": "Bundle", "id": "\\ud83d"}', r"a\.json: half of a surrogate pair"),
    ("a.ndjson", lines(RESOURCES) + SECRET, r"a\.ndjson line 20: not JSON"),
])  # fmt: skip
def test_a_faulty_file_is_one_sentence(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=says) as raised:
        list(read_rows(name, tmp_path, "seeds.path", left_out=LeftOut()))
    assert SECRET not in str(raised.value)


def seeds_of(folder: Path, bundles: list[Bundle]) -> Any:
    (folder / "b.jsonl").write_text(lines(bundles))
    data = {"seeds": {"path": "b.jsonl", "holdout": 0}, "record_schema": "./r.json", "plan": {"target": 5}}
    job = job_from(data, folder / "job.yaml")
    return job, load_seeds(job, ["age", "problems", "note"], ["age"], ["note"])


def test_seeds_say_what_was_left_out(tmp_path: Path) -> None:
    job, seeds = seeds_of(tmp_path, [bundle_of(RESOURCES), bundle_of([])])
    assert [dict(seed.data) for seed in seeds.shown] == [{name: ROW[name] for name in ("age", "problems", "note")}]
    assert "seeds: a bundle without a patient: 1 left out (first: b.jsonl row 2)." in notes_on(job, seeds, [])


def test_seeds_of_which_nothing_is_left_are_a_fault(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"seeds.path: a bundle without a patient: 2 left out .*Nothing else is there"):
        seeds_of(tmp_path, [bundle_of([]), bundle_of(RESOURCES[1:])])


def test_what_is_no_fault_is_passed_over(tmp_path: Path) -> None:
    """Entries without a resource, plans for a drug, and what was entered in error."""
    plan = prescribed("Warfarin Sodium 5 MG Oral Tablet", "855332") | {"intent": "plan"}
    error = observed("Body Weight", "29463-7", 950, "kg") | {"id": "x", "status": "entered-in-error"}
    bundle = bundle_of([*RESOURCES, plan, error])
    bundle["entry"].append({"request": {"method": "DELETE", "url": "Patient/p9"}})
    assert list(rows_in(bundle, "row 1", LeftOut(strict=True))) == [ROW]


# References


def test_references_of_a_transaction_are_followed() -> None:
    """Entries are known by an address of their own, and a medication may be a resource, or inside the request."""
    inside = {"resourceType": "Medication", "id": "in", "code": {"text": "Warfarin Sodium 5 MG Oral Tablet"}}
    drugs = [
        {"resourceType": "Medication", "id": "d1", "code": concept("Aspirin 81 MG Oral Tablet", "243670", RXNORM)},
        prescribed("", "1") | {"medicationReference": {"reference": "urn:uuid:00-d1"}},
        prescribed("", "2") | {"medicationReference": {"reference": "#in"}, "contained": [inside]},
    ]
    resources = copy.deepcopy([*RESOURCES[:3], *drugs])
    for one in resources:
        if "medicationReference" in one:
            del one["medicationCodeableConcept"]
        if "subject" in one:
            one["subject"] = {"reference": "urn:uuid:00-p1"}
    entries = [{"fullUrl": f"urn:uuid:00-{one['id']}", "resource": one} for one in resources]
    [row] = rows_in({"resourceType": "Bundle", "entry": entries}, "row 1", LeftOut(strict=True))
    aspirin = {"name": "aspirin", "dose": "81 mg", "code": "243670", "system": "RxNorm"}
    assert row["medications"] == [aspirin, {"name": "warfarin sodium", "dose": "5 mg"}]


def test_the_stay_is_the_last_encounter_with_its_parts() -> None:
    inpatient = {"class": {"code": "IMP"}, "period": {"start": "2020-06-14", "end": "2020-06-20T11:00:00+02:00"}}
    ward = {"class": {"code": "IMP"}, "period": {"start": "2020-06-15", "end": "2020-06-16"}, "id": "e4"}
    part = {"partOf": {"reference": "Encounter/e3"}}
    encounters = [
        ENCOUNTERS[0], ENCOUNTERS[1] | part, ENCOUNTERS[1] | ward | part, ENCOUNTERS[1] | inpatient | {"id": "e3"},
    ]  # fmt: skip
    [row] = rows_in(bundle_of([RESOURCES[0], *encounters]), "row 1", LeftOut(strict=True))
    assert [row[name] for name in ("age", "admitted", "discharged", "seen")] == [
        65, "2020-06-14", "2020-06-20", "2020-06-15",
    ]  # fmt: skip


# Names and numbers


@pytest.mark.parametrize(("text", "name", "dose"), [
    ("Hydrochlorothiazide 25 MG Oral Tablet", "hydrochlorothiazide", "25 mg"),
    ("24 HR metoprolol succinate 100 MG Extended Release Oral Tablet [Toprol]", "metoprolol succinate", "100 mg"),
    ("Amoxicillin 250 MG / Clavulanate 125 MG Oral Tablet", "amoxicillin / clavulanate", "250 mg / 125 mg"),
    ("NDA020800 0.3 ML Epinephrine 1 MG/ML Auto-Injector", "epinephrine", "1 mg/mL"),
    ("120 ACTUAT Fluticasone propionate 0.044 MG/ACTUAT Metered Dose Inhaler", "fluticasone propionate",
     "0.044 mg/actuation"),
    ("insulin human, isophane 70 UNT/ML / Regular Insulin, Human 30 UNT/ML Injectable Suspension [Humulin]",
     "insulin human, isophane / regular insulin, human", "70 units/mL / 30 units/mL"),
    ("Vitamin B 12 5 MG/ML Injectable Solution", "vitamin b 12", "5 mg/mL"),
    ("Lasix 40mg", "lasix", "40 mg"),
    ("Carbamazepine[Tegretol]", "carbamazepine", ""),
    ("24hr nicotine transdermal patch", "nicotine", ""),
    ("Camila 28 Day Pack", "camila", ""),
    ("40 MG", "40 mg", ""),
])  # fmt: skip
def test_a_drug_is_its_name_and_its_dose(text: str, name: str, dose: str) -> None:
    assert drug_name(text) == (name, dose)


@pytest.mark.parametrize(("text", "is_one"), [
    ("Anemia (disorder)", True), ("Hypertension", True), ("Body mass index 30+ - obesity (finding)", True),
    ("Burn injury(morphologic abnormality)", True), ("Suspected lung cancer (situation)", False),
    ("Full-time employment (finding)", False), ("Social isolation (finding)", False), ("Refugee (person)", False),
    ("Burn (third degree)", True),
])  # fmt: skip
def test_a_problem_is_told_by_its_tag(text: str, is_one: bool) -> None:
    assert is_problem(text) is is_one


@pytest.mark.parametrize(("text", "name"), [
    ("Leukocytes [#/volume] in Blood by Automated count", "Leukocytes"), ("Glucose", "Glucose"),
    ("Glucose [Mass/volume] in Urine by Test strip", "Glucose in Urine"),
    ("Hemoglobin A1c/Hemoglobin.total in Blood", "Hemoglobin A1c"), ("[Odd]", "[Odd]"),
])  # fmt: skip
def test_a_lab_value_is_named_as_on_a_chart(text: str, name: str) -> None:
    assert lab_name(text) == name


@pytest.mark.parametrize(("value", "shown"), [
    (13.25, 13.25), (1.025, 1.025), (142.69463, 143), (0.83074, 0.831), (1234.56789, 1235), (7, 7),
    (-0.00004321, -4.32e-5),
])  # fmt: skip
def test_only_numbers_that_no_instrument_gives_are_rounded(value: float, shown: float) -> None:
    assert rounded(value) == shown


def test_real_bundles_are_read_whole() -> None:
    path = DATA / "fhir_r4_bundles.dev.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"the development data has no {path.name} here")
    rows = list(read_rows(path.name, path.parent, "seeds.path"))
    assert len(rows) == 30 and all(row["age"] >= 0 and row["vitals"] for row in rows if row["seen"] > "2000")
