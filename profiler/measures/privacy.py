"""Privacy: what the frozen hidden states, and the head itself, give away of the speaker.

Gender by the strongest of several attackers, and by the reference's probe (accuracy averaged over
the folds, as the reference does for its one); identity by speaker verification: voices never seen
in training are enrolled with a few clips and recognised by cosine similarity.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from pydantic import Field

from profiler.corpora.base import GENDERS
from profiler.measures.base import Evidence, Figure, OnHiddenStates, StatesWork
from profiler.measures.statistics import (
    Floats,
    Statistic,
    accuracy,
    area_under_roc,
    bootstrap,
    equal_error_rate,
    jackknife,
    mean_of_defined,
    permuted_genders,
    unweighted_average_recall,
)
from profiler.measures.tables import UNKNOWN_GENDER, Table, over_folds, record
from profiler.settings import Resamples, Settings
from profiles_db.measurement import Measurement
from profiles_db.records import (
    Attacker,
    GenderPrediction,
    GenderTask,
    Prediction,
    ProbeEpoch,
    Space,
    Trial,
)

if TYPE_CHECKING:
    from profiler.corpora.base import Fold
    from profiler.pipeline.context import Context, Parts

EER_CRITERION: Final[dict[Space, str]] = {"backbone": "speaker_eer", "head": "head_speaker_eer"}
WEAK_PROBE_MARGIN: Final = 0.02
"""How much more the strongest attacker must infer for the reference's probe to be flagged."""
LINEAR: Final[dict[str, GenderTask]] = {
    "linear_gender_accuracy": "linear_gender",
    "head_gender_accuracy": "head_gender",
}
NO_GENDER: Final = "the corpus does not give both genders in every part of a fold"
CONSTANT: Final = "the vectors of all clips are the same, to the rounding of half precision"
NO_VOICES: Final = (
    "no fold has an emotion of which two unseen speakers have clips beyond their enrolment"
)


class PrivacySettings(Settings):
    """How gender and identity are inferred."""

    probe_epochs: int = Field(default=10, ge=1, le=10_000)
    """Epochs of the gender probe; the epoch with the best dev UAR is kept."""
    attacker_clips: int | None = Field(default=10_000, ge=1, le=100_000_000)
    """The further attackers on gender learn from at most so many clips of each fold's training
    part, drawn at random; from all where None."""
    enrolment_clips: int = Field(default=3, ge=1, le=10_000)
    """Clips per unseen speaker and emotion that form the voice to recognise; others are trials."""
    trial_clips: int | None = Field(default=2000, ge=1, le=100_000_000)
    """At most so many trials per fold, drawn at random; all where None."""
    impostors: int | None = Field(default=50, ge=1, le=1_000_000)
    """Each trial is compared with its own speaker and at most so many others; all where None."""
    resamples: Resamples = 2000
    """Bootstrap resamples over speakers, and permutations of the genders."""


class Privacy(OnHiddenStates):
    """What the hidden states and the head give away of the speaker."""

    name = "privacy"
    title = "Privacy"
    aspect = "privacy"
    settings = PrivacySettings
    rows: ClassVar[tuple[type, ...]] = (GenderPrediction, ProbeEpoch, Attacker, Trial)
    pools = True

    def epochs(self, settings: PrivacySettings) -> int:
        """Of the gender probe."""
        return settings.probe_epochs

    def work(
        self,
        context: Context,
        fold: Fold,
        parts: Parts,
        repetition: int,
        settings: PrivacySettings,
    ) -> StatesWork:
        """Gender attackers and speaker verification."""
        from profiler.measures.privacy_work import PrivacyWork  # noqa: PLC0415 - needs torch

        return PrivacyWork(context, fold, parts, repetition, settings)

    def figures(self, evidence: Evidence, settings: PrivacySettings) -> list[Measurement]:
        """Gender inference and speaker verification, from the backbone and from the head."""
        predictions = evidence.rows(Prediction)
        return privacy(
            evidence.rows(GenderPrediction),
            evidence.rows(Attacker),
            evidence.rows(Trial),
            {row.speaker: row.gender for row in predictions},
            evidence.figure,
            folds=len({row.fold for row in predictions}),
            resamples=settings.resamples,
        )


