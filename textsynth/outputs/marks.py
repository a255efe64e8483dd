"""What the report shows of one record: its facts in lines, and its texts in pieces, marked where something stands.

Marked are facts, the longest run of words shared with a seed, and what a consistency filter found wrong.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from textsynth.records import strings_in
from textsynth.similarity.words import places, tokens

CHARACTERS = 20_000  # shown of one text
SHARED = 4  # words from which a shared run is marked; runs of three are what the gate's overlap counts
_LONGEST = 300  # characters of a fact that is looked for in a text
_STATED = ("name", "dose", "value", "unit")  # keys of a fact in a list, in the order in which people say them
_WRONG = {"missing_fact": "missing", "contradicts_fact": "contradicted", "unsupported_fact": "unsupported"}
Row = Mapping[str, Any]
Mark = tuple[int, int, str, Sequence[int]]  # start, end, kind, facts


def shown(fields: Row, sources: Mapping[str, str], order: Sequence[str], verdicts: Sequence[Row]) -> dict[str, Any]:
    """A record's facts and texts as the page has them.

    Args:
        sources: field -> written, sampled and so on; what is written is a text.
        order: the record schema's fields.
        verdicts: the record's, as the store has them.

    Returns:
        `facts`: [name, line, source], and "missing" or "contradicted" where that was found; one row for each item of
        a list. `texts`: [name, pieces, length if cut]; a piece is a string, or [string, kinds, rows of `facts`].
        `located`: whether the record itself says where facts stand. `shared`: words of the marked run, or 0.
    """
    spans = _spans(fields)
    names = [n for n in dict.fromkeys((*order, *fields)) if n in fields and not (spans is not None and n == "spans")]
    texts = {n: as_text(fields[n]) for n in names if sources.get(n, "written") == "written"}
    facts = [(n, *one) for n in names if n not in texts for one in _lines(n, fields[n])]
    pointers = {pointer: at for at, (_, pointer, _, _) in enumerate(facts)}
    marks: dict[str, list[Mark]] = defaultdict(list)
    main = "note" if "note" in texts else next(iter(texts), "")
    marks[main] += [(a, b, "stated", of) for pointer, a, b in spans or () if (of := _named(pointer, pointers))]
    for name in texts if spans is None else ():
        marks[name] += _word_for_word(texts[name][:CHARACTERS], [sought for *_, sought in facts])
    wrong: dict[int, str] = {}
    for kind, place, of in _found_wrong(verdicts, pointers):
        wrong |= dict.fromkeys(of, kind) if kind != "unsupported" else {}
        marks[main] += [(place[0], place[1], kind, of)] if place else []
    run = list(_shared_run(fields, sources, verdicts))
    for name, start, end, _ in run:
        marks[name].append((start, end, "shared", ()))
    return {
        "facts": [[n, line, sources.get(n, ""), *([wrong[at]] if at in wrong else [])]
                  for at, (n, _, line, _) in enumerate(facts)],
        "texts": [[n, _pieces(text[:CHARACTERS], marks[n]), *([len(text)] if len(text) > CHARACTERS else [])]
                  for n, text in texts.items()],
        "located": spans is not None,
        "shared": run[0][3] if run else 0,
    }  # fmt: skip


def as_text(value: Any) -> str:
    """A field's value for readers: texts as they are, others as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _lines(name: str, value: Any) -> Iterator[tuple[str, str, str]]:
    """For each item of a fact its JSON Pointer, the line that tells it, and what is looked for in a text."""
    pointer = "/" + name.replace("~", "~0").replace("/", "~1")
    items = value if isinstance(value, list) else [value]
    for at, item in enumerate(items):
        place = f"{pointer}/{at}" if isinstance(value, list) else pointer
        if not isinstance(item, Mapping):
            yield place, as_text(item)[:CHARACTERS], as_text(item)
            continue
        said = " ".join(as_text(item[key]) for key in _STATED if item.get(key) not in (None, ""))
        code = " ".join(as_text(item[key]) for key in ("system", "code") if item.get(key)) if item.get("code") else ""
        known = (*_STATED, "system", "code")
        rest = [f"{key} {as_text(part)}" for key, part in item.items() if key not in known and part is not None]
        line = ", ".join([f"{said} ({code})".strip() if code else said, *rest] if said or code else rest)
        yield place, line[:CHARACTERS], as_text(item.get("name", ""))
    if not items:
        yield pointer, "none", ""


