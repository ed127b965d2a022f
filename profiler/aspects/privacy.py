"""Privacy: what the frozen hidden states, and the head itself, give away of the speaker.

Gender by a probe on every fold (accuracy averaged over the folds, as the reference does for its
one), and identity by speaker verification: voices never seen in training are enrolled with a few
clips and recognised by cosine similarity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from profiler.aspects.tables import UNKNOWN_GENDER, Measure, Table, over_folds, record
from profiler.corpora.base import GENDERS
from profiler.statistics import (
    Floats,
    Statistic,
    accuracy,
    area_under_roc,
    bootstrap,
    equal_error_rate,
    jackknife,
    mean_of_defined,
    permuted_genders,
    unweighted_average_recall,
)
from profiles_db.measurement import Measurement
from profiles_db.records import Prediction, Space, Task, Trial

EER_CRITERION: Final[dict[Space, str]] = {"backbone": "speaker_eer", "head": "head_speaker_eer"}
WEAK_PROBE_MARGIN: Final = 0.02
"""How much more accurate the linear probe must be for the protocol's probe to be flagged."""
NO_GENDER: Final = "the corpus does not give both genders in every part of a fold"


def privacy(
    predictions: Sequence[Prediction],
    trials: Sequence[Trial],
    genders: Mapping[str, str | None],
    measure: Measure,
    *,
    resamples: int,
) -> list[Measurement]:
    """Gender inference and speaker re-identification, from the backbone and from the head.

    Parameters
    ----------
    predictions : sequence of Prediction
        Of all tasks.
    trials : sequence of Trial
    genders : mapping from speaker to gender
    measure : callable
    resamples : int
    """
    linear = _of_task(predictions, "linear_gender")
    folds = len({row.fold for row in predictions})
    found = _gender(_of_task(predictions, "gender"), linear, folds, measure, resamples)
    found += _linear("linear_gender_accuracy", linear, measure)
    in_head = _of_task(predictions, "head_gender")
    found += _linear("head_gender_accuracy", in_head, measure)
    for space in EER_CRITERION:
        own = [trial for trial in trials if trial.space == space]
        found.append(_eer(space, own, genders, measure, resamples))
    return found


def _of_task(predictions: Sequence[Prediction], task: Task) -> Table:
    return Table([row for row in predictions if row.task == task], GENDERS)


def _gender(
    table: Table, linear: Table, folds: int, measure: Measure, resamples: int
) -> list[Measurement]:
    """Figures of the protocol's probe, flagged where some of the `folds` could not be probed."""
    names = ("gender_accuracy", "gender_uar", "gender_auc")
    if not table.rows:
        return [measure(criterion=name, value=None, unknown=NO_GENDER) for name in names]
    estimates = (
        over_folds(table, accuracy),
        over_folds(table, unweighted_average_recall),
        jackknife(_auc(table), table.strata),
    )
    floors = (_majority(table), 0.5, 0.5)
    partial = f"on {len(table.folds)} of {folds} folds: the others lack a gender in a part"
    incomplete = (partial,) if len(table.folds) < folds else ()
    found = []
    for name, estimate, floor in zip(names, estimates, floors, strict=True):
        flags, notes = incomplete, ()  # type: tuple[str, ...], tuple[str, ...]
        if name == "gender_accuracy":
            flags = (*_flags(table, linear), *incomplete)
            notes = _notes(table, resamples)
        found.append(
            record(measure, name, estimate, n=table.n, chance=floor, flags=flags, notes=notes)
        )
    low, middle, high = np.quantile(_null(table, resamples), [0.025, 0.5, 0.975])
    found.append(
        measure(
            criterion="gender_accuracy",
            variant="label permutation null",
            value=float(middle),
            low=float(low),
            high=float(high),
            interval="quantile",
            n=table.n,
        )
    )
    return found + _per_fold(table, measure)


def _linear(name: str, table: Table, measure: Measure) -> list[Measurement]:
    if not table.rows:
        return [measure(criterion=name, value=None, unknown=NO_GENDER)]
    estimate = over_folds(table, accuracy)
    return [record(measure, name, estimate, n=table.n, chance=_majority(table))]


