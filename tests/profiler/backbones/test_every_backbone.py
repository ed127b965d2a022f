"""What holds of every backbone in the catalogue with random weights, the large ones made small."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from profiler.backbones.base import Backbone
from profiler.backbones.catalogue import CATALOGUE
from profiler.backbones.entry import Entry
from profiler.backbones.load import load
from profiles_db.errors import AudioError
from tests.profiler.backbones.small import FULL, loaded, small_entry

# The frames of a 6 s clip, from the published figures of each architecture.
FRAMES = {
    "apc": 598,
    "tera": 601,
    "whisper": 300,
    "wav2vec2": 299,
    "wavlm": 299,
    "hubert": 299,
    "data2vec-audio": 299,
    "wav2vec2-bert": 299,
    "cnn14": 18,
    "fbank": 598,
    "egemaps": 1,
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
    "egemaps": 0.0,
}


@pytest.fixture(scope="module", params=list(CATALOGUE))
def backbone(request: pytest.FixtureRequest) -> Iterator[Backbone]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    if request.param in FULL:
        yield load(request.param, weights="random", seed=3)
    else:
        yield loaded(small_entry(request.param), seed=3)
    torch.set_num_threads(before)


def entry_of(backbone: Backbone) -> Entry:
    """The entry that `backbone` was built from."""
    return CATALOGUE[backbone.name] if backbone.name in FULL else small_entry(backbone.name)


def clip(samples: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(1, samples, generator=torch.Generator().manual_seed(seed))


def like(states: Tensor) -> Tensor:
    return clip(states.numel(), seed=1).reshape(states.shape)


def test_hidden_states_of_six_seconds_have_the_published_shape(backbone: Backbone) -> None:
    entry = entry_of(backbone)
    with torch.inference_mode():
        states = backbone(clip(96_000))

    assert states.shape == (1, entry.layers, FRAMES[entry.family], entry.hidden_size)
    assert states.dtype == torch.float32
    assert (backbone.layers, backbone.hidden_size) == (entry.layers, entry.hidden_size)


def test_parameters_are_those_of_table_2(backbone: Backbone) -> None:
    millions = sum(parameter.numel() for parameter in backbone.parameters()) / 1e6

    if backbone.name in FULL:
        assert millions == pytest.approx(PARAMETERS_M[backbone.name], rel=0.004)
    else:  # their published sizes: see test_counts.py
        assert 0 < millions < 1


def test_layers_differ_from_each_other(backbone: Backbone) -> None:
    with torch.inference_mode():
        states = backbone(clip(8_000))[0]

    assert all(not torch.allclose(a, b) for a, b in itertools.pairwise(states))


def gives_gradient(backbone: Backbone) -> bool:
    """Whether it does; what is computed outside of torch says so instead."""
    if not backbone.outside_torch:
        return True
    with pytest.raises(ValueError, match="gives no gradient"):
        backbone(clip(8_000).requires_grad_())
    return False


@pytest.mark.parametrize("kind", ["noise", "silence", "half silent", "constant"])
def test_gradients_reach_the_waveform_and_are_finite(backbone: Backbone, kind: str) -> None:
    if not gives_gradient(backbone):
        return
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
    """Along the gradient's own direction, where the difference is largest.

    Small encoders answer so weakly that single precision would drown it.
    """
    if not gives_gradient(backbone):
        return
    full = backbone.name in FULL
    exact = backbone if full else copy.deepcopy(backbone).double()

    def score(waveform: Tensor) -> Tensor:
        states = exact(waveform)
        total: Tensor = (states * like(states)).double().sum()
        return total

    samples = clip(max(4_000, backbone.min_samples))
    waveform = (samples if full else samples.double()).requires_grad_()
    (gradient,) = torch.autograd.grad(score(waveform), waveform)
    size = 2e-3 if full else 1e-6
    step = size * gradient / gradient.norm()
    with torch.no_grad():
        difference = float(score(waveform + step) - score(waveform - step)) / (2 * size)

    assert difference == pytest.approx(float(gradient.norm()), rel=0.05)


def test_a_clip_is_the_same_alone_after_another_and_in_any_batch(backbone: Backbone) -> None:
    longer = [n + backbone.min_samples * (n < backbone.min_samples) for n in (2_000, 3_217)]
    lengths = st.sampled_from([backbone.min_samples, *longer])

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
            backbone(clip(max(2_500, backbone.min_samples), seed))
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
        backbone(clip(8_000))

    assert torch.equal(torch.get_rng_state(), before)


def test_the_shortest_clip_passes_and_a_shorter_one_is_refused(backbone: Backbone) -> None:
    with torch.inference_mode():
        assert backbone(clip(backbone.min_samples)).isfinite().all()
    with pytest.raises(AudioError, match=f"at least {backbone.min_samples} samples"):
        backbone(clip(backbone.min_samples - 1))


def test_weights_say_what_they_are(backbone: Backbone) -> None:
    if backbone.name in {"fbank", "egemaps"}:
        assert (backbone.weights.kind, backbone.weights.size) == ("none", 0)
    else:
        assert (backbone.weights.kind, backbone.weights.id) == ("random", "random:3")
        parameters = sum(parameter.numel() for parameter in backbone.parameters())
        statistics = sum(
            buffer.numel()
            for module in backbone.modules()
            if isinstance(module, torch.nn.BatchNorm2d)
            for buffer in (module.running_mean, module.running_var)
            if buffer is not None
        )
        assert backbone.weights.size == 4 * (parameters + statistics)
