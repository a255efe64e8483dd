"""Runs where vLLM is installed: `make test-vllm` makes a place for it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.engines import contract
from tests.jobs import SCHEMA, lines, tiny_job
from textsynth.engines import local
from textsynth.engines.base import build_engine
from textsynth.errors import EngineError, InputError, MissingExtraError
from textsynth.job import EngineSpec
from textsynth.pipeline import run_job
from textsynth.prepare import models_of
from textsynth.records import Message, Request

if find_spec("vllm") is None:
    pytest.skip("vllm is not installed: run make test-vllm", allow_module_level=True)

from textsynth.engines import vllm as module
from textsynth.engines.vllm import VLLMEngine
from textsynth.engines.vllm_adapter import Runtime

SMALL = "smollm2-135m"
OPTIONS: dict[str, Any] = {"enforce_eager": True, "dtype": "float32", "max_num_seqs": 8, "max_model_len": 1024}
pytestmark = pytest.mark.model


@pytest.fixture(scope="module", autouse=True)
def start_once() -> Iterator[None]:
    """Every `generate` starts vLLM anew; one start is enough for a module of tests."""
    kept: list[Runtime] = []

    def start(path: str, options: Any, name: str, said: Counter[str]) -> Runtime:
        kept[:] = kept or [Runtime(path, options, name, said)]
        kept[0]._said = said
        return kept[0]

    close = Runtime.close
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_HOST_IP", "127.0.0.1")  # or it asks the network for its own address
        patch.setattr(module, "Runtime", start)
        patch.setattr(Runtime, "close", lambda self: None)
        yield
    for runtime in kept:
        close(runtime)


def make(width: int) -> VLLMEngine:
    return VLLMEngine(SMALL, OPTIONS, held=width)


NOT_KEPT = {contract.the_same_rng_seed_gives_the_same_answer: "vLLM takes no seed on a CPU"}


@pytest.mark.parametrize("law", contract.laws(without=NOT_KEPT))
def test_the_contract(law: Any) -> None:
    law(make)


def test_prompt_tokens_are_those_that_check_counts() -> None:
    engine = make(2)
    [done] = contract.answers(engine, [contract.request(3)]).values()
    assert done.prompt_tokens == len(engine.encode(contract.request(3).messages)[0])


def test_a_control_token_in_a_content_is_text() -> None:
    engine, one = make(2), contract.request(0)
    spelled = ({**one.messages[0], "content": "<|im_end|>" * 9}, *one.messages[1:])
    [done] = contract.answers(engine, [dataclasses.replace(one, messages=spelled)]).values()
    ids = engine.tokens(spelled)
    assert done.prompt_tokens == len(ids) and ids.count(engine.tokenizer.eos_token_id) == 4  # of four turns
    jsonschema.validate(json.loads(done.text), contract.SCHEMA)


def test_a_prompt_beyond_the_context_is_a_fault_of_check_and_ends_no_run() -> None:
    engine = make(2)
    long: tuple[Message, ...] = ({"role": "user", "content": "word " * 2000},)
    with pytest.raises(InputError, match=r"the prompt has \d+ tokens and its answer may take 10; .* room for 1024\."):
        engine.check(long, None, 10)
    one = contract.request(0)
    requests = [type(one)("long", 0, 0, long, None, {"max_tokens": 10}, 1), one]
    found = contract.answers(engine, requests)
    assert found["long"].finish_reason == "length" and found["long"].text == ""
    assert found["r0"].text
    [said] = engine.said.items()
    assert said == ("a prompt of 1024 tokens or more leaves no room for an answer: it was not asked.", 1)


def test_an_answer_ends_where_the_context_does() -> None:
    engine = make(2)
    nearly = tuple({**turn, "content": "word " * 970} for turn in contract.request(0).messages[:1])
    one = contract.request(0)
    [done] = contract.answers(engine, [type(one)("r0", 0, 0, nearly, None, {"max_tokens": 500}, 1)]).values()
    assert done.finish_reason in ("length", "stop") and 0 < done.completion_tokens < 60
    assert done.prompt_tokens + done.completion_tokens <= 1024


def test_a_schema_without_a_grammar_is_told_in_words_and_counted() -> None:
    engine = make(4)
    schema = {"type": "object", "properties": {"a": {"not": {"type": "string"}}}, "required": ["a"]}
    one = contract.request(0)
    odd = type(one)("odd", 0, 0, one.messages, schema, {"max_tokens": 5, "temperature": 0.0}, 1)
    found = contract.answers(engine, [odd, one])
    assert found["odd"].prompt_tokens > found["r0"].prompt_tokens + 20
    jsonschema.validate(json.loads(found["r0"].text), contract.SCHEMA)
    assert engine.said == {"a schema has no grammar: it was asked for in words, and answers are checked.": 1}


def test_what_vllm_refuses_is_one_sentence() -> None:
    hot = [contract.request(0, schema=None, temperature=3.0)]
    with pytest.raises(
        EngineError, match=r"^engine: smollm2-135m: vLLM refuses a request .*temperature.* 3\.0.*\. Check"
    ):
        contract.answers(make(1), hot)
    assert contract.answers(make(1), [contract.request(0)])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_model_len": 10**7}, r"max_model_len \(10000000\).*Check engine\.model, engine\.options"),
        ({"tensor_parallel_size": "two"}, r"tensor_parallel_size .*valid integer"),
    ],
)
def test_a_start_that_fails_is_one_sentence(options: dict[str, Any], said: str) -> None:
    with pytest.raises(EngineError, match=said) as error:
        Runtime(make(1).path, {**OPTIONS, **options}, "job.yaml: engine: smollm2-135m", Counter())
    assert str(error.value).startswith("job.yaml: engine: smollm2-135m: vLLM does not start (")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"max_model_length": 9},
            r"options\.max_model_length is not an option of vLLM .* Did you mean max_model_len\?",
        ),
        ({"model": "x/y"}, r"options\.model cannot be set: set engine\.model instead\."),
        ({"trust_remote_code": True}, r"options\.trust_remote_code cannot be set: no code"),
    ],
)
def test_wrong_options_are_faults(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=r"^job\.yaml: engine\." + said):
        build_engine(EngineSpec(type="vllm", options=options), "job.yaml: engine")


def test_its_own_options_are_passed_on() -> None:
    options = {"tensor_parallel_size": 2, "quantization": "fp8", "gpu_memory_utilization": 0.5}
    engine = build_engine(EngineSpec(type="vllm", options=options), "job.yaml: engine")
    assert engine.describe()["options"] == options
    assert engine.abilities()["structured_output"] == "by a grammar in vLLM (guidance)"


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"^job\.yaml: engine: .* vllm is not installed\. .*textsynth\[vllm\]"):
        build_engine(EngineSpec(type="vllm"), "job.yaml: engine")


def test_building_an_engine_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("not JSON")
    engine = build_engine(EngineSpec(type="vllm", model=str(tmp_path)), "job.yaml: engine")
    assert "path" not in vars(engine) and "tokenizer" not in vars(engine)


def test_seeds_that_are_not_taken_are_told_once() -> None:
    engine = make(4)
    contract.answers(engine, map(contract.request, range(2)))
    assert not engine.said
    contract.answers(engine, [contract.request(n, temperature=0.8) for n in range(3)])
    assert engine.said == {"vLLM takes no seed on a CPU: a run that is repeated gets other answers.": 1}


def test_cancel_ends_it_with_long_answers_open() -> None:
    engine, taken = make(2), []

    def feed() -> Iterator[Request]:
        yield contract.request(0, schema=None, max_tokens=900)
        engine.cancel()
        yield contract.request(1)

    for completion in engine.generate(feed()):
        taken.append(completion)
    assert not taken
    assert contract.answers(engine, [contract.request(2)]).keys() == {"r2"}


def test_a_job_runs_on_it(tmp_path: Path) -> None:
    """The engine is in a thread of its own there, and several rounds follow each other."""
    engine = {"type": "vllm", "model": SMALL, "options": OPTIONS}
    job = tiny_job(tmp_path, engine=engine, plan={"target": 9, "round": 4}, sampling={"temperature": 0.7})
    assert run_job(job, tmp_path / "run").accepted == 9
    for record in lines(tmp_path / "run/accepted.jsonl"):
        jsonschema.validate(record, SCHEMA)


def test_its_embedded_model_is_fetched_before_a_run(tmp_path: Path) -> None:
    job = tiny_job(tmp_path, engine={"type": "vllm", "model": SMALL})
    assert models_of(job) == [SMALL] and models_of(job, writes=False) == []


IN_A_PROGRAM = """
import json, psutil
from tests.engines import contract
from textsynth.engines.vllm import VLLMEngine

def lives(child):
    try:
        return "resource_tracker" not in " ".join(child.cmdline())
    except psutil.NoSuchProcess:  # it has just ended; a zombie too
        return False

def children():
    return sum(map(lives, psutil.Process().children(recursive=True)))

if __name__ == "__main__":
    engine = VLLMEngine("smollm2-135m", OPTIONS)
    answers = engine.generate(map(contract.request, range(20)))
    next(answers)
    there = children()
    answers.close()
    print(json.dumps([there, children()]))
"""


def test_vllm_in_processes_of_its_own_leaves_none_behind(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(IN_A_PROGRAM.replace("OPTIONS", repr(OPTIONS)))
    root = Path(__file__).parents[2]
    environment = {**os.environ, "VLLM_ENABLE_V1_MULTIPROCESSING": "1", "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    during, after = json.loads(done.stdout)  # nothing else is printed there
    assert during >= 1 and after == 0
