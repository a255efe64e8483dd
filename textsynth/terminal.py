"""What a person sees on stderr while they wait: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any

from textsynth.progress import Progress

_UNSEEN = re.compile(  # control characters but tabs and line ends, directions of writing, and what has no width
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """A text as a terminal may be given it: what the terminal would obey, or not show at all, is shown as an escape."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def say(text: str) -> None:
    """Print a line to stderr."""
    print(visible(text), file=sys.stderr, flush=True)


@contextmanager
def bar(what: str) -> Iterator[Callable[[str, float], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f}%"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(what, total=1.0)
        stages: list[str] = []

        def advance(stage: str, fraction: float) -> None:
            if stage not in stages:
                stages.append(stage)
                if not console.is_terminal:
                    say(f"  {stage}")
            bars.update(task, completed=fraction, description=f"{what}: {stage}")

        yield advance


@contextmanager
def progress(as_json: bool = False) -> Iterator[Callable[[Progress], None]]:
    """A live line on a terminal, elsewhere a plain line every ten seconds; and what the engine says, once each.

    Args:
        as_json: one JSON object a line instead, every second and at the end: for a scheduler or another program.
    """
    live, last = sys.stderr.isatty() and not as_json, [0.0]
    pause = 1 if as_json else 0 if live else 10
    heard: set[str] = set()
    seen: list[Progress] = []

    def show(progress: Progress) -> None:
        now, seen[:] = monotonic(), [progress]
        for sentence in sorted(progress.said.keys() - heard):
            heard.add(sentence)
            if as_json:
                say(json.dumps({"note": sentence}, ensure_ascii=False))
                continue
            if live:
                sys.stderr.write("\r\x1b[2K")
            say(f"note: {sentence}")
        if now - last[0] < pause:
            return
        last[0] = now
        if as_json:
            say(progress_json(progress))
        elif live:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r\x1b[2K" + progress_line(progress)[:width])
            sys.stderr.flush()
        else:
            say(progress_line(progress))

    try:
        yield show
    finally:
        if as_json and seen:
            say(progress_json(seen[0]))
        if live and last[0]:
            sys.stderr.write("\n")


def progress_json(p: Progress) -> str:
    """Where a run is as one line of JSON; `seconds_left` and `tokens_per_second` are null while unknown."""
    numbers = {
        "doing": p.doing,
        **{name: getattr(p, name) for name in ("target", "accepted", "completed", "in_flight")},
        "rejected": dict(p.rejected),
        "yield_rate": round(p.yield_rate, 6),
        "prompt_tokens": p.prompt_tokens,
        "completion_tokens": p.tokens,
        "cost": round(p.cost, 6),
        "seconds": round(p.seconds, 3),
        "tokens_per_second": round(p.tokens / p.seconds, 3) if p.tokens and p.seconds else None,
        "seconds_left": None if p.seconds_left is None else round(p.seconds_left, 1),
    }
    return json.dumps(numbers, ensure_ascii=False)


def progress_line(p: Progress) -> str:
    """One line on where a run is."""
    left = p.seconds_left
    refused = ", ".join(f"{count} {reason}" for reason, count in p.rejected.most_common(4))
    parts = [
        f"{p.accepted}/{p.target} accepted",
        f"yield {p.yield_rate:.0%}" if p.completed else "",
        f"refused {refused}" if refused else "",
        f"{p.tokens / p.seconds:.0f} tokens/s" if p.tokens and p.seconds else "",
        f"cost {p.cost:.2f}" if p.cost else "",
        "" if left is None else f"{_clock(left)} left",
        p.doing,
    ]
    return " · ".join(part for part in parts if part)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def pretty(value: Any) -> str:
    """A value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def numbers(scores: Mapping[str, Any]) -> str:
    """A verdict's evidence on one line."""
    return ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k}: {v}" for k, v in scores.items())
