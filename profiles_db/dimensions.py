"""The dimensions of emotion that clips may be rated on, and ratings as numbers in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Dimension = Literal["arousal", "dominance", "valence"]
DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)
"""In the order of every array and table."""

PEARSON: Final = "Pearson's correlation"
ERROR: Final = "mean absolute error"
TESTS: Final = "stress tests passed"
"""Statistics that stand beside a concordance correlation; the error beside its gap too."""


@dataclass(frozen=True, slots=True)
class RatingScale:
    """The two ends of the scale that clips were rated on.

    Examples
    --------
    >>> RatingScale(1, 7).unit(4.0), RatingScale(-1, 1).unit(1.0)
    (0.5, 1.0)
    """

    low: float
    high: float

    def holds(self, rating: float) -> bool:
        """Whether `rating` lies on the scale; NaN does not."""
        return self.low <= rating <= self.high

    def unit(self, rating: float) -> float:
        """`rating` mapped linearly to [0, 1], the ends to 0 and 1."""
        return (rating - self.low) / (self.high - self.low)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"
