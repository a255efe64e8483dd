"""Texts become unit rows that say how alike they are, and long texts are seen in windows."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textsynth.errors import InputError, MissingExtraError, RunError
from textsynth.similarity.encoder import (
    StoredEncoder,
    TextEncoder,
    _batches,
    encode_windows,
    fast_dtype,
    text_rows,
    windows,
)

TEXTS = [
    "The patient complains of chest pain.",
    "",
    "A man reports pain in his chest.",
    "Bake the bread for forty minutes in a hot oven. " * 20,
    "How do I reset my password?",
    " \n",
]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


@pytest.mark.model
def test_rows_are_unit_and_in_the_order_of_the_texts(encoder: TextEncoder) -> None:
    rows = encoder.encode(TEXTS)
    assert rows.shape == (len(TEXTS), encoder.dim)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    for text, row in zip(TEXTS, rows, strict=True):
        assert encoder.encode([text])[0] @ row > 0.999
    assert rows[0] @ rows[2] > 0.7 > 0.3 > max(rows[0] @ rows[3], rows[0] @ rows[4])


@pytest.mark.model
def test_the_same_list_gives_the_same_rows(encoder: TextEncoder) -> None:
    texts = [f"{text} {i}" for i in range(20) for text in TEXTS]
    np.testing.assert_array_equal(encoder.encode(texts), encoder.encode(texts))


@pytest.mark.model
def test_no_texts_give_no_rows(encoder: TextEncoder, capfd: pytest.CaptureFixture[str]) -> None:
    assert encoder.encode([]).shape == (0, encoder.dim) == (0, 384)
    assert capfd.readouterr() == ("", "")


def test_nothing_is_loaded_before_the_first_text(tmp_path: Path) -> None:
    assert TextEncoder("org/name").fingerprint == "org/name"
    with pytest.raises(InputError, match="encoder is nonsense. Use an embedded model"):
        TextEncoder("nonsense").encode(["a"])
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(RunError, match=r"^encoder: .* cannot be loaded \(.*\)\.$"):
        TextEncoder(str(tmp_path)).encode(["a"])


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"sentence-transformers is not installed.*\[local\]"):
        TextEncoder().encode(["a"])


@pytest.mark.parametrize(
    ("able", "dtype"),
    [({"avx512_bf16": True}, "bfloat16"), ({"amx_bf16": True}, "bfloat16"), ({"avx2": True}, "float32")],
)
def test_bf16_is_for_processors_that_have_it(
    able: dict[str, bool], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert fast_dtype("cpu") == getattr(torch, dtype)


def test_windows_of_a_long_text_overlap_and_end_with_it() -> None:
    text = " one two\nthree four  five six seven "
    assert windows(text, 3, 2) == ["one two\nthree", "three four  five", "five six seven"]
    assert windows(text, 4, 2) == ["one two\nthree four", "three four  five six", "four  five six seven"]
    assert windows("你好 world", 2, 1) == ["你好", "好 world"]
    assert windows(text, 7, 1) == [text]
    assert windows("") == [""]


@given(st.integers(0, 60), st.integers(1, 12), st.data())
def test_every_word_is_in_a_window(n: int, words: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, words))
    text = " ".join(map(str, range(n)))
    found = [window.split() for window in windows(text, words, stride)]
    assert {word for window in found for word in window} == set(text.split())
    assert all(len(window) == min(n, words) for window in found)


@pytest.mark.parametrize("stride", [0, 5])
def test_a_stride_that_skips_words_is_refused(stride: int) -> None:
    with pytest.raises(ValueError, match=f"stride is {stride}"):
        windows("a", 4, stride)


@pytest.mark.model
def test_company_and_order_change_a_row_only_by_rounding(encoder: TextEncoder) -> None:
    texts = [f"{text} {i}" for i in range(20) for text in TEXTS]
    together = encoder.encode(texts)
    np.testing.assert_array_equal(np.isfinite(together), True)
    for some in (slice(None, None, -1), slice(0, None, 7), slice(5, 6)):
        assert (encoder.encode(texts[some]) * together[some]).sum(axis=1).min() > 0.999


@given(st.lists(st.integers(0, 300), max_size=60))
def test_batches_hold_every_text_once_within_the_budget_and_hardly_padded(lengths: list[int]) -> None:
    batches = _batches(np.array(lengths, np.int64), 256)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[i] for i in batch)
        assert len(batch) == 1 or len(batch) * longest <= 256
        small = 256 // 4 // max(longest, 1) + 1
        assert all(lengths[i] >= 0.95 * longest for i in batch[small:])


def tiny(folder: Path, pooling: str, normalized: bool, prompt: str | None = None) -> str:
    """A sentence-transformers model with random weights, as its folder."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import BertConfig, BertModel

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(chr(c) for c in range(33, 127))]
    (folder / "bert").mkdir(exist_ok=True)
    (folder / "bert" / "vocab.txt").write_text("\n".join([*words, *(f"##{word}" for word in words[5:])]))
    config = BertConfig(
        vocab_size=2 * len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64, initializer_range=0.2,
    )  # fmt: skip
    torch.manual_seed(5)
    BertModel(config).save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"), max_seq_length=32)
    modules = [transformer, Pooling(transformer.get_embedding_dimension(), pooling), *[Normalize()] * normalized]
    prompts: dict[str, Any] = {"prompts": {"given": prompt}, "default_prompt_name": "given"} if prompt else {}
    SentenceTransformer(modules=modules, device="cpu", **prompts).save(str(folder / "model"))
    return str(folder / "model")


