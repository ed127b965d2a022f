"""The decision in words, every sentence made from its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from advisor.decision import Decision
from advisor.explanation.application import application_sentences
from advisor.explanation.caveats import caveats
from advisor.explanation.citing import cite, finished, unmarked
from advisor.explanation.counting import counting_sentences
from advisor.explanation.grading import grades_text
from advisor.explanation.why_not import blocked_text, why
from advisor.explanation.wording import listed, scores_text, share, title_of
from advisor.ranking.findings import (
    AnyRequirement,
    BaselineRequirement,
    FactRequirement,
    Sentence,
    Stability,
    Topic,
)
from advisor.ranking.judgement import Judgement
from advisor.ranking.methods import METHODS
from advisor.ranking.uncertainty import LEVEL
from advisor.records import Candidate, Relaxation


def explain(decision: Decision, judgement: Judgement) -> Decision:
    """The decision with its explanation, and with a reason for each candidate."""
    by_name = {candidate.name: candidate for candidate in decision.candidates}
    whys = {name: why(candidate, by_name, judgement) for name, candidate in by_name.items()}
    candidates = tuple(replace(c, why=unmarked(whys[c.name])) for c in decision.candidates)
    decision = replace(decision, candidates=candidates)
    sentences = _sentences(decision, judgement, whys)
    return replace(decision, explanation=tuple(map(finished, sentences)))


def _sentences(
    decision: Decision, judgement: Judgement, whys: Mapping[str, str]
) -> Iterator[Sentence]:
    yield _choice(decision, judgement)
    yield from _ties(decision, judgement)
    yield from _grades(decision)
    yield from _confidence(decision)
    yield from _decisive(decision, judgement)
    for candidate in decision.candidates:
        topic: Topic = "choice" if candidate.name == decision.choice else "why_not"
        yield Sentence(topic, candidate.name, whys[candidate.name])
    yield from _relaxations(decision)
    yield from _sensitivity(decision, judgement)
    yield from _methods(decision, judgement)
    yield from counting_sentences(judgement)
    yield from caveats(decision, judgement)
    yield from application_sentences(decision)


def _choice(decision: Decision, judgement: Judgement) -> Sentence:
    if not decision.ranking:
        text = "No candidate has every figure that counts, so that none can be scored or chosen."
        return Sentence("choice", "", text)
    if decision.choice is None:
        return Sentence("choice", "", _nothing(decision))
    chosen, eligible = decision.candidate(decision.choice), judgement.eligible
    if len(eligible) == 1:
        return Sentence("choice", chosen.name, _no_choice(decision, chosen))
    second = decision.candidate(eligible[1])
    field = f"the {len(eligible)} candidates"
    field += " that meet every requirement" if decision.requirements else ""
    method = METHODS[decision.scenario.method].title
    own, other = _scores(chosen, second)
    if level := _level_with_choice(decision):
        whom = listed([judgement.titles[name] for name in level])
        end = f"{own}, level with {whom}, and comes first in the alphabet."
    else:
        end = f"{own} against {other} for {second.title}."
    if len(decision.tie_groups[0]) > 1:
        alike = listed([judgement.titles[name] for name in decision.tie_groups[0]])
        text = f"The evidence cannot tell {alike} apart: of {field}, {chosen.title}"
    else:
        text = f"{chosen.title} is chosen: of {field} it"
    return Sentence("choice", chosen.name, f"{text} scores highest by {method}, {end}")


def _nothing(decision: Decision) -> str:
    """Why nothing is chosen: who fails a requirement, and who cannot be judged."""
    unjudged = sum(c.standing == "unjudged" for c in decision.candidates)
    unscored = sum(c.standing == "unscored" for c in decision.candidates)
    failing = sum(c.standing == "out" for c in decision.candidates)
    count = len(decision.candidates)
    if count == 1:
        verb = "cannot be judged by" if unjudged else "does not meet"
        return f"The only candidate {verb} every requirement, so that nothing is chosen."
    if not unjudged and not unscored:
        return f"None of the {count} candidates meets every requirement, so that nothing is chosen."
    parts = [f"{failing} fail{'s' if failing == 1 else ''} a requirement"] if failing else []
    parts += [f"{unjudged} cannot be judged, for want of {_wanted(decision)}"] if unjudged else []
    parts += [f"{unscored} cannot be scored"] if unscored else []
    return (
        f"None of the {count} candidates can be said to meet every requirement, so that nothing "
        f"is chosen: {listed(parts)}."
    )


def _wanted(decision: Decision) -> str:
    """What those lack who cannot be judged: figures, facts, or both."""
    on_facts = {r.id for r in decision.requirements if isinstance(r, FactRequirement)}
    lacking = {
        outcome.requirement in on_facts
        for candidate in decision.candidates
        if candidate.standing == "unjudged"
        for outcome in candidate.outcomes
        if outcome.blocks
    }
    against = any(isinstance(r, BaselineRequirement) and r.excludes for r in decision.requirements)
    if against:
        return "evidence that tells"
    return {frozenset({True}): "a fact", frozenset({False}): "a figure"}.get(
        frozenset(lacking), "a figure or a fact"
    )


def _no_choice(decision: Decision, chosen: Candidate) -> str:
    count = len(decision.candidates)
    if count == 1:
        return f"There was no choice: {chosen.title} is the only candidate."
    rest = [c for c in decision.candidates if c.name != chosen.name]
    what = "meets every requirement" if decision.requirements else "can be scored"
    if decision.requirements and any(c.standing == "unjudged" for c in rest):
        what = "can be said to meet every requirement"
    return (
        f"There was no choice: {chosen.title} is the only one of the {count} candidates that "
        f"{what}."
    )


def _grades(decision: Decision) -> Iterator[Sentence]:
    """Each aspect of the choice, and of those it cannot be told apart from, by itself."""
    if decision.choice is None:
        return
    alike: dict[str, list[str]] = {}
    for name in decision.tie_groups[0]:
        candidate = decision.candidate(name)
        alike.setdefault(grades_text(candidate), []).append(candidate.title)
    for text, titles in alike.items():
        one = len(titles) == 1
        start = f"By {'itself' if one else 'themselves'} {listed(titles)} {'is' if one else 'are'}"
        yield Sentence("grade", decision.choice, f"{start} {text}.")


def _score(candidate: Candidate) -> float:
    """The score of one of the ranking, who all have one."""
    assert candidate.score is not None  # noqa: S101
    return candidate.score


def _scores(first: Candidate, second: Candidate) -> tuple[str, str]:
    """The scores of two of the ranking, told apart and marked."""
    own, other = scores_text(_score(first), _score(second))
    marked = cite(own, "score", candidate=first.name)
    return marked, cite(other, "score", candidate=second.name)


def _level_with_choice(decision: Decision) -> list[str]:
    """Eligible candidates whose score is that of the choice."""
    scores = {c.name: c.score for c in decision.candidates if c.eligible}
    best = scores.get(decision.choice or "")
    return [name for name, score in scores.items() if name != decision.choice and score == best]


def _confidence(decision: Decision) -> Iterator[Sentence]:
    if decision.choice is None or decision.confidence is None:
        return
    checked = ", the requirements checked again in each," if decision.requirements else ""
    text = (
        f"Drawing the measurements from their intervals and the weights around the stated "
        f"priorities {decision.sampling.draws:,} times{checked} gives the same choice in "
        f"{cite(share(decision.confidence), 'confidence')} of the draws."
    )
    yield Sentence("margin", decision.choice, text)


def _ties(decision: Decision, judgement: Judgement) -> Iterator[Sentence]:
    if decision.choice is None or len(judgement.eligible) == 1:
        return
    chosen, others = judgement.titles[decision.choice], decision.tie_groups[0][1:]
    if others:
        level = set(_level_with_choice(decision))
        parts = [_rival(decision, judgement, name, level) for name in others]
        yield Sentence("tie", decision.choice, f"{chosen} scores above {listed(parts)}.")
        yield Sentence("tie", decision.choice, _deciding(decision, judgement))
        return
    rivals = [judgement.titles[name] for name in judgement.eligible[1:]]
    whom = rivals[0] if len(rivals) == 1 else "each of the others"
    text = f"{chosen} scores above {whom} in at least {share(LEVEL)} of the draws."
    yield Sentence("tie", decision.choice, text)


def _rival(decision: Decision, judgement: Judgement, name: str, level: set[str]) -> str:
    """A candidate of the choice's tie group, and how often the choice scores above it."""
    own = cite(share(decision.beats[name], missed=LEVEL), "beats", candidate=name)
    place = ", level with it as the figures stand," if name in level else ""
    return f"{judgement.titles[name]}{place} in {own} of the draws"


