from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.encoders import BagOfWords
from tests.jobs import SEEDS, Noting, contents, lines, tiny_job
from textsynth import InputError, Job, Verdict, run_job
from textsynth.engines.scripted import ScriptedEngine
from textsynth.outputs.store import Store

ROOT = Path(__file__).resolve().parents[1]
CHANGES: dict[str, Any] = {
    "plan": {"target": 60, "round": 8},
    "steps": [{"prompt": "./tiny.j2", "few_shot": 2, "retry": 1}],
    "filters": [{"type": "schema"}, {"type": "dedup", "near": 0.5}],
    "fields": {"topic": {"source": "sampled"}, "color": {"source": "sampled"}, "size": {"source": "sampled"}},
}
STEERED: dict[str, Any] = CHANGES | {
    "plan": {"target": 60, "round": 8, "few_shot_block": 4, "max_temperature": 1.2},
    "attributes": {"tone": {"dry": 2, "warm": 1}, "length": ["short", "long"]},
    "filters": [{"type": "schema"}, {"type": "diversity", "max_similarity": 0.99, "cap": 0.2}],
}
SITTING = """
import json, sys
from tests.encoders import BagOfWords
from tests.jobs import Shuffled
from textsynth import load_job, pipeline, run_job
pipeline.TextEncoder = BagOfWords
job, run, log, seed = sys.argv[1:]
class Logged(Shuffled):
    def _completion(self, request):
        with open(log, "a") as file:
            file.write(request.id + "\\n")
        return super()._completion(request)
run_job(load_job(job), run, engine=Logged(5, int(seed), broken=0.3))
"""


def sitting(folder: Path, number: int) -> subprocess.Popen[bytes]:
    arguments = [str(folder / "job.yaml"), str(folder / "run"), str(folder / f"log{number}"), str(number)]
    return subprocess.Popen([sys.executable, "-c", SITTING, *arguments], cwd=ROOT)


def asked(folder: Path, number: int) -> list[str]:
    log = folder / f"log{number}"
    return log.read_text().splitlines() if log.exists() else []


def committed(run: Path) -> set[str]:
    if not (run / "run.db").exists():
        return set()
    db = sqlite3.connect(run / "run.db")
    try:
        return {row[0] for row in db.execute("SELECT request_id FROM completions")}
    except sqlite3.OperationalError:  # killed before there were tables
        return set()
    finally:
        db.close()


