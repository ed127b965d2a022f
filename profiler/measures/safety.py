"""Safety: how often a perturbation at a given signal-to-noise ratio changes the answer.

Success counts over the clips classified correctly (the paper's figure), accuracy under attack over
all test clips. Every figure stands beside Gaussian noise of the same ratio, and is flagged where
the attack is not to be believed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from pydantic import Field

from profiler.measures.base import ClipTask, Evidence, Figure, OnWaveforms
from profiler.measures.statistics import Estimate, Floats, jackknife, mean_of_defined
from profiler.measures.tables import UNKNOWN_GENDER, Table, record
from profiler.settings import Decibels, Settings
from profiles_db.candidate_names import split_int8
from profiles_db.measurement import Measurement
from profiles_db.records import AttackName, AttackOutcome, Prediction

if TYPE_CHECKING:
    from profiler.pipeline.context import Context
    from profiler.protocol import Protocol
    from profiler.training.head import Head

MAX_BAD_GRADIENTS: Final = 0.01
"""Share of zero or non-finite gradients above which the attack is flagged."""
SNR_TOLERANCE_DB: Final = 0.5
"""Median difference between the ratio reached and the one asked for that is not flagged."""


BORROWED_GRADIENT: Final = (
    "int8 has no gradient: the attack took that of the encoder in float32, and may miss more"
)
"""What is said of attacks on an encoder whose linear layers are in int8."""


class SafetySettings(Settings):
    """Perturbations, and their signal-to-noise ratios."""

    snr_db: Decibels = 45.0
    """Signal-to-noise ratio of the attack that stands for safety."""
    snr_curve_db: tuple[Decibels, ...] = Field(default=(25.0, 35.0, 55.0), max_length=100)
    """Further ratios at which FGSM and the noise control are measured."""
    clip_waveform: bool = True
    """Keep the attacked waveform in [-1, 1], as any player would."""
    pgd_steps: int = Field(default=10, ge=0, le=1000)
    """Steps of projected gradient descent at `snr_db`; 0 leaves it out."""
    pgd_clips: int | None = Field(default=40, ge=1, le=1_000_000)
    """PGD attacks at most so many clips per fold; all where None."""

    @property
    def snrs_db(self) -> tuple[float, ...]:
        """All signal-to-noise ratios at which the attack runs, ascending, each once."""
        return tuple(sorted({self.snr_db, *self.snr_curve_db}))


CRITERIA: Final = ("attack_success_rate", "accuracy_under_attack")
PGD: Final = "pgd"
"""The kind of a task that PGD attacks too."""


class Safety(OnWaveforms):
    """How often a small perturbation changes the answer."""

    name = "safety"
    title = "Safety"
    aspect = "safety"
    settings = SafetySettings
    rows: ClassVar[tuple[type, ...]] = (AttackOutcome,)

    def tasks(
        self,
        fold: int,
        predictions: Mapping[int, Sequence[Prediction]],
        protocol: Protocol,
        settings: SafetySettings,
    ) -> list[ClipTask]:
        """Every clip classified correctly, some of them for PGD too."""
        tasks = []
        for repetition, rows in predictions.items():
            correct = [row.utterance for row in rows if row.label == row.predicted]
            for_pgd = pgd_clips(settings, correct, protocol.training.base_seed * fold)
            tasks += [
                ClipTask(clip, repetition, PGD if clip in for_pgd else "") for clip in correct
            ]
        return tasks

    def listen(
        self,
        context: Context,
        fold: int,
        heads: Mapping[int, Head],
        tasks: Sequence[ClipTask],
        settings: SafetySettings,
    ) -> list[AttackOutcome]:
        """FGSM and noise at every ratio, PGD at the main one."""
        from profiler.measures.safety_work import attack  # noqa: PLC0415 - needs torch

        return attack(context, fold, heads, tasks, settings)

    def figures(self, evidence: Evidence, settings: SafetySettings) -> list[Measurement]:
        """Success rate and accuracy under every perturbation."""
        predictions = evidence.rows(Prediction)
        return safety(
            predictions,
            evidence.rows(AttackOutcome),
            evidence.classes,
            {row.speaker: row.gender for row in predictions},
            told_of_int8(evidence),
            snr_db=settings.snr_db,
        )


def told_of_int8(evidence: Evidence) -> Figure:
    """Makes figures of attacks; those on an encoder in int8 say whose gradient it was."""
    if not split_int8(evidence.backbone)[1]:
        return evidence.figure

    def flagged(**given: Any) -> Measurement:
        if given.get("flags") is not None and given.get("attack") != "noise":
            given["flags"] = (*given["flags"], BORROWED_GRADIENT)
        return evidence.figure(**given)

    return flagged


def pgd_clips(settings: SafetySettings, correct: Sequence[str], seed: int) -> frozenset[str]:
    """The clips that PGD attacks: a random draw that depends on the fold alone."""
    if settings.pgd_steps == 0:
        return frozenset()
    order = np.random.default_rng(seed).permutation(len(correct))
    return frozenset(correct[position] for position in order[: settings.pgd_clips])


@dataclass(frozen=True)
class _Counts:
    """Per cell (a fold of a repetition) and speaker: clips, clips classified correctly, clips
    attacked, attacks that succeeded; each of shape (cells, speakers)."""

    clips: Floats
    right: Floats
    attacked: Floats
    changed: Floats
    cells_of_repetition: Sequence[Sequence[int]]

    def success(self, strata: Sequence[str]) -> Estimate:
        """Attack success rate averaged over folds and repetitions."""
        return self._ratio(self.changed, self.attacked, strata)

    def accuracy(self, strata: Sequence[str]) -> Estimate:
        """Accuracy under attack averaged over folds and repetitions."""
        return self._ratio(self.right - self.changed, self.clips, strata)

    def _ratio(self, part: Floats, whole: Floats, strata: Sequence[str]) -> Estimate:
        own = self.cells_of_repetition

        def statistic(weights: Floats) -> Floats:
            by_cell = _divided(weights @ part.T, weights @ whole.T)
            return np.stack([mean_of_defined(by_cell[:, cells]) for cells in own], axis=-1)

        def spread(weights: Floats) -> Floats:
            sums = [[counts[cells].sum(axis=0) for cells in own] for counts in (part, whole)]
            parts, wholes = (weights @ np.stack(one, axis=-1) for one in sums)
            return _divided(parts, wholes)

        return jackknife(statistic, strata, spread=spread)


def _divided(part: Floats, whole: Floats) -> Floats:
    ratio: Floats = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return ratio


def safety(
    predictions: Sequence[Prediction],
    outcomes: Sequence[AttackOutcome],
    classes: Sequence[str],
    genders: Mapping[str, str | None],
    measure: Figure,
    *,
    snr_db: float,
) -> list[Measurement]:
    """Success rate and accuracy under every perturbation; the main one's stand for their criteria.

    Parameters
    ----------
    predictions : sequence of Prediction
        Of the emotion head.
    outcomes : sequence of AttackOutcome
    classes : sequence of str
    genders : mapping from speaker to gender
    measure : callable
    snr_db : float
        The ratio of the FGSM that stands for safety.
    """
    table = Table(predictions, classes)
    strata = [genders.get(speaker) or UNKNOWN_GENDER for speaker in table.speakers]
    kinds: list[tuple[AttackName, float]] = sorted({(o.attack, o.snr_db) for o in outcomes})
    if not kinds:
        reason = "no clip was classified correctly, so none could be attacked"
        return [measure(criterion=name, value=None, unknown=reason) for name in CRITERIA]
    unattacked: list[Measurement] = []
    if all(attack == "noise" for attack, _ in kinds):
        reason = "the encoder gives no gradient, so that only noise could be tried"
        unattacked = [measure(criterion=name, value=None, unknown=reason) for name in CRITERIA]
    by_kind = {kind: [o for o in outcomes if (o.attack, o.snr_db) == kind] for kind in kinds}
    counts = {kind: _count(table, own) for kind, own in by_kind.items()}
    found: list[Measurement] = unattacked
    for (attack, ratio), own in by_kind.items():
        noise = _floor(counts.get(("noise", ratio)), strata) if attack != "noise" else NO_FLOOR
        flags = (*_flags(own, outcomes, noise.success), *table.one_answer)
        detail = partial(measure, attack=attack, snr_db=ratio)
        makers: list[Figure] = [detail]
        if (attack, ratio) == ("fgsm", snr_db):
            makers.append(measure)
        for make in makers:
            found += _figures(table, counts[attack, ratio], own, strata, noise, flags, make)
        found.append(_reached(own, detail))
    return found


@dataclass(frozen=True, slots=True)
class _Floor:
    """What Gaussian noise of the same ratio does: the baseline of an attack."""

    success: float | None
    accuracy: float | None


NO_FLOOR: Final = _Floor(None, None)


def _floor(noise: _Counts | None, strata: Sequence[str]) -> _Floor:
    if noise is None:
        return NO_FLOOR
    return _Floor(noise.success(strata).value, noise.accuracy(strata).value)


def _figures(
    table: Table,
    counts: _Counts,
    own: Sequence[AttackOutcome],
    strata: list[str],
    noise: _Floor,
    flags: tuple[str, ...],
    measure: Figure,
) -> list[Measurement]:
    """Success and accuracy under one perturbation."""
    success = counts.success(strata)
    attacked = counts.attacked.sum(axis=1)
    empty = {fold for (_, fold), n in zip(table.cells, attacked, strict=True) if n == 0}
    if empty:
        flags = (*flags, f"{len(empty)} folds have no clip classified correctly and do not count")
    found = [
        record(
            measure,
            "attack_success_rate",
            success,
            n=_clips(own),
            baseline=noise.success,
            flags=flags,
        )
    ]
    if own[0].attack != "pgd":  # PGD runs on a sample of the clips
        accuracy = counts.accuracy(strata)
        found.append(
            record(
                measure,
                "accuracy_under_attack",
                accuracy,
                n=table.n,
                baseline=noise.accuracy,
                flags=flags,
            )
        )
    return found


def _clips(outcomes: Sequence[AttackOutcome]) -> int:
    """Clips, each counted once however many repetitions' heads were attacked with it."""
    return len({(outcome.fold, outcome.utterance) for outcome in outcomes})


