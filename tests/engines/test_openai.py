from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from email.utils import formatdate
from typing import Any

import jsonschema
import pytest
from aiohttp import web

from tests.engines import contract, server
from tests.engines.server import ModelServer, refuses, says
from textsynth.engines.base import build_engine
from textsynth.engines.openai import OpenAIEngine
from textsynth.engines.pacing import Again, Pace, Patience, Tries, retry_after
from textsynth.errors import EngineError, InputError
from textsynth.feed import EngineThreads
from textsynth.inputs.tighten import tighten
from textsynth.job import EngineSpec
from textsynth.parse import parse_fields
from textsynth.records import Completion, Request

QUICK = Patience(first=0.01, longest=0.05, start=0.3, total=1.0)
KEY = "sk-tests-4711"


def engine_at(server: ModelServer, **options: Any) -> OpenAIEngine:
    return OpenAIEngine("tiny", server.url, **{"patience": QUICK, "place": "job.yaml: engine", **options})


def ask(engine: OpenAIEngine, count: int = 5, **options: Any) -> dict[str, Completion]:
    return contract.answers(engine, [contract.request(number, **options) for number in range(count)])


def all_valid(found: dict[str, Completion], count: int = 5) -> bool:
    fields = [parse_fields(completion.text) for completion in found.values()]
    return len(found) == count and all(jsonschema.Draft202012Validator(contract.SCHEMA).is_valid(one) for one in fields)


def before_the_fault(engine: OpenAIEngine, requests: Sequence[Request]) -> tuple[list[str], str]:
    """Which requests were answered before the engine gave up, and what it said."""
    found: list[str] = []
    with pytest.raises(EngineError) as error:
        found.extend(completion.request_id for completion in engine.generate(iter(requests)))
    said = str(error.value)
    assert said.startswith("job.yaml: engine: the openai engine at http://127.0.0.1:") and said.endswith(".")
    assert "Describe" not in said and "\n" not in said and KEY not in said
    return found, said


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.mark.parametrize("law", contract.laws())
def test_the_contract(law: Any, model: ModelServer) -> None:
    law(lambda width: engine_at(model, concurrency=width))


IN_FENCES = "answers come in fences, which the parser takes off"
NOT_BARE = {contract.every_answer_obeys_its_schema: IN_FENCES, contract.text_without_a_schema_is_free: IN_FENCES}


@pytest.mark.parametrize("law", contract.laws(without=NOT_BARE))
def test_the_contract_where_schemas_are_told_in_words(law: Any) -> None:
    with ModelServer(always=server.ignores_schemas) as there:
        law(lambda width: engine_at(there, concurrency=width))


# what is asked


def test_a_request_is_asked_as_it_stands() -> None:
    with ModelServer() as there:
        engine = engine_at(there, body={"chat_template_kwargs": {"enable_thinking": False}})
        one = contract.request(4, temperature=0.7)
        sampling = {**one.sampling, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "repetition_penalty": 1.1}
        many = Request("r4", 0, 0, one.messages, one.schema, sampling, rng_seed=2**62 + 5)
        assert contract.answers(engine, [many])["r4"].prompt_tokens == 7
        probe, body = there.bodies
        assert probe["response_format"]["type"] == "json_schema"
        form = body.pop("response_format")["json_schema"]
        assert form["strict"] is True and form["schema"]["properties"] == contract.SCHEMA["properties"]
        assert body == {
            "model": "tiny",
            "chat_template_kwargs": {"enable_thinking": False},
            "messages": list(one.messages),
            "seed": 5,
            **sampling,
        }
        assert "Authorization" not in there.headers[0]
    assert not engine.said
    assert engine.abilities() == {
        "context": 4096,
        "structured_output": "response_format json_schema, held by the server",
    }
    assert engine.describe()["fingerprint"] == f"tiny@127.0.0.1:{there.port}"


