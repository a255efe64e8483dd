"""How well a run tells the time that it will take. Usage: python eval/time_left.py [--target 300] [--rng-seeds 7 8 9]

Real runs of the clinical_note recipe with the embedded model. What the progress says is left when 10% and 50% of the
records are accepted, and when 10% and 50% of the run's time have passed, against what was left in fact: from then until
the last round was judged.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import yaml

from textsynth.job import job_from
from textsynth.pipeline import run_job
from textsynth.progress import Progress

RECIPE = Path(__file__).resolve().parent.parent / "textsynth/recipes/clinical_note"


def main(target: int, rng_seeds: list[int]) -> None:
    rows = []
    for rng_seed in rng_seeds:
        rows.append(one_run(target, rng_seed))
        print(json.dumps(rows[-1]), flush=True)


def one_run(target: int, rng_seed: int) -> dict[str, Any]:
    seen: list[tuple[float, int, float | None]] = []

    def note(progress: Progress) -> None:
        if progress.doing in ("writing", "filtering"):
            seen.append((progress.seconds, progress.accepted, progress.seconds_left))

    recipe = yaml.safe_load((RECIPE / "job.yaml").read_text(encoding="utf-8"))
    plan = recipe["plan"] | {"target": target, "max_requests": 5 * target}
    with tempfile.TemporaryDirectory() as folder:
        job = job_from({**recipe, "plan": plan, "rng_seed": rng_seed}, RECIPE / "job.yaml")
        result = run_job(job, Path(folder) / "run", on_progress=note)
    end = seen[-1][0]
    told: dict[str, Any] = {"rng_seed": rng_seed, "accepted": result.accepted, "seconds": round(end, 1)}
    for share in (0.1, 0.5):
        points = {
            "records": next(one for one in seen if one[1] >= share * target and one[2] is not None),
            "time": next(one for one in seen if one[0] >= share * end and one[2] is not None),
        }
        for of, (at, _, left) in points.items():
            told[f"at_{share:.0%}_of_{of}"] = {
                "said": round(left or 0.0, 1),
                "was": round(end - at, 1),
                "off": round((left or 0.0) / (end - at) - 1, 3),
            }
    return told


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", type=int, default=300)
    parser.add_argument("--rng-seeds", type=int, nargs="+", default=[7, 8, 9])
    given = parser.parse_args()
    main(given.target, given.rng_seeds)
