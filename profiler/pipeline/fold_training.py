"""The heads of some folds and repetitions: all trained together, then tested fold by fold."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from profiler.corpora.base import GENDERS, Fold, Utterance
from profiler.machine import HEAP
from profiler.pipeline.bench import Bench, Parts
from profiler.pipeline.fold_rows import FoldRows, Seen
from profiler.training.checkpoint import StateFiles
from profiler.training.head import Head
from profiler.training.learner import Learner, Recipe, Targets, Trained
from profiler.training.loop import embed, train
from profiles_db.records import FoldResult, Task

StateFile = Callable[[int, int, Task], Path]
"""Repetition, fold and task to the file in which that head is kept between epochs."""


@dataclass(frozen=True)
class _Group:
    """A fold's heads in training; no gender probe unless every part has both genders."""

    repetition: int
    fold: Fold
    parts: Parts
    emotion: Learner
    gender: Learner | None

    def learners(self) -> dict[Task, Learner]:
        """Its one or two heads."""
        found: dict[Task, Learner] = {"emotion": self.emotion}
        if self.gender:
            found["gender"] = self.gender
        return found


def train_heads(
    bench: Bench,
    wanted: Sequence[tuple[int, Fold]],
    *,
    state_file: StateFile,
    on_epoch: Callable[[int], None] = lambda _: None,
) -> list[tuple[FoldResult, Head]]:
    """Train and test every head of each repetition (from 0) and fold, going on from kept states.

    `on_epoch` is told after each epoch how many are done.

    Returns
    -------
    list of (FoldResult, Head)
        For each of `wanted` all but the attacks, and the emotion head, for the attack.
    """
    start = time.perf_counter()
    groups = [_group(bench, fold, repetition) for repetition, fold in wanted]
    files = {
        learner: state_file(group.repetition, group.fold.number, task)
        for group in groups
        for task, learner in group.learners().items()
    }
    states = StateFiles(files, bench.clips_digest)

    def after_epoch() -> None:
        HEAP.tidy()
        states.keep()
        on_epoch(max(learner.epoch for learner in files))

    train(
        list(files),
        bench.read,
        len(bench.clips),
        batch_size=bench.protocol.batch_size,
        seed=bench.protocol.base_seed,
        after_epoch=after_epoch,
    )
    trained = {learner: learner.result() for learner in files}
    try:
        seen = _seen(bench, groups, trained)
        seconds = (time.perf_counter() - start) / len(groups)
        return [_tested(bench, group, trained, seen, seconds) for group in groups]
    finally:
        bench.forget_pooled()


def _group(bench: Bench, fold: Fold, repetition: int) -> _Group:
    parts = bench.parts(fold)
    return _Group(
        repetition,
        fold,
        parts,
        _emotion_learner(bench, fold, parts, repetition),
        _gender_learner(bench, fold, parts, repetition),
    )


def _emotion_learner(bench: Bench, fold: Fold, parts: Parts, repetition: int) -> Learner:
    protocol = bench.protocol
    recipe = Recipe(
        classes=len(bench.classes),
        epochs=protocol.epochs,
        class_weighting=protocol.class_weighting,
        seed=protocol.seed(fold.number, repetition),
        first_pass=repetition,
    )
    labels = {name: index for index, name in enumerate(bench.classes)}
    training, dev = (
        Targets(bench.positions(part), tuple(labels[u.label] for u in part))
        for part in (parts.train, parts.dev)
    )
    return Learner(bench.new_head, training, dev, recipe, protocol, bench.device)


def _gender_learner(bench: Bench, fold: Fold, parts: Parts, repetition: int) -> Learner | None:
    known = parts.with_gender()
    if any(
        {u.gender for u in part} != set(GENDERS) for part in (known.train, known.dev, known.test)
    ):
        return None
    recipe = Recipe(
        classes=len(GENDERS),
        epochs=bench.protocol.probe_epochs,
        class_weighting="none",
        seed=bench.protocol.seed(fold.number, repetition),
        first_pass=repetition,
    )
    training, dev = (
        Targets(bench.positions(part), _genders(part)) for part in (known.train, known.dev)
    )
    return Learner(bench.new_head, training, dev, recipe, bench.protocol, bench.device)


def _genders(part: Sequence[Utterance]) -> tuple[int, ...]:
    return tuple(GENDERS.index(utterance.gender) for utterance in part if utterance.gender)


def _seen(
    bench: Bench, groups: Sequence[_Group], trained: dict[Learner, Trained]
) -> dict[Learner, Tensor]:
    """What each head sees of the clips it is tested with, in one pass over them.

    For an emotion head all three parts, for a gender probe its dev and its test part.
    """
    wanted = {}
    for group in groups:
        parts = group.parts
        wanted[group.emotion] = bench.positions([*parts.train, *parts.dev, *parts.test])
        if group.gender:
            known = parts.with_gender()
            wanted[group.gender] = bench.positions([*known.dev, *known.test])
    heads = [(trained[learner].head, positions) for learner, positions in wanted.items()]
    return dict(zip(wanted, embed(heads, bench.read, bench.pool), strict=True))


def _tested(
    bench: Bench,
    group: _Group,
    trained: dict[Learner, Trained],
    seen: dict[Learner, Tensor],
    training_seconds: float,
) -> tuple[FoldResult, Head]:
    start = time.perf_counter()
    pairs = {
        task: Seen(trained[learner], seen[learner]) for task, learner in group.learners().items()
    }
    rows = FoldRows(bench, group.fold, group.parts, group.repetition)
    result = rows.result(pairs["emotion"], pairs.get("gender"))
    seconds = {"heads": training_seconds, "probes and voices": time.perf_counter() - start}
    head = trained[group.emotion].head
    return dataclasses.replace(result, seconds=seconds), head
