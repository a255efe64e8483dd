"""Every error that textsynth raises on purpose.

TextsynthError            something the user can act on; its text is shown as it stands, never a traceback
├── InputError            wrong input: a job, seed, schema, prompt or option (exit code 2)
│   └── MissingExtraError a package of an extra is not installed
└── RunError              a fault during a run; the run folder can be resumed (exit code 3)
    ├── EngineError       the engine or its model failed
    └── StoreError        the run folder could not be written or read

A message says `<place>: <what, with the value>. <what is allowed or what to do>.` and never holds seed text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class TextsynthError(Exception):
    """Base of all errors meant for the user."""

    exit_code = 3


class InputError(TextsynthError):
    """One or more faults in what the user gave; `faults` has one sentence each."""

    exit_code = 2

    def __init__(self, faults: str | Iterable[str]) -> None:
        self.faults: tuple[str, ...] = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("\n".join(self.faults))


class MissingExtraError(InputError):
    """A feature needs a package that the base install does not have."""

    def __init__(self, place: str, package: str, extra: str) -> None:
        super().__init__(f"{place}: the package {package} is not installed. Run: pip install 'textsynth[{extra}]'.")


class RunError(TextsynthError):
    """A run stopped by a fault; what was committed is kept and the run can be resumed."""


class EngineError(RunError):
    """The engine or its model failed."""


class StoreError(RunError):
    """The run folder could not be read or written."""


class Faults:
    """Collects the faults of several checks, so that a user sees all of them at once."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def attempt(self, check: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Call `check`; keep the faults it raises and return None in that case."""
        try:
            return check(*args, **kwargs)
        except InputError as error:
            self.found.extend(fault for fault in error.faults if fault not in self.found)
            return None

    def raise_any(self) -> None:
        """Raise one InputError with everything found so far, if anything was."""
        if self.found:
            raise InputError(self.found)
