"""What all folds of one run share: the clips, their features, the backbone, the protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from profiler.backbones.base import Backbone
from profiler.backbones.precision import hidden_states
from profiler.corpora.base import Fold, Utterance
from profiler.features.cache import MAX_BATCH, Clip, FeatureCache
from profiler.features.entry import States
from profiler.measures.pooling import PooledFile, Pooling
from profiler.measures.statistics import Floats
from profiler.protocol import Protocol, digest_of
from profiler.training.head import Head


@dataclass(frozen=True)
class Parts:
    """The usable utterances of one fold's parts."""

    train: list[Utterance]
    dev: list[Utterance]
    test: list[Utterance]

    def with_gender(self) -> Parts:
        """Those whose speaker's gender is known."""
        return Parts(*map(_with_gender, (self.train, self.dev, self.test)))


@dataclass(frozen=True)
class Bench:
    """The shared state of a run's folds.

    `clips` holds the usable clips only, in the corpus' order.
    """

    utterances: Mapping[str, Utterance]
    clips: Mapping[str, Clip]
    classes: tuple[str, ...]
    cache: FeatureCache
    backbone: Backbone
    protocol: Protocol
    device: torch.device

    @property
    def shape(self) -> tuple[int, int]:
        """Layers and width of the hidden states."""
        return self.backbone.layers, self.backbone.hidden_size

    def hidden_states(self, waveform: Tensor) -> Tensor:
        """Hidden states of `waveform` in the protocol's precision, given as float32."""
        return hidden_states(self.backbone, waveform, self.protocol.precision)

    @property
    def attack_batch(self) -> int:
        """Waveforms of equal length that go through the backbone together under attack."""
        return MAX_BATCH if self.device.type == "cuda" or self.backbone.pays_in_batches else 1

    def new_head(self, classes: int) -> Head:
        """A head for these hidden states, freshly drawn from the global random state."""
        layers, features = self.shape
        return Head(
            layers=layers,
            features=features,
            classes=classes,
            width=self.protocol.hidden_size,
        )

    def parts(self, fold: Fold) -> Parts:
        """The usable utterances of `fold`, each part in the corpus' order."""
        return Parts(self._usable(fold.train), self._usable(fold.dev), self._usable(fold.test))

    def _usable(self, ids: Sequence[str]) -> list[Utterance]:
        return [self.utterances[name] for name in ids if name in self.clips]

    def positions(self, part: Sequence[Utterance]) -> tuple[int, ...]:
        """Where the clips of `part` stand among all usable ones."""
        return tuple(self._places[utterance.id] for utterance in part)

    def read(self, positions: Sequence[int]) -> list[States]:
        """Hidden states of the clips at `positions`, each of shape (layers, frames, features).

        On a GPU they are moved there, once for all heads that use them.
        """
        found = self.cache.read([self.clips[self._names[position]] for position in positions])
        if self.device.type == "cpu":
            return found
        return [states.to(self.device, torch.float16) for states in found]

    def pool(self, position: int, states: States) -> None:
        """Keep what `pooling` makes of a clip's hidden states.

        They are laid out in the order of their dimensions first: states made anew may be laid out
        otherwise than those read from a file, and would be summed in another order.
        """
        laid_out = states.to(self.device, torch.float16).contiguous()
        self._pooled.keep(position, self.pooling(laid_out))

    def pooled_vectors(self, part: Sequence[Utterance], name: str) -> Floats:
        """What `pool` kept of the clips of `part`: the columns that `pooling` calls `name`."""
        return self._pooled.read(self.positions(part), self.pooling.columns[name])

    @cached_property
    def pooling(self) -> Pooling:
        """How hidden states become one vector per clip."""
        return Pooling(*self.shape)

    def forget_pooled(self) -> None:
        """Let go of what `pool` kept, and of its place on the disk."""
        if "_pooled" in self.__dict__:
            self.__dict__.pop("_pooled").close()

    @cached_property
    def _pooled(self) -> PooledFile:
        return PooledFile(self.cache.folder, self.pooling.size)

    @cached_property
    def clips_digest(self) -> str:
        """Names the usable clips in their order, in which positions are counted."""
        return digest_of(self._names)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.clips)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self._names)}


def _with_gender(part: Sequence[Utterance]) -> list[Utterance]:
    return [utterance for utterance in part if utterance.gender is not None]
