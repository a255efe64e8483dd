"""What every engine must do. Each law takes a function that makes a fresh engine of a given width.

A test file runs all of `laws()`. A runtime that cannot keep one names it there with the reason, and it is skipped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jsonschema
import pytest

from textsynth.engines.base import Engine
from textsynth.inputs.tighten import tighten
from textsynth.records import Completion, Request

Make = Callable[[int], Engine]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "mood": {"enum": ["calm", "cross"]},
        "size": {"type": "integer", "minimum": 0, "maximum": 9},
        "note": {"type": "string", "minLength": 2, "maxLength": 8},
    },
    "required": ["mood", "size", "note"],
    "additionalProperties": False,
}


def request(number: int, temperature: float = 0.0, schema: Any = SCHEMA, max_tokens: int = 40) -> Request:
    """Requests of two blocks: what comes before the last turn is shared by three numbers in a row."""
    words = ("a boat", "bread", "two bees", "a long and winding road to the sea", "it")
    turns = [
        {"role": "user", "content": f"Describe block {number // 3}."},
        {"role": "assistant", "content": "A short description." * (1 + number // 3)},
        {"role": "user", "content": f"Describe {words[number % 5]}."},
    ]
    sampling = {"temperature": temperature, "max_tokens": max_tokens}
    tight = None if schema is None else tighten(schema, [])  # as a run asks: no free whitespace, so answers end
    return Request(f"r{number}", 0, 0, tuple(turns), tight, sampling, 100 + number)


def answers(engine: Engine, requests: Iterable[Request | None]) -> dict[str, Completion]:
    """All completions by request; an answer to nothing, or a second one, fails."""
    found: dict[str, Completion] = {}
    for completion in engine.generate(iter(requests)):
        assert completion.request_id not in found
        found[completion.request_id] = completion
    return found


def every_request_is_answered_once(make: Make) -> None:
    assert answers(make(4), map(request, range(5))).keys() == {f"r{n}" for n in range(5)}


def an_empty_feed_is_the_end(make: Make) -> None:
    assert answers(make(4), []) == {}


def it_yields_what_is_in_flight_when_there_is_nothing_to_ask(make: Make) -> None:
    """None comes until a completion was taken: an engine that waits for more would never end."""
    taken: list[str] = []

    def feed() -> Iterator[Request | None]:
        for number in range(4):
            yield request(number)
            while number % 2 and len(taken) <= number:
                yield None

    for completion in make(8).generate(feed()):
        taken.append(completion.request_id)
    assert sorted(taken) == ["r0", "r1", "r2", "r3"]


def it_does_not_hold_more_than_its_width(make: Make) -> None:
    pulled = done = most = 0

    def feed() -> Iterator[Request | None]:
        nonlocal pulled, most
        for number in range(5):
            pulled += 1
            most = max(most, pulled - done)
            yield request(number)

    for _ in make(2).generate(feed()):
        done += 1
    assert done == 5 and most <= 3  # two in flight, and the one whose completion is just taken


def answers_do_not_hang_on_the_order(make: Make) -> None:
    there = answers(make(4), map(request, range(5)))
    assert answers(make(4), map(request, reversed(range(5)))) == there


def greedy_answers_do_not_hang_on_the_width(make: Make) -> None:
    there = answers(make(1), map(request, range(5)))
    assert answers(make(4), map(request, range(5))) == there


def the_same_rng_seed_gives_the_same_answer(make: Make) -> None:
    warm = [request(number, temperature=0.8) for number in range(3)]
    assert answers(make(3), warm) == answers(make(3), warm)


def other_rng_seeds_give_other_answers(make: Make) -> None:
    one = request(0, temperature=1.0)
    many = [
        Request(f"r{n}", 0, 0, one.messages, one.schema, one.sampling, rng_seed=n, seed_ids=(), attributes={})
        for n in range(4)
    ]
    assert len({completion.text for completion in answers(make(4), many).values()}) > 1


def every_answer_obeys_its_schema(make: Make) -> None:
    other = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    other["additionalProperties"] = False
    requests = [request(n, temperature=0.8, schema=(SCHEMA, other)[n % 2]) for n in range(4)]
    for number, completion in answers(make(4), requests).items():
        assert completion.finish_reason == "stop"
        jsonschema.validate(json.loads(completion.text), (SCHEMA, other)[int(number[1:]) % 2])


def text_without_a_schema_is_free(make: Make) -> None:
    found = answers(make(2), [request(0, schema=None, max_tokens=8), request(1)])
    assert found["r0"].text and not found["r0"].text.startswith("{")
    json.loads(found["r1"].text)


def a_limit_ends_free_text(make: Make) -> None:
    [done] = answers(make(2), [request(3, schema=None, max_tokens=7)]).values()
    assert done.finish_reason == "length" and done.completion_tokens == 7


def tokens_are_counted(make: Make) -> None:
    for completion in answers(make(4), [*map(request, range(2)), request(2, schema=None, max_tokens=7)]).values():
        assert completion.prompt_tokens > 0 and completion.completion_tokens > 0


def closing_it_in_the_middle_leaves_nothing_behind(make: Make) -> None:
    engine = make(2)
    started = engine.generate(iter(map(request, range(50))))
    next(started)
    started.close()  # type: ignore[attr-defined]
    assert answers(engine, map(request, range(3))).keys() == {"r0", "r1", "r2"}


def a_fault_of_the_feed_comes_through(make: Make) -> None:
    def feed() -> Iterator[Request]:
        yield request(0)
        raise InterruptedError("the run was stopped")

    engine = make(2)
    with pytest.raises(InterruptedError, match="the run was stopped"):
        answers(engine, feed())
    assert answers(engine, [request(1)]).keys() == {"r1"}


def it_tells_what_it_is(make: Make) -> None:
    engine = make(2)
    there = engine.describe()
    json.dumps(dict(there))
    assert all(isinstance(there[key], str) and there[key] for key in ("type", "model", "fingerprint"))
    answers(engine, [request(0)])
    assert engine.describe() == there  # it names a run: what is learned on the way must not change it
    abilities = engine.abilities()
    assert abilities["context"] is None or abilities["context"] > 0
    assert isinstance(abilities["structured_output"], str) and abilities["structured_output"]


def what_it_says_holds_no_prompt(make: Make) -> None:
    engine = make(2)
    answers(engine, [request(0), request(1, schema=None, max_tokens=7)])
    assert isinstance(engine.said, Counter)
    for sentence, times in engine.said.items():
        assert sentence.endswith(".") and times > 0
        assert "Describe" not in sentence and "description" not in sentence


LAWS = [
    every_request_is_answered_once,
    an_empty_feed_is_the_end,
    it_yields_what_is_in_flight_when_there_is_nothing_to_ask,
    it_does_not_hold_more_than_its_width,
    answers_do_not_hang_on_the_order,
    greedy_answers_do_not_hang_on_the_width,
    the_same_rng_seed_gives_the_same_answer,
    other_rng_seeds_give_other_answers,
    every_answer_obeys_its_schema,
    text_without_a_schema_is_free,
    a_limit_ends_free_text,
    tokens_are_counted,
    closing_it_in_the_middle_leaves_nothing_behind,
    a_fault_of_the_feed_comes_through,
    it_tells_what_it_is,
    what_it_says_holds_no_prompt,
]


def laws(without: Mapping[Callable[[Make], None], str] | None = None) -> list[Any]:
    """All laws as parameters of a test; those in `without` are skipped for the reason given."""
    reasons = without or {}
    return [
        pytest.param(law, id=law.__name__, marks=[pytest.mark.skip(reason=reasons[law])] if law in reasons else [])
        for law in LAWS
    ]
