"""The draws: their distribution, their independence, and what is counted from them."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor import advise
from advisor.ranking.findings import Bound, Sampling
from advisor.ranking.matrix import build
from advisor.ranking.requirements import bounds_of, judge
from advisor.ranking.uncertainty import WEIGHT_FACTOR, Draws, spread, tie_groups
from advisor.records import Figure
from profiles_db.criteria import CRITERIA
from tests.advisor.tables import scenario_of, weighted

NORMAL = np.array([NormalDist().inv_cdf((k + 0.5) / 4001) for k in range(4001)])
SAMPLING = Sampling(10_000, 0, WEIGHT_FACTOR)


def _draws(figures: dict[str, Figure], sampling: Sampling = SAMPLING) -> Draws:
    known = {name: {"accuracy": figure} for name, figure in figures.items()}
    matrix = build(known, (weighted("accuracy", 1.0),), "weighted_sum", "distrust")
    return Draws(matrix, known, sampling)


def _figure(value: float, low: float | None = None, high: float | None = None) -> Figure:
    return Figure("accuracy", value, low, high, "bootstrap" if low is not None else "none")


def test_the_interval_holds_95_percent_of_a_lopsided_figure() -> None:
    drawn = spread(_figure(0.5, 0.45, 0.7), NORMAL)
    np.testing.assert_allclose(np.quantile(drawn, [0.025, 0.5, 0.975]), [0.45, 0.5, 0.7], atol=1e-3)


def test_a_figure_without_an_interval_stands_still() -> None:
    assert set(spread(_figure(0.5), NORMAL)) == {0.5}


def test_an_interval_beside_its_value_moves_to_one_side_only() -> None:
    """A bootstrap interval may lie beside a biased value; the value is then the end."""
    drawn = spread(_figure(0.5, 0.52, 0.6), NORMAL)
    assert drawn.min() == 0.5
    assert drawn.max() > 0.55


@given(st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_rates_stay_rates(value: float, below: float, above: float) -> None:
    drawn = spread(_figure(value, value - below, value + above), NORMAL)
    assert drawn.min() >= 0
    assert drawn.max() <= 1


def test_the_probability_of_the_first_place_in_closed_form() -> None:
    """Two normal figures 0.02 apart, half-widths 0.0196 each: P = Phi(0.02 / (0.01 sqrt 2))."""
    half = 0.01 * NormalDist().inv_cdf(0.975)
    draws = _draws(
        {"a": _figure(0.52, 0.52 - half, 0.52 + half), "b": _figure(0.5, 0.5 - half, 0.5 + half)}
    )
    expected = NormalDist().cdf(0.02 / (0.01 * math.sqrt(2)))
    first = draws.rank_probabilities(["a", "b"])["a"][0]
    assert first == pytest.approx(expected, abs=0.01)
    assert draws.beats("a", "b") == pytest.approx(first)


def test_rank_probabilities_sum_to_one_in_both_directions() -> None:
    decision = advise("cloud")
    table = np.array([c.rank_probabilities for c in decision.candidates if c.eligible])
    np.testing.assert_allclose(table.sum(axis=0), 1.0)
    np.testing.assert_allclose(table.sum(axis=1), 1.0)


def test_a_candidate_that_leaves_changes_no_draw_of_the_others() -> None:
    a, b, c = _figure(0.5, 0.4, 0.6), _figure(0.5, 0.3, 0.6), _figure(0.7, 0.6, 0.9)
    three, two = _draws({"a": a, "b": b, "c": c}), _draws({"a": a, "c": c})
    assert three.beats("a", "c") == two.beats("a", "c")


def test_draws_follow_the_seed() -> None:
    figures = {"a": _figure(0.5, 0.4, 0.6), "b": _figure(0.52, 0.4, 0.6)}
    other = Sampling(10_000, 1, WEIGHT_FACTOR)
    assert _draws(figures).beats("a", "b") == _draws(figures).beats("a", "b")
    assert _draws(figures).beats("a", "b") != _draws(figures, other).beats("a", "b")


def test_drawn_weights_stay_within_the_factor_in_95_of_100_draws() -> None:
    figures = {
        "a": {name: Figure(name, 0.5) for name in ("accuracy", "macro_f1")},
    }
    criteria = (weighted("accuracy", 0.75), weighted("macro_f1", 0.25))
    draws = Draws(build(figures, criteria, "weighted_sum", "distrust"), figures, SAMPLING)
    np.testing.assert_allclose(draws.weights.sum(axis=1), 1.0)
    odds = np.log(draws.weights[:, 0] / draws.weights[:, 1] / 3)
    # The quotient of two priorities, each within the factor, varies by sqrt 2 times its logarithm.
    within = np.abs(odds) <= math.log(WEIGHT_FACTOR) * math.sqrt(2)
    assert np.mean(within) == pytest.approx(0.95, abs=0.01)


def test_tie_groups_hold_who_cannot_be_told_apart() -> None:
    draws = _draws(
        {
            "a": _figure(0.80, 0.78, 0.82),
            "b": _figure(0.79, 0.77, 0.81),
            "c": _figure(0.50, 0.49, 0.51),
            "d": _figure(0.50, 0.49, 0.51),
        }
    )
    assert tie_groups(draws, ("a", "b", "c", "d")) == (("a", "b"), ("c", "d"))
    assert tie_groups(draws, ()) == ()


def test_equal_figures_without_intervals_tie() -> None:
    draws = _draws({"a": _figure(0.5), "b": _figure(0.5)})
    assert tie_groups(draws, ("a", "b")) == (("a", "b"),)


def test_the_probability_of_holding_a_bound_in_closed_form() -> None:
    half = 0.02 * NormalDist().inv_cdf(0.975)
    figures = {"a": _figure(0.51, 0.51 - half, 0.51 + half)}
    (bound,) = bounds_of(scenario_of("requirements: [{criterion: accuracy, at_least: 50 %}]\n"))
    assert isinstance(bound, Bound)
    outcome = judge(bound, {"accuracy": figures["a"]}, CRITERIA["accuracy"].scale)
    held = _draws(figures).holds(bound, outcome, "a")
    assert held is not None
    assert np.mean(held) == pytest.approx(NormalDist().cdf(0.5), abs=0.01)


def test_confidence_checks_the_requirements_anew() -> None:
    """The chosen one holds its bound in half of the draws only, and has no rival otherwise."""
    figures = {"a": _figure(0.5, 0.4, 0.6), "b": _figure(0.2)}
    draws = _draws(figures)
    (bound,) = bounds_of(scenario_of("requirements: [{criterion: accuracy, at_least: 50 %}]\n"))
    assert isinstance(bound, Bound)
    scale = CRITERIA["accuracy"].scale
    outcomes = {n: [judge(bound, {"accuracy": figure}, scale)] for n, figure in figures.items()}
    assert draws.rank_probabilities(["a"]) == {"a": (1.0,)}
    assert draws.confidence("a", [bound], outcomes) == pytest.approx(0.5, abs=0.02)