def _deciding(decision: Decision, judgement: Judgement) -> str:
    """What would tell the members of the first tie group apart: a measurement, or a priority."""
    alike = set(decision.tie_groups[0])
    ways = [
        f"a better measurement of {title_of(sway.criterion)} for {judgement.titles[sway.candidate]}"
        for sway in decision.sways
        if sway.candidate in alike and sway.towards in alike
    ][:1]
    if decision.flip is not None and decision.flip.to in alike:
        moved = cite(f"{100 * decision.flip.moved:.1f} %", "flip")
        whom = judgement.titles[decision.flip.to]
        ways.append(f"another priority, by {moved} of the weight towards {whom}")
    if not ways:
        return "No single figure within its interval, and no small change of weight, decides."
    return f"What would decide between them: {' or '.join(ways)}."


def _decisive(decision: Decision, judgement: Judgement) -> Iterator[Sentence]:
    first = decision.priorities_ranking[0] if decision.priorities_ranking else None
    if first is not None and first != decision.choice:
        yield Sentence("decisive", first, _priorities_text(decision, first))
    for requirement in decision.requirements:
        if requirement.decisive and requirement.choice_without is not None:
            other = judgement.titles[requirement.choice_without]
            text = f"“{requirement.text}” is decisive: without it, {other} would be chosen."
            yield Sentence("decisive", requirement.id, text)
    if decision.choice is not None and first == decision.choice and decision.requirements:
        text = "The priorities alone give the same choice: no requirement is decisive."
        yield Sentence("decisive", decision.choice, text)


