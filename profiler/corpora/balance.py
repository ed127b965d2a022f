"""Speakers assigned to the parts of a fold so that clips, classes and genders are spread evenly.

Only whole numbers are computed with, and ties go to the first speaker and part: one input has one
answer, on every machine and with every version of the libraries, as a study's name needs it.
scikit-learn's ``StratifiedGroupKFold`` compares rounded standard deviations, assigns each speaker
once and for all, and knows equal parts only; the tests compare the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

SCALE: Final = 2**24
"""All clips of a corpus, or all of a class, as a whole number of shares."""
ABSENCE: Final = 8 * SCALE**2
"""Weighs more than any difference in balance, which is at most 6 `SCALE` squared."""
MOST_EXCHANGED: Final = 400
"""With more speakers than these, single ones are moved, but none exchanged for another."""
MOST_STEPS: Final = 100


@dataclass(frozen=True, slots=True)
class Imbalance:
    """How far parts are from the shares meant for them; of two, the lesser is the better.

    Parameters
    ----------
    absences : int
        Pairs of a part and a class, or a gender, that the part lacks though someone has it.
    squares : float, in [0, 6]
        Sum over the parts of squared differences between the share of clips that a part holds and
        the share meant for it: of all clips, the mean over the classes, the mean over the genders.
    """

    absences: int
    squares: float


def imbalance(
    holdings: Integers, kinds: Sequence[int], parts: Sequence[int], shares: Sequence[int]
) -> Imbalance:
    """The imbalance of `parts`, computed from its definition.

    Parameters
    ----------
    holdings, kinds, shares
        As of `assign`.
    parts : sequence of int
        The part of each speaker.

    Examples
    --------
    >>> clips = np.array([[3], [1]])
    >>> imbalance(clips, [0], [0, 1], [1, 1])
    Imbalance(absences=0, squares=0.125)
    """
    held = np.zeros((len(shares), holdings.shape[1]), dtype=np.int64)
    np.add.at(held, np.asarray(parts), holdings)
    totals = held.sum(axis=0)
    meant = np.asarray(shares)[:, None] / sum(shares)
    squares = np.where(totals > 0, held / np.maximum(totals, 1) - meant, 0.0) ** 2
    weights = 1 / np.bincount(kinds)[np.asarray(kinds)]
    absences = int(((held == 0) & (totals > 0)).sum())
    return Imbalance(absences, float((squares.sum(axis=0) * weights).sum()))


def assign(holdings: Integers, kinds: Sequence[int], shares: Sequence[int]) -> list[int]:
    """Give every speaker a part, none of them empty, with as little imbalance as can be found.

    First each speaker, in descending size, goes to the part that then is the least out of balance.
    Then, as long as it helps, the one speaker is moved, or the two are exchanged, that make the
    imbalance least. Size is what a speaker holds of everything, squared and summed, so that one
    who speaks much of a rare class comes early. Up to `MOST_EXCHANGED` speakers, the search is
    also begun in the order of their clips, classes and genders, and the best result taken. It ends
    where no single step helps, or after `MOST_STEPS`: better divisions may exist.

    Parameters
    ----------
    holdings : array (speakers, columns) of counts >= 0
        Clips of each speaker: all of them, of each class, of each gender. At least as many
        speakers as parts.
    kinds : sequence of int, 0 to the number of kinds - 1
        The kind of each column, such as 0 for all clips, 1 for a class, 2 for a gender. Kinds
        weigh the same, and so do the columns of a kind.
    shares : sequence of int, positive
        What each part is to hold, relative to the others: ``[1] * 5`` for five equal parts.

    Returns
    -------
    list of int
        The part of each speaker.

    Examples
    --------
    >>> assign(np.array([[4], [2], [2], [8]]), [0], [1, 1])
    [1, 1, 1, 0]
    """
    scaled = _scaled(np.asarray(holdings, dtype=np.int64), kinds)
    starts = [(scaled**2).sum(axis=1)]
    if len(scaled) <= MOST_EXCHANGED:
        starts += [scaled[:, kind == np.asarray(kinds)].sum(axis=1) for kind in sorted(set(kinds))]
    assignments = [_assigned(scaled, shares, sizes) for sizes in starts]
    parts: list[int] = min(assignments, key=_Assignment.value).parts.tolist()
    return parts


def _assigned(scaled: Integers, shares: Sequence[int], sizes: Integers) -> _Assignment:
    assignment = _Assignment(scaled, shares)
    for speaker in np.argsort(-sizes, kind="stable"):
        assignment.add(int(speaker))
    for _ in range(MOST_STEPS):
        if not (assignment.move() or assignment.exchange()):
            break
    return assignment


def _scaled(holdings: Integers, kinds: Sequence[int]) -> Integers:
    """Each speaker's share of each column, in whole numbers whose squares carry the weights."""
    columns = np.bincount(kinds)[np.asarray(kinds)]
    unit = np.array([math.isqrt(SCALE**2 // int(count)) for count in columns], dtype=np.int64)
    scaled: Integers = holdings * unit // np.maximum(holdings.sum(axis=0), 1)
    return np.where((holdings > 0) & (scaled == 0), 1, scaled)


class _Assignment:
    """Speakers as they lie in their parts, and the steps that change it.

    `excess` is what each part holds beyond its share, `holders` how many speakers of each column
    it has. A change is valued in half the sum of squares, plus `ABSENCE` for each absence.
    """

    def __init__(self, scaled: Integers, shares: Sequence[int]) -> None:
        self.scaled = scaled
        self.held: Integers = (scaled > 0).astype(np.int64)
        self.lengths: Integers = (scaled**2).sum(axis=1)
        self.parts: Integers = np.full(len(scaled), -1, dtype=np.int64)
        weights = np.asarray(shares, dtype=np.int64)[:, None]
        self.excess: Integers = -(scaled.sum(axis=0) * weights // sum(shares))
        self.holders: Integers = np.zeros_like(self.excess)
        self.sizes: Integers = np.zeros(len(shares), dtype=np.int64)
        self.left = len(scaled)

    def value(self) -> int:
        """The imbalance as one number, the lesser the better."""
        absences = int(((self.holders == 0) & self.held.any(axis=0)).sum())
        return 2 * ABSENCE * absences + int((self.excess**2).sum())

    def add(self, speaker: int) -> None:
        """Put a speaker where it is needed most; into an empty part where no more are left."""
        gain = self.excess @ self.scaled[speaker]
        empty = self.sizes == 0
        if self.left <= int(empty.sum()):
            gain = np.where(empty, gain, np.iinfo(np.int64).max)
        self._put(speaker, int(gain.argmin()))
        self.left -= 1

    def move(self) -> bool:
        """Move the one speaker to the one part that helps most; False where no move helps."""
        every = np.arange(len(self.parts))
        gain = self.scaled @ self.excess.T
        gain += self.lengths[:, None] - gain[every, self.parts][:, None]
        alone = (self.held * (self.holders == 1)[self.parts]).sum(axis=1)
        gain += ABSENCE * (alone[:, None] - self.held @ (self.holders == 0).T)
        gain[every, self.parts] = 0
        gain[self.sizes[self.parts] == 1] = 0
        speaker, part = (int(index) for index in np.unravel_index(gain.argmin(), gain.shape))
        if gain[speaker, part] >= 0:
            return False
        self._take(speaker)
        self._put(speaker, part)
        return True

    def exchange(self) -> bool:
        """Exchange the two speakers that help most; False where no exchange helps."""
        if len(self.parts) > MOST_EXCHANGED:
            return False
        best, pair = 0, (0, 0)
        for one in range(len(self.sizes)):
            for other in range(one + 1, len(self.sizes)):
                gain, first, second = self._best_exchange(one, other)
                if gain < best:
                    best, pair = gain, (first, second)
        if not best:
            return False
        first, second = pair
        one, other = int(self.parts[first]), int(self.parts[second])
        self._take(first)
        self._take(second)
        self._put(first, other)
        self._put(second, one)
        return True

    def _best_exchange(self, one: int, other: int) -> tuple[int, int, int]:
        """Change by the best exchange between two parts, with the speakers of it."""
        firsts, seconds = (np.flatnonzero(self.parts == part) for part in (one, other))
        mine, theirs = self.scaled[firsts], self.scaled[seconds]
        slope = self.excess[other] - self.excess[one]
        gain = (mine @ slope + self.lengths[firsts])[:, None]
        gain = gain + (self.lengths[seconds] - theirs @ slope) - 2 * (mine @ theirs.T)
        lost = (self.holders[one] == 1).astype(np.int64) - (self.holders[other] == 0)
        back = (self.holders[other] == 1).astype(np.int64) - (self.holders[one] == 0)
        held, wanted = self.held[firsts], self.held[seconds]
        gain += ABSENCE * ((held * lost) @ (1 - wanted).T + (1 - held) @ (wanted * back).T)
        row, column = np.unravel_index(gain.argmin(), gain.shape)
        return int(gain[row, column]), int(firsts[row]), int(seconds[column])

    def _put(self, speaker: int, part: int) -> None:
        self._change(speaker, part, 1)
        self.parts[speaker] = part

    def _take(self, speaker: int) -> None:
        self._change(speaker, int(self.parts[speaker]), -1)

    def _change(self, speaker: int, part: int, sign: int) -> None:
        self.excess[part] += sign * self.scaled[speaker]
        self.holders[part] += sign * self.held[speaker]
        self.sizes[part] += sign
