"""A stranger's data becomes a job that loads, fits every one of its rows and asks for nothing that it cannot give."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textsynth.errors import InputError
from textsynth.filters.leakage import smallest_alpha
from textsynth.inputs import starter
from textsynth.inputs.budget import token_bound
from textsynth.inputs.plan import plan_for
from textsynth.inputs.prompts import load_prompt
from textsynth.inputs.schemas import load_schema, property_schemas, required, sub_schema
from textsynth.inputs.seeds import SeedSet, load_seeds
from textsynth.inputs.starter import copy_recipe, recipe_names, start_from_seeds
from textsynth.inputs.tighten import tighten
from textsynth.job import Job, load_job
from textsynth.job_filters import LeakageSpec
from textsynth.prepare import prepare

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
SMALLEST_CONTEXT = 8192

FACTS = {
    "Cardiology": ["chest pain", "palpitations", "swollen ankles"],
    "Urology": ["flank pain", "blood in urine", "weak stream"],
    "Neurology": ["headache", "numb hand", "seizure"],
}


def notes(count: int, length: int = 12) -> list[dict[str, Any]]:
    """Clinic rows: an id, a constant, an age, two categories that belong together, and a note."""
    rng = random.Random(3)
    rows = []
    for number in range(count):
        specialty = rng.choice(list(FACTS))
        complaint = rng.choice(FACTS[specialty])
        words = " ".join(rng.choices(["was", "seen", "today", "with", "mild", "slow", "better", "asked"], k=length))
        rows.append({
            "record_id": 5000 + 7 * number, "site": "north", "age": rng.randrange(20, 90), "specialty": specialty,
            "complaint": complaint, "note": f"Patient {number} has {complaint}. It {words} and will return.",
        })  # fmt: skip
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def started(tmp_path: Path, rows: list[dict[str, Any]], name: str = "seeds.jsonl") -> Job:
    folder = tmp_path / "job"
    start_from_seeds(write(tmp_path / name, rows), folder)
    return load_job(folder / "job.yaml")


def sources(job: Job) -> dict[str, str]:
    return {name: spec.source for name, spec in job.fields.items()}


def alpha_of(job: Job) -> float | None:
    return next((spec.alpha for spec in job.filters if isinstance(spec, LeakageSpec)), None)


def seeds_of(job: Job) -> SeedSet:
    """The seeds as a run loads them."""
    schema = load_schema(job.record_schema, job.path)
    properties = property_schemas(schema)
    drawn = [name for name, spec in job.fields.items() if spec.source == "sampled" and name in required(schema)]
    text = [name for name, one in properties.items() if one.get("type") == "string"]
    return load_seeds(job, list(properties), drawn, text)


def assert_ready(job: Job) -> None:
    """The job can be planned, its schema fits every seed, its alpha is resolved and its prompt fits a small model."""
    schema = load_schema(job.record_schema, job.path)
    seeds = seeds_of(job)
    check = jsonschema.Draft202012Validator(schema)
    assert all(check.is_valid(dict(seed.data)) for seed in seeds.by_id.values())
    plan_for(job, schema, property_schemas(schema), seeds)
    if (alpha := alpha_of(job)) is not None:
        assert alpha >= smallest_alpha(
            len(seeds.one_a_cluster(seeds.holdout)), len({seeds.cluster[seed.id] for seed in seeds.shown})
        )
    written = [name for name in property_schemas(schema) if sources(job)[name] == "written"]
    given_names = [name for name in property_schemas(schema) if sources(job)[name] == "sampled"]
    assert bool(job.steps) == bool(written)
    for step in job.steps:
        examples = [seed for seed in seeds.shown if all(name in seed.data for name in written)][: step.few_shot]
        assert len(examples) == step.few_shot
        prompt = load_prompt(step.prompt, job.path, "steps[0].prompt", given_names, written, [])
        text = "".join(message["content"] for message in prompt.messages({}, {}, examples))
        data = [dict(seed.data) for seed in seeds.by_id.values()]
        limit, _ = token_bound(tighten(sub_schema(schema, written, {}), data))
        assert limit + len(text.encode()) / 3 < SMALLEST_CONTEXT


@pytest.mark.parametrize("name", ["seeds.jsonl", "seeds.csv"])
def test_each_column_gets_the_source_that_fits_it(tmp_path: Path, name: str) -> None:
    job = started(tmp_path, notes(120), name)
    assert sources(job) == {"age": "sampled", "specialty": "sampled", "complaint": "sampled", "note": "written"}
    assert [sorted(group) for group in job.together] == [["age", "complaint", "specialty"]]
    text = job.path.read_text()
    assert "record_id: it looks like an id" in text and "site: every row has the same value" in text
    assert load_schema(job.record_schema, job.path)["properties"]["age"]["type"] == "integer"
    assert_ready(job)


def test_the_files_are_the_job_its_schemas_and_the_prompt_and_never_the_seeds(tmp_path: Path) -> None:
    files = start_from_seeds(write(tmp_path / "seeds.jsonl", notes(30)), tmp_path / "job")
    assert sorted(files) == sorted((tmp_path / "job").iterdir())
    assert {"job.yaml", "record.json", "prompt.j2"} <= {file.name for file in files} <= {
        "job.yaml", "record.json", "prompt.j2", "job.schema.json",
    }  # fmt: skip
    job_text = (tmp_path / "job" / "job.yaml").read_text()
    assert job_text.startswith("# yaml-language-server: $schema=job.schema.json\n")
    assert all("will return" not in file.read_text() for file in files)


def test_the_job_points_to_the_seeds_from_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    write(tmp_path / "a" / "seeds.jsonl", notes(30))
    monkeypatch.chdir(tmp_path / "a" / "b")
    start_from_seeds("../seeds.jsonl", Path("jobs/one"))
    monkeypatch.chdir(tmp_path)
    job = load_job("a/b/jobs/one/job.yaml")
    assert job.seeds.path == "../../../seeds.jsonl"
    assert_ready(job)


@pytest.mark.parametrize(("count", "alpha"), [(1, None), (3, 0.5), (12, 0.2), (24, 0.1), (60, 0.05), (150, 0.05)])
def test_alpha_is_the_smallest_that_the_rows_resolve(tmp_path: Path, count: int, alpha: float | None) -> None:
    rows = [
        {"kind": ["a", "b", "c"][n % 3], "text": f"Words{n} that{n} differ{n} from{n} all{n} others{n} here{n}"}
        for n in range(count)
    ]
    job = started(tmp_path, rows)
    assert alpha_of(job) == alpha
    assert ("No leakage filter" in job.path.read_text()) == (alpha is None)
    assert_ready(job)


def test_repeats_do_not_count_as_rows_for_alpha(tmp_path: Path) -> None:
    rows = [{"text": f"The same long note about patient {n % 6} " + f"seen{n % 6} " * 9 + str(n)} for n in range(90)]
    job = started(tmp_path, rows)
    assert alpha_of(job) == 0.5
    assert_ready(job)


def test_long_texts_are_cut_and_short_ones_are_not(tmp_path: Path) -> None:
    rows = [{**row, "note": f"{row['note']} " * 40, "summary": row["note"]} for row in notes(60)]
    job = started(tmp_path, rows)
    assert job.seeds.cut == {"note": 600}
    assert_ready(job)


def test_many_long_texts_share_the_room(tmp_path: Path) -> None:
    rows = [{f"part {n}": f"{row['note']} " * 20 for n in range(4)} for row in notes(60)]
    job = started(tmp_path, rows)
    assert set(job.seeds.cut.values()) == {200}
    assert_ready(job)


def test_small_lists_are_written_and_large_ones_left_out(tmp_path: Path) -> None:
    rows = [{**row, "tags": [row["complaint"], "x"], "history": [row] * 9} for row in notes(40)]
    job = started(tmp_path, rows)
    assert sources(job)["tags"] == "written" and "history" not in job.fields
    assert "history: too large for a small model" in job.path.read_text()
    assert_ready(job)


def test_a_table_without_text_is_drawn_in_groups_and_asks_no_model(tmp_path: Path) -> None:
    rng = random.Random(1)
    rows = [{f"c{n}": rng.randrange(9) for n in range(7)} for _ in range(100)]
    job = started(tmp_path, rows, "seeds.csv")
    assert not job.steps and "engine:" not in job.path.read_text()
    assert not (job.path.parent / "prompt.j2").exists()
    assert len(job.together) == 3 and sorted(sum(job.together, [])) == sorted(job.fields)
    assert_ready(job)


@pytest.mark.parametrize(("columns", "groups"), [(2, 0), (3, 0), (4, 2), (5, 2), (6, 3)])
def test_no_group_of_a_table_is_a_whole_row(tmp_path: Path, columns: int, groups: int) -> None:
    rng = random.Random(1)
    rows = [{f"c{n}": rng.choice("xyz") for n in range(columns)} for _ in range(100)]
    job = started(tmp_path, rows, "seeds.csv")
    assert len(job.together) == groups
    assert_ready(job)


def test_the_only_column_is_written(tmp_path: Path) -> None:
    job = started(tmp_path, [{"score": 37 * n % 101} for n in range(60)])
    assert sources(job) == {"score": "written"}


def test_marks_for_missing_values_in_csv_are_found(tmp_path: Path) -> None:
    rows = [{**row, "age": "?" if n % 9 == 0 else row["age"]} for n, row in enumerate(notes(80))]
    job = started(tmp_path, rows, "seeds.csv")
    assert job.seeds.missing == ["", "?"]
    schema = load_schema(job.record_schema, job.path)
    assert schema["properties"]["age"]["type"] == "integer" and "age" not in schema["required"]
    assert_ready(job)


def test_rare_texts_are_left_out_so_that_examples_remain(tmp_path: Path) -> None:
    rows = [{**row, **({"remark": f"A remark that only {n} has, in words."} if n % 3 == 0 else {})}
            for n, row in enumerate(notes(60))]  # fmt: skip
    job = started(tmp_path, rows)
    assert "remark" not in job.fields and "note" in job.fields
    assert_ready(job)


def test_dates_are_no_ids(tmp_path: Path) -> None:
    rows = [{**row, "seen": f"2024-{1 + n // 28:02}-{1 + n % 28:02}"} for n, row in enumerate(notes(60))]
    job = started(tmp_path, rows)
    assert "seen" in job.fields
    assert_ready(job)


@pytest.mark.parametrize("column", ["url", "scan_file", "Patient ID", "uuid"])
def test_names_of_rows_are_left_out(tmp_path: Path, column: str) -> None:
    rows = [{**row, column: f"a/{n // 2}-x"} for n, row in enumerate(notes(60))]
    assert column not in started(tmp_path, rows).fields


def test_a_folder_of_texts_becomes_a_job(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    for n, row in enumerate(notes(50)):
        (tmp_path / "texts" / f"{n}.txt").write_text(row["note"])
    start_from_seeds(str(tmp_path / "texts"), tmp_path / "job")
    job = load_job(tmp_path / "job" / "job.yaml")
    assert sources(job) == {"text": "written"}
    assert_ready(job)


def test_of_a_large_file_a_sample_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter, "SAMPLE_ROWS", 200)
    rows = sorted(notes(2000), key=lambda row: str(row["specialty"]))
    job = started(tmp_path, rows)
    assert job.seeds.limit == 200
    assert "specialty" in job.fields  # constant in the first rows of the file
    assert_ready(job)


@settings(deadline=None, max_examples=25)
@given(
    names=st.lists(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda name: name.strip() == name),
        min_size=2, max_size=5, unique=True,
    ),
    count=st.integers(1, 30),
    data=st.data(),
)  # fmt: skip
def test_any_names_and_values_give_a_job_that_fits(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], count: int, data: st.DataObject
) -> None:
    value = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, 2.25, -7.1]) | st.sampled_from(
        ["no", "on", "1e3", "null", "007", "a: b", "# x", "many words in a text of some length", "'", '"', "é😀"]
    )  # fmt: skip
    rows = data.draw(st.lists(st.fixed_dictionaries({name: value for name in names}), min_size=count, max_size=count))
    folder = tmp_path_factory.mktemp("any")
    try:
        job = started(folder, rows)
    except InputError as error:
        assert "no column can be used" in str(error)
    else:
        assert_ready(job)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.jsonl", b"", r"init --seeds: a\.jsonl holds no rows"),
        ("a.csv", b"a,b\n", r"init --seeds: a\.csv holds no rows"),
        ("a.jsonl", b'{"a": 1}\nXanthippe\n', r"a\.jsonl line 2: not JSON"),
        ("a.csv", b"a,b\n1\n", r"a\.csv line 2: 1 cells"),
        ("a.jsonl", b'{"a": null}\n{"a": ""}\n', "no column can be used"),
        ("a.jsonl", b'{"x": 1}\n' * 9, "no column can be used .x: every row has the same value"),
        ("a.jsonl", b"".join(b'{"k%d": "Xanthippe"}\n' % n for n in range(30)), "can be used .k0: hardly any row"),
        ("a.jsonl", b'{" ": 1}\n{" ": 2}\n', "can be used . : it has no name"),
        ("a.txt", b"x", "unknown format"),
    ],
)
def test_data_that_cannot_be_used_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, name: str, data: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=says) as raised:
        start_from_seeds(str(tmp_path / name), tmp_path / "job")
    assert "Xanthippe" not in str(raised.value)
    assert not (tmp_path / "job").exists()


def test_a_missing_file_and_a_target_of_none_are_faults(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file or folder nowhere\.csv"):
        start_from_seeds("nowhere.csv", tmp_path / "job")
    with pytest.raises(InputError, match=r"plan\.target is 0"):
        start_from_seeds(write(tmp_path / "seeds.jsonl", notes(30)), tmp_path / "job", target=0)
    assert not (tmp_path / "job").exists()


def in_use(folder: Path, how: str) -> None:
    if how == "file":
        folder.write_text("x")
    elif how == "link":
        folder.symlink_to(folder.parent / "nowhere")
    else:
        folder.mkdir()
        (folder / "mine.txt").write_text("x")


@pytest.mark.parametrize("how", ["file", "link", "folder"])
def test_what_is_there_is_never_touched(tmp_path: Path, how: str) -> None:
    in_use(tmp_path / "job", how)
    for start in (lambda: copy_recipe(recipe_names()[0], tmp_path / "job"),
                  lambda: start_from_seeds("any.csv", tmp_path / "job")):  # fmt: skip
        with pytest.raises(InputError, match="Choose another folder"):
            start()
    assert sorted(p.name for p in tmp_path.rglob("*")) == (["job", "mine.txt"] if how == "folder" else ["job"])


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.name == "record.json":
            raise OSError(28, "No space left on device")
        return real(path, data)

    source = write(tmp_path / "seeds.jsonl", notes(30))
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="it cannot be written .No space left on device"):
        start_from_seeds(source, tmp_path / "job")
    assert os.listdir(tmp_path) == ["seeds.jsonl"]


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    assert len(copy_recipe(recipe_names()[0], tmp_path / "job")) >= 2


@pytest.mark.parametrize("name", ["clinical_note", "instruction"])
def test_a_copied_recipe_is_a_job_with_its_seeds(tmp_path: Path, name: str) -> None:
    assert name in recipe_names()
    files = copy_recipe(name, tmp_path / "new" / "job")
    assert {"job.yaml", "seeds.jsonl"} <= {file.name for file in files}
    assert sorted(files) == sorted((tmp_path / "new" / "job").iterdir())
    job = load_job(tmp_path / "new" / "job" / "job.yaml")
    assert len(seeds_of(job).by_id) >= 100


def test_an_unknown_recipe_names_the_nearest_and_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no recipe clinical_notes\. Did you mean clinical_note\? Recipes: chat, "):
        copy_recipe("clinical_notes", tmp_path / "job")
    with pytest.raises(InputError, match=r"no recipe \.\./recipes\. "):
        copy_recipe("../recipes", tmp_path / "job")
    assert not (tmp_path / "job").exists()


@pytest.mark.parametrize(
    "name",
    [
        "tabular/heart_cleveland.dev.csv", "tabular/german_credit.dev.csv",
        "instructions/self_instruct_seeds.dev.jsonl", "clinical/mts_dialog.dev.jsonl.gz",
        "clinical/mtsamples.dev.jsonl.gz", "clinical/aci_bench.dev.jsonl.gz",
        "clinical/synthea_patients.dev.jsonl.gz", "instructions/humaneval.dev.jsonl", "text/sms_spam.dev.jsonl.gz",
    ],
)  # fmt: skip
def test_real_data_becomes_a_job(tmp_path: Path, name: str) -> None:
    if not (DATA / name).is_file():
        pytest.skip(f"the development data has no {name} here")
    start_from_seeds(str(DATA / name), tmp_path / "job")
    job = load_job(tmp_path / "job" / "job.yaml")
    assert alpha_of(job) == 0.05
    assert_ready(job)


def test_gzipped_seeds_are_read_in_place(tmp_path: Path) -> None:
    data = "".join(json.dumps(row) + "\n" for row in notes(40)).encode()
    (tmp_path / "seeds.jsonl.gz").write_bytes(gzip.compress(data))
    start_from_seeds(str(tmp_path / "seeds.jsonl.gz"), tmp_path / "job")
    assert_ready(load_job(tmp_path / "job" / "job.yaml"))


def test_clinical_facts_are_drawn_dates_are_moved_and_the_note_must_agree(tmp_path: Path) -> None:
    problems = ("Gout", "Asthma", "Anemia")
    rows = [
        {
            "age": 40 + n % 9,
            "seen": f"2023-03-{1 + n:02d}",
            "problems": [{"name": problems[n % 3]}],
            "note": f"A {40 + n % 9}-year-old patient, seen on 2023-03-{1 + n:02d}, has {problems[n % 3]}.",
        }
        for n in range(28)
    ]
    (tmp_path / "notes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    start_from_seeds(str(tmp_path / "notes.jsonl"), tmp_path / "job")
    job = load_job(tmp_path / "job/job.yaml")
    assert {name: spec.source for name, spec in job.fields.items()} == {
        "age": "sampled", "problems": "sampled", "seen": "perturbed", "note": "written",
    }  # fmt: skip
    assert "consistency" in {spec.type for spec in job.filters}
    prepare(job, check_only=True)


def test_columns_that_only_bear_the_name_of_facts_are_as_any_others(tmp_path: Path) -> None:
    rows = [
        {"seen": ("yes", "no")[n % 2], "side": ("home", "away")[n % 2], "text": f"Match {n} was a long one to see."}
        for n in range(28)
    ]
    (tmp_path / "games.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    start_from_seeds(str(tmp_path / "games.jsonl"), tmp_path / "job")
    job = load_job(tmp_path / "job/job.yaml")
    assert job.fields["seen"].source == "sampled"
    assert "consistency" not in {spec.type for spec in job.filters}
