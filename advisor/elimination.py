"""Which candidates can still come out first, while they are being measured.

A candidate that is not measured in full may turn out better than it looks. So each is given every
benefit of what is unknown: its own unknown figures stand at the best end of their scales and hold
every bound, those of the others at the worst end. Its *reach* is the share of draws in which it
then comes out first. The draws are those of a decision (`advisor.ranking.uncertainty`).

Who looks L times at C candidates drops those whose reach is below (1 - confidence) / (C L): the
chances to drop, at any look, somebody who is in truth the best add up to 1 - confidence at most
(Bonferroni), as far as the draws are right. In simulated races over 1, 2 and 5 folds at 95 %
(`python -m benchmarks.choosing`) two equal candidates lost one in 4 % of the races, three and more
were left with one in less than 1 %; and who came first with all folds had been dropped in 1.3 % of
the races or fewer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from advisor.choosing import judgement_of
from advisor.evidence.gathering import Evidence
from advisor.ranking.baseline import baseline_bounds
from advisor.ranking.findings import BaselineBound, Bound, Sampling
from advisor.ranking.matrix import weighted_criteria
from advisor.ranking.requirements import bounds_of
from advisor.ranking.uncertainty import DRAWS, WEIGHT_FACTOR, Draws
from advisor.records import Alternative, Figure
from advisor.scenario.loading import Scenario
from profiles_db.criteria import CRITERIA, Scale


def needed_criteria(scenario: Scenario, evidence: Evidence) -> tuple[str, ...]:
    """The criteria that a scenario weighs or bounds."""
    weighed = [c.criterion for c in weighted_criteria(scenario, evidence.study)]
    bounded = [bound.criterion for bound in figure_bounds(scenario)]
    compared = [bound.criterion for bound in baseline_bounds(scenario, evidence)]
    return tuple(dict.fromkeys([*weighed, *bounded, *compared]))


def figure_bounds(scenario: Scenario) -> tuple[Bound, ...]:
    """The requirements and budgets on figures; those on facts need no measuring."""
    return tuple(bound for bound in bounds_of(scenario) if isinstance(bound, Bound))


def allowance(confidence: float, candidates: int, looks: int) -> float:
    """The reach below which a candidate goes, so that all looks together keep `confidence`.

    Examples
    --------
    >>> round(allowance(0.95, 5, 2), 6)
    0.005
    """
    return (1.0 - confidence) / (candidates * looks)


def reach(
    scenario: Scenario, evidence: Evidence, unfinished: Collection[str], *, seed: int = 0
) -> dict[str, float]:
    """In what share of the draws each candidate could come out first.

    Parameters
    ----------
    scenario : Scenario
    evidence : Evidence
        Figures as they are now.
    unfinished : collection of str
        Candidates whose unknown figures may still become known; what is flagged of them may still
        become trusted, and what looks no better than guessing may rise. Of the others the unknown
        stays unknown.
    seed : int, optional

    Returns
    -------
    dict from candidate to float
        In [0, 1]; they sum to more than 1 where much is unknown.
    """
    criteria = needed_criteria(scenario, evidence)
    bounds = figure_bounds(scenario)
    scales = {name: scenario.spec.scale_of(name) for name in criteria}
    sampling = Sampling(DRAWS, seed, WEIGHT_FACTOR)
    found = {}
    for own in evidence.alternatives:
        assumed = [
            _assumed(one, scales, bounds if one.name == own.name else None)
            if one.name in unfinished
            else one
            for one in evidence.alternatives
        ]
        judgement = judgement_of(scenario, replace(evidence, alternatives=tuple(assumed)))
        draws = Draws(judgement.matrix, judgement.figures, sampling)
        outcomes = judgement.outcomes
        if unfinished:  # whether it falls behind the baseline may still be told
            outcomes = {
                **outcomes,
                own.name: [
                    replace(outcome, blocks=False)
                    if isinstance(bound, BaselineBound) and outcome.status == "unknown"
                    else outcome
                    for bound, outcome in zip(judgement.bounds, outcomes[own.name], strict=True)
                ],
            }
        scored = own.name in judgement.matrix.names
        found[own.name] = draws.confidence(own.name, judgement.bounds, outcomes) if scored else 0.0
    return found


def unknown_of(alternative: Alternative, criteria: Collection[str]) -> tuple[str, ...]:
    """Those of `criteria` that a candidate has no trusted figure of."""
    return tuple(name for name in criteria if not _trusted(alternative.figures.get(name)))


def _trusted(figure: Figure | None) -> bool:
    """Whether it is known, not flagged, and has an interval, where it comes from clips."""
    if figure is None or figure.value is None or figure.flags:
        return False
    return figure.low is not None or CRITERIA[figure.criterion].aspect == "sustainability"


def _assumed(
    one: Alternative, scales: Mapping[str, Scale], bounds: Collection[Bound] | None
) -> Alternative:
    """A candidate with the unknown at the best end of its scale, where `bounds` are given so that
    it holds them; at the worst end otherwise."""
    figures = dict(one.figures)
    for name, scale in scales.items():
        figure = figures.get(name)
        if figure is not None and _trusted(figure):
            figures[name] = replace(figure, baseline=None)
        elif bounds is None:
            figures[name] = Figure(name, scale.worst, scale.worst, scale.worst)
        else:
            best = _best(name, scale, bounds)
            figures[name] = Figure(name, best, best, best)
    return replace(one, figures=figures)


def _best(name: str, scale: Scale, bounds: Collection[Bound]) -> float:
    """The better of the scale's best end and what its bounds ask for."""
    asked = [bound.bound for bound in bounds if bound.criterion == name]
    better = max if CRITERIA[name].direction == "maximise" else min
    return float(better([scale.best, *asked]))
