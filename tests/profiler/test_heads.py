"""The head's rearrangements against the head as the protocol words it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from profiler.heads import Head, mix_layers
from profiler.protocol import Protocol
from profiler.training import (
    Examples,
    Recipe,
    Trained,
    batches,
    class_weights,
    embed,
    predict,
    train,
)


def _as_worded(head: Head, clips: list[Tensor]) -> Tensor:
    """Zero-padded batch, two Conv1d, masked mean over frames, two linear layers."""
    frames = torch.tensor([clip.shape[1] for clip in clips])
    longest = int(frames.max())
    padded = torch.stack(
        [nn.functional.pad(clip.float(), (0, 0, 0, longest - clip.shape[1])) for clip in clips]
    )
    weights = torch.softmax(head.layer_logits, dim=0)
    mixed = (weights[None, :, None, None] * padded).sum(dim=1)
    states = mixed.transpose(1, 2)
    for index, linear in enumerate((head.first, head.second)):
        states = nn.functional.conv1d(states, linear.weight.unsqueeze(2), linear.bias)
        states = torch.relu(states) if index == 0 else states
    mask = (torch.arange(longest)[None] < frames[:, None]).unsqueeze(1)
    pooled = (states * mask).sum(dim=2) / frames[:, None]
    logits: Tensor = head.output(torch.relu(head.hidden(pooled)))
    return logits


def _head(dropout: float = 0.0) -> Head:
    torch.manual_seed(0)
    head = Head(layers=3, features=6, classes=4, width=8, dropout=dropout)
    nn.init.normal_(head.layer_logits)
    return head


def _clips(lengths: list[int], seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(3, length, 6, generator=generator).half() for length in lengths]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_packed_head_equals_the_padded_one_and_so_do_its_gradients(
    lengths: list[int], seed: int
) -> None:
    head, clips = _head(), _clips(lengths, seed)
    results = []
    for forward in (head, lambda clips: _as_worded(head, clips)):
        head.zero_grad()
        logits = forward(clips)
        torch.autograd.backward(logits.square().sum())
        gradients = [p.grad.clone() for p in head.parameters() if p.grad is not None]
        results.append([logits.detach(), *gradients])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=2e-5)


def test_a_clips_logits_do_not_depend_on_its_neighbours() -> None:
    head, clips = _head().eval(), _clips([3, 17, 40])
    together = head(clips)
    for index, clip in enumerate(clips):
        torch.testing.assert_close(head([clip])[0], together[index], rtol=1e-6, atol=1e-6)


def test_mixing_carries_the_gradient_to_hidden_states_too() -> None:
    clip = _clips([5])[0].float().requires_grad_(True)
    weights = torch.tensor([0.2, 0.3, 0.5])
    torch.autograd.backward(mix_layers(weights, [clip]).sum())
    assert clip.grad is not None
    for layer, weight in enumerate(weights):
        assert torch.allclose(clip.grad[layer], weight)


def test_layer_weights_start_equal() -> None:
    head = Head(layers=5, features=2, classes=2, width=3, dropout=0.1)
    assert head.layer_weights.tolist() == pytest.approx([0.2] * 5)


def _separable(clips: int, seed: int) -> Examples:
    """Clips whose class shows in one feature of one layer only."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(clips) % 2
    features = []
    for target in targets:
        states = torch.randn(3, 12, 6, generator=generator)
        states[1, :, 2] += 2.0 * (2 * target - 1)
        features.append(states.half())
    return Examples(load=lambda positions: [features[p] for p in positions], targets=targets)


def _new_head(protocol: Protocol, classes: int) -> Head:
    return Head(
        layers=3,
        features=6,
        classes=classes,
        width=protocol.hidden_size,
        dropout=protocol.dropout,
    )


def _train(protocol: Protocol, recipe: Recipe) -> Trained:
    return train(
        partial(_new_head, protocol),
        _separable(96, 0),
        _separable(32, 1),
        recipe,
        protocol,
        device=torch.device("cpu"),
    )


RECIPE = Recipe(classes=2, epochs=12, score="uar", class_weighting="inverse_frequency", seed=8)
QUICK = Protocol(batch_size=16, learning_rate=5e-3, hidden_size=16)


def test_training_finds_the_layer_and_the_class() -> None:
    trained = _train(QUICK, RECIPE)
    test = _separable(64, 2)
    right = (predict(trained.head, test).argmax(dim=1) == test.targets).float().mean()
    assert right > 0.95
    assert int(trained.head.layer_weights.argmax()) == 1
    assert embed(trained.head, test).shape == (64, 16)
    assert not trained.head.training


def test_training_is_deterministic_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    first = _train(QUICK, RECIPE)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(7)
    second = _train(QUICK, RECIPE)
    assert first.log == second.log
    for name, values in first.head.state_dict().items():
        assert torch.equal(values, second.head.state_dict()[name]), name


def test_the_best_dev_epoch_is_kept() -> None:
    trained = _train(QUICK, RECIPE)
    scores = [log.dev_score for log in trained.log]
    assert trained.best_epoch == scores.index(max(scores)) + 1
    dev = _separable(32, 1)
    right = (predict(trained.head, dev).argmax(dim=1) == dev.targets).float()
    by_class = [right[dev.targets == c].mean().item() for c in (0, 1)]
    assert np.mean(by_class) == pytest.approx(max(scores))


def test_the_learning_rate_falls_to_its_floor_when_the_dev_loss_stalls() -> None:
    noise = Examples(
        load=lambda positions: [torch.zeros(3, 4, 6).half() for _ in positions],
        targets=torch.arange(32) % 2,
    )
    protocol = Protocol(
        batch_size=16, plateau_patience=0, plateau_factor=0.1, min_learning_rate=2e-4
    )
    recipe = Recipe(classes=2, epochs=25, score="uar", class_weighting="none", seed=0)
    trained = train(
        partial(_new_head, protocol), noise, noise, recipe, protocol, device=torch.device("cpu")
    )
    rates = [log.learning_rate for log in trained.log]
    assert rates[0] == 5e-4
    assert rates[-1] == pytest.approx(2e-4)


def test_class_weights_are_inverse_frequencies_that_sum_to_one() -> None:
    targets = torch.tensor([0, 0, 0, 1, 3, 3])
    recipe = Recipe(classes=4, epochs=1, score="uar", class_weighting="inverse_frequency", seed=0)
    weights = class_weights(targets, recipe)
    assert weights.tolist() == pytest.approx([2 / 11, 6 / 11, 0.0, 3 / 11])
    plain = Recipe(classes=4, epochs=1, score="uar", class_weighting="none", seed=0)
    assert class_weights(targets, plain).tolist() == [1.0] * 4


@given(st.integers(1, 300), st.integers(1, 80))
@settings(max_examples=100, deadline=None)
def test_batches_drop_only_the_last_incomplete_one(clips: int, size: int) -> None:
    found = list(batches(clips, size, np.random.default_rng(0)))
    seen = [position for batch in found for position in batch]
    assert len(seen) == len(set(seen))
    assert {len(batch) for batch in found} == {min(size, clips)}
    assert clips - len(seen) < size
