"""The methods against published worked examples and against pymcdm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pymcdm.methods import PROMETHEE_II, TOPSIS, VIKOR, WPM, WSM

from advisor.ranking.methods import METHODS
from advisor.ranking.scoring import (
    PRODUCT_FLOOR,
    criterion_flows,
    floored_product,
    promethee_ii,
    topsis,
    topsis_relative,
    vikor,
    weighted_product,
    weighted_sum,
)

pytestmark = pytest.mark.filterwarnings("ignore:Alternatives with indices")

Array = NDArray[np.float64]

# Triantaphyllou (2000), Multi-Criteria Decision Making Methods: A Comparative Study, chapter 2.
TRIANTAPHYLLOU = np.array(
    [[25.0, 20.0, 15.0, 30.0], [10.0, 30.0, 20.0, 30.0], [30.0, 10.0, 30.0, 10.0]]
)
TRIANTAPHYLLOU_WEIGHTS = np.array([0.20, 0.15, 0.40, 0.25])

# Hwang and Yoon (1981), Multiple Attribute Decision Making, the choice of a fighter aircraft.
FIGHTERS = np.array(
    [
        [2.0, 1500, 20000, 5.5, 5, 9],
        [2.5, 2700, 18000, 6.5, 3, 5],
        [1.8, 2000, 21000, 4.5, 7, 7],
        [2.2, 1800, 20000, 5.0, 5, 5],
    ]
)
FIGHTER_WEIGHTS = np.array([0.2, 0.1, 0.1, 0.1, 0.2, 0.3])
FIGHTER_SIGNS = np.array([1, 1, 1, -1, 1, 1])


def _as_given(column: Array, cost: bool = False) -> Array:
    """pymcdm's normalisation switched off: our scores are on their scales already."""
    return column


def _tables(rows: int = 6, columns: int = 4) -> st.SearchStrategy[Array]:
    unit = st.floats(0.0, 1.0, allow_subnormal=False).map(lambda x: round(x, 4))
    return arrays(np.float64, (rows, columns), elements=unit)


def _weights(columns: int = 4) -> st.SearchStrategy[Array]:
    raw = arrays(np.float64, columns, elements=st.floats(0.01, 9.0))
    return raw.map(lambda weights: weights / weights.sum())


def test_weighted_sum_of_a_worked_example() -> None:
    """Triantaphyllou (2000): 21.5, 22 and 22."""
    result = weighted_sum(TRIANTAPHYLLOU, TRIANTAPHYLLOU_WEIGHTS)
    np.testing.assert_allclose(result, [21.5, 22.0, 22.0])


def test_weighted_product_of_a_worked_example() -> None:
    """Triantaphyllou (2000) prints the ratios 1.007, 1.067 and 1.059."""
    first, second, third = weighted_product(TRIANTAPHYLLOU, TRIANTAPHYLLOU_WEIGHTS)
    ratios = [first / second, first / third, second / third]
    np.testing.assert_allclose(ratios, [1.007, 1.067, 1.059], atol=5e-4)


def test_topsis_of_a_worked_example() -> None:
    """Hwang and Yoon (1981) print 0.643, 0.268, 0.613 and 0.312."""
    scores = FIGHTER_SIGNS * FIGHTERS / np.linalg.norm(FIGHTERS, axis=0)
    result = topsis(scores, FIGHTER_WEIGHTS, scores.max(axis=0), scores.min(axis=0))
    np.testing.assert_allclose(result, [0.643, 0.268, 0.613, 0.312], atol=1.5e-3)


def test_promethee_ii_of_a_worked_example() -> None:
    """The example of pymcdm's documentation (usual criterion): 0.1, -0.3, 0.2."""
    table = np.array([[4.0, 3.0, 2.0], [3.0, 2.0, 4.0], [5.0, 1.0, 3.0]])
    result = promethee_ii(table, np.array([0.5, 0.3, 0.2]))
    np.testing.assert_allclose(result, [0.1, -0.3, 0.2], atol=1e-12)


@given(_tables(), _weights())
def test_weighted_sum_and_product_agree_with_pymcdm(table: Array, weights: Array) -> None:
    ones = np.ones(table.shape[1])
    expected_sum = WSM(_as_given)(table, weights, ones)
    np.testing.assert_allclose(weighted_sum(table, weights), expected_sum, atol=1e-12)
    floored = np.maximum(table, PRODUCT_FLOOR)
    expected_product = WPM(_as_given)(floored, weights, ones)
    np.testing.assert_allclose(floored_product(table, weights), expected_product)


@given(_tables(), _weights())
def test_topsis_agrees_with_pymcdm_given_the_ends_of_the_scales(
    table: Array, weights: Array
) -> None:
    """With the ideal and the worst point among the alternatives, pymcdm finds the same ends."""
    ends = np.vstack([np.ones(table.shape[1]), np.zeros(table.shape[1])])
    expected = TOPSIS(_as_given)(np.vstack([table, ends]), weights, np.ones(table.shape[1]))
    np.testing.assert_allclose(topsis(table, weights), expected[:-2], atol=1e-12)


