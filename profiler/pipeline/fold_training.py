"""The heads of some folds and repetitions: trained together, tested, and measured on what they saw.

All of it takes one pass over the features per epoch and one more for the tests, however many heads
and measures there are. Where layers of the encoder are tuned, each emotion head has hidden states
of its own: measures see those, once it is trained, and train their heads upon them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from profiler.corpora.base import Fold, Utterance
from profiler.machine import HEAP
from profiler.measures.base import OnHiddenStates, StatesWork
from profiler.measures.registry import measures
from profiler.pipeline.context import Context, Parts
from profiler.training.checkpoint import StateFiles
from profiler.training.head import Head
from profiler.training.learner import EpochLog, Learner, Recipe, Seen, Targets, Trained
from profiler.training.loop import embed, train
from profiler.training.mixing import Read
from profiler.training.tuning import TunedHead, TunedLearner
from profiles_db.records import (
    DimensionalEpoch,
    Epoch,
    LayerWeight,
    Prediction,
    ProbeEpoch,
    StepResult,
)
from profiles_db.row_tables import TRAINING

EMOTION = "emotion"


@dataclass(frozen=True, slots=True)
class Cell:
    """A fold (from 1) of a repetition (from 0), and the steps to be done there: the training,
    measures on hidden states, or both."""

    repetition: int
    fold: int
    steps: tuple[str, ...]


@dataclass(frozen=True)
class _Group:
    """A cell at work: the emotion head, in training or trained before, and its measures."""

    cell: Cell
    fold: Fold
    parts: Parts
    emotion: Learner | Head
    works: Mapping[str, StatesWork]

    def learners(self) -> dict[tuple[str, str], Learner]:
        """Its heads in training, by step and name."""
        found: dict[tuple[str, str], Learner] = {}
        if isinstance(self.emotion, Learner):
            found[TRAINING, EMOTION] = self.emotion
        for step, work in self.works.items():
            found |= {(step, name): learner for name, learner in work.learners.items()}
        return found


def train_and_test(
    context: Context, cells: Sequence[Cell], *, on_epoch: Callable[[int], None] = lambda _: None
) -> list[tuple[StepResult, Head | None]]:
    """Do the steps of each cell, going on from heads that were kept in training.

    `on_epoch` is told after each epoch how many are done.

    Returns
    -------
    list of (StepResult, Head or None)
        For each step of each cell its rows, and of the training the emotion head.
    """
    start = time.perf_counter()
    groups = [_group(context, cell) for cell in cells]
    files = {
        learner: context.plan.files(step, group.cell.repetition, group.cell.fold).state(name)
        for group in groups
        for (step, name), learner in group.learners().items()
    }
    states = StateFiles(files, context.clips_digest)

    def after_epoch() -> None:
        HEAP.tidy()
        states.keep()
        on_epoch(max(learner.epoch for learner in files))

    def trained(learners: Sequence[Learner], read: Read) -> dict[Learner, Trained]:
        training = context.protocol.training
        train(
            learners,
            read,
            len(context.clips),
            batch_size=training.batch_size,
            seed=training.base_seed,
            after_epoch=after_epoch,
        )
        return {learner: learner.result() for learner in learners}

    emotions = [group.emotion for group in groups if isinstance(group.emotion, TunedLearner)]
    tuned = trained(emotions, context.read)
    before = (time.perf_counter() - start) / len(groups)
    found: list[tuple[StepResult, Head | None]] = []
    for some, read in _of_same_states(context, groups, tuned):
        start = time.perf_counter()
        own = [one for group in some for one in group.learners().values() if one not in tuned]
        try:
            seen = _seen(context, some, tuned | trained(own, read), read)
            seconds = before + (time.perf_counter() - start) / len(some)
            for group, (emotion, of_measures) in zip(some, seen, strict=True):
                found += _results(context, group, emotion, of_measures, seconds)
        finally:
            context.forget_pooled()
    return found


def _of_same_states(
    context: Context, groups: Sequence[_Group], trained: Mapping[Learner, Trained]
) -> list[tuple[Sequence[_Group], Read]]:
    """The groups whose heads see the same hidden states, and what reads these.

    All of them; but each by itself where layers are tuned, whose emotion heads are in `trained` or
    were trained before.
    """
    found: list[tuple[Sequence[_Group], Read]] = []
    for group in groups:
        one = group.emotion
        head = trained[one].head if isinstance(one, TunedLearner) else one
        if isinstance(head, TunedHead):
            found.append(([group], head.upon(context.read)))
    return found or [(groups, context.read)]


def _group(context: Context, cell: Cell) -> _Group:
    fold = context.plan.fold(cell.fold)
    parts = context.parts(fold)
    if TRAINING in cell.steps:
        emotion: Learner | Head = emotion_learner(context, fold, parts, cell.repetition)
    else:
        emotion = context.head(cell.repetition, cell.fold)
    works = {
        step: _on_states(step).work(
            context, fold, parts, cell.repetition, context.protocol.measure(step)
        )
        for step in cell.steps
        if step != TRAINING
    }
    return _Group(cell, fold, parts, emotion, works)


def _on_states(step: str) -> OnHiddenStates:
    measure = measures()[step]
    assert isinstance(measure, OnHiddenStates)  # noqa: S101 - no other is a step of a cell
    return measure


def emotion_learner(context: Context, fold: Fold, parts: Parts, repetition: int) -> Learner:
    """The emotion head of a fold and repetition (from 0), to be trained on `parts`."""
    training = context.protocol.training
    recipe = Recipe(
        classes=len(context.classes),
        epochs=training.epochs,
        class_weighting=training.class_weighting,
        seed=training.seed(fold.number, repetition),
        first_pass=repetition,
    )
    labels = {name: index for index, name in enumerate(context.classes)}
    targets, dev = (
        Targets(context.positions(part), tuple(labels[u.label] for u in part))
        for part in (parts.train, parts.dev)
    )
    kind = TunedLearner if context.backbone.tuned else Learner
    return kind(context.new_emotion_head, targets, dev, recipe, training, context.device)


def _seen(
    context: Context,
    groups: Sequence[_Group],
    trained: Mapping[Learner, Trained],
    read: Read,
) -> list[tuple[Seen, dict[str, dict[str, Seen]]]]:
    """What each head sees of the clips it is tested with, in one pass over them.

    An emotion head sees all three parts, whatever is asked for: what a clip gives can depend, in
    the last digit, on the clips that are computed with it.
    """
    heads: list[tuple[Head, Sequence[int]]] = []
    logs: list[tuple[EpochLog, ...]] = []

    def enter(one: Learner | Head, clips: Sequence[int]) -> None:
        heads.append((trained[one].head if isinstance(one, Learner) else one, clips))
        logs.append(trained[one].log if isinstance(one, Learner) else ())

    for group in groups:
        parts = group.parts
        enter(group.emotion, context.positions([*parts.train, *parts.dev, *parts.test]))
        for work in group.works.values():
            for name, ids in work.tested().items():
                enter(work.learners[name], context.positions([context.utterances[i] for i in ids]))
    pools = any(_on_states(step).pools for group in groups for step in group.works)
    embedded = iter(
        [
            Seen(head, embeddings, log)
            for (head, _), log, embeddings in zip(
                heads,
                logs,
                embed(heads, read, context.pool if pools else None),
                strict=True,
            )
        ]
    )
    found = []
    for group in groups:
        emotion = next(embedded)
        own = {
            step: {name: next(embedded) for name in work.tested()}
            for step, work in group.works.items()
        }
        found.append((emotion, own))
    return found


def _results(
    context: Context,
    group: _Group,
    emotion: Seen,
    own: Mapping[str, Mapping[str, Seen]],
    seconds: float,
) -> list[tuple[StepResult, Head | None]]:
    """The rows of each step of a cell; `seconds` is its share of all training and testing."""
    repetition, fold = group.cell.repetition, group.cell.fold
    found: list[tuple[StepResult, Head | None]] = []
    if TRAINING in group.cell.steps:
        rows = _training_rows(context, group, emotion)
        result = StepResult(TRAINING, repetition, fold, tuple(rows), {"heads": seconds})
        found.append((result, emotion.head))
    for step, work in group.works.items():
        start = time.perf_counter()
        of_measure = work.result(emotion, own[step])
        spent = {step: time.perf_counter() - start}
        found.append((StepResult(step, repetition, fold, tuple(of_measure), spent), None))
    return found


def _training_rows(
    context: Context, group: _Group, emotion: Seen
) -> list[Prediction | Epoch | LayerWeight]:
    repetition, fold = group.cell.repetition, group.cell.fold
    tested = len(group.parts.train) + len(group.parts.dev)
    on_test = Seen(emotion.head, emotion.embeddings[tested:])
    predictions = [
        Prediction(
            repetition,
            fold,
            utterance.id,
            utterance.speaker,
            utterance.gender,
            utterance.label,
            predicted,
            probabilities,
        )
        for utterance, predicted, probabilities in answers(
            on_test.log_probabilities(), group.parts.test, context.classes
        )
    ]
    weights = emotion.head.layer_weights.tolist()
    return [
        *predictions,
        *epochs(Epoch, emotion.log, repetition, fold),
        *(LayerWeight(repetition, fold, n, weight) for n, weight in enumerate(weights, start=1)),
    ]


def answers(
    logs: np.ndarray, part: Sequence[Utterance], classes: Sequence[str]
) -> list[tuple[Utterance, str, tuple[float, ...]]]:
    """Each clip of `part` with its answer and probabilities, from log-probabilities.

    Parameters
    ----------
    logs : array, shape (clips, classes)
    part : sequence of Utterance
    classes : sequence of str
    """
    values = np.exp(logs).tolist()
    best = logs.argmax(axis=1).tolist()
    return [
        (utterance, classes[index], tuple(own))
        for utterance, own, index in zip(part, values, best, strict=True)
    ]


LogRow = TypeVar("LogRow", Epoch, ProbeEpoch, DimensionalEpoch)


def epochs(kind: type[LogRow], log: Sequence[EpochLog], repetition: int, fold: int) -> list[LogRow]:
    """A training's log as rows."""
    return [
        kind(
            repetition,
            fold,
            number,
            one.train_loss,
            one.dev_loss,
            one.dev_score,
            one.learning_rate,
        )
        for number, one in enumerate(log, start=1)
    ]
