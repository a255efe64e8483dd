"""The openai engine on a real vLLM server, on loopback. Runs where vLLM is installed: see `make test-vllm`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.engines import contract
from textsynth.engines.openai import OpenAIEngine
from textsynth.errors import EngineError
from textsynth.job import EngineSpec
from textsynth.models import resolve

if find_spec("vllm") is None:
    pytest.skip("vllm is not installed: run make test-vllm", allow_module_level=True)

SMALL = "smollm2-135m"
STARTS_WITHIN = 180  # seconds
pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a vLLM server answers; it and its processes are killed afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1", "--port", str(port)),
        *("--model", resolve(SMALL, "tests"), "--served-model-name", SMALL, "--enforce-eager", "--dtype", "float32"),
        *("--max-num-seqs", "8", "--max-model-len", "1024"),
        *("--structured-outputs-config", '{"backend": "guidance"}'),
    ]
    environment = {**os.environ, "VLLM_NO_USAGE_STATS": "1", "VLLM_HOST_IP": "127.0.0.1"}
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with log.open("w") as file:
        server = subprocess.Popen(
            command, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", server, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            os.killpg(server.pid, signal.SIGKILL)  # its group: the engine is a process of its own
            server.wait()


def wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the server is healthy."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with direct.open(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    raise AssertionError(f"the server did not start:\n{log.read_text()[-3000:]}")


def engine(url: str, width: int = 4, model: str = SMALL) -> OpenAIEngine:
    spec = EngineSpec(type="openai", model=model, base_url=url, options={"concurrency": width})
    return OpenAIEngine.from_spec(spec, "job.yaml: engine")


@pytest.mark.parametrize("law", contract.laws())
def test_the_contract(law: Any, url: str) -> None:
    law(lambda width: engine(url, width))


def test_the_server_holds_answers_to_the_schema_and_tells_its_context(url: str) -> None:
    asked = engine(url)
    contract.answers(asked, map(contract.request, range(3)))
    assert asked.abilities()["context"] == 1024
    assert "json_schema" in asked.abilities()["structured_output"]
    assert not asked.said


def test_a_model_that_the_server_does_not_have_is_named(url: str) -> None:
    with pytest.raises(EngineError, match=r"does not know the model smollm3\. .*smollm2-135m"):
        contract.answers(engine(url, model="smollm3"), [contract.request(0)])
