"""The jobs a run is cut into. Each leaves its result as a file, so it is done once.

features (some clips) -> heads (some folds and repetitions) -> attack (some of a fold's right clips)
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from profiler.pipeline.epoch_progress import note_epochs
from profiler.pipeline.fold_attack import attack
from profiler.pipeline.fold_training import train_heads
from profiler.pipeline.plan import Plan, Workshop
from profiler.pipeline.results import FoldFiles, as_plain, read_step, write_step
from profiler.protocol import digest_of
from profiler.training.head import Head
from profiles_db.errors import CacheError
from profiles_db.files import make_folder, open_regular, replacing
from profiles_db.records import FoldResult


@dataclass(frozen=True, slots=True)
class FeaturesJob:
    """Make the features of some clips; the result names those that cannot be used.

    With `keep` they fill the cache; without, the clips are only tried.
    """

    clips: tuple[str, ...]
    keep: bool = True

    def file(self, plan: Plan) -> Path:
        """Where the result lies."""
        return plan.steps / f"features-{digest_of([self.clips, self.keep])[:16]}.json"

    def run(self, shop: Workshop) -> None:
        """Do the job."""
        clips = [shop.plan.clips[name] for name in self.clips]
        unusable = shop.features.fill(clips, lambda _: None, keep=self.keep)
        write_step(self.file(shop.plan), unusable)

    @property
    def size(self) -> int:
        """Clips."""
        return len(self.clips)


@dataclass(frozen=True, slots=True)
class HeadsJob:
    """Train and test all heads of some folds, in one pass over the features.

    `folds` holds pairs of a repetition (from 0) and a fold (from 1).
    """

    folds: tuple[tuple[int, int], ...]
    threads: int | None = None

    def file(self, plan: Plan) -> Path:
        """Where the last result lies."""
        return self.files(plan)[-1].result

    def files(self, plan: Plan) -> list[FoldFiles]:
        """Where each fold's results lie."""
        return [FoldFiles(plan.steps, repetition, fold) for repetition, fold in self.folds]

    def note(self, plan: Plan) -> Path:
        """Where it notes how many epochs are done."""
        return self.file(plan).with_suffix(".epochs")

    def run(self, shop: Workshop) -> None:
        """Do the job."""
        files = {(one.repetition, one.fold): one for one in self.files(shop.plan)}
        with _threads(self.threads):
            trained = train_heads(
                shop.bench,
                [(repetition, shop.plan.fold(number)) for repetition, number in self.folds],
                state_file=lambda repetition, fold, task: files[repetition, fold].training(task),
                on_epoch=lambda epochs: note_epochs(self.note(shop.plan), epochs),
            )
        self.note(shop.plan).unlink(missing_ok=True)
        make_folder(shop.plan.steps)
        for result, head in trained:
            _write_fold(files[result.seed, result.fold], result, head)
        for fold in files.values():
            fold.forget_training()

    @property
    def size(self) -> int:
        """Folds, each as often as it is trained."""
        return len(self.folds)


def _write_fold(files: FoldFiles, result: FoldResult, head: Head) -> None:
    tensors = save({k: v.contiguous().cpu() for k, v in head.state_dict().items()})
    with replacing(files.head) as part:
        part.write_bytes(tensors)
    write_step(files.result, as_plain(result) | {"head": zlib.crc32(tensors)})


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
class AttackJob:
    """Attack some clips that a fold's head classified correctly; PGD on those of `for_pgd`."""

    repetition: int
    fold: int
    clips: tuple[str, ...]
    for_pgd: frozenset[str]

    def file(self, plan: Plan) -> Path:
        """Where the result lies."""
        name = f"attack-{self.repetition}-{self.fold}-{digest_of(self.clips)[:16]}.json"
        return plan.steps / name

    def run(self, shop: Workshop) -> None:
        """Do the job."""
        start = time.perf_counter()
        correct = [shop.plan.utterances[name] for name in self.clips]
        outcomes = attack(
            shop.bench,
            self._head(shop),
            correct,
            for_pgd=self.for_pgd,
            seed=self.repetition,
            fold=self.fold,
        )
        seconds = {"attack": time.perf_counter() - start}
        result = FoldResult(self.repetition, self.fold, seconds, attacks=tuple(outcomes))
        write_step(self.file(shop.plan), as_plain(result))

    def _head(self, shop: Workshop) -> Head:
        """The emotion head that the fold's `HeadsJob` left."""
        head = shop.bench.new_head(len(shop.plan.classes))
        files = FoldFiles(shop.plan.steps, self.repetition, self.fold)
        head.load_state_dict(_tensors(files.head))
        return head.to(torch.device(shop.plan.spec.device)).eval()

    @property
    def size(self) -> int:
        """Clips."""
        return len(self.clips)


Job: TypeAlias = FeaturesJob | HeadsJob | AttackJob


def is_done(job: AttackJob, plan: Plan) -> bool:
    """Whether the job's result is there, whole."""
    return read_step(job.file(plan)) is not None


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        with open_regular(path) as stream:
            return load(stream.read())
    except (OSError, SafetensorError) as error:
        raise CacheError(
            "a trained head can no longer be read",
            where=str(path),
            remedy="run the same command again: it trains the head anew and keeps what is done",
        ) from error
