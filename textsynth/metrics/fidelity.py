"""How close columns are to the real ones: shares of binned values, moments, correlations, and a classifier.

Frames have the same columns; a column is of kind `number` (floats, NaN where missing) or `category` (texts, None).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from textsynth.metrics.estimate import Estimate, Floats, Ints, around, auc_error, standard_error

Frame = Any  # pandas.DataFrame
BINS, _LEAST = 10, 5  # bins of a column; a value of fewer real records is counted with the others
_MOST_ROWS, _FOLDS = 20_000, 3


class Binning:
    """Columns as small numbers, by the bins of the real records, as mostlyai-qa has them.

    Numbers: quantile edges, as many as give ten bins with different edges, floored to the fewest digits that keep them
    apart; at most ten different numbers are a bin each. Values outside are counted in the outermost bins. Categories:
    the ten most frequent values that five records have; all others are one bin. A missing value is a bin of its own.
    (Platzer and Reutterer, "Holdout-based empirical assessment of mixed-type synthetic data", 2021; the binning of
    mostlyai-qa 1.10.)
    """

    def __init__(self, real: Frame, kinds: Mapping[str, str]) -> None:
        self.kinds = kinds
        self.bins: dict[str, Any] = {
            name: _edges(real[name].to_numpy(float)) if kind == "number" else _top(real[name])
            for name, kind in kinds.items()
        }

    def codes(self, frame: Frame) -> dict[str, Ints]:
        """Each column's bin numbers; the last two are `other` and missing."""
        return {name: self._code(frame[name], self.bins[name], kind) for name, kind in self.kinds.items()}

    def size(self, name: str) -> int:
        """How many bins a column has, `other` and missing among them."""
        return len(self.bins[name]) + 2

    def labels(self, name: str) -> list[str]:
        """What each bin is called."""
        bins = self.bins[name]
        if self.kinds[name] == "number":
            inner = [f"{low:.4g} to {high:.4g}" for low, high in zip(bins[:-1], bins[1:], strict=True)]
            return [*inner, "", "other", "missing"]
        return [*bins, "other", "missing"]

    @staticmethod
    def _code(column: Any, bins: Any, kind: str) -> Ints:
        if kind == "number":
            values = column.to_numpy(float)
            found = np.searchsorted(bins, values, side="right") - 1
            found = np.clip(found, 0, max(len(bins) - 2, 0))
            return np.where(np.isnan(values), len(bins) + 1, found).astype(np.int64)
        places = {value: at for at, value in enumerate(bins)}
        missing = column.isna().to_numpy()
        found = column.map(places).fillna(len(bins)).to_numpy(np.int64)
        return np.where(missing, len(bins) + 1, found)


def _edges(values: Floats) -> Floats:
    values = np.sort(values[~np.isnan(values)])
    distinct = np.unique(values)
    if not len(values):
        return np.array([-1e10, 1e10])
    if len(distinct) <= BINS:
        edges = np.append(distinct, distinct[-1] + 1)
    else:
        edges = distinct
        for count in range(BINS, max(BINS + 1, min(1000, len(values) + 1))):
            edges = np.unique(values[np.linspace(0, len(values) - 1, count).astype(int)])
            if len(edges) > BINS:
                break
    for digits in range(20):
        floored = np.floor(edges * 10.0**digits) / 10.0**digits
        if len(np.unique(floored)) == len(edges):
            return np.append(floored[:-1], edges[-1])
    return edges


def _top(column: Any) -> list[str]:
    counts = column.value_counts(dropna=False).head(BINS)  # a frequent missing value takes one of the ten places
    return sorted(value for value in counts[counts >= _LEAST].index if isinstance(value, str))


def accuracies(real: dict[str, Ints], other: dict[str, Ints], sizes: Mapping[str, int]) -> tuple[Floats, Floats]:
    """1 - total variation of every column, and of every pair of columns in the order of `itertools.combinations`."""
    single = [_accuracy(real[name], other[name], sizes[name]) for name in sizes]
    pairs = [
        _accuracy(real[a] * sizes[b] + real[b], other[a] * sizes[b] + other[b], sizes[a] * sizes[b])
        for a, b in combinations(sizes, 2)
    ]
    return np.array(single), np.array(pairs)


def _accuracy(real: Ints, other: Ints, size: int) -> float:
    ours, theirs = (np.bincount(codes, minlength=size) / max(len(codes), 1) for codes in (real, other))
    return float(1 - np.abs(ours - theirs).sum() / 2)


def accuracy(
    real: dict[str, Ints], synthetic: dict[str, Ints], holdout: dict[str, Ints], binning: Binning,
    rng: np.random.Generator,
) -> tuple[dict[str, Estimate], dict[str, list[float]]]:  # fmt: skip
    """Accuracy of single columns, of pairs and their mean, beside the holdout's; and the four lists behind them.

    Range 0 to 1. All records are counted, so the accuracy of few records is low by chance alone, also the holdout's.
    """
    sizes = {name: binning.size(name) for name in binning.kinds}
    (single, pairs), (top_single, top_pairs) = (accuracies(real, some, sizes) for some in (synthetic, holdout))
    count = len(next(iter(synthetic.values())))
    again = [
        accuracies(real, {name: codes[at] for name, codes in synthetic.items()}, sizes)
        for at in (rng.integers(0, count, count) for _ in range(10))
    ]
    errors = [float(np.std([some[kind].mean() for some in again], ddof=1)) for kind in (0, 1) if len(again[0][kind])]
    found = {"univariate_accuracy": around(float(single.mean()), float(top_single.mean()), errors[0], 1.0)}
    if len(pairs):
        found["bivariate_accuracy"] = around(float(pairs.mean()), float(top_pairs.mean()), errors[1], 1.0)
    means, tops = ([part.mean() for part in some if len(part)] for some in ((single, pairs), (top_single, top_pairs)))
    found["accuracy"] = around(float(np.mean(means)), float(np.mean(tops)), float(np.mean(errors)), 1.0)
    lists = {"single": single, "pairs": pairs, "top_single": top_single, "top_pairs": top_pairs}
    return found, {name: values.round(5).tolist() for name, values in lists.items()}


