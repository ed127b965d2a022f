"""Rows as arrays: predictions counted per cell (a fold of a repetition) and speaker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np

from profiler.measures.base import Figure
from profiler.measures.statistics import (
    Estimate,
    Floats,
    Ints,
    Statistic,
    confusion_by_group,
    jackknife,
    mean_of_defined,
)
from profiles_db.measurement import Measurement
from profiles_db.records import Gender, GenderPrediction, Prediction

Score: TypeAlias = Callable[[Floats], Floats]
"""Counts of shape (..., classes, classes) to a figure of shape (...)."""

Answer: TypeAlias = Prediction | GenderPrediction

UNKNOWN_GENDER = "unknown"
"""The stratum of speakers whose gender the corpus does not give."""


class AnswerRow(Protocol):
    """What every answer to a test clip has."""

    @property
    def repetition(self) -> int:
        """From 0."""

    @property
    def fold(self) -> int:
        """From 1."""

    @property
    def utterance(self) -> str:
        """The clip."""

    @property
    def speaker(self) -> str:
        """Who speaks it."""

    @property
    def gender(self) -> Gender | None:
        """The speaker's."""


@dataclass(frozen=True)
class AnswerRows:
    """Answers to test clips, whatever they say: whose they are, in which fold and repetition.

    Parameters
    ----------
    rows : sequence of rows, not empty
    """

    rows: Sequence[AnswerRow]

    @cached_property
    def speakers(self) -> list[str]:
        """All speakers, sorted."""
        return sorted({row.speaker for row in self.rows})

    @cached_property
    def strata(self) -> list[str]:
        """Each speaker's gender, in the order of `speakers`."""
        gender = {row.speaker: row.gender or UNKNOWN_GENDER for row in self.rows}
        return [gender[speaker] for speaker in self.speakers]

    @cached_property
    def cells(self) -> list[tuple[int, int]]:
        """All (repetition, fold) pairs, sorted."""
        return sorted({(row.repetition, row.fold) for row in self.rows})

    @cached_property
    def repetitions(self) -> list[int]:
        """All repetitions, sorted."""
        return sorted({repetition for repetition, _ in self.cells})

    @cached_property
    def folds(self) -> list[int]:
        """All folds, sorted."""
        return sorted({fold for _, fold in self.cells})

    @property
    def n(self) -> int:
        """Clips, each counted once however often the training was repeated."""
        return len({(row.fold, row.utterance) for row in self.rows})

    @cached_property
    def speaker(self) -> Ints:
        """Position in `speakers` of each row, shape (rows,)."""
        return _indices([row.speaker for row in self.rows], self.speakers)

    @cached_property
    def cell(self) -> Ints:
        """Position in `cells` of each row, shape (rows,)."""
        place = {cell: index for index, cell in enumerate(self.cells)}
        return np.array([place[row.repetition, row.fold] for row in self.rows], dtype=np.int64)

    @cached_property
    def cells_of_repetition(self) -> list[list[int]]:
        """Positions in `cells` of each repetition, in the order of `repetitions`."""
        return [
            [index for index, (repetition, _) in enumerate(self.cells) if repetition == wanted]
            for wanted in self.repetitions
        ]

    @cached_property
    def repetition(self) -> Ints:
        """Position in `repetitions` of each row, shape (rows,)."""
        place = {name: index for index, name in enumerate(self.repetitions)}
        return np.array([place[row.repetition] for row in self.rows], dtype=np.int64)


