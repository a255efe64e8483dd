"""Continuous batches: rows come and go between single steps, and all rows of a prefix share its keys and values.

Heavy: import it only where a model is about to run.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import psutil
import torch
from transformers import AutoModelForCausalLM

from textsynth.convert import quiet
from textsynth.engines.prefix import Prefix, RowCache
from textsynth.engines.sampling import Row, choose
from textsynth.errors import EngineError
from textsynth.records import Completion, Request
from textsynth.similarity.encoder import fast_dtype

if TYPE_CHECKING:
    from textsynth.engines.transformers import TransformersEngine

_JOIN_TOKENS = 4096  # of prompts prefilled at once,
_JOIN_SCORES = 2**22  # and attention scores a head: both bound the memory of a prefill
_JOIN_SHARE = 8  # one in so many places must be free for others to join: a small prefill costs as much as a step
_PREFIXES = 4  # kept beside those that rows have, for stragglers and retries
_MEMORY = 0.6  # of what is free once the model is loaded; the rest is for what a pass computes
_BYTES_A_LOGIT = 40  # scores, mask, probabilities and their sums
_LIMIT_SHARE = 0.25  # of its token limit that an answer is expected to take: limits count four-byte characters


class _OutOfMemory(Exception):
    """The device has no room for this pass."""


class Batch:
    """The requests being decoded, one row of the cache each, and those that wait for a row."""

    def __init__(self, engine: TransformersEngine) -> None:
        self.engine = engine
        self.model, self.device = _load(engine)
        self.size = engine.batch or (128 if self.device.type == "cpu" else 256)
        self.cache = RowCache(self.device)
        self.model.set_attn_implementation(self.cache.name)
        self.rows: list[Row] = []
        self.waiting: deque[Row] = deque()
        self.prefixes: WeakValueDictionary[tuple[int, ...], Prefix] = WeakValueDictionary()
        self.recent: deque[Prefix] = deque(maxlen=_PREFIXES)
        self.stops = _stop_tokens(self.model, engine.tokenizer)
        try:
            first = self._forward(torch.zeros(1, 1, dtype=torch.long, device=self.device), self.cache.begin_prefix(1))
        except _OutOfMemory:
            raise self._no_memory() from None
        self._token_bytes, self._logit_bytes = self.cache.token_bytes(), _BYTES_A_LOGIT * first.shape[-1]
        self._memory = _MEMORY * _free_memory(self.device)

    @property
    def room(self) -> int:
        """How many more requests it takes."""
        return self.size - len(self.rows) - len(self.waiting)

    @property
    def busy(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.rows or self.waiting)

    def admit(self, request: Request) -> list[Completion]:
        """Take a request in; it is answered at once where its prompt leaves no room."""
        messages, matcher = self.engine.asked(request.messages, request.schema)
        if matcher is None and request.schema is not None:
            self.engine.said["a schema has no grammar: it was asked for in words, and answers are checked."] += 1
        tokens, shared = self.engine.encode(messages)
        if len(tokens) >= self.engine.context:
            return [self.engine.too_long(request, len(tokens))]
        start = len(tokens)
        if matcher is not None:
            forced = matcher.compute_ff_tokens()  # what the grammar leaves no choice about needs no model
            matcher.consume_tokens(forced)
            tokens = tokens + forced
        self.waiting.append(Row(request, tokens, start, shared, matcher))
        return []

    def step(self) -> list[Completion]:
        """Give rows to those who wait, write one token of every row, and return the completions that this ends."""
        try:
            self._join()
            positions = self.cache.begin_step()
            last = torch.tensor([[row.tokens[-1]] for row in self.rows], device=self.device)
            tokens = choose(self._forward(last, positions)[:, -1], self.rows, self.engine.grammars)
        except _OutOfMemory:
            tokens = []
        if not tokens:
            self._shrink()  # out of the except block, which holds on to the failed pass's tensors
            return []
        done = []
        for row, token in zip(self.rows, tokens, strict=True):
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

    def _join(self) -> None:
        """Prefill all but the last token of rows that wait, as far as they fit; `step` feeds the last one."""
        if self.rows and self.size - len(self.rows) < self.size // _JOIN_SHARE:
            return
        while self.waiting and self._fits(self.waiting[0]):
            joining = [self.waiting.popleft()]
            while self.waiting and self._fits(self.waiting[0], joining) and _one_pass([*joining, self.waiting[0]]):
                joining.append(self.waiting.popleft())
            prefixes = [self._prefix(tuple(row.tokens[: row.shared])) for row in joining]
            own = [row.tokens[row.shared : -1] for row in joining]
            self.rows += joining
            positions = self.cache.begin_join(prefixes, [len(tokens) for tokens in own])
            width = positions.shape[1]
            self._forward(torch.tensor([t + [0] * (width - len(t)) for t in own], device=self.device), positions)

    def _fits(self, row: Row, joining: list[Row] | None = None) -> bool:
        """Whether one more row fits the batch and the memory; the first one always may try."""
        rows = [*self.rows, *(joining or ()), row]
        width = max(len(r.tokens) - r.shared + _LIMIT_SHARE * r.request.sampling.get("max_tokens", 0) for r in rows)
        needed = len(rows) * (width * self._token_bytes + self._logit_bytes)
        if len(rows) > 1 and len(rows) <= self.size and needed > self._memory:
            self.size = len(rows) - 1
            self._say_size()
        return len(rows) <= self.size

    def _shrink(self) -> None:
        """After a pass that found no memory: half the rows, which go on from what they have written."""
        if len(self.rows) == 1:
            raise self._no_memory()
        self.size = max(1, len(self.rows) // 2)
        self._say_size()
        self.waiting.extendleft(reversed(self.rows))
        self.rows = []
        self.recent.clear()
        self.cache.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _no_memory(self) -> EngineError:
        return EngineError(
            f"{self.engine.place}: {self.engine.model}: {self.device.type} has no memory for a single request. "
            "Use a smaller model or shorter prompts, or set engine.options.device."
        )

    def _say_size(self) -> None:
        self.engine.said[f"memory is short: {self.size} requests are decoded at a time."] += 1

    def _prefix(self, tokens: tuple[int, ...]) -> Prefix:
        prefix = self.prefixes.get(tokens)
        if prefix is None:
            if tokens:
                positions = self.cache.begin_prefix(len(tokens))
                self._forward(torch.tensor([tokens], device=self.device), positions)
            self.prefixes[tokens] = prefix = self.cache.new_prefix if tokens else Prefix(0, [], [])
        if prefix in self.recent:
            self.recent.remove(prefix)
        self.recent.append(prefix)
        return prefix

    def _forward(self, ids: Any, positions: Any) -> Any:
        try:
            with torch.inference_mode():
                return self.model(
                    input_ids=ids, position_ids=positions, past_key_values=self.cache, use_cache=True, logits_to_keep=1
                ).logits
        except (RuntimeError, ValueError, TypeError) as error:
            if isinstance(error, torch.OutOfMemoryError) or "memory" in str(error):  # CPU and MPS have no class of it
                raise _OutOfMemory from None
            raise self.engine.fault("the model failed", error) from error


def _one_pass(rows: list[Row]) -> bool:
    """Whether prompts may be prefilled together."""
    padded = len(rows) * max(len(row.tokens) - row.shared for row in rows)
    return padded <= _JOIN_TOKENS and padded * max(len(row.tokens) for row in rows) <= _JOIN_SCORES


def _free_memory(device: torch.device) -> int:
    """Bytes that tensors may still take."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return int(psutil.virtual_memory().available)


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
