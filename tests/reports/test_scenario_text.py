"""The scenario that a page gives back is the one that was asked, but for what was set."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Page

from advisor import Decision, advise, load_scenario, shipped_names
from advisor.records import ScenarioText
from advisor.scenario.loading import Scenario, parse_scenario
from reports.advice import render_advice, write_advice
from reports.scenario_text import scenario_parts
from tests.reports.decisions import hostile
from trustser.__main__ import run

Open = Callable[..., Page]

AWKWARD = """
version: 1
title: "No: 'quotes', # and \\u2028 & é"
context: |
  Two lines,
    one indented: - and a colon
extends: edge
priorities: {system_performance: 0.25, privacy: 2, safety: 0, fairness: high, sustainability: 1.5}
scales: {uar: {worst: 50 %, best: 0.7, why: "yes"}}
requirements:
  - {criterion: uar, at_least: 60 %, why: "1e3"}
  - {criterion: uar, at_least: 0.58, holds_for: interval}
  - {fact: released, after: 2019-01-01}
  - {fact: licence, one_of: [MIT, Apache-2.0], on_unknown: warn}
budget: {parameters: 30 M, macs: 10 GMAC}
baseline: {candidate: apc, aspects: [fairness, uar]}
x-own: kept by its owner
"""


def parsed(text: str, *more: ScenarioText) -> Scenario:
    return parse_scenario((ScenarioText("given.yaml", text), *more))


def awkward() -> Decision:
    edge = load_scenario("edge").texts[0]
    return advise(parsed(AWKWARD, edge))


def written(decision: Decision) -> str:
    """As the page writes it, nothing changed."""
    parts: dict[str, Any] = json.loads(scenario_parts(decision) or "null")
    given = {parts["keys"][c.criterion]: c.raw for c in decision.criteria}
    groups = [g["head"] + "".join(one["text"] for one in g["items"]) for g in parts["groups"]]
    return f"{parts['head']}{yaml.safe_dump({'priorities': given})}{''.join(groups)}"


@pytest.mark.parametrize("name", [*shipped_names(), "awkward"])
def test_the_pieces_make_the_same_scenario(name: str) -> None:
    if name == "awkward":
        asked, again = parsed(AWKWARD, load_scenario("edge").texts[0]), parsed(written(awkward()))
    else:
        asked, again = load_scenario(name), parsed(written(advise(name)))
    stated = {key: raw for key, raw in asked.spec.priorities.items() if raw}
    expected = asked.spec.model_copy(update={"priorities": stated})
    if asked.spec.baseline is not None:
        assert again.spec.baseline is not None
        assert again.spec.baseline.candidate == asked.spec.baseline.candidate
        expected = expected.model_copy(update={"baseline": again.spec.baseline})
    assert again.spec == expected


def test_a_page_without_a_scenario_that_can_be_read_has_no_such_button(edge: Decision) -> None:
    assert scenario_parts(hostile(edge, "a: [")) is None
    assert 'id="copy-scenario"' not in render_advice(hostile(edge, "a: ["))
    assert 'id="copy-scenario"' in render_advice(edge)


_SET = """([raw, off]) => {
    document.querySelectorAll('#explore input[type=range]').forEach((slider, i) => {
        slider.value = raw[i];
        slider.dispatchEvent(new Event('input'));
    });
    document.querySelectorAll('#explore input[type=checkbox]').forEach((box, i) => {
        if (box.checked === off.includes(i)) box.click();
    });
}"""
_READ = """() => [...document.querySelectorAll('#ranking-table tbody tr')].map((row) =>
    [row.dataset.candidate, row.dataset.position, row.dataset.score])"""


@pytest.mark.browser
@pytest.mark.parametrize("name", ["edge", "cloud", "awkward"])
def test_advise_chooses_from_the_text_what_the_page_showed(
    name: str, tmp_path: Path, open_page: Open
) -> None:
    decision = awkward() if name == "awkward" else advise(name)
    path = tmp_path / "report.html"
    write_advice(decision, path)
    page = open_page(path)
    rng = random.Random(name)  # noqa: S311
    for _ in range(4):
        raw = [round(rng.choice([0, rng.uniform(0.1, 9), 1, 3, 9]), 1) for _ in decision.criteria]
        raw[0] = 2.5  # one is weighed
        off = [n for n in range(len(decision.requirements)) if rng.random() < 0.5]
        page.evaluate(_SET, [raw, off])
        found = advise(parsed(page.locator("#scenario-text").input_value()))
        shown = page.evaluate(_READ)
        assert [row[0] for row in shown] == [c.name for c in found.candidates]
        for row, candidate in zip(shown, found.candidates, strict=True):
            assert row[1] == str(candidate.position or "")
            assert candidate.score is not None
            assert math.isclose(float(row[2]), candidate.score, abs_tol=1e-12)


@pytest.mark.browser
def test_the_command_takes_the_text_as_it_was_copied(
    edge: Decision, tmp_path: Path, open_page: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the clipboard is to be had, and where it is refused."""
    path = tmp_path / "report.html"
    write_advice(edge, path)
    allowed = open_page(path, permissions=["clipboard-read", "clipboard-write"])
    allowed.evaluate(_SET, [[1, 9, 9, 1, 0.1][: len(edge.criteria)], [0]])
    allowed.locator("#copy-scenario").click()
    allowed.wait_for_function("document.querySelector('#copied').textContent === 'Copied.'")
    text = allowed.evaluate("navigator.clipboard.readText()")
    assert text == allowed.locator("#scenario-text").input_value()
    assert not allowed.locator("#scenario-text").is_visible()
    (tmp_path / "sent.yaml").write_text(text, encoding="utf-8")
    assert run(["advise", str(tmp_path / "sent.yaml"), "--json"]) == 0
    choice = json.loads(capsys.readouterr().out)["choice"]
    assert choice == allowed.evaluate(_READ)[0][0] != edge.choice

    refused = open_page(path)
    refused.evaluate(
        "navigator.clipboard.writeText = () => Promise.reject(new Error('no'));"
        "document.execCommand = () => false;"
    )
    refused.locator("#copy-scenario").click()
    refused.wait_for_function("document.querySelector('#copied').textContent.includes('by hand')")
    area = refused.locator("#scenario-text")
    assert area.is_visible()
    assert area.evaluate("(e) => e.value.slice(e.selectionStart, e.selectionEnd)") == (
        area.input_value()
    )


@pytest.mark.browser
def test_nothing_weighed_gives_no_scenario(edge: Decision, tmp_path: Path, open_page: Open) -> None:
    path = tmp_path / "report.html"
    write_advice(edge, path)
    page = open_page(path)
    page.evaluate(_SET, [[0] * len(edge.criteria), []])
    assert page.locator("#scenario-text").input_value() == ""
    assert page.locator("#copy-scenario").is_disabled()
