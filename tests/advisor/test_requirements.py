"""Bounds: pass, fail and unknown, margins, and the smallest relaxation that lets one in."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from advisor import advise
from advisor.evidence.gathering import gather
from advisor.ranking.findings import Bound, Requirement
from advisor.ranking.requirements import bounds_of, is_near, judge, relaxations
from advisor.records import Figure, Relaxation
from advisor.scenario.quantities import parse_quantity, quantity_text, write_quantity
from profiles_db.criteria import CRITERIA, Unit
from tests.advisor.tables import profile_of, scenario_of


def _judge(text: str, figure: Figure | None) -> tuple[str, bool, float | None]:
    (bound,) = bounds_of(scenario_of(f"requirements: [{{criterion: {text}}}]\n"))
    assert isinstance(bound, Bound)
    scale = CRITERIA[bound.criterion].scale
    outcome = judge(bound, {figure.criterion: figure} if figure else {}, scale)
    return outcome.status, outcome.blocks, outcome.margin


UAR = Figure("uar", 0.66, 0.64, 0.67, "bootstrap")
LEAK = Figure("gender_accuracy", 0.9, 0.88, 0.93, "bootstrap")


@pytest.mark.parametrize(
    ("text", "figure", "status", "blocks", "margin"),
    [
        ("uar, at_least: 66 %", UAR, "pass", False, 0.0),
        ("uar, at_least: 0.67", UAR, "fail", True, -0.01),
        ("uar, at_least: 65 %, holds_for: interval", UAR, "fail", True, -0.01),
        ("uar, at_least: 64 %, holds_for: interval", UAR, "pass", False, 0.0),
        ("gender_accuracy, at_most: 92 %", LEAK, "pass", False, 0.02),
        ("gender_accuracy, at_most: 92 %, holds_for: interval", LEAK, "fail", True, -0.01),
        ("uar, at_least: 50 %, holds_for: interval", Figure("uar", 0.9), "unknown", True, None),
        ("uar, at_least: 50 %", Figure("uar", None, unknown="lost"), "unknown", True, None),
        ("uar, at_least: 50 %, on_unknown: warn", None, "unknown", False, None),
    ],
)
def test_a_bound(
    text: str, figure: Figure | None, status: str, blocks: bool, margin: float | None
) -> None:
    found = _judge(text, figure)
    assert found[:2] == (status, blocks)
    assert found[2] == (None if margin is None else pytest.approx(margin, abs=1e-12))


def test_every_bound_has_its_own_name() -> None:
    scenario = scenario_of(
        "budget: {macs: 5 GMAC}\n"
        "requirements:\n"
        "  - {criterion: uar, at_least: 60 %}\n"
        "  - {criterion: uar, at_least: 50 %, holds_for: interval}\n"
        "  - {criterion: macs, at_most: 9 GMAC}\n"
    )
    bounds = bounds_of(scenario)
    assert [bound.id for bound in bounds] == ["uar", "uar-2", "macs", "budget.macs"]
    assert bounds[1].text == "Unweighted average recall at least 50 % over its whole interval"


def test_the_relaxation_named_really_lets_the_candidate_in() -> None:
    """Written back into the scenario, as text, it makes the near miss eligible."""
    for name in ("edge", "cloud", "critical", "phone_health"):
        decision = advise(name)
        for candidate in decision.candidates:
            if candidate.eligible:
                assert candidate.relaxations == ()
                continue
            text = decision.scenario.texts[0].text
            for relaxation in candidate.relaxations:
                requirement = next(
                    r for r in decision.requirements if r.id == relaxation.requirement
                )
                assert isinstance(requirement, Requirement)
                bound = quantity_text(requirement.bound, requirement.unit)
                assert bound in text
                text = text.replace(bound, relaxation.to_text)
            again = advise(scenario_of(text))
            assert again.candidate(candidate.name).eligible


def test_a_near_miss_is_near_in_both_measures() -> None:
    assert is_near((Relaxation("uar", 0.66, 0.637, "63.7 %", 0.19),))
    assert not is_near((Relaxation("uar", 0.66, 0.58, "58 %", 0.67),))
    assert not is_near((Relaxation("budget.macs", 5e9, 14.47e9, "14.47 GMAC", 0.197),))
    assert not is_near((Relaxation("uar", 0.66, None, "", None),))
    assert not is_near(())


def test_unknown_fails_and_points_to_what_is_known() -> None:
    scenario = scenario_of(
        "requirements: [{criterion: equalized_odds_difference, at_most: 20 %}]\n"
    )
    decision = advise(scenario)
    assert decision.choice is None
    (outcome,) = decision.candidates[0].outcomes
    assert outcome.status == "unknown"
    assert "conditional_total_variation" in outcome.reason


def test_unknown_may_warn_instead() -> None:
    scenario = scenario_of(
        "requirements:\n"
        "  - {criterion: equalized_odds_difference, at_most: 20 %, on_unknown: warn}\n"
    )
    decision = advise(scenario)
    assert decision.choice is not None
    assert any("equalized odds difference" in text for text in decision.sentences("missing"))


def test_a_budget_weighs_the_count_of_everything() -> None:
    """TERA's 12.8 of the paper would pass 13 GMAC; its 14.463 counted whole does not."""
    decision = advise(scenario_of("budget: {macs: 13 GMAC}\n"))
    assert not decision.candidate("tera").eligible
    assert advise(scenario_of("budget: {paper_macs: 13 GMAC}\n")).candidate("tera").eligible


