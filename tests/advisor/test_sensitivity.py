"""Stability intervals and smallest changes against brute force."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from advisor.ranking.dominance import dominators
from advisor.ranking.matrix import Matrix
from advisor.ranking.methods import METHODS
from advisor.ranking.sensitivity import leave_one_out, smallest_flip, stability
from tests.advisor.tables import matrix_of

Array = NDArray[np.float64]
GRID = np.linspace(0.0, 1.0, 401)
NEAR = 1e-6

tables = arrays(np.float64, (4, 3), elements=st.integers(0, 20).map(lambda n: n / 20))
weights = st.lists(st.floats(0.5, 9.0), min_size=3, max_size=3)
methods = pytest.mark.parametrize("method", list(METHODS))


def _choices(matrix: Matrix, shares: Array, column: int) -> list[str | None]:
    """The choice at each share of one weight, the others keeping their proportions."""
    rest = np.delete(matrix.weights, column)
    table = np.insert((1 - shares)[:, None] * (rest / rest.sum())[None, :], column, shares, axis=1)
    return [matrix.best(matrix.names, row) for row in table]


def _clear(matrix: Matrix) -> bool:
    """Whether the best stands alone, so that rounding cannot decide."""
    first, second = sorted(matrix.combine().tolist(), reverse=True)[:2]
    return bool(first - second > NEAR)


@methods
@settings(max_examples=40, deadline=None)
@given(table=tables, raw=weights, column=st.integers(0, 2))
def test_the_choice_holds_within_its_interval_and_falls_at_its_ends(
    method: str, table: Array, raw: list[float], column: int
) -> None:
    matrix = matrix_of(table, raw, method)
    assume(_clear(matrix))
    choice = matrix.best(matrix.names)
    assert choice is not None
    found = stability(matrix, choice, matrix.names)[column]
    inside = GRID[(found.low + NEAR < GRID) & (found.high - NEAR > GRID)]
    assert set(_choices(matrix, inside, column)) <= {choice}
    beyond = [
        share
        for share, rival in ((found.low - 1e-4, found.below), (found.high + 1e-4, found.above))
        if rival is not None and 0 <= share <= 1
    ]
    crossing = _leads(matrix, choice, np.array(beyond), column)
    assert all(lead < NEAR for lead in crossing)


def _leads(matrix: Matrix, choice: str, shares: Array, column: int) -> list[float]:
    """How far the choice leads its best rival at each share of one weight."""
    rest = np.delete(matrix.weights, column)
    leads = []
    for share in shares.tolist():
        row = np.insert((1 - share) * rest / rest.sum(), column, share)
        result = dict(zip(matrix.names, matrix.combine(weights=row).tolist(), strict=True))
        own = result.pop(choice)
        leads.append(own - max(result.values()))
    return leads


def test_an_interval_in_closed_form() -> None:
    """a leads b by 0.6 t - 0.4 (1 - t): level at t = 0.4."""
    matrix = matrix_of(np.array([[0.8, 0.3], [0.2, 0.7]]), [3.0, 1.0])
    first, second = stability(matrix, "a", matrix.names)
    assert first.low == pytest.approx(0.4)
    assert (first.below, first.high, first.above) == ("b", 1.0, None)
    assert second.high == pytest.approx(0.6)
    assert (second.above, second.low, second.below) == ("b", 0.0, None)


def test_a_single_weight_has_nothing_to_trade_with() -> None:
    (only,) = stability(matrix_of(np.array([[0.8], [0.2]]), [1.0]), "a", "ab")
    assert (only.low, only.high, only.below, only.above) == (0.0, 1.0, None, None)


def test_the_smallest_change_in_closed_form() -> None:
    """b gains 1 on the second criterion for what it loses on the first: level at 0.4 / 0.6."""
    matrix = matrix_of(np.array([[0.8, 0.3], [0.2, 0.7]]), [3.0, 1.0])
    flip = smallest_flip(matrix, "a", matrix.names)
    assert flip is not None
    assert flip.to == "b"
    assert flip.exact
    assert flip.moved == pytest.approx(0.75 - 0.4)
    assert flip.weights == {"accuracy": pytest.approx(0.4), "macro_f1": pytest.approx(0.6)}


@pytest.mark.parametrize("method", [m.name for m in METHODS.values() if m.utility])
@settings(max_examples=30, deadline=None)
@given(table=tables, raw=weights, seed=st.integers(0, 2**32 - 1))
def test_no_smaller_change_flips_the_choice(
    method: str, table: Array, raw: list[float], seed: int
) -> None:
    """At the flip two are level; random weights that are nearer never change the choice."""
    matrix = matrix_of(table, raw, method)
    assume(_clear(matrix))
    choice = str(matrix.best(matrix.names))
    flip = smallest_flip(matrix, choice, matrix.names)
    random = np.random.default_rng(seed).dirichlet([1.0, 1.0, 1.0], 500)
    if flip is not None:
        at_flip = np.array(list(flip.weights.values()))
        result = dict(zip(matrix.names, matrix.combine(weights=at_flip), strict=True))
        assert result[flip.to] == pytest.approx(max(result.values()), abs=1e-9)
        assert result[choice] == pytest.approx(result[flip.to], abs=1e-9)
        assert np.abs(at_flip - matrix.weights).sum() / 2 == pytest.approx(flip.moved)
        share = (flip.moved - NEAR) / (np.abs(random - matrix.weights).sum(axis=1) / 2)
        random = matrix.weights + np.clip(share, 0, 1)[:, None] * (random - matrix.weights)
    assert {matrix.best(matrix.names, row) for row in random} == {choice}


@pytest.mark.parametrize("method", ["topsis", "topsis_relative", "vikor"])
@settings(max_examples=20, deadline=None)
@given(table=tables, raw=weights)
def test_a_search_flips_where_it_says(method: str, table: Array, raw: list[float]) -> None:
    matrix = matrix_of(table, raw, method)
    assume(_clear(matrix))
    choice = str(matrix.best(matrix.names))
    flip = smallest_flip(matrix, choice, matrix.names)
    assume(flip is not None)
    assert flip is not None
    at_flip = np.array(list(flip.weights.values()))
    result = dict(zip(matrix.names, matrix.combine(weights=at_flip), strict=True))
    assert result[flip.to] == pytest.approx(result[choice], abs=1e-6)
    assert not flip.exact


def test_who_is_dominated_by_the_choice_can_never_flip_it() -> None:
    for method in METHODS:
        matrix = matrix_of(np.array([[0.8, 0.7], [0.2, 0.6]]), [1.0, 1.0], method)
        assert smallest_flip(matrix, "a", matrix.names) is None
        assert {(s.low, s.high) for s in stability(matrix, "a", matrix.names)} == {(0.0, 1.0)}


@methods
def test_exactness_is_claimed_only_where_it_is_solved(method: str) -> None:
    """a and b are level where b's second criterion has gained enough, by every method."""
    matrix = matrix_of(np.array([[0.8, 0.3], [0.2, 0.7]]), [3.0, 1.0], method)
    flip = smallest_flip(matrix, "a", matrix.names)
    assert flip is not None
    assert flip.moved > 0.01
    assert flip.exact is (METHODS[method].utility is not None)
    solved = METHODS[method].utility is not None or METHODS[method].lead is not None
    assert {row.exact for row in stability(matrix, "a", matrix.names)} == {solved}


