"""What a profile costs above the arithmetic it cannot avoid, and below the reference's schedule.

Run it with `make bench`, or `python -m benchmarks.profile --backbone whisper_tiny --clips 240`. On
the same clips of the built-in corpus (or another, with `--dataset` and `--data-root`), in one run:

    a  a full profile, from an empty cache (all aspects, all folds and epochs)
    b  the bare forward passes of the clips through the backbone
    c  the bare passes of the attacks on the clips classified correctly
    d  the training and testing of all heads with the features already in memory
    e  the reference's schedule: the backbone runs in every epoch of every fold, attacks and heads
       as in c and d (timed over a part of the clips and scaled)

and prints a / (b + c + d), in all and by stage, e / a, and how much faster a second profile is, to
another database, that finds features and results of jobs in the cache. b, c and d run in this
process with all its threads; a chooses its own workers, whose imports run beside this process's
own, as they do in the command. Left out of a: latency and memory of the device, which are measured
for a fixed time, and the intervals. The reference attacks once, with FGSM at one ratio; a full
profile does so at four, with noise as the control, and PGD upon some clips: `--reference-attack`
leaves FGSM and noise at that one ratio. It trains once, and so does every profile here; a profile
as by default trains three times. e holds the same attacks as a: the more clips are classified
correctly, and so attacked, the lower is e / a. `--device cuda` measures everything on a GPU.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from profiler.pipeline.bench import Bench
from profiler.pipeline.fold_attack import attack, pgd_targets
from torch import Tensor

from benchmarks.tree_memory import tree_memory
from profiler.cache_home import cache_home
from profiler.corpora.audio import load_clip
from profiler.features.cache import Clip, FeatureCache
from profiler.features.entry import States
from profiler.machine import pick_device
from profiler.measures.costs.device import describe
from profiler.pipeline.engines.choose import Choice
from profiler.pipeline.fold_training import train_heads
from profiler.pipeline.plan import BackboneSpec, Plan, Workshop
from profiler.pipeline.scheduler import execute
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.run import describe_run
from profiler.study import Study, open_study
from profiler.training.head import Head
from profiles_db.records import FoldResult
from profiles_db.store import Store

CPU: Final = torch.device("cpu")
REFERENCE_CLIPS: Final = 32
"""Clips that the reference's forward pass is timed on, before it is scaled."""


class InMemory(FeatureCache):
    """Features of some clips, read once."""

    def __init__(self, kept: FeatureCache, clips: Sequence[Clip]) -> None:
        self.folder = kept.folder
        self._loaded: dict[str, States] = {
            clip.id: kept.read([clip])[0].to(CPU, torch.float16).clone() for clip in clips
        }

    def read(self, clips: Sequence[Clip]) -> list[States]:
        """Those of `clips`."""
        return [self._loaded[clip.id] for clip in clips]


def measure(spec: BackboneSpec, study: Study, folder: Path) -> dict[str, float]:
    """One round: seconds of everything once, on the same clips, ratios, and peak bytes of a."""
    with tree_memory() as memory:
        full, stages, shop = _profile(spec, study, folder, "first")
    warm, _, _ = _profile(spec, study, folder, "second")
    waves = [_wave(clip.path, study.protocol) for clip in study.clips.values()]
    forward = _timed(lambda: _forward(shop, waves))
    bench = dataclasses.replace(
        shop.bench, cache=InMemory(shop.features, list(shop.bench.clips.values()))
    )
    start = time.perf_counter()
    trained = _train(bench, study, folder / "all")
    heads = time.perf_counter() - start
    alone = _timed(lambda: _train_one_by_one(bench, study, folder))
    attacked = sum(_attack_seconds(shop, head, result) for result, head in trained)
    part = waves[:REFERENCE_CLIPS]
    each = _timed(lambda: _forward(shop, part)) / len(part)
    reference = each * _passes(study) + heads + attacked
    return {
        "a full profile": full,
        "b forward": forward,
        "c attacks": attacked,
        "d heads": heads,
        "e reference's schedule": reference,
        "second profile": warm,
        "heads fold by fold": alone,
        "a / (b + c + d)": full / (forward + attacked + heads),
        "features of a / b": stages["features"] / forward,
        "heads and attacks of a / (c + d)": stages["heads and attacks"] / (attacked + heads),
        "e / a": reference / full,
        "first / second profile": full / warm,
        "heads fold by fold / together": alone / heads,
        "peak memory of a, GiB": memory.bytes / 2**30,
    }


