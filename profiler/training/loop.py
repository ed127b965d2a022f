"""Heads trained together on cached features: each clip is read once per epoch for all of them.

What comes out is what each head would become alone, bit for bit on one number of threads: the
heads share the reading and widening of the clips, never a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import torch
from torch import Tensor

from profiler.features.entry import States
from profiler.machine import HEAP
from profiler.training.batches import Batch, chunks, pass_order, rounds
from profiler.training.head import Head
from profiler.training.learner import Learner
from profiler.training.mixing import Clips, Packing, Read, mix, mix_gradients
from profiler.training.tuning import TunedLearner

EVALUATION_CLIPS: Final = 16
"""Clips that are read at a time where nothing is learned."""
MIXED_BYTES: Final = 128 * 2**20
"""Mixed frames of the heads that take a step at the same time; the others wait for the next go."""


def train(
    learners: Sequence[Learner],
    read: Read,
    clips: int,
    *,
    batch_size: int,
    seed: int,
    after_epoch: Callable[[], None] = lambda: None,
) -> None:
    """Bring all learners to their last epoch, each from where it is.

    Parameters
    ----------
    learners : sequence of Learner
    read : callable
    clips : int
        All clips that `read` knows; their order is drawn for all, whoever is trained.
    batch_size : int
    seed : int
        Of the orders, one per pass over the clips.
    after_epoch : callable, optional
    """
    last = (one.recipe.first_pass + one.recipe.epochs for one in learners)
    for number in range(max(last, default=0)):
        active = [
            one
            for one in learners
            if one.epoch < one.recipe.epochs and one.recipe.first_pass + one.epoch == number
        ]
        if active:
            _epoch(active, read, pass_order(clips, seed=seed, number=number), batch_size)
            after_epoch()


def _epoch(learners: Sequence[Learner], read: Read, order: Sequence[int], batch_size: int) -> None:
    for learner in learners:
        learner.begin_epoch()
    held: dict[int, States] = {}
    parts = [frozenset(learner.training.positions) for learner in learners]
    for turn in rounds(order, parts, batch_size):
        held |= zip(turn.read, read(turn.read), strict=True)
        steps = [(learners[head], batch) for head, batch in turn.batches.items()]
        for learner, batch in steps:
            if isinstance(learner, TunedLearner):
                learner.take(batch, [held[position] for position in batch])
        upon_frozen = [step for step in steps if not isinstance(step[0], TunedLearner)]
        for some in _fitting(upon_frozen, held):
            _steps(some, held)
        for position in turn.done:
            del held[position]
    together = [one for one in learners if not isinstance(one, TunedLearner)]
    dev = [(learner.head, learner.dev.positions) for learner in together]
    for learner, seen in zip(together, embed(dev, read), strict=True):
        learner.end_epoch(learner.head.answer(seen))
    for learner in learners:
        if isinstance(learner, TunedLearner):
            own = [(learner.head, learner.dev.positions)]
            (seen,) = embed(own, learner.head.upon(read))
            learner.end_epoch(learner.head.answer(seen))


def _steps(steps: Sequence[tuple[Learner, Batch]], clips: Clips) -> None:
    """One step of each learner."""
    packings = [Packing.of(batch, clips) for _, batch in steps]
    weights = [learner.head.layer_weights.detach() for learner, _ in steps]
    mixed = mix(weights, packings, clips)
    gradients = [
        # Let go of each as its gradient, as large, takes its place.
        learner.learn(batch, mixed.pop(0), packing.lengths)
        for (learner, batch), packing in zip(steps, packings, strict=True)
    ]
    # With a single hidden state its weight is 1 whatever is learned.
    several = len(weights[0]) > 1
    by_weight = mix_gradients(gradients, packings, clips) if several else [None] * len(steps)
    for (learner, _), gradient in zip(steps, by_weight, strict=True):
        learner.step(gradient)


def _fitting(
    steps: Sequence[tuple[Learner, Batch]], clips: Clips
) -> Iterator[list[tuple[Learner, Batch]]]:
    """The steps in groups whose mixed frames fit together into `MIXED_BYTES`."""
    group: list[tuple[Learner, Batch]] = []
    size = 0
    for learner, batch in steps:
        own = sum(4 * clips[p].shape[1] * clips[p].shape[2] for p in batch)
        if group and size + own > MIXED_BYTES:
            yield group
            group, size = [], 0
        group.append((learner, batch))
        size += own
    if group:
        yield group


@torch.no_grad()
def embed(
    heads: Sequence[tuple[Head, Sequence[int]]],
    read: Read,
    visit: Callable[[int, States], None] | None = None,
) -> list[Tensor]:
    """What each head's last layer sees of its clips, in one pass over all clips.

    Parameters
    ----------
    heads : sequence of (Head, positions)
    read : callable
    visit : callable, optional
        Called with the position and the hidden states of each clip read.

    Returns
    -------
    list of Tensor
        For each head, on the CPU, shape (its positions, width), in their order.
    """
    wanted = [frozenset(positions) for _, positions in heads]
    found: list[dict[int, Tensor]] = [{} for _ in heads]
    for chunk in chunks(sorted(frozenset[int]().union(*wanted)), EVALUATION_CLIPS):
        clips = dict(zip(chunk, read(chunk), strict=True))
        if visit is not None:
            for position, states in clips.items():
                visit(position, states)
        own = [tuple(p for p in chunk if p in part) for part in wanted]
        ready = [index for index, positions in enumerate(own) if positions]
        packings = [Packing.of(own[index], clips) for index in ready]
        weights = [heads[index][0].layer_weights for index in ready]
        mixed = mix(weights, packings, clips)
        for index, packing, frames in zip(ready, packings, mixed, strict=True):
            rows = heads[index][0].embed(frames, packing.lengths).cpu()
            found[index] |= zip(packing.positions, rows, strict=True)
        HEAP.tidy()
    return [
        torch.stack([rows[position] for position in positions])
        for rows, (_, positions) in zip(found, heads, strict=True)
    ]
