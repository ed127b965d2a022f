"""What every worker of a run needs to know: small, picklable, the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from profiler.backbones.base import Backbone
from profiler.backbones.catalogue import untuned
from profiler.backbones.load import load
from profiler.corpora.base import Fold, Utterance
from profiler.features.cache import Clip
from profiler.machine import versions
from profiler.measures.registry import measures
from profiler.pipeline.results import STEPS_FORMAT, StepFiles, read_step
from profiler.protocol import Protocol
from profiler.settings import digest_of
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
