"""Tokens/s of the vllm engine under the full pipeline, against raw `LLM.chat`. Needs vLLM; on a CPU, after
`make test-vllm`: LD_PRELOAD=$PWD/.venv-vllm/lib/libiomp5.so VLLM_CPU_KVCACHE_SPACE=2 .venv-vllm/bin/python \\
    eval/vllm_engine.py [--records 500] [--times 3] [--model smollm2-135m] [--options '{"enforce_eager": true}']

The shipped clinical_note job with notes of two or three sentences, without retries, and with the filters schema and
dedup (exact only), in rounds of 250: two are in flight, and vLLM decodes up to 256 at a time here. Both sides answer
the same conversations in one process, with the same sampling, seeds, grammar (guidance) and options, each in a thread
of its own and with a freshly started vLLM; who goes first alternates. The time counts from the first request to the
last answer, so without vLLM's start; `whole_run_seconds` has all.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from textsynth.engines.base import Engine
from textsynth.engines.scripted import ScriptedEngine
from textsynth.engines.vllm import VLLMEngine
from textsynth.job import Job, builtin, job_from
from textsynth.pipeline import run_job
from textsynth.records import Completion, Request

RECIPE = Path(__file__).resolve().parent.parent / "textsynth/recipes/clinical_note"


class Watched:
    """An engine whose requests, answers and time are noted."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.requests: list[Request] = []
        self.seconds, self.tokens, self.answers = 0.0, 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
        started = [0.0]

        def noted() -> Iterator[Request | None]:
            for request in feed:
                started[0] = started[0] or time.perf_counter()
                self.requests += [] if request is None else [request]
                yield request

        for completion in self._engine.generate(noted()):
            self.seconds = time.perf_counter() - started[0]
            self.tokens += completion.completion_tokens
            self.answers += 1
            yield completion


def short_notes(folder: Path, records: int) -> Job:
    """The recipe, with answers of some 40 tokens and as many requests as records."""
    recipe = yaml.safe_load((RECIPE / "job.yaml").read_text(encoding="utf-8"))
    schema = (builtin("schemas", "clinical_note", ".json") or RECIPE).read_text(encoding="utf-8")
    (folder / "short.json").write_text(schema.replace("{4,5}$", "{1,2}$"), encoding="utf-8")
    changes = {
        "seeds": {"path": str(RECIPE / "seeds.jsonl"), "holdout": 0.2, "cut": {"note": 200}},
        "record_schema": "./short.json",
        "steps": [{"prompt": "clinical_note", "few_shot": 4, "retry": 0}],
        "plan": {"target": records, "max_requests": records, "round": 250},
        "filters": [{"type": "schema"}, {"type": "dedup", "near": None}],
    }
    return job_from({**recipe, **changes}, folder / "job.yaml")


def pipeline(job: Job, folder: Path, engine: VLLMEngine) -> dict[str, float]:
    """One run of the job."""
    watched, start = Watched(engine), time.perf_counter()
    result = run_job(job, folder, engine=watched)
    whole = time.perf_counter() - start
    return {
        "tokens_per_second": watched.tokens / watched.seconds,
        "records_per_second": watched.answers / watched.seconds,
        "tokens": watched.tokens,
        "accepted": result.accepted,
        "whole_run_seconds": whole,
    }


def raw(requests: list[Request], engine: VLLMEngine) -> dict[str, float]:
    """One call of `LLM.chat` with all conversations."""
    from vllm import LLM, SamplingParams
    from vllm.platforms import current_platform
    from vllm.sampling_params import StructuredOutputsParams

    grammars = {"backend": "guidance"}
    llm = LLM(engine.path, structured_outputs_config=grammars, use_tqdm_on_load=False, **engine.options)
    chats = [[dict(message) for message in request.messages] for request in requests]
    sampling = [
        SamplingParams(
            **request.sampling,
            seed=None if current_platform.is_cpu() else request.rng_seed,  # as the engine has it
            structured_outputs=StructuredOutputsParams(json=json.dumps(request.schema)),
        )
        for request in requests
    ]
    start = time.perf_counter()
    outputs = llm.chat(chats, sampling, use_tqdm=False)
    seconds = time.perf_counter() - start
    llm.llm_engine.engine_core.shutdown()
    tokens = sum(len(output.outputs[0].token_ids) for output in outputs)
    return {"tokens_per_second": tokens / seconds, "records_per_second": len(outputs) / seconds, "tokens": tokens}


def in_a_thread(work: Any, *args: Any) -> Any:
    """What `work` returns; vLLM binds the thread that starts it to cores, which the next one must not inherit."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work(*args)))
    thread.start()
    thread.join()
    return found[0]


def main(records: int, times: int, model: str, options: dict[str, Any]) -> None:
    from vllm.platforms import current_platform

    if current_platform.is_cpu():  # as the engine has it, and 1.3 times as fast on two cores as a process of its own
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    sides: dict[str, list[dict[str, float]]] = {"pipeline": [], "raw": []}
    engine = VLLMEngine.from_options(model, options, "engine")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = short_notes(folder, records)
        dry = Watched(ScriptedEngine())
        run_job(job, folder / "dry", engine=dry)  # which requests are asked does not hang on the answers here
        for number in range(times):
            for side in ("pipeline", "raw") if number % 2 else ("raw", "pipeline"):
                if side == "raw":
                    made = in_a_thread(raw, dry.requests, engine)
                else:
                    made = in_a_thread(pipeline, job, folder / f"run{number}", engine)
                sides[side].append(made)
                print(json.dumps({side: made}), file=sys.stderr, flush=True)
    numbers: dict[str, Any] = {"requests": len(dry.requests), "times": times, "engine": dict(engine.describe())}
    for side, runs in sides.items():
        numbers[side] = {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]}
    pairs = zip(sides["pipeline"], sides["raw"], strict=True)
    ratios = [one["tokens_per_second"] / other["tokens_per_second"] for one, other in pairs]
    numbers["pipeline_to_raw"] = round(statistics.median(ratios), 3)
    numbers["pipeline_to_raw_each"] = [round(ratio, 3) for ratio in ratios]
    numbers["said"] = dict(engine.said)
    print(json.dumps(numbers, indent=2))


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=500)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--options", type=json.loads, default={"enforce_eager": True})
    args = parser.parse_args()
    main(args.records, args.times, args.model, args.options)
