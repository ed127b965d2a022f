"""The jobs a run is cut into. Each leaves its result as a file, so it is done once.

features (some clips) -> heads and measures on hidden states (some folds and repetitions)
-> measures on waveforms (some clips of a fold)
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from safetensors.torch import save

from profiler.measures.base import ClipTask, OnHiddenStates, OnWaveforms
from profiler.measures.registry import measures
from profiler.pipeline.context import Context, Plan
from profiler.pipeline.epoch_progress import note_epochs
from profiler.pipeline.fold_training import Cell, train_and_test
from profiler.pipeline.results import as_plain, read_step, write_step
from profiler.settings import digest_of
from profiler.training.head import Head
from profiles_db.files import make_folder, replacing
from profiles_db.records import StepResult
from profiles_db.row_tables import TRAINING


@dataclass(frozen=True, slots=True)
class FeaturesJob:
    """Compute the features of some clips; the result names those that cannot be used.

    With `keep` they fill the cache; without, the clips are only tried.
    """

    clips: tuple[str, ...]
    keep: bool = True

    def file(self, plan: Plan) -> Path:
        """Where the result lies."""
        return plan.steps / f"features-{digest_of([self.clips, self.keep])[:16]}.json"

    def run(self, context: Context) -> None:
        """Do the job."""
        clips = [context.plan.clips[name] for name in self.clips]
        unusable = context.features.fill(clips, lambda _: None, keep=self.keep)
        write_step(self.file(context.plan), unusable)

    @property
    def size(self) -> int:
        """Clips."""
        return len(self.clips)


@dataclass(frozen=True, slots=True)
class StatesJob:
    """Train and test the heads of some folds, and measure on their hidden states, in one pass.

    Of each cell (a fold of a repetition) only the steps that it names.
    """

    cells: tuple[Cell, ...]
    threads: int | None = None

    def file(self, plan: Plan) -> Path:
        """Where the last result lies."""
        cell = self.cells[-1]
        return plan.files(cell.steps[-1], cell.repetition, cell.fold).result

    def note(self, plan: Plan) -> Path:
        """Where it notes how many epochs are done."""
        return self.file(plan).with_suffix(".epochs")

    def epochs(self, plan: Plan) -> int:
        """Passes until its last head is trained, not counting that repetitions begin in turn."""
        return max(map(plan_epochs(plan), {step for cell in self.cells for step in cell.steps}))

    def run(self, context: Context) -> None:
        """Do the job."""
        plan = context.plan
        with _threads(self.threads):
            results = train_and_test(
                context,
                self.cells,
                on_epoch=lambda epochs: note_epochs(self.note(plan), epochs),
            )
        self.note(plan).unlink(missing_ok=True)
        make_folder(plan.steps)
        for result, head in results:
            _write(context, result, head)

    @property
    def size(self) -> int:
        """Folds, each as often as it is trained."""
        return len(self.cells)


def plan_epochs(plan: Plan) -> Callable[[str], int]:
    """How many epochs a step trains for."""

    def epochs(step: str) -> int:
        if step == TRAINING:
            return plan.protocol.training.epochs
        measure = measures()[step]
        assert isinstance(measure, OnHiddenStates)  # noqa: S101 - no other is a step of such a job
        own = measure.epochs(plan.protocol.measure(step))
        return plan.protocol.training.epochs if own is None else own

    return epochs


def _write(context: Context, result: StepResult, head: Head | None) -> None:
    files = context.plan.files(result.step, result.repetition, result.fold)
    plain = as_plain(result)
    if head is not None:
        tensors = save({k: v.contiguous().cpu() for k, v in head.state_dict().items()})
        with replacing(files.head) as part:
            part.write_bytes(tensors)
        plain |= {"head": zlib.crc32(tensors)}
    write_step(files.result, plain)
    for state in files.steps.glob(f"{files.result.stem}.*.state"):
        state.unlink(missing_ok=True)


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    """Torch with that many threads; with as many as it has where None."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True, slots=True)
class ClipsJob:
    """What a measure does with the waveforms of some clips of one fold."""

    measure: str
    fold: int
    tasks: tuple[ClipTask, ...]

    def file(self, plan: Plan) -> Path:
        """Where the result lies."""
        name = f"{plan.label(self.measure)}-clips-{self.fold}-{digest_of(self.tasks)[:16]}.json"
        return plan.steps / name

    def run(self, context: Context) -> None:
        """Do the job."""
        start = time.perf_counter()
        measure = measures()[self.measure]
        assert isinstance(measure, OnWaveforms)  # noqa: S101 - no other has tasks
        repetitions = sorted({task.repetition for task in self.tasks})
        rows = measure.listen(
            context,
            self.fold,
            {repetition: context.head(repetition, self.fold) for repetition in repetitions},
            self.tasks,
            context.protocol.measure(self.measure),
        )
        # Rows of all repetitions lie in one file: they are told apart when they are stored.
        seconds = {self.measure: time.perf_counter() - start}
        result = StepResult(self.measure, repetitions[0], self.fold, tuple(rows), seconds)
        write_step(self.file(context.plan), as_plain(result))

    def is_done(self, plan: Plan) -> bool:
        """Whether the result is there, whole."""
        return read_step(self.file(plan)) is not None

    @property
    def size(self) -> int:
        """Clips, each as often as it is a task."""
        return len(self.tasks)


Job: TypeAlias = FeaturesJob | StatesJob | ClipsJob
