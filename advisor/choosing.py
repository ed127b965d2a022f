"""From a scenario and its evidence to a decision, with all that is said of each candidate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from advisor.decision import FORMAT, Decision, canonical_json
from advisor.evidence.gathering import Evidence, gather
from advisor.explanation.application import cautions, coverage
from advisor.explanation.grading import grade
from advisor.explanation.sentences import explain
from advisor.ranking import sensitivity
from advisor.ranking.baseline import baseline_bounds, judge_against
from advisor.ranking.dominance import dominators_of, plane
from advisor.ranking.fact_requirements import judge_fact
from advisor.ranking.findings import AnyBound, Bound, FactBound, Sampling, WeightedCriterion
from advisor.ranking.information import missing, score_range, sways
from advisor.ranking.judgement import Judgement
from advisor.ranking.matrix import build, shown_aspects, standing_for, weighted_criteria
from advisor.ranking.requirements import bounds_of, is_near, judge, relaxations
from advisor.ranking.uncertainty import DRAWS, WEIGHT_FACTOR, Draws, tie_groups
from advisor.records import (
    Alternative,
    Candidate,
    Figure,
    Grade,
    Outcome,
    ScenarioRecord,
    values_of,
)
from advisor.scenario.loading import Scenario, load_scenario
from profiles_db.criteria import ASPECTS, CRITERIA, OPTIONAL_ASPECTS, Aspect
from profiles_db.errors import EvidenceError, InputError
from profiles_db.profile import Profile


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


def candidates(
    judgement: Judgement, draws: Draws, groups: Sequence[Sequence[str]]
) -> tuple[Candidate, ...]:
    """All candidates, those of the ranking first, then those without a score by name."""
    unscored = sorted(name for name in judgement.alternatives if name not in judgement.ranking)
    probabilities = draws.rank_probabilities(judgement.eligible)
    group_of = {name: number for number, group in enumerate(groups, 1) for name in group}
    shared = _shared(judgement, draws)
    return tuple(
        _candidate(
            judgement,
            draws,
            name,
            {
                **shared.get(name, _unscored(judgement, name)),
                "rank_probabilities": probabilities.get(name, ()),
                "tie_group": group_of.get(name),
            },
        )
        for name in (*judgement.ranking, *unscored)
    )


def digest_of(figure: Figure) -> str:
    """Digest of a figure, by which an altered one is found and named."""
    return hashlib.sha256(canonical_json(asdict(figure)).encode()).hexdigest()[:16]


def _shared(judgement: Judgement, draws: Draws) -> dict[str, dict[str, Any]]:
    """What is computed for all scored candidates at once."""
    matrix, by = judgement.matrix, dominators_of(judgement.matrix)
    intervals, results = draws.score_intervals(), matrix.combine()
    return {
        name: {
            "score": float(results[row]),
            "score_low": float(intervals[0, row]),
            "score_high": float(intervals[1, row]),
            "dominated_by": by[name],
            "on_front": not by[name],
        }
        for row, name in enumerate(matrix.names)
    }


def _unscored(judgement: Judgement, name: str) -> dict[str, Any]:
    low, high = score_range(judgement.matrix, name, judgement.figures[name])
    bounds = {"score_low": low, "score_high": high}
    return {"score": None, **bounds, "dominated_by": (), "on_front": False}


def _candidate(judgement: Judgement, draws: Draws, name: str, results: dict[str, Any]) -> Candidate:
    alternative = judgement.alternatives[name]
    scores, off_scale = _scores(judgement, alternative.figures)
    contributions = {c.criterion: c.weight * scores[c.criterion] for c in judgement.criteria
                     if c.criterion in scores}  # fmt: skip
    outcomes = _with_probabilities(judgement, draws, name)
    found = relaxations(judgement.bounds, outcomes)
    eligible = name in judgement.eligible
    return Candidate(
        **values_of(alternative, Alternative),
        digests={key: digest_of(figure) for key, figure in alternative.figures.items()},
        eligible=eligible,
        position=judgement.eligible.index(name) + 1 if eligible else None,
        scores=scores,
        off_scale=off_scale,
        distrusted=_weighted(judgement, lambda f: f.distrusted(judgement.matrix.flagged), name),
        guessed=_weighted(judgement, lambda f: f.guessed, name),
        grades=_grades(judgement, alternative.figures),
        contributions=contributions,
        aspect_contributions=_by_aspect(judgement, contributions),
        outcomes=outcomes,
        relaxations=found,
        near_miss=is_near(found),
        meets_probability=_meets(judgement, draws, name, outcomes),
        **results,
    )


def _weighted(judgement: Judgement, holds: Callable[[Figure], bool], name: str) -> tuple[str, ...]:
    """The weighted criteria of whose figure something holds."""
    figures = judgement.figures[name]
    names = [c.criterion for c in judgement.criteria if c.criterion in figures]
    return tuple(criterion for criterion in names if holds(figures[criterion]))


def _grades(judgement: Judgement, figures: Mapping[str, Figure]) -> dict[Aspect, Grade]:
    """Each aspect in a word, by the criterion that stands for it here."""
    study, flagged = judgement.evidence.study, judgement.matrix.flagged
    shown = shown_aspects(judgement.criteria, study)
    stands = {aspect: standing_for(aspect, judgement.criteria, study) for aspect in shown}
    return {aspect: grade(figures.get(name), flagged) for aspect, name in stands.items()}


def _scores(
    judgement: Judgement, figures: Mapping[str, Figure]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Scores of what is known, 0 for what earns nothing, and what is off its scale."""
    scores, off_scale = {}, []
    for criterion in judgement.criteria:
        figure = figures.get(criterion.criterion)
        if figure is None or figure.value is None:
            continue
        if figure.earns_nothing(judgement.matrix.flagged):
            scores[criterion.criterion] = 0.0
            continue
        raw = (figure.value - criterion.worst) / (criterion.best - criterion.worst)
        scores[criterion.criterion] = min(1.0, max(0.0, raw))
        if not 0.0 <= raw <= 1.0:
            off_scale.append(criterion.criterion)
    return scores, tuple(off_scale)


def _by_aspect(judgement: Judgement, contributions: Mapping[str, float]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for criterion in judgement.criteria:
        share = contributions.get(criterion.criterion, 0.0)
        totals[criterion.aspect] = totals.get(criterion.aspect, 0.0) + share
    return {aspect: totals[aspect] for aspect in ASPECTS if aspect in totals}


def _with_probabilities(judgement: Judgement, draws: Draws, name: str) -> tuple[Outcome, ...]:
    found = []
    for bound, outcome in zip(judgement.bounds, judgement.outcomes[name], strict=True):
        held = draws.holds(bound, outcome, name)
        probability = None if held is None else float(np.mean(held))
        found.append(replace(outcome, probability=probability))
    return tuple(found)


def _meets(
    judgement: Judgement, draws: Draws, name: str, outcomes: Sequence[Outcome]
) -> float | None:
    if any(outcome.status == "unknown" for outcome in outcomes):
        return None
    return float(np.mean(draws.meets(judgement.bounds, judgement.outcomes[name], name)))


_DEVICE_CRITERIA = ("latency_p50", "latency_p95", "real_time_factor", "memory")
MOST_SEED = 2**63 - 1
