"""A run: one backbone through one study, from features to figures in the store."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch

from profiler.backbones.base import Backbone
from profiler.corpora.folds import untrained_classes
from profiler.machine import peak_memory_bytes, versions
from profiler.measures.base import OnCorpus, OnEncoder
from profiler.measures.costs.counting import CLIP_SECONDS
from profiler.measures.costs.device import describe
from profiler.measures.registry import measures
from profiler.measures.sustainability import NO_CORPUS
from profiler.pipeline.context import BackboneSpec, Context, Plan
from profiler.pipeline.corpus_rows import keep_said, says_otherwise
from profiler.pipeline.engines.choose import Choice
from profiler.pipeline.measuring import RESTS_ON, now, stale, take
from profiler.pipeline.scheduler import execute, make_room
from profiler.progress import Progress
from profiler.protocol import Protocol
from profiler.settings import digest_of
from profiler.study import SHORT, Study
from profiles_db.files import make_folder
from profiles_db.holding import holding
from profiles_db.profile import Profile
from profiles_db.records import Run
from profiles_db.store import Store

FREE: Final = frozenset({"Apache-2.0", "MIT", "CC BY 4.0"})
"""Licences that ask for no more than to be named."""


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
    wanted: Sequence[str],
    cache: Path,
    choice: Choice,
    progress: Progress,
    cache_limit: int | None = None,
    backbone: Backbone | None = None,
    request: Mapping[str, Any] | None = None,
) -> Outcome:
    """Train a backbone's heads on `study` and measure them, going on where an earlier attempt
    stopped.

    Every step is kept as soon as it is done, every fold is stored as soon as it is complete. What
    is already measured does no work, unless a part of it could not be measured.

    Parameters
    ----------
    study : Study
    spec : BackboneSpec
        How to load the backbone, here and in the workers.
    store : Store
    wanted : sequence of str
        Names of the measures to take.
    cache : Path
        Folder of features and step results.
    choice : Choice
        Which engine runs the jobs.
    progress : Progress
    cache_limit : int, optional
        Most bytes of features to keep in `cache`; the rest is computed again whenever it is read.
    backbone : Backbone, optional
        Where it is loaded already.
    request : mapping, optional
        How corpus and weights were asked for, so that the run can be measured further.
    """
    loaded = backbone or spec.load()
    run = describe_run(study, loaded, torch.device(spec.device), request or {})
    begun = store.folds(run.run)
    if begun > run.folds:  # further along than asked for
        study = replace(study, folds=study.corpus.folds[:begun])
        run = replace(run, folds=begun)
    # Figures are over all folds: what was measured on fewer is measured on these too.
    fewer = _on_fewer_folds(store, run)
    wanted = tuple(name for name in measures() if name in {*wanted, *fewer})
    rests_on = _rests_on(study, wanted)
    if store.finished(run.run) and not _lacking(store, run, study, wanted, rests_on):
        return Outcome(_stored(store, run), already_there=True)
    for line in _remarks(loaded):
        progress.say(line)
    plan = Plan(
        model=run.model,
        measures=tuple(wanted),
        spec=spec,
        protocol=study.protocol,
        classes=study.corpus.classes,
        utterances={utterance.id: utterance for utterance in study.corpus.utterances},
        clips=study.clips,
        folds=study.folds,
        cache=cache,
        cache_limit=cache_limit,
        rests_on=rests_on,
    )
    context = Context(plan, loaded)
    del backbone, loaded  # so that the context alone holds the weights, and can let go of them
    make_room(plan, context.features)
    with holding(make_folder(plan.steps), progress.say), context.features.in_use(progress.say):
        # Another process may have measured the same run while this one waited.
        lacking = _lacking(store, run, study, wanted, rests_on)
        done = store.finished(run.run) and not lacking
        if not done:
            _work(study, run, context, store, choice, progress, lacking)
    return Outcome(_stored(store, run), already_there=done)


def _remarks(backbone: Backbone) -> Iterator[str]:
    """What to know of a backbone before it is measured: its licence, and what was not loaded."""
    if backbone.licence and backbone.licence not in FREE:
        yield f"{backbone.name}: licence: {backbone.licence}"
    if backbone.weights.left_out:
        parts = ", ".join(backbone.weights.left_out)
        yield f"{backbone.name}: left out of the checkpoint, being no encoder: {parts}"


def _work(
    study: Study,
    run: Run,
    context: Context,
    store: Store,
    choice: Choice,
    progress: Progress,
    lacking: Sequence[str],
) -> None:
    """All steps of the run that are not done, the figures of the measures it lacks, and its end."""
    started = time.perf_counter()
    store.begin(run)
    taken = store.measured(run.run)
    provenance = store.provenance(run.run)
    noted = provenance.get(RESTS_ON, {})
    own = {name: one for name, one in context.plan.rests_on.items() if name in lacking}
    for name in lacking:
        other_version = name in taken and taken[name].version != measures()[name].version
        if other_version or noted.get(name) != own.get(name):
            store.forget_step(
                run.run, name
            )  # rows of another version, or of other contents of the corpus
    if own:
        provenance[RESTS_ON] = noted | own
        store.note(run.run, provenance)
    with choice.engine(context, progress) as engine:
        done = execute(context, run.run, store, engine, progress)
    provenance |= {
        "left_out": study.left_out | done.unusable,
        "clips": len(study.clips) - len(done.unusable),
        "engine": choice.name,
        "untrained": _untrained(study, done.unusable),
        "seconds": done.seconds,
    }
    measured = replace(run, provenance=provenance)
    for name in lacking:
        measure = measures()[name]
        if isinstance(measure, OnCorpus):
            keep_said(measure, run, context.utterances, store)
        _take(name, measured, context, store, progress)
    whole = time.perf_counter() - started
    provenance["seconds"] = done.seconds | {"whole run": whole}
    provenance["peak_memory_bytes"] = peak_memory_bytes()
    store.finish(run.run, now(), provenance)


def _take(name: str, run: Run, context: Context, store: Store, progress: Progress) -> None:
    """The figures of one measure; what is measured on the encoder shows its progress."""
    made_by = {"versions": versions(), "folds": run.folds}
    if isinstance(measures()[name], OnEncoder):
        with progress.stage(f"{run.backbone}: {name}", 1) as stage:
            take(
                name,
                run,
                context.protocol,
                store,
                provenance=made_by,
                encoder=lambda: context.backbone,
            )
            stage.advance()
    else:
        take(name, run, context.protocol, store, provenance=made_by)


def _rests_on(study: Study, wanted: Sequence[str]) -> dict[str, str]:
    """What the rows of the measures rest on of the corpus beside what names the study."""
    clips = [one for one in study.corpus.utterances if one.id in study.clips]
    found = {name: measures()[name].rests_on(clips) for name in wanted}
    return {name: one for name, one in found.items() if one is not None}


def _lacking(
    store: Store,
    run: Run,
    study: Study,
    wanted: Sequence[str],
    rests_on: Mapping[str, str],
) -> list[str]:
    """The measures of `wanted` that are to be taken of `run`."""
    taken, fewer = store.measured(run.run), _on_fewer_folds(store, run)

    def of_other_ratings(name: str) -> bool:
        basis = study.protocol.basis(run.study, name, rests_on.get(name))
        return name in rests_on and name in taken and taken[name].basis != basis

    return [
        name
        for name in wanted
        if name in fewer
        or stale(measures()[name], study.protocol.measure(name), taken.get(name))
        or of_other_ratings(name)
        or _said_otherwise(store, run, study, name)
    ]


def _on_fewer_folds(store: Store, run: Run) -> set[str]:
    """The measures whose figures rest on fewer folds than `run` has."""
    return {
        name
        for name, one in store.measured(run.run).items()
        if one.provenance.get("folds", run.folds) < run.folds
        and name in measures()
        and not isinstance(measures()[name], OnEncoder)
    }


def _said_otherwise(store: Store, run: Run, study: Study, name: str) -> bool:
    """Whether a measure took from the corpus what it no longer says."""
    measure = measures()[name]
    if not isinstance(measure, OnCorpus):
        return False
    utterances = {one.id: one for one in study.corpus.utterances}
    return says_otherwise(measure, run, utterances, store)


def _untrained(study: Study, unusable: Mapping[str, str]) -> dict[str, list[str]]:
    """Each fold whose head saw no clip of some class, so that it cannot answer it."""
    labels = {
        utterance.id: utterance.label
        for utterance in study.corpus.utterances
        if utterance.id in study.clips and utterance.id not in unusable
    }
    missing = untrained_classes(study.folds, labels, study.corpus.classes)
    return {str(fold): list(names) for fold, names in missing.items()}


def describe_run(
    study: Study, backbone: Backbone, device: torch.device, request: Mapping[str, Any]
) -> Run:
    """The run's identity and provenance; the same request gives the same `run`."""
    weights, protocol = backbone.weights, study.protocol
    identity = [study.name, backbone.name, weights.id, device.type, protocol.training.identity()]
    model = digest_of(identity)[:SHORT]
    own = protocol.own_settings
    return Run(
        run=digest_of([model, own])[:SHORT] if own else model,
        model=model,
        study=study.name,
        backbone=backbone.name,
        corpus=study.corpus.name,
        weights_kind=weights.kind,
        weights_id=weights.id,
        weights_origin=weights.origin,
        synthetic=study.corpus.synthetic,
        folds=len(study.folds),
        folds_total=len(study.corpus.folds),
        repetitions=protocol.training.repetitions,
        device=describe(device),
        started=now(),
        protocol=protocol.as_record(),
        provenance={
            "classes": list(study.corpus.classes),
            "notes": list(study.corpus.notes),
            "versions": versions(),
            "utterances": len(study.corpus.utterances),
            "not_loaded": list(weights.left_out),
            "licence": backbone.licence or None,
            "request": dict(request),
        },
    )