def test_text_that_spells_a_control_token_is_sent_with_a_space_and_said() -> None:
    with ModelServer() as there:
        engine = engine_at(there)
        one = contract.request(0)
        spelled = ({"role": "user", "content": "a <|im_end|> and </s>"}, *one.messages[1:])
        asked = [dataclasses.replace(one, id=f"r{n}", messages=(spelled, one.messages)[n % 2]) for n in range(4)]
        contract.answers(engine, asked)
        sent = sorted(body["messages"][0]["content"] for body in there.bodies[1:])
    assert sent == [one.messages[0]["content"]] * 2 + ["a < |im_end|> and < /s>"] * 2
    assert engine.said == {
        "text that spells a control token was sent with a space in it, as `< s>`, to remain text.": 2
    }


@pytest.mark.parametrize(("owner", "keeps"), [("tests", False), ("vllm", True)])
def test_only_vllm_is_told_what_its_grammar_alone_knows(owner: str, keeps: bool) -> None:
    field = {"type": "string"}
    schema = {"type": "object", "properties": {"$comment": field, "x-guidance": field}, "required": ["$comment"]}
    one = contract.request(0)
    with ModelServer() as there:
        there.models["data"][0]["owned_by"] = owner
        asked = Request("r0", 0, 0, one.messages, tighten(schema), one.sampling, 1)
        contract.answers(engine_at(there), [asked])
        sent = there.bodies[-1]["response_format"]["json_schema"]["schema"]
    assert ("x-guidance" in sent) is keeps and "$schema" not in sent
    assert sent["properties"].keys() == {"$comment", "x-guidance"}  # fields of the user's
    assert "$comment" not in sent["properties"]["$comment"]


def test_no_more_are_open_than_asked_for() -> None:
    with ModelServer() as there:
        there.seconds = 0.02
        ask(engine_at(there, concurrency=3), 12)
        assert there.most_open == 3
        ask(engine_at(there), 12)
        assert there.most_open == 12


def test_connections_are_used_again() -> None:
    with ModelServer() as there:
        ask(engine_at(there, concurrency=2), 20)
        assert len(there.connections) <= 3


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with ModelServer() as there:
        engine = engine_at(there)
        assert all_valid(ask(engine)) and not engine.said


# servers that do not hold a schema


@pytest.mark.parametrize(
    "always",
    [
        server.ignores_schemas,
        refuses("response_format is not supported", unless=lambda body: "response_format" not in body),
        refuses("Bad request.", 422, unless=lambda body: "response_format" not in body),
    ],
    ids=["ignores it", "refuses it", "refuses it without a word"],
)
def test_without_response_format_the_schema_is_told_in_words(always: Any) -> None:
    with ModelServer(always=always) as there:
        engine = engine_at(there)
        assert all_valid(found := ask(engine))
        assert all("<think>" in completion.text and "```json" in completion.text for completion in found.values())
        assert not any("response_format" in body for body in there.bodies[-5:])
    [(sentence, times)] = engine.said.items()
    assert "does not hold answers to a schema" in sentence and times == 5
    assert engine.abilities()["structured_output"] == "the schema told in words, and answers checked"


def test_one_schema_that_is_refused_is_told_in_words_and_others_are_held() -> None:
    def fine(body: Any) -> bool:
        return "mood" not in json.dumps(body.get("response_format", ""))

    other = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    with ModelServer(always=refuses("Invalid schema: 'enum' is not supported", unless=fine)) as there:
        engine = engine_at(there)
        assert all_valid(ask(engine))
        free = contract.answers(engine, [contract.request(9, schema=other)])
        assert free["r9"].text.startswith("{")
    assert any(sentence.startswith("the server refuses a schema: it was told in words") for sentence in engine.said)
    assert engine.dialect.honors is True


def test_a_seed_of_null_leaves_seeds_out() -> None:
    with ModelServer() as there:
        engine = engine_at(there, body={"seed": None})
        contract.answers(engine, map(contract.request, range(3)))
        assert there.bodies and not any("seed" in body for body in there.bodies)
    build_engine(EngineSpec(type="openai", base_url=there.url, options={"body": {"seed": None}}), "job.yaml: engine")


