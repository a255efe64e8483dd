"""A completion's text -> the fields it holds."""

from __future__ import annotations

import json
import re
from typing import Any

_THINK = re.compile(r"^.*?</think>", re.DOTALL)
_HALF = re.compile("[\ud800-\udfff]")
_FENCE = re.compile(r"```(?:json)?\s*\n?(.*?)```", re.DOTALL)


class ParseError(ValueError):
    """The text holds no JSON object; the message says why, without the text."""


def parse_fields(text: str) -> dict[str, Any]:
    """The JSON object of a completion, taken out of `<think>` blocks, fences and surrounding words.

    Raises:
        ParseError: there is no complete JSON object, or it repeats a key or holds NaN.
    """
    text = _THINK.sub("", text, count=1) if "</think>" in text else text
    fenced = _FENCE.search(text) if not text.lstrip().startswith("{") else None
    text = fenced.group(1) if fenced else text
    start = text.find("{")
    if start < 0:
        raise ParseError("there is no JSON object")
    decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
    try:
        value, end = decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise ParseError(f"not valid JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise ParseError("the JSON is nested too deep") from None
    if "{" in text[end:]:
        raise ParseError("there is more than one JSON object")
    if _HALF.search(json.dumps(value, ensure_ascii=False)):
        raise ParseError("a character is half a surrogate pair")
    fields: dict[str, Any] = value
    return fields


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ParseError("a key stands twice")
    return fields


def _no_constant(name: str) -> Any:
    raise ParseError(f"{name} is not JSON")
