"""A chat server on loopback that answers like a model, and fails as it is told.

It draws answers from the schema it is given, seeded by the request; without `response_format` it reads the schema that
the prompt tells, and wraps its answer as chat models do.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

from aiohttp import web

from textsynth.engines.scripted import draw

Body = dict[str, Any]
Fault = Callable[[web.Request, Body], Awaitable[web.StreamResponse | None]]
WORDS = ("blue", "boat", "bread", "calm", "cold", "day", "far", "house", "light", "long", "sea", "wind")
LAST = "It must fit this JSON Schema: "


class ModelServer:
    """Use it as a context manager. `faults` are used up, one each chat; `always` holds for every chat but these.

    A fault is a coroutine of the request and its body; where it returns None, the chat is answered as usual.
    """

    def __init__(self, *faults: Fault, always: Fault | None = None) -> None:
        self.faults, self.always = deque(faults), always
        self.bodies: list[Body] = []  # of all chats, in order
        self.headers: list[dict[str, str]] = []
        self.open = self.most_open = 0
        self.connections: set[Any] = set()
        self.models: Any = {"data": [{"id": "tiny", "owned_by": "tests", "max_model_len": 4096}]}
        self.seconds = 0.0  # that an answer takes
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> ModelServer:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self) -> None:
        """Listen, on the port that it had before if it was stopped."""
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    def stop(self) -> None:
        """Die: connections are cut, new ones refused."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()

    def later(self, seconds: float, what: Callable[[], Awaitable[None]]) -> None:
        """Do something in the server's own time; it is called from a fault."""
        self._loop.call_later(seconds, lambda: asyncio.ensure_future(what()))

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._list)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.05, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            for site in list(runner.sites):
                await site.stop()
            for connection in list(self.connections):
                connection.abort()
            await runner.cleanup()

    async def _list(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self.models) if self.models else web.Response(status=404)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.connections.add(request.transport)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            fault = self.faults.popleft() if self.faults else self.always
            if fault is not None and (given := await fault(request, body)) is not None:
                return given
            await asyncio.sleep(self.seconds)
            return web.json_response(completion(*answer(body)))
        finally:
            self.open -= 1


def answer(body: Body) -> tuple[str, str, int]:
    """What the model says, why it ends, and its tokens."""
    last = body["messages"][-1]["content"]
    of = [body["messages"], body.get("seed", 0) if body.get("temperature") else 0]
    rng = random.Random(hashlib.sha256(json.dumps(of).encode()).hexdigest())
    if "response_format" in body:
        schema = body["response_format"]["json_schema"]["schema"]
        text = json.dumps(draw(schema, rng, schema), separators=(",", ":"))
    elif LAST in last:
        schema = json.loads(last.partition(LAST)[2])
        value = json.dumps(draw(schema, rng, schema), indent=1)
        text = f"<think>\nA {{small}} thing.\n</think>\nHere you are:\n```json\n{value}\n```\nAnything else?"
    else:
        words = rng.choices(WORDS, k=rng.randint(10, 20))
        cut = words[: body.get("max_tokens", 99)]
        return " ".join(cut), "length" if len(cut) < len(words) else "stop", len(cut)
    return text, "stop", len(text)


def completion(text: str | None, reason: str = "stop", tokens: int = 9) -> Body:
    """A chat completion as OpenAI's API has it."""
    return {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}],
        "usage": {"prompt_tokens": 7, "completion_tokens": tokens, "total_tokens": 7 + tokens},
    }


def says(value: Any, status: int = 200, **headers: str) -> Fault:
    """A fault that answers with a status and a JSON value, or a text as it stands."""

    async def fault(request: web.Request, body: Body) -> web.StreamResponse:
        names = {name.replace("_", "-"): text for name, text in headers.items()}
        if isinstance(value, str):
            return web.Response(text=value, status=status, headers=names, content_type="text/html")
        return web.json_response(value, status=status, headers=names)

    return fault


def refuses(message: str, status: int = 400, unless: Callable[[Body], bool] = lambda body: False) -> Fault:
    """A fault that answers with an API error, except to bodies that are `unless`."""

    async def fault(request: web.Request, body: Body) -> web.StreamResponse | None:
        error = {"message": message, "type": "invalid_request_error", "code": None}
        return None if unless(body) else web.json_response({"error": error}, status=status)

    return fault


async def ignores_schemas(request: web.Request, body: Body) -> web.StreamResponse | None:
    body.pop("response_format", None)
    return None


async def no_usage(request: web.Request, body: Body) -> web.StreamResponse:
    given = completion(*answer(body))
    del given["usage"]
    return web.json_response(given)


async def cuts_connection(request: web.Request, body: Body) -> web.StreamResponse | None:
    assert request.transport is not None
    request.transport.close()
    return None


async def closes_half_way(request: web.Request, body: Body) -> web.StreamResponse:
    whole = json.dumps(completion(*answer(body))).encode()
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(whole))})
    await response.prepare(request)
    await response.write(whole[: len(whole) // 2])
    assert request.transport is not None
    request.transport.close()
    return response


async def never_ends(request: web.Request, body: Body) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    while True:
        await response.write(b" " * 100)
        await asyncio.sleep(0.02)


async def floods(request: web.Request, body: Body) -> web.StreamResponse:
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    while True:
        await response.write(b" " * 2**20)


async def speaks_another_protocol(request: web.Request, body: Body) -> web.StreamResponse | None:
    assert request.transport is not None
    request.transport.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")  # type: ignore[attr-defined]
    request.transport.close()
    return None