@pytest.mark.parametrize("changes", [CHANGES, STEERED], ids=["plain", "steered"])
def test_a_run_killed_again_and_again_ends_in_the_files_of_an_unbroken_one(
    tmp_path: Path, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textsynth.pipeline.TextEncoder", BagOfWords)
    unbroken = tiny_job(tmp_path / "a", **changes)
    run_job(unbroken, tmp_path / "a/run", engine=ScriptedEngine(broken=0.3))
    folder, rng = tmp_path / "b", random.Random(4)
    tiny_job(folder, **changes)
    for number in range(5):
        kept = committed(folder / "run")
        process = sitting(folder, number)
        if number < 4:
            enough = rng.randrange(1, 14) if changes is CHANGES else rng.randrange(12, 40)  # loading faiss takes longer
            while len(asked(folder, number)) < enough and process.poll() is None:
                time.sleep(0.005)
            while number % 2 == 0 and committed(folder / "run") <= kept and process.poll() is None:
                time.sleep(0.005)  # however fast the machine is, two sittings get far enough to leave something
            time.sleep(rng.random() * 0.05)
            process.send_signal(signal.SIGKILL)
        code = process.wait(60)
        assert code == (-signal.SIGKILL if number < 4 else 0)
        assert not kept & set(asked(folder, number))  # nothing that was committed is asked again
        assert kept or number == 0  # there was something to go on with
    assert contents(folder / "run") == contents(tmp_path / "a/run")
    with Store(folder / "run", write=False) as broken, Store(tmp_path / "a/run", write=False) as whole:
        assert broken.totals() == whole.totals()
        assert broken.rounds() == whole.rounds()
        assert all((row["aim"] is not None) is (changes is STEERED) for row in whole.rounds())
        assert changes is CHANGES or any(row["gave"]["near"] for row in whole.rounds())


@pytest.mark.parametrize("left", ["lock", "empty", "tables"])
def test_a_run_killed_while_its_folder_was_made_can_start_again(tmp_path: Path, left: str) -> None:
    job, run = tiny_job(tmp_path), tmp_path / "run"
    run.mkdir()
    if left == "tables":
        Store(run).close()
    else:
        (run / "run.lock").write_text("process 1")
    if left == "empty":
        (run / "run.db").touch()
    assert run_job(job, run).done


def test_a_finished_run_that_is_run_again_asks_nothing_and_stays_as_it_is(tmp_path: Path) -> None:
    job = tiny_job(tmp_path)
    run_job(job, tmp_path / "run")
    before = contents(tmp_path / "run")
    engine = Noting()
    assert run_job(job, tmp_path / "run", engine=engine).done
    assert not engine.asked and contents(tmp_path / "run") == before


def test_a_raised_target_goes_on(tmp_path: Path) -> None:
    run_job(tiny_job(tmp_path), tmp_path / "run")
    first = lines(tmp_path / "run/accepted.jsonl")
    engine = Noting()
    more = run_job(tiny_job(tmp_path, plan={"target": 33}), tmp_path / "run", engine=engine)
    assert more.accepted == 33
    assert lines(tmp_path / "run/accepted.jsonl")[:20] == first
    assert 13 <= len(engine.asked) < 30


def test_a_raised_budget_goes_on(tmp_path: Path) -> None:
    short = run_job(tiny_job(tmp_path, plan={"max_requests": 9}), tmp_path / "run")
    assert not short.done
    assert run_job(tiny_job(tmp_path, plan={"max_requests": 90}), tmp_path / "run").done


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"rng_seed": 6}, "rng_seed was 5 and is 6; the rows of the seeds changed"),
        ({"plan": {"round": 9}}, "plan.round was 8 and is 9"),
        ({"sampling": {"temperature": 0.1}}, "sampling.temperature was 0.7 and is 0.1"),
        (
            {"filters": [{"type": "schema"}]},
            "filters[1].type was dedup and is absent; filters[1].shingle was 3 and is absent",
        ),
        ({"seeds": {"path": "seeds.jsonl", "holdout": 0.5}}, "seeds.holdout was 0.25 and is 0.5"),
    ],
)
def test_the_folder_of_another_job_is_refused_and_the_change_named(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    run_job(tiny_job(tmp_path), tmp_path / "run")
    before = (tmp_path / "run/run.db").read_bytes()
    with pytest.raises(InputError) as error:
        run_job(tiny_job(tmp_path, **changes), tmp_path / "run")
    again = f"textsynth run {tmp_path / 'job.yaml'} --out NEW --reuse {tmp_path / 'run'}"
    assert f"this folder holds another run: {named}. Choose a new folder with --out; " in str(error.value)
    assert str(error.value).endswith(again)
    assert (tmp_path / "run/run.db").read_bytes() == before


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        ("tiny.j2", "{% block user %}Another prompt.{% endblock %}", "the text of a prompt"),
        ("seeds.jsonl", "".join(json.dumps(seed | {"size": 2}) + "\n" for seed in SEEDS), "the rows of the seeds"),
    ],
)
def test_changed_inputs_are_named(tmp_path: Path, file: str, text: str, named: str) -> None:
    job = tiny_job(tmp_path)
    run_job(job, tmp_path / "run")
    (tmp_path / file).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"another run: {named} changed\. Choose a new folder"):
        run_job(job, tmp_path / "run")


@pytest.mark.parametrize("what", ["files", "a file"])
def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path, what: str) -> None:
    job, out = tiny_job(tmp_path), tmp_path / "out"
    if what == "files":
        out.mkdir()
        (out / "thesis.txt").write_text("mine")
        with pytest.raises(InputError, match="is not empty and holds no run"):
            run_job(job, out)
        assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    else:
        out.write_text("mine")
        with pytest.raises(InputError, match="this is a file"):
            run_job(job, out)
        assert out.read_text() == "mine"


