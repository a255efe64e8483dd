"""Texts to unit vectors, and long texts to windows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from threading import Barrier
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from textsynth.convert import quiet
from textsynth.errors import MissingExtraError, RunError
from textsynth.models import fingerprint, resolve
from textsynth.records import content_hash

_TOKENS, _TOKENS_GPU = 1024, 16384  # of a batch: on a CPU what a core's cache holds
_MOST_WORKERS = 8
_EAGER = 512  # tokens up to which plain attention is faster on a CPU than the fused one, and small enough
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

    On a CPU, workers of one thread each encode small batches of like length, in the type of `fast_dtype`: a batch's
    numbers stay in a core's cache, and no core waits for another. The same list always gives the same rows on one
    machine; which other texts are in it changes a row only by rounding (batches are padded together).

    Args:
        model: an embedded encoder, a local folder or a hub id.
        progress: as in `models.fetch`, for an embedded model that is not in the cache yet.
    """

    def __init__(self, model: str = "minilm-l6", progress: Callable[[str, float], None] | None = None) -> None:
        self.name = model
        self._progress = progress
        self._loaded: Any = None
        self._workers: ThreadPoolExecutor | None = None

    @staticmethod
    def check_installed(place: str, encodes: bool = True) -> None:
        """Raise MissingExtraError if a package is not installed: faiss, and one to encode if that is needed."""
        for package in ("sentence_transformers", "faiss") if encodes else ("faiss",):
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
        rows = np.empty((len(texts), self.dim), np.float32)

        def fill(batch: list[int]) -> None:
            some = [texts[i] for i in batch]
            rows[batch] = model.encode(some, batch_size=len(some), show_progress_bar=False, convert_to_numpy=True)

        if self._workers is None:
            self._workers = _workers(model.device.type)
        budget = _TOKENS if model.device.type == "cpu" else _TOKENS_GPU
        for _ in self._workers.map(fill, _batches(_lengths(model, texts), budget)):
            pass
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

    A vector's key is the model's fingerprint and the text's hash: another model under the same name is another key.
    Vectors are rounded to float16 on the way in, so that a kept one equals a fresh one.
    """

    def __init__(self, encoder: TextEncoder, store: VectorStore) -> None:
        self._encoder, self._store = encoder, store
        self._model = encoder.fingerprint

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit rows [len(texts), size], from the store where it has them.

        Raises:
            MissingExtraError, RunError: some are not there, and the encoder cannot be loaded.
        """
        keys = [f"{self._model}:{content_hash(text)}" for text in texts]
        kept = self._store.vectors(list(dict.fromkeys(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in kept}
        if missing:
            try:
                rows = self._encoder.encode(list(missing.values())).astype(np.float16)
            except MissingExtraError:
                place = f"encoder: {len(missing)} of {len(kept) + len(missing)} texts have no stored vector"
                raise MissingExtraError(place, "sentence-transformers", "local") from None
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


def encode_windows(encoder: Encoder, texts: Sequence[str]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """The windows of many texts, encoded at once and each distinct one once.

    Returns:
        Unit rows [k, d], text after text, and starts [m + 1]: the rows of text i are `rows[starts[i] : starts[i + 1]]`.
        A text without words has none.
    """
    cut = [windows(text) if text.strip() else [] for text in texts]
    starts = np.cumsum([0, *map(len, cut)], dtype=np.int64)
    every = [window for parts in cut for window in parts]
    place = {window: i for i, window in enumerate(dict.fromkeys(every))}
    rows = encoder.encode(list(place))
    return rows[[place[window] for window in every]] if every else rows, starts


def text_rows(rows: npt.NDArray[np.float32], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """One unit row a text, from the rows of its windows: their normalized mean; zeros for a text without windows.

    Args:
        rows: unit rows [k, d] of windows, as `encode_windows` returns them.
        starts: [m + 1], where each text's rows start.
    """
    means = np.zeros((len(starts) - 1, rows.shape[1]), np.float32)
    filled = np.diff(starts) > 0
    if filled.any():
        means[filled] = np.add.reduceat(rows, starts[:-1][filled], axis=0)
    return np.asarray(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12), np.float32)


def _lengths(model: Any, texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """How many tokens the model reads of each text; a guess where its tokenizer is of an unknown kind."""
    tokenizer, most = getattr(model, "tokenizer", None), getattr(model, "max_seq_length", None)
    if not texts or not callable(tokenizer):  # a static embedding, say
        return np.array([1 + len(text) // 4 for text in texts], np.int64)
    read = tokenizer(
        list(texts),
        truncation=most is not None,
        max_length=most,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )
    return np.array([len(ids) for ids in read["input_ids"]], np.int64)


def _batches(lengths: npt.NDArray[np.int64], budget: int) -> list[list[int]]:
    """Texts of like length together, the longest first: at most `budget` tokens a batch, and little padding.

    A batch of a quarter of the budget ends before a text that would be padded by more than a twentieth.
    """
    batches: list[list[int]] = []
    for i in np.argsort(-lengths, kind="stable").tolist():
        size, longest = (len(batches[-1]), lengths[batches[-1][0]]) if batches else (0, 0)
        padded = lengths[i] < 0.95 * longest and size * longest > budget / 4
        if not size or padded or (size + 1) * longest > budget:
            batches.append([])
        batches[-1].append(i)
    return batches


def _workers(device: str) -> ThreadPoolExecutor:
    """Python threads, each with its share of torch's threads: one each up to _MOST_WORKERS."""
    import torch

    threads = torch.get_num_threads()
    count = min(threads, _MOST_WORKERS) if device == "cpu" else 1
    all_started = Barrier(count)

    def start() -> None:
        torch.get_num_threads()  # without it, a thread's first operation undoes the next line
        torch.set_num_threads(max(1, threads // count))
        all_started.wait()

    pool = ThreadPoolExecutor(count, "encoder", start)
    list(pool.map(abs, range(count)))
    torch.set_num_threads(threads)  # what later threads start with
    return pool


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
            model = SentenceTransformer(
                folder,
                device=device,
                local_files_only=Path(folder).is_dir(),
                model_kwargs={"dtype": fast_dtype(device)},
            )
            inner = getattr(model[0], "auto_model", None)
            if device == "cpu" and inner is not None and (model.max_seq_length or _EAGER + 1) <= _EAGER:
                inner.set_attn_implementation("eager")
            return model
    except Exception as error:  # the library raises many kinds, down to those of torch
        raise RunError(f"encoder: {name} cannot be loaded ({str(error).splitlines()[0][:200]}).") from error
