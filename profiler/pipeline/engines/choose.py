"""Which engine suits this machine and backbone, measured where nobody says."""

from __future__ import annotations

import importlib.util
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import torch

from profiler.backbones.base import Backbone
from profiler.backbones.load import modules_of
from profiler.backbones.precision import hidden_states
from profiler.machine import HEAP, available_cores
from profiler.pipeline.context import Context
from profiler.pipeline.engines.base import Engine
from profiler.pipeline.engines.local import LocalEngine, prepare_workers
from profiler.pipeline.engines.serial import SerialEngine
from profiler.progress import Progress
from profiler.settings import SAMPLE_RATE, Precision
from profiles_db.errors import InputError, MissingExtraError

TRIAL_SECONDS: Final = 4.0
"""Length of the clip that the two ways are timed on."""
TRIALS: Final = 3


EngineName = Literal["local", "ray"]
_MOST_WORKERS: Final = 1024


@dataclass(frozen=True, slots=True)
class Choice:
    """Which engine to use.

    Parameters
    ----------
    workers : int or None
        Worker processes, 0 for this process; None to measure and choose, or for all that a
        cluster has.
    kind : 'local' or 'ray'
    ray_address : str or None
        `HOST:PORT` or `auto`; None to start a cluster on this machine.

    Raises
    ------
    InputError
        If the parts do not fit together.
    MissingExtraError
        If Ray is asked for and not installed.
    """

    workers: int | None = None
    kind: EngineName = "local"
    ray_address: str | None = None

    def __post_init__(self) -> None:
        least = int(self.kind == "ray")
        if self.workers is not None and not least <= self.workers <= _MOST_WORKERS:
            rule = f"{least} to {_MOST_WORKERS}"
            raise InputError(f"{self.workers} workers", where="--workers", rule=rule)
        if self.ray_address is not None:
            self._require_address(self.ray_address)
        if self.kind == "ray" and importlib.util.find_spec("ray") is None:
            raise MissingExtraError(
                "needs ray, not installed here",
                where="--engine ray",
                remedy='install it with: pip install "trustser[ray]"',
            )

    def _require_address(self, address: str) -> None:
        if self.kind != "ray":
            raise InputError("names no engine", where="--ray-address", remedy="add --engine ray")
        if address != "auto" and not re.fullmatch(r"[^/\s:]+:\d{1,5}|\[[^]]+]:\d{1,5}", address):
            rule = "HOST:PORT, or auto"
            raise InputError(f"{address!r:.80} is no address", where="--ray-address", rule=rule)

    @property
    def name(self) -> str:
        """For the run's provenance."""
        return self.kind if self.workers is None else f"{self.kind}, {self.workers} workers"

    def prepare(self, backbones: Sequence[str], device: torch.device) -> None:
        """Let worker processes load while this one does, where there may be any."""
        may_work = self.kind == "local" and self.workers != 0
        if may_work and device.type == "cpu" and available_cores() > 1:
            prepare_workers(modules_of(backbones))

    def engine(self, context: Context, progress: Progress) -> Engine:
        """The engine for this plan."""
        if self.kind == "ray":
            if self.ray_address is None:
                # Ray reads it when it is imported; without a cluster it listens on loopback alone.
                os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
            from profiler.pipeline.engines.ray import RayEngine  # noqa: PLC0415 - an extra

            context.release_weights()
            return RayEngine(context.plan, self.workers, self.ray_address)
        workers = self.workers
        if workers is None:
            plan = context.plan
            device, precision = torch.device(plan.spec.device), plan.protocol.training.precision
            workers = best_workers(context.backbone, device, precision)
            how = f"{workers} worker processes" if workers else "this process"
            progress.say(f"{context.plan.spec.name}: working in {how}")
        if not workers:
            return SerialEngine(context)
        context.release_weights()
        return LocalEngine(context.plan, workers)


def best_workers(backbone: Backbone, device: torch.device, precision: Precision = "float32") -> int:
    """How many one-threaded worker processes beat this process with all its threads; 0 if none.

    Times forward and backward through the backbone in `precision`, with one thread and with all.
    On a GPU one process is best: it batches.
    """
    cores = available_cores()
    if device.type == "cuda" or cores < 2:  # noqa: PLR2004
        return 0
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = _seconds(backbone, precision)
        torch.set_num_threads(before)
        together = _seconds(backbone, precision)
    finally:
        torch.set_num_threads(before)
        HEAP.tidy()
    return cores if alone / cores < together else 0


def _seconds(backbone: Backbone, precision: Precision) -> float:
    """Fastest of a few forward and backward passes; of forward ones where there is no gradient."""
    differentiable = not (backbone.quantised or backbone.outside_torch)
    samples = round(TRIAL_SECONDS * SAMPLE_RATE)
    times = []
    for trial in range(TRIALS):
        wave = 0.1 * torch.randn(1, samples, generator=torch.Generator().manual_seed(trial))
        start = time.perf_counter()
        states = hidden_states(backbone, wave.requires_grad_(differentiable), precision)
        if differentiable:
            torch.autograd.backward(states.sum())
        times.append(time.perf_counter() - start)
    return min(times)
