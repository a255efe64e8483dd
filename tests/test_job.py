"""A job file: what it may say, and every fault of it in one sentence each, all at once."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textsynth.errors import InputError
from textsynth.job import builtin, builtin_names, job_from, job_hash_data, load_job
from textsynth.job_filters import DedupSpec, LeakageSpec
from textsynth.yaml12 import dump_yaml, load_yaml

MINIMAL = "seeds: {path: seeds.jsonl}\nrecord_schema: ./record.json\nplan: {target: 5}\n"
MISSING = tuple(f"job.yaml: {key} is missing. It is required." for key in ("seeds", "record_schema", "plan"))
FILTERS = (
    "Use one of schema, rules, leakage, dedup, diversity, decontaminate, quoted, quality, "
    "label, consistency, identifiers."
)


def load(folder: Path, text: str) -> Any:
    (folder / "job.yaml").write_text(text, encoding="utf-8")
    return load_job(folder / "job.yaml")


def test_the_example_of_the_design_loads(tmp_path: Path) -> None:
    job = load(tmp_path, """\
seeds:   {path: seeds.jsonl, columns: {note: transcription}, cut: {note: 600}, holdout: 0.2}
record_schema: clinical_note
fields:
  age: {source: sampled}
  specialty: {source: sampled, values: {Cardiology: 0.5, Urology: 1}}
together: [[age, specialty]]
attributes: {style: {terse: 0.5, narrative: 0.5}, tone: [plain, warm], urgent: [true, false], year: {2023: 1, 2024: 2}}
steps:
  - {prompt: clinical_note, few_shot: 2, writes: [note]}
  - {prompt: ./judge.j2, writes: {score: {type: integer}, note: null}, sampling: {temperature: 0}}
plan:    {target: 1000, max_requests: 4000, round: 128}
engine:  {type: transformers, model: smollm2-135m, options: {batch: 8}}
sampling: {temperature: 0.5, min_p: 0.1, repetition_penalty: 1.05}
filters:
  - {type: schema}
  - {type: leakage, alpha: 1e-2}
  - {type: dedup, near: null, on: [note]}
