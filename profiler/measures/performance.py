"""System performance: how well emotion is recognised.

UAR, accuracy and macro F1 are computed on each test fold and averaged over the folds, as the
reference does; recall per class and the confusion matrix are over all folds together.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from profiler.measures.base import Evidence, Figure, Measure
from profiler.measures.statistics import (
    CONFIDENCE,
    Floats,
    accuracy,
    bootstrap,
    macro_f1,
    reaching_zero,
    recall_of,
    unweighted_average_recall,
    widened_downwards,
)
from profiler.measures.tables import Table, all_folds, over_folds, record
from profiler.settings import Resamples, Settings
from profiles_db.measurement import Measurement
from profiles_db.records import LayerWeight, Prediction

CALIBRATION_BINS = 15
CALIBRATION_DRAWS = 200
"""Draws of what a calibrated model would score."""
FEW_SPEAKERS = 5
"""The fewest that intervals were simulated with."""
OVER_FOLDS = "deviation over folds"
OVER_REPETITIONS = "deviation over repetitions"
ONE_TRAINING = "trained once: the interval does not hold how training varies"


class PerformanceSettings(Settings):
    """How intervals are computed."""

    resamples: Resamples = 2000
    """Bootstrap resamples over speakers."""


class Performance(Measure):
    """How well emotion is recognised."""

    name = "performance"
    title = "System performance"
    aspect = "system_performance"
    settings = PerformanceSettings
    criteria = ("uar", "accuracy", "macro_f1", "expected_calibration_error")

    def figures(self, evidence: Evidence, settings: PerformanceSettings) -> list[Measurement]:
        """UAR, accuracy, macro F1 and calibration; recalls, folds, confusion, layer weights."""
        table = Table(evidence.rows(Prediction), evidence.classes)
        flags = tuple(
            f"fold {number} has no train clip of {', '.join(names)}"
            for number, names in evidence.untrained.items()
        )
        return [
            *system_performance(table, evidence.figure, resamples=settings.resamples, flags=flags),
            *_layer_weights(evidence.rows(LayerWeight), evidence.figure),
        ]


def system_performance(
    table: Table, measure: Figure, *, resamples: int, flags: tuple[str, ...] = ()
) -> list[Measurement]:
    """UAR, accuracy, macro F1 and calibration with intervals; recalls, folds, confusion.

    `flags` are reasons to doubt UAR, accuracy and macro F1 that the predictions do not show.
    """
    baseline = 1 / len(table.classes)
    flags = (*_flags(table), *flags)
    found = []
    for criterion, score, unskilled in (
        ("uar", unweighted_average_recall, baseline),
        ("accuracy", accuracy, _majority(table)),
        ("macro_f1", macro_f1, _guessed_f1(table)),
    ):
        estimate = over_folds(table, score)
        found.append(
            record(
                measure,
                criterion,
                estimate,
                n=table.n,
                baseline=unskilled,
                flags=flags,
                notes=_notes(table),
            )
        )
    found.append(_calibration(table, measure, resamples))
    return found + _per_fold(table, measure) + _per_class(table, measure)


def _flags(table: Table) -> tuple[str, ...]:
    flags = []
    if len(table.speakers) < FEW_SPEAKERS:
        flags.append(f"only {len(table.speakers)} speakers: the interval may be too narrow")
    support = table.confusions.sum(axis=(1, 3))
    for (repetition, fold), counts in zip(table.cells, support, strict=True):
        absent = [name for name, n in zip(table.classes, counts, strict=True) if n == 0]
        if absent and repetition == table.repetitions[0]:
            flags.append(f"fold {fold} has no test clip of {', '.join(absent)}")
    return (*flags, *table.one_answer)


def _notes(table: Table) -> tuple[str, ...]:
    """No flag: one training is no reason to doubt its figure, but the interval says less."""
    return (ONE_TRAINING,) if len(table.repetitions) == 1 else ()


def _majority(table: Table) -> float:
    """Accuracy of always answering the commonest class."""
    counts = np.bincount(table.truth, minlength=len(table.classes))
    return float(counts.max() / counts.sum())


def _guessed_f1(table: Table) -> float:
    """Macro F1 of guessing every class equally often: mean of 2 p q / (p + q), q = 1 / classes."""
    shares = np.bincount(table.truth, minlength=len(table.classes)) / len(table.truth)
    shares, guess = shares[shares > 0], 1 / len(table.classes)
    return float(np.mean(2 * shares * guess / (shares + guess)))


def _calibration(table: Table, measure: Figure, resamples: int) -> Measurement:
    """Expected calibration error over equal bins of the top probability (Guo et al., 2017)."""
    confidence = table.probabilities.max(axis=1)
    hit = (table.truth == table.predicted).astype(np.float64)
    place = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    times, speakers = len(table.repetitions), len(table.speakers)
    gap, count = np.zeros((speakers, times * CALIBRATION_BINS)), np.zeros((speakers, times))
    bins = table.repetition * CALIBRATION_BINS + place
    np.add.at(gap, (table.speaker, bins), hit - confidence)
    np.add.at(count, (table.speaker, table.repetition), 1.0)

    def statistic(weights: Floats) -> Floats:
        gaps = np.abs(weights @ gap).reshape(-1, times, CALIBRATION_BINS)
        error: Floats = gaps.sum(axis=-1) / (weights @ count)
        return error

    estimate = widened_downwards(bootstrap(statistic, table.strata, resamples=resamples))
    # What a perfectly calibrated model would score: right as often as it is confident.
    rng = np.random.default_rng(0)
    drawn = [(rng.random(len(hit)) < confidence) - confidence for _ in range(CALIBRATION_DRAWS)]
    sums = [np.bincount(bins, weights=gaps, minlength=gap.shape[1]) for gaps in drawn]
    calibrated = np.array([np.abs(one).sum() / len(hit) for one in sums])
    if estimate.value is not None and estimate.value <= np.quantile(calibrated, CONFIDENCE):
        estimate = reaching_zero(estimate)
    baseline = float(calibrated.mean())
    return record(measure, "expected_calibration_error", estimate, n=table.n, baseline=baseline)


def _per_fold(table: Table, measure: Figure) -> list[Measurement]:
    """UAR of each fold (mean over repetitions), its deviation over folds and over repetitions."""
    scores = unweighted_average_recall(table.confusions.sum(axis=1))
    found = []
    by_fold = {
        fold: [i for i, (_, f) in enumerate(table.cells) if f == fold] for fold in table.folds
    }
    for fold in by_fold:
        own = table.of_fold(fold)
        estimate = over_folds(own, unweighted_average_recall)
        baseline = 1 / len(table.classes)
        flags = _flags(own)
        found.append(
            record(measure, "uar", estimate, fold=fold, n=own.n, baseline=baseline, flags=flags)
        )
    folds = np.array([scores[cells].mean() for cells in by_fold.values()])
    if len(folds) > 1:
        spread = float(folds.std(ddof=1))
        found.append(measure(criterion="uar", statistic=OVER_FOLDS, value=spread))
    repeated = [scores[cells].mean() for cells in table.cells_of_repetition]
    if len(repeated) > 1:
        spread = float(np.std(repeated, ddof=1))
        found.append(measure(criterion="uar", statistic=OVER_REPETITIONS, value=spread))
    return found


def _per_class(table: Table, measure: Figure) -> list[Measurement]:
    """Recall of each class with its interval, and the confusion matrix (mean over repetitions)."""
    found = []
    pooled = table.pooled.sum(axis=1).mean(axis=0)
    for index, name in enumerate(table.classes):
        estimate = all_folds(table, partial(recall_of, index))
        found.append(
            record(
                measure,
                "recall",
                estimate,
                label=name,
                n=int(pooled[index].sum()),
                baseline=1 / len(table.classes),
                undefined=f"no test clip of {name}",
            )
        )
        found += [
            measure(
                criterion="confusion",
                label=name,
                predicted=other,
                value=float(pooled[index, column]),
            )
            for column, other in enumerate(table.classes)
        ]
    return found


def _layer_weights(rows: list[LayerWeight], measure: Figure) -> list[Measurement]:
    """Mean over folds and repetitions of each layer's softmax weight."""
    found = []
    for layer in sorted({row.layer for row in rows}):
        own = [row.weight for row in rows if row.layer == layer]
        found.append(measure(criterion="layer_weight", layer=layer, value=sum(own) / len(own)))
    return found
