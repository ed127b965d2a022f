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
import functools
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
from torch import Tensor

from benchmarks.tree_memory import tree_memory
from profiler.cache_home import cache_home
from profiler.corpora.audio import load_clip
from profiler.corpora.base import Fold
from profiler.features.cache import Clip, FeatureCache
from profiler.features.entry import States
from profiler.machine import pick_device
from profiler.measures.base import OnHiddenStates, OnWaveforms
from profiler.measures.costs.device import describe
from profiler.measures.privacy import PrivacySettings
from profiler.measures.registry import chosen as chosen_measures
from profiler.measures.registry import of
from profiler.pipeline.context import BackboneSpec, Context, Plan
from profiler.pipeline.engines.choose import Choice
from profiler.pipeline.fold_training import Cell, train_and_test
from profiler.pipeline.scheduler import execute
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.run import describe_run
from profiler.study import Study, open_study
from profiler.training.head import Head
from profiles_db.files import make_folder
from profiles_db.records import Prediction, StepResult
from profiles_db.row_tables import TRAINING
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
        full, stages, context = _profile(spec, study, folder, "first")
    warm, _, _ = _profile(spec, study, folder, "second")
    waves = [_wave(clip.path, study.protocol) for clip in study.clips.values()]
    forward = _timed(lambda: _forward(context, waves))
    in_memory = InMemory(context.features, list(context.clips.values()))
    bare = _with_features(context, in_memory, folder / "all")
    start = time.perf_counter()
    trained = _train(bare, study.folds)
    heads = time.perf_counter() - start
    alone = sum(
        _fold_by_itself(_with_features(context, in_memory, folder / f"fold-{fold.number}"), fold)
        for fold in study.folds
    )
    attacked = sum(_attack_seconds(context, head, result) for result, head in trained)
    part = waves[:REFERENCE_CLIPS]
    each = _timed(lambda: _forward(context, part)) / len(part)
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
        "heads and measures of a / (c + d)": stages["heads and measures"] / (attacked + heads),
        "e / a": reference / full,
        "first / second profile": full / warm,
        "heads fold by fold / together": alone / heads,
        "peak memory of a, GiB": memory.bytes / 2**30,
    }


def _profile(
    spec: BackboneSpec, study: Study, folder: Path, name: str
) -> tuple[float, Mapping[str, float], Context]:
    """All jobs of a profile with its cache in `folder`: seconds, those by stage, the context."""
    backbone = spec.load()
    run = describe_run(study, backbone, torch.device(spec.device), {})
    plan = Plan(
        model=run.model,
        measures=chosen_measures("default"),
        spec=spec,
        protocol=study.protocol,
        classes=study.corpus.classes,
        utterances={utterance.id: utterance for utterance in study.corpus.utterances},
        clips=study.clips,
        folds=study.folds,
        cache=folder,
    )
    store = Store(folder / f"{name}.duckdb")
    context = Context(plan, backbone)
    del backbone
    start = time.perf_counter()
    store.begin(run)
    with context.features.in_use(Silent().say), Choice().engine(context, Silent()) as engine:
        done = execute(context, run.run, store, engine, Silent())
    seconds = time.perf_counter() - start
    context.backbone.eval()  # loaded again where workers had it, outside of any time
    return seconds, done.seconds, context


def _wave(path: Path, protocol: Protocol) -> Tensor:
    return torch.from_numpy(load_clip(path, seconds=protocol.study.seconds)).unsqueeze(0)


@torch.no_grad()
def _forward(context: Context, waves: Sequence[Tensor]) -> None:
    for wave in waves:
        context.backbone.hidden_states(wave.to(context.device))


def _with_features(context: Context, features: InMemory, cache: Path) -> Context:
    """The same plan and backbone, with its features in memory and nothing trained yet."""
    plan = dataclasses.replace(context.plan, cache=cache, clips=dict(context.clips))
    make_folder(plan.steps)
    found = Context(plan, context.backbone)
    found.features = features
    return found


def _train(context: Context, folds: Sequence[Fold]) -> list[tuple[StepResult, Head]]:
    """Train and test all heads of `folds`: the emotion heads, with their predictions."""
    asked = of(context.plan.measures)
    steps = (TRAINING, *(one.name for one in asked if isinstance(one, OnHiddenStates)))
    results = train_and_test(context, [Cell(0, fold.number, steps) for fold in folds])
    return [(result, head) for result, head in results if head is not None]


def _fold_by_itself(context: Context, fold: Fold) -> float:
    return _timed(lambda: _train(context, [fold]))


def _attack_seconds(context: Context, head: Head, trained: StepResult) -> float:
    """The attacks on a fold's correctly classified clips, alone in this process."""
    head.eval()
    predictions = {0: [row for row in trained.rows if isinstance(row, Prediction)]}
    seconds = 0.0
    for one in of(context.plan.measures):
        if isinstance(one, OnWaveforms):
            settings = context.protocol.measure(one.name)
            tasks = one.tasks(trained.fold, predictions, context.protocol, settings)
            work = functools.partial(one.listen, context, trained.fold, {0: head}, tasks, settings)
            seconds += _timed(work)
    return seconds


def _passes(study: Study) -> int:
    """Clips that the reference sends through the backbone to train and test every head."""
    probe = study.protocol.of_measure(PrivacySettings).probe_epochs
    each = [sum(name in study.clips for _, part in f.parts() for name in part) for f in study.folds]
    return study.protocol.training.epochs * sum(each) + probe * each[0]


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
    safety: dict[str, Any] = {"snr_curve_db": (), "pgd_steps": 0}
    protocol = Protocol.of(
        training={"repetitions": 1}, safety=safety if chosen.reference_attack else {}
    )
    device = pick_device(chosen.device)
    Choice().prepare([chosen.backbone], device)
    importlib.import_module("torch._dynamo")  # which workers have, and d would load while timed
    study = _study(chosen.dataset, chosen.data_root, protocol, chosen.clips)
    attacks = "FGSM and noise at one ratio" if chosen.reference_attack else "all attacks"
    on = (
        f"{chosen.backbone}, random weights, {len(study.clips)} clips of {study.corpus.name}, "
        f"{len(study.folds)} folds, {protocol.training.epochs} epochs, {attacks}, "
        f"{describe(device)}"
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
