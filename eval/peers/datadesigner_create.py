"""DataDesigner: one DataDesigner.create with a sampled column and a text column, OPEN parallel requests."""

from __future__ import annotations

import tempfile

import data_designer.config as dd
from common import arguments, measure
from data_designer.interface import DataDesigner

URL, REQUESTS, OPEN = arguments()

model = dd.ModelConfig(
    alias="writer",
    model="mock",
    provider="mock",
    skip_health_check=True,
    inference_parameters=dd.ChatCompletionInferenceParams(max_parallel_requests=OPEN, max_tokens=64, temperature=0.7),
)
config = dd.DataDesignerConfigBuilder(model_configs=[model])
config.add_column(dd.SamplerColumnConfig(name="case", sampler_type=dd.SamplerType.UUID, params=dd.UUIDSamplerParams()))
prompt = "Write a short note about case {{ case }}, as one JSON object with the key answer."
config.add_column(dd.LLMTextColumnConfig(name="note", prompt=prompt, model_alias="writer"))
folder = tempfile.TemporaryDirectory()
designer = DataDesigner(
    artifact_path=folder.name,
    model_providers=[dd.ModelProvider(name="mock", endpoint=URL, provider_type="openai", api_key="none")],
)
designer.set_run_config(dd.RunConfig(otel_metrics_port=None))

measure(lambda count: list(designer.create(config, num_records=count).load_dataset()["note"]), REQUESTS, OPEN)
