"""The vLLM engine: vLLM in this program, fed continuously, for batch jobs on GPUs (and its CPU build)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from typing import Any

from textsynth.engines.base import in_words
from textsynth.engines.local import LocalModel
from textsynth.engines.vllm_adapter import Runtime, installed_version, option_names, structured_outputs
from textsynth.errors import EngineError, InputError
from textsynth.models import fingerprint
from textsynth.records import Completion, FinishReason, Request
from textsynth.wording import nearest

_OURS = {
    "model": "set engine.model instead",
    "tokenizer": "it is the model's own",
    "skip_tokenizer_init": "prompts are made of the model's tokens",
    "trust_remote_code": "no code that comes with a model is run",
}
_REASONS: Mapping[str, FinishReason] = {"stop": "stop", "length": "length", "abort": "cancelled"}
_AHEAD = 0.25  # of the requests decoded at a time as many wait inside vLLM: a place that gets free is taken at once


class VLLMEngine(LocalModel):
    """Runs a causal language model with vLLM.

    Args:
        model: an embedded model, a local folder or a hub id.
        options: what vLLM's own EngineArgs take, such as tensor_parallel_size, quantization, max_model_len.
        held: most requests taken from the feed and not yet answered; None goes by what vLLM decodes at a time.
        place: how messages name this engine, such as `job.yaml: engine`.
    """

    def __init__(
        self, model: str, options: Mapping[str, Any] | None = None, held: int | None = None, place: str = "engine"
    ) -> None:
        super().__init__(model, place, "vllm", ("vllm",))
        self.options, self.held = dict(options or {}), held
        self._cancelled = False

    @classmethod
    def from_options(cls, model: str, options: Mapping[str, Any], place: str) -> VLLMEngine:
        """Build the engine from a job's `engine.options`."""
        engine = cls(model, options, place=place)
        known = option_names(place) if options else set()
        faults = []
        for name in options:
            if name in _OURS:
                faults.append(f"{place}.options.{name} cannot be set: {_OURS[name]}. Remove it.")
            elif name not in known:
                faults.append(
                    f"{place}.options.{name} is not an option of vLLM {installed_version()}. "
                    f"{nearest(name, known)}Use what its EngineArgs take, such as max_model_len."
                )
        if faults:
            raise InputError(faults)
        return engine

    def describe(self) -> Mapping[str, Any]:
        """What lineage records of this engine."""
        return {
            "type": "vllm",
            "model": self.model,
            "fingerprint": fingerprint(self.model),
            "options": self.options,
            "vllm": installed_version(),
            "torch": version("torch"),
        }

    def abilities(self) -> Mapping[str, Any]:
        """The model's context, and how answers are held to a schema."""
        backend = structured_outputs(self.options)["backend"]
        return {"context": self.context, "structured_output": f"by a grammar in vLLM ({backend})"}

    @cached_property
    def context(self) -> int:
        """Tokens that the model can attend to: `max_model_len` where that is given."""
        given = self.options.get("max_model_len")
        return given if isinstance(given, int) and given > 0 else super().context

    def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
        """Answer every request of the feed once, in the order in which they finish."""
        self._cancelled = False
        with closing(Runtime(self.path, self.options, f"{self.place}: {self.model}", self.said)) as runtime:
            self.context = runtime.context  # vLLM may have made it smaller, to fit the memory
            held = self.held or runtime.width + max(8, int(_AHEAD * runtime.width))
            asked: dict[str, Request] = {}
            open_ = True
            try:
                while (open_ or asked) and not self._cancelled:
                    while open_ and len(asked) < held:
                        try:
                            request = next(feed)
                        except StopIteration:
                            open_ = False
                            break
                        if request is None:
                            break
                        yield from self._ask(runtime, asked, request)
                    if asked:
                        yield from self._finished(runtime, asked)
            finally:
                runtime.forget(asked)

    def cancel(self) -> None:
        """End `generate` at its next step, whatever is open. Any thread may call this."""
        self._cancelled = True

    def _ask(self, runtime: Runtime, asked: dict[str, Request], request: Request) -> list[Completion]:
        """Hand a request to vLLM; it is answered at once where its prompt leaves no room."""
        tokens = self.tokens(request.messages)
        if len(tokens) >= self.context:
            return [self.too_long(request, len(tokens))]
        if not runtime.ask(request, tokens):
            return self._ask(runtime, asked, self._in_words(request))
        asked[request.id] = request
        return []

    def _finished(self, runtime: Runtime, asked: dict[str, Request]) -> list[Completion]:
        """What vLLM's next step completes."""
        done = []
        for answer in runtime.step():
            request = asked.pop(answer.id)
            if answer.reason == "error" and request.schema is not None:  # its grammar could not be compiled
                done += self._ask(runtime, asked, self._in_words(request))
            elif answer.reason == "error":
                raise EngineError(f"{self.place}: {self.model}: vLLM gave up on a request. Run again to go on.")
            else:
                tokens, reason = answer.tokens, _REASONS.get(answer.reason, "length")
                text = self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
                done.append(Completion(request.id, text, reason, answer.prompt_tokens, len(tokens)))
        return done

    def _in_words(self, request: Request) -> Request:
        self.said["a schema has no grammar: it was asked for in words, and answers are checked."] += 1
        return replace(request, messages=in_words(request.messages, request.schema or {}), schema=None)
