"""The seam between the pipeline and what runs a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from textsynth.errors import InputError
from textsynth.job import EngineSpec, nearest
from textsynth.records import Completion, Message, Request


class Engine(Protocol):
    """Anything that answers requests.

    Building one is cheap and loads no weights; `generate` opens what it needs.
    """

    def describe(self) -> Mapping[str, Any]:
        """Type, model, its hash or revision, options and versions: what lineage records."""
        ...

    def check(self, messages: tuple[Message, ...], schema: Mapping[str, Any] | None, max_tokens: int) -> None:
        """Raise an InputError if such a request cannot be answered: too long a prompt, a schema without a grammar."""
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
    if spec.type == "scripted":
        from textsynth.engines.scripted import ScriptedEngine

        return ScriptedEngine.from_options(spec.options, place)
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
