from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import tiny_job
from textsynth import run_job
from textsynth.engines.scripted import ScriptedEngine
from textsynth.errors import EngineError, InputError
from textsynth.feed import EngineThreads
from textsynth.outputs.store import Store
from textsynth.records import Completion, Request


def request(name: str) -> Request:
    return Request(name, 0, 0, ({"role": "user", "content": "Hello."},), None, {"max_tokens": 5}, 1)


def taken(thread: EngineThreads, count: int) -> list[str]:
    """The ids of that many completions."""
    found: list[str] = []
    end = time.monotonic() + 10
    while len(found) < count and time.monotonic() < end:
        found += [completion.request_id for completion in thread.take(timeout=0.1)]
    return found


class Watching(ScriptedEngine):
    """Notes what the feed gave and how many requests were in flight just then."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room, self.pulled = room, list[tuple[bool, int]]()

    def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
        held: list[Request] = []
        while True:
            while len(held) < self.room:
                item = next(feed)
                self.pulled.append((item is None, len(held)))
                if item is None:
                    break
                held.append(item)
            yield Completion(held.pop(0).id, "text", "stop")


def test_every_request_is_answered_while_more_are_asked() -> None:
    with EngineThreads([Watching(room=4)]) as thread:
        for number in range(700):  # more than fit into the queues
            thread.ask(0, request(f"a{number}"))
        first = taken(thread, 350)
        for number in range(50):
            thread.ask(0, request(f"b{number}"))
        rest = taken(thread, 750 - len(first))
    assert sorted(first + rest) == sorted([f"a{n}" for n in range(700)] + [f"b{n}" for n in range(50)])


def test_none_is_fed_only_while_something_is_in_flight() -> None:
    engine = Watching(room=4)
    with EngineThreads([engine]) as thread:
        for number in range(20):
            thread.ask(0, request(f"a{number}"))
            if number % 3 == 0:
                taken(thread, 1)
                time.sleep(0.02)
    nothing = [held for is_none, held in engine.pulled if is_none]
    assert nothing and min(nothing) > 0


def test_what_an_engine_raises_becomes_one_sentence() -> None:
    class Broken(ScriptedEngine):
        def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
            yield Completion(str(getattr(next(feed), "id", "")), "text", "stop")
            raise ZeroDivisionError("the plug fell out")

    with EngineThreads([Broken()]) as thread:
        thread.ask(0, request("a"))
        with pytest.raises(EngineError, match=r"^engine Broken: ZeroDivisionError: the plug fell out\. Run again") as e:
            while True:
                thread.take(timeout=0.1)
    assert isinstance(e.value.__cause__, ZeroDivisionError)


def test_an_error_meant_for_the_user_is_passed_on_as_it_is() -> None:
    class Missing(ScriptedEngine):
        def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
            raise InputError("engine.model: there is no such model.")
            yield

    with EngineThreads([Missing()]) as thread, pytest.raises(InputError, match="no such model"):
        thread.take(timeout=5)


def test_an_engine_that_ends_early_is_a_fault_and_not_a_wait_without_end() -> None:
    class Early(ScriptedEngine):
        def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
            yield Completion(str(getattr(next(feed), "id", "")), "text", "stop")

    with EngineThreads([Early()]) as thread:
        thread.ask(0, request("a"))
        with pytest.raises(EngineError, match="Early: it ended before its feed did"):
            while True:
                thread.take(timeout=0.1)


@pytest.mark.parametrize("asked", [0, 1, 600])
def test_leaving_stops_an_engine_that_waits_or_works(asked: int) -> None:
    before = threading.active_count()
    with EngineThreads([ScriptedEngine(delay=0.01, width=2)]) as thread:
        for number in range(asked):
            thread.ask(0, request(f"a{number}"))
        time.sleep(0.05)
    assert threading.active_count() == before


def test_an_engine_that_answers_what_nobody_asked_is_a_fault(tmp_path: Path) -> None:
    class Twice(ScriptedEngine):
        def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
            for done in super().generate(feed):
                yield done
                yield done

    with pytest.raises(EngineError, match="answered r0000000-0-0, which nobody waits for"):
        run_job(tiny_job(tmp_path), tmp_path / "run", engine=Twice())


def test_a_fault_of_the_engine_keeps_what_was_answered_and_the_run_goes_on(tmp_path: Path) -> None:
    class Tired(ScriptedEngine):
        def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
            for number, done in enumerate(super().generate(feed)):
                if number == 11:
                    raise RuntimeError("out of memory")
                yield done

    job = tiny_job(tmp_path)
    with pytest.raises(EngineError, match="Tired: RuntimeError: out of memory"):
        run_job(job, tmp_path / "run", engine=Tired())
    with Store(tmp_path / "run", write=False) as store:
        kept: dict[str, Any] = store.totals()
        assert store.get("status") == "failed"
    assert kept["completions"] == 11
    assert (tmp_path / "run/report.html").is_file()
    assert run_job(job, tmp_path / "run").done
