from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.encoders import BagOfWords
from tests.jobs import PROMPT, SCHEMA, SEEDS, Noting, Refusing, Shuffled, contents, lines, tiny_job
from textsynth import InputError, Progress, run_job
from textsynth.engines.scripted import ScriptedEngine
from textsynth.outputs.store import Store
from textsynth.prepare import prepare
from textsynth.records import Completion, Request

RETRY_2 = [{"prompt": "./tiny.j2", "few_shot": 2, "retry": 2}]
NO_RETRY = [{"prompt": "./tiny.j2", "few_shot": 2, "retry": 0}]


class Unopened(ScriptedEngine):
    def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
        raise AssertionError("the engine was opened")


def text_of_number(request: Request) -> str:
    return json.dumps({"text": f"Text number {request.id.split('-')[0]}."})


def counts(run: Path) -> dict[str, int]:
    with sqlite3.connect(run / "run.db") as db:
        found: dict[str, int] = dict(db.execute("SELECT state, COUNT(*) FROM records GROUP BY state"))
        found["planned"] = db.execute("SELECT SUM(planned) FROM rounds").fetchone()[0]
    db.close()
    return found


def test_the_target_is_reached_exactly_and_surplus_is_kept(tmp_path: Path) -> None:
    result = run_job(tiny_job(tmp_path), tmp_path / "run", engine=ScriptedEngine(text_of_number))
    assert result.done and result.accepted == result.target == 20 and not result.shortfall
    accepted = lines(tmp_path / "run/accepted.jsonl")
    assert len(accepted) == 20
    for fields in accepted:
        jsonschema.validate(fields, SCHEMA)
    found = counts(tmp_path / "run")
    assert found["accepted"] == 20 and found["surplus"] > 0
    assert found["accepted"] + found.get("rejected", 0) + found["surplus"] == found["planned"]
    left = Counter(row["reason"] for row in lines(tmp_path / "run/rejected.jsonl"))
    assert left == Counter(result.counts) == {"surplus": found["surplus"]}


def test_counts_add_up_where_much_is_refused(tmp_path: Path) -> None:
    job = tiny_job(tmp_path, steps=NO_RETRY, engine={"type": "scripted", "options": {"broken": 0.4}})
    result = run_job(job, tmp_path / "run", filters=[Refusing("r0000003", "r0000011")])
    found = counts(tmp_path / "run")
    assert found["accepted"] == 20
    assert found["accepted"] + sum(result.counts.values()) == found["planned"]
    assert result.counts["invalid_json"] > 3 and result.counts["unwanted"] > 0


def test_every_accepted_record_has_its_lineage_in_the_same_order(tmp_path: Path) -> None:
    run_job(tiny_job(tmp_path, attributes={"tone": ["dry", "warm"]}), tmp_path / "run")
    accepted, lineage = lines(tmp_path / "run/accepted.jsonl"), lines(tmp_path / "run/lineage.jsonl")
    assert len(accepted) == len(lineage) == 20
    by_id = {f"s{n + 1:06d}": seed for n, seed in enumerate(SEEDS)} | {f"s{n:06d}": s for n, s in enumerate(SEEDS)}
    assert all(seed in by_id for row in lineage for seed in row["seed_ids"])
    assert [row["id"] for row in lineage] == sorted(row["id"] for row in lineage)
    assert all(len(row["seed_ids"]) == 2 and row["steps"][0]["engine"]["type"] == "scripted" for row in lineage)
    assert {row["attributes"]["tone"] for row in lineage} == {"dry", "warm"}
    assert all(row["scores"].keys() == {"schema", "dedup"} for row in lineage)


@pytest.mark.parametrize(("width", "seed"), [(1, 1), (3, 2), (50, 3)])
def test_a_run_does_not_depend_on_the_engines_timing_width_or_order(tmp_path: Path, width: int, seed: int) -> None:
    plan = {"target": 30, "max_requests": 200}
    same = {"steps": RETRY_2, "plan": plan, "fields": {"topic": {"source": "sampled"}}}
    run_job(tiny_job(tmp_path / "a", **same), tmp_path / "a/run", engine=ScriptedEngine(_often_wrong))
    run_job(tiny_job(tmp_path / "b", **same), tmp_path / "b/run", engine=Shuffled(width, seed, answer=_often_wrong))
    assert contents(tmp_path / "a/run") == contents(tmp_path / "b/run")
    assert len(lines(tmp_path / "a/run/rejected.jsonl")) > 5


