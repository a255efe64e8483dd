"""The seam between the pipeline and what runs a model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from textsynth.errors import InputError
from textsynth.job import EngineSpec
from textsynth.records import Completion, Message, Request
from textsynth.wording import nearest


class Engine(Protocol):
    """Anything that answers requests.

    Building one is cheap and loads no weights; `generate` opens what it needs. An engine that may wait long for a
    completion also has `cancel()`, which any thread may call: `generate` then ends at once.
    """

    said: Counter[str]
    """What a user should know of, such as a fallback: sentences without record text, and how often each happened."""

    def describe(self) -> Mapping[str, Any]:
        """Type, model, its hash or revision, options and versions: what lineage records."""
        ...

    def abilities(self) -> Mapping[str, Any]:
        """Known once it has answered: `context` in tokens or None, and in words how `structured_output` is made."""
        ...

    def check(self, messages: tuple[Message, ...], schema: Mapping[str, Any] | None, max_tokens: int) -> None:
        """Raise an InputError if such a request cannot be answered, as with a prompt beyond the model's context."""
        ...

    def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
        """Answer every request of the feed once, in any order.

        Pull from `feed` whenever there is room. None means: nothing to ask until a completion of yours is taken.

        Raises:
            EngineError: the model or its runtime failed; the message names the engine and the next step.
        """
        ...


def build_engine(spec: EngineSpec, place: str) -> Engine:
    """The engine that a job asks for.

    Raises:
        InputError: an unknown model, option or a missing package; the message names the key.
    """
    if spec.type != "openai" and (given := [key for key in ("base_url", "api_key_env") if getattr(spec, key)]):
        raise InputError(
            [f"{place}.{key} is for the type openai, and the type is {spec.type}. Leave it out." for key in given]
        )
    if spec.type == "scripted":
        from textsynth.engines.scripted import ScriptedEngine

        return ScriptedEngine.from_options(spec.options, place)
    if spec.type == "openai":
        from textsynth.engines.openai import OpenAIEngine

        return OpenAIEngine.from_spec(spec, place)
    if spec.type == "vllm":
        from textsynth.engines.vllm import VLLMEngine

        return VLLMEngine.from_options(spec.model, spec.options, place)
    from textsynth.engines.transformers import TransformersEngine

    return TransformersEngine.from_options(spec.model, spec.options, place)


def check_options(options: Mapping[str, Any], known: Mapping[str, str], place: str) -> None:
    """Refuse options that the engine does not know; `known` maps a name to what it takes."""
    unknown = [name for name in options if name not in known]
    if unknown:
        allowed = ", ".join(f"{name} ({what})" for name, what in known.items())
        raise InputError(
            [
                f"{place}.options.{name} is not a known option. {nearest(name, known)}Known here: {allowed}."
                for name in unknown
            ]
        )


def in_words(messages: Sequence[Message], schema: Mapping[str, Any]) -> tuple[Message, ...]:
    """A chat whose last turn also asks for an answer that fits a schema: for where no grammar can hold it."""
    *before, last = messages
    shown = json.dumps({key: part for key, part in schema.items() if key != "x-guidance"}, ensure_ascii=False)
    asked = f"{last['content']}\n\nAnswer with one JSON object and nothing else. It must fit this JSON Schema: {shown}"
    return (*before, {**last, "content": asked})
