"""aiohttp alone: OPEN tasks that take the next chat, post it and read the answer. The yardstick."""

from __future__ import annotations

import asyncio

import aiohttp
from common import arguments, chats, measure

URL, REQUESTS, OPEN = arguments()


BODY = {"model": "mock", "max_tokens": 64, "temperature": 0.7, "seed": 1}


async def open_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=OPEN))


async def ask_all(count: int) -> list[str]:
    waiting, answers = chats(count), []

    async def work() -> None:
        for messages in waiting:
            async with session.post(f"{URL}/chat/completions", json=BODY | {"messages": messages}) as response:
                answer = await response.json()
            answers.append(answer["choices"][0]["message"]["content"])

    await asyncio.gather(*(work() for _ in range(OPEN)))
    return answers


with asyncio.Runner() as runner:
    session = runner.run(open_session())
    measure(lambda count: runner.run(ask_all(count)), REQUESTS, OPEN)
    runner.run(session.close())