def profile_costs(
    backbone: Backbone, store: Store, *, device: torch.device, progress: Progress
) -> Outcome:
    """Measure sustainability alone, which needs neither corpus nor trained weights.

    Its study is that of the costs, never that of a full profile: the other aspects are missing,
    not zero. It is measured again each time, since the device may have changed.
    """
    run = _costs_run(backbone, device)
    store.forget(run.run)
    store.begin(run)
    with progress.stage(f"{backbone.name}: sustainability", 1) as stage:
        take(
            "sustainability",
            run,
            Protocol.of(),
            store,
            provenance={"versions": versions()},
            encoder=lambda: backbone,
        )
        stage.advance()
    store.finish(run.run, now(), run.provenance)
    return Outcome(_stored(store, run), already_there=False)


def _costs_run(backbone: Backbone, device: torch.device) -> Run:
    weights, protocol = backbone.weights, {"only": "sustainability", "seconds": CLIP_SECONDS}
    study = digest_of(protocol)[:SHORT]
    name = digest_of([study, backbone.name, weights.id, describe(device)])[:SHORT]
    return Run(
        run=name,
        model=name,
        study=study,
        backbone=backbone.name,
        corpus=NO_CORPUS,
        weights_kind=weights.kind,
        weights_id=weights.id,
        weights_origin=weights.origin,
        synthetic=False,
        folds=0,
        folds_total=0,
        repetitions=0,
        device=describe(device),
        started=now(),
        protocol=protocol,
        provenance={"versions": versions()},
    )


def _stored(store: Store, run: Run) -> Profile:
    return next(p for p in store.profiles(study=run.study) if p.run == run.run)
