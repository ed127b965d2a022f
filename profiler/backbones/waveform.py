"""Encoders that read the waveform itself: wav2vec 2.0, HuBERT, WavLM and data2vec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers import (
    Data2VecAudioConfig,
    Data2VecAudioModel,
    HubertConfig,
    HubertModel,
    PretrainedConfig,
    PreTrainedModel,
    Wav2Vec2Config,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
)

from profiler.backbones.base import Weights
from profiler.backbones.catalogue import Entry
from profiler.backbones.encoder import Encoder
from profiler.backbones.transformers_source import Layout, configuration, encoder

_VARIANCE_FLOOR: Final = 1e-7  # as the families' own feature extractor has it

# The positional convolution's weight norm, as it was written before torch 2.
_WEIGHT_NORM: Final = MappingProxyType(
    {
        "pos_conv_embed.conv.weight_g": "pos_conv_embed.conv.parametrizations.weight.original0",
        "pos_conv_embed.conv.weight_v": "pos_conv_embed.conv.parametrizations.weight.original1",
    }
)


@dataclass(frozen=True, slots=True)
class _Family:
    model: type[PreTrainedModel]
    config: type[PretrainedConfig]
    attention: str = "sdpa"


_FAMILIES: Final[Mapping[str, _Family]] = MappingProxyType(
    {
        "wav2vec2": _Family(Wav2Vec2Model, Wav2Vec2Config),
        "hubert": _Family(HubertModel, HubertConfig),
        "wavlm": _Family(WavLMModel, WavLMConfig, "eager"),
        "data2vec-audio": _Family(Data2VecAudioModel, Data2VecAudioConfig),
    }
)


def layout(family: str) -> Layout:
    """How checkpoints of `family` are written, with or without a head or a quantiser."""
    return Layout(
        anchor="feature_projection.projection.weight",
        prefixes=(f"{family.replace('-', '_')}.", ""),
        ignored=(
            "quantizer.",
            "project_hid.",
            "project_q.",
            "lm_head.",
            "projector.",
            "classifier.",
            "layer_weights",
            "adapter.",
        ),
        optional=("masked_spec_embed",),
        renamed=_WEIGHT_NORM,
    )


class WaveformEncoder(Encoder):
    """A wav2vec 2.0, HuBERT, WavLM or data2vec encoder.

    Hidden states are the outputs of the transformer's layers, without its input embedding; the
    last one after the final norm where the checkpoint has one (`do_stable_layer_norm`), which a
    beginning of the encoder has not.
    """

    def __init__(self, name: str, encoder: PreTrainedModel, weights: Weights) -> None:
        super().__init__()
        self.name, self.weights = name, weights
        self.hidden_size = encoder.config.hidden_size
        self.layers = self.transformer_layers = encoder.config.num_hidden_layers
        self.min_samples = receptive_field(encoder.config.conv_kernel, encoder.config.conv_stride)
        self.encoder = encoder
        if encoder.config.model_type == "wavlm":
            self.read_not_called = ("q_proj", "k_proj", "v_proj", "out_proj")

    def front_end(self, waveform: Tensor) -> Tensor:
        """The waveform with zero mean and unit variance over each clip, shape kept."""
        mean = waveform.mean(1, keepdim=True)
        variance = waveform.var(1, keepdim=True, correction=0)
        return (waveform - mean) / (variance + _VARIANCE_FLOOR).sqrt()

    def encode(self, features: Tensor) -> Tensor:
        """Hidden states of the normalised waveform."""
        outputs = self.encoder(features, output_hidden_states=True)
        # The last layer as the model itself gives it: after the final norm, where there is one.
        states = (*outputs.hidden_states[1:-1], outputs.last_hidden_state)
        return torch.stack(states, dim=1)

    @property
    def goes_on(self) -> bool:
        """See `Backbone.goes_on`."""
        return True

    @property
    def transformer(self) -> nn.ModuleList:
        """See `Backbone.transformer`."""
        layers: nn.ModuleList = self.encoder.encoder.layers
        return layers

    def enter(self, features: Tensor) -> Tensor:
        """What enters the first layer: the projected convolutions' output with its positions."""
        transformer = self.encoder.encoder
        convolved = self.encoder.feature_extractor(features).transpose(1, 2)
        projected = _first(self.encoder.feature_projection(convolved))
        embedded: Tensor = projected + transformer.pos_conv_embed(projected)
        return embedded if self._norm_is_last else transformer.layer_norm(embedded)

    def pass_layers(self, layers: nn.ModuleList, entering: Tensor) -> Tensor:
        """See `Backbone.pass_layers`; a final norm is the encoder's own.

        WavLM's first layer tells all others how far frames lie apart: where it is not among
        `layers`, the encoder's own does.
        """
        shared: dict[str, Tensor] = {}
        relative = self.encoder.config.model_type == "wavlm"
        if relative and len(layers) < len(self.transformer):
            shared = {"position_bias": _position_bias(self.transformer[0], entering)}
        states = []
        hidden = entering
        for layer in layers:
            found = layer(hidden, **shared)
            if relative:
                hidden, shared["position_bias"] = found
            else:
                hidden = _first(found)
            states.append(hidden)
        if self._norm_is_last:
            states[-1] = self.encoder.encoder.layer_norm(hidden)
        return torch.stack(states, dim=1)

    @property
    def _norm_is_last(self) -> bool:
        """Whether the transformer's norm stands behind its last layer, not before its first."""
        return bool(getattr(self.encoder.config, "do_stable_layer_norm", False))

    def keep_layers(self, depth: int) -> None:
        """See `Backbone.keep_layers`."""
        transformer = self.encoder.encoder
        transformer.layers = transformer.layers[:depth]
        if self._norm_is_last:
            transformer.layer_norm = nn.Identity()
        self.encoder.config.num_hidden_layers = depth


def _first(found: Tensor | tuple[Tensor, ...]) -> Tensor:
    """What a module gives, of which some families' give more."""
    return found[0] if isinstance(found, tuple) else found


def _position_bias(first: Any, hidden: Tensor) -> Tensor:
    """What WavLM's first layer hands on, shape (batch * heads, frames, frames)."""
    batch, frames, _ = hidden.shape
    bias: Tensor = first.attention.compute_bias(frames, frames)
    return bias.repeat(batch, 1, 1)


def receptive_field(kernels: list[int], strides: list[int]) -> int:
    """Samples that one frame of a stack of convolutions sees.

    Examples
    --------
    >>> receptive_field([10, 3, 3, 3, 3, 2, 2], [5, 2, 2, 2, 2, 2, 2])
    400
    """
    samples = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        samples = (samples - 1) * stride + kernel
    return samples


def build(entry: Entry, weights: str, seed: int) -> WaveformEncoder:
    """An encoder of one of these families; see `profiler.backbones.load.load`."""
    make = partial(_encoder, _FAMILIES[entry.family])
    model, carried = encoder(entry, weights, seed, layout(entry.family), make)
    return WaveformEncoder(entry.name, model, carried)


def _encoder(family: _Family, fields: Mapping[str, Any]) -> nn.Module:
    # The convolutional adapter of fine-tuned models only serves their decoders.
    plain = {**fields, "add_adapter": False}
    model = family.model(configuration(family.config, plain, family.attention))
    # transformers draws this bias for wav2vec 2.0 but leaves it, like all others, at zero in
    # HuBERT: silence would then be exact zeros, whose gradient overflows through so many norms.
    projection: nn.Linear = model.feature_projection.projection
    reach = projection.in_features**-0.5
    nn.init.uniform_(projection.bias, -reach, reach)
    encoder: nn.Module = model
    return encoder
