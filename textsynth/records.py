"""The values that flow through a run: Seed -> Request -> Completion -> Record -> Verdict.

A Record exists from the moment it is planned (its sampled fields are set) and gains fields as steps write them.
A Seed is a type of its own and has no way to be exported.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = Any
Message = Mapping[str, str]  # {"role": "system" | "user" | "assistant", "content": text}
FinishReason = Literal["stop", "length", "cancelled"]
_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


@dataclass(frozen=True, slots=True)
class Seed:
    """A real example. `id` is ours (s000017), never a column of the user's data."""

    id: str
    data: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Request:
    """One question to an engine.

    `schema` is the tightened schema to decode under (None: free text). `sampling` has the keys of the job's
    `sampling` plus `max_tokens`. `rng_seed` is this request's own.
    """

    id: str
    round: int
    step: int
    messages: tuple[Message, ...]
    schema: Mapping[str, Json] | None
    sampling: Mapping[str, Json]
    rng_seed: int
    seed_ids: tuple[str, ...] = ()
    attributes: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Completion:
    """An engine's answer to one request."""

    request_id: str
    text: str
    finish_reason: FinishReason
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """One filter's decision on one record, with its evidence; never a neighbor's text."""

    filter: str
    accepted: bool
    reason: str | None = None
    scores: Mapping[str, float | str] = field(default_factory=dict)
    neighbor_id: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A synthetic record. `fields` is what the user gets; None when the completion did not parse.

    `working` holds what steps wrote besides the record schema; `lineage` how the record came to be.
    """

    id: str
    round: int
    attributes: Mapping[str, Json]
    fields: Mapping[str, Json] | None
    working: Mapping[str, Json] = field(default_factory=dict)
    lineage: Mapping[str, Json] = field(default_factory=dict)


def canonical_json(value: Json) -> str:
    """The one JSON text of a value: sorted keys, no spaces, UTF-8 kept. Equal values give equal text."""
    return _CANONICAL.encode(value)


def combination(data: Mapping[str, Json], names: Iterable[str]) -> str:
    """What the named fields say together, as one text; a missing one is null."""
    return canonical_json([data.get(name) for name in names])


def content_hash(value: Json) -> str:
    """Hex sha256 of a text's UTF-8 bytes, or of a value's canonical JSON."""
    text = value if isinstance(value, str) else canonical_json(value)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def rng_for(rng_seed: int, *names: object) -> random.Random:
    """A random stream of its own for one purpose, such as `rng_for(7, "r000012", "examples")`."""
    return random.Random("/".join(map(str, (rng_seed, *names))))


def strings_in(value: Json) -> Iterator[str]:
    """All strings inside a value, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from strings_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings_in(item)


def text_of(data: Mapping[str, Json], names: Iterable[str]) -> str:
    """The strings of the named fields, one a line; empty if there are none."""
    return "\n".join(text for name in names for text in strings_in(data.get(name)) if text)
