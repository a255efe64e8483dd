"""What each metric is called, which way is better, and whether it is only secondary."""

from __future__ import annotations

_SCORES = {
    "accuracy": "Accuracy", "precision": "Precision, mean of classes", "recall": "Recall, mean of classes",
    "macro_f1": "Macro-F1", "auc": "AUC, mean of classes", "pr_auc_smallest": "PR-AUC of the smallest class",
}  # fmt: skip
_ATTACKS = {"": "columns", "text_": "embeddings", "ngram_": "runs of four words"}

TITLES: dict[str, tuple[str, str, bool]] = {
    "fidelity.accuracy": ("Accuracy: 1 - total variation of columns and pairs", "higher", False),
    "fidelity.univariate_accuracy": ("Accuracy of single columns", "higher", False),
    "fidelity.bivariate_accuracy": ("Accuracy of pairs of columns", "higher", False),
    "fidelity.ks": ("Kolmogorov-Smirnov distance, mean of number columns", "lower", False),
    "fidelity.correlation_gap": ("Mean difference of correlations", "lower", False),
    "fidelity.classifier_auc": ("A classifier tells synthetic from real (AUC)", "lower", False),
    "fidelity.missing_gap": ("Mean difference of the shares of missing values", "lower", False),
    "fidelity.rules_kept": ("Share of records that the schema allows", "higher", False),
    "fidelity.rare_kept": ("Share of rare real values that occur", "higher", True),
    "fidelity.new_values": ("Share of values that no real record has", "lower", True),
    "text.length_distance": ("Distance of text lengths (Kolmogorov-Smirnov)", "lower", False),
    "text.section_distance": ("Mean difference of the shares of headings", "lower", False),
    "text.frechet": ("Frechet distance of embeddings", "lower", False),
    "text.mmd": ("Squared MMD of embeddings", "lower", False),
    "text.classifier_auc": ("A classifier tells synthetic from real texts (AUC)", "lower", False),
    "diversity.vendi": ("Vendi score: effective number of different texts", "higher", False),
    "diversity.distinct_2": ("Share of different pairs of words", "higher", False),
    "diversity.compression_ratio": ("Compression ratio: higher is more repetitive", "lower", False),
    "diversity.clusters_hit": ("Share of the real texts' clusters that are hit", "higher", False),
    "privacy.longest_span": ("Longest run of words shared with a real record", "lower", False),
    "privacy.span_p99": ("Longest shared run of words, at 99% of the records", "lower", False),
    "privacy.near_copies": ("Share of texts that nearly copy a real one", "lower", False),
    "privacy.exact_copies": ("Share of records that equal a real one", "lower", False),
    "privacy.near_row_copies": ("Share of rows as near to a real one as the holdout's nearest 1%", "lower", False),
    "privacy.nndr_share": ("Share twice as near to one real record as to any other", "lower", True),
    "privacy.dcr_share": ("Share closer to the real records than to the holdout", "lower", True),
    "privacy.smallest_cell": ("Fewest records with the same quasi-identifiers", "higher", False),
    **{f"utility.{k}": (f"{title}, trained on synthetic columns", "higher", False) for k, title in _SCORES.items()},
    **{f"utility.text_{k}": (f"{title}, trained on synthetic texts", "higher", False) for k, title in _SCORES.items()},
    "utility.macro_f1_ratio": ("Macro-F1 trained on synthetic, over trained on real", "higher", False),
    "utility.text_macro_f1_ratio": ("The same of texts", "higher", False),
    **{
        f"privacy.membership_{k}auc": (f"Membership attack on {on} (AUC)", "lower", False) for k, on in _ATTACKS.items()
    },
    **{
        f"privacy.membership_{k}tpr": (f"Membership attack on {on}: found at 1% false alarms", "lower", False)
        for k, on in _ATTACKS.items()
    },
}
