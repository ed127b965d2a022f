"""Costs as measurements of a study."""

from __future__ import annotations

import dataclasses
import functools

from profiler.measures.costs.architecture import Costs
from profiler.measures.costs.device import DeviceCosts, Latency
from profiler.measures.costs.memory import PeakMemory
from profiler.measures.costs.quantiles import Quantile
from profiler.measures.sustainability import counted, on_device
from profiles_db.criteria import CRITERIA
from profiles_db.measurement import Measurement

SUBJECT = functools.partial(
    Measurement, study="abc", backbone="whisper_tiny", weights="random:0", corpus=""
)
COSTS = Costs(
    macs=2_593_036_800,
    paper_macs=2_316_556_800,
    parameters=8_208_384,
    size=32_833_536,
    hidden_size=384,
    layers=4,
    transformer_layers=4,
    uncounted={},
)
DEVICE_COSTS = DeviceCosts(
    device="a processor, 2 threads",
    latency=Latency(
        p50=Quantile(0.06, 0.05, 0.07), p95=Quantile(0.09, 0.08, None), n=50, processor_share=1.9
    ),
    real_time_factor=Quantile(0.01, 0.0083, 0.0117),
    memory=PeakMemory(67_000_000),
)


def test_every_criterion_of_the_aspect_is_measured_once() -> None:
    measurements = (*counted(SUBJECT, COSTS), *on_device(SUBJECT, DEVICE_COSTS))
    wanted = [n for n, c in CRITERIA.items() if c.aspect == "sustainability"]

    assert [measurement.criterion for measurement in measurements] == wanted
    assert {(m.study, m.backbone, m.weights) for m in measurements} == {
        ("abc", "whisper_tiny", "random:0")
    }


def test_counts_are_exact_and_named_as_counted() -> None:
    macs, paper_macs, parameters, size = counted(SUBJECT, COSTS)

    assert [m.value for m in (macs, paper_macs, parameters, size)] == [
        2_593_036_800,
        2_316_556_800,
        8_208_384,
        32_833_536,
    ]
    assert {m.origin for m in (macs, paper_macs, parameters, size)} == {"counted"}
    assert (macs.low, macs.high, macs.interval, macs.device) == (None, None, "none", "")


def test_timings_carry_their_interval_and_device() -> None:
    p50, p95, factor, _ = on_device(SUBJECT, DEVICE_COSTS)

    assert (p50.value, p50.low, p50.high, p50.interval, p50.n) == (0.06, 0.05, 0.07, "quantile", 50)
    assert (p95.value, p95.low, p95.high) == (0.09, 0.08, None)
    assert factor.value == 0.01
    assert {m.origin for m in (p50, p95, factor)} == {"measured"}
    assert {m.device for m in (p50, p95, factor)} == {"a processor, 2 threads"}


def test_memory_that_cannot_be_measured_is_unknown_with_the_reason() -> None:
    costs = DeviceCosts(
        DEVICE_COSTS.device,
        DEVICE_COSTS.latency,
        DEVICE_COSTS.real_time_factor,
        PeakMemory(None, "no such system"),
    )
    memory = on_device(SUBJECT, costs)[-1]

    assert (memory.value, memory.unknown) == (None, "no such system")


def test_counts_are_flagged_where_something_went_uncounted() -> None:
    costs = Costs(1, 1, 1, 1, 1, 1, 1, {"aten::cdist": 3})
    macs, paper_macs, parameters, _ = counted(SUBJECT, costs)

    assert macs.flags == paper_macs.flags == ("aten::cdist ran 3 times and is not counted",)
    assert parameters.flags == ()


def test_a_timing_on_a_busy_machine_is_flagged() -> None:
    busy = dataclasses.replace(
        DEVICE_COSTS, latency=dataclasses.replace(DEVICE_COSTS.latency, processor_share=0.42)
    )
    found = {m.criterion: m for m in on_device(SUBJECT, busy)}
    for criterion in ("latency_p50", "latency_p95", "real_time_factor"):
        assert "42 % of one core" in found[criterion].flags[0]
    assert all(not m.flags for m in on_device(SUBJECT, DEVICE_COSTS))
