"""httpx alone, in the same manner as aiohttp_bare.py."""

from __future__ import annotations

import asyncio

import httpx
from common import arguments, chats, measure

URL, REQUESTS, OPEN = arguments()


BODY = {"model": "mock", "max_tokens": 64, "temperature": 0.7, "seed": 1}
LIMITS = httpx.Limits(max_connections=OPEN, max_keepalive_connections=OPEN)


async def ask_all(count: int) -> list[str]:
    waiting, answers = chats(count), []

    async def work() -> None:
        for messages in waiting:
            response = await client.post(f"{URL}/chat/completions", json=BODY | {"messages": messages})
            answers.append(response.json()["choices"][0]["message"]["content"])

    await asyncio.gather(*(work() for _ in range(OPEN)))
    return answers


with asyncio.Runner() as runner:
    client = httpx.AsyncClient(limits=LIMITS, timeout=600)
    measure(lambda count: runner.run(ask_all(count)), REQUESTS, OPEN)
    runner.run(client.aclose())
