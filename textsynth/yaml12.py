"""Plain YAML 1.2 values, read and written. `on` and `no` are words and a date is text, unlike in PyYAML's YAML 1.1."""

from __future__ import annotations

import re
from typing import Any

import yaml

from textsynth.errors import InputError

_TAG = "tag:yaml.org,2002:"
_HALF = re.compile("[\ud800-\udfff]")
_PLAIN = {  # the core schema of https://yaml.org/spec/1.2.2, without octal and hexadecimal numbers
    "null": "~|null|Null|NULL|",
    "bool": "true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(0|[1-9]\d*)",
    "float": r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "merge": "<<",
}


class _Dumper(yaml.SafeDumper):
    """Puts in quotes what either version of YAML takes for something else than text."""


class _Loader(yaml.SafeLoader):
    """Refuses tags that construct objects, a key given twice, a value inside itself and half of a surrogate pair."""

    yaml_implicit_resolvers: dict[Any, Any] = {}

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        return super().construct_object(node, deep=True)  # deep: a value inside itself is an error, not a loop

    def construct_scalar(self, node: Any) -> Any:
        value = super().construct_scalar(node)
        if isinstance(value, str) and _HALF.search(value):  # JSON writes a character beyond 16 bits as two
            value = value.encode("utf-16", "surrogatepass").decode("utf-16")
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if isinstance(key_node.value, str) and key_node.value in seen:
                problem = f"the key {key_node.value} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            if isinstance(key_node.value, str):
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)


for _name, _pattern in _PLAIN.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_TAG + _name, re.compile(f"({_pattern})$"), None)


def load_yaml(text: str, place: str) -> Any:
    """The value of a YAML document.

    Raises:
        InputError: not YAML, a tag, or a key given twice; the message names the line.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, AttributeError) as error:
        raise InputError(f"{place}: {_fault(error)}") from None
    except RecursionError:
        raise InputError(f"{place}: the values are nested too deep. Flatten them.") from None


def dump_yaml(value: Any) -> str:
    """A value as YAML that `load_yaml`, and readers of YAML 1.1, read as that value."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    if re.search("[\x85\u2028\u2029]", text):  # ends of lines to PyYAML, which would fold them
        text = yaml.dump(value, Dumper=_Dumper, sort_keys=False)
    return text


def _fault(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "a value does not fit its tag"
    at = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    if "could not determine a constructor" in problem:
        return f"{at}the tag {problem.split()[-1]} is not allowed. Use plain YAML values."
    return f"{at}not valid YAML ({problem}). Mend that line."
