"""Dimensions: how well arousal, dominance and valence are predicted, in agreement with ratings.

A head of the emotion head's shape, with one output for each dimension that the clips are rated on,
is trained on the frozen hidden states for agreement: the concordance correlation coefficient (CCC),
as in Wagner et al. (arXiv:2203.07378). CCC, Pearson's correlation and the mean absolute error are
computed on each test fold and averaged over the folds; figures by gender, and their differences,
are over all folds together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

import numpy as np
from pydantic import Field

from profiler.measures.base import Evidence, Figure, OnHiddenStates
from profiler.measures.fairness import FAIR_ENOUGH, MIN_CLIPS, Comparison, Difference, compare
from profiler.measures.performance import FEW_SPEAKERS, ONE_TRAINING, OVER_FOLDS, OVER_REPETITIONS
from profiler.measures.statistics import (
    Estimate,
    Floats,
    jackknife,
    mean_of_defined,
    permuted_genders,
    ratio,
    reaching_zero,
)
from profiler.measures.tables import UNKNOWN_GENDER, AnswerRows, record, weighted
from profiler.settings import Resamples, Settings, digest_of
from profiles_db.criteria import DIMENSIONAL_CRITERIA
from profiles_db.dimensions import DIMENSIONS, ERROR, PEARSON, TESTS, Dimension
from profiles_db.measurement import Measurement
from profiles_db.records import DimensionalEpoch, DimensionalPrediction, Prediction

if TYPE_CHECKING:
    from profiler.corpora.base import Fold, Utterance
    from profiler.measures.base import StatesWork
    from profiler.pipeline.context import Context, Parts

Score: TypeAlias = Callable[[Floats], Floats]
"""Moments of shape (..., `MOMENTS`) to a figure of shape (...)."""

MOMENTS: Final = 8
"""Sums over clips: their number, truth, prediction, the squares of both, their product, the
absolute error, and the absolute error of the training part's mean rating."""
VARIES: Final = 1e-12
"""Variance above which numbers in [0, 1] are not all the same but for rounding."""
STRESS_SOURCE: Final = "stress tests published with arXiv:2203.07378"
LEAST_AGREEMENT: Final = 0.5
"""CCC and Pearson's correlation from which the stress tests pass."""
MOST_ERROR: Final = 0.1
"""Mean absolute error up to which they pass."""
MOST_GAP: Final = 0.075
"""Difference of the CCC between the genders up to which they pass."""


class DimensionalSettings(Settings):
    """How the head for dimensions is trained beside the emotion head, and its figures computed."""

    head_epochs: int = Field(default=30, ge=1, le=10_000)
    """Epochs of the head; the epoch with the best mean CCC on the dev part is kept."""
    resamples: Resamples = 2000
    """Bootstrap resamples over speakers, and permutations of the genders."""


class Dimensional(OnHiddenStates):
    """How well arousal, dominance and valence are predicted."""

    name = "dimensional"
    title = "Dimensions"
    aspect = "system_performance"
    settings = DimensionalSettings
    rows: ClassVar[tuple[type, ...]] = (DimensionalPrediction, DimensionalEpoch)
    by_default = False

    @property
    def criteria(self) -> tuple[str, ...]:
        """Agreement with ratings, and how it differs between the genders."""
        return DIMENSIONAL_CRITERIA

    def rests_on(self, utterances: Iterable[Utterance]) -> str:
        """Digest of all ratings."""
        return ratings_digest(utterances)

    def epochs(self, settings: DimensionalSettings) -> int:
        """Epochs of the head."""
        return settings.head_epochs

    def work(
        self,
        context: Context,
        fold: Fold,
        parts: Parts,
        repetition: int,
        settings: DimensionalSettings,
    ) -> StatesWork:
        """The head for dimensions, and its answers on the rated test clips."""
        from profiler.measures.dimensional_work import DimensionalWork  # noqa: PLC0415 - torch

        return DimensionalWork(context, fold, parts, repetition, settings.head_epochs)

    def figures(self, evidence: Evidence, settings: DimensionalSettings) -> list[Measurement]:
        """CCC, Pearson's correlation and mean absolute error of each dimension and their mean, by
        gender and the differences, and which stress tests they pass."""
        return dimensional(
            evidence.rows(DimensionalPrediction),
            sorted({row.fold for row in evidence.rows(Prediction)}),
            evidence.figure,
            resamples=settings.resamples,
        )


