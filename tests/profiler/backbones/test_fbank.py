"""FBANK against s3prl's, whose configuration SUPERB uses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from s3prl.upstream import baseline
from s3prl.upstream.baseline.extracter import get_extracter

from profiler.backbones.load import load


@pytest.mark.parametrize("samples", [560, 16_000, 20_123])
def test_it_equals_the_fbank_of_superb(samples: int) -> None:
    config = yaml.safe_load((Path(baseline.__file__).parent / "fbank.yaml").read_text())
    extract, width, _ = get_extracter(config)
    waveform = 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(8))
    wanted = torch.stack([extract(clip) for clip in waveform])

    states = load("fbank")(waveform)

    assert states.shape[-1] == width == 240
    torch.testing.assert_close(states[:, 0], wanted, rtol=1e-4, atol=1e-4)


def test_it_has_no_weights_whatever_is_asked_for() -> None:
    waveform = torch.randn(1, 4_000, generator=torch.Generator().manual_seed(9))
    pretrained, random = load("fbank", "pretrained"), load("fbank", "random", seed=5)

    assert pretrained.weights == random.weights
    assert pretrained.weights.id == "none"
    assert torch.equal(pretrained(waveform), random(waveform))
