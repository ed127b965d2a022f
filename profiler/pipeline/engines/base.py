"""What a run asks of an engine."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Protocol, Self

from profiler.pipeline.jobs import Job

MOST_TRIES: Final = 3
"""How often a job is given out whose workers die."""


class Engine(Protocol):
    """Takes jobs in any number, gives them back as they are done, in any order.

    A job's result is the file it leaves; the engine hands back the job alone. Leaving the context
    with an exception stops everything at once.
    """

    @property
    def slots(self) -> int:
        """Jobs that run at the same time."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def submit(self, job: Job) -> None:
        """Take `job`; returns at once."""

    def wait(self) -> Job:
        """The next job that is done; only called while there are unfinished ones.

        Raises
        ------
        TrustserError
            What the job raised; other exceptions likewise.
        """
