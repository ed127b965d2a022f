"""The common order: every head its own batches, every clip read once and held while needed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.training.batches import Batch, batches, pass_order, rounds


@given(st.integers(1, 300), st.integers(1, 80))
@settings(max_examples=100, deadline=None)
def test_batches_drop_only_the_last_incomplete_one(clips: int, size: int) -> None:
    order = pass_order(clips, seed=8, number=3)
    found = batches(order, range(clips), size)
    seen = [position for batch in found for position in batch]
    assert len(seen) == len(set(seen))
    assert {len(batch) for batch in found} == {min(size, clips)}
    assert clips - len(seen) < size


def test_each_pass_has_an_order_of_its_own_that_can_be_drawn_again() -> None:
    orders = {tuple(pass_order(50, seed=8, number=number)) for number in range(12)}
    assert len(orders) == 12
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert pass_order(50, seed=8, number=1) == pass_order(50, seed=8, number=1)


@given(
    st.integers(1, 120),
    st.lists(st.floats(0.02, 1.0), min_size=1, max_size=5),
    st.integers(1, 40),
    st.integers(0, 999),
)
@settings(max_examples=150, deadline=None)
def test_rounds_give_every_head_its_own_batches_and_read_each_clip_once(
    clips: int, shares: list[float], size: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    order = rng.permutation(clips).tolist()
    parts = [frozenset(np.flatnonzero(rng.random(clips) < share).tolist()) for share in shares]
    parts = [part or frozenset({0}) for part in parts]
    taken: dict[int, list[Batch]] = {head: [] for head in range(len(parts))}
    held: set[int] = set()
    read: list[int] = []
    for turn in rounds(order, parts, size):
        held |= set(turn.read)
        read += turn.read
        for head, batch in turn.batches.items():
            assert held.issuperset(batch)
            taken[head].append(batch)
        held -= set(turn.done)
    assert not held
    assert len(read) == len(set(read))
    assert set(read) == {p for own in taken.values() for batch in own for p in batch}
    for head, part in enumerate(parts):
        assert taken[head] == batches(order, part, size)