@settings(max_examples=40, deadline=None)
@given(table=tables, raw=weights, column=st.integers(0, 2))
def test_searching_finds_what_solving_finds(table: Array, raw: list[float], column: int) -> None:
    """The weighted sum without its utility: one crossing for a rival, which no grid can miss."""
    matrix = matrix_of(table, raw)
    assume(_clear(matrix))
    choice = str(matrix.best(matrix.names))
    solved = stability(matrix, choice, matrix.names)[column]
    with pytest.MonkeyPatch.context() as patch:
        bare = dataclasses.replace(METHODS["weighted_sum"], utility=None)
        patch.setitem(METHODS, "weighted_sum", bare)
        searched = stability(matrix, choice, matrix.names)[column]
    assert not searched.exact
    # A crossing within a grid step of an end of the scale may be missed, and that is said.
    assert searched.low == pytest.approx(solved.low, abs=1 / 400)
    assert searched.high == pytest.approx(solved.high, abs=1 / 400)
    if searched.below:
        assert searched.low == pytest.approx(solved.low, abs=1e-9)
    if searched.above:
        assert searched.high == pytest.approx(solved.high, abs=1e-9)


def test_leaving_one_criterion_out() -> None:
    matrix = matrix_of(np.array([[0.9, 0.1], [0.2, 0.7]]), [3.0, 1.0])
    rows = leave_one_out(matrix, matrix.names)
    assert [(row.criterion, row.choice) for row in rows] == [("accuracy", "b"), ("macro_f1", "a")]
    assert leave_one_out(matrix_of(np.array([[0.9]]), [1.0]), "a") == ()


@given(arrays(np.float64, (6, 3), elements=st.integers(0, 4).map(float)))
def test_dominance_by_definition(values: Array) -> None:
    names = tuple("abcdef")
    signs = np.array([1.0, -1.0, 1.0])
    found = dominators(values, signs, names)
    for i, name in enumerate(names):
        expected = [
            other
            for j, other in enumerate(names)
            if all(values[j] * signs >= values[i] * signs)
            and any(values[j] * signs > values[i] * signs)
        ]
        assert list(found[name]) == expected


def test_ties_are_broken_by_the_alphabet_whatever_the_order() -> None:
    matrix = matrix_of(np.array([[0.5, 0.5], [0.5, 0.5]]), [1.0, 1.0])
    assert matrix.best("ba") == "a"
    assert matrix.order("ba") == ("a", "b")
    assert matrix.best("") is None
