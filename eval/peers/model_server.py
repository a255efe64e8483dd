"""The embedded model behind an OpenAI-compatible server on loopback: `python model_server.py`.

It prints its port. Everything is answered by one transformers engine in float32, a batch at a time, with the sampling
that is asked for (OpenAI's defaults where nothing is) and `response_format: json_schema` as a grammar, for whoever asks
for it. GET /stats tells how many chats were answered and their tokens, since it was last asked. It ends when its stdin
closes.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import sys
import threading
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from textsynth.engines.transformers import TransformersEngine
from textsynth.records import Completion, Request

MODEL = "smollm2-135m"
MOST = 1024  # tokens of an answer for which no limit was asked
SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
counts = {"answered": 0, "prompt_tokens": 0, "completion_tokens": 0}


class Served:
    """The engine in a thread of its own, fed by the requests of the server."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._numbers = loop, itertools.count()
        self._asked: queue.Queue[Request] = queue.Queue()
        self._open: dict[str, asyncio.Future[Completion]] = {}
        threading.Thread(target=self._run, daemon=True).start()

    def ask(self, body: dict[str, Any]) -> asyncio.Future[Completion]:
        request_id = f"r{next(self._numbers)}"
        sampling = {"temperature": 1.0} | {name: body[name] for name in SAMPLING if body.get(name) is not None}
        sampling["max_tokens"] = body.get("max_tokens") or body.get("max_completion_tokens") or MOST
        form = body.get("response_format") or {}
        schema = form["json_schema"]["schema"] if form.get("type") == "json_schema" else None
        messages = tuple({"role": m["role"], "content": text_of(m["content"])} for m in body["messages"])
        seed = body.get("seed") or int(request_id[1:])
        self._open[request_id] = future = self._loop.create_future()
        self._asked.put(Request(request_id, 0, 0, messages, schema, sampling, seed))
        return future

    def _run(self) -> None:
        for completion in TransformersEngine(MODEL, dtype="float32", batch=64, device="cpu").generate(self._feed()):
            self._loop.call_soon_threadsafe(self._open.pop(completion.request_id).set_result, completion)

    def _feed(self) -> Iterator[Request | None]:
        while True:
            try:
                yield self._asked.get(block=not self._open)
            except queue.Empty:
                yield None


def text_of(content: str | list[dict[str, Any]]) -> str:
    """A message's text, also where it comes in parts."""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


async def chat(request: web.Request) -> web.Response:
    done = await request.app["served"].ask(await request.json())
    counts["answered"] += 1
    counts["prompt_tokens"] += done.prompt_tokens
    counts["completion_tokens"] += done.completion_tokens
    usage = {"prompt_tokens": done.prompt_tokens, "completion_tokens": done.completion_tokens}
    message = {"role": "assistant", "content": done.text}
    choice = {"index": 0, "message": message, "finish_reason": done.finish_reason, "logprobs": None}
    return web.json_response(
        {
            "id": done.request_id, "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice],
            "usage": usage | {"total_tokens": sum(usage.values())},
        }
    )  # fmt: skip


async def models(request: web.Request) -> web.Response:
    one = {"id": MODEL, "object": "model", "created": 1, "owned_by": "eval", "max_model_len": 8192}
    return web.json_response({"object": "list", "data": [one]})


async def stats(request: web.Request) -> web.Response:
    told = dict(counts)
    counts.update(dict.fromkeys(counts, 0))
    return web.json_response(told)


async def main() -> None:
    app = web.Application()
    app["served"] = Served(asyncio.get_running_loop())
    app.add_routes([
        web.post("/v1/chat/completions", chat), web.get("/v1/models", models), web.get("/stats", stats),
    ])  # fmt: skip
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
