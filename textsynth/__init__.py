"""Synthetic text and records from your own examples, on a local LLM, with gates that can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textsynth.errors import InputError, RunError, TextsynthError
    from textsynth.evaluation import evaluate
    from textsynth.job import Job, load_job
    from textsynth.pipeline import run_job
    from textsynth.progress import Progress, Result
    from textsynth.records import Completion, Record, Request, Seed, Verdict

__version__ = "0.1.0"
_HOMES = {
    "errors": ("InputError", "RunError", "TextsynthError"),
    "evaluation": ("evaluate",),
    "job": ("Job", "load_job"),
    "pipeline": ("run_job",),
    "progress": ("Progress", "Result"),
    "records": ("Completion", "Record", "Request", "Seed", "Verdict"),
}
__all__ = [
    "Completion",
    "InputError",
    "Job",
    "Progress",
    "Record",
    "Request",
    "Result",
    "RunError",
    "Seed",
    "TextsynthError",
    "Verdict",
    "evaluate",
    "load_job",
    "run_job",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that `import textsynth` stays light."""
    from importlib import import_module

    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"textsynth.{module}"), name)
    raise AttributeError(f"module 'textsynth' has no attribute {name!r}")
