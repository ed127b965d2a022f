"""How sure answers may claim to be: temperature scaling, fitted on clips no head was trained on.

Guo et al., "On Calibration of Modern Neural Networks", 2017 (arXiv:1706.04599): logits are divided
by one number, the temperature, that makes held-out labels likeliest. A run keeps the answers to its
test clips, each given by heads that never saw the speaker, so they are the held-out part here: what
is said of the error is measured on each fold with the temperature of the other folds, and what is
used in the end is fitted on all of them. The kept epoch and the learning rate follow the dev part,
so that a temperature from there would be too optimistic.

Where several heads are averaged, the mean is scaled, not each head: an average of calibrated heads
is less sure than it may be (Rahaman and Thiery, arXiv:2007.08792).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy import optimize

from profiler.measures.performance import CALIBRATION_BINS
from profiler.measures.statistics import Estimate, Floats, Ints, unweighted_average_recall
from profiler.measures.tables import Table, over_folds
from profiles_db.records import Prediction

COLDEST: Final = 0.05
HOTTEST: Final = 20.0
"""Temperatures outside are no calibration any more: the answers are made certain, or even."""
_AT_AN_END: Final = 1.01
_SMALLEST: Final = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, slots=True)
class Calibration:
    """The temperature, and how far confidence is from accuracy without and with it.

    Parameters
    ----------
    temperature : float or None
        None where the probabilities are left as they are, for the `reason`.
    reason : str or None
    averaged : int
        Heads whose mean the figures are about: those of one fold.
    clips, folds : int
        What the figures rest on.
    error_before, error_after : float or None
        Expected calibration error in [0, 1], over 15 bins of confidence; after with the temperature
        of the other folds. None where there are no other folds.
    loss_before, loss_after : float or None
        Mean negative log-likelihood in nats, likewise.
    uar : Estimate
        Unweighted average recall of that mean on these clips, with its interval.
    """

    temperature: float | None
    reason: str | None
    averaged: int
    clips: int
    folds: int
    uar: Estimate
    error_before: float
    error_after: float | None
    loss_before: float
    loss_after: float | None


def calibrate(rows: Sequence[Prediction], classes: Sequence[str]) -> Calibration:
    """Fit the temperature on the answers to test clips, and cross-fit what it does.

    Parameters
    ----------
    rows : sequence of Prediction
        Of the repetitions whose heads are averaged, on all folds.
    classes : sequence of str
        The order of classes in `probabilities`.
    """
    repetitions = len({row.repetition for row in rows})
    means = averaged(rows, classes)
    number = {name: index for index, name in enumerate(classes)}
    probabilities = np.array([row.probabilities for row in means])
    truth = np.array([number[row.label] for row in means], dtype=np.int64)
    fold = np.array([row.fold for row in means], dtype=np.int64)
    folds = sorted(set(fold.tolist()))
    before = expected_calibration_error(probabilities, truth), log_loss(probabilities, truth)
    found = Calibration(
        None,
        "one fold alone: no other clips that its heads were not trained on",
        averaged=repetitions,
        clips=len(truth),
        folds=len(folds),
        uar=over_folds(Table(means, classes), unweighted_average_recall),
        error_before=before[0],
        error_after=None,
        loss_before=before[1],
        loss_after=None,
    )
    if len(folds) < 2:  # noqa: PLR2004
        return found
    scaled = np.empty_like(probabilities)
    for one in folds:
        own = fold == one
        scaled[own] = tempered(
            probabilities[own], fitted_temperature(probabilities[~own], truth[~own])
        )
    after = expected_calibration_error(scaled, truth), log_loss(scaled, truth)
    temperature = fitted_temperature(probabilities, truth)
    reason = _why_not(temperature, before[1], after[1])
    return replace(
        found,
        temperature=None if reason else temperature,
        reason=reason,
        error_after=after[0],
        loss_after=after[1],
    )


def averaged(rows: Sequence[Prediction], classes: Sequence[str]) -> list[Prediction]:
    """Each test clip once, with its probabilities averaged over the repetitions."""
    answers: dict[tuple[int, str], list[Prediction]] = {}
    for row in rows:
        answers.setdefault((row.fold, row.utterance), []).append(row)
    found = []
    for own in answers.values():
        mean = np.mean([row.probabilities for row in own], axis=0)
        found.append(
            replace(
                own[0],
                repetition=0,
                predicted=classes[int(mean.argmax())],
                probabilities=tuple(mean.tolist()),
            )
        )
    return found


def tempered(probabilities: Floats, temperature: float) -> Floats:
    """Probabilities whose logits are divided by `temperature`.

    Parameters
    ----------
    probabilities : array, shape (..., classes)
    temperature : float
        Above 0; above 1 makes answers less sure.

    Examples
    --------
    >>> tempered(np.array([0.8, 0.2]), 2.0).round(3).tolist()
    [0.667, 0.333]
    """
    logs = np.log(np.maximum(probabilities, _SMALLEST)) / temperature
    powers = np.exp(logs - logs.max(axis=-1, keepdims=True))
    scaled: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return scaled


def fitted_temperature(probabilities: Floats, truth: Ints) -> float:
    """The temperature in [0.05, 20] under which the true classes are likeliest.

    The loss is convex in the temperature's inverse, so there is one such.

    Parameters
    ----------
    probabilities : array, shape (clips, classes)
    truth : array of int, shape (clips,)
    """
    found = optimize.minimize_scalar(
        lambda log: log_loss(tempered(probabilities, float(np.exp(log))), truth),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


def log_loss(probabilities: Floats, truth: Ints) -> float:
    """Mean negative log-likelihood of the true classes, in nats."""
    own = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(own, _SMALLEST)).mean())


def expected_calibration_error(probabilities: Floats, truth: Ints) -> float:
    """Mean distance between confidence and accuracy over 15 equal bins of confidence.

    Guo et al. (2017), equation 3; the figure of that name of a profile, on one repetition.

    Parameters
    ----------
    probabilities : array, shape (clips, classes)
    truth : array of int, shape (clips,)
    """
    confidence = probabilities.max(axis=1)
    hit = probabilities.argmax(axis=1) == truth
    place = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gaps = np.bincount(place, weights=hit - confidence, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(truth))


def _why_not(temperature: float, before: float, after: float) -> str | None:
    """Why the temperature is not to be used, or None."""
    if not COLDEST * _AT_AN_END < temperature < HOTTEST / _AT_AN_END:
        return f"no temperature between {COLDEST:g} and {HOTTEST:g} fits best"
    if after > before:
        return "a temperature from other folds makes the test clips' classes less likely"
    return None
