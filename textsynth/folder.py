"""The run folder: opened for one job, filled with what was run, and closed with the files made from run.db."""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from textsynth.errors import InputError, StoreError
from textsynth.job import RAISABLE, Job, job_from, job_hash_data
from textsynth.outputs.export import write_run_files
from textsynth.outputs.report import write_report
from textsynth.outputs.store import Store
from textsynth.prepare import Prepared
from textsynth.records import canonical_json, combination, content_hash
from textsynth.wording import shown

_TOLD = 6  # differences that a message lists
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
    hashes = {**hashes_of(prepared), **(also or {})}
    raised: list[dict[str, Any]] = []
    if (out / "run.db").is_file():
        if (kept := _kept(out)) is not None:
            _check_same(out, prepared, kept, hashes)
            raised = _raised(out, kept["job"], prepared)
    elif out.is_dir() and any(path.name != "run.lock" for path in out.iterdir()):
        raise InputError(f"{out}: the folder is not empty and holds no run. Choose a new folder.")
    elif out.exists() and not out.is_dir():
        raise InputError(f"{out}: this is a file. Choose a new folder.")
    store = Store(out)
    try:
        _note(prepared, store, hashes)
        store.put("raised", [*store.get("raised", []), *raised])
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


def hashes_of(prepared: Prepared) -> dict[str, Any]:
    """What makes a run what it is: sha256 of its job by key, seeds, schema and prompts; fingerprints of its models."""
    seeds = [[s.id, dict(s.data)] for s in (*prepared.seeds.shown, *prepared.seeds.holdout)]
    job = {key: content_hash(canonical_json(value)) for key, value in job_hash_data(prepared.job).items()}
    return {
        "job": job,
        "seeds": content_hash(seeds),
        "schema": content_hash(dict(prepared.schema)),
        "prompts": {step.prompt.name: step.prompt.hash for step in prepared.steps},
        "models": [
            dict(prepared.engines[step.engine].describe())["fingerprint"] for step in prepared.steps if prepared.engines
        ],
        "shard": "/".join(map(str, prepared.planner.shard)),
    } | ({"benchmarks": content_hash(list(prepared.benchmarks.values()))} if prepared.benchmarks else {})


def _cells(prepared: Prepared) -> list[dict[str, Any]]:
    """The cells of `plan.match`: how each is told, how while no accepted record has it, and its quota."""
    targets = prepared.planner.targets
    return [
        {"label": targets.label(cell), "masked": targets.label(cell, told=False), "quota": quota}
        for cell, quota in enumerate(prepared.planner.quotas)
    ]


def _min_cell(prepared: Prepared) -> dict[str, Any] | None:
    """What the report counts accepted records with: how many shown seeds have each combination.

    Only of what records take from seeds as it stands; a value that was changed on the way is no seed's.
    """
    spec, counts = prepared.job.seeds.min_cell, prepared.seeds.counts
    if spec is None:
        return None
    names = [name for name in dict.fromkeys(spec.of) if prepared.sources[name] in ("sampled", "copied")]
    seeds = Counter(combination(seed.data, names) for seed in prepared.seeds.shown)
    left_out = {"seeds": counts["rare"], "combinations": counts["rare_combinations"]}
    return {"k": spec.k, "of": spec.of, "counted": names, "left_out": left_out, "seeds": dict(seeds)}


def _kept(out: Path) -> Mapping[str, Any] | None:
    """What the run in a folder was made from; None where it was killed before it had noted that."""
    try:
        with Store(out, write=False) as old:
            kept = {"hashes": old.get("hashes"), "job": old.get("job")}
            return kept if kept["hashes"] else None
    except InputError:  # an empty run.db, or one of another version, which opening it for writing refuses too
        return None


