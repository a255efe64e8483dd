"""The run folder: opened for one job, filled with what was run, and closed with the files made from run.db."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from textsynth.errors import InputError, StoreError
from textsynth.job import job_hash_data
from textsynth.outputs.export import write_run_files
from textsynth.outputs.report import write_report
from textsynth.outputs.store import Store
from textsynth.prepare import Prepared
from textsynth.records import canonical_json, content_hash

_PACKAGES = (
    "textsynth",
    "transformers",
    "torch",
    "llguidance",
    "sentence-transformers",
    "faiss-cpu",
    "jsonschema",
    "jsonschema-rs",
    "rensa",
    "numpy",
)


def begin(prepared: Prepared, out: Path, also: Mapping[str, Any] | None = None) -> Store:
    """Open a folder for a job: a new one, or one that holds a run of the same job.

    Args:
        also: what else must be the same, such as the input of `textsynth filter`.

    Raises:
        InputError: the folder holds something else, or a run of another job; the message says what differs.
    """
    hashes = {**_hashes(prepared), **(also or {})}
    if (out / "run.db").is_file():
        if (kept := _kept_hashes(out)) is not None:
            _check_same(out, kept, hashes)
    elif out.is_dir() and any(path.name != "run.lock" for path in out.iterdir()):
        raise InputError(f"{out}: the folder is not empty and holds no run. Choose a new folder.")
    elif out.exists() and not out.is_dir():
        raise InputError(f"{out}: this is a file. Choose a new folder.")
    store = Store(out)
    try:
        _note(prepared, store, hashes)
        _copy_inputs(prepared, out)
    except OSError as error:
        store.close()
        raise StoreError(
            f"{out}: the folder cannot be written ({error.strerror}). Make room, then run again."
        ) from None
    except StoreError:
        store.close()
        raise
    return store


def finish(store: Store, status: str, seconds: float, shortfall: Sequence[str]) -> None:
    """Note how this sitting ended and write every file that is made from run.db."""
    store.put("status", status)
    store.put("shortfall", list(shortfall))
    store.put("elapsed", round(store.get("elapsed", 0.0) + seconds, 1))
    store.commit()
    write_run_files(store, store.folder)
    write_report(store, store.folder)


def _hashes(prepared: Prepared) -> dict[str, Any]:
    seeds = [[s.id, dict(s.data)] for s in (*prepared.seeds.shown, *prepared.seeds.holdout)]
    job = {key: content_hash(canonical_json(value)) for key, value in job_hash_data(prepared.job).items()}
    return {
        "job": job,
        "seeds": content_hash(seeds),
        "schema": content_hash(dict(prepared.schema)),
        "prompts": {step.prompt.name: step.prompt.hash for step in prepared.steps},
        "model": dict(prepared.engine.describe())["fingerprint"] if prepared.engine else None,
    }


def _kept_hashes(out: Path) -> Mapping[str, Any] | None:
    """What the run in a folder was made from; None where it was killed before it had noted that."""
    try:
        with Store(out, write=False) as old:
            kept: Mapping[str, Any] | None = old.get("hashes")
            return kept
    except InputError:  # an empty run.db, or one of another version, which opening it for writing refuses too
        return None


def _check_same(out: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    changed = [f"the job's {key}" for key in new["job"] if old.get("job", {}).get(key) != new["job"][key]]
    names = {
        "seeds": "the seeds",
        "schema": "the record schema",
        "prompts": "a prompt",
        "model": "the model",
        "input": "the input",
    }
    changed += [what for key, what in names.items() if old.get(key) != new.get(key)]
    if changed:
        raise InputError(
            f"{out}: this folder holds a run of another job ({', '.join(changed)} changed). "
            "Choose a new folder with --out; only plan.target and plan.max_requests may change."
        )


def _note(prepared: Prepared, store: Store, hashes: Mapping[str, Any]) -> None:
    notes = {
        "job": prepared.job.model_dump(mode="json"),
        "job_name": prepared.job.path.stem,
        "schema": prepared.schema,
        "sources": prepared.sources,
        "seeds": dict(prepared.seeds.counts),
        "notes": list(prepared.notes),
        "engine": dict(prepared.engine.describe()) if prepared.engine else None,
        "hashes": hashes,
        "versions": _versions(),
        "status": "running",
        "shortfall": [],
    }
    if store.get("started") is None:
        notes["started"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    for key, value in notes.items():
        store.put(key, value)
    store.commit()


def _copy_inputs(prepared: Prepared, out: Path) -> None:
    """Keep what was run beside run.db: the job, the schema and the prompts as they stand."""
    if prepared.job.path.is_file():
        shutil.copyfile(prepared.job.path, out / "job.yaml")
    name = Path(prepared.job.record_schema).stem
    (out / f"{name}.schema.json").write_text(canonical_json(dict(prepared.schema)) + "\n", encoding="utf-8")
    for step in prepared.steps:
        (out / f"{Path(step.prompt.name).stem}.j2").write_text(step.prompt.source, encoding="utf-8")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
