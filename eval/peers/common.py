"""What every contender's script shares: the questions, the clock, and the one JSON line it prints.

Each script is `SCRIPT BASE_URL REQUESTS OPEN`, run by the Python of its own environment. What it measures is one call
of the contender's own API over all questions. Before the clock starts: the interpreter, imports, the objects a user
builds once, and a first call with OPEN questions, in which everything loads what it loads late and probes the server.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator

Messages = list[dict[str, str]]


def arguments() -> tuple[str, int, int]:
    """Base URL, number of requests, number of open requests."""
    return sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def questions(count: int) -> list[str]:
    """Short questions, no two alike."""
    return [
        f"Write a short note about case {number}, as one JSON object with the key answer." for number in range(count)
    ]


def chats(count: int) -> Iterator[Messages]:
    """The questions as chats of one turn."""
    return ([{"role": "user", "content": question}] for question in questions(count))


def cpu_seconds() -> float:
    """User and system time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(call: Callable[[int], list[str]], requests: int, open_: int) -> None:
    """Print requests/s and CPU seconds of `call(requests)`, which returns the answers' texts."""
    call(open_)
    cpu, start = cpu_seconds(), time.perf_counter()
    answers = call(requests)
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    good = sum("stands for a record" in str(answer) for answer in answers)
    if good != requests:
        sys.exit(f"{good} of {requests} answers came back whole")
    print("\n" + json.dumps({"requests_per_second": requests / seconds, "cpu_seconds": cpu}))