@pytest.mark.parametrize("name", ["min_p", "seed", "temperature"])
def test_a_parameter_that_is_unknown_is_left_out_and_said(name: str) -> None:
    sampling = {"temperature": 0.5, "min_p": 0.1, "max_tokens": 20}
    asked = [Request(f"r{n}", 0, 0, contract.request(n).messages, None, sampling, n) for n in range(5)]
    fault = refuses(f"Unrecognized request argument supplied: {name}", unless=lambda body: name not in body)
    with ModelServer(always=fault) as there:
        engine = engine_at(there)
        assert len(contract.answers(engine, asked)) == 5
        assert there.bodies[-1].keys() >= {"temperature", "min_p", "seed", "max_tokens"} - {name}
    assert f"the server does not take {name}: requests were made without it." in engine.said


def test_a_value_that_is_out_of_range_is_a_fault() -> None:
    wide = refuses("temperature must be between 0 and 2", unless=lambda body: "temperature" not in body)
    with ModelServer(always=wide) as there:
        _, said = before_the_fault(engine_at(there), [contract.request(0, temperature=3, schema=None)])
    assert "refused a request (400 invalid_request_error). Its log says why; check engine.model, sampling" in said


def test_the_other_name_of_max_tokens_is_used() -> None:
    message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    with ModelServer(always=refuses(message, unless=lambda body: "max_tokens" not in body)) as there:
        assert all_valid(ask(engine_at(there)))
        assert there.bodies[-1]["max_completion_tokens"] == 40


# answers


def test_reasoning_is_not_the_answer_and_no_content_is_no_text() -> None:
    given = [server.completion(None), server.completion(""), server.completion("Fine.")]
    given[2]["choices"][0]["message"]["reasoning_content"] = "Let me think."
    with ModelServer(*map(says, given)) as there:
        found = ask(engine_at(there, concurrency=1), 3, schema=None)
    assert [completion.text for completion in found.values()] == ["", "", "Fine."]


def test_parts_are_joined_and_half_characters_replaced() -> None:
    parts: Any = [{"type": "text", "text": "One "}, {"type": "text", "text": "tw\ud83d."}]
    with ModelServer(says(server.completion(parts))) as there:
        found = ask(engine_at(there), 1, schema=None)
    assert found["r0"].text == "One tw?."


def test_missing_token_counts_and_other_finish_reasons_are_said() -> None:
    odd = says(server.completion("Fine.", reason="content_filter"))
    with ModelServer(server.no_usage, server.no_usage, odd) as there:
        engine = engine_at(there, concurrency=1)
        found = ask(engine, 3, schema=None)
    assert [found[f"r{n}"].prompt_tokens for n in range(3)] == [0, 0, 7]
    assert found["r2"].finish_reason == "stop"
    assert engine.said == {
        "the server does not count tokens: an answer's are taken as 0.": 2,
        "the server ended an answer for the reason content_filter, which is taken as stop.": 1,
    }


# faults that pass


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (says("<html>Busy</html>", 503), "answered 503"),
        (says({}, 500), "answered 500"),
        (says({}, 429, Retry_After="0.01"), "answered 429"),
        (says({}, 408), "answered 408"),
        (server.cuts_connection, "closed the connection before its answer was whole"),
        (server.closes_half_way, "closed the connection before its answer was whole"),
        (server.never_ends, "gave no whole answer within 0.2 s"),
        (server.floods, "answered more than 32 MiB"),
        (server.speaks_another_protocol, "does not speak HTTP"),
        (says("<!doctype html><p>Hello."), "answered HTML, not JSON"),
        (says("Hello."), "answered no JSON"),
        (says({"error": {"message": "out of luck"}}), "answered JSON without choices"),
        (says({"choices": []}), "answered JSON without choices"),
        (says([1]), "answered JSON without choices"),
    ],
    ids=range(14),
)
def test_a_fault_that_passes_is_counted_and_every_request_is_answered_once(fault: Any, said: str) -> None:
    timeout = 0.2 if "0.2 s" in said else 30.0
    with ModelServer() as there:
        engine = engine_at(there, timeout=timeout, concurrency=4)
        ask(engine, 1)  # the probe and a connection are behind us
        there.faults.extend([fault, fault])
        assert all_valid(ask(engine, 10), 10)
    assert engine.said == {f"the server {said} and was asked again.": 2}


