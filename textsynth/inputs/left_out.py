"""What could not be used of the seeds' data: counted, so that it can be said."""

from __future__ import annotations

from textsynth.errors import InputError


class LeftOut:
    """Counts what a reader left out, by reason, with the place of the first; places hold no seed text.

    Args:
        strict: raise the first one as an `InputError`, where nobody would be told of the others.
    """

    def __init__(self, strict: bool = False) -> None:
        self._strict = strict
        self._found: dict[str, tuple[int, str]] = {}

    def add(self, what: str, where: str) -> None:
        """Count one more of `what`, such as `a bundle without a patient`."""
        if self._strict:
            raise InputError(f"{where}: {what}. Mend or remove it.")
        count, first = self._found.get(what, (0, where))
        self._found[what] = count + 1, first

    @property
    def count(self) -> int:
        """How much was left out, for whatever reason."""
        return sum(count for count, _ in self._found.values())

    def sentences(self) -> list[str]:
        """One sentence for each reason."""
        return [f"{what}: {count:,} left out (first: {where})." for what, (count, where) in self._found.items()]