def _often_wrong(request: Request) -> str:
    """By request: not JSON, not by the schema, a twin of others, or good."""
    kind = request.rng_seed % 5
    if kind > 2:
        return "no JSON"
    color = ("red", "blue", "pink")[request.rng_seed % 3]
    text = "All the same." if kind == 1 else f"Text {request.rng_seed}."
    return json.dumps({"color": color, "size": request.rng_seed % 9 + 1, "text": text})


def test_of_twins_in_one_round_the_first_passes(tmp_path: Path) -> None:
    fields = {name: {"source": "sampled", "values": [SEEDS[0][name]]} for name in ("topic", "color", "size")}
    job = tiny_job(tmp_path, fields=fields, plan={"target": 5, "max_requests": 16})
    result = run_job(job, tmp_path / "run", engine=ScriptedEngine(lambda request: '{"text": "Always this."}'))
    assert result.accepted == 1
    assert [row["id"] for row in lines(tmp_path / "run/lineage.jsonl")] == ["r0000000"]
    refused = lines(tmp_path / "run/rejected.jsonl")
    assert {(row["reason"], row["neighbor_id"]) for row in refused} == {("exact_duplicate", "r0000000")}


def test_a_record_that_a_later_filter_refuses_blocks_no_other(tmp_path: Path) -> None:
    fields = {name: {"source": "sampled", "values": [SEEDS[0][name]]} for name in ("topic", "color", "size")}
    job = tiny_job(tmp_path, fields=fields, plan={"target": 5, "max_requests": 16})
    mine = Refusing("r0000000", "r0000001")
    run_job(job, tmp_path / "run", filters=[mine], engine=ScriptedEngine(lambda request: '{"text": "Always this."}'))
    assert [row["id"] for row in lines(tmp_path / "run/lineage.jsonl")] == ["r0000002"]
    assert mine.remembered == ["r0000002"]


def test_a_filter_of_the_callers_own_decides_and_leaves_evidence(tmp_path: Path) -> None:
    mine = Refusing("r0000004")
    result = run_job(tiny_job(tmp_path), tmp_path / "run", filters=[mine])
    assert result.counts["unwanted"] == 1
    assert mine.prepared >= 20 and "r0000004" not in mine.remembered
    refused = [row for row in lines(tmp_path / "run/rejected.jsonl") if row["reason"] == "unwanted"]
    assert [(row["id"], row["filter"]) for row in refused] == [("r0000004", "mine")]


def test_an_object_without_the_filter_methods_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="str has no name. Give it the Filter methods"):
        run_job(tiny_job(tmp_path), tmp_path / "run", filters=["dedup"])  # type: ignore[list-item]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("most", [1, 2, 7, 20, 33, 60])
@pytest.mark.parametrize("broken", [0.5, 1.0])
def test_max_requests_is_never_passed_with_every_retry(tmp_path: Path, most: int, broken: float) -> None:
    engine = Noting(broken=broken)
    job = tiny_job(tmp_path, steps=RETRY_2, plan={"max_requests": most})
    result = run_job(job, tmp_path / "run", engine=engine)
    assert len(engine.asked) <= most
    assert len({request.id for request in engine.asked}) == len(engine.asked)
    assert result.done == (result.accepted == 20)
    assert len(engine.asked) > most - 24  # and it is used


