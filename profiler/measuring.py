"""From what a run stored to its measurements."""

from __future__ import annotations

import functools
from collections.abc import Collection

from profiler.aspects.fairness import fairness
from profiler.aspects.performance import system_performance
from profiler.aspects.privacy import privacy
from profiler.aspects.safety import safety
from profiler.aspects.sustainability import Subject, counted, on_device
from profiler.aspects.tables import Measure, Table
from profiler.backbones.base import Backbone
from profiler.costs.architecture import costs_of
from profiler.costs.device import measure_device
from profiler.folds import untrained_classes
from profiler.progress import Progress
from profiler.study import Study
from profiles_db.measurement import Measurement
from profiles_db.records import AttackOutcome, LayerWeight, Prediction, Run, Trial
from profiles_db.store import Store


def measure_run(
    study: Study, run: Run, store: Store, unusable: Collection[str] = ()
) -> list[Measurement]:
    """The measurements of four aspects, computed from what the store holds of `run`.

    `unusable` names clips of the study that were found to hold no sound.
    """
    measure = measurer(run)
    protocol, classes = study.protocol, study.corpus.classes
    resamples = protocol.resamples
    predictions = store.rows(run.run, Prediction)
    emotion = [row for row in predictions if row.task == "emotion"]
    genders = {row.speaker: row.gender for row in predictions}
    table = Table(emotion, classes)
    return [
        *system_performance(table, measure, resamples=resamples, flags=_untrained(study, unusable)),
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


def _untrained(study: Study, unusable: Collection[str]) -> tuple[str, ...]:
    """A flag for each fold whose head saw no clip of some class, so that it cannot answer it."""
    labels = {
        utterance.id: utterance.label
        for utterance in study.corpus.utterances
        if utterance.id in study.clips and utterance.id not in unusable
    }
    missing = untrained_classes(study.folds, labels, study.corpus.classes)
    return tuple(
        f"fold {n} has no train clip of {', '.join(names)}" for n, names in missing.items()
    )


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
