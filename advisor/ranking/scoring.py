"""Ways to combine scores, as pure functions on arrays; `advisor.ranking.methods` lists them.

Each takes scores on fixed scales, shape (..., alternatives, criteria), in [0, 1], more is better,
and weights, shape (..., criteria), that sum to 1; each returns shape (..., alternatives), more is
better. Leading axes broadcast, so that thousands of draws are one call. Nothing is validated here:
NaN goes in and comes out, ties get equal results, a criterion of weight 0 changes nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PRODUCT_FLOOR: Final = 0.01
"""What a score below counts as in the weighted product, so that the end of one scale does not
erase all other criteria."""


def weighted_sum(scores: Array, weights: Array) -> Array:
    """Sum of weight times score: S = sum_j w_j s_j, in [0, 1].

    Examples
    --------
    >>> weighted_sum(np.array([[1.0, 0.0], [0.5, 0.8]]), np.array([0.75, 0.25]))
    array([0.75 , 0.575])
    """
    # A product and a sum round alike whatever else is in the batch; matmul need not.
    total: Array = np.sum(scores * weights[..., None, :], axis=-1)
    return total


def weighted_product(scores: Array, weights: Array) -> Array:
    """Product of scores raised to their weights: P = prod_j s_j^w_j (Bridgman, 1922), in [0, 1].

    A score of 0 with a weight above 0 gives 0; `floored_product` does not want that.

    Examples
    --------
    >>> weighted_product(np.array([[0.25, 1.0]]), np.array([0.5, 0.5]))
    array([0.5])
    """
    product: Array = np.prod(scores ** weights[..., None, :], axis=-1)
    return product


def floored_product(scores: Array, weights: Array) -> Array:
    """`weighted_product` of scores that are at least `PRODUCT_FLOOR`.

    Examples
    --------
    >>> floored_product(np.array([[0.0, 1.0]]), np.array([0.5, 0.5]))
    array([0.1])
    """
    return weighted_product(np.maximum(scores, PRODUCT_FLOOR), weights)


def topsis(
    scores: Array, weights: Array, ideal: float | Array = 1.0, worst: float | Array = 0.0
) -> Array:
    """Closeness to the ideal: C = d- / (d+ + d-), in [0, 1] (Hwang and Yoon, 1981).

    d+ and d- are the Euclidean distances of the weighted scores from the ideal and from the worst
    point. On fixed scales those are 1 and 0, not taken from the alternatives at hand, so that no
    alternative changes the others' closeness. Where all weights are on criteria whose ideal
    equals the worst, the result is NaN.

    Parameters
    ----------
    scores, weights : ndarray
    ideal, worst : float or ndarray, shape (criteria,)

    Examples
    --------
    >>> topsis(np.array([[1.0, 1.0], [0.5, 0.5]]), np.array([0.5, 0.5]))
    array([1. , 0.5])
    """
    spread = weights[..., None, :]
    to_ideal = np.sqrt(np.sum((spread * (ideal - scores)) ** 2, axis=-1))
    to_worst = np.sqrt(np.sum((spread * (scores - worst)) ** 2, axis=-1))
    closeness: Array = to_worst / (to_ideal + to_worst)
    return closeness


def promethee_ii(
    scores: Array, weights: Array, indifference: float = 0.0, preference: float = 0.0
) -> Array:
    """Net outranking flow, in [-1, 1] (Brans and Vincke, 1985).

    An alternative is preferred over another on a criterion by 0 up to a difference of
    `indifference`, by 1 from `preference` on, linearly between; with both 0 (the usual criterion)
    any advantage counts fully. Flows are means over the other alternatives, so that
    alternatives that come or go may reverse a rank. A single alternative has
    flow 0.

    Examples
    --------
    >>> promethee_ii(np.array([[1.0, 0.0], [0.5, 0.8]]), np.array([0.75, 0.25]))
    array([ 0.5, -0.5])
    """
    return weighted_sum(criterion_flows(scores, indifference, preference), weights)


def criterion_flows(scores: Array, indifference: float = 0.0, preference: float = 0.0) -> Array:
    """Net flow of each alternative on each criterion alone, shape as `scores`, in [-1, 1]."""
    net = np.zeros_like(scores)
    # One opponent at a time: all pairs of thousands of draws at once would fill the memory.
    for other in range(scores.shape[-2]):
        difference = scores - scores[..., other : other + 1, :]
        net += _advantage(difference, indifference, preference)
        net -= _advantage(-difference, indifference, preference)
    flows: Array = net / max(1, scores.shape[-2] - 1)
    return flows


def _advantage(difference: Array, indifference: float, preference: float) -> Array:
    if preference <= indifference:
        return (difference > indifference).astype(np.float64)
    share = (difference - indifference) / (preference - indifference)
    advantage: Array = np.clip(share, 0.0, 1.0)
    return advantage


def topsis_relative(scores: Array, weights: Array) -> Array:
    """TOPSIS with the best and the worst score among the alternatives as ideal and worst point.

    This is how Hwang and Yoon (1981) take them, on scores instead of normalised values. An
    alternative that comes or goes may move either point and reverse a rank. Where all alternatives
    are alike on everything that counts, each is as near to both points and gets 0.5.

    Examples
    --------
    >>> topsis_relative(np.array([[0.6, 0.5], [0.5, 0.5]]), np.array([0.5, 0.5]))
    array([1., 0.])
    """
    # The initial values are for no alternatives at all.
    ends = [
        np.max(scores, axis=-2, keepdims=True, initial=-np.inf),
        np.min(scores, axis=-2, keepdims=True, initial=np.inf),
    ]
    with np.errstate(invalid="ignore"):
        closeness = topsis(scores, weights, *ends)
    alike = np.all((ends[0] == ends[1]) | (weights[..., None, :] == 0), axis=-1)
    found: Array = np.where(alike, 0.5, closeness)
    return found


def vikor(scores: Array, weights: Array, strategy: float = 0.5) -> Array:
    """VIKOR's compromise, 1 - Q, in [0, 1] (Opricovic and Tzeng, 2004).

    Q = v S + (1 - v) R, from the group utility S = sum_j w_j (1 - s_j) and the largest regret
    R = max_j w_j (1 - s_j) / max_j w_j. The ends between which the source scales S and R are those
    of an ideal and a worst alternative, 1 and 0 on every scale, not those of the alternatives at
    hand, so that no alternative changes the others' Q. Only the order by Q is taken, not the
    conditions of acceptable advantage and stability. Weights that are all 0 give NaN.

    Parameters
    ----------
    scores, weights : ndarray
    strategy : float
        v, the weight of the group utility against the largest regret, in [0, 1].

    Examples
    --------
    >>> vikor(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0.5, 0.5]))
    array([0.25, 0.5 ])
    """
    regrets = weights[..., None, :] * (1.0 - scores)
    largest = np.max(regrets, axis=-1) / np.max(weights, axis=-1)[..., None]
    compromise: Array = 1.0 - strategy * np.sum(regrets, axis=-1) - (1.0 - strategy) * largest
    return compromise
