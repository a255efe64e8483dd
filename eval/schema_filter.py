"""The schema filter against `jsonschema`: the same verdicts, and how many times as fast. Usage:

    python eval/schema_filter.py [--data PATH] > eval/results/schema_filter.json

Verdicts: every test of the JSON Schema Test Suite's development part (drafts 7 and 2020-12; its remote documents are
offered to both sides), and the instances of a fixed random 1,000 of JSONSchemaBench's schemas (arXiv 2501.10868).
`format` is asserted by neither side. Beside ours stands jsonschema-rs as it comes: what it judges otherwise.

Speed: records a second through `SchemaFilter.check`, verdict and all, against `is_valid` of `jsonschema` over the
same records in the same run: a clinical record, a patient's nested record (Synthea), and the valid instances of 100
of the real schemas. Paired rounds; the median of 5. A refused record also gets an explanation, by `jsonschema`: its
rate stands beside.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema_rs
import referencing

from textsynth.filters.schema import SchemaFilter
from textsynth.inputs.dialects import DRAFTS, Draft, draft_of, fast_validator, first_error, known_draft, validator
from textsynth.inputs.fast import KEYWORDS, rewritten
from textsynth.records import Record

DATA = Path(__file__).parents[2] / "shared" / "data"
SEED, SCHEMAS, TIMED, ROUNDS = 3, 1000, 100, 5
CLINICAL = json.loads((Path(__file__).parent / "jobs" / "ehr.json").read_text(encoding="utf-8"))
CODED = {
    "type": "object",
    "properties": {
        "code": {"type": "string", "pattern": "^[0-9]+$"},
        "text": {"type": "string", "minLength": 1},
        "onset": {"type": ["string", "null"], "pattern": "^\\d{4}-\\d{2}-\\d{2}"},
    },
}
PATIENT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "patient_id": {"type": "string", "minLength": 1},
        "gender": {"enum": ["female", "male", "other", "unknown"]},
        "birth_date": {"type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}$"},
        "deceased": {"type": ["string", "boolean", "null"]},
        "conditions": {"type": "array", "items": {"$ref": "#/$defs/coded"}},
        "medications": {"type": "array", "items": {"$ref": "#/$defs/coded"}},
        "procedures": {"type": "array", "items": {"$ref": "#/$defs/coded"}},
        "encounters": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["patient_id", "gender", "birth_date", "conditions"],
    "$defs": {"coded": CODED},
}
Judge = Callable[[Any], bool]


def lines(path: Path) -> list[Any]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return [json.loads(line) for line in text.split("\n") if line]


def verdict(judge: Judge, value: Any) -> str:
    try:
        return "valid" if judge(value) else "invalid"
    except re.error:
        return "none: no regular expression to Python"


def suite_judges(schema: Any, draft: Draft, documents: list[Any]) -> tuple[Judge, Judge, Judge]:
    """The reference, ours and jsonschema-rs as it comes, each with the remote documents."""
    known = [
        (
            one["uri"],
            referencing.Resource.from_contents(one["schema"], default_specification=draft.specification),
            one["schema"],
        )
        for one in documents
    ]
    reference = draft.reference(
        schema, registry=referencing.Registry().with_resources([(uri, resource) for uri, resource, _ in known])
    )
    options = {"validate_formats": False, "offline": True}
    plain = draft.fast(schema, registry=jsonschema_rs.Registry([(uri, raw) for uri, _, raw in known]), **options)
    if isinstance(schema, dict) and "localhost:1234" not in json.dumps(schema):
        ours = fast_validator({"$schema": draft.uri, **schema}).is_valid
    else:
        offered = jsonschema_rs.Registry([(uri, rewritten(raw, draft.name)) for uri, _, raw in known])
        ours = draft.fast(rewritten(schema, draft.name), registry=offered, keywords=KEYWORDS, **options).is_valid
    return reference.is_valid, ours, plain.is_valid


def suite(folder: Path) -> dict[str, Any]:
    """Every test of the suite, judged three ways."""
    documents = [
        one
        for one in lines(folder / "json_schema_test_suite.remotes.jsonl")
        if not isinstance(one["schema"], dict) or draft_of(one["schema"]) or "localhost" in one["schema"]["$schema"]
    ]
    counts: Counter[str] = Counter()
    apart: Counter[str] = Counter()
    plain_apart: Counter[str] = Counter()
    for row in lines(folder / "json_schema_test_suite.dev.jsonl.gz"):
        if isinstance(row["schema"], dict) and draft_of(row["schema"]) is None:
            counts["a fault to us: $schema is no known draft"] += len(row["tests"])
            continue
        draft = next(one for one in DRAFTS if row["draft"] == f"draft{one.name}")
        reference, ours, plain = suite_judges(row["schema"], draft, documents)
        for test in row["tests"]:
            said, mine, bare = (verdict(judge, test["data"]) for judge in (reference, ours, plain))
            kind = f"{row['draft']} {row['file']}"
            counts["tests"] += 1
            if said.startswith("none"):
                counts["no verdict of jsonschema: a pattern that is none to Python"] += 1
                counts["of them judged as the suite expects"] += (mine == "valid") == test["valid"]
                continue
            apart[kind] += said != mine
            plain_apart[kind] += said != bare
    return {**counts, "otherwise than jsonschema": +apart, "jsonschema-rs as it comes": +plain_apart}


def bench(rows: list[Any]) -> dict[str, Any]:
    """The instances of real schemas, judged three ways."""
    counts: Counter[str] = Counter()
    apart: list[str] = []
    for row in rows:
        schema = row["schema"]
        draft = known_draft(schema)
        counts["schemas"] += 1
        try:
            ours = fast_validator(schema)
        except ValueError:
            counts["a fault to us: jsonschema-rs cannot read the schema"] += 1
            continue
        counts["every value goes to jsonschema"] += not ours.is_fast
        reference = validator(schema)
        plain = draft.fast(schema, validate_formats=False, offline=True)
        for test in row["tests"]:
            said = verdict(reference.is_valid, test["data"])
            counts["instances"] += 1
            counts["jsonschema-rs as it comes: otherwise"] += said != verdict(plain.is_valid, test["data"])
            if said != verdict(ours.is_valid, test["data"]):
                apart.append(row["name"])
    return {**counts, "otherwise than jsonschema": apart}


def hundredths() -> dict[str, Any]:
    """`multipleOf: 0.01` of 0.00 to 99.99, all of them multiples in decimal arithmetic."""
    schema = {"multipleOf": 0.01}
    values = [i / 100 for i in range(10_000)]
    judges = {
        "jsonschema": validator(schema).is_valid,
        "ours": fast_validator(schema).is_valid,
        "jsonschema-rs as it comes": jsonschema_rs.Draft202012Validator(schema).is_valid,
    }
    return {f"refused by {name}": sum(not judge(value) for value in values) for name, judge in judges.items()}


def timed(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def speed(pairs: Iterable[tuple[Any, list[Any]]], repeat: int) -> dict[str, Any]:
    """Records a second of ours and of `jsonschema`, over (schema, records) pairs."""
    work = []
    for schema, values in pairs:
        fast, slow = fast_validator(schema), validator(schema)
        gate = SchemaFilter(fast.is_valid, partial(first_error, slow), {"note": 10_000})
        work.append((gate, slow.is_valid, [Record("r0000001", 0, {}, value) for value in values]))
    number = sum(len(records) for _, _, records in work)

    def ours() -> None:
        for _ in range(repeat):
            for gate, _, records in work:
                for record in records:
                    gate.check(record)

    def theirs() -> None:
        for _, judge, records in work:
            for record in records:
                judge(record.fields)

    ours(), theirs()
    rounds = [(number * repeat / timed(ours), number / timed(theirs)) for _ in range(ROUNDS)]
    return {
        "records": number,
        "ours a second": round(statistics.median(a for a, _ in rounds)),
        "jsonschema a second": round(statistics.median(b for _, b in rounds)),
        "times": round(statistics.median(a / b for a, b in rounds), 1),
        "times, each round": [round(a / b, 1) for a, b in rounds],
    }


def instances(rows: list[Any], valid: bool) -> list[tuple[Any, list[Any]]]:
    """(schema, instances) of the first schemas whose instances `jsonschema` judges so."""
    found = []
    for row in rows:
        try:
            fast_validator(row["schema"])
        except ValueError:
            continue
        judge = validator(row["schema"]).is_valid
        values = [test["data"] for test in row["tests"] if isinstance(test["data"], dict)]
        if kept := [value for value in values if judge(value) is valid]:
            found.append((row["schema"], kept))
    return found[:TIMED]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    data = parser.parse_args().data
    real = lines(data / "schemas" / "jsonschemabench.dev.jsonl.gz")
    rows = random.Random(SEED).sample(real, SCHEMAS)
    clinical = lines(Path(__file__).parent / "jobs" / "ehr_seeds.jsonl")
    patients = [one for one in lines(data / "clinical" / "synthea_patients.dev.jsonl.gz")]
    judge = fast_validator(PATIENT).is_valid
    patients = [one for one in patients if judge(one)]
    report = {
        "verdicts": {
            "test suite": suite(data / "schemas"),
            "real schemas": bench(rows),
            "multipleOf 0.01, 0.00 to 99.99": hundredths(),
        },
        "speed": {
            "clinical record": speed([(CLINICAL, clinical * 20)], 10),
            "nested patient record": speed([(PATIENT, patients)], 5),
            f"{TIMED} real schemas, valid": speed(instances(rows, True), 10),
            f"{TIMED} real schemas, refused and explained": speed(instances(rows, False), 1),
        },
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
