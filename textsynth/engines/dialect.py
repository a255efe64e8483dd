"""What is said to an OpenAI-compatible server, and what its answers mean: bodies and readings without a network.

Servers differ: some do not hold a schema, some refuse keys that others need. What a server refuses is left out from
then on, counted and said.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from textsynth.engines.base import in_words
from textsynth.engines.pacing import Again
from textsynth.records import Completion, FinishReason, Message, Request

PROBE = Request(
    "probe",
    0,
    0,
    ({"role": "user", "content": "Say hello in one word."},),
    {
        "type": "object",
        "properties": {"word": {"enum": ["heliotrope-7"]}},
        "required": ["word"],
        "additionalProperties": False,
    },
    {"temperature": 0, "max_tokens": 256},
    0,
)
"""A question whose schema forces an answer that the prompt would not get: a server that gives it holds schemas."""

_UNKNOWN = re.compile(
    r"un(known|supported|recognized|expected)|extra|not (permitted|allowed|supported)|does ?n.t support|forbidden", re.I
)
_TOO_LONG = re.compile(
    r"context.{0,3}(length|size|window)|exceed_context|max_model_len|maximum.{0,40}tokens"
    r"|(prompt|input).{0,20}too (long|large)",
    re.I,
)
_SCHEMA = re.compile(r"schema|grammar|response_?format|structured|guided", re.I)
_NAME = re.compile(r"[\w.:-]{1,60}")
_CONTROL = re.compile(  # the first character of what spells a control token in some family of models
    r"<(?=[|｜][^<>\s]{1,80}>|[^<>\s]{1,80}[|｜]>|</?SYS>>|/?(?:s|[bec]os|eod|pad|unk|mask|cls|sep|think|answer|tools?"
    r"|image|video|audio|[se]op|seed:\w+|[A-Z]+_\d+|unused\d+|[a-z\d]+(?:_[a-z\d]+)+)>)"
    r"|\[(?=\|[^\[\]\s]{1,80}\|\]|/?(?:[A-Z]*INST|[gs]?MASK|CLS|SEP|PAD|UNK|[BE]OS|IMG\w*|THINK|ARGS|CALL_ID"
    r"|SYSTEM_PROMPT|MODEL_SETTINGS|(?:AVAILABLE_)?TOOL\w*|UNUSED_TOKEN_\d+)\])"
)
_dump = json.JSONEncoder(separators=(",", ":"), default=dict).encode


class Refusal(Exception):
    """The server will not take a request as it stands. `text` is its reason: for us to read, never to be shown."""

    def __init__(self, status: int, data: bytes) -> None:
        super().__init__(status)
        self.status, (self.text, self.code) = status, _reason(data)

    @property
    def too_long(self) -> bool:
        """Whether the prompt and its answer pass the model's context."""
        return self.status == 413 or bool(_TOO_LONG.search(self.text))


class Dialect:
    """What one server takes.

    Args:
        model: the server's name of the model.
        extra: keys that go into every body; a seed among them stands for none.
        said: where fallbacks are counted.
    """

    def __init__(self, model: str, extra: Mapping[str, Any], said: Counter[str]) -> None:
        self.honors: bool | None = None  # response_format; None until the probe is answered
        self.is_vllm = False  # it passes x-guidance on to its grammar, so that answers have no free whitespace
        self._said = said
        self._head = _dump({"model": model, **{key: value for key, value in extra.items() if key != "seed"}})[:-1]
        self._limit = "max_tokens"
        self._dropped = ["seed"] if "seed" in extra else []
        self._refused: set[str] = set()
        self._formats: dict[int, tuple[Mapping[str, Any], str]] = {}

    def holds(self, request: Request) -> bool:
        """Whether a request's schema is given to the server, not only told in words."""
        return self.honors is not False and request.schema is not None and self._format(request) not in self._refused

    def body(self, request: Request) -> bytes:
        """The body of one request."""
        keys: dict[str, Any] = {"seed": request.rng_seed & 0x7FFFFFFF, **request.sampling}
        if self._limit not in keys and "max_tokens" in keys:
            keys[self._limit] = keys.pop("max_tokens")
        for name in self._dropped:
            if keys.pop(name, None) is not None:
                self._said[f"the server does not take {name}: requests were made without it."] += 1
        messages, form = request.messages, ""
        if self.holds(request):
            form = f',"response_format":{self._format(request)}'
        elif request.schema is not None:
            messages = in_words(messages, _plain(request.schema))
            whole = "the server does not hold answers to a schema (response_format)"
            why = whole if self.honors is False else "the server refuses a schema"
            self._said[f"{why}: it was told in words, and answers are checked."] += 1
        if (spelled := without_control_tokens(messages)) != messages:
            messages = spelled
            self._said["text that spells a control token was sent with a space in it, as `< s>`, to remain text."] += 1
        return f'{self._head},"messages":{_dump(messages)},{_dump(keys)[1:-1]}{form}}}'.encode()

    def learn(self, request: Request, refusal: Refusal) -> None:
        """Leave out what the server refused from now on, if that can be told and can be left out."""
        text = refusal.text
        if refusal.too_long:
            return
        if self.holds(request) and _SCHEMA.search(text):
            self._refused.add(self._format(request))
        elif "max_completion_tokens" in text and _UNKNOWN.search(text):
            self._limit = "max_completion_tokens"
        elif named := [name for name in self._may_go(request) if re.search(rf"\b{name}\b", text)]:
            self._dropped += named[:1] if _UNKNOWN.search(text) else []
        elif request is PROBE:
            self._refused.add(self._format(request))

    def _may_go(self, request: Request) -> list[str]:
        return [name for name in ("seed", *request.sampling) if name != "max_tokens" and name not in self._dropped]

    def read(self, request: Request, answer: Mapping[str, Any]) -> Completion:
        """A completion from an answer that `parsed` let through."""
        choice, tokens = answer["choices"][0], tokens_of(answer)
        given = choice.get("finish_reason") or "stop"
        if given not in ("stop", "length"):
            name = given if isinstance(given, str) and _NAME.fullmatch(given) else "other"
            self._said[f"the server ended an answer for the reason {name}, which is taken as stop."] += 1
        if tokens is None:
            self._said["the server does not count tokens: an answer's are taken as 0."] += 1
        reason: FinishReason = "length" if given == "length" else "stop"
        return Completion(request.id, text_of(choice), reason, *(tokens or (0, 0)))

    def _format(self, request: Request) -> str:
        schema = request.schema or {}
        found = self._formats.get(id(schema))
        if found is None or found[0] is not schema:
            if len(self._formats) > 500:  # callers may make a schema for each request
                self._formats.clear()
            form = {**_plain(schema), **({"x-guidance": schema["x-guidance"]} if self._knows_guidance(schema) else {})}
            kind = {"type": "json_schema", "json_schema": {"name": "record", "strict": True, "schema": form}}
            found = self._formats[id(schema)] = (schema, _dump(kind))
        return found[1]

    def _knows_guidance(self, schema: Mapping[str, Any]) -> bool:
        return self.is_vllm and "x-guidance" in schema


