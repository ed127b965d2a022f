"""Attacks against the closed form on a linear model and against Foolbox."""

from __future__ import annotations

import math

import foolbox
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from profiler.measures import attacks

SAMPLES = 400


class Linear(nn.Module):
    """Logits linear in the waveform: its FGSM is known in closed form."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(2, SAMPLES, generator=generator))

    def forward(self, wave: Tensor) -> Tensor:
        return wave @ self.weight.T


class Curved(nn.Module):
    """A small smooth network, so that PGD and FGSM differ."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.net = nn.Sequential(nn.Linear(SAMPLES, 32), nn.Tanh(), nn.Linear(32, 4))

    def forward(self, wave: Tensor) -> Tensor:
        logits: Tensor = self.net(3 * wave)
        return logits


def _wave(clips: int = 5, scale: float = 0.1) -> Tensor:
    return scale * torch.randn(clips, SAMPLES, generator=torch.Generator().manual_seed(1))


@given(st.floats(0, 80))
@settings(max_examples=40, deadline=None)
def test_fgsm_on_a_linear_model_is_the_closed_form(snr_db: float) -> None:
    model, wave = Linear(), _wave()
    target = torch.tensor([0, 1, 0, 1, 0])
    gradient = attacks.loss_gradient(model, wave, target)
    attacked = attacks.fgsm(wave, gradient.values, snr_db=snr_db, clip=False)
    # d(loss)/d(wave) is a positive multiple of the other class' weights less the true one's.
    direction = model.weight[1 - target] - model.weight[target]
    rms = wave.square().mean(dim=1, keepdim=True).sqrt()
    expected = wave + rms / 10 ** (snr_db / 20) * direction.sign()
    torch.testing.assert_close(attacked, expected.detach())
    for reached in attacks.reached_snr_db(wave, attacked):
        assert reached == pytest.approx(snr_db, abs=1e-2)


@pytest.mark.parametrize("snr_db", [5.0, 20.0, 45.0])
def test_fgsm_and_pgd_equal_foolbox(snr_db: float) -> None:
    model, wave = Curved().eval(), _wave(clips=6)
    target = model(wave).argmax(dim=1)
    bounded = foolbox.PyTorchModel(model, bounds=(-1, 1), device="cpu")
    for index in range(len(wave)):  # one radius per clip
        one, label = wave[index : index + 1], target[index : index + 1]
        radius = attacks.amplitude(one, snr_db).item()
        gradient = attacks.loss_gradient(model, one, label).values
        ours = attacks.fgsm(one, gradient, snr_db=snr_db, clip=True)
        theirs = foolbox.attacks.FGSM().run(bounded, one, label, epsilon=radius)
        torch.testing.assert_close(ours, theirs)
        ours = attacks.pgd(model, one, label, snr_db=snr_db, steps=10, clip=True)
        loop = foolbox.attacks.LinfProjectedGradientDescentAttack(
            rel_stepsize=attacks.PGD_STEP / 10, steps=10, random_start=False
        )
        theirs = loop.run(bounded, one, label, epsilon=radius)
        succeeded = model(theirs).argmax(dim=1) != label
        if succeeded:  # ours stops at the first success
            assert model(ours).argmax(dim=1) != label
        else:
            torch.testing.assert_close(ours, theirs)


@given(st.integers(1, 12), st.floats(0, 60))
@settings(max_examples=30, deadline=None)
def test_pgd_stays_in_the_ball_and_in_range(steps: int, snr_db: float) -> None:
    model, wave = Curved().eval(), _wave(scale=0.4).clamp(-1, 1)
    target = model(wave).argmax(dim=1)
    attacked = attacks.pgd(model, wave, target, snr_db=snr_db, steps=steps, clip=True)
    radius = attacks.amplitude(wave, snr_db)
    assert ((attacked - wave).abs() <= radius * (1 + 1e-5) + 1e-7).all()
    assert attacked.abs().max() <= 1


def test_pgd_succeeds_at_least_as_often_as_fgsm() -> None:
    model, wave = Curved().eval(), _wave(clips=200)
    target = model(wave).argmax(dim=1)
    rates = []
    gradient = attacks.loss_gradient(model, wave, target).values
    for attacked in (
        attacks.fgsm(wave, gradient, snr_db=12, clip=False),
        attacks.pgd(model, wave, target, snr_db=12, steps=10, clip=False),
    ):
        rates.append((model(attacked).argmax(dim=1) != target).float().mean().item())
    assert 0 < rates[0] <= rates[1] < 1


def test_each_clips_gradient_is_its_own() -> None:
    model, wave = Curved().eval(), _wave()
    target = torch.tensor([0, 1, 2, 3, 0])
    together = attacks.loss_gradient(model, wave, target).values
    for index in range(len(wave)):
        alone = attacks.loss_gradient(model, wave[index : index + 1], target[index : index + 1])
        torch.testing.assert_close(alone.values[0], together[index])


def test_noise_has_the_ratio_asked_for_and_its_own_seed() -> None:
    wave = _wave()
    noisy = attacks.noise(wave, snr_db=30, seeds=[1, 2, 3, 4, 1], clip=False)
    assert attacks.reached_snr_db(wave, noisy) == pytest.approx([30.0] * 5, abs=1e-2)
    added = (noisy - wave) / attacks.amplitude(wave, 30)
    assert torch.allclose(added[0], added[4], atol=1e-3)
    assert not torch.allclose(added[0], added[1], atol=1e-1)


def test_clipping_raises_the_ratio_that_is_reached() -> None:
    wave = torch.where(_wave() > 0, 1.0, -1.0)
    gradient = torch.ones_like(wave)
    attacked = attacks.fgsm(wave, gradient, snr_db=20, clip=True)
    assert attacked.abs().max() <= 1
    assert all(snr is not None and snr > 20.5 for snr in attacks.reached_snr_db(wave, attacked))


def test_useless_gradients_are_named() -> None:
    wave = _wave(clips=1)
    flat = attacks.loss_gradient(lambda w: 0 * w[:, :2], wave, torch.tensor([0]))
    assert flat.states == ("zero",)
    unchanged = attacks.fgsm(wave, flat.values, snr_db=20, clip=False)
    assert attacks.reached_snr_db(wave, unchanged) == [None]
    broken = attacks.loss_gradient(
        lambda w: torch.sqrt(w - w.detach())[:, :2], wave, torch.tensor([0])
    )
    assert broken.states == ("not finite",)
    assert torch.isfinite(broken.values).all()
    assert math.isfinite(attacks.amplitude(wave, 20).item())
