"""The stage moves while heads are trained, and ends where it should."""

from __future__ import annotations

import time
from pathlib import Path

from profiler.pipeline.epoch_progress import following, note_epochs
from profiler.progress import Silent


class Counting(Silent):
    def __init__(self) -> None:
        self.steps = 0

    def advance(self, steps: int = 1) -> None:
        self.steps += steps


def _wait_for(stage: Counting, steps: int) -> None:
    end = time.monotonic() + 20
    while stage.steps != steps:
        assert time.monotonic() < end, f"{stage.steps} steps shown, not {steps}"
        time.sleep(0.005)


def test_notes_advance_the_stage_by_each_folds_epochs(tmp_path: Path) -> None:
    stage, first, second = Counting(), tmp_path / "a.epochs", tmp_path / "b.epochs"
    with following(stage, seconds=0.01) as heads:
        heads.follow(first, folds=3)
        heads.follow(second, folds=2)
        note_epochs(first, 4)
        _wait_for(stage, 12)
        note_epochs(second, 1)
        _wait_for(stage, 14)
        first.write_text("half a no")  # damaged: as if nothing were noted
        heads.advance(5)
        heads.finish(first, 30)
        assert stage.steps == 14 + 5 + 26 * 3
        heads.finish(second, 30)
        assert stage.steps == 5 + 30 * 5
    assert stage.steps == 5 + 30 * 5
