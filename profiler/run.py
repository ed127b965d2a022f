"""A run: one backbone through one study, from features to measurements in the store."""

from __future__ import annotations

import datetime
import functools
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from profiler.aspects.fairness import fairness
from profiler.aspects.performance import system_performance
from profiler.aspects.privacy import privacy
from profiler.aspects.safety import safety
from profiler.aspects.sustainability import NO_CORPUS, Subject, counted, on_device
from profiler.aspects.tables import Measure, Table
from profiler.backbones.base import Backbone
from profiler.bench import Bench
from profiler.costs.architecture import costs_of
from profiler.costs.counting import CLIP_SECONDS
from profiler.costs.device import describe, measure_device
from profiler.features import FeatureCache
from profiler.fold_run import run_fold
from profiler.machine import peak_memory_bytes, versions
from profiler.progress import Progress
from profiler.protocol import digest_of
from profiler.study import SHORT, Study
from profiles_db.errors import CorpusError
from profiles_db.measurement import Measurement
from profiles_db.profile import Profile
from profiles_db.records import AttackOutcome, LayerWeight, Prediction, Run, Trial
from profiles_db.store import Store


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `profile` did: the profile, and whether it was already there."""

    profile: Profile
    already_there: bool


def profile(
    study: Study,
    backbone: Backbone,
    store: Store,
    *,
    cache: Path,
    device: torch.device,
    progress: Progress,
) -> Outcome:
    """Profile `backbone` on `study`, going on where an earlier attempt stopped.

    Every fold is stored as soon as it is done. A run that is already finished does no work.

    Parameters
    ----------
    study : Study
    backbone : Backbone
        On `device`.
    store : Store
    cache : Path
        Folder of the feature cache.
    device : torch.device
    progress : Progress
    """
    run = describe_run(study, backbone, device)
    if store.finished(run.run):
        return Outcome(_stored(store, run), already_there=True)
    store.begin(run)
    started = time.perf_counter()
    seconds, unusable = _run_folds(study, backbone, run.run, store, cache, device, progress)
    measurements = [*measure_run(study, run, store), *measure_costs(run, backbone, progress)]
    provenance = dict(run.provenance) | {
        "seconds": seconds | {"whole run": time.perf_counter() - started},
        "peak_memory_bytes": peak_memory_bytes(),
        "left_out": study.left_out | unusable,
        "clips": len(study.clips) - len(unusable),
    }
    store.finish(run.run, measurements, _now(), provenance)
    return Outcome(_stored(store, run), already_there=False)


def describe_run(study: Study, backbone: Backbone, device: torch.device) -> Run:
    """The run's identity and provenance; the same request gives the same `run`."""
    weights = backbone.weights
    identity = [study.name, backbone.name, weights.id, device.type]
    return Run(
        run=digest_of(identity)[:SHORT],
        study=study.name,
        backbone=backbone.name,
        corpus=study.corpus.name,
        weights_kind=weights.kind,
        weights_id=weights.id,
        weights_origin=weights.origin,
        synthetic=study.corpus.synthetic,
        folds=len(study.folds),
        folds_total=len(study.corpus.folds),
        seeds=study.protocol.seeds,
        device=describe(device),
        started=_now(),
        protocol=study.protocol.model_dump(mode="json"),
        provenance={
            "classes": list(study.corpus.classes),
            "notes": list(study.corpus.notes),
            "versions": versions(),
            "utterances": len(study.corpus.utterances),
        },
    )


def _run_folds(
    study: Study,
    backbone: Backbone,
    run: str,
    store: Store,
    cache: Path,
    device: torch.device,
    progress: Progress,
) -> tuple[dict[str, float], dict[str, str]]:
    """Features, then every fold not yet stored; returns seconds per stage and unusable clips."""
    protocol = study.protocol
    features = FeatureCache(
        cache, backbone, seconds=protocol.seconds, min_seconds=protocol.min_seconds
    )
    start = time.perf_counter()
    wanted = {name for fold in study.folds for name in (*fold.train, *fold.dev, *fold.test)}
    clips = [clip for clip in study.clips.values() if clip.id in wanted]
    with progress.stage(f"{backbone.name}: features", len(clips)) as stage:
        unusable = features.fill(clips, stage.advance)
    seconds = {"features": time.perf_counter() - start}
    for name, reason in unusable.items():
        progress.say(f"left out {name}: {reason}")
    bench = Bench(
        utterances={u.id: u for u in study.corpus.utterances},
        clips={clip.id: clip for clip in clips if clip.id not in unusable},
        classes=study.corpus.classes,
        cache=features,
        backbone=backbone,
        protocol=protocol,
        device=device,
        progress=progress,
    )
    if not bench.clips:
        raise CorpusError("not one clip can be used", where=study.corpus.name)
    done = store.folds_done(run)
    for repetition in range(protocol.seeds):
        for fold in study.folds:
            if (repetition, fold.number) not in done:
                store.add_fold(run, run_fold(bench, fold, repetition=repetition))
    for stages in store.seconds(run).values():
        for stage_name, spent in stages.items():
            seconds[stage_name] = seconds.get(stage_name, 0.0) + spent
    return seconds, unusable


