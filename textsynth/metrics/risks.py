"""The privacy part of an evaluation: which of its metrics are asked of which columns and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textsynth.metrics import privacy
from textsynth.metrics.sections import SETS, Sections, histogram
from textsynth.similarity.rows import RowIndex

Texts = Mapping[str, Sequence[str]]
_ATTACKED, _COMPARED, _FEWEST = 1000, 2000, 20


def privacy_section(parts: Sections, texts: Texts, vectors: Mapping[str, Any]) -> None:
    """Copies, spans, distances and attacks, added to what `parts` has; `texts` and `vectors` may be empty."""
    rows = [[{n: row.get(n) for n in parts.all_kinds} for row in parts.rows[which]] for which in SETS]
    parts.add("privacy", {"exact_copies": privacy.exact_copies(*rows)})
    if texts:
        parts.attempt("spans", lambda: _spans(parts, texts))
    if len(parts.kinds) > 1 and parts.enough("distances and attacks on columns", _FEWEST):
        parts.attempt("distances and attacks on columns", lambda: _rows(parts))
    if texts and parts.enough("attacks on texts", _FEWEST):
        parts.attempt("attacks on texts", lambda: _text_attacks(parts, texts, vectors))


def _spans(parts: Sections, texts: Texts) -> None:
    found, lengths = privacy.spans(*(texts[which] for which in SETS))
    parts.add("privacy", found)
    parts.details["similarity"] = {"span": histogram(*lengths)}


def _rows(parts: Sections) -> None:
    """Distances of as many real as held-out rows, so that neither is nearer by its number."""
    names, count = list(parts.kinds), min(len(parts.rows["real"]), len(parts.rows["holdout"]))
    real, holdout, synthetic = (
        [parts.rows[w][at] for at in parts.rng.permutation(len(parts.rows[w]))[:most]]
        for w, most in (("real", count), ("holdout", count), ("synthetic", _COMPARED))
    )
    members, others, reference = real[:_ATTACKED], holdout[: count // 2][:_ATTACKED], holdout[count // 2 :]
    near = {
        name: RowIndex(rows, names).nearest_distances
        for name, rows in (
            ("real", real), ("holdout", holdout), ("synthetic", parts.rows["synthetic"]), ("reference", reference)
        )
    }  # fmt: skip
    ours, theirs = near["real"](synthetic, 2), near["real"](holdout[:_COMPARED], 2)
    parts.add("privacy", {
        "near_row_copies": privacy.near_rows(ours[:, 0], theirs[:, 0]),
        "dcr_share": privacy.dcr_share(ours[:, 0], near["holdout"](synthetic, 1)[:, 0]),
        "nndr_share": privacy.nndr_share(ours, theirs),
    })  # fmt: skip
    scores = [
        privacy.density_ratio(near["synthetic"](some, 1)[:, 0], near["reference"](some, 1)[:, 0])
        for some in (members, others)
    ]
    parts.add("privacy", {f"membership_{k}": v for k, v in privacy.attack(*scores).items()})


def _text_attacks(parts: Sections, texts: Texts, vectors: Mapping[str, Any]) -> None:
    order = {which: parts.rng.permutation(len(texts[which])) for which in SETS}
    half = len(order["holdout"]) // 2
    reference = order["holdout"][half:]
    base = [texts["holdout"][i] for i in reference]
    groups = [("real", order["real"][:_ATTACKED]), ("holdout", order["holdout"][:half][:_ATTACKED])]
    scores = []
    for which, at in groups:
        some = [texts[which][i] for i in at]
        scores.append(privacy.coverage(some, texts["synthetic"]) - privacy.coverage(some, base))
    parts.add("privacy", {f"membership_ngram_{k}": v for k, v in privacy.attack(*scores).items()})
    if vectors:
        scores = [
            privacy.highest_cosine(vectors[which][at], vectors["synthetic"])
            - privacy.highest_cosine(vectors[which][at], vectors["holdout"][reference])
            for which, at in groups
        ]
        parts.add("privacy", {f"membership_text_{k}": v for k, v in privacy.attack(*scores).items()})
