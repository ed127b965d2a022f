"""Safety: how often a perturbation at a given signal-to-noise ratio changes the answer.

Success counts over the clips classified correctly (the paper's figure), accuracy under attack over
all test clips. Every figure stands beside Gaussian noise of the same ratio, and is flagged where
the attack is not to be believed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from profiler.measures.statistics import Estimate, Floats, jackknife, mean_of_defined
from profiler.measures.tables import UNKNOWN_GENDER, Measure, Table, record
from profiles_db.measurement import Measurement
from profiles_db.records import AttackName, AttackOutcome, Prediction

MAX_BAD_GRADIENTS: Final = 0.01
"""Share of zero or non-finite gradients above which the attack is flagged."""
SNR_TOLERANCE_DB: Final = 0.5
"""Median difference between the ratio reached and the one asked for that is not flagged."""


@dataclass(frozen=True)
class _Counts:
    """Per cell (a fold of a repetition) and speaker: clips, clips classified correctly, clips
    attacked, attacks that succeeded; each of shape (cells, speakers)."""

    clips: Floats
    right: Floats
    attacked: Floats
    changed: Floats
    cells_of_seed: Sequence[Sequence[int]]

    def success(self, strata: Sequence[str]) -> Estimate:
        """Attack success rate averaged over folds and repetitions."""
        return self._ratio(self.changed, self.attacked, strata)

    def accuracy(self, strata: Sequence[str]) -> Estimate:
        """Accuracy under attack averaged over folds and repetitions."""
        return self._ratio(self.right - self.changed, self.clips, strata)

    def _ratio(self, part: Floats, whole: Floats, strata: Sequence[str]) -> Estimate:
        own = self.cells_of_seed

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
    measure: Measure,
    *,
    snr_db: float,
) -> list[Measurement]:
    """Success rate and accuracy under every perturbation; the main one without a variant.

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
        names = ("attack_success_rate", "accuracy_under_attack")
        return [measure(criterion=name, value=None, unknown=reason) for name in names]
    by_kind = {kind: [o for o in outcomes if (o.attack, o.snr_db) == kind] for kind in kinds}
    counts = {kind: _count(table, own) for kind, own in by_kind.items()}
    found: list[Measurement] = []
    for (attack, ratio), own in by_kind.items():
        noise = _floor(counts.get(("noise", ratio)), strata) if attack != "noise" else NO_FLOOR
        flags = (*_flags(own, outcomes, noise.success), *table.one_answer)
        variants = [f"{attack}@{ratio:g}dB", *([""] if (attack, ratio) == ("fgsm", snr_db) else [])]
        for variant in variants:
            found += _figures(
                table, counts[attack, ratio], own, variant, strata, noise, flags, measure,
            )  # fmt: skip
        found.append(_reached(own, variants[0], measure))
    return found


@dataclass(frozen=True, slots=True)
class _Floor:
    """What Gaussian noise of the same ratio does, which is what chance gives."""

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
    variant: str,
    strata: list[str],
    noise: _Floor,
    flags: tuple[str, ...],
    measure: Measure,
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
            variant=variant,
            n=_clips(own),
            chance=noise.success,
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
                variant=variant,
                n=table.n,
                chance=noise.accuracy,
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
        place = cell[outcome.seed, outcome.fold], speaker[outcome.speaker]
        attacked[place] += 1
        changed[place] += outcome.predicted != outcome.label
    return _Counts(clips, right, attacked, changed, table.cells_of_seed)


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
    clips = {(outcome.seed, outcome.fold, outcome.utterance) for outcome in pgd}
    same = [
        outcome
        for outcome in outcomes
        if outcome.attack == "fgsm"
        and outcome.snr_db == pgd[0].snr_db
        and (outcome.seed, outcome.fold, outcome.utterance) in clips
    ]
    return sum(o.predicted != o.label for o in same) / len(same)


def _reached(own: Sequence[AttackOutcome], variant: str, measure: Measure) -> Measurement:
    """Median of the ratio really reached, with the 2.5th and 97.5th percentile, in dB."""
    changed = [o for o in own if o.reached_snr_db is not None]
    reached = [o.reached_snr_db for o in changed if o.reached_snr_db is not None]
    if not reached:
        reason = "no perturbation changed a sample"
        return measure(criterion="reached_snr_db", variant=variant, value=None, unknown=reason)
    low, middle, high = np.quantile(reached, [0.025, 0.5, 0.975])
    return measure(
        criterion="reached_snr_db",
        variant=variant,
        value=float(middle),
        low=float(low),
        high=float(high),
        interval="quantile",
        n=_clips(changed),
    )
