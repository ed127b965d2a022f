"""FBANK: the hand-crafted baseline of the SUPERB benchmark, differentiable and without weights."""

from __future__ import annotations

import torch
from torch import Tensor
from torchaudio.functional import compute_deltas

from profiler.backbones.base import Weights
from profiler.backbones.catalogue import Entry
from profiler.backbones.encoder import Encoder
from profiler.backbones.kaldi import MEL_BINS, TWO_FRAMES, log_mel, normalise_utterance
from profiler.backbones.precision import in_float32

_DELTA_WINDOW = 5


class Fbank(Encoder):
    """80 Kaldi log-Mel filters with deltas and delta-deltas, normalised over the utterance.

    The configuration that Yang et al., "SUPERB: Speech processing Universal PERformance
    Benchmark", 2021, call FBANK: 240 values every 10 ms, one layer, no weights.
    """

    min_samples = TWO_FRAMES
    hidden_size = 3 * MEL_BINS
    layers = 1

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.weights = Weights("none", "none", "no weights needed", 0)

    def front_end(self, waveform: Tensor) -> Tensor:
        """The waveform itself: all that FBANK computes counts as its encoder."""
        return waveform

    def encode(self, features: Tensor) -> Tensor:
        """The normalised filterbank with its deltas, shape (batch, 1, frames, 240)."""
        with in_float32(features):  # a front end, all of it
            static = log_mel(features, window="povey").transpose(1, 2)
            delta = compute_deltas(static, win_length=_DELTA_WINDOW)
            accelerated = compute_deltas(delta, win_length=_DELTA_WINDOW)
        stacked = torch.cat([static, delta, accelerated], dim=1).transpose(1, 2)
        return normalise_utterance(stacked).unsqueeze(1)


def build(entry: Entry, weights: str, seed: int) -> Fbank:  # noqa: ARG001
    """FBANK, whatever weights are asked for: it has none."""
    return Fbank(entry.name)
