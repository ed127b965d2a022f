"""The scenario language: what it accepts, and how it says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.records import ScenarioText
from advisor.scenario import loading
from advisor.scenario.loading import load_scenario, parse_scenario
from profiles_db.errors import ScenarioError
from tests.advisor.tables import scenario_of


def _error(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        scenario_of(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "where", "what", "remedy"),
    [
        (
            "evidnce: published",
            "test.yaml:4:1",
            "unknown key 'evidnce'",
            "Did you mean 'evidence'?",
        ),
        ("budget: {mac: 5 GMAC}", ":4:10:", "unknown key 'mac'", "Did you mean 'macs'?"),
        ("budget: {macs: 5}", ":4:16:", "5 lacks its unit", "Write for example 5 GMAC."),
        ("method: topsi", ":4:9:", "unknown method 'topsi'", "Did you mean 'topsis'?"),
        ("evidence: measurd", ":4:11:", "'measurd' is not valid", "Did you mean 'measured'?"),
        (
            "priorities: {privasy: low}",
            ":3:14:",
            "unknown aspect or criterion 'privasy'",
            "Did you mean 'privacy'?",
        ),
        ("priorities: {safety: hihg}", ":3:22:", "'hihg' is no priority", "Did you mean 'high'?"),
        ("priorities: {safety: -1}", ":3:22:", "priority -1 is out of range", ""),
        ("priorities: {safety: .inf}", ":3:22:", "'.inf' is no priority", ""),
        ("priorities: {safety: 0}", ":3:13:", "no priority above 0", ""),
        ("priorities: {safety: true}", ":3:22:", "True is no priority", ""),
        ("priorities: high", ":3:13:", "'high' does not fit priorities", ""),
        (
            "requirements: [{criterion: uar, at_least: 66}]",
            ":4:43:",
            "66 is not a fraction",
            "Write 66 % or 0.66.",
        ),
        (
            "requirements: [{criterion: urr, at_least: 1}]",
            ":4:28:",
            "unknown criterion 'urr'",
            "Did you mean 'uar'?",
        ),
        ("requirements: [{criterion: uar}]", ":4:16:", "needs one bound", ""),
        (
            "requirements: [{criterion: uar, at_least: 1, at_most: 1}]",
            ":4:16:",
            "needs one bound",
            "",
        ),
        (
            "requirements: [{criterion: uar, at_most: 1}]",
            ":4:33:",
            "at_most on uar",
            "Use at_least.",
        ),
        (
            "requirements: [{criterion: uar, at_least: [1]}]",
            ":4:43:",
            "a list where a quantity",
            "",
        ),
        (
            "requirements: [{criterion: uar, at_least: 1, holds_for: intervall}]",
            ":4:57:",
            "'intervall' is not valid",
            "Did you mean 'interval'?",
        ),
        ("requirements: {uar: 1}", ":4:15:", "does not fit requirements", ""),
        (
            "scales: {uar: {worst: 80 %, best: 70 %}}",
            ":4:15:",
            "scale of uar",
            "Swap worst and best.",
        ),
        ("scales: {uar: {worst: 80}}", ":4:15:", "key 'best' is missing", ""),
        (
            "evidence: {source: published, min_folds: 3}",
            ":4:31:",
            "'min_folds' does not apply to published figures",
            "Remove it, or set source: measured.",
        ),
        ("evidence: {source: measured, min_folds: two}", ":4:41:", "'two' does not fit", ""),
        ("evidence: {source: measured, corpora: {ravdess: 0}}", ":4:49:", "0 does not fit", ""),
        ("evidence: {source: measured, allow_untrained: yes}", ":4:47:", "'yes' does not fit", ""),
        ("version: 2", ":", "2 is not valid", ""),
        ("candidates: {include: 5}", ":4:23:", "5 does not fit", ""),
        ("title: ''", ":", "does not fit title", ""),
        ("extends: [1]", ":4:1", "extends names no file", ""),
    ],
)
def test_an_error_names_place_line_rule_and_remedy(
    text: str, where: str, what: str, remedy: str
) -> None:
    error = _error(text + "\n")
    assert where in error
    assert what in error
    assert remedy in error
    assert "(rule: " in error
    assert f"`{text}`" in error, "the line is shown"
    assert len(error.splitlines()) == 1


def test_all_errors_of_a_file_in_the_order_in_which_they_stand() -> None:
    error = _error(
        "priorities: {privasy: low, safety: hgih}\n"
        "budget:\n  macs: 5\n  macs: 6 GMAC\n"
        "requirements:\n  - {criterion: uar, at_least: 66}\n  - {criterion: nope, at_least: 1}\n"
        "methd: topsis\n"
    )
    lines = error.splitlines()
    assert len(lines) == 7
    assert "stands twice" in lines[0], "what the reader finds comes before what the rules find"
    places = [tuple(map(int, line.split(":")[1:3])) for line in lines[1:]]
    assert places == sorted(places)


def test_scales_name_their_errors_together() -> None:
    error = _error(
        "scales:\n  urr: {worst: 1, best: 0}\n  uar: {worst: 80 %, best: 70 %}\n"
        "  macs: {worst: 5, best: 0 GMAC}\n"
    )
    starts = [line.split(",")[0] for line in error.splitlines()]
    assert starts[0].endswith("test.yaml:5:3: unknown criterion 'urr'")
    assert starts[1].startswith("test.yaml:6:8: scale of uar")
    assert starts[2].startswith("test.yaml:7:17: 5 lacks its unit")


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ScenarioError, match="key 'priorities' is missing") as caught:
        parse_scenario((ScenarioText("test.yaml", "version: 1\n"),))
    assert "key 'title' is missing" in str(caught.value)


def test_words_and_numbers_mean_the_same() -> None:
    words = scenario_of("priorities: {safety: high, privacy: medium, fairness: low}\n")
    numbers = scenario_of("priorities: {safety: 9, privacy: 3.0, fairness: 1}\n")
    assert words.spec.priorities == numbers.spec.priorities


def test_keys_that_begin_x_are_the_users_own_at_every_level() -> None:
    scenario = scenario_of(
        "x-owner: {any: [thing]}\n"
        "budget: {macs: 5 GMAC, x-why: battery}\n"
        "requirements: [{criterion: uar, at_least: 60 %, x-ticket: 7}]\n"
    )
    assert scenario.spec.budget.bounds() == {"macs": 5e9}


def test_extends_joins_mappings_and_replaces_the_rest(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "version: 1\ntitle: Base\npriorities: {safety: high, privacy: low}\n"
        "requirements: [{criterion: uar, at_least: 60 %}]\n",
        encoding="utf-8",
    )
    child = tmp_path / "child.yaml"
    child.write_text(
        "extends: base.yaml\ntitle: Child\npriorities: {privacy: medium}\nrequirements: []\n",
        encoding="utf-8",
    )
    scenario = load_scenario(child)
    assert scenario.spec.title == "Child"
    assert scenario.spec.priorities == {"safety": 9.0, "privacy": 3.0}
    assert scenario.spec.requirements == ()
    assert [text.name for text in scenario.texts] == ["child.yaml", "base.yaml"]
    assert parse_scenario(scenario.texts).spec == scenario.spec


def test_extends_a_shipped_scenario_by_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: edge\ntitle: Mine\n", encoding="utf-8")
    assert load_scenario(path).spec.budget.bounds() == {"macs": 5e9}


def test_an_error_in_the_base_names_the_base(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "version: 1\ntitle: Base\npriorities: {saftey: high}\n", encoding="utf-8"
    )
    child = tmp_path / "child.yaml"
    child.write_text("extends: base.yaml\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"base\.yaml:3:14: .*Did you mean 'safety'"):
        load_scenario(child)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("self.yaml", "extends itself"),
        ("none.yaml", "no file"),
        ("/etc/passwd", "cannot be extended"),
        ("/etc/hosts.yaml", "cannot be extended"),
        ("notes.txt", "cannot be extended"),
        ("chain0.yaml", "a longer chain of extends"),
    ],
)
def test_what_cannot_be_extended(tmp_path: Path, reference: str, expected: str) -> None:
    for step in range(9):
        (tmp_path / f"chain{step}.yaml").write_text(
            f"extends: chain{step + 1}.yaml\n", encoding="utf-8"
        )
    path = tmp_path / "self.yaml"
    path.write_text(f"extends: {reference}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=expected):
        load_scenario(path)


def test_a_misspelt_shipped_name_gets_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="Did you mean 'critical'"):
        load_scenario("critcal")


def test_a_scale_of_ones_own() -> None:
    spec = scenario_of("scales: {uar: {worst: 50 %, best: 75 %, why: Users.}}\n").spec
    scale = spec.scale_of("uar")
    assert (scale.worst, scale.best, scale.source) == (0.5, 0.75, "Users.")
    assert spec.scale_of("macs").best == 0.0


def test_text_that_looks_like_a_number_stays_text_where_a_scenario_is_data() -> None:
    asked = {"version": 1, "title": "1e3", "priorities": {"sustainability": "high"}}
    assert loading.scenario_of(asked).spec.title == "1e3"
