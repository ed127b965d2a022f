"""APC: an autoregressive GRU on Kaldi log-Mel features, with s3prl's architecture and files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from s3prl.upstream.apc.apc import APC
from torch import Tensor, nn

from profiler.backbones.base import Weights
from profiler.backbones.catalogue import Entry
from profiler.backbones.checkpoint import named_tensors
from profiler.backbones.encoder import Encoder
from profiler.backbones.kaldi import MEL_BINS, TWO_FRAMES, log_mel, normalise_utterance
from profiler.backbones.precision import in_float32
from profiler.backbones.s3prl_source import checkpoint_file, read_checkpoint, unusable
from profiler.backbones.weights import drawn, fitted

ARCHITECTURE: Final[Mapping[str, Any]] = MappingProxyType(
    {"num_layers": 3, "hidden_size": 512, "dropout": 0.1, "residual": True}
)
AUDIO: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "feat_type": "fbank",
        "feat_dim": MEL_BINS,
        "frame_length": 25,
        "frame_shift": 10,
        "cmvn": True,
    }
)
"""The one front end that APC's checkpoints were trained upon."""


class Apc(Encoder):
    """The hidden states of APC's GRU layers, residual connections included.

    Chung and Glass, "Generative Pre-Training for Speech with Autoregressive Predictive Coding",
    2020. Equal to the upstream of s3prl 0.4, which returns the same three states.
    """

    min_samples = TWO_FRAMES
    beyond = ("encoder.postnet",)
    pays_in_batches = True

    def __init__(self, name: str, encoder: APC, weights: Weights) -> None:
        super().__init__()
        self.name, self.weights = name, weights
        self.hidden_size = encoder.hidden_size
        self.layers = encoder.num_layers
        self.encoder = encoder

    def front_end(self, waveform: Tensor) -> Tensor:
        """Kaldi log-Mel under a Hamming window, normalised, shape (batch, frames, 80)."""
        return normalise_utterance(log_mel(waveform, window="hamming"))

    def encode(self, features: Tensor) -> Tensor:
        """Hidden states of normalised log-Mel `features`, in float32 always.

        In mixed precision torch would convert the recurrence's weights again for every frame: on a
        CPU that takes longer than it saves.
        """
        states: list[Tensor] = []
        hidden = features
        with _differentiable(features), in_float32(features):
            for layer in self.encoder.rnn_layers:
                output, _ = layer(hidden)
                hidden = output + hidden if states and self.encoder.rnn_residual else output
                states.append(hidden)
        return torch.stack(states, dim=1)

    def published_pass(self, features: Tensor) -> Tensor:
        """`encode`, and the post-net that predicts the next frames, as the upstream runs it."""
        predicted: Tensor = self.encoder.postnet(self.encode(features)[:, -1])
        return predicted


def _differentiable(features: Tensor) -> AbstractContextManager[None]:
    """Where a gradient is asked for, do without cuDNN: its GRU has none in eval mode."""
    if features.requires_grad:
        return torch.backends.cudnn.flags(enabled=False)
    return nullcontext()


def build(entry: Entry, weights: str, seed: int) -> Apc:
    """APC; see `profiler.backbones.load.load` for the parameters and errors."""
    if weights == "random":
        model, carried = drawn(lambda: APC(MEL_BINS, **ARCHITECTURE), seed)
    else:
        model, carried = _read(checkpoint_file(entry, weights))
    return Apc(entry.name, model, carried)


def _read(file: Path) -> tuple[nn.Module, Weights]:
    content = read_checkpoint(file, ("config", "model"))
    try:
        audio = content["config"]["data"]["audio"]
        shape = dict(content["config"]["model"]["paras"])
    except (KeyError, TypeError, ValueError) as error:
        raise unusable(file, f"no {error}") from error
    _refuse_other_audio(file, audio)

    def make() -> APC:
        try:
            return APC(MEL_BINS, **shape)
        except (TypeError, ValueError, RuntimeError, AssertionError) as error:
            raise unusable(file, str(error)) from error

    return fitted(make, named_tensors(content["model"], str(file)), str(file))


def _refuse_other_audio(file: Path, audio: Mapping[str, Any]) -> None:
    for name, wanted in AUDIO.items():
        found = audio.get(name, wanted if name == "cmvn" else None)
        if found != wanted:
            raise unusable(file, f"audio.{name} is {found!r} instead of {wanted!r}")
