"""Rows for the aspects' tests, made from short descriptions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from profiles_db.measurement import Measurement
from profiles_db.records import (
    AttackName,
    AttackOutcome,
    Gender,
    GenderPrediction,
    GenderTask,
    GradientState,
    Prediction,
)

CLASSES = ("neutral", "happy", "sad", "angry")

measure: Callable[..., Measurement] = functools.partial(
    Measurement, study="s", backbone="b", weights="none", corpus="c"
)


def figure(
    found: Sequence[Measurement], criterion: str, variant: str = "", fold: int = -1
) -> Measurement:
    """The one measurement of that criterion, variant and fold."""
    (match,) = [m for m in found if (m.criterion, m.variant, m.fold) == (criterion, variant, fold)]
    return match


def gender_of(speaker: int) -> Gender:
    """Odd speakers are male, as in RAVDESS."""
    return "male" if speaker % 2 else "female"


def emotion_rows(
    *, speakers: int = 12, clips: int = 20, skill: float = 0.6, seed: int = 0, folds: int = 3
) -> list[Prediction]:
    """Random answers that are right with probability about `skill`."""
    rng = np.random.default_rng(seed)
    rows = []
    for speaker in range(speakers):
        for clip in range(clips):
            label = CLASSES[clip % 4]
            scores = rng.random(4)
            if rng.random() < skill:
                scores[clip % 4] += 1
            probabilities = scores / scores.sum()
            rows.append(
                prediction(
                    f"{speaker}-{clip}",
                    str(speaker),
                    gender_of(speaker),
                    label,
                    tuple(probabilities),
                    fold=speaker % folds + 1,
                )
            )
    return rows


def prediction(
    utterance: str,
    speaker: str,
    gender: Gender | None,
    label: str,
    probabilities: tuple[float, ...],
    fold: int = 1,
    repetition: int = 0,
) -> Prediction:
    """One row whose answer is its most probable class."""
    best = CLASSES[int(np.argmax(probabilities))]
    return Prediction(repetition, fold, utterance, speaker, gender, label, best, probabilities)


def inferred(
    task: GenderTask,
    utterance: str,
    speaker: str,
    gender: Gender,
    probabilities: tuple[float, ...],
    fold: int = 1,
    repetition: int = 0,
) -> GenderPrediction:
    """What an attacker infers: its most probable gender."""
    best = ("female", "male")[int(np.argmax(probabilities))]
    return GenderPrediction(
        repetition, fold, task, utterance, speaker, gender, gender, best, probabilities
    )


def outcome(
    attack: AttackName,
    snr_db: float,
    row: Prediction,
    changed: bool,
    gradient: GradientState = "ok",
    reached: float | None = None,
) -> AttackOutcome:
    """What became of a correctly classified clip."""
    other = next(name for name in CLASSES if name != row.label)
    return AttackOutcome(
        repetition=row.repetition,
        fold=row.fold,
        attack=attack,
        snr_db=snr_db,
        utterance=row.utterance,
        speaker=row.speaker,
        label=row.label,
        predicted=other if changed else row.label,
        reached_snr_db=snr_db if reached is None else reached,
        gradient=gradient,
    )
