"""The head's rearrangements against the head as the protocol words it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from profiler.settings import Pooling
from profiler.training.head import Head, mix_layers
from tests.profiler.worded_head import SHAPES, as_worded


def _head(pooling: Pooling = "mean", convolutions: int = 2) -> Head:
    torch.manual_seed(0)
    head = Head(
        layers=3, features=6, classes=4, width=8, pooling=pooling, convolutions=convolutions
    )
    nn.init.normal_(head.layer_logits)
    if head.attention is not None:  # strong enough that frames differ in weight
        nn.init.normal_(head.attention.weight, std=3.0)
    return head


def _clips(lengths: list[int], seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(3, length, 6, generator=generator).half() for length in lengths]


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=8),
    st.integers(0, 999),
    st.sampled_from(SHAPES),
)
@settings(max_examples=60, deadline=None)
def test_packed_head_equals_the_padded_one_and_so_do_its_gradients(
    lengths: list[int], seed: int, shape: tuple[Pooling, int]
) -> None:
    head, clips = _head(*shape).double(), _clips(lengths, seed)
    results = []
    for forward in (head, lambda clips: as_worded(head, clips)):
        head.zero_grad()
        logits = forward(clips)
        torch.autograd.backward(logits.square().sum())
        gradients = [p.grad.clone() for p in head.parameters() if p.grad is not None]
        assert len(gradients) == len(list(head.parameters()))
        results.append([logits.detach(), *gradients])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_clips_logits_do_not_depend_on_its_neighbours(shape: tuple[Pooling, int]) -> None:
    head, clips = _head(*shape), _clips([3, 17, 40])
    together = head(clips)
    for index, clip in enumerate(clips):
        torch.testing.assert_close(head([clip])[0], together[index], rtol=2e-6, atol=1e-6)


def test_attention_that_scores_all_frames_alike_is_the_mean() -> None:
    attended, mean = _head("attention", 2), _head("mean", 2)
    assert attended.attention is not None
    attended.load_state_dict(
        mean.state_dict() | {"attention.weight": torch.zeros_like(attended.attention.weight)}
    )
    torch.testing.assert_close(attended(_clips([5, 9])), mean(_clips([5, 9])))


def test_attention_that_scores_one_frame_far_above_the_others_hears_that_frame_alone() -> None:
    head = _head("attention", 2)
    (clip,) = _clips([9])
    assert head.attention is not None
    with torch.no_grad():
        head.attention.weight.mul_(1e6)
        alone = [head([clip[:, frame : frame + 1]])[0] for frame in range(9)]
        found = head([clip])[0]
    assert sum(torch.allclose(found, one, atol=1e-6) for one in alone) == 1


def test_all_but_what_is_new_starts_from_the_same_weights() -> None:
    """A seed means the same first weights, however frames are pooled."""

    def drawn(pooling: Pooling, convolutions: int) -> dict[str, Tensor]:
        torch.manual_seed(8)
        head = Head(
            layers=3, features=6, classes=4, width=8, pooling=pooling, convolutions=convolutions
        )
        return head.state_dict()

    usual = drawn("mean", 2)
    assert set(usual) == {"layer_logits"} | {
        f"{name}.{of}"
        for name in ("first", "second", "hidden", "output")
        for of in ("weight", "bias")
    }
    other = drawn("attention", 4)
    assert all(torch.equal(other[name], values) for name, values in usual.items())


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


@pytest.mark.parametrize("shape", SHAPES)
def test_dropout_between_the_convolutions_is_torchs_own(shape: tuple[Pooling, int]) -> None:
    """With the same masks, values and gradients are those of nn.functional.dropout's formula."""
    head, lengths = _head(*shape).double(), [4, 11, 15]
    assert head.dropped == 8 * (shape[1] - 1)
    generator = torch.Generator().manual_seed(1)
    frames = torch.randn(30, 6, generator=generator, dtype=torch.float64)
    kept = (torch.rand(30, head.dropped, generator=generator) >= 0.2).double() / 0.8
    one = torch.ones(3, 1, 1, dtype=torch.float64)  # each layer a third of the mixed frames
    results = []
    for packed in (True, False):
        head.zero_grad()
        nn.init.zeros_(head.layer_logits)
        mixed = frames.clone().requires_grad_(True)
        if packed:
            logits = head.output(head.embed(mixed, lengths, kept))
        else:
            clips = [one * part for part in torch.split(mixed, lengths)]
            logits = as_worded(head, clips, list(torch.split(kept, lengths)))
        torch.autograd.backward(logits.square().sum())
        assert mixed.grad is not None
        gradients = [p.grad for n, p in head.named_parameters() if n != "layer_logits"]
        results.append([logits.detach(), mixed.grad, *gradients])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
