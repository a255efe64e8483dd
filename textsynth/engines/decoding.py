"""Continuous batches: rows come and go between single steps, and all rows of a prefix share its keys and values.

Heavy: import it only where a model is about to run.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForCausalLM

from textsynth.convert import quiet
from textsynth.engines.prefix import Prefix, RowCache
from textsynth.engines.sampling import Row, choose
from textsynth.records import Completion, Request
from textsynth.similarity.encoder import fast_dtype

if TYPE_CHECKING:
    from textsynth.engines.transformers import TransformersEngine

_JOIN_TOKENS = 4096  # of prompt prefilled at once; bounds the memory of a prefill
_PREFIXES = 4  # kept after their last request, for stragglers and retries


class Batch:
    """The requests being decoded, one row of the cache each."""

    def __init__(self, engine: TransformersEngine) -> None:
        self.engine = engine
        self.model, self.device = _load(engine)
        self.size = engine.batch or (32 if self.device.type == "cpu" else 64)
        self.cache = RowCache(self.size, self.device)
        self.model.set_attn_implementation(self.cache.name)
        self.rows: list[Row] = []
        self.prefixes: OrderedDict[tuple[int, ...], Prefix] = OrderedDict()
        self.stops = _stop_tokens(self.model, engine.tokenizer)

    def admit(self, requests: Sequence[Request]) -> None:
        """Give each request a row: compute its prefix where that is new, then its own part of the prompt."""
        waiting: list[tuple[Row, Prefix]] = []
        for request in requests:
            tokens, shared = self.engine.encode(request.messages)
            matcher = None if request.schema is None else self.engine.grammars.matcher(request.schema)
            start = len(tokens)
            if matcher is not None:
                forced = matcher.compute_ff_tokens()  # what the grammar leaves no choice about needs no model
                matcher.consume_tokens(forced)
                tokens = tokens + forced
            prefix = self._prefix(tuple(tokens[:shared]))
            waiting.append((Row(request, tokens, start, matcher), prefix))
            if sum(len(row.tokens) - prefix.length for row, prefix in waiting) > _JOIN_TOKENS:
                self._join(waiting)
                waiting = []
        if waiting:
            self._join(waiting)

    def step(self) -> list[Completion]:
        """Write one token of every row; return the completions that this ends."""
        positions = self.cache.begin_step()
        last = torch.tensor([[row.tokens[-1]] for row in self.rows], device=self.device)
        logits = self._forward(last, positions)[:, -1]
        done = []
        for row, token in zip(self.rows, choose(logits, self.rows, self.engine.grammars), strict=True):
            row.tokens.append(token)
            if row.matcher is not None:
                row.matcher.consume_token(token)
            if reason := self._finished(row, token):
                done.append((row, reason))
        return [self._take(row, reason) for row, reason in done]

    def _finished(self, row: Row, token: int) -> str | None:
        if row.matcher.is_stopped() if row.matcher is not None else token in self.stops:
            return "stop"
        limit = row.request.sampling.get("max_tokens") or 2**31
        full = len(row.tokens) - row.start >= limit or len(row.tokens) >= self.engine.context
        return "length" if full else None

    def _take(self, row: Row, reason: str) -> Completion:
        number = self.rows.index(row)
        moved = self.cache.remove(number)
        self.rows[number] = self.rows[moved]
        self.rows.pop()
        written = row.tokens[row.start :]
        text = self.engine.tokenizer.decode(written, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Completion(row.request.id, text, reason, row.start, len(written))  # type: ignore[arg-type]

    def _prefix(self, tokens: tuple[int, ...]) -> Prefix:
        if tokens not in self.prefixes:
            if tokens:
                prefix = self.cache.begin_prefix(len(tokens))
                positions = torch.arange(len(tokens), device=self.device)[None]
                self._forward(torch.tensor([tokens], device=self.device), positions)
            else:
                prefix = Prefix(0, [], [])
            self.prefixes[tokens] = prefix
        self.prefixes.move_to_end(tokens)
        while len(self.prefixes) > _PREFIXES:
            self.prefixes.popitem(last=False)
        return self.prefixes[tokens]

    def _join(self, waiting: Sequence[tuple[Row, Prefix]]) -> None:
        """Prefill all but the last token of new rows; the last one is the first that `step` feeds."""
        own = [row.tokens[prefix.length : -1] for row, prefix in waiting]
        positions = self.cache.begin_join([prefix for _, prefix in waiting], [len(tokens) for tokens in own])
        width = positions.shape[1]
        self._forward(torch.tensor([t + [0] * (width - len(t)) for t in own], device=self.device), positions)
        self.rows += [row for row, _ in waiting]

    def _forward(self, ids: Any, positions: Any) -> Any:
        try:
            with torch.inference_mode():
                return self.model(
                    input_ids=ids, position_ids=positions, past_key_values=self.cache, use_cache=True, logits_to_keep=1
                ).logits
        except (RuntimeError, ValueError, TypeError) as error:
            raise self.engine.fault("the model failed", error) from error


def _load(engine: TransformersEngine) -> tuple[Any, Any]:
    """The model on its device, ready to run."""
    name = engine.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(name)
    dtype = fast_dtype(device.type) if engine.dtype == "auto" else getattr(torch, engine.dtype)
    try:
        with quiet():
            model: Any = AutoModelForCausalLM.from_pretrained(engine.path, dtype=dtype)
        return model.to(device).eval(), device
    except (OSError, ValueError, RuntimeError) as error:
        raise engine.fault("the model cannot be loaded", error) from None


def _stop_tokens(model: Any, tokenizer: Any) -> set[int]:
    ids = model.generation_config.eos_token_id
    listed = ids if isinstance(ids, list) else [ids]
    return {token for token in (*listed, tokenizer.eos_token_id) if token is not None}