def _count(table: Table, outcomes: Sequence[AttackOutcome]) -> _Counts:
    shape = (len(table.cells), len(table.speakers))
    clips = table.confusions.sum(axis=(2, 3))
    right = np.trace(table.confusions, axis1=2, axis2=3)
    attacked, changed = np.zeros(shape), np.zeros(shape)
    cell = {pair: index for index, pair in enumerate(table.cells)}
    speaker = {name: index for index, name in enumerate(table.speakers)}
    for outcome in outcomes:
        place = cell[outcome.repetition, outcome.fold], speaker[outcome.speaker]
        attacked[place] += 1
        changed[place] += outcome.predicted != outcome.label
    return _Counts(clips, right, attacked, changed, table.cells_of_repetition)


def _flags(
    own: Sequence[AttackOutcome], outcomes: Sequence[AttackOutcome], noise: float | None
) -> tuple[str, ...]:
    """Reasons not to believe an attack: bad gradients, beaten by noise, or, FGSM beating PGD."""
    kind = own[0].attack
    if kind == "noise":
        return ()
    flags = []
    for state in ("zero", "not finite"):
        share = sum(outcome.gradient == state for outcome in own) / len(own)
        if share > MAX_BAD_GRADIENTS:
            flags.append(f"{100 * share:.0f} % of the gradients are {state}")
    success = sum(o.predicted != o.label for o in own) / len(own)
    if noise is not None and noise > success:
        flags.append("Gaussian noise of the same ratio succeeds more often")
    if kind == "pgd" and _fgsm_on_same(own, outcomes) > success:
        flags.append("FGSM succeeds more often than PGD on the same clips")
    reached = [o.reached_snr_db for o in own if o.reached_snr_db is not None]
    if kind == "fgsm" and reached and abs(np.median(reached) - own[0].snr_db) > SNR_TOLERANCE_DB:
        flags.append(f"the median ratio reached is {np.median(reached):.1f} dB")
    return tuple(flags)


