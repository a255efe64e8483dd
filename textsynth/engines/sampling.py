"""One step of constrained sampling for a batch: grammar masks, transformers' own processors, a seed per request."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import llguidance.hf
import llguidance.numpy  # llguidance.torch would load torch's compiler, which takes seconds
import numpy as np
import torch
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from textsynth.records import Request

_WORDS = "[ a-zA-Z]{1,12}"  # tokens that most patterns take or refuse as one: a quarter of the time of a mask
_NEVER = -1e30  # added to a logit; its share is 0, and no sum or quotient of it overflows


@dataclass(eq=False)
class Row:
    """A request being decoded.

    `tokens` are the prompt's and the written ones, `start` is where the latter begin. The first `shared` ones come
    before the last turn.
    """

    request: Request
    tokens: list[int]
    start: int
    shared: int
    matcher: llguidance.LLMatcher | None
    kind: str = field(init=False)  # equal for requests that are sampled alike
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.request.rng_seed)
        self.kind = json.dumps(dict(self.request.sampling), sort_keys=True)


_KEPT = 256  # compiled grammars


class Grammars:
    """Compiled grammars of one tokenizer, one for each schema, copied for each request."""

    def __init__(self, tokenizer: Any, vocabulary: int) -> None:
        self.vocabulary = vocabulary
        slices = [_WORDS, *llguidance.LLTokenizer.general_slices()]
        self._tokenizer = llguidance.hf.from_tokenizer(tokenizer, n_vocab=vocabulary, slices=slices)
        self._executor = llguidance.LLExecutor(num_threads=max(1, os.cpu_count() or 1))
        self._compiled: dict[str, llguidance.LLMatcher] = {}

    def matcher(self, schema: Mapping[str, Any]) -> llguidance.LLMatcher:
        """A fresh matcher; `is_error()` tells whether the schema has no grammar."""
        key = json.dumps(schema)
        if key not in self._compiled:
            grammar = llguidance.LLMatcher.grammar_from_json_schema(key)
            if len(self._compiled) >= _KEPT:  # a step that states facts has a schema for each record
                del self._compiled[next(iter(self._compiled))]
            self._compiled[key] = llguidance.LLMatcher(self._tokenizer, grammar, log_level=0)
        return self._compiled[key].deep_copy()

    def forbidden(self, rows: Sequence[Row], vocabulary: int) -> Tensor | None:
        """1 for each token that a row may not take next: uint8 [rows, vocabulary], on the CPU; None where none is.

        Rows are filled in parallel.
        """
        pairs = [(row.matcher, number) for number, row in enumerate(rows) if row.matcher is not None]
        if not pairs:
            return None
        bits = np.full((len(rows), -(-self.vocabulary // 32)), -1, dtype=np.int32)
        llguidance.numpy.fill_next_token_bitmask_par(self._executor, pairs, bits)
        unpacked = np.unpackbits((~bits).view(np.uint8), axis=1, count=self.vocabulary, bitorder="little")
        found = torch.from_numpy(unpacked)
        beyond = vocabulary - self.vocabulary  # some models have more logits than tokens
        return torch.nn.functional.pad(found, (0, beyond), value=1) if beyond else found


@torch.inference_mode()
def choose(logits: Tensor, rows: Sequence[Row], grammars: Grammars) -> list[int]:
    """The next token of each row from logits [rows, vocabulary].

    The repetition penalty counts the prompt, as in transformers and vLLM. The order is penalty, grammar, temperature,
    top-k, top-p, min-p. A row's randomness is its own, so that its answer does not hang on its neighbors' draws.
    """
    forbidden = grammars.forbidden(rows, logits.shape[1])
    forbidden = None if forbidden is None else forbidden.to(logits.device)
    chosen = [0] * len(rows)
    kinds: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        kinds.setdefault(row.kind, []).append(number)
    for numbers in kinds.values():
        some = slice(None) if len(kinds) == 1 else numbers
        mine = [rows[n] for n in numbers]
        held = None if forbidden is None else forbidden[some]
        for number, token in zip(numbers, _choose_alike(logits[some].float(), held, mine), strict=True):
            chosen[number] = token
    return chosen


def _choose_alike(scores: Tensor, forbidden: Tensor | None, rows: Sequence[Row]) -> list[int]:
    sampling = rows[0].request.sampling
    ids: Any = torch.zeros(len(rows), 0, dtype=torch.long)  # the other processors do not look at them
    if (penalty := sampling.get("repetition_penalty")) not in (None, 1.0):
        scores = RepetitionPenaltyLogitsProcessor(penalty)(_padded([row.tokens for row in rows], scores.device), scores)
    if forbidden is not None:
        scores += forbidden.float().mul_(_NEVER)  # a third of the time of a masked fill
    temperature = sampling.get("temperature", 1.0)
    if temperature == 0:
        return [int(token) for token in scores.argmax(-1)]
    scores /= float(temperature)
    warpers = LogitsProcessorList()
    for name, warper in (("top_k", TopKLogitsWarper), ("top_p", TopPLogitsWarper)):
        if sampling.get(name) is not None:
            warpers.append(warper(sampling[name]))
    shares = torch.softmax(warpers(ids, scores), -1)
    if (least := sampling.get("min_p")) is not None:  # as MinPLogitsWarper, which takes four times as long
        shares *= shares >= least * shares.amax(-1, keepdim=True)
    reach = shares.cumsum(-1)
    draws = torch.tensor([[row.rng.random()] for row in rows], dtype=reach.dtype, device=reach.device)
    picked = torch.searchsorted(reach, draws * reach[:, -1:], right=True)[:, 0]
    whole = torch.searchsorted(reach, reach[:, -1:].contiguous())[:, 0]  # rounding may point past the last choice
    return torch.minimum(picked, whole).tolist()


def _padded(rows: Sequence[list[int]], device: torch.device) -> Any:
    """Token ids [rows, longest], short rows padded with a token of their own: no penalty counts one twice."""
    width = max(map(len, rows))
    return torch.tensor([row + row[-1:] * (width - len(row)) for row in rows], device=device)