def test_an_invalid_answer_is_shown_its_error_and_asked_again(tmp_path: Path) -> None:
    engine = Noting(lambda r: '{"text": 5}' if r.id.endswith("-0") else text_of_number(r))
    result = run_job(tiny_job(tmp_path), tmp_path / "run", engine=engine)
    assert result.done
    first, again = (next(r for r in engine.asked if r.id == f"r0000002-0-{attempt}") for attempt in (0, 1))
    assert again.messages[: len(first.messages)] == first.messages
    assert [m["role"] for m in again.messages[-2:]] == ["assistant", "user"]
    assert again.messages[-2]["content"] == '{"text": 5}'
    assert "not valid" in again.messages[-1]["content"] and "text" in again.messages[-1]["content"]
    assert again.rng_seed != first.rng_seed
    steps = lines(tmp_path / "run/lineage.jsonl")[0]["steps"]
    assert [step["request_id"][-1] for step in steps] == ["0", "1"] and "error" in steps[0] and "error" not in steps[1]


def test_an_answer_that_stays_invalid_is_refused_by_its_kind(tmp_path: Path) -> None:
    def answer(request: Request) -> str:
        return ("no JSON here", '{"text": 5}', '{"text": "a"} {"text": "b"}')[int(request.id[5:8]) % 3]

    job = tiny_job(tmp_path, plan={"target": 4, "max_requests": 18})
    result = run_job(job, tmp_path / "run", engine=ScriptedEngine(answer))
    assert not result.done and result.accepted == 0
    assert dict(result.counts) == {"invalid_json": 6, "schema_mismatch": 3}
    assert result.shortfall == [
        "0 of 4 records were accepted, from 9 completed with 18 requests "
        "(refused: 6 invalid_json, 3 schema_mismatch). Raise plan.max_requests and run again to go on."
    ]
    refused = lines(tmp_path / "run/rejected.jsonl")
    assert {row["filter"] for row in refused if row["reason"] == "invalid_json"} == {"parse"}
    assert json.loads((tmp_path / "run/manifest.json").read_text())["status"] == "short"


def test_a_truncated_answer_is_not_asked_again(tmp_path: Path) -> None:
    class Cut(Noting):
        def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
            for done in super().generate(feed):
                yield Completion(done.request_id, done.text[:12], "length", 3, 4)

    engine = Cut()
    result = run_job(tiny_job(tmp_path, plan={"target": 3, "max_requests": 6}), tmp_path / "run", engine=engine)
    assert set(result.counts) == {"truncated"}
    assert all(request.id.endswith("-0-0") for request in engine.asked)


def test_what_the_engine_says_is_counted_over_all_sittings(tmp_path: Path) -> None:
    class Talking(Noting):
        def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
            for done in super().generate(feed):
                self.said["seeds are not kept: <b>."] += 1
                yield done

    out, seen, engines = tmp_path / "run", [], (Talking(), Talking())
    for target, engine in zip((5, 20), engines, strict=True):
        job = tiny_job(tmp_path, plan={"target": target})
        run_job(job, out, engine=engine, on_progress=lambda progress: seen.append(dict(progress.said)))
    count = sum(len(engine.asked) for engine in engines)
    assert seen[-1] == {"seeds are not kept: <b>.": count} and all(engine.asked for engine in engines)
    assert json.loads((out / "manifest.json").read_text())["said"] == seen[-1]
    assert f"seeds are not kept: &lt;b&gt;. ({count} times)" in (out / "report.html").read_text()


def test_steps_write_working_fields_that_later_steps_and_rules_see(tmp_path: Path) -> None:
    score = {"type": "integer", "minimum": 1, "maximum": 5}
    steps = [
        {"prompt": "./tiny.j2", "few_shot": 2, "writes": ["text"]},
        {"prompt": "./tiny.j2", "writes": {"score": score}, "sampling": {"temperature": 0.0}},
    ]

    def answer(request: Request) -> str:
        return text_of_number(request) if request.step == 0 else json.dumps({"score": request.rng_seed % 5 + 1})

    engine = Noting(answer)
    good = {"type": "rules", "rules": {"properties": {"score": {"minimum": 4}}}}
    job = tiny_job(tmp_path, steps=steps, filters=[{"type": "schema"}, good], plan={"max_requests": 400})
    result = run_job(job, tmp_path / "run", engine=engine)
    assert result.done and result.counts["rule_failed"] > 3
    assert all("score" not in fields for fields in lines(tmp_path / "run/accepted.jsonl"))
    lineage = lines(tmp_path / "run/lineage.jsonl")
    assert {row["working"]["score"] for row in lineage} == {4, 5}
    judging = [request for request in engine.asked if request.step == 1]
    assert all("text: Text number" in request.messages[-1]["content"] for request in judging)
    assert {request.sampling["temperature"] for request in judging} == {0.0}
    assert {len(request.messages) for request in judging} == {2}  # no seed has a score to show


