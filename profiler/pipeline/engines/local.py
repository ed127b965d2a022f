"""Jobs in worker processes of this machine, one thread each.

A worker that dies is replaced and its job is given out again. Workers leave with their driver:
each watches for its end, so that a killed run leaves no process behind.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from types import ModuleType, TracebackType
from typing import Final, Self

import torch

from profiler.backbones.load import modules_of
from profiler.pipeline.context import Context, Plan
from profiler.pipeline.engines.base import MOST_TRIES
from profiler.pipeline.jobs import Job
from profiles_db.errors import EngineError

_PRELOADED: Final = (
    "profiler.pipeline.jobs", "torch._dynamo", "sklearn.linear_model", "sklearn.neural_network",
)  # fmt: skip
"""What every worker imports sooner or later, and inherits instead."""

_here: Context | None = None


def prepare_workers(modules: Sequence[str]) -> None:
    """Begin to import `modules`, and what every job needs, in the process that workers come from.

    Returns at once: this process can load its own meanwhile. What is imported there is imported
    once for all workers, and its memory is shared.
    """
    _processes().set_forkserver_preload([*_PRELOADED, *modules])
    # Ctrl-C reaches every process of the terminal; this one must not die of it with a traceback.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _processes() -> ForkServerContext:
    return multiprocessing.get_context("forkserver")


@contextmanager
def _without_script() -> Iterator[None]:
    """Let processes that begin here import nothing of the script that is run.

    They need nothing of it: all that a job knows is imported by name. A script without a guard
    would run again in each of them, and one that is read from a pipe cannot be found.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def _prepare(plan: Plan, driver: Connection) -> None:
    """Make a worker: one thread, ignores Ctrl-C (the driver stops it), gone with the driver."""
    global _here  # noqa: PLW0603 - a worker process has one plan
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_watch, args=(driver,), daemon=True).start()
    _here = Context(plan)


def _watch(driver: Connection) -> None:
    """Leave when the other end of the pipe closes: on purpose, or because the driver died."""
    driver.poll(None)
    os._exit(1)


def _run(job: Job) -> None:
    if _here is None:
        raise RuntimeError("the worker was never prepared")
    job.run(_here)


class LocalEngine:
    """A pool of `workers` processes for one plan."""

    def __init__(self, plan: Plan, workers: int) -> None:
        self._plan, self._workers = plan, workers
        self._processes = _processes()
        self._futures: dict[Future[None], Job] = {}
        self._tries: dict[Job, int] = {}

    @property
    def slots(self) -> int:
        """Worker processes."""
        return self._workers

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._pool.shutdown()
        self._abandon()

    def submit(self, job: Job) -> None:
        """Give `job` to the pool."""
        self._tries[job] = self._tries.get(job, 0) + 1
        if self._tries[job] > MOST_TRIES:
            raise EngineError(
                f"a worker died {MOST_TRIES} times on {job.file(self._plan).stem}",
                rule=f"a job is tried {MOST_TRIES} times",
                remedy="look for a lack of memory, and try --workers 1",
            )
        try:
            with _without_script():
                self._futures[self._pool.submit(_run, job)] = job
        except BrokenProcessPool:  # a worker died since the last job was waited for
            self._restart(job)

    def wait(self) -> Job:
        """The next job that is done, lost workers made good."""
        while True:
            done, _ = concurrent.futures.wait(
                self._futures, return_when=concurrent.futures.FIRST_COMPLETED
            )
            future = done.pop()
            job = self._futures[future]
            try:
                future.result()
            except BrokenProcessPool:
                self._restart()
                continue
            del self._futures[future]
            return job

    def _start(self) -> None:
        prepare_workers(modules_of([self._plan.spec.name]))
        reader, self._alive = self._processes.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(
            self._workers,
            mp_context=self._processes,
            initializer=_prepare,
            initargs=(self._plan, reader),
        )

    def _abandon(self) -> None:
        """Close the pipe that the workers watch, upon which they leave at once."""
        self._alive.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _restart(self, *more: Job) -> None:
        """A new pool for all jobs that the broken one had not finished, and for `more`."""
        unfinished = [*self._futures.values(), *more]
        self._abandon()
        self._futures.clear()
        self._start()
        for job in unfinished:
            self.submit(job)
