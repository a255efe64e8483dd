"""What transformers gives without us: batched `generate`, with llguidance's masks where a grammar is wanted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import llguidance.numpy
import llguidance.torch
import torch
from transformers import AutoModelForCausalLM, LogitsProcessor

from textsynth.engines.transformers import TransformersEngine
from textsynth.records import Request


class Guided(LogitsProcessor):
    """llguidance's own matchers and bit masks in `generate`, one row after the other."""

    def __init__(self, engine: TransformersEngine, requests: Sequence[Request], prompt: int) -> None:
        self.matchers = [engine.grammars.matcher(request.schema or {}) for request in requests]
        self.bits = llguidance.torch.allocate_token_bitmask(len(requests), len(engine.tokenizer))
        self.prompt = prompt

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        for row, matcher in enumerate(self.matchers):
            if input_ids.shape[1] > self.prompt and not matcher.is_stopped():
                matcher.consume_token(int(input_ids[row, -1]))
            llguidance.torch.fill_next_token_bitmask(matcher, self.bits, row)
        llguidance.torch.apply_token_bitmask_inplace(scores, self.bits)
        return scores


class Stock:
    """A model opened as transformers opens it."""

    def __init__(self, engine: TransformersEngine, dtype: str) -> None:
        self.engine = engine
        self.model = AutoModelForCausalLM.from_pretrained(engine.path, dtype=getattr(torch, dtype)).eval()
        self.tokenizer = engine.tokenizer
        self.tokenizer.padding_side = "left"
        self.tokenizer.pad_token = self.tokenizer.pad_token or self.tokenizer.eos_token

    def texts(self, requests: Sequence[Request], batch: int, least: int = 0) -> tuple[list[str], int]:
        """The answers in order, in static batches, and how many tokens were written."""
        texts, tokens = [], 0
        for first in range(0, len(requests), batch):
            some = requests[first : first + batch]
            made, count = self._batch(some, least)
            texts += made
            tokens += count
        return texts, tokens

    def _batch(self, requests: Sequence[Request], least: int) -> tuple[list[str], int]:
        chats = [[dict(message) for message in request.messages] for request in requests]
        inputs = self.tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        prompt = inputs["input_ids"].shape[1]
        sampling = dict(requests[0].sampling)
        warm = sampling.get("temperature", 1.0) > 0
        options = {key: value for key, value in sampling.items() if key not in ("temperature", "max_tokens")}
        guided = [Guided(self.engine, requests, prompt)] if requests[0].schema is not None else []
        with torch.inference_mode():
            made = self.model.generate(
                **inputs, do_sample=warm, max_new_tokens=sampling["max_tokens"], min_new_tokens=least or None,
                pad_token_id=self.tokenizer.pad_token_id, logits_processor=guided,
                **({"temperature": sampling["temperature"], "top_k": 0, **options} if warm else {}),
            )  # fmt: skip
        texts = self.tokenizer.batch_decode(made[:, prompt:], skip_special_tokens=True)
        return texts, int((made[:, prompt:] != self.tokenizer.pad_token_id).sum())


def valid(texts: Sequence[str]) -> int:
    """How many parse."""
    count = 0
    for text in texts:
        try:
            json.loads(text)
            count += 1
        except ValueError:
            pass
    return count