rng_seed: 7
""")  # fmt: skip
    assert job.path == tmp_path / "job.yaml" and job.place == "job.yaml"
    assert job.fields["specialty"].values == {"Cardiology": 0.5, "Urology": 1}
    assert job.attributes["urgent"] == [True, False] and job.attributes["year"] == {2023: 1, 2024: 2}
    assert job.steps[1].sampling is not None and job.steps[1].sampling.temperature == 0
    assert isinstance(job.filters[1], LeakageSpec) and job.filters[1].alpha == 0.01
    assert isinstance(job.filters[2], DedupSpec) and job.filters[2].near is None and job.filters[2].on == ["note"]


FAULTS: list[tuple[str, list[str]]] = [
    (MINIMAL + "recordschema: x\n", ["recordschema is not a known key. Did you mean record_schema? Known keys "]),
    ("seeds: {path: a, colums: {a: b}}\n" + MINIMAL[27:], ["seeds.colums is not a known key. Did you mean columns?"]),
    (MINIMAL + "steps: [{promt: x}]\n", [
        "steps[0].prompt is missing. It is required.", "steps[0].promt is not a known key. Did you mean prompt?"]),
    (MINIMAL + "steps: [{prompt: x, sampling: {temprature: 1, top_p: 4}}]\n", [
        "steps[0].sampling.top_p is 4. It should be less than or equal to 1",
        "steps[0].sampling.temprature is not a known key. Did you mean temperature?"]),
    (MINIMAL + "sampling: {zzz: 1}\n", ["sampling.zzz is not a known key. Known keys here: temperature, top_p, "]),
    (MINIMAL + "fields: {a: {sorce: copied}}\n", ["fields.a.sorce is not a known key. Did you mean source?"]),
    (MINIMAL + "fields: {a: {source: sampld}, int: {source: 3}, b: 4}\n", [
        "fields.a.source is sampld. It should be 'written', 'sampled', 'copied', 'perturbed', 'picked' or 'located'",
        "fields.int.source is 3. It should be 'written'", "fields.b is 4. It should be a valid mapping"]),
    (MINIMAL + "fields: {a: {values: 3}, b: {values: []}, c: {values: {x: 0}}, d: {values: [[1]]}}\n", [
        "fields.a.values is 3. Use a list or a mapping.", "fields.b.values is []. List should have at least 1 item",
        "fields.c.values.x is 0. It should be greater than 0", "fields.d.values[0] is [1]. It should be a valid"]),
    (MINIMAL + "attributes: {a: 5, b: [], c: {x: 0}, d: {x: y}}\n", [
        "attributes.a is 5. Use a list or a mapping.", "attributes.b is []. List should have at least 1 item",
        "attributes.c.x is 0. It should be greater than 0", 'attributes.d.x is "y". It should be a']),
    (MINIMAL + "steps: [{prompt: x, writes: 5}, {prompt: 3, few_shot: -1}]\n", [
        "steps[0].writes is 5. Use a list or a mapping.", "steps[1].prompt is 3. It should be a valid string",
        "steps[1].few_shot is -1. It should be greater than or equal to 0"]),
    (MINIMAL + "filters: [{type: leakge}, {alpha: 0.1}, 5, {type: [1]}]\n", [
        f"filters[0] has the type leakge. Did you mean leakage? {FILTERS}", f"filters[1] has no type. {FILTERS}",
        "filters[2] is 5. It should be a valid mapping.", f"filters[3] has the type [1]. {FILTERS}"]),
    (MINIMAL + "filters: [{type: leakage, alpha: 1.4, max_spn: 3}, {type: dedup, on: []}, {type: rules}]\n", [
        "filters[0].alpha is 1.4. It should be less than 1 (share of genuinely new records refused, such as 0.05).",
        "filters[0].max_spn is not a known key. Did you mean max_span?", "filters[1].on is []. List should",
        "filters[2].rules is missing. It is required."]),
    (MINIMAL + "together: [[a], b]\n", [
        'together[0] is ["a"]. List should have at least 2 items', 'together[1] is "b". It should be a valid list.']),
    (MINIMAL + "engine: {type: llama, modl: x}\n", [
        "engine.type is llama. It should be 'transformers', 'vllm', 'openai' or 'scripted' (what runs",
        "engine.modl is not a known key. Did you mean model?"]),
    (MINIMAL + "rng_seed: -1\nsampling: {temperature: .inf}\n", [
        "sampling.temperature is Infinity. It should be a finite number", "rng_seed is -1. It should be"]),
    (MINIMAL.replace("5", '"5"'), ['plan.target is "5". It should be a valid integer (how many']),
    (MINIMAL.replace("5", "5.0"), ["plan.target is 5.0. It should be a valid integer"]),
    (MINIMAL.replace("5", "true"), ["plan.target is true. It should be a valid integer"]),
    (MINIMAL.replace("5", "0"), ["plan.target is 0. It should be greater than or equal to 1"]),
    (MINIMAL + "rng_seed: " + "z" * 500, ['rng_seed is "' + "z" * 57 + '...". It should be a valid integer']),
    ("seeds: {path: a, holdout: 1, limit: 0, cut: {note: 0, x: y}, missing: '?'}\n" + MINIMAL[27:], [
        "seeds.cut.note is 0. It should be greater", 'seeds.cut.x is "y". It should be a valid integer',
        "seeds.limit is 0. It should be greater", "seeds.holdout is 1. It should be less than 1",
        'seeds.missing is "?". It should be a valid list']),
    ("seeds:\nrecord_schema: x\nplan: 5\n", ["seeds is null. It should be a valid mapping", "plan is 5. It should be"]),
    ("a: 2024-13-45\n", [*MISSING, "a is not a known key."]),
    ("", ["the job is null. Use a mapping with the keys seeds, record_schema, "]),
    ("- a\n", ['the job is ["a"]. Use a mapping']),
    ("seeds: !!python/object/apply:os.system ['true']\n", ["line 1, column 8: the tag 'tag:yaml.org,2002:python/"]),
    ("a: !include other.yaml\n", ["line 1, column 4: the tag '!include' is not allowed. Use plain YAML values."]),
    ("plan: {target: 5}\nplan: {target: 6}\n", ["line 2, column 1: not valid YAML (the key plan stands twice)"]),
    ("seeds: {path: a, path: b}\n", ["line 1, column 18: not valid YAML (the key path stands twice)"]),
    ("a: [1\nb: 2\n", ["line 2, column 2: not valid YAML (expected ',' or ']'"]),
    ("a:\n\t- b\n", ["line 2, column 1: not valid YAML (found character '\\t'"]),
    ("a: b: c\n", ["line 1, column 5: not valid YAML (mapping values are not allowed here)"]),
    ("a: &x [*x]\n", ["line 1, column 4: not valid YAML (found unconstructable recursive node)"]),
    ("a: *x\n", ["line 1, column 4: not valid YAML (found undefined alias"]),
    ("{[1]: 2}\n", ["line 1, column 2: not valid YAML (found unhashable key)"]),
    ("a: \x01\n", ["not valid YAML (special characters are not allowed)"]),
    ("a: 1\n---\nb: 2\n", ["line 2, column 1: not valid YAML (but found another document)"]),
    ("a: " + "[" * 5000, ["the values are nested too deep"]),
    ("a: " + "9" * 5000, ["not valid YAML (a value does not fit its tag)"]),
    ("a: !!int abc\n", ["not valid YAML (a value does not fit its tag)"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), FAULTS, ids=[f"{number}" for number in range(len(FAULTS))])
def test_every_fault_of_a_job_is_one_sentence(tmp_path: Path, text: str, says: list[str]) -> None:
    with pytest.raises(InputError) as raised:
        load(tmp_path, text)
    found = raised.value.faults
    assert len(found) == len(says), found
    for fault, wanted in zip(found, says, strict=True):
        assert fault.removeprefix("job.yaml: ").startswith(wanted.removeprefix("job.yaml: ")), fault
        assert fault.startswith("job.yaml: ") and fault.endswith(".") and "\n" not in fault


@pytest.mark.parametrize(
    ("name", "says"),
    [("no.yaml", "is no such file"), (".", "cannot be read"), ("latin.yaml", "cannot be read"), ("x" * 300, "be read")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"caf\xe9: 1\n")
    with pytest.raises(InputError, match=says):
        load_job(tmp_path / name)


def test_a_file_that_starts_with_a_byte_order_mark_loads(tmp_path: Path) -> None:
    assert load(tmp_path, "\ufeff" + MINIMAL).plan.target == 5


def test_words_and_dates_stay_text(tmp_path: Path) -> None:
    job = load(tmp_path, MINIMAL + "attributes: {a: [yes, no, on, off, 2024-01-03, 12:30, 007, 0x1f, 1_000]}\n")
    assert job.attributes["a"] == ["yes", "no", "on", "off", "2024-01-03", "12:30", "007", "0x1f", "1_000"]


def test_anchors_and_merges_work(tmp_path: Path) -> None:
    job = load(tmp_path, MINIMAL + "fields: {a: &s {source: sampled}, b: *s, c: {<<: *s, values: [1]}}\n")
    assert [spec.source for spec in job.fields.values()] == ["sampled"] * 3


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.sampled_from(
    ["1e3", "1E-3", "007", "on", "No", "~", "null", "", "0x1f", "12:30", "2024-01-03", "<<", ".inf", "1_000", "+1"]
)  # fmt: skip


@given(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_what_is_written_as_yaml_is_read_back(value: Any) -> None:
    found = load_yaml(dump_yaml(value), "a.yaml")
    assert found == value and repr(found) == repr(value)


def test_a_job_written_out_is_the_same_job(tmp_path: Path) -> None:
    more = "attributes: {a: ['1e3', 'on', 1.0, 1, true], b: {3: 0.5}}\nfilters: [{type: dedup, on: [x]}]\n"
    job = load(tmp_path, MINIMAL + more)
    again = load(tmp_path, dump_yaml(job.model_dump()))
    assert again == job
    assert again.attributes["a"] == ["1e3", "on", 1.0, 1, True]


def test_target_and_budget_may_change_within_a_run() -> None:
    plain = {"seeds": {"path": "a"}, "record_schema": "x", "plan": {"target": 1}}
    same = {**plain, "plan": {"target": 9, "max_requests": 100}}
    other = {**plain, "plan": {"target": 1, "round": 9}}
    assert job_hash_data(job_from(plain)) == job_hash_data(job_from(same)) != job_hash_data(job_from(other))


def test_a_job_from_values_starts_at_its_path() -> None:
    job = job_from({"seeds": {"path": "a"}, "record_schema": "x", "plan": {"target": 1}}, "some/where/notes.yaml")
    assert job.path.parent == Path("some/where")
    with pytest.raises(InputError, match=r"^notes\.yaml: plan\.target is 0"):
        job_from({"seeds": {"path": "a"}, "record_schema": "x", "plan": {"target": 0}}, "some/where/notes.yaml")


def test_values_that_yaml_cannot_hold_are_faults_too() -> None:
    plain = {"seeds": {"path": "a"}, "record_schema": "x", "plan": {"target": 1}}
    with pytest.raises(InputError, match=r"rng_seed is \"?2024-01-03"):
        job_from({**plain, "rng_seed": datetime.date(2024, 1, 3)})


def test_built_in_files_are_found_by_name() -> None:
    assert {"clinical_note", "instruction"} <= set(builtin_names("prompts", ".j2"))
    assert {"clinical_note", "instruction"} <= set(builtin_names("schemas", ".json"))
    assert all(builtin("prompts", name, ".j2") for name in builtin_names("prompts", ".j2"))
    assert builtin("prompts", "no such", ".j2") is None
