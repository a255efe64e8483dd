"""What `textsynth init` writes: a copy of a recipe, or a job with schema and prompt inferred from a person's data."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from textsynth.clinical.agreement import KINDS
from textsynth.errors import InputError
from textsynth.inputs.columns import are_facts, is_nested, look_at
from textsynth.inputs.infer import infer_schema, is_free_text
from textsynth.inputs.left_out import LeftOut
from textsynth.inputs.readers import Row, read_rows
from textsynth.inputs.seeds import SeedSet, load_seeds
from textsynth.job import SeedsSpec, builtin, job_from
from textsynth.records import rng_for
from textsynth.wording import nearest

RECIPES = Path(__file__).resolve().parent.parent / "recipes"
SAMPLE_ROWS, SAMPLE_CHARACTERS = 10_000, 1 << 26  # what is looked at, at most
ALPHAS = (0.05, 0.1, 0.2, 0.5)
HOLDOUT = 0.2
MISSING = ("?", "NA", "N/A", "NaN", "nan", "null", "NULL")  # what csv files write where a value is missing
PROMPT = """\
{# Rendered for each record and for each example: edit the words, keep the loops. #}
{% block system %}
You write synthetic records in the style of the examples. Use the given facts exactly and make up the rest.
{% endblock %}
{% block user %}
Write a new record.
{% for name, value in fields.items() if value is not none %}
{{ name }}: {{ value if value is string else value | tojson }}
{% endfor %}
{% for name, value in attributes.items() if value is not none %}
{{ name }}: {{ value }}
{% endfor %}
{% endblock %}
"""


@dataclass(frozen=True)
class _Draft:
    """All that the job file says."""

    title: str
    seeds: Mapping[str, Any]
    left_out: Mapping[str, str]
    written: Sequence[str]
    sampled: Sequence[str]
    dates: Sequence[str]  # of those, clinical dates
    facts: bool  # whether a text has clinical facts beside it
    few_shot: int
    alpha: float | None
    target: int


def recipe_names() -> list[str]:
    """The ready-made jobs that `copy_recipe` knows."""
    return sorted(path.parent.name for path in RECIPES.glob("*/job.yaml"))


def copy_recipe(name: str, folder: Path) -> list[Path]:
    """Copy a recipe into a new or empty folder; returns the files.

    Raises:
        InputError: no such recipe, or the folder is in use; nothing is written.
    """
    known = recipe_names()
    if name not in known:
        raise InputError(f"init: there is no recipe {name}. {nearest(name, known)}Recipes: {', '.join(known)}.")
    _check_unused(folder)
    there = [path for path in sorted((RECIPES / name).rglob("*")) if path.is_file()]
    return _write(folder, {path.relative_to(RECIPES / name).as_posix(): path.read_bytes() for path in there})


def start_from_seeds(seeds_path: str, folder: Path, target: int = 100) -> list[Path]:
    """Write a job, a schema and a prompt for a person's own data into a new or empty folder; returns the files.

    Args:
        seeds_path: a file, a folder of .txt or the name of a dataset. It stays where it is; the job points to it.
        target: how many accepted records the job asks for.

    Raises:
        InputError: the data cannot be read or has no usable column, or the folder is in use; nothing is written.
    """
    _check_unused(folder)
    rows, more = _sample(seeds_path)
    local = Path(seeds_path).expanduser()
    seeds: dict[str, Any] = {"path": str(local.resolve()) if local.exists() else seeds_path}
    is_csv = seeds_path.removesuffix(".gz").endswith(".csv")
    if found := [mark for mark in MISSING if is_csv and any(mark in row.values() for row in rows)]:
        seeds["missing"] = ["", *found]
    look = look_at(rows, SeedsSpec(**seeds), is_csv, local.name)
    seeds |= {"cut": dict(look.cut)} if look.cut else {}
    seeds |= {"limit": SAMPLE_ROWS} if more else {}
    plain = {"seeds": {**seeds, "holdout": HOLDOUT}, "record_schema": "./record.json", "plan": {"target": target}}
    found_seeds = load_seeds(job_from(plain, folder / "job.yaml"), look.kept, (), ())
    schema = _schema(found_seeds, look.kept)
    written = _written(found_seeds, look.kept)
    if local.exists():  # relative, so that the folder and the data can move together
        seeds["path"] = Path(os.path.relpath(local.resolve(), folder.resolve())).as_posix()
    examples = sum(all(name in seed.data for name in written) for seed in found_seeds.shown)
    facts = [name for name in look.kept if are_facts(name, _values(found_seeds, name))]
    draft = _Draft(
        f"{local.name} ({found_seeds.counts['read']:,} rows)", seeds, look.left_out, written,
        [name for name in look.kept if name not in written], [n for n in facts if KINDS[n] == "date"],
        bool(facts) and len(written) == 1, min(2, examples), _alpha(found_seeds), target,
    )  # fmt: skip
    files = {"job.yaml": _job_text(draft), "record.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"}
    files |= {"prompt.j2": PROMPT} if written else {}
    return _write(folder, {name: text.encode() for name, text in files.items()})


def _check_unused(folder: Path) -> None:
    try:
        used = any(folder.iterdir()) if folder.is_dir() else os.path.lexists(folder)
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be read ({error.strerror}). Choose another folder.") from None
    if used:
        raise InputError(f"{folder}: there is something in the way. Choose another folder, a new or an empty one.")


def _write(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write all files and the job's JSON Schema, or none of them."""
    job_schema = builtin("schemas", "job", ".schema.json")
    extra = {job_schema.name: job_schema.read_bytes()} if job_schema else {}
    paths = [folder / name for name in (*files, *extra)]
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, data in zip(paths, (*files.values(), *extra.values()), strict=True):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
    except OSError as error:
        if folder.is_dir():
            for path in paths:
                path.unlink(missing_ok=True)
            if is_new:
                shutil.rmtree(folder, ignore_errors=True)
        raise InputError(f"{folder}: it cannot be written ({error.strerror}). Choose another folder.") from None
    return paths


def _sample(seeds_path: str) -> tuple[list[Row], bool]:
    """Rows to look at, drawn from the whole file (Vitter's algorithm R), in its order; and whether there are more."""
    rows: list[tuple[int, Row]] = []
    rng = rng_for(0, "init")
    number = size = 0
    for number, row in enumerate(read_rows(seeds_path, Path.cwd(), "init --seeds", left_out=LeftOut()), 1):
        if number <= SAMPLE_ROWS:
            rows.append((number, row))
            size += sum(len(value) for value in row.values() if isinstance(value, str))
        elif (slot := rng.randrange(number)) < SAMPLE_ROWS:
            rows[slot] = number, row
        if size > SAMPLE_CHARACTERS:
            break
    if not rows:
        raise InputError(f"init --seeds: {Path(seeds_path).name} holds no rows. Give at least one example.")
    more = number > SAMPLE_ROWS or size > SAMPLE_CHARACTERS
    return [row for _, row in sorted(rows, key=lambda item: item[0])], more


def _schema(seeds: SeedSet, columns: Sequence[str]) -> dict[str, Any]:
    """The schema of all seeds, its properties in the order of the columns."""
    schema = infer_schema([seed.data for seed in sorted(seeds.by_id.values(), key=lambda seed: seed.id)])
    properties = schema["properties"]
    return {**schema, "properties": {name: properties[name] for name in columns if name in properties}}


def _written(seeds: SeedSet, columns: Sequence[str]) -> list[str]:
    """The columns that only a model can fill: free text, lists, objects, or the only one there is."""
    values = {name: _values(seeds, name) for name in columns}
    found = [name for name in columns if is_free_text(values[name]) or is_nested(values[name]) or not values[name]]
    found = [name for name in found if not are_facts(name, values[name])]
    return found or (list(columns) if len(columns) == 1 else [])


def _values(seeds: SeedSet, column: str) -> list[Any]:
    return [seed.data[column] for seed in seeds.shown if column in seed.data]


def _alpha(seeds: SeedSet) -> float | None:
    """The smallest error rate on offer that the seeds resolve: in split conformal, else in full conformal."""
    held = len(seeds.one_a_cluster(seeds.holdout))
    shown = len(seeds.one_a_cluster(seeds.shown))
    return next((alpha for alpha in ALPHAS if alpha >= min(1 / (held + 1), 2 / (shown + 1))), None)


def _job_text(draft: _Draft) -> str:
    """The job as YAML, laid out by hand, with the reason for each choice."""
    lines = [
        "# yaml-language-server: $schema=job.schema.json",
        f"# Inferred by `textsynth init` from {_scalar(draft.title)}. Each choice is a suggestion: change it,",
        "# then look at a few records with `textsynth check` and `textsynth preview`.",
        *_seeds_lines(draft),
        "record_schema: ./record.json  # types, ranges and choices as seen in the seeds: narrow or widen them",
        "fields:",
        *_field_lines(draft.written, "written", "the model writes them: free text, lists and objects"),
        *_field_lines(
            [n for n in draft.sampled if n not in draft.dates],
            "sampled",
            "drawn from the seeds: numbers, categories, facts",
        ),
        *_field_lines(draft.dates, "perturbed, how: shift", "dates, moved by some weeks of each seed's own"),
        *_together_lines(draft),
    ]
    if draft.written:
        lines += ["steps:", f"  - {{prompt: ./prompt.j2, few_shot: {draft.few_shot}}}  # how many seeds are shown"]
    lines.append(f"plan: {{target: {draft.target}}}  # accepted records")
    if draft.written:
        lines += [
            "engine: {type: transformers, model: smollm2-135m}  # or a local folder, or a hub id",
            "sampling: {temperature: 0.5, min_p: 0.1, repetition_penalty: 1.05}",
        ]
    return "\n".join([*lines, *_filter_lines(draft), "rng_seed: 0  # every random choice comes from it", ""])


def _seeds_lines(draft: _Draft) -> list[str]:
    seeds = draft.seeds
    lines = ["seeds:", f"  path: {_scalar(seeds['path'])}  # your data stays where it is"]
    if "missing" in seeds:
        lines.append(f"  missing: {json.dumps(seeds['missing'])}  # found in the data; taken as: no value")
    if "cut" in seeds:
        cuts = ", ".join(f"{_scalar(name)}: {most}" for name, most in seeds["cut"].items())
        lines.append(f"  cut: {{{cuts}}}  # characters kept, up to the end of a sentence: fits a small model")
    if "limit" in seeds:
        lines.append(f"  limit: {seeds['limit']}  # there are more rows; these are drawn at random")
    lines.append(f"  holdout: {HOLDOUT}  # share of rows never shown; the leakage filter is calibrated on them")
    if draft.left_out:
        lines.append("  # Left out; to have a column back, add it to record.json:")
        lines += [f"  #   {_scalar(name)}: {why}" for name, why in draft.left_out.items()]
    return lines


def _field_lines(names: Sequence[str], source: str, why: str) -> list[str]:
    return [f"  # {why}", *(f"  {_scalar(name)}: {{source: {source}}}" for name in names)] if names else []


def _together_lines(draft: _Draft) -> list[str]:
    """All sampled fields in one group; in two or three where no field is written, since a whole row would be a copy."""
    names, groups = [name for name in draft.sampled if name not in draft.dates], 1
    if not draft.written:
        groups = 3 if len(names) >= 6 else len(names) // 2
        why = "# Each group is drawn from another row, as a whole row would be a copy. Group what belongs together."
    else:
        why = "# Drawn from one seed row, so that what belongs together stays together. Split the group to mix rows."
    if len(names) < 2 or (not draft.written and groups < 2):
        return []
    bounds = [len(names) * number // groups for number in range(groups + 1)]
    parts = [names[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]
    return [why, "together:", *(f"  - [{', '.join(map(_scalar, part))}]" for part in parts)]


def _filter_lines(draft: _Draft) -> list[str]:
    lines = ["filters:", "  - {type: schema}"]
    if draft.alpha is None:
        lines.append("  # No leakage filter: there are too few rows to tell a copy from a new record. Add rows, then")
        lines.append("  # {type: leakage, alpha: 0.5}. Until then, read each record before you pass it on.")
    else:
        why = "" if draft.alpha == ALPHAS[0] else "; more rows allow a smaller one"
        lines.append(f"  - {{type: leakage, alpha: {draft.alpha}}}  # share of genuinely new records refused{why}")
    if draft.facts:
        lines.append(
            f"  - {{type: consistency, text: {_scalar(draft.written[0])}}}  # the text states its facts, and no others"
        )
    if draft.written:
        lines += ["  - {type: dedup, near: 0.8}", "  - {type: diversity, max_similarity: 0.95}"]
    else:
        lines.append("  - {type: dedup, near: null}  # exact repeats only")
    return lines


def _scalar(text: str) -> str:
    """A text as YAML on one line, in quotes unless it is a plain word."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", text) and yaml.safe_load(text) == text:
        return text
    return yaml.safe_dump(text, default_style='"', width=1 << 30, allow_unicode=True).strip()
