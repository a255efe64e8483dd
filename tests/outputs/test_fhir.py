"""FHIR out: valid resources that name nobody, and the law that our FHIR in gives the same facts again."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.outputs.fake_run import NOTES, fake_run
from textsynth.errors import InputError
from textsynth.inputs.dialects import fast_validator, first_error, validator
from textsynth.inputs.fhir import rows_of_bundle, rows_of_resources
from textsynth.inputs.left_out import LeftOut
from textsynth.inputs.readers import read_rows
from textsynth.outputs.fhir import bundle_of, resources_of
from textsynth.outputs.store import Store
from textsynth.training import export

SCHEMA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "schemas" / "fhir_r4.schema.json.gz"
RECORD: dict[str, Any] = {
    "age": 71, "sex": "male", "admitted": "2024-02-27", "discharged": "2024-03-02", "seen": "2024-02-27",
    "problems": [
        {"name": "Hypertension", "code": "I10", "system": "ICD-10-CM"}, {"name": "Anemia (disorder)"},
        {"name": "Received certificate of high school education (finding)", "code": "1"}, {"name": "Anemia (disorder)"},
    ],
    "medications": [{"name": "Ibuprofen 200 MG Oral Tablet"}, {"name": "ibuprofen", "dose": "200 mg"}],
    "allergies": [],
    "vitals": [
        {"name": "systolic blood pressure", "value": 131.74024, "unit": "mmHg"},
        {"name": "temperature", "value": 98.6, "unit": "degF"}, {"name": "gaze", "value": 2, "unit": "points"},
    ],
    "labs": [{"name": "Glucose", "value": 5, "unit": "", "code": "2345-7"}, {"name": "pH", "value": 7.4}],
    "note": "He came in.\n\u2028Went out \U0001f600",
}  # fmt: skip
READERS: dict[str, Callable[[dict[str, Any], LeftOut], Any]] = {
    "a bundle": lambda record, left_out: rows_of_bundle(bundle_of("r1", record), "row 1", left_out),
    "resources": lambda record, left_out: rows_of_resources(
        [("row", one) for one in reversed_types(resources_of("r1", record)[0])], left_out
    ),
}


def reversed_types(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As files of a bulk export have them: by type, in an order of their own."""
    return sorted(resources, key=lambda one: [-ord(letter) for letter in one["resourceType"]])


def read_back(record: dict[str, Any], way: str) -> Any:
    [row] = READERS[way](json.loads(json.dumps(record)), LeftOut(strict=True))
    return row


@pytest.mark.parametrize("way", READERS)
def test_what_goes_out_comes_in_as_it_was(way: str) -> None:
    assert read_back(RECORD, way) == RECORD
    for record in ({"note": "Only a text."}, {"age": -1, "seen": "2024-01-01"}, {"age": 130, "seen": "0100-02-28"}):
        assert read_back(record, way) == record


def texts(alphabet: str | None = None) -> st.SearchStrategy[str]:
    letters = st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]) | st.sampled_from(" ()/[]0.\n")
    return st.text(letters, min_size=1, max_size=20).filter(lambda text: bool(text.strip()))


NAMES = texts() | st.sampled_from(
    ["Anemia (disorder)", "Aspirin 81 MG Oral Tablet", "weight", "pulse", "Refugee (person)"]
)
CODES = st.from_regex(r"[!-~]+( [!-~]+)?", fullmatch=True)
DAYS = st.dates().map(lambda day: day.isoformat())
UNITS = texts() | st.sampled_from(["", "1", "mmHg", "Cel", "/10", "mg/dL", "kg"])
NUMBERS = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)


def facts(system: list[str], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    maybe = {"code": CODES, "system": st.sampled_from(system), **more}
    return st.lists(st.fixed_dictionaries({"name": NAMES}, optional=maybe), max_size=4)


def measured(**maybe: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    known = st.fixed_dictionaries({"name": NAMES, "value": NUMBERS}, optional={"unit": UNITS, **maybe})
    return st.lists(known, max_size=4)


RECORDS = st.fixed_dictionaries({}, optional={
    "age": st.integers(0, 120), "sex": st.sampled_from(["female", "male"]),
    "admitted": DAYS, "discharged": DAYS, "seen": DAYS,
    "problems": facts(["SNOMED CT", "ICD-10-CM"]), "medications": facts(["RxNorm"], dose=texts()),
    "allergies": facts(["SNOMED CT", "RxNorm"]), "vitals": measured(), "labs": measured(code=CODES),
    "note": st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
})  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(RECORDS, st.sampled_from(list(READERS)))
def test_any_record_comes_in_as_it_went_out(record: dict[str, Any], way: str) -> None:
    assert resources_of("r1", record)[1] == []
    assert read_back(record, way) == record


@cache
def r4() -> tuple[dict[str, Any], Any]:
    schema = json.loads(gzip.decompress(SCHEMA.read_bytes()))
    return schema, fast_validator(schema)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(["name", "value", "unit", "code"]), inside)
    ),
)


