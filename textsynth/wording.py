"""How messages word what is wrong: pydantic's findings as one sentence a place, and the name that was meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from textsynth.records import canonical_json

_PLAIN = {"str", "int", "float", "bool"}


def nearest(word: str, known: Iterable[str]) -> str:
    """`Did you mean X? ` for a misspelled name, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean {close[0]}? " if close else ""


def shown(value: Any) -> str:
    """A value as a message quotes it: at most 60 characters."""
    text = value if isinstance(value, str) else canonical_json(value)
    return (text if len(text) <= 60 else text[:57] + "...") or "empty"


def faults_of(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """One sentence a place. Of a union's branches, those of another type than the value have nothing to say."""
    items: list[dict[str, Any]] = [dict(item) for item in error.errors()]

    def of_another_type(item: dict[str, Any]) -> bool:
        kinds = {"dict_type", "list_type", "literal_error", "model_type", "string_type"}
        return item["type"] in kinds and _is_branch(len(item["loc"]) - 1, item["loc"][-1])

    said: dict[str, str] = {}
    for item in items:
        union = item["loc"][:-1]
        if not of_another_type(item):
            said.setdefault(_place(item["loc"], root), _fault(item, root))
        elif all(
            of_another_type(other) and len(other["loc"]) == len(union) + 1
            for other in items
            if other["loc"][: len(union)] == union
        ):
            place = _place(union, root)
            said[place] = f"{place} is {shown(item['input'])}. Use {_either(items, union)}."
    return list(said.values())


def _either(items: list[dict[str, Any]], union: tuple[int | str, ...]) -> str:
    """What the branches of a union take, in words."""
    words = {"dict_type": "a mapping", "list_type": "a list", "model_type": "a mapping", "string_type": "a text"}
    found = []
    for item in items:
        if item["loc"][: len(union)] == union:
            found.append(words.get(item["type"]) or str(item["ctx"]["expected"]).replace("'", ""))
    return " or ".join(dict.fromkeys(sorted(found, key=lambda word: word != "a list")))


def _is_branch(depth: int, key: Any) -> bool:
    """Whether pydantic put this in a location to name a branch of a union, not a key of the file."""
    return depth > 1 and ("[" in str(key) or str(key) in _PLAIN)


def _place(loc: tuple[int | str, ...], root: type[BaseModel]) -> str:
    place, kinds = "", [root]
    for depth, key in enumerate(loc):
        if isinstance(key, int):
            place += f"[{key}]"
        elif not _is_branch(depth, key) and not (len(kinds) > 1 and any(key in _tags(kind) for kind in kinds)):
            place += f".{key}" if place else key
        kinds = _inside(kinds, key) or kinds
    return place


def _model_at(loc: tuple[int | str, ...], root: type[BaseModel]) -> type[BaseModel] | None:
    """The model whose key a location ends with."""
    kinds = [root]
    for key in loc[:-1]:
        kinds = _inside(kinds, key) or kinds
    return kinds[0] if len(kinds) == 1 and loc[-1:] and isinstance(loc[-1], str) else None


def _inside(kinds: list[type[BaseModel]], key: int | str) -> list[type[BaseModel]]:
    """The models that stand at a key of some models; of several told apart by a tag, the one with that tag."""
    if tagged := [kind for kind in kinds if len(kinds) > 1 and key in _tags(kind)]:
        return tagged
    fields = [kind.model_fields[key] for kind in kinds if isinstance(key, str) and key in kind.model_fields]
    return [model for field in fields for model in _models_in(field.annotation)]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """All models that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and get_origin(annotation) is None:
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    return get_args(model.model_fields["type"].annotation) if "type" in model.model_fields else ()


def _fault(item: dict[str, Any], root: type[BaseModel]) -> str:
    place, model = _place(item["loc"], root), _model_at(item["loc"], root)
    key = str(item["loc"][-1])
    known = list(model.model_fields) if model else []
    if item["type"] == "extra_forbidden":
        return f"{place} is not a known key. {nearest(key, known)}Known keys here: {', '.join(known)}."
    if item["type"] == "missing":
        return f"{place} is missing. It is required."
    if item["type"].startswith("union_tag"):
        kinds = [root]
        for part in item["loc"]:
            kinds = _inside(kinds, part) or kinds
        tags = [tag for kind in kinds for tag in _tags(kind)]
        tag = item["ctx"].get("tag") if isinstance(item.get("ctx"), dict) else None
        said = f"has the type {tag}" if tag else "has no type"
        return f"{place} {said}. {nearest(str(tag or ''), tags)}Use one of {', '.join(tags)}."
    info = model.model_fields.get(key) if model else None
    hint = f" ({info.description})" if info is not None and info.description else ""
    rule = re.sub(r" after validation| or (instance of \w+|object to extract fields from)", "", item["msg"])
    rule = rule.replace("Input should", "It should").replace("dictionary", "mapping")
    quote = '"' if isinstance(item["input"], str) and item["type"].endswith("_type") else ""
    return f"{place} is {quote}{shown(item['input'])}{quote}. {rule}{hint}."
