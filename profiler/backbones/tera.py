"""TERA: a transformer on log-Mel features, with s3prl's architecture and files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from s3prl.upstream.mockingjay.model import TransformerConfig, TransformerModel
from torch import Tensor, nn
from torchaudio.transforms import MelScale

from profiler.backbones.base import Weights
from profiler.backbones.catalogue import Entry
from profiler.backbones.checkpoint import named_tensors
from profiler.backbones.encoder import Encoder
from profiler.backbones.kaldi import MEL_BINS, normalise_utterance
from profiler.backbones.s3prl_source import checkpoint_file, read_checkpoint, unusable
from profiler.backbones.weights import drawn, fitted

N_FFT: Final = 400
HOP: Final = 160
SAMPLE_RATE: Final = 16_000
LONGEST: Final = 24_000
"""Frames that s3prl's table of positions reaches."""

_EPSILON: Final = 1e-10
_SILENCE: Final = 1e-30  # mean square below which a clip is silent; its root has a gradient

TRANSFORMER: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "hidden_size": 768,
        "num_hidden_layers": 3,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
        "share_layer": False,
        "pre_layer_norm": False,
    }
)
SEQUENCE_LENGTH: Final = 1_500
TARGET_LEVEL: Final = -25.0

_AUDIO: Final[Mapping[str, Any]] = MappingProxyType(
    {"win_ms": 25, "hop_ms": 10, "n_freq": 1 + N_FFT // 2, "n_mels": MEL_BINS}
)
_INPUT: Final[Mapping[str, Any]] = MappingProxyType(
    {"feat_type": "mel", "log": True, "delta": 0, "cmvn": True}
)


class LogMel(nn.Module):
    """TERA's log-Mel features, normalised over the utterance, differentiable everywhere.

    The clip is first scaled to `level` dB. Equal to the front end of s3prl 0.4, whose gradient is
    not finite on a silent clip.
    """

    window: Tensor

    def __init__(self, level: float) -> None:
        super().__init__()
        self.amplitude = 10 ** (level / 20)
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)
        self.mel = MelScale(n_mels=MEL_BINS, sample_rate=SAMPLE_RATE, n_stft=1 + N_FFT // 2)

    def forward(self, waveform: Tensor) -> Tensor:
        """Features of `waveform` (batch, samples), shape (batch, 1 + samples // 160, 80)."""
        rms = waveform.square().mean(1, keepdim=True).clamp(min=_SILENCE).sqrt()
        scaled = waveform * (self.amplitude / (rms + _EPSILON))
        spectrum = torch.stft(scaled, N_FFT, HOP, window=self.window, return_complex=True)
        power = torch.view_as_real(spectrum).square().sum(-1)
        log = (self.mel(power) + _EPSILON).log()
        return normalise_utterance(log.transpose(1, 2))


class Tera(Encoder):
    """The hidden states of TERA's transformer, its input embedding before them.

    The embedding is no layer: every depth has it.

    Liu, Li and Lee, "TERA: Self-Supervised Learning of Transformer Encoder Representation for
    Speech", 2021. Equal to the upstream of s3prl 0.4, which returns the same four states.

    Parameters
    ----------
    level : float
        Level in dB that clips are scaled to.
    sequence_length : int
        Frames above which a clip is encoded in chunks, as s3prl does; 0 for never.
    """

    positions: Tensor
    min_samples = N_FFT

    def __init__(
        self,
        name: str,
        encoder: TransformerModel,
        weights: Weights,
        level: float = TARGET_LEVEL,
        sequence_length: int = SEQUENCE_LENGTH,
    ) -> None:
        super().__init__()
        self.name, self.weights = name, weights
        self.hidden_size = encoder.config.hidden_size
        self.transformer_layers = encoder.config.num_hidden_layers
        self.layers = self.transformer_layers + 1
        self.encoder = encoder
        self.log_mel = LogMel(level)
        self.sequence_length = sequence_length or LONGEST
        table = sinusoids(self.sequence_length, self.hidden_size)
        self.register_buffer("positions", table, persistent=False)

    def front_end(self, waveform: Tensor) -> Tensor:
        """Normalised log-Mel features, shape (batch, frames, 80)."""
        features: Tensor = self.log_mel(waveform)
        return features

    def encode(self, features: Tensor) -> Tensor:
        """Hidden states of normalised log-Mel `features`."""
        chunks = features.chunk(self._chunks(features), dim=1)
        encoded = [self._encode_chunk(chunk) for chunk in chunks]
        return torch.cat(encoded, dim=2)

    def _encode_chunk(self, features: Tensor) -> Tensor:
        everything = features.new_ones(features.shape[:2])
        states = self.encoder(
            features, self._positions(features), everything, output_all_encoded_layers=True
        )
        return torch.stack(states, dim=1)

    def _chunks(self, frames: Tensor) -> int:
        """How many chunks so many frames, in the second dimension, are encoded in."""
        return math.ceil(frames.shape[1] / self.sequence_length)

    def _positions(self, features: Tensor) -> Tensor:
        return self.positions[: features.shape[1]].expand(len(features), -1, -1)

    @property
    def goes_on(self) -> bool:
        """See `Backbone.goes_on`; where every hidden state has a norm of its own, none of them is
        what enters the next layer."""
        return not self.encoder.encoder.pre_layer_norm

    @property
    def transformer(self) -> nn.ModuleList:
        """See `Backbone.transformer`."""
        layers: nn.ModuleList = self.encoder.encoder.layer
        return layers

    def enter(self, features: Tensor) -> Tensor:
        """What enters the first layer: the input embedding."""
        chunks = features.chunk(self._chunks(features), dim=1)
        embed = self.encoder.input_representations
        embedded = [embed(chunk, self._positions(chunk)) for chunk in chunks]
        return torch.cat(embedded, dim=1)

    def pass_layers(self, layers: nn.ModuleList, entering: Tensor) -> Tensor:
        """See `Backbone.pass_layers`; a long clip in the same chunks as in `encode`."""
        unmasked = entering.new_zeros(1)
        states = []
        hidden = list(entering.chunk(self._chunks(entering), dim=1))
        for layer in layers:
            hidden = [layer(chunk, unmasked) for chunk in hidden]
            states.append(torch.cat(hidden, dim=1))
        return torch.stack(states, dim=1)

    def keep_layers(self, depth: int) -> None:
        """See `Backbone.keep_layers`."""
        transformer = self.encoder.encoder
        transformer.layer = transformer.layer[:depth]
        if transformer.pre_layer_norm:  # then every hidden state has a norm of its own
            transformer.LayerNorm = transformer.LayerNorm[: depth + 1]
        self.encoder.config.num_hidden_layers = depth


def sinusoids(frames: int, width: int) -> Tensor:
    """Table of positions, shape (frames, width): sines in the even columns, cosines in the odd.

    Vaswani et al., "Attention Is All You Need", 2017, section 3.5.
    """
    columns = torch.arange(width, dtype=torch.float64)
    rates = 10_000 ** (-2 * (columns // 2) / width)
    angles = torch.arange(frames, dtype=torch.float64)[:, None] * rates
    return torch.where(columns % 2 == 0, angles.sin(), angles.cos()).to(torch.float32)


def build(entry: Entry, weights: str, seed: int) -> Tera:
    """TERA; see `profiler.backbones.load.load` for the parameters and errors."""
    if weights == "random":
        model, carried = drawn(lambda: _transformer(TRANSFORMER), seed)
        return Tera(entry.name, model, carried)
    return _read(entry.name, checkpoint_file(entry, weights))


def _transformer(shape: Mapping[str, Any]) -> TransformerModel:
    return TransformerModel(TransformerConfig(shape), MEL_BINS)


def _read(name: str, file: Path) -> Tera:
    content = read_checkpoint(file, ("Transformer",))
    try:
        config = _upstream_config(content)
        shape, audio = config["transformer"], config["audio"]
        level, length = float(audio["target_level"]), int(config["task"]["sequence_length"])
        _refuse_other_audio(file, audio, _AUDIO)
        _refuse_other_audio(file, audio["input"], _INPUT)
    except (KeyError, TypeError, ValueError) as error:
        raise unusable(file, f"{type(error).__name__} {error}") from error

    def make() -> TransformerModel:
        try:
            return _transformer(shape)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise unusable(file, f"{type(error).__name__} {error}") from error

    tensors = named_tensors(content["Transformer"], str(file))
    named = {_present_name(name): tensor for name, tensor in tensors.items()}
    model, carried = fitted(make, named, str(file))
    return Tera(name, model, carried, level, length)


def _upstream_config(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The upstream's configuration; older files keep it under `Config`, newer ones apart."""
    older = content.get("Config", {})
    config: Mapping[str, Any] = older if "transformer" in older else content["Upstream_Config"]
    return config


def _present_name(name: str) -> str:
    """The name of a tensor as s3prl writes it today."""
    return name.replace("gamma", "weight").replace("beta", "bias")


def _refuse_other_audio(file: Path, audio: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for name, value in wanted.items():
        if audio.get(name) != value:
            raise unusable(file, f"audio {name} is {audio.get(name)!r} instead of {value!r}")
