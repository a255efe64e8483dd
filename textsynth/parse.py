"""A completion's text -> the fields it holds."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_THINK = re.compile(r"^.*?</think>", re.DOTALL)
_HALF = re.compile("[\ud800-\udfff]")
_FENCE = re.compile(r"```(?:json)?\s*(?=\{)")


class ParseError(ValueError):
    """The text holds no JSON object; the message says why, without the text."""


def parse_fields(text: str) -> dict[str, Any]:
    """The JSON object of a completion, taken out of `<think>` blocks, fences and surrounding words.

    Raises:
        ParseError: there is no complete JSON object, or it repeats a key or holds NaN or a number too large.
    """
    text = text[_end_of_thoughts(text) :]
    fence = None if text.lstrip().startswith("{") else _FENCE.search(text)
    start = fence.end() if fence else text.find("{")
    if start < 0:
        raise ParseError("there is no JSON object")
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise ParseError(f"not valid JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise ParseError("the JSON is nested too deep") from None
    rest = text[end:].partition("```")[0] if fence else text[end:]
    if "{" in rest:
        raise ParseError("there is more than one JSON object")
    if _HALF.search(json.dumps(value, ensure_ascii=False)):
        raise ParseError("a character is half a surrogate pair")
    fields: dict[str, Any] = value
    return fields


def _end_of_thoughts(text: str) -> int:
    """Where an answer begins: behind the first `</think>`, unless that is a text in its JSON."""
    thoughts, first = _THINK.match(text), text.find("{")
    if thoughts is None or text.lstrip().startswith("{"):
        return 0
    if 0 <= first < thoughts.end() and not text.lstrip().startswith("<think>"):
        try:
            if _DECODER.raw_decode(text, first)[1] > thoughts.end():
                return 0
        except (ValueError, RecursionError):
            pass
    return thoughts.end()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ParseError("a key stands twice")
    return fields


def _no_constant(name: str) -> Any:
    raise ParseError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise ParseError("a number is too large")
    return value


def _integer(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:  # Python reads no more than some thousand digits
        raise ParseError("a number is too large") from None


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_integer
)
