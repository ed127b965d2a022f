"""How sure the choice is: draws of the measurements from their intervals, and of the weights.

Every figure has random numbers of its own, made from the seed, the candidate and the criterion, so
that a candidate that comes or goes changes no other's draws.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from advisor.ranking.findings import AnyBound, BaselineBound, FactBound, Sampling
from advisor.ranking.matrix import Mask, Matrix, best_index
from advisor.ranking.scoring import Array
from advisor.records import Figure, Outcome
from profiles_db.criteria import CRITERIA, Unit

DRAWS: Final = 10_000

WEIGHT_FACTOR: Final = math.sqrt(3.0)
"""A stated priority is taken to mean its number within this factor (95 %): half a step of
low, medium, high, each of which is three times the one below."""

LEVEL: Final = 0.95
"""One candidate is told apart from another where it scores above it in this share of the draws."""

_Z95: Final = 1.959963984540054
_RANGES: Final[dict[Unit, tuple[float, float]]] = {
    "fraction": (0.0, 1.0),
    "coefficient": (-1.0, 1.0),
}
"""Where values of a unit lie; all others at or above 0."""


def _normal(seed: int, *keys: str, size: int) -> Array:
    entropy = [seed, *(zlib.crc32(key.encode()) for key in keys)]
    return np.random.default_rng(entropy).standard_normal(size)


def spread(figure: Figure, normal: Array) -> Array:
    """Values of a figure for standard normal deviates.

    A two-piece normal: the median is the value, and 2.5 % lie below `low` and above `high`, so
    that lopsided intervals stay so. A figure without an interval does not move. Rates stay in
    [0, 1], correlations in [-1, 1], costs at or above 0.
    """
    value, low, high = figure.value, figure.low, figure.high
    if value is None:
        return np.full_like(normal, np.nan)
    below = 0.0 if low is None else max(0.0, value - low) / _Z95
    above = 0.0 if high is None else max(0.0, high - value) / _Z95
    drawn = value + normal * np.where(normal < 0, below, above)
    least, most = _RANGES.get(CRITERIA[figure.criterion].unit, (0.0, np.inf))
    return np.clip(drawn, min(least, value), max(most, value))


@dataclass(frozen=True)
class Draws:
    """All draws for one decision.

    Parameters
    ----------
    matrix : Matrix
    figures : mapping from candidate to mapping from criterion to Figure
        Of all candidates, also those without a score.
    sampling : Sampling
    """

    matrix: Matrix
    figures: Mapping[str, Mapping[str, Figure]]
    sampling: Sampling

    def value(self, name: str, criterion: str) -> Array:
        """Drawn values of one figure, shape (draws,); NaN where it is unknown."""
        figure = self.figures[name].get(criterion, Figure(criterion, None))
        seed, size = self.sampling.seed, self.sampling.draws
        return spread(figure, _normal(seed, name, criterion, size=size))

    @cached_property
    def weights(self) -> Array:
        """Drawn weights, shape (draws, criteria), each row summing to 1."""
        deviation = math.log(self.sampling.weight_factor) / _Z95
        columns = []
        for criterion, weight in zip(self.matrix.criteria, self.matrix.weights, strict=True):
            seed, size = self.sampling.seed, self.sampling.draws
            normal = _normal(seed, "weight", criterion.criterion, size=size)
            columns.append(weight * np.exp(deviation * normal))
        raw = np.stack(columns, axis=-1)
        return np.asarray(raw / raw.sum(axis=-1, keepdims=True))

    @cached_property
    def scores(self) -> Array:
        """Drawn scores on the fixed scales, shape (draws, candidates, criteria).

        What earns nothing stays at the worst end of its scale in every draw.
        """
        matrix, size = self.matrix, self.sampling.draws
        values = np.repeat(matrix.values[None], size, axis=0)
        for row, name in enumerate(matrix.names):
            for column, criterion in enumerate(matrix.criteria):
                if not matrix.barred[row, column]:
                    values[:, row, column] = self.value(name, criterion.criterion)
        return matrix.score(values)

    @cached_property
    def combined(self) -> Array:
        """The method's result, measurements and weights drawn, shape (draws, candidates)."""
        return self.matrix.combine(self.scores, self.weights)

    def score_intervals(self) -> Array:
        """95 % interval of each score, the weights as stated, shape (2, candidates)."""
        results = self.matrix.combine(self.scores)
        # Sorting does what np.quantile does without its 30 ms of imports.
        ordered = np.sort(results, axis=0)
        ends = np.array([0.025, 0.975]) * (len(ordered) - 1)
        below = ordered[np.floor(ends).astype(int)]
        above = ordered[np.ceil(ends).astype(int)]
        return np.asarray(below + (ends % 1)[:, None] * (above - below))

    def rank_probabilities(self, eligible: Sequence[str]) -> dict[str, tuple[float, ...]]:
        """Probability of each place for each of the eligible, who stay eligible throughout."""
        if not eligible:
            return {}
        columns = np.flatnonzero(self.matrix.mask(eligible))
        places = np.argsort(-self.combined[:, columns], axis=-1, kind="stable")
        return {
            self.matrix.names[column]: tuple(np.mean(places == index, axis=0).tolist())
            for index, column in enumerate(columns)
        }

    def beats(self, first: str, second: str) -> float:
        """Share of the draws in which `first` scores above `second`."""
        names = self.matrix.names
        ahead = self.combined[:, names.index(first)] > self.combined[:, names.index(second)]
        return float(np.mean(ahead))

    def holds(self, bound: AnyBound, outcome: Outcome, name: str) -> Mask | None:
        """In which draws the candidate holds the bound; None where it is unknown.

        What is tested moves with the value: the safe end of the interval keeps its distance.
        """
        if isinstance(bound, FactBound) or outcome.tested is None:
            return None
        if isinstance(bound, BaselineBound):
            own, others = (self.value(one, bound.criterion) for one in (name, bound.baseline))
            least = CRITERIA[bound.criterion].direction == "maximise"
            return own >= others if least else own <= others
        value = self.figures[name][bound.criterion].value
        if value is None:
            return None
        moved = self.value(name, bound.criterion) + (outcome.tested - value)
        return moved >= bound.bound if bound.comparison == "at_least" else moved <= bound.bound

    def meets(self, bounds: Sequence[AnyBound], outcomes: Sequence[Outcome], name: str) -> Mask:
        """In which draws the candidate meets all bounds, shape (draws,)."""
        meets = np.ones(self.sampling.draws, dtype=np.bool_)
        for bound, outcome in zip(bounds, outcomes, strict=True):
            held = self.holds(bound, outcome, name)
            meets &= (not outcome.blocks) if held is None else held
        return meets

    def confidence(
        self, choice: str, bounds: Sequence[AnyBound], outcomes: Mapping[str, Sequence[Outcome]]
    ) -> float:
        """Share of the draws in which `choice` comes out, the bounds checked again in each."""
        names = self.matrix.names
        eligible = np.stack([self.meets(bounds, outcomes[name], name) for name in names], axis=-1)
        return float(np.mean(best_index(self.combined, eligible) == names.index(choice)))


def tie_groups(draws: Draws, ranking: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The eligible in groups: the best of those left, and all it cannot be told apart from."""
    left, groups = list(ranking), []
    while left:
        first = left[0]
        group = [first] + [name for name in left[1:] if draws.beats(first, name) < LEVEL]
        groups.append(tuple(group))
        left = [name for name in left if name not in group]
    return tuple(groups)
