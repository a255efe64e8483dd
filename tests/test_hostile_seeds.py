"""Seed text is data: a seed that holds instructions, templates, control tokens or markup changes its own text alone.

`hostile_seeds.jsonl` holds a text a line, with its kind. Every law below is held over all of them.
"""

from __future__ import annotations

import csv
import html
import json
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.hostile import CORPUS, HARMLESS, TEXTS, WHOLE, WRITTEN
from tests.jobs import TOPICS, lines, tiny_job
from tests.shell import Shell
from textsynth import load_job, run_job
from textsynth.engines.scripted import ScriptedEngine
from textsynth.errors import InputError
from textsynth.inputs import starter
from textsynth.inputs.bounds import imposed_bounds, sentence_pattern
from textsynth.inputs.infer import infer_schema
from textsynth.inputs.prompts import Prompt, answer_text, load_prompt
from textsynth.inputs.tighten import tighten
from textsynth.job import builtin, builtin_names
from textsynth.outputs import report
from textsynth.outputs.store import Store
from textsynth.parse import ParseError, parse_fields
from textsynth.prepare import prepare
from textsynth.records import Request, Seed
from textsynth.training import export
from textsynth.yaml12 import load_yaml

CHARACTERS = {"Cc", "Cs", "Zl", "Zp"}  # categories of characters that a terminal or a reader of lines obeys


def test_the_corpus_is_as_large_as_promised() -> None:
    kinds = Counter(one["kind"] for one in CORPUS)
    assert len(set(TEXTS)) == len(CORPUS) >= 100 and len(kinds) == 16 and min(kinds.values()) >= 3


# prompts


def prompts() -> list[Prompt]:
    """The prompts that ship, the one that `init` writes and that of the tests, over one set of fields."""
    names = builtin_names("prompts", ".j2")
    sources = [path.read_text(encoding="utf-8") for n in names if (path := builtin("prompts", n, ".j2"))]
    return [made(source) for source in (*sources, starter.PROMPT)]


def made(source: str, folder: Path | None = None) -> Prompt:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        path = Path(folder or place) / "p.j2"
        path.write_text(source, encoding="utf-8")
        fields = re.findall(r"fields\.(\w+)", source)
        given = tuple(dict.fromkeys(["topic", "list", "last", *(f for f in fields if f not in ("items", "values"))]))
        return load_prompt("./p.j2", path.with_name("job.yaml"), "job", given, ("text", "list"), ("tone",))


def fields_with(text: str, prompt: Prompt) -> dict[str, Any]:
    indexed = re.findall(r"fields\.(\w+)\[", prompt.source)
    known: dict[str, Any] = {name: [text, text] if name in indexed else text for name in prompt.given}
    looped = re.findall(r"for one in fields\.(\w+)", prompt.source)
    one = {key: text for key in ("name", "value", "unit", "dose", "speaker", "text")}
    known |= {name: [one, one] for name in looped}
    return known | {"list": [text, {"in": text}], "last": "end", "text": text}


def exchanged(content: str, text: str, as_json: bool) -> str:
    quoted = answer_text(text)[1:-1]
    nested = re.sub(f'"{HARMLESS}"', lambda _: f'"{quoted}"', content)
    return nested.replace(HARMLESS, quoted if as_json else text)


@pytest.mark.parametrize("at", range(len(prompts())))
def test_a_prompt_holds_hostile_text_as_it_stands_and_nothing_else_changes(at: int) -> None:
    prompt = prompts()[at]
    other = [Seed(f"s{n}", fields_with(f"a calm example {n}", prompt)) for n in (1, 2)]

    def chat(text: str, number: int) -> tuple[Any, ...]:
        shown = (other[0], Seed(f"h{number}", fields_with(text, prompt)), other[1])
        return prompt.messages(fields_with(text, prompt), {"tone": text}, shown)

    expected = chat(HARMLESS, -1)
    for number, text in enumerate(TEXTS):
        found = chat(text, number)
        assert [turn["role"] for turn in found] == [turn["role"] for turn in expected]
        mine = {len(found) - 5, len(found) - 4, len(found) - 1}  # the hostile seed's two turns, and the request's
        for place, (turn, like) in enumerate(zip(found, expected, strict=True)):
            assert turn.keys() == like.keys()
            content = (
                exchanged(like["content"], text, turn["role"] == "assistant") if place in mine else like["content"]
            )
            assert turn["content"] == content.strip()


