"""Robustness: closed forms of the figures, their intervals, the stress tests' rules, the flags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from profiler.measures.robustness import (
    STRESS_TESTS,
    Condition,
    RobustnessSettings,
    StressTest,
    robustness,
)
from profiles_db.corruptions import KINDS
from profiles_db.criteria import CRITERIA
from profiles_db.measurement import Measurement
from profiles_db.records import CorruptedAnswer, Prediction
from tests.profiler.aspects.rows import CLASSES, emotion_rows, figure, measure

ROWS = emotion_rows(skill=0.8)
BABBLE: Condition = ("babble", 20.0)
Answer = Callable[[Prediction], str]


def _answers(
    condition: Condition, answer: Answer, rows: Sequence[Prediction] = ROWS
) -> list[CorruptedAnswer]:
    return [
        CorruptedAnswer(
            row.repetition, row.fold, *condition, row.utterance, row.speaker, row.label, answer(row)
        )
        for row in rows
    ]


def _same(row: Prediction) -> str:
    return row.predicted


def _wrong_every(number: int) -> Answer:
    """Every so many clips of a speaker are answered with the class after the true one."""

    def answer(row: Prediction) -> str:
        clip = int(row.utterance.partition("-")[2])
        wrong = CLASSES[(CLASSES.index(row.label) + 1) % len(CLASSES)]
        return wrong if clip % number == 0 else row.predicted

    return answer


def _figures(
    *conditions: tuple[Condition, Answer], rows: Sequence[Prediction] = ROWS
) -> list[Measurement]:
    answers = [one for c, answer in conditions for one in _answers(c, answer, rows)]
    return robustness(rows, answers, CLASSES, [c for c, _ in conditions], measure)


def _uar(rows: Sequence[Prediction], answer: Answer) -> float:
    """Mean over the folds of scikit-learn's macro recall."""
    folds = sorted({row.fold for row in rows})
    own = [[row for row in rows if row.fold == fold] for fold in folds]
    scores = [
        metrics.recall_score(
            [r.label for r in fold], [answer(r) for r in fold], average="macro", zero_division=0
        )
        for fold in own
    ]
    return float(np.mean(scores))


def test_the_loss_is_that_of_scikit_learns_recalls_and_unchanged_counts_wrong_ones_too() -> None:
    found = _figures((BABBLE, _wrong_every(3)))
    lost = figure(found, "uar_lost", "babble 20 dB")
    assert lost.value == pytest.approx(_uar(ROWS, _same) - _uar(ROWS, _wrong_every(3)))
    assert lost.n == len(ROWS)
    alike = [
        np.mean([_wrong_every(3)(r) == r.predicted for r in ROWS if r.fold == fold])
        for fold in (1, 2, 3)
    ]
    unchanged = figure(found, "unchanged_predictions", "babble 20 dB")
    assert unchanged.value == pytest.approx(np.mean(alike))
    for one in (lost, unchanged):
        assert one.low is not None
        assert one.high is not None
        assert one.value is not None
        assert one.low < one.value < one.high


def test_means_run_over_levels_then_kinds_and_the_worst_kind_is_named() -> None:
    parts: list[tuple[Condition, Answer]] = [
        (("babble", 10.0), _wrong_every(2)), (BABBLE, _wrong_every(5)),
        (("white_noise", 10.0), _wrong_every(4)), (("room", None), _same),
    ]  # fmt: skip
    found = _figures(*parts)
    clean = _uar(ROWS, _same)
    lost = [clean - _uar(ROWS, answer) for _, answer in parts]
    babble = (lost[0] + lost[1]) / 2
    assert figure(found, "uar_lost", "babble").value == pytest.approx(babble)
    mean = figure(found, "robustness_mean_change")
    assert mean.value == pytest.approx((babble + lost[2] + 0) / 3)
    assert "3 kinds of corruption, 4 levels" in mean.notes[0]
    worst = figure(found, "robustness_worst_change")
    assert worst.value == pytest.approx(babble)
    assert worst.notes[0] == "the worst kind: babble"
    assert figure(found, "uar_lost", "babble 10 dB").baseline == pytest.approx(lost[2])
    assert figure(found, "uar_lost", "babble 20 dB").baseline is None
    # A kind with one level has one figure.
    assert [m.variant for m in found if m.criterion == "uar_lost"] == [
        "babble 10 dB", "babble 20 dB", "white_noise 10 dB", "room", "babble",
    ]  # fmt: skip


def test_all_measured_criteria_are_known_and_no_name_is_made_up() -> None:
    found = _figures((BABBLE, _same))
    names = {m.criterion for m in found if m.stands_for_criterion}
    own = {name for name, one in CRITERIA.items() if one.aspect == "robustness"}
    assert names == own | {"stress_tests_passed"}
    assert {kind for kind, _ in RobustnessSettings().conditions} | {"background", "room"} == set(
        KINDS
    )


@given(every=st.integers(1, 12), seed=st.integers(0, 20))
def test_no_interval_reaches_beyond_what_the_changed_answers_allow(every: int, seed: int) -> None:
    rows = emotion_rows(speakers=6, clips=8, seed=seed, folds=2)
    found = _figures((BABBLE, _wrong_every(every)), rows=rows)
    value, low, high = _ends(figure(found, "uar_lost", "babble 20 dB"))
    unchanged, least, _ = _ends(figure(found, "unchanged_predictions", "babble 20 dB"))
    assert low <= value <= high
    assert abs(value) <= 1 - unchanged + 1e-9
    most = max(abs(value), 1 - least) + 1e-9
    assert -most <= low
    assert high <= most


