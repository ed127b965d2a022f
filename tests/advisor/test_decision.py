"""The decision as data: complete, equal for equal input, readable again, safe to show."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import Any

import pytest

import advisor
from advisor import Decision, advise, shipped_names
from advisor.ranking.methods import METHODS
from advisor.scenario.loading import load_scenario
from profiles_db.errors import InputError
from tests.advisor.tables import profile_of, scenario_of

HOSTILE = '<script>alert(1)</script> "quoted" \u202egnp.exe ' + "x" * 120


@pytest.mark.parametrize("name", shipped_names())
def test_json_gives_the_same_decision_back(name: str) -> None:
    decision = advise(name)
    assert Decision.from_json(decision.to_json()) == decision


def test_json_names_choice_and_ranking_on_top() -> None:
    decision = json.loads(advise("cloud").to_json())
    assert decision["choice"] == "whisper_small"
    assert decision["ranking"][:3] == ["whisper_small", "wavlm_base_plus", "whisper_base"]
    assert [row["name"] for row in decision["candidates"]] == decision["ranking"]


def test_equal_input_gives_equal_text_in_another_process_too() -> None:
    code = "from advisor import advise; print(advise('cloud', seed=7).to_json())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == advise("cloud", seed=7).to_json()


def test_the_hash_covers_everything() -> None:
    decision = advise("edge")
    assert decision.hash == decision.digest()
    other = dataclasses.replace(decision, confidence=0.5)
    assert other.digest() != decision.hash
    assert advise("edge", seed=1).hash != decision.hash


def test_contributions_sum_to_the_weighted_sum() -> None:
    for candidate in advise("cloud").candidates:
        assert sum(candidate.contributions.values()) == pytest.approx(candidate.score)
        assert sum(candidate.aspect_contributions.values()) == pytest.approx(candidate.score)


def test_weights_sum_to_one_and_follow_the_words() -> None:
    criteria = advise("cloud").criteria
    assert sum(c.weight for c in criteria) == pytest.approx(1)
    by_word = {c.stated: c.weight for c in criteria}
    assert (
        by_word["high"] == pytest.approx(3 * by_word["medium"]) == pytest.approx(9 * by_word["low"])
    )


def test_no_one_left_is_a_decision_too() -> None:
    decision = advise(scenario_of("budget: {macs: 1 GMAC}\n"))
    assert decision.choice is None
    assert len(decision.ranking) == 7, "the others are ranked all the same"
    assert not any(candidate.eligible for candidate in decision.candidates)
    assert decision.confidence is None
    assert "nothing is chosen" in decision.summary
    assert "relaxed to 2.425 GMAC" in decision.sentences("relax")[0]
    assert Decision.from_json(decision.to_json()) == decision


def test_no_rank_reversal_from_file_to_decision() -> None:
    """Whoever leaves but the choice, the choice and the scores of the others stay."""
    whole = advise("research")
    for leaver in whole.ranking[1:]:
        text = load_scenario("research").texts[0].text
        fewer = advise(scenario_of(text + f"candidates: {{exclude: [{leaver}]}}\n"))
        assert fewer.choice == whole.choice
        assert fewer.ranking == tuple(name for name in whole.ranking if name != leaver)
        assert all(c.score == whole.candidate(c.name).score for c in fewer.candidates)


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_can_decide(method: str) -> None:
    decision = advise(
        scenario_of(f"method: {method}\npriorities: {{safety: high, privacy: low}}\n")
    )
    own = decision.methods[0]
    assert own.method == method
    assert own.order == decision.ranking
    assert own.agrees
    assert {m.method for m in decision.methods} == set(METHODS)


def test_criteria_weigh_beside_aspects() -> None:
    decision = advise(scenario_of("priorities: {parameters: high, safety: low}\n"))
    assert [c.criterion for c in decision.criteria] == ["attack_success_rate", "parameters"]
    expected = 0.9 * (1 - 4.11 / 100) + 0.1 * (1 - 0.882) / 0.6
    assert decision.candidate("apc").score == pytest.approx(expected)


def test_values_beyond_a_scale_are_cut_and_named() -> None:
    text = "evidence: measured\npriorities: {system_performance: high}\n"
    profiles = [profile_of("apc", {"uar": 0.3}), profile_of("tera", {"uar": 0.6})]
    decision = advise(scenario_of(text), profiles)
    assert decision.candidate("apc").off_scale == ("uar",)
    assert decision.candidate("apc").scores["uar"] == 0.0
    assert any("apc (30.0 %) lies beyond the scale" in s for s in decision.sentences("evidence"))


def test_notebooks_show_a_summary_and_take_records() -> None:
    scenario = scenario_of(f"title: {json.dumps(HOSTILE)}\npriorities: {{safety: high}}\n")
    decision = advise(scenario)
    page = decision._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    rows = decision.to_records()
    assert [row["candidate"] for row in rows] == list(decision.ranking)
    assert {"score", "eligible", "probability_first", "gender_accuracy"} <= rows[0].keys()


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"format": 1}', '{"format": "x"}', "\x00", "[" * 5000]
)
def test_what_is_no_decision_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a decision"):
        Decision.from_json(text)


def test_a_method_that_nobody_knows_is_refused_by_name() -> None:
    text = advise("edge").to_json().replace('"method": "topsis"', '"method": "tarot"')
    with pytest.raises(InputError, match="not a decision of this program: ranking method 'tarot'"):
        Decision.from_json(text)


def test_a_decision_of_a_newer_layout_is_refused_by_name() -> None:
    content: dict[str, Any] = json.loads(advise("edge").to_json())
    content["format"] = 99
    with pytest.raises(InputError, match="layout 99"):
        Decision.from_json(json.dumps(content))


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range(seed: int) -> None:
    with pytest.raises(InputError, match="seed"):
        advise("edge", seed=seed)


def test_advising_loads_no_torch_and_nothing_slow() -> None:
    code = (
        "import sys; from advisor import advise; advise('edge').to_json(); "
        "print(sorted({'torch', 'duckdb', 'matplotlib', 'scipy', 'pandas', 'jinja2'} "
        "& set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_public_names() -> None:
    assert all(hasattr(advisor, name) for name in advisor.__all__)
