"""Beside a run: the filters alone over records made elsewhere, a preview, the first request."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

from textsynth.engines.base import Engine
from textsynth.errors import InputError
from textsynth.folder import begin
from textsynth.inputs.dialects import validator
from textsynth.inputs.left_out import LeftOut
from textsynth.inputs.readers import read_rows
from textsynth.inputs.tighten import tighten
from textsynth.ledger import Ledger
from textsynth.outputs.store import Store
from textsynth.parse import ParseError, parse_fields
from textsynth.pipeline import Run, run_prepared
from textsynth.prepare import Prepared
from textsynth.progress import Progress, Result
from textsynth.records import Record, Request, Verdict
from textsynth.rounds import Draft, Round, Writer

Show = Callable[[Progress], None]
_ROUND = 1024  # records that are judged at a time: enough to work in bulk, few to hold and to do again
_TINY = {
    "type": "object",
    "properties": {"color": {"type": "string", "maxLength": 10}, "number": {"type": "integer"}},
    "required": ["color", "number"],
}


def filter_records(prepared: Prepared, source: str, out: Path, on_progress: Show | None = None) -> Result:
    """Decide over the records of a file or of another run with this job's filters.

    Records keep their order. From a run folder all that have fields are judged, whatever became of them there; they
    keep their ids, their lineage and their stored vectors, so nothing is encoded again.

    Raises:
        InputError: the source cannot be read or the folder holds something else.
        MissingExtraError, RunError: a vector is not stored, and the encoder cannot be loaded.
    """
    prepared = replace(prepared, engines=())  # nothing is asked of one
    is_run = (Path(source) / "run.db").is_file()
    with Store(Path(source), write=False) if is_run else nullcontext() as old:
        if old is None or not old.get("engines"):
            prepared = replace(prepared, steps=())  # no step's bound has cut what was made elsewhere
        left_out = LeftOut()
        count = _count(source, old, left_out)
        if not count:
            raise InputError(f"filter: {source} holds no records. Give a file of records, or a run folder.")
        prepared = replace(prepared, notes=[*prepared.notes, *(f"filter: {said}" for said in left_out.sentences())])
        with begin(prepared, out, {"input": _content(source)}) as store:
            if old is not None:
                store.copy_run(old)
                for key in ("engine", "engines", "step_engines"):
                    store.put(key, old.get(key))
                store.put("written_by", old.get("written_by") or old.get("job"))
            drafts = (Draft(record) for record in _records(prepared, source, old))
            run = FilterRun(prepared, store, on_progress or (lambda progress: None), drafts, [count])
            run.go()
            return run.end("done")


def preview_job(prepared: Prepared, count: int, on_progress: Show | None = None) -> list[tuple[Record, list[Verdict]]]:
    """Make `count` records and judge them, in a folder that is gone afterwards."""
    calls = sum(1 + step.spec.retry for step in prepared.steps) or 1
    plan = prepared.job.plan.model_copy(update={"target": count, "round": count, "max_requests": 10 * count * calls})
    job = prepared.job.model_copy(update={"plan": plan})
    small = replace(prepared, job=job, planner=replace(prepared.planner, job=job))
    with tempfile.TemporaryDirectory() as folder:
        run_prepared(small, Path(folder) / "run", on_progress)
        with Store(Path(folder) / "run", write=False) as store:
            found = [(_record(row), [_verdict(v) for v in store.verdicts(row["id"])]) for row in store.records()]
    return found[:count]


def planned_request(prepared: Prepared) -> Request | None:
    """The first request that a run would make; None where no field is written."""
    writer = Writer(prepared)
    quotas = prepared.planner.quotas
    first = [int(cell == quotas.index(max(quotas))) for cell in range(len(quotas))]
    draft = writer.plan(0, prepared.planner.first, first).drafts[0]
    return writer.requests(draft)[0] if prepared.steps else None


def try_engine(prepared: Prepared) -> tuple[list[str], float | None]:
    """Ask the job's engines one tiny thing each, and say in lines what they are, what they can and how fast.

    Returns:
        The lines, and the tokens a second of the slowest engine; None where there is none.

    Raises:
        EngineError: it did not answer.
    """
    tried = [_tried(engine) for engine in prepared.engines]
    if not tried:
        return ["engine: this job asks none."], None
    return [line for lines, _ in tried for line in lines], min(speed for _, speed in tried)


def _tried(engine: Engine) -> tuple[list[str], float]:
    began = [0.0]
    schema = tighten(_TINY)
    turn = {"role": "user", "content": "Name a color and a number."}
    request = Request("r0-0-0", 0, 0, (turn,), schema, {"temperature": 0.0, "max_tokens": 64}, 1)

    def feed() -> Iterator[Request]:
        began[0] = monotonic()  # the engine is open by now
        yield request

    [answer] = engine.generate(feed())
    seconds = monotonic() - began[0]
    try:
        obeyed = validator(_TINY).is_valid(parse_fields(answer.text))
    except ParseError:
        obeyed = False
    able, facts = engine.abilities(), engine.describe()
    speed = answer.completion_tokens / max(seconds, 1e-9)
    return [
        f"engine: {facts['type']}, model {facts['model']}, {answer.completion_tokens} tokens in {seconds:.2f} s: "
        f"{speed:.0f} tokens/s for one request (more at a time are faster)",
        f"context: {able['context'] or 'not told'}" + (" tokens" if able["context"] else ""),
        f"structured output: {able['structured_output']}; its answer {'fits' if obeyed else 'does not fit'}",
        *(f"note: {sentence}" for sentence in engine.said),
    ], speed


class FilterRun(Run):
    """A run whose rounds come from records that are there, instead of a plan.

    Args:
        drafts: the records in order, each in its cell.
        quotas: records of each cell that are accepted at most.
    """

    def __init__(
        self, prepared: Prepared, store: Store, report: Show, drafts: Iterator[Draft], quotas: Sequence[int]
    ) -> None:
        super().__init__(prepared, store, report)
        self.ledger = Ledger(quotas)
        self.progress.target = sum(quotas)
        self._drafts = drafts

    def go(self) -> None:
        """Judge every record; rounds that are closed already are passed over."""
        self._resume()
        self.open.clear()
        for _ in islice(self._drafts, sum(self.ledger.standing.planned)):
            pass
        number = len(self.ledger.standings)
        while batch := list(islice(self._drafts, _ROUND)):
            first = sum(self.ledger.standing.planned)
            counts = [sum(draft.cell == cell for draft in batch) for cell in range(len(self.ledger.quotas))]
            self.store.open_round(number, first, counts)
            for draft in batch:
                draft.record, draft.done = replace(draft.record, round=number), True
            self.open.append(Round(number, first, batch))
            self._close()
            number += 1


def _count(source: str, old: Store | None, left_out: LeftOut) -> int:
    """The records of a source. All of a file is read, so that its faults are heard before anything is written."""
    if old is None:
        return sum(1 for _ in read_rows(source, Path(), "filter", left_out=left_out))
    return int(next(old.rows("SELECT COUNT(*) AS count FROM records WHERE fields IS NOT NULL"))["count"])


def _content(source: str) -> str:
    """The hash of a file or of a folder's run, so that another input is not taken for the same."""
    digest = hashlib.sha256()
    path = Path(source)
    if (path / "run.db").is_file():
        files = [path / "accepted.jsonl", path / "rejected.jsonl"]
    else:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
    for file in files:
        if file.is_file():
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
    return f"{path.name} {digest.hexdigest()}"


def _records(prepared: Prepared, source: str, old: Store | None) -> Iterator[Record]:
    if old is not None:
        yield from (_record(row) for row in old.records() if row["fields"] is not None)
        return
    for number, row in enumerate(read_rows(source, Path(), "filter", left_out=LeftOut())):
        fields = {name: _typed(value, prepared.properties.get(name, {})) for name, value in row.items()}
        yield Record(f"r{number:07d}", 0, {}, fields, lineage={"source": Path(source).name, "row": number + 1})


def _typed(value: Any, schema: Mapping[str, Any]) -> Any:
    """A csv cell as the type that the schema asks for, where it is one."""
    kinds = schema.get("type", "string")
    if not isinstance(value, str) or "string" in kinds:
        return value
    for kind, convert in (("integer", int), ("number", float)):
        if kind in kinds:
            try:
                return convert(value)
            except ValueError:
                continue
    return value


def _record(row: Mapping[str, Any]) -> Record:
    return Record(row["id"], row["round"], row["attributes"], row["fields"], row["working"], row["lineage"])


def _verdict(row: Mapping[str, Any]) -> Verdict:
    return Verdict(row["filter"], bool(row["accepted"]), row["reason"], row["scores"], row["neighbor_id"])