def test_a_second_process_is_refused_while_one_writes(tmp_path: Path) -> None:
    job, refused = tiny_job(tmp_path), list[str]()

    def answer(request: Any) -> str:
        if not refused:
            with pytest.raises(InputError) as error:
                run_job(job, tmp_path / "run")
            refused.append(str(error.value))
        return json.dumps({"text": f"Text {request.id}."})

    assert run_job(job, tmp_path / "run", engine=ScriptedEngine(answer)).done
    assert "a run is writing here (process " in refused[0]


class Interrupting:
    """A filter during whose nth call the user presses Ctrl-C."""

    name = "mine"

    def __init__(self, call: int) -> None:
        self.left = call

    def prepare(self, records: Any) -> None: ...

    def check(self, record: Any) -> Verdict:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return Verdict("mine", True)

    def remember(self, record: Any) -> None: ...

    def evidence(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize("call", [1, 8, 13])
def test_an_interrupt_while_filtering_leaves_whole_rounds(tmp_path: Path, call: int) -> None:
    job: Job = tiny_job(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_job(job, tmp_path / "run", filters=[Interrupting(call)])
    assert len(lines(tmp_path / "run/accepted.jsonl")) == (call - 1) // 8 * 8
    assert json.loads((tmp_path / "run/manifest.json").read_text())["status"] == "interrupted"
    assert run_job(job, tmp_path / "run", filters=[Interrupting(0)]).done
    run_job(tiny_job(tmp_path / "b"), tmp_path / "b/run", filters=[Interrupting(0)])
    assert contents(tmp_path / "run") == contents(tmp_path / "b/run")


def test_what_an_earlier_sitting_accepted_is_not_accepted_again(tmp_path: Path) -> None:
    alike: dict[str, Any] = {"fields": {"topic": {"source": "copied"}, "color": {"source": "copied"}}}
    exact = {"filters": [{"type": "schema"}, {"type": "dedup", "near": None, "on": ["text"]}]}

    def answer(request: Any) -> str:
        return json.dumps({"size": 3, "text": f"Text number {int(request.id[1:8]) % 9}."})

    for target in (5, 9):
        job = tiny_job(tmp_path, **alike, **exact, plan={"target": target, "max_requests": 60})
        result = run_job(job, tmp_path / "run", engine=ScriptedEngine(answer))
    assert result.accepted == 9
    assert len({row["text"] for row in lines(tmp_path / "run/accepted.jsonl")}) == 9
    twins = [row for row in lines(tmp_path / "run/rejected.jsonl") if row["reason"] == "exact_duplicate"]
    assert {int(row["id"][1:8]) - int(row["neighbor_id"][1:8]) for row in twins} <= {9, 18, 27, 36, 45, 54}
    assert twins


@pytest.mark.parametrize("statement", ["INSERT INTO records", "INSERT INTO verdicts", "UPDATE rounds"])
def test_an_interrupt_while_a_round_is_kept_leaves_all_of_it_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    job, kept = tiny_job(tmp_path), Store._run

    def interrupted(self: Store, text: str, rows: Any) -> None:
        kept(self, text, rows)
        if text.startswith(statement):
            monkeypatch.setattr(Store, "_run", kept)
            raise KeyboardInterrupt

    monkeypatch.setattr(Store, "_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_job(job, tmp_path / "run")
    assert run_job(job, tmp_path / "run").done
    run_job(tiny_job(tmp_path / "b"), tmp_path / "b/run")
    assert contents(tmp_path / "run") == contents(tmp_path / "b/run")


def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(tmp_path: Path) -> None:
    options = {"delay": 0.1, "width": 1}
    tiny_job(tmp_path / "a", engine={"type": "scripted", "options": options})
    command = [sys.executable, "-m", "textsynth.cli", "run", str(tmp_path / "a/job.yaml"), "--out"]
    run = tmp_path / "a/run"
    process = subprocess.Popen(
        [*command, run], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what a shell starts with & ignores it
    )  # fmt: skip
    while len(committed(run)) < 3 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"Go on with: textsynth run {tmp_path / 'a/job.yaml'} --out {run}" in err
    assert "Traceback" not in err and out == ""
    assert json.loads((run / "manifest.json").read_text())["status"] == "interrupted"
    assert subprocess.run([*command, run], cwd=ROOT, capture_output=True, check=False).returncode == 0
    assert len(lines(run / "accepted.jsonl")) == 20