def _ends(one: Measurement) -> tuple[float, float, float]:
    assert one.value is not None
    assert one.low is not None
    assert one.high is not None
    return one.value, one.low, one.high


def test_the_interval_narrows_with_speakers_and_never_to_nothing() -> None:
    widths = []
    for speakers in (6, 24, 96):
        rows = emotion_rows(speakers=speakers, clips=8)
        lost = figure(_figures((BABBLE, _same), rows=rows), "uar_lost", "babble 20 dB")
        assert lost.value == 0
        assert lost.low is not None
        assert lost.high is not None
        assert lost.low == -lost.high
        widths.append(lost.high)
    assert widths[0] > widths[1] > widths[2] > 0


def test_intervals_hold_a_known_loss() -> None:
    """Answers to corrupted clips are right with 0.55, to clean ones with 0.75: 20 points lost."""
    held, rng = 0, np.random.default_rng(3)
    for trial in range(60):
        rows = emotion_rows(speakers=20, clips=16, seed=trial)
        rows = [
            replace(row, predicted=row.label if rng.random() < 0.75 else _next(row)) for row in rows
        ]
        low = [rng.random() < 0.55 for _ in rows]
        answered = {
            row.utterance: row.label if right else _next(row)
            for row, right in zip(rows, low, strict=True)
        }
        found = _figures((BABBLE, lambda row, told=answered: told[row.utterance]), rows=rows)  # type: ignore[misc]
        lost = figure(found, "uar_lost", "babble 20 dB")
        assert lost.low is not None
        assert lost.high is not None
        held += lost.low <= 0.2 <= lost.high
    assert held >= 54  # 57 are expected; fewer than 54 have a chance of 4 in 100


def _next(row: Prediction) -> str:
    return CLASSES[(CLASSES.index(row.label) + 1) % len(CLASSES)]


def test_repetitions_are_averaged() -> None:
    second = [replace(row, repetition=1) for row in ROWS]
    both = [*ROWS, *second]
    answers = [*_answers(BABBLE, _wrong_every(2)), *_answers(BABBLE, _same, second)]
    found = robustness(both, answers, CLASSES, [BABBLE], measure)
    alone = figure(_figures((BABBLE, _wrong_every(2))), "uar_lost", "babble 20 dB").value
    assert alone is not None
    lost = figure(found, "uar_lost", "babble 20 dB")
    assert lost.value == pytest.approx(alone / 2)
    assert lost.n == len(ROWS)


def test_what_was_asked_for_and_could_not_be_done_is_unknown_with_the_reason() -> None:
    answers = _answers(("gain", 1.0), _same)
    found = robustness(ROWS, answers, CLASSES, [("gain", 1.0), BABBLE], measure)
    lost = figure(found, "uar_lost", "babble 20 dB")
    assert lost.value is None
    assert "fewer than 4 other speakers" in str(lost.unknown)
    assert any("without babble" in note for note in figure(found, "robustness_mean_change").notes)
    found = robustness(ROWS, [], CLASSES, [BABBLE], measure)
    assert {m.criterion for m in found} == {
        name for name, one in CRITERIA.items() if one.aspect == "robustness"
    }
    assert all(m.value is None for m in found)


def test_stress_tests_pass_and_fail_by_their_rules() -> None:
    small, noise = StressTest(None, 0.95), StressTest(0.05, 0.9)
    assert small.passes(0.5, 0.95)
    assert not small.passes(0.0, 0.949)
    assert noise.passes(0.049, 0.9)
    assert not noise.passes(0.05, 1.0)
    assert noise.passes(-0.3, 0.9), "a gain is no loss"
    assert {STRESS_TESTS[c] for c in (("telephone", 13), ("tilt", 3), BABBLE)} == {
        StressTest(0.05, 0.5), StressTest(0.02, 0.8), noise,
    }  # fmt: skip
    known = set(RobustnessSettings().conditions) | {("background", 20.0), ("room", None)}
    assert set(STRESS_TESTS) <= known, "every test is one of the default levels"
    found = _figures((BABBLE, _wrong_every(3)), (("gain", 1.0), _same), (("gain", 9.0), _same))
    assert figure(found, "stress_test_passed", "babble 20 dB").value == 0
    assert figure(found, "stress_test_passed", "gain 1 dB").value == 1
    whole = figure(found, "stress_tests_passed")
    assert whole.value == 0.5
    assert whole.notes[1] == "failed: babble 20 dB"


def test_a_head_that_cannot_lose_anything_is_flagged() -> None:
    one = [replace(row, predicted=CLASSES[0]) for row in ROWS]
    found = figure(_figures((BABBLE, _same), rows=one), "robustness_mean_change")
    assert found.value == 0
    assert any("within guessing" in flag for flag in found.flags)
    assert any("one answer only" in flag for flag in found.flags)
    assert not figure(_figures((BABBLE, _same)), "robustness_mean_change").flags
    few = emotion_rows(speakers=4, skill=0.9)
    (flag,) = figure(_figures((BABBLE, _same), rows=few), "robustness_mean_change").flags
    assert flag.startswith("only 4 speakers")


def test_a_level_given_twice_is_one_level_and_a_kind_without_levels_is_left_out() -> None:
    settings = RobustnessSettings(gain_db=(1.0, 1.0, 2.0), babble_snr_db=())
    gains = [level for kind, level in settings.conditions if kind == "gain"]
    assert gains == [1.0, 2.0]
    assert "babble" not in {kind for kind, _ in settings.conditions}
    assert "background" not in {kind for kind, _ in settings.conditions}, "without a folder"
