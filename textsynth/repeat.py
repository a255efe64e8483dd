"""A finished run's job out of its folder: to repeat the run, or to put its shards together."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textsynth.errors import InputError
from textsynth.folder import hashes_of, prompt_files
from textsynth.job import Job, builtin, job_from
from textsynth.prepare import Prepared

Manifest = Mapping[str, Any]


def load_manifest(path: Path) -> tuple[Path, Manifest]:
    """The folder and the manifest of a run, given either.

    Raises:
        InputError: there is none, or it is not one of this version.
    """
    file = path / "manifest.json" if path.is_dir() else path
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{file}: there is no manifest to read. Give the folder of a run, or its manifest.json."
        ) from None
    if not isinstance(manifest, dict) or not manifest.get("job") or manifest.get("base") is None:
        raise InputError(f"{file}: this manifest does not tell its job. Give that of a run of this version.")
    if manifest.get("custom"):
        raise InputError(
            f"{file}: that run had filters of its own from Python ({', '.join(manifest['custom'])}), which no manifest "
            "holds. Repeat it with run_job."
        )
    return file.parent, manifest


def job_of(folder: Path, manifest: Manifest) -> Job:
    """The job of a run: schema and prompts from its folder, seeds and examples from where they were."""
    data = json.loads(json.dumps(manifest["job"]))
    base = (folder / manifest["base"]).resolve()

    def there(path: str) -> str:
        return str(base / path) if (base / path).exists() else path

    data["seeds"]["path"] = there(data["seeds"]["path"])
    if builtin("schemas", data["record_schema"], ".json") is None:
        data["record_schema"] = f"./{Path(data['record_schema']).stem}.schema.json"
    files = prompt_files([step["prompt"] for step in data["steps"]])
    for step in data["steps"]:
        if builtin("prompts", step["prompt"], ".j2") is None:
            step["prompt"] = f"./{files[step['prompt']]}"
        if isinstance(step["examples"], str):
            step["examples"] = there(step["examples"])
    return job_from(data, folder / "job.yaml")


def shard_of(text: str, place: str) -> tuple[int, int]:
    """`2/4` as (2, 4).

    Raises:
        InputError: it is no such part.
    """
    found = re.fullmatch(r"(\d{1,5})/(\d{1,5})", text)
    i, n = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= i <= n:
        raise InputError(f"{place} is {text}. Use i/n with i from 1 to n, such as 2/4 for the second of four parts.")
    return i, n


def check_same_inputs(prepared: Prepared, folder: Path, manifest: Manifest, models: bool = True) -> None:
    """Refuse inputs that are not those of the run; its models only where they are to be asked again.

    Raises:
        InputError: seeds, schema, prompts or a model are others now.
    """
    old, new = manifest["hashes"], hashes_of(prepared)
    changed = [key for key in ("seeds", "schema", *(["models"] if models else [])) if old.get(key) != new[key]]
    changed += ["prompts"] if sorted(old.get("prompts", {}).values()) != sorted(new["prompts"].values()) else []
    if changed:
        raise InputError(
            f"{folder}: its run cannot be repeated: {', '.join(changed)} changed since. Bring back what it was made "
            "of, or run the job as it is now."
        )
