"""Figures against independent libraries, intervals against closed forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import audmetric
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from profiler.measures import statistics
from profiler.measures.statistics import (
    Estimate,
    Floats,
    accuracy,
    area_under_roc,
    bootstrap,
    confusion_by_group,
    equal_error_rate,
    jackknife,
    macro_f1,
    mean_of_defined,
    permuted_genders,
    recalls,
    unweighted_average_recall,
    widened_downwards,
)

labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def _confusion(pairs: list[tuple[int, int]]) -> np.ndarray:
    truth, predicted = (np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True))
    group = np.zeros_like(truth)
    counts = confusion_by_group(truth, predicted, group, classes=4, groups=1)
    return counts.reshape(4, 4)


@given(labels)
@settings(max_examples=200, deadline=None)
def test_scores_equal_scikit_learn_and_audmetric(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = map(list, zip(*pairs, strict=True))
    present = sorted(set(truth))
    confusion = _confusion(pairs)
    assert accuracy(confusion) == pytest.approx(metrics.accuracy_score(truth, predicted))
    expected = metrics.recall_score(truth, predicted, labels=present, average="macro")
    assert unweighted_average_recall(confusion) == pytest.approx(expected)
    f1 = metrics.f1_score(truth, predicted, labels=present, average="macro", zero_division=0)
    assert macro_f1(confusion) == pytest.approx(f1)
    if len(present) == 4:
        own = audmetric.unweighted_average_recall(truth, predicted, labels=present)
        assert unweighted_average_recall(confusion) == pytest.approx(own)


def test_recall_of_an_absent_class_is_undefined_not_zero() -> None:
    values = recalls(_confusion([(0, 0), (1, 2)]))
    assert values[:2].tolist() == [1.0, 0.0]
    assert np.isnan(values[2:]).all()
    assert np.isnan(mean_of_defined(np.full((2, 3), np.nan))).all()


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40).filter(
        lambda rows: len({positive for _, positive in rows}) == 2
    )
)
@settings(max_examples=200, deadline=None)
def test_roc_area_equals_scikit_learn_with_ties(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in rows], dtype=float)
    positive = np.array([side for _, side in rows])
    weights = np.ones((1, len(rows)))
    expected = metrics.roc_auc_score(positive, scores)
    assert area_under_roc(scores, positive, weights)[0] == pytest.approx(expected)


@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.booleans(), st.integers(0, 3)), min_size=2, max_size=25
    )
)
@settings(max_examples=150, deadline=None)
def test_weights_count_like_repeated_clips(rows: list[tuple[int, bool, int]]) -> None:
    scores = np.array([row[0] for row in rows], dtype=float)
    side = np.array([row[1] for row in rows])
    times = np.array([row[2] for row in rows])
    for figure in (area_under_roc, equal_error_rate):
        weighted = figure(scores, side, times[None].astype(float))
        if times[side].sum() == 0 or times[~side].sum() == 0:
            assert np.isnan(weighted[0])
            continue
        repeated = figure(
            np.repeat(scores, times), np.repeat(side, times), np.ones((1, times.sum()))
        )
        assert weighted[0] == pytest.approx(repeated[0])


@pytest.mark.parametrize("figure", [area_under_roc, equal_error_rate])
def test_many_resamples_go_by_in_pieces(
    figure: Callable[..., Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the pieces, each resample has the figure it has alone; owners spread weights."""
    rng = np.random.default_rng(0)
    scores, side = rng.integers(0, 30, 200).astype(float), rng.random(200) < 0.3
    owner, weights = rng.integers(0, 7, 200), rng.integers(0, 3, (50, 7)).astype(float)
    at_once = figure(scores, side, weights, owner)
    alone = [figure(scores, side, row[None][:, owner])[0] for row in weights]
    monkeypatch.setattr(statistics, "PIECE", 1000)
    assert np.array_equal(figure(scores, side, weights, owner), at_once)
    assert at_once == pytest.approx(alone)


