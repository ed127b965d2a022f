"""Sustainability: what a backbone costs, as measurements of a study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from profiler.measures.costs.architecture import Costs
from profiler.measures.costs.device import DeviceCosts
from profiler.measures.costs.memory import PeakMemory
from profiler.measures.costs.quantiles import Quantile
from profiles_db.measurement import Measurement

LEAST_SHARE: Final = 0.8
"""Processor time over wall time, in cores, below which a timing is flagged."""
NO_CORPUS: Final = ""
"""The `corpus` of these measurements: costs do not depend on one."""
ON_DEVICE: Final = ("latency_p50", "latency_p95", "real_time_factor", "memory")
"""The criteria that are measured on a device; the others are counted."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: the study, the backbone's name, and which weights it carries."""

    study: str
    backbone: str
    weights: str

    def measurement(
        self,
        criterion: str,
        value: float | None,
        *,
        interval: Quantile | None = None,
        n: int | None = None,
        unknown: str | None = None,
        flags: tuple[str, ...] = (),
        device: str = "",
    ) -> Measurement:
        """One measurement of this subject; counted where no device is named."""
        return Measurement(
            study=self.study,
            backbone=self.backbone,
            weights=self.weights,
            corpus=NO_CORPUS,
            criterion=criterion,
            value=value,
            low=interval.low if interval else None,
            high=interval.high if interval else None,
            interval="quantile" if interval else "none",
            n=n,
            unknown=unknown,
            flags=flags,
            origin="measured" if device else "counted",
            device=device,
        )


def counted(subject: Subject, costs: Costs) -> tuple[Measurement, ...]:
    """`macs`, `paper_macs`, `parameters` and `size`.

    Both counts of multiply-accumulates are flagged where operators that may weigh went uncounted.
    """
    flags = tuple(
        f"{name} ran {times} times and is not counted" for name, times in costs.uncounted.items()
    )
    return (
        subject.measurement("macs", costs.macs, flags=flags),
        subject.measurement("paper_macs", costs.paper_macs, flags=flags),
        subject.measurement("parameters", costs.parameters),
        subject.measurement("size", costs.size),
    )


def on_device(subject: Subject, costs: DeviceCosts) -> tuple[Measurement, ...]:
    """`latency_p50`, `latency_p95`, `real_time_factor` and `memory` on the device measured."""
    return (*_timed(subject, costs), _memory(subject, costs.memory, costs.device))


def _timed(subject: Subject, costs: DeviceCosts) -> Iterator[Measurement]:
    timings = {
        "latency_p50": costs.latency.p50,
        "latency_p95": costs.latency.p95,
        "real_time_factor": costs.real_time_factor,
    }
    flags = _busy(costs.latency.processor_share)
    for criterion, timing in timings.items():
        yield subject.measurement(
            criterion,
            timing.value,
            interval=timing,
            n=costs.latency.n,
            flags=flags,
            device=costs.device,
        )


def _busy(processor_share: float) -> tuple[str, ...]:
    """Whether other work on the machine took the time that was measured."""
    if processor_share >= LEAST_SHARE:
        return ()
    return (f"the machine was busy: this process had {100 * processor_share:.0f} % of one core",)


def _memory(subject: Subject, memory: PeakMemory, device: str) -> Measurement:
    return subject.measurement("memory", memory.value, unknown=memory.unknown, device=device)
