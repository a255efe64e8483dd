"""`textsynth evaluate`: three anchors, bad input, requirements, and the schema of what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from tests.encoders import BagOfWords
from tests.jobs import COLORS, SEEDS, TOPICS, tiny_job
from textsynth import InputError, evaluate, run_job
from textsynth.engines.scripted import ScriptedEngine

SCHEMA = json.loads((Path(__file__).parent.parent / "schemas/metrics.schema.json").read_text())
Rows = list[dict[str, Any]]


def people(count: int, rng_seed: int) -> Rows:
    """Rows in which income goes with age, and a note that names both."""
    rng = np.random.default_rng(rng_seed)
    rows = []
    for age in rng.integers(18, 90, count).tolist():
        income = "high" if age + rng.normal(0, 8) > 50 else "low"
        code = int(rng.integers(0, 10**6))
        words = " ".join(f"w{n}" for n in rng.integers(0, 60, 12))
        rows.append({"age": age, "code": code, "income": income, "note": f"Aged {age}, income {income}. {words}."})
    return rows


def write(path: Path, rows: Rows) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Evaluations of genuine, independent and copied rows."""
    folder = tmp_path_factory.mktemp("files")
    real, holdout = people(200, 1), people(200, 2)
    shuffled, rng = [dict(row) for row in real], np.random.default_rng(4)
    for name in ("age", "code", "income"):
        for row, value in zip(shuffled, rng.permutation([r[name] for r in real]), strict=True):
            row[name] = value.item()
    copied = [row | {"code": row["code"] + 1} for row in real]
    files = {name: write(folder / f"{name}.jsonl", rows) for name, rows in (("real", real), ("holdout", holdout))}
    sets = {"genuine": people(200, 3), "independent": shuffled, "copied": copied}
    return {
        name: evaluate(
            write(folder / f"{name}.jsonl", rows), files["real"], files["holdout"], label="income", encoder=BagOfWords()
        )
        for name, rows in sets.items()
    }


def value(evaluation: dict[str, Any], name: str, key: str = "value") -> Any:
    group, _, metric = name.partition(".")
    return evaluation["metrics"][group][metric][key]


def test_what_is_found_fits_the_schema(found: dict[str, dict[str, Any]]) -> None:
    for evaluation in found.values():
        jsonschema.validate({"evaluation": evaluation}, SCHEMA)
        json.dumps(evaluation, allow_nan=False)
    broken = json.loads(json.dumps(found["genuine"]))
    del broken["metrics"]["privacy"]["exact_copies"]["ceiling"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"evaluation": broken}, SCHEMA)


@pytest.mark.parametrize("name", ["membership_auc", "membership_ngram_auc", "membership_text_auc"])
def test_an_attack_finds_copies_and_nothing_in_genuine_rows(found: dict[str, dict[str, Any]], name: str) -> None:
    assert value(found["copied"], f"privacy.{name}") > 0.9
    assert (
        value(found["genuine"], f"privacy.{name}", "low") <= 0.5 <= value(found["genuine"], f"privacy.{name}", "high")
    )


def test_spans_and_near_copies_tell_copied_text(found: dict[str, dict[str, Any]]) -> None:
    assert value(found["copied"], "privacy.longest_span") > 2 * value(found["genuine"], "privacy.longest_span")
    assert value(found["copied"], "privacy.near_copies") == 1
    assert value(found["genuine"], "privacy.near_copies") == 0


def test_fidelity_and_utility_fall_where_columns_are_independent(found: dict[str, dict[str, Any]]) -> None:
    for name in ("fidelity.bivariate_accuracy", "utility.macro_f1_ratio"):
        assert value(found["independent"], name) < value(found["genuine"], name) - 0.03
    assert (
        value(found["genuine"], "fidelity.classifier_auc")
        < 0.6
        < value(found["independent"], "fidelity.classifier_auc")
    )


def test_no_text_of_a_real_record_is_in_the_result(found: dict[str, dict[str, Any]]) -> None:
    text = json.dumps(found["copied"])
    assert not any(row["note"][:24] in text for row in people(200, 1))


BAD: list[tuple[str, Any, str]] = [
    ("age", lambda at: None, "all values are missing"),
    ("age", lambda at: 7, "have one value"),
    ("age", lambda at: at if at % 2 else "many", "mixed"),
    ("income", lambda at: "low", "have one value"),
]


