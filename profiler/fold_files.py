"""Where the steps of one fold of one repetition leave their results."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from profiler.steps import read_step
from profiles_db.files import open_regular
from profiles_db.records import Task


@dataclass(frozen=True, slots=True)
class FoldFiles:
    """Files of one fold (from 1) of one repetition (from 0) in the folder `steps`."""

    steps: Path
    repetition: int
    fold: int

    @property
    def result(self) -> Path:
        """All that the trained heads gave, as JSON."""
        return self.steps / f"heads-{self.repetition}-{self.fold}.json"

    @property
    def head(self) -> Path:
        """The emotion head's weights."""
        return self.result.with_suffix(".safetensors")

    def training(self, task: Task) -> Path:
        """A head while it is trained."""
        return self.steps / f"training-{self.repetition}-{self.fold}-{task}.state"

    def are_done(self) -> bool:
        """Whether the result is there, and the head it speaks of."""
        step = read_step(self.result)
        if not step or not self.head.exists():
            return False
        with open_regular(self.head) as stream:
            return bool(zlib.crc32(stream.read()) == step.get("head"))

    def forget_training(self) -> None:
        """Remove what was kept between epochs, once the result is there."""
        for task in get_args(Task):
            self.training(task).unlink(missing_ok=True)
