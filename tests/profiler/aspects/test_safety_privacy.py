"""Safety and privacy: closed forms, scikit-learn, and the flags."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import linear_model, metrics, preprocessing

from profiler.aspects.fairness import fairness
from profiler.aspects.performance import system_performance
from profiler.aspects.privacy import privacy
from profiler.aspects.safety import safety
from profiler.aspects.tables import Table
from profiler.probes import logistic_regression
from profiler.voices import Comparison, compare
from profiles_db.measurement import Measurement
from profiles_db.records import AttackOutcome, Prediction, Task, Trial
from tests.profiler.aspects.rows import (
    CLASSES,
    emotion_rows,
    figure,
    gender_of,
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
    assert success.chance == noise.value
    assert noise.value == pytest.approx(
        np.mean([np.mean([_changed(r, 5) for r in RIGHT if r.fold == f]) for f in (1, 2, 3)])
    )
    under_noise = figure(found, "accuracy_under_attack", "noise@45dB").value
    assert figure(found, "accuracy_under_attack").chance == under_noise
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
        prediction("emotion", r.utterance, r.speaker, r.gender, r.label, (1.0, 0, 0, 0), r.fold)
        for r in ROWS
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
        assert any("fold 1, 2, 3 gives one answer only" in f for f in figure(found, name).flags)
    assert Table(ROWS, CLASSES).one_answer == ()


def test_no_clip_classified_right_is_unknown() -> None:
    for name in ("attack_success_rate", "accuracy_under_attack"):
        measurement = figure(_safety([]), name)
        assert measurement.value is None
        assert measurement.unknown is not None


def _gender_rows(task: Task, skill: float, seed: int = 0) -> list[Prediction]:
    rng = np.random.default_rng(seed)
    rows = []
    for row in ROWS:
        male = float(row.gender == "male")
        score = float(np.clip(rng.normal(0.5 + skill * (male - 0.5), 0.2), 0.01, 0.99))
        rows.append(
            prediction(
                task,
                row.utterance,
                row.speaker,
                row.gender,
                str(row.gender),
                (1 - score, score),
                fold=row.fold,
            )
        )
    return rows


def test_gender_figures_equal_scikit_learn_averaged_over_the_folds() -> None:
    probe = _gender_rows("gender", 0.4)
    rows = [*probe, *_gender_rows("linear_gender", 0.1), *_gender_rows("head_gender", 0.2)]
    found = privacy(rows, [], GENDERS, measure, resamples=200)
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
    assert figure(found, "gender_accuracy").chance == 0.5
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


def test_a_weak_probe_is_flagged_and_one_at_chance_is_noted() -> None:
    """States that hide gender are no reason to doubt the figure; a better linear probe is."""

    def probed(linear: float) -> Measurement:
        rows = [*_gender_rows("gender", 0.0), *_gender_rows("linear_gender", linear)]
        return figure(privacy(rows, [], GENDERS, measure, resamples=400), "gender_accuracy")

    weak, hidden = probed(0.5), probed(0.0)
    assert len(weak.flags) == 1
    assert "linear probe" in weak.flags[0]
    assert hidden.flags == ()
    assert "ignore gender" in weak.notes[0]
    assert weak.notes == hidden.notes


def test_without_gender_labels_privacy_is_unknown_with_the_reason() -> None:
    found = privacy([], [], {}, measure, resamples=100)
    names = ("gender_accuracy", "gender_auc", "linear_gender_accuracy", "head_gender_accuracy")
    for name in names:
        assert figure(found, name).value is None
        assert "gender" in str(figure(found, name).unknown)


def test_logistic_regression_equals_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    train = torch.randn(120, 5, generator=generator)
    targets = (train[:, 0] + 0.5 * torch.randn(120, generator=generator) > 0).long()
    test = torch.randn(30, 5, generator=generator)
    ours = logistic_regression(train, targets, test, classes=2)[:, 1]
    scaler = preprocessing.StandardScaler().fit(train.numpy())
    # Two symmetric weight vectors share the penalty: together they cost half of one.
    model = linear_model.LogisticRegression(C=2.0, tol=1e-10, max_iter=1000)
    model.fit(scaler.transform(train.numpy()), targets.numpy())
    theirs = model.predict_proba(scaler.transform(test.numpy()))[:, 1]
    np.testing.assert_allclose(ours.numpy(), theirs, atol=2e-4)


def _voices(spread: float) -> tuple[torch.Tensor, list[str]]:
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(6, 16, generator=generator)
    vectors = [
        centre + spread * torch.randn(20, 16, generator=generator) + 10 for centre in centres
    ]
    return torch.cat(vectors), [str(s) for s in range(6) for _ in range(20)]


def _compared(
    vectors: torch.Tensor,
    speakers: list[str],
    *,
    enrolment: int = 5,
    trial_clips: int | None = None,
    impostors: int | None = None,
) -> list[Comparison]:
    return compare(
        vectors,
        speakers,
        vectors.mean(dim=0),
        enrolment=enrolment,
        trial_clips=trial_clips,
        impostors=impostors,
        seed=0,
    )


@pytest.mark.parametrize(("spread", "low", "high"), [(0.05, 0.0, 0.01), (50.0, 0.4, 0.6)])
def test_distinct_voices_are_recognised_and_noise_is_not(
    spread: float, low: float, high: float
) -> None:
    vectors, speakers = _voices(spread)
    comparisons = _compared(vectors, speakers)
    assert len(comparisons) == 6 * 15 * 6
    trials = [
        Trial(0, 1, "backbone", f"u{c.position}", speakers[c.position], c.claimed, c.score)
        for c in comparisons
    ]
    genders = {str(speaker): gender_of(speaker) for speaker in range(6)}
    found = privacy([], trials, genders, measure, resamples=200)
    eer = figure(found, "speaker_eer")
    assert eer.value is not None
    assert low <= eer.value <= high
    assert eer.n == 90
    assert eer.chance == 0.5


def test_speakers_without_trial_clips_are_left_out() -> None:
    vectors, speakers = _voices(1.0)
    assert _compared(vectors, speakers, enrolment=20) == []
    lone = [p for p, s in enumerate(speakers) if s == "0"]
    assert _compared(vectors[lone], ["0"] * 20) == []


def test_impostors_are_drawn_and_the_own_speaker_is_always_there() -> None:
    """A sample of the comparisons, of the same scores; the same on every call."""
    vectors, speakers = _voices(1.0)
    every = _compared(vectors, speakers)
    some = _compared(vectors, speakers, impostors=2)
    assert some == _compared(vectors, speakers, impostors=2)
    scores = {(one.position, one.claimed): one.score for one in every}
    for one in some:
        assert one.score == pytest.approx(scores[one.position, one.claimed], abs=1e-12)
    claims: dict[int, set[str]] = {}
    for one in some:
        claims.setdefault(one.position, set()).add(one.claimed)
    assert len(claims) == 90
    assert all(len(own) == 3 and speakers[position] in own for position, own in claims.items())
    drawn = {name for position, own in claims.items() for name in own - {speakers[position]}}
    assert drawn == set(speakers)
    assert _compared(vectors, speakers, impostors=5) == every


def test_trials_are_drawn_of_all_speakers_with_the_scores_that_they_have() -> None:
    vectors, speakers = _voices(1.0)
    every, some = _compared(vectors, speakers), _compared(vectors, speakers, trial_clips=40)
    assert {one.position for one in some} < {one.position for one in every}
    assert len({one.position for one in some}) == 40
    assert {speakers[one.position] for one in some} == set(speakers)
    assert {(one.position, one.claimed, one.score) for one in some} < {
        (one.position, one.claimed, one.score) for one in every
    }
    assert _compared(vectors, speakers, trial_clips=90) == every
