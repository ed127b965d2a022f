"""Who can still come out first: against closed forms, and races whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
import pytest

from advisor.choosing import advise
from advisor.elimination import allowance, needed_criteria, reach, unknown_of
from advisor.evidence.gathering import Evidence, gather
from advisor.scenario.loading import Scenario
from profiles_db.profile import Profile
from tests.advisor.tables import Given, profile_of, scenario_of

ONE = scenario_of("evidence: measured\npriorities: {accuracy: high}")
TWO = scenario_of("evidence: measured\npriorities: {accuracy: high, accuracy_under_attack: high}")
Z = 1.959963984540054


def _evidence(scenario: Scenario, figures: Mapping[str, Mapping[str, Given]]) -> Evidence:
    profiles: list[Profile] = [
        profile_of(name, values, run=f"run-{name}") for name, values in figures.items()
    ]
    return gather(scenario, profiles)


def _normal(value: float, error: float) -> tuple[float, float, float]:
    return value - Z * error, value, value + Z * error


def test_of_two_normal_figures_the_reach_is_that_of_their_difference() -> None:
    figures = {"a": {"accuracy": _normal(0.52, 0.01)}, "b": {"accuracy": _normal(0.50, 0.01)}}
    found = reach(ONE, _evidence(ONE, figures), ())
    ahead = NormalDist().cdf(0.02 / (0.01 * 2**0.5))
    assert found["a"] == pytest.approx(ahead, abs=0.01)
    assert found["b"] == pytest.approx(1 - ahead, abs=0.01)


def test_where_all_is_known_the_reach_of_the_choice_is_its_confidence() -> None:
    figures = {
        name: {"accuracy": _normal(value, 0.02), "accuracy_under_attack": _normal(value, 0.05)}
        for name, value in (("a", 0.5), ("b", 0.52), ("c", 0.48))
    }
    evidence = _evidence(TWO, figures)
    decision = advise(TWO, evidence)
    assert decision.choice == "b"
    assert reach(TWO, evidence, ())["b"] == decision.confidence


def test_what_is_unknown_of_a_candidate_may_turn_out_the_best() -> None:
    """Without the attacks, b trails by 0.1 on half of the weight: safe against them it may win."""
    figures = {name: {"accuracy": _normal(v, 0.005)} for name, v in (("a", 0.6), ("b", 0.5))}
    evidence = _evidence(TWO, figures)
    assert reach(TWO, evidence, ("a", "b")) == {"a": 1.0, "b": 1.0}
    assert reach(TWO, _evidence(TWO, {**figures, "a": {**figures["a"],
                 "accuracy_under_attack": 0.99}}), ("b",))["b"] == 0.0  # fmt: skip


def test_of_a_candidate_measured_in_full_the_unknown_stays_unknown() -> None:
    known = {"accuracy": _normal(0.5, 0.01), "accuracy_under_attack": _normal(0.01, 0.001)}
    evidence = _evidence(TWO, {"a": {"accuracy": _normal(0.9, 0.01)}, "b": known})
    assert reach(TWO, evidence, ()) == {"a": 0.0, "b": 1.0}
    assert reach(TWO, evidence, ("a",)) == {"a": 1.0, "b": 0.0}


def test_a_bound_whose_figure_is_unknown_may_hold() -> None:
    text = "evidence: measured\npriorities: {accuracy: high}\nrequirements:\n"
    scenario = scenario_of(text + "  - {criterion: accuracy_under_attack, at_least: 0.3}")
    values: dict[str, Mapping[str, Given]] = {
        "a": {"accuracy": _normal(0.9, 0.01)},
        "b": {"accuracy": _normal(0.5, 0.01), "accuracy_under_attack": 0.4},
    }
    evidence = _evidence(scenario, values)
    assert needed_criteria(scenario, evidence) == ("accuracy", "accuracy_under_attack")
    assert reach(scenario, evidence, ("a",)) == {"a": 1.0, "b": 1.0}
    assert reach(scenario, evidence, ()) == {"a": 0.0, "b": 1.0}
    values["a"] = {"accuracy": _normal(0.9, 0.01), "accuracy_under_attack": _normal(0.1, 0.001)}
    assert reach(scenario, _evidence(scenario, values), ("a",)) == {"a": 0.0, "b": 1.0}


def test_a_requirement_on_the_whole_interval_may_hold_once_it_is_known() -> None:
    text = "evidence: measured\npriorities: {accuracy: high}\nrequirements:\n"
    bound = "{criterion: accuracy_under_attack, at_least: 0.3, holds_for: interval}"
    scenario = scenario_of(f"{text}  - {bound}")
    evidence = _evidence(scenario, {"a": {"accuracy": _normal(0.5, 0.01)}})
    assert reach(scenario, evidence, ("a",)) == {"a": 1.0}
    assert reach(scenario, evidence, ()) == {"a": 0.0}


def test_who_may_fall_behind_the_baseline_is_not_told_by_one_wide_interval() -> None:
    scenario = scenario_of("evidence: measured\npriorities: {accuracy: high}\nbaseline: a")
    wide = {"a": {"accuracy": _normal(0.50, 0.08)}, "b": {"accuracy": _normal(0.60, 0.08)}}
    evidence = _evidence(scenario, wide)
    assert reach(scenario, evidence, ())["b"] == 0.0
    assert reach(scenario, evidence, ("a", "b"))["b"] == pytest.approx(0.81, abs=0.02)
    assert needed_criteria(scenario, evidence) == ("accuracy",)


def test_flagged_figures_and_those_without_an_interval_may_change() -> None:
    flagged = profile_of("a", {"accuracy": 0.5}, flags={"accuracy": "few speakers"})
    one, *_ = gather(ONE, [flagged]).alternatives
    assert unknown_of(one, ("accuracy", "uar")) == ("accuracy", "uar")
    figures: dict[str, Mapping[str, Given]] = {
        "a": {"accuracy": 0.5},
        "b": {"accuracy": (0.4, 0.5, 0.6), "macs": 1e9},
    }
    a, b = _evidence(ONE, figures).alternatives
    assert unknown_of(a, ("accuracy",)) == ("accuracy",)
    assert unknown_of(b, ("accuracy", "macs")) == ()


def _race(truths: Mapping[str, float], error: float, rng: np.random.Generator) -> list[str]:
    """Who is left after 1, 2 and 5 folds, each of which adds independent clips."""
    looks = (1, 2, 5)
    least = allowance(0.95, len(truths), len(looks))
    folds = {name: rng.normal(value, error, max(looks)) for name, value in truths.items()}
    racing = list(truths)
    for look in looks:
        figures = {
            name: {"accuracy": _normal(float(own[:look].mean()), error / look**0.5)}
            for name, own in folds.items()
            if name in racing
        }
        found = reach(ONE, _evidence(ONE, figures), ())
        racing = [name for name in racing if found[name] >= least]
    return racing


def test_equal_candidates_are_told_apart_no_more_often_than_stated() -> None:
    """An A/A test over three looks: with 5 % each, 10 of 60 are exceeded once in 2,000."""
    rng = np.random.default_rng(20)
    alone = sum(len(_race({"a": 0.5, "b": 0.5}, 0.05, rng)) == 1 for _ in range(60))
    assert alone <= 10


def test_the_best_is_kept_and_the_worst_goes() -> None:
    rng = np.random.default_rng(21)
    kept = [_race({"a": 0.60, "b": 0.55, "c": 0.3}, 0.04, rng) for _ in range(20)]
    assert all("a" in left for left in kept)
    assert not any("c" in left for left in kept)
