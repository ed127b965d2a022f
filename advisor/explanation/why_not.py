"""Why this candidate, and why not each of the others: sentences made from the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from advisor.explanation.citing import cite
from advisor.explanation.wording import against, listed, title_of, value_text
from advisor.ranking.findings import AnyRequirement, BaselineRequirement, FactRequirement
from advisor.ranking.judgement import Judgement
from advisor.records import Candidate, Outcome

_LEVEL = 5e-4  # scores are shown to three digits


def why(candidate: Candidate, by_name: Mapping[str, Candidate], judgement: Judgement) -> str:
    """One or two sentences on a candidate, their numbers marked."""
    if candidate.name == judgement.choice:
        return _why_chosen(candidate, judgement)
    if any(outcome.blocks for outcome in candidate.outcomes):
        return _why_out(candidate, judgement)
    if candidate.score is None:
        return _why_unscored(candidate, judgement)
    assert judgement.choice is not None  # noqa: S101  # someone is eligible, so someone is chosen
    return _why_behind(candidate, by_name[judgement.choice])


def _why_chosen(candidate: Candidate, judgement: Judgement) -> str:
    strongest = sorted(judgement.criteria, key=lambda c: -candidate.contributions[c.criterion])[:2]
    parts = [
        f"{title_of(c.criterion)} of {_value(candidate, c.criterion)} "
        f"({_contribution(candidate, c.criterion)} of a possible "
        f"{cite(f'{c.weight:.3f}', 'weight', criterion=c.criterion)})"
        for c in strongest
    ]
    return f"{candidate.title} earns most by {listed(parts)}."


def _why_out(candidate: Candidate, judgement: Judgement) -> str:
    requirements = {requirement.id: requirement for requirement in judgement.requirements}
    parts = [
        blocked_text(candidate.name, outcome, requirements[outcome.requirement])
        for outcome in candidate.outcomes
        if outcome.blocks
    ]
    start = "is out" if candidate.standing == "out" else "cannot be judged"
    return f"{candidate.title} {start}: {listed(parts)}."


def blocked_text(candidate: str, outcome: Outcome, requirement: AnyRequirement) -> str:
    """Which bound the candidate misses, and by how much, the numbers marked."""
    if isinstance(requirement, FactRequirement):
        return _fact_blocked(outcome, requirement)
    if isinstance(requirement, BaselineRequirement):
        if outcome.status == "unknown":
            return f"whether “{requirement.text}” cannot be told ({outcome.reason})"
        found = cite(outcome.found, "outcome", candidate=candidate, criterion=requirement.criterion)
        return f"it is not “{requirement.text}” ({found})"
    name = title_of(requirement.criterion)
    if outcome.tested is None or outcome.margin is None:
        return (
            f"its {name} is unknown ({outcome.reason}), and the requirement is “{requirement.text}”"
        )
    what = "the safe end of its " if requirement.holds_for == "interval" else "its "
    tested, short = against(outcome.tested, requirement.bound, requirement.unit)
    whose = {"candidate": candidate, "criterion": requirement.criterion}
    return (
        f"{what}{name} of {cite(tested, 'figure', **whose)} misses “{requirement.text}” by "
        f"{cite(short, 'outcome', **whose)}"
    )


def _fact_blocked(outcome: Outcome, requirement: FactRequirement) -> str:
    if outcome.status == "unknown":
        return f"whether “{requirement.text}” is unknown ({outcome.reason})"
    return f"“{requirement.text}” does not hold: {outcome.found}"


def _why_unscored(candidate: Candidate, judgement: Judgement) -> str:
    unknown = [c.criterion for c in judgement.criteria if c.criterion not in candidate.scores]
    parts = [f"{title_of(name)} ({_reason(candidate, name)})" for name in unknown]
    return f"{candidate.title} cannot be scored, for want of {listed(parts)}."


def _reason(candidate: Candidate, criterion: str) -> str:
    figure = candidate.figures.get(criterion)
    return (figure.unknown or "unknown") if figure else "the evidence has no such figure"


def _why_behind(candidate: Candidate, chosen: Candidate) -> str:
    gaps = {
        name: chosen.contributions[name] - share for name, share in candidate.contributions.items()
    }
    parts = list(_gap_texts(candidate, chosen, gaps))
    behind = sum(gaps.values())
    start = f"{candidate.title} comes {_place(candidate.position)}"
    if parts:
        start += f": {'; '.join(parts)}"
    if candidate.score == chosen.score:
        start += f"; its score is that of {chosen.title}, which the alphabet puts first"
    elif abs(behind) >= _LEVEL:
        side = "below" if behind > 0 else "above"
        gap = cite(f"{abs(behind):.3f}", "contribution", candidate=candidate.name)
        start += f"; its weighted sum is {gap} {side} that of {chosen.title}"
    if chosen.name in candidate.dominated_by:
        start += f". {chosen.title} is at least as good on everything that counts"
    return start + "."


def _gap_texts(candidate: Candidate, chosen: Candidate, gaps: Mapping[str, float]) -> Iterator[str]:
    loses, gains = max(gaps, key=gaps.__getitem__), min(gaps, key=gaps.__getitem__)
    if gaps[loses] >= _LEVEL:
        yield f"it loses most on {_against(candidate, chosen, loses)}"
    if gaps[gains] <= -_LEVEL:
        yield f"it gains most on {_against(candidate, chosen, gains)}"


def _against(candidate: Candidate, chosen: Candidate, criterion: str) -> str:
    own, others = _value(candidate, criterion), _value(chosen, criterion)
    return f"{title_of(criterion)}, {own} against {others}"


def _value(candidate: Candidate, criterion: str) -> str:
    value = candidate.figures[criterion].value
    if value is None:
        return "unknown"
    flagged = " (flagged)" if criterion in candidate.distrusted else ""
    flagged = " (no better than guessing)" if criterion in candidate.guessed else flagged
    said = value_text(criterion, value)
    return cite(said, "figure", candidate=candidate.name, criterion=criterion) + flagged


def _contribution(candidate: Candidate, criterion: str) -> str:
    said = f"{candidate.contributions[criterion]:.3f}"
    return cite(said, "contribution", candidate=candidate.name, criterion=criterion)


def _place(position: int | None) -> str:
    words = {2: "second", 3: "third", 4: "fourth", 5: "fifth", 6: "sixth", 7: "seventh"}
    return words.get(position or 0, f"in place {position}")
