"""The built package is complete: from the sdist to a wheel to two commands, away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    """Run a program as a user would, far from the checkout; its standard output."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def bin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment that has textsynth from its wheel, built from the sdist."""
    work = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", work, cwd=ROOT)
    (sdist,) = work.glob("*.tar.gz")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w", work, sdist, cwd=work)
    (wheel,) = work.glob("*.whl")
    venv.create(work / "venv", with_pip=False, symlinks=True)
    folder = Path(sysconfig.get_path("scripts", "venv", {"base": str(work / "venv")}))
    python = folder / "python"
    run(*pip, "--python", python, "install", "-q", "--no-deps", "--no-index", wheel, cwd=work)
    # The dependencies come from the environment of the tests. Its own .pth files are not read from here, so an
    # editable install of the checkout stays out of sight.
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=work).strip())
    lent = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "dependencies.pth").write_text("\n".join(sorted(lent)) + "\n", encoding="utf-8")
    return folder


def files(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if file.is_file()}


def test_package_comes_from_the_wheel_with_prompts_schemas_and_recipes(bin_folder: Path, tmp_path: Path) -> None:
    package = Path(run(bin_folder / "python", "-c", "import textsynth; print(textsynth.__file__)", cwd=tmp_path)).parent
    assert package.is_relative_to(bin_folder.parent)
    assert (package / "py.typed").is_file()
    assert files(package / "prompts") == files(ROOT / "prompts") >= {"clinical_note.j2", "instruction.j2"}
    assert files(package / "schemas") == files(ROOT / "schemas") >= {"job.schema.json"}
    for recipe in ("clinical_note", "instruction"):
        assert files(package / "recipes" / recipe) == files(ROOT / "textsynth" / "recipes" / recipe) != set()


def test_init_and_check_work_away_from_the_checkout(bin_folder: Path, tmp_path: Path) -> None:
    run(bin_folder / "textsynth", "init", "clinical_note", "notes", cwd=tmp_path)
    assert (tmp_path / "notes" / "job.yaml").is_file()
    run(bin_folder / "textsynth", "check", "notes/job.yaml", cwd=tmp_path)