def test_equal_error_rate_of_two_normals_is_the_closed_form() -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(2.0, 1.0, 200_000), rng.normal(0.0, 1.0, 200_000)])
    same = np.arange(400_000) < 200_000
    # Both errors are Phi(-1) at the threshold 1.
    assert equal_error_rate(scores, same, np.ones((1, 400_000)))[0] == pytest.approx(
        0.158655, abs=2e-3
    )


@pytest.mark.parametrize(("own", "other", "rate"), [((2, 3), (0, 1), 0.0), ((0, 1), (2, 3), 1.0)])
def test_equal_error_rate_at_its_ends(
    own: tuple[int, int], other: tuple[int, int], rate: float
) -> None:
    scores = np.array([*own, *other], dtype=float)
    same = np.array([True, True, False, False])
    assert equal_error_rate(scores, same, np.ones((1, 4)))[0] == rate


def _share(values: Floats) -> Callable[[Floats], Floats]:
    return lambda weights: weights @ values / weights.sum(axis=1)


def _jackknife(values: Floats, strata: Sequence[str]) -> Estimate:
    return jackknife(_share(values), strata, trained=False)


def test_intervals_have_the_width_of_the_standard_error_where_speakers_are_many() -> None:
    means = np.random.default_rng(1).normal(0.6, 0.1, 400)
    drawn = bootstrap(_share(means), ["all"] * 400, resamples=4000, trained=False)
    for estimate in (drawn, _jackknife(means, ["all"] * 400)):
        assert estimate.low is not None
        assert estimate.high is not None
        error = means.std() / np.sqrt(400)
        assert estimate.value == pytest.approx(means.mean())
        assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * error, rel=0.06)


@pytest.mark.parametrize("speakers", [10, 24, 137])
def test_at_the_bounds_the_interval_is_clopper_and_pearsons_of_as_many_clips_as_speakers(
    speakers: int,
) -> None:
    none = _jackknife(np.zeros(speakers), ["all"] * speakers)
    exact = stats.binomtest(0, speakers).proportion_ci(method="exact")
    assert (none.low, none.high) == pytest.approx((0, exact.high))
    every = _jackknife(np.ones(speakers), ["all"] * speakers)
    assert (every.low, every.high) == pytest.approx((1 - exact.high, 1))


def test_an_all_or_nothing_share_has_clopper_and_pearsons_interval() -> None:
    values = np.repeat([0.0, 1.0], [2000, 3000])
    found = _jackknife(values, ["all"] * 5000)
    exact = stats.binomtest(3000, 5000).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-3)


def test_a_bound_reached_by_bootstrap_gives_no_interval_of_zero_width() -> None:
    found = bootstrap(_share(np.ones(24)), ["f", "m"] * 12, resamples=200)
    assert found.high == 1
    assert found.low == pytest.approx(0.025 ** (1 / 24))


def test_repetitions_add_their_variance_divided_by_their_number() -> None:
    """With speakers all alike, the interval is Student's of the repetitions but for its scale."""
    values = np.array([0.55, 0.60, 0.65])
    found = jackknife(lambda weights: np.tile(values, (len(weights), 1)), ["f", "m"] * 50)
    low, high = stats.t.interval(0.95, 2, values.mean(), values.std(ddof=1) / np.sqrt(3))
    assert found.value == pytest.approx(0.6)
    assert found.low == pytest.approx(low, abs=0.03)
    assert found.high == pytest.approx(high, abs=0.03)


def test_training_on_shared_speakers_widens_less_the_more_they_are() -> None:
    for speakers, widening in ((8, np.sqrt(2)), (800, np.sqrt(1.01))):
        values = np.random.default_rng(2).normal(0.5, 0.02, speakers)
        plain, wide = (
            jackknife(_share(values), ["all"] * speakers, trained=trained)
            for trained in (False, True)
        )
        assert plain.low is not None
        assert plain.high is not None
        assert wide.low is not None
        assert wide.high is not None
        ratio = (wide.high - wide.low) / (plain.high - plain.low)
        assert ratio == pytest.approx(widening, rel=0.03)


