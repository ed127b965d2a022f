"""The jobs a run is cut into. Each leaves its result as a file, so it is done once.

features (some clips) -> heads (a fold of a repetition) -> attack (some of its right clips)
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from profiler.fold_attack import attack
from profiler.fold_heads import train_heads
from profiler.heads import Head
from profiler.plan import Plan, Workshop
from profiler.protocol import digest_of
from profiler.steps import as_plain, read_step, write_step
from profiles_db.errors import CacheError
from profiles_db.files import make_folder, replacing
from profiles_db.records import FoldResult


@dataclass(frozen=True, slots=True)
class FeaturesJob:
    """Fill the feature cache with some clips; the result names those that cannot be used."""

    clips: tuple[str, ...]

    def file(self, plan: Plan) -> Path:
        """Where the result lies."""
        return plan.steps / f"features-{digest_of(self.clips)[:16]}.json"

    def run(self, shop: Workshop) -> None:
        """Do the job."""
        clips = [shop.plan.clips[name] for name in self.clips]
        write_step(self.file(shop.plan), shop.features.fill(clips, lambda _: None))

    @property
    def size(self) -> int:
        """Clips."""
        return len(self.clips)


@dataclass(frozen=True, slots=True)
class HeadsJob:
    """Train and test all heads of one fold of one repetition."""

    repetition: int
    fold: int

    def file(self, plan: Plan) -> Path:
        """Where the result lies."""
        return plan.steps / f"heads-{self.repetition}-{self.fold}.json"

    def head_file(self, plan: Plan) -> Path:
        """Where the emotion head's weights lie."""
        return self.file(plan).with_suffix(".safetensors")

    def run(self, shop: Workshop) -> None:
        """Do the job."""
        fold = shop.plan.fold(self.fold)
        result, head = train_heads(shop.bench, fold, repetition=self.repetition)
        tensors = save({k: v.contiguous().cpu() for k, v in head.state_dict().items()})
        make_folder(shop.plan.steps)
        with replacing(self.head_file(shop.plan)) as part:
            part.write_bytes(tensors)
        write_step(self.file(shop.plan), as_plain(result) | {"head": zlib.crc32(tensors)})

    def is_done(self, plan: Plan) -> bool:
        """Whether the result is there, and the head it speaks of."""
        step = read_step(self.file(plan))
        file = self.head_file(plan)
        return bool(step and file.exists() and zlib.crc32(file.read_bytes()) == step.get("head"))

    @property
    def size(self) -> int:
        """One fold."""
        return 1


@dataclass(frozen=True, slots=True)
class AttackJob:
    """Attack some of the clips that a fold's head classified right; PGD on those of `hunted`."""

    repetition: int
    fold: int
    clips: tuple[str, ...]
    hunted: frozenset[str]

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
            hunted=self.hunted,
            seed=self.repetition,
            fold=self.fold,
        )
        seconds = {"attack": time.perf_counter() - start}
        result = FoldResult(self.repetition, self.fold, seconds, attacks=tuple(outcomes))
        write_step(self.file(shop.plan), as_plain(result))

    def _head(self, shop: Workshop) -> Head:
        """The emotion head that the fold's `HeadsJob` left."""
        head = shop.bench.new_head(len(shop.plan.classes))
        job = HeadsJob(self.repetition, self.fold)
        head.load_state_dict(_tensors(job.head_file(shop.plan)))
        return head.to(torch.device(shop.plan.spec.device)).eval()

    @property
    def size(self) -> int:
        """Clips."""
        return len(self.clips)


Job: TypeAlias = FeaturesJob | HeadsJob | AttackJob


def is_done(job: Job, plan: Plan) -> bool:
    """Whether the job's result is there, whole."""
    if isinstance(job, HeadsJob):
        return job.is_done(plan)
    return read_step(job.file(plan)) is not None


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise CacheError(
            "a trained head can no longer be read",
            where=str(path),
            remedy="run the same command again: it trains the head anew and keeps what is done",
        ) from error
