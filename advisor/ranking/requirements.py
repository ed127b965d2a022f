"""Requirements and budgets: who holds which bound, by how much, and what would let one in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from advisor.explanation.wording import flag_text, full_title, value_text
from advisor.ranking.fact_requirements import fact_text
from advisor.ranking.findings import AnyBound, Bound, FactBound
from advisor.records import Figure, Outcome, Relaxation
from advisor.scenario.fact_language import FactRequirementSpec
from advisor.scenario.loading import Scenario
from advisor.scenario.quantities import parse_quantity, quantity_text, write_quantity
from profiles_db.criteria import CRITERIA, Scale
from profiles_db.encoder_facts import FACTS

NEAR: Final = 0.25
"""A near miss: the bounds it fails have to move by at most this share of their scales, all told,"""
NEAR_RELATIVE: Final = 0.5
"""and each by at most this share of itself."""


def bounds_of(scenario: Scenario) -> tuple[AnyBound, ...]:
    """All bounds of a scenario: its requirements, then its budget, each with its own id."""
    spec, bounds = scenario.spec, list[AnyBound]()
    for stated in spec.requirements:
        if isinstance(stated, FactRequirementSpec):
            bounds.append(_fact_bound(stated, _unique(stated.fact, bounds)))
            continue
        bounds.append(
            _bound(
                id=_unique(stated.criterion, bounds),
                kind="requirement",
                criterion=stated.criterion,
                comparison=stated.comparison,
                bound=stated.bound,
                holds_for=stated.holds_for,
                on_unknown=stated.on_unknown,
                flagged=stated.flagged or spec.flagged,
                why=stated.why,
            )
        )
    for criterion, bound in spec.budget.bounds().items():
        bounds.append(
            _bound(
                id=_unique(f"budget.{criterion}", bounds),
                kind="budget",
                criterion=criterion,
                comparison="at_most",
                bound=bound,
                holds_for="value",
                on_unknown="fail",
                flagged=spec.flagged,
                why="",
            )
        )
    return tuple(bounds)


def _fact_bound(stated: FactRequirementSpec, unique: str) -> FactBound:
    return FactBound(
        id=unique,
        fact=stated.fact,
        title=FACTS[stated.fact].title,
        test=stated.test,
        expected=stated.expected,
        on_unknown=stated.on_unknown,
        text=fact_text(stated.fact, stated.test, stated.expected),
        why=stated.why,
    )


def _bound(**stated: Any) -> Bound:
    """A bound of what the scenario states, with the words and the unit of its criterion."""
    criterion = CRITERIA[stated["criterion"]]
    words = str(stated["comparison"]).replace("_", " ")
    shown = quantity_text(stated["bound"], criterion.unit)
    whole = " over its whole interval" if stated["holds_for"] == "interval" else ""
    text = f"{full_title(criterion.name)} {words} {shown}{whole}"
    return Bound(**stated, title=criterion.title, unit=criterion.unit, text=text)


def _unique(name: str, bounds: Iterable[AnyBound]) -> str:
    taken = {bound.id for bound in bounds}
    number, unique = 2, name
    while unique in taken:
        unique, number = f"{name}-{number}", number + 1
    return unique


def judge(bound: Bound, figures: Mapping[str, Figure], scale: Scale) -> Outcome:
    """How a candidate's figures do on one bound; what is unknown or distrusted never passes.

    `scale` is that of the criterion, of which the margin is stated as a share.
    """
    tested, reason = _tested(bound, figures.get(bound.criterion))
    if tested is None:
        blocks = bound.on_unknown == "fail"
        return Outcome(bound.id, "unknown", blocks=blocks, reason=reason)
    sign = 1.0 if bound.comparison == "at_least" else -1.0
    margin = sign * (tested - bound.bound)
    share = margin / abs(scale.best - scale.worst)
    holds = margin >= 0
    return Outcome(
        bound.id, "pass" if holds else "fail", blocks=not holds, tested=tested, margin=margin,
        margin_share=share,
    )  # fmt: skip


def _tested(bound: Bound, figure: Figure | None) -> tuple[float | None, str]:
    if figure is None:
        return None, "the evidence has no such figure"
    if figure.value is None:
        return None, figure.unknown or "unknown"
    if figure.distrusted(bound.flagged):
        return None, f"{value_text(figure.criterion, figure.value)} is {flag_text(figure)}"
    if bound.holds_for == "value":
        return figure.value, ""
    safe = figure.low if bound.comparison == "at_least" else figure.high
    return safe, "" if safe is not None else "the figure has no interval"


def relaxations(bounds: Iterable[AnyBound], outcomes: Iterable[Outcome]) -> tuple[Relaxation, ...]:
    """The smallest change of each bound that blocks a candidate, which together let it in."""
    return tuple(
        _relaxation(bound, outcome)
        for bound, outcome in zip(bounds, outcomes, strict=True)
        if outcome.blocks
    )


def _relaxation(bound: AnyBound, outcome: Outcome) -> Relaxation:
    if not isinstance(bound, Bound):
        return Relaxation(bound.id, None, None, "", None)
    if outcome.tested is None or outcome.margin_share is None:
        return Relaxation(bound.id, bound.bound, None, "", None)
    unit = CRITERIA[bound.criterion].unit
    text = write_quantity(outcome.tested, unit, up=bound.comparison == "at_most")
    to = parse_quantity(text, unit)
    return Relaxation(bound.id, bound.bound, to, text, -outcome.margin_share)


def is_near(found: tuple[Relaxation, ...]) -> bool:
    """Whether a candidate is out by little, as `NEAR` and `NEAR_RELATIVE` say."""
    return bool(found) and sum(map(_distance, found)) <= NEAR


def _distance(relaxation: Relaxation) -> float:
    if relaxation.to is None or relaxation.share is None or relaxation.bound is None:
        return math.inf
    change = abs(relaxation.to - relaxation.bound)
    return relaxation.share if change <= NEAR_RELATIVE * abs(relaxation.bound) else math.inf
