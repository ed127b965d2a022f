"""Intervals that respect speakers, and floors that say what a figure would be by chance.

Clips of one speaker are not independent, so everything here resamples or permutes whole speakers.
A *statistic* is a function of speaker multiplicities: given an array of shape (resamples,
speakers) that says how often each speaker was drawn, it returns one value per resample (NaN where
undefined). All ones gives the value itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Statistic: TypeAlias = Callable[[Floats], Floats]

CONFIDENCE = 0.95
MAX_UNDEFINED = 0.05
"""Share of undefined resamples above which no interval is given."""
MIN_SPEAKERS = 2
"""Speakers a stratum needs before resampling it means anything."""
PIECE = 2**21
"""Numbers in an array of resamples by clips, at most (unless one resample alone has more)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and the ends of its 95 % interval (None where there can be none)."""

    value: float | None
    low: float | None
    high: float | None


def bootstrap(
    statistic: Statistic, strata: Sequence[str], *, resamples: int, seed: int = 0
) -> Estimate:
    """Percentile bootstrap over speakers, drawn with replacement within each stratum.

    Parameters
    ----------
    statistic : callable, (resamples, speakers) -> (resamples,)
    strata : sequence of str, one per speaker
        Usually the speakers' gender, so that no resample loses one.
    resamples : int
    seed : int

    Returns
    -------
    Estimate
        `value` is None where the statistic is undefined; `low` and `high` are None also where a
        stratum has fewer than two speakers or more than 5 % of the resamples are undefined.

    Notes
    -----
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.

    Examples
    --------
    >>> correct = np.array([8.0, 6.0, 7.0, 9.0])
    >>> share = lambda w: w @ correct / (10 * w.sum(axis=1))
    >>> bootstrap(share, ["f", "f", "m", "m"], resamples=1000).value
    0.75
    """
    value = float(statistic(np.ones((1, len(strata))))[0])
    if not np.isfinite(value):
        return Estimate(None, None, None)
    labels, counts = np.unique(np.asarray(strata), return_counts=True)
    if counts.min() < MIN_SPEAKERS:
        return Estimate(value, None, None)
    rng = np.random.default_rng(seed)
    weights = np.zeros((resamples, len(strata)))
    for label, count in zip(labels, counts, strict=True):
        members = np.flatnonzero(np.asarray(strata) == label)
        shares = np.full(count, 1 / count)
        weights[:, members] = rng.multinomial(int(count), shares, size=resamples)
    values = statistic(weights)
    defined = values[np.isfinite(values)]
    if len(defined) < (1 - MAX_UNDEFINED) * resamples:
        return Estimate(value, None, None)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))


def widened_downwards(estimate: Estimate) -> Estimate:
    """The interval of a statistic that noise can only raise: a maximum, or an absolute value.

    Resampling adds noise to noise, so the percentile interval of such a statistic lies too high,
    sometimes above the value itself. Its lower end is therefore taken as the lower one of the
    percentile's and of the upper end mirrored at the value (the basic bootstrap's), not below 0.
    """
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return estimate
    mirrored = max(0.0, 2 * estimate.value - estimate.high)
    return Estimate(estimate.value, min(estimate.low, mirrored), estimate.high)


def permuted_genders(genders: Sequence[str], *, permutations: int, seed: int = 0) -> Bools:
    """Random reassignments of the genders to the speakers.

    Returns
    -------
    array of bool, shape (permutations, speakers)
        True where the speaker counts as the first gender in sorted order.
    """
    first = np.asarray(genders) == min(genders)
    rng = np.random.default_rng(seed)
    return rng.permuted(np.tile(first, (permutations, 1)), axis=1)


def confusion_by_group(
    truth: Ints, predicted: Ints, group: Ints, *, classes: int, groups: int
) -> Floats:
    """Confusion counts of each group.

    Parameters
    ----------
    truth, predicted : array of int, shape (clips,), in [0, classes)
    group : array of int, shape (clips,), in [0, groups)

    Returns
    -------
    array of float, shape (groups, classes, classes), indexed [group, truth, predicted]
    """
    counts = np.zeros((groups, classes, classes))
    np.add.at(counts, (group, truth, predicted), 1.0)
    return counts


def recalls(confusion: Floats) -> Floats:
    """Recall per class, shape (..., classes), NaN for a class without clips."""
    support = confusion.sum(axis=-1)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return _ratio(hits, support)


def recall_of(index: int, confusion: Floats) -> Floats:
    """Recall of one class, shape (...)."""
    one: Floats = recalls(confusion)[..., index]
    return one


def unweighted_average_recall(confusion: Floats) -> Floats:
    """UAR of confusion counts of shape (..., classes, classes), shape (...).

    The mean runs over the classes that have clips, as in scikit-learn's macro recall over the
    classes present; NaN where there is no clip at all.
    """
    return mean_of_defined(recalls(confusion))


def mean_of_defined(values: Floats) -> Floats:
    """Mean over the last axis of what is not NaN; NaN where nothing is."""
    defined = np.isfinite(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1).astype(float))


def macro_f1(confusion: Floats) -> Floats:
    """Mean F1 over the classes that have clips; a class never predicted scores 0."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    support = confusion.sum(axis=-1)
    scores = _ratio(2 * hits, support + confusion.sum(axis=-2))
    return mean_of_defined(np.where(support > 0, scores, np.nan))


