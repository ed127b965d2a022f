"""From what a run stored to its measurements, in parts that fail one by one.

What goes wrong in one part (an operator that a device lacks, a library's error) takes nothing from
the others: its criteria are unknown, with the error as the reason, and the run is noted as lacking
that part, so that the same command measures it again.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from profiler.backbones.base import Backbone
from profiler.backbones.printable import printable
from profiler.corpora.folds import untrained_classes
from profiler.measures.costs.architecture import costs_of
from profiler.measures.costs.device import measure_device
from profiler.measures.fairness import fairness
from profiler.measures.performance import system_performance
from profiler.measures.privacy import privacy
from profiler.measures.safety import safety
from profiler.measures.sustainability import ON_DEVICE, Subject, counted, on_device
from profiler.measures.tables import Measure, Table
from profiler.progress import Progress
from profiler.study import Study
from profiles_db.criteria import CRITERIA, Aspect
from profiles_db.errors import MeasuringError
from profiles_db.measurement import Measurement
from profiles_db.profile import Profile
from profiles_db.records import Attacker, AttackOutcome, LayerWeight, Prediction, Run, Trial
from profiles_db.store import Store

FAILED: Final = "not_measured"
"""Where a run's provenance names the parts that could not be measured, each with the reason."""


@dataclass(frozen=True, slots=True)
class Part:
    """Figures that are measured together.

    Parameters
    ----------
    name : str
        For people.
    measure : callable
    criteria : collection of str
        What is unknown where it fails.
    measurement : callable
        `Measurement` but for `criterion`, `value` and `unknown`.
    """

    name: str
    measure: Callable[[], Iterable[Measurement]]
    criteria: Collection[str]
    measurement: Measure


@dataclass(frozen=True, slots=True)
class Measured:
    """Measurements, and the parts that failed, each with the reason."""

    measurements: tuple[Measurement, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)

    def __add__(self, other: Measured) -> Measured:
        return Measured(self.measurements + other.measurements, {**self.failed, **other.failed})


def measure_parts(parts: Iterable[Part]) -> Measured:
    """Each part on its own; where one fails, its criteria are unknown and the rest is measured."""
    return sum(map(_measure_part, parts), Measured())


def _measure_part(part: Part) -> Measured:
    try:
        return Measured(tuple(part.measure()))
    except Exception as error:  # noqa: BLE001 - any is reported: see `require_measured`
        reason = _in_words(error)
    unknown = f"could not be measured: {reason}"
    missing = [part.measurement(criterion=c, value=None, unknown=unknown) for c in part.criteria]
    return Measured(tuple(missing), {part.name: reason})


def _in_words(error: Exception) -> str:
    """What went wrong, and where in this program."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _PACKAGE in Path(frame.filename).parents]
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    said = printable(str(error)) or "no message"
    return f"{type(error).__name__}: {said}{place}"


_PACKAGE: Final = Path(__file__).parents[1]


def require_measured(profiles: Sequence[Profile]) -> None:
    """Refuse profiles that lack a part.

    Raises
    ------
    MeasuringError
        Names each part that could not be measured, and why.
    """
    failed = [
        f"{profile.backbone}: {part}: {reason}"
        for profile in profiles
        for part, reason in profile.provenance.get(FAILED, {}).items()
    ]
    if failed:
        raise MeasuringError(
            f"could not be measured: {'; '.join(failed)}",
            remedy="all else is kept: the same command again measures it and trains nothing anew",
        )


def measure_run(study: Study, run: Run, store: Store, unusable: Collection[str] = ()) -> Measured:
    """The measurements of four aspects, computed from what the store holds of `run`.

    `unusable` names clips of the study that were found to hold no sound.
    """
    measure = measurer(run)
    protocol, classes = study.protocol, study.corpus.classes
    resamples = protocol.resamples
    predictions = store.rows(run.run, Prediction)
    outcomes, trials = store.rows(run.run, AttackOutcome), store.rows(run.run, Trial)
    weights = store.rows(run.run, LayerWeight)
    attackers = store.rows(run.run, Attacker)
    emotion = [row for row in predictions if row.task == "emotion"]
    genders = {row.speaker: row.gender for row in predictions}
    table = Table(emotion, classes)
    parts: dict[Aspect, Callable[[], Iterable[Measurement]]] = {
        "system_performance": lambda: system_performance(
            table, measure, resamples=resamples, flags=_untrained(study, unusable)
        ),
        "privacy": lambda: privacy(
            predictions, attackers, trials, genders, measure, resamples=resamples
        ),
        "safety": lambda: safety(
            emotion,
            outcomes,
            classes,
            genders,
            measure,
            snr_db=protocol.snr_db,
        ),
        "fairness": lambda: fairness(table, measure, resamples=resamples),
    }
    return measure_parts(
        [
            *(
                Part(aspect.replace("_", " "), own, criteria_of(aspect), measure)
                for aspect, own in parts.items()
            ),
            Part("layer weights", lambda: _layer_weights(weights, measure), (), measure),
        ]
    )


def criteria_of(aspect: Aspect) -> list[str]:
    """The names of the criteria of `aspect`."""
    return [name for name, criterion in CRITERIA.items() if criterion.aspect == aspect]


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


def measure_costs(run: Run, backbone: Backbone, progress: Progress) -> Measured:
    """Sustainability: what the architecture costs, and what this device needs for it."""
    subject = Subject(run.study, run.backbone, run.weights_id)
    found = Measured()
    of_architecture = [name for name in criteria_of("sustainability") if name not in ON_DEVICE]
    with progress.stage(f"{backbone.name}: costs", 2) as stage:
        for part in (
            Part(
                "costs of the architecture",
                lambda: counted(subject, costs_of(backbone)),
                of_architecture,
                subject.measurement,
            ),
            Part(
                "costs on the device",
                lambda: on_device(subject, measure_device(backbone)),
                ON_DEVICE,
                functools.partial(subject.measurement, device=run.device),
            ),
        ):
            found += measure_parts([part])
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
