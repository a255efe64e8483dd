"""The README says what is: its commands, job file, reason codes, numbers, files and example are those of the code."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from typer.main import get_command

from textsynth.cli import app
from textsynth.engines.scripted import ScriptedEngine
from textsynth.filters.leakage import smallest_alpha
from textsynth.inputs.starter import copy_recipe, recipe_names
from textsynth.job import EngineSpec, FieldSpec, Job, PlanSpec, Sampling, SeedsSpec, StepSpec, load_job
from textsynth.job_filters import FilterSpec
from textsynth.outputs.saved import FORMATS
from textsynth.prepare import prepare
from textsynth.yaml12 import load_yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "textsynth"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a heading, up to the next heading."""
    (found,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    return str(found)


def block(title: str, language: str) -> str:
    """The only fenced block of a language under a heading."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", section(title), re.MULTILINE | re.DOTALL)
    return str(found)


def table(title: str) -> list[list[str]]:
    """The cells of the only table under a heading, without its head."""
    rows = [line.strip("|").split(" | ") for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


# Commands


def test_the_table_of_commands_is_that_of_the_command_line() -> None:
    named = {name for row in table("Commands") for name in re.findall(r"`textsynth (\w+)", row[0])}
    assert named == set(get_command(app).commands)  # type: ignore[attr-defined]


def test_every_command_in_the_readme_has_its_options() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    uses = re.findall(r"^textsynth (\w+)([^#\n]*)", block("Start from your own data", "sh"), re.MULTILINE)
    uses += [use for row in table("Commands") for use in re.findall(r"`textsynth (\w+)([^`]*)", row[0])]
    uses += [(re.findall(r"`textsynth (\w+)", row[0])[0], row[1]) for row in table("Commands")]
    assert len(uses) > 20  # in the example, and in both columns of the table
    for name, rest in uses:
        known = {option for param in commands[name].params for option in param.opts}
        assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", rest)) <= known, name


def test_recipes_and_formats_are_named() -> None:
    named = re.findall(r"textsynth init (\w+) DIR", section("Start from your own data"))
    assert sorted(named) == recipe_names()
    (row,) = [row for row in table("Commands") if "textsynth export" in row[0]]
    assert all(re.search(rf"\b{name}\b", row[1]) for name in FORMATS)


# The job file


def keys_of(data: dict[str, Any]) -> dict[str, set[str]]:
    """The keys that a job uses, for each part of it."""
    found = {
        "job": set(data),
        "seeds": set(data["seeds"]),
        "fields": {key for spec in data["fields"].values() for key in spec},
        "steps": {key for step in data["steps"] for key in step},
        "plan": set(data["plan"]),
        "engine": set(data["engine"]),
        "sampling": set(data["sampling"]),
    }
    return found | {spec["type"]: set(spec) for spec in data["filters"]}


def known_keys() -> dict[str, set[str]]:
    models: dict[str, type[BaseModel]] = {
        "job": Job,
        "seeds": SeedsSpec,
        "fields": FieldSpec,
        "steps": StepSpec,
        "plan": PlanSpec,
        "engine": EngineSpec,
        "sampling": Sampling,
    }
    models |= {get_args(s.model_fields["type"].annotation)[0]: s for s in get_args(get_args(FilterSpec)[0])}
    return {name: set(model.model_fields) for name, model in models.items()}


def test_the_job_file_shows_every_key() -> None:
    text = block("The job file", "yaml")
    assert keys_of(load_yaml(text, "job.yaml")) == known_keys()


def test_the_job_file_has_no_fault(tmp_path: Path) -> None:
    """It is checked with the recipe's seeds, in the columns that it names."""
    copy_recipe("clinical_note", tmp_path / "recipe")
    seeds = (tmp_path / "recipe" / "seeds.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) | {"visit": number} for number, line in enumerate(seeds)]
    lines = [json.dumps({("text" if name == "note" else name): v for name, v in row.items()}) for row in rows]
    (tmp_path / "notes.jsonl").write_text("\n".join(lines), encoding="utf-8")
    judge = "{% block user %}From 1 to 5, how good are these? {{ fields.plans | join(' / ') }}{% endblock %}"
    (tmp_path / "judge.j2").write_text(judge, encoding="utf-8")
    (tmp_path / "plan.j2").write_text("{% block user %}{{ fields.diagnosis }}{% endblock %}", encoding="utf-8")
    (tmp_path / "benchmark.jsonl").write_text('{"question": "What is done first?"}\n', encoding="utf-8")
    (tmp_path / "job.yaml").write_text(block("The job file", "yaml"), encoding="utf-8")
    prepared = prepare(load_job(tmp_path / "job.yaml"), engine=ScriptedEngine(), check_only=True)
    assert prepared.named("copied", "perturbed") == ["age", "complaint"] and prepared.named("written") == [
        "treatment",
        "note",
    ]


# Reason codes and numbers


def reasons_in(path: Path) -> Iterator[str]:
    """The reasons that a file gives: third arguments of verdicts that refuse, wherever their value stands."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values.setdefault(node.targets[0].id, []).append(node.value)

    def constants(expression: ast.expr) -> Iterator[str]:
        if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
            yield expression.value
        elif isinstance(expression, ast.IfExp):
            yield from (*constants(expression.body), *constants(expression.orelse))
        elif isinstance(expression, ast.Dict):
            yield from (text for value in expression.values for text in constants(value))
        elif isinstance(expression, ast.Subscript):
            yield from constants(expression.value)
        elif isinstance(expression, ast.Name):
            yield from (text for value in values[expression.id] for text in constants(value))

    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Verdict" and len(node.args) > 2:
            found = list(constants(node.args[2]))
            accepts = isinstance(node.args[1], ast.Constant) and node.args[1].value is True
            assert found or accepts, f"{path.name}:{node.lineno}: what is the reason?"
            yield from found


def test_the_reason_codes_are_those_of_the_code() -> None:
    given = {reason for path in PACKAGE.glob("filters/*.py") for reason in reasons_in(path)}
    given |= {reason for name in ("rounds.py", "pipeline.py") for reason in reasons_in(PACKAGE / name)}
    assert {code for row in table("Reason codes") for code in re.findall(r"\w+", row[0])} == given | {"surplus"}


def test_the_smallest_alphas_are_right() -> None:
    rows = [list(map(float, row)) for row in table("What the leakage gate claims")]
    assert len(rows) == 2
    for alpha, held_out, shown in rows:
        assert smallest_alpha(int(held_out), 0) <= alpha < smallest_alpha(int(held_out) - 1, 0)
        assert smallest_alpha(0, int(shown)) <= alpha < smallest_alpha(0, int(shown) - 1)


# Files


def paths_in(tree: str) -> set[str]:
    """The paths of an indented tree, two blanks a level; those of folders end with a slash."""
    paths, folders = set(), [""]
    for line in tree.splitlines():
        name, *words = line.split()
        depth = (len(line) - len(line.lstrip())) // 2
        assert words or name == "textsynth/", f"{name}: what is it?"
        folders = [*folders[: depth + 1], folders[depth] + name]
        paths.add(folders[-1])
    return paths


def test_the_tree_has_every_file_of_the_package() -> None:
    files = {path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("[!.]*") if path.is_file()}
    files = {path for path in files if not re.search(r"__pycache__|/\w+/__init__\.py$|/documents/", path)}
    listed = paths_in(block("The files, in reading order", "text"))
    assert {path for path in listed if path.startswith("textsynth/") and not path.endswith("/")} == files
    assert all((ROOT / path).is_dir() for path in listed if path.endswith("/"))


def test_links_lead_somewhere() -> None:
    headings = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^## (.+)$", README, re.M)}
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target[1:] in headings if target.startswith("#") else (ROOT / target).is_file(), target


def test_the_file_stays_short() -> None:
    assert len(README.splitlines()) <= 700


# Python


def test_the_python_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy_recipe("clinical_note", tmp_path / "notes")
    job = tmp_path / "notes" / "job.yaml"
    text = re.sub(r"^engine:.*", "engine: {type: scripted}", job.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = re.sub(r"^plan:.*", "plan: {target: 5, round: 8}", text, flags=re.MULTILINE)
    text = re.sub(r"^filters:.*?^(?=\w)", "", text, flags=re.MULTILINE | re.DOTALL)  # they open an embedded model
    job.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(block("From Python", "python"), "README.md", "exec"), {"__name__": "example"})
    assert capsys.readouterr().out == "5 of 5 accepted, in notes/run\n"
    lineage = [json.loads(line) for line in (tmp_path / "notes/run/lineage.jsonl").read_text().splitlines()]
    assert all("no_allergies" in line["scores"] for line in lineage)
