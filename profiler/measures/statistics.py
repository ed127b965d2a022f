"""Intervals that respect speakers, and baselines that say what a figure would be by chance.

Clips of one speaker are not independent, so everything here leaves out, draws or permutes whole
speakers. A *statistic* is a function of speaker multiplicities: given an array of shape (draws,
speakers) that says how often each speaker counts, it returns one value per draw, or one per draw
and repetition of the training (NaN where undefined). All ones gives the value itself.

An interval is for the expected figure of this recipe, trained on as many speakers, on unseen
speakers of this kind. Three things vary:

- who was recorded: the variance over speakers, by leaving out each in turn (`jackknife`) or, for
  figures with kinks, by drawing speakers (`bootstrap`);
- who the heads were trained on: folds share training speakers, so their figures rise and fall
  together, and the variance over test speakers alone is too small (Bengio and Grandvalet, 2004;
  Bates, Hastie and Tibshirani, arXiv:2104.00673). It is multiplied by 1 + `TRAINING` / speakers;
- how the heads were initialised: the variance between the repetitions, divided by their number.
  With one repetition it is unknown, and the interval does not hold it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

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
_ROUNDING: Final = 1e-9
"""A deviation as small is none: shares of fewer than a billion clips differ by more."""
TRAINING: Final = 8.0
"""How much more a figure of trained heads varies than its test speakers do, times speakers.

From simulated corpora with really trained heads (`benchmarks/coverage.py`): the variance of a
cross-validated UAR was 1.4 to 1.7 times that over test speakers with 10 speakers, 1.3 to 1.6 times
with 24, 1.0 to 1.3 times with 90. Nadeau and Bengio (2003) would multiply by 2.25 at five folds
however many speakers there are.
"""
MOST_LEFT_OUT: Final = 2000
"""Groups that a jackknife leaves out in turn, at most; with more speakers, some go together."""
_TAIL: Final = (1 - CONFIDENCE) / 2
_NORMAL: Final = float(special.ndtri(1 - _TAIL))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and the ends of its 95 % interval (None where there can be none)."""

    value: float | None
    low: float | None
    high: float | None


UNDEFINED: Final = Estimate(None, None, None)


def jackknife(
    statistic: Statistic,
    strata: Sequence[str],
    *,
    spread: Statistic | None = None,
    trained: bool | Mapping[str, float] = True,
) -> Estimate:
    """Interval of a figure in [0, 1] that changes smoothly with who is counted.

    Parameters
    ----------
    statistic : callable, (draws, speakers) -> (draws,) or (draws, repetitions)
        The value is its mean over the repetitions.
    strata : sequence of str, one per speaker
        Usually the speakers' gender: it is a design that a corpus is balanced in.
    spread : callable, optional
        A statistic as spread as `statistic` over speakers, to take the variance of instead: the
        figure over all folds together for a mean over folds, which leaves out no whole fold where
        it leaves out a speaker.
    trained : bool or mapping, optional
        Whether heads trained on other speakers of the corpus make the figure. Where they were
        trained on other speakers than these, what the variance over each stratum is multiplied by
        (see `trained_on`).

    Returns
    -------
    Estimate
        `value` is None where the statistic is undefined; `low` and `high` are None also where a
        stratum has fewer than two speakers or the figure without some speaker is undefined. An
        interval is never of zero width: where every speaker is served alike, it is that of as many
        clips as there are speakers.

    Notes
    -----
    The stratified jackknife (Shao and Tu, The Jackknife and Bootstrap, 1995, section 6.2) needs no
    random numbers. The ends are those of Korn and Graubard (Survey Methodology 24, 1998): Clopper
    and Pearson's (1934) at the number of clips that, independent, would vary as much, lowered by
    the square of Student's to the normal quantile. Degrees of freedom are Satterthwaite's
    (1946): speakers less strata, fewer where few speakers make all of the variance (their kurtosis
    says how well it is known), and repetitions less one.

    Examples
    --------
    >>> correct = np.array([8.0, 6.0, 7.0, 9.0, 6.0, 8.0, 7.0, 9.0])
    >>> share = lambda w: w @ correct / (10 * w.sum(axis=1))
    >>> found = jackknife(share, ["f", "m"] * 4, trained=False)
    >>> f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"
    '0.75 [0.63, 0.84]'
    """
    value, between = _by_repetition(statistic, len(strata))
    if value is None:
        return UNDEFINED
    factors = trained if isinstance(trained, Mapping) else {}
    shares = _left_out(spread or statistic, strata, factors)
    if shares is None:
        return Estimate(value, None, None)
    over_speakers = float(np.square(shares).sum())
    if isinstance(trained, bool):
        over_speakers *= _training(trained, len(strata))
    known = _Variance(over_speakers, _degrees(shares, len(strata) - len(set(strata))))
    return Estimate(value, *_ends(value, known.plus(between), len(strata)))