def test_a_burst_of_503_is_survived_with_less_asked_at_a_time() -> None:
    async def overloaded(request: web.Request, body: Any) -> web.StreamResponse | None:
        return web.Response(status=503) if there.open > 5 else None

    with ModelServer(always=overloaded) as there:
        there.seconds = 0.005
        engine = engine_at(there, concurrency=40, patience=Patience(0.005, 0.02, 1, 30))
        assert all_valid(ask(engine, 150), 150)
    assert engine.said["the server answered 503 and was asked again."] < 150


def test_429_for_longer_than_all_retries_of_another_fault_take_is_survived() -> None:
    until = time.monotonic() + 1.0

    async def limited(request: web.Request, body: Any) -> web.StreamResponse | None:
        return web.Response(status=429) if time.monotonic() < until else None

    with ModelServer(always=limited) as there:
        assert all_valid(ask(engine_at(there, patience=Patience(0.01, 0.05, 1, 30))))


@pytest.mark.parametrize("wait", ["1", "date"])
def test_nobody_asks_before_the_time_that_the_server_names(wait: str) -> None:
    async def limits(request: web.Request, body: Any) -> web.StreamResponse:
        named.append(time.monotonic())
        date = formatdate(time.time() + 2, usegmt=True)
        return web.Response(status=429, headers={"Retry-After": wait if wait == "1" else date})

    async def notes(request: web.Request, body: Any) -> None:
        asked.append(time.monotonic())

    named: list[float] = []
    asked: list[float] = []
    with ModelServer(limits, always=notes) as there:
        ask(engine_at(there, concurrency=2, patience=Patience(0.01, 0.05, 1, 30)), 5, schema=None)
    assert len(asked) == 5
    assert sum(at - named[0] < 0.95 for at in asked) <= 1  # the one that was open already


def test_a_server_that_dies_and_comes_back_is_gone_on_with() -> None:
    async def dies(request: web.Request, body: Any) -> None:
        async def die() -> None:
            await there._stop()
            there.later(0.3, there._start)

        there.later(0, die)

    with ModelServer() as there:
        there.seconds = 0.01
        engine = engine_at(there, concurrency=4, patience=Patience(0.01, 0.05, 5, 5))
        ask(engine, 1)
        there.faults.extend([server.no_usage] * 6 + [dies])
        assert all_valid(ask(engine, 40), 40)
    assert any("cannot be reached (Connection refused)" in sentence for sentence in engine.said), engine.said


# faults that stay


def test_a_server_that_stays_dead_ends_the_run_with_one_error_after_what_was_finished() -> None:
    requests = [contract.request(number) for number in range(30)]
    with ModelServer() as there:
        engine, found = engine_at(there, concurrency=4), []
        with pytest.raises(EngineError) as error:
            for completion in engine.generate(iter(requests)):
                found.append(completion.request_id)
                if len(found) == 6:
                    there.stop()
    assert len(set(found)) == len(found) >= 6
    said = str(error.value)
    assert said.startswith(f"job.yaml: engine: the openai engine at {there.url}: the server cannot be reached")
    assert said.endswith("or set engine.base_url. What was finished is kept; run again to go on.")


def test_a_server_that_is_not_there_is_told_soon() -> None:
    with ModelServer() as there:
        pass
    found, said = before_the_fault(engine_at(there), [contract.request(0), contract.request(1)])
    assert not found and "cannot be reached (Connection refused)" in said and "Start the server" in said


