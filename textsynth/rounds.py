"""One round: the records planned in it, and what completions make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from textsynth.inputs.dialects import fast_validator, first_error, validator
from textsynth.inputs.steer import Aim
from textsynth.parse import ParseError, parse_fields
from textsynth.prepare import Prepared, Step
from textsynth.records import Completion, Message, Record, Request, Verdict, content_hash, rng_for

_SHOWN = 1500  # characters of an invalid answer that a retry shows


@dataclass
class Draft:
    """A record on its way: its next step and attempt, and why it ended early, if it did."""

    record: Record
    step: int = 0
    attempt: int = 0
    refused: Verdict | None = None
    done: bool = False
    aim: Aim | None = None


@dataclass
class Round:
    """The records of one round, first to last, and the requests they took."""

    number: int
    first: int
    drafts: list[Draft]
    requests: int = 0
    open: int = field(init=False)

    def __post_init__(self) -> None:
        self.open = sum(not draft.done for draft in self.drafts)


class Writer:
    """Turns drafts into requests and completions into fields.

    A pure function of the job and the completions: it keeps nothing but the drafts it is given.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._checks = [fast_validator(step.answer) for step in prepared.steps]
        self._explains = [validator(step.answer) for step in prepared.steps]

    def plan(self, number: int, first: int, size: int, aim: Aim | None = None) -> Round:
        """The round with this number: records `first` to `first + size - 1`, steered by `aim`."""
        records = (self._prepared.planner.record(first + at, number, aim) for at in range(size))
        drafts = [Draft(record, done=not self._prepared.steps, aim=aim) for record in records]
        return Round(number, first, drafts)

    def request(self, draft: Draft, before: Sequence[Message] = ()) -> Request:
        """The next request of a draft; `before` are the turns of a failed attempt, to go on from."""
        step, record = self._prepared.steps[draft.step], draft.record
        shown = self._prepared.examples(step, int(record.id[1:]), draft.aim)
        known = {**(record.fields or {}), **record.working}
        messages = tuple(before) or step.prompt.messages(known, record.attributes, shown)
        request_id = f"{record.id}-{step.number}-{draft.attempt}"
        rng_seed = rng_for(self._prepared.job.rng_seed, request_id).getrandbits(63)
        return Request(
            request_id,
            record.round,
            step.number,
            messages,
            step.decoding,
            self._prepared.sampling(step, draft.aim),
            rng_seed,
            tuple(seed.id for seed in shown),
            record.attributes,
        )

    def take(self, draft: Draft, request: Request, completion: Completion) -> Request | None:
        """Put a completion into its draft; returns what to ask next, or None when the draft is done."""
        step = self._prepared.steps[draft.step]
        fields, fault = self._read(step, completion)
        draft.record = replace(draft.record, lineage=_lineage(draft.record, step, request, completion, fault))
        if fault and completion.finish_reason != "length" and draft.attempt < step.spec.retry:
            draft.attempt += 1
            return self.request(draft, (*request.messages, *_retry_turns(completion.text, fault)))
        if fields is None:
            reason = "truncated" if completion.finish_reason == "length" else "invalid_json"
            draft.refused = Verdict("parse", False, reason, {"error": fault})
            draft.record, draft.done = replace(draft.record, fields=None), True
            return None
        self._merge(draft, step, fields)
        draft.step, draft.attempt = draft.step + 1, 0
        if fault and step.working:
            draft.refused = Verdict("parse", False, "schema_mismatch", {"error": fault})
        draft.done = draft.step == len(self._prepared.steps) or draft.refused is not None
        return None if draft.done else self.request(draft)

    def _read(self, step: Step, completion: Completion) -> tuple[dict[str, Any] | None, str]:
        """The fields of a completion and what is wrong with them; no fields when it does not parse."""
        try:
            fields = parse_fields(completion.text)
        except ParseError as error:
            return None, str(error)
        valid = self._checks[step.number].is_valid(fields)
        return fields, "" if valid else first_error(self._explains[step.number], fields)

    def _merge(self, draft: Draft, step: Step, fields: Mapping[str, Any]) -> None:
        record = draft.record
        working = {**record.working, **{n: fields[n] for n in step.working if n in fields}}
        known = {**(record.fields or {}), **{n: v for n, v in fields.items() if n not in step.working}}
        ordered = {n: known[n] for n in self._prepared.properties if n in known}
        extra = {n: v for n, v in known.items() if n not in ordered}
        draft.record = replace(record, fields={**ordered, **extra}, working=working)


def replay(
    writer: Writer, round: Round, answers: Callable[[str], Completion | None]
) -> Iterator[tuple[Draft, Request]]:
    """Bring a round to where its kept completions leave it; yields the requests that are still to be asked."""
    for draft in [draft for draft in round.drafts if not draft.done]:
        request: Request | None = writer.request(draft)
        while request is not None:
            round.requests += 1
            kept = answers(request.id)
            if kept is None:
                yield draft, request
                break
            request = writer.take(draft, request, kept)
        round.open -= draft.done


def _lineage(record: Record, step: Step, request: Request, completion: Completion, fault: str) -> Mapping[str, Any]:
    entry = {
        "step": step.number,
        "request_id": request.id,
        "prompt": step.prompt.name,
        "prompt_hash": step.prompt.hash,
        "messages_hash": content_hash([dict(m) for m in request.messages]),
        "seed_ids": list(request.seed_ids),
        "finish_reason": completion.finish_reason,
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        **({"error": fault} if fault else {}),
    }
    return {**record.lineage, "steps": [*record.lineage.get("steps", []), entry]}


def _retry_turns(text: str, fault: str) -> tuple[Message, Message]:
    return (
        {"role": "assistant", "content": text[:_SHOWN]},
        {"role": "user", "content": f"That answer is not valid: {fault}. Answer again, with the JSON object alone."},
    )
