"""How large a gap between the genders the permutation test would have found.

A test that finds no gap shows fairness only where it would have found one. So worlds with a known
gap are made from the model's own answers: the genders are permuted over the speakers, which leaves
them fair, and then the recall of one class, drawn for each world by itself, is made to differ
between the genders by the gap. The power is the share of the worlds in which the test finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from profiler.measures.statistics import (
    PIECE,
    Bools,
    Floats,
    Ints,
    mean_of_defined,
    permuted_genders,
)
from profiler.measures.tables import weighted

STATED_GAP: Final = 0.10
"""A recall gap that should not be missed: holisticai calls differences below it fair."""

WANTED: Final = 0.80
"""The power that a study is customarily planned for (Cohen 1988)."""

GAPS: Final = (0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.40, 0.50, 0.70, 1.00)
MOST_DRAWS: Final = 200
"""Worlds for each gap, and permutations of the genders in each: 3 points of Monte Carlo error."""

LEVEL: Final = 0.05
"""Of the permutation test."""

ROUNDING: Final = 1e-12
"""Differences that differ by less are equal: they are sums of the same counts in another order."""

NEARLY_NONE: Final = 1e-9
"""Clips added to each kind of mistake, so that all are alike where there is none."""


@dataclass(frozen=True, slots=True)
class Power:
    """The share of worlds in which a gap is found, by its size, up to the first that is found."""

    rates: Mapping[float, float]

    def of(self, gap: float) -> float:
        """The power for one of the gaps that were tried."""
        return self.rates[gap]

    @property
    def low(self) -> bool:
        """Whether a gap of 10 points would often be missed."""
        return self.of(STATED_GAP) < WANTED

    @property
    def detectable(self) -> float | None:
        """The smallest gap found in 80 % of the worlds; None where none is.

        Between the gaps that were tried, the power is taken as linear.
        """
        before, missed = 0.0, 0.0
        for gap, rate in self.rates.items():
            if rate >= WANTED:
                return before + (gap - before) * max(0.0, WANTED - missed) / (rate - missed)
            before, missed = gap, rate
        return None


def rules_out_fair(value: Floats, fair: Floats) -> Bools:
    """Whether the permutation test rules out that the genders are served alike (5 %).

    The p-value is the share of permutations that score at least as high, the data themselves
    counted among them (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585).

    Parameters
    ----------
    value : array, shape (...)
    fair : array, shape (permutations, ...)
        NaN where a permutation leaves a gender without a class; it does not count.

    Examples
    --------
    >>> bool(rules_out_fair(np.array(0.5), np.linspace(0, 0.5, 101)))
    True
    """
    defined = np.isfinite(fair)
    as_high = (fair >= value - ROUNDING) & defined
    ruled_out: Bools = (1 + as_high.sum(axis=0)) <= LEVEL * (1 + defined.sum(axis=0))
    return ruled_out


def power_of(
    pooled: Floats,
    genders: Sequence[str],
    difference: Callable[[Floats, Floats], Floats],
    *,
    draws: int,
    seed: int = 1,
) -> Power:
    """The power of the permutation test of a difference between the genders.

    Parameters
    ----------
    pooled : array, shape (repetitions, speakers, classes, classes)
        Counts of whole clips, indexed [.., .., truth, predicted].
    genders : sequence of str, one per speaker
    difference : callable
        Counts of two groups, each of shape (..., classes, classes), to a difference, shape (...).
    draws : int
        Worlds for each gap, and permutations of the genders in each; at most 200 are drawn.
    seed : int
    """
    rates: dict[float, float] = {}
    for gap in GAPS:
        rates[gap] = found_in(pooled, genders, difference, gap=gap, draws=draws, seed=seed)
        if gap >= STATED_GAP and rates[gap] >= WANTED:
            break
    return Power(rates)


def found_in(
    pooled: Floats,
    genders: Sequence[str],
    difference: Callable[[Floats, Floats], Floats],
    *,
    gap: float,
    draws: int,
    seed: int = 1,
) -> float:
    """The share of worlds with a recall gap in one class in which the test finds a difference."""
    worlds = min(draws, MOST_DRAWS)
    rng = np.random.default_rng(seed)
    counts = pooled.astype(np.int64)
    first = permuted_genders(genders, permutations=worlds, seed=seed)
    labels = rng.integers(pooled.shape[-1], size=worlds)
    tests = permuted_genders(genders, permutations=worlds, seed=seed + 1)
    # A few worlds at a time: with all, memory would grow with speakers, worlds and permutations.
    step = max(1, PIECE // (pooled.shape[0] * pooled.shape[-1] ** 2 * max(tests.shape)))
    found = 0
    for some in (slice(start, start + step) for start in range(0, worlds, step)):
        made = with_recall_gap(counts, first[some], labels[some], gap, rng).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = mean_of_defined(difference(*_groups(made, first[some])))
            fair = mean_of_defined(difference(*_permuted_groups(made, tests)))
        found += int(rules_out_fair(value, fair).sum())
    return found / worlds


def _groups(worlds: Floats, first: Bools) -> tuple[Floats, Floats]:
    """Counts of both groups, each world's own, shape (worlds, repetitions, classes, classes)."""
    ones = np.einsum("wrsij,ws->wrij", worlds, first.astype(float))
    return ones, worlds.sum(axis=2) - ones


