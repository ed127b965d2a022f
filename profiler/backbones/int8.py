"""Encoders whose linear layers are in int8, quantised dynamically, as small machines run them.

`torch.ao.quantization.quantize_dynamic` does it (PyTorch's post-training dynamic quantisation;
Krishnamoorthi, arXiv:1806.08342, sections 2 and 3). The weights of each linear layer are rounded
once to 8 bits, symmetric, on one scale. What enters it is rounded anew in every pass, on one scale
from its smallest to its largest value, to 7 bits, so that sums of two products fit into 16 bits, as
older x86 processors add them. The products are of integers; all else (convolutions, norms,
attention's own products, the biases) stays in float32.

Since what enters a layer has one scale, clips that went through together would change each other's
hidden states: each goes alone.

Rounding has no gradient. Attacks take that of the same encoder in float32 in its place, at the
answers of the one in int8: the backward pass differentiable approximation of Athalye et al.
(arXiv:1802.00420, section 4.1).
"""

from __future__ import annotations

import copy
import itertools
import warnings
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.ao.quantization import quantize_dynamic

from profiler.backbones.base import Backbone
from profiler.backbones.printable import printable
from profiler.settings import SAMPLE_RATE
from profiles_db.candidate_names import with_int8
from profiles_db.errors import InputError


class Int8(Backbone):
    """An encoder whose linear layers are in int8; it runs on a CPU, clip by clip.

    Parameters
    ----------
    encoder : Backbone
        In float32, with nothing tuned. It stays as it is; the tensors that are not quantised are
        shared with it.

    Raises
    ------
    InputError
        Where it has no linear layers that count, or cannot be run once they are quantised.
    """

    quantised = True

    def __init__(self, encoder: Backbone) -> None:
        super().__init__()
        encoder.eval()  # dropout would have the two passes of `_try` differ
        linear = {
            name: module
            for name, module in encoder.named_modules()
            if type(module) is nn.Linear and not name.endswith(encoder.read_not_called)
        }
        if not linear:
            raise _refused(encoder, f"{encoder.name} has no linear layers to quantise")
        self.name = with_int8(encoder.name)
        self.weights = replace(
            encoder.weights,
            id=with_int8(encoder.weights.id),
            size=encoder.weights.size
            - sum((m.weight.element_size() - 1) * m.weight.numel() for m in linear.values()),
        )
        self.hidden_size, self.layers = encoder.hidden_size, encoder.layers
        self.min_samples = encoder.min_samples
        self.encoder = _quantised(encoder, set(linear))
        self._try(encoder)

    def hidden_states(self, waveform: Tensor) -> Tensor:
        """Hidden states of each clip alone; see `Backbone.hidden_states`.

        Raises
        ------
        ValueError
            Where a gradient is asked for.
        """
        if waveform.requires_grad and torch.is_grad_enabled():
            raise ValueError(f"{self.name} gives no gradient: see `with_gradient_of`")
        return torch.cat([self.encoder.hidden_states(clip) for clip in torch.split(waveform, 1)])

    def _try(self, encoder: Backbone) -> None:
        """Run it once: other packages' encoders may read the weights that are packed now, and some
        have linear layers that no hidden state passes, as APC's last."""
        samples = max(encoder.min_samples, SAMPLE_RATE)
        wave = 0.1 * torch.randn(1, samples, generator=torch.Generator().manual_seed(0))
        try:
            with torch.inference_mode():
                rounded = self.hidden_states(wave)
        except Exception as error:
            reason = printable(str(error)) or "no message"
            raise _refused(
                encoder, f"cannot be run in int8 ({type(error).__name__}: {reason})"
            ) from error
        with torch.inference_mode():
            if torch.equal(rounded, encoder.hidden_states(wave)):
                raise _refused(encoder, f"{encoder.name} passes no linear layers")


def _quantised(encoder: Backbone, names: set[str]) -> Backbone:
    """A copy with its linear layers `names` in int8, which shares the other tensors."""
    tensors = itertools.chain(encoder.parameters(), encoder.buffers())
    made = copy.deepcopy(encoder, {id(tensor): tensor for tensor in tensors})
    quantise: Any = quantize_dynamic  # which has no types
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that all of this will move to another package
        quantise(made, names, dtype=torch.qint8, inplace=True)
    return made


def with_gradient_of(values: Tensor, differentiable: Tensor) -> Tensor:
    """`values` to the bit, through which gradients flow as through `differentiable`.

    Parameters
    ----------
    values, differentiable : Tensor of the same shape
        Hidden states of an encoder in int8, and of the same in float32.
    """
    found: Tensor = _GradientOf.apply(values, differentiable)
    return found


class _GradientOf(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, differentiable: Tensor) -> Tensor:  # noqa: ARG004
        return values.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:  # noqa: ARG004
        return None, gradients[0]


def _refused(encoder: Backbone, what: str) -> InputError:
    return InputError(
        what,
        where=with_int8(encoder.name),
        remedy=f"profile it in float32, as {encoder.name}",
    )