@pytest.mark.parametrize(
    ("always", "said"),
    [
        (
            says("<html>A page</html>"),
            r"answered HTML, not JSON, also when asked again\. Is engine\.base_url right\? It usually ends in /v1\.",
        ),
        (says({"choices": [{"text": "x"}]}), "answered JSON without choices"),
        (says({}, 500), "answered 500, also when asked again. Look into the server's log"),
        (says({}, 429), "answered 429, .*ask for less with engine.options.concurrency"),
        (says({}, 429, Retry_After="9000"), "answered 429 and asks to wait 9000 s"),
        (server.never_ends, "gave no whole answer within 0.1 s.* Raise engine.options.timeout, or set it to none"),
        (says({}, 302, Location="/v2"), r"is no chat API \(302\). Is engine.base_url right"),
        (says("<html>Not found</html>", 404), r"/v1/chat/completions is no chat API \(404\)"),
        (says({"error": "Describe your key"}, 401), r"wants a key \(401\). Name the environment variable"),
        (refuses("This model's maximum context length is 512 tokens, you asked"), "pass the model's context of 4096"),
        (refuses("Describe Describe"), r"refused a request \(400 invalid_request_error\)"),
        (says({"detail": [{"loc": ["body"], "msg": "no", "input": "Describe schema"}]}, 422), r"request \(422\)"),
    ],
    ids=range(12),
)
def test_a_fault_that_stays_is_one_error_that_names_the_next_step(always: Any, said: str) -> None:
    with ModelServer(always=always) as there:
        engine = engine_at(there, timeout=0.1)
        found, told = before_the_fault(engine, [contract.request(number, schema=None) for number in range(3)])
    assert re.search(said, told), told
    assert not found
    assert "Describe" not in str(engine.said)


def test_what_is_on_its_way_arrives_before_the_fault_of_another() -> None:
    async def too_long(request: web.Request, body: Any) -> web.StreamResponse | None:
        if "Describe bread." in body["messages"][-1]["content"]:
            return await refuses("exceeds the available context size")(request, body)
        await asyncio.sleep(0.2)
        return None

    with ModelServer(always=too_long) as there:
        found, said = before_the_fault(engine_at(there), [contract.request(n, schema=None) for n in (0, 1, 2)])
    assert sorted(found) == ["r0", "r2"] and "Show fewer seeds" in said


def test_what_waits_is_dropped_when_another_request_ends_the_run() -> None:
    async def locks(request: web.Request, body: Any) -> web.StreamResponse:
        await asyncio.sleep(0.1)
        return web.Response(status=401)

    with ModelServer(says({}, 429, Retry_After="40"), locks) as there:
        engine, begun = engine_at(there, patience=Patience(0.01, 0.05, 60, 60)), time.monotonic()
        before_the_fault(engine, [contract.request(n, schema=None) for n in range(2)])
    assert time.monotonic() - begun < 20


def test_an_unknown_model_is_told_with_those_there_are() -> None:
    with ModelServer(always=says({"error": {"message": "no such model"}}, 404)) as there:
        there.models = {"data": [{"id": f"model-{n}"} for n in range(7)]}
        _, said = before_the_fault(engine_at(there), [contract.request(0)])
    assert "does not know the model tiny. Set engine.model to one it has: model-0, model-1, " in said
    assert said.endswith("model-4 and 2 more.")


def test_the_key_comes_from_its_variable_and_is_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINY_KEY", KEY)

    async def locked(request: web.Request, body: Any) -> web.StreamResponse | None:
        if request.headers.get("Authorization") == f"Bearer {KEY}":
            return None
        error = {"message": f"wrong key {KEY}", "code": KEY}
        return web.json_response({"error": error}, status=401)

    with ModelServer(always=locked) as there:
        engine = engine_at(there, api_key_env="TINY_KEY")
        assert all_valid(ask(engine))
        assert KEY not in json.dumps([dict(engine.describe()), dict(engine.abilities()), repr(engine), engine.said])
        monkeypatch.setenv("TINY_KEY", "wrong")
        _, said = before_the_fault(engine_at(there, api_key_env="TINY_KEY"), [contract.request(0)])
        assert "refused the key (401). Check the variable TINY_KEY." in said
        monkeypatch.setenv("TINY_KEY", KEY)
        there.always = says({"error": {"message": KEY, "code": KEY}}, 400)
        before_the_fault(engine_at(there, api_key_env="TINY_KEY"), [contract.request(0)])


def test_a_slow_answer_is_waited_for_without_a_timeout() -> None:
    with ModelServer() as there:
        there.seconds = 0.5
        spec = EngineSpec(type="openai", model="tiny", base_url=there.url, options={"timeout": "none"})
        engine = build_engine(spec, "job.yaml: engine")
        assert isinstance(engine, OpenAIEngine) and engine.timeout is None
        assert len(ask(engine, 2, schema=None)) == 2


# stopping


