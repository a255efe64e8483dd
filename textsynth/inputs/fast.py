"""A schema rewritten so that the fast validator judges every value as the reference does.

The reference reads a pattern as Python's `re` does and divides as Python does; the fast validator reads ECMA 262 and
divides exactly. The reference also asserts nothing about `contentEncoding` and `contentMediaType`, nor about
`dependencies` from draft 2019-09 on. So a pattern is translated where that is exact; what cannot be translated goes
under a keyword of our own, which the fast validator answers by calling Python; what only one of them asserts is left
out. A pattern that Python cannot read stays as it is, since the reference has no verdict on it.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

from jsonschema import Draft202012Validator

_NAMED = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"}  # name: schema
_VALUES = {"const", "enum", "default", "examples"}
_PATTERN, _DIVISOR = "x-python-pattern", "x-python-divisor"

_REFERENCE: Any = Draft202012Validator({})

_ESCAPED = r"\\[-.^$*+?()\[\]{}|/\\ds]"
_ATOM = re.compile(
    rf"""(?P<atom> {_ESCAPED} | \. | [A-Za-z0-9_/:,@\#%&~=!<>;'"\- ]
                 | \[\^? (?: {_ESCAPED} | [A-Za-z0-9_/:,@\#%=!<>;'".*+?$(){{}}| ] | -(?!-) )+ \] )
        (?P<times> (?: [*+?] | \{{\d+(?:,\d*)?\}} )? (?![*+?{{]) )
      | (?P<group> \((?:\?:)? | \) (?: [*+?] | \{{\d+(?:,\d*)?\}} )? (?![*+?{{]) | \| | \^(?![*+?{{]) | \$\Z )""",
    re.VERBOSE,
)


_LARGEST = 2**64  # beyond it the fast validator compares rounded numbers


class UntranslatedError(Exception):
    """A name pattern or a number means something else to the fast validator."""


def rewritten(schema: Any, draft: str) -> Any:
    """The schema for the fast validator, to be used with KEYWORDS.

    Args:
        schema: a whole schema.
        draft: the name of its draft.

    Raises:
        UntranslatedError: it has a name pattern that cannot be translated, or a number beyond 64 bits.
    """
    unread = {"contentEncoding", "contentMediaType"}
    return _rewritten(schema, unread if draft in {"4", "6", "7"} else unread | {"dependencies"}, named=False)


def _rewritten(node: Any, unread: set[str], named: bool) -> Any:
    if isinstance(node, list):
        return [_rewritten(one, unread, False) for one in node]
    if not isinstance(node, dict):
        if isinstance(node, int | float) and abs(node) > _LARGEST:
            raise UntranslatedError(str(node))
        return node
    if named:
        return {name: _rewritten(one, unread, False) for name, one in node.items()}
    found: dict[str, Any] = {}
    for key, value in node.items():
        if key in unread:
            continue
        if key == "pattern" and isinstance(value, str):
            pattern = translated(value)
            found[_PATTERN if pattern is None else key] = value if pattern is None else pattern
        elif key == "multipleOf":
            found[_DIVISOR] = value
        elif key == "patternProperties" and isinstance(value, dict):
            found[key] = {_name_pattern(name): _rewritten(one, unread, False) for name, one in value.items()}
        else:
            rewritten_value = _rewritten(value, unread, key in _NAMED)
            found[key] = value if key in _VALUES else rewritten_value
    return found


def translated(pattern: str) -> str | None:
    """A pattern of Python's `re` as one that the fast validator reads alike; None if we know of none.

    To Python, `$` also stands before a line break at the end, and `\\d` and `\\s` are those of Unicode.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # a hint to its author that a later Python may read it otherwise
        try:
            re.compile(pattern)
        except re.error:
            return pattern
    parts, at = [], 0
    while at < len(pattern):
        match = _ATOM.match(pattern, at)
        if match is None:
            return None
        parts.append(_part(match))
        at = match.end()
    return "".join(parts)


def _part(match: re.Match[str]) -> str:
    if match["group"]:
        return r"\n?$" if match["group"] == "$" else match["group"]
    atom = match["atom"]
    if atom.startswith("["):
        inner = re.sub(r"\\(.)", lambda found: _ranges(found[0]) if found[1] in "ds" else found[0], atom)
        return inner + match["times"]
    return (f"[{_ranges(atom)}]" if atom in (r"\d", r"\s") else atom) + match["times"]


def _name_pattern(pattern: str) -> str:
    found = translated(pattern)
    if found is None:
        raise UntranslatedError(pattern)
    return found


@lru_cache
def _ranges(escape: str) -> str:
    r"""What Python takes for `\d` or `\s`, as ranges of characters."""
    is_one = re.compile(escape).match
    points = [point for point in range(sys.maxunicode + 1) if is_one(chr(point))]
    starts = [point for before, point in zip([-2, *points], points, strict=False) if point != before + 1]
    ends = [point for point, after in zip(points, [*points[1:], -2], strict=True) if after != point + 1]
    return "".join(rf"\u{{{a:x}}}-\u{{{b:x}}}" for a, b in zip(starts, ends, strict=True))


class _PythonPattern:
    def __init__(self, parent: Mapping[str, Any], value: str, path: list[str | int]) -> None:
        self._search: Callable[[str], object] = re.compile(value).search

    def validate(self, instance: Any) -> None:
        if isinstance(instance, str) and self._search(instance) is None:
            raise ValueError


class _PythonDivisor:
    """As the reference divides, which says that 0.07 is no multiple of 0.01."""

    def __init__(self, parent: Mapping[str, Any], value: float, path: list[str | int]) -> None:
        self._errors = partial(_REFERENCE.VALIDATORS["multipleOf"], _REFERENCE, value)

    def validate(self, instance: Any) -> None:
        if isinstance(instance, int | float) and next(iter(self._errors(instance, {})), None):
            raise ValueError


KEYWORDS: Mapping[str, Any] = {_PATTERN: _PythonPattern, _DIVISOR: _PythonDivisor}