def _spans(fields: Row) -> list[tuple[str, int, int]] | None:
    """Where facts stand in the text, as the record's own field `spans` says; None without one."""
    found = fields.get("spans")
    if not isinstance(found, list) or not all(isinstance(one, Mapping) and "fact" in one for one in found):
        return None
    return [(str(one["fact"]), one["start"], one["end"]) for one in found if _whole(one.get("start"), one.get("end"))]


def _whole(*values: Any) -> bool:
    return all(isinstance(value, int) for value in values)


def _named(pointer: str, pointers: Mapping[str, int]) -> list[int]:
    """The fact that a pointer names, itself or a part of it; none where there is no such fact."""
    while pointer and pointer not in pointers:
        pointer = pointer.rpartition("/")[0]
    return [pointers[pointer]] if pointer else []


def _word_for_word(text: str, sought: Sequence[str]) -> Iterator[Mark]:
    """Where facts stand in a text as they are, case aside."""
    low = text.lower()
    low = low if len(low) == len(text) else text
    for at, fact in enumerate(sought):
        words = fact.lower() if low is not text else fact
        start = low.find(words) if 0 < len(words) <= _LONGEST else -1
        while start >= 0:
            end = start + len(words)
            if not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()):
                yield start, end, "stated", (at,)
            start = low.find(words, start + 1)


def _found_wrong(verdicts: Sequence[Row], pointers: Mapping[str, int]) -> Iterator[tuple[str, list[int], list[int]]]:
    """What a consistency filter refused for: its kind, where it stands in the text if it does, and the facts."""
    for verdict in verdicts:
        scores, kind = verdict["scores"], _WRONG.get(verdict["reason"] or "")
        if verdict["filter"] == "consistency" and kind:
            facts = [at for one in str(scores.get("facts", "")).split(",") for at in _named(one.strip(), pointers)]
            place = [int(scores[key]) for key in ("start", "end") if isinstance(scores.get(key), int | float)]
            yield kind, place if len(place) == 2 else [], facts


def _shared_run(
    fields: Row, sources: Mapping[str, str], verdicts: Sequence[Row]
) -> Iterator[tuple[str, int, int, int]]:
    """The longest run shared with a seed: text, start, end, and its words; a part for each text that it stands in."""
    scores: Row = next((one["scores"] for one in verdicts if one["filter"] == "leakage"), {})
    words, first = int(scores.get("span", 0)), int(scores.get("span_start", -1))
    if words < SHARED or first < 0:
        return
    for name in (name for name, source in sources.items() if source == "written"):
        text = as_text(fields.get(name))[:CHARACTERS]
        for part in strings_in(fields.get(name)):
            last = first + words
            if last > 0 and (standing := places(part[:CHARACTERS])[max(first, 0) : last]):
                begins = text.find(part[:CHARACTERS])  # of a text in a list, where JSON writes it as it is
                if begins >= 0:
                    yield name, begins + standing[0][0], begins + standing[-1][1], words
            first -= len(tokens(part))


def _pieces(text: str, marks: Sequence[Mark]) -> list[Any]:
    """A text cut where marks begin and end; the last piece of what is wrong is of the kind `end` too."""
    inside = [(max(0, start), min(end, len(text)), kind, of) for start, end, kind, of in marks]
    inside = [mark for mark in inside if mark[0] < mark[1]]
    begin, active = defaultdict[int, list[Mark]](list), list[Mark]()
    for mark in inside:
        begin[mark[0]].append(mark)
    pieces: list[Any] = []
    for start, end in pairwise(sorted({0, len(text), *(edge for mark in inside for edge in mark[:2])})):
        active = [mark for mark in active if mark[1] > start] + begin[start]
        kinds = {kind for *_, kind, _ in active}
        kinds |= {"end" for _, last, kind, _ in active if last == end and kind in _WRONG.values()}
        facts = sorted({at for *_, of in active for at in of})
        pieces.append([text[start:end], " ".join(sorted(kinds)), facts] if active else text[start:end])
    return pieces
