"""The transformers engine: constrained decoding in-process on CUDA, MPS or the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from textsynth.engines.base import check_options, in_words
from textsynth.engines.local import LocalModel
from textsynth.errors import InputError
from textsynth.models import fingerprint
from textsynth.records import Completion, Message, Request

if TYPE_CHECKING:
    from textsynth.engines.sampling import Grammars

_OPTIONS = {
    "dtype": "auto, bfloat16, float16 or float32",
    "batch": "requests decoded at a time, 1 or more",
    "device": "auto, cpu, cuda or mps",
}


class TransformersEngine(LocalModel):
    """Runs a causal language model of the transformers library on CUDA, MPS or the CPU.

    Args:
        model: an embedded model, a local folder or a hub id.
        dtype: of weights and computation; auto takes what is fast on the device.
        batch: most requests decoded at a time; None takes 128 on a CPU and 256 elsewhere. Fewer where memory is short.
        device: auto takes what is there.
        place: how messages name this engine, such as `job.yaml: engine`.
    """

    def __init__(
        self, model: str, dtype: str = "auto", batch: int | None = None, device: str = "auto", place: str = "engine"
    ) -> None:
        super().__init__(model, place, "local", ("torch", "transformers", "llguidance"))
        self.dtype, self.batch, self.device = dtype, batch, device

    @classmethod
    def from_options(cls, model: str, options: Mapping[str, Any], place: str) -> TransformersEngine:
        """Build the engine from a job's `engine.options`."""
        check_options(options, _OPTIONS, place)
        faults = []
        if options.get("dtype", "auto") not in ("auto", "bfloat16", "float16", "float32"):
            faults.append(f"{place}.options.dtype is {options['dtype']}. Use {_OPTIONS['dtype']}.")
        batch = options.get("batch", 1)
        if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
            faults.append(f"{place}.options.batch is {batch}. Use a whole number, 1 or more.")
        if options.get("device", "auto") not in ("auto", "cpu", "cuda", "mps"):
            faults.append(f"{place}.options.device is {options['device']}. Use {_OPTIONS['device']}.")
        if faults:
            raise InputError(faults)
        return cls(model, place=place, **options)

    def describe(self) -> Mapping[str, Any]:
        """What lineage records of this engine."""
        return {
            "type": "transformers",
            "model": self.model,
            "fingerprint": fingerprint(self.model),
            "dtype": self.dtype,
            "batch": self.batch,
            "transformers": version("transformers"),
            "torch": version("torch"),
        }

    def abilities(self) -> Mapping[str, Any]:
        """The model's context, and how answers are held to a schema."""
        return {"context": self.context, "structured_output": "by a grammar in the sampler (llguidance)"}

    def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
        """Answer every request of the feed once, in the order in which they finish."""
        from textsynth.engines.decoding import Batch

        batch = Batch(self)
        open_ = True
        try:
            while open_ or batch.busy:
                while open_ and batch.room > 0:
                    try:
                        request = next(feed)
                    except StopIteration:
                        open_ = False
                        break
                    if request is None:
                        break
                    yield from batch.admit(request)
                if batch.busy:
                    yield from batch.step()
        finally:
            batch.cache.clear()  # the attention is registered under a name, which would keep its tensors alive

    def check(self, messages: Sequence[Message], schema: Mapping[str, Any] | None, max_tokens: int) -> None:
        """Raise an InputError if the prompt and its answer pass the model's context."""
        super().check(self.asked(messages, schema)[0], schema, max_tokens)

    def asked(self, messages: Sequence[Message], schema: Mapping[str, Any] | None) -> tuple[Sequence[Message], Any]:
        """The chat to send and the matcher of its grammar; a schema without a grammar is put into words."""
        if schema is None:
            return messages, None
        matcher = self.grammars.matcher(schema)
        return (in_words(messages, schema), None) if matcher.is_error() else (messages, matcher)

    @cached_property
    def grammars(self) -> Grammars:
        """Compiled grammars of this tokenizer."""
        from textsynth.engines.sampling import Grammars

        return Grammars(self.tokenizer, max(len(self.tokenizer), self.tokenizer.vocab_size))
