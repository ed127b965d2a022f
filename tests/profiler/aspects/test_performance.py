"""System performance against scikit-learn, fold by fold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn import metrics

from profiler.measures.performance import system_performance
from profiler.measures.tables import Table
from tests.profiler.aspects.rows import CLASSES, emotion_rows, figure, measure, prediction

ROWS = emotion_rows()
FOUND = system_performance(Table(ROWS, CLASSES), measure, resamples=300)


def _fold(number: int) -> tuple[list[str], list[str]]:
    rows = [row for row in ROWS if row.fold == number]
    return [row.label for row in rows], [row.predicted for row in rows]


def test_scores_are_means_over_the_folds() -> None:
    folds = [_fold(number) for number in (1, 2, 3)]
    recall = [metrics.recall_score(*fold, average="macro") for fold in folds]
    assert figure(FOUND, "uar").value == pytest.approx(np.mean(recall))
    spread = figure(FOUND, "uar", "deviation over folds").value
    assert spread == pytest.approx(np.std(recall, ddof=1))
    for number, value in enumerate(recall, start=1):
        assert figure(FOUND, "uar", fold=number).value == pytest.approx(value)
    exact = [metrics.accuracy_score(*fold) for fold in folds]
    assert figure(FOUND, "accuracy").value == pytest.approx(np.mean(exact))
    f1 = [metrics.f1_score(*fold, average="macro") for fold in folds]
    assert figure(FOUND, "macro_f1").value == pytest.approx(np.mean(f1))


def test_chance_n_and_interval_stand_beside_the_value() -> None:
    uar = figure(FOUND, "uar")
    assert (uar.baseline, uar.n, uar.interval) == (0.25, len(ROWS), "bootstrap")
    assert uar.low is not None
    assert uar.value is not None
    assert uar.high is not None
    assert uar.low < uar.value < uar.high
    assert uar.flags == ()
    assert uar.notes == ("trained once: the interval does not hold how training varies",)


def test_confusion_matrix_and_recalls_are_over_all_folds() -> None:
    truth, predicted = [r.label for r in ROWS], [r.predicted for r in ROWS]
    matrix = metrics.confusion_matrix(truth, predicted, labels=CLASSES)
    for i, true in enumerate(CLASSES):
        assert figure(FOUND, "recall", f"class={true}").value == pytest.approx(
            matrix[i, i] / matrix[i].sum()
        )
        for j, other in enumerate(CLASSES):
            cell = figure(FOUND, "confusion", f"true={true},predicted={other}")
            assert cell.value == matrix[i, j]


def test_calibration_error_is_the_definition() -> None:
    confidence = np.array([max(row.probabilities) for row in ROWS])
    right = np.array([row.label == row.predicted for row in ROWS])
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence >= low) & (confidence < low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert figure(FOUND, "expected_calibration_error").value == pytest.approx(expected, abs=1e-6)


def test_baselines_are_what_guessing_and_a_calibrated_model_score() -> None:
    rng = np.random.default_rng(0)
    truth = [row.label for row in ROWS]
    guesses = [
        metrics.f1_score(truth, rng.choice(CLASSES, len(truth)), average="macro")
        for _ in range(300)
    ]
    assert figure(FOUND, "macro_f1").baseline == pytest.approx(np.mean(guesses), abs=0.01)
    calibrated = figure(FOUND, "expected_calibration_error")
    assert calibrated.baseline is not None
    assert calibrated.value is not None
    assert 0 < calibrated.baseline < calibrated.value


def test_a_perfectly_calibrated_certain_model_has_no_calibration_error() -> None:
    rows = [
        prediction(f"{s}-{c}", str(s), "female", CLASSES[c], tuple(np.eye(4)[c]))
        for s in range(6)
        for c in range(4)
    ]
    found = system_performance(Table(rows, CLASSES), measure, resamples=100)
    assert figure(found, "expected_calibration_error").value == 0
    assert figure(found, "uar").value == 1


def test_repetitions_are_averaged_and_their_spread_is_apart() -> None:
    again = [dataclasses.replace(row, repetition=1) for row in emotion_rows(seed=5)]
    found = system_performance(Table([*ROWS, *again], CLASSES), measure, resamples=100)
    other = system_performance(Table(emotion_rows(seed=5), CLASSES), measure, resamples=100)
    values = [figure(FOUND, "uar").value, figure(other, "uar").value]
    assert figure(found, "uar").value == pytest.approx(np.mean(values))  # type: ignore[arg-type]
    spread = figure(found, "uar", "deviation over repetitions").value
    assert spread == pytest.approx(np.std(values, ddof=1))  # type: ignore[arg-type]
    assert figure(found, "uar").n == len(ROWS)


def test_a_class_missing_from_a_fold_and_few_speakers_are_flagged() -> None:
    rows = [row for row in emotion_rows(speakers=4) if not (row.fold == 2 and row.label == "sad")]
    uar = figure(system_performance(Table(rows, CLASSES), measure, resamples=100), "uar")
    assert any("fold 2 has no test clip of sad" in flag for flag in uar.flags)
    assert any("only 4 speakers" in flag for flag in uar.flags)