@dataclass(frozen=True)
class Table(AnswerRows):
    """Predictions of one task.

    Parameters
    ----------
    rows : sequence of Prediction or GenderPrediction, not empty
    classes : sequence of str
        The order of classes in every array.
    """

    rows: Sequence[Answer]
    classes: Sequence[str]

    @cached_property
    def truth(self) -> Ints:
        """True class of each row, shape (rows,)."""
        return _indices([row.label for row in self.rows], self.classes)

    @cached_property
    def predicted(self) -> Ints:
        """Predicted class of each row, shape (rows,)."""
        return _indices([row.predicted for row in self.rows], self.classes)

    @cached_property
    def probabilities(self) -> Floats:
        """Shape (rows, classes)."""
        return np.array([row.probabilities for row in self.rows], dtype=np.float64)

    @cached_property
    def confusions(self) -> Floats:
        """Counts, shape (cells, speakers, classes, classes), indexed [.., .., truth, predicted]."""
        speakers, classes = len(self.speakers), len(self.classes)
        counts = confusion_by_group(
            self.truth,
            self.predicted,
            self.cell * speakers + self.speaker,
            classes=classes,
            groups=len(self.cells) * speakers,
        )
        return counts.reshape(len(self.cells), speakers, classes, classes)

    @cached_property
    def pooled(self) -> Floats:
        """Counts over all folds, shape (repetitions, speakers, classes, classes)."""
        return np.stack([self.confusions[cells].sum(axis=0) for cells in self.cells_of_repetition])

    def of_fold(self, fold: int) -> Table:
        """The rows of one fold."""
        return self.only(lambda row: row.fold == fold)

    def only(self, wanted: Callable[[Answer], bool]) -> Table:
        """The rows for which `wanted` holds."""
        return Table([row for row in self.rows if wanted(row)], self.classes)

    @property
    def one_answer(self) -> tuple[str, ...]:
        """A flag for the folds whose head answers one class whatever it hears.

        Such a head has the UAR of guessing, and nothing can be said of its robustness or fairness.
        """
        answered = (self.confusions.sum(axis=(1, 2)) > 0).sum(axis=1)
        folds = sorted({f for (_, f), n in zip(self.cells, answered, strict=True) if n == 1})
        if not folds:
            return ()
        if len(folds) == 1:
            return (f"the head of fold {folds[0]} gives one answer only, whatever it hears",)
        names = ", ".join(map(str, folds))
        return (f"the heads of folds {names} give one answer only, whatever they hear",)


def _indices(values: Sequence[str], order: Sequence[str]) -> Ints:
    place = {name: index for index, name in enumerate(order)}
    return np.array([place[value] for value in values], dtype=np.int64)


def weighted(counts: Floats, weights: Floats) -> Floats:
    """Counts summed over speakers with multiplicities.

    Parameters
    ----------
    counts : array, shape (groups, speakers, classes, classes)
    weights : array, shape (resamples, speakers)

    Returns
    -------
    array, shape (resamples, groups, classes, classes)
    """
    groups, speakers, rows, columns = counts.shape
    flat = counts.transpose(1, 0, 2, 3).reshape(speakers, -1)
    summed: Floats = (weights @ flat).reshape(-1, groups, rows, columns)
    return summed


def over_folds(table: Table, score: Score) -> Estimate:
    """`score` of each fold, averaged over the folds and the repetitions, with its interval."""

    def statistic(weights: Floats) -> Floats:
        by_cell = score(weighted(table.confusions, weights))
        means = [mean_of_defined(by_cell[:, cells]) for cells in table.cells_of_repetition]
        return np.stack(means, axis=-1)

    return jackknife(statistic, table.strata, spread=_of_all_folds(table, score))


def all_folds(table: Table, score: Score) -> Estimate:
    """`score` over all folds together, averaged over the repetitions, with its interval."""
    return jackknife(_of_all_folds(table, score), table.strata)


def _of_all_folds(table: Table, score: Score) -> Statistic:
    return lambda weights: score(weighted(table.pooled, weights))


def record(
    measure: Figure,
    criterion: str,
    estimate: Estimate,
    *,
    undefined: str = "the test clips do not define it",
    **details: Any,
) -> Measurement:
    """A measurement from an estimate: unknown, for the reason `undefined`, where it has no value.

    A value without an interval says so in its flags.
    """
    flags: tuple[str, ...] = details.pop("flags", ())
    if estimate.value is not None and estimate.low is None:
        flags = (*flags, "no interval: too few speakers")
    return measure(
        criterion=criterion,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        interval="none" if estimate.low is None else "bootstrap",
        unknown=undefined if estimate.value is None else None,
        flags=flags,
        **details,
    )