def test_groups_of_many_speakers_left_out_together_give_nearly_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(3).normal(0.5, 0.1, 3000)
    strata = ["f"] * 1000 + ["m"] * 2000
    one_by_one = _jackknife(values, strata)
    monkeypatch.setattr(statistics, "MOST_LEFT_OUT", 300)
    together = _jackknife(values, strata)
    assert (together.low, together.high) == pytest.approx(
        (one_by_one.low, one_by_one.high), abs=1e-3
    )


@pytest.mark.parametrize("speakers", [10, 24])
@pytest.mark.parametrize("mean", [0.6, 0.95])
def test_intervals_hold_the_truth_as_often_as_they_say(speakers: int, mean: float) -> None:
    """Speakers' accuracies are beta distributed, their clips are drawn from them."""
    rng = np.random.default_rng(speakers)
    held = 0
    for _ in range(400):
        shares = rng.binomial(36, rng.beta(8 * mean, 8 * (1 - mean), speakers)) / 36
        found = _jackknife(shares, ["f", "m"] * (speakers // 2))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= mean <= found.high
    # 380 are expected, and near 1, where few speakers make all of the variance, some fewer; five
    # standard errors of 0.95 are 22.
    assert held >= (358 if mean == 0.6 else 340)


def test_bootstrap_keeps_every_stratum_and_is_deterministic() -> None:
    seen: list[np.ndarray] = []

    def statistic(weights: np.ndarray) -> np.ndarray:
        seen.append(weights)
        return weights[:, 0]

    strata = ["f"] * 3 + ["m"] * 5
    first = bootstrap(statistic, strata, resamples=500)
    second = bootstrap(statistic, strata, resamples=500)
    assert first == second
    assert (seen[1][:, :3].sum(axis=1) == 3).all()
    assert (seen[1][:, 3:].sum(axis=1) == 5).all()


def test_bootstrap_gives_no_interval_where_there_can_be_none() -> None:
    ones = lambda weights: weights.mean(axis=1)  # noqa: E731
    lone = bootstrap(ones, ["f", "m", "m"], resamples=100)
    assert (lone.value, lone.low, lone.high) == (1.0, None, None)
    undefined = bootstrap(lambda w: np.full(len(w), np.nan), ["f"] * 4, resamples=100)
    assert undefined.value is None
    often = bootstrap(lambda w: np.where(w[:, 0] > 0, 1.0, np.nan), ["f"] * 4, resamples=1000)
    assert (often.value, often.low) == (1.0, None)


def test_permutations_keep_the_number_of_each_gender() -> None:
    drawn = permuted_genders(["m", "f", "f", "m", "m"], permutations=300)
    assert drawn.shape == (300, 5)
    assert (drawn.sum(axis=1) == 2).all()
    assert len({tuple(row) for row in drawn.tolist()}) == 10


def test_an_interval_that_noise_raised_is_mirrored_at_the_value() -> None:
    above = widened_downwards(Estimate(0.03, 0.032, 0.08))
    assert (above.low, above.high) == (0.0, 0.08)
    assert widened_downwards(Estimate(0.5, 0.4, 0.55)).low == 0.4
    assert widened_downwards(Estimate(0.5, 0.48, 0.55)).low == pytest.approx(0.45)
    assert widened_downwards(Estimate(0.5, None, None)).low is None


def test_two_people_meet_as_often_as_the_product_of_how_often_each_was_drawn() -> None:
    """Weights on both sides equal trials written out so many times."""
    rng = np.random.default_rng(0)
    owner, claimed = rng.integers(0, 6, 200), rng.integers(0, 6, 200)
    same = owner == claimed
    scores = rng.normal(same.astype(float), 1.0)
    weights = rng.multinomial(6, np.full(6, 1 / 6), size=20).astype(float)
    found = equal_error_rate(scores, same, weights, owner, claimed)
    for drawn, rate in zip(weights, found, strict=True):
        often = np.where(same, drawn[owner], drawn[owner] * drawn[claimed]).astype(int)
        written = np.repeat(scores, often), np.repeat(same, often)
        alone = equal_error_rate(*written, np.ones((1, len(written[0]))))[0]
        assert rate == pytest.approx(alone, abs=1e-12)
