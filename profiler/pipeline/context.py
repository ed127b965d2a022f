"""A plan, and a plan at work in one process.

The plan is what every worker of a run needs to know: small, picklable, the same on every machine.
At work, it has the backbone, the clips that can be used, and their features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from profiler.backbones.base import Backbone
from profiler.backbones.catalogue import unquantised, untuned
from profiler.backbones.load import load
from profiler.backbones.precision import hidden_states
from profiler.corpora.base import Fold, Utterance
from profiler.features.cache import MAX_BATCH, Clip, FeatureCache
from profiler.features.entry import States
from profiler.machine import HEAP, versions
from profiler.measures.pooling import PooledFile, Pooling
from profiler.measures.registry import measures
from profiler.measures.statistics import Floats
from profiler.pipeline.results import STEPS_FORMAT, StepFiles, read_step
from profiler.protocol import Protocol
from profiler.settings import digest_of
from profiler.training.head import Head
from profiler.training.tuning import TunedHead
from profiles_db.row_tables import TRAINING


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """How a worker loads the backbone: as `profiler.backbones.load.load` takes it."""

    name: str
    weights: str
    seed: int
    device: str

    def load(self) -> Backbone:
        """The backbone, frozen, on its device."""
        return load(self.name, self.weights, self.seed, self.device)


@dataclass(frozen=True)
class Plan:
    """A model to be trained and measured, ready to be cut into jobs.

    Parameters
    ----------
    model : str
        Names the trained heads; results of all steps on them are kept under it.
    measures : tuple of str
        What is asked of the heads.
    spec : BackboneSpec
    protocol : Protocol
    classes : tuple of str
    utterances : mapping from utterance id
    clips : mapping from utterance id
        The files that can be read.
    folds : tuple of Fold
    cache : Path
        Holds features and step results; shared by all workers.
    cache_limit : int or None
        Most bytes of features to keep; what is not kept is computed again whenever it is read.
    rests_on : mapping from measure to str, optional
        What the rows of measures rest on of the corpus (`Measure.rests_on`).
    """

    model: str
    measures: tuple[str, ...]
    spec: BackboneSpec
    protocol: Protocol
    classes: tuple[str, ...]
    utterances: Mapping[str, Utterance]
    clips: Mapping[str, Clip]
    folds: tuple[Fold, ...]
    cache: Path
    cache_limit: int | None = None
    rests_on: Mapping[str, str] = field(default_factory=dict)

    @property
    def tunes(self) -> bool:
        """Whether layers of the encoder are trained with each head."""
        return untuned(self.spec.name)[1] is not None

    @property
    def steps(self) -> Path:
        """Folder of step results; other versions may give others, and have their own."""
        made_by = digest_of([STEPS_FORMAT, versions()])[:8]
        return self.cache / "steps" / f"{self.model}-{made_by}"

    def files(self, step: str, repetition: int, fold: int) -> StepFiles:
        """Where the result of a step (`TRAINING`, or a measure) on one fold is kept."""
        return StepFiles(self.steps, self.label(step), repetition, fold)

    def label(self, step: str) -> str:
        """The step, with a digest of all that shapes a measure's rows beside the trained heads."""
        if step == TRAINING:
            return step
        settings = self.protocol.measure(step).identity(rows_only=True)
        beside = [self.rests_on[step]] if step in self.rests_on else []
        return f"{step}-{digest_of([measures()[step].version, settings, *beside])[:8]}"

    @property
    def key(self) -> str:
        """Tells plans apart in a process that works on several, one after the other."""
        folds = [fold.number for fold in self.folds]
        settings = self.protocol.as_record()
        return digest_of([self.model, self.measures, settings, dict(self.rests_on), folds])

    def unusable(self) -> set[str]:
        """The clips that cannot be used, as the steps that made features found.

        A clip whose features are gone is not among them: it must be missed, not left out.
        """
        return {
            clip for file in self.steps.glob("features-*.json") for clip in read_step(file) or ()
        }

    def used_clips(self) -> list[Clip]:
        """The clips that stand in a fold, in the corpus' order."""
        used = {name for fold in self.folds for _, part in fold.parts() for name in part}
        return [clip for clip in self.clips.values() if clip.id in used]

    def fold(self, number: int) -> Fold:
        """The fold of that number."""
        return next(fold for fold in self.folds if fold.number == number)


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
        self.__dict__.pop("_in_float32", None)
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

        In the protocol's precision; where layers are tuned, those of the part below them. Those of
        an encoder in int8 have the gradient of the same in float32.
        """
        precision = self.protocol.training.precision
        asked = waveform.requires_grad and torch.is_grad_enabled()
        if not (asked and self.backbone.quantised):
            return hidden_states(self.frozen, waveform, precision)
        from profiler.backbones.int8 import with_gradient_of  # noqa: PLC0415 - torch's quantisation

        own = hidden_states(self.frozen, waveform.detach(), precision)
        return with_gradient_of(own, hidden_states(self._in_float32, waveform, precision))

    @cached_property
    def _in_float32(self) -> Backbone:
        """The encoder before its linear layers were quantised, loaded for its gradient alone."""
        spec = self.plan.spec
        return replace(spec, name=unquantised(spec.name)[0]).load()

    @property
    def attack_batch(self) -> int:
        """Waveforms of equal length that go through the backbone together under attack."""
        return MAX_BATCH if self.device.type == "cuda" or self.backbone.pays_in_batches else 1

    @property
    def answer_batch(self) -> int:
        """Waveforms of equal length that go through the backbone together for answers alone."""
        return max(self.attack_batch, self.backbone.answers_together)

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
            pooling=training.pooling,
            convolutions=training.convolutions,
            precision=training.precision,
        )

    def new_head(self, classes: int) -> Head:
        """A head for all hidden states, freshly drawn from the global random state."""
        layers, features = self.shape
        training = self.protocol.training
        return Head(
            layers=layers,
            features=features,
            classes=classes,
            width=training.hidden_size,
            pooling=training.pooling,
            convolutions=training.convolutions,
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
