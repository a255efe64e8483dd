"""The whole flow, in order: plan rounds -> ask the engine -> parse -> filter in request order -> keep.

Round r+1 is planned from the results up to round r-1, so two rounds are in flight and the plan does not depend on
timing. With an engine that answers a request the same way each time, a run is a pure function of its job and inputs:
killed at any byte and started again, it ends in the same files.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from textsynth.engines.base import Engine
from textsynth.errors import EngineError, RunError
from textsynth.feed import EngineThread
from textsynth.filters.base import Filter, check_methods
from textsynth.folder import begin, finish
from textsynth.inputs.plan import RoundResult
from textsynth.inputs.steer import Aim, Gave, Steer
from textsynth.job import Job
from textsynth.outputs.store import State, Store
from textsynth.outputs.verdict import POINTS_TO_SEEDS
from textsynth.prepare import Prepared, prepare
from textsynth.progress import Progress, Result
from textsynth.records import Record, Request, Verdict
from textsynth.rounds import Draft, Round, Writer, replay
from textsynth.similarity.encoder import StoredEncoder, TextEncoder

COMMIT_SECONDS, COMMIT_COMPLETIONS = 0.5, 64  # a completion is durable this soon


def run_job(
    job: Job,
    out: str | Path,
    *,
    filters: Sequence[Filter] = (),
    engine: Engine | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Run a job into a folder, or go on with a run that stopped there.

    Args:
        job: what to make, from `load_job`.
        out: the run folder.
        filters: objects with the Filter methods, applied after the job's own.
        engine: answers instead of the job's engine, such as a ScriptedEngine.

    Raises:
        InputError: faults of the job or of the folder; nothing was written.
        RunError: a fault on the way; what was committed is kept, and the same call goes on.
    """
    check_methods(filters)
    return run_prepared(prepare(job, filters, engine), Path(out), on_progress)


def run_prepared(prepared: Prepared, out: Path, on_progress: Callable[[Progress], None] | None = None) -> Result:
    """`run_job` for a job that is already prepared."""
    with begin(prepared, out) as store:
        run = Run(prepared, store, on_progress or (lambda progress: None))
        try:
            run.go()
        except (KeyboardInterrupt, RunError) as stop:
            with contextlib.suppress(RunError, OSError):  # what stopped the run is what the user must hear
                run.keep_evidence()
                finish(store, "failed" if isinstance(stop, RunError) else "interrupted", run.progress.seconds, [])
            raise
        run.keep_evidence()
        return run.end("short" if run.progress.accepted < run.progress.target else "done")


