"""Requirements on facts: who passes, who fails, who cannot be judged, and how it is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from advisor import Decision, advise
from advisor.evidence.coverage import uncovered
from advisor.evidence.gathering import gather
from advisor.explanation.summary import as_text
from advisor.ranking.fact_requirements import judge_fact, period
from advisor.ranking.findings import FactBound, FactTest
from advisor.scenario.json_schema import scenario_schema
from advisor.verify import verify
from profiles_db.encoder_facts import Fact
from profiles_db.errors import ScenarioError
from tests.advisor.tables import profile_of, scenario_of

COMMERCIAL = "{fact: licence_allows_commercial_use, is: true}"


def _status(fact: Fact, test: FactTest, *expected: bool | int | str) -> str:
    bound = FactBound("it", "languages", "", test, expected, "fail", "", "")
    return judge_fact(bound, {"languages": fact}).status


def _decide(*requirements: str) -> Decision:
    return advise(scenario_of(f"requirements: [{', '.join(requirements)}]\n"))


def _statuses(decision: Decision) -> dict[str, str]:
    return {c.name: c.outcomes[0].status for c in decision.candidates}


@pytest.mark.parametrize(
    ("fact", "test", "expected", "status"),
    [
        (Fact(True), "is", (True,), "pass"),
        (Fact(False), "is", (True,), "fail"),
        (Fact(None, unknown="unverified"), "is", (True,), "unknown"),
        (Fact("MIT"), "is", ("mit",), "pass"),
        (Fact("MIT"), "one_of", ("Apache-2.0", "MIT"), "pass"),
        (Fact("MIT"), "none_of", ("GPL-3.0",), "pass"),
        (Fact("MIT"), "none_of", ("MIT",), "fail"),
        (Fact(("de", "en")), "includes", ("de",), "pass"),
        (Fact(("de", "en")), "includes", ("de", "fr"), "fail"),
        (Fact(("de", "en"), complete=False), "includes", ("de",), "pass"),
        (Fact(("de", "en"), complete=False), "includes", ("fr",), "unknown"),
        (Fact(("de", "en")), "excludes", ("fr",), "pass"),
        (Fact(("de", "en")), "excludes", ("fr", "de"), "fail"),
        (Fact(("de", "en"), complete=False), "excludes", ("de",), "fail"),
        (Fact(("de", "en"), complete=False), "excludes", ("fr",), "unknown"),
        (Fact(()), "includes", ("en",), "fail"),
        (Fact(()), "excludes", ("en",), "pass"),
        (Fact(960), "at_least", (960,), "pass"),
        (Fact(960), "at_most", (959,), "fail"),
        (Fact("2021-03"), "after", ("2021-02-28",), "pass"),
        (Fact("2021-03"), "after", ("2021-03-31",), "fail"),
        (Fact("2021-03"), "after", ("2021-03-15",), "unknown"),
        (Fact("2021-03"), "before", ("2021-04",), "pass"),
        (Fact("2021-03"), "before", (2021,), "fail"),
        (Fact("2021"), "before", ("2021-06",), "unknown"),
    ],
)
def test_a_fact_passes_fails_or_is_unknown(
    fact: Fact, test: FactTest, expected: tuple[bool | int | str, ...], status: str
) -> None:
    assert _status(fact, test, *expected) == status


@given(
    st.dates(date(1990, 1, 1), date(2030, 12, 31)), st.dates(date(1990, 1, 1), date(2030, 12, 31))
)
def test_a_month_is_never_judged_against_a_day_of_it(published: date, bound: date) -> None:
    """Whatever day of the month is the true one, what passes is after, what fails is not."""
    month = Fact(f"{published:%Y-%m}")
    first, last = period(f"{published:%Y-%m}")
    days = {first + timedelta(n) > bound for n in range((last - first).days + 1)}
    expected = {frozenset({True}): "pass", frozenset({False}): "fail"}.get(
        frozenset(days), "unknown"
    )
    assert _status(month, "after", bound.isoformat()) == expected


def test_who_is_verified_passes_and_who_is_not_cannot_be_judged() -> None:
    decision = _decide(COMMERCIAL)
    assert _statuses(decision) == {
        "apc": "unknown", "tera": "unknown", "wavlm_base_plus": "unknown",
        "whisper_tiny": "pass", "whisper_base": "pass", "whisper_small": "pass",
        "wav2vec2_base": "pass",
    }  # fmt: skip
    standing = {c.name: c.standing for c in decision.candidates}
    assert standing["wavlm_base_plus"] == "unjudged"
    why = decision.candidate("wavlm_base_plus").why
    assert "cannot be judged: whether “Commercial use of the weights: yes”" in why
    assert "unverified: no licence is tagged" in why
    assert "cannot be judged: licence_allows_commercial_use" in as_text(decision)


def test_what_fails_says_what_the_fact_is_and_where() -> None:
    decision = _decide("{fact: languages, includes: [de]}")
    out = decision.candidate("wav2vec2_base")
    assert out.standing == "out"
    assert out.outcomes[0].found == "en (arXiv:2006.11477)"
    assert "“Training languages include de” does not hold: en" in out.why
    assert out.relaxations[0].to is None
    assert not out.near_miss


def test_warn_lets_an_unknown_fact_through_and_no_failing_one() -> None:
    decision = _decide("{fact: licence_allows_commercial_use, is: true, on_unknown: warn}")
    assert decision.candidate("wavlm_base_plus").standing == "in"
    assert decision.candidate("wavlm_base_plus").meets_probability is None
    failing = _decide("{fact: languages, includes: [de], on_unknown: warn}")
    assert failing.candidate("apc").standing == "out"


def test_a_requirement_on_a_fact_can_decide() -> None:
    text = "priorities: {system_performance: high, safety: high, fairness: medium}\n"
    free = advise(scenario_of(text))
    bound = advise(scenario_of(f"{text}requirements: [{COMMERCIAL}]\n"))
    assert free.choice == "wavlm_base_plus" != bound.choice
    (requirement,) = bound.requirements
    assert requirement.decisive
    assert requirement.choice_without == "wavlm_base_plus"
    assert requirement.excludes == ("apc", "tera", "wavlm_base_plus")
    assert not bound.missing, "a fact is no figure that could be measured"


def test_the_first_layers_and_untrained_weights() -> None:
    profiles = [
        profile_of("whisper_small@4", {"uar": 0.6, "attack_success_rate": 0.5}),
        profile_of(
            "whisper_tiny",
            {"uar": 0.6, "attack_success_rate": 0.5},
            weights_kind="random",
            weights_id="random:1",
        ),
    ]
    scenario = scenario_of(
        "evidence: {source: measured, allow_untrained: true}\n"
        f"requirements: [{COMMERCIAL}, {{fact: architecture, is: transformer}}]\n"
    )
    decision = advise(scenario, profiles)
    found = {c.backbone: [o.status for o in c.outcomes] for c in decision.candidates}
    assert found == {"whisper_small@4": ["pass", "pass"], "whisper_tiny": ["unknown", "pass"]}


def test_nothing_is_chosen_for_want_of_a_fact() -> None:
    text = "candidates: {include: [apc, tera]}\nrequirements: [" + COMMERCIAL + "]\n"
    decision = advise(scenario_of(text))
    assert decision.choice is None
    assert decision.summary.endswith("2 cannot be judged, for want of a fact.")
    (said,) = uncovered(scenario_of(text), gather(scenario_of(text)))
    assert said.startswith("of no candidate it is known whether “Commercial use")


def test_verify_finds_an_altered_fact_and_reads_back_the_rest() -> None:
    decision = _decide(COMMERCIAL, "{fact: training_hours, at_least: 500}")
    assert Decision.from_json(decision.to_json()) == decision
    assert verify(decision.to_json()).holds
    altered = tuple(
        replace(c, facts={**c.facts, "licence_allows_commercial_use": Fact(True, "me")})
        for c in decision.candidates
    )
    found = verify(replace(decision, candidates=altered).sealed().to_json())
    assert not found.holds
    names = {alteration.where.rpartition(".")[0] for alteration in found.evidence}
    assert "candidates.wavlm_base_plus.facts.licence_allows_commercial_use" in names


@pytest.mark.parametrize(
    ("requirement", "at", "what", "remedy"),
    [
        ("{fact: licnce, is: true}", "licnce", "unknown fact 'licnce'", "Did you mean 'licence'?"),
        ("{fact: languages, includes: [de, German]}", "German", "no language code", "mean 'de'?"),
        ("{fact: released, after: 2021-13}", "2021-13", "'2021-13' is no date", ""),
        ("{fact: released, at_least: 3}", "at_least", "at_least on released", ""),
        ("{fact: licence_share_alike, is: yes}", "yes", "'yes' is no answer", ""),
        ("{fact: licence, iss: MIT}", "iss", "unknown key 'iss'", "Did you mean 'is'?"),
        ("{fact: training_hours, at_least: -1}", "-1", "-1 is no count", ""),
        ("{fact: languages}", "{", "needs one test", ""),
        ("{fact: languages, includes: [de], excludes: [en]}", "{", "needs one test", ""),
        ("{fact: architecture, is: transfromer}", "transfromer", "transfromer", "'transformer'?"),
        ("{fact: licence, is: 5}", "5", "5 is no name", ""),
        ("{criterion: uar, at_least: 1, fact: licence}", "fact", "unknown key 'fact'", ""),
    ],
)
def test_an_error_names_place_and_remedy(requirement: str, at: str, what: str, remedy: str) -> None:
    line = f"requirements: [{requirement}]"
    with pytest.raises(ScenarioError) as caught:
        scenario_of(f"{line}\n")
    error = str(caught.value)
    assert f"test.yaml:4:{line.index(at) + 1}: " in error, error
    assert what in error
    assert remedy in error


def test_the_schema_takes_them_too() -> None:
    head = {"version": 1, "title": "T", "priorities": {"safety": "high"}}
    good = yaml.safe_load(f"[{COMMERCIAL}, {{fact: released, after: '2021-01'}}]")
    jsonschema.validate(head | {"requirements": good}, scenario_schema())
    for wrong in ("{fact: licnce, is: true}", "{fact: licence, at_least: x}", "{is: true}"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(head | {"requirements": [yaml.safe_load(wrong)]}, scenario_schema())
