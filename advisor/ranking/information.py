"""Which single measurement would most likely change the choice, and which evidence is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Final

import numpy as np

from advisor.explanation.wording import flag_text
from advisor.ranking.findings import AnyBound, Bound, Missing, Sway, WeightedCriterion
from advisor.ranking.matrix import Mask, Matrix, best_index
from advisor.ranking.scoring import Array
from advisor.ranking.uncertainty import spread
from advisor.records import Figure, OnFlag, Outcome

POINTS: Final = 101
"""Evenly likely values over a figure's interval at which the choice is made again."""

_NORMAL: Final = np.array([NormalDist().inv_cdf((k + 0.5) / POINTS) for k in range(POINTS)])

Figures = Mapping[str, Mapping[str, Figure]]
Outcomes = Mapping[str, Sequence[Outcome]]


def sways(
    matrix: Matrix,
    figures: Figures,
    bounds: Sequence[AnyBound],
    outcomes: Outcomes,
    choice: str | None,
) -> tuple[Sway, ...]:
    """For each figure in use, how likely a better measurement of it alone changes the choice.

    Likeliest first; figures that cannot change it are left out.
    """
    used = {c.criterion for c in matrix.criteria}
    used |= {bound.criterion for bound in bounds if isinstance(bound, Bound)}
    found = [
        sway
        for name in matrix.names
        for criterion in sorted(used & figures[name].keys())
        if (sway := _sway(matrix, figures, bounds, outcomes, choice, (name, criterion))) is not None
    ]
    return tuple(
        sorted(found, key=lambda sway: (-sway.probability, sway.candidate, sway.criterion))
    )


def _sway(
    matrix: Matrix,
    figures: Figures,
    bounds: Sequence[AnyBound],
    outcomes: Outcomes,
    choice: str | None,
    cell: tuple[str, str],
) -> Sway | None:
    name, criterion = cell
    figure = figures[name][criterion]
    if figure.value is None or figure.low is None or figure.low == figure.high:
        return None
    values = spread(figure, _NORMAL)
    eligible = _eligible(matrix, bounds, outcomes, name, criterion, values - figure.value)
    chosen = best_index(_combined(matrix, name, criterion, values), eligible)
    names = [matrix.names[index] if index >= 0 else None for index in chosen.tolist()]
    others = Counter(other for other in names if other != choice)
    if not others:
        return None
    towards, _ = min(others.items(), key=lambda item: (-item[1], item[0] or ""))
    return Sway(name, criterion, others.total() / POINTS, towards)


def _combined(matrix: Matrix, name: str, criterion: str, values: Array) -> Array:
    tables = np.repeat(matrix.values[None], len(values), axis=0)
    row = matrix.names.index(name)
    for column, weighted in enumerate(matrix.criteria):
        if weighted.criterion == criterion and not matrix.barred[row, column]:
            tables[:, row, column] = values
    return matrix.combine(matrix.score(tables))


def _eligible(
    matrix: Matrix,
    bounds: Sequence[AnyBound],
    outcomes: Outcomes,
    name: str,
    criterion: str,
    shift: Array,
) -> Mask:
    """Who is eligible when one figure moves by `shift`, shape (points, candidates)."""
    fixed = np.array([not any(o.blocks for o in outcomes[n]) for n in matrix.names])
    eligible = np.repeat(fixed[None], len(shift), axis=0)
    own = np.ones(len(shift), dtype=np.bool_)
    for bound, outcome in zip(bounds, outcomes[name], strict=True):
        if not isinstance(bound, Bound) or bound.criterion != criterion or outcome.margin is None:
            own &= not outcome.blocks
        else:
            own &= outcome.margin + (shift if bound.comparison == "at_least" else -shift) >= 0
    eligible[:, matrix.names.index(name)] = own
    return eligible


def missing(
    matrix: Matrix,
    figures: Figures,
    bounds: Sequence[AnyBound],
    outcomes: Outcomes,
    choice: str | None,
) -> tuple[Missing, ...]:
    """Figures that a weight or a bound needs and the evidence lacks, or has but flagged."""
    weighted = {c.criterion: matrix.flagged for c in matrix.criteria}
    bounded = [(bound.criterion, bound.flagged) for bound in bounds if isinstance(bound, Bound)]
    used = [*weighted.items(), *bounded]
    return tuple(
        Missing(
            name,
            criterion,
            _reason(known.get(criterion)),
            flagged=criterion in known and known[criterion].value is not None,
            could_change=_could_win(matrix, name, known, outcomes[name], choice),
        )
        for name, known in sorted(figures.items())
        for criterion in dict.fromkeys(criterion for criterion, _ in used)
        if any(_lacks(known, *use) for use in used if use[0] == criterion)
    )


def _lacks(known: Mapping[str, Figure], criterion: str, flagged: OnFlag) -> bool:
    figure = known.get(criterion)
    return figure is None or figure.value is None or figure.distrusted(flagged)


def _reason(figure: Figure | None) -> str:
    if figure is None:
        return "the evidence has no such figure"
    return flag_text(figure) if figure.value is not None else figure.unknown or "unknown"


def _could_win(
    matrix: Matrix,
    name: str,
    known: Mapping[str, Figure],
    outcomes: Sequence[Outcome],
    choice: str | None,
) -> bool:
    """Whether the candidate would be chosen if all that is unknown of it were at its best."""
    if name == choice or any(o.blocks and o.status == "fail" for o in outcomes):
        return False
    if choice is None:
        return True
    row = score_range(matrix, name, known)[1]
    return row > float(matrix.combine()[matrix.names.index(choice)])


def score_range(matrix: Matrix, name: str, known: Mapping[str, Figure]) -> tuple[float, float]:
    """The score of a candidate if all it lacks were at the worst, and at the best end.

    It lacks what is unknown and what is flagged and not relied on.
    """
    return (_score_at(matrix, name, known, best=False), _score_at(matrix, name, known, best=True))


def _score_at(matrix: Matrix, name: str, known: Mapping[str, Figure], *, best: bool) -> float:
    row = [_value_at(known, c, matrix.flagged, best=best) for c in matrix.criteria]
    others = [index for index, other in enumerate(matrix.names) if other != name]
    scores = matrix.score(np.vstack([matrix.values[others], np.array(row, dtype=np.float64)]))
    return float(matrix.combine(scores)[-1])


def _value_at(
    known: Mapping[str, Figure], criterion: WeightedCriterion, flagged: OnFlag, *, best: bool
) -> float | None:
    if _lacks(known, criterion.criterion, flagged):
        return criterion.best if best else criterion.worst
    figure = known[criterion.criterion]
    return criterion.worst if figure.guessed else figure.value
