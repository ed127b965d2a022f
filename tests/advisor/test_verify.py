"""A decision that was altered is found out, and what was altered is named."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from advisor import advise, shipped_names
from advisor.verify import verify
from profiles_db.errors import InputError, ScenarioError, TrustserError
from tests.advisor.tables import Given, profile_of, scenario_of

Content = dict[str, Any]


def _altered(change: Callable[[Content], object], text: str) -> str:
    content = json.loads(text)
    change(content)
    return json.dumps(content)


def _set(*path: str | int, to: object) -> Callable[[Content], object]:
    def change(content: Any) -> None:
        for step in path[:-1]:
            content = content[step]
        content[path[-1]] = to

    return change


@pytest.mark.parametrize("name", shipped_names())
def test_untouched_decisions_hold(name: str) -> None:
    found = verify(advise(name, seed=3).to_json())
    assert found.holds
    chosen = found.choice or "no candidate"
    assert found.lines() == (f"The decision comes out the same: {chosen}.",)


def test_measured_decisions_hold_and_a_changed_figure_is_named() -> None:
    scenario = scenario_of("evidence: measured\n")
    values: dict[str, Given] = {"uar": (0.55, 0.6, 0.65), "attack_success_rate": 0.7}
    text = advise(scenario, [profile_of("apc", values), profile_of("tera", values)]).to_json()
    assert verify(text).holds
    found = verify(_altered(_set("candidates", 1, "figures", "uar", "low", to=0.1), text))
    assert [a.where for a in found.evidence] == ["candidates.tera.figures.uar"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (_set("choice", to="apc"), "choice"),
        (_set("ranking", to=["apc"]), "ranking"),
        (_set("candidates", 0, "score", to=0.99), "candidates.whisper_small.score"),
        (_set("candidates", 0, "scores", "uar", to=0.99), "candidates.whisper_small.scores.uar"),
        (_set("candidates", 3, "eligible", to=True), "candidates.whisper_tiny.eligible"),
        (_set("candidates", 0, "rank_probabilities", to=[1.0, 0.0, 0.0]),
         "candidates.whisper_small.rank_probabilities.0"),
        (_set("confidence", to=0.99), "confidence"),
        (_set("requirements", 0, "bound", to=0.5), "requirements.uar.bound"),
        (_set("explanation", 0, "text", to="All is well."), "explanation.0.text"),
        (_set("criteria", 0, "weight", to=0.9), "criteria.uar.weight"),
        (_set("stability", 0, "high", to=1.0), "stability.uar.high"),
        (_set("candidates", 0, "why", to="Because."), "candidates.whisper_small.why"),
    ],
)  # fmt: skip
def test_an_altered_result_is_named(change: Callable[[Content], object], where: str) -> None:
    found = verify(_altered(change, advise("cloud").to_json()))
    assert not found.holds
    assert not found.hash_matches
    assert where in [alteration.where for alteration in found.results]
    assert found.evidence == ()


def test_altered_published_evidence_is_named_with_what_it_should_be() -> None:
    change = _set("candidates", 3, "figures", "uar", "value", to=0.9)
    found = verify(_altered(change, advise("cloud").to_json()))
    (alteration,) = found.evidence
    assert str(alteration) == "candidates.whisper_tiny.figures.uar.value: 0.9, should be 0.637"
    assert found.recomputed_choice == "whisper_tiny"
    assert "from what it carries, whisper_tiny is chosen" in found.lines()[-1]


def test_an_altered_scenario_gives_another_decision() -> None:
    text = advise("cloud").to_json().replace("at_least: 66 %", "at_least: 60 %")
    assert verify(text).recomputed_choice == "whisper_tiny"


def test_a_change_that_no_figure_follows_from_breaks_the_hash() -> None:
    found = verify(_altered(_set("versions", "numpy", to="0"), advise("edge").to_json()))
    assert not found.holds
    assert "hash does not match" in found.lines()[0]


def test_a_resealed_forgery_of_published_evidence_is_found() -> None:
    """Recomputing the hash does not help: the figures are held against those that ship."""
    from advisor.decision import Decision  # noqa: PLC0415

    change = _set("candidates", 3, "figures", "uar", "value", to=0.9)
    forged = Decision.from_json(_altered(change, advise("cloud").to_json())).sealed()
    found = verify(forged.to_json())
    assert found.hash_matches
    assert not found.holds


HOSTILE: tuple[Any, ...] = (
    None,
    0,
    -1,
    1e308,
    1e99,
    math.nan,
    math.inf,
    "",
    "uar",
    [],
    {},
    True,
    0.5,
    10**30,
)


def _leaves(content: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from _leaves(value, (*path, key))


def test_no_alteration_whatever_brings_a_traceback_or_goes_unseen() -> None:
    """Any value at any place is refused, or found, unless it is what stood there."""
    text = advise("cloud").to_json()
    whole = json.loads(text)
    places = list(_leaves(whole))
    random = Random(20)  # noqa: S311
    for _ in range(150):
        path, value = random.choice(places), random.choice(HOSTILE)
        changed = _altered(_set(*path, to=value), text)
        try:
            found = verify(changed)
        except TrustserError:
            continue
        assert found.lines()
        assert not found.holds or json.loads(changed) == whole, path


def test_what_carries_no_decision() -> None:
    with pytest.raises(InputError):
        verify("{}")
    decision = advise("edge")
    record = dataclasses.replace(decision.scenario.texts[0], text="a: [")
    scenario = dataclasses.replace(decision.scenario, texts=(record,))
    with pytest.raises(ScenarioError):
        verify(dataclasses.replace(decision, scenario=scenario).to_json())


def test_a_scenario_that_extends_carries_its_base() -> None:
    from advisor import load_scenario  # noqa: PLC0415
    from advisor.scenario.loading import parse_scenario  # noqa: PLC0415

    base = load_scenario("cloud").texts[0]
    child = dataclasses.replace(base, name="child.yaml", text="extends: cloud\ntitle: Child\n")
    decision = advise(parse_scenario((child, base)))
    assert [text.name for text in decision.scenario.texts] == ["child.yaml", "cloud.yaml"]
    assert verify(decision.to_json()).holds