def test_one_step_may_write_a_field_and_a_working_field(tmp_path: Path) -> None:
    writes = {"text": None, "thought": {"type": "string", "maxLength": 40}}
    job = tiny_job(tmp_path, steps=[{"prompt": "./tiny.j2", "few_shot": 2, "writes": writes}])
    engine = Noting()
    result = run_job(job, tmp_path / "run", engine=engine)
    assert result.done
    assert all(fields.keys() == SCHEMA["properties"].keys() for fields in lines(tmp_path / "run/accepted.jsonl"))
    assert all(row["working"]["thought"] for row in lines(tmp_path / "run/lineage.jsonl"))
    assert set(engine.asked[0].schema["properties"]) == {"text", "thought"}  # type: ignore[index]
    assert not any(request.seed_ids for request in engine.asked)  # no seed has a thought to show


def test_a_bad_working_field_is_a_schema_mismatch(tmp_path: Path) -> None:
    steps = [{"prompt": "./tiny.j2", "writes": {"text": None, "score": {"type": "integer"}}, "retry": 0}]
    engine = ScriptedEngine(lambda request: '{"text": "Good.", "score": "high"}')
    job = tiny_job(tmp_path, steps=steps, plan={"target": 2, "max_requests": 4})
    assert set(run_job(job, tmp_path / "run", engine=engine).counts) == {"schema_mismatch"}


def test_fields_without_a_written_one_open_no_engine(tmp_path: Path) -> None:
    fields = {name: {"source": "sampled"} for name in ("topic", "color", "size")} | {"text": {"source": "copied"}}
    job = tiny_job(tmp_path, fields=fields, steps=[], filters=[{"type": "schema"}])
    result = run_job(job, tmp_path / "run", engine=Unopened())
    assert result.done
    made = lines(tmp_path / "run/accepted.jsonl")
    assert {fields["text"] for fields in made} <= {seed["text"] for seed in SEEDS}
    assert json.loads((tmp_path / "run/manifest.json").read_text())["engines"] == []


def test_copied_fields_come_from_one_row_and_are_labelled(tmp_path: Path) -> None:
    fields = {"topic": {"source": "copied"}, "color": {"source": "copied"}, "size": {"source": "sampled"}}
    run_job(tiny_job(tmp_path, fields=fields), tmp_path / "run")
    rows = {(seed["topic"], seed["color"], seed["size"]) for seed in SEEDS}
    made = [(r["topic"], r["color"], r["size"]) for r in lines(tmp_path / "run/accepted.jsonl")]
    assert {row[:2] for row in made} <= {row[:2] for row in rows}
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    assert [name for name, source in manifest["sources"].items() if source == "copied"] == ["topic", "color"]


def tally(folder: Path, **changes: Any) -> list[dict[str, Any]]:
    """300 records of a job that writes nothing."""
    base = {name: {"source": "sampled"} for name in ("topic", "color", "size")} | {"text": {"source": "copied"}}
    changes["fields"] = {**base, **changes.get("fields", {})}
    plan = {"target": 300, "round": 64}
    run_job(tiny_job(folder, steps=[], filters=[{"type": "schema"}], plan=plan, **changes), folder / "run")
    return lines(folder / "run/accepted.jsonl")


def test_listed_values_are_drawn_by_their_weights(tmp_path: Path) -> None:
    color = {"source": "sampled", "values": {"red": 3, "blue": 1}}
    made = Counter(row["color"] for row in tally(tmp_path, fields={"color": color}))
    assert made.keys() == {"red", "blue"}
    assert 0.68 < made["red"] / 300 < 0.82  # five standard errors about 3/4 are 0.125