def bootstrap(
    statistic: Statistic,
    strata: Sequence[str],
    *,
    resamples: int,
    seed: int = 0,
    trained: bool = True,
) -> Estimate:
    """Interval of a figure in [0, 1] with kinks: a maximum, an absolute value, a quantile.

    The percentiles of resamples of the speakers, drawn with replacement within each stratum, with
    their distances from the value stretched: as many draws as speakers vary too little, Student's
    quantile is beyond the normal one, and training varies too.

    Parameters
    ----------
    statistic : callable, (resamples, speakers) -> (resamples,) or (resamples, repetitions)
    strata : sequence of str, one per speaker
        Usually the speakers' gender, so that no resample loses one.
    resamples : int
    seed : int
    trained : bool, optional
        Whether heads trained on other speakers of the corpus make the figure.

    Returns
    -------
    Estimate
        `value` is None where the statistic is undefined; `low` and `high` are None also where a
        stratum has fewer than two speakers or more than 5 % of the resamples are undefined.

    Notes
    -----
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; the stretching does
    what Hesterberg's expanded percentiles do (The American Statistician 69, 2015), which would need
    far more resamples for their tails.

    Examples
    --------
    >>> correct = np.array([8.0, 6.0, 7.0, 9.0])
    >>> share = lambda w: w @ correct / (10 * w.sum(axis=1))
    >>> bootstrap(share, ["f", "f", "m", "m"], resamples=1000).value
    0.75
    """
    value, between = _by_repetition(statistic, len(strata))
    if value is None:
        return UNDEFINED
    _, counts = np.unique(np.asarray(strata), return_counts=True)
    if counts.min() < MIN_SPEAKERS:
        return Estimate(value, None, None)
    values = _mean(statistic(_drawn(strata, resamples, seed)))
    defined = values[np.isfinite(values)]
    if len(defined) < (1 - MAX_UNDEFINED) * resamples:
        return Estimate(value, None, None)
    speakers, free = len(strata), len(strata) - len(counts)
    drawn = float(defined.var())
    corrected = drawn * speakers / free * _training(trained, speakers)
    total = _Variance(corrected, free).plus(between)
    if drawn == 0:
        return Estimate(value, *_ends(value, total, speakers))
    stretch = np.sqrt(total.value / drawn) * total.student() / _NORMAL
    low, high = np.quantile(defined, [_TAIL, 1 - _TAIL])
    return Estimate(
        value,
        max(0.0, value + stretch * min(0.0, float(low) - value)),
        min(1.0, value + stretch * max(0.0, float(high) - value)),
    )


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


def reaching_zero(estimate: Estimate) -> Estimate:
    """The interval with 0 in it, since a model without the flaw is not ruled out."""
    return estimate if estimate.low is None else replace(estimate, low=0.0)


@dataclass(frozen=True, slots=True)
class _Variance:
    """A variance, and with how many degrees of freedom it is known."""

    value: float
    degrees: float

    def plus(self, other: _Variance | None) -> _Variance:
        """The sum of two, with degrees of freedom by Welch and Satterthwaite."""
        if other is None or other.value == 0:
            return self
        total = self.value + other.value
        spent = self.value**2 / self.degrees + other.value**2 / other.degrees
        return _Variance(total, total**2 / spent)

    def student(self) -> float:
        """Student's quantile at these degrees of freedom."""
        return float(special.stdtrit(self.degrees, 1 - _TAIL))


