"""A run of a million records: memory, run.db, time to go on. Usage: python eval/million.py [--records 1000000]

The job of overhead.py (the clinical_note recipe, a scripted engine without a delay, filters schema and dedup for exact
duplicates only), in a process of its own; then, in another process, the same command with a target that is 1,000
higher: the time from its start to the first new request, where that process is ended. Memory is the process's peak
resident set. The run folder takes some 3 GB, in `--out` or where temporary files lie; `--again` goes on with one that
is there.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STARTED = time.perf_counter()
MORE = 1000  # records that the second sitting asks beyond the first


def main(records: int, out: Path, again: bool) -> None:
    numbers = {"records": records} if again else {"records": records, "first": sitting(out, records, records)}
    print(json.dumps(numbers | {"again": sitting(out, records + MORE, records)}, indent=2))


def sitting(out: Path, target: int, points_of: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--target", str(target), "--records", str(points_of), "--out", str(out)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def sit(target: int, records: int, out: Path) -> None:
    """One sitting, in this process; prints what it took."""
    from overhead import CHANGES, RECIPE, answers, yaml

    from textsynth.engines.scripted import ScriptedEngine
    from textsynth.job import job_from
    from textsynth.pipeline import run_job
    from textsynth.progress import Progress
    from textsynth.records import Completion, Request

    seen: dict[str, Any] = {}
    points = [records * share // 4 for share in (1, 2, 3, 4)]

    class Watched(ScriptedEngine):
        def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
            def watched() -> Iterator[Request | None]:
                for request in feed:
                    if "seconds_to_first_request" not in seen:
                        seen["seconds_to_first_request"] = round(time.perf_counter() - STARTED, 1)
                        seen["cpu_seconds_to_first_request"] = round(time.process_time(), 1)
                        if target > records:
                            end(seen)
                    yield request

            return super().generate(watched())

    def note(progress: Progress) -> None:
        while points and progress.accepted >= points[0]:
            size = sum(path.stat().st_size for path in out.glob("run.db*"))
            seen[f"run_db_mb_at_{points.pop(0)}"] = round(size / 1e6)
        if progress.doing == "finishing":
            seen.setdefault("seconds_to_last_round", round(time.perf_counter() - STARTED, 1))

    recipe = yaml.safe_load((RECIPE / "job.yaml").read_text(encoding="utf-8"))
    plan = {"target": target, "max_requests": 2 * target}
    result = run_job(
        job_from({**recipe, **CHANGES, "plan": plan}, RECIPE / "job.yaml"),
        out,
        engine=Watched(answers()),
        on_progress=note,
    )
    seen |= {
        "accepted": result.accepted,
        "seconds_with_files_and_report": round(time.perf_counter() - STARTED, 1),
    }
    end(seen)


def end(seen: dict[str, Any]) -> None:
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)
    print(json.dumps(seen | {"peak_mb": peak}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--target", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.target:
        sit(given.target, given.records, given.out)
    elif given.out:
        main(given.records, given.out, given.again)
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(given.records, Path(folder) / "run", False)
