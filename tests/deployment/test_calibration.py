"""Temperature scaling: simulated truths, the optimum's condition, no fold fitted on itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special

from profiler.deployment.calibration import (
    COLDEST,
    HOTTEST,
    calibrate,
    expected_calibration_error,
    fitted_temperature,
    log_loss,
    tempered,
)
from profiler.measures.performance import system_performance
from profiler.measures.tables import Table
from profiles_db.measurement import Measurement
from profiles_db.records import Prediction

CLASSES = ("angry", "happy", "neutral", "sad")


def simulated(
    clips: int, temperature: float, seed: int = 0
) -> tuple[
    np.ndarray[tuple[int, int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.int64]]
]:
    """Probabilities whose logits are `temperature` times those that the classes are drawn from."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.standard_normal((clips, len(CLASSES)))
    true = special.softmax(logits, axis=1)
    truth = (true.cumsum(axis=1) > rng.random((clips, 1))).argmax(axis=1)
    return special.softmax(temperature * logits, axis=1), truth


def predictions(clips: int, temperatures: list[float], repetitions: int = 1) -> list[Prediction]:
    """As many folds as `temperatures`, each answered by heads that are so much too sure."""
    return [
        Prediction(
            repetition, fold, f"{fold}-{number}", f"s{fold}-{number % 20}", "female",
            CLASSES[label], CLASSES[int(row.argmax())], tuple(row.tolist()),
        )
        for repetition in range(repetitions)
        for fold, temperature in enumerate(temperatures, 1)
        for number, (row, label) in enumerate(
            zip(*simulated(clips, temperature, seed=fold), strict=True)
        )
    ]  # fmt: skip


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found(temperature: float) -> None:
    assert fitted_temperature(*simulated(20_000, temperature)) == pytest.approx(
        temperature, rel=0.05
    )


@settings(deadline=None, max_examples=50)
@given(
    arrays(np.float64, (12, 4), elements=st.floats(-3, 3)),
    arrays(np.int64, 12, elements=st.integers(0, 3)),
)
def test_the_loss_is_level_at_the_temperature_and_no_answer_changes(
    logits: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    truth: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> None:
    probabilities = special.softmax(logits, axis=1)
    temperature = fitted_temperature(probabilities, truth)
    scaled = tempered(probabilities, temperature)
    if 1.01 * COLDEST < temperature < HOTTEST / 1.01:
        # The derivative by the inverse temperature: expected logit against that of the true class.
        own = logits[np.arange(12), truth]
        slope = ((scaled * logits).sum(axis=1) - own).mean()
        assert abs(slope) / temperature < 1e-3
    assert log_loss(scaled, truth) <= log_loss(probabilities, truth) + 1e-9
    np.testing.assert_allclose(scaled, special.softmax(logits / temperature, axis=1), rtol=1e-6)


def test_certain_answers_stay_certain() -> None:
    certain = np.array([[1.0, 0.0]])
    assert tempered(certain, 2.0)[0, 0] == 1.0
    assert np.isfinite(log_loss(certain, np.array([1])))


def test_the_error_is_the_profiles_own() -> None:
    def figure(**values: object) -> Measurement:
        return Measurement("s", "b", "none", "c", **values)  # type: ignore[arg-type]

    rows = predictions(150, [2.0, 3.0])
    found = system_performance(Table(rows, CLASSES), figure, resamples=100)
    (expected,) = [m.value for m in found if m.criterion == "expected_calibration_error"]
    probabilities = np.array([row.probabilities for row in rows])
    truth = np.array([CLASSES.index(row.label) for row in rows])
    assert expected_calibration_error(probabilities, truth) == pytest.approx(expected)


def test_heads_that_are_too_sure_are_calibrated() -> None:
    found = calibrate(predictions(800, [3.0] * 5), CLASSES)
    assert found.temperature == pytest.approx(3.0, rel=0.1)
    assert found.error_after is not None
    assert found.error_before > 0.1
    assert found.error_after < 0.03
    assert (found.clips, found.folds, found.averaged) == (4000, 5, 1)


def test_no_fold_is_judged_by_its_own_temperature() -> None:
    rows = predictions(600, [4.0, 0.5])
    found = calibrate(rows, CLASSES)
    halves = [[row for row in rows if row.fold == fold] for fold in (1, 2)]
    arrays_of = [
        (
            np.array([row.probabilities for row in half]),
            np.array([CLASSES.index(row.label) for row in half]),
        )
        for half in halves
    ]
    crossed = [
        log_loss(tempered(arrays_of[0][0], fitted_temperature(*arrays_of[1])), arrays_of[0][1]),
        log_loss(tempered(arrays_of[1][0], fitted_temperature(*arrays_of[0])), arrays_of[1][1]),
    ]
    assert found.loss_after == pytest.approx(np.mean(crossed))
    assert found.temperature is None
    assert "less likely" in str(found.reason)


def test_the_mean_over_repetitions_is_what_is_scaled() -> None:
    once, twice = (calibrate(predictions(200, [2.0, 2.0], n), CLASSES) for n in (1, 2))
    assert twice.temperature == pytest.approx(once.temperature)
    assert (twice.averaged, twice.clips) == (2, 400)
    assert twice.uar == once.uar


def test_one_fold_alone_calibrates_nothing() -> None:
    found = calibrate(predictions(300, [3.0]), CLASSES)
    assert found.temperature is None
    assert "one fold alone" in str(found.reason)
    assert found.error_after is None
    assert found.error_before > 0.1


def test_answers_that_say_nothing_are_not_calibrated() -> None:
    rows = [
        Prediction(
            0, fold, f"{fold}-{n}", f"s{n % 9}", None, CLASSES[n % 2], CLASSES[0], (0.9, 0.1, 0, 0)
        )
        for fold in (1, 2)
        for n in range(40)
    ]
    found = calibrate(rows, CLASSES)
    assert found.temperature is None
    assert "no temperature between" in str(found.reason)
