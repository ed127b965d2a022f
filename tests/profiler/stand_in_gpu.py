"""A device that stands in for a GPU: its tensors lie apart from the CPU's and refuse to meet them.

`stand_in_gpu()` makes every `device="cuda"` mean that device. The arithmetic is the CPU's, so what
shows is whether everything that must be on the GPU is, and what batches make of it; not what the
GPU's own kernels do. Nothing of CUDA is asked for, so that it works where there is none: what
measuring costs asks of it beside tensors is answered here. Inference mode is no_grad, since torch
refuses tensors of other make in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

GPU: Final = torch.device("cuda", 0)
NAME: Final = "a stand-in"
ALLOCATED: Final = 123_456
"""Bytes that it says were allocated at most."""
_SIGN: Final = torch.device("meta")
"""What torch is told instead of CUDA, which it would look for."""
_aten = torch.ops.aten
_MOVES: Final = {_aten._to_copy.default, _aten.copy_.default}
_INDEXED: Final = {_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default}
"""Operators that take indices from the CPU, as CUDA's do."""


def _dispatched(
    _receiver: Any,
    func: Any,
    _types: Sequence[type],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """What torch calls for every operator, on the class of a tensor or on a mode."""
    return _run(func, args, kwargs or {})


class GpuTensor(Tensor):
    """A tensor on the device; `held` has its values."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> GpuTensor:
        """`held`, seen from the device."""
        made: GpuTensor = Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=_SIGN,
        )
        made.held = held
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    __torch_dispatch__ = classmethod(_dispatched)  # type: ignore[assignment]

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """As a tensor on CUDA says."""
        return GPU

    @property
    def is_meta(self) -> bool:  # type: ignore[override]
        """No: it has values."""
        return False

    def tolist(self) -> list[Any]:
        """Its values, which are fetched to the CPU."""
        values: list[Any] = self.held.tolist()
        return values

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.held.__reduce_ex__(protocol)  # type: ignore[no-untyped-call]


@contextmanager
def stand_in_gpu() -> Iterator[None]:
    """A context in which `cuda` is the device of this module."""
    with (
        mock.patch.object(torch, "inference_mode", torch.no_grad),
        mock.patch.multiple(
            torch.cuda,
            synchronize=lambda _: None,
            get_device_name=lambda _: NAME,
            reset_peak_memory_stats=lambda _: None,
            max_memory_allocated=lambda _: ALLOCATED,
        ),
        _Named(),
        _Everywhere(),  # type: ignore[no-untyped-call]
    ):
        yield


class _Everywhere(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees the operators that no tensor of the device takes part in, such as a move to it."""

    __torch_dispatch__ = _dispatched


class _Named(TorchFunctionMode):
    """Says `_SIGN` where CUDA is named."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = {name: _renamed(value) for name, value in (kwargs or {}).items()}
        if func is Tensor.to:
            args = [_renamed(value) for value in args]
        if func is Tensor.__getitem__ and isinstance(args[1], list):
            args = [args[0], torch.tensor(args[1])]  # or torch would make it on `_SIGN`, valueless
        if func is torch.tensor and named.pop("device", None) == _SIGN:
            return func(*args, **named).to(_SIGN)  # likewise
        return func(*args, **named)


def _renamed(value: Any) -> Any:
    names_gpu = isinstance(value, torch.device | str) and str(value).startswith("cuda")
    return _SIGN if names_gpu else value


def _run(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """`func` on the values, its results on the device that its arguments are on or that it names.

    Raises
    ------
    RuntimeError
        If tensors of two devices meet.
    """
    flat = [*_leaves(args), *_leaves(kwargs)]
    on_gpu = any(isinstance(value, GpuTensor) for value in flat)
    for value in flat:
        _require_values(func, value)
        if on_gpu and func not in _MOVES | _INDEXED:
            _require_on_gpu(func, value)
    wanted = kwargs.get("device")
    to_gpu = on_gpu if wanted is None else torch.device(wanted) == _SIGN
    found = func(*_mapped(_plain, args), **_mapped(_plain, kwargs))
    if func is _aten.copy_.default:
        return args[0]
    if not to_gpu:
        return found
    found = _mapped(_held, found)
    if not on_gpu:
        return found
    return return_and_correct_aliasing(func, args, dict(kwargs), found)  # type: ignore[no-untyped-call]


def _leaves(value: Any) -> Iterator[Any]:
    """All in lists, tuples and dictionaries: torch's own trees do more, and take half the time."""
    if isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    else:
        yield value


def _mapped(change: Callable[[Any], Any], value: Any) -> Any:
    """`value` with each of its leaves changed."""
    if isinstance(value, list | tuple):
        return type(value)([_mapped(change, one) for one in value])
    if isinstance(value, dict):
        return {name: _mapped(change, one) for name, one in value.items()}
    return change(value)


def _held(value: Any) -> Any:
    return GpuTensor(value) if isinstance(value, Tensor) else value


def _plain(value: Any) -> Any:
    if isinstance(value, GpuTensor):
        return value.held
    is_sign = isinstance(value, torch.device) and value == _SIGN
    return torch.device("cpu") if is_sign else value


def _require_values(func: Any, value: Any) -> None:
    if isinstance(value, Tensor) and value.is_meta and not isinstance(value, GpuTensor):
        raise RuntimeError(f"{func}: a tensor was made past the stand-in, and has no values")


def _require_on_gpu(func: Any, value: Any) -> None:
    """Single numbers of the CPU are taken, as by CUDA."""
    if isinstance(value, Tensor) and not isinstance(value, GpuTensor) and value.ndim > 0:
        raise RuntimeError(f"{func}: tensors on {GPU} and {value.device}")
