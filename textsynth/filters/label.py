"""A text reads like the seeds of its own label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from textsynth.filters.base import Memory
from textsynth.records import Record, Seed, Verdict, canonical_json, text_of
from textsynth.similarity.encoder import Encoder, encode_windows, text_rows


class LabelFilter:
    """Refuses a text that is closer in meaning to the seeds of another label than to those of its own: `wrong_label`.

    Each label stands at the mean of its seeds' vectors (Snell et al., "Prototypical networks for few-shot learning",
    2017). A label that no seed has is not judged.

    Args:
        label: the field with the label; text: the fields that are compared.
        seeds: those shown; holdout: those held out, which tell how often genuine texts would be refused.
    """

    name = "label"
    memory: Memory = "nothing"

    def __init__(
        self, label: str, text: Sequence[str], seeds: Sequence[Seed], holdout: Sequence[Seed], encoder: Encoder
    ) -> None:
        self._label, self._text, self._encoder = label, tuple(text), encoder
        self._seeds, self._holdout = ([seed.data for seed in some if label in seed.data] for some in (seeds, holdout))
        self._round: dict[str, npt.NDArray[np.float32]] = {}  # a text's cosine with each label

    @cached_property
    def _places(self) -> dict[str, int]:
        return {key: at for at, key in enumerate(sorted({canonical_json(row[self._label]) for row in self._seeds}))}

    @cached_property
    def _centers(self) -> npt.NDArray[np.float32]:
        rows, owners = self._rows(self._seeds), [self._places[canonical_json(row[self._label])] for row in self._seeds]
        sums = np.zeros((len(self._places), rows.shape[1]), np.float32)
        np.add.at(sums, owners, rows)
        return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9), np.float32)

    def prepare(self, records: Sequence[Record]) -> None:
        """Compare a round's texts with all labels."""
        cosines = self._rows([record.fields or {} for record in records]) @ self._centers.T
        self._round = {record.id: row for record, row in zip(records, cosines, strict=True)}

    def check(self, record: Record) -> Verdict:
        """Accept, or refuse as `wrong_label`; with the cosines of its own label and of the nearest other one."""
        scores = self._scores(record.fields or {}, self._round[record.id])
        wrong = scores is not None and scores["other"] > scores["own"]
        return Verdict(self.name, not wrong, "wrong_label" if wrong else None, scores or {})

    def remember(self, record: Record) -> None:
        """Nothing: a verdict rests on the seeds alone."""

    def evidence(self) -> Mapping[str, Any]:
        """How many labels there are, and how many of the held-out seeds would be refused."""
        known = [row for row in self._holdout if canonical_json(row[self._label]) in self._places]
        cosines = self._rows(known) @ self._centers.T
        scores = [self._scores(row, to) for row, to in zip(known, cosines, strict=True)]
        refused = sum(one is not None and one["other"] > one["own"] for one in scores)
        return {"labels": len(self._places), "held_out": len(known), "held_out_refused": refused}

    def _scores(self, fields: Mapping[str, Any], cosines: npt.NDArray[np.float32]) -> dict[str, float] | None:
        """None where there is no other label, or no seed of its own."""
        own = self._places.get(canonical_json(fields.get(self._label)))
        if own is None or len(cosines) < 2:
            return None
        other = float(np.delete(cosines, own).max())
        return {"own": round(float(cosines[own]), 6), "other": round(other, 6)}

    def _rows(self, rows: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.float32]:
        return text_rows(*encode_windows(self._encoder, [text_of(row, self._text) for row in rows]))
