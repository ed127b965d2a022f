"""What a run ran on, and which devices there are to run on."""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import os
import platform
import resource
import sys
from pathlib import Path
from typing import Final

import torch

from profiles_db.errors import InputError

_PACKAGES = (
    "trustser",
    "torch",
    "torchaudio",
    "transformers",
    "s3prl",
    "fvcore",
    "numpy",
    "duckdb",
    "soundfile",
    "soxr",
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
    what it uses. Giving back costs too, since what comes next must be had anew, so it is done when
    the process has grown by `SLACK` since the last time.
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