def _priorities_text(decision: Decision, first: str) -> str:
    requirements = {requirement.id: requirement for requirement in decision.requirements}
    candidate = decision.candidate(first)
    reasons = [
        blocked_text(first, outcome, requirements[outcome.requirement])
        for outcome in candidate.outcomes
        if outcome.blocks
    ]
    against = ""
    if decision.choice is not None:
        chosen = decision.candidate(decision.choice)
        own, other = _scores(candidate, chosen)
        against = f" ({own} against {other} for {chosen.title})"
    return (
        f"The priorities alone would choose {candidate.title}{against}; it "
        f"{'is out' if candidate.standing == 'out' else 'cannot be judged'} because "
        f"{listed(reasons)}."
    )


def _relaxations(decision: Decision) -> Iterator[Sentence]:
    out = [c for c in decision.candidates if c.relaxations and not _hopeless(c)]
    out.sort(key=lambda c: sum(r.share or 0.0 for r in c.relaxations))
    nearest = [c for c in out if c.near_miss] or (out[:1] if decision.choice is None else [])
    requirements = {requirement.id: requirement for requirement in decision.requirements}
    for candidate in nearest:
        parts = [
            _relaxed(candidate.name, r, requirements[r.requirement]) for r in candidate.relaxations
        ]
        text = f"{candidate.title} would come in if {listed(parts)}{_then(candidate, decision)}."
        yield Sentence("relax", candidate.name, text)


def _hopeless(candidate: Candidate) -> bool:
    return candidate.score is None or any(r.to is None for r in candidate.relaxations)


