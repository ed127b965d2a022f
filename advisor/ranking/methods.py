"""The ranking methods a scenario may name, each one object: all that knows a method is here.

A new one is one more `RankingMethod` in `METHODS`, or one handed to `register`. The scenario
language, the decision, the explanation, the sensitivity and the report take it from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from advisor.ranking.scoring import (
    PRODUCT_FLOOR,
    Array,
    criterion_flows,
    floored_product,
    promethee_ii,
    topsis,
    topsis_relative,
    vikor,
    weighted_sum,
)


@dataclass(frozen=True, slots=True)
class RankingMethod:
    """A way to combine scores on fixed scales.

    Parameters
    ----------
    name, title : str
        In scenario files, and for people within a sentence.
    score : callable
        Of scores, shape (..., candidates, criteria), and weights, shape (..., criteria): results,
        shape (..., candidates), more is better; see `advisor.ranking.scoring`.
    script : str or None
        The same in JavaScript, with which the report recomputes: an arrow function of rows of
        scores and of weights, in which `sum` adds up an array. None: the report does not offer it.
    utility : callable or None
        Of scores: numbers of the same shape whose weighted sum orders the candidates as `score`
        does. What would change the choice is solved for where there is one, and searched for and
        called approximate where there is none.
    lead : callable or None
        Of the scores of two candidates, the shares of all weights but one among themselves, and
        the index of that one: coefficients of a polynomial in its share, the highest power first,
        that is positive where the first candidate is ahead. Needed only without a `utility`, to
        solve for the intervals of single weights.
    relative : bool
        Whether a candidate's result depends on who else stands, so that one who comes or goes may
        reverse a rank.
    """

    name: str
    title: str
    score: Callable[[Array, Array], Array]
    script: str | None = None
    utility: Callable[[Array], Array] | None = None
    lead: Callable[[Array, Array, Array, int], Array] | None = None
    relative: bool = False


def _itself(scores: Array) -> Array:
    return scores


def _logarithm(scores: Array) -> Array:
    logarithm: Array = np.log(np.maximum(scores, PRODUCT_FLOOR))
    return logarithm


def _topsis_lead(first: Array, second: Array, rest: Array, column: int) -> Array:
    """a+ ahead of b where d-(a)^2 d+(b)^2 > d-(b)^2 d+(a)^2: a polynomial of degree four."""
    to_worst = [_squared_distance(scores, column, rest) for scores in (first, second)]
    to_ideal = [_squared_distance(1.0 - scores, column, rest) for scores in (first, second)]
    return np.polysub(np.polymul(to_worst[0], to_ideal[1]), np.polymul(to_worst[1], to_ideal[0]))


def _squared_distance(gaps: Array, column: int, rest: Array) -> Array:
    """Coefficients of own t^2 + others (1 - t)^2."""
    own = float(gaps[column] ** 2)
    others = float(np.sum((rest * np.delete(gaps, column)) ** 2))
    return np.array([own + others, -2.0 * others, others])


_ALL: Final = (
    RankingMethod(
        name="weighted_sum",
        title="weighted sum",
        score=weighted_sum,
        script="(rows, weight) => rows.map((row) => sum(row.map((x, i) => weight[i] * x)))",
        utility=_itself,
    ),
    RankingMethod(
        name="weighted_product",
        title="weighted product",
        score=floored_product,
        script=f"""(rows, weight) => rows.map((row) =>
    row.reduce((product, x, i) => product * Math.max(x, {PRODUCT_FLOOR}) ** weight[i], 1))""",
        utility=_logarithm,
    ),
    RankingMethod(
        name="topsis",
        title="TOPSIS (fixed ideal)",
        score=topsis,
        script="""(rows, weight) => rows.map((row) => {
    const distance = (end) => Math.sqrt(sum(row.map((x, i) => (weight[i] * (end - x)) ** 2)));
    return distance(0) / (distance(1) + distance(0));
  })""",
        lead=_topsis_lead,
    ),
    RankingMethod(
        name="topsis_relative",
        title="TOPSIS (ideal among the candidates)",
        score=topsis_relative,
        script="""(rows, weight) => rows.map((row) => {
    const ends = (pick) => weight.map((_, i) => pick(...rows.map((other) => other[i])));
    const distance = (end) => Math.sqrt(sum(row.map((x, i) => (weight[i] * (end[i] - x)) ** 2)));
    const [ideal, worst] = [distance(ends(Math.max)), distance(ends(Math.min))];
    return ideal + worst > 0 ? worst / (ideal + worst) : 0.5;
  })""",
        relative=True,
    ),
    RankingMethod(
        name="promethee_ii",
        title="PROMETHEE II",
        score=promethee_ii,
        script="""(rows, weight) => rows.map((row) => sum(row.map((x, i) => weight[i] *
    sum(rows.map((other) => Math.sign(x - other[i]))) / Math.max(1, rows.length - 1))))""",
        utility=criterion_flows,
        relative=True,
    ),
    RankingMethod(
        name="vikor",
        title="VIKOR (fixed ideal)",
        score=vikor,
        script="""(rows, weight) => rows.map((row) => {
    const regrets = row.map((x, i) => weight[i] * (1 - x));
    return 1 - 0.5 * sum(regrets) - 0.5 * Math.max(...regrets) / Math.max(...weight);
  })""",
    ),
)

METHODS: Final[dict[str, RankingMethod]] = {method.name: method for method in _ALL}
"""The methods by name, that of the default first."""


def register(method: RankingMethod) -> RankingMethod:
    """Make a method known under its name.

    Raises
    ------
    ValueError
        There is one of that name already.
    """
    if method.name in METHODS:
        raise ValueError(f"there is a ranking method {method.name!r} already")
    METHODS[method.name] = method
    return method
