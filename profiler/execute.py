"""Drive a plan's jobs through an engine, and put whole folds into the store.

Features come first, all of them; then every fold's heads, and as soon as a fold's heads are
trained, the attacks on its rightly classified clips. Only this driver writes the database.
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from profiler.engines.base import Engine
from profiler.fold_attack import pgd_targets
from profiler.folds import require_filled_parts
from profiler.jobs import AttackJob, FeaturesJob, HeadsJob, Job, is_done
from profiler.plan import Plan, Workshop
from profiler.progress import Progress, Stage
from profiler.steps import from_plain, read_step
from profiles_db.errors import CorpusError, EngineError
from profiles_db.records import FoldResult
from profiles_db.store import Store

FEATURES_CHUNK: Final = 16
ATTACK_CHUNK: Final = 8

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Done:
    """What `execute` leaves beside the rows in the store.

    `seconds` sums each stage over all jobs, and holds the driver's own wall time apart;
    `unusable` names the clips that could not be used.
    """

    seconds: dict[str, float]
    unusable: dict[str, str]
    steps: Path

    def clean(self) -> None:
        """Remove the step results, once the database holds everything."""
        shutil.rmtree(self.steps, ignore_errors=True)


def execute(shop: Workshop, store: Store, engine: Engine, progress: Progress) -> Done:
    """Run every job that is not done yet."""
    plan = shop.plan
    start = time.perf_counter()
    unusable = _features(shop, engine, progress)
    if len(unusable) == len(plan.clips):
        raise CorpusError("not one clip can be used", where=plan.run)
    require_filled_parts(plan.folds, plan.clips.keys() - unusable.keys())
    for name, reason in unusable.items():
        progress.say(f"left out {name}: {reason}")
    seconds = {"features": time.perf_counter() - start}
    start = time.perf_counter()
    _Folds(shop, store, engine).run(progress)
    seconds["heads and attacks"] = time.perf_counter() - start
    for stages in store.seconds(plan.run).values():
        for name, spent in stages.items():
            seconds[f"sum of {name}"] = seconds.get(f"sum of {name}", 0.0) + spent
    return Done(seconds, unusable, plan.steps)


def _features(shop: Workshop, engine: Engine, progress: Progress) -> dict[str, str]:
    """Fill the cache; returns the clips that cannot be used, with the reason."""
    plan = shop.plan
    wanted = {name for fold in plan.folds for name in (*fold.train, *fold.dev, *fold.test)}
    clips = [clip for clip in plan.clips.values() if clip.id in wanted]
    unusable: dict[str, str] = {}
    with progress.stage(f"{plan.spec.name}: features", len(clips)) as stage:
        missing = [clip.id for clip in clips if not shop.features.has(clip)]
        stage.advance(len(clips) - len(missing))
        jobs = [FeaturesJob(tuple(chunk)) for chunk in _chunks(missing, FEATURES_CHUNK)]
        for job in _all(engine, jobs):
            unusable |= _result(job, plan)
            stage.advance(job.size)
    return unusable


@dataclass
class _Fold:
    """A fold whose heads are trained: their result, and the attacks it waits for."""

    result: FoldResult
    jobs: list[AttackJob]
    missing: set[AttackJob] = field(default_factory=set)


class _Folds:
    """All folds of all repetitions, on their way into the store."""

    def __init__(self, shop: Workshop, store: Store, engine: Engine) -> None:
        self._plan, self._store, self._engine = shop.plan, store, engine
        self._running = 0
        self._open: dict[tuple[int, int], _Fold] = {}

    def run(self, progress: Progress) -> None:
        """Do what is not done; return when every fold is stored."""
        plan = self._plan
        stored = self._store.folds_done(plan.run)
        jobs = [
            HeadsJob(repetition, fold.number)
            for repetition in range(plan.protocol.seeds)
            for fold in plan.folds
            if (repetition, fold.number) not in stored
        ]
        title = f"{plan.spec.name}: heads of {len(jobs)} folds, attacks"
        with progress.stage(title, len(jobs)) as stage:
            for job in jobs:
                if is_done(job, plan):
                    self._trained(job, stage)
                else:
                    self._submit(job)
            while self._running:
                self._finished(self._engine.wait(), stage)

    def _submit(self, job: Job) -> None:
        self._running += 1
        self._engine.submit(job)

    def _finished(self, job: Job, stage: Stage) -> None:
        self._running -= 1
        if isinstance(job, HeadsJob):
            self._trained(job, stage)
        elif isinstance(job, AttackJob):
            stage.advance(job.size)
            fold = self._open[job.repetition, job.fold]
            fold.missing.discard(job)
            self._store_if_whole(fold)

    def _trained(self, job: HeadsJob, stage: Stage) -> None:
        """Hand out the attacks on what the fold's head classified right."""
        result = from_plain(_result(job, self._plan))
        correct = [
            row.utterance
            for row in result.predictions
            if row.task == "emotion" and row.label == row.predicted
        ]
        hunted = pgd_targets(self._plan.protocol, correct, job.fold)
        attacks = [
            AttackJob(job.repetition, job.fold, tuple(chunk), hunted.intersection(chunk))
            for chunk in _chunks(correct, ATTACK_CHUNK)
        ]
        missing = {attack for attack in attacks if not is_done(attack, self._plan)}
        stage.grow(len(correct))
        stage.advance(1 + sum(a.size for a in attacks if a not in missing))
        fold = _Fold(result, attacks, missing)
        self._open[job.repetition, job.fold] = fold
        for attack in attacks:
            if attack in missing:
                self._submit(attack)
        self._store_if_whole(fold)

    def _store_if_whole(self, fold: _Fold) -> None:
        if fold.missing:
            return
        parts = [from_plain(_result(job, self._plan)) for job in fold.jobs]
        seconds = dict(fold.result.seconds)
        seconds["attack"] = sum(part.seconds["attack"] for part in parts)
        whole = dataclasses.replace(
            fold.result,
            attacks=tuple(outcome for part in parts for outcome in part.attacks),
            seconds=seconds,
        )
        self._store.add_fold(self._plan.run, whole)
        del self._open[whole.seed, whole.fold]


def _all(engine: Engine, jobs: Sequence[Job]) -> Iterable[Job]:
    """Run `jobs`, yielding each as it is done."""
    for job in jobs:
        engine.submit(job)
    for _ in jobs:
        yield engine.wait()


def _result(job: Job, plan: Plan) -> dict[str, Any]:
    """What a finished job left."""
    value = read_step(job.file(plan))
    if value is None:
        raise EngineError(
            "a finished job left no result",
            where=str(job.file(plan)),
            remedy="check that all workers share the cache folder, then run the same command again",
        )
    found: dict[str, Any] = value
    return found


def _chunks(items: Sequence[Item], size: int) -> Iterable[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
