"""The openai engine beside bare aiohttp and its peers, on a server with fixed latency: `python eval/openai_engine.py`.

Every contender asks the same short chats of `peers/mock_server.py`, at most 64 open. Each sample is a fresh process
(`peers/common.py` says what its clock leaves out). aiohttp and the engine take turns, in another order each round, and
are compared within a round; the peers run once. Peers get environments of their own, which are made when missing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PACKAGES = {  # environment: what is installed into it
    "clients": ["openai==3.54.0", "httpx==0.28.1"],
    "curator": ["bespokelabs-curator==0.1.31"],
    "datadesigner": ["data-designer==0.9.6"],
    "distilabel": ["distilabel[openai]==1.5.3", "requests==2.34.2"],  # it imports requests without asking for it
}
OWN = {  # contender: script and arguments, run by this Python
    "aiohttp": ["aiohttp_bare.py"],
    "textsynth": ["textsynth_engine.py"],
    "textsynth in EngineThreads": ["textsynth_engine.py", "thread"],
}
PEERS = {  # contender: its environment and script
    "openai client": ("clients", "openai_client.py"),
    "httpx": ("clients", "httpx_client.py"),
    "curator": ("curator", "curator_llm.py"),
    "DataDesigner": ("datadesigner", "datadesigner_create.py"),
    "distilabel OpenAILLM": ("distilabel", "distilabel_llm.py"),
    "distilabel pipeline": ("distilabel", "distilabel_pipeline.py"),
}
QUIET = {  # every documented way to keep the peers from sending anything
    "TELEMETRY_ENABLED": "false",  # curator
    "NEMO_TELEMETRY_ENABLED": "false",  # DataDesigner
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else litellm, in curator, fetches one
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "NO_PROXY": "*",
}
SETTINGS = {"CURATOR_DISABLE_CACHE": "true", "OPENAI_API_KEY": "none"}


class Skipped(Exception):
    """Why a contender has no numbers."""


@dataclass
class Bench:
    """One run: its sizes, and the contenders that could not take part."""

    peers: Path
    requests: int
    open: int
    rounds: int
    cap: float
    skipped: dict[str, str] = field(default_factory=dict)

    def at(self, milliseconds: int) -> dict[str, Any]:
        """Numbers of all contenders at one latency."""
        ceiling = self.open / milliseconds * 1000
        samples: dict[str, list[dict[str, float]]] = {name: [] for name in (*OWN, *PEERS)}
        with server(milliseconds) as port:
            for number in range(self.rounds):
                turn = number % len(OWN)
                for name in [*OWN][turn:] + [*OWN][:turn]:
                    self.sample(samples, name, [sys.executable], OWN[name], port)
            for name, (home, script) in PEERS.items():
                self.sample(samples, name, [str(self.peers / home / "bin/python")], [script], port)
        bare = [one["requests_per_second"] for one in samples["aiohttp"]]
        found: dict[str, Any] = {"rounds": self.rounds, "ceiling_per_second": ceiling}
        for name, ones in samples.items():
            if len(ones) != (self.rounds if name in OWN else 1):
                continue
            rates = [one["requests_per_second"] for one in ones]
            found[name] = {
                "share_of_ceiling": round(statistics.median(rates) / ceiling, 3),
                "requests_per_second": round(statistics.median(rates), 1),
                **{key: round(statistics.median(one[key] for one in ones), 3) for key in ones[0] if key[0] != "r"},
            }
            if name in OWN and name != "aiohttp" and len(bare) == len(rates):
                ratios = [mine / its for mine, its in zip(rates, bare, strict=True)]
                found[name] |= {"of_aiohttp": round(statistics.median(ratios), 3)}
                found[name] |= {"of_aiohttp_by_round": [round(ratio, 3) for ratio in ratios]}
        return found

    def sample(self, samples: Any, name: str, python: list[str], script: list[str], port: int) -> None:
        """Run a contender once and keep its numbers, or why there are none."""
        if name in self.skipped:
            return
        command = [
            *python,
            str(HERE / "peers" / script[0]),
            f"http://127.0.0.1:{port}/v1",
            *map(str, (self.requests, self.open)),
            *script[1:],
        ]
        stats(port)
        print(f"{name} ...", file=sys.stderr)
        with tempfile.TemporaryDirectory() as home:
            settings = {"PATH": os.environ["PATH"], "HOME": home, **QUIET, **SETTINGS}
            settings |= {"PYTHONPATH": str(ROOT)} if name in OWN else tokenizer(self.peers)
            try:
                done = subprocess.run(
                    command, cwd=home, env=settings, capture_output=True, text=True, timeout=self.cap, check=False
                )
            except subprocess.TimeoutExpired:
                self.skipped[name] = f"took more than {self.cap:.0f} s"
                return
        if done.returncode:
            self.skipped[name] = (done.stderr.strip().splitlines() or ["no message"])[-1][:300]
            return
        numbers, seen = json.loads(done.stdout.strip().splitlines()[-1]), stats(port)
        samples[name].append(
            {
                "requests_per_second": numbers["requests_per_second"],
                "cpu_seconds_per_1000": numbers["cpu_seconds"] / self.requests * 1000,
                "server_cpu_seconds_per_1000": seen["cpu_seconds"] / seen["answered"] * 1000,
                "most_open": seen["most_open"],
            }
        )

    def install(self) -> None:
        """Make the environments that are missing; a peer that cannot be installed is skipped, and it is said why."""
        for home, packages in PACKAGES.items():
            stamp = self.peers / home / ".installed"
            if stamp.is_file() and stamp.read_text() == " ".join(packages):
                continue
            print(f"installing {' '.join(packages)} ...", file=sys.stderr)
            try:
                call([sys.executable, "-m", "venv", "--clear", str(self.peers / home)])
                call([str(self.peers / home / "bin/python"), "-m", "pip", "install", "-q", *packages])
                stamp.write_text(" ".join(packages))
            except Skipped as why:
                self.skipped |= {name: str(why) for name, (of, _) in PEERS.items() if of == home}


def call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skipped(f"cannot be installed: {(done.stderr.strip().splitlines() or ['no message'])[-1][:300]}")


def tokenizer(peers: Path) -> dict[str, str]:
    """Where litellm keeps the token table that curator and DataDesigner would fetch from the network otherwise."""
    found = next((peers / "curator").glob("lib/*/site-packages/litellm/litellm_core_utils/tokenizers"), None)
    return {"TIKTOKEN_CACHE_DIR": str(found)} if found else {}


@contextmanager
def server(milliseconds: int) -> Iterator[int]:
    """The mock server in a process of its own; yields its port."""
    command = [sys.executable, str(HERE / "peers/mock_server.py"), str(milliseconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


def stats(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats", timeout=10) as answer:  # noqa: S310
        return dict(json.load(answer))


def main(bench: Bench, latencies: list[int]) -> None:
    bench.install()
    found = {f"{latency} ms": bench.at(latency) for latency in latencies}
    numbers = {
        "requests": bench.requests,
        "open": bench.open,
        "packages": [f"aiohttp=={version('aiohttp')}", *(one for packages in PACKAGES.values() for one in packages)],
        "latencies": found,
        "skipped": bench.skipped,
    }
    print(json.dumps(numbers, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latencies", type=int, nargs="+", default=[50, 500], help="milliseconds")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--open", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3, help="of aiohttp and the engine; peers run once")
    parser.add_argument("--cap", type=float, default=120, help="most seconds that one process may take")
    parser.add_argument("--peers", type=Path, default=ROOT / ".peers", help="where the peers' environments are kept")
    args = parser.parse_args()
    main(Bench(args.peers.resolve(), args.requests, args.open, args.rounds, args.cap), args.latencies)