def test_fields_together_come_from_one_row_and_others_do_not(tmp_path: Path) -> None:
    real = {(seed["topic"], seed["color"], seed["size"]) for seed in SEEDS}
    together = tally(tmp_path / "a", together=[["topic", "color", "size"]])
    apart = tally(tmp_path / "b")
    assert {(row["topic"], row["color"], row["size"]) for row in together} <= real
    assert {(row["topic"], row["color"], row["size"]) for row in apart} - real


def test_attributes_steer_the_prompt_and_are_no_part_of_the_record(tmp_path: Path) -> None:
    engine = Noting()
    job = tiny_job(tmp_path, attributes={"tone": {"dry": 0.5, "warm": 0.5}})
    run_job(job, tmp_path / "run", engine=engine)
    for request in engine.asked:
        tone = request.attributes["tone"]
        assert f"tone={tone}" in request.messages[-1]["content"]
        assert not any("tone=" in message["content"] for message in request.messages[:-1])  # examples have none
    assert all("tone" not in fields for fields in lines(tmp_path / "run/accepted.jsonl"))


@pytest.fixture
def bag_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textsynth.pipeline.TextEncoder", BagOfWords)


DIVERSITY = [{"type": "schema"}, {"type": "diversity", "max_similarity": 0.999}]


@pytest.mark.usefixtures("bag_of_words")
def test_a_steered_run_shows_what_its_aims_say_and_covers_the_seeds_sooner(tmp_path: Path) -> None:
    seen = {}
    for steer in (True, False):
        engine = Noting()
        job = tiny_job(tmp_path / f"{steer}", filters=DIVERSITY, plan={"target": 30, "steer": steer})
        run_job(job, tmp_path / f"{steer}/run", engine=engine)
        asked = [str(SEEDS[int(i[1:]) - 1]["text"]) for request in engine.asked[:24] for i in request.seed_ids]
        rows = BagOfWords().encode(asked)
        seen[steer] = float((rows @ rows.T).mean())
        with Store(tmp_path / f"{steer}/run", write=False) as store:
            rounds = store.rounds()
        assert all((row["aim"] is not None) is steer for row in rounds)
        assert sum(row["gave"]["judged"] for row in rounds) >= 30
        for request in engine.asked if steer else []:
            aim = rounds[request.round]["aim"]
            at = (int(request.id.split("-")[0][1:]) - aim["first"]) // aim["block"]
            assert list(request.seed_ids) == aim["shown"][at]
    assert seen[True] < seen[False]  # the seeds shown are less alike


@pytest.mark.usefixtures("bag_of_words")
def test_saturation_is_said_and_answered_within_the_limits_of_the_job(tmp_path: Path) -> None:
    def same_again(request: Request) -> str:
        number = int(request.id.split("-")[0][1:])
        new, old = f"Here w{number} is v{number} news u{number}.", f"{6 * 'same '}n{number}."
        return json.dumps({"text": new if number < 24 else old})

    engine, said = Noting(same_again), Counter[str]()
    job = tiny_job(
        tmp_path,
        filters=DIVERSITY,
        plan={"target": 160, "round": 12, "max_temperature": 1.0},
        steps=[{"prompt": "./tiny.j2", "few_shot": 2, "sampling": {"temperature": 0.4}}],
    )
    run_job(job, tmp_path / "run", engine=engine, on_progress=lambda p: said.update(p.said.keys()))
    with Store(tmp_path / "run", write=False) as store:
        rounds = store.rounds()
    answers = [len(row["aim"]["answers"]) for row in rounds]
    assert answers[:4] == [0, 0, 0, 0] and max(answers) >= 3 and answers == sorted(answers)
    heat = {request.round: request.sampling["temperature"] for request in engine.asked}
    assert heat[0] == 0.4 and 0.4 < max(heat.values()) <= 1.0
    assert rounds[-1]["aim"]["block"] == 1
    assert sum("saturation: " in sentence for sentence in said) >= 3
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    assert any("from round 5 on" in sentence for sentence in manifest["said"])


