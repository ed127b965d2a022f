"""What a run ran on, and which devices there are to run on."""

from __future__ import annotations

import importlib.metadata
import platform
import resource
import sys
from pathlib import Path

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


def versions() -> dict[str, str]:
    """Version of Python and of every package that shapes a number."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def describe(device: torch.device) -> str:
    """The device for people: processor and threads, or the GPU's name."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"{_processor()}, {torch.get_num_threads()} threads"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def peak_memory_bytes() -> int:
    """Largest resident memory of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
