"""One thing, one class: what is added to a record once is there wherever the thing goes."""

from __future__ import annotations

from dataclasses import fields

from advisor import advise
from advisor.evidence.averaging import figure_of
from advisor.evidence.gathering import gather
from advisor.ranking.findings import Bound, Requirement
from advisor.ranking.requirements import bounds_of
from advisor.records import Alternative, Candidate, Figure, values_of
from advisor.scenario.loading import load_scenario
from profiles_db.measurement import DETAILS, Measurement
from tests.advisor.tables import scenario_of

_WHOSE = {"study", "backbone", "weights", "corpus", "fold", "measure", *DETAILS}


def test_a_figure_has_all_of_a_measurement_but_whose_it_is() -> None:
    """Also of a field that a measurement gets one day: the figure must have it, or be told not."""
    given = {
        "value": 0.6, "low": 0.5, "high": 0.7, "interval": "bootstrap", "n": 7, "baseline": 0.25,
        "flags": ("a flag",), "notes": ("a note",), "origin": "counted", "source": "a source",
        "device": "a device",
    }  # fmt: skip
    measurement = Measurement("study", "apc", "none", "ravdess", "uar", **given)  # type: ignore[arg-type]
    content = {field.name for field in fields(Measurement)} - _WHOSE
    assert content == given.keys() | {"criterion", "unknown"}
    figure = figure_of(measurement)
    assert {name: getattr(figure, name) for name in content} == {
        name: getattr(measurement, name) for name in content
    }
    assert {field.name for field in fields(Figure)} - content == {"parts"}
    assert figure_of(Measurement("s", "b", "w", "c", "uar", None, unknown="why")).unknown == "why"


def test_a_candidate_is_its_alternative_judged() -> None:
    scenario = load_scenario("edge")
    alternatives = {a.name: a for a in gather(scenario).alternatives}

    for candidate in advise(scenario).candidates:
        assert Alternative(**values_of(candidate, Alternative)) == alternatives[candidate.name]
    assert issubclass(Candidate, Alternative)


def test_a_requirement_is_its_bound_held_against_all() -> None:

    scenario = scenario_of(
        "budget: {macs: 5 GMAC}\nrequirements: [{criterion: uar, at_least: 60 %, why: So.}]\n"
    )
    held = [Bound(**values_of(r, Bound)) for r in advise(scenario).requirements]
    assert tuple(held) == bounds_of(scenario)
    assert issubclass(Requirement, Bound)
