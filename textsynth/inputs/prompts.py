"""Prompts: a sandboxed Jinja template -> chat messages, with few-shot seeds as chat turns.

A template has a block `user`, rendered for the request and for each example alike, and may have a block `system`.
Both see `fields` (what is known of the record so far), `attributes`, and `writes` (the names asked for).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textsynth.errors import InputError
from textsynth.job import builtin, builtin_names, nearest
from textsynth.records import Message, Seed, content_hash

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True)
class Prompt:
    """A step's template, ready to render.

    `given` and `written` are the names of the fields that a turn states and that its answer holds.
    """

    name: str
    source: str
    template: Template
    given: tuple[str, ...]
    written: tuple[str, ...]
    attributes: tuple[str, ...]

    @property
    def hash(self) -> str:
        """Sha256 of the template's text."""
        return content_hash(self.source)

    def messages(
        self, fields: Mapping[str, Any], attributes: Mapping[str, Any], examples: Iterable[Seed] = ()
    ) -> tuple[Message, ...]:
        """The chat for one request: system, a user and an assistant turn per example, then the request's own turn.

        The facts come last, so that all requests with the same examples share everything before them.

        Raises:
            InputError: the template fails; the message names it and the reason.
        """
        turns: list[Message] = []
        system = self._render("system", {}, {}) if "system" in self.template.blocks else ""
        if system:
            turns.append({"role": "system", "content": system})
        for seed in examples:
            turns.append({"role": "user", "content": self._render("user", seed.data, {})})
            turns.append({"role": "assistant", "content": answer_text({n: seed.data[n] for n in self.written})})
        turns.append({"role": "user", "content": self._render("user", fields, attributes)})
        return tuple(turns)

    def _render(self, block: str, fields: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
        import jinja2

        known = {
            "fields": {name: fields.get(name) for name in self.given},
            "attributes": {name: attributes.get(name) for name in self.attributes},
            "writes": list(self.written),
        }
        try:
            return "".join(self.template.blocks[block](self.template.new_context(known))).strip()
        except jinja2.TemplateError as error:
            raise InputError(f"{self.name}: {_reason(error)}. {self._known()}") from None
        except Exception as error:  # a template can fail in any way that Python can
            raise InputError(f"{self.name}: the template fails with {type(error).__name__}. {self._known()}") from None

    def _known(self) -> str:
        known = [f"fields.{n}" for n in self.given] + [f"attributes.{n}" for n in self.attributes] + ["writes"]
        return f"Known here: {', '.join(known)}."


def load_prompt(
    ref: str, job_path: Path, place: str, given: Sequence[str], written: Sequence[str], attributes: Sequence[str]
) -> Prompt:
    """Read a built-in prompt or a .j2 file beside the job.

    Raises:
        InputError: no such prompt, a syntax error, or no block `user`. What a template asks for shows on rendering.
    """
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    source = _read(ref, job_path, place)
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.filters["tojson"] = answer_text
    try:
        template = environment.from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise InputError(f"{ref} line {error.lineno}: {error.message}. Mend the template.") from None
    if "user" not in template.blocks:
        raise InputError(f"{ref}: the template has no block user. Write {{% block user %}}...{{% endblock %}}.")
    return Prompt(ref, source, template, tuple(given), tuple(written), tuple(attributes))


def answer_text(fields: Any) -> str:
    """Fields as the compact JSON that the model is asked to write."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _read(ref: str, job_path: Path, place: str) -> str:
    path = builtin("prompts", ref, ".j2") or job_path.parent / ref
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = builtin_names("prompts", ".j2")
        raise InputError(
            f"{place} is {ref}: there is no such prompt. {nearest(ref, known)}"
            f"Use ./path.j2 or a built-in one: {', '.join(known)}."
        ) from None
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{place} is {ref}: the file cannot be read as UTF-8 text. Give a .j2 file.") from None


def _reason(error: Exception) -> str:
    text = str(error).rstrip(".")
    return text.replace("'dict object' has no attribute", "there is no") or type(error).__name__
