"""Sustainability: what a backbone costs, counted from its architecture and measured on a device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from profiler.measures.base import Evidence, Figure, OnEncoder, Part
from profiler.settings import Settings
from profiles_db.errors import MeasuringError
from profiles_db.measurement import Measurement

if TYPE_CHECKING:
    from profiler.measures.costs.architecture import Costs
    from profiler.measures.costs.device import DeviceCosts
    from profiler.measures.costs.memory import PeakMemory

LEAST_SHARE: Final = 0.8
"""Processor time over wall time, in cores, below which a timing is flagged."""
NO_CORPUS: Final = ""
"""The `corpus` of costs that were measured without one."""
ON_DEVICE: Final = ("latency_p50", "latency_p95", "real_time_factor", "memory")
"""The criteria that are measured on a device; the others are counted."""


class SustainabilitySettings(Settings):
    """None so far: costs are those of one 6 s clip."""


class Sustainability(OnEncoder):
    """What the encoder costs."""

    name = "sustainability"
    title = "Sustainability"
    aspect = "sustainability"
    settings = SustainabilitySettings

    def parts(self, evidence: Evidence, settings: Settings) -> Sequence[Part]:  # noqa: ARG002
        """What the architecture costs, and what this device needs for it."""
        from profiler.measures.costs.architecture import costs_of  # noqa: PLC0415 - needs torch
        from profiler.measures.costs.device import measure_device  # noqa: PLC0415

        if evidence.encoder is None:
            raise MeasuringError("costs are measured on the encoder, and cannot be recomputed")
        encoder = evidence.encoder
        on_this = partial(evidence.figure, device=evidence.device)
        return [
            Part(
                "costs of the architecture",
                lambda: counted(evidence.figure, costs_of(encoder())),
                tuple(name for name in self.criteria if name not in ON_DEVICE),
                partial(evidence.figure, origin="counted"),
            ),
            Part(
                "costs on the device",
                lambda: on_device(evidence.figure, measure_device(encoder())),
                ON_DEVICE,
                on_this,
            ),
        ]


def counted(figure: Figure, costs: Costs) -> tuple[Measurement, ...]:
    """`macs`, `paper_macs`, `parameters` and `size`.

    Both counts of multiply-accumulates are flagged where operators that may weigh went uncounted,
    and unknown where none could be counted.
    """
    flags = tuple(
        f"{name} ran {times} times and is not counted" for name, times in costs.uncounted.items()
    )
    count = partial(figure, origin="counted")
    return (
        count(criterion="macs", value=costs.macs, unknown=_unknown(costs), flags=flags),
        count(criterion="paper_macs", value=costs.paper_macs, unknown=_unknown(costs), flags=flags),
        count(criterion="parameters", value=costs.parameters),
        count(criterion="size", value=costs.size),
    )


def _unknown(costs: Costs) -> str | None:
    """Why multiply-accumulates could not be counted."""
    if not costs.uncountable:
        return None
    return f"{costs.uncountable}: its operations cannot be counted"


def on_device(figure: Figure, costs: DeviceCosts) -> tuple[Measurement, ...]:
    """`latency_p50`, `latency_p95`, `real_time_factor` and `memory` on the device measured."""
    measured = partial(figure, device=costs.device)
    return (*_timed(measured, costs), _memory(measured, costs.memory))


def _timed(figure: Figure, costs: DeviceCosts) -> Iterator[Measurement]:
    timings = {
        "latency_p50": costs.latency.p50,
        "latency_p95": costs.latency.p95,
        "real_time_factor": costs.real_time_factor,
    }
    flags = _busy(costs.latency.processor_share)
    for criterion, timing in timings.items():
        yield figure(
            criterion=criterion,
            value=timing.value,
            low=timing.low,
            high=timing.high,
            interval="quantile",
            n=costs.latency.n,
            flags=flags,
        )


def _busy(processor_share: float) -> tuple[str, ...]:
    """Whether other work on the machine took the time that was measured."""
    if processor_share >= LEAST_SHARE:
        return ()
    return (f"the machine was busy: this process had {100 * processor_share:.0f} % of one core",)


def _memory(figure: Figure, memory: PeakMemory) -> Measurement:
    return figure(criterion="memory", value=memory.value, unknown=memory.unknown)
