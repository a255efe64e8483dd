"""The engine in a thread of its own, behind two bounded queues, so that nothing the main thread does stalls it."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Iterator

from textsynth.engines.base import Engine
from textsynth.errors import EngineError, TextsynthError
from textsynth.records import Completion, Request

_ROOM = 512  # requests and completions that wait between the threads
_POLL = 0.1  # seconds between looks at whether the run was stopped


class _Stopped(Exception):
    """Ends the engine's generator when the run stops."""


class EngineThread:
    """Runs one engine. `ask` never blocks; `take` returns completions as they finish.

    Use it as a context manager: leaving it stops the engine, finished or not.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._backlog: deque[Request] = deque()
        self._requests: queue.Queue[Request] = queue.Queue(_ROOM)
        self._completions: queue.Queue[Completion | Exception] = queue.Queue(_ROOM)
        self._stop = threading.Event()
        self._fault: Exception | None = None  # raised once the completions before it are taken
        self._in_flight = 0  # handed out and not yet completed; only the engine's thread touches it
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def __enter__(self) -> EngineThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if cancel := getattr(self._engine, "cancel", None):  # one that may wait long for a completion has it
            cancel()
        while self._thread.is_alive():
            self._drain()
            self._thread.join(_POLL)

    def ask(self, request: Request) -> None:
        """Queue a request."""
        self._backlog.append(request)
        self._hand_over()

    def take(self, timeout: float) -> list[Completion]:
        """The completions there are, waiting up to `timeout` seconds for the first.

        Raises:
            TextsynthError: the engine failed.
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

    def _hand_over(self) -> None:
        while self._backlog and not self._requests.full():
            self._requests.put_nowait(self._backlog.popleft())

    def _drain(self) -> None:
        try:
            while True:
                self._completions.get_nowait()
        except queue.Empty:
            pass

    def _feed(self) -> Iterator[Request | None]:
        while True:
            if self._stop.is_set():
                raise _Stopped
            try:
                request = self._requests.get_nowait() if self._in_flight else self._requests.get(timeout=_POLL)
            except queue.Empty:
                if self._in_flight:
                    yield None
                continue
            self._in_flight += 1
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
