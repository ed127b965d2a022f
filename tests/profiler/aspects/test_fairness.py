"""Fairness against fairlearn, each class against the rest, and against holisticai."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Final, Literal

import numpy as np
import pytest
from fairlearn.metrics import (
    demographic_parity_difference,
    equalized_odds_difference,
    true_positive_rate_difference,
)
from scipy import stats
from sklearn import metrics

from profiler.measures import fairness as fairness_measure
from profiler.measures.fairness import (
    BETWEEN_GENDERS,
    PER_FOLD,
    Comparison,
    beyond,
    compare,
    conditional_total_variation,
    equal_opportunity,
    equalized_odds,
    fairness,
    true_positive_share,
)
from profiler.measures.fairness_power import (
    STATED_GAP,
    WANTED,
    Power,
    found_in,
    rules_out_fair,
    with_recall_gap,
)
from profiler.measures.statistics import Floats, permuted_genders
from profiler.measures.tables import Table
from profiles_db.measurement import Measurement
from profiles_db.records import Prediction
from tests.profiler.aspects.rows import (
    CLASSES,
    emotion_rows,
    figure,
    gender_of,
    measure,
    prediction,
)
from tests.reference.make_fairness_reference import FILE

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
    assert of_biased.baseline is not None
    assert of_biased.value is not None
    assert of_biased.baseline < of_biased.value
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
    for name in BETWEEN_GENDERS:
        measurement = figure(found, name)
        assert measurement.value is None
        assert measurement.unknown is not None
        assert reason in measurement.unknown


def test_a_corpus_without_gender_is_unknown_never_zero() -> None:
    rows = [prediction(r.utterance, r.speaker, None, r.label, r.probabilities) for r in ROWS]
    found = fairness(Table(rows, CLASSES), measure, resamples=100)
    assert all(figure(found, name).unknown for name in BETWEEN_GENDERS)
    assert figure(found, "speaker_worst_decile").value is not None


def _served(accuracies: Floats, clips: int, rng: np.random.Generator) -> Table:
    """Answers of speakers of these true accuracies."""
    rows = []
    for speaker, accuracy in enumerate(accuracies):
        gender = gender_of(speaker)
        for clip in range(clips):
            answer = clip % 4 if rng.random() < accuracy else (clip + 1) % 4
            rows.append(
                prediction(
                    f"{speaker}-{clip}",
                    str(speaker),
                    gender,
                    CLASSES[clip % 4],
                    tuple(np.eye(4)[answer]),
                )
            )
    return Table(rows, CLASSES)


def _worst_decile(table: Table) -> Measurement:
    """Alone: the genders are compared with simulations, which say nothing of it."""
    return fairness_measure._worst_decile(table, measure)


def test_worst_decile_is_that_of_the_true_accuracies_not_of_noisy_ones() -> None:
    rng = np.random.default_rng(0)
    accuracies = rng.beta(6, 4, 400)
    found = _worst_decile(_served(accuracies, 20, rng))
    true = np.sort(stats.beta(6, 4).ppf((np.arange(4000) + 0.5) / 4000))[:400].mean()
    assert found.value == pytest.approx(true, abs=0.03)
    assert found.baseline == pytest.approx(0.6, abs=0.03)
    noisy = np.sort(rng.binomial(20, accuracies) / 20)[:40].mean()
    assert noisy < true - 0.03


def test_speakers_served_alike_have_no_worst_decile_below_the_mean() -> None:
    found = _worst_decile(_served(np.full(400, 0.6), 20, np.random.default_rng(1)))
    assert found.baseline is not None
    assert found.high is not None
    assert found.value == pytest.approx(0.6, abs=0.1)
    assert found.high >= found.baseline


@pytest.mark.parametrize("alike", [False, True])
def test_the_interval_of_the_worst_decile_holds_the_true_one(alike: bool) -> None:
    rng = np.random.default_rng(3)
    truth = 0.6 if alike else stats.beta(6, 4).expect(ub=stats.beta(6, 4).ppf(0.1)) / 0.1
    held = 0
    for _ in range(60):
        accuracies = np.full(24, 0.6) if alike else rng.beta(6, 4, 24)
        found = _worst_decile(_served(accuracies, 36, rng))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert held >= 51  # 0.95 of 60 is 57; fewer than 51 would be a chance of 1 in 150


def test_one_clip_per_speaker_and_class_leaves_the_worst_decile_unknown() -> None:
    found = _worst_decile(_served(np.full(24, 0.6), 4, np.random.default_rng(0)))
    assert (found.value, found.unknown) == (None, "no speaker has two clips of a class")


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


REFERENCE = json.loads(FILE.read_text(encoding="utf-8"))
REFERENCE_NAMES = {
    "conditional_total_variation": "multiclass_equality_of_opp",
    "parity_total_variation": "multiclass_statistical_parity",
}


def _reference_rows() -> list[Prediction]:
    """The stored answers."""
    rows = []
    for number, answer in enumerate(REFERENCE["answers"]):
        fold, speaker, gender, true, predicted = answer.split(",")
        certain = tuple(np.eye(4)[CLASSES.index(predicted)])
        rows.append(prediction(str(number), speaker, gender, true, certain, fold=int(fold)))
    return rows


@pytest.mark.parametrize("name", REFERENCE_NAMES)
def test_total_variation_equals_holisticai_on_stored_answers(name: str) -> None:
    values, theirs = REFERENCE["values"], REFERENCE_NAMES[name]
    table = Table(_reference_rows(), CLASSES)
    found = fairness(table, measure, resamples=100)
    by_fold = [fold[theirs] for fold in values["folds"]]
    assert figure(found, name).value == pytest.approx(np.mean(by_fold), abs=1e-12)
    together = figure(found, name, "all folds together").value
    assert together == pytest.approx(values["all folds together"][theirs], abs=1e-12)
    for fold, value in enumerate(by_fold, start=1):
        women, men = _counts_by_gender(table.of_fold(fold))
        assert float(PER_FOLD[name](women, men)) == pytest.approx(value, abs=1e-12)


def test_the_share_of_true_positives_is_what_the_papers_code_computes() -> None:
    """Counted clip by clip, on each fold, as that code does."""
    rows = _reference_rows()

    def counted(some: list[Prediction]) -> float:
        shares = {
            gender: [
                sum(r.gender == gender and r.label == name == r.predicted for r in some)
                / sum(r.gender == gender for r in some)
                for name in CLASSES
            ]
            for gender in ("female", "male")
        }
        return max(abs(a - b) for a, b in zip(shares["female"], shares["male"], strict=True))

    by_fold = [counted([r for r in rows if r.fold == fold]) for fold in range(1, 6)]
    found = fairness(Table(rows, CLASSES), measure, resamples=100)
    name = "true_positive_share_difference"
    assert figure(found, name).value == pytest.approx(np.mean(by_fold), abs=1e-12)
    together = figure(found, name, "all folds together").value
    assert together == pytest.approx(counted(rows), abs=1e-12)


def test_a_perfect_model_differs_in_true_positives_where_the_genders_classes_do() -> None:
    """Six of ten clips of one class against three of ten; the answers are all right."""
    women, men = np.diag([6.0, 4.0]), np.diag([30.0, 70.0])
    assert float(true_positive_share(women, men)) == pytest.approx(0.3)
    assert float(conditional_total_variation(women, men)) == 0.0
    assert np.isnan(true_positive_share(women, np.zeros((2, 2))))


def test_what_the_paper_prints_is_no_recall_gap() -> None:
    women, men = _counts_by_gender(Table(_reference_rows(), CLASSES))
    assert float(conditional_total_variation(women, men)) == pytest.approx(0.1458, abs=1e-4)
    assert float(equal_opportunity(women, men)) == pytest.approx(0.2292, abs=1e-4)


def _counts_by_gender(table: Table) -> tuple[Floats, Floats]:
    women = np.array([stratum == "female" for stratum in table.strata])
    counts = table.pooled[0]
    return counts[women].sum(axis=0), counts[~women].sum(axis=0)


def test_the_baseline_of_a_mean_over_folds_is_that_of_genders_permuted_within_each_fold() -> None:
    """All permutations of a small corpus, enumerated by hand, against the permutations drawn."""
    rows = [
        dataclasses.replace(row, fold=1 + int(row.speaker) // 4)
        for row in emotion_rows(speakers=8, clips=24, skill=0.3)
    ]
    table = Table(rows, CLASSES)
    found = figure(fairness(table, measure, resamples=4000), "conditional_total_variation")
    every = []
    pairs = [(a, b) for a in range(4) for b in range(a)]
    for cell in range(2):
        counts = table.confusions[cell]
        fold = []
        for pair in pairs:
            women = np.isin(np.arange(8), [4 * cell + member for member in pair])
            groups = counts[women].sum(axis=0), counts[~women].sum(axis=0)
            shares = [group / group.sum(axis=1, keepdims=True) for group in groups]
            fold.append(np.abs(shares[0] - shares[1]).sum() / 2 / 4)
        every.append(np.mean(fold))
    assert found.baseline == pytest.approx(np.mean(every), abs=0.003)


def test_a_fold_without_a_class_of_one_gender_is_named_and_the_rest_is_kept() -> None:
    table = Table(
        [r for r in _reference_rows() if (r.fold, r.gender, r.label) != (3, "male", "sad")], CLASSES
    )
    found = fairness(table, measure, resamples=100)
    unknown = figure(found, "conditional_total_variation")
    assert unknown.unknown == "fold 3 lacks a class for one gender"
    assert figure(found, "conditional_total_variation", "all folds together").value is not None
    assert figure(found, "parity_total_variation").value is not None


def test_the_excess_is_the_difference_less_its_baseline_and_never_below_zero() -> None:
    for rows in (ROWS, _reference_rows()):
        found = fairness(Table(rows, CLASSES), measure, resamples=300)
        odds = figure(found, "equalized_odds_difference")
        excess = figure(found, "excess_equalized_odds_difference")
        assert odds.value is not None
        assert odds.baseline is not None
        assert excess.value == pytest.approx(max(0.0, odds.value - odds.baseline))
        assert excess.high == odds.high
        assert excess.value is not None
        assert excess.low is not None
        assert 0 <= excess.low <= excess.value
        fair = any("fair model" in note for note in odds.notes)
        assert fair == any("shows little" in note for note in excess.notes)
        assert excess.flags == ()
        if fair:
            assert excess.low == 0
        assert 0 < (excess.baseline or 0) < 0.05


def test_little_power_is_said_and_much_is_not() -> None:
    """A fair model heard on 12 speakers of 16 clips, and on 120 of 80."""
    few = fairness(Table(emotion_rows(speakers=12, clips=16), CLASSES), measure, resamples=100)
    (said,) = figure(few, "excess_equalized_odds_difference").notes
    detectable = figure(few, "detectable_recall_gap").value
    assert detectable is not None
    assert f"one of {100 * detectable:.0f} points in 80 %" in said
    rows = emotion_rows(speakers=120, clips=80)
    many = fairness(Table(rows, CLASSES), measure, resamples=100)
    assert figure(many, "excess_equalized_odds_difference").notes == ()
    smallest = figure(many, "detectable_recall_gap").value
    assert smallest is not None
    assert smallest < STATED_GAP < 0.25 < detectable


SPEAKERS: Final = 24
GENDERS: Final = ["male" if speaker % 2 else "female" for speaker in range(SPEAKERS)]
Where = Literal["one class", "every class"]


def _simulated(gap: float, where: Where, rng: np.random.Generator) -> Floats:
    """Counts of 24 speakers, 4 classes of 9 clips; recall differs by `gap` on average.

    Shape (1, speakers, classes, classes).
    """
    counts = np.zeros((1, SPEAKERS, 4, 4))
    for speaker, gender in enumerate(GENDERS):
        for true in range(4):
            differs = true == 0 or where == "every class"
            shift = gap / 2 * (1 if gender == "female" else -1) * differs
            recall = float(np.clip(0.55 + shift + 0.08 * rng.standard_normal(), 0.02, 0.98))
            shares = np.full(4, (1 - recall) / 3)
            shares[true] = recall
            counts[0, speaker, true] = rng.multinomial(9, shares)
    return counts


def _odds(counts: Floats, *, permutations: int, seed: int = 0) -> Comparison:
    permuted = permuted_genders(GENDERS, permutations=permutations, seed=seed)
    return compare(counts, GENDERS, equalized_odds, permuted)


@pytest.mark.parametrize("gap", [0.0, 0.1, 0.3])
def test_the_interval_holds_the_true_difference_about_as_often_as_it_says(gap: float) -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(50):
        found = _odds(_simulated(gap, "one class", rng), permutations=100)
        estimate = found.estimate
        assert estimate.low is not None
        assert estimate.value is not None
        assert estimate.high is not None
        assert estimate.low <= estimate.value <= estimate.high
        held += (estimate.low if found.found else 0.0) <= gap <= estimate.high
    assert held >= 42  # 0.95 of 50 is 47.5; fewer than 42 would be a chance of 1 in 500


@pytest.mark.parametrize("gap", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("where", ["one class", "every class"])
def test_the_interval_beyond_chance_holds_the_true_difference(gap: float, where: Where) -> None:
    """Also for a gap in every class, of which the largest found lies above the truth."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(60):
        found = _odds(_simulated(gap, where, rng), permutations=100)
        assert found.baseline is not None
        estimate = beyond(found.baseline, found)
        assert estimate.low is not None
        assert estimate.high is not None
        held += estimate.low <= gap <= estimate.high
    assert held >= 52  # 0.95 of 60 is 57; fewer than 52 would be a chance of 1 in 100


