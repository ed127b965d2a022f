"""Peak memory of this process and all below it, sampled while a block runs."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Final, Self

import psutil

SECONDS_BETWEEN: Final = 0.25


class TreeMemory:
    """A context that records `peak`: bytes, each shared page counted once (Linux's PSS).

    A peak shorter than a quarter of a second can be missed.
    """

    def __init__(self) -> None:
        self.peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN):
            self.peak = max(self.peak, tree_bytes())


def tree_bytes() -> int:
    """Proportional set size of this process and all below it, now."""
    here = psutil.Process()
    return sum(_bytes(process) for process in [here, *here.children(recursive=True)])


def _bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:  # it ended in the meantime
        return 0
