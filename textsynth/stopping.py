"""Ctrl-C and SIGTERM: the first asks a run to finish what is in flight, the second ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopNow(KeyboardInterrupt):
    """The second signal: nothing is waited for; what is committed stays."""


class Stop:
    """Whether a run was asked to stop."""

    asked = False

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise StopNow
        self.asked = True


@contextmanager
def listening() -> Iterator[Stop]:
    """Hear SIGINT and SIGTERM while a run works; in another thread than the main one, no signal arrives."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop._heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
