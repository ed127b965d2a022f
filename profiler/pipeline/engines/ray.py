"""Jobs on a Ray cluster: one that is there, or one on this machine that ends with the run.

Every node needs this program in the same versions and sees the same cache folder and corpus under
the same paths. Ray gives a job out again when its worker or its node dies.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self

import ray
import torch
from ray.exceptions import RayError, RayTaskError

from profiler.machine import available_cores, versions
from profiler.pipeline.context import Context, Plan
from profiler.pipeline.engines.base import MOST_TRIES
from profiler.pipeline.jobs import Job
from profiles_db.errors import EngineError, InputError

CONNECT_SECONDS: Final = 5.0
STORE_BYTES: Final = 128 * 2**20
"""Ray's own memory on a cluster of this machine; only the plan passes through it."""
PER_WORKER: Final = 2
"""Jobs given to Ray at a time for each worker: one in work, one to follow."""

_contexts: dict[str, Context] = {}
"""In a worker process: the plan it works on, by its key."""


def _run(plan: list[Any], key: str, driver: dict[str, str], job: Job) -> None:
    """Do `job` in a worker process, one thread, loading the plan when it first meets it."""
    if key not in _contexts:
        _require_same(driver)
        torch.set_num_threads(1)
        _contexts.clear()
        _contexts[key] = Context(ray.get(plan[0]))
    job.run(_contexts[key])


def _require_same(driver: dict[str, str]) -> None:
    """Other versions give other numbers."""
    other = [f"{n} {v} (driver: {driver[n]})" for n, v in versions().items() if v != driver[n]]
    if other:
        raise EngineError(
            f"a node has {', '.join(other)}",
            where=os.uname().nodename,
            rule="every node runs the driver's versions",
            remedy="install the same requirements.lock there",
        )


class RayEngine:
    """A cluster's workers for one plan.

    Parameters
    ----------
    plan : Plan
    workers : int or None
        Jobs in work at a time; None for as many as the cluster has cores (or GPUs).
    address : str or None
        `HOST:PORT` of a cluster that is there, `auto` for the one of this machine, None to start
        one here.

    Raises
    ------
    EngineError
        On entering, if there is no cluster at `address`, or it lacks what a job needs.
    """

    def __init__(self, plan: Plan, workers: int | None, address: str | None) -> None:
        self._plan, self._workers, self._address = plan, workers, address
        self._waiting: deque[Job] = deque()
        self._running: dict[Any, Job] = {}
        self._unit = "GPU" if plan.spec.device == "cuda" else "CPU"

    @property
    def slots(self) -> int:
        """As many as asked for, else as the cluster has cores (or GPUs) now."""
        return self._workers or int(self._capacity())

    def __enter__(self) -> Self:
        _connect(self._address, self._workers)
        try:
            self._require_room()
        except EngineError:
            ray.shutdown()
            raise
        self._shared = [ray.put(self._plan)]
        self._driver = versions()
        self._task = ray.remote(
            num_cpus=1,
            num_gpus=int(self._unit == "GPU"),
            max_retries=MOST_TRIES - 1,
            name="trustser job",
        )(_run)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What is still in work ends with the connection.
        self._waiting.clear()
        self._running.clear()
        ray.shutdown()

    def submit(self, job: Job) -> None:
        """Queue `job`."""
        self._waiting.append(job)

    def wait(self) -> Job:
        """The next job that is done, on whichever node."""
        self._hand_out()
        with _as_raised():
            done, _ = ray.wait(list(self._running), num_returns=1)
        job = self._running.pop(done[0])
        try:
            with _as_raised():
                ray.get(done[0])
        except RayTaskError as error:
            raise error.cause from None
        except RayError as error:
            raise EngineError(
                f"{job.file(self._plan).stem} was lost: {str(error).splitlines()[0]}",
                rule=f"a job is tried {MOST_TRIES} times",
                remedy="look for a lack of memory on the nodes, then run the same command again",
            ) from error
        return job

    def _hand_out(self) -> None:
        """Keep the workers busy without flooding the cluster with all jobs at once."""
        most = self._workers or PER_WORKER * self.slots
        while self._waiting and len(self._running) < most:
            job = self._waiting.popleft()
            ref = self._task.remote(self._shared, self._plan.key, self._driver, job)
            self._running[ref] = job

    def _capacity(self) -> float:
        return max(1.0, float(ray.cluster_resources().get(self._unit, 0.0)))

    def _require_room(self) -> None:
        if ray.cluster_resources().get(self._unit, 0.0) < 1:
            raise EngineError(
                f"the cluster has no {self._unit}",
                where=self._address,
                remedy="add a node that has one, or choose another --device",
            )


@contextmanager
def _as_raised() -> Iterator[None]:
    """Raise what a signal's handler raised while Ray's compiled code waited, which hides it."""
    try:
        yield
    except SystemError as error:
        if error.__cause__ is None:
            raise
        raise error.__cause__ from None


def _connect(address: str | None, workers: int | None) -> None:
    """Join the cluster at `address`, or start one that nothing outside this machine reaches."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    before = signal.getsignal(signal.SIGTERM)
    try:
        _init(address, workers, quiet)
    finally:
        # Ray takes SIGTERM for itself, and would end the driver without a word.
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _init(address: str | None, workers: int | None, quiet: dict[str, Any]) -> None:
    if address is None:
        ray.init(
            address="local",
            num_cpus=workers or available_cores(),
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            _node_ip_address="127.0.0.1",
            **quiet,
        )
        return
    try:
        _require_answer(address)
        ray.init(address=address, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"no Ray cluster can be joined: {str(error).splitlines()[0]}",
            where=f"--ray-address {address}",
            remedy="start one with `ray start --head`, or leave --ray-address out",
        ) from error


def _require_answer(address: str) -> None:
    """Ray itself tries for minutes to reach an address where nothing answers."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