def privacy(
    predictions: Sequence[GenderPrediction],
    attackers: Sequence[Attacker],
    trials: Sequence[Trial],
    genders: Mapping[str, str | None],
    measure: Figure,
    *,
    folds: int,
    resamples: int,
) -> list[Measurement]:
    """Gender inference and speaker verification, from the backbone and from the head.

    Parameters
    ----------
    predictions : sequence of GenderPrediction
    attackers : sequence of Attacker
    trials : sequence of Trial
    genders : mapping from speaker to gender
    measure : callable
    folds : int
        That were tested.
    resamples : int
    """
    best = _of_task(predictions, "strongest_gender")
    probe = _of_task(predictions, "gender")
    found = _strongest(best, attackers, folds, measure)
    found += _gender(probe, best, folds, measure, resamples)
    unknown = CONSTANT if probe.rows else NO_GENDER
    for name, task in LINEAR.items():
        found += _linear(name, _of_task(predictions, task), folds, unknown, measure)
    unknown = CONSTANT if trials else NO_VOICES
    for space in EER_CRITERION:
        own = [trial for trial in trials if trial.space == space]
        found.append(_eer(space, own, unknown, genders, measure, resamples))
    return found


def _of_task(predictions: Sequence[GenderPrediction], task: GenderTask) -> Table:
    return Table([row for row in predictions if row.task == task], GENDERS)


def _strongest(
    table: Table, attackers: Sequence[Attacker], folds: int, measure: Figure
) -> list[Measurement]:
    """What the strongest attacker infers, over the folds and in each, and what every one does.

    A note names the attackers chosen. Their choice is taken for given: the interval is that of
    the answers of the attacker chosen in each fold.
    """
    name = "gender_inference"
    if not table.rows:
        return [measure(criterion=name, value=None, unknown=NO_GENDER)]
    estimate = over_folds(table, unweighted_average_recall)
    flags = _incomplete(table, folds)
    found = [record(measure, name, estimate, n=table.n, baseline=0.5, flags=flags)]
    found[0] = _by(found[0], attackers)
    for fold in table.folds:
        own = table.of_fold(fold)
        estimate = over_folds(own, unweighted_average_recall)
        one = record(measure, name, estimate, fold=fold, n=own.n, baseline=0.5)
        found.append(_by(one, [row for row in attackers if row.fold == fold]))
    for attacker in dict.fromkeys(row.attacker for row in attackers):
        scores = [row.test_uar for row in attackers if row.attacker == attacker]
        value = float(np.mean(scores))
        found.append(measure(criterion=name, attacker=attacker, value=value, n=table.n))
    return found


def _by(measurement: Measurement, attackers: Sequence[Attacker]) -> Measurement:
    """The measurement with a note that names the attackers chosen, the most frequent first."""
    chosen: dict[str, set[int]] = {}
    for row in attackers:
        if row.chosen:
            chosen.setdefault(row.attacker, set()).add(row.fold)
    words = "; ".join(
        f"{name} (fold {', '.join(map(str, sorted(folds)))})"
        for name, folds in sorted(chosen.items(), key=lambda item: -len(item[1]))
    )
    return dataclasses.replace(measurement, notes=(*measurement.notes, f"strongest: {words}"))


def _incomplete(table: Table, folds: int) -> tuple[str, ...]:
    """A flag where some of the `folds` could not be probed."""
    if len(table.folds) == folds:
        return ()
    return (f"on {len(table.folds)} of {folds} folds: the others lack a gender in a part",)


def _gender(
    table: Table, strongest: Table, folds: int, measure: Figure, resamples: int
) -> list[Measurement]:
    """Figures of the reference's probe, flagged where some of the `folds` could not be probed."""
    names = ("gender_accuracy", "gender_uar", "gender_auc")
    if not table.rows:
        return [measure(criterion=name, value=None, unknown=NO_GENDER) for name in names]
    estimates = (
        over_folds(table, accuracy),
        over_folds(table, unweighted_average_recall),
        jackknife(_auc(table), table.strata),
    )
    baselines = (_majority(table), 0.5, 0.5)
    incomplete = _incomplete(table, folds)
    found = []
    for name, estimate, baseline in zip(names, estimates, baselines, strict=True):
        flags, notes = incomplete, ()  # type: tuple[str, ...], tuple[str, ...]
        if name == "gender_accuracy":
            flags = (*_flags(table, strongest), *incomplete)
            notes = _notes(table, resamples)
        found.append(
            record(measure, name, estimate, n=table.n, baseline=baseline, flags=flags, notes=notes)
        )
    low, middle, high = np.quantile(_null(table, resamples), [0.025, 0.5, 0.975])
    found.append(
        measure(
            criterion="gender_accuracy",
            statistic="label permutation null",
            value=float(middle),
            low=float(low),
            high=float(high),
            interval="quantile",
            n=table.n,
        )
    )
    return found + _per_fold(table, measure)


def _linear(
    name: str, table: Table, folds: int, unknown: str, measure: Figure
) -> list[Measurement]:
    if not table.rows:
        return [measure(criterion=name, value=None, unknown=unknown)]
    estimate = over_folds(table, accuracy)
    missing = folds - len(table.folds)
    flags = (f"on {len(table.folds)} of {folds} folds",) if missing else ()
    return [record(measure, name, estimate, n=table.n, baseline=_majority(table), flags=flags)]


