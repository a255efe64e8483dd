"""vLLM's own `LLM.chat` on chats from stdin: {"model", "new", "chats", optional "schemas", "sampling"} -> JSON.

Run by a Python that has vLLM; prints the seconds of the best-known way to use it, warm, and the texts.
"""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    from vllm import LLM, SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    job = json.loads(sys.stdin.read())
    llm = LLM(
        job["model"], enforce_eager=True, max_model_len=2048, seed=7, dtype="bfloat16", enable_prefix_caching=True,
        structured_outputs_config={"backend": "guidance"},
    )  # fmt: skip
    params = []
    for number in range(len(job["chats"])):
        held = {"structured_outputs": StructuredOutputsParams(json=job["schemas"][number])} if "schemas" in job else {}
        forced = {"min_tokens": job["new"], "ignore_eos": True, "temperature": 0.0} if not held else {}
        params.append(SamplingParams(max_tokens=job["new"], **held, **forced, **job.get("sampling", {})))
    llm.chat(job["chats"][:2], params[:2], use_tqdm=False)
    begun = time.perf_counter()
    made = llm.chat(job["chats"], params, use_tqdm=False)
    spent = time.perf_counter() - begun
    outputs = [one.outputs[0] for one in made]
    print(
        json.dumps(
            {"seconds": spent, "tokens": sum(len(o.token_ids) for o in outputs), "texts": [o.text for o in outputs],
             "ends": [o.finish_reason for o in outputs]}
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
