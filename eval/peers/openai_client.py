"""The openai package's AsyncOpenAI with its default transport: OPEN tasks that take the next chat."""

from __future__ import annotations

import asyncio

from common import arguments, chats, measure
from openai import AsyncOpenAI

URL, REQUESTS, OPEN = arguments()


async def ask_all(count: int) -> list[str]:
    waiting, answers = chats(count), []

    async def work() -> None:
        for messages in waiting:
            answer = await client.chat.completions.create(
                model="mock", messages=messages, max_tokens=64, temperature=0.7, seed=1
            )
            answers.append(answer.choices[0].message.content)

    await asyncio.gather(*(work() for _ in range(OPEN)))
    return answers


with asyncio.Runner() as runner:
    client = AsyncOpenAI(base_url=URL, api_key="none")
    measure(lambda count: runner.run(ask_all(count)), REQUESTS, OPEN)
    runner.run(client.close())