def ratings_digest(utterances: Iterable[Utterance]) -> str:
    """Digest of all ratings, 12 hexadecimal digits."""
    return digest_of([[one.id, dict(one.ratings)] for one in utterances if one.ratings])[:12]


def ccc(moments: Floats) -> Floats:
    """Concordance correlation coefficient (Lin, Biometrics 45, 1989), shape (...).

    CCC = 2 cov / (var_t + var_p + (mean_t - mean_p)^2) of truth t and prediction p, with population
    moments. In [-1, 1], and never further from 0 than Pearson's correlation; 0 for one answer to
    all clips. NaN where the truth does not vary, or there is no clip.

    Parameters
    ----------
    moments : array, shape (..., `MOMENTS`)

    Examples
    --------
    >>> truth = np.array([0.2, 0.4, 0.9])
    >>> round(float(ccc(moments_of(truth, truth + 0.1))), 4)
    0.9455
    >>> round(float(pearson(moments_of(truth, truth + 0.1))), 4)
    1.0
    """
    m = _Moments(moments)
    whole = m.var_t + m.var_p + (m.mean_t - m.mean_p) ** 2
    return ratio(2 * m.covariance, np.where(m.var_t > VARIES, whole, 0.0))


def pearson(moments: Floats) -> Floats:
    """Pearson's correlation, shape (...); NaN where truth or prediction does not vary."""
    m = _Moments(moments)
    varies = (m.var_t > VARIES) & (m.var_p > VARIES)
    found: Floats = np.clip(
        ratio(m.covariance, np.where(varies, np.sqrt(m.var_t * m.var_p), 0.0)), -1.0, 1.0
    )
    return found


def error(moments: Floats) -> Floats:
    """Mean absolute error, shape (...); NaN where there is no clip."""
    return ratio(moments[..., 6], moments[..., 0])


def error_of_mean(moments: Floats) -> Floats:
    """Mean absolute error of the training part's mean rating, shape (...)."""
    return ratio(moments[..., 7], moments[..., 0])


class _Moments:
    """Means, population variances and covariance; NaN where there is no clip."""

    def __init__(self, moments: Floats) -> None:
        n = moments[..., 0]
        self.mean_t, self.mean_p = ratio(moments[..., 1], n), ratio(moments[..., 2], n)
        self.var_t = np.maximum(ratio(moments[..., 3], n) - self.mean_t**2, 0.0)
        self.var_p = np.maximum(ratio(moments[..., 4], n) - self.mean_p**2, 0.0)
        self.covariance = ratio(moments[..., 5], n) - self.mean_t * self.mean_p


def moments_of(truth: Floats, predicted: Floats, training_mean: float = np.nan) -> Floats:
    """The moments of some clips, shape (`MOMENTS`,).

    Parameters
    ----------
    truth, predicted : array, shape (clips,)
    training_mean : float, optional
        Mean rating of the training part.
    """
    each = _per_clip(truth, predicted, np.full_like(truth, training_mean))
    found: Floats = each.sum(axis=0)
    return found


def _per_clip(truth: Floats, predicted: Floats, training_mean: Floats) -> Floats:
    """Each clip's share of the moments, shape (clips, `MOMENTS`)."""
    found: Floats = np.stack(
        [
            np.ones_like(truth), truth, predicted, truth**2, predicted**2, truth * predicted,
            np.abs(truth - predicted), np.abs(truth - training_mean),
        ],
        axis=-1,
    )  # fmt: skip
    return found


