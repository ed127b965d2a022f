"""Drive a plan's jobs through an engine, and put what they give into the store, fold by fold.

Features come first, all of them; then every fold's heads and the measures on hidden states; and as
soon as a fold's heads are trained, the measures on waveforms. Only this driver writes the database.

Where the cache is limited, the features that are read most often are kept, and the other clips only
tried: a clip that cannot be used has to be known before any head is trained. What is not kept is
computed again whenever it is read.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from profiler.corpora.folds import require_filled_parts
from profiler.features.cache import Clip, FeatureCache
from profiler.features.upkeep import prune, sections
from profiler.machine import available_cores
from profiler.measures.base import ClipTask, OnHiddenStates, OnWaveforms
from profiler.measures.registry import of
from profiler.pipeline.context import Context, Plan
from profiler.pipeline.engines.base import Engine
from profiler.pipeline.epoch_progress import Following, following
from profiler.pipeline.fold_training import Cell
from profiler.pipeline.jobs import ClipsJob, FeaturesJob, Job, StatesJob
from profiler.pipeline.results import from_plain, of_repetition, read_step, require_step
from profiler.progress import Progress, Stage
from profiler.training.batches import chunks
from profiles_db.errors import CorpusError, MeasuringError
from profiles_db.records import Prediction, StepResult
from profiles_db.row_tables import TRAINING
from profiles_db.store import Store

FEATURE_CHUNK: Final = {"cpu": 16, "cuda": 64}
"""Clips per job; on a GPU enough to find some of equal length."""
AHEAD: Final = 2
"""Jobs given out at a time for each that can run."""


CLIP_CHUNK: Final = {"cpu": 4, "cuda": 64}
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


def execute(context: Context, run: str, store: Store, engine: Engine, progress: Progress) -> Done:
    """Run every job whose rows `run` lacks."""
    plan = context.plan
    start = time.perf_counter()
    folds = _Folds(context, run, store, engine)
    unusable = make_features(context, engine, progress, needed=folds.need_features)
    if len(unusable) == len(plan.clips):
        raise CorpusError("not one clip can be used", where=run)
    require_filled_parts(plan.folds, plan.clips.keys() - unusable.keys())
    for name, reason in unusable.items():
        progress.say(f"left out {name}: {reason}")
    seconds = {"features": time.perf_counter() - start}
    start = time.perf_counter()
    usable = [clip for clip in plan.used_clips() if clip.id not in unusable]
    folds.run(progress, usable)
    seconds["heads and measures"] = time.perf_counter() - start
    for stages in store.seconds(run).values():
        for name, spent in stages.items():
            seconds[f"sum of {name}"] = seconds.get(f"sum of {name}", 0.0) + spent
    return Done(seconds, unusable)


@dataclass
class _Listening:
    """A measure on the waveforms of one fold: its jobs, and which are not done."""

    measure: OnWaveforms
    fold: int
    repetitions: tuple[int, ...]
    jobs: list[ClipsJob]
    missing: set[ClipsJob] = field(default_factory=set)


class _Folds:
    """All folds of all repetitions, and what the run lacks of them."""

    def __init__(self, context: Context, run: str, store: Store, engine: Engine) -> None:
        self._plan, self._features = context.plan, context.features
        self._run_name, self._store, self._engine = run, store, engine
        plan = context.plan
        asked = of(plan.measures)
        self._on_states = [m.name for m in asked if isinstance(m, OnHiddenStates)]
        self._on_waveforms = [m for m in asked if isinstance(m, OnWaveforms)]
        self._stored = store.steps_done(run)
        self._repetitions = range(plan.protocol.training.repetitions)
        self._places = [(r, fold.number) for r in self._repetitions for fold in plan.folds]
        self._cells = [cell for cell in map(self._cell, self._places) if cell.steps]
        self._predictions: dict[tuple[int, int], tuple[Prediction, ...]] = {}
        self._running = 0
        self._listening: list[_Listening] = []
        self._given_out: set[tuple[str, int]] = set()

    def _cell(self, place: tuple[int, int]) -> Cell:
        """What is left to be computed from hidden states in one place."""
        lacks = [
            step
            for step in (*self._on_states, *(measure.name for measure in self._on_waveforms))
            if (step, *place) not in self._stored
        ]
        steps = [
            step
            for step in self._on_states
            if step in lacks and not self._plan.files(step, *place).is_done()
        ]
        trained = self._plan.files(TRAINING, *place).is_done()
        if not trained and (lacks or (TRAINING, *place) not in self._stored):
            steps = [TRAINING, *steps]
        return Cell(*place, tuple(steps))

    @property
    def need_features(self) -> bool:
        """Whether anything is left to be computed from hidden states."""
        return bool(self._cells)

    def run(self, progress: Progress, usable: Sequence[Clip]) -> None:
        """Do what is not done on the clips of folds that can be used, until all is stored."""
        plan = self._plan
        jobs = list(self._training(usable))
        title = f"{plan.spec.name}: heads of {len(self._places)} folds (epochs), measures (clips)"
        total = sum(job.epochs(plan) * job.size for job in jobs)
        with progress.stage(title, total) as shown, following(shown) as stage:
            for job in jobs:
                stage.follow(job.note(plan), job.size)
                self._submit(job)
            waiting = {(cell.repetition, cell.fold) for cell in self._cells}
            for place in self._places:
                if place not in waiting:
                    self._ready(place, stage)
            while self._running:
                self._finished(self._engine.wait(), stage)

    def _training(self, usable: Sequence[Clip]) -> Iterator[StatesJob]:
        """The cells in groups that are trained in one pass: as few as keep every worker busy.

        Where some features are not kept, but computed again whenever they are read, one group: it
        computes them once for all heads, and has the machine to itself. Elsewhere heads with layers
        of their own share nothing but that reading, and are trained one by one.
        """
        if not self._cells:
            return
        streams = not all(self._features.has(clip) for clip in usable)
        threads = available_cores() if streams else None
        slots = 1 if streams else self._engine.slots
        together = 1 if self._plan.tunes and not streams else MOST_TOGETHER
        groups = max(slots, -(-len(self._cells) // together))
        for first in range(min(groups, len(self._cells))):
            yield StatesJob(tuple(self._cells[first::groups]), threads)

    def _submit(self, job: Job) -> None:
        self._running += 1
        self._engine.submit(job)

    def _finished(self, job: Job, stage: Following) -> None:
        self._running -= 1
        if isinstance(job, StatesJob):
            stage.finish(job.note(self._plan), job.epochs(self._plan))
            for cell in job.cells:
                self._ready((cell.repetition, cell.fold), stage)
        elif isinstance(job, ClipsJob):
            stage.advance(job.size)
            (own,) = (one for one in self._listening if job in one.missing)
            own.missing.discard(job)
            self._store_if_whole(own)

    def _ready(self, place: tuple[int, int], stage: Following) -> None:
        """Store what hidden states gave, and hand out the fold's clips once all heads are there."""
        files = self._plan.files(TRAINING, *place)
        if files.is_done():
            trained = from_plain(require_step(files.result))
            self._store_training(trained)
            rows = [row for row in trained.rows if isinstance(row, Prediction)]
            self._predictions[place] = tuple(rows)
        for step in self._on_states:
            if (step, *place) not in self._stored:
                own = self._plan.files(step, *place).result
                self._store.add_step(self._run_name, from_plain(require_step(own)))
        for measure in self._on_waveforms:
            self._listen(measure, place[1], stage)

    def _store_training(self, trained: StepResult) -> None:
        """Store a training; one that is there already must have come out the same.

        Raises
        ------
        MeasuringError
            If the heads had to be trained again and answer otherwise than those in the store.
        """
        place = trained.repetition, trained.fold
        if (TRAINING, *place) not in self._stored:
            self._store.add_step(self._run_name, trained)
            return
        before = [
            (row.utterance, row.predicted)
            for row in self._store.rows(self._run_name, Prediction)
            if (row.repetition, row.fold) == place
        ]
        after = [(row.utterance, row.predicted) for row in trained.rows if type(row) is Prediction]
        if before != after:
            raise MeasuringError(
                "the heads were trained again and answer otherwise than those that were measured",
                where=f"run {self._run_name}, repetition {place[0]}, fold {place[1]}",
                rule="heads come out the same on one kind of processor with the same versions",
                remedy="profile into another database",
            )

    def _listen(self, measure: OnWaveforms, fold: int, stage: Following) -> None:
        """Hand out what a measure does with the clips of one fold, once all its heads are there."""
        lacking = tuple(
            repetition
            for repetition in self._repetitions
            if (measure.name, repetition, fold) not in self._stored
        )
        ready = all((repetition, fold) in self._predictions for repetition in lacking)
        if not lacking or not ready or (measure.name, fold) in self._given_out:
            return
        self._given_out.add((measure.name, fold))
        predictions = {one: self._predictions[one, fold] for one in lacking}
        protocol = self._plan.protocol
        tasks = measure.tasks(fold, predictions, protocol, protocol.measure(measure.name))
        by_clip: dict[str, list[ClipTask]] = {}
        for task in tasks:
            by_clip.setdefault(task.clip, []).append(task)
        jobs = [
            ClipsJob(measure.name, fold, tuple(task for clip in some for task in by_clip[clip]))
            for some in chunks(list(by_clip), CLIP_CHUNK[self._plan.spec.device])
        ]
        missing = {job for job in jobs if not job.is_done(self._plan)}
        stage.grow(len(tasks))
        stage.advance(sum(job.size for job in jobs if job not in missing))
        own = _Listening(measure, fold, lacking, jobs, missing)
        self._listening.append(own)
        for job in jobs:
            if job in missing:
                self._submit(job)
        self._store_if_whole(own)

    def _store_if_whole(self, own: _Listening) -> None:
        if own.missing:
            return
        parts = [from_plain(require_step(job.file(self._plan))) for job in own.jobs]
        spent = sum(sum(part.seconds.values()) for part in parts) / len(own.repetitions)
        rows = [row for part in parts for row in part.rows]
        for repetition in own.repetitions:
            self._store.add_step(
                self._run_name,
                StepResult(
                    own.measure.name,
                    repetition,
                    own.fold,
                    of_repetition(rows, repetition),
                    {own.measure.name: spent},
                ),
            )
        self._listening.remove(own)