def test_a_fair_model_is_found_unfair_in_one_case_of_twenty_at_most() -> None:
    rng = np.random.default_rng(11)
    found = [
        _odds(_simulated(0.0, "one class", rng), permutations=100, seed=n).found for n in range(200)
    ]
    assert sum(found) <= 19  # 10 expected; 20 or more would be a chance of 1 in 300


@pytest.mark.parametrize("gap", [0.1, 0.2, 0.3])
def test_the_power_stated_is_the_share_of_new_corpora_in_which_the_gap_is_found(
    gap: float,
) -> None:
    """Stated from corpora without the gap; found in 150 others, made with it."""
    rng = np.random.default_rng(5)
    stated = [
        found_in(_simulated(0.0, "one class", rng), GENDERS, equalized_odds, gap=gap, draws=100)
        for _ in range(12)
    ]
    found = [
        _odds(_simulated(gap, "one class", rng), permutations=100, seed=n).found for n in range(150)
    ]
    share = float(np.mean(found))
    error = np.hypot(np.sqrt(share * (1 - share) / 150), np.std(stated) / np.sqrt(12))
    assert abs(np.mean(stated) - share) < 3 * error + 0.02


def test_a_world_with_a_gap_keeps_every_clip_and_has_that_gap_on_average() -> None:
    rng = np.random.default_rng(1)
    counts = _simulated(0.0, "one class", rng).astype(np.int64)
    first = np.array([gender == "female" for gender in GENDERS])
    labels = np.tile(np.arange(4), 250)
    for gap in (0.1, 0.4, 1.0):
        permuted = permuted_genders(GENDERS, permutations=500)
        # With their complements the permutations themselves favour nobody.
        permuted = np.concatenate([permuted, ~permuted])
        worlds = with_recall_gap(counts, permuted, labels, gap, rng)
        assert worlds.min() >= 0
        assert (worlds.sum(axis=-1) == counts.sum(axis=-1)).all()
        for label in range(4):
            of_label = [n for n in range(len(labels)) if labels[n] == label]
            recalls = worlds[of_label][:, 0, :, label, label] / 9
            groups = permuted[of_label]
            higher = recalls[groups].mean() - recalls[~groups].mean()
            assert higher == pytest.approx(gap, abs=0.01)
            others = [c for c in range(4) if c != label]
            assert (worlds[of_label][:, :, :, others] == counts[:, :, others]).all()
    none = with_recall_gap(counts, first[None], np.array([2]), 0.0, rng)
    assert (none == counts).all()


def test_an_exact_permutation_test() -> None:
    """Of 20 permutations the one at hand scores highest: 1 / 20 is just enough; a tie is not."""
    fair = np.arange(19.0)
    assert rules_out_fair(np.array(19.0), fair)
    assert not rules_out_fair(np.array(18.0 - 1e-15), fair)
    assert not rules_out_fair(np.array(5.0), np.array([]))
    assert not rules_out_fair(np.array(19.0), np.append(fair[1:], np.nan))


def test_the_detectable_gap_lies_where_power_reaches_what_is_wanted() -> None:
    assert Power({0.05: 0.3, 0.1: 0.6, 0.15: 0.9}).detectable == pytest.approx(
        0.1 + 0.05 * (WANTED - 0.6) / 0.3
    )
    assert Power({0.05: 0.9, 0.1: 1.0}).detectable == pytest.approx(0.05 * WANTED / 0.9)
    assert not Power({0.05: 0.9, 0.1: 1.0}).low
    unfound = Power({0.05: 0.0, 0.1: 0.1, 1.0: 0.7})
    assert unfound.detectable is None
    assert unfound.low
