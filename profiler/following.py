"""How far the heads in training are, as the jobs that train them note it after each epoch.

A job's result comes at its end, which for a large corpus is hours away; a note is a small file that
says how many epochs are done, read by the driver now and then.
"""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from profiler.progress import Stage
from profiler.steps import read_step, write_step

SECONDS_BETWEEN: Final = 1.0


def note_epochs(path: Path, epochs: int) -> None:
    """Note that `epochs` of a job are done."""
    write_step(path, epochs)


class Following:
    """A context in which notes advance a stage: each epoch of each of a job's folds is a step.

    Parameters
    ----------
    stage : Stage
    seconds : float, optional
        Between two looks at the notes.
    """

    def __init__(self, stage: Stage, *, seconds: float = SECONDS_BETWEEN) -> None:
        self._stage, self._seconds = stage, seconds
        self._lock = threading.Lock()
        self._shown: dict[Path, int] = {}
        self._folds: dict[Path, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_again, daemon=True)

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

    def follow(self, note: Path, folds: int) -> None:
        """Follow a job that trains the heads of so many folds."""
        with self._lock:
            self._folds[note], self._shown[note] = folds, 0

    def finish(self, note: Path, epochs: int) -> None:
        """The job is done, all `epochs` of it."""
        with self._lock:
            self._advance(note, epochs)
            del self._folds[note]

    def advance(self, steps: int) -> None:
        """Advance the stage by something else."""
        with self._lock:
            self._stage.advance(steps)

    def grow(self, steps: int) -> None:
        """Know of more to do."""
        with self._lock:
            self._stage.grow(steps)

    def _look_again(self) -> None:
        while not self._over.wait(self._seconds):
            with self._lock:
                for note in self._folds:
                    self._advance(note, read_step(note) or 0)

    def _advance(self, note: Path, epochs: int) -> None:
        news = epochs - self._shown[note]
        if news > 0:
            self._shown[note] = epochs
            self._stage.advance(news * self._folds[note])
