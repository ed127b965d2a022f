"""The candidates of a decision, put together from what was judged and drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from advisor.decision import canonical_json
from advisor.explanation.grading import grade
from advisor.ranking.dominance import dominators_of
from advisor.ranking.information import score_range
from advisor.ranking.judgement import Judgement
from advisor.ranking.requirements import is_near, relaxations
from advisor.ranking.uncertainty import Draws
from advisor.ranking.weights import shown_aspects, standing_for
from advisor.records import Alternative, Candidate, Figure, Grade, Outcome, values_of
from profiles_db.criteria import ASPECTS, Aspect


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
