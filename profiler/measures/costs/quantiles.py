"""Quantiles of repeated timings, with intervals that assume no distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile with its 95 % interval; an end is None where the sample is too small for it."""

    value: float
    low: float | None
    high: float | None

    def divided_by(self, divisor: float) -> Quantile:
        """The same quantile in another unit."""
        ends = (None if end is None else end / divisor for end in (self.low, self.high))
        return Quantile(self.value / divisor, *ends)


def quantile(values: Sequence[float], level: float) -> Quantile:
    """The quantile `level` of `values`, with its 95 % interval.

    The value is the smallest that at least the share `level` of the sample does not exceed. The
    ends of the interval are order statistics whose ranks follow from the binomial distribution
    (David and Nagaraja, "Order Statistics", 3rd ed., section 7.1), each with at most 2.5 % beyond.

    Parameters
    ----------
    values : sequence of float, at least one
    level : float, in (0, 1)

    Examples
    --------
    >>> quantile(range(1, 101), 0.5)
    Quantile(value=50, low=40, high=61)
    >>> quantile([0.2, 0.1, 0.3], 0.95)
    Quantile(value=0.3, low=0.2, high=None)
    """
    ordered = sorted(values)
    low, high = _ranks(len(ordered), level)
    return Quantile(
        value=ordered[math.ceil(level * len(ordered)) - 1],
        low=ordered[low - 1] if low >= 1 else None,
        high=ordered[high - 1] if high <= len(ordered) else None,
    )


def _ranks(n: int, level: float) -> tuple[int, int]:
    """Ranks, from 1, of the interval's ends; 0 or n + 1 where the sample does not reach."""
    tail = (1 - CONFIDENCE) / 2
    below = 0.0  # probability that fewer than `rank` values lie below the true quantile
    low, high = 0, n + 1
    for rank in range(1, n + 1):
        below += math.comb(n, rank - 1) * level ** (rank - 1) * (1 - level) ** (n - rank + 1)
        if below <= tail:
            low = rank
        elif below >= 1 - tail:
            high = rank
            break
    return low, high
