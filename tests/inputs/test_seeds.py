"""Rows become seeds: what is dropped is counted, samples are drawn fairly, and no near duplicate is on both sides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textsynth.errors import InputError
from textsynth.inputs.passages import cut_text
from textsynth.inputs.seeds import SeedSet, load_seeds
from textsynth.job import job_from

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def seeds_of(
    folder: Path, source: Any, keep: tuple[str, ...], drawn: tuple[str, ...] = (), text: tuple[str, ...] = (),
    rng_seed: int = 0, **spec: Any,
) -> SeedSet:  # fmt: skip
    """Seeds of rows, of csv text, or of a path."""
    path = source
    if isinstance(source, list):
        path = folder / "seeds.jsonl"
        write_rows(path, source)
    elif isinstance(source, str):
        path = folder / "seeds.csv"
        path.write_text(source)
    data = {"seeds": {"path": str(path), "holdout": 0.0, **spec}, "record_schema": "x", "plan": {"target": 1}}
    return load_seeds(job_from({**data, "rng_seed": rng_seed}, folder / "job.yaml"), keep, drawn, text)


def values(seeds: SeedSet, name: str) -> list[Any]:
    return [seed.data.get(name) for seed in seeds.shown]


def test_ids_are_ours_and_other_columns_stay_behind(tmp_path: Path) -> None:
    seeds = seeds_of(tmp_path, [{"id": "MRN-7", "note": " a "}, {"id": "MRN-8", "note": "b"}], ("note",))
    assert [(seed.id, seed.data) for seed in seeds.shown] == [("s000001", {"note": "a"}), ("s000002", {"note": "b"})]


def test_columns_are_mapped(tmp_path: Path) -> None:
    seeds = seeds_of(tmp_path, [{"transcription": "x"}], ("note",), columns={"note": "transcription"})
    assert values(seeds, "note") == ["x"]


def test_what_is_dropped_is_counted(tmp_path: Path) -> None:
    row = {"a": 1, "b": "x"}
    rows = [row, row, {"b": "y"}, {"a": None, "b": "z"}, {"a": 2}, {"c": 3}, {"a": 1, "b": "x "}]
    counts = seeds_of(tmp_path, rows, ("a", "b"), drawn=("a",)).counts
    assert (counts["read"], counts["dropped_missing"], counts["dropped_repeat"], counts["shown"]) == (7, 3, 2, 2)


def test_missing_values_are_left_out_of_the_data(tmp_path: Path) -> None:
    seeds = seeds_of(tmp_path, "a,b\n?,x\n1,\n2,y\n", ("a", "b"), missing=["", "?"])
    assert [dict(seed.data) for seed in seeds.shown] == [{"b": "x"}, {"a": 1}, {"a": 2, "b": "y"}]


def test_numbers_that_json_does_not_have_are_missing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": NaN, "b": 1}\n{"a": Infinity, "b": 2}\n{"a": 1.5, "b": 3}\n')
    assert values(seeds_of(tmp_path, tmp_path / "a.jsonl", ("a", "b")), "a") == [None, None, 1.5]


@pytest.mark.parametrize(
    ("cells", "typed"),
    [
        (["1", "20", "-3", "0"], [1, 20, -3, 0]),
        (["1", "2.5", ".5", "1e3"], [1.0, 2.5, 0.5, 1000.0]),
        (["007", "42"], ["007", "42"]),
        (["1", "n/a"], ["1", "n/a"]),
        (["1", ""], [1, None]),
        (["E11", "E12"], ["E11", "E12"]),
        (["e5"], ["e5"]),
        (["1e999"], ["1e999"]),
        (["-"], ["-"]),
        (["12345678901234567890", "1"], ["12345678901234567890", "1"]),
        (["1,5", "2,5"], ["1,5", "2,5"]),
        (["True", "False"], ["True", "False"]),
    ],
)
def test_csv_columns_of_numbers_become_numbers(tmp_path: Path, cells: list[str], typed: list[Any]) -> None:
    text = "a,n\n" + "".join(f'"{cell}",row {number}\n' for number, cell in enumerate(cells))
    found = values(seeds_of(tmp_path, text, ("a", "n")), "a")
    assert found == typed
    assert list(map(type, found)) == list(map(type, typed))


def test_a_text_field_keeps_its_digits(tmp_path: Path) -> None:
    assert values(seeds_of(tmp_path, "zip\n10115\n80331\n", ("zip",), text=("zip",)), "zip") == ["10115", "80331"]


def test_one_row_a_group_and_all_rows_without_a_group(tmp_path: Path) -> None:
    rows = [{"n": "a", "g": 1}, {"n": "b", "g": 1}, {"n": "c", "g": 2}, {"n": "d"}, {"n": "e"}, {"n": "f", "g": None}]
    seeds = seeds_of(tmp_path, rows, ("n",), one_per="g")
    assert values(seeds, "n") == ["a", "c", "d", "e", "f"]
    assert seeds.counts["dropped_same_group"] == 1


def test_a_limit_draws_from_the_whole_file_and_keeps_its_order(tmp_path: Path) -> None:
    rows = [{"n": number} for number in range(20_000)]
    first = seeds_of(tmp_path, rows, ("n",), limit=200)
    drawn = values(first, "n")
    assert len(drawn) == 200 and drawn == sorted(set(drawn))
    assert min(drawn) < 2_000 and max(drawn) > 18_000
    assert first.counts["read"] == 20_000 and first.counts["not_in_sample"] == 19_800
    path = tmp_path / "seeds.jsonl"
    assert values(seeds_of(tmp_path, path, ("n",), limit=200), "n") == drawn
    assert values(seeds_of(tmp_path, path, ("n",), limit=200, rng_seed=1), "n") != drawn


def test_too_much_text_asks_for_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textsynth.inputs.seeds.MAX_BYTES", 1 << 20)
    rows = [{"n": f"{number} " + "x" * 1000} for number in range(2_000)]
    with pytest.raises(InputError, match=r"over 1 MiB of text after 1,\d+ rows\. Set seeds\.limit\."):
        seeds_of(tmp_path, rows, ("n",))
    assert len(seeds_of(tmp_path, rows, ("n",), limit=10).shown) == 10


@pytest.mark.parametrize(
    ("text", "most", "kept"),
    [
        ("Short.", 100, "Short."),
        ("One is here. Two is here. Three is here.", 30, "One is here. Two is here."),
        ("He weighs 83.5 kg and walks.", 13, "He weighs"),
        ("Dose of 2.5 mg was given. More", 26, "Dose of 2.5 mg was given."),
        ("Is it? Yes! It is so", 12, "Is it? Yes!"),
        ("words without any end at all", 15, "words without"),
        ("unbreakableword", 5, "unbre"),
        ("患者咳嗽两周。无发热。今日复诊", 12, "患者咳嗽两周。无发热。"),
        ("A. then a very long sentence that goes on", 30, "A. then a very long sentence"),
        ('She said "stop." Then left again', 20, 'She said "stop."'),
    ],
)
def test_texts_are_cut_at_the_end_of_a_sentence(text: str, most: int, kept: str) -> None:
    assert cut_text(text, most) == kept


@given(st.text(alphabet="ab .!?。\n", max_size=80).map(str.strip), st.integers(1, 60))
def test_a_cut_text_is_a_beginning_within_the_limit(text: str, most: int) -> None:
    kept = cut_text(text, most)
    assert text.startswith(kept) and len(kept) <= most and bool(kept) == bool(text)
    assert cut_text(kept, most) == kept


def test_cut_is_applied_to_its_field_only(tmp_path: Path) -> None:
    long = "This is a sentence. " * 20
    seeds = seeds_of(tmp_path, [{"a": long, "b": long}], ("a", "b"), cut={"a": 50})
    assert len(values(seeds, "a")[0]) == 39 and values(seeds, "b") == [long.strip()]


NOTE = "patient {0} came with pain number {0} in the {1} and was sent home with tablet {0} and a letter for doctor {0}"


@settings(deadline=None, max_examples=20)
@given(
    copies=st.lists(st.integers(1, 4), min_size=3, max_size=25),
    share=st.floats(0.05, 0.6),
    rng_seed=st.integers(0, 1000),
)
def test_no_near_duplicate_cluster_is_on_both_sides(
    tmp_path_factory: pytest.TempPathFactory, copies: list[int], share: float, rng_seed: int
) -> None:
    rows = [
        {"g": group, "note": NOTE.format(f"x{group}", "left arm") + f" copy {copy}"}
        for group, count in enumerate(copies) for copy in range(count)
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("seeds")
    seeds = seeds_of(folder, rows, ("g", "note"), holdout=share, rng_seed=rng_seed)
    held, shown = ({seed.data["g"] for seed in side} for side in (seeds.holdout, seeds.shown))
    assert not held & shown
    assert len(seeds.holdout) + len(seeds.shown) == len(rows)
    assert len(seeds.holdout) <= share * len(rows)
    assert seeds.counts["clusters"] == len(copies)
    assert [seed.data["g"] for seed in seeds.one_a_cluster(seeds.shown)] == sorted(shown)


def test_a_seed_is_found_by_its_id(tmp_path: Path) -> None:
    seeds = seeds_of(tmp_path, [{"n": number} for number in range(10)], ("n",), holdout=0.2)
    assert len(seeds.holdout) == 2
    assert all(seeds.by_id[seed.id] is seed for seed in (*seeds.shown, *seeds.holdout))


def test_faults_name_the_key_and_the_nearest_column(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        seeds_of(
            tmp_path, [{"transcription": "x", "cluster": 1}], ("note",),
            columns={"note": "transcripton", "nte": "cluster"}, one_per="clustr", cut={"notes": 50},
        )  # fmt: skip
    assert raised.value.faults == (
        "job.yaml: seeds.columns.note is transcripton, which no row has. Did you mean transcription? "
        "Columns: cluster, transcription.",
        "job.yaml: seeds.one_per is clustr, which no row has. Did you mean cluster? Columns: cluster, transcription.",
        "job.yaml: seeds.columns.nte is no field of the record schema. Did you mean note? Fields: note.",
        "job.yaml: seeds.cut.notes is no field of the record schema. Did you mean note? Fields: note.",
    )


def test_an_empty_file_and_a_file_without_the_fields_are_faults(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"seeds\.jsonl holds no rows"):
        seeds_of(tmp_path, [], ("a",))
    with pytest.raises(InputError, match=r"none of the 2 rows can be used \(2 miss a field"):
        seeds_of(tmp_path, [{"b": 1}, {"b": 2}], ("a", "b"), drawn=("a",))


def test_a_real_table_is_typed_and_divided() -> None:
    path = DATA / "tabular/heart_cleveland.dev.csv"
    if not path.is_file():
        pytest.skip("the development data is not here")
    keep = ("age", "sex", "chol", "oldpeak", "ca", "thal", "num")
    seeds = seeds_of(path.parent, path, keep, holdout=0.2, missing=["?"])
    assert len(seeds.shown) + len(seeds.holdout) == 218 == seeds.counts["read"]
    assert 40 <= len(seeds.holdout) <= 43
    assert all(isinstance(value, int | float) for seed in seeds.shown for value in seed.data.values())


def test_real_notes_are_kept_once_a_cluster() -> None:
    path = DATA / "clinical/mtsamples.dev.jsonl.gz"
    if not path.is_file():
        pytest.skip("the development data is not here")
    spec: dict[str, Any] = {"one_per": "cluster", "columns": {"note": "transcription"}, "cut": {"note": 600}}
    seeds = seeds_of(path.parent, path, ("medical_specialty", "note"), holdout=0.2, **spec)
    kept = len(seeds.shown) + len(seeds.holdout)
    assert seeds.counts["read"] == 2912 == kept + seeds.counts["dropped_same_group"] + seeds.counts["dropped_repeat"]
    assert 1000 < kept < 1500
    assert max(len(note) for note in values(seeds, "note")) <= 600
    held, shown = ({seeds.cluster[seed.id] for seed in side} for side in (seeds.holdout, seeds.shown))
    assert not held & shown
