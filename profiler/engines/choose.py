"""Which engine suits this machine and backbone, measured where nobody says."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Final

import torch

from profiler.backbones.base import Backbone
from profiler.engines.base import Engine
from profiler.engines.local import LocalEngine
from profiler.engines.serial import SerialEngine
from profiler.plan import Workshop
from profiler.progress import Progress
from profiler.protocol import SAMPLE_RATE
from profiles_db.errors import InputError

TRIAL_SECONDS: Final = 4.0
"""Length of the clip that the two ways are timed on."""
TRIALS: Final = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """Which engine to use: `workers` processes, 0 for this process, None to measure and choose."""

    workers: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and not 0 <= self.workers <= 1024:  # noqa: PLR2004
            raise InputError(f"{self.workers} workers", where="--workers", rule="0 to 1024")

    @property
    def name(self) -> str:
        """For the run's provenance."""
        return "local" if self.workers is None else f"local, {self.workers} workers"

    def engine(self, shop: Workshop, progress: Progress) -> Engine:
        """The engine for this plan."""
        workers = self.workers
        if workers is None:
            workers = best_workers(shop.backbone, torch.device(shop.plan.spec.device))
            how = f"{workers} worker processes" if workers else "this process"
            progress.say(f"{shop.plan.spec.name}: working in {how}")
        return LocalEngine(shop.plan, workers) if workers else SerialEngine(shop)


def best_workers(backbone: Backbone, device: torch.device) -> int:
    """How many one-threaded worker processes beat this process with all its threads; 0 if none.

    Times forward and backward through the backbone with one thread and with all. On a GPU one
    process is best: it batches.
    """
    cores = available_cores()
    if device.type == "cuda" or cores < 2:  # noqa: PLR2004
        return 0
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = _seconds(backbone)
        torch.set_num_threads(before)
        together = _seconds(backbone)
    finally:
        torch.set_num_threads(before)
    return cores if alone / cores < together else 0


def available_cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _seconds(backbone: Backbone) -> float:
    """Fastest of a few forward and backward passes."""
    samples = round(TRIAL_SECONDS * SAMPLE_RATE)
    times = []
    for trial in range(TRIALS):
        wave = 0.1 * torch.randn(1, samples, generator=torch.Generator().manual_seed(trial))
        start = time.perf_counter()
        states = backbone.hidden_states(wave.requires_grad_(True))
        torch.autograd.backward(states.sum())
        times.append(time.perf_counter() - start)
    return min(times)