def _fgsm_on_same(pgd: Sequence[AttackOutcome], outcomes: Sequence[AttackOutcome]) -> float:
    """FGSM's success rate on the clips, and at the ratio, that PGD attacked."""
    clips = {(outcome.repetition, outcome.fold, outcome.utterance) for outcome in pgd}
    same = [
        outcome
        for outcome in outcomes
        if outcome.attack == "fgsm"
        and outcome.snr_db == pgd[0].snr_db
        and (outcome.repetition, outcome.fold, outcome.utterance) in clips
    ]
    return sum(o.predicted != o.label for o in same) / len(same)


def _reached(own: Sequence[AttackOutcome], measure: Figure) -> Measurement:
    """Median of the ratio really reached, with the 2.5th and 97.5th percentile, in dB."""
    changed = [o for o in own if o.reached_snr_db is not None]
    reached = [o.reached_snr_db for o in changed if o.reached_snr_db is not None]
    if not reached:
        reason = "no perturbation changed a sample"
        return measure(criterion="reached_snr_db", value=None, unknown=reason)
    low, middle, high = np.quantile(reached, [0.025, 0.5, 0.975])
    return measure(
        criterion="reached_snr_db",
        value=float(middle),
        low=float(low),
        high=float(high),
        interval="quantile",
        n=_clips(changed),
    )
