"""A ranking method is one object: one more, and all that names methods has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from advisor import Decision, advise
from advisor.ranking.methods import METHODS, RankingMethod, register
from advisor.ranking.scoring import Array
from advisor.scenario.json_schema import scenario_schema
from advisor.scenario.loading import starter_text
from advisor.verify import verify
from profiles_db.errors import ScenarioError
from reports.advice import render_advice
from reports.embedded import decision_text
from tests.advisor.tables import scenario_of


def weakest(scores: Array, weights: Array) -> Array:
    """The lowest score of what has weight."""
    held = np.where(weights[..., None, :] > 0, scores, 1.0)
    lowest: Array = np.min(held, axis=-1)
    return lowest


SCRIPT = "(rows, weight) => rows.map((row) => Math.min(...row))"
TEXT = "method: weakest\npriorities: {system_performance: 9, privacy: 3, safety: 3}\n"


@pytest.fixture
def toy() -> Iterator[RankingMethod]:
    """A method that is known while the test runs."""
    yield register(RankingMethod("weakest", "weakest point", weakest, SCRIPT))
    del METHODS["weakest"]


@pytest.mark.usefixtures("toy")
def test_a_scenario_may_name_it_and_the_schema_does() -> None:
    assert scenario_of(TEXT).spec.method == "weakest"
    schema = scenario_schema()
    assert schema["properties"]["method"]["enum"] == list(METHODS)
    spec = {"version": 1, "title": "x", "priorities": {"safety": 1}, "method": "weakest"}
    jsonschema.validate(spec, schema)


def test_without_it_the_scenario_is_refused_and_all_methods_named() -> None:
    with pytest.raises(ScenarioError, match="unknown method 'weakest'") as error:
        scenario_of(TEXT)
    assert ", ".join(METHODS) in str(error.value)


@pytest.mark.usefixtures("toy")
def test_it_decides_and_the_words_claim_no_exactness() -> None:
    decision = advise(scenario_of(TEXT))
    lowest = {c.name: min(c.scores.values()) for c in decision.candidates}
    assert {c.name: c.score for c in decision.candidates} == lowest
    assert decision.choice == max(sorted(lowest), key=lowest.__getitem__)
    assert "scores highest by weakest point" in decision.summary
    assert decision.methods[0].method == "weakest"
    assert decision.flip is not None
    assert not decision.flip.exact
    assert any("The smallest change found" in s for s in decision.sentences("sensitivity"))
    assert not any(row.exact for row in decision.stability)
    assert verify(decision.to_json()).holds
    assert Decision.from_json(decision.to_json()) == decision


@pytest.mark.usefixtures("toy")
def test_other_decisions_show_it_among_the_methods() -> None:
    decision = advise("critical")
    result = next(r for r in decision.methods if r.method == "weakest")
    assert set(result.order) == {c.name for c in decision.candidates if c.eligible}
    assert '<th scope="row">weakest point</th>' in render_advice(decision)


@pytest.mark.usefixtures("toy")
def test_the_report_carries_its_script_and_no_other() -> None:
    page = render_advice(advise(scenario_of(TEXT)))
    assert f"const combine = {SCRIPT};" in page
    assert "Scored by weakest point." in page
    assert json.loads(decision_text(page, "page"))["scenario"]["method"] == "weakest"
    assert page.count("const combine = ") == 1


def test_a_method_without_a_script_is_not_recomputed_in_the_page() -> None:
    register(RankingMethod("weakest", "weakest point", weakest))
    try:
        page = render_advice(advise(scenario_of(TEXT)))
    finally:
        del METHODS["weakest"]
    assert "combine" not in page
    assert "Recomputes the ranking" not in page
    assert "Recomputes the ranking" in render_advice(advise("edge"))
    assert 'id="explore" hidden' in page


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="'topsis' already"):
        register(METHODS["topsis"])


def test_every_method_is_in_the_starter_and_the_documentation() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "scenario-language.md"
    for text in (starter_text(), page.read_text(encoding="utf-8")):
        assert all(name in text for name in METHODS)


def test_its_title_tells_a_method_apart() -> None:
    titles = [method.title for method in METHODS.values()]
    assert len(set(titles)) == len(titles)
    assert all(name == method.name for name, method in METHODS.items())