def accuracy(confusion: Floats) -> Floats:
    """Share of clips on the diagonal; NaN where there is no clip."""
    total = confusion.sum(axis=(-2, -1))
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), total)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """`part / whole`, NaN where `whole` is 0."""
    result: Floats = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return result


def area_under_roc(
    scores: Floats, positive: Bools, weights: Floats, owner: Ints | None = None
) -> Floats:
    """Area under the ROC curve with weights; ties count half.

    Parameters
    ----------
    scores : array, shape (clips,)
    positive : array of bool, shape (clips,)
    weights : array, shape (resamples, owners)
    owner : array of int, shape (clips,), optional
        Whose weight each clip has; its own where not given.

    Returns
    -------
    array, shape (resamples,); NaN where a side has no weight.
    """
    ranked = _Ranked.of(scores, positive, owner)

    def area(weights: Floats) -> Floats:
        above, below = ranked.sides(weights)
        concordant = (above * (np.cumsum(below, axis=1) - below / 2)).sum(axis=1)
        return _ratio(concordant, above.sum(axis=1) * below.sum(axis=1))

    return _by_pieces(area, weights, len(scores))


def equal_error_rate(
    scores: Floats, same: Bools, weights: Floats, owner: Ints | None = None
) -> Floats:
    """Rate at which false acceptances and false rejections are equally frequent.

    A trial is accepted when its score is at or above the threshold. Between neighbouring
    thresholds the two rates are taken as linear, so the crossing is exact on that polyline.

    Parameters
    ----------
    scores : array, shape (trials,)
    same : array of bool, shape (trials,), True for trials of one speaker
    weights : array, shape (resamples, owners)
    owner : array of int, shape (trials,), optional
        Whose weight each trial has; its own where not given.

    Returns
    -------
    array, shape (resamples,), in [0, 1]; NaN where a side has no weight.
    """
    ranked = _Ranked.of(scores, same, owner)
    return _by_pieces(lambda some: _crossing(*ranked.sides(some)), weights, len(scores))


def _crossing(own: Floats, other: Floats) -> Floats:
    """The equal error rate, given both sides' weights in rising order of score."""
    own, other = np.cumsum(own, axis=1), np.cumsum(other, axis=1)
    defined = (own[:, -1] > 0) & (other[:, -1] > 0)
    zero = np.zeros((len(own), 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        rejection = np.hstack([zero, own / own[:, -1:]])
        acceptance = 1 - np.hstack([zero, other / other[:, -1:]])
    gap = rejection - acceptance  # rises from -1 to 1
    after = np.argmax(gap >= 0, axis=1)
    rows = np.arange(len(own))
    before = np.maximum(after - 1, 0)
    step = gap[rows, after] - gap[rows, before]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(step > 0, -gap[rows, before] / step, 0.0)
    rate = rejection[rows, before] + share * (rejection[rows, after] - rejection[rows, before])
    return np.where(defined, rate, np.nan)


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Clips in rising order of score: whose each is, its side, and where each score begins."""

    owner: Ints
    positive: Bools
    starts: Ints

    @classmethod
    def of(cls, scores: Floats, positive: Bools, owner: Ints | None) -> _Ranked:
        """The clips of these scores, in any order; equal scores share a place."""
        order = np.argsort(scores, kind="stable")
        rising = scores[order]
        starts = np.flatnonzero(np.concatenate([[True], rising[1:] != rising[:-1]]))
        return cls(order if owner is None else owner[order], positive[order], starts)

    def sides(self, weights: Floats) -> tuple[Floats, Floats]:
        """Weights of both sides summed over equal scores, each of shape (resamples, scores)."""
        each = weights[:, self.owner]
        above: Floats = np.add.reduceat(each * self.positive, self.starts, axis=1)
        below: Floats = np.add.reduceat(each * ~self.positive, self.starts, axis=1)
        return above, below


def _by_pieces(statistic: Statistic, weights: Floats, clips: int) -> Floats:
    """`statistic` of a few resamples at a time: with all, memory would grow with their product."""
    rows = max(1, PIECE // clips)
    pieces = (weights[first : first + rows] for first in range(0, len(weights), rows))
    return np.concatenate([statistic(piece) for piece in pieces])