class Run:
    """One sitting of a run. The main thread does everything but the engine's own work."""

    def __init__(self, prepared: Prepared, store: Store, report: Callable[[Progress], None]) -> None:
        self.prepared, self.store, self._report = prepared, store, report
        self.writer = Writer(prepared)
        self._encoders: dict[str, StoredEncoder] = {}
        self.filters = prepared.filters(self._encoder)
        self.steer: Steer | None = None  # of a run that plans its rounds
        self.aims: list[Aim] = []  # of all planned rounds, where there is steering
        self.progress = Progress(prepared.job.plan.target)
        self.results: list[RoundResult] = []  # of closed rounds, in order
        self.sizes: list[int] = []  # of all planned rounds
        self.open: list[Round] = []  # in order
        self.asked: dict[str, tuple[Round, Draft, Request]] = {}
        self._started = self._committed = self._reported = time.monotonic()
        self._uncommitted = 0
        self._said = Counter[str](store.get("said") or {})  # by the engine in earlier sittings, and by steering

    def go(self) -> None:
        """Work until the target is reached, the budget is spent, or nothing more can be asked."""
        self._tell("remembering")
        self.steer = self.prepared.steer(self._encoder)
        self._resume()
        if self.prepared.engine is None or not self.prepared.steps:
            while self._advance(None):
                pass
            return
        with EngineThread(self.prepared.engine) as thread:
            self._ask_all(thread, self.open)  # of rounds taken up from the folder
            while self._advance(thread):
                for completion in thread.take(timeout=0.2):
                    if completion.request_id not in self.asked:
                        raise EngineError(
                            f"engine: it answered {completion.request_id}, which nobody waits for. "
                            "Answer each request once."
                        )
                    round, draft, request = self.asked.pop(completion.request_id)
                    self.store.add_completion(completion)
                    self.progress.tokens += completion.completion_tokens
                    self._uncommitted += 1
                    following = self.writer.take(draft, request, completion)
                    if following is not None:
                        self._ask(thread, round, draft, following)
                    round.open -= draft.done
                self._commit_now_and_then()
                self._tell("writing")

    def keep_evidence(self) -> None:
        """Leave the filters' own numbers, and what the engine said, in the store."""
        self._tell("keeping evidence")
        self.store.put("said", dict(self.progress.said))
        self.store.put("evidence", {f.name: dict(f.evidence()) for f in self.filters})

    def end(self, status: str) -> Result:
        """Write the run's files, and say what was missed: the target, or the test of the accepted rows as a set."""
        missed = self._shortfall() if status == "short" else []
        evidence: dict[str, Any] = self.store.get("evidence")
        if (evidence.get("leakage", {}).get("rows_as_a_set") or {}).get("flagged"):
            missed.append(POINTS_TO_SEEDS)
        finish(self.store, status, self.progress.seconds, missed)
        p = self.progress
        return Result(self.store.folder, p.target, p.accepted, dict(p.rejected), missed)

    def _shortfall(self) -> list[str]:
        """Why fewer records were accepted than asked, in words."""
        p = self.progress
        reasons = ", ".join(f"{count} {reason}" for reason, count in p.rejected.most_common())
        budget = sum(r.requests for r in self.results)
        return [
            f"{p.accepted} of {p.target} records were accepted, from {p.completed} completed with {budget} requests "
            f"(refused: {reasons or 'none'}). Raise plan.max_requests and run again to go on."
        ]

    def _resume(self) -> None:
        """Take up the rounds that the folder already holds: closed ones are remembered, open ones planned again."""
        for row in self.store.rounds():
            self.sizes.append(row["planned"])
            aim = Aim(**row["aim"]) if row["aim"] else None
            self.aims += [aim] if aim else []
            if row["closed"]:
                gave = Gave(**row["gave"]) if row["gave"] else Gave()
                self.results.append(RoundResult(row["planned"], row["requests"], row["accepted"], gave))
            else:
                self.open.append(self.writer.plan(row["round"], row["first"], row["planned"], aim))
        batch: list[Record] = []
        for row in self.store.records():
            self.progress.completed += 1
            if row["state"] == "rejected":
                self.progress.rejected[row["reason"]] += 1
                continue
            self.progress.accepted += row["state"] == "accepted"
            self.progress.rejected["surplus"] += row["state"] == "surplus"
            record = Record(row["id"], row["round"], row["attributes"], row["fields"], row["working"], row["lineage"])
            if batch and batch[0].round != record.round:
                self._remember(batch)
                batch = []
            batch.append(record)
        self._remember(batch)
        self.progress.rejected += Counter()  # drops zero counts
        self.progress.accepted_before = self.progress.accepted

    def _remember(self, records: Sequence[Record]) -> None:
        if records:
            for one in self.filters:
                one.prepare(records)
                for record in records:
                    one.remember(record)

    def _advance(self, thread: EngineThread | None) -> bool:
        """Close what is complete, plan what can be planned, ask what is new; False when there is nothing left."""
        while self.open and not self.open[0].open:
            self._close(self.open.pop(0))
        while len(self.open) < 2 and self._plan(thread):
            while self.open and not self.open[0].open:
                self._close(self.open.pop(0))
        if not self.open:
            self._tell("finishing")
        return bool(self.open)

    def _plan(self, thread: EngineThread | None) -> bool:
        """Open the next round, if its results so far allow one that is not empty or waits for one that is open."""
        number = len(self.sizes)
        known = self.results[: max(0, number - 1)]  # never the last round's, whether or not it is done
        steps = self.prepared.steps
        calls, worst = max(1, len(steps)), sum(1 + step.spec.retry for step in steps) or 1
        waiting = self.sizes[-1] if self.sizes else 0
        size = self.prepared.planner.round_size(known, waiting, calls, worst)
        if size == 0 and waiting == 0:
            return False
        first, aim = sum(self.sizes), None
        if self.steer is not None:
            gave = [result.gave for result in known]
            self._said.update(self.steer.says(number, self.aims, gave))
            aim = self.steer.aim(first, size, self.aims, gave)
            self.aims += [aim] if aim else []
        round = self.writer.plan(number, first, size, aim)
        self.store.open_round(number, first, size, asdict(aim) if aim else None)
        self.sizes.append(size)
        self.open.append(round)
        if thread is not None:
            self._ask_all(thread, [round])
        return True

    def _ask_all(self, thread: EngineThread, rounds: Iterable[Round]) -> None:
        for round in rounds:
            missing = list(replay(self.writer, round, self.store.completion))
            self.store.add_requests((draft.record.id, request) for draft, request in missing)
            for draft, request in missing:
                self.asked[request.id] = (round, draft, request)
                thread.ask(request)
        self.store.commit()

    def _ask(self, thread: EngineThread, round: Round, draft: Draft, request: Request) -> None:
        self.store.add_requests([(draft.record.id, request)])
        self.asked[request.id] = (round, draft, request)
        round.requests += 1
        thread.ask(request)

    def _close(self, round: Round) -> None:
        """Judge a complete round in request order and keep it in one transaction."""
        self._tell("filtering")
        whole = [draft.record for draft in round.drafts if draft.refused is None]
        if whole:
            for one in self.filters:
                one.prepare(whole)
            self.store.commit()  # vectors are durable before any verdict rests on them
        judged: list[tuple[int, Record, State, list[Verdict]]] = []
        for at, draft in enumerate(round.drafts):
            verdicts = [draft.refused] if draft.refused else judge(self.filters, draft.record)
            state: State = "accepted" if verdicts[-1].accepted else "rejected"
            if state == "accepted" and self.progress.accepted >= self.progress.target:
                state = "surplus"
            self.progress.accepted += state == "accepted"
            self.progress.completed += 1
            if state != "accepted":
                self.progress.rejected[verdicts[-1].reason or "surplus"] += 1
            judged.append((round.first + at, draft.record, state, verdicts))
        requests = round.requests if self.prepared.steps else len(round.drafts)
        passed = [(record, state != "rejected", verdicts) for _, record, state, verdicts in judged]
        gave = self.steer.gave(passed) if self.steer else None
        self.store.close_round(round.number, requests, judged, asdict(gave) if gave else None)
        self._committed, self._uncommitted = time.monotonic(), 0
        accepted = sum(state == "accepted" for _, _, state, _ in judged)
        self.results.append(RoundResult(len(round.drafts), requests, accepted, gave or Gave()))
        self._tell("filtering")

    def _encoder(self, name: str) -> StoredEncoder:
        """One encoder of each name, shared by all filters and steering."""
        if name not in self._encoders:
            self._encoders[name] = StoredEncoder(TextEncoder(name), self.store)
        return self._encoders[name]

    def _commit_now_and_then(self) -> None:
        now = time.monotonic()
        if self._uncommitted >= COMMIT_COMPLETIONS or (self._uncommitted and now - self._committed > COMMIT_SECONDS):
            self.store.commit()
            self._committed, self._uncommitted = now, 0

    def _tell(self, doing: str) -> None:
        now = time.monotonic()
        self.progress.seconds = now - self._started
        self.progress.in_flight = len(self.asked)
        if doing != self.progress.doing or now - self._reported > 0.2:
            if self.prepared.engine is not None:
                self.progress.said = self._said + Counter(dict(self.prepared.engine.said))
            self.progress.doing, self._reported = doing, now
            self._report(self.progress)


def judge(filters: Sequence[Filter], record: Record) -> list[Verdict]:
    """Each filter's verdict in order, up to the first that refuses; if none does, every filter remembers the record."""
    verdicts: list[Verdict] = []
    for one in filters:
        verdict = one.check(record)
        if not verdict.accepted and not verdict.reason:
            verdict = replace(verdict, reason=f"{one.name}_refused")  # a custom filter need not name a reason
        verdicts.append(verdict)
        if not verdict.accepted:
            return verdicts
    for one in filters:
        one.remember(record)
    return verdicts