def _by_repetition(statistic: Statistic, speakers: int) -> tuple[float | None, _Variance | None]:
    """The value, None where undefined, and the variance of a mean over its repetitions."""
    values = np.atleast_1d(statistic(np.ones((1, speakers)))[0])
    defined = values[np.isfinite(values)]
    if len(defined) == 0:
        return None, None
    mean, times = float(defined.mean()), len(defined)
    if times == 1:
        return mean, None
    return mean, _Variance(float(defined.var(ddof=1)) / times, times - 1)


def _mean(values: Floats) -> Floats:
    """Values of shape (draws,) or (draws, repetitions), the mean over repetitions."""
    return values if values.ndim == 1 else mean_of_defined(values)


def _training(trained: bool, speakers: int) -> float:
    """What the variance over test speakers is multiplied by."""
    return 1 + TRAINING / speakers if trained else 1.0


def trained_on(learned: int, tested: int) -> float:
    """What the variance over `tested` speakers is multiplied by, of heads of `learned` others.

    Heads that learned from other speakers of the same kind vary as `TRAINING` says: as much as
    `TRAINING / learned` times the variance over so many speakers, which is `tested / learned` times
    that over those tested. Where both are the same number, it is what `jackknife` takes.

    Examples
    --------
    >>> trained_on(24, 24), trained_on(24, 96)
    (1.3333333333333333, 2.333333333333333)
    """
    return 1 + TRAINING * tested / learned**2


def _degrees(shares: Floats, free: int) -> float:
    """Degrees of freedom of a sum of squares whose terms have this kurtosis, at most `free`.

    The variance of a sample's variance is its square times (2 / degrees + excess kurtosis / n).
    """
    square = float(np.square(shares).mean())
    if square == 0:
        return free
    excess = float((shares**4).mean()) / square**2 - 3
    return 2 / (2 / free + max(0.0, excess) / len(shares))


def _ends(value: float, variance: _Variance, speakers: int) -> tuple[float, float]:
    """Korn and Graubard's interval of a share, at the number of clips that would vary as much."""
    share = min(max(value, 0.0), 1.0)
    alone = share * (1 - share)
    clips = float(speakers)
    if variance.value > _ROUNDING**2 and alone > 0:
        clips = alone / variance.value * (_NORMAL / variance.student()) ** 2
    hits = clips * share
    low = special.betaincinv(hits, clips - hits + 1, _TAIL) if hits > 0 else 0.0
    high = special.betaincinv(hits + 1, clips - hits, 1 - _TAIL) if hits < clips else 1.0
    return float(low), float(high)


def _left_out(
    statistic: Statistic, strata: Sequence[str], factors: Mapping[str, float]
) -> Floats | None:
    """Each speaker's share of the statistic, whose squares sum to its variance, or None.

    None where a stratum has fewer than two speakers, or the statistic is undefined without one.
    `factors` multiply the variance over a stratum.
    """
    groups = _groups(strata)
    shares = []
    for members in groups:
        factor = factors.get(strata[int(members[0][0])], 1.0)
        if len(members) < MIN_SPEAKERS:
            return None
        values = np.concatenate([_mean(statistic(some)) for some in _without(members, len(strata))])
        if not np.isfinite(values).all():
            return None
        shares.append((values - values.mean()) * np.sqrt(factor * (1 - 1 / len(members))))
    return np.concatenate(shares)


