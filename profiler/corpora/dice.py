"""Random numbers that are the same with every NumPy, for clips that are the same everywhere.

NumPy guarantees the raw words of PCG64 and the seeding by SeedSequence for ever, but not what a
`Generator` makes of them (NEP 19).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Dice:
    """Numbers made from the raw words of PCG64 alone.

    Examples
    --------
    >>> Dice(0, 1).uniform(0, 1, 2) == Dice(0, 1).uniform(0, 1, 2)
    array([ True,  True])
    """

    def __init__(self, *seed: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seed))

    def uniform(self, low: float, high: float, size: int) -> Floats:
        """`size` numbers in [low, high), with 53 random bits each."""
        words = np.asarray(self._bits.random_raw(size), dtype=np.uint64) >> np.uint64(11)
        return low + (high - low) * (words.astype(np.float64) * 2.0**-53)

    def one(self, low: float, high: float) -> float:
        """One number in [low, high)."""
        return float(self.uniform(low, high, 1)[0])

    def spread(self, width: float) -> float:
        """One number around 0 in (-width, width), triangular: the middle is likelier."""
        return float(self.uniform(-width / 2, width / 2, 2).sum())