def test_requirements_apply_to_measured_profiles() -> None:
    profiles = [profile_of("one", {"uar": (0.5, 0.6, 0.7), "attack_success_rate": 0.5})]
    scenario = scenario_of(
        "evidence: measured\n"
        "requirements: [{criterion: uar, at_least: 55 %, holds_for: interval}]\n"
    )
    decision = advise(scenario, gather(scenario, profiles))
    assert decision.choice is None
    assert decision.candidates[0].relaxations[0].to_text == "50 %"


_LARGEST: dict[Unit, float] = {
    "fraction": 1.0, "MAC": 1e13, "parameters": 1e10, "bytes": 1e11, "seconds": 1e4, "ratio": 1e4,
    "coefficient": 1.0,
}  # fmt: skip
_OF_UNIT: dict[Unit, tuple[str, str]] = {
    # The criteria that are to be high, and to be low; costs are all to be low.
    "fraction": ("uar", "attack_success_rate"),
    "MAC": ("", "macs"),
    "parameters": ("", "parameters"),
    "bytes": ("", "size"),
    "seconds": ("", "latency_p95"),
    "ratio": ("", "real_time_factor"),
    "coefficient": ("ccc_valence", "ccc_gender_gap"),
}


@settings(deadline=None)
@given(
    unit=st.sampled_from(list(_LARGEST)),
    share=st.one_of(st.floats(0.0, 1.0), st.integers(0, 10**5).map(lambda n: n / 10**5)),
    high=st.booleans(),
)
def test_the_relaxation_printed_admits_and_none_tighter_of_its_digits_does(
    unit: Unit, share: float, high: bool
) -> None:
    """Read back, the bound lets the candidate in; a last digit tighter, it does not."""
    criterion = _OF_UNIT[unit][0 if high else 1]
    assume(criterion)
    value = share * _LARGEST[unit]
    figure = Figure(criterion, value)
    bound = Bound(
        id="x",
        kind="requirement",
        criterion=criterion,
        comparison="at_least" if high else "at_most",
        bound=1.0 if high else 0.0,
        holds_for="value",
        on_unknown="fail",
        flagged="distrust",
        title="",
        unit=unit,
        text="",
        why="",
    )
    scale = CRITERIA[criterion].scale
    outcome = judge(bound, {criterion: figure}, scale)
    assume(outcome.blocks)
    (relaxation,) = relaxations([bound], [outcome])

    def admits(text: str) -> bool:
        moved = replace(bound, bound=parse_quantity(text, unit))
        return not judge(moved, {criterion: figure}, scale).blocks

    assert relaxation.to == parse_quantity(relaxation.to_text, unit)
    assert admits(relaxation.to_text)
    number, space, suffix = relaxation.to_text.partition(" ")
    digit = Decimal(1).scaleb(int(Decimal(number).as_tuple().exponent))
    tighter = Decimal(number) + (digit if high else -digit)
    if tighter >= 0 and not (unit == "fraction" and tighter > 100):
        assert not admits(f"{tighter:f}{space}{suffix}")
    assert relaxation.to == pytest.approx(value, rel=1.001e-3, abs=1e-12 * _LARGEST[unit])


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (6.535e9, "MAC", "6.535 GMAC"),
        (6.5349e9, "MAC", "6.535 GMAC"),
        (0.654, "fraction", "65.4 %"),
        (0.65349, "fraction", "65.35 %"),
        (123456.7, "seconds", "123456700 ms"),
        (1e-9, "MAC", "0.000000000001 GMAC"),
        (1.23456e40, "MAC", "1.235e+31 GMAC"),
        (0.0, "bytes", "0 MB"),
    ],
)
def test_four_digits_are_written(value: float, unit: Unit, text: str) -> None:
    assert write_quantity(value, unit, up=True) == text


@given(
    st.sampled_from(["fraction", "MAC", "parameters", "bytes", "seconds", "ratio", "coefficient"]),
    st.floats(1e-4, 1.0),
    st.booleans(),
)
def test_written_quantities_keep_to_their_side(unit: Unit, value: float, up: bool) -> None:
    value *= {"MAC": 1e11, "parameters": 1e9, "bytes": 1e9, "seconds": 3.0}.get(unit, 1.0)
    written = parse_quantity(write_quantity(value, unit, up=up), unit)
    assert written >= value if up else written <= value
    assert written == pytest.approx(value, rel=1e-3)
    assert parse_quantity(quantity_text(value, unit), unit) == value
