"""What a profile costs above the arithmetic it cannot avoid, and below the reference's schedule.

Run it with `make bench` or `python -m benchmarks.profile --backbone whisper_tiny --clips 240`. On
the same clips of the built-in corpus, in one run:

    a  a full profile, from an empty cache (all aspects, all folds and epochs)
    b  the bare forward passes of the clips through the backbone
    c  the bare passes of the attack on the clips classified right
    d  the heads' training with the features already in memory
    e  the reference's schedule: the backbone runs in every epoch of every fold, attacks and heads
       as in c and d (timed over a part of the clips and scaled)

and prints a / (b + c + d), e / a, and how much faster a second profile is whose features are in the
cache. b, c and d run in this process with all its threads; a chooses its own workers, whose start
counts. Costs on the device (latency, memory) are left out of a: they measure for a fixed time.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from profiler.audio import load_clip
from profiler.cache_home import cache_home
from profiler.engines.choose import Choice
from profiler.execute import execute
from profiler.fold_attack import attack, pgd_targets
from profiler.fold_heads import train_heads
from profiler.heads import Head
from profiler.machine import peak_memory_bytes
from profiler.plan import BackboneSpec, Plan, Workshop
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.run import describe_run
from profiler.study import Study, open_study
from profiles_db.records import FoldResult
from profiles_db.store import Store

REFERENCE_CLIPS = 32
"""Clips that the reference's forward pass is timed on, before it is scaled."""


@dataclasses.dataclass(frozen=True)
class Seconds:
    """One round's wall times in seconds."""

    full: float
    forward: float
    attack: float
    heads: float
    reference: float
    warm: float

    @property
    def above_the_limit(self) -> float:
        """a / (b + c + d)."""
        return self.full / (self.forward + self.attack + self.heads)

    @property
    def below_the_reference(self) -> float:
        """e / a."""
        return self.reference / self.full

    @property
    def warm_gain(self) -> float:
        """First run / second run on the warm cache."""
        return self.full / self.warm


def measure(spec: BackboneSpec, study: Study, folder: Path) -> Seconds:
    """One round: everything once, on the same clips."""
    full, shop = _profile(spec, study, folder, "first")
    warm, _ = _profile(spec, study, folder, "second")
    waves = [_wave(clip.path, study.protocol) for clip in study.clips.values()]
    forward = _timed(lambda: _forward(shop, waves))
    heads, attacked = 0.0, 0.0
    for fold in study.folds:
        start = time.perf_counter()
        result, head = train_heads(shop.bench, fold, repetition=0)
        heads += time.perf_counter() - start
        attacked += _attack_seconds(shop, head, result)
    part = waves[:REFERENCE_CLIPS]
    each = _timed(lambda: _forward(shop, part)) / len(part)
    reference = each * _passes(study) + heads + attacked
    return Seconds(full, forward, attacked, heads, reference, warm)


def _profile(spec: BackboneSpec, study: Study, folder: Path, name: str) -> tuple[float, Workshop]:
    """Wall time of all jobs of a profile, features from the cache in `folder` where they are."""
    backbone = spec.load()
    run = dataclasses.replace(describe_run(study, backbone, torch.device("cpu")), run=name)
    plan = Plan(
        run=name,
        spec=spec,
        protocol=study.protocol,
        classes=study.corpus.classes,
        utterances={utterance.id: utterance for utterance in study.corpus.utterances},
        clips=study.clips,
        folds=study.folds,
        cache=folder,
    )
    store = Store(folder / "bench.duckdb")
    shop = Workshop(plan, backbone)
    start = time.perf_counter()
    store.begin(run)
    with Choice().engine(shop, Silent()) as engine:
        execute(shop, store, engine, Silent())
    return time.perf_counter() - start, shop


def _wave(path: Path, protocol: Protocol) -> Tensor:
    return torch.from_numpy(load_clip(path, seconds=protocol.seconds)).unsqueeze(0)


@torch.no_grad()
def _forward(shop: Workshop, waves: Sequence[Tensor]) -> None:
    for wave in waves:
        shop.backbone.hidden_states(wave)


def _attack_seconds(shop: Workshop, head: Head, result: FoldResult) -> float:
    """The attack on a fold's rightly classified clips, alone in this process."""
    right = [
        row.utterance
        for row in result.predictions
        if row.task == "emotion" and row.label == row.predicted
    ]
    hunted = pgd_targets(shop.plan.protocol, right, result.fold)
    clips = [shop.plan.utterances[name] for name in right]
    head.eval()
    return _timed(lambda: attack(shop.bench, head, clips, hunted=hunted, seed=0, fold=result.fold))


def _passes(study: Study) -> int:
    """Clips that the reference sends through the backbone to train and test every head."""
    protocol = study.protocol
    clips = sum(len(f.train) + len(f.dev) + len(f.test) for f in study.folds)
    probe = study.folds[0]
    gender = len(probe.train) + len(probe.dev) + len(probe.test)
    return protocol.epochs * clips + protocol.probe_epochs * gender


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure one backbone and print times, ratios and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="whisper_tiny")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=Protocol().epochs)
    parser.add_argument("--pgd-clips", type=int, default=Protocol().pgd_clips)
    chosen = parser.parse_args()
    protocol = Protocol(epochs=chosen.epochs, pgd_clips=chosen.pgd_clips)
    study = open_study("demo", cache_home() / "demo", protocol, Silent())
    rounds = []
    for _ in range(chosen.rounds):
        with tempfile.TemporaryDirectory() as folder:
            spec = BackboneSpec(chosen.backbone, "random", 0, "cpu")
            rounds.append(measure(spec, study, Path(folder)))
    print(
        f"{chosen.backbone}, random weights, {len(study.clips)} clips of {study.corpus.name}, "
        f"{len(study.folds)} folds, {protocol.epochs} epochs, {torch.get_num_threads()} threads, "
        f"medians of {chosen.rounds} rounds"
    )
    for name in [field.name for field in dataclasses.fields(Seconds)]:
        print(f"  {name:10} {_median(rounds, name):9.2f} s")
    for name, title in (
        ("above_the_limit", "a / (b + c + d)"),
        ("below_the_reference", "e / a"),
        ("warm_gain", "first / second run"),
    ):
        print(f"  {title:20} {_median(rounds, name):7.2f}")
    print(f"  peak memory of the driver {peak_memory_bytes() / 2**30:.2f} GiB")


def _median(rounds: Sequence[Seconds], name: str) -> float:
    values: list[float] = [getattr(one, name) for one in rounds]
    return statistics.median(values)


if __name__ == "__main__":
    main()
