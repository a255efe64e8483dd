"""The openai engine: any server with an OpenAI-compatible chat API, such as vLLM's, llama.cpp, Ollama or LM Studio."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from textsynth.engines.base import check_options
from textsynth.engines.dialect import Dialect, Refusal
from textsynth.engines.pacing import START, Again, Patience
from textsynth.errors import EngineError, InputError
from textsynth.records import Completion, Message, Request

if TYPE_CHECKING:
    from textsynth.engines.wire import Wire
    from textsynth.job import EngineSpec

_OPTIONS = {
    "timeout": "seconds that an answer may take, such as 600, or none",
    "concurrency": "most requests open at a time, 1 to 4096",
    "body": "a mapping of further keys for every request, such as chat_template_kwargs",
}
_OURS = {"model", "messages", "stream", "n", "seed", "response_format", "max_tokens", "max_completion_tokens"}
_SAMPLING = {"temperature", "top_p", "top_k", "min_p", "repetition_penalty"}
_AGAIN = "What was finished is kept; run again to go on"


class OpenAIEngine:
    """Asks a server over HTTP, many requests at a time.

    Prompts hold seeds, so they go to `base_url` and nowhere else: redirects are not followed, and proxies of the
    environment are not used. Sampling keys beyond OpenAI's own (top_k, min_p, repetition_penalty) are sent as vLLM
    names them; servers that do not know them refuse them, which is said, or ignore them.

    Args:
        model: the server's name of the model.
        base_url: where the API is, such as http://localhost:8000/v1.
        api_key_env: the environment variable that holds the key; None for a server without one.
        timeout: seconds that one answer may take; None waits for ever.
        concurrency: most requests that are open at a time; fewer where the server cannot keep up (see Pace).
        body: further keys of every request. `seed: null` leaves out the seed, which ends a vLLM server on a CPU.
        place: how messages name this engine, such as `job.yaml: engine`.
        patience: how long to wait for a server that fails.

    Raises:
        InputError: the variable holds no key, or one that no header can carry.
    """

    def __init__(
        self,
        model: str,
        base_url: str,
        api_key_env: str | None = None,
        *,
        timeout: float | None = 600.0,
        concurrency: int = START,
        body: Mapping[str, Any] | None = None,
        place: str = "engine",
        patience: Patience | None = None,
    ) -> None:
        self.model, self.base_url, self.place = model, base_url.rstrip("/"), place
        self.timeout, self.concurrency, self.patience = timeout, concurrency, patience or Patience()
        self.said: Counter[str] = Counter()
        self.dialect = Dialect(model, body or {}, self.said)
        self._body, self._api_key_env = body or {}, api_key_env
        self._key = _key(api_key_env, place)
        self._models: list[str] = []
        self._context: int | None = None
        self._wire: Wire | None = None

    @classmethod
    def from_spec(cls, spec: EngineSpec, place: str) -> OpenAIEngine:
        """Build the engine from a job's `engine`; no server is asked.

        Raises:
            InputError: a wrong base_url or option, or an environment variable without a key.
        """
        check_options(spec.options, _OPTIONS, place)
        faults = [*_url_faults(spec.base_url, place), *_option_faults(spec.options, place)]
        if faults:
            raise InputError(faults)
        options = dict(spec.options)
        if options.get("timeout") == "none":
            options["timeout"] = None
        return cls(spec.model, spec.base_url or "", spec.api_key_env, place=place, **options)

    def describe(self) -> Mapping[str, Any]:
        """What lineage records of this engine."""
        return {
            "type": "openai",
            "model": self.model,
            "fingerprint": f"{self.model}@{urlsplit(self.base_url).netloc}",
            "base_url": self.base_url,
            "body": dict(self._body),
            "aiohttp": version("aiohttp"),
        }

    def abilities(self) -> Mapping[str, Any]:
        """What the server told, once it was asked."""
        told = {
            None: "not known before a request has a schema",
            True: "response_format json_schema, held by the server",
            False: "the schema told in words, and answers checked",
        }
        return {"context": self._context, "structured_output": told[self.dialect.honors]}

    def check(self, messages: Sequence[Message], schema: Mapping[str, Any] | None, max_tokens: int) -> None:
        """Raise an InputError if a request passes the context that the server told; before it was asked, nothing is."""
        if self._context is not None and max_tokens >= self._context:
            raise InputError(
                f"{self.place}: an answer may take {max_tokens} tokens, and {self.model} has room for {self._context}. "
                "Set sampling.max_tokens, or start the server with a longer context."
            )

    def generate(self, feed: Iterator[Request | None]) -> Iterator[Completion]:
        """Answer every request of the feed once, in the order in which they finish."""
        from textsynth.engines.wire import Wire

        wire = self._wire = Wire(self)
        open_ = True
        try:
            while open_ or wire.held:
                while open_ and wire.fault is None and wire.held < self.concurrency:
                    try:
                        request = next(feed)
                    except StopIteration:
                        open_ = False
                        break
                    if request is None:
                        break
                    wire.ask(request)
                yield from wire.wait()
                if wire.cancelled:
                    return
                if wire.fault is not None and not wire.held:
                    raise wire.fault
        finally:
            self._wire = None
            wire.close()

    def cancel(self) -> None:
        """End `generate` at once, whatever is open. Any thread may call this."""
        if (wire := self._wire) is not None:
            wire.cancel()

    @property
    def key_header(self) -> dict[str, str]:
        """The header that carries the key, if there is one."""
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    def hear(self, models: Sequence[Mapping[str, Any]]) -> None:
        """Take note of the models that the server lists."""
        self._models = [one["id"] for one in models] or self._models
        for one in models:
            self.dialect.is_vllm |= one.get("owned_by") == "vllm"
            if one["id"] == self.model or len(models) == 1:
                meta = one.get("meta")
                told = (one.get("max_model_len"), meta.get("n_ctx") if isinstance(meta, dict) else None)
                self._context = next((length for length in told if isinstance(length, int)), self._context)

    def fault(self, what: str, todo: str) -> EngineError:
        """One sentence on what went wrong, and one on what to do."""
        return EngineError(f"{self.place}: the openai engine at {self.base_url}: {what}. {todo}.")

    def gave_up(self, failure: Again) -> EngineError:
        """A failure that did not pass."""
        todo = {
            "away": f"Start the server, or set engine.base_url. {_AGAIN}",
            "busy": f"Wait until it has less to do, or ask for less with engine.options.concurrency. {_AGAIN}",
            "broken": f"Look into the server's log. {_AGAIN}",
            "late": f"Raise engine.options.timeout, or set it to none. {_AGAIN}",
            "garbage": f"Is engine.base_url right? It usually ends in /v1. {_AGAIN}",
        }
        wait = f" and asks to wait {failure.wait:.0f} s" if failure.wait else ""
        return self.fault(f"the server {failure.words}{wait}, also when asked again", todo[failure.kind])

    def wants_key(self, status: int) -> EngineError:
        """The server refused us."""
        if self._api_key_env:
            return self.fault(f"the server refused the key ({status})", f"Check the variable {self._api_key_env}")
        return self.fault(
            f"the server wants a key ({status})", "Name the environment variable that holds it in engine.api_key_env"
        )

    def not_there(self, status: int) -> EngineError:
        """The address leads to no chat API, or the model is not there."""
        if status == 404 and self._models and self.model not in self._models:
            return self._unknown_model()
        return self.fault(
            f"{self.base_url}/chat/completions is no chat API ({status})",
            "Is engine.base_url right? It usually ends in /v1",
        )

    def not_taken(self, refusal: Refusal, size: int) -> EngineError:
        """The server refused a request, for a reason that its message gives: which may hold the prompt."""
        if refusal.too_long:
            room = f" of {self._context} tokens" if self._context else ""
            return self.fault(
                f"a prompt and its answer pass the model's context{room} (a request of {size} bytes)",
                "Show fewer seeds, cut them (seeds.cut), set sampling.max_tokens, or give the server a longer context",
            )
        if self._models and self.model not in self._models:
            return self._unknown_model()
        code = f" {refusal.code}" if refusal.code and not (self._key and self._key in refusal.code) else ""
        return self.fault(
            f"the server refused a request ({refusal.status}{code})",
            f"Its log says why; check engine.model, sampling and engine.options.body. {_AGAIN}",
        )

    def _unknown_model(self) -> EngineError:
        listed = ", ".join(name if len(name) <= 80 else name[:77] + "..." for name in self._models[:5])
        more = f" and {len(self._models) - 5} more" if len(self._models) > 5 else ""
        return self.fault(
            f"the server does not know the model {self.model}", f"Set engine.model to one it has: {listed}{more}"
        )


def _key(variable: str | None, place: str) -> str:
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise InputError(f"{place}.api_key_env is {variable}, which is not set. Set this environment variable.")
    if not (key.isascii() and key.isprintable()):
        raise InputError(f"{place}.api_key_env is {variable}, which holds no key: it has control or other characters.")
    return key


def _url_faults(url: str | None, place: str) -> list[str]:
    example = "such as http://localhost:8000/v1"
    if not url:
        return [f"{place}.base_url is missing. Give the address of an OpenAI-compatible server, {example}."]
    if "@" in url:  # shown nowhere: it may be a password
        return [f"{place}.base_url holds a name or password. Leave it out, and name the key's variable in api_key_env."]
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        right = False
    if not right or any(character.isspace() for character in url):
        return [f"{place}.base_url is {url}. Use an address that begins with http:// or https://, {example}."]
    if parts.query or parts.fragment:
        return [f"{place}.base_url has more after its path. Use the address alone, {example}."]
    return []


def _option_faults(options: Mapping[str, Any], place: str) -> list[str]:
    def number(name: str, low: float, high: float, kind: type | tuple[type, ...]) -> bool:
        value = options.get(name)
        return isinstance(value, kind) and not isinstance(value, bool) and low <= value <= high  # type: ignore[operator]

    wrong = []
    if options.get("timeout", None) not in (None, "none") and not number("timeout", 0.001, 1e7, (int, float)):
        wrong.append("timeout")
    if "concurrency" in options and not number("concurrency", 1, 4096, int):
        wrong.append("concurrency")
    faults = [f"{place}.options.{name} is {options[name]}. Use {_OPTIONS[name]}." for name in wrong]
    body = options.get("body") or {}
    try:
        json.dumps(body, allow_nan=False)
    except (TypeError, ValueError):
        body = None
    if not isinstance(body, dict) or not all(isinstance(key, str) for key in body):
        return [*faults, f"{place}.options.body is not a mapping of JSON values. Use {_OPTIONS['body']}."]
    ours = [key for key in body if key in _OURS and (key != "seed" or body[key] is not None)]
    faults += [f"{place}.options.body.{key} is ours to set. Leave it out." for key in ours]
    return faults + [f"{place}.options.body.{key}: set it in the job's sampling." for key in body if key in _SAMPLING]