def profile_costs(
    backbone: Backbone, store: Store, *, device: torch.device, progress: Progress
) -> Outcome:
    """Measure sustainability alone, which needs neither corpus nor trained weights.

    Its study is that of the costs, never that of a full profile: the other aspects are missing,
    not zero. It is measured anew each time, since the device may have changed.
    """
    run = _costs_run(backbone, device)
    store.forget(run.run)
    store.begin(run)
    found = measure_costs(run, backbone, progress)
    store.finish(run.run, found, _now(), dict(run.provenance))
    return Outcome(_stored(store, run), already_there=False)


def _costs_run(backbone: Backbone, device: torch.device) -> Run:
    weights, protocol = backbone.weights, {"only": "sustainability", "seconds": CLIP_SECONDS}
    study = digest_of(protocol)[:SHORT]
    return Run(
        run=digest_of([study, backbone.name, weights.id, describe(device)])[:SHORT],
        study=study,
        backbone=backbone.name,
        corpus=NO_CORPUS,
        weights_kind=weights.kind,
        weights_id=weights.id,
        weights_origin=weights.origin,
        synthetic=False,
        folds=0,
        folds_total=0,
        seeds=0,
        device=describe(device),
        started=_now(),
        protocol=protocol,
        provenance={"versions": versions()},
    )


def measure_run(study: Study, run: Run, store: Store) -> list[Measurement]:
    """The measurements of four aspects, computed from what the store holds of `run`."""
    measure = measurer(run)
    protocol, classes = study.protocol, study.corpus.classes
    resamples = protocol.resamples
    predictions = store.rows(run.run, Prediction)
    emotion = [row for row in predictions if row.task == "emotion"]
    genders = {row.speaker: row.gender for row in predictions}
    table = Table(emotion, classes)
    return [
        *system_performance(table, measure, resamples=resamples),
        *privacy(predictions, store.rows(run.run, Trial), genders, measure, resamples=resamples),
        *safety(
            emotion,
            store.rows(run.run, AttackOutcome),
            classes,
            genders,
            measure,
            snr_db=protocol.snr_db,
            resamples=resamples,
        ),
        *fairness(table, measure, resamples=resamples),
        *_layer_weights(store.rows(run.run, LayerWeight), measure),
    ]


def measure_costs(run: Run, backbone: Backbone, progress: Progress) -> list[Measurement]:
    """Sustainability: what the architecture costs, and what this device needs for it."""
    subject = Subject(run.study, run.backbone, run.weights_id)
    with progress.stage(f"{backbone.name}: costs", 2) as stage:
        found = [*counted(subject, costs_of(backbone))]
        stage.advance()
        found += on_device(subject, measure_device(backbone))
        stage.advance()
    return found


def measurer(run: Run) -> Measure:
    """`Measurement` with the identity of `run` filled in."""
    return functools.partial(
        Measurement,
        study=run.study,
        backbone=run.backbone,
        weights=run.weights_id,
        corpus=run.corpus,
        source=f"run {run.run}",
    )


def _layer_weights(rows: list[LayerWeight], measure: Measure) -> list[Measurement]:
    """Mean over folds and repetitions of each layer's softmax weight."""
    found = []
    for layer in sorted({row.layer for row in rows}):
        own = [row.weight for row in rows if row.layer == layer]
        value = sum(own) / len(own)
        found.append(measure(criterion="layer_weight", variant=f"layer={layer}", value=value))
    return found


def _stored(store: Store, run: Run) -> Profile:
    return next(p for p in store.profiles(study=run.study) if p.run == run.run)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
