"""The files made from run.db that every run folder holds.

Records are streamed from the database, and a file takes its name only once it is whole.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from textsynth.errors import StoreError
from textsynth.outputs.store import Store
from textsynth.records import canonical_json, content_hash

_LINE_ENDS = re.compile("[\x85\u2028\u2029]")  # to many readers of lines, though not to JSON
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
Row = Mapping[str, Any]


def write_run_files(store: Store, folder: Path) -> None:
    """Write accepted.jsonl, lineage.jsonl and rejected.jsonl, then manifest.json with their hashes.

    They hold no seed text: a rejected record's fields are written only where it had passed the leakage gate.

    Raises:
        StoreError: the disk is full or the folder cannot be written; the files that were there are unharmed.
    """
    contents = {
        "accepted.jsonl": accepted_fields(store),
        "lineage.jsonl": _lineages(store),
        "rejected.jsonl": _rejections(store),
    }
    files = {name: write_jsonl(folder / name, lines) for name, lines in contents.items()}
    with replacing(folder / "manifest.json") as file:
        file.write((json.dumps(_manifest(store, files), ensure_ascii=False, indent=2) + "\n").encode())


def accepted_records(store: Store, most: int | None = None) -> Iterator[dict[str, Any]]:
    """Accepted records in order, their fields in the order of the record schema; at most so many, evenly spread."""
    order = list((store.get("schema") or {}).get("properties", ()))
    for row in store.records("accepted", most):
        fields = row["fields"] or {}
        yield row | {"fields": {name: fields[name] for name in order if name in fields} | fields}


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to that takes the place of `path` at the end, if all of it could be written.

    Raises:
        StoreError: the disk is full or the place cannot be written.
    """
    whole = False
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        whole = True
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        if not whole:
            temporary.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> StoreError:
    """The error for a file that could not be written."""
    if error.errno in _NO_ROOM:
        return StoreError(
            f"{path}: the disk is full or failed ({error.strerror}). "
            "Make room, then run again: nothing committed is lost."
        )
    return StoreError(f"{path}: this cannot be written ({error.strerror or error}). Make it writable, then run again.")


def accepted_fields(store: Store) -> Iterator[dict[str, Any]]:
    """The fields of accepted records in order."""
    return (row["fields"] for row in accepted_records(store))


def write_jsonl(path: Path, lines: Iterable[Any]) -> dict[str, Any]:
    """One JSON value a line; returns how many lines and bytes, and their sha256."""
    digest, count, size = hashlib.sha256(), 0, 0
    with replacing(path) as file:
        for line in lines:
            text = _LINE_ENDS.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(line, ensure_ascii=False))
            data = f"{text}\n".encode()
            file.write(data)
            digest.update(data)
            count, size = count + 1, size + len(data)
    return {"lines": count, "bytes": size, "sha256": digest.hexdigest()}


def _lineages(store: Store) -> Iterator[dict[str, Any]]:
    told = _Teller(store)
    return (told.line(row, verdicts) for row, verdicts in store.judged("accepted"))


class _Teller:
    """Writes how a record came to be, as one line."""

    def __init__(self, store: Store) -> None:
        engines, places = store.get("engines") or [], store.get("step_engines") or []
        keys = ("type", "model", "fingerprint")
        self._engines = [{key: engines[at].get(key) for key in keys} if engines else {} for at in places]

    def line(self, row: Row, verdicts: Sequence[Row]) -> dict[str, Any]:
        """Id, attributes, cell, seed ids drawn from and shown; each request; working fields; every filter's scores."""
        lineage = row["lineage"]
        steps = [
            step
            | ({"engine": self._engines[step["step"]]} if step.get("step", -1) in range(len(self._engines)) else {})
            for step in lineage.get("steps", ())
        ]
        shown = dict.fromkeys(seed_id for step in steps for seed_id in step.get("seed_ids", ()))
        scores = {verdict["filter"]: verdict["scores"] for verdict in verdicts}
        line = {"id": row["id"], "round": row["round"], "attributes": row["attributes"], "seed_ids": list(shown)}
        line |= {key: value for key, value in lineage.items() if key not in line}
        return line | {"steps": steps, "working": row["working"], "scores": scores}


def _rejections(store: Store) -> Iterator[dict[str, Any]]:
    told = _Teller(store)
    for row, verdicts in store.judged():
        if row["state"] == "accepted":
            continue
        refused: Row = next((verdict for verdict in verdicts if not verdict["accepted"]), {})
        text = _text_of(store, row)
        kept = row["state"] == "surplus" or passed_gate(verdicts)
        line = {
            "id": row["id"],
            "filter": refused.get("filter"),
            "reason": row["reason"],
            "scores": refused.get("scores", {}),
            "neighbor_id": refused.get("neighbor_id"),
            "hash": content_hash(text),
            "length": len(text),
            "lineage": told.line(row | ({} if kept else {"working": {}}), verdicts),
        }
        if kept:
            line["fields"] = row["fields"]
        yield line


def passed_gate(verdicts: Sequence[Row]) -> bool:
    """Whether a leakage gate saw the record and accepted it; only then may what it says leave run.db."""
    gates = [verdict["accepted"] for verdict in verdicts if verdict["filter"] == "leakage"]
    return bool(gates) and all(gates)


def _text_of(store: Store, row: Row) -> str:
    """A record as one text: the JSON of its fields, or its last completion where that did not parse."""
    if row["fields"] is not None:
        return canonical_json(row["fields"])
    steps = row["lineage"].get("steps", ())
    completion = store.completion(steps[-1]["request_id"]) if steps else None
    return completion.text if completion else ""


def _manifest(store: Store, files: Mapping[str, Any]) -> dict[str, Any]:
    states, reasons = Counter[str](), Counter[str]()
    for row in store.rows("SELECT state, reason, COUNT(*) AS count FROM records GROUP BY state, reason"):
        states[row["state"]] += row["count"]
        if row["state"] == "rejected":
            reasons[row["reason"] or ""] += row["count"]
    sources = store.get("sources") or {}
    completed = states.total()
    return {
        "job_name": store.get("job_name"),
        "status": store.get("status", "running"),
        "shortfall": store.get("shortfall") or [],
        "raised": store.get("raised") or [],
        "job": store.get("job"),
        "base": store.get("base"),
        "custom": store.get("custom") or [],
        "shard": (store.get("hashes") or {}).get("shard"),
        "notes": store.get("notes") or [],
        "said": store.get("said") or {},
        "target": sum(cell["quota"] for cell in store.get("cells") or ()),
        "counts": {"completed": completed} | {state: states[state] for state in ("accepted", "rejected", "surplus")},
        "reasons": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        "yield_rate": round(states["accepted"] / completed, 6) if completed else None,
        "totals": store.totals(),
        "started": store.get("started"),
        "elapsed_seconds": store.get("elapsed"),
        "seeds": store.get("seeds") or {},
        "sources": sources,
        "copied_fields": [name for name, source in sources.items() if source == "copied"],
        "perturbed_fields": [name for name, source in sources.items() if source == "perturbed"],
        "engines": store.get("engines") or [],
        "hashes": store.get("hashes") or {},
        "versions": store.get("versions") or {},
        "files": dict(files),
    }