@given(_tables(), _weights())
def test_relative_topsis_agrees_with_pymcdm(table: Array, weights: Array) -> None:
    assume(np.any(np.ptp(table, axis=0) > 0))
    expected = TOPSIS(_as_given)(table, weights, np.ones(table.shape[1]))
    np.testing.assert_allclose(topsis_relative(table, weights), expected, atol=1e-12)


def test_relative_topsis_of_a_worked_example() -> None:
    """Hwang and Yoon (1981) print 0.643, 0.268, 0.613 and 0.312."""
    scores = FIGHTER_SIGNS * FIGHTERS / np.linalg.norm(FIGHTERS, axis=0)
    result = topsis_relative(scores, FIGHTER_WEIGHTS)
    np.testing.assert_allclose(result, [0.643, 0.268, 0.613, 0.312], atol=1.5e-3)


def test_relative_topsis_of_alternatives_that_are_alike() -> None:
    """Each is as near to the ideal as to the worst point; so is one alone, and weight 0 counts."""
    alike = np.array([[0.3, 0.7], [0.3, 0.2]])
    np.testing.assert_array_equal(topsis_relative(alike, np.array([1.0, 0.0])), [0.5, 0.5])
    np.testing.assert_array_equal(topsis_relative(alike[:1], np.array([0.5, 0.5])), [0.5])


def test_relative_topsis_can_reverse_a_rank() -> None:
    """b is ahead of a until c comes, with which the ideal moves away from b."""
    table = np.array([[0.4, 0.2], [0.1, 0.7], [0.7, 0.5]])
    weights = np.array([0.6, 0.4])
    pair, all_three = topsis_relative(table[:2], weights), topsis_relative(table, weights)
    assert pair[0] < pair[1]
    assert all_three[0] > all_three[1]


@given(_tables(), _weights(), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_vikor_agrees_with_pymcdm_given_the_ends_of_the_scales(
    table: Array, weights: Array, strategy: float
) -> None:
    """With an ideal and a worst alternative beside the others, pymcdm scales between the same."""
    ends = np.vstack([np.ones(table.shape[1]), np.zeros(table.shape[1])])
    expected = VIKOR(v=strategy)(np.vstack([table, ends]), weights, np.ones(table.shape[1]))
    np.testing.assert_allclose(vikor(table, weights, strategy), 1 - expected[:-2], atol=1e-12)


@given(_tables(), _weights())
def test_promethee_ii_agrees_with_pymcdm(table: Array, weights: Array) -> None:
    ones = np.ones(table.shape[1])
    usual = PROMETHEE_II("usual")(table, weights, ones)
    np.testing.assert_allclose(promethee_ii(table, weights), usual, atol=1e-12)
    q, p = 0.05, 0.3
    linear = PROMETHEE_II("vshape_2", p=p * ones, q=q * ones)(table, weights, ones)
    np.testing.assert_allclose(promethee_ii(table, weights, q, p), linear, atol=1e-12)


@pytest.mark.parametrize("method", [m.name for m in METHODS.values() if not m.relative])
@settings(deadline=None)
@given(table=_tables(), weights=_weights(), data=st.data())
def test_no_rank_reversal(method: str, table: Array, weights: Array, data: st.DataObject) -> None:
    """On fixed scales a candidate's score does not depend on who stands beside it."""
    kept = data.draw(st.lists(st.integers(0, 5), min_size=1, unique=True).map(sorted))
    combine = METHODS[method].score
    np.testing.assert_array_equal(combine(table, weights)[kept], combine(table[kept], weights))


@pytest.mark.parametrize("method", [m.name for m in METHODS.values() if m.utility])
@given(table=_tables(), weights=_weights())
def test_a_utility_orders_as_the_method_does(method: str, table: Array, weights: Array) -> None:
    utility = METHODS[method].utility
    assert utility is not None
    sums, results = weighted_sum(utility(table), weights), METHODS[method].score(table, weights)
    ahead = np.subtract.outer(results, results)
    apart = np.subtract.outer(sums, sums)
    assert np.all(apart[ahead > 1e-9] > 0)


@pytest.mark.parametrize("method", list(METHODS))
@given(table=_tables(), weights=_weights(), row=st.integers(0, 5), column=st.integers(0, 3))
def test_monotone_in_every_score(
    method: str, table: Array, weights: Array, row: int, column: int
) -> None:
    better = table.copy()
    better[row, column] = min(1.0, better[row, column] + 0.25)
    combine = METHODS[method].score
    assert combine(better, weights)[row] >= combine(table, weights)[row] - 1e-12


@pytest.mark.parametrize("method", list(METHODS))
@given(tables=arrays(np.float64, (5, 6, 4), elements=st.floats(0, 1)), weights=_weights())
def test_many_tables_at_once_equal_one_by_one(method: str, tables: Array, weights: Array) -> None:
    combine = METHODS[method].score
    together = combine(tables, weights)
    alone = np.stack([combine(table, weights) for table in tables])
    np.testing.assert_array_equal(together, alone)


def test_a_single_alternative_has_no_flow() -> None:
    np.testing.assert_array_equal(criterion_flows(np.array([[0.3, 0.7]])), [[0.0, 0.0]])


def test_flows_sum_to_zero() -> None:
    flows = criterion_flows(np.array([[0.1, 0.2], [0.3, 0.2], [0.9, 0.4]]))
    np.testing.assert_allclose(flows.sum(axis=0), 0.0, atol=1e-12)
