"""textsynth's openai engine; with a fourth argument `thread`, in the EngineThreads that a run puts it in."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from common import arguments, chats, measure

from textsynth.engines.base import build_engine
from textsynth.feed import EngineThreads
from textsynth.job import EngineSpec
from textsynth.records import Request

URL, REQUESTS, OPEN = arguments()
SAMPLING = {"temperature": 0.7, "max_tokens": 64}

engine = build_engine(
    EngineSpec(type="openai", model="mock", base_url=URL, options={"concurrency": OPEN}), "the engine"
)


def requests(count: int) -> Iterator[Request]:
    for number, messages in enumerate(chats(count)):
        yield Request(f"r{number:06d}", 0, 0, tuple(messages), None, SAMPLING, 1)


def alone(count: int) -> list[str]:
    """One `generate`, which opens its connections and lists the server's models first."""
    return [completion.text for completion in engine.generate(requests(count))]


def in_thread(count: int) -> list[str]:
    """What `pipeline.Run.go` does around the engine's one thread: ask, and take what there is."""
    for request in requests(count):
        thread.ask(0, request)
    found: list[str] = []
    while len(found) < count:
        found += [completion.text for completion in thread.take(timeout=0.2)]
    return found


if sys.argv[4:] == ["thread"]:
    with EngineThreads([engine]) as thread:
        measure(in_thread, REQUESTS, OPEN)
else:
    measure(alone, REQUESTS, OPEN)
