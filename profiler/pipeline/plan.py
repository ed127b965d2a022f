"""What every worker of a run needs to know: small, picklable, the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from profiler.backbones.base import Backbone
from profiler.backbones.load import load
from profiler.corpora.base import Fold, Utterance
from profiler.features.cache import Clip, FeatureCache
from profiler.machine import HEAP, versions
from profiler.pipeline.bench import Bench
from profiler.pipeline.results import STEPS_FORMAT, read_step
from profiler.protocol import Protocol, digest_of


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
    """One run, ready to be cut into jobs.

    Parameters
    ----------
    run : str
        Names the run; results of its steps are kept under it.
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
        Most bytes of features to keep; what is not kept is made anew whenever it is read.
    """

    run: str
    spec: BackboneSpec
    protocol: Protocol
    classes: tuple[str, ...]
    utterances: Mapping[str, Utterance]
    clips: Mapping[str, Clip]
    folds: tuple[Fold, ...]
    cache: Path
    cache_limit: int | None = None

    @property
    def steps(self) -> Path:
        """Folder of the run's step results; other versions may give others, and have their own."""
        made_by = digest_of([STEPS_FORMAT, versions()])[:8]
        return self.cache / "steps" / f"{self.run}-{made_by}"

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


class Workshop:
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

    def let_go(self) -> None:
        """Forget the weights until they are asked for: the workers of this process have theirs."""
        self._backbone = None
        HEAP.give_back()

    @cached_property
    def features(self) -> FeatureCache:
        """The feature cache of this backbone and protocol."""
        protocol = self.plan.protocol
        return FeatureCache(
            self.plan.cache / "features",
            lambda: self.backbone,
            seconds=protocol.seconds,
            min_seconds=protocol.min_seconds,
            precision=protocol.precision,
            streams=self.plan.cache_limit is not None,
        )

    @cached_property
    def bench(self) -> Bench:
        """The bench on the clips that can be used; first asked for once features are there."""
        plan = self.plan
        unusable = plan.unusable()
        return Bench(
            utterances=plan.utterances,
            clips={name: clip for name, clip in plan.clips.items() if name not in unusable},
            classes=plan.classes,
            cache=self.features,
            backbone=self.backbone,
            protocol=plan.protocol,
            device=torch.device(plan.spec.device),
        )
