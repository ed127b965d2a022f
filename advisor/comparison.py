"""What changed between two decisions, and which change turned the choice.

A decision carries its scenario and its evidence, so that one group of changes at a time can be
taken from the second into the first, and the choice made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Final, Literal

from advisor.choosing import judgement_of
from advisor.decision import Decision
from advisor.evidence.alternatives import Evidence
from advisor.explanation.wording import listed, scores_text, share, value_text
from advisor.ranking.findings import AnyRequirement, FactRequirement, Requirement
from advisor.records import Candidate, Figure
from advisor.scenario.language import ScenarioSpec
from advisor.scenario.loading import Scenario, parse_scenario
from advisor.scenario.quantities import quantity_text
from advisor.verify import readable
from profiles_db.errors import EvidenceError, InputError, ScenarioError

Group = Literal["evidence", "requirements", "priorities", "method"]
GROUPS: Final[tuple[Group, ...]] = ("evidence", "requirements", "priorities", "method")
"""What a choice follows from, in the order in which it is said."""

_FIELDS: Final[Mapping[Group, tuple[str, ...]]] = {
    "requirements": ("requirements", "budget", "baseline"),
    "priorities": ("priorities", "scales"),
    "method": ("method", "flagged"),
}
"""The keys of a scenario that belong to each group."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs; `first` and `second` are its words, None where it is not there."""

    what: str
    first: str | None
    second: str | None


@dataclass(frozen=True, slots=True)
class Move:
    """A candidate's place (None: out of the choice) and score in both decisions.

    `stood` says in which of them it is a candidate at all.
    """

    candidate: str
    stood: tuple[bool, bool]
    places: tuple[int | None, int | None]
    scores: tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Swap:
    """The first decision with some groups of the second; `failed` says why none could be made."""

    groups: tuple[Group, ...]
    choice: str | None
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two decisions side by side.

    Parameters
    ----------
    choices : tuple of two str or None
    alike : bool
        Whether neither decision can tell the two choices apart, where they differ.
    changes : mapping from group to tuple of Change
        Only groups in which something changed.
    moves : tuple of Move
        Candidates whose place or score changed, in the order of the second ranking.
    swaps : tuple of Swap
        The choice for each combination of the changed groups, the smallest first; without all.
    turning : tuple of tuple of Group
        The smallest combinations that give the second choice, where the choices differ.
    """

    choices: tuple[str | None, str | None]
    alike: bool
    changes: Mapping[Group, tuple[Change, ...]]
    moves: tuple[Move, ...]
    swaps: tuple[Swap, ...]
    turning: tuple[tuple[Group, ...], ...]

    @property
    def same(self) -> bool:
        """Whether both choose the same."""
        return self.choices[0] == self.choices[1]

    def verdict(self) -> str:
        """Whether the choice differs, and which change did it, in a sentence or three."""
        first, second = (choice or "no candidate" for choice in self.choices)
        if self.same:
            return f"The choice is the same: {first}.{self._held()}"
        text = f"The choice differs: {first}, then {second}. {self._turned()}"
        if self.alike:
            text += " Neither decision can tell the two apart."
        return text

    def _turned(self) -> str:
        if not self.turning:
            return "Which change turned it cannot be told."
        if len(self.turning[0]) == 1:
            groups = [group for (group,) in self.turning]
            if len(groups) == 1:
                if len(self.changes) == 1:
                    return f"The {groups[0]} turned it: nothing else changed."
                return f"The {groups[0]} alone turned it."
            return f"Each of {listed(groups)} turns it alone."
        ways = [listed(groups) for groups in self.turning]
        return f"Only {' or '.join(ways)} together turn it: none does alone."

    def _held(self) -> str:
        turned = [swap for swap in self.swaps if not swap.failed and self._turns(swap)]
        if not turned:
            return ""
        texts = [f"{listed(swap.groups)} (to {swap.choice or 'no candidate'})" for swap in turned]
        return f" Some changes alone would have turned it: {'; '.join(texts)}."

    def _turns(self, swap: Swap) -> bool:
        return swap.choice != self.choices[0]

    def lines(self) -> Iterator[str]:
        """The comparison in words, a thing to a line."""
        yield self.verdict()
        for swap in self.swaps:
            if swap.failed:
                yield f"With {listed(swap.groups)} of the second no choice is made: {swap.failed}"
        for group, changes in self.changes.items():
            yield f"{group.capitalize()}:"
            yield from (f"  {_change_text(change)}" for change in changes)
        if self.moves:
            yield "Ranking:"
            yield from (f"  {_move_text(move)}" for move in self.moves)
        if not self.changes:
            yield "Nothing differs that a choice follows from."

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain data."""
        return {
            "same_choice": self.same,
            "choices": list(self.choices),
            "cannot_be_told_apart": self.alike,
            "verdict": self.verdict(),
            "turning": [list(groups) for groups in self.turning],
            "swaps": [
                {"groups": list(s.groups), "choice": s.choice, "failed": s.failed or None}
                for s in self.swaps
            ],
            "changes": {
                group: [{"what": c.what, "first": c.first, "second": c.second} for c in changes]
                for group, changes in self.changes.items()
            },
            "ranking": [
                {
                    "candidate": m.candidate,
                    "candidate_in": list(m.stood),
                    "places": list(m.places),
                    "scores": list(m.scores),
                }
                for m in self.moves
            ],
        }


