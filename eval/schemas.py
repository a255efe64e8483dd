"""One record for each of 500 real schemas, judged by `jsonschema`. Usage:

    python eval/schemas.py --kept schemas.jsonl [--first 0 --last 500] [--data PATH]

A fixed random 500 of JSONSchemaBench's schemas (arXiv 2501.10868), the embedded model, no examples, at most 400 tokens
an answer and one retry that shows the error, as in a run. A schema goes through what a job's schema goes through,
except that its root may be anything: a run makes objects with named properties alone. The judge is the reference
validator for the schema's own draft. `--kept` has a line for each schema: the same command goes on where it stopped,
and prints the numbers of all lines.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import referencing
from jsonschema.validators import validator_for

from textsynth.engines.transformers import TransformersEngine
from textsynth.errors import InputError
from textsynth.inputs.budget import token_bound
from textsynth.inputs.dialects import first_error, validator
from textsynth.inputs.schemas import schema_faults
from textsynth.inputs.tighten import tighten
from textsynth.parse import ParseError, parse_fields
from textsynth.records import Completion, Message, Request, rng_for

DATA = Path(__file__).parents[2] / "shared" / "data" / "schemas" / "jsonschemabench.dev.jsonl.gz"
SEED, SCHEMAS, MAX_TOKENS = 3, 500, 400
SAMPLING = {"temperature": 0.7, "min_p": 0.05}
SHOWN = 1500  # characters of an invalid answer that a retry shows
EMPTY: tuple[Any, ...] = (None, "", [], {})


def fixed(path: Path) -> list[dict[str, Any]]:
    """The schemas of the measurement, always the same ones in the same order."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return random.Random(SEED).sample([json.loads(line) for line in lines], SCHEMAS)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, default=SCHEMAS)
    parser.add_argument("--kept", type=Path, required=True)
    options = parser.parse_args()
    rows = fixed(options.data)[options.first : options.last]
    kept = options.kept.read_text(encoding="utf-8").splitlines() if options.kept.exists() else []
    done = {json.loads(line)["name"] for line in kept}
    with options.kept.open("a", encoding="utf-8") as file:
        for result in measure([row for row in rows if row["name"] not in done]):
            file.write(json.dumps(result) + "\n")
            file.flush()
    lines = options.kept.read_text(encoding="utf-8").splitlines()
    print(json.dumps(summary([json.loads(line) for line in lines]), indent=2))


