"""What a set is worth for training: train on synthetic, test on real (Esteban et al., "Real-valued medical time series
generation", 2017), beside training on as many real records, and on both."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from textsynth.metrics.estimate import Estimate, Floats, estimate, standard_error
from textsynth.metrics.fidelity import classifier

Labels = Any  # array of texts
SCORES = ("accuracy", "precision", "recall", "macro_f1", "auc", "pr_auc_smallest")
_MOST, _BOOTSTRAPS = 20_000, 30


def utility(
    synthetic: tuple[Floats, Labels], real: tuple[Floats, Labels], test: tuple[Floats, Labels], model: str,
    rng: np.random.Generator,
) -> tuple[dict[str, Estimate], list[dict[str, Any]]]:  # fmt: skip
    """Scores on the test records of a model trained on synthetic records, beside one trained on as many real ones.

    Args:
        synthetic, real, test: rows [n, d] and their labels. `real` and `synthetic` are cut to one size.
        model: `columns` or `embeddings`, as of `fidelity.classifier`.

    Returns:
        Each score with the real one as its ceiling, `macro_f1_ratio` among them; and a row for each training set.

    Raises:
        ValueError: a training set has one class only; the message says which.
    """
    count = min(len(real[1]), len(synthetic[1]), _MOST)
    cut = {}
    for name, (rows, labels) in (("synthetic", synthetic), ("real", real)):
        at = rng.permutation(len(labels))[:count]
        cut[name] = (rows[at], labels[at])
        if len(set(cut[name][1])) < 2:
            raise ValueError(f"the {name} records have one class only")
    cut["both"] = tuple(np.concatenate([cut["synthetic"][at], cut["real"][at]]) for at in (0, 1))  # type: ignore[assignment]
    seed = int(rng.integers(2**31))
    names, counts = np.unique(test[1], return_counts=True)
    if len(names) < 2:
        raise ValueError("the holdout has one class only")
    smallest = names[counts.argmin()]
    scores: list[dict[str, Any]] = []
    for name, (x, y) in cut.items():
        fitted = classifier(model, seed).fit(x, y)
        chances = fitted.predict_proba(test[0])
        found = _scores(test[1], chances, fitted.classes_, smallest)

        def f1(at: Any, chances: Any = chances, classes: Any = fitted.classes_) -> float:
            return _macro_f1(test[1][at], classes[chances[at].argmax(axis=1)])

        error = standard_error(f1, len(test[1]), rng, _BOOTSTRAPS)
        low, high = found["macro_f1"] - 1.96 * error, found["macro_f1"] + 1.96 * error
        scores.append({"model": model, "trained_on": name, **found, "low": round(low, 6), "high": round(high, 6)})
    return _estimates(scores), scores


def _estimates(rows: list[dict[str, Any]]) -> dict[str, Estimate]:
    ours, top = rows[0], rows[1]
    found = {name: estimate(ours[name], top[name]) for name in SCORES}
    found["macro_f1"] = estimate(ours["macro_f1"], top["macro_f1"], ours["low"], ours["high"])
    if top["macro_f1"]:
        ratio = [ours[name] / top["macro_f1"] for name in ("macro_f1", "low", "high")]
        found["macro_f1_ratio"] = estimate(ratio[0], 1.0, *ratio[1:])
    return found


def _macro_f1(truth: Labels, said: Labels) -> float:
    every, codes = np.unique(np.concatenate([truth, said]), return_inverse=True)
    ours, theirs = np.split(codes, 2)
    right = np.bincount(ours[ours == theirs], minlength=len(every))
    both = np.bincount(ours, minlength=len(every)) + np.bincount(theirs, minlength=len(every))
    return float(np.mean(2 * right / both))


def _scores(truth: Labels, chances: Floats, classes: Labels, smallest: str) -> Mapping[str, Any]:
    from sklearn.metrics import accuracy_score, average_precision_score, precision_score, recall_score, roc_auc_score

    said = classes[chances.argmax(axis=1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that the test records do not have
        place = {name: at for at, name in enumerate(classes)}
        rare = chances[:, place[smallest]] if smallest in place else np.zeros(len(truth))
        every = sorted(set(truth))
        aucs = [roc_auc_score(truth == c, chances[:, place[c]]) if c in place else 0.5 for c in every]
        found = {
            "accuracy": accuracy_score(truth, said),
            "precision": precision_score(truth, said, average="macro", zero_division=0),
            "recall": recall_score(truth, said, average="macro", zero_division=0),
            "macro_f1": _macro_f1(truth, said),
            "auc": np.mean(aucs),
            "pr_auc_smallest": average_precision_score(truth == smallest, rare),
        }
    return {name: round(float(value), 6) for name, value in found.items()}
