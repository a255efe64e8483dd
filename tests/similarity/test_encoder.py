"""Texts become unit rows that say how alike they are, and long texts are seen in windows."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textsynth.errors import InputError, MissingExtraError, RunError
from textsynth.similarity.encoder import TextEncoder, fast_dtype, windows

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
    assert (rows.shape, rows.dtype) == ((len(TEXTS), encoder.dim), np.float32)
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
