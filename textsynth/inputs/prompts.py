"""Prompts: a sandboxed Jinja template -> chat messages, with few-shot seeds as chat turns.

A template has a block `user`, rendered for the request and for each example alike, and may have a block `system`.
Both see `fields` (what is known of the record so far), `attributes`, and `writes` (the names asked for).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textsynth.errors import InputError
from textsynth.job import builtin, builtin_names
from textsynth.records import Message, Seed, content_hash
from textsynth.wording import nearest

if TYPE_CHECKING:
    from jinja2 import Environment, Template

MOST_CHARACTERS = 1_000_000  # of one turn; no model reads more
_BLOCKS = 16  # sets of examples whose turns are kept: more than the blocks of two rounds of the default size


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
    _shared: dict[tuple[str, ...], tuple[Message, ...]] = field(repr=False, compare=False, default_factory=dict)

    @cached_property
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
        shown = tuple(examples)
        block = tuple(seed.id for seed in shown)
        if block not in self._shared:  # rendered once for all requests of a block
            self._shared[block] = tuple(self._turns(shown))
            if len(self._shared) > _BLOCKS:
                del self._shared[next(iter(self._shared))]
        own = {"role": "user", "content": self._render("user", fields, attributes)}
        return (*self._shared[block], own)

    def _turns(self, examples: Iterable[Seed]) -> Iterator[Message]:
        system = self._render("system", {}, {}) if "system" in self.template.blocks else ""
        if system:
            yield {"role": "system", "content": system}
        for seed in examples:
            yield {"role": "user", "content": self._render("user", seed.data, {})}
            yield {"role": "assistant", "content": answer_text({n: seed.data[n] for n in self.written})}

    def _render(self, block: str, fields: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
        import jinja2

        known = {
            "fields": {name: fields.get(name) for name in self.given},
            "attributes": {name: attributes.get(name) for name in self.attributes},
            "writes": list(self.written),
        }
        parts: list[str] = []
        size = 0
        try:
            for part in self.template.blocks[block](self.template.new_context(known)):
                parts.append(part)
                size += len(part)
                if size > MOST_CHARACTERS:
                    raise InputError(
                        f"{self.name}: the block {block} gives more than {MOST_CHARACTERS:,} characters. Shorten it."
                    )
            return "".join(parts).strip()
        except InputError:
            raise
        except jinja2.TemplateError as error:
            raise InputError(f"{self.name}: {_reason(error, self.source)}. {self._known()}") from None
        except Exception as error:  # a template can fail in any way that Python can
            raise InputError(f"{self.name}: the template fails with {type(error).__name__}. {self._known()}") from None

    def _known(self) -> str:
        known = [f"fields.{n}" for n in self.given] + [f"attributes.{n}" for n in self.attributes] + ["writes"]
        return f"Known here: {', '.join(known)}."


def load_prompt(
    ref: str,
    job_path: Path,
    place: str,
    given: Sequence[str],
    written: Sequence[str],
    attributes: Sequence[str],
    later: Sequence[str] = (),
) -> Prompt:
    """Read a built-in prompt or a .j2 file beside the job.

    Raises:
        InputError: no such prompt, a syntax error, no block `user`, or a field that a later step writes. What else a
            template asks for shows on rendering.
    """
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    source = _read(ref, job_path, place)
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.filters["tojson"] = answer_text
    try:
        _check_stands_alone(environment, source, ref)
        _check_order(environment, source, place, written, later)
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
    except (OSError, ValueError):  # also a path with a null character
        raise InputError(f"{place} is {ref}: the file cannot be read as UTF-8 text. Give a .j2 file.") from None


def _check_stands_alone(environment: Environment, source: str, ref: str) -> None:
    """Refuse tags that would read another file, also where blocks rendered by themselves would pass over them."""
    from jinja2 import nodes

    tags = (nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)
    for node in environment.parse(source).find_all(tags):
        tag = "import" if isinstance(node, nodes.FromImport) else type(node).__name__.lower()
        raise InputError(f"{ref} line {node.lineno}: {tag} reads another file. Write all of it into this template.")


def _check_order(
    environment: Environment, source: str, place: str, written: Sequence[str], later: Sequence[str]
) -> None:
    """Refuse a prompt that reads what the same step or a later one writes."""
    from jinja2 import nodes

    parsed = environment.parse(source)
    read = [
        str(node.attr)
        for node in parsed.find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name) and node.node.name == "fields"
    ]
    for name in dict.fromkeys(read):
        if name in written or name in later:
            who = "this step itself" if name in written else "a later step"
            raise InputError(f"{place} reads fields.{name}, which {who} writes. A step reads what earlier ones wrote.")


def _reason(error: Exception, source: str) -> str:
    """Jinja's message; only the kind of error where it quotes what the template does not say, such as a seed's text."""
    text = str(error).rstrip(".").replace("'dict object' has no attribute", "there is no")
    quoted = re.findall(r"(?:there is no|has no (?:attribute|element)|access to attribute) (.*)", text, re.DOTALL)
    if not text or any(words.partition("' of '")[0].strip("'\"") not in source for words in quoted):
        return f"the template fails with {type(error).__name__}"
    return text
