"""Commands run as a shell would, in this process."""

from __future__ import annotations

import sys
from typing import NamedTuple

import pytest

from textsynth import cli


class Said(NamedTuple):
    code: int
    out: str
    err: str


class Shell:
    """Runs commands as a shell would, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> Said:
        self._monkeypatch.setattr(sys, "argv", ["textsynth", *map(str, arguments)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err
        return Said(int(ended.value.code or 0), out, err)
