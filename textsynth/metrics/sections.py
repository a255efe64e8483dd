"""The parts of an evaluation: which metrics are asked of which columns, and what is said where one is not computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from textsynth.metrics import diversity, fidelity, text
from textsynth.metrics.estimate import Estimate, around, estimate, standard_error
from textsynth.metrics.names import TITLES

SETS = ("real", "synthetic", "holdout")
_FEWEST, _CLUSTERS = 10, 50  # records of each set for a classifier or an attack; clusters of the real texts
_CLASSES = 20  # different numbers that a label may have
_COMPARED, _MAP, _TEXTS = 2000, 800, 5000


class Sections:
    """Fills `metrics` and `details` part by part."""

    def __init__(
        self, rows: Mapping[str, list[Any]], kinds: Mapping[str, str], frames: Mapping[str, Any], notes: list[str],
        rng: np.random.Generator, rng_seed: int,
    ) -> None:  # fmt: skip
        self.rows, self.frames, self.notes, self.rng, self.rng_seed = rows, frames, notes, rng, rng_seed
        self.all_kinds = kinds
        self.kinds = {name: kind for name, kind in kinds.items() if kind in ("number", "category")}
        self.numbers = [name for name, kind in kinds.items() if kind == "number"]
        self.metrics: dict[str, dict[str, Any]] = {}
        self.details: dict[str, Any] = {"columns": []}

    def add(self, group: str, found: Mapping[str, Estimate]) -> None:
        """Keep some estimates, with their titles."""
        kept = self.metrics.setdefault(group, {})
        for name, numbers in found.items():
            title, better, secondary = TITLES[f"{group}.{name}"]
            kept[name] = {"title": title, **numbers, "better": better, "secondary": secondary}

    def attempt(self, what: str, work: Callable[[], None]) -> None:
        """Do one part; if these records do not allow it, say so and go on."""
        try:
            work()
        except (ValueError, ZeroDivisionError, IndexError, np.linalg.LinAlgError) as error:
            self.notes.append(f"{what}: not computed, because {_reason(error)}.")

    def enough(self, what: str, fewest: int = _FEWEST) -> bool:
        """Whether each set has so many records; if not, that is said."""
        least = min(SETS, key=lambda which: len(self.rows[which]))
        if len(self.rows[least]) >= fewest:
            return True
        self.notes.append(
            f"{what}: not computed, because there are {len(self.rows[least])} {least} records ({fewest} are needed)."
        )
        return False

    def columns_section(self) -> None:
        """Fidelity of the columns of numbers and categories."""
        if self.kinds:
            self.attempt("fidelity of columns", self._accuracy)
            if len(self.numbers) > 1 and self.enough("correlations", 3):
                self.attempt("correlations", self._correlations)
            if self.enough("the classifier on columns"):
                self.attempt("the classifier on columns", self._told_apart)
        else:
            self.notes.append("columns: no column of numbers or categories, so there is no fidelity of columns.")
        missing = {which: [_missing(self.rows[which], n) for n in self.all_kinds] for which in SETS}
        gaps = [np.abs(np.subtract(missing[which], missing["real"])).mean() for which in SETS[1:]]
        self.add("fidelity", {"missing_gap": estimate(*gaps)})

    def _accuracy(self) -> None:
        binning = fidelity.Binning(self.frames["real"], self.kinds)
        codes = {which: binning.codes(self.frames[which]) for which in SETS}
        found, lists = fidelity.accuracy(codes["real"], codes["synthetic"], codes["holdout"], binning, self.rng)
        self.add("fidelity", found)
        for at, name in enumerate(self.kinds):
            self.details["columns"].append(
                self._column(name) | {"accuracy": lists["single"][at], "ceiling": lists["top_single"][at]}
                | {"distribution": _distribution(binning, codes, name)}
            )  # fmt: skip
        self.details["pairs"] = [
            {"columns": list(pair), "accuracy": lists["pairs"][at], "ceiling": lists["top_pairs"][at]}
            for at, pair in enumerate(combinations(self.kinds, 2))
        ]
        rare = [row for row in self.details["columns"] if "rare_kept" in row]
        if rare:
            means = {
                k: [np.mean([row[k][w] for row in rare]) for w in ("synthetic", "holdout")]
                for k in ("rare_kept", "new_values")
            }
            self.add("fidelity", {name: estimate(*pair) for name, pair in means.items()})
        known = [row for row in self.details["columns"] if row.get("ks")]
        if known:
            self.add(
                "fidelity",
                {"ks": estimate(*[np.mean([row["ks"][w] for row in known]) for w in ("synthetic", "holdout")])},
            )

    def _column(self, name: str) -> dict[str, Any]:
        row: dict[str, Any] = {"name": name, "kind": self.all_kinds[name]}
        row["missing"] = {which: round(_missing(self.rows[which], name), 6) for which in SETS}
        real = self.frames["real"]
        if self.all_kinds[name] == "number":
            found = {which: fidelity.moments(real, self.frames[which], name, which != "real") for which in SETS}
            if all(found.values()):
                for key in ("mean", "deviation"):
                    row[key] = {which: round(found[which][key], 6) for which in SETS}
                for key in ("ks", "wasserstein"):
                    row[key] = {which: round(found[which][key], 6) for which in SETS[1:]}
        else:
            rare = {which: fidelity.rare_categories(real[name], self.frames[which][name]) for which in SETS[1:]}
            for key in ("rare_kept", "new_values"):
                row[key] = {which: round(rare[which][key], 6) for which in SETS[1:]}
            row["total_variation"] = {
                which: round(fidelity.total_variation(real[name], self.frames[which][name]), 6) for which in SETS[1:]
            }
        return row

    def _correlations(self) -> None:
        real, synthetic, holdout = (self.frames[which] for which in SETS)
        gap = fidelity.correlation_gap(real, synthetic, holdout, self.numbers, self.rng)
        self.add("fidelity", {"correlation_gap": gap})
        tables = {w: fidelity.correlations(self.frames[w], self.numbers).round(4).tolist() for w in SETS}
        self.details["correlation"] = {"columns": self.numbers, **tables}

    def _features(self) -> dict[str, Any]:
        values = fidelity.category_values(self.frames["real"], self.kinds)
        return {which: fidelity.features(self.frames[which], self.kinds, values) for which in SETS}

    def _told_apart(self) -> None:
        rows = self._features()
        count = min(len(rows["synthetic"]), len(rows["holdout"]))
        auc, error = fidelity.told_apart(rows["real"], rows["synthetic"][:count], self.rng_seed)
        top = fidelity.told_apart(rows["real"], rows["holdout"], self.rng_seed)[0]
        self.add("fidelity", {"classifier_auc": around(auc, top, error, 1.0)})

    def text_section(self, texts: Mapping[str, Sequence[str]], vectors: Mapping[str, Any]) -> None:
        """Fidelity and diversity of texts; `vectors` may be empty."""
        self.attempt("texts", lambda: self._texts(texts))
        if vectors and self.enough("embeddings"):
            self.attempt("embeddings", lambda: self._vectors(vectors))

    def _texts(self, texts: Mapping[str, Sequence[str]]) -> None:
        from scipy.stats import ks_2samp

        count = min(len(texts["synthetic"]), len(texts["holdout"]), _TEXTS)
        some = {"real": texts["real"], **{w: texts[w][:count] for w in SETS[1:]}}
        words = {which: text.lengths(some[which]) for which in SETS}
        gaps = [float(ks_2samp(words["real"], words[w], method="asymp").statistic) for w in SETS[1:]]
        self.add("text", {"length_distance": estimate(*gaps)})
        sections = [text.section_distance(some["real"], some[w]) for w in SETS[1:]]
        if None not in sections:
            self.add("text", {"section_distance": estimate(*sections)})
        ours, theirs = diversity.one_size(some["synthetic"], some["holdout"])
        for name, measure in (("distinct_2", diversity.distinct_n), ("compression_ratio", diversity.compression_ratio)):
            error = standard_error(lambda at, m=measure: m([ours[i] for i in np.unique(at)]), len(ours), self.rng, 10)  # type: ignore[misc]
            self.add("diversity", {name: around(measure(ours), measure(theirs), error)})
        self.details["lengths"] = histogram(words["synthetic"], words["holdout"])

    def _vectors(self, vectors: Mapping[str, Any]) -> None:
        count = min(len(vectors[which]) for which in SETS)
        ours, theirs = (vectors[w][self.rng.permutation(len(vectors[w]))[:count]] for w in SETS[1:])
        real = vectors["real"][self.rng.permutation(len(vectors["real"]))[: max(count, _COMPARED)]]
        for name, measure in {"frechet": text.frechet, "mmd": text.mmd}.items():
            error = standard_error(lambda at, m=measure: m(real, ours[at]), count, self.rng, 5)  # type: ignore[misc]
            self.add("text", {name: around(measure(real, ours), measure(real, theirs), error)})
        auc, error = fidelity.told_apart(real, ours, self.rng_seed, "embeddings")
        top = fidelity.told_apart(real, theirs, self.rng_seed, "embeddings")[0]
        self.add("text", {"classifier_auc": around(auc, top, error, 1.0)})
        error = standard_error(lambda at: diversity.vendi(ours[np.unique(at)]), count, self.rng, 5)
        self.add("diversity", {"vendi": around(diversity.vendi(ours), diversity.vendi(theirs), error)})
        clusters = max(2, min(_CLUSTERS, len(real) // 5))
        hit = [diversity.clusters_hit(real, some, clusters, self.rng_seed) for some in (ours, theirs)]
        self.add("diversity", {"clusters_hit": estimate(*hit)})
        middle = theirs.mean(axis=0)
        axes = np.linalg.svd(theirs - middle, full_matrices=False)[2][:2]
        self.details["map"] = {
            name: ((some[:_MAP] - middle) @ axes.T).round(3).tolist()
            for name, some in (("synthetic", ours), ("holdout", theirs))
        }

    def utility_section(self, label: str, vectors: Mapping[str, Any]) -> None:
        """Training on synthetic, real and both for one label."""
        classes = self.frames["real"][label].nunique() if label in self.kinds else 0
        if classes < 2 or (self.all_kinds[label] == "number" and classes > _CLASSES):
            self.notes.append(
                f"utility: {label} has {classes} different values of kind {self.all_kinds[label]}, so no model is "
                f"trained. Choose a category of two or more, or numbers of which at most {_CLASSES} differ."
            )
            return
        if not self.enough("utility"):
            return
        for model in (["columns"] if len(self.kinds) > 1 else []) + (["embeddings"] if vectors else []):
            self.attempt(f"utility on {model}", lambda model=model: self._utility(label, model, vectors))  # type: ignore[misc]

    def _utility(self, label: str, model: str, vectors: Mapping[str, Any]) -> None:
        from textsynth.metrics.utility import utility

        sets = {}
        for which in SETS:
            labels = self.frames[which][label]
            having = labels.notna().to_numpy()
            if model == "columns":
                kinds = {name: kind for name, kind in self.kinds.items() if name != label}
                values = fidelity.category_values(self.frames["real"], kinds)
                rows = fidelity.features(self.frames[which], kinds, values)
            else:
                rows = vectors[which]
            sets[which] = (rows[having], labels[having].to_numpy(str))
        found, scores = utility(sets["synthetic"], sets["real"], sets["holdout"], model, self.rng)
        prefix = "" if model == "columns" else "text_"
        self.add("utility", {prefix + name: numbers for name, numbers in found.items()})
        kept = self.details.setdefault("utility", {"label": label, "scores": []})
        kept["scores"] += scores


def _missing(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    return sum(name not in row for row in rows) / max(len(rows), 1)


def _distribution(binning: fidelity.Binning, codes: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Shares of each bin that a record has. A category that no synthetic record has is counted with `other`."""
    size = binning.size(name)
    counts = {which: np.bincount(codes[which][name], minlength=size) for which in SETS}
    if binning.kinds[name] == "category":
        unseen = np.flatnonzero(counts["synthetic"][: size - 2] == 0)
        for some in counts.values():
            some[size - 2] += some[unseen].sum()
            some[unseen] = 0
    shown = np.flatnonzero(sum(counts.values()))
    shares = {w: (some[shown] / max(some.sum(), 1)).round(6).tolist() for w, some in counts.items()}
    return {"bins": [binning.labels(name)[at][:60] for at in shown], **shares}


def histogram(synthetic: Any, holdout: Any, bins: int = 24) -> dict[str, Any]:
    """Counts of two sets in the same bins."""
    high = max(float(max(synthetic.max(initial=1), holdout.max(initial=1))), 1.0)
    edges = np.linspace(0, np.ceil((high + 1) / bins) * bins, bins + 1)
    counts = {w: np.histogram(some, edges)[0].tolist() for w, some in (("synthetic", synthetic), ("holdout", holdout))}
    return {"edges": edges.round(6).tolist(), "counts": counts}


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")[:160] if isinstance(error, ValueError) else type(error).__name__
