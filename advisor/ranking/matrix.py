"""The decision matrix: weighted criteria by candidates, on fixed scales, and the best of them.

Which criterion stands for an aspect follows from the study, its share from the priorities.

Candidates stand in alphabetical order, so that among equals the first one found is the first in
the alphabet, whatever the order of the evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from advisor.ranking.findings import WeightedCriterion
from advisor.ranking.methods import METHODS
from advisor.ranking.scoring import Array
from advisor.records import Figure, OnFlag, StudyRecord
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


Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Scores of the candidates that have a figure on every weighted criterion.

    Parameters
    ----------
    names : tuple of str
        The candidates in alphabetical order.
    criteria : tuple of WeightedCriterion
    values : ndarray, shape (candidates, criteria)
        In the criteria's units; where a figure earns nothing, the worst end of its scale.
    weights : ndarray, shape (criteria,)
        Summing to 1.
    method : str
        Name of the ranking method.
    flagged : OnFlag
        What flagged figures count as.
    barred : ndarray of bool, shape (candidates, criteria)
        Which figures earn nothing, so that they do not vary either: flagged and not relied on, or
        no better than guessing.
    """

    names: tuple[str, ...]
    criteria: tuple[WeightedCriterion, ...]
    values: Array
    weights: Array
    method: str
    flagged: OnFlag
    barred: Mask

    @property
    def scores(self) -> Array:
        """Values on the fixed scales, in [0, 1], shape (candidates, criteria)."""
        return self.score(self.values)

    def score(self, values: Array) -> Array:
        """Values of shape (..., criteria) on the fixed scales, cut at their ends."""
        worst = np.array([criterion.worst for criterion in self.criteria])
        best = np.array([criterion.best for criterion in self.criteria])
        scores: Array = np.clip((values - worst) / (best - worst), 0.0, 1.0)
        return scores

    def combine(self, scores: Array | None = None, weights: Array | None = None) -> Array:
        """The method's result for every candidate, shape (..., candidates)."""
        scores = self.scores if scores is None else scores
        return METHODS[self.method].score(scores, self.weights if weights is None else weights)

    def with_method(self, method: str) -> Matrix:
        """The same matrix under another method."""
        return replace(self, method=method)

    def order(self, names: Iterable[str], result: Array | None = None) -> tuple[str, ...]:
        """`names` by the method's result, best first, equals in alphabetical order."""
        result = self.combine() if result is None else result
        place = {name: (-result[i], name) for i, name in enumerate(self.names)}
        return tuple(sorted(names, key=place.__getitem__))

    def mask(self, names: Iterable[str]) -> Mask:
        """Which candidates are among `names`, shape (candidates,)."""
        chosen = set(names)
        return np.array([name in chosen for name in self.names], dtype=np.bool_)

    def best(self, eligible: Iterable[str], weights: Array | None = None) -> str | None:
        """The best of the eligible, None where there is none."""
        index = int(best_index(self.combine(weights=weights), self.mask(eligible)))
        return self.names[index] if index >= 0 else None


def best_index(combined: Array, eligible: Mask) -> NDArray[np.intp]:
    """Index of the best eligible candidate along the last axis, -1 where there is none."""
    if combined.shape[-1] == 0:
        return np.full(combined.shape[:-1], -1, dtype=np.intp)
    held = np.where(eligible, combined, -np.inf)
    return np.where(eligible.any(axis=-1), np.argmax(held, axis=-1), -1)


def build(
    figures: Mapping[str, Mapping[str, Figure]],
    criteria: tuple[WeightedCriterion, ...],
    method: str,
    flagged: OnFlag,
) -> Matrix:
    """The matrix of all candidates whose weighted criteria are known.

    Parameters
    ----------
    figures : mapping from candidate to mapping from criterion to Figure
    criteria : tuple of WeightedCriterion
    method : str
    flagged : OnFlag
        Whether flagged figures stand at the worst end of their scale. Not at the worst end of
        their interval: an attack without gradients, or a head that gives one answer only, has a
        narrow interval around a perfect value.
    """
    scored = [
        name
        for name, known in sorted(figures.items())
        if all(c.criterion in known and known[c.criterion].value is not None for c in criteria)
    ]
    table = [[figures[name][c.criterion] for c in criteria] for name in scored]
    shape = (len(scored), len(criteria))
    barred = np.array([[figure.earns_nothing(flagged) for figure in row] for row in table])
    barred = barred.astype(np.bool_).reshape(shape)
    worst = np.array([criterion.worst for criterion in criteria])
    values = np.array([[figure.value for figure in row] for row in table], dtype=np.float64)
    values = np.where(barred, worst, values.reshape(shape))
    weights = np.array([criterion.weight for criterion in criteria])
    return Matrix(tuple(scored), criteria, values, weights, method, flagged, barred)