def _check_same(out: Path, prepared: Prepared, kept: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuse a folder that holds a run of something else; the message says exactly what."""
    old = kept["hashes"]
    same_job = all(old["job"].get(key) == new["job"][key] for key in new["job"])
    changed = [] if same_job else list(_differences(kept["job"], prepared.job))
    names = {
        "seeds": "the rows of the seeds changed",
        "schema": "the text of the record schema changed",
        "prompts": "the text of a prompt changed",
        "models": "a model changed",
        "benchmarks": "the rows of a benchmark changed",
        "shard": f"the shard was {old.get('shard')} and is {new.get('shard')}",
        "input": "the input changed",
        "merged": "it was merged from other folders",
    }
    if old.get("job", {}).get("seeds") != new["job"]["seeds"]:
        names.pop("seeds")  # told already
    changed += [what for key, what in names.items() if old.get(key) != new.get(key)]
    if changed:
        again = f"textsynth run {prepared.job.path} --out NEW --reuse {out}"
        more = f"; and {len(changed) - _TOLD} more" if len(changed) > _TOLD else ""
        raise InputError(
            f"{out}: this folder holds another run: {'; '.join(changed[:_TOLD])}{more}. "
            f"Choose a new folder with --out; to take the answers that still apply: {again}"
        )


def _differences(old: Mapping[str, Any], job: Job) -> Iterator[str]:
    """Each key of a job that is not what it was, with both values."""
    before, now = (_flat(job_hash_data(one)) for one in (job_from(old), job))
    for key in [*before, *(key for key in now if key not in before)]:
        if before.get(key) != now.get(key):
            yield f"{key} was {shown(before.get(key, 'absent'))} and is {shown(now.get(key, 'absent'))}"


def _flat(value: Any, place: str = "") -> dict[str, Any]:
    """The leaves of nested values by their dotted place."""
    if isinstance(value, Mapping):
        parts = {f"{place}.{key}" if place else str(key): part for key, part in value.items()}
    elif isinstance(value, list) and value:
        parts = {f"{place}[{at}]": part for at, part in enumerate(value)}
    else:
        return {place: value}
    return {key: leaf for name, part in parts.items() for key, leaf in _flat(part, name).items()}


def _raised(out: Path, old: Mapping[str, Any], prepared: Prepared) -> list[dict[str, Any]]:
    """The target and budgets that are higher than they were.

    Raises:
        InputError: one is lower.
    """
    before, now = old["plan"], prepared.job.plan.model_dump(mode="json")
    changed = [
        {"key": f"plan.{key}", "from": before[key], "to": now[key]} for key in RAISABLE if before[key] != now[key]
    ]
    for one in changed:
        default = 4 * now["target"] * prepared.cost.calls if one["key"] == "plan.max_requests" else math.inf
        if (one["to"] or default) < (one["from"] or default):
            raise InputError(
                f"{out}: {one['key']} was {one['from'] or 'not set'} in this run and is {one['to']}. It can only be "
                "raised; choose a new folder with --out for a smaller run."
            )
    return changed


def _note(prepared: Prepared, store: Store, hashes: Mapping[str, Any]) -> None:
    notes = {
        "job": prepared.job.model_dump(mode="json"),
        "job_name": prepared.job.path.stem,
        "schema": prepared.schema,
        "sources": prepared.sources,
        "seeds": dict(prepared.seeds.counts),
        "notes": list(prepared.notes),
        "engine": dict(prepared.engine.describe()) if prepared.engine else None,
        "engines": [dict(engine.describe()) for engine in prepared.engines],
        "step_engines": [step.engine for step in prepared.steps],
        "cells": _cells(prepared),
        "min_cell": _min_cell(prepared),
        "custom": [one.name for one in prepared.custom],
        "base": os.path.relpath(prepared.job.path.parent.resolve(), store.folder.resolve()),
        "hashes": hashes,
        "versions": _versions(),
        "status": "running",
        "shortfall": [],
        "evaluation": None,  # of an earlier sitting
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
    text = json.dumps(dict(prepared.schema), ensure_ascii=False, indent=1)  # the order of properties is part of it
    (out / f"{name}.schema.json").write_text(text + "\n", encoding="utf-8")
    files = prompt_files([step.prompt.name for step in prepared.steps])
    for step in prepared.steps:
        (out / files[step.prompt.name]).write_text(step.prompt.source, encoding="utf-8")


def prompt_files(names: Sequence[str]) -> dict[str, str]:
    """The file in a run folder for each prompt: its own name, with a number where two have the same."""
    files: dict[str, str] = {}
    for name in dict.fromkeys(names):
        stem = Path(name).stem
        same = sum(Path(other).stem == stem for other in files)
        files[name] = f"{stem}_{same + 1}.j2" if same else f"{stem}.j2"
    return files


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
