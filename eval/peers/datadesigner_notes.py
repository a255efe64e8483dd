"""DataDesigner writes notes: `datadesigner_notes.py URL ROWS OUT default|chat`, run by the Python of its environment.

Default is its tutorial on seed datasets (docs/notebook_source/3-seeding-with-a-dataset): a seed dataset whose columns
the prompt names, the tutorial's own words and sampling, `create` and `load_dataset`. Chat is textsynth's prompt with
its examples, pasted as text into the one message that its text columns have, with textsynth's sampling.
"""

from __future__ import annotations

import sys
import tempfile

import data_designer.config as dd
from data_designer.interface import DataDesigner

URL, ROWS, OUT, KIND = sys.argv[1:]
PROMPT = """\
You are a primary-care physician who just had an appointment with a {{ age }}-year-old {{ sex }} patient,
who came with {{ complaint }}. The examination showed {{ finding }}. The diagnosis is {{ diagnosis }},
and the treatment is {{ treatment }}.

Write careful notes about your visit with the patient.

Format the notes as a busy doctor might.
"""

own = {"temperature": 0.4, "extra_body": {"min_p": 0.1}, "max_tokens": 1024}
at_once = {"max_parallel_requests": 64, "timeout": 600}  # of no effect on what is written
tutorial = {"temperature": 0.5, "top_p": 1.0, "max_tokens": 1024}
model = dd.ModelConfig(
    alias="writer",
    model="smollm2-135m",
    provider="loopback",
    skip_health_check=True,
    inference_parameters=dd.ChatCompletionInferenceParams(**(own if KIND == "chat" else tutorial), **at_once),
)
config = dd.DataDesignerConfigBuilder(model_configs=[model])
config.with_seed_dataset(dd.LocalFileSeedSource(path=ROWS))
config.add_column(
    dd.LLMTextColumnConfig(
        name="note", prompt="{{ chat }}" if KIND == "chat" else PROMPT, model_alias="writer",
        system_prompt="You write clinical notes." if KIND == "chat" else None,
    )
)  # fmt: skip
with tempfile.TemporaryDirectory() as folder:
    designer = DataDesigner(
        artifact_path=folder,
        model_providers=[dd.ModelProvider(name="loopback", endpoint=URL, provider_type="openai", api_key="none")],
    )
    designer.set_run_config(dd.RunConfig(otel_metrics_port=None, disable_early_shutdown=True))
    with open(ROWS, encoding="utf-8") as file:
        count = sum(1 for _ in file)
    made = designer.create(config, num_records=count).load_dataset()
made[["number", "note"]].to_json(OUT, orient="records", lines=True)
