"""Shards of one job and what `merge` makes of them; a run repeated from its folder."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import contents, lines, tiny_job
from textsynth import InputError, Job, run_job
from textsynth.engines.scripted import ScriptedEngine
from textsynth.merge import merge_runs
from textsynth.outputs.show import life_of
from textsynth.outputs.store import Store
from textsynth.prepare import prepare
from textsynth.records import Request
from textsynth.repeat import check_same_inputs, job_of, load_manifest, shard_of

CHANGES: dict[str, Any] = {
    "plan": {"target": 31, "round": 8, "max_requests": 600, "match": ["topic"]},
    "engine": {"type": "scripted", "options": {"broken": 0.3}},
    "steps": [{"prompt": "./tiny.j2", "few_shot": 2, "retry": 0}],
}


def shards(folder: Path, n: int = 3, **changes: Any) -> tuple[Job, list[Path]]:
    job = tiny_job(folder, **CHANGES | changes)
    made = [folder / f"s{i}" for i in range(1, n + 1)]
    for i, one in enumerate(made, 1):
        assert run_job(job, one, shard=(i, n)).done
    return job, made


def test_shards_add_up_to_the_job_and_share_no_record(tmp_path: Path) -> None:
    job, made = shards(tmp_path)
    ids = [row["id"] for one in made for row in lines(one / "lineage.jsonl")]
    assert len(ids) == len(set(ids)) == 31
    result = merge_runs(made, tmp_path / "merged")
    assert result.done and result.accepted == 31
    accepted = lines(tmp_path / "merged/accepted.jsonl")
    quotas = prepare(job).planner.quotas
    assert sorted(Counter(row["topic"] for row in accepted).values()) == sorted(quotas)
    rejected = sum(len(lines(one / "rejected.jsonl")) for one in made)
    assert len(lines(tmp_path / "merged/rejected.jsonl")) == rejected
    with Store(tmp_path / "merged", write=False) as store:
        assert "Write text." in life_of(store, ids[-1])  # prompts and answers came along
        assert store.totals()["completions"] == 31 + rejected


def test_a_record_that_another_shard_has_is_refused_and_surplus_takes_its_place(tmp_path: Path) -> None:
    def answer(request: Request) -> str:
        number = int(request.id.partition("-")[0][1:])
        return json.dumps({"text": "The same in each shard." if number % 10_000_000 == 0 else f"Text {number}."})

    fields = {name: {"source": "sampled", "values": [value]} for name, value in
              (("topic", "bees"), ("color", "red"), ("size", 3))}  # fmt: skip
    job = tiny_job(tmp_path, fields=fields, plan={"target": 10, "round": 8})
    for i in (1, 2):
        run_job(job, tmp_path / f"s{i}", engine=ScriptedEngine(answer), shard=(i, 2))
    result = merge_runs([tmp_path / "s1", tmp_path / "s2"], tmp_path / "merged")
    assert result.accepted == 10 and result.counts["exact_duplicate"] == 1
    texts = [row["text"] for row in lines(tmp_path / "merged/accepted.jsonl")]
    assert texts.count("The same in each shard.") == 1 and len(set(texts)) == 10


def test_a_merge_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    _, made = shards(tmp_path)
    merge_runs(made, tmp_path / "merged")
    before = contents(tmp_path / "merged")
    merge_runs(made, tmp_path / "merged")
    assert contents(tmp_path / "merged") == before


def test_what_is_no_set_of_shards_is_refused(tmp_path: Path) -> None:
    _, made = shards(tmp_path / "a", 2)
    _, others = shards(tmp_path / "b", 2, rng_seed=6)
    for folders, says in (
        (made[:1], "1 folder is given"),
        ([made[0], made[0]], "is shard 1/2, as another folder is"),
        ([made[0], others[1]], "are no shards of one job"),
        ([made[0], tmp_path], "there is no manifest to read"),
    ):
        with pytest.raises(InputError, match=says):
            merge_runs(folders, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2"])
def test_a_shard_is_a_part_of_a_whole(text: str) -> None:
    with pytest.raises(InputError, match=r"Use i/n with i from 1 to n"):
        shard_of(text, "run: --shard")


def test_a_run_repeated_from_its_folder_ends_in_the_same_files(tmp_path: Path) -> None:
    run_job(tiny_job(tmp_path / "a", **CHANGES), tmp_path / "a/run")
    (tmp_path / "a/tiny.j2").unlink()  # the folder holds prompts and schema; seeds stay where they are
    (tmp_path / "a/tiny.json").unlink()
    folder, manifest = load_manifest(tmp_path / "a/run/manifest.json")
    job = job_of(folder, manifest)
    check_same_inputs(prepare(job), folder, manifest)
    run_job(job, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "a/run")


def test_a_run_whose_seeds_changed_is_not_repeated(tmp_path: Path) -> None:
    run_job(tiny_job(tmp_path, **CHANGES), tmp_path / "run")
    with (tmp_path / "seeds.jsonl").open("a") as file:
        file.write(json.dumps({"topic": "bees", "color": "red", "size": 1, "text": "One more example."}) + "\n")
    folder, manifest = load_manifest(tmp_path / "run")
    with pytest.raises(InputError, match="its run cannot be repeated: seeds changed since"):
        check_same_inputs(prepare(job_of(folder, manifest)), folder, manifest)
