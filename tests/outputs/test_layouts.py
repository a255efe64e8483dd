"""Records as training rows, and what has none."""

from __future__ import annotations

from typing import Any

import pytest

from textsynth.errors import InputError
from textsynth.outputs.layouts import LAYOUTS, NoRow, layout_for

TASK = {"instruction": "Add them.", "input": "1, 2", "output": "3"}
BARE = {"instruction": "Say hello.", "input": "", "output": "Hello."}
TALK = {"topic": "tea", "turns": [{"user": "Hot?", "assistant": "Yes."}, {"user": "Milk?", "assistant": "No."}]}
PAIR = {"prompt": "Why?", "chosen": "So that it works.", "rejected": "Because."}
TURNS = [
    {"role": "user", "content": "Hot?"},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "Milk?"},
    {"role": "assistant", "content": "No."},
]
ROWS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("records", TASK, TASK),
    (
        "messages",
        TASK,
        {"messages": [{"role": "user", "content": "Add them.\n\n1, 2"}, {"role": "assistant", "content": "3"}]},
    ),
    ("messages", TALK, {"messages": TURNS}),
    ("messages", {"messages": TURNS, "tools": [{"name": "x"}]}, {"messages": TURNS, "tools": [{"name": "x"}]}),
    (
        "sharegpt",
        TALK,
        {
            "conversations": [
                {"from": "human", "value": "Hot?"},
                {"from": "gpt", "value": "Yes."},
                {"from": "human", "value": "Milk?"},
                {"from": "gpt", "value": "No."},
            ]
        },
    ),
    ("alpaca", BARE, BARE),
    ("alpaca", {"question": "Who?", "answer": "We."}, {"instruction": "Who?", "input": "", "output": "We."}),
    ("prompt_completion", BARE, {"prompt": "Say hello.", "completion": "Hello."}),
    ("prompt_completion", {"text": "Loud!", "label": "noise"}, {"prompt": "Loud!", "completion": "noise"}),
    ("preference", PAIR, PAIR),
    (
        "preference_messages",
        PAIR,
        {
            "prompt": [{"role": "user", "content": "Why?"}],
            "chosen": [{"role": "assistant", "content": "So that it works."}],
            "rejected": [{"role": "assistant", "content": "Because."}],
        },
    ),
]


@pytest.mark.parametrize(("name", "fields", "row"), ROWS)
def test_a_record_becomes_this_row(name: str, fields: dict[str, Any], row: dict[str, Any]) -> None:
    assert layout_for(name, list(fields)).row(fields) == row


def test_every_layout_has_a_row_in_the_table() -> None:
    assert {name for name, _, _ in ROWS} == set(LAYOUTS) - {"fhir"}  # which test_fhir.py holds


def test_templates_fill_in_fields_and_all_others_as_json() -> None:
    layout = layout_for("messages", ["a", "b", "text"], "Be {a}.", "{text}", "{*}")
    found = layout.row({"a": "kind", "b": [1], "text": "Hi {b}"})["messages"]
    assert [m["content"] for m in found] == ["Be kind.", "Hi {b}", '{"a": "kind", "b": [1]}']


def turns(*roles: str, content: str = "x") -> list[dict[str, Any]]:
    return [{"role": role, "content": content} for role in roles]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"messages": turns("assistant", "user")}, "role assistant at 0, where system or user belongs"),
        ({"messages": turns("user", "user")}, "role user at 1, where assistant belongs"),
        ({"messages": turns("system", "system", "user")}, "role system at 1, where user belongs"),
        ({"messages": turns("user", "assistant", "user")}, "ends with a turn of role user"),
        ({"messages": turns("user", "assistant", content="  ")}, "an empty turn at 0"),
        ({"messages": []}, "has no turns"),
        ({"messages": turns("user", "robot")}, "role robot at 1"),
        ({"messages": [], "system": "Be kind."}, "has no turns"),
        ({"messages": None}, "turns that are no list"),
        ({"turns": [{"user": "Hi"}]}, "turns that are no list"),
    ],
)
def test_a_conversation_out_of_order_has_no_row(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(NoRow, match=says):
        layout_for("messages", list(fields)).row(fields)


def test_a_tool_answers_an_assistant_that_says_nothing() -> None:
    calls = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}]
    talk = [*calls, {"role": "tool", "content": "4"}, {"role": "assistant", "content": "Four."}]
    assert layout_for("messages", ["messages"]).row({"messages": talk}) == {"messages": talk}


@pytest.mark.parametrize(
    ("name", "fields", "says"),
    [
        ("prompt_completion", BARE | {"output": " "}, "has an empty completion"),
        ("alpaca", BARE | {"output": ""}, "has an empty output"),
        ("preference", PAIR | {"rejected": None}, "has an empty rejected"),
        ("preference", PAIR | {"rejected": PAIR["chosen"]}, "one answer as chosen and as rejected"),
    ],
)
def test_what_is_missing_is_named(name: str, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(NoRow, match=says):
        layout_for(name, list(fields)).row(fields)


@pytest.mark.parametrize(
    ("name", "fields", "templates", "says"),
    [
        ("mesages", ["text"], {}, "--as is mesages. Did you mean messages"),
        ("messages", ["note", "age"], {}, "nothing tells what a messages row asks and answers"),
        ("messages", ["note"], {"prompt": "{nota}", "completion": "{note}"}, r"--prompt names \{nota\}"),
        ("preference", ["prompt", "chosen"], {}, "preference needs the field rejected"),
    ],
)
def test_bad_layouts(name: str, fields: list[str], templates: dict[str, str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        layout_for(name, fields, **templates)