def _permuted_groups(worlds: Floats, first: Bools) -> tuple[Floats, Floats]:
    """Counts of both groups for each permutation of the genders.

    Shape (permutations, worlds, repetitions, classes, classes).
    """
    number, repetitions, speakers, classes, _ = worlds.shape
    flat = worlds.reshape(number * repetitions, speakers, classes, classes)
    shape = (len(first), number, repetitions, classes, classes)
    ones = weighted(flat, first.astype(float)).reshape(shape)
    return ones, worlds.sum(axis=2) - ones


def with_recall_gap(
    counts: Ints, first: Bools, labels: Ints, gap: float, rng: np.random.Generator
) -> Ints:
    """Worlds in which the recall of one class is higher by `gap` for the first group.

    Half the gap is added for the one group and taken from the other, as far as recall stays in
    [0, 1]: wrong answers are made right, and right ones wrong in the way the others are, each with
    the probability that gives the gap on average over groups of equal recall.

    Parameters
    ----------
    counts : array of int, shape (repetitions, speakers, classes, classes)
    first : array of bool, shape (worlds, speakers)
    labels : array of int, shape (worlds,)
        The class.
    gap : float, in [0, 1]

    Returns
    -------
    array of int, shape (worlds, repetitions, speakers, classes, classes)
    """
    own = np.arange(counts.shape[-1]) == labels[:, None, None, None]
    answers = np.moveaxis(counts, 2, 0)[labels]  # worlds, repetitions, speakers, classes
    right = (answers * own).sum(axis=-1)
    total = answers.sum(axis=(2, 3))
    recall = _share(right.sum(axis=-1), total)
    below = np.clip(recall - gap / 2, 0.0, 1.0 - gap)
    lose = _share(recall - below, recall)[..., None] * ~first[:, None]
    win = _share(below + gap - recall, 1 - recall)[..., None] * first[:, None]
    errors = answers.sum(axis=2, keepdims=True) * ~own + NEARLY_NONE * ~own
    mistakes = errors / errors.sum(axis=-1, keepdims=True)

    lost = rng.binomial(right, np.clip(lose, 0.0, 1.0))
    won = rng.binomial(answers * ~own, np.clip(win, 0.0, 1.0)[..., None])
    kept = answers - won + own * (won.sum(axis=-1) - lost)[..., None]
    worlds = np.tile(counts, (len(labels), 1, 1, 1, 1))
    each = np.arange(len(labels))
    worlds[each, :, :, labels] = kept + rng.multinomial(lost, mistakes)
    return worlds


def _share(part: Floats | Ints, whole: Floats | Ints) -> Floats:
    """`part / whole`, 0 where `whole` is 0."""
    result: Floats = np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)
    return result
