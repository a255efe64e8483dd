"""One round: the records planned in it, and what completions make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from textsynth.filters.base import Filter, judge
from textsynth.inputs.dialects import fast_validator, first_error, validator
from textsynth.inputs.steer import Aim
from textsynth.inputs.targets import Standing, interleaved
from textsynth.outputs.store import Judged, State
from textsynth.parse import ParseError, parse_fields
from textsynth.prepare import Prepared
from textsynth.records import Completion, Message, Record, Request, Verdict, content_hash, rng_for
from textsynth.steps import Step

_SHOWN = 1500  # characters of an invalid answer that a retry shows


@dataclass
class Draft:
    """A record on its way: its cell, its next step, the step's answers so far, and why it ended early, if it did."""

    record: Record
    cell: int = 0
    step: int = 0
    answers: dict[int, Answer] = field(default_factory=dict)  # of the present step, by place among its `n`
    refused: Verdict | None = None
    done: bool = False
    aim: Aim | None = None


@dataclass
class Answer:
    """One of a step's answers: what its attempts left in lineage, and once it is settled, its fields or its fault."""

    attempt: int = 0
    entries: list[Mapping[str, Any]] = field(default_factory=list)
    fields: Mapping[str, Any] | None = None
    fault: str = ""
    refused: Verdict | None = None  # for a fault that ends the record
    settled: bool = False


