"""distilabel: a pipeline of one TextGeneration task over all questions, OPEN a batch, its cache off.

`Pipeline.run` starts processes of its own for the steps; that time is a part of every run and is measured too.
"""

from __future__ import annotations

from common import arguments, measure, questions
from distilabel.models.llms import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration

URL, REQUESTS, OPEN = arguments()


def run(count: int) -> list[str]:
    with Pipeline(name=f"mock-{count}") as pipeline:
        rows = LoadDataFromDicts(data=[{"instruction": question} for question in questions(count)], batch_size=OPEN)
        llm = OpenAILLM(
            model="mock",
            base_url=URL,
            api_key="none",
            generation_kwargs={"max_new_tokens": 64, "temperature": 0.7},
        )
        rows >> TextGeneration(llm=llm, input_batch_size=OPEN)
    return list(pipeline.run(use_cache=False)["default"]["train"]["generation"])


if __name__ == "__main__":
    measure(run, REQUESTS, OPEN)
