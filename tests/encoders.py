"""An encoder for tests that need vectors which mean something, and no model."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class BagOfWords:
    """Cosine of texts is that of their word counts, but for rare collisions."""

    def __init__(self, name: str = "words") -> None:
        self.name = self.fingerprint = name

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = np.zeros((len(texts), 4096), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                row[zlib.crc32(word.encode()) % 4096] += 1
        return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), np.float32)