def test_a_template_that_fails_on_hostile_text_does_not_repeat_it() -> None:
    """Jinja's messages quote what was looked up, which may be a seed's text."""
    bodies = (
        "fields[fields.topic]", "fields.topic[fields.topic]", "fields.topic|attr(fields.topic)", "fields.topic()",
        "fields.topic|int + fields.topic", "fields|attr(fields.topic)()", "[]|map(fields.topic)|list",
        "fields.topic.format(1)", "[fields]|sort(attribute=fields.topic)|list", "fields.topic.format_map(fields)",
        "'x'|replace(1)", "(fields.topic ~ 'x').missing", "[1]|groupby(fields.topic)|list", "writes[fields.topic]",
        "[fields.topic]|map(attribute=fields.topic)|first", "fields.topic|round", "'%d' % fields.topic",
    )  # fmt: skip
    for body in bodies:
        prompt = made(f"{{% block user %}}{{{{ {body} }}}}{{% endblock %}}")
        for text in (*TEXTS, "__class__", "__init__ of mine", "format", "xx missing"):
            try:
                prompt.messages(fields_with(text, prompt), {"tone": text})
            except InputError as error:
                said = str(error).partition("Known here")[0]
                parts = {text[at : at + 9] for at in range(len(text) - 8)} - {" attribut", "attribute"}
                assert not [part for part in parts if part in said], said


# schemas


def rows(texts: Sequence[str]) -> list[dict[str, Any]]:
    return [{"topic": TOPICS[n % 4], "size": n % 9, "text": text, "tag": n % 2 == 0} for n, text in enumerate(texts)]


