"""What is measured on the device: its form, and what memory really takes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import transformers as hf

from profiler.backbones.fbank import Fbank
from profiler.backbones.load import load
from profiler.measures.costs import memory
from profiler.measures.costs.device import FEWEST, describe, measure_device, measure_latency
from profiler.measures.costs.memory import PeakMemory, Request, peak_memory
from tests.profiler.backbones.checkpoints import WHISPER, saved

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a process its peak memory"
)


def request_for(name: str) -> Request:
    return Request(name, "random", "cpu", samples=16_000, threads=1)


def test_latency_has_the_repetitions_and_order_it_says() -> None:
    latency = measure_latency(load("fbank"), clip_seconds=1.0, budget_seconds=0.0)

    assert latency.n == FEWEST
    assert 0 < latency.p50.value <= latency.p95.value
    assert latency.p50.low is not None
    assert latency.p50.low <= latency.p50.value


def test_the_device_is_named_with_its_threads() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    assert describe(torch.device("cpu")).endswith(", 1 thread")
    torch.set_num_threads(2)
    assert describe(torch.device("cpu")).endswith(", 2 threads")
    torch.set_num_threads(before)


@linux_only
def test_the_costs_of_a_device_belong_together() -> None:
    costs = measure_device(load("fbank"), clip_seconds=2.0, budget_seconds=0.0)

    assert costs.real_time_factor.value == pytest.approx(costs.latency.p50.value / 2.0)
    assert costs.device == describe(torch.device("cpu"))
    assert costs.memory.value is not None
    assert 0 < costs.memory.value < 200e6


@linux_only
def test_peak_memory_holds_the_weights_and_little_more(tmp_path: Path) -> None:
    """Of a wide, shallow encoder in a folder, whose weights outweigh all that one second needs."""
    wide = {"d_model": 768, "encoder_layers": 3, "encoder_ffn_dim": 3_072, "decoder_layers": 0}
    model = hf.WhisperModel(hf.WhisperConfig(**{**WHISPER, **wide}))
    backbone = load("whisper_tiny", str(saved(model, tmp_path)))
    measured = measure_device(backbone, clip_seconds=1.0, budget_seconds=0.0).memory

    assert measured.unknown is None
    assert measured.value is not None
    assert backbone.weights.size < measured.value < 1.8 * backbone.weights.size


def test_a_backbone_made_by_hand_has_no_memory_to_measure() -> None:
    measured = measure_device(Fbank("by hand"), clip_seconds=0.1, budget_seconds=0.0).memory

    assert measured.value is None
    assert measured.unknown is not None


def test_a_measuring_process_that_fails_leaves_memory_unknown_with_the_reason() -> None:
    measured = peak_memory(request_for("no_such_backbone"))

    assert measured.value is None
    assert measured.unknown is not None
    assert "unknown backbone 'no_such_backbone'" in measured.unknown


def test_a_measuring_process_that_hangs_leaves_memory_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "TIMEOUT_SECONDS", 0.01)

    assert peak_memory(request_for("fbank")) == PeakMemory(
        None, "the measuring process took more than 0.01 s"
    )
