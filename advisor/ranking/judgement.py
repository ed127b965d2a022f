"""One decision's facts in one place: the matrix, the bounds, who is eligible, and the choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from advisor.evidence.gathering import Evidence
from advisor.ranking.findings import (
    AnyBound,
    AnyRequirement,
    BaselineBound,
    BaselineRequirement,
    Bound,
    FactBound,
    FactRequirement,
    MethodResult,
    Requirement,
    WeightedCriterion,
)
from advisor.ranking.matrix import Matrix
from advisor.ranking.methods import METHODS
from advisor.records import Alternative, Figure, Outcome, values_of


@dataclass(frozen=True)
class Judgement:
    """What follows from scenario and evidence without any drawing.

    Parameters
    ----------
    evidence : Evidence
    matrix : Matrix
    bounds : tuple of Bound and FactBound
    outcomes : mapping from candidate to sequence of Outcome
        In the order of `bounds`.
    """

    evidence: Evidence
    matrix: Matrix
    bounds: tuple[AnyBound, ...]
    outcomes: Mapping[str, Sequence[Outcome]]

    @property
    def criteria(self) -> tuple[WeightedCriterion, ...]:
        """The weighted criteria."""
        return self.matrix.criteria

    @cached_property
    def alternatives(self) -> dict[str, Alternative]:
        """The alternatives by name."""
        return {a.name: a for a in self.evidence.alternatives}

    @cached_property
    def figures(self) -> dict[str, Mapping[str, Figure]]:
        """The figures of every candidate, also of those without a score."""
        return {name: a.figures for name, a in self.alternatives.items()}

    @cached_property
    def titles(self) -> dict[str, str]:
        """How people call each candidate."""
        return {name: a.title for name, a in self.alternatives.items()}

    @cached_property
    def eligible(self) -> tuple[str, ...]:
        """Those that have a score and that no bound blocks, best first."""
        return self.matrix.order(self.passing())

    def passing(self, without: str | None = None) -> list[str]:
        """Scored candidates that no bound blocks, the bound of id `without` left aside."""
        return [
            name
            for name in self.matrix.names
            if not any(o.blocks for o in self.outcomes[name] if o.requirement != without)
        ]

    @cached_property
    def choice(self) -> str | None:
        """The best of the eligible."""
        return self.eligible[0] if self.eligible else None

    @cached_property
    def by_priorities(self) -> tuple[str, ...]:
        """All scored candidates as if there were no requirement, best first."""
        return self.matrix.order(self.matrix.names)

    @cached_property
    def ranking(self) -> tuple[str, ...]:
        """The eligible, then the other scored candidates, each by score."""
        return self.eligible + tuple(n for n in self.by_priorities if n not in self.eligible)

    @cached_property
    def requirements(self) -> tuple[AnyRequirement, ...]:
        """The bounds with what each does to the choice."""
        return tuple(self._requirement(bound) for bound in self.bounds)

    def _requirement(self, bound: AnyBound) -> AnyRequirement:
        without = self.matrix.best(self.passing(without=bound.id))
        blocked = [
            name
            for name, outcomes in self.outcomes.items()
            if any(o.blocks for o in outcomes if o.requirement == bound.id)
        ]
        done: dict[str, Any] = {
            "excludes": tuple(sorted(blocked)),
            "choice_without": without,
            "decisive": without != self.choice,
        }
        if isinstance(bound, FactBound):
            return FactRequirement(**values_of(bound, FactBound), **done)
        if isinstance(bound, BaselineBound):
            return BaselineRequirement(**values_of(bound, BaselineBound), **done)
        return Requirement(**values_of(bound, Bound), **done)

    @cached_property
    def methods(self) -> tuple[MethodResult, ...]:
        """The eligible under every method, that of the scenario first."""
        own = self.matrix.method
        return tuple(
            self._by_method(self.matrix.with_method(method))
            for method in (own, *(m for m in METHODS if m != own))
        )

    def _by_method(self, matrix: Matrix) -> MethodResult:
        result = matrix.combine()
        order = matrix.order(self.eligible, result)
        scores = dict(zip(matrix.names, result.tolist(), strict=True))
        agrees = bool(order) and order[0] == self.choice
        return MethodResult(matrix.method, order, {name: scores[name] for name in order}, agrees)