@pytest.mark.parametrize(("name", "change", "says"), BAD)
def test_bad_columns_are_said_and_the_rest_computed(tmp_path: Path, name: str, change: Any, says: str) -> None:
    rows = [row | {name: change(at)} for at, row in enumerate(people(60, 1))]
    file = write(tmp_path / "rows.jsonl", rows)
    evaluation = evaluate(file, file, file, label="income", encoder=BagOfWords())
    assert any(name in note and says in note for note in evaluation["notes"])
    assert value(evaluation, "privacy.exact_copies") == 1
    assert value(evaluation, "fidelity.univariate_accuracy") == 1


def test_text_where_a_number_was_expected(tmp_path: Path) -> None:
    rows = people(60, 1)
    bad = write(tmp_path / "bad.jsonl", [row | {"age": "old"} for row in rows])
    evaluation = evaluate(bad, write(tmp_path / "real.jsonl", rows), encoder=BagOfWords())
    assert any("age: 60 synthetic values are no numbers" in note for note in evaluation["notes"])
    assert any(note.startswith("holdout: none is given, so 12") for note in evaluation["notes"])
    assert evaluation["files"]["holdout"]["from_real"]


def test_five_rows_are_enough_for_a_part(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", people(5, 1))
    evaluation = evaluate(file, file, encoder=BagOfWords())
    assert value(evaluation, "privacy.longest_span") > 10
    assert any("are needed" in note for note in evaluation["notes"])


def test_more_rows_than_are_used_are_sampled(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", people(80, 1))
    evaluation = evaluate(file, file, most=50, encoder=BagOfWords())
    assert evaluation["files"]["synthetic"] == {"name": "rows.jsonl", "records": 80, "used": 50}
    assert any("50 of 80 records are used" in note for note in evaluation["notes"])


def test_columns_that_do_not_match_are_offered_a_mapping(tmp_path: Path) -> None:
    real = write(tmp_path / "real.jsonl", people(60, 1))
    renamed = [{("Ages" if k == "age" else k): v for k, v in row.items()} for row in people(60, 2)]
    file = write(tmp_path / "new.jsonl", renamed)
    notes = evaluate(file, real, encoder=BagOfWords())["notes"]
    assert any("--columns Ages=age" in note for note in notes)
    matched = evaluate(file, real, columns={"Ages": "age"}, encoder=BagOfWords())
    assert "age" in [column["name"] for column in matched["columns"]]
    other = write(tmp_path / "other.jsonl", [{"x": 1}])
    with pytest.raises(InputError, match="no column is in both"):
        evaluate(other, real)


def test_the_share_of_records_that_keep_the_rules(tmp_path: Path) -> None:
    rows = people(40, 1)
    made = write(tmp_path / "made.jsonl", [row | {"age": 200} if at < 10 else row for at, row in enumerate(rows)])
    real = write(tmp_path / "real.jsonl", rows)
    schema = {"type": "object", "properties": {"age": {"maximum": 120}, "gap": {"type": "null"}}, "required": ["gap"]}
    (tmp_path / "rules.json").write_text(json.dumps(schema))
    rules = str(tmp_path / "rules.json")
    evaluation = evaluate(made, real, real, schema=rules, encoder=BagOfWords())
    assert value(evaluation, "fidelity.rules_kept") == 0.75
    assert value(evaluation, "fidelity.rules_kept", "ceiling") == 1
    with pytest.raises(InputError, match="evaluate --schema: record_schema is"):
        evaluate(made, real, real, schema="no_such_schema", encoder=BagOfWords())


@pytest.mark.parametrize(("label", "computed"), [("flag", True), ("code", False)])
def test_a_label_of_few_numbers_is_one_of_classes(tmp_path: Path, label: str, computed: bool) -> None:
    rows = [row | {"flag": int(row["age"] > 50)} for row in people(120, 1)]
    file = write(tmp_path / "rows.jsonl", rows)
    evaluation = evaluate(file, file, file, label=label, encoder=BagOfWords())
    assert ("macro_f1" in evaluation["metrics"].get("utility", {})) == computed
    assert any(f"utility: {label} has" in note for note in evaluation["notes"]) != computed


def test_a_run_is_compared_with_its_seeds(tmp_path: Path) -> None:
    """Shown seeds are the real records, held-out ones the ceiling; nothing of a seed's text stands in the numbers."""
    job = tiny_job(tmp_path, plan={"target": 30, "max_requests": 200})
    seeds = [
        {"topic": TOPICS[at % 4], "color": COLORS[at % 3], "size": 1 + at % 9, "text": f"Seed {at} says {at * 7919}."}
        for at in range(120)
    ]
    write(tmp_path / "seeds.jsonl", seeds)
    result = run_job(job, tmp_path / "run")
    metrics = json.loads((result.folder / "metrics.json").read_text())
    jsonschema.validate(metrics, SCHEMA)
    evaluation = metrics["evaluation"]
    assert evaluation["files"]["synthetic"] == {"name": "accepted records", "records": 30, "used": 30}
    assert (evaluation["files"]["real"]["records"], evaluation["files"]["holdout"]["records"]) == (90, 30)
    assert value(evaluation, "fidelity.rules_kept") == 1
    assert value(evaluation, "privacy.exact_copies") == 0
    assert evaluation["utility"]["label"] == "topic"
    assert any(note.startswith("embeddings: left out") for note in evaluation["notes"])
    page = (result.folder / "report.html").read_text()
    assert "Beside real records" in page
    assert not any(seed["text"] in page + json.dumps(metrics) for seed in seeds)


def test_a_run_with_few_seeds_says_that_it_is_not_compared(tmp_path: Path) -> None:
    result = run_job(tiny_job(tmp_path), tmp_path / "run")
    evaluation = json.loads((result.folder / "metrics.json").read_text())["evaluation"]
    assert evaluation["metrics"] == {}
    said = "Not compared with real records: 18 seeds shown and 6 seeds held out say too little (20 are needed)."
    assert evaluation["notes"] == [said]
    assert said in (result.folder / "report.html").read_text()


def test_a_run_whose_records_have_no_field_of_the_seeds_is_not_compared(tmp_path: Path) -> None:
    job = tiny_job(tmp_path, fields={}, plan={"target": 25, "max_requests": 200})
    schema = {"type": "object", "properties": {n: {"type": "string"} for n in ("text", "hint")}, "required": ["text"]}
    (tmp_path / "tiny.json").write_text(json.dumps(schema))
    write(tmp_path / "seeds.jsonl", [{"hint": f"Hint {at} of {at * 7919}."} for at in range(120)])
    engine = ScriptedEngine(lambda request: json.dumps({"text": f"A text of its own, {request.id}."}))
    result = run_job(job, tmp_path / "run", engine=engine)
    evaluation = json.loads((result.folder / "metrics.json").read_text())["evaluation"]
    assert result.accepted == 25
    assert evaluation["notes"][0].startswith("Not compared with real records: no field is in accepted records")


def test_no_number_stops_a_finished_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("textsynth.evaluation.compared", broken)
    job = tiny_job(tmp_path, plan={"target": 20, "max_requests": 200})
    write(tmp_path / "seeds.jsonl", [dict(seed, text=f"{seed['text']} {at}") for at in range(5) for seed in SEEDS])
    result = run_job(job, tmp_path / "run")
    metrics = json.loads((result.folder / "metrics.json").read_text())
    jsonschema.validate(metrics, SCHEMA)
    assert "ZeroDivisionError" in metrics["evaluation"]["notes"][0]


def test_the_command_writes_and_requirements_set_its_exit_code(shell: Any, tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if k != "note"} for row in people(60, 1)]
    file = str(write(tmp_path / "rows.jsonl", rows))
    args = ["evaluate", "--synthetic", file, "--real", file, "--holdout", file, "--out", str(tmp_path / "out")]
    assert shell(*args, "--require", "privacy.exact_copies>=1").code == 0
    jsonschema.validate(json.loads((tmp_path / "out/metrics.json").read_text()), SCHEMA)
    done = shell(*args, "--require", "privacy.exact_copies<0.5", "--require", "privacy.nothing<1")
    assert done.code == 1
    assert "privacy.exact_copies is 1, and < 0.5 is required" in done.err
    assert "privacy.nothing was not computed" in done.err
    assert shell(*args, "--require", "nonsense").code == 2
