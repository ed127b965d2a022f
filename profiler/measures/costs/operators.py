"""Multiply-accumulates of the operators that fvcore leaves out, from the shapes of a trace.

Each handler takes the operator's traced inputs and outputs and returns its multiply-accumulates,
as `fvcore.nn.FlopCountAnalysis.set_op_handle` asks for. `docs/counting-macs.md` gives the rules.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # fvcore scripts a function when imported
    from fvcore.nn import FlopCountAnalysis, jit_handles

__all__ = ["GATES", "HANDLERS", "FlopCountAnalysis", "Handler"]

Handler = Callable[[Sequence[Any], Sequence[Any]], "int | Counter[str]"]

GATES: Final = "recurrent_gates"
"""Key of a recurrent layer's elementwise work, which only the paper's counting includes."""


def attention(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:  # noqa: ARG001
    """Scaled dot-product attention: two products over every pair of query and key."""
    query, key, value = (_shape(operand) for operand in inputs[:3])
    return math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def batched_product(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:  # noqa: ARG001
    """`baddbmm`: a product of matrices, batched, with an addition."""
    left, right = _shape(inputs[1]), _shape(inputs[2])
    return math.prod(left) * right[-1]


def contraction(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    """`einsum` of two operands: one product for every combination of their indices.

    fvcore's rule reads numpy's report of the cost, which is rounded to four digits.
    """
    operands = list(inputs[1].node().inputs())
    terms = str(inputs[0].toIValue()).replace(" ", "").partition("->")[0].split(",")
    if len(operands) != 2 or any("." in term for term in terms):  # noqa: PLR2004
        return int(jit_handles.einsum_flop_jit(inputs, outputs))
    sizes: dict[str, int] = {}
    for term, operand in zip(terms, operands, strict=True):
        sizes |= dict(zip(term, _shape(operand), strict=True))
    return math.prod(sizes.values())


def recurrent(gates: int, elementwise: int) -> Handler:
    """Handler of a recurrent layer with so many gates: 1 plain, 3 GRU, 4 LSTM.

    `elementwise` is what each hidden unit does per step beside the products of matrices: three
    additions per gate, then 4 more to mix states in a GRU and in an LSTM. It goes apart, under
    `GATES`.
    """

    def count(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counter[str]:
        shape, (layers, both_ways) = _shape(inputs[0]), _depth(inputs)
        directions = 2 if both_ways else 1
        hidden = _shape(outputs[0])[-1] // directions
        widths = [shape[-1], *[hidden * directions] * (layers - 1)]
        rows = math.prod(shape[:-1]) * directions * hidden
        return Counter(
            {
                "recurrent": rows * gates * sum(width + hidden for width in widths),
                GATES: rows * layers * elementwise,
            }
        )

    return count


def fourier(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:  # noqa: ARG001
    """A real Fourier transform by the radix-2 rule: n log2 n for n points."""
    points = 2 * (_shape(outputs[0])[-1] - 1)
    return math.prod(_shape(outputs[0])[:-1]) * points * math.ceil(math.log2(points))


def _shape(operand: Any) -> list[int]:
    shape: list[int] = jit_handles.get_shape(operand)
    return shape


def _depth(inputs: Sequence[Any]) -> tuple[int, bool]:
    """Layers and whether both ways; a packed sequence brings one argument more."""
    first = 5 if len(_shape(inputs[0])) == 2 else 4  # noqa: PLR2004
    return int(inputs[first].toIValue()), bool(inputs[first + 3].toIValue())


HANDLERS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "aten::scaled_dot_product_attention": attention,
        "aten::baddbmm": batched_product,
        "aten::einsum": contraction,
        "aten::gru": recurrent(3, elementwise=13),
        "aten::lstm": recurrent(4, elementwise=16),
        "aten::rnn_tanh": recurrent(1, elementwise=3),
        "aten::rnn_relu": recurrent(1, elementwise=3),
        "aten::fft_rfft": fourier,
    }
)
