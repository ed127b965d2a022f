"""What all folds of one run share: the clips, their features, the backbone, the protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from profiler.backbones.base import Backbone
from profiler.corpora.base import Fold, Utterance
from profiler.features import Clip, FeatureCache
from profiler.heads import Head
from profiler.precision import hidden_states
from profiler.protocol import Protocol
from profiler.training import Examples


@dataclass(frozen=True)
class Parts:
    """The usable utterances of one fold's parts."""

    train: list[Utterance]
    dev: list[Utterance]
    test: list[Utterance]


@dataclass(frozen=True)
class Bench:
    """The shared state of a run's folds.

    `clips` holds the usable clips only. `pooled` fills as vectors are asked for: the mean hidden
    state of each clip, over frames and layers.
    """

    utterances: Mapping[str, Utterance]
    clips: Mapping[str, Clip]
    classes: tuple[str, ...]
    cache: FeatureCache
    backbone: Backbone
    protocol: Protocol
    device: torch.device
    pooled: dict[str, Tensor] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Layers and width of the hidden states."""
        return self.backbone.layers, self.backbone.hidden_size

    def hidden_states(self, waveform: Tensor) -> Tensor:
        """Hidden states of `waveform` in the protocol's precision, given as float32."""
        return hidden_states(self.backbone, waveform, self.protocol.precision)

    def new_head(self, classes: int) -> Head:
        """A head for these hidden states, freshly drawn from the global random state."""
        layers, features = self.shape
        return Head(
            layers=layers,
            features=features,
            classes=classes,
            width=self.protocol.hidden_size,
            dropout=self.protocol.dropout,
        )

    def parts(self, fold: Fold) -> Parts:
        """The usable utterances of `fold`, each part in the corpus' order."""
        return Parts(self._usable(fold.train), self._usable(fold.dev), self._usable(fold.test))

    def _usable(self, ids: Sequence[str]) -> list[Utterance]:
        return [self.utterances[name] for name in ids if name in self.clips]

    def examples(self, part: Sequence[Utterance], targets: Sequence[int]) -> Examples:
        """Features of `part`, read when needed, with their target classes."""
        return Examples(
            load=lambda positions: [self.cache.load(self.clips[part[p].id]) for p in positions],
            targets=torch.tensor(targets, dtype=torch.int64),
        )

    def pooled_vectors(self, part: Sequence[Utterance]) -> Tensor:
        """Mean hidden state of each clip, shape (clips, hidden_size)."""
        for utterance in part:
            if utterance.id not in self.pooled:
                states = self.cache.load(self.clips[utterance.id])
                self.pooled[utterance.id] = states.float().mean(dim=(0, 1))
        return torch.stack([self.pooled[utterance.id] for utterance in part])
