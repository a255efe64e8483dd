"""How far two judges agree, beside scikit-learn's own number, and in a run."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import Noting, tiny_job
from textsynth.metrics.judges import agreement, judges_of
from textsynth.pipeline import run_job
from textsynth.records import Request

SCORE = {"type": "integer", "minimum": 1, "maximum": 5}


def step(prompt: str, **writes: Any) -> dict[str, Any]:
    return {"prompt": prompt, "writes": writes, "n": 1}


def test_kappa_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    draw = random.Random(4)
    first = [draw.randint(1, 5) for _ in range(200)]
    second = [min(5, max(1, score + draw.choice([0, 0, 0, -1, 2]))) for score in first]
    found = agreement(Counter(zip(first, second, strict=True)))
    assert found["kappa"] == pytest.approx(metrics.cohen_kappa_score(first, second, weights="quadratic"), abs=1e-6)
    assert found["same"] == pytest.approx(sum(a == b for a, b in zip(first, second, strict=True)) / 200)


def test_no_number_is_made_up() -> None:
    assert agreement(Counter()) == {"records": 0, "same": None, "kappa": None}
    assert agreement(Counter({(3, 3): 9})) == {"records": 9, "same": 1, "kappa": None}


def test_judges_are_scores_of_one_scale_by_one_prompt_in_two_steps() -> None:
    two = {"truth": SCORE, "style": SCORE}
    again = {"truth_again": SCORE, "style_again": SCORE}
    assert judges_of([step("judge", **two), step("judge", **again)]) == [
        ("truth", "truth_again"),
        ("style", "style_again"),
    ]
    assert judges_of([step("judge_pair", best=SCORE), step("judge_pair_swapped", other=SCORE)]) == []
    assert judges_of([step("judge", a=SCORE), step("judge", b=SCORE | {"maximum": 3})]) == []
    assert judges_of([{"prompt": "ask", "writes": ["text"], "n": 1}, {"prompt": "ask", "writes": None, "n": 1}]) == []


def test_a_run_says_how_far_its_judges_agree_and_neither_sees_the_other(tmp_path: Path) -> None:
    def answer(request: Request) -> str:
        if request.step == 0:
            return json.dumps({"text": f"Text number {request.id} of its own."})
        number = int(request.id[1:8])
        name = ("first", "second")[request.step - 1]
        return json.dumps({name: 1 + number % 4 + (request.step == 2 and number % 2 == 0)})

    engine = Noting(answer)
    steps: list[Any] = [{"prompt": "./tiny.j2", "writes": ["text"]}]
    steps += [{"prompt": "judge", "writes": {name: SCORE}} for name in ("first", "second")]
    run_job(tiny_job(tmp_path, steps=steps, plan={"target": 16}), tmp_path / "run", engine=engine)
    [found] = json.loads((tmp_path / "run/metrics.json").read_text())["judges"]
    assert found["fields"] == ["first", "second"] and found["records"] >= 16
    assert 0.4 < found["same"] < 0.6 < found["kappa"] < 0.9
    asked = [request.messages[-1]["content"] for request in engine.asked if request.step == 2]
    assert asked and not any("first" in question for question in asked)
    assert f"the same score for {found['same']:.0%} of" in (tmp_path / "run/report.html").read_text()
