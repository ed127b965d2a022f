"""Multiply-accumulates of a backbone for one clip: counted whole, and as the paper counted."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from profiler.backbones.base import Backbone
from profiler.backbones.encoder import Encoder
from profiler.machine import device_of
from profiler.measures.costs.operators import GATES, HANDLERS, FlopCountAnalysis

CLIP_SECONDS: Final = 6.0
SAMPLE_RATE: Final = 16_000

HOOKED: Final = (
    nn.Linear,
    nn.modules.conv._ConvNd,
    nn.RNNBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.modules.batchnorm._BatchNorm,
)
"""The modules that a module-hook counter such as thop knows. What happens outside of their calls,
such as the products of attention, it does not see."""

# Operators without multiply-accumulates worth the name: they move data, or do a step per element.
_STEPS: Final = """
_weight_norm abs adaptive_avg_pool1d add add_ as_strided avg_pool2d clone cumsum div div_ embedding
erf exp expand_as gelu glu hann_window index_select leaky_relu log log10 log_softmax lt max maximum
mean min minimum movedim mul mul_ neg new_ones numpy_T ones_like pad pow reciprocal relu6 repeat
repeat_interleave rsqrt rsub sigmoid silu sin softmax softplus sqrt square std sub sub_ sum swapaxes
tanh tile unflatten var view_as_real where
"""
ELEMENTWISE: Final = frozenset(f"aten::{name}" for name in _STEPS.split())


@dataclass(frozen=True, slots=True)
class Count:
    """Multiply-accumulates of the encoder for one clip.

    Parameters
    ----------
    macs : int
        Every operator counted.
    paper_macs : int
        As a module-hook counter sees them: what the paper prints as FLOPs.
    uncounted : mapping of str to int
        Operators that may weigh and have no handler, with how often they ran.
    """

    macs: int
    paper_macs: int
    uncounted: Mapping[str, int]


class _Pass(nn.Module):
    """What the paper's counter saw run: the encoder upon its features, and what hangs on it."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, features: Tensor) -> Tensor:
        if isinstance(self.backbone, Encoder):
            return self.backbone.published_pass(features)
        return self.backbone.hidden_states(features)


def count(backbone: Backbone, seconds: float = CLIP_SECONDS) -> Count:
    """Multiply-accumulates of `backbone` for one clip of `seconds`.

    The encoder is counted upon its features; the front end that makes them is not. A backbone
    that is no `Encoder` is counted whole, from the waveform.

    A backbone in which a module-hook counter would see nothing, because it has no modules that
    weigh, is counted whole in `paper_macs` too: nothing counted is not nothing done.
    """
    analysis = _analysis(backbone, seconds)
    total, beyond = int(analysis.total()), _beyond(backbone, analysis)
    macs = total - analysis.by_operator().get(GATES, 0) - beyond
    hooked = sum(_counts(analysis, name) for name in _hooked_modules(analysis))
    return Count(int(macs), int(hooked) or int(macs), _uncounted(analysis))


def _analysis(backbone: Backbone, seconds: float) -> FlopCountAnalysis:
    features = _features(backbone, seconds)
    analysis = FlopCountAnalysis(_Pass(backbone).eval(), features)
    analysis.set_op_handle(**HANDLERS)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.tracer_warnings("none")
    with warnings.catch_warnings(), torch.no_grad(), _layers_unfused():
        warnings.simplefilter("ignore")  # the tracer's, on shapes that are constant here
        analysis.total()
    return analysis


@contextmanager
def _layers_unfused() -> Iterator[None]:
    """Let torch's own transformer layers run as the operators they are made of."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _features(backbone: Backbone, seconds: float) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    samples = round(seconds * SAMPLE_RATE)
    waveform = 0.1 * torch.randn(1, samples, generator=generator).to(device_of(backbone))
    with torch.no_grad():
        return backbone.front_end(waveform) if isinstance(backbone, Encoder) else waveform


def _beyond(backbone: Backbone, analysis: FlopCountAnalysis) -> int:
    """Multiply-accumulates of what the published pass runs beyond the hidden states."""
    names = backbone.beyond if isinstance(backbone, Encoder) else ()
    return sum(_counts(analysis, f"backbone.{name}") for name in names)


def _counts(analysis: FlopCountAnalysis, module: str) -> int:
    counts: Counter[str] = analysis.by_module_and_operator().get(module, Counter())
    return int(sum(counts.values()))


def _hooked_modules(analysis: FlopCountAnalysis) -> list[str]:
    modules = analysis._model.named_modules()
    return [name for name, module in modules if isinstance(module, HOOKED)]


def _uncounted(analysis: FlopCountAnalysis) -> dict[str, int]:
    found = analysis.unsupported_ops().items()
    return {name: int(times) for name, times in found if name not in ELEMENTWISE}