def test_closing_it_drops_what_is_open() -> None:
    async def hangs(request: web.Request, body: Any) -> None:
        await asyncio.sleep(60)

    with ModelServer(server.no_usage, always=hangs) as there:
        started = engine_at(there).generate(iter([contract.request(n, schema=None) for n in range(9)]))
        next(started)
        started.close()  # type: ignore[attr-defined]
        until = time.monotonic() + 5
        while there.open and time.monotonic() < until:
            time.sleep(0.01)
        assert there.open == 0


def test_a_run_that_stops_does_not_wait_for_a_server_that_hangs() -> None:
    async def hangs(request: web.Request, body: Any) -> None:
        reached.set()
        await asyncio.sleep(60)

    reached = threading.Event()
    with ModelServer(always=hangs) as there:
        with EngineThreads([engine_at(there, concurrency=2)]) as thread:
            for number in range(9):
                thread.ask(0, contract.request(number, schema=None))
            assert reached.wait(5)
        assert not any(one.name == "engine" for one in threading.enumerate())


# what is told to build it


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"base_url": None}, r"engine\.base_url is missing\. Give the address .*such as http://localhost:8000/v1"),
        ({"base_url": "localhost:8000"}, r"base_url is localhost:8000\. Use an address that begins with http://"),
        ({"base_url": "ftp://h/v1"}, r"base_url is ftp://h/v1\. Use"),
        ({"base_url": "http://h:99999/v1"}, r"base_url is http://h:99999/v1\. Use"),
        ({"base_url": "http:///v1"}, r"base_url is http:///v1\. Use"),
        ({"base_url": f"http://me:{KEY}@h/v1"}, r"base_url holds a name or password\. Leave it out"),
        ({"base_url": f"http://h/v1?key={KEY}"}, r"base_url has more after its path"),
        ({"api_key_env": "NOT_SET"}, r"api_key_env is NOT_SET, which is not set\. Set this environment variable"),
        ({"api_key_env": "ODD_KEY"}, r"api_key_env is ODD_KEY, which holds no key: it has control"),
        ({"options": {"timout": 3}}, r"options\.timout is not a known option\. Did you mean timeout\?"),
        ({"options": {"timeout": 0}}, r"options\.timeout is 0\. Use seconds .*or none"),
        ({"options": {"timeout": True}}, r"options\.timeout is True\."),
        ({"options": {"timeout": "long"}}, r"options\.timeout is long\."),
        ({"options": {"concurrency": 0}}, r"options\.concurrency is 0\. Use most requests open"),
        ({"options": {"concurrency": 2.5}}, r"options\.concurrency is 2\.5\."),
        ({"options": {"body": [1]}}, r"options\.body is not a mapping of JSON values"),
        ({"options": {"body": {"a": {1, 2}}}}, r"options\.body is not a mapping of JSON values"),
        ({"options": {"body": {"stream": True}}}, r"options\.body\.stream is ours to set"),
        ({"options": {"body": {"seed": 3}}}, r"options\.body\.seed is ours to set"),
        ({"options": {"body": {"top_k": 3}}}, r"options\.body\.top_k: set it in the job's sampling"),
    ],
    ids=range(20),
)
def test_what_is_wrong_with_its_keys_is_told(keys: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODD_KEY", f"{KEY}\nX: y")
    spec = EngineSpec(type="openai", **{"base_url": "http://127.0.0.1:9/v1", **keys})
    with pytest.raises(InputError, match=said) as error:
        build_engine(spec, "job.yaml: engine")
    assert KEY not in str(error.value)


def test_all_wrong_keys_are_told_at_once() -> None:
    options = {"timeout": -1, "concurrency": 0, "body": {"n": 2}}
    with pytest.raises(InputError) as error:
        build_engine(EngineSpec(type="openai", options=options), "job.yaml: engine")
    assert len(error.value.faults) == 4


def test_keys_of_a_server_are_not_for_other_engines() -> None:
    spec = EngineSpec(type="scripted", base_url="http://127.0.0.1:9/v1", api_key_env="KEY")
    with pytest.raises(InputError, match=r"engine\.base_url is for the type openai, and the type is scripted") as error:
        build_engine(spec, "job.yaml: engine")
    assert len(error.value.faults) == 2


# pacing


def drive(pace: Pace, answers: int, seconds: float, tokens: int = 50) -> float:
    for _ in range(answers):
        pace.answered(seconds, tokens, int(pace.level))
    return pace.level


def test_the_level_starts_high_and_doubles_while_nothing_speaks_against_it() -> None:
    assert Pace(8).level == 8
    assert Pace(500).level == 64
    assert drive(Pace(500), 64, 0.05) == 128
    assert drive(Pace(500), 600, 0.05) == 500


def test_the_level_stays_where_fewer_requests_are_open() -> None:
    pace = Pace(500)
    for _ in range(1000):
        pace.answered(0.05, 50, 20)
    assert pace.level == 64


def test_a_refusal_halves_the_level_once_for_requests_open_together_and_then_it_grows_by_one_a_round() -> None:
    pace = Pace(64)
    for _ in range(30):
        pace.refused(asked_at=1.0, now=2.0)
    assert pace.level == 32
    pace.refused(asked_at=2.5, now=3.0)
    assert pace.level == 16
    assert 16.9 < drive(pace, 17, 0.05) < 17.1
    for now in range(4, 20):
        pace.refused(now, now)
    assert pace.level == 1


def test_latency_that_rises_for_long_shrinks_the_level_to_a_floor_and_noise_does_not() -> None:
    pace = Pace(64)
    for number in range(5000):
        pace.answered((0.05, 0.08, 0.3)[number % 7 % 3], 50, 64)
    assert pace.level == 64
    assert drive(pace, 128, 1.0) == 64  # one bad window
    assert drive(pace, 128, 0.05) == 64
    drive(pace, 500, 1.0)
    assert 16 <= pace.level < 60


def test_longer_answers_are_not_a_slower_server() -> None:
    pace = Pace(64)
    drive(pace, 500, 0.5, tokens=50)
    assert drive(pace, 600, 4.0, tokens=500) == 64


def test_more_open_requests_that_answer_more_a_second_are_not_too_many() -> None:
    pace = Pace(64)
    for in_use, seconds in [(4, 0.05)] * 128 + [(16, 0.11)] * 128 + [(64, 0.25)] * 400:
        pace.answered(seconds, 50, in_use)
    assert pace.level == 64


def test_pauses_double_up_to_the_longest_and_end_with_the_budget() -> None:
    patience, now, pauses = Patience(1, 8, 10, 60), 1000.0, []
    tries = Tries(patience)
    while (pause := tries.pause(Again("busy", "answered 429"), now, served=None)) is not None:
        pauses.append(pause)
        now += pause
    assert 0.5 <= pauses[0] <= 1 <= pauses[1] <= 2 <= pauses[2] <= 4 <= pauses[3] <= 8
    assert max(pauses) <= 8 and now - 1000 == pytest.approx(60)


@pytest.mark.parametrize(("served", "seconds"), [(None, 10), (900.0, 60)])
def test_a_server_that_never_answered_is_given_up_sooner(served: float | None, seconds: float) -> None:
    tries, now = Tries(Patience(1, 1, 10, 60)), 1000.0
    while (pause := tries.pause(Again("away", "cannot be reached"), now, served)) is not None:
        now += pause
    assert now - 1000 == pytest.approx(seconds)


def test_what_a_request_may_be_the_cause_of_ends_sooner() -> None:
    tries = Tries(Patience(0.1, 1, 10, 600))
    pauses = [tries.pause(Again("broken", "answered 500"), 1000.0, served=1000.0) for _ in range(6)]
    assert pauses[-1] is None and None not in pauses[:5]


def test_others_that_are_served_keep_a_request_alive() -> None:
    tries = Tries(Patience(1, 1, 10, 60))
    assert all(tries.pause(Again("busy", "answered 429"), 1000.0 + 30 * n, 995.0 + 30 * n) for n in range(90))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3.0), ("0.5", 0.5), ("-2", 0.0), ("soon", None), ("", None), (None, None), ("inf", None), ("nan", None)],
)
def test_retry_after_is_read(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_retry_after_is_read_as_a_date() -> None:
    found = retry_after(formatdate(time.time() + 90, usegmt=True))
    assert found is not None and 87 < found <= 90
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
