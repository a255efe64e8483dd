"""The layout's rules: small files and functions, imports that only point one way, one home for each vendor library.

Each rule is a function of a file's path inside textsynth/ and its source, and returns what is wrong with it. The
package is held to all of them, and each is shown to report a fault that was planted.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "textsynth"

FILE_LINES = 300
BODY_LINES = 40

# Imports only point down this list. What stands together never imports each other; the files of one folder may.
LAYERS = (
    {"cli"},
    {"cli_folders"},
    {"merge", "estimate"},
    {"repeat"},
    {"terminal", "decide", "training"},
    {"pipeline"},
    {"feed", "folder", "ledger", "rounds", "evaluation"},
    {"gates"},
    {"prepare"},
    {"steps"},
    {"checks"},
    {"parse", "inputs", "engines", "filters", "outputs"},
    {"metrics"},
    {"job", "similarity", "clinical", "privacy"},
    {"job_filters"},
    {"models"},
    {"convert", "wheels"},
    {"yaml12", "wording"},
    {"progress"},
    {"errors", "records", "stopping"},
)
LAYER_OF = {unit: layer for layer, units in enumerate(LAYERS) for unit in units}

# convert.py loads torch and transformers once, to turn the embedded GGUF file into safetensors.
HOMES = {
    "torch": ("engines/", "convert.py", "similarity/encoder.py"),
    "transformers": ("engines/", "convert.py"),
    "vllm": ("engines/",),
    "aiohttp": ("engines/",),
    "llguidance": ("engines/",),
    "psutil": ("engines/",),
    "sentence_transformers": ("similarity/encoder.py",),
    "faiss": ("similarity/neighbors.py",),
    "rensa": ("similarity/minhash.py",),
    "py3langid": ("filters/quality.py",),
    "names": ("privacy/lists.py",),
    "zipcodes": ("privacy/lists.py",),
    "sqlite3": ("outputs/store.py", "outputs/database.py"),
    "typer": ("cli.py", "cli_folders.py"),
    "rich": ("terminal.py",),
}

HEAVY = {
    *("torch", "transformers", "vllm", "aiohttp", "llguidance", "sentence_transformers", "faiss", "gguf", "accelerate"),
    *("datasets", "pandas", "pyarrow", "jinja2", "matplotlib", "scipy", "sklearn"),
}
# Files that are all about torch or aiohttp: they import it at the top, and are heavy themselves.
LOADED_LATE = {"engines/prefix.py", "engines/sampling.py", "engines/decoding.py", "engines/wire.py"}
NUMPY_AT_THE_TOP = ("similarity/", "filters/", "metrics/")


def imports(path: PurePosixPath, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and absolute module of every import in a file, wherever it stands; relative ones are resolved."""
    package = ("textsynth", *path.parent.parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *((node.module,) if node.module else ())))
            # `from textsynth import errors` names a module; anything else imported from a module is inside it.
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from ((node.lineno, str(arg.value)) for arg in node.args[:1] if isinstance(arg, ast.Constant))


