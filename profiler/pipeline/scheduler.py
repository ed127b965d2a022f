"""Drive a plan's jobs through an engine, and put whole folds into the store.

Features come first, all of them; then every fold's heads, and as soon as a fold's heads are
trained, the attacks on its correctly classified clips. Only this driver writes the database.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from profiler.corpora.folds import require_filled_parts
from profiler.features.cache import Clip
from profiler.machine import available_cores
from profiler.pipeline.engines.base import Engine
from profiler.pipeline.epoch_progress import Following, following
from profiler.pipeline.feature_stage import make_features
from profiler.pipeline.fold_attack import pgd_targets
from profiler.pipeline.jobs import AttackJob, HeadsJob, Job, is_done
from profiler.pipeline.plan import Workshop
from profiler.pipeline.results import FoldFiles, from_plain, require_step
from profiler.progress import Progress
from profiler.training.batches import chunks
from profiles_db.errors import CorpusError
from profiles_db.records import FoldResult
from profiles_db.store import Store

ATTACK_CHUNK: Final = {"cpu": 4, "cuda": 64}
"""Clips per job; on a GPU enough to find some of equal length."""
MOST_TOGETHER: Final = 16
"""Folds, each as often as it is trained, whose heads are trained in one pass, at most: their
parameters take memory."""


@dataclass(frozen=True, slots=True)
class Done:
    """What `execute` leaves beside the rows in the store.

    `seconds` sums each stage over all jobs, and holds the driver's own wall time apart;
    `unusable` names the clips that could not be used.
    """

    seconds: dict[str, float]
    unusable: dict[str, str]


def execute(shop: Workshop, store: Store, engine: Engine, progress: Progress) -> Done:
    """Run every job that is not done yet."""
    plan = shop.plan
    start = time.perf_counter()
    folds = _Folds(shop, store, engine)
    unusable = make_features(shop, engine, progress, needed=folds.need_features)
    if len(unusable) == len(plan.clips):
        raise CorpusError("not one clip can be used", where=plan.run)
    require_filled_parts(plan.folds, plan.clips.keys() - unusable.keys())
    for name, reason in unusable.items():
        progress.say(f"left out {name}: {reason}")
    seconds = {"features": time.perf_counter() - start}
    start = time.perf_counter()
    usable = [clip for clip in plan.used_clips() if clip.id not in unusable]
    folds.run(progress, usable)
    seconds["heads and attacks"] = time.perf_counter() - start
    for stages in store.seconds(plan.run).values():
        for name, spent in stages.items():
            seconds[f"sum of {name}"] = seconds.get(f"sum of {name}", 0.0) + spent
    return Done(seconds, unusable)


@dataclass
class _Fold:
    """A fold whose heads are trained: their result, and the attacks it waits for."""

    result: FoldResult
    jobs: list[AttackJob]
    missing: set[AttackJob] = field(default_factory=set)


class _Folds:
    """All folds of all repetitions that are not in the store, on their way there."""

    def __init__(self, shop: Workshop, store: Store, engine: Engine) -> None:
        self._plan, self._store, self._engine = shop.plan, store, engine
        self._features = shop.features
        plan = shop.plan
        stored = store.folds_done(plan.run)
        folds = [
            FoldFiles(plan.steps, repetition, fold.number)
            for repetition in range(plan.protocol.seeds)
            for fold in plan.folds
            if (repetition, fold.number) not in stored
        ]
        self._trained_before = [files for files in folds if files.are_done()]
        self._untrained = [files for files in folds if files not in self._trained_before]
        self._running = 0
        self._open: dict[tuple[int, int], _Fold] = {}

    @property
    def need_features(self) -> bool:
        """Whether a head is left to train."""
        return bool(self._untrained)

    def run(self, progress: Progress, usable: Sequence[Clip]) -> None:
        """Do what is not done on the clips of folds that can be used, until all is stored."""
        plan = self._plan
        jobs = list(self._training(usable))
        folds = len(self._untrained) + len(self._trained_before)
        title = f"{plan.spec.name}: heads of {folds} folds (epochs), attacks (clips)"
        epochs = plan.protocol.most_epochs * sum(job.size for job in jobs)
        with progress.stage(title, epochs) as shown, following(shown) as stage:
            for job in jobs:
                stage.follow(job.note(plan), job.size)
                self._submit(job)
            for files in self._trained_before:
                self._trained(files, stage)
            while self._running:
                self._finished(self._engine.wait(), stage)

    def _training(self, usable: Sequence[Clip]) -> Iterator[HeadsJob]:
        """The folds of all repetitions, in groups that are trained in one pass: as few as keep
        every worker busy.

        Where some features are not kept, but made anew whenever they are read, one group: it makes
        them once for all heads, and has the machine to itself.
        """
        if not self._untrained:
            return
        streams = not all(self._features.has(clip) for clip in usable)
        threads = available_cores() if streams else None
        folds = [(files.repetition, files.fold) for files in self._untrained]
        groups = max(1 if streams else self._engine.slots, -(-len(folds) // MOST_TOGETHER))
        for first in range(min(groups, len(folds))):
            yield HeadsJob(tuple(folds[first::groups]), threads)

    def _submit(self, job: Job) -> None:
        self._running += 1
        self._engine.submit(job)

    def _finished(self, job: Job, stage: Following) -> None:
        self._running -= 1
        if isinstance(job, HeadsJob):
            stage.finish(job.note(self._plan), self._plan.protocol.most_epochs)
            for files in job.files(self._plan):
                self._trained(files, stage)
        elif isinstance(job, AttackJob):
            stage.advance(job.size)
            fold = self._open[job.repetition, job.fold]
            fold.missing.discard(job)
            self._store_if_whole(fold)

    def _trained(self, files: FoldFiles, stage: Following) -> None:
        """Hand out the attacks on what the fold's head classified correctly."""
        result = from_plain(require_step(files.result))
        correct = [
            row.utterance
            for row in result.predictions
            if row.task == "emotion" and row.label == row.predicted
        ]
        for_pgd = pgd_targets(self._plan.protocol, correct, files.fold)
        attacks = [
            AttackJob(files.repetition, files.fold, tuple(chunk), for_pgd.intersection(chunk))
            for chunk in chunks(correct, ATTACK_CHUNK[self._plan.spec.device])
        ]
        missing = {attack for attack in attacks if not is_done(attack, self._plan)}
        stage.grow(len(correct))
        stage.advance(sum(a.size for a in attacks if a not in missing))
        fold = _Fold(result, attacks, missing)
        self._open[files.repetition, files.fold] = fold
        for attack in attacks:
            if attack in missing:
                self._submit(attack)
        self._store_if_whole(fold)

    def _store_if_whole(self, fold: _Fold) -> None:
        if fold.missing:
            return
        parts = [from_plain(require_step(job.file(self._plan))) for job in fold.jobs]
        seconds = dict(fold.result.seconds)
        seconds["attack"] = sum(part.seconds["attack"] for part in parts)
        whole = dataclasses.replace(
            fold.result,
            attacks=tuple(outcome for part in parts for outcome in part.attacks),
            seconds=seconds,
        )
        self._store.add_fold(self._plan.run, whole)
        del self._open[whole.seed, whole.fold]
