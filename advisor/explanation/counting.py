"""Whether an advantage in cost is real, or comes from how operations were counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from typing import Final

from advisor.explanation.citing import cite
from advisor.explanation.wording import value_text
from advisor.ranking.findings import Sentence
from advisor.ranking.judgement import Judgement
from advisor.ranking.matrix import build
from profiles_db.criteria import CRITERIA

NOTABLE: Final = 0.05
"""An advantage below this share is not worth a sentence."""


def artefacts(judgement: Judgement) -> Iterator[tuple[str, str]]:
    """Pairs of candidates: cheaper than the other as the paper counts, but not counted whole."""
    for first, second in permutations(sorted(judgement.figures), 2):
        paper = _cost(judgement, first, "paper_macs"), _cost(judgement, second, "paper_macs")
        whole = _cost(judgement, first, "macs"), _cost(judgement, second, "macs")
        if None in (*paper, *whole):
            continue
        cheaper = _advantage(*paper) >= NOTABLE  # type: ignore[arg-type]
        if cheaper and _advantage(*whole) <= 0:  # type: ignore[arg-type]
            yield first, second


def _cost(judgement: Judgement, name: str, criterion: str) -> float | None:
    figure = judgement.figures[name].get(criterion)
    return None if figure is None else figure.value


def _advantage(first: float, second: float) -> float:
    return (second - first) / second if second > 0 else 0.0


def counting_sentences(judgement: Judgement) -> Iterator[Sentence]:
    """What the counting does to costs and to the choice, where the paper's counting is weighed."""
    if not any(c.criterion == "paper_macs" for c in judgement.criteria):
        return
    for first, second in artefacts(judgement):
        yield Sentence("counting", first, _artefact_text(judgement, first, second))
    other = choice_counted_whole(judgement)
    if judgement.choice is None or other is None:
        return
    title, chosen = judgement.titles[other], judgement.titles[judgement.choice]
    if other == judgement.choice:
        text = f"Weighed by the operations counted whole, the choice stays {chosen}."
    else:
        text = f"Weighed by the operations counted whole, {title} would be chosen, not {chosen}."
    yield Sentence("counting", other, text)


def _artefact_text(judgement: Judgement, first: str, second: str) -> str:
    def cost(name: str, criterion: str) -> str:
        value = _cost(judgement, name, criterion)
        if value is None:
            return "unknown"
        return cite(value_text(criterion, value), "figure", candidate=name, criterion=criterion)

    titles = judgement.titles
    return (
        f"That {titles[first]} costs less than {titles[second]} by the paper's counting "
        f"({cost(first, 'paper_macs')} against {cost(second, 'paper_macs')}) is an artefact of "
        f"that counting: with every operator counted it is {cost(first, 'macs')} against "
        f"{cost(second, 'macs')}."
    )


def choice_counted_whole(judgement: Judgement) -> str | None:
    """The choice if `macs` were weighed in place of `paper_macs`."""
    scale = CRITERIA["macs"].scale
    criteria = tuple(
        replace(c, criterion="macs", worst=scale.worst, best=scale.best)
        if c.criterion == "paper_macs"
        else c
        for c in judgement.criteria
    )
    known = {name: judgement.figures[name] for name in judgement.eligible}
    matrix = build(known, criteria, judgement.matrix.method, judgement.matrix.flagged)
    complete = len(matrix.names) == len(judgement.eligible)
    return matrix.best(matrix.names) if complete else None
