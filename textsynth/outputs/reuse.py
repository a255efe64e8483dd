"""An earlier run's answers, for a run that asks the very same thing again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textsynth.errors import InputError, StoreError
from textsynth.outputs.store import Store
from textsynth.records import Completion, Request


class Earlier:
    """The completions of an earlier run, by request. What a damaged run.db still tells is used, the rest asked again.

    Args:
        folder: the earlier run; out: the new one.

    Raises:
        InputError: there is no run there, or it is the new one.
    """

    def __init__(self, folder: Path, out: Path) -> None:
        if folder.resolve() == out.resolve():
            raise InputError(f"{folder}: --reuse names the new run itself. Give the folder of an earlier one.")
        self._store = Store(folder, write=False)
        engines = self._store.get("engines") or []
        places = self._store.get("step_engines") or []
        self._models = [engines[at].get("fingerprint") for at in places] if engines else []  # of each step

    def __enter__(self) -> Earlier:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    def copy(self, request: Request, engine: Mapping[str, Any], store: Store) -> Completion | None:
        """`answer`, kept in the new run's store with its request."""
        kept = self.answer(request, engine)
        if kept is not None:
            store.add_requests([(request.id.partition("-")[0], request)])
            store.add_completion(kept)
        return kept

    def answer(self, request: Request, engine: Mapping[str, Any]) -> Completion | None:
        """The answer of the earlier run to this request: same messages, schema, sampling, rng_seed and model."""
        if [engine.get("fingerprint")] != self._models[request.step : request.step + 1]:
            return None
        try:
            kept = self._store.completion(request.id) if self._store.has_request(request) else None
        except StoreError:  # a page that cannot be read: the answer is asked for again
            return None
        return None if kept and "\0" in kept.text + kept.finish_reason else kept  # zeros where a page was cut short
