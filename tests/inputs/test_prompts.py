from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from textsynth.errors import InputError
from textsynth.inputs.prompts import Prompt, load_prompt
from textsynth.records import Seed

TEMPLATE = "{% block system %}Be short.{% endblock %}{% block user %}About {{ fields.topic }}{% endblock %}"


def prompt(folder: Path, source: str, written: tuple[str, ...] = ("text",)) -> Prompt:
    (folder / "p.j2").write_text(source, encoding="utf-8")
    return load_prompt("./p.j2", folder / "job.yaml", "job.yaml: steps[0].prompt", ("topic",), written, ("tone",))


def test_examples_are_chat_turns_and_the_facts_come_last(tmp_path: Path) -> None:
    seeds = [Seed("s1", {"topic": "bees", "text": 'Ünï "q"\n.'}), Seed("s2", {"text": "no topic", "topic": None})]
    messages = prompt(tmp_path, TEMPLATE).messages({"topic": "boats"}, {"tone": "dry"}, seeds)
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert [m["content"] for m in messages[:2]] == ["Be short.", "About bees"]
    assert messages[2]["content"] == '{"text":"Ünï \\"q\\"\\n."}'
    assert messages[3]["content"] == "About None" and messages[5]["content"] == "About boats"


def test_an_answer_has_the_written_fields_in_the_order_asked(tmp_path: Path) -> None:
    seed = Seed("s1", {"b": [1, 2], "a": {"x": 1.5}, "topic": "t", "secret": "no"})
    messages = prompt(tmp_path, TEMPLATE, ("b", "a")).messages({}, {}, [seed])
    assert list(json.loads(messages[2]["content"])) == ["b", "a"]


def test_examples_have_no_attributes(tmp_path: Path) -> None:
    loop = "{% for n, v in attributes.items() if v is not none %}{{ n }}={{ v }}{% endfor %}"
    source = f"{{% block user %}}{loop}{{% endblock %}}"
    messages = prompt(tmp_path, source).messages({}, {"tone": "dry"}, [Seed("s1", {"text": "x"})])
    assert [m["content"] for m in messages if m["role"] == "user"] == ["", "tone=dry"]


def test_the_system_turn_is_the_same_for_every_request(tmp_path: Path) -> None:
    made = prompt(tmp_path, TEMPLATE.replace("Be short.", "Topic {{ fields.topic }}."))
    assert made.messages({"topic": "boats"}, {})[0] == made.messages({"topic": "bees"}, {})[0]


def test_a_request_is_shown_its_own_examples_whatever_was_rendered_before(tmp_path: Path) -> None:
    made, seeds = prompt(tmp_path, TEMPLATE), [Seed(f"s{n}", {"topic": f"t{n}", "text": "x"}) for n in range(40)]
    for one, other in [pair for a, b in pairwise(seeds) for pair in ((a, b), (b, a), (a, b))] * 2:
        turns = [m["content"] for m in made.messages({"topic": "boats"}, {}, [one, other]) if m["role"] == "user"]
        assert turns == [f"About {one.data['topic']}", f"About {other.data['topic']}", "About boats"]


def test_a_template_without_a_system_block_has_no_system_turn(tmp_path: Path) -> None:
    made = prompt(tmp_path, "{% block user %}Go.{% endblock %}")
    assert [m["role"] for m in made.messages({}, {})] == ["user"]


def test_the_hash_is_that_of_the_text(tmp_path: Path) -> None:
    one, same, other = (prompt(tmp_path, text).hash for text in (TEMPLATE, TEMPLATE, TEMPLATE + " "))
    assert one == same != other


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("{{ fields.mood }}", r"there is no 'mood'\. Known here: fields\.topic, attributes\.tone, writes\."),
        ("{{ mood }}", r"'mood' is undefined\. Known here"),
        ("{{ fields.topic.upper.foo }}", r"Known here"),
        ("{{ ''.__class__ }}", r"Known here"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", r"Known here"),
        ("{{ writes.append('x') }}", r"Known here"),
        ("{{ fields.update({'a': 1}) }}", r"Known here"),
        ("{% for i in range(10**9) %}{% endfor %}", r"Known here"),
        ("{{ 1 / 0 }}", r"the template fails with ZeroDivisionError\. Known here"),
        ("{% include 'other.j2' %}", r"include reads another file"),
    ],
)
def test_a_template_that_asks_for_what_it_may_not_have_is_a_fault(tmp_path: Path, body: str, match: str) -> None:
    source = f"{{% block user %}}{body}{{% endblock %}}"
    with pytest.raises(InputError, match=match) as error:
        prompt(tmp_path, source).messages({"topic": "SEED TEXT"}, {"tone": "dry"})
    assert "SEED TEXT" not in str(error.value) and str(error.value).startswith("./p.j2")


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("{% block user %}{{ a b }}{% endblock %}", r"^\./p\.j2 line 1: .*Mend the template\.$"),
        ("\n\n{% block user %}{% if %}{% endblock %}", r"^\./p\.j2 line 3: "),
        ("Just text.", r"the template has no block user\. Write {% block user %}"),
    ],
)
def test_a_template_that_is_none_is_a_fault(tmp_path: Path, source: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        prompt(tmp_path, source)


def test_an_unknown_prompt_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is clinical_notes: there is no such prompt\. .*clinical_note.*built-in one"):
        load_prompt("clinical_notes", tmp_path / "job.yaml", "job.yaml: steps[0].prompt", (), ("note",), ())


def test_a_prompt_that_is_not_utf8_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "p.j2").write_bytes(b"{% block user %}\xff{% endblock %}")
    with pytest.raises(InputError, match="cannot be read as UTF-8 text"):
        load_prompt("./p.j2", tmp_path / "job.yaml", "job.yaml: steps[0].prompt", (), ("text",), ())
