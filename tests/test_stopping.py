"""SIGINT and SIGTERM: the first finishes what is in flight, the second ends at once; both can be gone on from."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.jobs import contents, tiny_job
from textsynth import run_job

ROOT = Path(__file__).resolve().parents[1]
PLAN = {"plan": {"target": 16, "round": 8}}
# `textsynth run` with a slow engine that notes what it was handed, four requests at a time.
RUN = """
import sys
from textsynth import cli, prepare
from textsynth.engines.scripted import ScriptedEngine

job, run, log, delay = sys.argv[1:]

class Slow(ScriptedEngine):
    def generate(self, feed):
        def noted():
            for request in feed:
                if request is not None:
                    with open(log, "a") as file:
                        file.write(request.id + "\\\\n")
                yield request
        yield from super().generate(noted())

prepare.build_engine = lambda spec, place: Slow(width=4, delay=float(delay))
sys.argv = ["textsynth", "run", job, "--out", run]
cli.main()
""".replace("\\\\", "\\")


def start(folder: Path, delay: float) -> subprocess.Popen[str]:
    arguments = [folder / "job.yaml", folder / "run", folder / "log", delay]
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *map(str, arguments)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )


def handed(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []


def committed(folder: Path) -> set[str]:
    db = sqlite3.connect(f"file:{folder / 'run/run.db'}?mode=ro", uri=True)
    try:
        return {row[0] for row in db.execute("SELECT request_id FROM completions")}
    finally:
        db.close()


def wait_until_handed(process: subprocess.Popen[str], folder: Path, count: int) -> None:
    until = time.monotonic() + 60
    while len(handed(folder)) < count and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)


def finish_and_compare(folder: Path, tmp_path: Path) -> None:
    """Go on without a signal; all files are those of an unbroken run, and nothing committed was asked again."""
    kept = committed(folder)
    (folder / "log").unlink()
    process = start(folder, 0)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert not kept & set(handed(folder))
    run_job(tiny_job(tmp_path / "whole", **PLAN), tmp_path / "whole/run")
    assert contents(folder / "run") == contents(tmp_path / "whole/run")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_finishes_what_is_in_flight_and_keeps_it(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "a"
    tiny_job(folder, **PLAN)
    process = start(folder, 0.7)
    wait_until_handed(process, folder, 5)  # the first is answered, others are in flight
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "nothing is lost. Go on with: textsynth run" in err and "Traceback" not in err
    asked = handed(folder)
    assert 5 <= len(asked) < 16  # nothing new was handed out
    assert committed(folder) == set(asked)  # and all that had been is kept
    assert json.loads((folder / "run/manifest.json").read_text())["status"] == "interrupted"
    assert not (folder / "run/run.db-wal").exists()
    finish_and_compare(folder, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_at_once(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "a"
    tiny_job(folder, **PLAN)
    process = start(folder, 30)
    wait_until_handed(process, folder, 1)
    process.send_signal(number)
    time.sleep(0.5)
    assert process.poll() is None  # waits for what is in flight
    began = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 10  # the answers would take 30 seconds
    assert process.returncode == 130, err
    assert "nothing is lost. Go on with: textsynth run" in err and "Traceback" not in err
    assert 1 <= len(handed(folder)) <= 4 and not committed(folder)
    finish_and_compare(folder, tmp_path)
