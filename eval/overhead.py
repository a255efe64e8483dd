"""Requests/s of everything but a model. Usage: python eval/overhead.py [--records 20000] [--times 3] [--profile]

The shipped clinical_note job with two examples a prompt, the default rounds, and the filters schema and dedup (exact
only), over the scripted engine without a delay: it answers at once with prepared notes, each in words of its own. It
runs in the same Python process, so what it takes by itself is measured too. Rates are medians; `--profile` adds a run
under cProfile, for the share of the main thread's time that each part takes.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from textsynth.engines.scripted import ScriptedEngine
from textsynth.job import job_from
from textsynth.pipeline import run_prepared
from textsynth.prepare import Prepared, prepare
from textsynth.progress import Progress
from textsynth.records import Request
from textsynth.rounds import Writer

RECIPE = Path(__file__).resolve().parent.parent / "textsynth/recipes/clinical_note"
CHANGES = {
    "steps": [{"prompt": "clinical_note", "few_shot": 2}],
    "filters": [{"type": "schema"}, {"type": "dedup", "near": None}],
    "engine": {"type": "scripted"},
}
PARTS = {
    "plan": "rounds.py:plan",
    "make requests": "rounds.py:request",
    "keep requests": "store.py:add_requests",
    "wait for the engine": "feed.py:take",
    "read completions": "rounds.py:take",
    "keep completions": "store.py:add_completion",
    "normalize": "dedup.py:prepare",
    "judge": "pipeline.py:judge",
    "keep rounds": "store.py:close_round",
    "write files": "export.py:write_run_files",
    "write the report": "report.py:write_report",
}


def main(records: int, times: int, profile: bool) -> None:
    engine = ScriptedEngine(answers())
    recipe = yaml.safe_load((RECIPE / "job.yaml").read_text(encoding="utf-8"))
    job = job_from({**recipe, **CHANGES, "plan": {"target": records}}, RECIPE / "job.yaml")
    prepared = prepare(job, engine=engine)
    runs = [run(prepared) for _ in range(times)]
    numbers: dict[str, Any] = {name: round(statistics.median(one[name] for one in runs)) for name in runs[0]}
    numbers["engine_alone_per_second"] = round(statistics.median(alone(engine, prepared) for _ in range(times)))
    numbers |= {"runs": times, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    print(json.dumps(numbers | ({"shares": shares(prepared)} if profile else {}), indent=2))


def run(prepared: Prepared) -> dict[str, float]:
    """Counts, and requests a second: up to the last committed round, and with the run's files and report."""
    seen: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:

        def note(progress: Progress) -> None:
            seen.setdefault(progress.doing, time.perf_counter())

        start = time.perf_counter()
        result = run_prepared(prepared, Path(folder) / "run", note)
        end = time.perf_counter()
    requests = result.accepted + sum(result.counts.values())  # one a record: no answer needs a retry
    return {
        "requests": requests,
        "accepted": result.accepted,
        "to_last_committed_round_per_second": requests / (seen["finishing"] - start),
        "with_files_and_report_per_second": requests / (end - start),
    }


def alone(engine: ScriptedEngine, prepared: Prepared) -> float:
    """Requests/s of the engine without a pipeline."""
    writer = Writer(prepared)
    requests = [writer.request(draft) for draft in writer.plan(0, 0, 2000).drafts]
    start = time.perf_counter()
    answered = sum(1 for _ in engine.generate(iter(requests)))
    return answered / (time.perf_counter() - start)


def shares(prepared: Prepared) -> dict[str, float]:
    """The share of a run that each part takes in the main thread."""
    with cProfile.Profile() as watch:
        run(prepared)
    stats: dict[tuple[str, int, str], tuple[Any, ...]] = pstats.Stats(watch).stats  # type: ignore[attr-defined]
    spent = {f"{Path(file).name}:{name}": row[3] for (file, _, name), row in stats.items() if "textsynth" in file}
    return {part: round(spent[place] / spent["pipeline.py:run_prepared"], 3) for part, place in PARTS.items()}


def answers() -> Callable[[Request], str]:
    """From a request to a valid answer of its own: a seed's note that also tells the record's number."""
    lines = (RECIPE / "seeds.jsonl").read_text(encoding="utf-8").splitlines()
    notes = [json.dumps({"note": json.loads(line)["note"]}).removesuffix('"}') for line in lines]

    def answer(request: Request) -> str:
        number = int(request.id[1:8])
        return f'{notes[number % len(notes)]} Visit {number} is on record."}}'

    return answer


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    main(given.records, given.times, given.profile)