def compare(first: str, second: str, names: tuple[str, str] = ("first", "second")) -> Comparison:
    """Compare two decisions, each the JSON that `Decision.to_json` wrote.

    Parameters
    ----------
    first, second : str
    names : tuple of two str
        What errors call them.

    Raises
    ------
    InputError
        One is no decision, or its choice does not follow from what it carries.
    ScenarioError
        One carries a scenario that breaks the language.

    Examples
    --------
    >>> from advisor import advise
    >>> edge, cloud = advise("edge").to_json(), advise("cloud").to_json()
    >>> compare(edge, cloud).turning
    (('requirements', 'priorities'),)
    """
    one, other = (_read(text, name) for text, name in zip((first, second), names, strict=True))
    choices = one.decision.choice, other.decision.choice
    changes = {
        group: found
        for group in GROUPS
        if (found := tuple(_CHANGES[group](one.decision, other.decision)))
    }
    swaps = tuple(_swaps(one, other, tuple(changes)))
    turning = _smallest(swap.groups for swap in (*swaps, Swap(tuple(changes), choices[1]))
                        if not swap.failed and swap.choice == choices[1])  # fmt: skip
    return Comparison(
        choices=choices,
        alike=choices[0] != choices[1] and all(_alike(d.decision, choices) for d in (one, other)),
        changes=changes,
        moves=tuple(_moves(one.decision, other.decision)),
        swaps=swaps,
        turning=turning if choices[0] != choices[1] else (),
    )


@dataclass(frozen=True, slots=True)
class _Side:
    decision: Decision
    scenario: Scenario
    evidence: Evidence


def _read(text: str, name: str) -> _Side:
    try:
        decision = readable(Decision.from_json(text))
    except InputError as error:
        what, rule, remedy = error.what, error.rule, error.remedy
        raise InputError(what, where=name, rule=rule, remedy=remedy) from error
    scenario = parse_scenario(decision.scenario.texts)
    evidence = Evidence(decision.study, decision.candidates, decision.excluded)
    side = _Side(decision, scenario, evidence)
    made = _choose(scenario, evidence)
    if made.failed or made.choice != decision.choice:
        raise InputError(
            f"{decision.choice or 'no candidate'} is not what follows from what it carries",
            where=name,
            rule="decisions that still hold compare",
            remedy="see what `trustser verify` says of it",
        )
    return side


def _choose(scenario: Scenario, evidence: Evidence, groups: tuple[Group, ...] = ()) -> Swap:
    try:
        return Swap(groups, judgement_of(scenario, evidence).choice)
    except (EvidenceError, ScenarioError) as error:
        return Swap(groups, None, str(error))


def _swaps(one: _Side, other: _Side, changed: tuple[Group, ...]) -> Iterator[Swap]:
    """The first decision with each part of the changed groups; all of them are the second."""
    for count in range(1, len(changed)):
        for groups in combinations(changed, count):
            evidence = other.evidence if "evidence" in groups else one.evidence
            yield _choose(_with(one.scenario, other.scenario.spec, groups), evidence, groups)


def _with(scenario: Scenario, spec: ScenarioSpec, groups: Iterable[Group]) -> Scenario:
    fields = [field for group in groups for field in _FIELDS.get(group, ())]
    taken = {field: getattr(spec, field) for field in fields}
    return replace(scenario, spec=scenario.spec.model_copy(update=taken))


def _smallest(found: Iterable[tuple[Group, ...]]) -> tuple[tuple[Group, ...], ...]:
    """Those that contain no smaller one."""
    kept: list[tuple[Group, ...]] = []
    for groups in sorted(found, key=len):
        if not any(set(less) <= set(groups) for less in kept):
            kept.append(groups)
    return tuple(kept)


def _alike(decision: Decision, choices: tuple[str | None, str | None]) -> bool:
    return any(set(choices) <= set(group) for group in decision.tie_groups)


def _evidence(one: Decision, other: Decision) -> Iterator[Change]:
    if one.study.title != other.study.title:
        yield Change("study", one.study.title, other.study.title)
    corpora = [
        ", ".join(f"{c} {share(w)}" for c, w in d.study.corpora.items()) for d in (one, other)
    ]
    if corpora[0] != corpora[1]:
        yield Change("corpora", *corpora)
    mine, others = ({c.name: c for c in d.candidates} for d in (one, other))
    for name in dict.fromkeys((*mine, *others)):
        if name not in others:
            yield Change(f"candidate {name}", "is a candidate", None)
        elif name not in mine:
            yield Change(f"candidate {name}", None, "is a candidate")
        else:
            yield from _figures(mine[name], others[name], _used(one) | _used(other))
            yield from _facts(mine[name], others[name], _asked(one) | _asked(other))


