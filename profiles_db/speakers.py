"""Whom two models serve best and worst: whether they order the speakers alike.

Wagner et al. (IEEE TPAMI 2023, doi:10.1109/TPAMI.2023.3263585) compare models so, by Spearman's
rank correlation of the speakers' figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from profiles_db.profile import Profile

SPEAKER: Final = "speaker"
SPEAKER_UAR: Final = "speaker_uar"
"""UAR of one speaker, whom its statistic names: a figure of the measure `groups`."""
FEWEST: Final = 3
"""Speakers that an order is compared over; of two, any two orders agree or are opposite."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Spearman's rank correlation over so many speakers, or the reason why it is unknown."""

    rho: float | None
    speakers: int
    unknown: str | None = None


def speaker_agreement(first: Profile, second: Profile) -> Agreement:
    """Whether two profiles order the speakers alike by how well they are recognised.

    Parameters
    ----------
    first, second : Profile
        Both with the measure `groups`, of one study.

    Returns
    -------
    Agreement
        1 where the orders are the same, -1 where one is the other's reverse.
    """
    if first.basis("speaker_uar_deviation") != second.basis("speaker_uar_deviation"):
        return Agreement(None, 0, "the profiles were measured with other settings")
    values = [_by_speaker(profile) for profile in (first, second)]
    shared = sorted(values[0].keys() & values[1].keys())
    if len(shared) < FEWEST:
        lacking = "no speaker" if not shared else f"only {len(shared)} of the speakers"
        return Agreement(None, len(shared), f"{lacking} has a figure of the measure groups in both")
    rho = spearman(*([own[speaker] for speaker in shared] for own in values))
    if rho is None:
        return Agreement(None, len(shared), "a profile serves all speakers alike")
    return Agreement(rho, len(shared))


def _by_speaker(profile: Profile) -> dict[str, float]:
    return {
        m.statistic: m.value
        for m in profile.measurements
        if m.criterion == SPEAKER_UAR and m.statistic is not None and m.value is not None
    }


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; None where one side does not vary.

    Examples
    --------
    >>> spearman([0.5, 0.6, 0.9], [0.2, 0.3, 0.4]), spearman([1, 2], [2, 1])
    (1.0, -1.0)
    """
    one, other = _ranks(first), _ranks(second)
    mean = (len(one) + 1) / 2
    both = sum((a - mean) * (b - mean) for a, b in zip(one, other, strict=True))
    squares = sum((a - mean) ** 2 for a in one) * sum((b - mean) ** 2 for b in other)
    return both / math.sqrt(squares) if squares else None


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    done = 0
    for _, some in groupby(order, key=values.__getitem__):
        members = list(some)
        for member in members:
            ranks[member] = done + (len(members) + 1) / 2
        done += len(members)
    return ranks
