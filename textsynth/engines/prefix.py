"""A key-value cache whose rows come and go, and an attention that reads a shared prefix once for all its rows.

The requests of a block differ only in their last turn. What comes before it is computed once, kept once, and every
row that has it attends to the same tensor: one matrix product for all rows instead of one copy a row (as in
Juravsky et al., "Hydragen: High-Throughput LLM Inference with Shared Prefixes", 2024). Rows are kept dense: rows
0..n-1 are alive, so a step never computes a finished one. Everything goes through transformers' own cache and
attention interfaces, so it works for any causal LM with softmax attention.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, Cache

from textsynth.errors import EngineError

_GROW = 128  # positions by which row buffers grow
_names = itertools.count()


@dataclass(eq=False)
class Prefix:
    """Keys and values of tokens that come before several requests; per layer [kv heads, length, head size]."""

    length: int
    keys: list[Tensor]
    values: list[Tensor]


class RowCache(Cache):
    """Keys and values of sequences that come and go, each behind a Prefix. Hand `name` to the model as its attention.

    Call one of `begin_prefix`, `begin_join` and `begin_step` before each forward of the model.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__(layers=[])
        self.device = device
        self.name = f"textsynth_rows_{next(_names)}"
        self.clear()
        AttentionInterface.register(self.name, self._attend)

    def clear(self) -> None:
        """Forget all rows and free their tensors."""
        self.alive = 0
        self.prefixes: list[Prefix] = []  # of each alive row
        self.lengths = torch.zeros(0, dtype=torch.long, device=self.device)  # own positions of each alive row
        self.new_prefix = Prefix(0, [], [])  # that of the last `begin_prefix`
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self._at_prefix = False  # whether this pass computes a prefix
        self._joining: slice | None = None
        self._order: Tensor | None = None  # the rows of this pass, those of a prefix together; None as they are
        self._back: Tensor | None = None  # from there to the rows as they are
        self._groups: list[tuple[Prefix, slice]] = []  # a prefix and its rows, in that order
        self._starts = self.lengths[:0]  # length of each row's prefix
        self._shared, self._alike = 0, True  # the longest of them, and whether all have it
        self._own_at = self.lengths[:0, None]  # [rows, tokens]: own position of each token of this pass
        self._width = 0  # own positions of the longest row
        self._masks: dict[Any, tuple[Tensor | None, Tensor]] = {}  # of this pass

    def token_bytes(self) -> int:
        """Bytes that the keys and values of one token take, over all layers; known once there was a prefix."""
        made = self.new_prefix
        return sum(one.nbytes for one in (*made.keys, *made.values)) // max(1, made.length)

    def begin_prefix(self, length: int) -> Tensor:
        """The next forward computes `new_prefix`, of `length` tokens, from nothing; returns their positions."""
        self.new_prefix, self._at_prefix = Prefix(length, [], []), True
        return self._begin([Prefix(0, [], [])], torch.arange(length, device=self.device)[None])

    def begin_join(self, prefixes: Sequence[Prefix], lengths: Sequence[int]) -> Tensor:
        """The next forward computes the own tokens of new rows, padded on the right; returns their positions."""
        self._at_prefix, first = False, self.alive
        self.alive += len(lengths)
        self.prefixes += prefixes
        self._joining = slice(first, self.alive)
        self.lengths = torch.cat([self.lengths, torch.tensor(lengths, device=self.device)])
        return self._begin(prefixes, torch.arange(max(lengths), device=self.device).expand(len(lengths), -1))

    def begin_step(self) -> Tensor:
        """The next forward adds one token to every alive row; returns their positions [alive, 1]."""
        self._at_prefix, self._joining = False, None
        positions = self._begin(self.prefixes, self.lengths[:, None])
        self.lengths = self.lengths + 1
        return positions

    def _begin(self, prefixes: Sequence[Prefix], own_at: Tensor) -> Tensor:
        self._own_at, self._masks = own_at, {}
        rows: dict[Prefix, list[int]] = {}
        for row, prefix in enumerate(prefixes):
            rows.setdefault(prefix, []).append(row)
        order = list(itertools.chain.from_iterable(rows.values()))
        straight = order == list(range(len(order)))
        self._order = None if straight else torch.tensor(order, device=self.device)
        self._back = None if self._order is None else self._order.argsort()
        ends = list(itertools.accumulate(map(len, rows.values())))
        self._groups = [(p, slice(end - len(at), end)) for (p, at), end in zip(rows.items(), ends, strict=True)]
        starts = [prefix.length for prefix in prefixes]
        self._starts = torch.tensor(starts, device=self.device)
        self._shared, self._alike = max(starts), min(starts) == max(starts)
        self._width = int(own_at.max()) + 1  # once a pass: it waits for a GPU
        return own_at + self._starts[:, None]

    @torch.inference_mode()
    def remove(self, row: int) -> int:
        """Drop a row; the last alive row takes its place. Returns that row's old number."""
        last = self.alive - 1
        if row != last:
            for buffer in (*self._keys, *self._values):
                buffer[row] = buffer[last]
            self.lengths[row] = self.lengths[last]
            self.prefixes[row] = self.prefixes[last]
        self.prefixes.pop()
        self.lengths = self.lengths[:last]
        self.alive = last
        return last

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Take one layer's new keys and values [rows, kv heads, tokens, head size]; return what the rows own."""
        if self._at_prefix:
            self.new_prefix.keys.append(key_states[0].contiguous())
            self.new_prefix.values.append(value_states[0].contiguous())
            return key_states, value_states
        own = [
            self._keep(self._keys, layer_idx, key_states, self._width),
            self._keep(self._values, layer_idx, value_states, self._width),
        ]
        return (key_states, value_states) if self._joining else (own[0], own[1])

    def _keep(self, buffers: list[Tensor], layer: int, new: Tensor, width: int) -> Tensor:
        """Write this pass's tokens into a layer's buffer, growing it as needed; returns all own positions."""
        rows, _, have, _ = buffers[layer].shape if layer < len(buffers) else (0, 0, 0, 0)
        if width > have or self.alive > rows:
            longer = max(have, -(-width // _GROW) * _GROW)
            grown = new.new_zeros(max(rows, self.alive), new.shape[1], longer, new.shape[3])
            if rows:
                grown[:rows, :, :have] = buffers[layer]
            buffers[layer : layer + 1] = [grown]
        if self._joining:
            buffers[layer][self._joining, :, : new.shape[2]] = new
        else:
            buffers[layer][torch.arange(self.alive, device=self.device), :, self._own_at[:, 0]] = new[:, :, 0]
        return buffers[layer][: self.alive, :, :width]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Always 0: positions are passed to the model, and masks are made here."""
        return 0

    def _attend(
        self,
        module: torch.nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        scaling: float | None = None,
        softcap: float | None = None,
        sliding_window: int | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, None]:
        """Attention of query [rows, heads, tokens, size] over each row's prefix and own tokens."""
        if kwargs.get("s_aux") is not None:
            raise EngineError(
                "engine transformers: this model's attention has sinks, which this engine lacks. Use another model."
            )
        layer = int(module.layer_idx)  # type: ignore[arg-type]
        scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
        if softcap is None and self._at_prefix:
            return self._attend_alone(query, key, value, scaling, sliding_window), None
        if softcap is None and self._joining:
            return self._attend_copies(query, key, value, layer, scaling, sliding_window), None
        rows, heads, count, size = query.shape
        query, shared = query.reshape(rows, key.shape[1], -1, size) * scaling, self._shared
        own = (key @ query.transpose(-1, -2)).transpose(-1, -2)  # twice as fast as the other way round
        query = (
            _taken(query, self._order).transpose(0, 1).contiguous()
        )  # [kv heads, rows, ...]: a prefix's rows are one
        scores = query.new_empty(*query.shape[:3], shared + key.shape[2])  # matrix, without a copy
        scores[..., shared:] = _taken(own, self._order).transpose(0, 1)
        for prefix, at in self._groups:
            if prefix.length:
                scores[:, at, :, : prefix.length] = _over_rows(query[:, at], prefix.keys[layer].transpose(-1, -2))
        if softcap is not None:
            scores = torch.tanh(scores / softcap) * softcap
        before, later = self._hidden(key.shape[2], heads // key.shape[1], sliding_window)
        scores[..., shared:].masked_fill_(later.transpose(0, 1), float("-inf"))
        if before is not None:
            scores[..., :shared].masked_fill_(before.transpose(0, 1), float("-inf"))
        weights = scores.softmax(-1)  # summed in float32, whatever the dtype
        above = query.new_zeros(*query.shape[:3], value.shape[-1])
        for prefix, at in self._groups:
            if prefix.length:
                above[:, at] = _over_rows(weights[:, at, :, : prefix.length], prefix.values[layer])
        mine, above = weights[..., shared:].transpose(0, 1), above.transpose(0, 1)
        out = _taken(mine, self._back) @ value + _taken(above, self._back)
        return out.reshape(rows, heads, count, -1).transpose(1, 2), None

    def _attend_alone(self, query: Tensor, key: Tensor, value: Tensor, scaling: float, window: int | None) -> Tensor:
        """A prefix over itself: torch's own causal attention, which keeps no scores in memory."""
        count, mask = query.shape[2], None
        if window is not None and window < count:
            gaps = torch.arange(count, device=self.device)[:, None] - torch.arange(count, device=self.device)
            mask = (gaps >= 0) & (gaps < window)
        out = torch.nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=True
        )
        return out.transpose(1, 2)

    def _attend_copies(
        self, query: Tensor, key: Tensor, value: Tensor, layer: int, scaling: float, window: int | None
    ) -> Tensor:
        """New rows, each over a copy of its prefix: with many tokens a row, copies cost less than keeping scores."""
        rows, heads, count, size = query.shape
        kept = {"keys": _taken(key, self._order), "values": _taken(value, self._order)}
        for name, own in kept.items():
            kept[name] = whole = own.new_zeros(*own.shape[:2], self._shared + count, own.shape[3])
            whole[:, :, self._shared :] = own
            for prefix, at in self._groups:
                if prefix.length:
                    whole[at, :, : prefix.length] = getattr(prefix, name)[layer]
        if ("seen", window) not in self._masks:
            before, later = self._hidden(count, heads // key.shape[1], window)
            before = later.new_zeros(1, 1, 1, self._shared) if before is None else before
            before = before.expand(*later.shape[:3], -1)
            barred = torch.cat([before, later], -1)  # added to the scores, as the attention would make of it each time
            self._masks["seen", window] = (None, query.new_zeros(barred.shape).masked_fill_(barred, float("-inf")))
        query = _taken(query, self._order).reshape(rows, key.shape[1], -1, size)
        out = torch.nn.functional.scaled_dot_product_attention(
            query, kept["keys"], kept["values"], attn_mask=self._masks["seen", window][1], scale=scaling
        )
        return _taken(out, self._back).reshape(rows, heads, count, -1).transpose(1, 2)

    def _hidden(self, own: int, repeat: int, window: int | None) -> tuple[Tensor | None, Tensor]:
        """Which positions no query may see, of the prefixes (None: it sees all) and of its row's own; made once a pass.

        Shapes [rows, 1, repeat * tokens or 1, shared] and [rows, 1, repeat * tokens, own].
        """
        kind = (own, repeat, window)
        if kind not in self._masks:
            own_at = _taken(self._own_at, self._order).repeat(1, repeat)[:, None, :, None]
            starts = _taken(self._starts, self._order)[:, None, None, None]
            before, after = torch.arange(self._shared, device=self.device), torch.arange(own, device=self.device)
            hidden = None if self._alike else before >= starts
            later = own_at < after
            if window is not None:
                far = own_at + starts - before >= window
                hidden, later = far if hidden is None else far | hidden, later | (own_at - after >= window)
            self._masks[kind] = (hidden, later)
        return self._masks[kind]


def _over_rows(rows: Tensor, shared: Tensor) -> Tensor:
    """`rows @ shared` of [kv heads, rows, m, a] and [kv heads, a, b], as one product a head for all rows."""
    heads, n, m, _ = rows.shape
    return (rows.reshape(heads, n * m, -1) @ shared).view(heads, n, m, -1)


def _taken(rows: Tensor, order: Tensor | None) -> Tensor:
    """Rows in an order; None: as they are."""
    return rows if order is None else rows[order]
