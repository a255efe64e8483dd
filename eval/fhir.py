"""FHIR out and in again, and what real bundles give. Usage: python eval/fhir.py [DATA] > eval/results/fhir.json

DATA (default ../shared/data) holds clinical/synthea_patients.dev.jsonl.gz, clinical/fhir_r4_bundles.dev.jsonl.gz and
schemas/fhir_r4.schema.json.gz. The facts of the first 100 patients, each with a note of its own, are records of a run,
which `textsynth export --as fhir` writes as bundles and as a bulk export. Both are read as seeds are. Wanted: the same
facts for each record, and every resource valid against the schema of FHIR R4, by jsonschema-rs and by jsonschema.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.outputs.fake_run import fake_run
from textsynth.clinical.codes import LISTS
from textsynth.inputs.dialects import fast_validator, validator
from textsynth.inputs.left_out import LeftOut
from textsynth.inputs.readers import read_rows
from textsynth.outputs.fhir import FACTS
from textsynth.training import export

RECORDS = 100


def main(data: Path) -> None:
    schema = json.loads(gzip.decompress((data / "schemas/fhir_r4.schema.json.gz").read_bytes()))
    patients, seconds = read(data / "clinical/synthea_patients.dev.jsonl.gz")
    told = {"flattened": summary(patients, seconds), "out_and_in": out_and_in(patients[:RECORDS], schema)}
    told["real_bundles"] = summary(*read(data / "clinical/fhir_r4_bundles.dev.jsonl.gz"))
    with gzip.open(data / "clinical/fhir_r4_bundles.dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        told["real_bundles"]["valid"] = valid([json.loads(line)["bundle"] for line in lines], schema)
    print(json.dumps(told, indent=2))


def read(path: Path) -> tuple[list[dict[str, Any]], float]:
    began, left_out = time.perf_counter(), LeftOut()
    rows = list(read_rows(path.name, path.parent, "eval", left_out=left_out))
    if left_out.count:
        print(*left_out.sentences(), sep="\n", file=sys.stderr)
    return rows, time.perf_counter() - began


def summary(rows: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """How many patients were read, which facts they have, and how many of those in lists."""
    alone = Counter(name for row in rows for name in row if name in FACTS and name not in LISTS)
    many = {name: sum(len(row[name]) for row in rows) for name in LISTS}
    return {"patients": len(rows), "with": dict(alone), "facts": many, "seconds": round(seconds, 2)}


def out_and_in(patients: list[dict[str, Any]], schema: dict[str, Any]) -> dict[str, Any]:
    records = [
        {name: value for name, value in patient.items() if name in FACTS} | {"note": f"Note {at}.\nNo complaints."}
        for at, patient in enumerate(patients)
    ]
    told: dict[str, Any] = {"records": len(records)}
    with tempfile.TemporaryDirectory() as made, fake_run(
        Path(made) / "run", len(records), ("accepted",), records, schema={"properties": dict.fromkeys(FACTS, {})}
    ) as store:  # fmt: skip
        for format in ("jsonl", "ndjson"):
            place = Path(made) / f"out.{format}"
            notes = export(store, format, place, layout="fhir").notes
            rows, _ = read(place)
            files = [place] if format == "jsonl" else sorted(place.iterdir())
            values = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
            same = sum(row == record for row, record in zip(rows, records, strict=True))
            told[format] = {"identical": same, "written": len(values), "valid": valid(values, schema), "notes": notes}
            if format == "ndjson":
                told[format]["resources"] = dict(Counter(value["resourceType"] for value in values))
    return told


def valid(values: list[Any], schema: dict[str, Any]) -> dict[str, int]:
    """How many are valid; by jsonschema one in ten, since it takes its time."""
    fast, reference = fast_validator(schema), validator(schema)
    return {
        "jsonschema_rs": sum(map(fast.is_valid, values)),
        "jsonschema": sum(map(reference.is_valid, values[::10])),
        "asked_of_jsonschema": len(values[::10]),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data"))
