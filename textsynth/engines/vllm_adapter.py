"""All that textsynth knows of vLLM's names. Tested with vLLM 0.32.0.

Off the CPU, vLLM runs in processes of its own, as is its default. On a CPU it runs in this one, where it starts four
times as fast and no core is set aside; the environment variable VLLM_ENABLE_V1_MULTIPROCESSING decides otherwise.
"""

from __future__ import annotations

import json
import os
import warnings
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from importlib.metadata import packages_distributions, version
from typing import Any, NamedTuple

from pydantic import ValidationError

from textsynth.convert import quiet
from textsynth.errors import EngineError, InputError
from textsynth.records import Request

# vLLM reads them when it is imported and in the processes it starts; what the user has set stays.
_ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "CRITICAL",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a fork would copy the locks that other threads hold
}


class Answer(NamedTuple):
    """What vLLM wrote to one request; `reason` in its words."""

    id: str
    tokens: list[int]
    reason: str
    prompt_tokens: int


class Runtime:
    """A started vLLM, behind the few calls that the engine needs. Close it.

    Args:
        path: the model, a folder or a hub id.
        options: of vLLM's EngineArgs.
        name: how messages name the engine.
        said: where it counts what the user should know.

    Raises:
        EngineError: vLLM does not start.
    """

    def __init__(self, path: str, options: Mapping[str, Any], name: str, said: Counter[str]) -> None:
        self._name, self._said = name, said
        self._vllm = vllm = _imported(name)
        self._on_cpu = vllm.platforms.current_platform.is_cpu()
        if self._on_cpu:
            os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        ours = {"enable_prefix_caching": True, "disable_log_stats": True, "use_tqdm_on_load": False}
        grammars = {"structured_outputs_config": structured_outputs(options)}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of vLLM's about torch
                args = vllm.EngineArgs(model=path, **{**ours, **options, **grammars})
                usage = vllm.usage.usage_lib.UsageContext.LLM_CLASS  # sizes batches for throughput
                self._llm: Any = vllm.LLMEngine.from_engine_args(args, usage_context=usage)
        except Exception as error:  # of any class, from any library below
            raise self._fault("vLLM does not start", error) from error
        self.width = int(self._llm.vllm_config.scheduler_config.max_num_seqs)
        self.context = int(self._llm.vllm_config.model_config.max_model_len)

    def ask(self, request: Request, tokens: list[int]) -> bool:
        """Queue a request with its prompt; False: vLLM has no grammar for its schema."""
        names, sampling = self._vllm.sampling_params, {"max_tokens": None, **request.sampling}
        if not self._on_cpu:
            sampling["seed"] = request.rng_seed
        elif sampling.get("temperature", 1.0) > 0:  # there, a seed ends vLLM once a long prompt is computed in parts
            self._said["vLLM takes no seed on a CPU: a run that is repeated gets other answers."] = 1
        if request.schema is not None:
            sampling["structured_outputs"] = names.StructuredOutputsParams(json=json.dumps(request.schema))
        try:
            kind = names.RequestOutputKind.FINAL_ONLY
            params = names.SamplingParams(**sampling, detokenize=False, output_kind=kind)
            self._llm.add_request(request.id, {"prompt_token_ids": tokens}, params)
        except (ValueError, self._vllm.exceptions.VLLMClientError) as error:
            if request.schema is not None:
                return False
            raise self._fault("vLLM refuses a request", error) from error
        except Exception as error:
            raise self._fault("vLLM failed", error) from error
        return True

    def step(self) -> list[Answer]:
        """Let vLLM go on by one step; the answers that are complete."""
        try:
            outputs = self._llm.step()
        except Exception as error:
            raise self._fault("vLLM failed", error) from error
        return [
            Answer(o.request_id, list(o.outputs[0].token_ids), str(o.outputs[0].finish_reason), len(o.prompt_token_ids))
            for o in outputs
            if o.finished
        ]

    def forget(self, ids: Collection[str]) -> None:
        """Drop requests that nobody waits for any more."""
        with suppress(Exception):  # one that failed has dropped them all
            self._llm.abort_request(list(ids))

    def close(self) -> None:
        """End vLLM and its processes."""
        self._llm.engine_core.shutdown()

    def _fault(self, what: str, error: Exception) -> EngineError:
        """One sentence on what vLLM raised, and the next step."""
        kind, detail = type(error).__name__, _first_useful_line(error)
        step = "Check engine.model, engine.options and sampling"
        if "memory" in detail.lower():
            step = "Lower max_model_len or max_num_seqs in engine.options, or use a smaller or quantized model"
        elif "root cause" in detail or kind == "EngineDeadError":
            step = "Set VLLM_LOGGING_LEVEL=ERROR and run again to read why"
        return EngineError(f"{self._name}: {what} ({kind}: {detail}; vLLM {installed_version()}). {step}.")


def option_names(place: str) -> set[str]:
    """What vLLM's EngineArgs take."""
    return set(_imported(place).EngineArgs.__dataclass_fields__)


def structured_outputs(options: Mapping[str, Any]) -> dict[str, Any]:
    """Guidance is the backend that keeps every pattern; the user may choose another."""
    return {"backend": "guidance", **(options.get("structured_outputs_config") or {})}


def installed_version() -> str:
    """The version of the package that provides vLLM: its builds for other devices have names of their own."""
    names = packages_distributions().get("vllm") or ["vllm"]
    return version(names[0])


def _imported(name: str) -> Any:
    """The library, made quiet before it is loaded."""
    for variable, value in _ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import vllm
            import vllm.exceptions
            import vllm.platforms
            import vllm.sampling_params
            import vllm.usage.usage_lib
            from vllm import EngineArgs, LLMEngine  # noqa: F401  # their modules load late, and loudly
    except Exception as error:
        detail = _first_useful_line(error)
        raise InputError(
            f"{name}: vLLM {installed_version()} cannot be imported ({detail}). Install it as its documentation says."
        ) from error
    return vllm


def _first_useful_line(error: Exception) -> str:
    if isinstance(error, ValidationError):  # whose own first line only counts
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip()[:300].rstrip(".")
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")[:300].rstrip(".")