def test_a_hostile_column_changes_its_own_schema_alone() -> None:
    calm = [f"{'calm ' * (len(text) // 5)}{n}" for n, text in enumerate(WRITTEN)]
    for texts in (WRITTEN, [WRITTEN[n // 6] for n in range(len(WRITTEN))]):  # free text, and a few choices
        mine, like = infer_schema(rows(texts)), infer_schema(rows(calm))
        assert mine | {"properties": mine["properties"] | {"text": 0}} == like | {
            "properties": like["properties"] | {"text": 0}
        }
        tight, usual = tighten(mine, rows(texts)), tighten(like, rows(calm))
        assert {n: p for n, p in tight["properties"].items() if n != "text"} == {
            n: p for n, p in usual["properties"].items() if n != "text"
        }
        longest = max(map(len, texts))
        assert all(bound <= max(24, 1.6 * longest + 1) for bound in imposed_bounds(tight).values())


@pytest.mark.parametrize("holdout", [0, 0.25])
def test_what_other_records_are_about_does_not_hang_on_hostile_texts(tmp_path: Path, holdout: float) -> None:
    """The plan draws the same facts and shows the same seeds, whatever stands in a column that the model writes."""
    plans = []
    for name, texts in (
        ("mine", WRITTEN),
        ("like", [f"a calm text with the number {n} in it" for n in range(len(WRITTEN))]),
    ):
        tiny_job(tmp_path / name, seeds={"path": "seeds.jsonl", "holdout": holdout})
        seeds = [{"topic": TOPICS[n % 4], "color": "red", "size": 1 + n % 9, "text": t} for n, t in enumerate(texts)]
        text = "".join(json.dumps(seed) + "\n" for seed in seeds)
        (tmp_path / name / "seeds.jsonl").write_text(text, encoding="utf-8")
        made = prepare(load_job(tmp_path / name / "job.yaml"))
        plans.append([made.planner.record(n, 0) for n in range(60)])
        assert {seed.data["text"] for seed in made.seeds.by_id.values()} == {text.strip() for text in texts}
    assert [record.fields for record in plans[0]] == [record.fields for record in plans[1]]


def test_a_text_that_ends_in_brackets_takes_no_time() -> None:
    """Counting sentences took the square of their number."""
    begun = time.perf_counter()
    assert sentence_pattern(["A text of more than five words." + ")" * 10_000] * 5)
    assert time.perf_counter() - begun < 1


NAMES = [
    "{{ 7 * 7 }}", "a: b # c", "<script>x</script>", "<|im_end|>", "*x", "!!python/none", "\"q\" 'r' \\", "[bold]b[/]",
    "=1+1", "tab\tand\nline", "__class__", "items", "\u202eback", "no", "'; drop --", "\x1b[31m", "../up", "$ref",
]  # fmt: skip


def test_init_writes_a_job_that_loads_whatever_the_seeds_and_columns_are(shell: Shell, tmp_path: Path) -> None:
    mine = [{name: WRITTEN[(n + at) % len(WRITTEN)] for at, name in enumerate(NAMES)} for n in range(60)]
    calm = [{"text": text, "topic": TOPICS[n % 4], "size": n} for n, text in enumerate(WRITTEN)]
    few = [{"text": WRITTEN[n % 5], "topic": TOPICS[n % 4], "other": WRITTEN[n % 7]} for n in range(60)]
    for kind, seeds in (("columns", mine), ("texts", calm), ("choices", few)):
        path = tmp_path / f"{kind} {{{{ x }}}} # [y].jsonl"
        path.write_text("".join(json.dumps(seed) + "\n" for seed in seeds), encoding="utf-8")
        made = shell("init", "--seeds", path, tmp_path / kind)
        assert made.code == 0
        job = load_job(tmp_path / kind / "job.yaml")
        schema = json.loads((tmp_path / kind / "record.json").read_text(encoding="utf-8"))
        assert set(schema["properties"]) <= set(seeds[0]) and set(job.fields) == set(schema["properties"])
        said = shell("check", tmp_path / kind / "job.yaml")
        assert said.code == 0 or said.err.count("\n") < 20
        unseen(said.out + said.err)


# a whole run


def unseen(said: str) -> None:
    """Nothing in it that a terminal obeys, and nothing that turns the direction of a line."""
    found = {c for c in said if unicodedata.category(c) in CHARACTERS - {"\n"} and c not in "\n\t"}
    assert not found and not re.search("[\u202a-\u202e\u2066-\u2069\u200b\u2060\ufeff\U000e0000-\U000e007f]", said)


def answering(texts: Sequence[str]) -> ScriptedEngine:
    """A model that writes each text once, in order of the records, as a chat model might: every third in a fence."""

    def answer(request: Request) -> str:
        number = int(request.id.split("-")[0][1:])
        text = json.dumps({"text": texts[number % len(texts)]}, ensure_ascii=number % 2 == 0)
        return f"Here it is:\n```json\n{text}\n```\n" if number % 3 == 0 else text

    return ScriptedEngine(answer)


SCHEMA = {
    "type": "object",
    "properties": {"topic": {"type": "string"}, "text": {"type": "string"}},
    "required": ["topic", "text"],
}


def hostile_run(folder: Path, texts: Sequence[str], gates: Sequence[Any] = ()) -> Path:
    """A run whose seeds and answers are these texts; without gates also its sampled topics and its attributes."""
    rule = {"properties": {"topic": {"not": {"enum": [texts[0], texts[4]]}}}}
    tiny_job(
        folder,
        fields={"topic": {"source": "sampled", "values": list(TOPICS if gates else texts)}},
        attributes={"tone": ["dry", "warm"] if gates else list(texts)[:20]},
        plan={"target": 107, "max_requests": len(texts)},
        filters=[{"type": "schema"}, *(gates or [{"type": "rules", "rules": rule}])],
    )
    (folder / "tiny.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    seeds = [{"topic": TOPICS[n % 4], "text": text} for n, text in enumerate(texts)]
    (folder / "seeds.jsonl").write_text("".join(json.dumps(seed) + "\n" for seed in seeds), encoding="utf-8")
    run_job(load_job(folder / "job.yaml"), folder / "run", engine=answering(texts))
    return folder / "run"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_run(tmp_path_factory.mktemp("hostile"), WRITTEN)


def numbers_of(run: Path, state: str) -> dict[str, int]:
    with Store(run, write=False) as store:
        return {row["id"]: int(row["id"][1:]) for row in store.records(state)}


def test_a_run_keeps_hostile_answers_as_they_were_written(finished: Path) -> None:
    accepted, rejected = numbers_of(finished, "accepted"), numbers_of(finished, "rejected")
    assert len(accepted) == 107 and len(rejected) >= 2
    found = [json.loads(line) for line in (finished / "accepted.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [one["text"] for one in found] == [WRITTEN[number % len(WRITTEN)] for number in accepted.values()]
    assert len({one["topic"] for one in found}) > 20 and {one["topic"] for one in found} <= set(WRITTEN)
    lineage = [json.loads(line) for line in (finished / "lineage.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [one["id"] for one in lineage] == list(accepted)
    assert {one["attributes"]["tone"] for one in lineage} <= set(WRITTEN)
    rows = [json.loads(line) for line in (finished / "rejected.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {one["id"] for one in rows} >= set(rejected) and not any(
        "fields" in one for one in rows if one["reason"] != "surplus"
    )
    for name in ("manifest.json", "metrics.json"):
        json.loads((finished / name).read_text(encoding="utf-8"))
    for number in range(len(accepted)):
        with Store(finished, write=False) as store:
            assert store.completion(f"r{number:07}-0-0") is not None


def test_records_made_elsewhere_are_decided_as_they_stand(shell: Shell, finished: Path, tmp_path: Path) -> None:
    records = [{"topic": "boats", "text": text} for text in WRITTEN]
    (tmp_path / "made.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    said = shell("filter", tmp_path / "made.jsonl", "--job", finished.parent / "job.yaml", "--out", tmp_path / "out")
    assert said.code in (0, 1) and lines(tmp_path / "out/accepted.jsonl") == records
    unseen(said.out + said.err)


@pytest.mark.model
def test_gates_judge_hostile_texts_and_what_they_refuse_stands_nowhere(tmp_path: Path) -> None:
    """Every answer is a seed's text: what all gates leave of them, and which files hold what they refused."""
    gates = [{"type": "leakage", "alpha": 0.2}, {"type": "dedup"}, {"type": "diversity", "max_similarity": 0.95}]
    run = hostile_run(tmp_path, WRITTEN, gates)
    rejected = lines(run / "rejected.jsonl")
    reasons = Counter(line["reason"] for line in rejected)
    assert reasons["copied_span"] > 30 and not reasons["invalid_json"]
    passed = [line for line in rejected if line["filter"] in ("dedup", "diversity") or line["reason"] == "surplus"]
    kept = "".join(line["fields"]["text"] for line in passed)
    kept += "".join(line["text"] for line in lines(run / "accepted.jsonl"))
    held = {path.name: path.read_text(encoding="utf-8") for path in run.iterdir() if path.suffix != ".db"}
    for text in WRITTEN:
        for at in range(0, len(text) - 20, 10):
            part = text[at : at + 20]
            if part.isprintable() and part not in kept:
                quoted = (part, answer_text(part)[1:-1], html.escape(part))
                assert not [name for name, said in held.items() if any(one in said for one in quoted)], reasons


def test_exports_hold_hostile_texts_exactly(finished: Path, tmp_path: Path) -> None:
    import datasets
    import pandas
    import pyarrow.parquet

    there = [WRITTEN[number % len(WRITTEN)] for number in numbers_of(finished, "accepted").values()]
    with Store(finished, write=False) as store:
        for kind in ("jsonl", "csv", "parquet", "dataset"):
            export(store, kind, tmp_path / f"all.{kind}")
    assert [one["text"] for one in lines(tmp_path / "all.jsonl")] == there
    assert pyarrow.parquet.read_table(tmp_path / "all.parquet")["text"].to_pylist() == there
    assert datasets.load_from_disk(str(tmp_path / "all.dataset"))["text"][:] == there
    with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == there
    opened = pandas.read_csv(tmp_path / "all.csv", dtype=str, keep_default_na=False)
    assert list(opened["text"]) == there


class Page(HTMLParser):
    """The elements of a page with their attributes' names, in order, but those inside of charts; and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[Any] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not (self.elements and self.elements[-1][0] == "svg"):
            self.elements.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag == "svg" or self.elements[-1][0] != "svg":
            self.elements.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.elements.append("comment")


def test_a_report_of_hostile_texts_has_the_elements_of_any_other(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "SHOWN", len(WRITTEN))
    calm = hostile_run(tmp_path / "calm", [f"calm {number:03}" for number in range(len(WRITTEN))])
    pages = []
    for name, run in (("mine", finished), ("like", calm)):
        (tmp_path / name).mkdir()
        with Store(run, write=False) as store:
            pages.append(Page(report.write_report(store, tmp_path / name).read_text(encoding="utf-8")))
    mine, like = pages
    assert len(mine.elements) > 3000 and mine.elements == like.elements
    for number in numbers_of(finished, "accepted").values():
        assert WRITTEN[number].replace("\r\n", "\n").replace("\r", "\n") in mine.text.replace("\x00", "\x00")


def test_the_terminal_shows_control_characters_and_obeys_none(shell: Shell, finished: Path) -> None:
    shown = ""
    for record in [name for state in ("accepted", "rejected", "surplus") for name in numbers_of(finished, state)]:
        for more in ((), ("--with-seeds",)):
            said = shell("show", finished, record, *more)
            assert said.code == 0
            unseen(said.out + said.err)
            shown += said.out
    assert all(
        part in shown for part in ("[bold red]alarm[/bold red] [/]", ":warning:", r"\u001b[2J", r"\u202e", r"\x9b")
    )
    job = finished.parent / "job.yaml"
    said = shell("check", job)
    assert said.code == 0
    unseen(said.out + said.err)


def test_a_preview_shows_control_characters_too(shell: Shell, tmp_path: Path) -> None:
    tiny_job(tmp_path, fields={"topic": {"source": "sampled", "values": WRITTEN}}, plan={"target": 200})
    (tmp_path / "tiny.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    said = shell("preview", tmp_path / "job.yaml", "-n", "200")
    assert said.code == 0 and "[bold red]alarm[/bold red] [/]" in said.out
    unseen(said.out + said.err)


def test_a_fault_names_hostile_values_without_obeying_them(shell: Shell, tmp_path: Path) -> None:
    for name in NAMES:
        tiny_job(
            tmp_path, fields={name: {"source": "sampled"}}, seeds={"path": "seeds.jsonl", "columns": {"text": name}}
        )
        said = shell("check", tmp_path / "job.yaml")
        assert said.code == 2 and said.err
        unseen(said.out + said.err)


def test_faults_of_hostile_seeds_do_not_repeat_them(shell: Shell, tmp_path: Path) -> None:
    tiny_job(tmp_path)
    good = {"topic": "boats", "color": "red", "size": 3}
    for text in TEXTS:
        parts = [text[at : at + 16] for at in range(min(len(text) - 15, 200))]
        for content in (
            text + "\n",
            json.dumps({**good, "text": [text], "color": text}) + "\n",
            json.dumps({text: text}) + "\n",
        ):
            (tmp_path / "seeds.jsonl").write_text(content, encoding="utf-8", errors="surrogatepass")
            said = shell("check", tmp_path / "job.yaml")
            unseen(said.out + said.err)
            assert not [part for part in parts if part.strip() and part in said.err], said.err


def test_an_answer_may_hold_all_that_wraps_answers(finished: Path) -> None:
    for text in WHOLE:
        body = json.dumps({"text": text}, ensure_ascii=False)
        for whole in (
            body,
            f"```json\n{body}\n```",
            f"Here it is: {body}",
            f"<think>\nso {{x}}\n</think>\n{body}",
            f"{body}\nDone.",
        ):
            assert parse_fields(whole) == {"text": text}, whole[:80]
    for text in set(TEXTS) - set(WHOLE):
        with pytest.raises(ParseError, match="half a surrogate pair"):
            parse_fields(json.dumps({"text": text}))


def test_a_job_may_write_characters_as_json_does() -> None:
    assert load_yaml(json.dumps({"a": WRITTEN}), "job.yaml") == {"a": WRITTEN}
    with pytest.raises(InputError, match=r"job\.yaml: not valid YAML"):
        load_yaml('a: "half \\ud83d of a pair"', "job.yaml")
