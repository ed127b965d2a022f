"""In which precision the frozen backbone is passed, forward and backward: decided here alone.

In mixed precision the encoder's matrix products and convolutions take bfloat16, by
`torch.autocast`. What loses more by that than it gains stays in float32 (`in_float32`): front ends,
FBANK, APC's recurrence. So do group and layer norms, as on a GPU, and all that comes after the
hidden states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from profiler.backbones.base import Backbone
from profiler.protocol import Precision

_NORMS: Final = frozenset(
    {functional.layer_norm, functional.group_norm, torch.layer_norm, torch.group_norm}
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
    if precision == "float32":
        return backbone.hidden_states(waveform)
    with torch.autocast(waveform.device.type, dtype=torch.bfloat16), _NormsInFloat32():
        states = backbone.hidden_states(waveform)
    return states.float()


def in_float32(given: Tensor) -> torch.autocast:
    """A context in which operators keep the precision of what they are given.

    Parameters
    ----------
    given : Tensor, float32
        On the device where the operators run.
    """
    return torch.autocast(given.device.type, enabled=False)


class _NormsInFloat32(TorchFunctionMode):
    """Group and layer norms in float32, which autocast sees to on a GPU and not on a CPU.

    The residual stream behind them then stays in float32 too, so that rounding does not add up
    from layer to layer.
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
        return func(*args, **(kwargs or {}))
