"""What a run will take, before anything is asked: requests, tokens, cost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median

from textsynth.inputs.prompts import answer_text
from textsynth.inputs.targets import PRIOR_YIELD
from textsynth.ledger import Ledger
from textsynth.prepare import Prepared
from textsynth.records import Request
from textsynth.rounds import Writer
from textsynth.steps import Step

_BYTES = 4.0  # of text a token, where the model's tokenizer is not at hand; English takes 4 to 5


def estimate(prepared: Prepared, tokens_per_second: float | None = None) -> list[str]:
    """Sentences on the requests, tokens, cost and time that a job is expected to take.

    Each step's prompt is rendered for the first record; its answer is taken to be as long as its examples' are.

    Args:
        tokens_per_second: of one request at a time, where the engine was tried.
    """
    planner, cost = prepared.planner, prepared.cost
    wanted = math.ceil(Ledger(planner.quotas).expected(cost.calls))
    budget = planner.part(prepared.job.plan.max_requests or 4 * prepared.job.plan.target * cost.calls)
    requests = min(wanted, budget)
    said = [
        f"estimate: about {requests:,} requests for {planner.target:,} accepted records, at a yield of "
        f"{PRIOR_YIELD:.0%}; never more than {budget:,}."
    ]
    if not prepared.steps:
        return [f"estimate: {planner.target:,} records are drawn; no model is asked."]
    read = written = price = 0.0
    for step in prepared.steps:
        asked = requests * step.spec.n / cost.calls
        prompt, answer = _tokens(prepared, step)
        per_read, per_written = prepared.price(step.number)
        read, written = read + asked * prompt, written + asked * answer
        price += asked * (prompt * per_read + answer * per_written)
    said.append(f"estimate: about {read:,.0f} tokens read and {written:,.0f} written.")
    said.append(
        f"estimate: a cost of about {price:,.2f}." if price else "estimate: no cost; engine.price is not given."
    )
    if tokens_per_second:
        said.append(
            f"estimate: at most about {written / tokens_per_second / 60:,.0f} minutes of writing, one request at a "
            "time; many at a time are several times as fast."
        )
    else:
        said.append("estimate: no time; check --engine --estimate tries how fast the engine is.")
    return said


def _tokens(prepared: Prepared, step: Step) -> tuple[float, float]:
    """Tokens of a step's prompt and of its answer."""
    request = _rendered(prepared, step)
    engine = prepared.engines[step.engine] if prepared.engines else None
    names = (*step.written, *step.working)
    answers = [answer_text({n: seed.data[n] for n in names}) for seed in list(step.pool.values())[:50]]
    count = getattr(engine, "tokens", None)
    if count is None or any("not fetched" in note for note in prepared.notes):
        prompt = sum(len(message["content"].encode()) for message in request.messages) / _BYTES
    else:
        prompt = len(count(request.messages))
    likely = median(len(text.encode()) for text in answers) / _BYTES if answers else None
    return prompt, likely if likely is not None else int(step.sampling["max_tokens"]) / 2


def _rendered(prepared: Prepared, step: Step) -> Request:
    """A request of a step for the first record, with a likely text for what earlier steps write."""
    writer = Writer(prepared)
    counts = [int(cell == 0) for cell in range(len(prepared.planner.quotas))]
    draft = writer.plan(0, prepared.planner.first, counts).drafts[0]
    filler = dict(_likely(prepared, step))
    fields = {**filler, **(draft.record.fields or {})}
    draft.record = type(draft.record)(draft.record.id, 0, draft.record.attributes, fields)
    draft.step = step.number
    return writer.requests(draft)[0]


def _likely(prepared: Prepared, step: Step) -> Iterator[tuple[str, object]]:
    seeds = prepared.seeds.shown
    for earlier in prepared.steps[: step.number]:
        for name in (*earlier.written, *earlier.working):
            found = next(
                (seed.data[name] for seed in (*earlier.pool.values(), *seeds) if name in seed.data), "text " * 40
            )
            yield name, [found] * earlier.spec.n if earlier.spec.n > 1 else found
