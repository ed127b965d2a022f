"""Robustness, measured on request: weighed where asked, and else no gap in any report."""

from __future__ import annotations

import json
import re

import pytest

from advisor import Decision, advise
from advisor.decision import Decision as Carried
from advisor.verify import verify
from profiles_db.criteria import ASPECTS, OPTIONAL_ASPECTS
from profiles_db.errors import EvidenceError
from reports.advice import render_advice
from tests.advisor.tables import Given, profile_of, scenario_of

PLAIN = "evidence: measured\npriorities: {system_performance: 1, safety: 1}\n"
WEIGHED = "evidence: measured\npriorities: {system_performance: 1, robustness: high}\n"
BASIC = [aspect for aspect in ASPECTS if aspect not in OPTIONAL_ASPECTS]
SOUND: dict[str, Given] = {
    "uar": 0.64,
    "attack_success_rate": 0.6,
    "robustness_mean_change": (0.01, 0.02, 0.03),
}
FRAIL: dict[str, Given] = {
    "uar": 0.65,
    "attack_success_rate": 0.5,
    "robustness_mean_change": (0.07, 0.08, 0.09),
}


def _without(figures: dict[str, Given]) -> dict[str, Given]:
    return {name: value for name, value in figures.items() if "robust" not in name}


def _decide(text: str, *, measured: bool) -> Decision:
    pairs = {"sound": SOUND, "frail": FRAIL}
    return advise(
        scenario_of(text),
        [
            profile_of(name, figures if measured else _without(figures))
            for name, figures in pairs.items()
        ],
    )


def _aspects_drawn(decision: Decision) -> list[str]:
    page = render_advice(decision)
    tiles = page.split('<ul class="tiles">')[1].split("</ul>")[0]
    return re.findall(r'aria-hidden="true"></span>([^<]+)</h3>', tiles)


def test_who_weighs_it_chooses_by_it() -> None:
    assert _decide(PLAIN, measured=True).choice == "frail"
    decision = _decide(WEIGHED, measured=True)
    assert decision.choice == "sound"
    assert decision.candidate("sound").scores["robustness_mean_change"] == pytest.approx(0.8)
    assert verify(decision.to_json()).holds


@pytest.mark.parametrize(
    ("text", "measured", "there"),
    [(PLAIN, False, False), (PLAIN, True, True), (WEIGHED, True, True)],
)
def test_it_is_shown_where_it_is_measured_or_weighed(
    text: str, measured: bool, there: bool
) -> None:
    decision = _decide(text, measured=measured)
    assert ("robustness" in decision.study.aspect_criterion) == measured
    expected = [*BASIC, "robustness"] if there else BASIC
    for candidate in decision.candidates:
        assert list(candidate.grades) == expected
    page = render_advice(decision)
    assert ("six aspects" if there else "five aspects") in page.lower()
    if decision.choice is not None:
        assert len(_aspects_drawn(decision)) == len(expected)
    assert verify(decision.to_json()).holds


def test_weighed_and_measured_by_nobody_it_is_refused_with_what_measures_it() -> None:
    with pytest.raises(EvidenceError, match="no candidate has robustness_mean_change") as caught:
        _decide(WEIGHED, measured=False)
    assert "--measures robustness" in str(caught.value)


def test_who_was_not_measured_is_unknown() -> None:
    profiles = [profile_of("sound", SOUND), profile_of("frail", _without(FRAIL))]
    decision = advise(scenario_of(WEIGHED), profiles)
    assert [m.candidate for m in decision.missing] == ["frail"]
    assert decision.candidate("frail").grades["robustness"] == "unknown"
    assert decision.choice == "sound"


def test_published_studies_do_not_have_it() -> None:
    decision = advise("edge")
    assert set(decision.study.aspect_criterion) == set(BASIC)
    assert "obustness" not in decision.to_json()
    assert decision.study.standing_for("robustness") == "robustness_mean_change"


def test_studies_side_by_side_take_it_from_the_one_that_has_it() -> None:
    text = (
        "evidence: {source: published, beside: [measured]}\n"
        "priorities: {system_performance: 1, robustness: 1}\n"
    )
    decision = advise(scenario_of(text), [profile_of("fbank", SOUND)])
    assert decision.study.aspect_criterion["robustness"] == "robustness_mean_change"
    assert decision.candidate("fbank").figures["robustness_mean_change"].value == 0.02


def test_a_bound_on_it_is_written_as_any_rate() -> None:
    bound = "requirements:\n  - {criterion: robustness_mean_change, at_most: 5 %, why: streets}\n"
    decision = _decide(PLAIN + bound, measured=True)
    assert decision.choice == "sound"
    assert decision.candidate("frail").standing == "out"
    assert "robustness_mean_change" in decision.criteria_titles


def test_a_loss_below_zero_is_no_loss() -> None:
    gains = SOUND | {"robustness_mean_change": (-0.02, -0.01, 0.0)}
    profiles = [profile_of("a", gains), profile_of("b", FRAIL)]
    decision = advise(scenario_of(WEIGHED), profiles)
    assert decision.candidate("a").scores["robustness_mean_change"] == 1.0
    assert "\N{MINUS SIGN}1.0" in render_advice(decision)


def test_decisions_of_five_aspects_from_before_are_still_read() -> None:
    text = _decide(PLAIN, measured=False).to_json()
    assert "robustness" not in json.loads(text)["study"]["aspect_criterion"]
    assert Carried.from_json(text).choice == "frail"
    without = json.loads(text)
    del without["study"]["aspect_criterion"]["fairness"]
    with pytest.raises(Exception, match="an aspect has no criterion"):
        verify(json.dumps(without))
