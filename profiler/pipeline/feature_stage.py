"""The first stage of a run: the features of all its clips, as many as may be kept.

Where the cache is limited, what is read most often is kept, and the rest is only tried: a clip that
cannot be used has to be known before any head is trained. What is not kept is computed again
whenever it is read.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from profiler.features.cache import Clip, FeatureCache
from profiler.features.upkeep import prune, sections
from profiler.pipeline.context import Context
from profiler.pipeline.engines.base import Engine
from profiler.pipeline.jobs import FeaturesJob
from profiler.pipeline.plan import Plan
from profiler.pipeline.results import read_step, require_step
from profiler.progress import Progress, Stage
from profiler.training.batches import chunks

CHUNK: Final = {"cpu": 16, "cuda": 64}
"""Clips per job; on a GPU enough to find some of equal length."""
AHEAD: Final = 2
"""Jobs given out at a time for each that can run."""


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
        waiting = deque(chunks(clips, CHUNK[self._plan.spec.device]))
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
