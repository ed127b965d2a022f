"""From a scenario and its evidence to a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from advisor.assembly import candidates
from advisor.decision import FORMAT, Decision
from advisor.evidence.gathering import Evidence, gather
from advisor.explanation.application import cautions, coverage
from advisor.explanation.sentences import explain
from advisor.ranking import sensitivity
from advisor.ranking.baseline import baseline_bounds, judge_against
from advisor.ranking.dominance import plane
from advisor.ranking.fact_requirements import judge_fact
from advisor.ranking.findings import AnyBound, Bound, FactBound, Sampling, WeightedCriterion
from advisor.ranking.information import missing, sways
from advisor.ranking.judgement import Judgement
from advisor.ranking.matrix import build
from advisor.ranking.requirements import bounds_of, judge
from advisor.ranking.uncertainty import DRAWS, WEIGHT_FACTOR, Draws, tie_groups
from advisor.ranking.weights import shown_aspects, weighted_criteria
from advisor.records import Alternative, Figure, Outcome, ScenarioRecord
from advisor.scenario.loading import Scenario, load_scenario
from profiles_db.criteria import CRITERIA, OPTIONAL_ASPECTS
from profiles_db.errors import EvidenceError, InputError
from profiles_db.profile import Profile

_DEVICE_CRITERIA = ("latency_p50", "latency_p95", "real_time_factor", "memory")
MOST_SEED = 2**63 - 1


def advise(
    scenario: Scenario | str | Path,
    evidence: Evidence | Sequence[Profile] | None = None,
    *,
    seed: int = 0,
) -> Decision:
    """Choose a backbone.

    Parameters
    ----------
    scenario : Scenario, str or Path
        A scenario, the path of a scenario file, or the name of a shipped one.
    evidence : Evidence or sequence of Profile, optional
        What to choose from: profiles of a database where the scenario asks for measured evidence.
        Not needed for published figures.
    seed : int
        Seed of the draws, 0 or above; the same seed gives the same decision.

    Returns
    -------
    Decision
        Its `choice` is None where no candidate meets the requirements.

    Raises
    ------
    ScenarioError
        The scenario breaks the language, or does not fit the evidence.
    EvidenceError
        The evidence is missing, or not comparable.
    InputError
        The seed is out of range.

    Examples
    --------
    >>> decision = advise("edge")
    >>> decision.choice, decision.ranking[:2]
    ('whisper_tiny', ('whisper_tiny', 'apc'))
    """
    if not 0 <= seed <= MOST_SEED:
        raise InputError(f"seed {seed}", rule=f"0 to {MOST_SEED}")
    if not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario)
    if not isinstance(evidence, Evidence):
        evidence = gather(scenario, evidence)
    return decide(scenario, evidence, Sampling(DRAWS, seed, WEIGHT_FACTOR))


def decide(scenario: Scenario, evidence: Evidence, sampling: Sampling) -> Decision:
    """The decision, all inputs at hand."""
    judgement = judgement_of(scenario, evidence)
    draws = Draws(judgement.matrix, judgement.figures, sampling)
    matrix, choice, eligible = judgement.matrix, judgement.choice, judgement.eligible
    facts = (matrix, judgement.figures, judgement.bounds, judgement.outcomes, choice)
    groups = tie_groups(draws, eligible)
    shown = shown_aspects(judgement.criteria, evidence.study)
    bounded = {b.criterion for b in judgement.bounds if not isinstance(b, FactBound)}
    undecided = Decision(
        format=FORMAT,
        choice=choice,
        ranking=judgement.ranking,
        priorities_ranking=judgement.by_priorities,
        confidence=draws.confidence(choice, judgement.bounds, judgement.outcomes)
        if choice
        else None,
        scenario=ScenarioRecord(
            scenario.name,
            scenario.spec.title,
            scenario.spec.context,
            scenario.spec.method,
            scenario.spec.flagged,
            scenario.texts,
            scenario.spec.purpose,
            scenario.spec.affected,
            scenario.spec.setting,
            scenario.spec.data.stated(),
        ),
        study=evidence.study,
        sampling=sampling,
        criteria=judgement.criteria,
        criteria_titles={
            name: criterion.title
            for name, criterion in CRITERIA.items()
            if criterion.aspect in shown or name in bounded
        },
        candidates=candidates(judgement, draws, groups),
        excluded=evidence.excluded,
        requirements=judgement.requirements,
        tie_groups=groups,
        beats={other: draws.beats(choice, other) for other in eligible[1:]} if choice else {},
        methods=judgement.methods,
        stability=sensitivity.stability(matrix, choice, eligible) if choice else (),
        flip=sensitivity.smallest_flip(matrix, choice, eligible) if choice else None,
        leave_one_out=sensitivity.leave_one_out(matrix, eligible),
        plane=plane(matrix, judgement.figures, evidence.study),
        sways=sways(*facts),
        missing=missing(*facts),
        explanation=(),
        versions=versions(),
        coverage=tuple(coverage(scenario.spec.data, evidence.study)),
        cautions=tuple(cautions(scenario.spec)),
    )
    return explain(undecided, judgement).sealed()


def judgement_of(scenario: Scenario, evidence: Evidence) -> Judgement:
    """Who meets what and who scores how much, without any drawing.

    Raises
    ------
    ScenarioError, EvidenceError
        The scenario does not fit the evidence.
    """
    criteria = weighted_criteria(scenario, evidence.study)
    bounds = (*bounds_of(scenario), *baseline_bounds(scenario, evidence))
    _check_known(criteria, evidence)
    _check_devices(criteria, bounds, evidence)
    figures = {a.name: a.figures for a in evidence.alternatives}
    outcomes = {
        a.name: [_outcome(scenario, bound, a, figures) for bound in bounds]
        for a in evidence.alternatives
    }
    matrix = build(figures, criteria, scenario.spec.method, scenario.spec.flagged)
    return Judgement(evidence, matrix, bounds, outcomes)


def _outcome(
    scenario: Scenario,
    bound: AnyBound,
    alternative: Alternative,
    figures: Mapping[str, Mapping[str, Figure]],
) -> Outcome:
    """How one candidate does on one bound."""
    if isinstance(bound, Bound):
        return judge(bound, alternative.figures, scenario.spec.scale_of(bound.criterion))
    if isinstance(bound, FactBound):
        return judge_fact(bound, alternative.facts)
    scale = scenario.spec.scale_of(bound.criterion)
    return judge_against(bound, alternative.name, figures, scale)


def _check_known(criteria: tuple[WeightedCriterion, ...], evidence: Evidence) -> None:
    for criterion in criteria:
        figures = [a.figures.get(criterion.criterion) for a in evidence.alternatives]
        if all(figure is None or figure.value is None for figure in figures):
            raise EvidenceError(
                f"no candidate has {criterion.criterion}{_reason(figures)}",
                where=f"priorities.{criterion.key}",
                rule="a criterion that counts is known for some candidate",
                remedy=_remedy(criterion, evidence),
            )


def _remedy(criterion: WeightedCriterion, evidence: Evidence) -> str:
    """What to do about a criterion that nobody has; for an aspect, which others somebody has."""
    simplest = "give it no priority, or measure it"
    if criterion.aspect in OPTIONAL_ASPECTS:
        return f"{simplest} with `trustser measure RUN --measures {criterion.aspect}`"
    if criterion.key != criterion.aspect:
        return simplest
    figures = [figure for a in evidence.alternatives for figure in a.figures.values()]
    known = {figure.criterion for figure in figures if figure.value is not None}
    others = [n for n, c in CRITERIA.items() if n in known and c.aspect == criterion.aspect]
    if not others:
        return simplest
    return f"give it no priority, measure it, or weigh {' or '.join(others)} instead"


def _reason(figures: Sequence[Figure | None]) -> str:
    reasons = {figure.unknown for figure in figures if figure and figure.unknown}
    return f" ({'; '.join(sorted(reasons))})" if reasons else ""


def _check_devices(
    criteria: tuple[WeightedCriterion, ...], bounds: tuple[AnyBound, ...], evidence: Evidence
) -> None:
    used = {c.criterion for c in criteria}
    used |= {bound.criterion for bound in bounds if not isinstance(bound, FactBound)}
    timed = sorted(used & set(_DEVICE_CRITERIA))
    devices = sorted({a.device for a in evidence.alternatives if a.device})
    if timed and len(devices) > 1:
        raise EvidenceError(
            f"{', '.join(timed)} was measured on several devices: {'; '.join(devices)}",
            rule="time and memory compare on one device",
            remedy="name one under evidence.device",
        )


@cache
def versions() -> dict[str, str]:
    """Versions of what computed the decision; a program run from its source has none."""
    return {name: _version(name) for name in ("trustser", "numpy")}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "from source"
