"""What would change the choice: each weight's interval, the smallest change, a criterion less.

A method that compares two candidates by a sum that is linear in the weights has a `utility`, so
that the points where they draw level are solved for. One that has a `lead` compares them by a
polynomial in one weight's share, whose roots are found. For any other the points are searched for,
which may miss some, and never called exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, permutations
from typing import Final

import numpy as np

from advisor.ranking.findings import Flip, LeaveOneOut, Stability
from advisor.ranking.matrix import Mask, Matrix
from advisor.ranking.methods import METHODS
from advisor.ranking.scoring import Array

_SEARCH_STEPS: Final = 400
_HALVINGS: Final = 50
_REAL: Final = 1e-9


def stability(matrix: Matrix, choice: str, eligible: Sequence[str]) -> tuple[Stability, ...]:
    """The interval of each weight's share within which `choice` stays the best of the eligible.

    The other weights keep their proportions. The only weight there is has nothing to trade with.
    """
    rivals = [name for name in eligible if name != choice]
    return tuple(
        _stability(matrix, column, choice, rivals) for column in range(len(matrix.weights))
    )


def _stability(matrix: Matrix, column: int, choice: str, rivals: Sequence[str]) -> Stability:
    weight = float(matrix.weights[column])
    low, high = (0.0, None), (1.0, None)  # type: tuple[float, str | None], tuple[float, str | None]
    method = METHODS[matrix.method]
    exact = len(matrix.weights) == 1 or bool(method.utility or method.lead)
    for rival in rivals if len(matrix.weights) > 1 else ():
        if exact:
            below, above = _crossings(advantage(matrix, column, choice, rival), weight)
        else:
            below, above = _searched_crossings(matrix, column, choice, rival)
        low = max(low, (below, rival)) if below is not None else low
        high = min(high, (above, rival)) if above is not None else high
    name = matrix.criteria[column].criterion
    return Stability(name, weight, low[0], high[0], low[1], high[1], exact)


def advantage(matrix: Matrix, column: int, first: str, second: str) -> Array:
    """A polynomial in one weight's share, positive where `first` scores above `second`.

    Returns
    -------
    ndarray
        Its coefficients, that of the highest power first.
    """
    a, b = matrix.names.index(first), matrix.names.index(second)
    rest, scores = _rest(matrix, column), matrix.scores
    method = METHODS[matrix.method]
    if method.utility is None:
        assert method.lead is not None  # noqa: S101  # or the caller searches
        return method.lead(scores[a], scores[b], rest, column)
    utilities = method.utility(scores)
    lead = utilities[a] - utilities[b]
    at_none = float(np.delete(lead, column) @ rest)
    return np.array([float(lead[column]) - at_none, at_none])


def _rest(matrix: Matrix, column: int) -> Array:
    """The shares of all weights but one among themselves."""
    rest: Array = np.delete(matrix.weights, column) / (1.0 - matrix.weights[column])
    return rest


def _crossings(lead: Array, weight: float) -> tuple[float | None, float | None]:
    """The nearest shares below and above `weight` beyond which the lead is negative."""
    roots = np.roots(lead)
    real = np.sort(roots[np.abs(np.imag(roots)) < _REAL].real)
    inner = [float(root) for root in real if 0.0 < root < 1.0]
    edges = [0.0, *inner, 1.0]
    negative = [
        (left, right)
        for left, right in pairwise(edges)
        if right > left and np.polyval(lead, (left + right) / 2) < 0
    ]
    below = [min(right, weight) for left, right in negative if left < weight]
    above = [max(left, weight) for left, right in negative if right > weight]
    return max(below, default=None), min(above, default=None)


def _searched_crossings(
    matrix: Matrix, column: int, choice: str, rival: str
) -> tuple[float | None, float | None]:
    """As `_crossings`, on a grid of shares and then by bisection; a short stretch may be missed."""
    a, b = matrix.names.index(choice), matrix.names.index(rival)
    weight, rest = float(matrix.weights[column]), _rest(matrix, column)

    def behind(shares: Array) -> Mask:
        others = (1.0 - shares)[:, None] * rest
        result = matrix.combine(weights=np.insert(others, column, shares, axis=1))
        lost: Mask = result[:, a] < result[:, b]
        return lost

    shares = np.linspace(0.0, 1.0, _SEARCH_STEPS + 1)
    lost = shares[behind(shares)]

    def crossing(out: float) -> float | None:
        """Between the share `out`, at which the choice is behind, and the stated one."""
        inside = weight
        for _ in range(_HALVINGS):
            middle = (out + inside) / 2
            out, inside = (middle, inside) if behind(np.array([middle]))[0] else (out, middle)
        return None if out in {0.0, 1.0} else out

    below, above = lost[lost < weight], lost[lost > weight]
    return (
        crossing(float(below.max())) if below.size else None,
        crossing(float(above.min())) if above.size else None,
    )


def smallest_flip(matrix: Matrix, choice: str, eligible: Sequence[str]) -> Flip | None:
    """The smallest share of weight that has to change place until another draws level.

    None where no weights at all bring another one level, or where none were found by searching.
    """
    utility = METHODS[matrix.method].utility
    rivals = [name for name in eligible if name != choice]
    if utility is None:
        flips = [_search(matrix, choice, rival) for rival in rivals]
    else:
        utilities = utility(matrix.scores)
        flips = [_transport(matrix, utilities, choice, rival) for rival in rivals]
    found = [flip for flip in flips if flip is not None]
    return min(found, key=lambda flip: (flip.moved, flip.to)) if found else None


def _transport(matrix: Matrix, utilities: Array, choice: str, rival: str) -> Flip | None:
    """Exact for linear utilities: weight goes to the rival's best criterion, from its worst on.

    Each share moved from criterion i to the sink gains `lead[sink] - lead[i]`, so taking from the
    smallest lead first reaches level with the least moved.
    """
    names = matrix.names
    lead = utilities[names.index(rival)] - utilities[names.index(choice)]
    weights = matrix.weights.copy()
    gap, sink, moved = max(0.0, -float(weights @ lead)), int(np.argmax(lead)), 0.0
    if lead[sink] <= 0:
        return None
    for source in np.argsort(lead, kind="stable"):
        gain = float(lead[sink] - lead[source])
        if gap <= 0 or gain <= 0:
            break
        share = min(float(weights[source]), gap / gain)
        weights[source] -= share
        weights[sink] += share
        moved, gap = moved + share, gap - share * gain
    return Flip(rival, moved, _by_name(matrix, weights), exact=True)


def _search(matrix: Matrix, choice: str, rival: str) -> Flip | None:
    """The smallest move from one criterion to one other, on a grid and then by bisection."""
    best: Flip | None = None
    for source, sink in permutations(range(len(matrix.weights)), 2):
        moved = _first_level(matrix, choice, rival, source, sink)
        if moved is not None and (best is None or moved < best.moved):
            weights = _shift(matrix.weights, source, sink, np.array([moved]))[0]
            best = Flip(rival, moved, _by_name(matrix, weights), exact=False)
    return best


def _first_level(matrix: Matrix, choice: str, rival: str, source: int, sink: int) -> float | None:
    a, b = matrix.names.index(rival), matrix.names.index(choice)

    def lead(shares: Array) -> Array:
        result = matrix.combine(weights=_shift(matrix.weights, source, sink, shares))
        difference: Array = result[..., a] - result[..., b]
        return difference

    shares = np.linspace(0.0, float(matrix.weights[source]), _SEARCH_STEPS)
    level = np.flatnonzero(lead(shares) >= 0)
    if level.size == 0:
        return None
    high = float(shares[level[0]])
    low = float(shares[max(0, level[0] - 1)])
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if lead(np.array([middle]))[0] >= 0 else (middle, high)
    return high


def _shift(weights: Array, source: int, sink: int, shares: Array) -> Array:
    moved = np.repeat(weights[None, :], len(shares), axis=0)
    moved[:, source] -= shares
    moved[:, sink] += shares
    return moved


def _by_name(matrix: Matrix, weights: Array) -> dict[str, float]:
    names = [criterion.criterion for criterion in matrix.criteria]
    return dict(zip(names, np.maximum(weights, 0.0).tolist(), strict=True))


def leave_one_out(matrix: Matrix, eligible: Sequence[str]) -> tuple[LeaveOneOut, ...]:
    """The choice without each criterion in turn; empty where there is only one."""
    if len(matrix.weights) == 1:
        return ()
    return tuple(_without(matrix, column, eligible) for column in range(len(matrix.weights)))


def _without(matrix: Matrix, column: int, eligible: Sequence[str]) -> LeaveOneOut:
    weights = matrix.weights.copy()
    weights[column] = 0.0
    order = matrix.order(eligible, matrix.combine(weights=weights / weights.sum()))
    return LeaveOneOut(matrix.criteria[column].criterion, order[0] if order else None, order)
