"""Jobs one after the other in this process: on a GPU, and where a second process does not pay."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Self

from profiler.pipeline.context import Context
from profiler.pipeline.jobs import Job


class SerialEngine:
    """Runs a job when the next one is waited for, first come, first served."""

    def __init__(self, context: Context) -> None:
        self._here = context
        self._jobs: deque[Job] = deque()

    @property
    def slots(self) -> int:
        """One job at a time."""
        return 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._jobs.clear()

    def submit(self, job: Job) -> None:
        """Queue `job`."""
        self._jobs.append(job)

    def wait(self) -> Job:
        """Run the next job."""
        job = self._jobs.popleft()
        job.run(self._here)
        return job
