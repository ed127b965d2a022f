"""Safety and privacy: closed forms, scikit-learn, and the flags."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from profiler.measures.fairness import fairness
from profiler.measures.performance import system_performance
from profiler.measures.privacy import privacy
from profiler.measures.safety import safety
from profiler.measures.tables import Table
from profiles_db.measurement import Measurement
from profiles_db.records import (
    Attacker,
    AttackOutcome,
    GenderPrediction,
    GenderTask,
    Prediction,
    Trial,
)
from tests.profiler.aspects.rows import (
    CLASSES,
    emotion_rows,
    figure,
    gender_of,
    inferred,
    measure,
    outcome,
    prediction,
)

ROWS = emotion_rows()
RIGHT = [row for row in ROWS if row.label == row.predicted]
GENDERS: dict[str, str | None] = {row.speaker: row.gender for row in ROWS}


def _changed(row: Prediction, every: int) -> bool:
    return int(row.utterance.partition("-")[2]) % every == 0


def _safety(outcomes: list[AttackOutcome]) -> list[Measurement]:
    return safety(ROWS, outcomes, CLASSES, GENDERS, measure, snr_db=45.0)


def test_success_is_over_the_right_ones_and_accuracy_over_all() -> None:
    outcomes = [outcome("fgsm", 45.0, row, _changed(row, 2)) for row in RIGHT]
    outcomes += [outcome("noise", 45.0, row, _changed(row, 5)) for row in RIGHT]
    found = _safety(outcomes)
    by_fold, still = [], []
    for fold in (1, 2, 3):
        right = [row for row in RIGHT if row.fold == fold]
        by_fold.append(np.mean([_changed(row, 2) for row in right]))
        unchanged = sum(not _changed(row, 2) for row in right)
        still.append(unchanged / sum(row.fold == fold for row in ROWS))
    success = figure(found, "attack_success_rate")
    assert success.value == pytest.approx(np.mean(by_fold))
    assert success.n == len(RIGHT)
    noise = figure(found, "attack_success_rate", "noise@45dB")
    assert success.baseline == noise.value
    assert noise.value == pytest.approx(
        np.mean([np.mean([_changed(r, 5) for r in RIGHT if r.fold == f]) for f in (1, 2, 3)])
    )
    under_noise = figure(found, "accuracy_under_attack", "noise@45dB").value
    assert figure(found, "accuracy_under_attack").baseline == under_noise
    assert success.flags == ()
    assert figure(found, "attack_success_rate", "fgsm@45dB").value == success.value
    assert figure(found, "accuracy_under_attack").value == pytest.approx(np.mean(still))
    assert figure(found, "reached_snr_db", "fgsm@45dB").value == 45.0


def test_an_attack_not_to_be_believed_is_flagged() -> None:
    outcomes = [
        outcome("fgsm", 45.0, row, _changed(row, 4), "zero" if index % 10 == 0 else "ok", 47.0)
        for index, row in enumerate(RIGHT)
    ]
    outcomes += [outcome("noise", 45.0, row, _changed(row, 2)) for row in RIGHT]
    outcomes += [outcome("pgd", 45.0, row, False) for row in RIGHT[:40]]
    found = _safety(outcomes)
    flags = " / ".join(figure(found, "attack_success_rate").flags)
    assert "10 % of the gradients are zero" in flags
    assert "noise of the same ratio succeeds more often" in flags
    assert "median ratio reached is 47.0 dB" in flags
    pgd = " / ".join(figure(found, "attack_success_rate", "pgd@45dB").flags)
    assert "FGSM succeeds more often than PGD" in pgd


def test_a_head_with_one_answer_is_flagged_not_praised() -> None:
    deaf = [
        prediction(r.utterance, r.speaker, r.gender, r.label, (1.0, 0, 0, 0), r.fold) for r in ROWS
    ]
    right = [row for row in deaf if row.label == row.predicted]
    outcomes = [outcome("fgsm", 45.0, row, False) for row in right]
    table = Table(deaf, CLASSES)
    found = [
        *safety(deaf, outcomes, CLASSES, GENDERS, measure, snr_db=45.0),
        *system_performance(table, measure, resamples=100),
        *fairness(table, measure, resamples=100),
    ]
    for name in ("uar", "attack_success_rate", "equalized_odds_difference"):
        assert any("folds 1, 2, 3 give one answer" in f for f in figure(found, name).flags)
    assert Table(ROWS, CLASSES).one_answer == ()


def test_no_clip_classified_right_is_unknown() -> None:
    for name in ("attack_success_rate", "accuracy_under_attack"):
        measurement = figure(_safety([]), name)
        assert measurement.value is None
        assert measurement.unknown is not None


def _gender_rows(task: GenderTask, skill: float, seed: int = 0) -> list[GenderPrediction]:
    rng = np.random.default_rng(seed)
    rows = []
    for row in ROWS:
        male = float(row.gender == "male")
        score = float(np.clip(rng.normal(0.5 + skill * (male - 0.5), 0.2), 0.01, 0.99))
        rows.append(
            inferred(
                task,
                row.utterance,
                row.speaker,
                row.gender or "female",
                (1 - score, score),
                fold=row.fold,
            )
        )
    return rows


def _attackers(chosen: str = "linear, layer 2") -> list[Attacker]:
    """Two attackers on each of three folds, of which one is chosen."""
    names = ("linear, layer 1", "linear, layer 2")
    return [
        Attacker(0, fold, name, 0.8 + 0.1 * (name == chosen), 0.5, 0.6 + fold / 100, name == chosen)
        for fold in (1, 2, 3)
        for name in names
    ]


def _privacy(
    rows: list[GenderPrediction], trials: list[Trial] | None = None, resamples: int = 200
) -> list[Measurement]:
    genders = GENDERS | {trial.claimed: gender_of(int(trial.claimed)) for trial in trials or ()}
    attackers = _attackers() if any(row.task == "strongest_gender" for row in rows) else []
    return privacy(rows, attackers, trials or [], genders, measure, folds=3, resamples=resamples)


def test_gender_figures_equal_scikit_learn_averaged_over_the_folds() -> None:
    probe = _gender_rows("gender", 0.4)
    rows = [*probe, *_gender_rows("linear_gender", 0.1), *_gender_rows("head_gender", 0.2)]
    rows += _gender_rows("strongest_gender", 0.4, seed=0)
    found = _privacy(rows)
    exact, areas, recalls = [], [], []
    for fold in (1, 2, 3):
        own = [row for row in probe if row.fold == fold]
        truth = [row.label for row in own]
        exact.append(metrics.accuracy_score(truth, [row.predicted for row in own]))
        recalls.append(metrics.recall_score(truth, [row.predicted for row in own], average="macro"))
        male = [label == "male" for label in truth]
        areas.append(metrics.roc_auc_score(male, [row.probabilities[1] for row in own]))
    assert figure(found, "gender_accuracy").value == pytest.approx(np.mean(exact))
    assert figure(found, "gender_uar").value == pytest.approx(np.mean(recalls))
    assert figure(found, "gender_auc").value == pytest.approx(np.mean(areas))
    assert figure(found, "gender_accuracy").baseline == 0.5
    null = figure(found, "gender_accuracy", "label permutation null")
    assert null.value == pytest.approx(0.5, abs=0.02)
    assert null.high is not None
    assert null.high < np.mean(exact)
    first = figure(found, "gender_accuracy", fold=1)
    assert first.value == pytest.approx(exact[0])
    assert first.n == 80
    assert figure(found, "gender_accuracy").flags == ()
    assert figure(found, "gender_accuracy").notes == ()
    assert figure(found, "speaker_eer").unknown


def test_the_strongest_attacker_is_scored_by_uar_and_named() -> None:
    best = _gender_rows("strongest_gender", 0.3, seed=1)
    found = _privacy([*_gender_rows("gender", 0.1), *best])
    recalls = [
        metrics.recall_score(
            [row.label for row in best if row.fold == fold],
            [row.predicted for row in best if row.fold == fold],
            average="macro",
        )
        for fold in (1, 2, 3)
    ]
    strongest = figure(found, "gender_inference")
    assert strongest.value == pytest.approx(np.mean(recalls))
    assert strongest.baseline == 0.5
    assert strongest.low is not None
    assert strongest.n == 240
    assert strongest.notes == ("strongest: linear, layer 2 (fold 1, 2, 3)",)
    second = figure(found, "gender_inference", fold=2)
    assert second.value == pytest.approx(recalls[1])
    assert second.notes == ("strongest: linear, layer 2 (fold 2)",)
    for name in ("linear, layer 1", "linear, layer 2"):
        assert figure(found, "gender_inference", f"attacker={name}").value == pytest.approx(0.62)


def test_a_weak_probe_is_flagged_and_one_at_chance_is_noted() -> None:
    """States that hide gender are no reason to doubt the figure; a better attacker is."""

    def probed(strongest: float) -> Measurement:
        rows = [*_gender_rows("gender", 0.0), *_gender_rows("strongest_gender", strongest)]
        return figure(_privacy(rows, resamples=400), "gender_accuracy")

    weak, hidden = probed(0.5), probed(0.0)
    assert len(weak.flags) == 1
    assert "strongest attacker tried" in weak.flags[0]
    assert hidden.flags == ()
    assert "ignore gender" in weak.notes[0]
    assert weak.notes == hidden.notes


PRIVACY = ("gender_inference", "gender_accuracy", "gender_auc", "linear_gender_accuracy")


def test_without_gender_labels_privacy_is_unknown_with_the_reason() -> None:
    found = _privacy([])
    for name in (*PRIVACY, "head_gender_accuracy"):
        assert figure(found, name).value is None
        assert "gender" in str(figure(found, name).unknown)


def test_vectors_that_say_nothing_are_unknown_not_private() -> None:
    """The probe answered, the linear one could not: its vectors were constant to rounding."""
    trials = [Trial(0, 1, "head", f"u{n}", str(n % 4), str(n % 3), n / 9) for n in range(9)]
    rows = [*_gender_rows("gender", 0.3), *_gender_rows("strongest_gender", 0.3)]
    found = _privacy(rows, trials)
    for name in ("linear_gender_accuracy", "speaker_eer"):
        assert figure(found, name).value is None
        assert "rounding" in str(figure(found, name).unknown)
    assert figure(found, "head_speaker_eer").value is not None


def test_the_intervals_of_error_rates_cover_who_was_enrolled_too() -> None:
    """One voice that lets everybody in: an interval that takes the enrolled for given misses it."""
    trials = []
    for speaker in range(8):
        for clip in range(6):
            for claimed in range(8):
                score = 1.0 if speaker == claimed else 0.9 * (claimed == 0) + clip / 100
                trials.append(
                    Trial(0, 1, "backbone", f"{speaker}-{clip}", str(speaker), str(claimed), score)
                )
    for n in range(8):
        trials.append(Trial(0, 1, "backbone", f"{n}-x", str(n), str(n), 0.5))
    eer = figure(_privacy([], trials, resamples=1000), "speaker_eer")
    assert eer.value == pytest.approx(1 / 8, abs=0.02)
    assert eer.value is not None
    assert eer.low is not None
    assert eer.low < eer.value * 0.6, "without the one voice there are hardly errors"
