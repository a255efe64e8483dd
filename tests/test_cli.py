from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import SEEDS, lines, tiny_job
from tests.shell import Shell
from textsynth import __version__

COMMANDS = ("init", "check", "preview", "run", "filter", "report", "export", "show", "models")
SEED_TEXTS = [seed["text"] for seed in SEEDS]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a job and a run of it. Tests leave it as it is."""
    from textsynth import run_job

    folder = tmp_path_factory.mktemp("finished")
    run_job(tiny_job(folder, engine={"type": "scripted", "options": {"broken": 0.4}}), folder / "run")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(shell: Shell, command: str) -> None:
    said = shell(command, "--help")
    assert said.code == 0 and said.err == ""
    assert re.match(rf"\s*Usage: .* {command} ", said.out)


def test_help_names_every_command(shell: Shell) -> None:
    said = shell("--help")
    assert said.code == 0 and all(command in said.out for command in COMMANDS)


def test_the_program_runs_by_itself_and_says_its_version() -> None:
    command = [sys.executable, "-m", "textsynth.cli", "--version"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    assert done.stdout == f"textsynth {__version__}\n" and done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "No such command 'rnu'"),
        (["run"], "Missing option '--out'"),
        (["run", "--out", "x"], "run: give a job file, or --from-manifest with the folder of a run"),
        (["run", "job.yaml", "--from-manifest", "y", "--out", "x"], "one of the two"),
        (["run", "job.yaml", "--out", "x", "--progress", "loud"], "run: --progress is loud. Use text or json"),
        (["run", "job.yaml", "--out", "x", "--shard", "3/2"], "run: --shard is 3/2. Use i/n"),
        (["merge", "gone", "away", "--out", "x"], "there is no manifest to read"),
        (["run", "job.yaml"], "Missing option '--out'"),
        (["run", "job.yaml", "--output", "x"], "No such option"),
        (["run", "gone.yaml", "--out", "x"], "gone.yaml: there is no such file"),
        (["preview", "job.yaml", "-n", "0"], "Invalid value for '-n'"),
        (["init", "clinical_note"], "init: 1 names given"),
        (["init", "clinical_notes", "x"], "clinical_note"),
        (["show", "gone", "r0000000"], "there is no run here"),
        (["report", "gone"], "there is no run here"),
        (["export", "gone", "--out", "x"], "there is no run here"),
        (["export", "gone"], "--out is missing"),
    ],
)
def test_wrong_use_is_one_sentence_and_code_2(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = shell(*arguments)
    assert answer.code == 2 and said in answer.err and answer.out == ""
    assert len(answer.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_check_shows_the_first_request_and_says_that_there_is_no_fault(shell: Shell, tmp_path: Path) -> None:
    said = shell("check", tiny_job(tmp_path).path)
    assert said.code == 0
    assert "[user]\n" in said.out and "job.yaml: no faults." in said.out
    assert "fields: topic sampled, color sampled, size sampled, text written" in said.out
    assert "24 rows read; 18 shown, 6 held out" in said.err


def test_check_can_ask_the_engine_one_thing(shell: Shell, tmp_path: Path) -> None:
    job = tiny_job(tmp_path)
    assert "structured output" not in shell("check", job.path).out
    said = shell("check", job.path, "--engine")
    assert said.code == 0 and "engine: scripted, model scripted, " in said.out and " tokens/s for one" in said.out
    assert "context: not told\nstructured output: values drawn from the schema; its answer fits\n" in said.out
    broken = tiny_job(tmp_path, engine={"type": "scripted", "options": {"broken": 1}})
    assert "its answer does not fit" in shell("check", broken.path, "--engine").out


@pytest.mark.model
def test_check_says_what_a_model_can(shell: Shell, tmp_path: Path) -> None:
    said = shell("check", tiny_job(tmp_path, engine={"type": "transformers"}).path, "--engine")
    assert said.code == 0 and "context: 8192 tokens" in said.out and "its answer fits" in said.out


def test_check_lists_every_fault(shell: Shell, tmp_path: Path) -> None:
    job = tiny_job(tmp_path, fields={"topik": {"source": "sampled"}}, steps=[{"prompt": "./gone.j2"}])
    said = shell("check", job.path)
    assert said.code == 2 and said.out == ""
    assert "fields.topik is not in the record schema" in said.err and "gone.j2: there is no such prompt" in said.err


def test_preview_shows_verdicts_and_writes_nothing(shell: Shell, tmp_path: Path) -> None:
    job = tiny_job(tmp_path)
    before = sorted(tmp_path.iterdir())
    said = shell("preview", job.path, "-n", "3")
    assert said.code == 0 and said.out.count("accepted") == 3
    assert sorted(tmp_path.iterdir()) == before


def test_run_prints_paths_alone_and_ends_with_0(shell: Shell, tmp_path: Path) -> None:
    said = shell("run", tiny_job(tmp_path).path, "--out", tmp_path / "run")
    assert said.code == 0
    paths = [Path(line.split()[1]) for line in said.out.splitlines()]
    assert paths == [tmp_path / "run/accepted.jsonl", tmp_path / "run/report.html"]
    assert all(path.is_file() for path in paths)
    assert "accepted 20 of 20" in said.err


def test_a_target_that_is_missed_ends_with_1_and_says_why(shell: Shell, tmp_path: Path) -> None:
    job = tiny_job(tmp_path, plan={"max_requests": 9})
    said = shell("run", job.path, "--out", tmp_path / "run")
    assert said.code == 1
    assert "of 20 records were accepted, from" in said.err
    assert "Raise plan.max_requests" in said.err and len(said.out.splitlines()) == 2


def test_a_fault_on_the_way_ends_with_3_and_says_how_to_go_on(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from textsynth.engines.scripted import ScriptedEngine

    job, whole = tiny_job(tmp_path), ScriptedEngine._completion

    def tired(self: ScriptedEngine, request: Any) -> Any:
        if request.id == "r0000009-0-0":
            raise MemoryError("no room")
        return whole(self, request)

    monkeypatch.setattr(ScriptedEngine, "_completion", tired)
    said = shell("run", job.path, "--out", tmp_path / "run")
    assert said.code == 3 and said.out == ""
    assert "engine ScriptedEngine: MemoryError: no room" in said.err
    assert f"Go on with: textsynth run {job.path} --out {tmp_path / 'run'}" in said.err
    monkeypatch.undo()


def test_an_interrupt_ends_with_130(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from textsynth.filters.dedup import DedupFilter

    def interrupted(self: DedupFilter, record: Any) -> Any:
        raise KeyboardInterrupt

    job = tiny_job(tmp_path)
    monkeypatch.setattr(DedupFilter, "check", interrupted)
    said = shell("run", job.path, "--out", tmp_path / "run")
    assert said.code == 130 and "nothing is lost. Go on with: textsynth run" in said.err and said.out == ""


def test_show_masks_seeds_unless_asked(shell: Shell, finished: Path) -> None:
    said = shell("show", finished / "run", "r0000000")
    assert said.code == 0 and said.err == ""
    assert not any(text in said.out for text in SEED_TEXTS)
    assert "(a seed, " in said.out and "[system] You write." in said.out
    full = shell("show", finished / "run", "r0000000", "--with-seeds")
    assert sum(text in full.out for text in SEED_TEXTS) == 2


def test_show_of_no_record_names_one_that_is_there(shell: Shell, finished: Path) -> None:
    said = shell("show", finished / "run", "12")
    assert said.code == 2 and "there is no record 12. Ids look like r0000000." in said.err


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet", "dataset"])
def test_export_in_each_format(shell: Shell, finished: Path, tmp_path: Path, format: str) -> None:
    out = tmp_path / f"set.{format}"
    said = shell("export", finished / "run", "--format", format, "--out", out)
    assert (said.code, said.out, said.err) == (0, f"{out}\n", "")
    wanted = lines(finished / "run/accepted.jsonl")
    if format == "jsonl":
        assert lines(out) == wanted
    elif format == "csv":
        with out.open(encoding="utf-8", newline="") as file:
            assert [row["text"] for row in csv.DictReader(file)] == [row["text"] for row in wanted]
    elif format == "parquet":
        from pyarrow.parquet import read_table

        assert read_table(out).to_pylist() == wanted
    else:
        from datasets import load_from_disk

        assert load_from_disk(str(out)).to_list() == wanted


def test_export_writes_over_nothing_unless_forced(shell: Shell, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "set.jsonl"
    out.write_text("mine")
    assert shell("export", finished / "run", "--out", out).code == 2
    assert out.read_text() == "mine"
    assert shell("export", finished / "run", "--out", out, "--force").code == 0
    assert len(lines(out)) == 20


def test_filter_over_a_file_says_how_many_of_how_many(shell: Shell, finished: Path, tmp_path: Path) -> None:
    rows = lines(finished / "run/accepted.jsonl")
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]), encoding="utf-8")
    said = shell("filter", source, "--job", finished / "job.yaml", "--out", tmp_path / "out")
    assert said.code == 0
    assert "accepted 20 of 21; refused: 1 exact_duplicate" in said.err
    assert (tmp_path / "out/accepted.jsonl").read_bytes() == (finished / "run/accepted.jsonl").read_bytes()


def test_filter_over_a_run_needs_no_encoder_for_what_it_encoded(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    from textsynth.models import EMBEDDED
    from textsynth.similarity.encoder import TextEncoder

    def rows(self: TextEncoder, texts: list[str]) -> Any:
        made = np.array([[float(ord(c)) for c in f"{text:40.40}"] for text in texts], np.float32)
        made -= made.mean(1, keepdims=True)
        return made / np.linalg.norm(made, axis=1, keepdims=True)

    def refused(self: TextEncoder, texts: list[str]) -> Any:
        raise AssertionError("the encoder was opened")

    monkeypatch.setattr("textsynth.prepare.is_fetched", lambda name: name in EMBEDDED)
    monkeypatch.setattr(TextEncoder, "check_installed", staticmethod(lambda place, encodes=True: None))
    monkeypatch.setattr(TextEncoder, "encode", rows)
    job = tiny_job(tmp_path, filters=[{"type": "schema"}, {"type": "diversity", "max_similarity": 0.99}])
    assert shell("run", job.path, "--out", tmp_path / "run").code == 0
    monkeypatch.setattr(TextEncoder, "encode", refused)
    said = shell("filter", tmp_path / "run", "--job", job.path, "--out", tmp_path / "again")
    assert said.code == 0
    first, again = lines(tmp_path / "run/accepted.jsonl"), lines(tmp_path / "again/accepted.jsonl")
    assert again[: len(first)] == first


def test_report_is_written_again_and_its_path_printed(shell: Shell, tmp_path: Path) -> None:
    job = tiny_job(tmp_path)
    shell("run", job.path, "--out", tmp_path / "run")
    (tmp_path / "run/report.html").unlink()
    said = shell("report", tmp_path / "run")
    assert (said.code, said.err) == (0, "") and Path(said.out.strip()) == tmp_path / "run/report.html"
    assert Path(said.out.strip()).is_file()


def test_models_lists_both_and_whether_they_are_there(shell: Shell) -> None:
    said = shell("models")
    assert said.code == 0 and said.err == ""
    assert all(word in said.out for word in ("smollm2-135m", "minilm-l6", "Apache-2.0", "fetched"))


def test_init_writes_a_recipe_that_check_finds_no_fault_in(shell: Shell, tmp_path: Path) -> None:
    said = shell("init", "instruction", tmp_path / "mine")
    assert said.code == 0 and "Next: textsynth check" in said.err
    written = [Path(line) for line in said.out.splitlines()]
    assert all(path.is_file() for path in written) and tmp_path / "mine/job.yaml" in written
    assert shell("init", "instruction", tmp_path / "mine").code == 2  # it is there already


def test_init_from_seeds_makes_a_job_that_runs(shell: Shell, tmp_path: Path) -> None:
    tiny_job(tmp_path)
    said = shell("init", "--seeds", tmp_path / "seeds.jsonl", tmp_path / "mine", "--target", "6")
    assert said.code == 0
    assert not any(text in said.err for text in SEED_TEXTS)
    job = tmp_path / "mine/job.yaml"
    text = job.read_text()
    assert "target: 6" in text or '"target": 6' in text
    checked = shell("check", job)
    assert checked.code == 0, checked.err


def test_a_folder_of_another_job_ends_with_2_and_is_left_alone(shell: Shell, finished: Path) -> None:
    before = {path.name: path.read_bytes() for path in (finished / "run").iterdir()}
    other = tiny_job(finished / "other", rng_seed=9)
    said = shell("run", other.path, "--out", finished / "run")
    assert said.code == 2 and "this folder holds another run: " in said.err and "rng_seed was 5 and is 9" in said.err
    assert {path.name: path.read_bytes() for path in (finished / "run").iterdir()} == before
