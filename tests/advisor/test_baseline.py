"""No worse than the model in use: worse, not worse, or cannot be told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from advisor import Decision, advise
from advisor.evidence.coverage import uncovered
from advisor.evidence.gathering import gather
from advisor.ranking.baseline import judge_against
from advisor.ranking.findings import BaselineBound
from advisor.records import Figure, OnFlag
from advisor.verify import verify
from profiles_db.criteria import CRITERIA
from profiles_db.errors import ScenarioError
from tests.advisor.tables import Given, profile_of, scenario_of


def _status(own: Figure, baseline: Figure, flagged: OnFlag = "distrust") -> str:
    criterion = own.criterion
    bound = BaselineBound(
        "it",
        criterion,
        "",
        CRITERIA[criterion].unit,
        "old",
        "fail",
        flagged,
        "",
        "",
    )
    figures = {"new": {criterion: own}, "old": {criterion: baseline}}
    return judge_against(bound, "new", figures, CRITERIA[criterion].scale).status


def _uar(value: float, half: float) -> Figure:
    return Figure("uar", value, low=value - half, high=value + half)


def test_the_ends_are_those_of_the_difference() -> None:
    """Half-widths of 3 and 4 points make 5: apart by more is told, by less is not."""
    old = _uar(0.60, 0.03)
    for gap, expected in (
        (0.0501, "pass"), (0.0499, "unknown"), (0.0, "unknown"),
        (-0.0499, "unknown"), (-0.0501, "fail"),
    ):  # fmt: skip
        assert _status(_uar(0.60 + gap, 0.04), old) == expected, gap


def test_lopsided_intervals_use_the_sides_that_face_each_other() -> None:
    own = Figure("uar", 0.70, low=0.66, high=0.99)
    old = Figure("uar", 0.64, low=0.10, high=0.67)
    assert math.hypot(0.04, 0.03) < 0.06
    assert _status(own, old) == "pass"


def test_costs_are_better_when_lower_and_exact_ones_are_always_told() -> None:
    old = Figure("macs", 5e9)
    assert _status(Figure("macs", 5e9), old) == "pass"
    assert _status(Figure("macs", 4e9), old) == "pass"
    assert _status(Figure("macs", 5.1e9), old) == "fail"


@pytest.mark.parametrize("side", ["own", "baseline"])
def test_unknown_and_flagged_figures_tell_nothing(side: str) -> None:
    good, none = _uar(0.9, 0.01), Figure("uar", None, unknown="not measured")
    doubted = Figure("uar", 0.9, flags=("only 3 speakers",))
    for other in (none, doubted):
        pair = (other, _uar(0.5, 0.01)) if side == "own" else (good, other)
        assert _status(*pair) == "unknown"
    pair = (doubted, _uar(0.5, 0.01)) if side == "own" else (good, Figure("uar", 0.5, flags=("x",)))
    assert _status(*pair, flagged="accept") == "pass"


def test_equal_models_are_rarely_called_worse() -> None:
    """Both truths the same: 'worse' and 'not worse' each in about 2.5 % of the measurements."""
    rng = np.random.default_rng(1)
    deviations = 0.01, 0.02
    statuses = []
    for one, other in zip(*(0.6 + rng.normal(0, d, 3000) for d in deviations), strict=True):
        statuses.append(_status(_uar(one, 1.96 * 0.01), _uar(other, 1.96 * 0.02)))
    for status in ("pass", "fail"):
        assert statuses.count(status) / 3000 == pytest.approx(0.025, abs=0.01)


def _decide(rest: str, **models: dict[str, Given]) -> Decision:
    text = f"priorities: {{system_performance: high, safety: high}}\nevidence: measured\n{rest}"
    return advise(scenario_of(text), [profile_of(name, given) for name, given in models.items()])


OLD: dict[str, Given] = {"uar": (0.58, 0.60, 0.62), "attack_success_rate": (0.48, 0.5, 0.52)}
BETTER: dict[str, Given] = {"uar": (0.68, 0.70, 0.72), "attack_success_rate": (0.38, 0.4, 0.42)}
TRADED: dict[str, Given] = {"uar": (0.88, 0.90, 0.92), "attack_success_rate": (0.58, 0.6, 0.62)}
ALIKE: dict[str, Given] = {"uar": (0.68, 0.70, 0.72), "attack_success_rate": (0.47, 0.49, 0.51)}


def test_an_upgrade_that_pays_with_another_aspect_is_out() -> None:
    decision = _decide("baseline: apc\n", apc=OLD, tera=BETTER, fbank=TRADED)
    assert decision.priorities_ranking[0] == "tera"
    assert decision.choice == "tera"
    traded = decision.candidate("fbank")
    assert traded.standing == "out"
    assert "it is not “Attack success rate no worse than that of apc”" in traded.why
    assert traded.outcomes[1].found == "60.0 %, +10.0 points (+7.2 to +12.8)"
    assert decision.candidate("apc").eligible
    assert verify(decision.to_json()).holds
    assert Decision.from_json(decision.to_json()) == decision


def test_what_cannot_be_told_keeps_out_or_warns() -> None:
    kept = _decide("baseline: apc\n", apc=OLD, tera=ALIKE)
    assert kept.choice == "apc"
    assert kept.candidate("tera").standing == "unjudged"
    assert "cannot be told" in kept.candidate("tera").why
    warned = _decide("baseline: {candidate: apc, on_unknown: warn}\n", apc=OLD, tera=ALIKE)
    assert warned.choice == "tera"
    narrow = _decide(
        "baseline: {candidate: apc, aspects: [system_performance]}\n", apc=OLD, tera=ALIKE
    )
    assert narrow.choice == "tera"
    assert [r.kind for r in narrow.requirements] == ["baseline"]


def test_the_draws_compare_with_the_drawn_baseline() -> None:
    """A gain of one combined deviation holds in Phi(1) of the draws."""
    deviation = math.hypot(0.01, 0.01)
    half = 1.96 * 0.01
    decision = _decide(
        "baseline: {candidate: apc, aspects: [uar]}\n",
        apc={"uar": (0.6 - half, 0.6, 0.6 + half), "attack_success_rate": 0.5},
        tera={
            "uar": (0.6 + 3 * deviation - half, 0.6 + 3 * deviation, 0.6 + 3 * deviation + half),
            "attack_success_rate": 0.5,
        },
    )
    probability = decision.candidate("tera").outcomes[0].probability
    assert probability == pytest.approx(0.99865, abs=0.002)
    assert decision.candidate("apc").outcomes[0].status == "pass"


@pytest.mark.parametrize(
    ("line", "at", "what", "remedy"),
    [
        ("baseline: {candidat: apc}", "candidat", "unknown key", "'candidate'?"),
        ("baseline: {aspects: [uar]}", "{", "key 'candidate' is missing", ""),
        ("baseline: {candidate: apc, aspects: [uarr]}", "uarr", "unknown aspect", "'uar'?"),
        ("baseline: {candidate: apc, on_unknown: pass}", "pass", "not valid", ""),
        ("baseline: [apc]", "[", "does not fit baseline", ""),
    ],
)
def test_an_error_names_place_and_remedy(line: str, at: str, what: str, remedy: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario_of(f"{line}\n")
    error = str(caught.value)
    assert f"test.yaml:4:{line.index(at) + 1}: " in error, error
    assert what in error
    assert remedy in error


def test_a_baseline_that_the_evidence_lacks_is_named_with_its_place() -> None:
    with pytest.raises(ScenarioError, match=r"test\.yaml:4:11: .*'whisper_tny'.*'whisper_tiny'"):
        advise(scenario_of("baseline: whisper_tny\n"))
    scenario = scenario_of("baseline: whisper_tny\n")
    with pytest.raises(ScenarioError, match="'whisper_tny'"):
        list(uncovered(scenario, gather(scenario)))
