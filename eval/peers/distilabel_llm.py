"""distilabel's OpenAILLM by itself: `agenerate` from OPEN tasks that take the next chat."""

from __future__ import annotations

import asyncio

from common import arguments, chats, measure
from distilabel.models.llms import OpenAILLM

URL, REQUESTS, OPEN = arguments()


async def ask_all(count: int) -> list[str]:
    waiting, answers = chats(count), []

    async def work() -> None:
        for messages in waiting:
            answer = await llm.agenerate(input=messages, max_new_tokens=64, temperature=0.7)
            answers.append(answer["generations"][0])

    await asyncio.gather(*(work() for _ in range(OPEN)))
    return answers


with asyncio.Runner() as runner:
    llm = OpenAILLM(model="mock", base_url=URL, api_key="none")
    llm.load()
    measure(lambda count: runner.run(ask_all(count)), REQUESTS, OPEN)
