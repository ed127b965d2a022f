"""What a backbone is to the profiler: a frozen map from waveform to hidden states."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

WeightsKind = Literal["pretrained", "random", "none"]


@dataclass(frozen=True, slots=True)
class Weights:
    """Which weights a backbone carries.

    `id` tells them apart by content: `sha256:...` over the tensors, `random:SEED`, or `none` for
    a front end without weights. `origin` says where they came from (hub id, file name), for
    people. `size` is the bytes of the encoder's tensors.
    """

    kind: WeightsKind
    id: str
    origin: str
    size: int


class Backbone(abc.ABC, torch.nn.Module):
    """A frozen encoder, in eval mode, its parameters without gradient.

    Subclasses implement `hidden_states`. A clip's hidden states depend on that clip alone: callers
    batch only clips of exactly equal length.
    """

    name: str
    weights: Weights
    hidden_size: int
    layers: int
    """How many hidden states `hidden_states` returns (without Whisper's, wav2vec 2.0's, HuBERT's
    and WavLM's input embedding; all that the upstream returns for APC and TERA)."""
    min_samples: int
    """Shortest clip it can take, in samples at 16 kHz."""

    pays_in_batches: bool = False
    """Whether equally long clips are faster together than one by one on a CPU too: a recurrent
    encoder's steps are too small to fill the processor; elsewhere a batch leaves its cache."""

    loaded_as: tuple[str, str] | None = None
    """The name and weights `profiler.backbones.load.load` was given, where it made this."""

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002
        """Stay in eval mode whatever is asked: dropout and masking never act on frozen weights."""
        return super().train(False)

    @abc.abstractmethod
    def hidden_states(self, waveform: Tensor) -> Tensor:
        """Hidden states of all layers, differentiable in the waveform.

        Parameters
        ----------
        waveform : Tensor, shape (batch, samples), float32, 16 kHz, nominally in [-1, 1]

        Returns
        -------
        Tensor, shape (batch, layers, frames, hidden_size), float32
        """

    def forward(self, waveform: Tensor) -> Tensor:
        """The same as `hidden_states`, so that counters and hooks see one call."""
        return self.hidden_states(waveform)
