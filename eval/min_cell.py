"""`seeds.min_cell` on diabetes_readmission: 2,000 records drawn with it and without it. Usage: python eval/min_cell.py

Whether an accepted record's combination of quasi-identifiers is that of k shown seeds is counted by pandas alone, over
the csv file and accepted.jsonl; of the run, only the row numbers of its shown seeds are taken. Prints JSON.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

from textsynth.job import job_from
from textsynth.pipeline import run_prepared
from textsynth.prepare import prepare

DATA = Path(__file__).resolve().parents[2] / "shared/data/tabular/diabetes_readmission.dev.csv.gz"
K, RECORDS = 5, 2000
THREE = ["race", "gender", "age"]
FIVE = [*THREE, "admission_type_id", "medical_specialty"]
OTHERS = ["time_in_hospital", "num_lab_procedures", "num_medications", "diag_1", "insulin", "readmitted"]
MISSING = ["", "?"]
CASES: dict[str, tuple[list[str], dict[str, Any], dict[str, Any]]] = {  # quasi-identifiers, more of seeds, more of plan
    "three columns": (THREE, {}, {}),
    "five columns": (FIVE, {}, {}),
    "five columns, one row a patient": (FIVE, {"one_per": "patient_nbr"}, {}),
    "five columns, 2,000 seeds": (FIVE, {"limit": 2000}, {}),
    "five columns, ages in equal shares": (FIVE, {}, {"match": {"age": "equal"}}),
}


def main() -> None:
    table = pd.read_csv(DATA, dtype=str, keep_default_na=False).apply(lambda column: column.str.strip())
    found: dict[str, Any] = {"k": K, "records": RECORDS}
    for name, (of, seeds, plan) in CASES.items():
        found[name] = {"of": of} | {
            said: measured(table, of, seeds | cell, plan)
            for said, cell in (("with", {"min_cell": {"k": K, "of": of}}), ("without", {}))
        }
    print(json.dumps(found, indent=1))


def measured(table: pd.DataFrame, of: list[str], seeds: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """One run, its accepted records counted over the rows of the file that were shown."""
    names = [*FIVE, *OTHERS]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "record.json").write_text(
            json.dumps({"type": "object", "properties": {name: {} for name in names}}), encoding="utf-8"
        )
        data = {
            "seeds": {"path": str(DATA), "missing": MISSING, **seeds},
            "record_schema": "./record.json",
            "fields": {name: {"source": "sampled"} for name in names},
            "together": [of],
            "plan": {"target": RECORDS, **plan},
        }
        start = time.perf_counter()
        prepared = prepare(job_from(data, Path(folder) / "job.yaml"))
        loaded = time.perf_counter() - start
        result = run_prepared(prepared, Path(folder) / "run")
        accepted = pd.read_json(result.folder / "accepted.jsonl", lines=True, dtype=False)
        report = json.loads((result.folder / "metrics.json").read_text(encoding="utf-8")).get("min_cell")
    shown = table.iloc[[int(seed.id[1:]) - 1 for seed in prepared.seeds.shown]]
    sizes = plain(shown, of).value_counts()
    behind = plain(accepted, of).map(sizes).fillna(0).astype(int)
    return {
        "shown": len(shown), "seeds_of_rare_combinations": int(sizes[sizes < K].sum()),
        "combinations": len(sizes), "rare_combinations": int((sizes < K).sum()), "accepted": len(accepted),
        "smallest": int(behind.min()), "below_k": int((behind < K).sum()), "unique_seed": int((behind == 1).sum()),
        "report": report, "seconds_to_load": round(loaded, 1),
    }  # fmt: skip


def plain(rows: pd.DataFrame, names: list[str]) -> pd.Series:
    """Each row's values of these columns as one text; a missing one is a question mark."""
    texts = rows.reindex(columns=names).astype(object)
    texts = texts.where(texts.notna() & ~texts.isin(MISSING), "?").astype(str)
    return texts.agg("|".join, axis=1)


if __name__ == "__main__":
    main()
