"""The whole flow, in order: plan rounds -> ask the engines -> parse -> filter in request order -> keep.

Round r+1 is planned from the results up to round r-1, so two rounds are in flight and the plan does not depend on
timing. Where an engine answers a request the same way each time, a run killed at any byte ends in the same files.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from textsynth.engines.base import Engine
from textsynth.errors import EngineError, RunError
from textsynth.evaluation import evaluate_run
from textsynth.feed import EngineThreads
from textsynth.filters.base import Filter, check_methods
from textsynth.folder import begin, finish
from textsynth.gates import build_filters
from textsynth.inputs.steer import Gave, Steer
from textsynth.job import Job
from textsynth.ledger import Ledger, promote, remember, tracing
from textsynth.outputs.reuse import Earlier
from textsynth.outputs.shortfall import shortfall
from textsynth.outputs.store import Store
from textsynth.outputs.verdict import POINTS_TO_SEEDS
from textsynth.prepare import Prepared, prepare
from textsynth.progress import Progress, Result
from textsynth.records import Completion, Request
from textsynth.rounds import Draft, Round, Writer, judged_round, standing_of
from textsynth.similarity.encoder import StoredEncoder, TextEncoder
from textsynth.stopping import Stop, StopNow, listening

Asked = tuple[str, Request]  # a record's id and a request that is new
COMMIT_SECONDS, COMMIT_COMPLETIONS = 0.5, 64  # a completion is durable this soon


def run_job(
    job: Job,
    out: str | Path,
    *,
    filters: Sequence[Filter] = (),
    engine: Engine | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    reuse: str | Path | None = None,
    shard: tuple[int, int] = (1, 1),
) -> Result:
    """Run a job into a folder, or go on with a run that stopped there.

    Args:
        job: what to make, from `load_job`.
        out: the run folder.
        filters: objects with the Filter methods, applied after the job's own.
        engine: answers instead of the job's engines, such as a ScriptedEngine.
        reuse: an earlier run's folder, whose answers to the same requests are taken instead of asked for.
        shard: (i, n) makes the i-th of n parts of the job, whose targets add up to the job's.

    Raises:
        InputError: faults of the job or of the folder; nothing was written.
        RunError: a fault on the way; what was committed is kept, and the same call goes on.
    """
    check_methods(filters)
    prepared = prepare(job, filters, engine, shard=shard)
    return run_prepared(prepared, Path(out), on_progress, Path(reuse) if reuse else None)


def run_prepared(
    prepared: Prepared, out: Path, on_progress: Callable[[Progress], None] | None = None, reuse: Path | None = None
) -> Result:
    """`run_job` for a job that is already prepared."""
    with contextlib.ExitStack() as opened:
        earlier = opened.enter_context(Earlier(reuse, out)) if reuse else None
        store = opened.enter_context(begin(prepared, out))
        stop = opened.enter_context(listening())
        run = Run(prepared, store, on_progress or (lambda progress: None), stop, earlier)
        try:
            run.go()
        except StopNow:
            raise
        except (KeyboardInterrupt, RunError) as why:
            with contextlib.suppress(RunError, OSError):  # what stopped the run is what the user must hear
                run.keep_evidence()
                finish(store, "failed" if isinstance(why, RunError) else "interrupted", run.progress.seconds, [])
            raise
        return run.end("short" if run.progress.accepted < run.progress.target else "done")


class Run:
    """One sitting of a run. The main thread does everything but the engines' own work."""

    def __init__(
        self,
        prepared: Prepared,
        store: Store,
        report: Callable[[Progress], None],
        stop: Stop | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        self.prepared, self.store, self._report = prepared, store, report
        self._stop, self._earlier = stop or Stop(), earlier
        self.writer = Writer(prepared)
        self._encoders: dict[str, StoredEncoder] = {}
        self.filters = build_filters(prepared, self._encoder)
        self.steer: Steer | None = None  # of a run that plans its rounds
        self.ledger = Ledger(prepared.planner.quotas, prepared.planner.first)
        self.progress = Progress(prepared.planner.target)
        self.open: list[Round] = []  # in order
        self.asked: dict[str, tuple[Round, Draft, Request]] = {}
        self._started = self._committed = self._reported = time.monotonic()
        self._before: float = store.get("elapsed", 0.0)
        self._uncommitted = 0
        self._said = Counter[str](store.get("said") or {})  # by the engines in earlier sittings, and by steering

    def go(self) -> None:
        """Work until the target is reached, a budget is spent, or nothing more can be asked."""
        self._tell("remembering")
        self.steer = self.prepared.steer(self._encoder)
        self._resume()
        self.keep_evidence()  # a gate is calibrated before an engine can wait for it
        if not self.prepared.engines:
            while self._advance(None):
                if self._stop.asked:
                    raise KeyboardInterrupt
            return
        with EngineThreads(self.prepared.engines, self.progress.pace.since) as threads:
            for round in self.open:  # taken up from the folder
                self._ask_all(threads, round)
            while self._advance(threads):
                if self._must_stop():
                    return self._finish_in_flight(threads)
                self._take(threads)

    def _must_stop(self) -> bool:
        spent, limit = self._before + time.monotonic() - self._started, self.prepared.job.plan.max_time
        self.progress.out_of_time = limit is not None and spent > limit
        return self._stop.asked or self.progress.out_of_time

    def _finish_in_flight(self, threads: EngineThreads) -> None:
        """Take what the engines are working on, and ask nothing more."""
        threads.finish_in_flight()
        while not threads.finished:
            self._take(threads, follow=False)
            self._tell("stopping: finishing what is in flight (once more stops at once)")
        self.store.commit()
        if self._stop.asked:
            raise KeyboardInterrupt

    def _take(self, threads: EngineThreads, follow: bool = True) -> None:
        """Put the completions there are into their records, and ask what follows from them."""
        for completion in threads.take(timeout=0.2):
            if completion.request_id not in self.asked:
                said = f"engine: it answered {completion.request_id}, which nobody waits for."
                raise EngineError(f"{said} Answer each request once.")
            round, draft, request = self.asked.pop(completion.request_id)
            self.store.add_completion(completion)
            self.progress.count(completion, self.prepared.price(request.step))
            round.tokens += completion.completion_tokens
            self._uncommitted += 1
            following = self.writer.take(draft, request, completion)
            if follow:
                self.store.add_requests(self._ask(threads, round, draft, following))
            round.open -= draft.done
        self._commit_now_and_then()
        self._tell("writing")

    def keep_evidence(self) -> dict[str, Any]:
        """Leave the filters' own numbers, and what the engines said, in the store; returns the numbers by filter."""
        self._tell("keeping evidence")
        self.store.put("said", dict(self.progress.said))
        self.store.put("evidence", evidence := {f.name: dict(f.evidence()) for f in self.filters})
        return evidence

    def end(self, status: str) -> Result:
        """Write the run's files, and say what was missed: the target, or the test of the accepted rows as a set."""
        evidence = self.keep_evidence()
        self.store.put("given_up", self.ledger.given_up)
        missed = shortfall(self.store, self.progress, self.ledger.standing.requests) if status == "short" else []
        if (evidence.get("leakage", {}).get("rows_as_a_set") or {}).get("flagged"):
            missed.append(POINTS_TO_SEEDS)
        self._tell("comparing with the seeds")
        self.store.put("evaluation", evaluate_run(self.prepared, self.store, list(self._encoders.values())))
        finish(self.store, status, self.progress.seconds, missed)
        return Result(self.store.folder, (p := self.progress).target, p.accepted, dict(p.rejected), missed)

    def _resume(self) -> None:
        """Take up the rounds that the folder already holds: closed ones are remembered, open ones planned again."""
        open_rows = self.ledger.take_up(self.store.rounds())
        remember(self.store, self.filters, self.progress)
        promote(self.store, self.ledger, self.progress)
        aims = dict(enumerate(self.ledger.aims))
        self.open = [self.writer.plan(r["round"], r["first"], r["cells"], aims.get(r["round"])) for r in open_rows]

    def _advance(self, threads: EngineThreads | None) -> bool:
        """Close what is complete, plan what can be planned, ask what is new; False when there is nothing left."""
        while True:
            while self.open and not self.open[0].open:
                self._close()
            if len(self.open) == 2 or not self._plan(threads):
                break
        if not self.open:
            self._tell("finishing")
        return bool(self.open)

    def _plan(self, threads: EngineThreads | None) -> bool:
        """Open the next round, if its results so far allow one that is not empty or waits for one that is open."""
        ledger, number = self.ledger, len(self.ledger.planned)
        counts = self.prepared.planner.next_round(ledger.known, ledger.waiting, self.prepared.cost)
        if not any(counts) and not any(ledger.waiting):
            return False
        first, aim = ledger.next_first, None
        if self.steer is not None:
            self._said.update(self.steer.says(number, ledger.aims, ledger.known_gave))
            aim = self.steer.aim(first, sum(counts), ledger.aims, ledger.known_gave)
        ledger.plan(counts, aim)
        round = self.writer.plan(number, first, counts, aim)
        self.store.open_round(number, first, counts, asdict(aim) if aim else None)
        self.open.append(round)
        if threads is not None:
            self._ask_all(threads, round)
        return True

    def _ask_all(self, threads: EngineThreads, round: Round) -> None:
        """Ask for all of a round that is not answered yet."""
        new = []
        for draft in [draft for draft in round.drafts if not draft.done]:
            new += self._ask(threads, round, draft, self.writer.requests(draft))
            round.open -= draft.done
        self.store.add_requests(new)
        self.store.commit()

    def _ask(self, threads: EngineThreads, round: Round, draft: Draft, requests: Iterable[Request]) -> list[Asked]:
        """Ask what no kept completion answers; returns it. What one answers goes on from there."""
        todo, new = list(requests), []
        while todo:
            request = todo.pop(0)
            round.requests += 1
            if (kept := self._answered(request)) is not None:
                round.tokens += kept.completion_tokens
                todo += self.writer.take(draft, request, kept)
                continue
            new.append((draft.record.id, request))
            self.asked[request.id] = (round, draft, request)
            threads.ask(self.prepared.steps[request.step].engine, request)
        return new

    def _answered(self, request: Request) -> Completion | None:
        """The completion of a request that this run has, or that an earlier one has for the very same request."""
        kept = self.store.completion(request.id)
        if kept is None and self._earlier is not None:
            engine = self.prepared.engines[self.prepared.steps[request.step].engine]
            kept = self._earlier.copy(request, engine.describe(), self.store)
            self._said += Counter({"answers taken from an earlier run": int(kept is not None)})  # without zeros
        return kept

    def _close(self) -> None:
        """Judge the first open round, which is complete, in request order, and keep it in one transaction."""
        self._tell("filtering")
        round = self.open[0]
        whole = [draft.record for draft in round.drafts if draft.refused is None]
        if whole:
            for one in self.filters:
                one.prepare(whole)
            self.store.commit()  # vectors are durable before any verdict rests on them
        judged = judged_round(round, self.filters, self.ledger.room)
        self.progress.judged(judged)
        gave = standing_of(round, judged, len(self.ledger.quotas))
        steering = self.steer.gave([(r, s != "rejected", v) for _, r, _, s, v in judged]) if self.steer else None
        traces = by_trace.traces() if (by_trace := tracing(self.filters)) else None
        self.store.close_round(round.number, judged, asdict(gave), asdict(steering) if steering else None, traces)
        self._committed, self._uncommitted = time.monotonic(), 0
        self.ledger.close(gave, steering or Gave())
        del self.open[0]
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
        p, now = self.progress, time.monotonic()
        p.seconds, p.in_flight = now - self._started, len(self.asked)
        if doing != p.doing or now - self._reported > 0.2:
            p.said = sum((Counter(dict(engine.said)) for engine in self.prepared.engines), self._said.copy())
            answered = sum(round.requests for round in self.open) - len(self.asked)
            p.requests_left = self.ledger.expected(self.prepared.cost.calls) - answered
            p.doing, self._reported = doing, now
            self._report(p)