def correlations(frame: Frame, names: Sequence[str]) -> Floats:
    """Pearson's correlation of number columns, over rows that have both; 0 for a constant column."""
    with np.errstate(all="ignore"):
        return np.asarray(np.nan_to_num(frame[list(names)].corr().to_numpy(float)))


def correlation_gap(real: Frame, synthetic: Frame, holdout: Frame, names: Sequence[str], rng: Any) -> Estimate:
    """The mean absolute difference of the correlations of all pairs of number columns. Range 0 to 2."""
    upper = np.triu_indices(len(names), 1)
    base = correlations(real, names)[upper]

    def gap(frame: Frame) -> float:
        return float(np.abs(correlations(frame, names)[upper] - base).mean())

    error = standard_error(lambda at: gap(synthetic.iloc[at]), len(synthetic), rng, 10)
    return around(gap(synthetic), gap(holdout), error)


def moments(real: Frame, other: Frame, name: str, distances: bool = True) -> dict[str, float]:
    """Mean, deviation, and distances of one number column: Kolmogorov-Smirnov (0 to 1), and Wasserstein's first
    in units of the real deviation; `distances`: whether those are wanted."""
    from scipy.stats import ks_2samp, wasserstein_distance

    ours, theirs = (frame[name].dropna().to_numpy(float) for frame in (real, other))
    if not len(ours) or not len(theirs):
        return {}
    scale, found = float(ours.std()) or 1.0, {"mean": float(theirs.mean()), "deviation": float(theirs.std())}
    if not distances:
        return found
    return found | {
        "ks": float(ks_2samp(ours, theirs, method="asymp").statistic),
        "wasserstein": float(wasserstein_distance(ours / scale, theirs / scale)),
    }


def total_variation(real: Any, other: Any) -> float:
    """Half the sum of the differences of all values' shares, of the rows that have one, 0 to 1: 1 - SDMetrics'
    TVComplement."""
    ours, theirs = (column.dropna().value_counts(normalize=True) for column in (real, other))
    return float(ours.sub(theirs, fill_value=0).abs().sum() / 2)


def rare_categories(real: Any, other: Any) -> dict[str, float]:
    """Of the real values of a category that fewer than 1% of the records have, the share that the other column has; and
    the share of the other column's values that no real record has."""
    counts = real.dropna().value_counts(normalize=True)
    rare, theirs = counts[counts < 0.01].index, other.dropna()
    kept = float(np.mean([value in set(theirs) for value in rare])) if len(rare) else 1.0
    return {"rare_kept": kept, "new_values": float((~theirs.isin(counts.index)).mean()) if len(theirs) else 0.0}


def features(frame: Frame, kinds: Mapping[str, str], values: Mapping[str, Sequence[str]]) -> Floats:
    """Columns as numbers for gradient boosting: categories by their number among `values`, NaN where missing or new."""
    columns = []
    for name, kind in kinds.items():
        if kind == "number":
            columns.append(frame[name].to_numpy(float))
        else:
            places = {value: float(at) for at, value in enumerate(values[name])}
            columns.append(frame[name].map(places).to_numpy(float))
    return np.column_stack(columns) if columns else np.zeros((len(frame), 0))


def category_values(frame: Frame, kinds: Mapping[str, str]) -> dict[str, list[str]]:
    """The values of each category, the most frequent first, at most as many as gradient boosting takes."""
    return {n: list(frame[n].dropna().value_counts().index[:250]) for n, kind in kinds.items() if kind == "category"}


def told_apart(ours: Floats, theirs: Floats, rng_seed: int, model: str = "columns") -> tuple[float, float]:
    """The AUC of a classifier that tells two sets apart, cross-validated, and its standard error.

    0.5: it cannot; 1: it always can (Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", 2017).

    Args:
        model: `columns`, gradient boosting; or `embeddings`, logistic regression.
    """
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    rng = np.random.default_rng(rng_seed)
    count = min(len(ours), len(theirs), _MOST_ROWS // 2)
    drawn = [rows[rng.permutation(len(rows))[:count]] for rows in (ours, theirs)]
    labels = np.repeat([0, 1], count)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=rng_seed)
    scores = cross_val_predict(
        classifier(model, rng_seed), np.concatenate(drawn), labels, cv=folds, method="predict_proba"
    )[:, 1]
    auc = float(roc_auc_score(labels, scores))
    return auc, auc_error(auc, count, count)


def classifier(model: str, rng_seed: int) -> Any:
    """Gradient boosting for columns (Ke et al., "LightGBM", 2017, as scikit-learn has it), logistic regression for
    embeddings."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    if model == "columns":
        return HistGradientBoostingClassifier(random_state=rng_seed, max_iter=60, early_stopping=False)
    return LogisticRegression(max_iter=500, C=10.0)