@dataclass(frozen=True)
class Answers(AnswerRows):
    """The answers on all dimensions that any clip is rated on."""

    rows: Sequence[DimensionalPrediction]

    @cached_property
    def dimensions(self) -> list[Dimension]:
        """Those of the rows, in their usual order."""
        there = {row.dimension for row in self.rows}
        return [dimension for dimension in DIMENSIONS if dimension in there]

    @cached_property
    def moments(self) -> Floats:
        """Sums over clips, shape (cells, speakers, dimensions, `MOMENTS`)."""
        place = {name: index for index, name in enumerate(self.dimensions)}
        dimension = np.array([place[row.dimension] for row in self.rows])
        columns = [
            np.array([getattr(row, name) for row in self.rows])
            for name in ("truth", "predicted", "training_mean")
        ]
        found = np.zeros((len(self.cells), len(self.speakers), len(place), MOMENTS))
        np.add.at(found, (self.cell, self.speaker, dimension), _per_clip(*columns))
        return found

    @cached_property
    def pooled(self) -> Floats:
        """Over all folds, shape (repetitions, speakers, dimensions, `MOMENTS`)."""
        return np.stack([self.moments[cells].sum(axis=0) for cells in self.cells_of_repetition])

    def of_gender(self, gender: str) -> Answers:
        """The answers on clips of one gender."""
        return Answers([row for row in self.rows if row.gender == gender])

    def of_dimension(self, dimension: Dimension) -> Answers:
        """The answers on one dimension."""
        return Answers([row for row in self.rows if row.dimension == dimension])

    def over_folds(self, score: Score, *, signed: bool = True) -> Estimate:
        """`score` of each fold, averaged over folds, dimensions and repetitions, with its interval.

        Parameters
        ----------
        score : callable
        signed : bool, optional
            Whether its range is [-1, 1], and not [0, 1].
        """

        def statistic(weights: Floats) -> Floats:
            by_cell = score(weighted(self.moments, weights))
            over = [mean_of_defined(_last(by_cell[:, own])) for own in self.cells_of_repetition]
            return _share(np.stack(over, axis=1).mean(axis=-1), signed)

        return _signed(
            jackknife(statistic, self.strata, spread=self._together(score, signed)), signed
        )

    def together(self, score: Score, *, signed: bool = True) -> Estimate:
        """`score` over all folds together, averaged over dimensions and repetitions."""
        return _signed(jackknife(self._together(score, signed), self.strata), signed)

    def _together(self, score: Score, signed: bool) -> Callable[[Floats], Floats]:
        return lambda weights: _share(score(weighted(self.pooled, weights)).mean(axis=-1), signed)

    def value(self, score: Score) -> float:
        """`score` as `over_folds` has it, without an interval."""
        by_cell = score(self.moments.sum(axis=1))
        return float(mean_of_defined(by_cell.T).mean())


def _last(by_cell: Floats) -> Floats:
    """Shape (draws, cells, dimensions) as (draws, dimensions, cells)."""
    return np.moveaxis(by_cell, 1, -1)


def _share(values: Floats, signed: bool) -> Floats:
    """Values of [-1, 1] as shares of that range, as intervals of shares want them."""
    return 0.5 + values / 2 if signed else values


def _signed(estimate: Estimate, signed: bool) -> Estimate:
    """The inverse of `_share`."""
    if not signed:
        return estimate
    return Estimate(
        *(
            None if end is None else 2 * end - 1
            for end in (estimate.value, estimate.low, estimate.high)
        )
    )


@dataclass(frozen=True, slots=True)
class _Agreement:
    """A way to say how well predictions agree with ratings, and from when the stress tests pass."""

    statistic: str | None
    score: Score
    signed: bool
    rule: str
    passes: Callable[[float], bool]


AGREEMENTS: Final = (
    _Agreement(None, ccc, True, f"CCC at least {LEAST_AGREEMENT}", lambda v: v >= LEAST_AGREEMENT),
    _Agreement(
        PEARSON, pearson, True, f"Pearson's correlation at least {LEAST_AGREEMENT}",
        lambda v: v >= LEAST_AGREEMENT,
    ),
    _Agreement(
        ERROR, error, False, f"mean absolute error at most {MOST_ERROR}", lambda v: v <= MOST_ERROR
    ),
)  # fmt: skip
"""CCC stands for its criterion; the others are statistics beside it."""


