"""Texts to unit vectors, and long texts to windows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from textsynth.convert import quiet
from textsynth.errors import MissingExtraError, RunError
from textsynth.models import fingerprint, resolve
from textsynth.records import content_hash

_BATCH = 64
_FAST_BF16 = ("avx512_bf16", "amx_bf16")
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")


class Encoder(Protocol):
    """Anything that turns texts into vectors."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """One unit row a text, as float32 [n, d]."""
        ...


class TextEncoder:
    """A sentence-transformers model, loaded at the first use.

    Rows depend on the list a text is in only by rounding (batches are padded together): up to 0.005 of cosine in
    bf16. The same list always gives the same rows on one machine.

    Args:
        model: an embedded encoder, a local folder or a hub id.
        progress: as in `models.fetch`, for an embedded model that is not in the cache yet.
    """

    def __init__(self, model: str = "minilm-l6", progress: Callable[[str, float], None] | None = None) -> None:
        self.name = model
        self._progress = progress
        self._loaded: Any = None

    @staticmethod
    def check_installed(place: str) -> None:
        """Raise MissingExtraError if a package that encoding needs is not installed."""
        for package in ("sentence_transformers", "faiss"):
            if find_spec(package) is None:
                raise MissingExtraError(place, package.replace("_", "-"), "local")

    @property
    def fingerprint(self) -> str:
        """As `models.fingerprint`."""
        return fingerprint(self.name)

    @property
    def dim(self) -> int:
        """How many numbers a row has."""
        return int(self._model().get_embedding_dimension())

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """One unit row a text, as float32 [n, d]. A text beyond the model's length is cut: see `windows`.

        Raises:
            MissingExtraError: sentence-transformers is not installed.
            RunError: the model cannot be fetched or loaded.
        """
        model = self._model()
        # Texts of like length share a batch, so little is padded; equal lengths keep their order.
        order = np.argsort([-len(text) for text in texts], kind="stable")
        rows = np.empty((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), _BATCH):
            batch = order[start : start + _BATCH]
            rows[batch] = model.encode(
                [texts[i] for i in batch], batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True
            )
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(norms, 1e-12), np.float32)

    def _model(self) -> Any:
        if self._loaded is None:
            self._loaded = _load(self.name, self._progress)
        return self._loaded


class VectorStore(Protocol):
    """Keeps features by key, such as run.db."""

    def vectors(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The kept ones of these keys."""
        ...

    def add_vectors(self, vectors: Mapping[str, bytes]) -> None:
        """Keep these."""
        ...


class StoredEncoder:
    """An encoder that keeps every vector in run.db, so that no text is encoded twice in a run or on going on.

    Vectors are rounded to float16 on the way in, so that a kept one equals a fresh one.
    """

    def __init__(self, encoder: TextEncoder, store: VectorStore) -> None:
        self._encoder, self._store = encoder, store

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit rows [len(texts), size], from the store where it has them."""
        keys = [f"{self._encoder.name}:{content_hash(text)}" for text in texts]
        kept = self._store.vectors(list(dict.fromkeys(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in kept}
        if missing:
            rows = self._encoder.encode(list(missing.values())).astype(np.float16)
            fresh = {key: row.tobytes() for key, row in zip(missing, rows, strict=True)}
            self._store.add_vectors(fresh)
            kept |= fresh
        if not keys:
            return np.zeros((0, 1), np.float32)
        return np.stack([np.frombuffer(kept[key], np.float16) for key in keys]).astype(np.float32)


def fast_dtype(device: str) -> Any:
    """The torch dtype in which a device is fastest: bfloat16 on GPUs that have it and on CPUs with bf16 units.

    On a CPU with AVX512-BF16 or AMX, bf16 encodes 3 times as many texts a second as float32 and the cosine of a row
    with its float32 twin is over 0.9999; on a CPU without, bf16 is emulated and slower.
    """
    import torch

    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device == "cpu":
        able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        return torch.bfloat16 if any(able.get(unit) for unit in _FAST_BF16) else torch.float32
    return torch.float32


def windows(text: str, words: int = 128, stride: int = 64) -> list[str]:
    """Cut a text into overlapping windows, so that an encoder sees all of a long one.

    Args:
        text: any text; up to `words` words it is its own only window, as it stands.
        words: the length of a window, counting single characters in scripts without spaces. 128
            English words are about 170 tokens; the embedded encoder reads 256.
        stride: how far apart windows start. The last one ends with the text and may overlap more.

    Raises:
        ValueError: stride is not from 1 to words, so that words would be left out.
    """
    if not 0 < stride <= words:
        raise ValueError(f"stride is {stride}; it must be from 1 to words, which is {words}")
    spans = [match.span() for match in _WORD.finditer(text)]
    if len(spans) <= words:
        return [text]
    starts = [*range(0, len(spans) - words, stride), len(spans) - words]
    return [text[spans[start][0] : spans[start + words - 1][1]] for start in starts]


def _load(name: str, progress: Callable[[str, float], None] | None) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise MissingExtraError("encoder", "sentence-transformers", "local") from None
    import torch

    folder = resolve(name, "encoder", progress, kind="encoder")
    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        with quiet():
            return SentenceTransformer(
                folder,
                device=device,
                local_files_only=Path(folder).is_dir(),
                model_kwargs={"dtype": fast_dtype(device)},
            )
    except Exception as error:  # the library raises many kinds, down to those of torch
        raise RunError(f"encoder: {name} cannot be loaded ({str(error).splitlines()[0][:200]}).") from error