@dataclass
class Round:
    """The records of one round, first to last, and what they took."""

    number: int
    first: int
    drafts: list[Draft]
    requests: int = 0
    tokens: int = 0
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
        self._rules = [validator(step.spec.rules) if step.spec.rules else None for step in prepared.steps]
        specs = [(spec, prepared.consistency.get(number)) for number, spec in enumerate(prepared.job.filters)]
        self._consistency = [one for _, one in specs if one is not None]
        self._repairs = [one for spec, one in specs if one is not None and getattr(spec, "repair", False)]

    def plan(self, number: int, first: int, counts: Sequence[int], aim: Aim | None = None) -> Round:
        """The round with this number: records from `first` on, as many of each cell as `counts` says."""
        planner, done = self._prepared.planner, not self._prepared.steps
        cells = enumerate(interleaved(counts), first)
        drafts = [Draft(planner.record(at, number, aim, cell), cell, done=done, aim=aim) for at, cell in cells]
        return Round(number, first, drafts, len(drafts) if done else 0)

    def requests(self, draft: Draft) -> list[Request]:
        """The requests of a draft's present step; of a step with several answers, all of them at once."""
        step = self._prepared.steps[draft.step]
        draft.answers = {place: Answer() for place in range(step.spec.n)}
        return [self._request(draft, place) for place in draft.answers]

    def _request(self, draft: Draft, place: int, before: Sequence[Message] = ()) -> Request:
        """A request of a draft; `before` are the turns of a failed attempt, to go on from."""
        step, record = self._prepared.steps[draft.step], draft.record
        shown = self._prepared.examples(step, record, draft.aim)
        known = {**(record.fields or {}), **record.working}
        messages = tuple(before) or step.prompt.messages(known, record.attributes, shown)
        which = f".{place}" if step.spec.n > 1 else ""
        request_id = f"{record.id}-{step.number}-{draft.answers[place].attempt}{which}"
        rng_seed = rng_for(self._prepared.job.rng_seed, request_id).getrandbits(63)
        return Request(
            request_id,
            record.round,
            step.number,
            messages,
            self._decoding(step, known),
            self._prepared.sampling(step, draft.aim),
            rng_seed,
            tuple(seed.id for seed in shown),
            record.attributes,
        )

    def _decoding(self, step: Step, known: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the answer is decoded under: the step's form, in which a text states this record's facts."""
        form, stated = step.decoding, step.stated(known)
        return form if stated is None else {**form, "properties": {**form["properties"], step.stating: stated}}

    def take(self, draft: Draft, request: Request, completion: Completion) -> list[Request]:
        """Put a completion into its draft; returns what to ask next: a retry, the next step, or nothing for now."""
        step = self._prepared.steps[draft.step]
        place = int(request.id.partition(".")[2] or 0)
        answer = draft.answers[place]
        answer.fields, answer.fault = self._read(step, completion)
        told, noted = f"That answer is not valid: {answer.fault}.", answer.fault
        if not answer.fault:
            told, noted = self._disagreement(draft, step, answer.fields or {})
        answer.entries.append(_entry(step, request, completion, answer, noted))
        if noted and completion.finish_reason != "length" and answer.attempt < step.spec.retry:
            answer.attempt += 1
            return [self._request(draft, place, (*request.messages, *_retry_turns(completion.text, told)))]
        if answer.fields is None:
            reason = "truncated" if completion.finish_reason == "length" else "invalid_json"
            answer.refused = Verdict("parse", False, reason, {"error": answer.fault})
        elif answer.fault and step.working:
            answer.refused = Verdict("parse", False, "schema_mismatch", {"error": answer.fault})
        answer.settled = True
        if not all(one.settled for one in draft.answers.values()):
            return []
        self._end_step(draft, step)
        return [] if draft.done else self.requests(draft)

    def _read(self, step: Step, completion: Completion) -> tuple[dict[str, Any] | None, str]:
        """The fields of a completion and what is wrong with them; no fields when it does not parse."""
        try:
            fields = parse_fields(completion.text)
        except ParseError as error:
            return None, str(error)
        valid = self._checks[step.number].is_valid(fields)
        return fields, "" if valid else first_error(self._explains[step.number], fields)

    def _disagreement(self, draft: Draft, step: Step, fields: Mapping[str, Any]) -> tuple[str, str]:
        """How an answer's text disagrees with the record's facts, as the model is told it and as lineage keeps it."""
        for one in self._repairs:
            if one.text in step.written:
                told, noted = one.disagreement({**(draft.record.fields or {}), **fields})
                if noted:
                    return f"The {one.text} does not agree with the facts. {told}", noted
        return "", ""

    def _end_step(self, draft: Draft, step: Step) -> None:
        """Put a step's answers into the record, in their order whenever they came, and decide whether it goes on."""
        answers = list(draft.answers.values())
        record, entries = draft.record, [entry for answer in answers for entry in answer.entries]
        lineage = {**record.lineage, "steps": [*record.lineage.get("steps", []), *entries]}
        draft.record = replace(record, lineage=lineage)
        draft.step, draft.answers = draft.step + 1, {}
        bad = next((answer for answer in answers if answer.refused), None)
        for answer in answers:
            if answer.fields is not None:
                self._merge(draft, step, answer.fields)
        if bad is None:
            self._pick(draft)
        if bad is not None:
            draft.refused = bad.refused
            if bad.fields is None:
                draft.record = replace(draft.record, fields=None)
        elif rules := self._rules[step.number]:
            together = {**(draft.record.fields or {}), **draft.record.working}
            if not rules.is_valid(together):
                scores: dict[str, float | str] = {"error": first_error(rules, together), "step": step.number}
                draft.refused = Verdict("rules", False, "rule_failed", scores)
        draft.done = draft.step == len(self._prepared.steps) or draft.refused is not None
        if draft.done and draft.record.fields is not None:
            self._fill(draft, self._located(draft.record.fields))

    def _pick(self, draft: Draft) -> None:
        """Fill in what is picked from several answers, once a judge has given its number."""
        working, picked = draft.record.working, {}
        for name, spec in self._prepared.job.fields.items():
            if spec.source == "picked" and {spec.of, spec.by} <= working.keys():
                answers, best = working[spec.of or ""], working[spec.by or ""] - 1
                picked[name] = answers[best] if not spec.other else answers[int(best == 0)]
        self._fill(draft, picked)

    def _located(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Where the facts stand in the text, for the fields that hold this."""
        names = [name for name, spec in self._prepared.job.fields.items() if spec.source == "located"]
        return {name: self._consistency[0].spans(fields) for name in names}

    def _fill(self, draft: Draft, found: Mapping[str, Any]) -> None:
        """Put fields that nobody writes into the record, in the schema's order."""
        if found:
            known = {**(draft.record.fields or {}), **found}
            ordered = {name: known[name] for name in self._prepared.properties if name in known}
            draft.record = replace(draft.record, fields={**ordered, **known})

    def _merge(self, draft: Draft, step: Step, fields: Mapping[str, Any]) -> None:
        record = draft.record
        new = {n: fields[n] for n in step.working if n in fields}
        if step.spec.n > 1:
            new = {n: [*record.working.get(n, ()), value] for n, value in new.items()}
        known = {**(record.fields or {}), **{n: v for n, v in fields.items() if n not in step.working}}
        ordered = {n: known[n] for n in self._prepared.properties if n in known}
        extra = {n: v for n, v in known.items() if n not in ordered}
        draft.record = replace(record, fields={**ordered, **extra}, working={**record.working, **new})


def judged_round(round: Round, filters: Sequence[Filter], room: Sequence[int]) -> list[Judged]:
    """Judge a complete round in request order; what passes beyond the `room` of its cell is surplus."""
    judged: list[Judged] = []
    left = list(room)
    for number, draft in enumerate(round.drafts, round.first):
        verdicts = [draft.refused] if draft.refused else judge(filters, draft.record)
        state: State = "rejected" if not verdicts[-1].accepted else "accepted" if left[draft.cell] > 0 else "surplus"
        left[draft.cell] -= state == "accepted"
        judged.append((number, draft.record, draft.cell, state, verdicts))
    return judged


def standing_of(round: Round, judged: Sequence[Judged], cells: int) -> Standing:
    """What a judged round gave."""
    planned, passed, accepted = [0] * cells, [0] * cells, [0] * cells
    for _, _, cell, state, _ in judged:
        planned[cell] += 1
        passed[cell] += state != "rejected"
        accepted[cell] += state == "accepted"
    return Standing(tuple(planned), tuple(passed), tuple(accepted), round.requests, round.tokens)


def _entry(step: Step, request: Request, completion: Completion, answer: Answer, noted: str) -> dict[str, Any]:
    return {
        "step": step.number,
        "attempt": answer.attempt,
        "request_id": request.id,
        "prompt": step.prompt.name,
        "prompt_hash": step.prompt.hash,
        "messages_hash": content_hash([dict(m) for m in request.messages]),
        "seed_ids": list(request.seed_ids),
        "sampling": dict(request.sampling),
        "finish_reason": completion.finish_reason,
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        **({"error": noted} if noted else {}),
    }


def _retry_turns(text: str, told: str) -> tuple[Message, Message]:
    return (
        {"role": "assistant", "content": text[:_SHOWN]},
        {"role": "user", "content": f"{told} Answer again, with the JSON object alone."},
    )
