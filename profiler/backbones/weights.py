"""Weights of an encoder: drawn from a seed or fitted strictly, and identified by content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from profiler.backbones.base import Weights
from profiler.backbones.printable import printable
from profiles_db.errors import CheckpointError

_SHOWN = 3

Module = TypeVar("Module", bound=nn.Module)


def drawn(build: Callable[[], Module], seed: int) -> tuple[Module, Weights]:
    """What `build` makes with its random numbers drawn from `seed`.

    The global generator is left as it was found.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        module = build()
    return module, Weights("random", f"random:{seed}", f"random:{seed}", size(module.state_dict()))


def fitted(
    build: Callable[[], Module],
    tensors: Mapping[str, Tensor],
    origin: str,
    optional: Collection[str] = (),
) -> tuple[Module, Weights]:
    """What `build` makes, carrying `tensors` as 32-bit floats.

    Parameters
    ----------
    build : callable
        Makes the module; its initial values are never computed.
    tensors : mapping of name to Tensor
    origin : str
        Hub id or file, for people.
    optional : collection of str
        Names that inference never reads; where missing they are zero.

    Raises
    ------
    CheckpointError
        Where tensors are missing, unexpected, misshapen, not floating point or not finite, by name.
    """
    with torch.device("meta"):
        module = build()
    state = module.state_dict()
    spare = {name: torch.zeros(state[name].shape) for name in optional if name in state}
    given = {**spare, **tensors}
    _refuse_misfits(state, given, origin)
    # Copied out of the file, where they may begin anywhere: see `profiler.machine.batch_of`.
    held = {
        name: tensor.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        for name, tensor in given.items()
    }
    _refuse_not_finite(held, origin)
    module.load_state_dict(held, assign=True)
    return module, Weights("pretrained", content_id(held), origin, size(held))


def content_id(tensors: Mapping[str, Tensor]) -> str:
    """`sha256:...` over the names (sorted), types, shapes and bytes of `tensors`."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return f"sha256:{digest.hexdigest()}"


def size(tensors: Mapping[str, Tensor]) -> int:
    """Bytes of `tensors`."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _refuse_misfits(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], origin: str) -> None:
    misfits = {
        "missing": [name for name in wanted if name not in given],
        "unexpected": [name for name in given if name not in wanted],
        "misshapen": [
            f"{name} {tuple(given[name].shape)} instead of {tuple(wanted[name].shape)}"
            for name in wanted
            if name in given and given[name].shape != wanted[name].shape
        ],
        "not floating-point": [n for n, tensor in given.items() if not tensor.is_floating_point()],
    }
    _refuse(misfits, "tensors do not fit the architecture", origin)


def _refuse_not_finite(tensors: Mapping[str, Tensor], origin: str) -> None:
    names = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    _refuse({"not finite": names}, "tensors hold NaN or infinity", origin)


def _refuse(problems: Mapping[str, list[str]], what: str, origin: str) -> None:
    found = [f"{len(names)} {kind} ({_some(names)})" for kind, names in problems.items() if names]
    if found:
        raise CheckpointError(
            f"{what}: {'; '.join(found)}",
            where=origin,
            remedy="give the checkpoint of this architecture",
        )


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(printable(name) for name in names[:_SHOWN]) + (
        f" and {more} more" if more > 0 else ""
    )
