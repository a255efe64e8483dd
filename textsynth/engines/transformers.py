"""The transformers engine: constrained decoding in-process on CUDA, MPS or the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from textsynth.engines.base import check_options
from textsynth.errors import EngineError, InputError, MissingExtraError
from textsynth.models import check_name, fingerprint, resolve
from textsynth.records import Completion, Message, Request

if TYPE_CHECKING:
    from textsynth.engines.sampling import Grammars

_OPTIONS = {
    "dtype": "auto, bfloat16, float16 or float32",
    "batch": "requests decoded at a time, 1 or more",
    "device": "auto, cpu, cuda or mps",
}
_PLAIN_TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n\n{% endfor %}assistant: "


class TransformersEngine:
    """Runs a causal language model of the transformers library on CUDA, MPS or the CPU.

    Args:
        model: an embedded model, a local folder or a hub id.
        dtype: of weights and computation; auto takes what is fast on the device.
        batch: requests decoded at a time; None takes 32 on a CPU and 64 elsewhere.
        device: auto takes what is there.
        place: how messages name this engine, such as `job.yaml: engine`.
    """

    def __init__(
        self, model: str, dtype: str = "auto", batch: int | None = None, device: str = "auto", place: str = "engine"
    ) -> None:
        for package in ("torch", "transformers", "llguidance"):
            _need(package, place)
        check_name(model, f"{place}.model", "llm")
        self.model, self.dtype, self.batch, self.device, self.place = model, dtype, batch, device, place

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

    def check(self, messages: Sequence[Message], schema: Mapping[str, Any] | None, max_tokens: int) -> None:
        """Raise an InputError if the prompt and its answer pass the model's context, or the schema has no grammar."""
        used = len(self.encode(messages)[0])
        if used + max_tokens > self.context:
            raise InputError(
                f"{self.place}: the prompt has {used} tokens and its answer may take {max_tokens}; {self.model} has "
                f"room for {self.context}. Show fewer seeds, cut them (seeds.cut), or bound the longest field."
            )
        if schema is not None and (fault := self.grammars.fault(schema)):
            raise InputError(f"{self.place}: the schema has no grammar ({fault}). Simplify that part of the schema.")

    @cached_property
    def context(self) -> int:
        """Tokens that the model can attend to."""
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(self.path)
        config = config.get_text_config(decoder=True) if hasattr(config, "get_text_config") else config
        return int(getattr(config, "max_position_embeddings", 2**31))

    def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
        """Answer every request of the feed once, in the order in which they finish."""
        from textsynth.engines.decoding import Batch

        batch = Batch(self)
        open_ = True
        while open_ or batch.rows:
            fresh: list[Request] = []
            while open_ and len(batch.rows) + len(fresh) < batch.size:
                try:
                    request = next(feed)
                except StopIteration:
                    open_ = False
                    break
                if request is None:
                    break
                fresh.append(request)
            batch.admit(fresh)
            if batch.rows:
                yield from batch.step()

    @cached_property
    def path(self) -> str:
        """The folder or hub id that the model is opened from; fetches an embedded one."""
        return resolve(self.model, f"{self.place}.model")

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer; one without a chat template gets a plain `role: content` one."""
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(self.path)
        except (OSError, ValueError) as error:
            raise self.fault("its tokenizer cannot be loaded", error) from None
        if not tokenizer.chat_template:
            tokenizer.chat_template = _PLAIN_TEMPLATE
        return tokenizer

    @cached_property
    def grammars(self) -> Grammars:
        """Compiled grammars of this tokenizer."""
        from textsynth.engines.sampling import Grammars

        return Grammars(self.tokenizer, max(len(self.tokenizer), self.tokenizer.vocab_size))

    def encode(self, messages: Sequence[Message]) -> tuple[list[int], int]:
        """A chat's token ids, and how many of them come from everything before its last turn."""
        chat = [dict(message) for message in messages]
        template = self.tokenizer.apply_chat_template
        ids: list[int] = template(chat, add_generation_prompt=True, return_dict=False)
        before: list[int] = template(chat[:-1], return_dict=False) if len(chat) > 1 else []
        return ids, len(before) if ids[: len(before)] == before else 0

    def fault(self, what: str, error: Exception) -> EngineError:
        """One sentence on what a vendor library raised."""
        detail = str(error).split("\n")[0][:200]
        return EngineError(
            f"{self.place}: {self.model}: {what} ({type(error).__name__}: {detail}). Check engine.model."
        )


def _need(package: str, place: str) -> None:
    if find_spec(package) is None:
        raise MissingExtraError(place, package, "local")
