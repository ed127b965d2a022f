"""A plan at work in one process: the backbone, the clips that can be used, their features."""

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
from profiler.machine import HEAP
from profiler.measures.pooling import PooledFile, Pooling
from profiler.measures.statistics import Floats
from profiler.pipeline.plan import Plan
from profiler.protocol import Protocol
from profiler.settings import digest_of
from profiler.training.head import Head
from profiler.training.tuning import TunedHead
from profiles_db.row_tables import TRAINING


@dataclass(frozen=True)
class Parts:
    """The usable utterances of one fold's parts."""

    train: list[Utterance]
    dev: list[Utterance]
    test: list[Utterance]

    def with_gender(self) -> Parts:
        """Those whose speaker's gender is known."""
        return Parts(*map(_with_gender, (self.train, self.dev, self.test)))


class Context:
    """A plan in one process, with the backbone loaded when a job first needs it.

    Parameters
    ----------
    plan : Plan
    backbone : Backbone, optional
        Where it is loaded already.
    """

    def __init__(self, plan: Plan, backbone: Backbone | None = None) -> None:
        self.plan = plan
        self._backbone = backbone

    @property
    def backbone(self) -> Backbone:
        """The backbone, loaded where it is not."""
        if self._backbone is None:
            self._backbone = self.plan.spec.load()
        return self._backbone

    @cached_property
    def frozen(self) -> Backbone:
        """What is the same for every head: the backbone, or its part below the tuned layers."""
        return self.backbone.frozen_part() if self.backbone.tuned else self.backbone

    def release_weights(self) -> None:
        """Forget the weights until they are asked for: the workers of this process have theirs."""
        self._backbone = None
        self.__dict__.pop("frozen", None)
        HEAP.give_back()

    @property
    def device(self) -> torch.device:
        """Where the backbone and the heads are."""
        return torch.device(self.plan.spec.device)

    @property
    def protocol(self) -> Protocol:
        """All settings."""
        return self.plan.protocol

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions, in the order of every array."""
        return self.plan.classes

    @cached_property
    def features(self) -> FeatureCache:
        """The feature cache of what is frozen of this backbone, and of the precision."""
        study = self.protocol.study
        return FeatureCache(
            self.plan.cache / "features",
            lambda: self.frozen,
            seconds=study.seconds,
            min_seconds=study.min_seconds,
            precision=self.protocol.training.precision,
            streams=self.plan.cache_limit is not None,
        )

    @cached_property
    def clips(self) -> Mapping[str, Clip]:
        """The clips that can be used, in the corpus' order; first asked for once features are
        there."""
        unusable = self.plan.unusable()
        return {name: clip for name, clip in self.plan.clips.items() if name not in unusable}

    @property
    def utterances(self) -> Mapping[str, Utterance]:
        """All utterances, by id."""
        return self.plan.utterances

    @property
    def shape(self) -> tuple[int, int]:
        """Layers and width of the hidden states."""
        return self.backbone.layers, self.backbone.hidden_size

    def hidden_states(self, waveform: Tensor) -> Tensor:
        """What the emotion heads take of `waveform`: hidden states, float32.

        In the protocol's precision; where layers are tuned, those of the part below them.
        """
        return hidden_states(self.frozen, waveform, self.protocol.training.precision)

    @property
    def attack_batch(self) -> int:
        """Waveforms of equal length that go through the backbone together under attack."""
        return MAX_BATCH if self.device.type == "cuda" or self.backbone.pays_in_batches else 1

    def head(self, repetition: int, fold: int) -> Head:
        """The trained emotion head, with the layers tuned for it, in eval mode, on the device."""
        head = self.new_emotion_head(len(self.classes))
        head.load_state_dict(self.plan.files(TRAINING, repetition, fold).tensors())
        return head.to(self.device).eval()

    def new_emotion_head(self, classes: int) -> Head:
        """As `new_head`, with its own copy of the layers that are tuned, where some are."""
        if not self.backbone.tuned:
            return self.new_head(classes)
        training = self.protocol.training
        return TunedHead(
            self.backbone,
            classes=classes,
            width=training.hidden_size,
            precision=training.precision,
        )

    def new_head(self, classes: int) -> Head:
        """A head for all hidden states, freshly drawn from the global random state."""
        layers, features = self.shape
        return Head(
            layers=layers,
            features=features,
            classes=classes,
            width=self.protocol.training.hidden_size,
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

        Those that are kept: where layers are tuned, of the part below them. On a GPU they are moved
        there, once for all heads that use them.
        """
        found = self.features.read([self.clips[self._names[position]] for position in positions])
        if self.device.type == "cpu":
            return found
        return [states.to(self.device, torch.float16) for states in found]

    def pool(self, position: int, states: States) -> None:
        """Keep what `pooling` makes of a clip's hidden states.

        They are laid out in the order of their dimensions first: states computed again may be laid
        out otherwise than those read from a file, and would be summed in another order.
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
        return PooledFile(self.features.folder, self.pooling.size)

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
