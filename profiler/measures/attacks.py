"""Perturbations of the waveform: FGSM, PGD on the same ball, and Gaussian noise as the control.

All take the model in eval mode and the true class. Strength is a signal-to-noise ratio in dB: the
perturbation's RMS is the clip's RMS / 10^(SNR/20). For a sign attack that RMS is also the largest
change of a sample, so FGSM and PGD share one ball in the maximum norm.

Sources: Goodfellow et al., arXiv:1412.6572 (FGSM); Madry et al., arXiv:1706.06083 (PGD).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from profiles_db.records import GradientState

Model: TypeAlias = Callable[[Tensor], Tensor]
"""Waveform of shape (clips, samples) to logits of shape (clips, classes)."""

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Outputs of some clips and what is true of them, to a sum over the clips."""

PGD_STEP = 2.5
"""PGD's step is this times the ball's radius / the number of steps (Madry et al.)."""


@dataclass(frozen=True, slots=True)
class Gradient:
    """Loss gradients by the waveform, shape (clips, samples), and what is wrong with them.

    `logits` are the model's, shape (clips, classes), at the waveform the gradient was taken at.
    """

    values: Tensor
    logits: Tensor
    states: tuple[GradientState, ...]

    def only(self, positions: Sequence[int]) -> Gradient:
        """Of the clips at `positions`."""
        chosen = list(positions)
        states = tuple(self.states[position] for position in chosen)
        return Gradient(self.values[chosen], self.logits[chosen], states)


def amplitude(wave: Tensor, snr_db: float) -> Tensor:
    """RMS of a perturbation at `snr_db` below `wave`, shape (clips, 1).

    Examples
    --------
    >>> round(amplitude(torch.full((1, 10), 0.5), snr_db=20.0).item(), 6)
    0.05
    """
    rms = wave.square().mean(dim=1, keepdim=True).sqrt()
    return rms / 10 ** (snr_db / 20)


def reached_snr_db(wave: Tensor, attacked: Tensor) -> list[float | None]:
    """Signal-to-noise ratio of each attacked clip in dB; None where nothing was changed."""
    signal = wave.double().square().sum(dim=1)
    noise = (attacked.double() - wave.double()).square().sum(dim=1)
    return [
        float(10 * torch.log10(s / n)) if n > 0 else None
        for s, n in zip(signal, noise, strict=True)
    ]


def loss_gradient(model: Model, wave: Tensor, target: Tensor) -> Gradient:
    """Gradient of the cross-entropy by the waveform, each clip's own.

    A non-finite gradient is reported and used as zero where it is not finite.
    """
    return loss_gradients(lambda heard: heard, [model], wave, target)[0]


def cross_entropy(outputs: Tensor, target: Tensor) -> Tensor:
    """Of logits, shape (clips, classes), and the true classes, shape (clips,)."""
    return functional.cross_entropy(outputs, target, reduction="sum")


def squared_error(outputs: Tensor, ratings: Tensor) -> Tensor:
    """Of outputs and ratings, shape (clips, dimensions); NaN where a clip is not rated.

    The part of 1 - CCC that is each clip's own: 1 - CCC is the mean of these squares over the clips
    divided by var(t) + var(p) + (mean(t) - mean(p))^2, which no clip has by itself.

    Examples
    --------
    >>> squared_error(torch.tensor([[0.5, 0.25]]), torch.tensor([[1.0, torch.nan]])).item()
    0.25
    """
    rated = torch.isfinite(ratings)
    return torch.where(rated, outputs - torch.where(rated, ratings, 0.0), 0.0).square().sum()


def loss_gradients(
    encoder: Model,
    heads: Sequence[Model],
    wave: Tensor,
    target: Tensor,
    loss_of: Loss = cross_entropy,
) -> list[Gradient]:
    """As `loss_gradient`, for several heads on one pass through the encoder.

    Parameters
    ----------
    encoder : callable
        Waveforms to hidden states.
    heads : sequence of callable
        Hidden states to logits of shape (clips, classes).
    wave : Tensor, shape (clips, samples)
    target : Tensor, shape (clips, ...)
    loss_of : callable, optional
    """
    wave = wave.detach().requires_grad_(True)
    states = encoder(wave)
    found = []
    for number, head in enumerate(heads, start=1):
        logits = head(states)
        loss = loss_of(logits, target)
        (values,) = torch.autograd.grad(loss, wave, retain_graph=number < len(heads))
        kinds = tuple(map(_state, values))
        kept = torch.nan_to_num(values, 0.0, 0.0, 0.0)
        found.append(Gradient(kept, logits.detach(), kinds))
    return found


def _state(values: Tensor) -> GradientState:
    if not torch.isfinite(values).all():
        return "not finite"
    return "ok" if values.abs().max() > 0 else "zero"


def fgsm(wave: Tensor, gradient: Tensor, *, snr_db: float, clip: bool) -> Tensor:
    """One step along the gradient's sign.

    Parameters
    ----------
    wave, gradient : Tensor, shape (clips, samples)
    snr_db : float
    clip : bool
        Keep the result in [-1, 1]; the reached ratio is then at or above `snr_db`.
    """
    return _kept(wave + amplitude(wave, snr_db) * gradient.sign(), clip)


def pgd(
    model: Model,
    wave: Tensor,
    target: Tensor,
    *,
    snr_db: float,
    steps: int,
    clip: bool,
    first: Gradient | None = None,
) -> Tensor:
    """Steps along the gradient's sign, projected on FGSM's ball, from the clip itself.

    Returns for each clip its first waveform that is not classified as `target`, else the last.
    `first` is the gradient at `wave`, where it is known.
    """
    radius = amplitude(wave, snr_db)
    attacked = wave
    gradient = first
    for _ in range(steps):
        if gradient is None:
            gradient = loss_gradient(model, attacked, target)
        done = (gradient.logits.argmax(dim=1) != target).unsqueeze(1)
        if done.all():
            break
        moved = attacked + PGD_STEP * radius / steps * gradient.values.sign()
        moved = _kept(wave + (moved - wave).clamp(-radius, radius), clip)
        attacked = torch.where(done, attacked, moved)
        gradient = None
    return attacked


def noise(wave: Tensor, *, snr_db: float, seeds: list[int], clip: bool) -> Tensor:
    """Gaussian noise of exactly the ratio asked for, before clipping; one seed per clip."""
    drawn = np.stack([np.random.default_rng(s).standard_normal(wave.shape[1]) for s in seeds])
    values = torch.from_numpy(drawn).to(wave)
    values = values / values.square().mean(dim=1, keepdim=True).sqrt()
    return _kept(wave + amplitude(wave, snr_db) * values, clip)


def _kept(wave: Tensor, clip: bool) -> Tensor:
    return wave.clamp(-1.0, 1.0) if clip else wave