@settings(max_examples=100, deadline=None)
@given(RECORDS | st.dictionaries(st.sampled_from([*RECORD, "spans"]), ANY))
def test_whatever_a_record_holds_its_bundle_is_valid(record: dict[str, Any]) -> None:
    if not SCHEMA.is_file():
        pytest.skip("the development data has no schema of FHIR here")
    schema, fast = r4()
    bundle = bundle_of("r1", record)
    assert fast.is_valid(bundle), first_error(validator(schema), bundle)


def test_every_resource_is_tagged_and_names_nobody() -> None:
    bundle = bundle_of("r1", RECORD | {"given": "Placeholder", "family": "Patient"})
    assert bundle["type"] == "collection" and "Placeholder" not in json.dumps(bundle)
    for one in (bundle, *(entry["resource"] for entry in bundle["entry"])):
        assert [label["code"] for label in one["meta"]["security"]] == ["HTEST"]
    kinds = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert kinds == {
        "Patient",
        "Encounter",
        "Condition",
        "MedicationStatement",
        "Observation",
        "List",
        "DocumentReference",
    }


def test_ids_are_those_of_the_record() -> None:
    one, same, other = (bundle_of(name, RECORD) for name in ("r1", "r1", "r2"))
    ids = [[entry["resource"]["id"] for entry in bundle["entry"]] for bundle in (one, other)]
    assert one == same and len(set(ids[0])) == len(ids[0]) and not set(ids[0]) & set(ids[1])
    urls = {entry["fullUrl"] for entry in one["entry"]}
    base = one["entry"][0]["fullUrl"].removesuffix(f"Patient/{ids[0][0]}")
    used = {part["reference"] for entry in one["entry"] for part in entry["resource"].values() if "reference" in part}
    assert used and {base + reference for reference in used} <= urls


@pytest.mark.parametrize(("changes", "lost"), [
    ({"spans": [], "dialogue": "Hi", "age": 7.5}, ["spans", "dialogue", "age"]),
    ({"seen": "soon", "sex": "f", "note": ""}, ["seen", "sex", "note"]),
    ({"problems": [{"name": " "}, {"code": "1"}, "x"]}, ["problems[]"]),
    ({"problems": "x", "labs": [{"name": "x", "value": "high"}]}, ["problems[]", "labs[].value"]),
    ({"problems": [{"name": "x", "system": "ours", "code": " 1", "since": 2}]},
     ["problems[].system", "problems[].code", "problems[].since"]),
])  # fmt: skip
def test_what_has_no_place_is_told(changes: dict[str, Any], lost: list[str]) -> None:
    assert resources_of("r1", {"age": 1, "note": None} | changes)[1] == lost


# The command


def run_of(folder: Path) -> Store:
    schema = {"type": "object", "properties": {name: {} for name in (*RECORD, "spans")}}
    records = [RECORD | {"age": 20 + at, "spans": []} for at in range(6)]
    return fake_run(folder, 6, ("accepted",), records, schema=schema)


@pytest.mark.parametrize("format", ["jsonl", "ndjson"])
def test_an_export_is_read_as_seeds(tmp_path: Path, format: str) -> None:
    place = tmp_path / f"out.{format}"
    with run_of(tmp_path / "run") as store:
        made = export(store, format, place, layout="fhir")
        export(store, format, place, layout="fhir", force=True)
    assert made.notes == ["spans: no place in FHIR, left out of 6 records."] and made.records == 6
    rows = list(read_rows(place.name, tmp_path, "seeds.path"))
    assert rows == [RECORD | {"age": 20 + at} for at in range(6)]
    if format == "ndjson":
        assert all(line for line in (place / "Patient.ndjson").read_text().splitlines())
        assert "README.md" not in {path.name for path in place.iterdir()}


def test_splits_are_files_of_bundles_with_a_card(tmp_path: Path) -> None:
    with fake_run(tmp_path / "run", 6, ("accepted",)) as store:
        export(store, "jsonl", tmp_path / "out", layout="fhir", shares={"train": 0.5, "test": 0.5})
    rows = [row for name in ("train", "test") for row in read_rows(f"out/{name}.jsonl", tmp_path, "seeds.path")]
    assert sorted(row["note"] for row in rows) == sorted(note["note"] for note in NOTES[:6])
    assert "laid out as `fhir`" in (tmp_path / "out/README.md").read_text()


@pytest.mark.parametrize(("options", "says"), [
    ({"format": "parquet", "layout": "fhir"}, "FHIR is not written as parquet. Use jsonl"),
    ({"format": "ndjson"}, "ndjson is FHIR's bulk format"),
    ({"format": "ndjson", "layout": "fhir", "shares": {"a": 1.0}}, "ndjson is FHIR's bulk format, without splits"),
])  # fmt: skip
def test_what_cannot_be_written_is_a_fault(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    with run_of(tmp_path / "run") as store, pytest.raises(InputError, match=says):
        export(store, out=tmp_path / "out", **options)


def test_records_without_facts_and_places_that_are_taken_are_faults(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    with run_of(tmp_path / "run") as store:
        with pytest.raises(InputError, match="something else than an earlier export"):
            export(store, "ndjson", tmp_path / "out", layout="fhir", force=True)
        store.put("schema", {"properties": {"question": {}}})
        with pytest.raises(InputError, match="--as fhir needs a field such as age, sex"):
            export(store, "jsonl", tmp_path / "new.jsonl", layout="fhir")
