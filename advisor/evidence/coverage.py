"""Which criteria of a scenario no candidate has a figure for: it is valid, and cannot choose."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.evidence.gathering import Evidence
from advisor.ranking.baseline import baseline_bounds
from advisor.ranking.fact_requirements import judge_fact
from advisor.ranking.findings import FactBound
from advisor.ranking.matrix import weighted_criteria
from advisor.ranking.requirements import bounds_of
from advisor.scenario.loading import Scenario


def uncovered(scenario: Scenario, evidence: Evidence) -> Iterator[str]:
    """For each criterion that a scenario needs and nobody has, what follows from that.

    Raises
    ------
    ScenarioError
        The priorities do not fit the evidence, or it lacks the baseline.

    Examples
    --------
    >>> from advisor.evidence.gathering import gather
    >>> from advisor.scenario.loading import load_scenario
    >>> list(uncovered(load_scenario("edge"), gather(load_scenario("edge"))))
    []
    """
    needed: dict[str, str] = {}
    baseline_bounds(scenario, evidence)  # raises where the evidence lacks the baseline
    for bound in bounds_of(scenario):
        consequence = "nobody can be judged" if bound.on_unknown == "fail" else "it only warns"
        if isinstance(bound, FactBound):
            yield from _unstated(bound, evidence, consequence)
        else:
            needed[bound.criterion] = consequence
    weighted = weighted_criteria(scenario, evidence.study)
    needed |= dict.fromkeys((c.criterion for c in weighted), "nobody can be scored")
    for criterion, consequence in needed.items():
        figures = [alternative.figures.get(criterion) for alternative in evidence.alternatives]
        if all(figure is None or figure.value is None for figure in figures):
            reasons = {figure.unknown for figure in figures if figure and figure.unknown}
            why = f" ({'; '.join(sorted(reasons))})" if reasons else ""
            yield f"no candidate has {criterion}{why}, so that {consequence}"


def _unstated(bound: FactBound, evidence: Evidence, consequence: str) -> Iterator[str]:
    """What follows where a required fact is unknown of every candidate."""
    if all(judge_fact(bound, a.facts).status == "unknown" for a in evidence.alternatives):
        yield f"of no candidate it is known whether “{bound.text}”, so that {consequence}"
