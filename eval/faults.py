"""A disk that fills up and a server that dies. Usage: python eval/faults.py disk|server

disk (as root): the run folder of a scripted job lies on a tmpfs of several sizes, from one that is full at once to one
that has room for all but the last files. `textsynth run` must end with exit code 3 and a sentence, and after the tmpfs
is made larger the same command must end in the files of a run that had room.

server: an OpenAI-compatible server on loopback, which answers a request the same way each time, is killed several times
during a run and comes back on its port: once within the engine's patience, once after the run has stopped for it (a
patience of 2 s instead of 300), so that it is started again.

Lost are completions that were durable when the run stopped and are not there, or not the same, at its end.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kill import Logging, durable  # which also puts the repository on the path

from tests.engines.server import ModelServer
from tests.jobs import FILES, tiny_job
from textsynth.engines.openai import OpenAIEngine
from textsynth.engines.pacing import Patience
from textsynth.errors import TextsynthError
from textsynth.pipeline import run_job

SIZES = (0.02, 0.2, 0.4, 0.6, 0.8, 0.95)  # of what the whole run takes
JOB: dict[str, Any] = {"plan": {"target": 200, "round": 16}, "filters": [{"type": "schema"}, {"type": "dedup"}]}


def disk(folder: Path) -> dict[str, Any]:
    tiny_job(folder, **JOB, engine={"type": "scripted", "options": {"broken": 0.1}})
    whole = folder / "whole"
    assert command(folder, whole).returncode == 0
    needed = sum(path.stat().st_size for path in whole.iterdir())
    told: dict[str, Any] = {"bytes_of_the_whole_run": needed, "fills": []}
    for share in SIZES:
        with tmpfs(folder / "small", int(share * needed) // 4096 * 4096) as place:
            run = place / "run"
            full = command(folder, run)
            kept = {row[0]: row for row in durable(run)} if run.is_dir() else {}
            subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
            again = command(folder, run)
            now = {row[0]: row for row in durable(run)}
            told["fills"].append(
                {
                    "size_share": share,
                    "exit_codes": [full.returncode, again.returncode],
                    "says": full.stderr.strip().splitlines()[-1].replace(str(run), "RUN"),
                    "traceback": "Traceback" in full.stderr,
                    "durable": len(kept),
                    "lost": sum(now.get(key) != row for key, row in kept.items()),
                    "files_identical": same(run, whole),
                }
            )
    return told


def command(folder: Path, run: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "textsynth.cli", "run", str(folder / "job.yaml"), "--out", str(run)]
    root = Path(__file__).resolve().parents[1]
    return subprocess.run(line, cwd=root, capture_output=True, text=True, check=False)


@contextmanager
def tmpfs(place: Path, size: int) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def same(run: Path, whole: Path) -> bool:
    return all((run / name).read_bytes() == (whole / name).read_bytes() for name in FILES)


def server(folder: Path) -> dict[str, Any]:
    with ModelServer() as there:
        there.seconds = 0.02
        engine = {"type": "openai", "model": "tiny", "base_url": there.url}
        job = tiny_job(folder, **JOB, engine=engine)

        def openai(patience: Patience) -> OpenAIEngine:
            return OpenAIEngine("tiny", there.url, concurrency=8, patience=patience)

        run_job(job, folder / "whole", engine=openai(Patience()))
        whole = {row[0]: row for row in durable(folder / "whole")}
        told: dict[str, Any] = {"requests": len(whole)}

        patient, deaths = openai(Patience()), Deaths(there, answered=60, times=4, back_after=1.0)
        with deaths:
            run_job(job, folder / "waits", engine=patient)
        told["comes back within the patience"] = {
            "deaths": deaths.count,
            "times_the_server_was_said_to_be_away": sum(n for what, n in patient.said.items() if "reached" in what),
            "completions": len(durable(folder / "waits")),
            "files_identical": same(folder / "waits", folder / "whole"),
        }

        stops: list[str] = []
        codes, lost, again = [], 0, 0
        kept: dict[str, tuple[Any, ...]] = {}
        for sitting in range(5):
            log = folder / f"log{sitting}"
            try:
                with Deaths(there, answered=60, times=1 if sitting < 4 else 0, back_after=None):
                    run_job(job, folder / "stops", engine=Logging(openai(Patience(0.1, 0.5, 2, 2)), log))
                codes.append(0)
            except TextsynthError as error:
                codes.append(error.exit_code)
                stops.append(str(error))
                there.start()
            again += len(kept.keys() & set(log.read_text().splitlines()))
            now = {row[0]: row for row in durable(folder / "stops")}
            lost += sum(now.get(key) != row for key, row in kept.items())
            kept = now
        told["comes back after the run has stopped"] = {
            "exit_codes": codes,
            "says": stops[0].replace(there.url, "URL") if stops else None,
            "durable_asked_again": again,
            "lost": lost,
            "files_identical": same(folder / "stops", folder / "whole"),
        }
    return told


class Deaths:
    """Kills a server each time it has answered so many more chats, and starts it again after some seconds, or never."""

    def __init__(self, there: ModelServer, answered: int, times: int, back_after: float | None) -> None:
        self._there, self._answered, self._times, self._back_after = there, answered, times, back_after
        self._ended, self.count = threading.Event(), 0
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Deaths:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        since = len(self._there.bodies)
        while self.count < self._times and not self._ended.wait(0.01):
            if len(self._there.bodies) - since >= self._answered:
                self._there.stop()
                self.count += 1
                if self._back_after is None:
                    return
                time.sleep(self._back_after)
                self._there.start()
                since = len(self._there.bodies)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("disk", "server"))
    with tempfile.TemporaryDirectory() as made:
        print(json.dumps({"disk": disk, "server": server}[parser.parse_args().what](Path(made)), indent=2))
