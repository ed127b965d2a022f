"""w2v-BERT 2.0: a conformer on Kaldi log-Mel filters, differentiable from the waveform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2BertConfig, Wav2Vec2BertModel

from profiler.backbones.base import Weights
from profiler.backbones.catalogue import Entry
from profiler.backbones.encoder import Encoder
from profiler.backbones.kaldi import MEL_BINS, TWO_FRAMES, log_mel
from profiler.backbones.transformers_source import Layout, configuration, encoder

STACKED: Final = 2
"""Frames of 10 ms that the encoder takes as one."""

_FULL_SCALE: Final = 2.0**15  # Kaldi reads 16-bit integers; its floor under the log is absolute
_VARIANCE_FLOOR: Final = 1e-7
_POSITIONS: Final = "relative_key"  # as published; others have tables that no checkpoint holds

LAYOUT: Final = Layout(
    anchor="feature_projection.projection.weight",
    prefixes=("wav2vec2_bert.", ""),
    ignored=(
        "lm_head.",
        "projector.",
        "classifier.",
        "layer_weights",
        "adapter.",
        "intermediate_ffn.",
        "feature_extractor.",
        "tdnn.",
        "objective.",
    ),
    optional=("masked_spec_embed",),
)


class Wav2Vec2Bert(Encoder):
    """The conformer of a w2v-BERT 2.0 checkpoint, without the adapter of fine-tuned models.

    Barrault et al., "Seamless: Multilingual Expressive and Streaming Speech Translation", 2023.
    Hidden states are the outputs of the conformer's layers, without its input projection.
    """

    min_samples = TWO_FRAMES

    def __init__(self, name: str, encoder: Wav2Vec2BertModel, weights: Weights) -> None:
        super().__init__()
        self.name, self.weights = name, weights
        self.hidden_size = encoder.config.hidden_size
        self.layers = self.transformer_layers = encoder.config.num_hidden_layers
        self.encoder = encoder

    def front_end(self, waveform: Tensor) -> Tensor:
        """Normalised log-Mel frames, two and two as one, shape (batch, frames // 2, 160).

        Equal to the Hugging Face `SeamlessM4TFeatureExtractor` on the frames that it does not
        mask: a last odd frame is left out. (It computes in numpy, without gradient.)
        """
        frames = log_mel(waveform * _FULL_SCALE, window="povey")
        mean, variance = frames.mean(1, keepdim=True), frames.var(1, keepdim=True)
        normalised = (frames - mean) / (variance + _VARIANCE_FLOOR).sqrt()
        pairs = normalised.shape[1] // STACKED
        return normalised[:, : STACKED * pairs].reshape(len(frames), pairs, STACKED * MEL_BINS)

    def encode(self, features: Tensor) -> Tensor:
        """Hidden states of normalised `features`."""
        outputs = self.encoder(features, output_hidden_states=True)
        states = (*outputs.hidden_states[1:-1], outputs.last_hidden_state)
        return torch.stack(states, dim=1)

    @property
    def goes_on(self) -> bool:
        """See `Backbone.goes_on`."""
        return True

    @property
    def transformer(self) -> nn.ModuleList:
        """See `Backbone.transformer`: the conformer's layers."""
        layers: nn.ModuleList = self.encoder.encoder.layers
        return layers

    def enter(self, features: Tensor) -> Tensor:
        """What enters the first layer: the projected features."""
        projected: Tensor = self.encoder.feature_projection(features)[0]
        return projected

    def pass_layers(self, layers: nn.ModuleList, entering: Tensor) -> Tensor:
        """See `Backbone.pass_layers`; each layer has its own table of positions."""
        states = []
        hidden = entering
        for layer in layers:
            hidden = layer(hidden)
            states.append(hidden)
        return torch.stack(states, dim=1)

    def keep_layers(self, depth: int) -> None:
        """See `Backbone.keep_layers`; there is no norm behind the last layer."""
        conformer = self.encoder.encoder
        conformer.layers = conformer.layers[:depth]


def build(entry: Entry, weights: str, seed: int) -> Wav2Vec2Bert:
    """A w2v-BERT encoder; see `profiler.backbones.load.load` for the parameters and errors."""
    model, carried = encoder(entry, weights, seed, LAYOUT, _encoder)
    return Wav2Vec2Bert(entry.name, model, carried)


def _encoder(fields: Mapping[str, Any]) -> Wav2Vec2BertModel:
    positions = fields.get("position_embeddings_type", _POSITIONS)
    if positions not in (_POSITIONS, None):
        raise ValueError(f"positions of type {positions!r:.40}, not {_POSITIONS}")
    plain = {**fields, "add_adapter": False, "use_intermediate_ffn_before_adapter": False}
    return Wav2Vec2BertModel(configuration(Wav2Vec2BertConfig, plain, "eager"))
