"""SDMetrics' share closer to training, correlations and total variations, of files that eval/evaluate.py wrote.

Run in its own venv.
"""

import json
import sys
from itertools import combinations

import pandas as pd
from sdmetrics.column_pairs import CorrelationSimilarity
from sdmetrics.single_column import TVComplement
from sdmetrics.single_table import DCROverfittingProtection

real, synthetic, holdout = (pd.read_csv(path, na_values="?") for path in sys.argv[1:4])
numbers = list(real.select_dtypes("number"))
columns = {name: {"sdtype": "numerical" if name in numbers else "categorical"} for name in real}
found = {
    "total_variation": {
        name: 1 - TVComplement.compute(real[name], synthetic[name]) for name in real if name not in numbers
    },
    "correlation": {
        f"{a}|{b}": CorrelationSimilarity.compute(real[[a, b]], synthetic[[a, b]]) for a, b in combinations(numbers, 2)
    },
    "dcr": DCROverfittingProtection.compute_breakdown(
        real_training_data=real, synthetic_data=synthetic, real_validation_data=holdout,
        metadata={"tables": {"rows": {"primary_key": None, "columns": columns}}}, table_name="rows",
    ),
}  # fmt: skip
print(json.dumps(found, default=float))
