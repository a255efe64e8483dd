"""Loading, checking and cutting record schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from textsynth.errors import InputError
from textsynth.inputs.dialects import fast_validator, first_error, validator
from textsynth.inputs.schemas import (
    load_schema,
    property_schemas,
    required,
    satisfiable_faults,
    schema_faults,
    sub_schema,
)

TEXT = {"type": "string"}
DRAFT_4 = {"$schema": "http://json-schema.org/draft-04/schema"}


def record(properties: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **rest}


def load(tmp_path: Path, content: Any) -> dict[str, Any]:
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "note.json").write_text(text, encoding="utf-8")
    return load_schema("./note.json", tmp_path / "job.yaml")


@pytest.mark.parametrize("name", ["clinical_note", "instruction"])
def test_built_in_schemas_load_and_describe_every_field(name: str, tmp_path: Path) -> None:
    schema = load_schema(name, tmp_path / "job.yaml")
    assert all(one["description"] for one in property_schemas(schema).values())
    assert required(schema) == set(property_schemas(schema))


@pytest.mark.parametrize(
    "uri",
    [
        "http://json-schema.org/draft-04/schema#",
        "http://json-schema.org/draft-06/schema#",
        "http://json-schema.org/draft-07/schema",
        "https://json-schema.org/draft/2019-09/schema",
        "https://json-schema.org/draft/2020-12/schema",
    ],
)
def test_the_schema_comes_back_unchanged_in_every_draft(uri: str, tmp_path: Path) -> None:
    schema = record({"a": {"$ref": "#/definitions/b"}}, **{"$schema": uri, "definitions": {"b": {"type": "integer"}}})
    assert load(tmp_path, schema) == schema


BAD_FILES = [
    ('{"type": "object",}', "note.json: line 1, column 19: not valid JSON"),
    ('{"type": NaN}', "note.json: not valid JSON"),
    ([1], r"the schema is \[1\]. Use a JSON object"),
    ({"$schema": "http://json-schema.org/draft-03/schema#"}, r"draft-03/schema#, which is not a known draft"),
    (record({"a": {"type": "strin"}}), "/properties/a/type"),
    (record({"a": {"minLength": -1}}), "/properties/a/minLength is less than 0"),
    (record({"a": {"required": True}}, **DRAFT_4), "/properties/a/required"),
    ({"type": "array", "items": TEXT}, "its type is array. A record is an object"),
    ({"type": "object"}, "it names no properties"),
    (record({"": TEXT}), "a property has an empty name"),
    (record({"a": {"$ref": "http://example.org/x.json"}}), r"a \$ref is http://example.org/x.json, which is outside"),
    (record({"a": {"$ref": "../other.json#/a"}}), r"\$ref is ../other.json#/a, which is outside this file"),
    (record({"a": {"$ref": "file:///etc/passwd"}}), "which is outside this file"),
    (record({"a": {"$ref": "#/$defs/nope"}}), r"\$ref is #/\$defs/nope, which is no schema in"),
    (record({"a": {"items": {"$ref": "#nope"}}}), r"\$ref is #nope, which is no schema in"),
    (record({"a": {"$ref": "#/title"}}, title="x"), r"\$ref is #/title, which is no schema in"),
    (record({"a": {"$ref": "#/x/y"}}, x={"y": {"properties": 3}}), r"\$ref is #/x/y, which is no schema in"),
    (record({"a": {"$ref": "#/x/y"}}, **DRAFT_4, x={"y": {"id": {}}}), r"\$ref is #/x/y, which is no schema in"),
    (record({"a": {"pattern": "("}}), "regex"),
    (record({"a": {"type": "string", "minLength": 5, "maxLength": 3}}), r"a \(minLength 5 is above maxLength 3"),
    (record({"a": {"type": "integer", "minimum": 5, "maximum": 3}}), r"a \(no number is at least 5 and at most 3"),
    (record({"a": {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2}}), r"a \(no multiple of 1"),
    (record({"a": {"type": "number", "minimum": 1, "maximum": 4, "multipleOf": 5}}), "no multiple of 5 lies between"),
    (record({"a": {"type": "array", "minItems": 2, "maxItems": 1}}), r"property a \(minItems 2 is above maxItems 1"),
    (record({"a": {"type": "integer", "enum": ["x", "y"]}}), r"property a \(no value of its enum fits"),
    (record({"a": {"enum": []}}), r"property a \(its enum is empty"),
    (record({"a": {"type": "string", "pattern": "^[a-z]{9,}$", "maxLength": 5}}), "9 characters or more, and"),
    (record({"a": {"type": "string", "pattern": "^[0-9]{2}$", "minLength": 5}}), "2 characters at most, and minLength"),
    (record({"a": {"allOf": [{"type": "string"}, {"type": "integer"}]}}), r"property a \(its types exclude each other"),
    (record({"a": False}, required=["a"]), r"property a \(the schema false allows nothing"),
    (record({"a": TEXT}, required=["b"], additionalProperties=False), r"property b \(the schema false allows nothing"),
    (record({"a": record({"b": False}, required=["b"])}), r"property a \(b: the schema false allows nothing"),
    (record({"a": {"$ref": "#/$defs/n"}}, **{"$defs": {"n": record({"n": {"$ref": "#/$defs/n"}}, required=["n"])}}),
     "holds itself without end"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "said"), BAD_FILES)
def test_a_bad_schema_is_one_clear_fault(content: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said) as caught:
        load(tmp_path, content)
    assert all(fault.startswith("note.json: ") and fault.endswith(".") for fault in caught.value.faults)


def test_a_missing_file_and_an_unknown_name_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"job.yaml: record_schema ./no.json: there is no such file"):
        load_schema("./no.json", tmp_path / "job.yaml")
    with pytest.raises(InputError, match="record_schema is clinical_nte.*Did you mean clinical_note?"):
        load_schema("clinical_nte", tmp_path / "job.yaml")
    (tmp_path / "latin.json").write_bytes(b'{"title": "\xe9"}')
    with pytest.raises(InputError, match="Give a UTF-8 JSON file"):
        load_schema("latin.json", tmp_path / "job.yaml")


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, record({"a": {"$ref": "#/x"}, "b": {"$ref": "other.json"}}))
    assert len(caught.value.faults) == 2
    assert len(satisfiable_faults(record({"a": {"enum": []}, "b": {"enum": []}, "c": TEXT}), "x")) == 2


def test_references_inside_the_file_are_followed() -> None:
    schema = {
        "$ref": "#/$defs/record",
        "$defs": {
            "record": {"type": "object", "properties": {"a": {"$ref": "#name"}, "b": {"$ref": "urn:x:in#/$defs/deep"}},
                       "required": ["a"]},
            "named": {"$anchor": "name", "type": "string", "maxLength": 3},
            "inner": {"$id": "urn:x:in", "$defs": {"deep": {"type": "boolean"}}},
        },
    }  # fmt: skip
    assert not schema_faults(schema, "x")
    assert property_schemas(schema)["a"]["maxLength"] == 3
    assert property_schemas(schema)["b"] == {"type": "boolean"}
    assert required(schema) == {"a"}


def test_properties_come_through_all_of_and_required_ones_need_no_schema() -> None:
    schema = {"allOf": [record({"a": TEXT}), record({"b": {"type": "null"}}, required=["c"])]}
    assert list(property_schemas(schema)) == ["a", "b", "c"]


def test_an_optional_property_that_is_forbidden_is_no_field() -> None:
    schema = record({"a": TEXT, "b": False})
    assert not satisfiable_faults(schema, "x")
    assert list(property_schemas(schema)) == ["a"]


def test_a_property_named_ref_is_not_a_reference() -> None:
    schema = record({"$ref": TEXT, "a": {"enum": [{"$ref": "http://example.org"}]}})
    assert not schema_faults(schema, "x")
    assert list(property_schemas(schema)) == ["$ref", "a"]


def test_sub_schema_keeps_the_order_of_the_record_and_requires_everything() -> None:
    named = {"$defs": {"n": {"type": ["null", "string"]}}}
    schema = record({"a": TEXT, "b": {"$ref": "#/$defs/n"}, "c": TEXT}, **named)
    step = sub_schema(schema, ["c", "b"], {"score": {"type": "integer"}})
    assert list(step["properties"]) == step["required"] == ["b", "c", "score"]
    assert step["additionalProperties"] is False
    good = {"b": None, "c": "x", "score": 1}
    assert fast_validator(step).is_valid(good)
    assert not fast_validator(step).is_valid(good | {"b": 1})
    assert not fast_validator(step).is_valid(good | {"a": "x"})


@pytest.mark.parametrize("base", [{}, {"$id": "https://x.org/note"}, {**DRAFT_4, "id": "https://x.org/note#"}])
def test_sub_schema_stands_alone_where_references_go_anywhere(base: dict[str, str]) -> None:
    schema = record({"a": {"type": "boolean"}, "b": {"$ref": "#/properties/a"}, "c": {"items": {"$ref": "#"}}}, **base)
    step = sub_schema(schema, ["b", "c"], {})
    assert not schema_faults(step, "x")
    assert fast_validator(step).is_valid({"b": True, "c": [{"a": True}]})
    assert not fast_validator(step).is_valid({"b": 1, "c": []})
    assert not validator(step).is_valid({"b": True, "c": [{"a": 1}]})


def test_rules_between_fields_stay_where_a_step_writes_all_of_them() -> None:
    rule = {"if": {"properties": {"a": {"const": "x"}}}, "then": {"properties": {"b": {"const": "y"}}}}
    schema = record({"a": TEXT, "b": TEXT}, **rule)
    assert not validator(sub_schema(schema, ["a", "b"], {})).is_valid({"a": "x", "b": "z"})
    assert validator(sub_schema(schema, ["b"], {})).is_valid({"b": "z"})


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        (record({"a": {"type": "integer"}}), {"a": "secret"}, "/a is not of the type integer."),
        (record({"a": {"maxLength": 3}}), {"a": "secret"}, "/a is longer than 3 characters."),
        (record({"a": TEXT}, required=["a", "b"]), {"a": "secret"}, "/ lacks the property b."),
        (record({"a": {"enum": ["x"]}}), {"a": "secret"}, '/a is not one of ["x"].'),
        (record({"a": {"items": {"pattern": "^x"}}}), {"a": ["x", "secret"]}, "/a/1 does not match the pattern ^x."),
        (record({"a": TEXT}, additionalProperties=False), {"secret": 1}, "/ has properties that are not allowed."),
        (record({"a": {"contains": {"const": 1}}}), {"a": ["secret"]}, '/a breaks the rule contains {"const": 1}.'),
    ],
)
def test_an_error_names_the_place_and_the_rule_but_never_the_value(schema: Any, value: Any, said: str) -> None:
    assert first_error(validator(schema), value) == said


def test_a_long_rule_is_cut_and_a_fitting_value_has_no_error() -> None:
    schema = record({"a": {"enum": ["x" * 50, "y" * 50]}})
    assert len(first_error(validator(schema), {"a": 1})) < 120
    assert first_error(validator(schema), {"a": "x" * 50}) == ""


def test_a_pattern_that_python_cannot_compile_is_still_judged() -> None:
    schema = record({"a": {"type": "string", "pattern": "^\\p{L}+$"}})
    assert not schema_faults(schema, "x")
    assert fast_validator(schema).is_valid({"a": "é"})
    assert first_error(validator(schema), {"a": "1"}) == "/ does not fit the schema."


def test_format_is_not_asserted_and_nothing_is_fetched() -> None:
    schema = record({"a": {"type": "string", "format": "date"}})
    assert validator(schema).is_valid({"a": "soon"})
    assert fast_validator(schema).is_valid({"a": "soon"})
    with pytest.raises(ValueError, match="Retrieval is disabled"):
        fast_validator({"$ref": "http://127.0.0.1:9/x.json"})
