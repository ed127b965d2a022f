"""What holds of every backbone in the catalogue, in its true architecture with random weights."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from profiler.backbones.base import Backbone
from profiler.backbones.catalogue import CATALOGUE
from profiler.backbones.load import load
from profiles_db.errors import AudioError

# The frames of a 6 s clip, from the published figures of each architecture.
FRAMES = {
    "apc": 598,
    "tera": 601,
    "whisper_tiny": 300,
    "whisper_base": 300,
    "whisper_small": 300,
    "wav2vec2_base": 299,
    "wavlm_base_plus": 299,
    "hubert_base": 299,
    "fbank": 598,
}
# Table 2 of arXiv:2305.11229, in millions. It prints 95.04 for wav2vec 2.0, quantiser included
# (see test_waveform.py); HuBERT Base is the same encoder, and FBANK has no parameters.
PARAMETERS_M = {
    "apc": 4.11,
    "tera": 21.33,
    "whisper_tiny": 8.21,
    "whisper_base": 20.59,
    "whisper_small": 88.15,
    "wavlm_base_plus": 94.70,
    "wav2vec2_base": 94.37,
    "hubert_base": 94.37,
    "fbank": 0.0,
}


@pytest.fixture(scope="module", params=list(CATALOGUE))
def backbone(request: pytest.FixtureRequest) -> Iterator[Backbone]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load(request.param, weights="random", seed=3)
    torch.set_num_threads(before)


def clip(samples: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(1, samples, generator=torch.Generator().manual_seed(seed))


def like(states: Tensor) -> Tensor:
    return clip(states.numel(), seed=1).reshape(states.shape)


def test_hidden_states_of_six_seconds_have_the_published_shape(backbone: Backbone) -> None:
    entry = CATALOGUE[backbone.name]
    with torch.inference_mode():
        states = backbone(clip(96_000))

    assert states.shape == (1, entry.layers, FRAMES[backbone.name], entry.hidden_size)
    assert states.dtype == torch.float32
    assert (backbone.layers, backbone.hidden_size) == (entry.layers, entry.hidden_size)


def test_parameters_are_those_of_table_2(backbone: Backbone) -> None:
    millions = sum(parameter.numel() for parameter in backbone.parameters()) / 1e6

    assert millions == pytest.approx(PARAMETERS_M[backbone.name], rel=0.004)


def test_layers_differ_from_each_other(backbone: Backbone) -> None:
    with torch.inference_mode():
        states = backbone(clip(8_000))[0]

    assert all(not torch.allclose(a, b) for a, b in itertools.pairwise(states))


@pytest.mark.parametrize("kind", ["noise", "silence", "half silent", "constant"])
def test_gradients_reach_the_waveform_and_are_finite(backbone: Backbone, kind: str) -> None:
    waveform = {
        "noise": clip(8_000),
        "silence": torch.zeros(1, 8_000),
        "half silent": torch.cat([torch.zeros(1, 4_000), clip(4_000)], dim=1),
        "constant": torch.full((1, 8_000), 0.25),
    }[kind].requires_grad_()

    states = backbone(waveform)
    (gradient,) = torch.autograd.grad((states * like(states)).sum(), waveform)

    assert states.isfinite().all()
    assert gradient.isfinite().all()
    if kind == "noise":
        assert (gradient != 0).float().mean() > 0.9


def test_gradient_is_that_of_finite_differences(backbone: Backbone) -> None:
    """Along the gradient's own direction, where the difference is largest."""

    def score(waveform: Tensor) -> Tensor:
        states = backbone(waveform)
        total: Tensor = (states * like(states)).double().sum()
        return total

    waveform = clip(4_000).requires_grad_()
    (gradient,) = torch.autograd.grad(score(waveform), waveform)
    step = 2e-3 * gradient / gradient.norm()
    with torch.no_grad():
        difference = float(score(waveform + step) - score(waveform - step)) / 4e-3

    assert difference == pytest.approx(float(gradient.norm()), rel=0.05)


def test_a_clip_is_the_same_alone_after_another_and_in_any_batch(backbone: Backbone) -> None:
    lengths = st.sampled_from([backbone.min_samples, 2_000, 3_217])

    @settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        samples=lengths, others=st.integers(1, 3), place=st.integers(0, 3), seed=st.integers(0, 99)
    )
    def same(samples: int, others: int, place: int, seed: int) -> None:
        batch = 0.1 * torch.randn(
            others + 1, samples, generator=torch.Generator().manual_seed(seed)
        )
        place = min(place, others)
        with torch.inference_mode():
            alone = backbone(batch[place : place + 1])
            backbone(clip(2_500, seed))
            after_another = backbone(batch[place : place + 1])
            beside_others = backbone(batch)[place : place + 1]
        assert torch.equal(after_another, alone)
        torch.testing.assert_close(beside_others, alone, rtol=1e-4, atol=1e-4)

    same()


def test_it_is_frozen_and_stays_in_eval_mode(backbone: Backbone) -> None:
    backbone.train()

    assert not any(module.training for module in backbone.modules())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_running_it_leaves_the_global_generator_alone(backbone: Backbone) -> None:
    before = torch.get_rng_state()
    with torch.inference_mode():
        backbone(clip(4_000))

    assert torch.equal(torch.get_rng_state(), before)


def test_the_shortest_clip_passes_and_a_shorter_one_is_refused(backbone: Backbone) -> None:
    with torch.inference_mode():
        assert backbone(clip(backbone.min_samples)).isfinite().all()
    with pytest.raises(AudioError, match=f"at least {backbone.min_samples} samples"):
        backbone(clip(backbone.min_samples - 1))


def test_weights_say_what_they_are(backbone: Backbone) -> None:
    if backbone.name == "fbank":
        assert (backbone.weights.kind, backbone.weights.id) == ("none", "none")
    else:
        assert (backbone.weights.kind, backbone.weights.id) == ("random", "random:3")
        parameters = sum(parameter.numel() for parameter in backbone.parameters())
        assert backbone.weights.size == 4 * parameters
