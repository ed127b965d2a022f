"""No worse than today's model: what counts, held against one candidate with both intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches

from advisor.evidence.alternatives import Evidence
from advisor.explanation.wording import difference_text, flag_text, full_title, value_text
from advisor.ranking.findings import BaselineBound
from advisor.ranking.matrix import criterion_of
from advisor.records import Figure, Outcome
from advisor.scenario.loading import Scenario
from profiles_db.criteria import CRITERIA, Scale


def baseline_bounds(scenario: Scenario, evidence: Evidence) -> tuple[BaselineBound, ...]:
    """One bound for each criterion in which a candidate may not be worse; none without a baseline.

    Raises
    ------
    ScenarioError
        The evidence has no candidate of that name, or several.
    """
    spec = scenario.spec.baseline
    if spec is None:
        return ()
    named = [a for a in evidence.alternatives if spec.candidate == a.name]
    named = named or [a for a in evidence.alternatives if spec.candidate == a.backbone]
    if len(named) != 1:
        names = sorted(a.name for a in evidence.alternatives)
        near = get_close_matches(spec.candidate, names, n=1)
        what = "several candidates are" if named else "the evidence has no candidate"
        raise scenario.problem(
            ("baseline", "candidate"),
            f"{what} {spec.candidate!r:.60}",
            rule="one of " + ", ".join(names),
            remedy=f"did you mean {near[0]!r}?" if near else None,
        )
    (baseline,) = named
    keys = spec.aspects or tuple(key for key, raw in scenario.spec.priorities.items() if raw)
    criteria = dict.fromkeys(criterion_of(key, evidence.study, scenario) for key in keys)
    return tuple(
        BaselineBound(
            id=f"baseline.{name}",
            criterion=name,
            title=CRITERIA[name].title,
            unit=CRITERIA[name].unit,
            baseline=baseline.name,
            on_unknown=spec.on_unknown,
            flagged=scenario.spec.flagged,
            text=f"{full_title(name)} no worse than that of {baseline.title}",
            why="",
        )
        for name in criteria
    )


def judge_against(
    bound: BaselineBound, name: str, figures: Mapping[str, Mapping[str, Figure]], scale: Scale
) -> Outcome:
    """Whether a candidate is worse than the baseline, not worse, or cannot be told apart from it.

    The two figures vary independently, so their distances to the ends of their intervals combine in
    quadrature. Worse: the whole 95 % interval of the difference lies on the bad side; not worse:
    none of it does. That both were measured on the same clips makes it wider than it need be.
    """
    if name == bound.baseline:
        return Outcome(bound.id, "pass", blocks=False, found="it is the baseline")
    own, others = figures[name].get(bound.criterion), figures[bound.baseline].get(bound.criterion)
    for whose, figure in (("its", own), ("the baseline's", others)):
        if reason := _unusable(figure, bound):
            return Outcome(
                bound.id, "unknown", bound.on_unknown == "fail", reason=f"{whose} figure: {reason}"
            )
    assert own is not None  # noqa: S101 - `_unusable` told it
    assert others is not None  # noqa: S101
    assert own.value is not None  # noqa: S101
    assert others.value is not None  # noqa: S101
    low, high = _difference(own, others)
    sign = 1.0 if CRITERIA[bound.criterion].direction == "maximise" else -1.0
    margin = sign * (own.value - others.value)
    worst, best = min(sign * low, sign * high), max(sign * low, sign * high)
    said = difference_text(own.value - others.value, low, high, bound.unit)
    found = f"{value_text(bound.criterion, own.value)}, {said}"
    if worst < 0 <= best:
        reason = f"{found}: the interval holds both better and worse"
        return Outcome(bound.id, "unknown", bound.on_unknown == "fail", reason=reason)
    return Outcome(
        bound.id,
        "pass" if worst >= 0 else "fail",
        blocks=worst < 0,
        tested=own.value,
        margin=margin,
        margin_share=margin / abs(scale.best - scale.worst),
        found=found,
    )


def _unusable(figure: Figure | None, bound: BaselineBound) -> str:
    if figure is None:
        return "the evidence has none"
    if figure.value is None:
        return figure.unknown or "unknown"
    return flag_text(figure) if figure.distrusted(bound.flagged) else ""


def _difference(own: Figure, others: Figure) -> tuple[float, float]:
    """The 95 % interval of the difference; figures without an interval are taken as exact."""
    assert own.value is not None  # noqa: S101
    assert others.value is not None  # noqa: S101
    value = own.value - others.value
    below = math.hypot(_side(own.value, own.low), _side(others.high, others.value))
    above = math.hypot(_side(own.high, own.value), _side(others.value, others.low))
    return value - below, value + above


def _side(upper: float | None, lower: float | None) -> float:
    return 0.0 if upper is None or lower is None else max(0.0, upper - lower)