def make_features(
    context: Context, engine: Engine, progress: Progress, *, needed: bool
) -> dict[str, str]:
    """Fill the cache; returns the clips that cannot be used, with the reason.

    Where no head is left to train, the features are not `needed`, and only the clips that nobody
    tried before are.
    """
    plan = context.plan
    clips = plan.used_clips()
    with progress.stage(f"{plan.spec.name}: features", len(clips)) as stage:
        return _Features(context, engine, stage, needed=needed).make(_most_read_first(clips, plan))


def make_room(plan: Plan, features: FeatureCache) -> None:
    """Remove what was used longest ago, so that this run's features can stay within the limit."""
    if plan.cache_limit is None:
        return
    features.describe()
    kept = [features.path(clip) for clip in plan.clips.values() if features.path(clip).exists()]
    own = sum(path.stat().st_size for path in kept)
    needed = (len(plan.clips) - len(kept)) * features.largest_entry()
    prune(plan.cache, max(plan.cache_limit - needed, min(own, plan.cache_limit)))


class _Features:
    """The jobs of the stage, given out a few at a time, since what fits shows as they end."""

    def __init__(self, context: Context, engine: Engine, stage: Stage, *, needed: bool) -> None:
        self._plan, self._features = context.plan, context.features
        self._engine, self._stage, self._needed = engine, stage, needed
        self._unusable: dict[str, str] = {}
        self._running: dict[FeaturesJob, list[Clip]] = {}
        self._room: int | None = None
        if self._plan.cache_limit is not None:
            self._largest = self._features.largest_entry()
            kept = sum(section.size for section in sections(self._plan.cache))
            self._room = self._plan.cache_limit - kept

    def make(self, clips: Sequence[Clip]) -> dict[str, str]:
        """Do all that is missing; returns the clips that cannot be used."""
        waiting = deque(chunks(clips, FEATURE_CHUNK[self._plan.spec.device]))
        while waiting or self._running:
            while waiting and len(self._running) < AHEAD * self._engine.slots:
                self._begin(waiting.popleft())
            if self._running:
                job = self._engine.wait()
                assert isinstance(job, FeaturesJob)  # noqa: S101 - no other was given out
                self._end(job)
        return self._unusable

    def _begin(self, clips: Sequence[Clip]) -> None:
        """Give out what is missing of `clips`, unless an earlier attempt did it."""
        names = tuple(clip.id for clip in clips)
        if not self._needed and (tried := self._tried(names)) is not None:
            self._unusable |= tried
            self._stage.advance(len(names))
            return
        missing = [clip for clip in clips if not self._features.has(clip)]
        job = FeaturesJob(names, self._fits(len(missing)))
        found = read_step(job.file(self._plan))
        if found is not None and (not job.keep or all(clip.id in found for clip in missing)):
            self._unusable |= found
            missing = []
        if missing:
            self._running[job] = missing
            self._engine.submit(job)
        else:
            self._stage.advance(job.size)

    def _tried(self, names: tuple[str, ...]) -> dict[str, str] | None:
        """What an earlier attempt found of the clips, whether or not it kept their features."""
        jobs = (FeaturesJob(names, keep) for keep in (True, False))
        found = (read_step(job.file(self._plan)) for job in jobs)
        return next((step for step in found if step is not None), None)

    def _fits(self, clips: int) -> bool:
        """Whether so many more clips fit, however long they and those in work turn out."""
        in_work = sum(len(missing) for job, missing in self._running.items() if job.keep)
        return self._room is None or (in_work + clips) * self._largest <= self._room

    def _end(self, job: FeaturesJob) -> None:
        missing = self._running.pop(job)
        self._unusable |= require_step(job.file(self._plan))
        self._stage.advance(job.size)
        if self._room is not None and job.keep:
            self._room -= sum(map(self._size, missing))

    def _size(self, clip: Clip) -> int:
        """Bytes that the clip takes in the cache."""
        path = self._features.path(clip)
        return path.stat().st_size if path.exists() else 0


def _most_read_first(clips: Sequence[Clip], plan: Plan) -> list[Clip]:
    """Clips of dev parts are read once more per epoch; those of most dev parts come first."""
    times = Counter(name for fold in plan.folds for name in fold.dev)
    return sorted(clips, key=lambda clip: -times[clip.id])
