"""Fairness against fairlearn, each class against the rest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from fairlearn.metrics import (
    demographic_parity_difference,
    equalized_odds_difference,
    true_positive_rate_difference,
)
from sklearn import metrics

from profiler.aspects.fairness import DIFFERENCES, fairness
from profiler.aspects.tables import Table
from profiles_db.records import Prediction
from tests.profiler.aspects.rows import CLASSES, emotion_rows, figure, measure, prediction

ROWS = emotion_rows(speakers=14, clips=24)
FOUND = fairness(Table(ROWS, CLASSES), measure, resamples=300)


def _one_against_the_rest(name: str) -> tuple[list[bool], list[bool], list[str | None]]:
    return (
        [row.label == name for row in ROWS],
        [row.predicted == name for row in ROWS],
        [row.gender for row in ROWS],
    )


def test_differences_equal_fairlearn_on_each_class_against_the_rest() -> None:
    odds, opportunity, parity = [], [], []
    for name in CLASSES:
        truth, predicted, gender = _one_against_the_rest(name)
        odds.append(equalized_odds_difference(truth, predicted, sensitive_features=gender))
        opportunity.append(
            true_positive_rate_difference(truth, predicted, sensitive_features=gender)
        )
        parity.append(demographic_parity_difference(truth, predicted, sensitive_features=gender))
    assert figure(FOUND, "equalized_odds_difference").value == pytest.approx(max(odds))
    mean = figure(FOUND, "equalized_odds_difference_mean").value
    assert mean == pytest.approx(np.mean(odds))
    assert figure(FOUND, "equal_opportunity_difference").value == pytest.approx(max(opportunity))
    assert figure(FOUND, "statistical_parity_difference").value == pytest.approx(max(parity))


def test_a_biased_model_is_not_excused_and_a_fair_one_is() -> None:
    def answers(row: Prediction, right: bool) -> tuple[float, ...]:
        truth = CLASSES.index(row.label)
        return tuple(np.eye(4)[truth if right else (truth + 1) % 4])

    biased: list[Prediction] = []
    fair: list[Prediction] = []
    for row in ROWS:
        clip = int(row.utterance.partition("-")[2])
        by_gender = row.gender == "female" or clip % 3 == 0
        for rows, right in ((biased, by_gender), (fair, clip % 3 == 0)):
            rows.append(
                prediction(
                    "emotion",
                    row.utterance,
                    row.speaker,
                    row.gender,
                    row.label,
                    answers(row, right),
                    fold=row.fold,
                )
            )
    of_biased = figure(
        fairness(Table(biased, CLASSES), measure, resamples=300), "equalized_odds_difference"
    )
    assert of_biased.value == pytest.approx(2 / 3, abs=0.1)
    assert of_biased.flags == of_biased.notes == ()
    assert of_biased.chance is not None
    assert of_biased.value is not None
    assert of_biased.chance < of_biased.value
    of_fair = figure(
        fairness(Table(fair, CLASSES), measure, resamples=300), "equalized_odds_difference"
    )
    assert any("fair model" in note for note in of_fair.notes)
    assert of_fair.flags == (), "a fair model is not punished for being fair"


@pytest.mark.parametrize(
    ("keep", "reason"),
    [
        (lambda row: row.gender == "male", "only male speakers"),
        (lambda row: not (row.gender == "male" and row.label == "sad"), "0 test clips of sad"),
        (
            lambda row: row.label != "angry" or row.gender == "male" or row.speaker == "0",
            "6 test clips of angry by female speakers, 10 needed",
        ),
    ],
)
def test_too_little_of_a_group_or_class_is_unknown_with_the_reason(
    keep: Callable[[Prediction], bool], reason: str
) -> None:
    found = fairness(Table([row for row in ROWS if keep(row)], CLASSES), measure, resamples=100)
    for name in DIFFERENCES:
        measurement = figure(found, name)
        assert measurement.value is None
        assert measurement.unknown is not None
        assert reason in measurement.unknown


def test_a_corpus_without_gender_is_unknown_never_zero() -> None:
    rows = [
        prediction("emotion", r.utterance, r.speaker, None, r.label, r.probabilities) for r in ROWS
    ]
    found = fairness(Table(rows, CLASSES), measure, resamples=100)
    assert all(figure(found, name).unknown for name in DIFFERENCES)
    assert figure(found, "speaker_worst_decile").value is not None


def test_worst_decile_is_the_mean_of_the_lowest_speakers() -> None:
    rows = emotion_rows(speakers=30, clips=20)
    table = Table(rows, CLASSES)
    by_speaker = [
        np.mean([row.label == row.predicted for row in rows if row.speaker == speaker])
        for speaker in table.speakers
    ]
    found = figure(fairness(table, measure, resamples=100), "speaker_worst_decile")
    assert found.value == pytest.approx(np.mean(sorted(by_speaker)[:3]))
    # These speakers are served alike but for chance, so the floor is near.
    assert found.chance == pytest.approx(found.value, abs=0.08)
    assert found.chance < np.mean(by_speaker)


def test_uar_by_gender_and_its_gap() -> None:
    values = {}
    for gender in ("female", "male"):
        own = [row for row in ROWS if row.gender == gender]
        values[gender] = metrics.recall_score(
            [row.label for row in own], [row.predicted for row in own], average="macro"
        )
        assert figure(FOUND, "uar", f"gender={gender}").value == pytest.approx(values[gender])
    gap = figure(FOUND, "uar_gender_gap").value
    assert gap == pytest.approx(abs(values["female"] - values["male"]))


def _simulated(gap: float, rng: np.random.Generator) -> list[Prediction]:
    """24 speakers, 4 classes of 9 clips; the first class' recall differs by `gap` on average."""
    rows = []
    for speaker in range(24):
        gender = "male" if speaker % 2 else "female"
        for true in range(4):
            shift = gap / 2 * (1 if gender == "female" else -1) if true == 0 else 0.0
            recall = float(np.clip(0.55 + shift + 0.08 * rng.standard_normal(), 0.02, 0.98))
            for clip in range(9):
                right = rng.random() < recall
                answer = true if right else int(rng.choice([c for c in range(4) if c != true]))
                rows.append(
                    prediction(
                        "emotion",
                        f"{speaker}-{true}-{clip}",
                        str(speaker),
                        gender,
                        CLASSES[true],
                        tuple(np.eye(4)[answer]),
                    )
                )
    return rows


@pytest.mark.parametrize("gap", [0.0, 0.1, 0.3])
def test_the_interval_holds_the_true_difference_about_as_often_as_it_says(gap: float) -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(50):
        table = Table(_simulated(gap, rng), CLASSES)
        found = figure(fairness(table, measure, resamples=100), "equalized_odds_difference")
        assert found.low is not None
        assert found.value is not None
        assert found.high is not None
        assert found.low <= found.value <= found.high
        held += found.low <= gap <= found.high
    assert held >= 42  # 0.95 of 50 is 47.5; fewer than 42 would be a chance of 1 in 500
