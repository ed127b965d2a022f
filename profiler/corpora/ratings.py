"""Ratings of arousal, dominance and valence as corpora print them, mapped to [0, 1].

A rating outside the corpus' own scale is left out and named in a note: it is somebody's slip, and
what was meant nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from profiles_db.dimensions import DIMENSIONS, Dimension, RatingScale
from profiles_db.errors import CorpusError

UNRATED: Final = frozenset({"", "nan", "na", "n/a"})
"""How tables say that there is no rating."""
MOST_NAMED: Final = 5


class Ratings:
    """The ratings of one corpus, all on one scale.

    Parameters
    ----------
    scale : RatingScale

    Examples
    --------
    >>> ratings = Ratings(RatingScale(1, 5))
    >>> ratings.of("a", {"arousal": "3.0", "valence": "5.5"}, "table:1")
    {'arousal': 0.5}
    >>> ratings.notes()
    ('Ratings outside 1 to 5 are left out: valence 5.5 of a.',)
    """

    def __init__(self, scale: RatingScale) -> None:
        self._scale = scale
        self._outside: list[str] = []

    def of(self, clip: str, cells: Mapping[Any, str], where: str) -> dict[Dimension, float]:
        """The ratings of a clip in [0, 1], without those that are empty or NaN or off the scale.

        Parameters
        ----------
        clip : str
        cells : mapping from dimension to str
            As printed; a dimension that is lacking is not rated.
        where : str
            The clip's line, for errors.

        Raises
        ------
        CorpusError
            If a cell holds no number.
        """
        found: dict[Dimension, float] = {}
        for dimension in DIMENSIONS:
            text = cells.get(dimension, "").strip()
            if text.lower() in UNRATED:
                continue
            try:
                rating = float(text)
            except ValueError:
                raise CorpusError(f"{dimension} {text!r:.40} is no number", where=where) from None
            if self._scale.holds(rating):
                found[dimension] = self._scale.unit(rating)
            else:
                self._outside.append(f"{dimension} {rating:g} of {clip}")
        return found

    def notes(self) -> tuple[str, ...]:
        """What was left out, in a line."""
        if not self._outside:
            return ()
        named = ", ".join(self._outside[:MOST_NAMED])
        more = len(self._outside) - MOST_NAMED
        rest = f", and {more} more" if more > 0 else ""
        return (f"Ratings outside {self._scale} are left out: {named}{rest}.",)
