"""Peak memory of inference above the idle process, measured in a process of its own.

Run as `python -m profiler.measures.costs.memory`, with a JSON object on standard input, it measures
itself and prints a JSON object.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from profiler.backbones.load import load, prepare

TIMEOUT_SECONDS: Final = 300

_STATUS: Final = Path("/proc/self/status")
_CLEAR_REFS: Final = Path("/proc/self/clear_refs")
_RESET_PEAK: Final = "5"  # proc(5): resets the peak resident set size


@dataclass(frozen=True, slots=True)
class PeakMemory:
    """Peak memory above idle in bytes, weights included; None with the reason in `unknown`."""

    value: int | None
    unknown: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What the measuring process shall load and run: see `profiler.backbones.load.load`."""

    name: str
    weights: str
    device: str
    samples: int
    threads: int


def peak_memory(request: Request) -> PeakMemory:
    """Peak memory of inference on one clip, less the idle process that has loaded the libraries.

    On a CPU it is the peak of resident memory while the clip runs, above what it was before the
    weights were loaded; on CUDA what torch allocated there. Where the system does not tell, or the
    process fails, it is unknown, with the reason.
    """
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", __spec__.name],
            input=json.dumps(dataclasses.asdict(request)),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return PeakMemory(None, f"the measuring process took more than {TIMEOUT_SECONDS} s")
    if done.returncode != 0:
        last_line = next(reversed(done.stderr.strip().splitlines()), "no message")
        return PeakMemory(None, f"the measuring process failed: {last_line}")
    return PeakMemory(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure what standard input asks for, and print the answer."""
    request = Request(**json.load(sys.stdin))
    torch.set_num_threads(request.threads)
    prepare(request.name, request.weights)
    measure = _allocated if request.device.startswith("cuda") else _resident
    print(json.dumps(dataclasses.asdict(measure(request))))  # noqa: T201


def _loaded(request: Request) -> Callable[[], None]:
    """Load the backbone; what is returned runs one clip through it."""
    backbone = load(request.name, request.weights, device=request.device)
    clip = torch.zeros(1, request.samples, device=request.device)

    def run() -> None:
        with torch.inference_mode():
            backbone.hidden_states(clip)

    return run


def _allocated(request: Request) -> PeakMemory:
    run = _loaded(request)
    torch.cuda.reset_peak_memory_stats(request.device)
    run()
    return PeakMemory(torch.cuda.max_memory_allocated(request.device))


def _resident(request: Request) -> PeakMemory:
    idle = _status("VmRSS")
    if idle is None:
        return PeakMemory(None, "this system does not tell a process its memory")
    run = _loaded(request)
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK)
    except OSError as error:
        return PeakMemory(None, f"the peak memory cannot be reset: {error}")
    run()
    peak = _status("VmHWM")
    if peak is None:
        return PeakMemory(None, "this system does not tell a process its peak memory")
    return PeakMemory(peak - idle)


def _status(field: str) -> int | None:
    """A field of this process's status in bytes, or None where the system has none."""
    lines = _STATUS.read_text().splitlines() if _STATUS.is_file() else []
    found = (line.split() for line in lines if line.startswith(f"{field}:"))
    words = next(found, None)
    return int(words[1]) * 1024 if words else None


if __name__ == "__main__":
    main()