def without_control_tokens(messages: Sequence[Message]) -> tuple[Message, ...]:
    """A chat in whose texts a space follows the first character of what spells a control token: `< |im_end|>`.

    Many servers take such text for the token itself, so that a seed could end its turn; which tokens a server has, it
    does not tell. What is sent in their place can be read, and copied into an answer without harm: an invisible
    character could not, and some tokenizers drop those.
    """
    return tuple({**m, "content": _CONTROL.sub(r"\g<0> ", m["content"])} for m in messages)


def parsed(data: bytes) -> Mapping[str, Any]:
    """A chat completion's JSON.

    Raises:
        Again: this is no chat completion.
    """
    try:
        answer = json.loads(data)
        message = answer["choices"][0]["message"]
        if not isinstance(message, dict):
            raise TypeError
    except (ValueError, RecursionError):
        raise Again("garbage", "answered HTML, not JSON" if data.lstrip()[:1] == b"<" else "answered no JSON") from None
    except (KeyError, IndexError, TypeError):
        raise Again("garbage", "answered JSON without choices") from None
    found: Mapping[str, Any] = answer
    return found


def text_of(choice: Mapping[str, Any]) -> str:
    """What a choice's message says, without its reasoning; empty if it says nothing."""
    content = choice["message"].get("content")
    if isinstance(content, list):  # parts of a message
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    text = content if isinstance(content, str) else ""
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which no file holds
        text = text.encode("utf-8", "replace").decode()
    return text


def tokens_of(answer: Mapping[str, Any]) -> tuple[int, int] | None:
    """Tokens of the prompt and of the answer; None where the server does not count them."""
    usage = answer.get("usage")
    counts = [usage.get(key) for key in ("prompt_tokens", "completion_tokens")] if isinstance(usage, dict) else []
    whole = [count for count in counts if isinstance(count, int)]
    return (whole[0], whole[1]) if len(whole) == 2 else None


def obeys(text: str) -> bool:
    """Whether this answer to PROBE is what its schema forces."""
    try:
        return bool(json.loads(text[text.find("{") :]) == {"word": "heliotrope-7"})
    except ValueError:
        return False


def models_of(data: bytes) -> list[dict[str, Any]]:
    """The models that GET /models lists; none if this is something else."""
    try:
        listed = json.loads(data)["data"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    return [one for one in listed if isinstance(one, dict) and isinstance(one.get("id"), str)] if listed else []


def _reason(data: bytes) -> tuple[str, str]:
    """A refusal's words, without what it echoes of our body; and a short code, if it has one that can be shown."""
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        return "", ""
    answer = answer if isinstance(answer, dict) else {}
    error = answer.get("error", answer)
    error = error if isinstance(error, dict) else {"message": error}
    words: list[Any] = [error.get(key) for key in ("message", "detail", "param", "code", "type")]
    for part in error["detail"] if isinstance(error.get("detail"), list) else []:  # FastAPI's; `input` is our body
        if isinstance(part, dict):
            words += [part.get("msg"), part.get("type"), *(part.get("loc") or ())]
    codes = [error.get(key) for key in ("code", "type")]
    code = next((one for one in codes if isinstance(one, str) and _NAME.fullmatch(one)), "")
    return " ".join(word for word in words if isinstance(word, str)), code


def _plain(form: Any) -> Any:
    """A tightened schema without the keys that only our own grammars know."""
    if isinstance(form, list):
        return [_plain(part) for part in form]
    if not isinstance(form, Mapping):
        return form
    kept = {key: part for key, part in form.items() if key not in ("$schema", "$comment", "x-guidance")}
    for key, part in kept.items():
        if key in ("properties", "patternProperties"):
            kept[key] = {name: _plain(inner) for name, inner in part.items()}
        elif key not in ("enum", "const"):
            kept[key] = _plain(part)
    return kept
