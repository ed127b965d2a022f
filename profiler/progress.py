"""How long work tells how far it is; the command line decides how that looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Stage(Protocol):
    """One stretch of work."""

    def advance(self, steps: int = 1) -> None:
        """Count `steps` more as done."""

    def grow(self, steps: int) -> None:
        """Know of `steps` more to do."""


class Progress(Protocol):
    """Where stages and messages go."""

    def stage(self, title: str, total: int) -> AbstractContextManager[Stage]:
        """A context manager that yields the `Stage` and closes it at the end."""

    def say(self, message: str) -> None:
        """One line that should stay."""


class Silent:
    """Progress that shows nothing, for use as a library and in tests."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Silent]:  # noqa: ARG002
        """A stage that counts nothing."""
        yield self

    def advance(self, steps: int = 1) -> None:
        """Nothing to show."""

    def grow(self, steps: int) -> None:
        """Nothing to show."""

    def say(self, message: str) -> None:
        """Nothing to show."""
