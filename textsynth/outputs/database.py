"""The SQLite file behind run.db: its tables, how it is opened, and what is said of one that is damaged."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from textsynth.errors import InputError, StoreError

_CHECKED_BYTES = 1 << 28  # a file up to this size is checked whole when it is opened: a second at most

VERSION = 4
TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE texts (hash TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE requests (
  id TEXT PRIMARY KEY, record_id TEXT NOT NULL, round INTEGER NOT NULL, step INTEGER NOT NULL,
  messages TEXT NOT NULL, schema TEXT, sampling TEXT NOT NULL, rng_seed INTEGER NOT NULL,
  seed_ids TEXT NOT NULL, attributes TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE completions (
  request_id TEXT PRIMARY KEY, text TEXT NOT NULL, finish_reason TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE features (key TEXT PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE rounds (
  round INTEGER PRIMARY KEY, first INTEGER NOT NULL, planned INTEGER NOT NULL,
  cells TEXT NOT NULL, requests INTEGER, tokens INTEGER, passed TEXT, accepted TEXT,
  closed INTEGER NOT NULL DEFAULT 0, aim TEXT, gave TEXT);
CREATE TABLE records (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, round INTEGER NOT NULL, cell INTEGER NOT NULL,
  state TEXT NOT NULL, reason TEXT,
  attributes TEXT NOT NULL, fields TEXT, working TEXT NOT NULL, lineage TEXT NOT NULL, trace BLOB);
CREATE INDEX records_by_state ON records (state, number);
CREATE TABLE verdicts (
  record_id TEXT NOT NULL, position INTEGER NOT NULL, filter TEXT NOT NULL, accepted INTEGER NOT NULL, reason TEXT,
  scores TEXT NOT NULL, neighbor_id TEXT, PRIMARY KEY (record_id, position)) WITHOUT ROWID;
"""


def connect(path: Path, write: bool) -> sqlite3.Connection:
    """Open the file, which is made with mode 0600 if it is new."""
    if not write:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        with suppress(sqlite3.Error):  # what is no database says so at the first query
            db.execute("PRAGMA writable_schema = ON")  # else SQLite reads nothing of a file that was cut short
        return db
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    return sqlite3.connect(path)


def check_whole(db: sqlite3.Connection, folder: Path) -> None:
    """Refuse a file that is damaged, before anything is written to it.

    Raises:
        sqlite3.DatabaseError: it is; `wrapped` says what can still be read.
    """
    if (folder / "run.db").stat().st_size <= _CHECKED_BYTES:
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError("database disk image is malformed")


def check_version(version: int | None, folder: Path) -> None:
    """Refuse a file of another version."""
    if version is None:
        raise sqlite3.DatabaseError("it has no version")
    if version != VERSION:
        who = "a newer textsynth wrote it: update this one" if version > VERSION else "an older textsynth wrote it"
        raise InputError(
            f"{folder}: run.db has version {version}; this textsynth reads {VERSION} ({who}). "
            "Use the textsynth that wrote it, or a new folder."
        )


def wrapped(error: sqlite3.Error | OSError, folder: Path) -> StoreError:
    """A fault of the file as a sentence that says what to do."""
    text = str(error)
    if isinstance(error, OSError) or "full" in text or "disk I/O" in text:
        return StoreError(
            f"{folder}: the disk is full or failed ({text}). Make room, then run again: nothing committed is lost."
        )
    if "locked" in text:
        return StoreError(f"{folder}: run.db is in use by another program ({text}). Close it, then run again.")
    completions, records = (_readable(folder / "run.db", table) for table in ("completions", "records"))
    if not completions:
        return StoreError(
            f"{folder}: run.db is damaged ({text}), and no completion in it can be read. "
            "Restore it from a copy, or choose another folder."
        )
    return StoreError(
        f"{folder}: run.db is damaged ({text}); {completions} completions and {records} records can still be read. "
        f"Restore it from a copy, or take those answers into a new run: textsynth run JOB --out NEW --reuse {folder}"
    )


def _readable(path: Path, table: str) -> int:
    """Rows of a table that a damaged file still gives, read from both ends."""
    key = {"completions": "request_id", "records": "number"}[table]
    found: set[object] = set()
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.Error), closing(connect(path, write=False)) as db:
            query = f"SELECT * FROM {table} ORDER BY {key} {order}"  # noqa: S608
            found.update(row[0] for row in db.execute(query))
            break
    return len(found)
