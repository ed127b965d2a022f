"""Peak memory of this process and all below it, sampled while a block runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psutil

from profiler.pipeline.epoch_progress import repeating

SECONDS_BETWEEN: Final = 0.25


@dataclass(slots=True)
class Peak:
    """The most bytes seen so far, each shared page counted once (Linux's PSS)."""

    bytes: int = 0


@contextmanager
def tree_memory() -> Iterator[Peak]:
    """Sample while the block runs; a peak shorter than a quarter of a second can be missed."""
    peak = Peak()

    def look() -> None:
        peak.bytes = max(peak.bytes, tree_bytes())

    with repeating(look, SECONDS_BETWEEN):
        yield peak


def tree_bytes() -> int:
    """Proportional set size of this process and all below it, now."""
    here = psutil.Process()
    return sum(_bytes(process) for process in [here, *here.children(recursive=True)])


def _bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:  # it ended in the meantime
        return 0
