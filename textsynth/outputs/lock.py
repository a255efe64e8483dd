"""run.lock: one process at a time writes a run folder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from textsynth.errors import InputError


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Make the folder and hold its run.lock; the system lets go of it too when the process dies.

    Raises:
        InputError: another process holds it, or the folder cannot be written.
    """
    path = folder / "run.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _locked(path)
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be written ({error.strerror}). Choose another --out.") from None
    try:
        with suppress(OSError):  # the name is for people; a full disk has no room for it
            os.ftruncate(lock, 0)
            os.write(lock, f"process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode())
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held: afterwards it may be another's
        os.close(lock)


def _locked(path: Path) -> int:
    """The file at `path`, open and locked."""
    while True:
        lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(lock, 200).decode("utf-8", "replace").strip()
            os.close(lock)
            raise InputError(f"{path.parent}: a run is writing here ({owner}). Wait for it or stop it.") from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), path.stat()):
                return lock
        os.close(lock)  # its last holder removed it after it was opened here
