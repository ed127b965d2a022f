"""How far the heads in training are, as the jobs that train them note it after each epoch.

A job's result comes at its end, which for a large corpus is hours away; a note is a small file that
says how many epochs are done, read by the driver now and then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from profiler.pipeline.results import read_step, write_step
from profiler.progress import Stage


@contextmanager
def repeating(action: Callable[[], None], seconds: float) -> Iterator[None]:
    """Do `action` every so many seconds; it is not under way any more when the block has ended."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(seconds):
            action()

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


SECONDS_BETWEEN: Final = 1.0


def note_epochs(path: Path, epochs: int) -> None:
    """Note that `epochs` of a job are done."""
    write_step(path, epochs)


@contextmanager
def following(stage: Stage, *, seconds: float = SECONDS_BETWEEN) -> Iterator[Following]:
    """A context in which notes advance a stage: each epoch of each of a job's folds is a step.

    Parameters
    ----------
    stage : Stage
    seconds : float, optional
        Between two looks at the notes.
    """
    found = Following(stage)
    with repeating(found.look, seconds):
        yield found


class Following:
    """What of the notes a stage has shown. Its methods may be called from several threads."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._lock = threading.Lock()
        self._shown: dict[Path, int] = {}
        self._folds: dict[Path, int] = {}

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

    def look(self) -> None:
        """Show what the notes say now."""
        with self._lock:
            for note in self._folds:
                self._advance(note, read_step(note) or 0)

    def _advance(self, note: Path, epochs: int) -> None:
        news = epochs - self._shown[note]
        if news > 0:
            self._shown[note] = epochs
            self._stage.advance(news * self._folds[note])
