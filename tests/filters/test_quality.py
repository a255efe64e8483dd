"""Simple rules on text, each with its reason."""

from __future__ import annotations

from typing import Any

import pytest

from textsynth.filters.quality import QualityFilter, Wanted, bad_python, repeats, wrong_arithmetic
from textsynth.records import Record

GOOD = "Put the kettle on, warm the pot with a little water, and let the leaves draw for three minutes."


@pytest.mark.parametrize(
    ("text", "wanted", "reason"),
    [
        (GOOD, {"words": (5, 40), "language": "en"}, None),
        ("Too short.", {"words": (3, 40)}, "wrong_length"),
        (GOOD, {"words": (3, 10)}, "wrong_length"),
        ("As an AI language model, I like tea.", {}, "boilerplate"),
        ("I'm sorry, but I cannot do that.", {}, "boilerplate"),
        ("Sure, here is your poem:\nTea.", {}, "boilerplate"),
        ("Dear [Name], thank you.", {}, "boilerplate"),
        ("As an AI language model, I like tea.", {"boilerplate": False}, None),
        ("An AI is a program. Sorry for the noise; I cannot swim.", {}, None),
        ("The pot is warm and dry. " * 6, {}, "repetitive"),
        ("The pot is warm and dry. " * 6, {"max_repeats": None}, None),
        ("Der Patient klagt seit gestern über starke Schmerzen im Bauch.", {"language": "en"}, "wrong_language"),
        ("Der Patient klagt seit gestern über starke Schmerzen im Bauch.", {"language": "de"}, None),
        ("Ja.", {"language": "en"}, None),
        ("3 * 4 = 13", {"arithmetic": True}, "wrong_answer"),
        ("```python\nprint(1\n```", {"python": "compile"}, "bad_code"),
    ],
)
def test_a_text_gets_this_verdict(text: str, wanted: dict[str, Any], reason: str | None) -> None:
    verdict = QualityFilter(Wanted(**wanted), ["text"]).check(Record("r0", 0, {}, {"text": text, "other": "As an AI"}))
    assert (verdict.accepted, verdict.reason) == (reason is None, reason)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("She has 3 + 4 = <<3+4=7>>7 apples.\n#### 7", False),
        ("48/2 = <<48/2=24>>24, so 48+24 = 72.\n#### 72", False),
        ("48/2 = 25", True),
        ("It costs $1,200 + $300 = $1,500.", False),
        ("It costs $1,200 + $300 = $1,600.", True),
        ("She has 3 + 4 = <<3+5=8>>8 apples.", True),
        ("10 / 3 = 3.33", False),
        ("10 / 3 = 3.4", True),
        ("2 x 6 = 12 and 12 - (2 + 3) = 7", False),
        ("5 + 5 = 10\n#### 11", True),
        ("No equation, but x = 4 and y = 5.", False),
        ("1 / 0 = 4", False),
        ("9**9**9 = 4", False),
        ("", False),
    ],
)
def test_equations_hold_or_not(text: str, wrong: bool) -> None:
    assert bool(wrong_arithmetic(text)) == wrong


@pytest.mark.parametrize(
    ("text", "run", "says"),
    [
        ("def f(x):\n    return x", False, ""),
        ("def f(x:\n    return x", False, "SyntaxError in line 1"),
        ("Text.\n```python\nx = 1\n```\nMore.\n```\ny = (\n```", False, "SyntaxError"),
        ("assert 1 + 1 == 2", True, ""),
        ("assert 1 + 1 == 3", True, "it failed: AssertionError"),
        ("while True: pass", True, "it failed"),
        ("x = 'a' * (1 << 30)", True, "it failed: MemoryError"),
        ("f = open('x', 'w'); f.write('x'); f.flush()", True, "it failed: OSError"),
        ("x = input()", True, "it failed: EOFError"),
    ],
)
def test_python_compiles_and_runs_within_limits(text: str, run: bool, says: str) -> None:
    found = bad_python(text, run)
    assert found.startswith(says) and bool(found) == bool(says)


def test_repeats_are_runs_of_four_that_came_before() -> None:
    assert repeats("a b c d e f") == 0
    assert repeats("a b c d a b c d") == pytest.approx(1 / 5)
    assert repeats("a") == 0
