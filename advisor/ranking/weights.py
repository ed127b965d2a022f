"""From priorities to weighted criteria: which criterion stands for an aspect, and what share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from advisor.ranking.findings import WeightedCriterion
from advisor.records import StudyRecord
from advisor.scenario.fields import WORDS
from advisor.scenario.loading import Scenario
from profiles_db.criteria import ASPECTS, CRITERIA, Aspect

_COUNTINGS: Final = frozenset({"macs", "paper_macs"})
_WORD_OF: Final = {value: word for word, value in WORDS.items()}


def weighted_criteria(scenario: Scenario, study: StudyRecord) -> tuple[WeightedCriterion, ...]:
    """The scored criteria in the order of the aspects, their weights summing to 1.

    Raises
    ------
    ScenarioError
        Two priorities stand for the same criterion, which would count it twice.
    """
    spec = scenario.spec
    stated = {key: value for key, value in spec.priorities.items() if value > 0}
    _check_once(scenario, study, stated)
    total = sum(stated.values())
    rows = [_row(scenario, study, key, raw, raw / total) for key, raw in stated.items()]
    return tuple(sorted(rows, key=lambda row: ASPECTS.index(row.aspect)))


def criterion_of(key: str, study: StudyRecord, scenario: Scenario) -> str:
    """The criterion that a priority's key stands for: the study's, in the scenario's counting.

    Where a budget or a requirement counts operations whole, they are weighed whole too: two
    countings of one thing in one report look like two things.
    """
    aspects: dict[str, str] = {str(a): study.standing_for(a) for a in ASPECTS}
    name, spec = aspects.get(key, key), scenario.spec
    bounded = {*spec.budget.bounds(), *(one.criterion for one in spec.figure_requirements)}
    recounted = key != name and name == "paper_macs" and bounded & _COUNTINGS == {"macs"}
    return "macs" if recounted and "macs" not in spec.priorities else name


def standing_for(aspect: Aspect, criteria: Sequence[WeightedCriterion], study: StudyRecord) -> str:
    """The criterion by which an aspect is shown: the study's, unless only others are weighed."""
    usual = study.standing_for(aspect)
    weighed = [c.criterion for c in criteria if c.aspect == aspect]
    return usual if usual in weighed or not weighed else weighed[0]


def shown_aspects(criteria: Sequence[WeightedCriterion], study: StudyRecord) -> list[Aspect]:
    """The aspects to show: those of the study, and those that are weighed."""
    weighed = {weighted.aspect for weighted in criteria}
    return [a for a in ASPECTS if a in study.aspect_criterion or a in weighed]


def _check_once(scenario: Scenario, study: StudyRecord, stated: dict[str, float]) -> None:
    seen: dict[str, str] = {}
    for key in stated:
        name = criterion_of(key, study, scenario)
        if name in seen:
            raise scenario.problem(
                ("priorities", key),
                f"{key!r} and {seen[name]!r} both stand for {name}",
                rule="each criterion counts once",
                remedy="remove one of the two, or set it to 0",
            )
        seen[name] = key


def _row(
    scenario: Scenario, study: StudyRecord, key: str, raw: float, weight: float
) -> WeightedCriterion:
    criterion = CRITERIA[criterion_of(key, study, scenario)]
    scale = scenario.spec.scale_of(criterion.name)
    aspect: Aspect = criterion.aspect
    return WeightedCriterion(
        criterion=criterion.name,
        key=key,
        aspect=aspect,
        title=criterion.title,
        unit=criterion.unit,
        direction=criterion.direction,
        stated=_WORD_OF.get(raw, f"{raw:g}"),
        raw=raw,
        weight=weight,
        worst=scale.worst,
        best=scale.best,
        scale_source=scale.source,
    )