def test_attributes_keep_their_shares_in_any_run_of_records(tmp_path: Path) -> None:
    planner = prepare(tiny_job(tmp_path, attributes={"tone": {"dry": 3, "warm": 1}, "length": ["a", "b", "c"]})).planner
    made = [tuple(planner.record(number, 0).attributes.values()) for number in range(100, 160)]
    assert abs(Counter(tone for tone, _ in made)["dry"] - 45) <= 2
    assert all(abs(count - 20) <= 2 for count in Counter(length for _, length in made).values())
    assert len(set(made)) == 6 and max(abs(Counter(made)["dry", c] - 15) for c in "abc") <= 3


def test_holdout_seeds_are_never_shown_or_drawn_from(tmp_path: Path) -> None:
    engine = Noting()
    run_job(tiny_job(tmp_path, plan={"target": 60}), tmp_path / "run", engine=engine)
    shown = {text for request in engine.asked for m in request.messages for text in [m["content"]]}
    seen = [seed for seed in SEEDS if any(seed["text"] in text for text in shown)]
    assert 10 < len(seen) <= 18  # a quarter of 24 is held out


def test_a_block_of_records_shares_its_examples_and_the_facts_come_last(tmp_path: Path) -> None:
    engine = Noting()
    run_job(tiny_job(tmp_path), tmp_path / "run", engine=engine)
    by_number = {int(request.id[1:8]): request for request in engine.asked}
    for number in range(16):
        assert by_number[number].messages[:-1] == by_number[number - number % 4].messages[:-1]
    assert by_number[0].messages[:-1] != by_number[4].messages[:-1]
    assert [m["role"] for m in by_number[0].messages] == ["system", "user", "assistant", "user", "assistant", "user"]


def test_sampled_fields_are_filled_in_and_never_asked(tmp_path: Path) -> None:
    engine = Noting()
    run_job(tiny_job(tmp_path), tmp_path / "run", engine=engine)
    assert {tuple(request.schema["properties"]) for request in engine.asked} == {("text",)}  # type: ignore[index]
    examples = [json.loads(request.messages[2]["content"]) for request in engine.asked]
    assert all(example.keys() == {"text"} for example in examples)


def test_a_second_round_is_asked_before_the_first_is_done(tmp_path: Path) -> None:
    class Slow(Noting):
        def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
            held = [next(feed) for _ in range(16)]  # two rounds of 8: the feed would block if only one was open
            self.asked += [request for request in held if request]
            yield from ScriptedEngine.generate(self, iter(held))
            yield from super().generate(feed)

    engine = Slow()
    assert run_job(tiny_job(tmp_path), tmp_path / "run", engine=engine).done
    assert {request.round for request in engine.asked[:16]} == {0, 1}


def test_progress_is_told_and_ends_at_the_target(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def note(progress: Progress) -> None:
        seen.append((progress.accepted, progress.completed))

    run_job(tiny_job(tmp_path), tmp_path / "run", on_progress=note)
    assert seen[-1][0] == 20 and seen == sorted(seen)


def test_no_file_but_the_database_holds_seed_text(tmp_path: Path) -> None:
    job = tiny_job(tmp_path, engine={"type": "scripted", "options": {"broken": 0.3}})
    run_job(job, tmp_path / "run")
    texts = [seed["text"] for seed in SEEDS]
    for file in (tmp_path / "run").iterdir():
        if file.name != "run.db":
            assert not any(text in file.read_text(encoding="utf-8") for text in texts), file.name
    assert (tmp_path / "run/run.db").stat().st_mode & 0o777 == 0o600


def test_a_prompt_that_asks_for_what_is_not_there_is_a_fault_before_anything_is_written(tmp_path: Path) -> None:
    job = tiny_job(tmp_path)
    (tmp_path / "tiny.j2").write_text(PROMPT.replace("fields.items()", "fields.mood.items()"), encoding="utf-8")
    with pytest.raises(InputError, match=r"tiny\.j2: there is no 'mood'.*Known here: fields\.topic"):
        run_job(job, tmp_path / "run")
    assert not (tmp_path / "run").exists()
