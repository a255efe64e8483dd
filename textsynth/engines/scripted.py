"""A deterministic engine without a model: for tests, dry runs and users' own tests.

It answers every request with a value drawn from the request's schema and `rng_seed`, or with what `answer` returns.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from textsynth.engines.base import check_options
from textsynth.errors import InputError
from textsynth.records import Completion, Message, Request

_OPTIONS = {
    "width": "requests answered at a time, 1 or more",
    "delay": "seconds that an answer takes, 0 or more",
    "broken": "share of answers that are not JSON, 0 to 1",
}
_WORDS = re.findall(
    r"\w+",
    """
a able after again all also among and as at be been before both by came can clear close come could day each early
even every far few first for found four from full gave give good great had half has have he help her high home
hour in is it keep kind large last late left less life light like line little long made make man many mark may
more most move much must near need never new next night no not now of off often old on once one only open or
other our out over own part place plan point quiet rest right same saw say second see seem set she side since
slow small so some soon still such sure take tell than that the their them then there they thing this three
through time to today turn two under until up upon use very walk was water way we week well were what when where
which while who will with word work world would year yes yet you
    """,
)


class ScriptedEngine:
    """Answers from a script.

    Args:
        answer: request -> the text of its completion; None draws a value that fits the request's schema.
        width: requests answered at a time; delay: seconds each takes; broken: share of answers that are not JSON.
    """

    def __init__(
        self, answer: Callable[[Request], str] | None = None, width: int = 64, delay: float = 0.0, broken: float = 0.0
    ) -> None:
        self._answer = answer or (lambda request: _drawn(request, broken))
        self._width, self._delay = width, delay
        self.said: Counter[str] = Counter()

    @classmethod
    def from_options(cls, options: Mapping[str, Any], place: str) -> ScriptedEngine:
        """Build the engine from a job's `engine.options`."""
        check_options(options, _OPTIONS, place)
        limits = {"width": (1, 100_000), "delay": (0, 3600), "broken": (0, 1)}
        faults = [
            f"{place}.options.{name} is {value}. Use {_OPTIONS[name]}."
            for name, value in options.items()
            if isinstance(value, bool)
            or not isinstance(value, int | float)
            or not limits[name][0] <= value <= limits[name][1]
        ]
        if faults:
            raise InputError(faults)
        return cls(
            width=int(options.get("width", 64)),
            delay=float(options.get("delay", 0)),
            broken=float(options.get("broken", 0)),
        )

    def describe(self) -> Mapping[str, Any]:
        """What lineage records of this engine."""
        return {"type": "scripted", "model": "scripted", "fingerprint": "scripted"}

    def abilities(self) -> Mapping[str, Any]:
        """It has no model."""
        return {"context": None, "structured_output": "values drawn from the schema"}

    def check(self, messages: Sequence[Message], schema: Mapping[str, Any] | None, max_tokens: int) -> None:
        """Everything can be answered."""

    def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
        """Answer each request after `delay`, at most `width` at a time."""
        waiting: deque[tuple[float, Request]] = deque()
        open_ = True
        while open_ or waiting:
            while open_ and len(waiting) < self._width:
                try:
                    request = next(feed)
                except StopIteration:
                    open_ = False
                    break
                if request is None:
                    break
                waiting.append((time.monotonic() + self._delay, request))
            if waiting:
                due, request = waiting.popleft()
                if (early := due - time.monotonic()) > 0:  # even a sleep of 0 seconds takes some 80 microseconds
                    time.sleep(early)
                yield self._completion(request)

    def _completion(self, request: Request) -> Completion:
        text = self._answer(request)
        prompt = sum(len(message["content"].split()) for message in request.messages)
        words, limit = text.split(), request.sampling.get("max_tokens")
        if request.schema is None and limit is not None and len(words) > limit:
            return Completion(request.id, " ".join(words[:limit]), "length", prompt, limit)
        return Completion(request.id, text, "stop", prompt, len(words))


def _drawn(request: Request, broken: float) -> str:
    rng = random.Random(request.rng_seed)
    if rng.random() < broken:
        return "this is not JSON"
    if request.schema is None:
        return " ".join(rng.choices(_WORDS, k=20))
    return json.dumps(draw(request.schema, rng, request.schema), ensure_ascii=False, separators=(",", ":"))


def draw(schema: Mapping[str, Any], rng: random.Random, root: Mapping[str, Any]) -> Any:
    """A value for the common part of JSON Schema: types, const, enum, bounds, properties, items, $ref, anyOf, oneOf."""
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return draw(target, rng, root)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return draw(rng.choice(schema[key]), rng, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = next((k for k in kind if k != "null"), "null") if isinstance(kind, list) else kind
    return _DRAW[kind](schema, rng, root)


def _text(schema: Mapping[str, Any], rng: random.Random, root: Mapping[str, Any]) -> str:
    """Sentences, so that most texts fit a schema that asks for some."""
    low, high = schema.get("minLength", 0), schema.get("maxLength", 400)
    text = ""
    while len(text) < max(low, min(200, high // 2)):
        words = " ".join(rng.choices(_WORDS, k=8))
        text += (" " if text else "") + words.capitalize() + "."
    return text[:high]


def _number(schema: Mapping[str, Any], rng: random.Random, root: Mapping[str, Any]) -> int | float:
    low, high = schema.get("minimum", 0), schema.get("maximum", 100)
    if schema.get("type") == "integer" or "integer" in schema.get("type", ()):
        return rng.randint(int(low), int(high))
    return round(rng.uniform(low, high), 2)


def _array(schema: Mapping[str, Any], rng: random.Random, root: Mapping[str, Any]) -> list[Any]:
    low = schema.get("minItems", 0)
    count = rng.randint(low, max(low, min(3, schema.get("maxItems", 3))))
    return [draw(schema.get("items", {}), rng, root) for _ in range(count)]


def _object(schema: Mapping[str, Any], rng: random.Random, root: Mapping[str, Any]) -> dict[str, Any]:
    return {name: draw(part, rng, root) for name, part in schema.get("properties", {}).items()}


_DRAW: dict[str, Callable[[Mapping[str, Any], random.Random, Mapping[str, Any]], Any]] = {
    "string": _text,
    "integer": _number,
    "number": _number,
    "boolean": lambda schema, rng, root: rng.random() < 0.5,
    "null": lambda schema, rng, root: None,
    "array": _array,
    "object": _object,
}