def statements_run_on_import(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements of a module that run when it is imported: none inside functions, none for type checkers only."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            todo.extend(node.orelse)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        todo.extend(ast.iter_child_nodes(node))


def unit_of(path: PurePosixPath) -> str:
    """The folder, or the module at the top of the package, that a file belongs to."""
    return path.parts[0].removesuffix(".py")


def long_file(path: PurePosixPath, source: str) -> list[str]:
    lines = len(source.splitlines())
    return [f"{path}: {lines} lines, and a file stays under {FILE_LINES}"] if lines >= FILE_LINES else []


def long_functions(path: PurePosixPath, source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
        if not body:
            continue
        decorators = getattr(body[0], "decorator_list", [])
        first = min(statement.lineno for statement in (body[0], *decorators))
        lines = (body[-1].end_lineno or first) - first + 1
        if lines >= BODY_LINES:
            found.append(f"{path}:{node.lineno}: {node.name} has {lines} lines, and a body stays under {BODY_LINES}")
    return found


def wrong_imports(path: PurePosixPath, source: str) -> list[str]:
    if path == PurePosixPath("__init__.py"):  # offers the names of the API, and loads them when they are asked for
        return []
    unit = unit_of(path)
    if unit not in LAYER_OF:
        return [f"{path}: {unit} is not in the layout"]
    found = []
    for line, module in imports(path, ast.parse(source)):
        top, _, rest = module.partition(".")
        target = rest.split(".")[0]
        if top != "textsynth" or target in {unit, "__version__"}:
            continue
        if target not in LAYER_OF:
            found.append(f"{path}:{line}: {module} is not a module of the layout")
        elif LAYER_OF[target] <= LAYER_OF[unit]:
            found.append(f"{path}:{line}: {unit} imports {target}, and imports only point down")
    return found


def strayed_vendors(path: PurePosixPath, source: str) -> list[str]:
    found = []
    for line, module in imports(path, ast.parse(source)):
        homes = HOMES.get(module.split(".")[0])
        if homes is not None and not str(path).startswith(homes):
            found.append(f"{path}:{line}: {module} is imported outside {' and '.join(homes)}")
    return found


def heavy_at_the_top(path: PurePosixPath, source: str) -> list[str]:
    if str(path) in LOADED_LATE:
        return []
    late = tuple("textsynth." + file.removesuffix(".py").replace("/", ".") + "." for file in LOADED_LATE)
    heavy = HEAVY if str(path).startswith(NUMPY_AT_THE_TOP) else HEAVY | {"numpy"}
    return [
        f"{path}:{line}: {module} is imported when the file is, not when it is needed"
        for statement in statements_run_on_import(ast.parse(source))
        for line, module in imports(path, statement)
        if module.split(".")[0] in heavy or f"{module}.".startswith(late)
    ]


def stray_prints(path: PurePosixPath, source: str) -> list[str]:
    if str(path) in ("cli.py", "cli_folders.py", "terminal.py"):
        return []
    return [
        f"{path}:{node.lineno}: only cli.py prints"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "sys.stdout.write", "sys.stderr.write"}
    ]


Rule = Callable[[PurePosixPath, str], list[str]]
RULES: tuple[Rule, ...] = (long_file, long_functions, wrong_imports, strayed_vendors, heavy_at_the_top, stray_prints)


@pytest.mark.parametrize("rule", RULES)
def test_package_keeps_the_rule(rule: Rule) -> None:
    found = [
        fault
        for file in sorted(PACKAGE.rglob("*.py"))
        for fault in rule(PurePosixPath(file.relative_to(PACKAGE).as_posix()), file.read_text(encoding="utf-8"))
    ]
    assert not found, "\n" + "\n".join(found)


def function_of(lines: int) -> str:
    return 'def f():\n    """One line."""\n' + "    x = 1\n" * lines


PLANTED: list[tuple[Rule, str, str, str]] = [
    (long_file, "parse.py", "x = 1\n" * 300, "300 lines"),
    (long_functions, "parse.py", function_of(40), "f has 40 lines"),
    (long_functions, "parse.py", "class A:\n" + textwrap.indent(function_of(41), "    "), "f has 41 lines"),
    (long_functions, "parse.py", "async def f():\n" + "    x = 1\n" * 45, "f has 45 lines"),
    (long_functions, "parse.py", "def f():\n    x = [\n" + "        1,\n" * 50 + "    ]\n", "f has 52 lines"),
    (wrong_imports, "errors.py", "from textsynth.records import Seed", "errors imports records"),
    (wrong_imports, "records.py", "import textsynth.job", "records imports job"),
    (wrong_imports, "models.py", "from textsynth import job", "models imports job"),
    (wrong_imports, "job.py", "from textsynth.similarity.words import tokens", "job imports similarity"),
    (wrong_imports, "similarity/encoder.py", "from textsynth.job import Job", "similarity imports job"),
    (wrong_imports, "metrics/fidelity.py", "from textsynth.filters import leakage", "metrics imports filters"),
    (wrong_imports, "parse.py", "from textsynth.inputs.schemas import tighten", "parse imports inputs"),
    (wrong_imports, "filters/leakage.py", "from ..inputs import seeds", "filters imports inputs"),
    (wrong_imports, "filters/leakage.py", "from .. import pipeline", "filters imports pipeline"),
    (wrong_imports, "outputs/store.py", "def f():\n    import textsynth.engines.base", "outputs imports engines"),
    (wrong_imports, "outputs/store.py", "import importlib\nimportlib.import_module('textsynth.cli')", "imports cli"),
    (wrong_imports, "pipeline.py", "from textsynth.cli import main", "pipeline imports cli"),
    (wrong_imports, "pipeline.py", "from textsynth import load_job", "not a module of the layout"),
    (wrong_imports, "pipeline.py", "import textsynth", "not a module of the layout"),
    (wrong_imports, "utils.py", "", "utils is not in the layout"),
    (strayed_vendors, "similarity/rows.py", "def f():\n    import torch", "torch is imported outside engines/"),
    (strayed_vendors, "filters/schema.py", "from transformers.utils import logging", "outside engines/"),
    (strayed_vendors, "inputs/schemas.py", "import llguidance", "outside engines/"),
    (strayed_vendors, "models.py", "def f():\n    import vllm", "outside engines/"),
    (strayed_vendors, "outputs/card.py", "import aiohttp.web", "outside engines/"),
    (strayed_vendors, "similarity/neighbors.py", "import sentence_transformers", "outside similarity/encoder.py"),
    (strayed_vendors, "filters/leakage.py", "import faiss", "outside similarity/neighbors.py"),
    (strayed_vendors, "filters/dedup.py", "from rensa import RMinHash", "outside similarity/minhash.py"),
    (strayed_vendors, "pipeline.py", "import sqlite3", "outside outputs/store.py"),
    (strayed_vendors, "pipeline.py", "from rich.progress import Progress", "outside terminal.py"),
    (strayed_vendors, "models.py", "from typer import echo", "outside cli.py"),
    (heavy_at_the_top, "engines/base.py", "from .decoding import Batch", "is imported when the file is"),
    (heavy_at_the_top, "engines/vllm.py", "import torch", "torch is imported when the file is"),
    (heavy_at_the_top, "inputs/seeds.py", "try:\n    import pandas\nexcept ImportError:\n    pass", "pandas"),
    (heavy_at_the_top, "inputs/prompts.py", "class A:\n    from jinja2 import Template", "jinja2"),
    (heavy_at_the_top, "inputs/seeds.py", "import numpy as np", "numpy is imported when the file is"),
    (stray_prints, "pipeline.py", "print('done')", "only cli.py prints"),
    (stray_prints, "models.py", "import sys\nsys.stderr.write('x')", "only cli.py prints"),
]


@pytest.mark.parametrize(("rule", "path", "source", "says"), PLANTED)
def test_rule_reports_a_planted_fault(rule: Rule, path: str, source: str, says: str) -> None:
    found = rule(PurePosixPath(path), source)
    assert len(found) == 1
    assert found[0].startswith(path)
    assert says in found[0]


ALLOWED: list[tuple[Rule, str, str]] = [
    (long_file, "parse.py", "x = 1\n" * 299),
    (long_functions, "parse.py", function_of(39)),
    (long_functions, "parse.py", 'def f():\n    """' + "Long.\n" * 60 + '"""\n'),
    (wrong_imports, "__init__.py", "from textsynth.pipeline import run_job"),
    (wrong_imports, "cli.py", "from textsynth.pipeline import run_job\nfrom textsynth.errors import InputError"),
    (wrong_imports, "filters/leakage.py", "from .base import Filter\nfrom textsynth.filters.base import Filter"),
    (wrong_imports, "filters/leakage.py", "from ..similarity import spans\nfrom textsynth.job import LeakageSpec"),
    (wrong_imports, "filters/__init__.py", "from . import base\nfrom .base import Filter"),
    (wrong_imports, "outputs/card.py", "from textsynth import __version__"),
    (strayed_vendors, "engines/transformers.py", "import torch, transformers, llguidance"),
    (strayed_vendors, "convert.py", "def f():\n    import torch\n    import transformers"),
    (strayed_vendors, "outputs/store.py", "import sqlite3"),
    (strayed_vendors, "similarity/spans.py", "from richer import x"),
    (heavy_at_the_top, "engines/vllm.py", "def f():\n    import torch"),
    (heavy_at_the_top, "engines/prefix.py", "import torch\nfrom textsynth.engines import sampling"),
    (heavy_at_the_top, "inputs/seeds.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas"),
    (heavy_at_the_top, "similarity/minhash.py", "import numpy as np"),
    (stray_prints, "cli.py", "print('done')"),
]


@pytest.mark.parametrize(("rule", "path", "source"), ALLOWED)
def test_rule_allows_what_is_right(rule: Rule, path: str, source: str) -> None:
    assert rule(PurePosixPath(path), source) == []


def test_importing_textsynth_and_its_commands_loads_nothing_heavy() -> None:
    code = "import sys, textsynth, textsynth.cli; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (HEAVY | {"numpy"}).isdisjoint(done.stdout.split())
