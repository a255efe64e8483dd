"""Run folders put together: the shards of one job as one run, with its filters across all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from textsynth.decide import FilterRun, Show
from textsynth.errors import InputError
from textsynth.folder import begin
from textsynth.job import job_from, job_hash_data
from textsynth.outputs.store import Store
from textsynth.prepare import prepare
from textsynth.progress import Result
from textsynth.records import Record, Verdict
from textsynth.repeat import Manifest, check_same_inputs, job_of, load_manifest, shard_of
from textsynth.rounds import Draft


def merge_runs(folders: Sequence[Path], out: Path, on_progress: Show | None = None) -> Result:
    """Put the shards of a job together into a new run folder.

    All records are judged again, shard after shard, by all filters of the job: what repeats a record of another shard
    is refused, and surplus fills the places of what is. Answers, vectors and lineage come along; nothing is asked of a
    model or encoded again. Called again, it goes on.

    Raises:
        InputError: the folders are not different shards of one job over the same inputs.
    """
    runs = [load_manifest(folder) for folder in folders]
    shards = _check_shards(runs)
    folder, manifest = runs[0]
    job = job_of(folder, manifest)
    prepared = prepare(job, writes=False, encodes=False)
    check_same_inputs(prepared, folder, manifest, models=False)
    quotas = [
        sum(parts) for parts in zip(*(prepared.planner.targets.quotas(job.plan.target, s) for s in shards), strict=True)
    ]
    with ExitStack() as opened:
        olds = [opened.enter_context(Store(folder, write=False)) for folder, _ in runs]
        store = opened.enter_context(begin(prepared, out, {"merged": [m["hashes"]["shard"] for _, m in runs]}))
        for old in olds if not store.get("copied") else ():
            store.copy_run(old)
        _note(store, olds, quotas)
        drafts = (draft for old in olds for draft in _drafts(old))
        run = FilterRun(prepared, store, on_progress or (lambda progress: None), drafts, quotas)
        run.go()
        return run.end("short" if run.progress.accepted < run.progress.target else "done")


def _check_shards(runs: Sequence[tuple[Path, Manifest]]) -> list[tuple[int, int]]:
    if len(runs) < 2:
        raise InputError(f"merge: {len(runs)} folder is given. Give the folders of two shards or more.")
    (first, manifest), shards = runs[0], []
    for folder, other in runs:
        if _kind(other) != _kind(manifest):
            raise InputError(
                f"merge: {folder} and {first} are no shards of one job over the same seeds, schema, prompts and model. "
                "Use textsynth filter to judge one run's records by another job."
            )
        if other["job"]["plan"]["target"] != manifest["job"]["plan"]["target"]:
            raise InputError(f"merge: {folder} and {first} have other targets. Run all shards with the same target.")
        shard = shard_of(str(other["shard"]), f"{folder}: shard")
        if shard in shards or shard[1] != int(str(manifest["shard"]).partition("/")[2]):
            raise InputError(f"merge: {folder} is shard {other['shard']}, as another folder is, or of another number.")
        shards.append(shard)
    return shards


def _kind(manifest: Manifest) -> Any:
    hashes = {key: value for key, value in manifest["hashes"].items() if key not in ("shard", "job")}
    return hashes, job_hash_data(job_from(manifest["job"]))


def _note(store: Store, olds: Sequence[Store], quotas: Sequence[int]) -> None:
    """What a merged run keeps of its shards: engines, times, what was said, and the target that they had together."""
    for key in ("engine", "engines", "step_engines"):
        store.put(key, olds[0].get(key))
    if not store.get("copied"):
        store.put("elapsed", round(sum(old.get("elapsed", 0.0) for old in olds), 1))
    store.put("said", dict(sum((Counter(old.get("said") or {}) for old in olds), Counter())))
    cells = store.get("cells")
    store.put("cells", [cell | {"quota": quota} for cell, quota in zip(cells, quotas, strict=True)])
    store.put("copied", True)
    store.commit()


def _drafts(old: Store) -> Iterator[Draft]:
    """The judged records of a shard, each in its cell; one that ended before its filters stays refused."""
    for row, verdicts in old.judged():
        record = Record(row["id"], row["round"], row["attributes"], row["fields"], row["working"], row["lineage"])
        yield Draft(record, row["cell"], refused=_early(verdicts))


def _early(verdicts: Sequence[Mapping[str, Any]]) -> Verdict | None:
    """The verdict on a record that a step ended: it did not parse, or broke the step's rules."""
    last = verdicts[-1]
    if last["accepted"] or not (last["filter"] == "parse" or "step" in last["scores"]):
        return None
    return Verdict(last["filter"], False, last["reason"], last["scores"], last["neighbor_id"])
