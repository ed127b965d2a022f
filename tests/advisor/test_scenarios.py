"""The shipped scenarios, their schema, and what they choose on the published figures."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from advisor import advise, load_scenario, shipped_names
from advisor.scenario.json_schema import scenario_schema
from advisor.scenario.loading import SHIPPED, starter_text
from tests.advisor.tables import scenario_of

PAPER = {"edge": "whisper_tiny", "cloud": "whisper_small", "critical": "wavlm_base_plus"}
"""Table 5 of arXiv:2305.11229."""

UNJUDGED = {"clinical_monitoring"}
"""What it asks for no publication prints: it says so, and is there to be measured."""

SCHEMA = scenario_schema()


@pytest.mark.parametrize(("name", "candidate"), PAPER.items())
def test_table_5(name: str, candidate: str) -> None:
    decision = advise(name)
    assert decision.choice == decision.ranking[0] == candidate
    first = decision.candidate(candidate).rank_probabilities[0]
    assert first == max(c.rank_probabilities[0] for c in decision.candidates if c.eligible)


@pytest.mark.parametrize("name", PAPER)
def test_table_5_priorities_are_the_papers(name: str) -> None:
    levels = {
        "edge": "medium low low medium high",
        "cloud": "high high medium high low",
        "critical": "high low high medium low",
    }[name]
    stated = [criterion.stated for criterion in advise(name).criteria]
    assert stated == levels.split()


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_scenarios_are_whole_and_choose(name: str) -> None:
    decision = advise(name)
    assert (decision.choice is None) == (name in UNJUDGED)
    if name in UNJUDGED:
        assert {candidate.standing for candidate in decision.candidates} == {"unjudged"}
    assert decision.scenario.context
    assert all(r.why for r in decision.requirements if r.kind in {"requirement", "fact"})
    assert decision.scenario.texts[0].text.startswith(
        "# yaml-language-server: $schema=scenario.schema.json\n"
    )


def test_there_are_scenarios_to_start_from() -> None:
    assert set(PAPER) < set(shipped_names())
    assert len(shipped_names()) >= 7


def test_the_schema_file_is_what_the_code_says() -> None:
    stored = (SHIPPED / "scenario.schema.json").read_text(encoding="utf-8")
    assert json.loads(stored) == SCHEMA, "run: trustser schema -o scenarios/scenario.schema.json"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_scenarios_fit_the_schema(name: str) -> None:
    text = (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")
    jsonschema.validate(yaml.safe_load(text), SCHEMA)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("{extends: edge}", True),
        ("{version: 1, title: T, priorities: {safety: 2}, x-own: 1}", True),
        ("{version: 1, title: T, priorities: {safety: high}, evidence: measured}", True),
        (
            "{version: 1, title: T, priorities: {safety: high}, budget: {macs: 5 GMAC, x-a: 1}}",
            True,
        ),
        ("{version: 1, title: T, priorities: {uar: low}, evidence: {corpora: [a, b]}}", True),
        ("{version: 1, title: T}", False),
        ("{version: 1, title: T, priorities: {safty: high}}", False),
        ("{version: 1, title: T, priorities: {safety: hi}}", False),
        ("{version: 1, title: T, priorities: {safety: 1}, evidence: nothing}", False),
        ("{version: 1, title: T, priorities: {safety: 1}, budget: {mac: 5}}", False),
        (
            "{version: 1, title: T, priorities: {safety: 1}, scales: {urr: {worst: 1, best: 2}}}",
            False,
        ),
    ],
)
def test_what_the_schema_accepts(text: str, fits: bool) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert validator.is_valid(yaml.safe_load(text)) is fits


def test_the_starter_is_valid_as_it_is_and_with_everything_uncommented() -> None:
    assert advise(scenario_of(starter_text())).choice is not None
    lines = starter_text().splitlines()
    uncommented = [
        line.removeprefix("# ")
        for line in lines
        if line.startswith(("# candidates:", "#   include", "# scales:", "#   uar:"))
    ]
    spec = scenario_of("\n".join([*lines, *uncommented])).spec
    assert spec.candidates.include == ("whisper_tiny", "whisper_base")
    assert spec.scale_of("uar").worst == 0.5


def test_the_case_study_is_a_candidate_only_by_name() -> None:
    name = "whisper_tiny_ft_last_layer"
    assert name not in advise("research").ranking
    named = scenario_of(f"candidates: {{include: [whisper_tiny, {name}]}}\n")
    decision = advise(named)
    assert set(decision.ranking) == {"whisper_tiny", name}
    assert decision.candidate(name).figures["gender_accuracy"].origin == "digitised"


def test_shipped_scenarios_load_by_path_and_by_name() -> None:
    assert load_scenario(SHIPPED / "edge.yaml").spec == load_scenario("edge").spec
