"""What every test runs under: no network, and output that does not depend on the terminal."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import Any

import pytest

# Set before any library reads them. The embedded models are fetched by pip, in a process of its own.
os.environ.update(
    COLUMNS="120",
    HF_DATASETS_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_OFFLINE="1",
    NO_COLOR="1",
    TERM="dumb",
    TOKENIZERS_PARALLELISM="false",
)
for name in ("CI", "FORCE_COLOR", "GITHUB_ACTIONS"):
    os.environ.pop(name, None)


def is_local(address: Any) -> bool:
    """Whether a socket address stays on this machine."""
    if not isinstance(address, tuple):  # a path: a Unix socket
        return True
    if address[0] == "localhost":
        return True
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for another machine fails, also where a network is there."""
    connect = socket.socket.connect

    def connect_locally(self: socket.socket, address: Any) -> None:
        if not is_local(address):
            self.close()
            raise AssertionError(f"a test reached for the network: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_locally)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """A `tests.shell.Shell`, imported once the environment above is set."""
    from tests.shell import Shell

    return Shell(monkeypatch, capsys)