@pytest.mark.parametrize(
    ("pooling", "normalized", "prompt"),
    [("mean", False, None), ("cls", False, None), ("max", True, None), ("mean", True, "ask: ")],
)
def test_any_model_gives_the_rows_that_its_library_gives(
    tmp_path: Path, pooling: str, normalized: bool, prompt: str | None
) -> None:
    from sentence_transformers import SentenceTransformer

    folder = tiny(tmp_path, pooling, normalized, prompt)
    texts = [*TEXTS, *(f"{'word ' * (i % 30)}{i}" for i in range(90))]
    wanted = SentenceTransformer(folder, device="cpu").encode(texts, normalize_embeddings=True)
    rows = TextEncoder(folder).encode(texts)
    assert (rows * wanted).sum(axis=1).min() > 0.999
    assert (rows[:6] @ wanted[:6].T).argmax(axis=1).tolist() != [0] * 6  # texts differ, so the line above says much


def test_encoding_leaves_torch_its_threads(tmp_path: Path) -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        TextEncoder(tiny(tmp_path, "mean", normalized=False)).encode(TEXTS)
        with ThreadPoolExecutor(1) as later:
            assert (torch.get_num_threads(), later.submit(torch.get_num_threads).result()) == (2, 2)
    finally:
        torch.set_num_threads(before)


class Counting:
    """Rows that tell texts apart, and what was asked for."""

    name = fingerprint = "counting"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.asked += texts
        rows = np.array([[len(text), text.count("b") + 1, 1] for text in texts], np.float32).reshape(-1, 3)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_each_distinct_window_is_encoded_once_and_a_text_gets_its_own() -> None:
    encoder = Counting()
    long = " ".join(f"a{i} b" for i in range(100))
    texts = ["one", long, "", "one", " \n", long + " end"]
    rows, starts = encode_windows(encoder, texts)
    assert len(encoder.asked) == len(set(encoder.asked))
    for text, first, last in zip(texts, starts, starts[1:], strict=False):
        cut = windows(text) if text.strip() else []
        assert last - first == len(cut)
        np.testing.assert_array_equal(rows[first:last], encoder.encode(cut))
    means = text_rows(rows, starts)
    lengths = [1, 1, 0, 1, 0, 1]
    np.testing.assert_allclose(np.linalg.norm(means, axis=1), lengths, atol=1e-6)
    middle = rows[starts[1] : starts[2]].mean(axis=0)
    np.testing.assert_allclose(means[1], middle / np.linalg.norm(middle), atol=1e-6)
    none, at = encode_windows(encoder, ["", " "])
    assert (text_rows(none, at).shape[0], at.tolist()) == (2, [0, 0, 0])


class Kept(dict[str, bytes]):
    """A store of vectors."""

    def vectors(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {key: self[key] for key in keys if key in self}

    def add_vectors(self, vectors: Mapping[str, bytes]) -> None:
        self.update(vectors)


def test_a_kept_vector_is_used_again_unless_the_model_changed(tmp_path: Path) -> None:
    folder, store = tiny(tmp_path, "mean", normalized=False), Kept()
    first = StoredEncoder(TextEncoder(folder), store).encode(["one", "two", "one"])
    assert len(store) == 2
    unloaded = TextEncoder(folder)
    np.testing.assert_array_equal(StoredEncoder(unloaded, store).encode(["two", "one"]), first[[1, 0]])
    assert unloaded._loaded is None
    tiny(tmp_path, "cls", normalized=False)
    assert not np.allclose(StoredEncoder(TextEncoder(folder), store).encode(["one"]), first[:1], atol=0.01)
