"""Figures on dimensions: closed forms, an independent library, bounds, and what genders show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import audmetric
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from profiler.measures.dimensional import ccc, dimensional, error, moments_of, pearson
from profiler.measures.statistics import Floats
from profiles_db.criteria import CRITERIA, DIMENSIONAL_CRITERIA
from profiles_db.dimensions import DIMENSIONS, ERROR, PEARSON, TESTS, Dimension
from profiles_db.measurement import Measurement
from profiles_db.records import DimensionalPrediction
from tests.profiler.aspects.rows import figure, gender_of, measure

FOLDS = (1, 2, 3)
Answer = Callable[[float, float], float]
"""A rating and standard normal noise to a prediction."""


def _rows(
    answer: Answer,
    *,
    speakers: int = 12,
    clips: int = 20,
    seed: int = 0,
    dimensions: Sequence[Dimension] = ("valence",),
    repetitions: int = 1,
) -> list[DimensionalPrediction]:
    rng = np.random.default_rng(seed)
    rows = []
    for speaker in range(speakers):
        for clip in range(clips):
            for dimension in dimensions:
                truth = float(rng.uniform())
                rows += [
                    DimensionalPrediction(
                        repetition, FOLDS[speaker % 3], dimension, f"{speaker}-{clip}",
                        str(speaker), gender_of(speaker), truth,
                        answer(truth, float(rng.standard_normal())), 0.5,
                    )
                    for repetition in range(repetitions)
                ]  # fmt: skip
    return rows


def _able(truth: float, noise: float) -> float:
    return 0.1 + 0.6 * truth + 0.1 * noise


def _figures(rows: Sequence[DimensionalPrediction]) -> list[Measurement]:
    return dimensional(rows, FOLDS, measure, resamples=200)


def _values(rows: Sequence[DimensionalPrediction]) -> tuple[Floats, Floats]:
    truth, predicted = ([getattr(r, name) for r in rows] for name in ("truth", "predicted"))
    return np.array(truth), np.array(predicted)


def _by_fold(
    rows: Sequence[DimensionalPrediction], score: Callable[[Floats, Floats], float]
) -> float:
    return float(np.mean([score(*_values([r for r in rows if r.fold == f])) for f in FOLDS]))


def _ends(one: Measurement) -> tuple[float, float, float]:
    assert one.value is not None
    assert one.low is not None
    assert one.high is not None
    return one.low, one.value, one.high


def _mean_error(truth: Floats, predicted: Floats) -> float:
    return float(np.abs(truth - predicted).mean())


def test_the_figures_are_those_of_an_independent_library_averaged_over_the_folds() -> None:
    rows = _rows(_able)
    found = _figures(rows)
    expected = {
        "": audmetric.concordance_cc,
        PEARSON: audmetric.pearson_cc,
        ERROR: audmetric.mean_absolute_error,
    }
    for statistic, score in expected.items():
        one = figure(found, "ccc_valence", statistic)
        assert one.value == pytest.approx(_by_fold(rows, score))
        assert one.n == len(rows)
        low, value, high = _ends(one)
        assert low < value < high
    for fold in FOLDS:
        own = [row for row in rows if row.fold == fold]
        assert figure(found, "ccc_valence", fold=fold).value == pytest.approx(
            audmetric.concordance_cc(*_values(own))
        )
    for gender in ("female", "male"):
        own = [row for row in rows if row.gender == gender]
        assert figure(found, "ccc_valence", f"gender={gender}").value == pytest.approx(
            audmetric.concordance_cc(*_values(own))
        )


_NUMBERS = st.lists(
    st.tuples(st.floats(0, 1, width=32), st.floats(-0.5, 1.5, width=32)), min_size=2, max_size=40
)


@given(pairs=_NUMBERS, shift=st.floats(0.01, 1), up=st.booleans())
def test_concordance_is_symmetric_below_correlation_and_lowered_by_a_shift(
    pairs: list[tuple[float, float]], shift: float, up: bool
) -> None:
    truth, predicted = np.array(pairs, dtype=np.float64).T
    assume(min(truth.var(), predicted.var()) > 1e-6)
    own = float(ccc(moments_of(truth, predicted)))
    assert own == pytest.approx(audmetric.concordance_cc(truth, predicted), abs=1e-6)
    assert own == pytest.approx(float(ccc(moments_of(predicted, truth))), abs=1e-6)
    assert abs(own) <= abs(float(pearson(moments_of(truth, predicted)))) + 1e-6
    # Moved away from the truth's mean, whatever is right in the predictions counts for less.
    away = shift if predicted.mean() >= truth.mean() else -shift
    moved = float(ccc(moments_of(truth, predicted + away)))
    assert abs(moved) <= abs(own) + 1e-9
    turned = float(pearson(moments_of(truth, 2 * predicted + (away if up else 0))))
    assert turned == pytest.approx(float(pearson(moments_of(truth, predicted))), abs=1e-6)


def test_the_ends_are_one_answer_the_truth_and_its_mirror() -> None:
    truth = np.array([0.1, 0.2, 0.6, 0.9])
    assert ccc(moments_of(truth, truth)) == pytest.approx(1)
    assert ccc(moments_of(truth, 2 * truth.mean() - truth)) == pytest.approx(-1)
    assert ccc(moments_of(truth, np.full(4, 0.45))) == pytest.approx(0, abs=1e-12)
    assert np.isnan(pearson(moments_of(truth, np.full(4, 0.45))))
    assert np.isnan(ccc(moments_of(np.full(4, 0.3), truth))), "nothing to agree with"
    assert np.isnan(error(np.zeros(8)))


def test_the_mean_runs_over_the_dimensions_that_are_rated() -> None:
    rows = _rows(_able, dimensions=("arousal", "valence"))
    found = _figures(rows)
    each = [_ends(figure(found, f"ccc_{name}"))[1] for name in ("arousal", "valence")]
    mean = figure(found, "ccc_mean")
    assert mean.value == pytest.approx(np.mean(each))
    assert mean.notes[0] == "mean over arousal, valence"
    dominance = figure(found, "ccc_dominance")
    assert dominance.value is None
    assert dominance.unknown == "no fold has enough clips that are rated on dominance"
    assert {m.criterion for m in found} == set(DIMENSIONAL_CRITERIA)


def test_the_baseline_is_the_training_means() -> None:
    rows = _rows(_able)
    found = _figures(rows)
    assert figure(found, "ccc_valence").baseline == 0
    constant = _by_fold(rows, lambda truth, _: _mean_error(truth, np.full_like(truth, 0.5)))
    assert figure(found, "ccc_valence", ERROR).baseline == pytest.approx(constant)
    of_mean = _figures([replace(row, predicted=row.training_mean) for row in rows])
    assert figure(of_mean, "ccc_valence").value == pytest.approx(0, abs=1e-12)
    assert figure(of_mean, "ccc_valence", ERROR).value == pytest.approx(constant)
    correlation = figure(of_mean, "ccc_valence", PEARSON)
    assert correlation.value is None
    assert correlation.unknown is not None
    assert "do not vary" in correlation.unknown


def test_answers_that_ignore_the_clip_agree_with_nothing() -> None:
    found = _figures(_rows(lambda _, noise: 0.5 + 0.2 * noise))
    low, value, high = _ends(figure(found, "ccc_valence"))
    assert abs(value) < 0.1
    assert low < 0 < high


@pytest.mark.parametrize(
    ("answer", "share", "said"),
    [
        (lambda truth, noise: truth + 0.01 * noise, 1.0, "passes: CCC at least 0.5"),
        (lambda truth, _: truth + 0.3, 2 / 3, "failed: mean absolute error at most 0.1"),
        (lambda _, noise: noise, 0.0, "failed: CCC at least 0.5; Pearson"),
    ],
)  # fmt: skip
def test_stress_tests(answer: Answer, share: float, said: str) -> None:
    tests = figure(_figures(_rows(answer)), "ccc_valence", TESTS)
    assert tests.value == pytest.approx(share)
    assert tests.notes[1].startswith(said)


def test_a_gender_served_worse_is_found_and_one_served_alike_is_not() -> None:
    rows = _rows(_able, speakers=24)
    alike = figure(_figures(rows), "ccc_gender_gap")
    assert alike.low == 0
    assert any("fair model" in note for note in alike.notes)
    unfair = [
        replace(row, predicted=0.5 + row.predicted / 9) if row.gender == "female" else row
        for row in rows
    ]
    genders = {g: [r for r in unfair if r.gender == g] for g in ("female", "male")}
    both = {g: audmetric.concordance_cc(*_values(own)) for g, own in genders.items()}
    found = _figures(unfair)
    gap = figure(found, "ccc_gender_gap")
    assert gap.value == pytest.approx(abs(both["female"] - both["male"]))
    low, value, _ = _ends(gap)
    assert low > 0
    assert gap.baseline is not None
    assert gap.baseline < value
    assert gap.notes[0] == f"female {both['female']:.3g}, male {both['male']:.3g}"
    assert "fails the stress test: at most 0.075" in gap.notes
    errors = {g: _mean_error(*_values(own)) for g, own in genders.items()}
    own = figure(found, "ccc_gender_gap", f"{ERROR}, valence")
    assert own.value == pytest.approx(abs(errors["female"] - errors["male"]))


def test_who_predicts_nothing_is_not_praised_for_being_fair() -> None:
    found = _figures(_rows(lambda _, noise: noise))
    assert "there is little to differ in" in figure(found, "ccc_gender_gap").flags[0]
    assert not figure(_figures(_rows(_able)), "ccc_gender_gap").flags


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda row: [replace(row, gender=None)], "no gender labels"),
        (lambda row: [row] if row.gender == "male" else [], "only male speakers"),
        (
            lambda row: [row] if row.gender == "male" or row.utterance in ("0-0", "2-1") else [],
            "2 female test clips rated on valence, 10 needed",
        ),
    ],
)
def test_genders_that_cannot_be_compared_are_unknown(
    change: Callable[[DimensionalPrediction], list[DimensionalPrediction]], why: str
) -> None:
    rows = [changed for row in _rows(_able) for changed in change(row)]
    gap = figure(_figures(rows), "ccc_gender_gap")
    assert gap.value is None
    assert gap.unknown is not None
    assert why in gap.unknown


def test_without_ratings_all_is_unknown_never_zero() -> None:
    found = _figures([])
    assert {m.criterion for m in found} == set(DIMENSIONAL_CRITERIA)
    assert all(m.value is None and "rated on" in str(m.unknown) for m in found)


def test_what_makes_a_figure_doubtful_is_said() -> None:
    rows = [row for row in _rows(_able, speakers=6) if row.fold != 2]
    flags = figure(_figures(rows), "ccc_valence").flags
    assert flags == (
        "only 4 speakers: the interval may be too narrow", "fold 2 has too few rated clips",
    )  # fmt: skip
    assert "trained once" in figure(_figures(rows), "ccc_valence").notes[0]
    rows = _rows(_able, repetitions=2)
    twice = _figures(rows)
    assert not figure(twice, "ccc_valence").notes
    each = [
        _by_fold([row for row in rows if row.repetition == r], audmetric.concordance_cc)
        for r in (0, 1)
    ]
    deviation = figure(twice, "ccc_valence", "deviation over repetitions")
    assert deviation.value == pytest.approx(np.std(each, ddof=1))
    assert figure(twice, "ccc_valence").value == pytest.approx(np.mean(each))


def test_the_interval_narrows_with_speakers() -> None:
    widths = []
    for speakers in (9, 60):
        low, _, high = _ends(figure(_figures(_rows(_able, speakers=speakers)), "ccc_valence"))
        widths.append(high - low)
    assert 0 < widths[1] < widths[0]


def test_the_criteria_weigh_concordance_on_one_scale() -> None:
    for name in ("ccc_mean", *(f"ccc_{dimension}" for dimension in DIMENSIONS)):
        assert CRITERIA[name].scale.score(0.0) == 0
        assert CRITERIA[name].scale.score(0.75) == 1
    assert CRITERIA["ccc_gender_gap"].direction == "minimise"