def dimensional(
    rows: Sequence[DimensionalPrediction],
    folds: Sequence[int],
    measure: Figure,
    *,
    resamples: int,
) -> list[Measurement]:
    """All figures on dimensions, from rows.

    Parameters
    ----------
    rows : sequence of DimensionalPrediction
    folds : sequence of int
        Every fold of the run.
    measure : callable
    resamples : int
        Bootstrap resamples over speakers, and permutations of the genders.
    """
    lacking = [one for one in DIMENSIONS if one not in {row.dimension for row in rows}]
    found = [
        measure(
            criterion=f"ccc_{dimension}",
            value=None,
            unknown=f"no fold has enough clips that are rated on {dimension}",
        )
        for dimension in lacking
    ]
    if not rows:
        reason = f"no fold has enough clips that are rated on {', '.join(DIMENSIONS)}"
        return found + [
            measure(criterion=name, value=None, unknown=reason)
            for name in ("ccc_mean", "ccc_gender_gap")
        ]
    whole = Answers(rows)
    mean_over = f"mean over {', '.join(whole.dimensions)}"
    found += _agreement(whole, "ccc_mean", folds, measure, (mean_over,))
    for dimension in whole.dimensions:
        found += _agreement(whole.of_dimension(dimension), f"ccc_{dimension}", folds, measure)
    return found + _between_genders(whole, measure, resamples)


def _agreement(
    answers: Answers,
    criterion: str,
    folds: Sequence[int],
    measure: Figure,
    notes: tuple[str, ...] = (),
) -> list[Measurement]:
    """CCC with its statistics: over the folds, of each fold, and of each gender."""
    make = partial(measure, criterion=criterion)
    flags = _flags(answers, folds)
    notes = (*notes, *((ONE_TRAINING,) if len(answers.repetitions) == 1 else ()))
    found, passed = [], {}
    for one in AGREEMENTS:
        estimate = answers.over_folds(one.score, signed=one.signed)
        baseline = 0.0 if one.signed else answers.value(error_of_mean)
        figure = _of(
            measure, criterion, estimate, answers.n, statistic=one.statistic, baseline=baseline,
            flags=flags, notes=notes,
        )  # fmt: skip
        found.append(figure)
        if figure.value is not None:
            passed[one.rule] = one.passes(figure.value)
    found.append(_tests(passed, make, answers.n))
    for fold in answers.folds:
        of_fold = Answers([row for row in answers.rows if row.fold == fold]).value(ccc)
        if np.isfinite(of_fold):
            found.append(make(fold=fold, value=of_fold))
    found += _spreads(answers, make)
    for gender in sorted(set(answers.strata) - {UNKNOWN_GENDER}):
        own = answers.of_gender(gender)
        found.append(_of(measure, criterion, own.together(ccc), own.n, gender=gender, baseline=0.0))
    return found


def _of(
    measure: Figure, criterion: str, estimate: Estimate, n: int, **details: object
) -> Measurement:
    undefined = "the ratings of the test clips, or the answers to them, do not vary"
    return record(measure, criterion, estimate, n=n, undefined=undefined, **details)


def _tests(passed: Mapping[str, bool], make: Figure, n: int) -> Measurement:
    """The share of the published stress tests that a dimension passes."""
    if not passed:
        return make(statistic=TESTS, value=None, unknown="no figure to hold to them")
    failed = [rule for rule, passes in passed.items() if not passes]
    of = f"{len(passed)} tests, thresholds of the {STRESS_SOURCE}"
    said = f"failed: {'; '.join(failed)}" if failed else f"passes: {'; '.join(passed)}"
    share = 1 - len(failed) / len(passed)
    return make(statistic=TESTS, value=share, n=n, notes=(of, said))


def _spreads(answers: Answers, make: Figure) -> list[Measurement]:
    """Deviations of the CCC over single folds, and over single trainings."""
    by_cell = ccc(answers.moments.sum(axis=1)).mean(axis=-1)
    by_fold = [
        float(np.mean([by_cell[c] for c, (_, own) in enumerate(answers.cells) if own == fold]))
        for fold in answers.folds
    ]
    by_training = [float(by_cell[cells].mean()) for cells in answers.cells_of_repetition]
    return [
        make(statistic=name, value=float(np.std(values, ddof=1)))
        for name, values in ((OVER_FOLDS, by_fold), (OVER_REPETITIONS, by_training))
        if len(values) > 1 and np.isfinite(values).all()
    ]


