"""mostlyai-qa's whole report of files that eval/evaluate.py wrote: its metrics and peak memory. Run in its own venv."""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from mostlyai import qa

real, synthetic, holdout = (pd.read_csv(path, na_values="?") for path in sys.argv[1:4])
began = time.perf_counter()
with tempfile.TemporaryDirectory() as folder:
    _, metrics = qa.report(
        syn_tgt_data=synthetic, trn_tgt_data=real, hol_tgt_data=holdout, report_path=Path(folder) / "report.html"
    )
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": round(seconds, 1), "peak_mb": round(peak), "metrics": metrics.model_dump()}, default=str))
