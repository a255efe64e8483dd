from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines import contract
from textsynth.engines.base import build_engine
from textsynth.engines.scripted import ScriptedEngine, draw
from textsynth.errors import InputError
from textsynth.job import EngineSpec
from textsynth.records import rng_for


@pytest.mark.parametrize("law", contract.laws())
def test_the_contract(law: Any) -> None:
    law(lambda width: ScriptedEngine(width=width))


def test_it_answers_what_the_script_says() -> None:
    engine = ScriptedEngine(lambda request: f"You asked {request.id}.")
    found = contract.answers(engine, map(contract.request, range(3)))
    assert [found[f"r{n}"].text for n in range(3)] == [f"You asked r{n}." for n in range(3)]


def test_a_share_of_answers_is_broken() -> None:
    found = contract.answers(ScriptedEngine(broken=0.5), map(contract.request, range(200)))
    broken = sum(not completion.text.startswith("{") for completion in found.values())
    assert 60 < broken < 140


schemas = st.recursive(
    st.sampled_from(
        [
            {"type": "string", "minLength": 3, "maxLength": 20},
            {"type": "string"},
            {"type": "integer", "minimum": -3, "maximum": 3},
            {"type": "number", "minimum": 0.5, "maximum": 1.5},
            {"type": "boolean"},
            {"type": "null"},
            {"type": ["string", "null"]},
            {"enum": ["a", 1, None]},
            {"const": {"x": 1}},
            {"$ref": "#/$defs/small"},
        ]
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner, "minItems": st.integers(0, 4)}),
        st.dictionaries(st.sampled_from("abc"), inner).map(
            lambda parts: {"type": "object", "properties": parts, "required": list(parts)}
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
    ),
    max_leaves=6,
)


@given(schemas, st.integers(0, 2**32))
def test_what_is_drawn_fits_the_schema(schema: dict[str, Any], seed: int) -> None:
    root = {**schema, "$defs": {"small": {"type": "integer", "minimum": 0, "maximum": 3}}}
    value = draw(root, rng_for(seed), root)
    jsonschema.validate(json.loads(json.dumps(value)), root)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"wdth": 3}, r"job\.yaml: engine\.options\.wdth is not a known option\. .*Known here: width"),
        ({"width": 0}, r"options\.width is 0\. Use requests answered at a time, 1 or more"),
        ({"delay": "long"}, r"options\.delay is long\. Use seconds"),
        ({"delay": True}, r"options\.delay is True\. Use seconds"),
        ({"broken": 1.5}, r"options\.broken is 1\.5\. Use share"),
    ],
)
def test_wrong_options_are_faults(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        build_engine(EngineSpec(type="scripted", options=options), "job.yaml: engine")


def test_all_wrong_options_are_told_at_once() -> None:
    with pytest.raises(InputError) as error:
        build_engine(EngineSpec(type="scripted", options={"width": 0, "broken": 2}), "job.yaml: engine")
    assert len(error.value.faults) == 2