def _majority(table: Table) -> float:
    """Accuracy of always answering the commoner gender."""
    counts = np.bincount(table.truth, minlength=len(GENDERS))
    return float(counts.max() / counts.sum())


def _flags(table: Table, strongest: Table) -> tuple[str, ...]:
    """Whether another attacker infers more than the reference's probe."""
    most = _mean_uar(strongest)
    if most <= _mean_uar(table) + WEAK_PROBE_MARGIN:
        return ()
    return (
        f"the strongest attacker tried infers gender with {100 * most:.1f} % UAR: this probe "
        "is under-trained here, and privacy looks better than it is",
    )


def _notes(table: Table, resamples: int) -> tuple[str, ...]:
    """Whether the accuracy is that of answers that ignore gender.

    No flag: states that hide gender do just that, and an under-trained probe is flagged by itself.
    """
    pooled = float(accuracy(table.pooled.sum(axis=1)).mean())
    if pooled > float(np.quantile(_null(table, resamples), 0.95)):
        return ()
    return ("no better than answers that ignore gender (permutation test, 5 %)",)


def _null(table: Table, permutations: int) -> Floats:
    """Accuracies of the probe's same answers with the genders permuted over the speakers."""
    female = permuted_genders(table.strata, permutations=permutations).astype(float)
    says_female = table.pooled.sum(axis=-2)[..., 0].mean(axis=0)
    clips = table.pooled.sum(axis=(-2, -1)).mean(axis=0)
    null: Floats = (female @ says_female + (1 - female) @ (clips - says_female)) / clips.sum()
    return null


def _mean_uar(table: Table) -> float:
    """UAR of each fold, averaged."""
    return float(unweighted_average_recall(table.confusions.sum(axis=1)).mean())


def _per_fold(table: Table, measure: Figure) -> list[Measurement]:
    found = []
    for fold in table.folds:
        own = table.of_fold(fold)
        estimate = over_folds(own, accuracy)
        found.append(
            record(
                measure, "gender_accuracy", estimate, fold=fold, n=own.n, baseline=_majority(own)
            )
        )
    return found


def _auc(table: Table) -> Statistic:
    """Area under the ROC curve of the probe's score for 'male': mean over each repetition."""
    cells = [np.flatnonzero(table.cell == index) for index in range(len(table.cells))]

    def statistic(weights: Floats) -> Floats:
        areas = [
            area_under_roc(
                table.probabilities[rows, 1],
                table.truth[rows] == 1,
                weights,
                table.speaker[rows],
            )
            for rows in cells
        ]
        means = [mean_of_defined(np.stack([areas[cell] for cell in own], axis=-1))
                 for own in table.cells_of_repetition]  # fmt: skip
        return np.stack(means, axis=-1)

    return statistic


def _eer(
    space: Space,
    trials: Sequence[Trial],
    unknown: str,
    genders: Mapping[str, str | None],
    measure: Figure,
    resamples: int,
) -> Measurement:
    """Equal error rate per cell, averaged; resampled over the speakers on both sides."""
    name = EER_CRITERION[space]
    if not trials:
        return measure(criterion=name, value=None, unknown=unknown)
    speakers = sorted({name for trial in trials for name in (trial.speaker, trial.claimed)})
    place = {speaker: index for index, speaker in enumerate(speakers)}
    cells: dict[tuple[int, int], list[Trial]] = {}
    for trial in trials:
        cells.setdefault((trial.repetition, trial.fold), []).append(trial)
    repetitions = sorted({repetition for repetition, _ in cells})
    arrays = {
        pair: (
            np.array([trial.score for trial in cell]),
            np.array([trial.speaker == trial.claimed for trial in cell]),
            np.array([place[trial.speaker] for trial in cell]),
            np.array([place[trial.claimed] for trial in cell]),
        )
        for pair, cell in cells.items()
    }

    def statistic(weights: Floats) -> Floats:
        rates = {
            cell: equal_error_rate(score, same, weights, own, claimed)
            for cell, (score, same, own, claimed) in arrays.items()
        }
        return np.stack([_over_own(rates, own) for own in repetitions], axis=-1)

    strata = [genders.get(speaker) or UNKNOWN_GENDER for speaker in speakers]
    estimate = bootstrap(statistic, strata, resamples=resamples, trained=space == "head")
    clips = len({(trial.fold, trial.utterance) for trial in trials})
    return record(measure, name, estimate, n=clips, baseline=0.5)


def _over_own(rates: Mapping[tuple[int, int], Floats], repetition: int) -> Floats:
    """The mean over the folds of one repetition."""
    return mean_of_defined(
        np.stack([r for (own, _), r in rates.items() if own == repetition], axis=-1)
    )
