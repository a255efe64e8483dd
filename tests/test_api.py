from __future__ import annotations

from pathlib import Path

import pytest

import textsynth
from tests.jobs import tiny_job
from textsynth.engines.scripted import ScriptedEngine


@pytest.mark.parametrize("name", textsynth.__all__)
def test_every_public_name_can_be_had_and_says_what_it_is(name: str) -> None:
    thing = getattr(textsynth, name)
    assert thing.__name__ == name and thing.__doc__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'run_jobs'"):
        _ = textsynth.run_jobs  # type: ignore[attr-defined]


def test_a_run_in_python(tmp_path: Path) -> None:
    job = textsynth.load_job(tiny_job(tmp_path).path)
    heard: list[float] = []
    result = textsynth.run_job(
        job, str(tmp_path / "run"), engine=ScriptedEngine(), on_progress=lambda p: heard.append(p.yield_rate)
    )
    assert isinstance(result, textsynth.Result)
    assert result.folder == tmp_path / "run" and result.done
    assert heard and all(0 <= rate <= 1 for rate in heard)


def test_every_error_can_be_caught_as_one() -> None:
    for error in (textsynth.InputError, textsynth.RunError):
        assert issubclass(error, textsynth.TextsynthError)
    assert textsynth.InputError(["a", "b"]).faults == ("a", "b")


def test_the_input_errors_of_a_job_are_all_told_at_once(tmp_path: Path) -> None:
    job = tiny_job(tmp_path)
    (tmp_path / "job.yaml").write_text((tmp_path / "job.yaml").read_text().replace("tiny.j2", "gone.j2"))
    (tmp_path / "seeds.jsonl").unlink()
    with pytest.raises(textsynth.InputError):
        textsynth.run_job(textsynth.load_job(job.path), tmp_path / "run")
    assert not (tmp_path / "run").exists()
