"""What a backbone costs on the device at hand: latency, real-time factor, peak memory."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from profiler.backbones.base import Backbone
from profiler.machine import device_of
from profiler.measures.costs.counting import CLIP_SECONDS, SAMPLE_RATE
from profiler.measures.costs.memory import PeakMemory, Request, peak_memory
from profiler.measures.costs.quantiles import Quantile, quantile

WARM_UP: Final = 3
FEWEST: Final = 20
MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Latency:
    """Time for one clip at batch 1, in seconds, over `n` repetitions.

    `processor_share` is the processor time this process got while it was timed, in cores: below 1
    it waited for others, and the times say more of them than of the backbone.
    """

    p50: Quantile
    p95: Quantile
    n: int
    processor_share: float


@dataclass(frozen=True, slots=True)
class DeviceCosts:
    """Costs of one clip at batch 1 on one device.

    Parameters
    ----------
    device : str
        The device, with its number of threads where it is a CPU.
    latency : Latency
    real_time_factor : Quantile
        Median latency divided by the clip's duration.
    memory : PeakMemory
    """

    device: str
    latency: Latency
    real_time_factor: Quantile
    memory: PeakMemory


def measure_device(
    backbone: Backbone, *, clip_seconds: float = CLIP_SECONDS, budget_seconds: float = 10.0
) -> DeviceCosts:
    """Measure `backbone` where it stands, and its peak memory in a process of its own.

    Parameters
    ----------
    backbone : Backbone
        As `profiler.backbones.load.load` made it, on the device to measure.
    clip_seconds : float
    budget_seconds : float
        Time after which no further repetition starts, once there are 20; at most 200 are made.
    """
    latency = measure_latency(backbone, clip_seconds, budget_seconds)
    return DeviceCosts(
        device=describe(device_of(backbone)),
        latency=latency,
        real_time_factor=latency.p50.divided_by(clip_seconds),
        memory=_memory_of(backbone, clip_seconds),
    )


def _memory_of(backbone: Backbone, clip_seconds: float) -> PeakMemory:
    if backbone.loaded_as is None:
        return PeakMemory(None, "the backbone was not loaded by a name to load it by again")
    name, weights = backbone.loaded_as
    device, samples = str(device_of(backbone)), round(clip_seconds * SAMPLE_RATE)
    return peak_memory(Request(name, weights, device, samples, torch.get_num_threads()))


def measure_latency(
    backbone: Backbone, clip_seconds: float = CLIP_SECONDS, budget_seconds: float = 10.0
) -> Latency:
    """Median and 95th percentile time of one clip at batch 1, from waveform to hidden states."""
    device = device_of(backbone)
    samples = round(clip_seconds * SAMPLE_RATE)
    clip = 0.1 * torch.randn(1, samples, generator=torch.Generator().manual_seed(0))
    clip = clip.to(device)

    def once() -> None:
        backbone.hidden_states(clip)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    with torch.inference_mode():
        for _ in range(WARM_UP):
            once()
        used = time.process_time()
        times = list(_timings(once, budget_seconds))
        share = (time.process_time() - used) / sum(times)
    return Latency(quantile(times, 0.5), quantile(times, 0.95), len(times), share)


def describe(device: torch.device) -> str:
    """The device in words: its model, and how many threads a CPU may use.

    Examples
    --------
    >>> describe(torch.device("cpu")).endswith(("thread", "threads"))
    True
    """
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    threads = torch.get_num_threads()
    return f"{_processor()}, {threads} thread{'s' if threads > 1 else ''}"


def _timings(once: Callable[[], None], budget_seconds: float) -> Iterator[float]:
    started = time.perf_counter()
    for repetition in range(MOST):
        before = time.perf_counter()
        if repetition >= FEWEST and before - started > budget_seconds:
            return
        once()
        yield time.perf_counter() - before


def _processor() -> str:
    """The processor's model name, as far as the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
