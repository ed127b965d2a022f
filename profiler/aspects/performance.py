"""System performance: how well emotion is recognised.

UAR, accuracy and macro F1 are computed on each test fold and averaged over the folds, as the
reference does; recall per class and the confusion matrix are over all folds together.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from profiler.aspects.tables import Measure, Table, mean_over, record
from profiler.statistics import (
    Floats,
    accuracy,
    bootstrap,
    macro_f1,
    recall_of,
    unweighted_average_recall,
    widened_downwards,
)
from profiles_db.measurement import Measurement

CALIBRATION_BINS = 15
CALIBRATION_DRAWS = 200
"""Draws of what a calibrated model would score."""
FEW_SPEAKERS = 5
"""With fewer speakers a bootstrap over them says little."""


def system_performance(
    table: Table, measure: Measure, *, resamples: int, flags: tuple[str, ...] = ()
) -> list[Measurement]:
    """UAR, accuracy, macro F1 and calibration with intervals; recalls, folds, seeds, confusion.

    `flags` are reasons to doubt UAR, accuracy and macro F1 that the predictions do not show.
    """
    chance = 1 / len(table.classes)
    flags = (*_flags(table), *flags)
    found = []
    for criterion, score, floor in (
        ("uar", unweighted_average_recall, chance),
        ("accuracy", accuracy, _majority(table)),
        ("macro_f1", macro_f1, _guessed_f1(table)),
    ):
        estimate = bootstrap(mean_over(table.confusions, score), table.strata, resamples=resamples)
        found.append(record(measure, criterion, estimate, n=table.n, chance=floor, flags=flags))
    found.append(_calibration(table, measure, resamples))
    return found + _per_fold(table, measure, resamples) + _per_class(table, measure, resamples)


def _flags(table: Table) -> tuple[str, ...]:
    flags = []
    if len(table.speakers) < FEW_SPEAKERS:
        flags.append(f"only {len(table.speakers)} speakers: the interval is too narrow")
    support = table.confusions.sum(axis=(1, 3))
    for (seed, fold), counts in zip(table.cells, support, strict=True):
        absent = [name for name, n in zip(table.classes, counts, strict=True) if n == 0]
        if absent and seed == table.seeds[0]:
            flags.append(f"fold {fold} has no test clip of {', '.join(absent)}")
    return (*flags, *table.one_answer)


def _majority(table: Table) -> float:
    """Accuracy of always answering the commonest class."""
    counts = np.bincount(table.truth, minlength=len(table.classes))
    return float(counts.max() / counts.sum())


def _guessed_f1(table: Table) -> float:
    """Macro F1 of guessing every class equally often: mean of 2 p q / (p + q), q = 1 / classes."""
    shares = np.bincount(table.truth, minlength=len(table.classes)) / len(table.truth)
    shares, guess = shares[shares > 0], 1 / len(table.classes)
    return float(np.mean(2 * shares * guess / (shares + guess)))


def _calibration(table: Table, measure: Measure, resamples: int) -> Measurement:
    """Expected calibration error over equal bins of the top probability (Guo et al., 2017)."""
    confidence = table.probabilities.max(axis=1)
    hit = (table.truth == table.predicted).astype(np.float64)
    place = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    shape = (len(table.speakers), CALIBRATION_BINS)
    gap, count = np.zeros(shape), np.zeros(len(table.speakers))
    np.add.at(gap, (table.speaker, place), hit - confidence)
    np.add.at(count, table.speaker, 1.0)

    def statistic(weights: Floats) -> Floats:
        error: Floats = np.abs(weights @ gap).sum(axis=1) / (weights @ count)
        return error

    estimate = widened_downwards(bootstrap(statistic, table.strata, resamples=resamples))
    # What a perfectly calibrated model would score: right as often as it is confident.
    rng = np.random.default_rng(0)
    drawn = [(rng.random(len(hit)) < confidence) - confidence for _ in range(CALIBRATION_DRAWS)]
    sums = [np.bincount(place, weights=gaps, minlength=CALIBRATION_BINS) for gaps in drawn]
    floor = float(np.mean([np.abs(bins).sum() / len(hit) for bins in sums]))
    return record(measure, "expected_calibration_error", estimate, n=table.n, chance=floor)


def _per_fold(table: Table, measure: Measure, resamples: int) -> list[Measurement]:
    """UAR of each fold (mean over repetitions), its deviation over folds and over repetitions."""
    scores = unweighted_average_recall(table.confusions.sum(axis=1))
    found = []
    by_fold = {
        fold: [i for i, (_, f) in enumerate(table.cells) if f == fold] for fold in table.folds
    }
    for fold in by_fold:
        own = table.of_fold(fold)
        estimate = bootstrap(
            mean_over(own.confusions, unweighted_average_recall), own.strata, resamples=resamples
        )
        chance = 1 / len(table.classes)
        flags = _flags(own)
        found.append(
            record(measure, "uar", estimate, fold=fold, n=own.n, chance=chance, flags=flags)
        )
    folds = np.array([scores[cells].mean() for cells in by_fold.values()])
    if len(folds) > 1:
        spread = float(folds.std(ddof=1))
        found.append(measure(criterion="uar", variant="deviation over folds", value=spread))
    seeds = [
        scores[[i for i, (s, _) in enumerate(table.cells) if s == seed]].mean()
        for seed in table.seeds
    ]
    if len(seeds) > 1:
        spread = float(np.std(seeds, ddof=1))
        found.append(measure(criterion="uar", variant="deviation over seeds", value=spread))
    return found


def _per_class(table: Table, measure: Measure, resamples: int) -> list[Measurement]:
    """Recall of each class with its interval, and the confusion matrix (mean over repetitions)."""
    found = []
    pooled = table.pooled.sum(axis=1).mean(axis=0)
    for index, name in enumerate(table.classes):
        estimate = bootstrap(
            mean_over(table.pooled, partial(recall_of, index)), table.strata, resamples=resamples
        )
        found.append(
            record(
                measure,
                "recall",
                estimate,
                variant=f"class={name}",
                n=int(pooled[index].sum()),
                chance=1 / len(table.classes),
                undefined=f"no test clip of {name}",
            )
        )
        found += [
            measure(
                criterion="confusion",
                variant=f"true={name},predicted={other}",
                value=float(pooled[index, column]),
            )
            for column, other in enumerate(table.classes)
        ]
    return found
