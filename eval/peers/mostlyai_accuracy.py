"""mostlyai-qa's accuracy of single columns and of pairs, of files that eval/evaluate.py wrote. Run in its own venv."""

import json
import sys

import pandas as pd
from mostlyai.qa._accuracy import bin_data, calculate_bivariates, calculate_univariates
from mostlyai.qa._sampling import harmonize_dtype

ours, theirs = (pd.read_csv(path, na_values="?").add_prefix("tgt::").apply(harmonize_dtype) for path in sys.argv[1:3])
real, bins = bin_data(ours, bins=10)
synthetic, _ = bin_data(theirs, bins=bins)
single = calculate_univariates(real, synthetic)
pairs = calculate_bivariates(real, synthetic)
found = {"single": {row.column[5:]: row.accuracy for row in single.itertuples()}}
found["pairs"] = {f"{row.col1[5:]}|{row.col2[5:]}": row.accuracy for row in pairs.itertuples()}
print(json.dumps({kind: {name: float(value) for name, value in some.items()} for kind, some in found.items()}))