def _majority(table: Table) -> float:
    """Accuracy of always answering the commoner gender."""
    counts = np.bincount(table.truth, minlength=len(GENDERS))
    return float(counts.max() / counts.sum())


def _flags(table: Table, linear: Table) -> tuple[str, ...]:
    """Whether a plain linear probe reads more than the protocol's."""
    if _fold_mean(linear) <= _fold_mean(table) + WEAK_PROBE_MARGIN:
        return ()
    return (
        f"a linear probe infers gender with {100 * _fold_mean(linear):.1f} %: this probe is "
        "under-trained here, and privacy looks better than it is",
    )


def _notes(table: Table, resamples: int) -> tuple[str, ...]:
    """Whether the accuracy is that of answers that ignore gender.

    No flag: states that hide gender do just that, and an under-trained probe is flagged by itself.
    """
    pooled = float(accuracy(table.pooled.sum(axis=1)).mean())
    if pooled > float(np.quantile(_null(table, resamples), 0.95)):
        return ()
    return ("no better than answers that ignore gender (permutation test, 5 %)",)


def _null(table: Table, permutations: int) -> Floats:
    """Accuracies of the probe's same answers with the genders dealt anew to the speakers."""
    female = permuted_genders(table.strata, permutations=permutations).astype(float)
    says_female = table.pooled.sum(axis=-2)[..., 0].mean(axis=0)
    clips = table.pooled.sum(axis=(-2, -1)).mean(axis=0)
    null: Floats = (female @ says_female + (1 - female) @ (clips - says_female)) / clips.sum()
    return null


def _fold_mean(table: Table) -> float:
    return float(accuracy(table.confusions.sum(axis=1)).mean())


def _per_fold(table: Table, measure: Measure) -> list[Measurement]:
    found = []
    for fold in table.folds:
        own = table.of_fold(fold)
        estimate = over_folds(own, accuracy)
        found.append(
            record(measure, "gender_accuracy", estimate, fold=fold, n=own.n, chance=_majority(own))
        )
    return found


def _auc(table: Table) -> Statistic:
    """Area under the ROC curve of the probe's score for 'male': mean over each repetition."""
    cells = [np.flatnonzero(table.cell == index) for index in range(len(table.cells))]

    def statistic(weights: Floats) -> Floats:
        areas = [
            area_under_roc(
                table.probabilities[rows, 1],
                table.truth[rows] == 1,
                weights,
                table.speaker[rows],
            )
            for rows in cells
        ]
        means = [mean_of_defined(np.stack([areas[cell] for cell in own], axis=-1))
                 for own in table.cells_of_seed]  # fmt: skip
        return np.stack(means, axis=-1)

    return statistic


def _eer(
    space: Space,
    trials: Sequence[Trial],
    genders: Mapping[str, str | None],
    measure: Measure,
    resamples: int,
) -> Measurement:
    """Equal error rate per cell, averaged; resampled over the speakers of the trial clips."""
    name = EER_CRITERION[space]
    if not trials:
        reason = "no fold has two unseen speakers with clips beyond their enrolment"
        return measure(criterion=name, value=None, unknown=reason)
    speakers = sorted({trial.speaker for trial in trials})
    place = {speaker: index for index, speaker in enumerate(speakers)}
    cells: dict[tuple[int, int], list[Trial]] = {}
    for trial in trials:
        cells.setdefault((trial.seed, trial.fold), []).append(trial)
    arrays = [
        (
            np.array([trial.score for trial in cell]),
            np.array([trial.speaker == trial.claimed for trial in cell]),
            np.array([place[trial.speaker] for trial in cell]),
        )
        for cell in cells.values()
    ]

    def statistic(weights: Floats) -> Floats:
        rates = [equal_error_rate(score, same, weights, own) for score, same, own in arrays]
        return mean_of_defined(np.stack(rates, axis=-1))

    strata = [genders.get(speaker) or UNKNOWN_GENDER for speaker in speakers]
    estimate = bootstrap(statistic, strata, resamples=resamples, trained=space == "head")
    clips = len({(trial.fold, trial.utterance) for trial in trials})
    return record(measure, name, estimate, n=clips, chance=0.5)
