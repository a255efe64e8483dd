"""Seeds lose their identifiers before they are shown or compared, and fields of a seed row are altered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import tiny_job
from textsynth.errors import InputError
from textsynth.pipeline import run_job
from textsynth.prepare import Prepared, prepare

NAMES = ("Abernathy", "Bellweather", "Castellano", "Dombrowski", "Eberhardt", "Farnsworth")
ROWS = [
    {
        "topic": "boats",
        "color": ("red", "blue", "green")[n % 3],
        "size": 1 + n % 9,
        "text": f"Mrs. {NAMES[n % 6]} came on 03/{10 + n}/2019 to tell of boats and of number {n}, as was asked.",
        "family": NAMES[n % 6],
    }
    for n in range(18)
]
PERTURBED = {"topic": {"source": "sampled"}, "color": {"source": "copied"}}


def prepared(folder: Path, rows: list[dict[str, Any]] | None = None, **changes: Any) -> Prepared:
    job = tiny_job(folder, **changes)
    lines = [json.dumps(row) for row in rows or ROWS]
    (folder / "seeds.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return prepare(job)


def fault(folder: Path, **changes: Any) -> str:
    with pytest.raises(InputError) as error:
        prepared(folder, **changes)
    return str(error.value)


def seeds_spec(**more: Any) -> dict[str, Any]:
    return {"path": "seeds.jsonl", "holdout": 0.25, **more}


@pytest.mark.parametrize("way", ["mask", "surrogate"])
def test_identifiers_are_gone_from_seeds_and_prompts(tmp_path: Path, way: str) -> None:
    made = prepared(tmp_path, seeds=seeds_spec(deidentify={"text": way}))
    texts = " ".join(seed.data["text"] for seed in (*made.seeds.shown, *made.seeds.holdout))
    assert not any(name in texts for name in NAMES) and "03/10/2019" not in texts
    assert ("[NAME]" in texts) == (way == "mask")
    record = made.planner.record(0, 0)
    messages = made.steps[0].prompt.messages(record.fields or {}, {}, made.examples(made.steps[0], record))
    assert not any(name in message["content"] for name in NAMES for message in messages)
    assert "seeds.deidentify: 36 identifiers were replaced." in made.notes


def test_a_seed_that_is_little_but_identifiers_is_left_out_and_said(tmp_path: Path) -> None:
    line = "DOE, JANE; MRN 448291; (555) 014-2233; jane.doe@example.org; 123-45-6789; 12 Elm Street, Apt 4B"
    made = prepared(tmp_path, [*ROWS, {**ROWS[0], "text": line}], seeds=seeds_spec(deidentify={"text": "mask"}))
    assert made.seeds.counts["dropped_identifiers"] == 1
    assert any("1 are little but identifiers" in note for note in made.notes)
    assert not any("014-2233" in note for note in made.notes)


def test_notes_in_another_language_are_counted_and_said(tmp_path: Path) -> None:
    text = "La paciente refiere dolor de cabeza desde hace tres días y no tiene fiebre ni vómitos."
    made = prepared(tmp_path, [*ROWS, {**ROWS[0], "text": text}], seeds=seeds_spec(deidentify={"text": "mask"}))
    assert any("1 of 19 seeds are not in English" in note for note in made.notes)


def test_perturbed_fields_come_from_the_row_of_the_copied_ones_and_are_the_same_each_time(tmp_path: Path) -> None:
    fields = {**PERTURBED, "size": {"source": "perturbed", "how": "laplace", "scale": 2.0}}
    made = prepared(tmp_path / "a", fields=fields)
    by_seed: dict[str, set[int]] = {}
    for number in range(60):
        record = made.planner.record(number, 0)
        seed_id = record.lineage["drawn_from"]["color,size"]
        assert record.fields["color"] == made.seeds.by_id[seed_id].data["color"]  # type: ignore[index]
        by_seed.setdefault(seed_id, set()).add(record.fields["size"])  # type: ignore[index]
    assert all(len(sizes) == 1 and 1 <= min(sizes) <= max(sizes) <= 9 for sizes in by_seed.values())
    assert any(made.seeds.by_id[seed_id].data["size"] not in sizes for seed_id, sizes in by_seed.items())
    again = prepared(tmp_path / "b", fields=fields)
    assert [again.planner.record(n, 0) for n in range(9)] == [made.planner.record(n, 0) for n in range(9)]
    shown = {seed.id: seed.data["size"] for seed in made.steps[0].pool.values()}
    assert all(shown[seed_id] in sizes for seed_id, sizes in by_seed.items() if seed_id in shown)


@pytest.mark.parametrize(
    ("spec", "value", "wanted"),
    [
        ({"how": "generalize", "to": 5}, 47, 45),
        ({"how": "generalize", "to": 0.5}, 36.8, 37.0),
        ({"how": "generalize", "to": 3}, "89501-1234", "895"),
        ({"how": "generalize", "to": "year"}, "2019-03-14", "2019"),
        ({"how": "generalize", "to": "month"}, "03/14/2019", "2019-03"),
        ({"how": "mask"}, "Jane Abernathy", "[NAME]"),
        ({"how": "mask"}, "4821", "[MASKED]"),
        (
            {"how": "mask"},
            ["Ms. Abernathy came with her sister Karen today"],
            ["Ms. [NAME] came with her sister [NAME] today"],
        ),
    ],
)
def test_values_are_altered_as_asked(tmp_path: Path, spec: dict[str, Any], value: Any, wanted: Any) -> None:
    job = tiny_job(tmp_path, fields={**PERTURBED, "size": {"source": "perturbed", **spec}})
    schema = json.loads((tmp_path / "tiny.json").read_text())
    schema["properties"]["size"] = {}
    (tmp_path / "tiny.json").write_text(json.dumps(schema))
    rows = "\n".join(json.dumps({**row, "size": value}) for row in ROWS)
    (tmp_path / "seeds.jsonl").write_text(rows, encoding="utf-8")
    assert prepare(job).planner.record(0, 0).fields["size"] == wanted  # type: ignore[index]


def test_perturbed_fields_are_labeled_and_judged(tmp_path: Path) -> None:
    fields = {**PERTURBED, "size": {"source": "perturbed", "how": "generalize", "to": 3}}
    made = prepared(tmp_path, fields=fields)
    assert made.sources["size"] == "perturbed" and "size" in made.row and "color" not in made.row


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"source": "perturbed"}, "fields.size is perturbed, but how is left out. Use mask"),
        ({"source": "perturbed", "how": "generalize"}, "fields.size: to goes with how: generalize, or with noise."),
        ({"source": "perturbed", "how": "laplace"}, "fields.size: scale goes with how: laplace or gaussian."),
        ({"source": "sampled", "how": "mask"}, "fields.size: how, to and scale go with source: perturbed."),
        ({"source": "perturbed", "how": "mask"}, "fields.size is altered by mask, but seed s000001 has no text there."),
        (
            {"source": "perturbed", "how": "shift"},
            "fields.size is altered by shift, but seed s000001 has no text there.",
        ),
    ],
)
def test_what_cannot_be_altered_is_a_fault(tmp_path: Path, spec: dict[str, Any], said: str) -> None:
    assert said in fault(tmp_path, fields={**PERTURBED, "size": spec})


def test_altered_values_that_no_longer_fit_the_schema_are_a_fault(tmp_path: Path) -> None:
    fields = {"topic": {"source": "sampled"}, "color": {"source": "perturbed", "how": "mask"}}
    assert "fields.color: 14 of 14 values no longer fit the schema once altered." in fault(tmp_path, fields=fields)


def test_columns_that_are_no_fields_are_kept_out_of_records_and_files(tmp_path: Path) -> None:
    filters = [{"type": "schema"}, {"type": "identifiers", "columns": ["family"]}]
    job = tiny_job(tmp_path, filters=filters, plan={"target": 4, "round": 4})
    rows = [{**row, "text": f"A text of boats, number {n}, that names nobody at all."} for n, row in enumerate(ROWS)]
    (tmp_path / "seeds.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    known = prepare(job).seeds.originals
    assert {row["column family"] for row in known.values()} == set(NAMES)
    run_job(job, tmp_path / "run")
    for file in (tmp_path / "run").iterdir():
        assert b"Abernathy" not in file.read_bytes(), file.name


def test_a_column_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    filters = [{"type": "schema"}, {"type": "identifiers", "columns": ["famly"]}]
    assert "filters.columns is famly, which no row has." in fault(tmp_path, filters=filters)
