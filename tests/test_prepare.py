"""Preparing a job: what its keys change about the requests that a run will make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import SCHEMA, tiny_job
from textsynth.errors import InputError
from textsynth.prepare import Step, prepare


def step(folder: Path, **changes: Any) -> Step:
    """The only step of the tiny job."""
    return prepare(tiny_job(folder, **changes)).steps[0]


def test_max_tokens_shrinks_the_bounds_of_an_answer_and_limits_it(tmp_path: Path) -> None:
    free = step(tmp_path / "free")
    tight = step(tmp_path / "tight", sampling={"max_tokens": 60})
    assert free.decoding["properties"]["text"]["maxLength"] == 120
    assert 20 <= tight.decoding["properties"]["text"]["maxLength"] < 60
    assert tight.sampling["max_tokens"] == 60
    assert tight.answer == free.answer


def test_a_limit_above_what_an_answer_can_take_changes_nothing(tmp_path: Path) -> None:
    free, wide = step(tmp_path / "free"), step(tmp_path / "wide", sampling={"max_tokens": 100_000})
    assert (wide.decoding, wide.sampling) == (free.decoding, free.sampling)


def test_the_max_tokens_of_a_step_is_its_own(tmp_path: Path) -> None:
    steps = [{"prompt": "./tiny.j2", "sampling": {"max_tokens": 50}}]
    assert step(tmp_path, steps=steps, sampling={"max_tokens": 400}).sampling["max_tokens"] == 50


def test_too_few_tokens_for_what_the_schema_asks_is_a_fault(tmp_path: Path) -> None:
    job = tiny_job(tmp_path, sampling={"max_tokens": 100})
    text = {"type": "string", "minLength": 600}
    schema = {**SCHEMA, "properties": {**SCHEMA["properties"], "text": text}}
    (tmp_path / "tiny.json").write_text(json.dumps(schema), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"about \d+ tokens, most of them in text, and sampling.max_tokens is 100. Raise"
    ):
        prepare(job)
