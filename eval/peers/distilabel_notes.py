"""distilabel writes notes: `distilabel_notes.py URL ROWS OUT default|chat`, run by the Python of its environment.

Default is its documented TextGeneration with a template over columns, and the sampling of its README's example. Chat is
textsynth's prompt, as the messages of its ChatGeneration, with textsynth's sampling.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from distilabel.models.llms import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import ChatGeneration, TextGeneration

URL, ROWS, OUT, KIND = sys.argv[1:]
TEMPLATE = """\
Patient: {{ age }} years old, {{ sex }}
Complaint: {{ complaint }}
Finding: {{ finding }}
Diagnosis: {{ diagnosis }}
Treatment: {{ treatment }}

Please write a short clinical note about this patient's visit, based on the information above:
""".rstrip()
COLUMNS = ["age", "sex", "complaint", "finding", "diagnosis", "treatment"]
CHAT = {"temperature": 0.4, "extra_body": {"min_p": 0.1}, "max_new_tokens": 1024}
README = {"temperature": 0.7, "max_new_tokens": 512}


def main() -> None:
    rows = [json.loads(line) for line in Path(ROWS).read_text(encoding="utf-8").splitlines()]
    with Pipeline(name="notes") as pipeline:
        load = LoadDataFromDicts(data=rows, batch_size=50)
        sampling = CHAT if KIND == "chat" else README
        llm = OpenAILLM(model="smollm2-135m", base_url=URL, api_key="none", timeout=600, generation_kwargs=sampling)
        task = (
            ChatGeneration(llm=llm)
            if KIND == "chat"
            else TextGeneration(
                llm=llm,
                template=TEMPLATE,
                columns=COLUMNS,
                system_prompt="You are a helpful AI assistant. Your task is to write clinical notes.",
            )
        )
        load >> task
    made = pipeline.run(use_cache=False)["default"]["train"]
    lines = [json.dumps({"number": row["number"], "note": row["generation"]}) for row in made]
    Path(OUT).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
