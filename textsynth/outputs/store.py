"""run.db, the one source of truth of a run. Everything else in a run folder can be written again from it."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

from textsynth.errors import InputError, StoreError
from textsynth.outputs.database import TABLES, VERSION, check_version, check_whole, connect, wrapped
from textsynth.outputs.lock import folder_lock
from textsynth.records import Completion, Record, Request, Verdict, content_hash

State = Literal["accepted", "rejected", "surplus"]
Judged = tuple[int, Record, int, State, Sequence[Verdict]]  # number, record, cell, state, verdicts
T = TypeVar("T")
_AT_ONCE = 500  # rows that are read together
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Store:
    """A run folder opened for writing (one process at a time) or for reading.

    Use it as a context manager. Writes are collected and committed by `commit`, or together with `close_round`.

    Raises:
        InputError: the folder is in use, holds something else, or was written by another version.
        StoreError: the disk is full or the database cannot be read; what was committed is kept.
    """

    def __init__(self, folder: Path, write: bool = True) -> None:
        self.folder, self._write, self._faults = folder, write, dict[str, StoreError]()
        path = folder / "run.db"
        if not write and not path.is_file():
            raise InputError(f"{folder}: there is no run here (no run.db). Give a folder that `textsynth run` wrote.")
        with ExitStack() as held:  # lets go of all of it if opening fails
            if write:
                held.enter_context(folder_lock(folder))
            self._db = self._guard(lambda: connect(path, write))
            held.callback(self._db.close)
            self._guard(self._prepare)
            self._held = held.pop_all()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Commit, fold the write-ahead log back into one file, and let go of the folder."""
        with self._held:
            if self._write:
                self.commit()
                with suppress(sqlite3.Error):  # another process reads it now: the log stays, as safe as the file
                    self._db.execute("PRAGMA journal_mode = DELETE")

    def commit(self) -> None:
        """Make everything written so far durable."""
        self._guard(self._db.commit)

    def get(self, key: str, default: Any = None) -> Any:
        """A value of the run's own notes."""
        row = self._guard(lambda: self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone())
        return json.loads(row[0]) if row else default

    def put(self, key: str, value: Any) -> None:
        """Set a value of the run's own notes."""
        self._run("INSERT OR REPLACE INTO meta VALUES (?, ?)", [(key, _json(value))])

    def add_requests(self, requests: Iterable[tuple[str, Request]]) -> None:
        """Keep requests, each with its record's id: a message once, however many share it; a schema by its hash."""
        rows, keys, forms = [], dict[str, str](), dict[str, str]()  # requests share most of these, so few are hashed

        def key_of(text: str, known: dict[str, str]) -> str:
            return known.get(text) or known.setdefault(text, content_hash(text))

        for record_id, r in requests:
            turns = [[message["role"], key_of(message["content"], keys)] for message in r.messages]
            schema = None if r.schema is None else key_of(_json(r.schema), forms)
            sampling, seed_ids, attributes = _json(dict(r.sampling)), _json(list(r.seed_ids)), _json(dict(r.attributes))
            place = (r.id, record_id, r.round, r.step)
            rows.append((*place, _json(turns), schema, sampling, r.rng_seed, seed_ids, attributes))
        self._run("INSERT OR IGNORE INTO texts VALUES (?, ?)", [(key, text) for text, key in keys.items()])
        self._run("INSERT OR IGNORE INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def add_completion(self, c: Completion) -> None:
        """Keep an answer; once committed it is never asked for again."""
        self._run(
            "INSERT OR IGNORE INTO completions VALUES (?, ?, ?, ?, ?)",
            [(c.request_id, c.text, c.finish_reason, c.prompt_tokens, c.completion_tokens)],
        )

    def has_request(self, r: Request) -> bool:
        """Whether this very request was asked: the same messages, schema, sampling and rng_seed under its id."""
        turns = _json([[message["role"], content_hash(message["content"])] for message in r.messages])
        schema = None if r.schema is None else content_hash(_json(r.schema))
        query = "SELECT 1 FROM requests WHERE id = ? AND messages = ? AND schema IS ? AND sampling = ? AND rng_seed = ?"
        values = (r.id, turns, schema, _json(dict(r.sampling)), r.rng_seed)
        return self._guard(lambda: self._db.execute(query, values).fetchone()) is not None

    def completion(self, request_id: str) -> Completion | None:
        """The kept answer to a request."""
        query = "SELECT * FROM completions WHERE request_id = ?"
        row = self._guard(lambda: self._db.execute(query, (request_id,)).fetchone())
        return Completion(*row) if row else None

    def open_round(self, round: int, first: int, cells: Sequence[int], aim: Mapping[str, Any] | None = None) -> None:
        """Note that a round was planned: its first record's number, the records of each cell, its steering."""
        row = (round, first, sum(cells), _json(list(cells)), None if aim is None else _json(aim))
        self._run("INSERT OR IGNORE INTO rounds (round, first, planned, cells, aim) VALUES (?, ?, ?, ?, ?)", [row])

    def close_round(
        self,
        round: int,
        judged: Sequence[Judged],
        gave: Mapping[str, Any],
        steering: Mapping[str, Any] | None = None,
        traces: Mapping[str, bytes] | None = None,
    ) -> None:
        """Keep a round's records and verdicts, and what it gave, in one transaction; it is done then.

        Args:
            gave: the other columns of its row: requests, tokens; passed and accepted by cell.
            traces: by record id, all that the filters need of it when the run goes on.
        """
        records, verdicts = [], []
        for number, record, cell, state, given in judged:
            reason = next((v.reason for v in given if not v.accepted), "surplus" if state == "surplus" else None)
            fields = None if record.fields is None else _json(record.fields)
            place = (number, record.id, record.round, cell, state, reason)
            rest = (_json(record.attributes), fields, _json(record.working), _json(record.lineage))
            records.append((*place, *rest, (traces or {}).get(record.id)))
            verdicts += [
                (record.id, at, v.filter, v.accepted, v.reason, _json(v.scores), v.neighbor_id)
                for at, v in enumerate(given)
            ]
        self.commit()  # completions stay, whatever ends what follows
        try:
            self._run("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", records)
            self._run("INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?)", verdicts)
            counts = [gave["requests"], gave["tokens"], _json(gave["passed"]), _json(gave["accepted"])]
            done = (*counts, None if steering is None else _json(steering), round)
            change = "requests = ?, tokens = ?, passed = ?, accepted = ?, gave = ?, closed = 1"
            self._run(f"UPDATE rounds SET {change} WHERE round = ?", [done])  # noqa: S608
            self.commit()
        except BaseException:  # Ctrl-C too
            self._db.rollback()
            raise

    def rounds(self) -> list[dict[str, Any]]:
        """All rounds in order: round, first, planned, requests, tokens, closed; cells, passed and accepted by cell."""
        names = ("cells", "passed", "accepted", "aim", "gave")
        return [_decoded(row, *names) for row in self.rows("SELECT * FROM rounds ORDER BY round")]

    def promote(self, numbers: Sequence[int], accepted: Mapping[int, Sequence[int]]) -> None:
        """Make surplus records accepted ones, and note how many their rounds then have accepted of each cell."""
        self._run("UPDATE records SET state = 'accepted', reason = NULL WHERE number = ?", [(n,) for n in numbers])
        rows = [(_json(list(counts)), round) for round, counts in accepted.items()]
        self._run("UPDATE rounds SET accepted = ? WHERE round = ?", rows)

    def records(self, state: str | None = None, most: int | None = None) -> Iterator[dict[str, Any]]:
        """Judged records in order, their JSON columns decoded; all states, or one; at most so many, evenly spread."""
        where, values = ("WHERE state = ?", (state,)) if state else ("", ())
        if most is not None:
            query = f"SELECT number FROM records {where} ORDER BY number"  # noqa: S608
            numbers = [row["number"] for row in self.rows(query, values)]
            some = [numbers[at * len(numbers) // most] for at in range(most)] if len(numbers) > most else numbers
            where, values = "WHERE number IN (SELECT value FROM json_each(?))", (_json(some),)
        for row in self.rows(f"SELECT * FROM records {where} ORDER BY number", values):  # noqa: S608
            yield _decoded(row, "attributes", "fields", "working", "lineage")

    def passed_records(self) -> Iterator[list[Record]]:
        """The records that passed, accepted ones and surplus, in order, some at a time; without their lineage."""
        names = "id, round, attributes, fields, working"
        query = f"SELECT {names} FROM records WHERE state != 'rejected' ORDER BY number"  # noqa: S608
        cursor = self._guard(lambda: self._db.execute(query))
        while some := self._guard(lambda: cursor.fetchmany(_AT_ONCE)):
            yield [Record(i, r, _value(a), _value(f), _value(w)) for i, r, a, f, w in some]

    def passed_traces(self) -> Iterator[tuple[str, bytes]]:
        """Id and trace of the records that passed, in order."""
        for row in self.rows("SELECT id, trace FROM records WHERE state != 'rejected' ORDER BY number"):
            yield row["id"], row["trace"]

    def tally(self) -> list[dict[str, Any]]:
        """How many judged records each cell has by state and reason: cell, state, reason, count."""
        groups = "cell, state, reason"
        query = f"SELECT {groups}, COUNT(*) AS count FROM records GROUP BY {groups} ORDER BY {groups}"  # noqa: S608
        return list(self.rows(query))

    def judged(
        self, state: str | None = None, most: int | None = None
    ) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """Records as `records` gives them, each with its `verdicts`."""
        records = self.records(state, most)
        while some := list(islice(records, _AT_ONCE)):
            given: dict[str, list[dict[str, Any]]] = defaultdict(list)
            marks = ",".join("?" * len(some))
            query = f"SELECT * FROM verdicts WHERE record_id IN ({marks}) ORDER BY record_id, position"  # noqa: S608
            for row in self.rows(query, [record["id"] for record in some]):
                given[row["record_id"]].append(_decoded(row, "scores"))
            yield from ((record, given[record["id"]]) for record in some)

    def verdicts(self, record_id: str) -> list[dict[str, Any]]:
        """What each filter said of a record, in order."""
        found = self.rows("SELECT * FROM verdicts WHERE record_id = ? ORDER BY position", (record_id,))
        return [_decoded(row, "scores") for row in found]

    def requests(self, record_id: str) -> list[dict[str, Any]]:
        """A record's requests with their messages and answers, in order."""
        found = self.rows(
            "SELECT r.*, c.text, c.finish_reason, c.prompt_tokens, c.completion_tokens FROM requests r "
            "LEFT JOIN completions c ON c.request_id = r.id WHERE r.record_id = ? ORDER BY r.id",
            (record_id,),
        )
        requests = [_decoded(row, "messages", "sampling", "seed_ids", "attributes") for row in found]
        for request in requests:
            request["messages"] = [
                {"role": role, "content": next(self.rows("SELECT text FROM texts WHERE hash = ?", (key,)))["text"]}
                for role, key in request["messages"]
            ]
        return requests

    def copy_run(self, other: Store) -> None:
        """Keep all requests, completions and features of another run."""
        for table in ("texts", "requests", "completions", "features"):
            rows = other.rows(f"SELECT * FROM {table}")  # noqa: S608
            while some := [tuple(row.values()) for row in islice(rows, _AT_ONCE)]:
                marks = ", ".join("?" * len(some[0]))
                self._run(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", some)  # noqa: S608

    def totals(self) -> dict[str, int]:
        """Completions and tokens so far."""
        sums = "COALESCE(SUM(prompt_tokens), 0) prompt_tokens, COALESCE(SUM(completion_tokens), 0) completion_tokens"
        truncated = "COALESCE(SUM(finish_reason = 'length'), 0) truncated"
        return dict(next(self.rows(f"SELECT COUNT(*) completions, {sums}, {truncated} FROM completions")))  # noqa: S608

    def vectors(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Stored features by key; keys without one are left out."""
        found: dict[str, bytes] = {}
        for at in range(0, len(keys), _AT_ONCE):
            some = keys[at : at + _AT_ONCE]
            marks = ",".join("?" * len(some))
            rows = self.rows(f"SELECT key, vector FROM features WHERE key IN ({marks})", some)  # noqa: S608
            found |= {row["key"]: row["vector"] for row in rows}
        return found

    def add_vectors(self, vectors: Mapping[str, bytes]) -> None:
        """Keep features."""
        self._run("INSERT OR IGNORE INTO features VALUES (?, ?)", list(vectors.items()))

    def rows(self, query: str, values: Sequence[Any] = ()) -> Iterator[dict[str, Any]]:
        """Rows of a query as dicts."""
        cursor = self._guard(lambda: self._db.execute(query, values))
        names = [column[0] for column in cursor.description]
        while some := self._guard(lambda: cursor.fetchmany(_AT_ONCE)):
            yield from (dict(zip(names, row, strict=True)) for row in some)

    def _prepare(self) -> None:
        """Nothing is written to a file that is damaged or of another version."""
        new = not self._db.execute("SELECT 1 FROM sqlite_master").fetchone()
        if new and not self._write:
            raise InputError(f"{self.folder}: run.db is empty. Start the run again.")
        if not new:
            if self._write:
                check_whole(self._db, self.folder)
            check_version(self.get("version"), self.folder)
        if self._write:
            self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        if new:
            self._db.executescript(f"BEGIN; {TABLES}")  # all or nothing, so that one killed here can start again
            self.put("version", VERSION)
            self._db.commit()

    def _run(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self._guard(lambda: self._db.executemany(statement, rows))

    def _guard(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except (sqlite3.Error, OSError) as error:
            if str(error) not in self._faults:  # to word one reads all of a damaged file
                self._faults[str(error)] = wrapped(error, self.folder)
            raise self._faults[str(error)] from None


def _value(text: str | None) -> Any:
    return None if text is None else {} if text == "{}" else json.loads(text)


def _decoded(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return row | {name: _value(row[name]) for name in names}
