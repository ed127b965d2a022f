"""Who is at least as good as whom on everything: dominance and Pareto fronts, on plain values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from advisor.ranking.findings import Plane, WeightedCriterion
from advisor.ranking.matrix import Mask, Matrix
from advisor.ranking.scoring import Array
from advisor.records import Figure, StudyRecord
from profiles_db.criteria import CRITERIA, Aspect


def dominators(values: Array, signs: Array, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """For each alternative, those at least as good on every criterion and better on one.

    Parameters
    ----------
    values : ndarray, shape (alternatives, criteria)
        No NaN.
    signs : ndarray, shape (criteria,)
        1 where more is better, -1 where less is.
    names : tuple of str

    Examples
    --------
    >>> dominators(np.array([[1.0, 1.0], [2.0, 1.0]]), np.array([1, -1]), ("a", "b"))
    {'a': ('b',), 'b': ()}
    """
    good = values * signs
    no_worse: Mask = np.all(good[:, None, :] >= good[None, :, :], axis=-1)
    better: Mask = np.any(good[:, None, :] > good[None, :, :], axis=-1)
    dominates: Mask = no_worse & better
    return {
        name: tuple(other for other, beats in zip(names, dominates[:, i], strict=True) if beats)
        for i, name in enumerate(names)
    }


def dominators_of(matrix: Matrix) -> dict[str, tuple[str, ...]]:
    """Dominance over all weighted criteria, on values, so that no scale's end hides an edge.

    A figure that earns nothing is as bad as any: it gives no edge over another.
    """
    signs = np.array([_sign(criterion.criterion) for criterion in matrix.criteria])
    values = np.where(matrix.barred, -np.inf * signs, matrix.values)
    return dominators(values, signs, matrix.names)


def _sign(criterion: str) -> float:
    return 1.0 if CRITERIA[criterion].direction == "maximise" else -1.0


def plane(matrix: Matrix, figures: Mapping[str, Mapping[str, Figure]], study: StudyRecord) -> Plane:
    """The front of performance against cost, over all candidates with both figures to rely on."""
    x = _representative("sustainability", matrix.criteria, study)
    y = _representative("system_performance", matrix.criteria, study)
    rows = {
        name: (known[x].value, known[y].value)
        for name, known in sorted(figures.items())
        if x in known
        and y in known
        and not any(known[criterion].earns_nothing(matrix.flagged) for criterion in (x, y))
    }
    points = {name: row for name, row in rows.items() if None not in row}
    values = np.array(list(points.values()), dtype=np.float64).reshape(len(points), 2)
    found = dominators(values, np.array([_sign(x), _sign(y)]), tuple(points))
    cost = dict(zip(points, (values[:, 0] * -_sign(x)).tolist(), strict=True))
    front = sorted((name for name, by in found.items() if not by), key=lambda n: (cost[n], n))
    return Plane(x, y, tuple(front))


def _representative(
    aspect: Aspect, criteria: tuple[WeightedCriterion, ...], study: StudyRecord
) -> str:
    weighted = [c for c in criteria if c.aspect == aspect]
    if weighted:
        return max(weighted, key=lambda c: c.weight).criterion
    return study.standing_for(aspect)
