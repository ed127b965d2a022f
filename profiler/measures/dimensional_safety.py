"""Safety of dimensions: how far a small perturbation moves predicted arousal, dominance, valence.

A head for dimensions, trained as the measure of dimensions trains its own, is attacked by FGSM: one
perturbation of each clip for all dimensions that it is rated on, along the gradient of its squared
error. The head learned 1 - CCC, which one clip does not have; the squared error is its numerator
(`profiler.measures.attacks.squared_error`). The shift from the answer itself would give no
direction: it is zero, and smallest, where an attack begins.

Every figure stands beside Gaussian noise of the same ratio, and is flagged where the attack is not
to be believed. All rated test clips are attacked, or a draw of them; whether an answer was right is
no question here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from pydantic import Field

from profiler.measures.base import Evidence, Figure, OnHiddenStates
from profiler.measures.dimensional import Answers, Score, ccc, error, ratings_digest
from profiler.measures.performance import ONE_TRAINING
from profiler.measures.safety import MAX_BAD_GRADIENTS, SNR_TOLERANCE_DB, told_of_int8
from profiler.measures.tables import record
from profiler.settings import Decibels, Settings
from profiles_db.criteria import ATTACKED_DIMENSIONAL_CRITERIA
from profiles_db.dimensions import DIMENSIONS
from profiles_db.measurement import Measurement
from profiles_db.records import AttackName, DimensionalAttack, DimensionalPrediction

if TYPE_CHECKING:
    from profiler.corpora.base import Fold, Utterance
    from profiler.measures.base import StatesWork
    from profiler.pipeline.context import Context, Parts

MOST_SHIFT: Final = 1.0
"""A shift by more than the whole range of the ratings counts as one by the whole range."""


class DimensionalSafetySettings(Settings):
    """The head for dimensions that is attacked, and its perturbations."""

    attack_head_epochs: int = Field(default=30, ge=1, le=10_000)
    """Epochs of the head; the epoch with the best mean CCC on the dev part is kept."""
    attack_snr_db: Decibels = 45.0
    """Signal-to-noise ratio of the attack that stands for its criteria."""
    attack_curve_db: tuple[Decibels, ...] = Field(default=(25.0, 35.0, 55.0), max_length=100)
    """Further ratios at which FGSM and the noise control are measured."""
    attack_clips: int | None = Field(default=200, ge=1, le=1_000_000)
    """At most so many rated test clips are attacked per fold; all where None."""
    attack_clip_waveform: bool = True
    """Keep the attacked waveform in [-1, 1], as any player would."""

    @property
    def snrs_db(self) -> tuple[float, ...]:
        """All signal-to-noise ratios, ascending, each once."""
        return tuple(sorted({self.attack_snr_db, *self.attack_curve_db}))


class DimensionalSafety(OnHiddenStates):
    """How far a small perturbation moves predicted dimensions of emotion."""

    name = "dimensional_safety"
    title = "Safety of dimensions"
    aspect = "safety"
    settings = DimensionalSafetySettings
    rows: ClassVar[tuple[type, ...]] = (DimensionalAttack,)
    by_default = False

    @property
    def criteria(self) -> tuple[str, ...]:
        """Shift and agreement under attack, of each dimension and their mean."""
        return ATTACKED_DIMENSIONAL_CRITERIA

    def rests_on(self, utterances: Iterable[Utterance]) -> str:
        """Digest of all ratings."""
        return ratings_digest(utterances)

    def epochs(self, settings: DimensionalSafetySettings) -> int:
        """Epochs of the head."""
        return settings.attack_head_epochs

    def work(
        self,
        context: Context,
        fold: Fold,
        parts: Parts,
        repetition: int,
        settings: DimensionalSafetySettings,
    ) -> StatesWork:
        """The head for dimensions, and its answers to attacked test clips."""
        from profiler.measures.dimensional_safety_work import (  # noqa: PLC0415 - torch
            DimensionalAttackWork,
        )

        return DimensionalAttackWork(context, fold, parts, repetition, settings)

    def figures(self, evidence: Evidence, settings: DimensionalSafetySettings) -> list[Measurement]:
        """Shift and CCC under every perturbation."""
        return dimensional_safety(
            evidence.rows(DimensionalAttack), told_of_int8(evidence), snr_db=settings.attack_snr_db
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _Attacked:
    """A figure under attack: its beginning, how it follows from rows, and its range."""

    name: str
    answers: Callable[[Sequence[DimensionalAttack]], Answers]
    score: Score
    signed: bool


def _against(
    rows: Sequence[DimensionalAttack], of: Callable[[DimensionalAttack], tuple[float, float]]
) -> Answers:
    """Rows as answers, of which `of` gives what is true and what is predicted."""
    return Answers(
        [
            DimensionalPrediction(
                row.repetition, row.fold, row.dimension, row.utterance, row.speaker, row.gender,
                *of(row), training_mean=0.0,
            )
            for row in rows
        ]
    )  # fmt: skip


def _shifts(rows: Sequence[DimensionalAttack]) -> Answers:
    return _against(rows, lambda row: (0.0, min(abs(row.predicted - row.clean), MOST_SHIFT)))


def _attacked(rows: Sequence[DimensionalAttack]) -> Answers:
    return _against(rows, lambda row: (row.truth, row.predicted))


def _clean(rows: Sequence[DimensionalAttack]) -> Answers:
    return _against(rows, lambda row: (row.truth, row.clean))


_FIGURES: Final = (
    _Attacked("shift_under_attack", _shifts, error, signed=False),
    _Attacked("ccc_under_attack", _attacked, ccc, signed=True),
)


def dimensional_safety(
    rows: Sequence[DimensionalAttack], measure: Figure, *, snr_db: float
) -> list[Measurement]:
    """Shift and CCC under every perturbation; those of FGSM at `snr_db` stand for their criteria.

    Parameters
    ----------
    rows : sequence of DimensionalAttack
    measure : callable
    snr_db : float
        The ratio of the FGSM that stands for the criteria.
    """
    if not rows:
        reason = f"no fold has enough clips that are rated on {', '.join(DIMENSIONS)}"
        return [
            measure(criterion=name, value=None, unknown=reason)
            for name in ATTACKED_DIMENSIONAL_CRITERIA
        ]
    found: list[Measurement] = []
    there = [one for one in DIMENSIONS if one in {row.dimension for row in rows}]
    for lacking in (one for one in DIMENSIONS if one not in there):
        reason = f"no fold has enough clips that are rated on {lacking}"
        found += [
            measure(criterion=f"{one.name}_{lacking}", value=None, unknown=reason)
            for one in _FIGURES
        ]
    if all(row.attack == "noise" for row in rows):
        reason = "the encoder gives no gradient, so that only noise could be tried"
        found += [
            measure(criterion=f"{one.name}_{name}", value=None, unknown=reason)
            for one in _FIGURES
            for name in ("mean", *there)
        ]
    kinds: list[tuple[AttackName, float]] = sorted({(row.attack, row.snr_db) for row in rows})
    for name in ("mean", *there):
        own = rows if name == "mean" else [row for row in rows if row.dimension == name]
        by_kind = {kind: [r for r in own if (r.attack, r.snr_db) == kind] for kind in kinds}
        over = (f"mean over {', '.join(there)}",) if name == "mean" else ()
        for attack, ratio in kinds:
            makers: list[Figure] = [partial(measure, attack=attack, snr_db=ratio)]
            if (attack, ratio) == ("fgsm", snr_db):
                makers.append(measure)
            for make in makers:
                found += _under(by_kind, attack, ratio, name, make, over)
    return found


def _under(
    by_kind: Mapping[tuple[AttackName, float], Sequence[DimensionalAttack]],
    attack: AttackName,
    snr_db: float,
    name: str,
    measure: Figure,
    notes: tuple[str, ...],
) -> list[Measurement]:
    """Shift and CCC under one perturbation, of one dimension or of their mean."""
    own = by_kind[attack, snr_db]
    noise = by_kind.get(("noise", snr_db), ()) if attack != "noise" else ()
    before = _clean(own).value(ccc)
    if np.isfinite(before):
        notes = (*notes, f"CCC of the same clips as they are {before:.3f}")
    found = []
    for one in _FIGURES:
        answers = one.answers(own)
        once = (ONE_TRAINING,) if len(answers.repetitions) == 1 else ()
        found.append(
            record(
                measure,
                f"{one.name}_{name}",
                answers.over_folds(one.score, signed=one.signed),
                undefined="the ratings of the attacked clips do not vary",
                n=answers.n,
                baseline=_defined(one.answers(noise).value(one.score)) if noise else None,
                flags=_flags(own, noise),
                notes=(*notes, *once),
            )
        )
    return found


def _defined(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _flags(own: Sequence[DimensionalAttack], noise: Sequence[DimensionalAttack]) -> tuple[str, ...]:
    """Reasons not to believe an attack: bad gradients, beaten by noise, another ratio."""
    if own[0].attack == "noise":
        return ()
    flags = []
    for state in ("zero", "not finite"):
        share = sum(row.gradient == state for row in own) / len(own)
        if share > MAX_BAD_GRADIENTS:
            flags.append(f"{100 * share:.0f} % of the gradients are {state}")
    if noise and _shifts(noise).value(error) > _shifts(own).value(error):
        flags.append("Gaussian noise of the same ratio shifts the answers further")
    reached = [row.reached_snr_db for row in own if row.reached_snr_db is not None]
    if reached and abs(np.median(reached) - own[0].snr_db) > SNR_TOLERANCE_DB:
        flags.append(f"the median ratio reached is {np.median(reached):.1f} dB")
    return tuple(flags)


def attacked_clips(
    settings: DimensionalSafetySettings, rated: Sequence[str], seed: int
) -> list[str]:
    """The clips that are attacked, in their order: all, or a draw that depends on the fold alone.

    Examples
    --------
    >>> attacked_clips(DimensionalSafetySettings(attack_clips=2), ["a", "b", "c"], 8)
    ['b', 'c']
    """
    order = np.random.default_rng(seed).permutation(len(rated))[: settings.attack_clips]
    return [rated[position] for position in sorted(order.tolist())]
