"""A run: one backbone through one study, from features to measurements in the store."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from profiler.backbones.base import Backbone
from profiler.machine import peak_memory_bytes, versions
from profiler.measures.costs.counting import CLIP_SECONDS
from profiler.measures.costs.device import describe
from profiler.measures.sustainability import NO_CORPUS
from profiler.pipeline.engines.choose import Choice
from profiler.pipeline.feature_stage import make_room
from profiler.pipeline.measuring import FAILED, Measured, measure_costs, measure_run
from profiler.pipeline.plan import BackboneSpec, Plan, Workshop
from profiler.pipeline.scheduler import execute
from profiler.progress import Progress
from profiler.protocol import digest_of
from profiler.study import SHORT, Study
from profiles_db.files import make_folder
from profiles_db.holding import holding
from profiles_db.profile import Profile
from profiles_db.records import Run
from profiles_db.store import Store


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `profile` did: the profile, and whether it was already there."""

    profile: Profile
    already_there: bool


def profile(
    study: Study,
    spec: BackboneSpec,
    store: Store,
    *,
    cache: Path,
    choice: Choice,
    progress: Progress,
    cache_limit: int | None = None,
) -> Outcome:
    """Profile a backbone on `study`, going on where an earlier attempt stopped.

    Every step is kept as soon as it is done, every fold is stored as soon as it is complete. A
    run that is already finished does no work, unless a part of it could not be measured: then it
    is measured again from the stored rows.

    Parameters
    ----------
    study : Study
    spec : BackboneSpec
        How to load the backbone, here and in the workers.
    store : Store
    cache : Path
        Folder of features and step results.
    choice : Choice
        Which engine runs the jobs.
    progress : Progress
    cache_limit : int, optional
        Most bytes of features to keep in `cache`; the rest is made anew whenever it is read.
    """
    backbone = spec.load()
    run = describe_run(study, backbone, torch.device(spec.device))
    if _measured(store, run):
        return Outcome(_stored(store, run), already_there=True)
    store.begin(run)
    plan = Plan(
        run=run.run,
        spec=spec,
        protocol=study.protocol,
        classes=study.corpus.classes,
        utterances={utterance.id: utterance for utterance in study.corpus.utterances},
        clips=study.clips,
        folds=study.folds,
        cache=cache,
        cache_limit=cache_limit,
    )
    shop = Workshop(plan, backbone)
    del backbone  # so that the workshop alone holds its weights, and can let go of them
    make_room(plan, shop.features)
    with holding(make_folder(plan.steps), progress.say), shop.features.in_use(progress.say):
        # Another process may have made the same run while this one waited.
        already_there = _measured(store, run)
        if store.finished(run.run) and not already_there:
            _measure(study, run, shop, store, _stored(store, run).provenance, progress)
        elif not already_there:
            _make(study, run, shop, store, choice, progress)
    return Outcome(_stored(store, run), already_there)


def _make(
    study: Study, run: Run, shop: Workshop, store: Store, choice: Choice, progress: Progress
) -> None:
    """All steps of the run that are not done, its measurements, and their entry in the store."""
    started = time.perf_counter()
    with choice.engine(shop, progress) as engine:
        done = execute(shop, store, engine, progress)
    made = dict(run.provenance) | {
        "left_out": study.left_out | done.unusable,
        "clips": len(study.clips) - len(done.unusable),
        "engine": choice.name,
    }
    whole = {"whole run": time.perf_counter() - started}
    _measure(study, run, shop, store, made | {"seconds": done.seconds | whole}, progress)


def _measure(
    study: Study,
    run: Run,
    shop: Workshop,
    store: Store,
    made: Mapping[str, Any],
    progress: Progress,
) -> None:
    """The run's measurements from its stored rows, and their entry in the store.

    `made` is the provenance of the rows. What could not be measured is noted beside it.
    """
    started = time.perf_counter()
    found = measure_run(study, run, store, made["left_out"])
    found += measure_costs(run, shop.backbone, progress)
    whole = made["seconds"]["whole run"] + time.perf_counter() - started
    made = dict(made) | {
        "seconds": made["seconds"] | {"whole run": whole},
        "peak_memory_bytes": peak_memory_bytes(),
    }
    store.finish(run.run, found.measurements, _now(), _noted(made, found))


def _noted(provenance: Mapping[str, Any], found: Measured) -> dict[str, Any]:
    """The provenance with the parts that failed, where any did."""
    rest = {name: value for name, value in provenance.items() if name != FAILED}
    return rest | ({FAILED: dict(found.failed)} if found.failed else {})


def _measured(store: Store, run: Run) -> bool:
    """Whether the run is finished and lacks no part."""
    return store.finished(run.run) and FAILED not in _stored(store, run).provenance


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
    store.finish(run.run, found.measurements, _now(), _noted(run.provenance, found))
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


def _stored(store: Store, run: Run) -> Profile:
    return next(p for p in store.profiles(study=run.study) if p.run == run.run)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
