"""Any backbone of the catalogue, small: the same family and layout, few layers, little width.

The large encoders would take gigabytes and minutes; what holds of a family does not depend on size.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from profiler.backbones.base import Backbone
from profiler.backbones.catalogue import CATALOGUE, Entry
from profiler.backbones.load import load

WIDTH = 32
LAYERS = 3

_TRANSFORMER = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
_WAVEFORM = {
    **_TRANSFORMER,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
SMALL: dict[str, dict[str, Any]] = {
    "whisper": {
        "d_model": WIDTH,
        "encoder_layers": LAYERS,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
    },
    "wav2vec2": _WAVEFORM,
    "hubert": _WAVEFORM,
    "wavlm": _WAVEFORM,
    "data2vec-audio": {**_WAVEFORM, "num_conv_pos_embeddings": 2},
    "wav2vec2-bert": _TRANSFORMER,
    "cnn14": {"channels": (2, 4, 8, 16, 32, 64)},
}
"""What makes each family small; those that are not here are small enough."""

FULL = frozenset(
    {
        "apc",
        "tera",
        "whisper_tiny",
        "whisper_base",
        "whisper_small",
        "wav2vec2_base",
        "wavlm_base_plus",
        "hubert_base",
        "fbank",
        "egemaps",
    }
)
"""The backbones that tests build in their true size."""


def small_entry(name: str, **fields: object) -> Entry:
    """The entry `name` with a small architecture, and `fields` of it otherwise."""
    entry = CATALOGUE[name]
    architecture = {**(entry.architecture or {}), **SMALL[entry.family], **fields}
    width, layers = (64, 6) if entry.family == "cnn14" else (WIDTH, LAYERS)
    return replace(
        entry, architecture=MappingProxyType(architecture), hidden_size=width, layers=layers
    )


def loaded(entry: Entry, seed: int = 0) -> Backbone:
    """`entry` with random weights, as `load` makes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("profiler.backbones.load.resolve", lambda _: entry)
        return load(entry.name, "random", seed)
