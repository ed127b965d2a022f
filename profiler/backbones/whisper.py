"""Whisper's encoder on clips of any length, differentiable from the waveform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import WhisperConfig
from transformers.audio_utils import mel_filter_bank
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from profiler.backbones.base import Weights
from profiler.backbones.catalogue import Entry
from profiler.backbones.encoder import Encoder
from profiler.backbones.transformers_source import Layout, configuration, encoder
from profiles_db.errors import AudioError

N_FFT: Final = 400
HOP: Final = 160
SAMPLE_RATE: Final = 16_000
WIDEST_TOGETHER: Final = 512
TOGETHER: Final = 8
"""So many versions of one clip are answered together up to this width: those that were timed."""
_FLOOR: Final = 1e-10
_RANGE: Final = 8.0  # the log-mel keeps eight decades below its loudest point

LAYOUT: Final = Layout(
    anchor="conv1.weight",
    prefixes=("model.encoder.", "encoder.", ""),
    ignored=(
        "model.decoder.",
        "decoder.",
        "proj_out.",
        "projector.",
        "classifier.",
        "layer_weights",
    ),
)


class LogMel(nn.Module):
    """Whisper's log-mel spectrogram as a differentiable function of the waveform.

    Equal to the Hugging Face `WhisperFeatureExtractor` at the clip's own length (no padding to
    30 s). Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, bins: int) -> None:
        super().__init__()
        filters = mel_filter_bank(
            1 + N_FFT // 2,
            bins,
            0.0,
            SAMPLE_RATE / 2,
            SAMPLE_RATE,
            norm="slaney",
            mel_scale="slaney",
        )
        filters = torch.from_numpy(filters).T.to(torch.float32).contiguous()
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Log-mel of `waveform` (batch, samples), shape (batch, bins, samples // 160)."""
        spectrum = torch.stft(waveform, N_FFT, HOP, window=self.window, return_complex=True)
        # Squared parts, not the modulus: its gradient is undefined where a clip is silent.
        power = torch.view_as_real(spectrum[..., :-1]).square().sum(-1)
        log = (self.filters @ power).clamp(min=_FLOOR).log10()
        return (torch.maximum(log, log.amax((1, 2), keepdim=True) - _RANGE) + 4.0) / 4.0


class Whisper(Encoder):
    """The encoder of a Whisper checkpoint; its decoder is never built.

    Hidden states are the outputs of the encoder's layers, without the input embedding, the last
    one after the final layer norm; a beginning of the encoder has no final norm.
    """

    min_samples = N_FFT

    def __init__(self, name: str, encoder: WhisperEncoder, weights: Weights) -> None:
        super().__init__()
        self.name, self.weights = name, weights
        self.hidden_size = encoder.config.d_model
        self.layers = self.transformer_layers = encoder.config.encoder_layers
        self.encoder = encoder
        self.log_mel = LogMel(encoder.config.num_mel_bins)
        if self.hidden_size <= WIDEST_TOGETHER:
            self.answers_together = TOGETHER

    def front_end(self, waveform: Tensor) -> Tensor:
        """Log-mel, shape (batch, mel bins, samples // 160)."""
        features: Tensor = self.log_mel(waveform)
        return features

    @property
    def goes_on(self) -> bool:
        """See `Backbone.goes_on`."""
        return True

    @property
    def transformer(self) -> nn.ModuleList:
        """See `Backbone.transformer`."""
        layers: nn.ModuleList = self.encoder.layers
        return layers

    def encode(self, features: Tensor) -> Tensor:
        """Hidden states of log-mel `features` of any length up to the positional table's.

        Raises
        ------
        AudioError
            Where the clip is longer than the positional table.
        """
        return self.pass_layers(self.transformer, self.enter(features))

    def enter(self, features: Tensor) -> Tensor:
        """What enters the first layer: the convolutions' output at its positions.

        The table is cut to the clip rather than the clip padded to 30 s: positions are counted
        from the start of the clip, so a cut table is the same table.

        Raises
        ------
        AudioError
            Where the clip is longer than the positional table.
        """
        model = self.encoder
        embedded = F.gelu(model.conv2(F.gelu(model.conv1(features)))).transpose(1, 2)
        frames, table = embedded.shape[1], model.embed_positions.weight
        if frames > len(table):
            raise _too_long(self.name, frames, len(table))
        entering: Tensor = embedded + table[:frames]
        return entering

    def pass_layers(self, layers: nn.ModuleList, entering: Tensor) -> Tensor:
        """See `Backbone.pass_layers`; the final norm is the encoder's own."""
        hidden = entering
        states = []
        for layer in layers:
            hidden = layer(hidden, None)
            states.append(hidden)
        states[-1] = self.encoder.layer_norm(hidden)
        return torch.stack(states, dim=1)

    def keep_layers(self, depth: int) -> None:
        """See `Backbone.keep_layers`."""
        self.encoder.layers = self.encoder.layers[:depth]
        self.encoder.layer_norm = nn.Identity()
        self.encoder.config.encoder_layers = depth


def build(entry: Entry, weights: str, seed: int) -> Whisper:
    """A Whisper encoder; see `profiler.backbones.load.load` for the parameters and errors."""
    model, carried = encoder(entry, weights, seed, LAYOUT, _encoder)
    return Whisper(entry.name, model, carried)


def _encoder(fields: Mapping[str, Any]) -> WhisperEncoder:
    return WhisperEncoder(configuration(WhisperConfig, fields))


def _too_long(name: str, frames: int, most: int) -> AudioError:
    seconds = 2 * HOP / SAMPLE_RATE
    return AudioError(
        f"clip of {frames * seconds:.1f} s",
        where=name,
        rule=f"at most {most * seconds:.1f} s, the reach of its positional table",
        remedy="crop the clip",
    )
