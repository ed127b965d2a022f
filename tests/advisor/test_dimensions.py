"""Dimensions of emotion in scenarios: weighed, bounded, and never mistaken for a share."""

from __future__ import annotations

import numpy as np
import pytest

from advisor import Decision, advise
from advisor.ranking.uncertainty import spread
from advisor.records import Figure
from advisor.verify import verify
from reports.advice import render_advice
from tests.advisor.tables import Given, profile_of, scenario_of

MONITORING = (
    "evidence: measured\npriorities: {ccc_valence: high, privacy: medium}\n"
    "requirements: [{criterion: ccc_valence, at_least: 0.5, holds_for: interval}]\n"
)
"""Clinical monitoring of valence."""
FIGURES: dict[str, Given] = {"uar": 0.6, "gender_inference": 0.9}


def _decide(text: str, **valences: Given) -> Decision:
    profiles = [
        profile_of(name, FIGURES | {"ccc_valence": valence}) for name, valence in valences.items()
    ]
    return advise(scenario_of(text), profiles)


def test_a_scenario_bounds_and_weighs_the_concordance_of_one_dimension() -> None:
    decision = _decide(
        MONITORING, sure=(0.52, 0.6, 0.68), unsure=(0.45, 0.66, 0.8), unrated="no clip is rated"
    )
    assert decision.choice == "sure"
    assert decision.candidate("sure").scores["ccc_valence"] == pytest.approx(0.8)
    assert not decision.candidate("unsure").eligible
    assert not decision.candidate("unrated").eligible
    assert verify(decision.to_json()).holds
    page = render_advice(decision)
    assert "0.600" in page
    assert "60.0 %" not in page.split("Concordance")[1].split("</tr>")[0]


def test_a_concordance_below_nothing_is_near_no_bound_and_can_be_written() -> None:
    decision = _decide(MONITORING, poor=(-0.2, -0.05, 0.1))
    assert decision.choice is None
    (relaxation,) = decision.candidates[0].relaxations
    assert relaxation.to == pytest.approx(-0.2)
    assert relaxation.to_text == "-0.2"
    relaxed = _decide(
        MONITORING.replace("at_least: 0.5", "at_least: -0.2"), poor=(-0.2, -0.05, 0.1)
    )
    assert relaxed.choice == "poor"
    assert relaxed.candidate("poor").grades["system_performance"] != "strong"


def test_a_concordance_that_reaches_nothing_earns_nothing() -> None:
    guess = Figure("ccc_valence", 0.2, low=-0.05, high=0.4, baseline=0.0)
    assert guess.guessed
    assert not Figure("ccc_valence", 0.2, low=0.05, high=0.4, baseline=0.0).guessed


def test_draws_stay_correlations() -> None:
    normal = np.linspace(-40, 40, 81)
    drawn = spread(Figure("ccc_valence", 0.1, low=-0.2, high=0.4), normal)
    assert (drawn.min(), drawn.max()) == (-1, 1)
    assert drawn[40] == pytest.approx(0.1)