def _figures(mine: Candidate, others: Candidate, used: set[str]) -> Iterator[Change]:
    beside = 0
    for name in dict.fromkeys((*mine.figures, *others.figures)):
        one, other = mine.figures.get(name), others.figures.get(name)
        if one == other:
            continue
        if name in used:
            yield Change(f"{name} of {mine.name}", _figure_text(one), _figure_text(other))
        else:
            beside += 1
    if beside:
        plural = "s" if beside > 1 else ""
        what = f"{beside} figure{plural} of {mine.name} that neither scenario uses"
        yield Change(what, "other", "other")


def _facts(mine: Candidate, others: Candidate, asked: set[str]) -> Iterator[Change]:
    for name in asked:
        one, other = mine.facts.get(name), others.facts.get(name)
        if one != other:
            texts = [
                f"{fact.text} {fact.unknown}".strip() if fact else None for fact in (one, other)
            ]
            yield Change(f"{name} of {mine.name}", *texts)


def _used(decision: Decision) -> set[str]:
    on_figures = (r for r in decision.requirements if not isinstance(r, FactRequirement))
    return {r.criterion for r in on_figures} | {c.criterion for c in decision.criteria}


def _asked(decision: Decision) -> set[str]:
    return {r.fact for r in decision.requirements if isinstance(r, FactRequirement)}


def _figure_text(figure: Figure | None) -> str | None:
    """A figure with all that a choice may follow from."""
    if figure is None:
        return None
    if figure.value is None:
        return f"unknown ({figure.unknown})"
    text = value_text(figure.criterion, figure.value)
    if figure.low is not None and figure.high is not None:
        ends = (value_text(figure.criterion, end) for end in (figure.low, figure.high))
        text += f" ({' to '.join(ends)})"
    return f"{text}, flagged: {'; '.join(figure.flags)}" if figure.flags else text


def _requirements(one: Decision, other: Decision) -> Iterator[Change]:
    mine, others = (list(map(_requirement_text, d.requirements)) for d in (one, other))
    for text in mine:
        if text not in others:
            yield Change("requirement", text, None)
    for text in others:
        if text not in mine:
            yield Change("requirement", None, text)


def _requirement_text(requirement: AnyRequirement) -> str:
    more = ["unknown passes"] if requirement.on_unknown == "warn" else []
    if isinstance(requirement, Requirement) and requirement.flagged == "accept":
        more.append("flagged counts")
    return f"{requirement.text}{f' ({listed(more)})' if more else ''}"


def _priorities(one: Decision, other: Decision) -> Iterator[Change]:
    mine, others = ({c.criterion: c for c in d.criteria} for d in (one, other))
    for name in dict.fromkeys((*mine, *others)):
        weights = [
            f"{c.stated} ({share(c.weight)})" if (c := side.get(name)) else None
            for side in (mine, others)
        ]
        if weights[0] != weights[1]:
            yield Change(f"weight of {name}", *weights)
        if name in mine and name in others:
            scales = [
                f"{quantity_text(c.worst, c.unit)} to {quantity_text(c.best, c.unit)}"
                for c in (mine[name], others[name])
            ]
            if scales[0] != scales[1]:
                yield Change(f"scale of {name}", *scales)


def _method(one: Decision, other: Decision) -> Iterator[Change]:
    if one.scenario.method != other.scenario.method:
        yield Change("method", one.scenario.method, other.scenario.method)
    if one.scenario.flagged != other.scenario.flagged:
        yield Change("flagged figures", one.scenario.flagged, other.scenario.flagged)


_CHANGES: Final[Mapping[Group, Callable[[Decision, Decision], Iterator[Change]]]] = {
    "evidence": _evidence,
    "requirements": _requirements,
    "priorities": _priorities,
    "method": _method,
}


def _moves(one: Decision, other: Decision) -> Iterator[Move]:
    mine, others = ({c.name: c for c in d.candidates} for d in (one, other))
    for name in dict.fromkeys((*others, *mine)):
        sides = mine.get(name), others.get(name)
        move = Move(
            name,
            (name in mine, name in others),
            (_place(sides[0]), _place(sides[1])),
            (_score(sides[0]), _score(sides[1])),
        )
        if move.places[0] != move.places[1] or move.scores[0] != move.scores[1]:
            yield move


def _place(candidate: Candidate | None) -> int | None:
    return None if candidate is None else candidate.position


def _score(candidate: Candidate | None) -> float | None:
    return None if candidate is None else candidate.score


def _change_text(change: Change) -> str:
    if change.first == change.second:
        return f"{change.what} changed"
    if change.first is None:
        return f"+ {change.what}: {change.second}"
    if change.second is None:
        return f"- {change.what}: {change.first}"
    return f"{change.what}: {change.first} -> {change.second}"


def _move_text(move: Move) -> str:
    first, second = move.scores
    if first is not None and second is not None:
        scores = scores_text(first, second)
    else:
        scores = tuple("no score" if s is None else f"{s:.3f}" for s in move.scores)  # type: ignore[assignment]
    said = [
        f"{f'place {place}' if place else 'out'} ({score})" if stood else "no candidate"
        for stood, place, score in zip(move.stood, move.places, scores, strict=True)
    ]
    return f"{move.candidate}: {said[0]} -> {said[1]}"
