"""What the in-process engines share: a local model's tokenizer, chat template and context."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import Any

from textsynth.errors import EngineError, InputError, MissingExtraError
from textsynth.models import check_name, resolve
from textsynth.records import Completion, Message, Request

_PLAIN_TEMPLATE = (  # a blank line and a role begin a turn, so a content has no blank line before a role
    "{% for m in messages %}{% set text = namespace(of=m.content) %}{% for role in ['system', 'user', 'assistant'] %}"
    "{% set text.of = text.of | replace('\n\n' ~ role ~ ':', '\n' ~ role ~ ':') %}{% endfor %}"
    "{{ m.role }}: {{ text.of }}\n\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)
_MARK = "\ue000"  # a character for private use


class LocalModel:
    """A causal language model in a folder or on the hub, of which only the tokenizer and the config are opened here.

    Args:
        model: an embedded model, a local folder or a hub id.
        place: how messages name this engine, such as `job.yaml: engine`.
        extra, packages: what must be installed.
    """

    def __init__(self, model: str, place: str, extra: str, packages: Sequence[str]) -> None:
        for package in packages:
            if find_spec(package) is None:
                raise MissingExtraError(place, package, extra)
        check_name(model, f"{place}.model", "llm")
        self.model, self.place = model, place
        self.said: Counter[str] = Counter()
        self._kept: tuple[Sequence[Message], list[int]] = ((), [])

    def check(self, messages: Sequence[Message], schema: Mapping[str, Any] | None, max_tokens: int) -> None:
        """Raise an InputError if the prompt and its answer pass the model's context."""
        used = len(self.encode(messages)[0])
        if used + max_tokens > self.context:
            raise InputError(
                f"{self.place}: the prompt has {used} tokens and its answer may take {max_tokens}; {self.model} has "
                f"room for {self.context}. Show fewer seeds, cut them (seeds.cut), or set sampling.max_tokens."
            )

    @cached_property
    def context(self) -> int:
        """Tokens that the model can attend to."""
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(self.path)
        config = config.get_text_config(decoder=True) if hasattr(config, "get_text_config") else config
        return int(getattr(config, "max_position_embeddings", 2**31))

    @cached_property
    def path(self) -> str:
        """The folder or hub id that the model is opened from; fetches an embedded one."""
        return resolve(self.model, f"{self.place}.model")

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer; one without a chat template gets a plain `role: content` one."""
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(self.path)
        except (OSError, ValueError) as error:
            raise self.fault("its tokenizer cannot be loaded", error) from None
        if not tokenizer.chat_template:
            tokenizer.chat_template = _PLAIN_TEMPLATE
            self.said[f"{self.model} has no chat template: a turn is written as `role: content` and a blank line."] = 1
        return tokenizer

    def encode(self, messages: Sequence[Message]) -> tuple[list[int], int]:
        """A chat's token ids, and how many of them come from everything before its last turn."""
        ids, before = self.tokens(messages), self._history(messages[:-1])
        pairs = enumerate(zip(ids, before, strict=False))
        most = min(len(before), len(ids) - 1)  # a row has a token of its own
        return ids, next((at for at, (one, other) in pairs if one != other), most)

    def tokens(self, messages: Sequence[Message], asks: bool = True) -> list[int]:
        """A chat's token ids; with `asks` up to where an answer begins.

        Control tokens come from the chat template alone. Where a message spells one, such as `<|im_end|>`, it is text.
        """
        chat = [dict(message) for message in messages]
        options = {"add_generation_prompt": asks, "return_dict": False}
        if not any(self._control.search(message["content"]) for message in chat):
            ids: list[int] = self.tokenizer.apply_chat_template(chat, **options)
            return ids
        # A tokenizer takes a control token for one wherever it stands in a rendered chat, so what spells one is cut in
        # two and encoded in pieces. Other chats are not: to cut them would give other tokens than the model has seen.
        mark = _MARK
        while any(mark in message["content"] for message in chat):
            mark += _MARK
        marked = [{**m, "content": self._control.sub(lambda found: found[0] + mark, m["content"])} for m in chat]
        first, *others = self.tokenizer.apply_chat_template(marked, tokenize=False, **options).split(mark)
        return self._ids(first) + [token for piece in others for token in self._ids_within(piece)]

    @cached_property
    def _control(self) -> re.Pattern[str]:
        """Finds the first character of each control token in a text, also of one that overlaps another.

        Those are the special tokens and other added ones in brackets, such as `<tool_call>`. Added words and runs of
        spaces are text.
        """
        rests: dict[str, list[str]] = {}
        for token in self.tokenizer.added_tokens_decoder.values():
            if token.special or re.fullmatch(r"[^\w\s].*\w.*[^\w\s]", token.content, re.DOTALL):
                rests.setdefault(token.content[:1], []).append(re.escape(token.content[1:]))
        return re.compile("|".join(f"{re.escape(one)}(?={'|'.join(rest)})" for one, rest in rests.items()) or "(?!)")

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _ids_within(self, text: str) -> list[int]:
        """As `_ids`, of a text that goes on from another: some tokenizers put a space before the first word of all."""
        before, ids = self._ids("\n"), self._ids("\n" + text)
        return ids[len(before) :] if ids[: len(before)] == before else self._ids(text)

    def _history(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of what comes before a last turn; kept for the next request, which mostly has the same."""
        if self._kept[0] != messages:
            self._kept = (messages, self.tokens(messages, asks=False) if messages else [])
        return self._kept[1]

    def too_long(self, request: Request, tokens: int) -> Completion:
        """The empty completion of a request whose prompt leaves no room for an answer; it is counted."""
        self.said[f"a prompt of {self.context} tokens or more leaves no room for an answer: it was not asked."] += 1
        return Completion(request.id, "", "length", tokens, 0)

    def fault(self, what: str, error: Exception) -> EngineError:
        """One sentence on what a vendor library raised."""
        detail = str(error).split("\n")[0][:200]
        return EngineError(
            f"{self.place}: {self.model}: {what} ({type(error).__name__}: {detail}). Check engine.model."
        )