def _groups(strata: Sequence[str]) -> list[list[Ints]]:
    """Of each stratum the speakers that are left out together: one each, if they are not many.

    Where they are, who goes with whom is drawn at random: neighbours may be alike.
    """
    labels, rng = np.asarray(strata), np.random.default_rng(0)
    each = -(-len(labels) // MOST_LEFT_OUT)
    found = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        found.append(np.array_split(members, max(min(len(members), 2), len(members) // each)))
    return found


def _without(members: Sequence[Ints], speakers: int) -> Iterator[Floats]:
    """Multiplicities without each of `members` in turn, the rest of the stratum raised for it."""
    stratum = np.concatenate(members)
    rows = max(1, PIECE // speakers)
    for first in range(0, len(members), rows):
        some = members[first : first + rows]
        weights = np.ones((len(some), speakers))
        for row, out in zip(weights, some, strict=True):
            row[stratum] = len(stratum) / (len(stratum) - len(out))
            row[out] = 0.0
        yield weights


def _drawn(strata: Sequence[str], resamples: int, seed: int) -> Floats:
    """Multiplicities of speakers drawn with replacement within each stratum."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((resamples, len(strata)))
    for label in np.unique(np.asarray(strata)):
        members = np.flatnonzero(np.asarray(strata) == label)
        shares = np.full(len(members), 1 / len(members))
        weights[:, members] = rng.multinomial(len(members), shares, size=resamples)
    return weights


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
    return ratio(hits, support)


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
    return ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1).astype(float))


def macro_f1(confusion: Floats) -> Floats:
    """Mean F1 over the classes that have clips; a class never predicted scores 0."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    support = confusion.sum(axis=-1)
    scores = ratio(2 * hits, support + confusion.sum(axis=-2))
    return mean_of_defined(np.where(support > 0, scores, np.nan))


def accuracy(confusion: Floats) -> Floats:
    """Share of clips on the diagonal; NaN where there is no clip."""
    total = confusion.sum(axis=(-2, -1))
    return ratio(np.trace(confusion, axis1=-2, axis2=-1), total)


def ratio(part: Floats, whole: Floats) -> Floats:
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
        return ratio(concordant, above.sum(axis=1) * below.sum(axis=1))

    return _by_pieces(area, weights, len(scores))


def equal_error_rate(
    scores: Floats,
    same: Bools,
    weights: Floats,
    owner: Ints | None = None,
    claimed: Ints | None = None,
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
    claimed : array of int, shape (trials,), optional
        Whom each trial is compared with. A trial of two people then weighs the product of both
        weights: drawn twice and three times, two people meet six times.

    Returns
    -------
    array, shape (resamples,), in [0, 1]; NaN where a side has no weight.

    Notes
    -----
    Impostor trials share people on both sides, so resampling one side alone takes the enrolled
    for given and makes the interval too narrow: Bolle, Ratha and Pankanti, "Error analysis of
    pattern recognition systems: the subsets bootstrap", Computer Vision and Image Understanding
    93 (2004). The product of weights is the pigeonhole bootstrap of Owen, Annals of Applied
    Statistics 1 (2007).
    """
    ranked = _Ranked.of(scores, same, owner, claimed)
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
    """Clips in rising order of score: whose each is, its side, and where each score begins.

    `claimed` holds the other person of each clip below, where there is one.
    """

    owner: Ints
    positive: Bools
    starts: Ints
    claimed: Ints | None

    @classmethod
    def of(
        cls, scores: Floats, positive: Bools, owner: Ints | None, claimed: Ints | None = None
    ) -> _Ranked:
        """The clips of these scores, in any order; equal scores share a place."""
        order = np.argsort(scores, kind="stable")
        rising = scores[order]
        starts = np.flatnonzero(np.concatenate([[True], rising[1:] != rising[:-1]]))
        other = None if claimed is None else claimed[order]
        return cls(order if owner is None else owner[order], positive[order], starts, other)

    def sides(self, weights: Floats) -> tuple[Floats, Floats]:
        """Weights of both sides summed over equal scores, each of shape (resamples, scores)."""
        each = weights[:, self.owner]
        above: Floats = np.add.reduceat(each * self.positive, self.starts, axis=1)
        if self.claimed is not None:
            each *= weights[:, self.claimed]
        below: Floats = np.add.reduceat(each * ~self.positive, self.starts, axis=1)
        return above, below


def _by_pieces(statistic: Statistic, weights: Floats, clips: int) -> Floats:
    """`statistic` of a few resamples at a time: with all, memory would grow with their product."""
    rows = max(1, PIECE // clips)
    pieces = (weights[first : first + rows] for first in range(0, len(weights), rows))
    return np.concatenate([statistic(piece) for piece in pieces])
