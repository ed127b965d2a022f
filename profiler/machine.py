"""What a run ran on, and which devices there are to run on."""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import itertools
import os
import platform
import resource
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from profiles_db.errors import InputError

_PACKAGES = (
    "trustser",
    "torch",
    "torchaudio",
    "transformers",
    "s3prl",
    "fvcore",
    "numpy",
    "scipy",
    "duckdb",
    "soundfile",
    "soxr",
    "scikit-learn",
)


def pick_device(name: str) -> torch.device:
    """The torch device called `name`: `auto` takes CUDA where there is one.

    Raises
    ------
    InputError
        If the device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise InputError(f"no device is called {name!r}", where="--device", rule="auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "no CUDA device here", where="--device cuda", remedy="use --device cpu or auto"
        )
    return torch.device(name)


def device_of(module: nn.Module) -> torch.device:
    """Where `module` stands: where its parameters do, else its buffers; the CPU if it has neither.

    Examples
    --------
    >>> device_of(nn.Linear(2, 3, device="meta"))
    device(type='meta')
    """
    tensors: Iterator[Tensor] = itertools.chain(module.parameters(), module.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


def batch_of(waves: Sequence[NDArray[np.float32]], device: torch.device) -> Tensor:
    """Equally long waveforms as one tensor on `device`, shape (waves, samples).

    They are copied into memory of torch's own, which begins at a multiple of 64 bytes. NumPy's
    begins at any multiple of 16, another one each time, and by where its operands begin a
    product of matrices may round its sums otherwise.
    """
    return torch.stack([torch.from_numpy(wave) for wave in waves]).to(device)


@functools.cache
def versions() -> dict[str, str]:
    """Version of Python and of every package that shapes a number."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def peak_memory_bytes() -> int:
    """Largest resident memory of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


class Heap:
    """The C library's heap in this process, given back where it keeps what was freed (glibc).

    Clips of ever other lengths leave it full of holes: after a few of them a process holds twice
    what it uses. Giving back costs too, since what comes next must be asked for again, so
    it is done when the process has grown by `SLACK` since the last time.
    """

    SLACK: Final = 128 * 2**20

    def __init__(self) -> None:
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self._left = 0

    def tidy(self) -> None:
        """Give back what was freed, if that pays."""
        if self._trim is not None and _resident_bytes() - self._left > self.SLACK:
            self.give_back()

    def give_back(self) -> None:
        """Give back what was freed."""
        if self._trim is not None:
            self._trim(0)
            self._left = _resident_bytes()


HEAP: Final = Heap()


def _resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


def available_cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