def _relaxed(candidate: str, relaxation: Relaxation, requirement: AnyRequirement) -> str:
    named = requirement.criterion if not isinstance(requirement, FactRequirement) else ""
    bound = cite(relaxation.to_text, "outcome", candidate=candidate, criterion=named)
    return f"“{requirement.text}” were relaxed to {bound}"


def _then(candidate: Candidate, decision: Decision) -> str:
    if decision.choice is None:
        return ""
    ahead = [decision.choice, candidate.name]
    first = min(ahead, key=decision.priorities_ranking.index)
    return ", and would then be chosen" if first == candidate.name else ", but not be chosen"


def _sensitivity(decision: Decision, judgement: Judgement) -> Iterator[Sentence]:
    if decision.choice is None or len(judgement.eligible) == 1:
        return
    yield _flip(decision, judgement)
    bounded = [s for s in decision.stability if s.below or s.above]
    if bounded:
        tight = min(bounded, key=lambda s: min(_room(s.weight, s.low), _room(s.weight, s.high)))
        text = (
            f"The weight to be surest of is that of {title_of(tight.criterion)}: the choice holds "
            f"while its share stays between {_ends(tight)}; it is "
            f"{cite(share(tight.weight), 'weight', criterion=tight.criterion)}"
        )
        text += "." if tight.exact else ", as far as a search shows."
        yield Sentence("sensitivity", tight.criterion, text)
    yield from _left_out(decision, judgement)


def _ends(stability: Stability) -> str:
    ends = (stability.low, stability.high)
    return " and ".join(
        cite(share(end), "stability", criterion=stability.criterion) for end in ends
    )


def _room(weight: float, end: float) -> float:
    return 1.0 if end in {0.0, 1.0} else abs(weight - end)


def _flip(decision: Decision, judgement: Judgement) -> Sentence:
    flip, chosen = decision.flip, str(decision.choice)
    if flip is None and METHODS[decision.scenario.method].utility is None:
        text = (
            "No move of weight from one criterion to another was found that makes another "
            f"candidate than {judgement.titles[chosen]} the choice among those that meet the "
            "requirements."
        )
        return Sentence("sensitivity", chosen, text)
    if flip is None:
        text = (
            f"No change of the weights makes another candidate than {judgement.titles[chosen]} the "
            "choice among those that meet the requirements."
        )
        return Sentence("sensitivity", chosen, text)
    changes = {c.criterion: flip.weights[c.criterion] - c.weight for c in decision.criteria}
    given = [title_of(name) for name, change in changes.items() if change < 0]
    taken = [title_of(name) for name, change in changes.items() if change > 0]
    moved = cite(f"{100 * flip.moved:.1f} %", "flip")
    least = "The smallest change" if flip.exact else "The smallest change found"
    text = (
        f"{least} of the weights that alters the choice moves {moved} of all weight from "
        f"{listed(given)} to {listed(taken)}; beyond it, {judgement.titles[flip.to]} "
        "is chosen."
    )
    return Sentence("sensitivity", flip.to, text)


def _left_out(decision: Decision, judgement: Judgement) -> Iterator[Sentence]:
    changed = [row for row in decision.leave_one_out if row.choice != decision.choice]
    for row in changed:
        other = judgement.titles[str(row.choice)]
        text = f"Without {title_of(row.criterion)}, {other} would be chosen."
        yield Sentence("sensitivity", row.criterion, text)
    if decision.leave_one_out and not changed:
        text = "Leaving out any one criterion does not change the choice."
        yield Sentence("sensitivity", str(decision.choice), text)


def _methods(decision: Decision, judgement: Judgement) -> Iterator[Sentence]:
    if decision.choice is None or len(judgement.eligible) == 1:
        return
    others = [result for result in decision.methods if not result.agrees]
    for result in others:
        title = judgement.titles[result.order[0]]
        text = f"By {METHODS[result.method].title}, {title} would be chosen."
        yield Sentence("method", result.method, text)
    if not others:
        text = f"All {len(decision.methods)} methods choose {judgement.titles[decision.choice]}."
        yield Sentence("method", decision.choice, text)
