"""In which precision the frozen backbone is passed, forward and backward: decided here alone.

In mixed precision the encoder's matrix products and convolutions take bfloat16, by
`torch.autocast`. What loses more by that than it gains stays in float32: front ends, FBANK and
APC's recurrence (`in_float32`), convolutions upon the waveform itself, group, layer and batch
norms, and all that comes after the hidden states.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from profiler.backbones.base import Backbone
from profiler.settings import Precision

_NORMS: Final = frozenset(
    {
        functional.layer_norm,
        functional.group_norm,
        functional.batch_norm,
        torch.layer_norm,
        torch.group_norm,
        torch.batch_norm,
    }
)


def hidden_states(backbone: Backbone, waveform: Tensor, precision: Precision) -> Tensor:
    """Hidden states of `waveform`, passed in `precision`, differentiable in the waveform.

    Parameters
    ----------
    backbone : Backbone
    waveform : Tensor, shape (batch, samples), float32, 16 kHz
    precision : 'float32' or 'bfloat16'
        With bfloat16 the backward pass computes in it wherever the forward pass did.

    Returns
    -------
    Tensor, shape (batch, layers, frames, hidden_size), float32
    """
    with passing(precision, waveform.device):
        states = backbone.hidden_states(waveform)
    return states.float()


@contextmanager
def passing(precision: Precision, device: torch.device) -> Iterator[None]:
    """A context in which encoders, or some of their layers, are passed in `precision`."""
    if precision == "float32":
        yield
        return
    with torch.autocast(device.type, dtype=torch.bfloat16), _KeptInFloat32():
        yield


def settle(device: torch.device) -> None:
    """Let this whole process compute in full float32, always the same.

    On a CPU products of matrices are to come out the same wherever their operands begin in memory.
    Intel's library, which torch is built with, reads `MKL_CBWR` at its first product; what a user
    has set stays, and a torch without that library has no such setting.

    On a GPU cuDNN would round the factors of convolutions and recurrences to TF32's ten bits, and
    choose algorithms whose sums come out differently from run to run.
    """
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False


def in_float32(given: Tensor) -> torch.autocast:
    """A context in which operators keep the precision of what they are given.

    Parameters
    ----------
    given : Tensor, float32
        On the device where the operators run.
    """
    return torch.autocast(given.device.type, enabled=False)


class _KeptInFloat32(TorchFunctionMode):
    """Operators that autocast would run in bfloat16 at a loss.

    Norms: on a CPU autocast leaves them in bfloat16, and with them the residual stream, in which
    rounding adds up from layer to layer; on a GPU it does as is done here. Convolutions upon a
    single channel: rounding a waveform to bfloat16 is noise at about 55 dB, as loud as the attacks.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in _NORMS:
            args = (args[0].float(), *args[1:])
        elif func is functional.conv1d and args[0].shape[-2] == 1:
            with in_float32(args[0]):
                return func(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))