def _flags(answers: Answers, folds: Sequence[int]) -> tuple[str, ...]:
    flags = []
    if len(answers.speakers) < FEW_SPEAKERS:
        flags.append(f"only {len(answers.speakers)} speakers: the interval may be too narrow")
    clips = answers.moments[..., 0].sum(axis=1)
    there = {fold for (_, fold), n in zip(answers.cells, clips, strict=True) if (n > 0).all()}
    lacking = [str(fold) for fold in folds if fold not in there]
    if lacking:
        flags.append(f"fold {', '.join(lacking)} has too few rated clips")
    return tuple(flags)


def _between_genders(answers: Answers, measure: Figure, resamples: int) -> list[Measurement]:
    """How CCC and error differ between the genders, beside what a fair model would show."""
    known = Answers([row for row in answers.rows if row.gender is not None])
    reason = _why_unknown(known)
    if reason:
        return [measure(criterion="ccc_gender_gap", value=None, unknown=reason)]
    permuted = permuted_genders(known.strata, permutations=resamples)
    flags = _little_to_differ(answers)
    single: list[tuple[str, Answers]] = [
        (name, known.of_dimension(name)) for name in known.dimensions
    ]
    found = []
    for score, said in ((ccc, None), (error, ERROR)):
        for name, own in ((None, known), *single):
            speakers = [known.speakers.index(speaker) for speaker in own.speakers]
            compared = compare(own.pooled, own.strata, _gap(score), permuted[:, speakers])
            notes = _notes_on_gap(compared, own, score)
            statistic = ", ".join(part for part in (said, name) if part) or None
            estimate = compared.estimate if compared.found else reaching_zero(compared.estimate)
            found.append(
                _of(
                    measure,
                    "ccc_gender_gap",
                    estimate,
                    own.n,
                    statistic=statistic,
                    baseline=compared.baseline,
                    flags=flags,
                    notes=notes,
                )
            )
    return found


def _gap(score: Score) -> Difference:
    """Absolute difference of two groups' scores, averaged over the dimensions."""

    def gap(first: Floats, second: Floats) -> Floats:
        found: Floats = np.abs(score(first) - score(second)).mean(axis=-1)
        return found

    return gap


def _notes_on_gap(compared: Comparison, answers: Answers, score: Score) -> tuple[str, ...]:
    notes = () if compared.found else (FAIR_ENOUGH,)
    sides = {g: answers.of_gender(g).pooled.sum(axis=1) for g in sorted(set(answers.strata))}
    values = [f"{g} {score(own).mean():.3g}" for g, own in sides.items()]
    gap = compared.estimate.value
    if score is ccc and gap is not None:
        passes = "passes" if gap <= MOST_GAP else "fails"
        notes = (*notes, f"{passes} the stress test: at most {MOST_GAP}")
    return (", ".join(values), *notes)


def _why_unknown(answers: Answers) -> str | None:
    """Why the genders cannot be compared, or None."""
    if not answers.rows:
        return "the corpus gives no gender labels"
    genders = sorted(set(answers.strata))
    if len(genders) != 2:  # noqa: PLR2004
        return f"only {', '.join(genders)} speakers"
    for gender in genders:
        own = answers.of_gender(gender)
        for dimension in answers.dimensions:
            clips = {row.utterance for row in own.rows if row.dimension == dimension}
            if len(clips) < MIN_CLIPS:
                rated = f"{gender} test clips rated on {dimension}"
                return f"{len(clips)} {rated}, {MIN_CLIPS} needed"
    return None


def _little_to_differ(answers: Answers) -> tuple[str, ...]:
    estimate = answers.over_folds(ccc)
    low = estimate.value if estimate.low is None else estimate.low
    if low is None or low > 0:
        return ()
    return ("the CCC is within what one answer to all clips scores: there is little to differ in",)