def _profile(
    spec: BackboneSpec, study: Study, folder: Path, name: str
) -> tuple[float, Mapping[str, float], Workshop]:
    """All jobs of a profile with its cache in `folder`: seconds, those by stage, the workshop."""
    backbone = spec.load()
    run = describe_run(study, backbone, torch.device(spec.device))
    plan = Plan(
        run=run.run,
        spec=spec,
        protocol=study.protocol,
        classes=study.corpus.classes,
        utterances={utterance.id: utterance for utterance in study.corpus.utterances},
        clips=study.clips,
        folds=study.folds,
        cache=folder,
    )
    store = Store(folder / f"{name}.duckdb")
    shop = Workshop(plan, backbone)
    del backbone
    start = time.perf_counter()
    store.begin(run)
    with shop.features.in_use(Silent().say), Choice().engine(shop, Silent()) as engine:
        done = execute(shop, store, engine, Silent())
    seconds = time.perf_counter() - start
    shop.backbone.eval()  # loaded again where workers had it, outside of any time
    return seconds, done.seconds, shop


def _wave(path: Path, protocol: Protocol) -> Tensor:
    return torch.from_numpy(load_clip(path, seconds=protocol.seconds)).unsqueeze(0)


@torch.no_grad()
def _forward(shop: Workshop, waves: Sequence[Tensor]) -> None:
    for wave in waves:
        shop.backbone.hidden_states(wave.to(shop.plan.spec.device))


def _train(bench: Bench, study: Study, folder: Path) -> list[tuple[FoldResult, Head]]:
    folder.mkdir()
    return train_heads(
        bench,
        [(0, fold) for fold in study.folds],
        state_file=lambda _, fold, task: folder / f"{fold}-{task}.state",
    )


def _train_one_by_one(bench: Bench, study: Study, folder: Path) -> None:
    for fold in study.folds:
        one = dataclasses.replace(study, folds=(fold,))
        _train(bench, one, folder / f"fold-{fold.number}")


def _attack_seconds(shop: Workshop, head: Head, result: FoldResult) -> float:
    """The attack on a fold's correctly classified clips, alone in this process."""
    right = [
        row.utterance
        for row in result.predictions
        if row.task == "emotion" and row.label == row.predicted
    ]
    for_pgd = pgd_targets(shop.plan.protocol, right, result.fold)
    clips = [shop.plan.utterances[name] for name in right]
    return _timed(
        lambda: attack(shop.bench, head, clips, for_pgd=for_pgd, seed=0, fold=result.fold)
    )


def _passes(study: Study) -> int:
    """Clips that the reference sends through the backbone to train and test every head."""
    protocol = study.protocol
    each = [sum(name in study.clips for _, part in f.parts() for name in part) for f in study.folds]
    return protocol.epochs * sum(each) + protocol.probe_epochs * each[0]


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _study(dataset: str, root: Path | None, protocol: Protocol, clips: int) -> Study:
    """So many clips of a corpus, drawn at random, always the same."""
    study = open_study(dataset, root or cache_home() / dataset, protocol, Silent())
    drawn = random.Random(0).sample(sorted(study.clips), min(clips, len(study.clips)))  # noqa: S311
    chosen = {name: clip for name, clip in study.clips.items() if name in set(drawn)}
    return dataclasses.replace(study, clips=chosen)


def _round(chosen: argparse.Namespace) -> tuple[str, dict[str, float]]:
    """On what was measured, and what."""
    attack: dict[str, Any] = {"snr_curve_db": (), "pgd_steps": 0}
    protocol = Protocol.of(seeds=1, **(attack if chosen.reference_attack else {}))
    device = pick_device(chosen.device)
    Choice().prepare([chosen.backbone], device)
    importlib.import_module("torch._dynamo")  # which workers have, and d would load while timed
    study = _study(chosen.dataset, chosen.data_root, protocol, chosen.clips)
    attacks = "FGSM and noise at one ratio" if chosen.reference_attack else "all attacks"
    on = (
        f"{chosen.backbone}, random weights, {len(study.clips)} clips of {study.corpus.name}, "
        f"{len(study.folds)} folds, {protocol.epochs} epochs, {attacks}, {describe(device)}"
    )
    with tempfile.TemporaryDirectory() as folder:
        spec = BackboneSpec(chosen.backbone, "random", 0, device.type)
        return on, measure(spec, study, Path(folder))


def _in_a_process(arguments: Sequence[str]) -> tuple[str, dict[str, float]]:
    """One round; in a process of its own, so that none holds what an earlier one left."""
    command = [sys.executable, "-m", "benchmarks.profile", "--one", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    on, found = json.loads(done.stdout.splitlines()[-1])
    return on, found


def main() -> None:
    """Measure one backbone and print times, ratios and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="whisper_tiny")
    parser.add_argument("--clips", type=int, default=240)
    parser.add_argument("--dataset", default="demo")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--reference-attack", action="store_true")
    parser.add_argument("--one", action="store_true", help="one round, as JSON")
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(_round(chosen)))
        return
    told = [_in_a_process(sys.argv[1:]) for _ in range(chosen.rounds)]
    rounds = [found for _, found in told]
    print(f"{told[0][0]}, medians of {chosen.rounds} rounds")
    for name in rounds[0]:
        values = [one[name] for one in rounds]
        spread = f"({min(values):.2f} to {max(values):.2f})"
        print(f"  {name:34} {statistics.median(values):9.2f} {spread}")


if __name__ == "__main__":
    main()
