"""Quantiles and their distribution-free intervals, against scipy and against the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from profiler.measures.costs.quantiles import Quantile, quantile

LEVELS = (0.5, 0.95)


@pytest.mark.parametrize("level", LEVELS)
@given(values=st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=60))
def test_the_value_is_numpys_inverted_distribution(level: float, values: list[float]) -> None:
    assert quantile(values, level).value == np.quantile(values, level, method="inverted_cdf")


@pytest.mark.parametrize("n", [1, 5, 6, 20, 73, 100, 200])
@pytest.mark.parametrize("level", LEVELS)
def test_the_ends_equal_scipys(n: int, level: float) -> None:
    values = np.arange(1.0, n + 1)
    ours = quantile(list(values), level)
    test = stats.quantile_test(values, p=level, q=0.0)
    low, high = test.confidence_interval(confidence_level=0.95)

    assert (ours.low, ours.high) == tuple(None if np.isnan(end) else end for end in (low, high))


@pytest.mark.parametrize("level", LEVELS)
def test_the_interval_holds_the_true_quantile_as_often_as_it_says(level: float) -> None:
    generator = np.random.default_rng(0)
    samples = generator.exponential(size=(1_000, 100))
    truth = -np.log(1 - level)
    found = [quantile(list(sample), level) for sample in samples]
    held = [q.low <= truth <= (np.inf if q.high is None else q.high) for q in found if q.low]

    assert 0.94 <= np.mean(held) <= 0.99


def test_another_unit_scales_value_and_ends() -> None:
    assert Quantile(3.0, 1.5, None).divided_by(6.0) == Quantile(0.5, 0.25, None)