def measure(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What became of each schema, in the order in which that is known."""
    engine = TransformersEngine("smollm2-135m")
    schemas = {row["name"]: row["schema"] for row in rows}
    waiting: deque[Request] = deque()
    for name, schema in schemas.items():
        try:
            request = first_request(name, schema, engine)
        except InputError as error:
            yield {"name": name, "outcome": "refused", "reason": error.faults[0]}
            continue
        waiting.append(request)
    asked = {request.id: request for request in waiting}
    if not asked:
        return

    def feed() -> Iterator[Request | None]:
        while asked:
            yield waiting.popleft() if waiting else None

    for completion in engine.generate(feed()):
        request = asked.pop(completion.request_id)
        name, attempt = request.id.rsplit("/", 1)
        fault = fault_of(schemas[name], completion)
        if fault and completion.finish_reason != "length" and attempt == "0":
            again = retried(request, completion, fault)
            asked[again.id] = again
            waiting.append(again)
        else:
            yield {"name": name, **judged(schemas[name], completion), "attempt": int(attempt),
                   "tokens": completion.completion_tokens, "text": completion.text}  # fmt: skip


def first_request(name: str, schema: Any, engine: TransformersEngine) -> Request:
    """What the product would ask; an InputError is what it would refuse."""
    if faults := schema_faults(schema, "schema"):
        raise InputError(faults)
    form = tighten(schema, max_tokens=MAX_TOKENS)
    limit = min(token_bound(form)[0], MAX_TOKENS)
    messages: tuple[Message, ...] = ({"role": "user", "content": prompt(schema)},)
    engine.check(messages, form, limit)
    rng_seed = rng_for(SEED, name).getrandbits(63)
    return Request(f"{name}/0", 0, 0, messages, form, {**SAMPLING, "max_tokens": limit}, rng_seed)


def prompt(schema: dict[str, Any]) -> str:
    """The schema in words: its title, its description and the names of its properties."""
    about = [str(schema[key]).strip()[:300] for key in ("title", "description") if schema.get(key)]
    names = [re.sub(r"(?<=[a-z])(?=[A-Z])|[_\W]+", " ", name).strip().lower() for name in declared(schema)[:40]]
    fields = f" It has {', '.join(names)}." if names else ""
    return f"Write one realistic example record as JSON. {'. '.join(about)}.{fields}".replace(". .", ".")


def retried(request: Request, completion: Completion, fault: str) -> Request:
    """The second and last request for a schema, which shows the first answer and its error."""
    turns: tuple[Message, ...] = (
        {"role": "assistant", "content": completion.text[:SHOWN]},
        {"role": "user", "content": f"That answer is not valid: {fault}. Answer again, with the JSON object alone."},
    )
    name = request.id.rsplit("/", 1)[0]
    rng_seed = rng_for(SEED, name, 1).getrandbits(63)
    return Request(f"{name}/1", 0, 0, (*request.messages, *turns), request.schema, request.sampling, rng_seed)


def fault_of(schema: Any, completion: Completion) -> str:
    """What a run would find wrong with an answer; empty if nothing."""
    try:
        value = json.loads(completion.text)
        if isinstance(value, dict):
            value = parse_fields(completion.text)
    except (ParseError, ValueError) as error:
        return str(error)
    return first_error(validator(schema), value)


def judged(schema: Any, completion: Completion) -> dict[str, Any]:
    """The verdict of the reference validator, and how many of the declared properties the record has."""
    if completion.finish_reason == "length":
        return {"outcome": "truncated"}
    try:
        value = json.loads(completion.text)
    except ValueError as error:
        return {"outcome": "invalid", "reason": f"no JSON: {error}"}
    reference = validator_for(schema, default=jsonschema.Draft202012Validator)
    check = reference(schema, registry=referencing.Registry())
    try:
        broken = sorted({str(error.validator) for error in check.iter_errors(value)})
    except (re.error, referencing.exceptions.Unresolvable) as error:
        return {"outcome": "invalid", "reason": f"the judge fails: {type(error).__name__}"}
    if broken:
        return {"outcome": "invalid", "reason": ", ".join(broken)}
    names = declared(schema)
    least = len(names) if len(names) < 4 else len(names) / 2
    present = sum(name in value for name in names) if isinstance(value, dict) else 0
    filled = sum(value.get(name) not in EMPTY for name in names) if isinstance(value, dict) else 0
    counts = {"declared": len(names), "present": present, "filled": filled}
    return {"outcome": "ok" if present >= least else "too few", "not_empty": filled >= least, **counts}


def declared(schema: Any) -> list[str]:
    """The properties that a schema declares at its top, also through `$ref` and `allOf`."""
    found: dict[str, None] = {}
    stack, seen = [schema], set()
    while stack:
        part = stack.pop(0)
        if not isinstance(part, dict) or id(part) in seen:
            continue
        seen.add(id(part))
        found |= dict.fromkeys(name for name, one in part.get("properties", {}).items() if one is not False)
        stack += part.get("allOf", [])
        if str(part.get("$ref", "")).startswith("#/"):
            target = schema
            for key in part["$ref"][2:].split("/"):
                target = target[key.replace("~1", "/").replace("~0", "~")] if isinstance(target, dict) else None
            stack.append(target)
    return list(found)


def summary(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The counts of all outcomes."""
    outcomes = Counter(result["outcome"] for result in results)
    answered = [result for result in results if "tokens" in result]
    good = [result for result in answered if result["outcome"] == "ok"]

    def reasons(outcome: str) -> dict[str, int]:
        return dict(Counter(one["reason"] for one in results if one["outcome"] == outcome).most_common())

    return {
        "schemas": len(results),
        "ok": outcomes["ok"],
        "ok_rate": round(outcomes["ok"] / len(results), 4),
        "ok_where_null_and_empty_do_not_count_as_filled": sum(result["not_empty"] for result in good),
        "ok_without_declared_properties": sum(result["declared"] == 0 for result in good),
        "ok_after_a_retry": sum(result["attempt"] for result in good),
        "refused_before_generating": reasons("refused"),
        "invalid_by_keyword": reasons("invalid"),
        "truncated": outcomes["truncated"],
        "too_few_filled": outcomes["too few"],
        "completion_tokens": {
            "median": sorted(result["tokens"] for result in answered)[len(answered) // 2],
            "most": max(result["tokens"] for result in answered),
        },
    }


if __name__ == "__main__":
    main()
