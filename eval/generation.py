"""The transformers engine beside stock `generate`, in one run. Usage: python eval/generation.py [PART ...] [--rounds 3]

    shared    64 requests that share 564 of 576 prompt tokens, 64 new tokens each
    recipe    200 requests of the clinical_note recipe, with its grammar
    uneven    100 records of the five-field EHR job beside as many tokens in equal lengths
    grammar   128 requests of the clinical_note recipe, 40 tokens each, with and without the grammar
    tokens    float32, greedy: are the tokens those of stock `generate`? (64 prompts)

With --vllm PYTHON, a Python that has vLLM answers the requests of `shared` too. Prints JSON; medians of the rounds,
every ratio taken within a round.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from textsynth.engines.transformers import TransformersEngine
from textsynth.inputs.starter import copy_recipe
from textsynth.job import load_job
from textsynth.models import resolve
from textsynth.prepare import prepare
from textsynth.records import Completion, Request
from textsynth.rounds import Writer

HERE = Path(__file__).parent
MODEL = "smollm2-135m"
VLLM = {  # in one process, which is faster on a CPU
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_KVCACHE_SPACE": "4", "VLLM_LOGGING_LEVEL": "ERROR",
    "HF_HUB_OFFLINE": "1",
}  # fmt: skip
SHARED, PROMPT, NEW = 564, 576, 64


def answers(engine: TransformersEngine, requests: Sequence[Request]) -> tuple[float, list[Completion]]:
    """Seconds from the first request asked (the model is loaded by then) to the last answer, and the answers."""
    started = []

    def feed() -> Any:
        for request in requests:
            if not started:
                started.append(time.perf_counter())
            yield request

    found = list(engine.generate(feed()))
    return time.perf_counter() - started[0], found


def endless(folder: Path) -> str:
    """The embedded model, told that another token ends a text: it writes until its limit."""
    source = Path(resolve(MODEL, "eval"))
    for file in source.iterdir():
        (folder / file.name).symlink_to(file)
    for name in ("generation_config.json", "config.json", "tokenizer_config.json"):
        if (folder / name).exists():
            data = json.loads((folder / name).read_text())
            data |= {"eos_token": "<repo_name>"} if name.startswith("tokenizer") else {"eos_token_id": 3}
            (folder / name).unlink()
            (folder / name).write_text(json.dumps(data))
    return str(folder)


def alike(engine: TransformersEngine, count: int = 64) -> list[Request]:
    """Requests whose prompts have PROMPT tokens, of which the first SHARED and some of the template are equal."""
    history = "The patient was seen in clinic and the plan was explained. " * 60
    own = [f" {a} {b}" for a in ("red", "blue", "green", "black", "white", "gray", "pink", "gold") for b in range(8)]

    def request(number: int, words: int, extra: int) -> Request:
        turns = (
            {"role": "system", "content": " ".join(history.split()[:words])},
            {"role": "user", "content": own[number].strip() + " on" * extra},
        )
        sampling = {"temperature": 0.0, "max_tokens": NEW}
        return Request(f"r{number}", 0, 0, turns, None, sampling, number)

    words = max(w for w in range(100, 600) if engine.encode(request(0, w, 0).messages)[1] <= SHARED)
    made = []
    for number in range(count):
        extra = next(e for e in range(40) if len(engine.encode(request(number, words, e).messages)[0]) >= PROMPT)
        made.append(request(number, words, extra))
    return made


def planned(job: Path, count: int) -> list[Request]:
    """The first requests that a job asks."""
    prepared = prepare(load_job(job), check_only=True)
    writer = Writer(prepared)
    return [writer.request(draft) for draft in writer.plan(0, 0, count).drafts]


def shared(rounds: int, vllm: str | None) -> dict[str, Any]:
    from stock import Stock

    with tempfile.TemporaryDirectory() as folder:
        engine = TransformersEngine(endless(Path(folder)), batch=64, device="cpu")
        requests, stock = alike(engine), Stock(engine, "bfloat16")
        lengths = [engine.encode(request.messages) for request in requests]
        found: list[dict[str, float]] = []
        for _ in range(rounds):
            ours, made = answers(engine, requests)
            assert {done.completion_tokens for done in made} == {NEW}
            theirs = seconds(lambda: stock.texts(requests, 64, NEW))
            row = {"ours": 64 / ours, "stock": 64 / theirs, "ratio": theirs / ours}
            if vllm:
                raw = through_vllm(vllm, folder, requests)
                row |= {"vllm": 64 / raw, "vllm_over_stock": theirs / raw}
            found.append(row)
        return medians(found) | {"prompt_tokens": sorted({len(i) for i, _ in lengths}), "shared": lengths[0][1]}


def recipe(rounds: int) -> dict[str, Any]:
    from stock import Stock, valid

    with tempfile.TemporaryDirectory() as folder:
        copy_recipe("clinical_note", Path(folder) / "job")
        requests = planned(Path(folder) / "job" / "job.yaml", 200)
    engine = TransformersEngine(MODEL, device="cpu")
    stock, found = Stock(engine, "bfloat16"), []
    for _ in range(rounds):
        ours, made = answers(engine, requests)
        begun = time.perf_counter()
        texts, tokens = stock.texts(requests, 32)
        theirs = time.perf_counter() - begun
        ours_tokens = sum(done.completion_tokens for done in made)
        found.append(
            {"ours": 200 / ours, "stock": 200 / theirs, "ratio": theirs / ours,
             "ours_tokens": ours_tokens, "stock_tokens": tokens, "token_ratio": ours_tokens / ours / (tokens / theirs),
             "ours_valid": valid([done.text for done in made]), "stock_valid": valid(texts)}
        )  # fmt: skip
    return medians(found)


def uneven(rounds: int) -> dict[str, Any]:
    requests = planned(HERE / "jobs" / "ehr.yaml", 100)
    engine = TransformersEngine(MODEL, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        endless_engine = TransformersEngine(endless(Path(folder)), device="cpu")
        found = []
        for _ in range(rounds):
            real, made = answers(engine, requests)
            lengths = [done.completion_tokens for done in made]
            mean = round(sum(lengths) / len(lengths))
            equal = [
                replace(one, schema=long_note(), sampling={**one.sampling, "max_tokens": mean}) for one in requests
            ]
            flat, same = answers(endless_engine, equal)
            assert {done.completion_tokens for done in same} == {mean}
            found.append(
                {"uneven": sum(lengths) / real, "equal": mean * 100 / flat,
                 "ratio": (sum(lengths) / real) / (mean * 100 / flat),
                 "shortest": min(lengths), "mean": mean, "longest": max(lengths)}
            )  # fmt: skip
        return medians(found)


def long_note() -> dict[str, Any]:
    """A note under the kind of grammar that the job has, which no answer reaches the end of."""
    sentences = {"type": "string", "pattern": "^(?:[^.!?]+[.!?]){90,99}$", "maxLength": 9000}
    return {"type": "object", "properties": {"note": sentences}, "required": ["note"], "additionalProperties": False}


def grammar(rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        copy_recipe("clinical_note", Path(folder) / "job")
        some = planned(Path(folder) / "job" / "job.yaml", 128)
    requests, found = [replace(one, sampling={**one.sampling, "max_tokens": 40}) for one in some], []
    with tempfile.TemporaryDirectory() as folder:
        engine = TransformersEngine(endless(Path(folder)), device="cpu")
        for _ in range(rounds):
            on, with_grammar = answers(engine, requests)
            off, without = answers(engine, [replace(one, schema=None) for one in requests])
            rates = [sum(d.completion_tokens for d in made) / t for made, t in ((with_grammar, on), (without, off))]
            found.append({"on": rates[0], "off": rates[1], "slower": rates[1] / rates[0] - 1})
    return medians(found)


def tokens(_: int) -> dict[str, Any]:
    from stock import Stock

    with tempfile.TemporaryDirectory() as folder:
        engine = TransformersEngine(endless(Path(folder)), dtype="float32", batch=64, device="cpu")
        requests = alike(engine)
        ours = {done.request_id: done.text for done in answers(engine, requests)[1]}
        theirs, _count = Stock(engine, "float32").texts(requests, 16, NEW)
    equal = sum(ours[request.id] == text for request, text in zip(requests, theirs, strict=True))
    return {"prompts": len(requests), "equal": equal}


def through_vllm(python: str, model: str, requests: Sequence[Request]) -> float:
    """Seconds that vLLM's own `LLM.chat` takes for the requests, in a process of its own."""
    job = {"model": model, "new": NEW, "chats": [[dict(m) for m in request.messages] for request in requests]}
    done = subprocess.run(
        [python, str(HERE / "raw_vllm.py")], input=json.dumps(job), text=True, capture_output=True, check=True,
        env=os.environ | VLLM | {"LD_PRELOAD": str(Path(python).parent.parent / "lib" / "libiomp5.so")},
    )  # fmt: skip
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def medians(rows: Sequence[dict[str, float]]) -> dict[str, Any]:
    return {key: round(median(row[key] for row in rows), 3) for key in rows[0]} | {"rounds": len(rows)}


if __name__ == "__main__":
    parts: dict[str, Any] = {"shared": shared, "recipe": recipe, "uneven": uneven, "grammar": grammar, "tokens": tokens}
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=list(parts))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--vllm", metavar="PYTHON")
    options = parser.parse_args()
    for part in options.parts:
        extra = (options.vllm,) if part == "shared" else ()
        print(json.dumps({part: parts[part](options.rounds, *extra)}), flush=True)
