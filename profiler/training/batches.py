"""Which clips a head sees in which step, when many heads read the same clips once per epoch.

All heads go through the clips in one random order per pass; each head's own order is that one,
restricted to its training part. So a head's batches do not depend on which other heads are trained
beside it, and heads that share clips want them at almost the same time.

Repetitions begin one pass after the other: at the same epoch no two of them see the clips in the
same order, since what the order does to a head is part of what repetitions are there to show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")

Batch = tuple[int, ...]
"""Positions of the clips of one training step."""


@dataclass(frozen=True, slots=True)
class Round:
    """A stretch of the common order: the clips to read, the steps then due, the clips then done.

    `batches` holds at most one step of each head, by the head's index.
    """

    read: tuple[int, ...]
    batches: dict[int, Batch]
    done: tuple[int, ...]


def pass_order(clips: int, *, seed: int, number: int) -> list[int]:
    """The common order of positions 0 to `clips` - 1 in the pass of that number (from 0)."""
    order: list[int] = np.random.default_rng([seed, number]).permutation(clips).tolist()
    return order


def batches(order: Sequence[int], part: Collection[int], size: int) -> list[Batch]:
    """One head's batches: `order` restricted to `part`; the last incomplete one is dropped.

    A part smaller than one batch is one batch, so that it trains at all.

    Examples
    --------
    >>> batches([3, 1, 4, 0, 2], {0, 1, 2, 3}, 2)
    [(3, 1), (0, 2)]
    """
    own = [position for position in order if position in part]
    size = min(size, len(own))
    return [tuple(own[start : start + size]) for start in range(0, len(own) - size + 1, size)]


def rounds(order: Sequence[int], parts: Sequence[Collection[int]], size: int) -> Iterator[Round]:
    """One epoch in rounds: each clip that a head uses is read once, and held until it is done.

    Parameters
    ----------
    order : sequence of int
    parts : sequence of collections of int
        The training part of each head, as positions.
    size : int
        Clips per step, and per round.
    """
    reached = {position: place // size for place, position in enumerate(order)}
    due: defaultdict[int, dict[int, Batch]] = defaultdict(dict)
    last: dict[int, int] = {}
    for head, part in enumerate(parts):
        for batch in batches(order, part, size):
            number = reached[batch[-1]]
            due[number][head] = batch
            last |= {position: max(number, last.get(position, 0)) for position in batch}
    leaving: defaultdict[int, list[int]] = defaultdict(list)
    for position, number in last.items():
        leaving[number].append(position)
    for number, stretch in enumerate(chunks(order, size)):
        read = tuple(position for position in stretch if position in last)
        yield Round(read, due[number], tuple(leaving[number]))


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Neighbouring items, `size` at a time; the last may be fewer."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
