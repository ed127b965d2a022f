"""The head's rearrangements against the head as the protocol words it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from profiler.training.head import Head, mix_layers


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


def _head() -> Head:
    torch.manual_seed(0)
    head = Head(layers=3, features=6, classes=4, width=8)
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
    head, clips = _head(), _clips([3, 17, 40])
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
    head = Head(layers=5, features=2, classes=2, width=3)
    assert head.layer_weights.tolist() == pytest.approx([0.2] * 5)


def test_dropout_between_the_convolutions_is_torchs_own() -> None:
    """With the same mask, values and gradients are those of nn.functional.dropout's formula."""
    frames = torch.randn(30, 8, generator=torch.Generator().manual_seed(1))
    kept = (torch.rand(30, 8, generator=torch.Generator().manual_seed(2)) >= 0.2).float() / 0.8
    head, lengths = _head(), [4, 11, 15]
    results = []
    for fused in (True, False):
        head.zero_grad()
        mixed = frames[:, :6].clone().requires_grad_(True)
        if fused:
            seen = head.embed(mixed, lengths, kept)
        else:
            active = torch.relu(head.first(mixed)) * kept
            pooled = torch.stack([part.mean(dim=0) for part in torch.split(active, lengths)])
            seen = torch.relu(head.hidden(head.second(pooled)))
        torch.autograd.backward(seen.square().sum())
        assert mixed.grad is not None
        gradients = [p.grad.clone() for p in head.parameters() if p.grad is not None]
        results.append([seen.detach(), mixed.grad, *gradients])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)
