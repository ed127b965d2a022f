"""Kaldi log-Mel filterbanks of a batch, and normalisation over the utterance."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torchaudio.compliance import kaldi

SAMPLE_RATE: Final = 16_000
MEL_BINS: Final = 80
TWO_FRAMES: Final = 560
"""Samples that make two frames of 25 ms every 10 ms: the fewest that have a variance."""

_EPSILON: Final = 1e-10


def log_mel(waveform: Tensor, window: str) -> Tensor:
    """Kaldi's log-Mel filterbank: 80 filters, 25 ms frames every 10 ms, no dither.

    Parameters
    ----------
    waveform : Tensor, shape (batch, samples)
    window : str
        Kaldi's name of the window, such as 'povey' or 'hamming'.

    Returns
    -------
    Tensor, shape (batch, 1 + (samples - 400) // 160, 80)
    """
    clips = [
        kaldi.fbank(
            clip[None],
            num_mel_bins=MEL_BINS,
            sample_frequency=SAMPLE_RATE,
            window_type=window,
            frame_length=25.0,
            frame_shift=10.0,
        )
        for clip in waveform
    ]
    return torch.stack(clips)


def normalise_utterance(features: Tensor) -> Tensor:
    """Zero mean and unit variance over the frames of each clip (CMVN), shape kept.

    `features` is (batch, frames, bins); a bin that never changes becomes 0.
    """
    mean, std = features.mean(1, keepdim=True), features.std(1, keepdim=True)
    return (features - mean) / (std + _EPSILON)
