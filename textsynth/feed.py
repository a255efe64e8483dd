"""Each engine in a thread of its own, behind two bounded queues, so that nothing the main thread does stalls it."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence

from textsynth.engines.base import Engine
from textsynth.errors import EngineError, TextsynthError
from textsynth.records import Completion, Request
from textsynth.stopping import StopNow

_ROOM = 512  # requests and completions that wait between the threads
_POLL = 0.1  # seconds between looks at whether the run was stopped


class _Stopped(Exception):
    """Ends the engine's generator when the run stops."""


class EngineThreads:
    """Runs each engine in a thread of its own. `ask` never blocks; `take` returns completions as they finish.

    Use it as a context manager: leaving it stops the engines, finished or not.

    Args:
        since: where the time stands at which an engine took a request, by the request's id.
    """

    def __init__(self, engines: Sequence[Engine], since: dict[str, float] | None = None) -> None:
        since = {} if since is None else since
        self._completions: queue.Queue[Completion | Exception] = queue.Queue(_ROOM)
        self._threads = [_EngineThread(engine, self._completions, since) for engine in engines]
        self._fault: Exception | None = None  # raised once the completions before it are taken

    def __enter__(self) -> EngineThreads:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for thread in self._threads:
            thread.stop()
        while kind is not StopNow and any(thread.alive for thread in self._threads):
            self._drain()
            for thread in self._threads:
                thread.join(_POLL / len(self._threads))

    def ask(self, engine: int, request: Request) -> None:
        """Queue a request for an engine."""
        self._threads[engine].ask(request)

    def take(self, timeout: float) -> list[Completion]:
        """The completions there are, waiting up to `timeout` seconds for the first.

        Raises:
            TextsynthError: an engine failed.
        """
        self._hand_over()
        found: list[Completion] = []
        with contextlib.suppress(queue.Empty):
            while self._fault is None:
                item = self._completions.get_nowait() if found else self._completions.get(timeout=timeout)
                if isinstance(item, Exception):
                    self._fault = item
                else:
                    found.append(item)
        self._hand_over()
        if self._fault is not None and not found:
            raise self._fault
        return found

    def finish_in_flight(self) -> None:
        """Hand over nothing more; what the engines work on is still to be taken."""
        for thread in self._threads:
            thread.finish_in_flight()

    @property
    def finished(self) -> bool:
        """Whether, after `finish_in_flight`, nothing is left to be taken."""
        return not any(thread.alive for thread in self._threads) and self._completions.empty()

    def _hand_over(self) -> None:
        for thread in self._threads:
            thread.hand_over()

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._completions.get_nowait()


class _EngineThread:
    """One engine and the requests that wait for it."""

    def __init__(
        self, engine: Engine, completions: queue.Queue[Completion | Exception], since: dict[str, float]
    ) -> None:
        self._engine, self._completions, self._since = engine, completions, since
        self._backlog: deque[Request] = deque()
        self._requests: queue.Queue[Request] = queue.Queue(_ROOM)
        self._stop, self._closing = threading.Event(), threading.Event()
        self._in_flight = 0  # handed out and not yet completed; only the engine's thread touches it
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.start, self.join = self._thread.start, self._thread.join

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def ask(self, request: Request) -> None:
        self._backlog.append(request)
        self.hand_over()

    def hand_over(self) -> None:
        while self._backlog and not self._requests.full():
            self._requests.put_nowait(self._backlog.popleft())

    def finish_in_flight(self) -> None:
        self._closing.set()

    def stop(self) -> None:
        self._stop.set()
        if cancel := getattr(self._engine, "cancel", None):  # one that may wait long for a completion has it
            cancel()

    def _feed(self) -> Iterator[Request | None]:
        while True:
            if self._stop.is_set() or (self._closing.is_set() and not self._in_flight):
                raise _Stopped
            if self._closing.is_set():
                yield None
                continue
            try:
                request = self._requests.get_nowait() if self._in_flight else self._requests.get(timeout=_POLL)
            except queue.Empty:
                if self._in_flight:
                    yield None
                continue
            self._in_flight += 1
            self._since[request.id] = time.monotonic()
            yield request

    def _run(self) -> None:
        try:
            for completion in self._engine.generate(self._feed()):
                self._in_flight -= 1
                self._completions.put(completion)
                if self._stop.is_set():
                    return
            name = type(self._engine).__name__
            self._completions.put(EngineError(f"engine {name}: it ended before its feed did. Mend the engine."))
        except _Stopped:
            return
        except TextsynthError as error:
            self._completions.put(error)
        except Exception as error:  # whatever a runtime raises becomes one sentence
            name = type(self._engine).__name__
            fault = EngineError(f"engine {name}: {type(error).__name__}: {str(error)[:300]}. Run again to go on.")
            fault.__cause__ = error
            self._completions.put(fault)
