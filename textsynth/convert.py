"""A GGUF file into a standard model folder that transformers, vLLM and PEFT open; and quiet loading of models."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from textsynth.errors import MissingExtraError, RunError

_one_at_a_time = threading.RLock()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide the progress bars and log lines of model libraries while they load; the settings are restored.

    They are settings of the whole process, so only one thread at a time is inside.
    """
    from tqdm.std import tqdm

    with _one_at_a_time:
        shown, level = tqdm.__init__, logging.root.manager.disable

        def hidden(self: Any, *args: Any, **kwargs: Any) -> None:
            shown(self, *args, **{**kwargs, "disable": True})

        try:
            tqdm.__init__ = hidden
            logging.disable(max(level, logging.WARNING))
            yield
        finally:
            tqdm.__init__ = shown
            logging.disable(level)


def require_converter() -> None:
    """Raise MissingExtraError unless everything that `gguf_to_folder` needs is installed."""
    for package in ("torch", "transformers", "accelerate", "gguf"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError("models", package, "local")


def gguf_to_folder(gguf: Path, folder: Path, progress: Callable[[float], None]) -> None:
    """Write a Llama model with a SmolLM tokenizer as bf16 safetensors, configs, tokenizer and chat template.

    Args:
        gguf: the weights; their quantization is undone, which is exact in what it keeps.
        folder: a new folder.
        progress: called with a fraction from 0 to 1.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    progress(0.0)
    with quiet(), _vendor_errors(gguf):
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.bfloat16,
            local_files_only=True,
        )
        progress(0.7)
        model.save_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
        _mend_tokenizer(tokenizer, model.config.max_position_embeddings)
        tokenizer.save_pretrained(folder)
    _mend_configs(folder)
    progress(1.0)


@contextlib.contextmanager
def _vendor_errors(gguf: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno:  # transformers raises OSError for much else
            raise
        if "No space left" in str(error):  # safetensors has an error class of its own for it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise RunError(f"{gguf.name} cannot be converted ({error}). Update transformers.") from error


def _mend_tokenizer(tokenizer: Any, max_length: int) -> None:
    # GGUF keeps a name ("smollm") instead of the pre-tokenizer, and transformers takes plain GPT-2's for it. The
    # model was trained with every digit a token of its own.
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
    )
    tokenizer.model_max_length = max_length


def _mend_configs(folder: Path) -> None:
    config = _read(folder / "config.json")
    config.pop("_model_name_or_path", None)
    config["rms_norm_eps"] = float(f"{config['rms_norm_eps']:.3g}")  # GGUF stores it in 32 bits
    # Where older versions of transformers, and servers built on them, look for it.
    config["rope_theta"] = config["rope_parameters"]["rope_theta"]
    _write(folder / "config.json", config)
    ids = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    _write(folder / "generation_config.json", ids)
    tokenizer = _read(folder / "tokenizer_config.json")
    for key in ("backend", "is_local", "local_files_only"):
        tokenizer.pop(key, None)
    tokenizer["tokenizer_class"] = "PreTrainedTokenizerFast"  # the name that every version knows
    _write(folder / "tokenizer_config.json", tokenizer)


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
