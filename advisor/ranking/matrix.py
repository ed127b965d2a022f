"""The decision matrix: candidates by criteria, on fixed scales, and the best of them.

Candidates stand in alphabetical order, so that among equals the first one found is the first in
the alphabet, whatever the order of the evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from advisor.ranking.findings import WeightedCriterion
from advisor.ranking.methods import METHODS
from advisor.ranking.scoring import Array
from advisor.records import Figure, OnFlag

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Scores of the candidates that have a figure on every weighted criterion.

    Parameters
    ----------
    names : tuple of str
        The candidates in alphabetical order.
    criteria : tuple of WeightedCriterion
    values : ndarray, shape (candidates, criteria)
        In the criteria's units; where a figure earns nothing, the worst end of its scale.
    weights : ndarray, shape (criteria,)
        Summing to 1.
    method : str
        Name of the ranking method.
    flagged : OnFlag
        What flagged figures count as.
    barred : ndarray of bool, shape (candidates, criteria)
        Which figures earn nothing, so that they do not vary either: flagged and not relied on, or
        no better than guessing.
    """

    names: tuple[str, ...]
    criteria: tuple[WeightedCriterion, ...]
    values: Array
    weights: Array
    method: str
    flagged: OnFlag
    barred: Mask

    @property
    def scores(self) -> Array:
        """Values on the fixed scales, in [0, 1], shape (candidates, criteria)."""
        return self.score(self.values)

    def score(self, values: Array) -> Array:
        """Values of shape (..., criteria) on the fixed scales, cut at their ends."""
        worst = np.array([criterion.worst for criterion in self.criteria])
        best = np.array([criterion.best for criterion in self.criteria])
        scores: Array = np.clip((values - worst) / (best - worst), 0.0, 1.0)
        return scores

    def combine(self, scores: Array | None = None, weights: Array | None = None) -> Array:
        """The method's result for every candidate, shape (..., candidates)."""
        scores = self.scores if scores is None else scores
        return METHODS[self.method].score(scores, self.weights if weights is None else weights)

    def with_method(self, method: str) -> Matrix:
        """The same matrix under another method."""
        return replace(self, method=method)

    def order(self, names: Iterable[str], result: Array | None = None) -> tuple[str, ...]:
        """`names` by the method's result, best first, equals in alphabetical order."""
        result = self.combine() if result is None else result
        place = {name: (-result[i], name) for i, name in enumerate(self.names)}
        return tuple(sorted(names, key=place.__getitem__))

    def mask(self, names: Iterable[str]) -> Mask:
        """Which candidates are among `names`, shape (candidates,)."""
        chosen = set(names)
        return np.array([name in chosen for name in self.names], dtype=np.bool_)

    def best(self, eligible: Iterable[str], weights: Array | None = None) -> str | None:
        """The best of the eligible, None where there is none."""
        index = int(best_index(self.combine(weights=weights), self.mask(eligible)))
        return self.names[index] if index >= 0 else None


def best_index(combined: Array, eligible: Mask) -> NDArray[np.intp]:
    """Index of the best eligible candidate along the last axis, -1 where there is none."""
    if combined.shape[-1] == 0:
        return np.full(combined.shape[:-1], -1, dtype=np.intp)
    held = np.where(eligible, combined, -np.inf)
    return np.where(eligible.any(axis=-1), np.argmax(held, axis=-1), -1)


def build(
    figures: Mapping[str, Mapping[str, Figure]],
    criteria: tuple[WeightedCriterion, ...],
    method: str,
    flagged: OnFlag,
) -> Matrix:
    """The matrix of all candidates whose weighted criteria are known.

    Parameters
    ----------
    figures : mapping from candidate to mapping from criterion to Figure
    criteria : tuple of WeightedCriterion
    method : str
    flagged : OnFlag
        Whether flagged figures stand at the worst end of their scale. Not at the worst end of
        their interval: an attack without gradients, or a head that gives one answer only, has a
        narrow interval around a perfect value.
    """
    scored = [
        name
        for name, known in sorted(figures.items())
        if all(c.criterion in known and known[c.criterion].value is not None for c in criteria)
    ]
    table = [[figures[name][c.criterion] for c in criteria] for name in scored]
    shape = (len(scored), len(criteria))
    barred = np.array([[figure.earns_nothing(flagged) for figure in row] for row in table])
    barred = barred.astype(np.bool_).reshape(shape)
    worst = np.array([criterion.worst for criterion in criteria])
    values = np.array([[figure.value for figure in row] for row in table], dtype=np.float64)
    values = np.where(barred, worst, values.reshape(shape))
    weights = np.array([criterion.weight for criterion in criteria])
    return Matrix(tuple(scored), criteria, values, weights, method, flagged, barred)
