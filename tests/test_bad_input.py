"""Wrong input of every kind: one clear sentence a fault, exit code 2, nothing written, and never a word of a seed."""

from __future__ import annotations

import copy
import json
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from textsynth import cli

SECRET = "zebrafink"  # stands in every seed and must stand in no message
LONGEST = 400
CHECK, RUN = "check job.yaml", "run job.yaml --out out"
SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "specialty": {"type": "string"},
        "note": {"type": "string", "maxLength": 200},
    },
    "required": ["age", "specialty", "note"],
    "additionalProperties": False,
}
PROMPT = "{% block user %}Age {{ fields.age }}, {{ fields.specialty }}.{% endblock %}"
JOB: Mapping[str, Any] = {
    "seeds": {"path": "seeds.jsonl"},
    "record_schema": "./record.json",
    "fields": {"age": {"source": "sampled"}, "specialty": {"source": "sampled"}},
    "steps": [{"prompt": "./prompt.j2", "few_shot": 1}],
    "plan": {"target": 3, "round": 4},
    "engine": {"type": "scripted"},
    "filters": [{"type": "schema"}, {"type": "dedup", "near": None}],
}
SEEDS = [
    {
        "age": 30 + number % 7,
        "specialty": ("Cardiology", "Urology")[number % 2],
        "note": f"The {SECRET} of patient {number} was seen on day {number * 3} and sent home well.",
    }
    for number in range(12)
]
Change = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """What is wrong, how it gets there, the command that meets it, and what its message must say.

    `says` are patterns that stderr must match. `faults` is how many lines at its end are faults; before them, a
    command that had begun may have said what it is doing.
    """

    name: str
    change: Change
    says: Sequence[str]
    command: str = CHECK
    faults: int = 1


def job(*path: str | int, value: Any, more: Mapping[str, Any] | None = None) -> Change:
    """Set the value at a path of the job (`...` takes the key out); `more` replaces whole keys."""

    def change(folder: Path) -> None:
        data: Any = {**copy.deepcopy(dict(JOB)), **(more or {})}
        at = data
        for key in path[:-1]:
            at = at[key] if isinstance(key, int) else at.setdefault(key, {})
        if value is ...:
            del at[path[-1]]
        else:
            at[path[-1]] = value
        (folder / "job.yaml").write_text(yaml.safe_dump(data, sort_keys=False))

    return change


def text(name: str, content: str | bytes) -> Change:
    """A file with this content."""

    def change(folder: Path) -> None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return change


