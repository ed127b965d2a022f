"""Which criteria of a scenario no candidate has a figure for: it is valid, and cannot choose."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.evidence.gathering import Evidence
from advisor.ranking.requirements import bounds_of
from advisor.ranking.weights import weighted_criteria
from advisor.scenario.loading import Scenario


def uncovered(scenario: Scenario, evidence: Evidence) -> Iterator[str]:
    """For each criterion that a scenario needs and nobody has, what follows from that.

    Raises
    ------
    ScenarioError
        The priorities do not fit the evidence.

    Examples
    --------
    >>> from advisor.evidence.gathering import gather
    >>> from advisor.scenario.loading import load_scenario
    >>> list(uncovered(load_scenario("edge"), gather(load_scenario("edge"))))
    []
    """
    needed: dict[str, str] = {}
    for bound in bounds_of(scenario):
        fails = bound.on_unknown == "fail"
        needed[bound.criterion] = "nobody can be judged" if fails else "it only warns"
    weighted = weighted_criteria(scenario, evidence.study)
    needed |= dict.fromkeys((c.criterion for c in weighted), "nobody can be scored")
    for criterion, consequence in needed.items():
        figures = [alternative.figures.get(criterion) for alternative in evidence.alternatives]
        if all(figure is None or figure.value is None for figure in figures):
            reasons = {figure.unknown for figure in figures if figure and figure.unknown}
            why = f" ({'; '.join(sorted(reasons))})" if reasons else ""
            yield f"no candidate has {criterion}{why}, so that {consequence}"
