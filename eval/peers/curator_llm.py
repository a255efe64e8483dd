"""curator: one call of curator.LLM over all questions, its rate limits raised out of the way, its cache off."""

from __future__ import annotations

from bespokelabs import curator
from common import arguments, measure, questions

URL, REQUESTS, OPEN = arguments()

llm = curator.LLM(
    model_name="mock",
    backend="openai",
    generation_params={"max_tokens": 64, "temperature": 0.7, "seed": 1},
    backend_params={
        "base_url": URL,
        "max_concurrent_requests": OPEN,
        "max_requests_per_minute": 100_000_000,
        "max_tokens_per_minute": 1_000_000_000_000,
    },
)

measure(lambda count: list(llm(questions(count)).dataset["response"]), REQUESTS, OPEN)