def gone(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def as_folder(name: str, *files: str) -> Change:
    """A folder where a file belongs: unreadable for every user, root among them."""

    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()
        for file in files:
            (folder / name / file).write_text(SECRET)

    return change


def schema(**keys: Any) -> Change:
    """The record schema with other keys at its top."""
    return text("record.json", json.dumps({**SCHEMA, **keys}))


def note(**keys: Any) -> Change:
    """Another schema of the field note."""
    return schema(properties={**SCHEMA["properties"], "note": keys})


def user(body: str) -> Change:
    """A prompt whose user block is this."""
    return text("prompt.j2", f"{{% block user %}}\n{body}\n{{% endblock %}}")


def seeds(name: str, content: str | bytes) -> Change:
    """Other seeds, in a file of this name."""
    return both(text(name, content), job("seeds", "path", value=name))


def both(*changes: Change) -> Change:
    def change(folder: Path) -> None:
        for one in changes:
            one(folder)

    return change


def nothing(folder: Path) -> None:
    """The job stays as it is."""


def made(folder: Path) -> None:
    """A finished run of the job lies in `done`."""
    shutil.copytree(folder.parent / "done", folder / "done")


def filters(*specs: Mapping[str, Any]) -> Change:
    return job("filters", value=list(specs))


def lines(rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def step(**keys: Any) -> Change:
    return job("steps", value=[{"prompt": "./prompt.j2", **keys}])


UNWRITTEN = {"steps": [], "fields": {name: {"source": "sampled"} for name in ("age", "specialty")}}
ROWS = {
    "type": "object",
    "properties": {name: SCHEMA["properties"][name] for name in ("age", "specialty")},
    "required": ["age", "specialty"],
}
TWO_STEPS = [{"prompt": "./prompt.j2", "writes": ["note"]}, {"prompt": "./prompt.j2", "writes": ["note"]}]
CSV_ROW = f"40,Urology,the {SECRET}\n"
DEEP = "[" * 100_000

JOB_FILE = [
    Case("job missing", gone("job.yaml"), [r"^job\.yaml: there is no such file\. Give the path of a job"]),
    Case("job is a folder", as_folder("job.yaml"), [r"^job\.yaml: the file cannot be read \(Is a directory\)\. Give"]),
    Case("job empty", text("job.yaml", ""), [r"^job\.yaml: the job is null\. Use a mapping with the keys seeds,"]),
    Case("job not UTF-8", text("job.yaml", b"seeds: \xff\xfe"), [r"^job\.yaml: the file cannot be read .*UTF-8"]),
    Case("job a list", text("job.yaml", "- a\n"), [r'^job\.yaml: the job is \["a"\]\. Use a mapping']),
    Case(
        "job not YAML",
        text("job.yaml", "seeds: {path: a\nplan: ]"),
        [r"^job\.yaml: line 2, column \d+: not valid YAML .*Mend that line"],
    ),
    Case(
        "job with a tag",
        text("job.yaml", "seeds: !!python/object/apply:os.system [touch hacked]"),
        [r"^job\.yaml: line 1, .*the tag .*python/object/apply:os\.system.* is not allowed\. Use plain YAML values"],
    ),
    Case("job with a key twice", text("job.yaml", "plan: 1\nplan: 2\n"), [r"line 2, .*the key plan stands twice"]),
    Case("job with itself inside", text("job.yaml", "seeds: &a [*a]\n"), [r"^job\.yaml: line 1, .*Mend that line"]),
    Case("job nested too deep", text("job.yaml", "seeds: " + DEEP), [r"^job\.yaml: .*nested too deep\. Flatten"]),
    Case(
        "unknown key",
        job("seeds", "colums", value={}),
        [r"^job\.yaml: seeds\.colums is not a known key\. Did you mean columns\? Known keys here: path, columns"],
    ),
    Case("missing key", job("plan", value=...), [r"^job\.yaml: plan is missing\. It is required\."]),
    Case("wrong type", job("plan", "target", value="many"), [r'plan\.target is "many"\. It should be a valid integer']),
    Case("number out of range", job("plan", "target", value=0), [r"plan\.target is 0\. It should be .* 1"]),
    Case("number that is none", job("sampling", "temperature", value=float("nan")), [r"sampling\.temperature is NaN"]),
    Case("words for a bool", job("rng_seed", value=True), [r"rng_seed is true\. It should be a valid integer"]),
    Case("weights of zero", job("attributes", value={"tone": {"dry": 0}}), [r"attributes\.tone\.dry is 0\. .*than 0"]),
    Case(
        "no choices", job("attributes", value={"tone": []}), [r"attributes\.tone is \[\]\. List should have at least 1"]
    ),
    Case(
        "several faults at once",
        job("seeds", "holdout", value=1.5, more={"rng_seed": -1, "stepz": [], "filters": [{"type": "dedupe"}]}),
        [r"seeds\.holdout is 1\.5", r"rng_seed is -1", r"stepz is not a known key\. Did you mean steps\?", "dedup\\?"],
        faults=4,
    ),
    Case(
        "faults of several files at once",
        both(job("engine", "options", value={"widht": 3}), text("record.json", "{")),
        [r"engine\.options\.widht is not a known option", r"record\.json: line 1, column 2: not valid JSON"],
        faults=2,
    ),
    Case(
        "faults of fields, steps and filters at once",
        job("fields", "agee", value={"source": "sampled"}, more={"filters": [{"type": "dedup", "on": ["nte"]}]}),
        [r"fields\.agee is not in the record schema\. Did you mean age\?", r"filters\[0\]\.on: nte .*mean note\?"],
        faults=2,
    ),
]

SCHEMAS = [
    Case("schema missing", gone("record.json"), [r"record_schema \./record\.json: there is no such file\. Give"]),
    Case("schema a folder", as_folder("record.json"), [r"record_schema \./record\.json: the file cannot be read"]),
    Case("schema not JSON", text("record.json", "{'a': 1}"), [r"^record\.json: line 1, column 2: not valid JSON"]),
    Case("schema with NaN", text("record.json", '{"a": NaN}'), [r"^record\.json: not valid JSON \(NaN"]),
    Case("schema nested too deep", text("record.json", DEEP), [r"^record\.json: not valid JSON .*nested too deep"]),
    Case("schema empty", text("record.json", ""), [r"^record\.json: line 1, column 1: not valid JSON"]),
    Case(
        "schema of no built-in name",
        job("record_schema", value="clinical_notes"),
        [r"record_schema is clinical_notes, which is no built-in schema\. Did you mean clinical_note\? Use one of"],
    ),
    Case("schema a list", text("record.json", "[1]"), [r"^record\.json: the schema is \[1\]\. Use a JSON object"]),
    Case("no schema", schema(type="objekt"), [r"^record\.json: /type .*Mend the schema \(draft 2020-12\)"]),
    Case("schema of two faults", schema(type="objekt", required="age"), ["/type", "/required"], faults=2),
    Case("unknown draft", schema(**{"$schema": "http://x/draft-99"}), [r"\$schema is http://x/draft-99.*Use one of"]),
    Case("draft not text", schema(**{"$schema": 7}), [r"\$schema is 7, which is not a known draft"]),
    Case(
        "remote reference",
        note(**{"$ref": "https://example.org/note.json"}),
        [r"^record\.json: a \$ref is https://example\.org/note\.json, which is outside this file\. Copy that schema"],
    ),
    Case(
        "reference to a file",
        both(text("other.json", "{}"), note(**{"$ref": "../other.json"})),
        [r"a \$ref is \.\./other\.json, which is outside this file\. Copy that schema under \$defs"],
    ),
    Case(
        "reference to nothing", note(**{"$ref": "#/$defs/none"}), [r"a \$ref is #/\$defs/none, which is no schema in"]
    ),
    Case(
        "bounds that cross",
        note(type="string", minLength=9, maxLength=3),
        [r"^record\.json: no value fits the property note \(.*9.*3.*\)\. Loosen it"],
    ),
    Case("numbers that cross", note(type="integer", minimum=9, maximum=3), [r"property note \(.*9.*3.*\)\. Loosen"]),
    Case("empty enum", note(enum=[]), [r"^record\.json: .*note.*\. (Loosen|Mend)"]),
    Case("enum against type", note(type="integer", enum=["a"]), [r"no value fits the property note .*Loosen"]),
    Case("pattern that is none", note(type="string", pattern="(["), [r"^record\.json: .*\(\[.*regular expression"]),
    Case("schema of a text", schema(type="string"), [r"^record\.json: its type is string\. A record is an object"]),
    Case(
        "schema without properties", text("record.json", "{}"), [r"names no properties\. Name each field of a record"]
    ),
    Case("property without a name", schema(properties={"": {}}, required=[]), [r"a property has an empty name\. Give"]),
]

PROMPTS = [
    Case(
        "prompt missing",
        gone("prompt.j2"),
        [r"^job\.yaml: steps\[0\]\.prompt is \./prompt\.j2: there is no such prompt\. Use \./path\.j2 or a built-in"],
    ),
    Case("prompt of a near name", job("steps", 0, "prompt", value="clinical_notes"), [r"Did you mean clinical_note\?"]),
    Case("prompt a folder", as_folder("prompt.j2"), [r"steps\[0\]\.prompt is \./prompt\.j2: the file cannot be read"]),
    Case("prompt of no path", job("steps", 0, "prompt", value="a\0.j2"), [r"steps\[0\]\.prompt is a.*cannot be read"]),
    Case("prompt not UTF-8", text("prompt.j2", b"\xff"), [r"the file cannot be read as UTF-8 text\. Give a \.j2 file"]),
    Case("prompt syntax", user("{{ fields. }}"), [r"^\./prompt\.j2 line 2: .*\. Mend the template\."]),
    Case("prompt with an unknown filter", user("{{ fields.age | shout }}"), [r"line 2: .*shout.*Mend the template"]),
    Case("prompt without a user block", text("prompt.j2", "Hi."), [r"has no block user\. Write {% block user %}"]),
    Case(
        "undefined variable", user("{{ patient }}"), [r"^\./prompt\.j2: 'patient' is undefined\. Known here: fields\."]
    ),
    Case(
        "undefined field", user("{{ fields.agee }}"), [r"^\./prompt\.j2: there is no 'agee'\. Known here: fields\.age"]
    ),
    Case(
        "field that is not written yet",
        user("{{ fields.note }}"),
        [r"^job\.yaml: steps\[0\]\.prompt reads fields\.note, which this step itself writes\. A step reads what"],
    ),
    Case("undefined attribute", user("{{ attributes.tone }}"), [r"there is no 'tone'\. Known here"]),
    Case("prompt named by a seed", user("{{ fields[fields.specialty] }}"), [r"^\./prompt\.j2: .*\. Known here"]),
    Case("class of a value", user("{{ fields.__class__.__mro__ }}"), [r"'__class__'.*is unsafe\. Known here"]),
    Case("class of a text", user("{{ ''.__class__ }}"), [r"attribute '__class__' of 'str' object is unsafe"]),
    Case("globals of cycler", user("{{ cycler.__init__.__globals__.os }}"), [r"attribute '__init__'.*is unsafe"]),
    Case("globals of joiner", user("{{ joiner.__init__.__globals__ }}"), [r"attribute '__init__'.*is unsafe"]),
    Case("globals of lipsum", user("{{ lipsum.__globals__ }}"), [r"attribute '__globals__'.*is unsafe"]),
    Case("prompt that changes fields", user("{{ fields.update({'age': 1}) }}"), [r"'update'.*is unsafe"]),
    Case("prompt that includes", user("{% include 'job.yaml' %}"), [r"^\./prompt\.j2 line 2: .*include.*\. Write"]),
    Case("prompt that extends", text("prompt.j2", "{% extends 'a' %}\n" + PROMPT), [r"line 1: .*extends.*\. Write"]),
    Case("prompt that imports", user("{% import 'a' as b %}"), [r"^\./prompt\.j2 line 2: .*import.*\. Write"]),
    Case("huge range", user("{{ range(10**9) | list }}"), [r"^\./prompt\.j2: .*OverflowError\. Known here"]),
    Case(
        "endless loop",
        user("{% for a in range(99999) %}{% for b in range(99999) %}" + "x" * 200 + "{% endfor %}{% endfor %}"),
        [r"^\./prompt\.j2: .*more than 1,000,000 characters\. "],
    ),
    Case("huge text", user("{{ 'x' * 10**7 }}"), [r"^\./prompt\.j2: .*more than 1,000,000 characters\. "]),
    Case("macro without an end", user("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), [r"RecursionError\. Known"]),
    Case("prompt that divides by zero", user("{{ 1 / 0 }}"), [r"fails with ZeroDivisionError\. Known here"]),
    Case("prompt that adds text to a number", user("{{ 'a' + fields.age }}"), [r"fails with TypeError\. Known here"]),
]

SEED_FILES = [
    Case("seeds missing", gone("seeds.jsonl"), [r"seeds\.path: there is no file or folder seeds\.jsonl\. Check the"]),
    Case("seeds of no path", job("seeds", "path", value="a\0.csv"), [r"seeds\.path: there is no file or folder a"]),
    Case("seeds empty", text("seeds.jsonl", ""), [r"seeds\.path: seeds\.jsonl holds no rows\. Give at least one"]),
    Case("seeds not UTF-8", text("seeds.jsonl", b'{"note": "\xe4"}'), [r"^seeds\.jsonl line 1: the text is not UTF-8"]),
    Case(
        "bad line",
        text("seeds.jsonl", lines(SEEDS) + f'{{"note": {SECRET}\n'),
        [r"^seeds\.jsonl line 13: not JSON \(.*\)\. Give one JSON object a line"],
    ),
    Case("line without an object", text("seeds.jsonl", f'["{SECRET}"]'), [r"line 1: a list, not an object\. Give one"]),
    Case("line nested too deep", text("seeds.jsonl", DEEP), [r"^seeds\.jsonl line 1: .*nested too deep\. Flatten"]),
    Case("half a character", text("seeds.jsonl", '{"note": "\\ud800"}'), [r"line 1: half of a surrogate pair\. Write"]),
    Case("not gzip", seeds("seeds.jsonl.gz", lines(SEEDS)), [r"^seeds\.jsonl\.gz: the file is not whole gzip data"]),
    Case(
        "ragged csv",
        seeds("seeds.csv", f"age,specialty,note\n{CSV_ROW}41,{SECRET}\n"),
        [r"^seeds\.csv line 3: 2 cells where the header has 3\. Mend the row or its quotes"],
    ),
    Case("csv with an open quote", seeds("seeds.csv", f'age,note\n1,"{SECRET}\n'), [r"^seeds\.csv line 2: not CSV"]),
    Case("csv with a column twice", seeds("seeds.csv", "age,age\n1,2\n"), [r"^seeds\.csv line 1: a column .*another"]),
    Case("csv of a header", seeds("seeds.csv", "age,specialty,note\n"), [r"seeds\.csv holds no rows\. Give at least"]),
    Case("not parquet", seeds("seeds.parquet", lines(SEEDS)), [r"^seeds\.parquet: the file is not parquet\. Write"]),
    Case(
        "unknown format", seeds("seeds.xlsx", SECRET), [r"seeds\.path: seeds\.xlsx has an unknown format\. Use \.jsonl"]
    ),
    Case(
        "folder without texts",
        both(as_folder("texts", "a.md"), job("seeds", "path", value="texts")),
        [r"seeds\.path: the folder texts has no \.txt files, and none of FHIR .* with one text or bundle a file"],
    ),
    Case(
        "folder with a broken text",
        both(as_folder("texts", "a.txt"), text("texts/b.txt", b"\xff"), job("seeds", "path", value="texts")),
        [r"^b\.txt line 1: the text is not UTF-8\. Save the file as UTF-8"],
    ),
    Case("no such dataset", job("seeds", "path", value="no_such_set"), [r"seeds\.path is no_such_set, neither a path"]),
    Case(
        "column that no row has",
        job("seeds", "columns", value={"note": "nota"}),
        [r"seeds\.columns\.note is nota, which no row has\. Did you mean note\? Columns: age, note, specialty"],
    ),
    Case(
        "csv without a header",
        both(
            text("seeds.csv", f"40,Urology,the {SECRET} of a patient was seen and sent home well\n{CSV_ROW}"),
            job("seeds", value={"path": "seeds.csv", "columns": {"note": "2"}}),
        ),
        [r"seeds\.columns\.note is 2, which no row has\. Columns: 40, Urology\."],
    ),
    Case("one_per no column", job("seeds", "one_per", value="agee"), [r"seeds\.one_per is agee, .*mean age\? Columns"]),
    Case(
        "column of no field",
        job("seeds", "columns", value={"nota": "note"}),
        [r"columns\.nota is no field .*mean note\?"],
    ),
    Case("cut of no field", job("seeds", "cut", value={"nota": 9}), [r"seeds\.cut\.nota is no field .*mean note\?"]),
    Case("cut to nothing", job("seeds", "cut", value={"note": 0}), [r"seeds\.cut\.note is 0\. It should be .*1"]),
    Case(
        "all rows dropped",
        text("seeds.jsonl", lines([{"note": SECRET}, {"age": 3, "note": SECRET}])),
        [r"seeds\.path: none of the 2 rows can be used \(2 miss a field that is drawn from\)\. Give seeds with"],
    ),
    Case("too much for memory", nothing, [r"seeds\.path: over 0 MiB of text after \d+ rows\. Set seeds\.limit"]),
    Case("all held out", job("seeds", "holdout", value=1.0), [r"seeds\.holdout is 1\.0\. It should be less than 1"]),
]

FIELDS = [
    Case(
        "unknown field",
        job("fields", "specialti", value={"source": "sampled"}),
        [r"fields\.specialti is not in the record schema\. Did you mean specialty\? Fields there: age"],
    ),
    Case(
        "unknown source",
        job("fields", "age", value={"source": "sample"}),
        [r"fields\.age\.source is sample\. It should be 'written', 'sampled', .* 'picked' or 'located'"],
    ),
    Case(
        "sampled free text",
        job("fields", "note", value={"source": "sampled"}),
        [r"fields\.note is sampled, but the seeds hold free text there\. Make it written, or give it values", "steps"],
        faults=2,
    ),
    Case(
        "sampled without a distribution",
        both(
            schema(properties={**SCHEMA["properties"], "ward": {"type": "string"}}),
            job("fields", "ward", value={"source": "sampled"}),
        ),
        [r"fields\.ward is sampled, but no seed has it\. Give values, or map a column"],
    ),
    Case(
        "copied that no seed has",
        both(
            schema(properties={**SCHEMA["properties"], "ward": {"type": "string"}}),
            job("fields", "ward", value={"source": "copied"}),
        ),
        [r"fields\.ward is copied, but no seed has it\. .*column"],
    ),
    Case(
        "values of a wrong type",
        job("fields", "age", value={"source": "sampled", "values": ["old", 300]}),
        [r"fields\.age\.values: .*of the type integer", r"fields\.age\.values: .*more than 120"],
        faults=2,
    ),
    Case(
        "values of a written field",
        job("fields", "note", value={"values": ["a"]}),
        [r"fields\.note has values but is written\. Give it source: sampled"],
    ),
    Case("no values", job("fields", "age", value={"source": "sampled", "values": {}}), [r"fields\.age\.values"]),
    Case(
        "together with a field that is not sampled",
        job("together", value=[["age", "note"]]),
        [r"together\[0\]: note is not sampled from the seeds\. Set fields\.note: {source: sampled}"],
    ),
    Case(
        "together twice",
        job("together", value=[["age", "specialty"], ["specialty", "age"]]),
        [r"together\[1\]: specialty stands in two groups\. Put it into one", r"together\[1\]: age stands in two"],
        faults=2,
    ),
    Case("together alone", job("together", value=[["age"]]), [r'together\[0\] is \["age"\]\. .*at least 2 items']),
    Case(
        "attribute named like a field",
        job("attributes", value={"age": [1, 2]}),
        [r"attributes\.age is also a field of the record\. Give it another name"],
    ),
    Case(
        "no steps",
        job("steps", value=[]),
        [r"job\.yaml: no step writes note\. Add a step, or set fields\.note\.source"],
    ),
    Case(
        "step writes an unknown field",
        step(writes=["note", "nota"]),
        [r"steps\[0\]\.writes: nota is not in the record schema\. Did you mean note\? Left to write: note"],
    ),
    Case(
        "step writes a sampled field",
        step(writes=["note", "age"]),
        [r"steps\[0\]\.writes: age is written by an earlier step or not written\. .*Left to write: note"],
    ),
    Case(
        "field written twice",
        job("steps", value=TWO_STEPS),
        [r"steps\[1\]\.writes: note is written by an earlier step.*Left to write: none", r"steps\[1\] writes nothing"],
        faults=2,
    ),
    Case(
        "working field named like a field",
        step(writes={"note": None, "age": {"type": "integer"}}),
        [
            r"steps\[0\]\.writes\.age has a schema of its own, but it is a field of the record\. Give it none",
            r"steps\[0\]\.prompt reads fields\.age, which this step itself writes\.",
        ],
        faults=2,
    ),
    Case(
        "working field without a schema",
        step(writes={"note": None, "score": {"type": "integr"}}),
        [r"steps\[0\]\.writes\.score: /type .*Mend the schema"],
    ),
    Case(
        "working field that no value fits",
        step(writes={"note": None, "score": {"type": "integer", "minimum": 5, "maximum": 1}}),
        [r"steps\[0\]\.writes\.score: no value fits it \(no number is at least 5 and at most 1\)\. Loosen it"],
    ),
    Case("writes a word", step(writes="note"), [r"steps\[0\]\.writes is note\. Use a list or a mapping"]),
    Case("few_shot absurd", step(few_shot=1000), [r"steps\[0\]\.few_shot is 1000\. It should be .*64"]),
    Case("few_shot negative", step(few_shot=-1), [r"steps\[0\]\.few_shot is -1\. It should be .*0"]),
]

FILTERS = [
    Case(
        "alpha that the seeds cannot resolve",
        filters({"type": "leakage", "alpha": 0.001}),
        [r"filters\[0\]\.alpha is 0\.001, but these seeds resolve no less than 0\.\d+\. Give more seeds, or an alpha"],
    ),
    Case("alpha of 1.4", filters({"type": "leakage", "alpha": 1.4}), [r"filters\[0\]\.alpha is 1\.4\. .*less than 1"]),
    Case(
        "unknown encoder",
        filters({"type": "leakage", "alpha": 0.5, "encoder": "minilm-l7"}),
        [r"filters\[0\]\.encoder is minilm-l7\. Did you mean minilm-l6\? Use an embedded model"],
    ),
    Case(
        "language model as encoder",
        filters({"type": "diversity", "encoder": "smollm2-135m"}),
        [r"filters\[0\]\.encoder is smollm2-135m, which is an embedded \w+, not an encoder\. Use"],
    ),
    Case(
        "dedup on an unknown field",
        filters({"type": "dedup", "on": ["nota"]}),
        [r"filters\[0\]\.on: nota is not in the record schema\. Did you mean note\? Fields there"],
    ),
    Case(
        "diversity without text",
        both(text("record.json", json.dumps(ROWS)), job("filters", value=[{"type": "diversity"}], more=UNWRITTEN)),
        [r"filters\[0\] compares written text, and no field is written\. Remove it, or name fields with on"],
    ),
    Case(
        "per of an unknown field",
        filters({"type": "diversity", "cap": 0.5, "per": ["specialti"]}),
        [r"filters\[0\]\.per: specialti is not in the record schema\. Did you mean specialty\? Fields there"],
    ),
    Case(
        "per without a cap",
        filters({"type": "diversity", "per": ["specialty"]}),
        [r"filters\[0\]\.per names fields, but there is no cap\. Give one, such as cap: 0\.1"],
    ),
    Case(
        "a cap over 1",
        filters({"type": "diversity", "cap": 1.5}),
        [r"filters\[0\]\.cap is 1\.5\. It should be less than or equal to 1 \(most of the target"],
    ),
    Case(
        "a cap that all clusters together cannot fill",
        job("filters", value=[{"type": "diversity", "cap": 0.1}], more={"plan": {"target": 100}}),
        [r"filters\[0\]\.cap is 0\.1, but the seeds make 3 clusters, .*less than the target\. Use 0\.334 or more"],
    ),
    Case(
        "a temperature that nothing raises",
        job("plan", "max_temperature", value=1.0),
        [r"plan\.max_temperature is 1\.0, but nothing raises it\. Add a diversity filter"],
    ),
    Case(
        "a limit below the temperature",
        job("plan", "max_temperature", value=0.5, more={"filters": [{"type": "diversity"}]}),
        [r"plan\.max_temperature is 0\.5, but a step's temperature is 0\.7 already\. Use more than that"],
    ),
    Case(
        "schema filter not first",
        filters({"type": "dedup"}, {"type": "schema"}),
        [r"filters\[1\] is the schema filter\. It always comes first: move it up or leave it out"],
    ),
    Case(
        "rules that are no schema",
        filters({"type": "rules", "rules": {"type": "objekt"}}),
        [r"filters\[0\]\.rules: /type .*Mend the schema"],
    ),
    Case(
        "rules with a reference to nothing",
        filters({"type": "rules", "rules": {"$ref": "#/$defs/none"}}),
        [r"filters\[0\]\.rules: a \$ref is #/\$defs/none, which is no schema in this file"],
    ),
    Case("unknown filter", filters({"type": "leek"}), [r"filters\[0\] has the type leek\. .*Use one of schema, rules"]),
    Case("filter without a type", filters({"near": 0.5}), [r"filters\[0\] has no type\. Use one of schema, rules"]),
    Case(
        "key of another filter", filters({"type": "dedup", "alpha": 0.1}), [r"filters\[0\]\.alpha is not a known key"]
    ),
]

LOCAL = {"type": "transformers", "model": "smollm2-135m"}
ENGINES = [
    Case(
        "unknown engine",
        job("engine", "type", value="transformer"),
        [r"engine\.type is transformer\. It should be 'transformers', 'vllm', 'openai' or 'scripted'"],
    ),
    Case(
        "unknown model",
        job("engine", value={**LOCAL, "model": "smollm-135m"}),
        [r"engine\.model is smollm-135m\. Did you mean smollm2-135m\? Use an embedded model \(smollm2-135m"],
    ),
    Case(
        "model folder missing", job("engine", value={**LOCAL, "model": "./m"}), [r"engine\.model is \./m\. There is no"]
    ),
    Case(
        "model folder empty",
        both(as_folder("m"), job("engine", value={**LOCAL, "model": "./m"})),
        [r"engine\.model is \./m, a folder without config\.json\. Use"],
    ),
    Case(
        "encoder as engine",
        job("engine", value={**LOCAL, "model": "minilm-l6"}),
        [r"engine\.model is minilm-l6, which is an embedded encoder, not .*\. Use an embedded model \(smollm2-135m\)"],
    ),
    Case(
        "unknown option",
        job("engine", value={**LOCAL, "options": {"bach": 3}}),
        [r"engine\.options\.bach is not a known option\. Did you mean batch\? Known here: dtype \("],
    ),
    Case(
        "wrong options",
        job("engine", value={**LOCAL, "options": {"batch": 0, "dtype": "int3", "device": ["cpu"]}}),
        [r"options\.batch is 0\. Use a whole number", r"options\.dtype is int3\. Use auto, bf", r"options\.device is"],
        faults=3,
    ),
    Case(
        "wrong option of the script",
        job("engine", "options", value={"broken": 7, "width": "a"}),
        [r"engine\.options\.broken is 7\. Use share", r"engine\.options\.width is a\. Use requests"],
        faults=2,
    ),
    Case(
        "llguidance missing",
        job("engine", value=LOCAL),
        [r"^job\.yaml: engine: the package llguidance is not installed\. Run: pip install 'textsynth\[local\]'\."],
    ),
    Case(
        "sentence_transformers missing",
        filters({"type": "leakage", "alpha": 0.5}),
        [r"filters\[0\]: the package sentence-transformers is not installed\. Run: pip install 'textsynth\[local\]'\."],
    ),
]

BESIDE = both(
    made, job("sampling", "temperature", value=0.1, more={"engine": {"type": "scripted", "options": {"width": 1}}})
)
COMMANDS = [
    Case("out is a file", text("out", "x"), [r"^out: this is a file\. Choose a new folder"], RUN),
    Case("out is not empty", as_folder("out", "a.txt"), [r"^out: the folder is not empty and holds no run\."], RUN),
    Case(
        "out under a file",
        text("a", "x"),
        [r"^a/out: the folder cannot be written \(Not a directory\)\. Choose another --out"],
        "run job.yaml --out a/out",
    ),
    Case(
        "out of another job",
        BESIDE,
        [r"^done: this folder holds another run: .*sampling\.temperature was 0\.7 and is 0\.1; .*\. Choose a new"],
        "run job.yaml --out done",
    ),
    Case(
        "out of other seeds",
        both(made, text("seeds.jsonl", lines(SEEDS[1:]))),
        [r"^done: this folder holds another run: the rows of the seeds changed\. Choose a new folder"],
        "run job.yaml --out done",
    ),
    Case(
        "out of another prompt and schema",
        both(made, text("prompt.j2", PROMPT.replace("Age", "Years")), schema(title="Note")),
        [r"^done: .*: the text of the record schema changed; the text of a prompt changed\. Choose a new folder"],
        "run job.yaml --out done",
    ),
    Case("run without out", nothing, [r"^textsynth: Missing option '--out'\. Try --help\."], "run job.yaml"),
    Case("run of a missing job", nothing, [r"^jb\.yaml: there is no such file\. Give"], "run jb.yaml --out out"),
    Case("faults before a run", text("seeds.jsonl", ""), [r"seeds\.jsonl holds no rows\."], RUN),
    Case("faults before a preview", text("seeds.jsonl", ""), [r"seeds\.jsonl holds no rows\."], "preview job.yaml"),
    Case("preview of none", nothing, [r"^textsynth: Invalid value for '-n': .*1"], "preview job.yaml -n 0"),
    Case("preview of a word", nothing, [r"^textsynth: Invalid value for '-n': .*integer"], "preview job.yaml -n x"),
    Case(
        "show of no run", as_folder("empty"), [r"^empty: there is no run here \(no run\.db\)\."], "show empty r0000001"
    ),
    Case("show of no record", made, [r"^done: there is no record r9\. Ids look like r0000000\."], "show done r9"),
    Case("report of no run", nothing, [r"^none: there is no run here \(no run\.db\)\. Give a folder"], "report none"),
    Case("export of no run", nothing, [r"^none: there is no run here"], "export none --out a.jsonl"),
    Case("export without out", made, [r"^export: --out is missing\. Give a new file or folder"], "export done"),
    Case(
        "export of no format",
        made,
        [r"^export: jsonll is not a known format\. Did you mean jsonl\? Use one of jsonl, csv, parquet, dataset"],
        "export done --format jsonll --out a",
    ),
    Case(
        "export over a file",
        both(made, text("a", "x")),
        [r"^export: a exists already\. Choose a new path, or use --force"],
        "export done --out a",
    ),
    Case("export to nowhere", made, [r"no/a.*\. "], "export done --out no/a"),
    Case(
        "init of no recipe",
        nothing,
        [r"^init: there is no recipe clincal_note\. Did you mean clinical_note\?"],
        "init clincal_note new",
    ),  # fmt: skip
    Case(
        "init in the way",
        as_folder("new", "a"),
        [r"^new: there is something in the way\. Choose another folder"],
        "init clinical_note new",
    ),  # fmt: skip
    Case("init of one name", nothing, [r"^init: 1 names? given\. Use: textsynth init RECIPE DIR\."], "init new"),
    Case(
        "init from nothing",
        nothing,
        [r"^init --seeds: there is no file or folder a\.csv\. Check the path"],
        "init --seeds a.csv new",
    ),  # fmt: skip
    Case(
        "init from an empty file",
        text("a.jsonl", ""),
        [r"^init --seeds: a\.jsonl holds no rows\. Give at least"],
        "init --seeds a.jsonl new",
    ),  # fmt: skip
    Case(
        "init from a broken file",
        text("a.jsonl", f"{SECRET}\n"),
        [r"^a\.jsonl line 1: not JSON"],
        "init --seeds a.jsonl new",
    ),  # fmt: skip
    Case(
        "init with no target",
        nothing,
        [r"^textsynth: Invalid value for '--target': .*1"],
        "init --seeds seeds.jsonl new --target 0",
    ),  # fmt: skip
    Case(
        "filter of a missing file",
        nothing,
        [r"^filter: there is no file or folder a\.jsonl\. Check the path"],
        "filter a.jsonl --job job.yaml --out out",
    ),  # fmt: skip
    Case(
        "filter of an empty file",
        text("a.jsonl", ""),
        [r"^filter: a\.jsonl holds no records\. Give a file of"],
        "filter a.jsonl --job job.yaml --out out",
    ),  # fmt: skip
    Case(
        "filter of broken records",
        text("a.jsonl", lines(SEEDS) + "{"),
        [r"^a\.jsonl line 13: not JSON"],
        "filter a.jsonl --job job.yaml --out out",
    ),  # fmt: skip
    Case("unknown command", nothing, [r"^textsynth: No such command 'rum'\. .*Try --help\."], "rum job.yaml"),
    Case(
        "unknown option of a command",
        nothing,
        [r"^textsynth: No such option: --ot.*Try --help\."],
        "run job.yaml --ot out",
    ),  # fmt: skip
    Case(
        "too many arguments", nothing, [r"^textsynth: Got unexpected extra argument.*\(b\)\. Try --help\."], "check a b"
    ),
]
CASES = [*JOB_FILE, *SCHEMAS, *PROMPTS, *SEED_FILES, *FIELDS, *FILTERS, *ENGINES, *COMMANDS]


def write_job(folder: Path) -> None:
    """The small valid job that every case starts from."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.yaml").write_text(yaml.safe_dump(dict(JOB), sort_keys=False))
    (folder / "record.json").write_text(json.dumps(SCHEMA))
    (folder / "prompt.j2").write_text(PROMPT)
    (folder / "seeds.jsonl").write_text(lines(SEEDS))


def call(command: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command line in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["textsynth", *command.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, with the content of files."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a finished run of the job in `done`."""
    from textsynth import load_job, run_job

    folder = tmp_path_factory.mktemp("bad")
    write_job(folder / "source")
    assert run_job(load_job(folder / "source" / "job.yaml"), folder / "done").done
    yield folder


@pytest.fixture
def home(root: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The working folder of one case: the valid job, and a model cache that must stay untouched."""
    folder = root / re.sub(r"\W+", "_", request.node.name)
    write_job(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TEXTSYNTH_CACHE", str(folder / "cache"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a package look as if it were not installed."""
    import importlib.util

    find = importlib.util.find_spec

    def hide(package: str) -> None:
        def look(name: str, *rest: Any) -> Any:
            return None if name == package else find(name, *rest)

        monkeypatch.setattr(importlib.util, "find_spec", look)
        for module in ("textsynth.engines.local", "textsynth.similarity.encoder"):
            monkeypatch.setattr(f"{module}.find_spec", look)

    return hide


def test_the_job_that_every_case_starts_from_has_no_fault(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(CHECK, monkeypatch) == 0
    assert call(RUN, monkeypatch) == 0
    assert len((home / "out" / "accepted.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))
def test_bad_input_is_one_clear_sentence(
    case: Case,
    home: Path,
    hidden: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    case.change(home)
    if case.name.endswith(" missing") and case.name.split()[0] in ("llguidance", "sentence_transformers"):
        hidden(case.name.split()[0])
    if case.name == "too much for memory":
        monkeypatch.setattr("textsynth.inputs.seeds.MAX_BYTES", 500)
    before = tree(home)

    code = call(case.command, monkeypatch)

    out, err = capfd.readouterr()
    said = err.splitlines()
    faults = said[-case.faults :]
    assert code == 2, err
    assert "Traceback" not in err
    for pattern in case.says:
        assert re.search(pattern, err, re.MULTILINE), f"{pattern}\n{err}"
    for fault in faults:
        assert re.fullmatch(r"\S.*?(: | is ).+[.?)] .+(\.|: textsynth run .+)", fault), fault  # or a command to copy
        assert len(fault) <= LONGEST, fault
    announced = all(
        line.startswith(("seeds: ", "there is no leakage filter", "writing to ")) for line in said[: -case.faults]
    )
    assert announced, err
    assert SECRET not in out + err
    assert tree(home) == before
    assert case.name.startswith("out ") or not (home / "out").exists()


def test_the_table_is_as_wide_as_promised() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 100


def test_a_database_that_is_none_is_a_fault_of_the_run(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    made(home)
    (home / "done" / "run.db").write_text("x" * 5000)
    assert call("report done", monkeypatch) == 3
    assert re.match(
        r"done: run\.db is damaged \(file is not a database\), and no completion in it can be read\. \w",
        capfd.readouterr().err,
    )


@contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[], None]]:
    """A file system of one megabyte in `folder`; call what is yielded to make room."""

    def mount(*options: str) -> bool:
        return subprocess.run(["mount", *options, str(folder)], capture_output=True).returncode == 0

    if shutil.which("mount") is None or not mount("-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        pytest.skip("mounting a small file system is not permitted here")
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def small_files(folder: Path) -> Iterator[Callable[[], None]]:
    """No file may grow beyond 300 kB, which fails as a full disk does and needs no right to mount."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def completions(folder: Path) -> dict[str, str]:
    """The answers that a run has kept."""
    with closing(sqlite3.connect(folder / "run.db")) as db:
        return dict(db.execute("SELECT request_id, text FROM completions"))


@pytest.mark.parametrize("narrow", [small_disk, small_files])
def test_a_full_disk_stops_a_run_and_loses_nothing(
    narrow: Callable[[Path], AbstractContextManager[Callable[[], None]]],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from textsynth.engines.scripted import ScriptedEngine

    job("plan", value={"target": 1000, "round": 64})(home)
    assert call("run job.yaml --out whole", monkeypatch) == 0
    asked: list[str] = []
    answer = ScriptedEngine._completion
    monkeypatch.setattr(
        ScriptedEngine, "_completion", lambda self, request: asked.append(request.id) or answer(self, request)
    )
    (home / "disk").mkdir()
    capfd.readouterr()
    with narrow(home / "disk") as make_room:
        assert call("run job.yaml --out disk/out", monkeypatch) == 3
        err = capfd.readouterr().err
        assert "Traceback" not in err and SECRET not in err
        assert re.search(
            r"^disk/out: the disk is full or failed \(.*\)\. Make room, then run again: nothing", err, re.M
        )
        assert "Go on with: textsynth run job.yaml --out disk/out" in err
        make_room()
        kept = completions(home / "disk" / "out")
        assert 64 <= len(kept) < 1000
        asked.clear()
        assert call("run job.yaml --out disk/out", monkeypatch) == 0
        assert not kept.keys() & set(asked)
        assert kept.items() <= completions(home / "disk" / "out").items()
        for name in ("accepted.jsonl", "lineage.jsonl", "rejected.jsonl"):
            assert (home / "disk" / "out" / name).read_bytes() == (home / "whole" / name).read_bytes(), name


def test_no_command_shows_the_commands(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call("", monkeypatch) == 2
    out, err = capfd.readouterr()
    assert (out + err).startswith("Usage: ") and "preview" in out + err and "Try --help" not in out + err
