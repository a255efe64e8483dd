"""Records as rows that others read: messages, Alpaca, ShareGPT, prompt and completion, preference pairs, FHIR."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from textsynth.errors import InputError
from textsynth.outputs.fhir import FACTS, bundle_of
from textsynth.wording import nearest

Row = Mapping[str, Any]
Messages = list[dict[str, Any]]
_NAME = re.compile(r"\{(\w+|\*)\}")
# what a record with these fields is taken for: system, prompt, completion
_GUESSES = (
    (("instruction", "input", "output"), ("", "{instruction}\n\n{input}", "{output}")),
    (("instruction", "output"), ("", "{instruction}", "{output}")),
    (("passage", "question", "answer"), ("", "{passage}\n\n{question}", "{answer}")),
    (("question", "answer"), ("", "{question}", "{answer}")),
    (("prompt", "completion"), ("", "{prompt}", "{completion}")),
    (("prompt", "chosen", "rejected"), ("", "{prompt}", "{chosen}")),
    (("text", "label"), ("", "{text}", "{label}")),
    (("text",), ("", "{text}", "{*}")),
)
_AS_ONE = ("records", "fhir")  # what says nothing to a chat template
_SHAREGPT = {"system": "system", "user": "human", "assistant": "gpt", "tool": "tool"}


class NoRow(ValueError):
    """A record that has no row in a layout; the message is why, in words that fit after its id."""


@dataclass(frozen=True)
class Layout:
    """How records become rows that others read.

    Args:
        name: one of `LAYOUTS`.
        system, prompt, completion: templates with field names in braces; a value that is no text stands as JSON, and
            {*} is the JSON of all fields that the prompt does not name. Prompt and completion are not used for records
            that are conversations: with a field `messages` (role and content) or `turns` (user and assistant).
    """

    name: str
    system: str = ""
    prompt: str = ""
    completion: str = ""
    fields: Sequence[str] = field(default=(), repr=False)

    def row(self, fields: Row, record_id: str = "") -> dict[str, Any]:
        """One row.

        Raises:
            NoRow: a turn is empty, roles are out of order, or a field that the layout needs is missing.
        """
        return bundle_of(record_id, fields) if self.name == "fhir" else _ROWS[self.name](self, fields)

    def messages(self, fields: Row) -> Messages:
        """The record as a chat: system if there is one, then user and assistant in turn."""
        system = _filled(self.system, fields) if self.system else str(fields.get("system") or "")
        if "messages" in fields or "turns" in fields:
            said = _said(fields)
        else:
            said = [
                {"role": "user", "content": _needed(self.prompt, fields, "prompt")},
                {"role": "assistant", "content": _needed(self.completion, self._with_rest(fields), "completion")},
            ]
        check_order(said)
        return [{"role": "system", "content": system}, *said] if system and said[0]["role"] != "system" else said

    def _with_rest(self, fields: Row) -> Row:
        asked = _NAME.findall(self.prompt)
        return {**fields, "*": {name: value for name, value in fields.items() if name not in asked}}

    def chats(self, fields: Row) -> list[Messages]:
        """What a tokenizer counts of a record: its chat; of a preference pair one for each answer."""
        if self.name not in ("preference", "preference_messages"):
            return [_as_one(fields)] if self.name in _AS_ONE else [self.messages(fields)]
        pair = _chosen_messages(self, fields)
        return [[*pair["prompt"], *pair[part]] for part in ("chosen", "rejected")]


def layout_for(
    name: str,
    fields: Sequence[str],
    system: str | None = None,
    prompt: str | None = None,
    completion: str | None = None,
) -> Layout:
    """The layout of that name for records with these fields; templates that are not given are found by field names.

    Raises:
        InputError: there is no such layout, a template names no field, or no template is known for these fields.
    """
    if name not in LAYOUTS:
        raise InputError(f"export: --as is {name}. {nearest(name, LAYOUTS)}Use one of {', '.join(LAYOUTS)}.")
    guess = next((texts for names, texts in _GUESSES if set(names) <= set(fields)), ("", "", ""))
    given = (("system", system), ("prompt", prompt), ("completion", completion))
    texts = {part: guess[at] if text is None else text for at, (part, text) in enumerate(given)}
    for part, text in texts.items():
        for unknown in (n for n in _NAME.findall(text) if n not in fields and (n, part) != ("*", "completion")):
            raise InputError(
                f"export: --{part} names {{{unknown}}}, which is no field of the records. Fields: {', '.join(fields)}."
            )
    talks = {"messages", "turns"} & set(fields)
    if name == "preference" or name == "preference_messages":
        if missing := [n for n in ("chosen", "rejected") if n not in fields]:
            raise InputError(f"export: {name} needs the field {missing[0]}. Fields: {', '.join(fields)}.")
        talks = talks or ({"chosen"} if texts["prompt"] else set())
    elif name == "alpaca" and "output" in fields and "instruction" in fields:
        talks = {"instruction"}
    if name == "fhir" and not set(FACTS) & set(fields):
        raise InputError(f"export: --as fhir needs a field such as {', '.join(FACTS)}. Fields: {', '.join(fields)}.")
    if name not in _AS_ONE and not talks and not (texts["prompt"] and texts["completion"]):
        raise InputError(
            f"export: nothing tells what a {name} row asks and answers. Use --prompt and --completion, such as "
            f"--prompt '{{{fields[0]}}}'. Fields: {', '.join(fields)}."
        )
    return Layout(name, **texts, fields=tuple(fields))


def check_order(messages: Messages) -> None:
    """Refuse an empty turn, and roles that are not user and assistant in turn after at most one system message.

    A tool's message may stand after an assistant's, and an assistant's that calls tools may be empty.
    """
    if not messages:
        raise NoRow("has no turns")
    expected = {"system", "user"}
    for at, message in enumerate(messages):
        role, content = message.get("role"), message.get("content")
        if role not in expected:
            raise NoRow(f"has a turn of role {role} at {at}, where {' or '.join(sorted(expected))} belongs")
        if not (isinstance(content, str) and content.strip()) and not message.get("tool_calls"):
            raise NoRow(f"has an empty turn at {at}")
        expected = {"user"} if role in ("system", None) else {"assistant"} if role == "user" else {"user", "tool"}
        if role == "tool":
            expected = {"assistant", "tool"}
    if messages[-1]["role"] != "assistant":
        raise NoRow(f"ends with a turn of role {messages[-1]['role']}, where assistant belongs")


def _said(fields: Row) -> Messages:
    try:
        if "messages" in fields:
            return [dict(message) for message in fields["messages"]]
        return [{"role": r, "content": turn[r]} for turn in fields["turns"] for r in ("user", "assistant")]
    except (KeyError, TypeError, ValueError):
        raise NoRow("has turns that are no list of objects with role and content, or user and assistant") from None


def _filled(template: str, fields: Row) -> str:
    return _NAME.sub(lambda found: _text(fields.get(found[1])), template).strip()


def _needed(template: str, fields: Row, part: str) -> str:
    text = _filled(template, fields)
    if not text:
        raise NoRow(f"has an empty {part}")
    return text


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _as_one(fields: Row) -> Messages:
    return [{"role": "user", "content": _text(dict(fields))}]


def _messages(layout: Layout, fields: Row) -> dict[str, Any]:
    return {"messages": layout.messages(fields)} | ({"tools": fields["tools"]} if fields.get("tools") else {})


def _sharegpt(layout: Layout, fields: Row) -> dict[str, Any]:
    said = layout.messages(fields)
    return {"conversations": [{"from": _SHAREGPT[m["role"]], "value": m["content"]} for m in said]}


def _alpaca(layout: Layout, fields: Row) -> dict[str, Any]:
    if {"instruction", "output"} <= set(layout.fields):
        found = {name: _text(fields.get(name)) for name in ("instruction", "input", "output")}
    else:
        *_, asked, answered = layout.messages(fields)
        found = {"instruction": asked["content"], "input": "", "output": answered["content"]}
    for part in ("instruction", "output"):
        if not found[part].strip():
            raise NoRow(f"has an empty {part}")
    return found


def _pair(layout: Layout, fields: Row) -> dict[str, Any]:
    *before, last = layout.messages(fields)
    return {"prompt": "\n\n".join(message["content"] for message in before), "completion": last["content"]}


def _chosen(layout: Layout, fields: Row) -> dict[str, Any]:
    found = {"prompt": _needed(layout.prompt or "{prompt}", fields, "prompt")}
    found |= {part: _needed(f"{{{part}}}", fields, part) for part in ("chosen", "rejected")}
    if found["chosen"] == found["rejected"]:
        raise NoRow("has one answer as chosen and as rejected")
    return found


def _chosen_messages(layout: Layout, fields: Row) -> dict[str, Any]:
    found, system = _chosen(layout, fields), _filled(layout.system, fields)
    prompt = [{"role": "user", "content": found.pop("prompt")}]
    asked = [{"role": "system", "content": system}, *prompt] if system else prompt
    return {"prompt": asked} | {part: [{"role": "assistant", "content": text}] for part, text in found.items()}


_ROWS: Mapping[str, Callable[[Layout, Row], dict[str, Any]]] = {
    "records": lambda layout, fields: dict(fields),
    "messages": _messages,
    "alpaca": _alpaca,
    "sharegpt": _sharegpt,
    "prompt_completion": _pair,
    "preference": _chosen,
    "preference_messages": _chosen_messages,
}
LAYOUTS = (*_ROWS, "fhir")
