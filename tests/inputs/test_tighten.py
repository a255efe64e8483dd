"""Tightened schemas: bounded, never looser than the original, and every decoding under them ends.

The walks take random tokens that llguidance allows, one byte each: the worst that a model could write.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from textsynth.errors import InputError
from textsynth.inputs.bounds import IMPOSED, imposed_bounds
from textsynth.inputs.budget import token_bound
from textsynth.inputs.dialects import fast_validator, first_error, validator
from textsynth.inputs.schemas import load_schema, property_schemas, record_faults, schema_faults, sub_schema
from textsynth.inputs.tighten import tighten

BENCH = Path(__file__).parents[3] / "shared" / "data" / "schemas" / "jsonschemabench.dev.jsonl.gz"
SUITE = BENCH.with_name("json_schema_test_suite.dev.jsonl.gz")
TEXT = {"type": "string", "maxLength": 5}
KIDS = {"type": "array", "items": {"$ref": "#/$defs/node"}}
NODE = {"type": "object", "properties": {"v": {"type": "boolean"}, "kids": KIDS}, "required": ["v"]}
PAIR = {"b": TEXT, "c": TEXT}


def record(properties: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), **rest}


def field(schema: Any, examples: list[Any] | None = None) -> Any:
    """The tightened schema of one field."""
    return tighten(record({"a": schema}), [{"a": one} for one in examples or []])["properties"]["a"]


def walk(tightened: Mapping[str, Any], rng: random.Random, most: int) -> str | None:
    """A random completion under a schema; None where it has more than `most` tokens."""
    llguidance = pytest.importorskip("llguidance")
    tokenizer = llguidance.LLTokenizer("byte")
    grammar = llguidance.LLMatcher.grammar_from_json_schema(json.dumps(tightened))
    matcher = llguidance.LLMatcher(tokenizer, grammar, log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    written = bytearray()
    while not matcher.is_stopped():
        bits = int.from_bytes(matcher.compute_bitmask(), "little")
        allowed = [token for token in range(tokenizer.vocab_size) if bits >> token & 1 and token != tokenizer.eos_token]
        if not allowed:
            break
        token = rng.choice(allowed)
        assert matcher.consume_token(token), matcher.get_error()
        written.append(token)
        if len(written) > most:
            return None
    assert matcher.is_accepting() or matcher.is_stopped()
    return written.decode("utf-8")


WALKED = {
    "integer": record({"a": {"type": "integer"}}),
    "integer from 3": record({"a": {"type": "integer", "minimum": 3}}),
    "number": record({"a": {"type": "number"}}),
    "number in a range": record({"a": {"type": "number", "exclusiveMinimum": 0, "maximum": 1}}),
    "multiple": record({"a": {"type": "number", "minimum": -2, "maximum": 2, "multipleOf": 0.25}}),
    "huge range": record({"a": {"type": "number", "minimum": -1.7e308, "maximum": 1.7e308}}),
    "pattern": record({"a": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 9}}),
    "open pattern": record({"a": {"type": "string", "pattern": "^[A-Z][a-z]"}}),
    "two patterns": record({"a": {"allOf": [{"type": "string", "pattern": "^[a-c]+$"}, {"pattern": "[b-d]$"}]}}),
    "date": record({"a": {"type": "string", "format": "date"}}),
    "email": record({"a": {"type": "string", "format": "email"}}),
    "unknown format": record({"a": {"type": "string", "format": "iri", "maxLength": 4}}),
    "nullable": record({"a": {"type": ["string", "null"], "maxLength": 3}}),
    "one of": record({"a": {"oneOf": [{"type": "integer"}, {"type": "null"}, TEXT]}}),
    "enum": record({"a": {"enum": [{"b": [1, 2]}, None, 1.5, 'é"\\\n', "\t"]}}),
    "const": record({"a": {"const": "x"}}),
    "list": record({"a": {"type": "array", "items": TEXT, "minItems": 1}}),
    "tuple": record({"a": {"type": "array", "prefixItems": [TEXT, {"type": "boolean"}], "items": False}}),
    "contains": record({"a": {"type": "array", "contains": {"const": 1}}}),
    "empty list": record({"a": {"type": "array", "items": False}}),
    "map": record({"a": {"type": "object", "additionalProperties": {"type": "integer"}}}),
    "patterned map": record({"a": {"type": "object", "patternProperties": {"^x-": TEXT}, "minProperties": 1}}),
    "named map": record({"a": {"propertyNames": {"enum": ["p", "q"]}, "additionalProperties": TEXT}}),
    "anything": record({"a": {}}),
    "optional inside": record({"a": {"type": "object", "properties": PAIR, "minProperties": 1}}),
    "counted": record({"a": {"type": "object", "properties": {"b": TEXT, "c": TEXT, "d": TEXT}, "maxProperties": 2}}),
    "recursive": record({"a": {"$ref": "#/$defs/node"}}, **{"$defs": {"node": NODE}}),
    "recursive root": {"type": "object", "properties": {"a": TEXT, "b": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
                       "required": ["b"]},
    "merged": record({"a": {"allOf": [record({"x": {"type": "string"}}), record({"x": {"maxLength": 2}, "y": TEXT})]}}),
    "condition": record({"a": {"enum": ["p", "q"]}, "b": {"type": "string", "maxLength": 3}},
                        **{"if": {"properties": {"a": {"const": "p"}}}, "then": {"properties": {"b": {"const": "z"}}}}),
    "condition on what may be absent": record({"o": {
        "type": "object", "properties": {"a": {"enum": ["p", "q"]}, "b": {"type": "string", "maxLength": 3}},
        "required": ["b"],
        "if": {"properties": {"a": {"enum": ["p"]}}}, "then": {"properties": {"b": {"const": "z"}}}}}),
    "dependent": record({"a": {"type": "object", "properties": PAIR, "dependentRequired": {"b": ["c"]}}}),
    "dependent choice": record(PAIR, **{"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {
        "b": {"oneOf": [{"properties": {"c": {"const": "x"}}}, {"type": "null"}]}}}),
    "forbidden": record({"a": {"type": "object", "properties": PAIR, "not": {"required": ["b"]}}}),
    "draft 4": record({"a": {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 2},
                       "b": {"type": "array", "items": [TEXT], "additionalItems": False}},
                      **{"$schema": "http://json-schema.org/draft-04/schema#"}),
}  # fmt: skip


@pytest.mark.parametrize("name", WALKED)
def test_every_walk_ends_within_its_bound_and_fits_the_original(name: str) -> None:
    original = WALKED[name]
    assert not schema_faults(original, name)
    tightened = tighten(original)
    assert not schema_faults(tightened, name)
    bound, _ = token_bound(tightened)
    for seed in range(4):
        text = walk(tightened, random.Random(seed), bound)
        assert text is not None, f"{name}: more than {bound} tokens"
        assert first_error(validator(original), json.loads(text)) == "", text
        assert fast_validator(tightened).is_valid(json.loads(text))


@pytest.mark.parametrize("name", ["clinical_note", "instruction"])
def test_the_built_in_schemas_decode_to_valid_records(name: str, tmp_path: Path) -> None:
    schema = load_schema(name, tmp_path / "job.yaml")
    step = sub_schema(schema, list(property_schemas(schema))[-3:], {"score": {"type": "integer"}})
    tightened = tighten(step, [{"note": "A man of 63." * 8, "output": "Yes.", "input": "", "instruction": "Say yes."}])
    for seed in range(3):
        text = walk(tightened, random.Random(seed), token_bound(tightened)[0])
        assert text is not None
        assert text == json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
        assert first_error(validator(step), json.loads(text)) == ""


def test_bounds_come_from_the_user_then_the_examples_then_defaults() -> None:
    assert field(TEXT, ["x" * 4])["maxLength"] == 5
    assert field({"type": "string"}, ["x" * 100, "y"])["maxLength"] == 125
    assert field({"type": "string"}, ["x"])["maxLength"] == 24
    assert field({"type": "string"})["maxLength"] == 400
    assert field({"type": "string", "minLength": 1000})["maxLength"] == 1250
    assert field({"type": "string", "pattern": "^[0-9]{3}$"}) == {"type": "string", "pattern": "^[0-9]{3}$"}
    assert field({"type": "array", "items": TEXT})["maxItems"] == 8
    assert field({"type": "array", "items": TEXT}, [["a"] * 12])["maxItems"] == 15
    assert field({"type": "array", "items": {"type": "string"}}, [["a" * 80]])["items"]["maxLength"] == 100
    assert field({"type": "integer"}, [7, 63]) == {"type": "integer", "minimum": 0, "maximum": 99}
    assert field({"type": "integer"}, [-7, 63])["minimum"] == -99
    assert field({"type": "integer", "minimum": 18, "maximum": 90}, [63])["maximum"] == 90
    assert field({"type": "number"}, [0.5, 2.25])["multipleOf"] == 0.01


def test_imposed_bounds_name_only_what_the_user_left_open() -> None:
    schema = record({"a": TEXT, "b": {"type": "string"}, "c": {"type": ["null", "string"]},
                     "d": {"type": "string", "pattern": "^[0-9]{3}$"}, "e": {"type": "integer"}})  # fmt: skip
    assert imposed_bounds(tighten(schema, [{"b": "x" * 80}])) == {"b": 100, "c": 400}
    assert IMPOSED in json.dumps(tighten(schema))


def test_keywords_beside_a_reference_count_from_draft_2019_on() -> None:
    schema = record({"a": {"$ref": "#/definitions/t", "maxLength": 3}}, definitions={"t": {"type": "string"}})
    assert tighten(schema)["properties"]["a"]["maxLength"] == 3
    old = {"$schema": "http://json-schema.org/draft-07/schema#", **schema}
    assert tighten(old)["properties"]["a"]["maxLength"] == 400


def test_objects_are_closed_and_keep_their_order_and_what_is_optional() -> None:
    inner = {"type": "object", "properties": {"z": TEXT, "b": TEXT}, "required": ["b"]}
    found = field(inner)
    assert list(found["properties"]) == ["z", "b"]
    assert found["required"] == ["b"]
    assert found["additionalProperties"] is False


def test_an_enum_loses_what_cannot_be_written_or_is_forbidden() -> None:
    listed = {"enum": ["a", "b\t", "c", 4], "type": "string", "not": {"const": "c"}}
    assert field(listed) == field({**listed, "allOf": [{"type": "string"}]}) == {"enum": ["a"]}


def test_a_pattern_that_grammars_cannot_hold_is_left_to_the_final_check() -> None:
    assert "pattern" not in field({"type": "string", "pattern": "^(?!x)[a-z]+$"})
    assert "pattern" in field({"type": "string", "pattern": "^\\\\b$"})


def test_the_token_bound_is_exact_where_the_structure_is_and_names_the_largest_field() -> None:
    assert token_bound(tighten(record({"a": {"const": "é"}, "b": {"type": "boolean"}}))) == (
        len('{"a":"é","b":false}'.encode()) + 8, "b")  # fmt: skip
    big = record({"a": TEXT, "b": record({"c": {"type": "array", "items": {"type": "string", "maxLength": 999}}})})
    bound, name = token_bound(tighten(big))
    assert bound > 8 * 999 * 4
    assert name == "b.c[]"


def test_what_cannot_be_tightened_is_a_fault() -> None:
    with pytest.raises(InputError, match="no value fits it"):
        tighten(record({"a": {"enum": []}}))
    wide = {f"p{i}": TEXT for i in range(100)}
    with pytest.raises(InputError, match="has more than 3000 parts"):
        tighten(record({f"q{i}": record(wide) for i in range(100)}))


def test_a_large_recursive_schema_is_cut_down_in_little_time() -> None:
    many = {f"p{i}": {"$ref": "#/$defs/n"} for i in range(40)}
    schema = record({"a": {"$ref": "#/$defs/n"}}, **{"$defs": {"n": {"type": "object", "properties": many}}})
    start = time.perf_counter()
    assert token_bound(tighten(schema))[0] < 100_000
    assert time.perf_counter() - start < 5


def test_references_in_a_long_circle_are_cut() -> None:
    ring = {f"n{i}": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": f"#/$defs/n{(i + 1) % 120}"}]}}}
            for i in range(120)}  # fmt: skip
    tightened = tighten(record({"a": {"$ref": "#/$defs/n0"}}, **{"$defs": ring}))
    assert token_bound(tightened)[0] < 5_000


def rows(path: Path, count: int) -> list[dict[str, Any]]:
    if not path.is_file():
        pytest.skip(f"{path.name} is not here")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    return random.Random(7).sample(found, min(count, len(found)))


def test_real_schemas_are_refused_in_words_or_tightened_quickly() -> None:
    usable = 0
    for row in rows(BENCH, 200):
        schema, start = row["schema"], time.perf_counter()
        if schema_faults(schema, row["name"]) or record_faults(schema, row["name"]):
            continue
        step = sub_schema(schema, list(property_schemas(schema)), {})
        try:
            tightened = tighten(step)
        except InputError:
            continue
        assert token_bound(tightened)[0] > 0
        assert not schema_faults(step, row["name"])
        assert not schema_faults(tightened, row["name"])
        assert time.perf_counter() - start < 10, row["name"]
        usable += 1
    assert usable > 140


def test_a_tightened_schema_accepts_nothing_that_the_original_refuses() -> None:
    beyond = ("contains", "minContains", "maxContains", "dynamicRef", "oneOf", "propertyNames", "unevaluated", "unique")
    for row in rows(SUITE, 437):
        schema = row["schema"]
        if row["file"].startswith(beyond) or row["optional"] or schema_faults({"allOf": [schema]}, ""):
            continue
        outer = {"properties": {"a": schema}, "required": ["a"]} | (
            {"$schema": schema["$schema"]} if isinstance(schema, dict) and "$schema" in schema else {})  # fmt: skip
        if schema_faults(outer, ""):
            continue
        try:
            tightened = fast_validator(tighten(outer))
        except InputError:
            continue
        for test in row["tests"]:
            if tightened.is_valid({"a": test["data"]}):
                assert fast_validator(outer).is_valid({"a": test["data"]}), (row["file"], row["group"], test)


def test_texts_that_are_sentences_end_with_one() -> None:
    examples = [f"The visit of day {i} went well. We will see the patient again in {i} weeks." for i in range(8)]
    form = field({"type": "string"}, examples)
    assert re.fullmatch(form["pattern"], "One sentence. And another one!")
    assert not re.fullmatch(form["pattern"], "One. Two. Three.")
    assert not re.fullmatch(form["pattern"], "No end")
    assert form["maxLength"] > max(map(len, examples))
    assert "pattern" not in field({"type": "string"}, [text.rstrip(".") for text in examples])
    assert re.fullmatch(field({"type": "string"}, [*examples, ""])["pattern"], "")


TEXTS = {f"text_{i}": {"type": "string", "maxLength": 2000} for i in range(6)}
LISTS = {f"list_{i}": {"type": "array", "items": {"type": "string"}, "maxItems": 100} for i in range(3)}
WIDE = {f"group_{i}": {"type": "object", "properties": {**TEXTS, **LISTS}} for i in range(12)}
BUDGETED = {
    "long texts": record(TEXTS),
    "long lists": record({**LISTS, "id": {"type": "string", "minLength": 30}}),
    "many optional groups": {"type": "object", "properties": {"id": TEXT, **WIDE}, "required": ["id"]},
    "a counted pattern": record({"a": {"type": "string", "pattern": "^[a-z]{2,900}$"}, **TEXTS}),
    "a large map": record({"a": {"additionalProperties": {"type": "string"}, "minProperties": 2}, **TEXTS}),
    "a large choice": record(
        {"a": {"anyOf": [{"type": "integer"}, record(WIDE)]}, "b": {"anyOf": [record(WIDE), TEXT]}}
    ),
    "recursive": record({"a": {"$ref": "#/$defs/node"}}, **{"$defs": {"node": NODE}}),
}


@pytest.mark.parametrize("name", BUDGETED)
def test_a_form_that_fits_its_budget_allows_no_more_than_the_original(name: str) -> None:
    original = BUDGETED[name]
    small = tighten(original, max_tokens=300)
    assert token_bound(small)[0] < token_bound(tighten(original))[0] / 2 or name == "recursive"
    for seed in range(3):
        text = walk(small, random.Random(seed), token_bound(small)[0])
        assert text is not None
        assert first_error(validator(original), json.loads(text)) == "", text
        words = re.sub("[^\x00-\x7f]", "x", text)  # what is not ASCII is rare in a model's texts
        assert len(words) / 2 <= 300
        assert len(json.loads(text)) * 2 >= len(original["properties"])


def test_a_budget_takes_the_longest_first_and_leaves_what_is_small() -> None:
    texts = {"name": {"type": "string", "maxLength": 30}, "note": {"type": "string", "maxLength": 5000}}
    small = tighten(record(texts), max_tokens=200)["properties"]
    assert small["name"] == {"type": "string", "maxLength": 30, "minLength": 1}
    assert 60 <= small["note"]["maxLength"] < 5000
    assert small["note"]["$comment"] == IMPOSED
    assert tighten(record({"name": TEXT}), max_tokens=200) == tighten(record({"name": TEXT}))


def test_a_budget_leaves_out_deep_properties_before_those_at_the_top() -> None:
    inner = {"type": "object", "properties": {**TEXTS, "short": TEXT}}
    deep = {"type": "object", "properties": {"kept": TEXT, "inner": inner, "more": inner}, "required": ["kept"]}
    found = tighten({"type": "object", "properties": {"a": deep, "b": inner, "c": TEXT}}, max_tokens=70)
    assert list(found["properties"]) == found["required"] == ["a", "b", "c"]
    assert list(found["properties"]["a"]["properties"]) == ["kept"]
    assert list(found["properties"]["b"]["properties"]) == ["short"]
    many = {f"property_number_{i}": {"type": "string"} for i in range(40)}
    half = tighten({"type": "object", "properties": many}, max_tokens=400)
    assert 20 <= len(half["properties"]) < 40


def test_a_budget_keeps_a_short_choice_of_a_union_and_short_values_of_an_enum() -> None:
    found = tighten(record({"a": {"anyOf": [record(TEXTS), {"type": "null"}, TEXT]}, "b": {"enum": ["x" * 900, "y"]}}),
                    max_tokens=60)["properties"]  # fmt: skip
    assert found["a"] == {"type": "string", "maxLength": 5, "minLength": 1}
    assert found["b"] == {"enum": ["y"]}


def test_what_no_budget_can_hold_is_refused_with_its_size_and_field() -> None:
    schema = record({"a": TEXT, "log": {"type": "array", "items": record({"line": {"minLength": 90}}), "minItems": 20}})
    with pytest.raises(
        InputError, match=r"takes about \d{4} tokens, most of them in log\[\].line, and sampling.max_tok"
    ):
        tighten(schema, max_tokens=400)
    choice = {"anyOf": [schema, record({"a": TEXT})], "type": "object"}
    assert list(tighten(choice, max_tokens=400)["properties"]) == ["a"]


def test_an_answer_fills_what_examples_mostly_have_or_everything() -> None:
    schema = {"type": "object", "properties": {"a": TEXT, "b": {"type": ["null", "string"]}, "c": {"type": "array"}}}
    alone = tighten(schema)
    assert alone["required"] == ["a", "b", "c"]
    assert alone["properties"]["b"]["minLength"] == alone["properties"]["c"]["minItems"] == 1
    assert tighten({**schema, "maxProperties": 2})["required"] == ["a", "b"]
    assert field({"type": "object", "properties": PAIR})["required"] == ["b"]
    seen = tighten(schema, [{"a": "x", "b": None}, {"a": "y"}, {"a": "z", "c": []}])
    assert seen["required"] == ["a"]
    assert list(seen["properties"]) == ["a", "b", "c"]
    assert seen["properties"]["c"]["minItems"] == 0


def test_choices_of_a_one_of_exclude_each_other() -> None:
    free = {"type": "object", "properties": {"a": TEXT, "b": TEXT, "c": TEXT}}
    either = {**free, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    kinds = [{"properties": {"k": {"const": k}, "v": {"type": kind}}, "required": ["k", "v"]}
             for k, kind in (("n", "number"), ("s", "string"), ("t", "string"))]  # fmt: skip
    marked = record({"o": {"type": "object", "oneOf": kinds}})
    for schema in (either, marked):
        for seed in range(4):
            text = walk(tighten(schema), random.Random(seed), 5000)
            assert text is not None
            assert first_error(validator(schema), json.loads(text)) == "", text


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({**record({"a": TEXT, "b": TEXT}), "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, "oneOf at /:"),
        (record({"a": {"type": "object", "not": {"propertyNames": {"pattern": "^z?"}}}}), "not at /a:"),
        (record({"a": {"type": "number", "multipleOf": 3, "not": {"multipleOf": 1.5}}}), "not at /a:"),
    ],
)
def test_a_rule_that_every_trial_record_breaks_is_named_before_a_model_is_asked(schema: Any, said: str) -> None:
    with pytest.raises(InputError, match=f"no grammar holds the keyword {re.escape(said)} 50 of 50 trial records"):
        tighten(schema)


def test_trial_records_leave_it_to_the_model_what_texts_say() -> None:
    assert tighten(record({"a": {"type": "string", "pattern": "^(?!x)(?=Dear)"}}))
    assert tighten(
        record({"a": {"additionalProperties": TEXT, "propertyNames": {"pattern": "^qu{2}x_"}, "minProperties": 1}})
    )
