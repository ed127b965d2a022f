"""What a reader has to know about the evidence: what is missing, assumed, read off, or marked."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.decision import Decision
from advisor.explanation.citing import cite
from advisor.explanation.wording import flag_text, listed, share, title_of, value_text
from advisor.ranking.findings import (
    BaselineRequirement,
    FactRequirement,
    Requirement,
    Sentence,
    Sway,
    WeightedCriterion,
)
from advisor.ranking.judgement import Judgement
from advisor.records import Candidate, Figure


def caveats(decision: Decision, judgement: Judgement) -> Iterator[Sentence]:
    """Sentences on the evidence, the gravest first."""
    yield from _marks(decision)
    yield from _flags(decision)
    yield from _guessed(decision)
    yield from _missing(decision, judgement)
    yield from _measure_next(decision, judgement)
    yield from _intervals(decision)
    yield from _digitised(decision)
    yield from _stand_ins(decision)
    yield from _off_scale(decision)
    yield from _notes(decision)


def _used(decision: Decision) -> list[str]:
    names = [c.criterion for c in decision.criteria]
    names += [r.criterion for r in _bounds(decision)]
    return list(dict.fromkeys(names))


def _bounds(decision: Decision) -> list[Requirement | BaselineRequirement]:
    """The requirements on figures; facts have none."""
    return [r for r in decision.requirements if not isinstance(r, FactRequirement)]


def _figures(decision: Decision, criterion: str) -> Iterator[Figure]:
    for candidate in decision.candidates:
        figure = candidate.figures.get(criterion)
        if figure is not None and figure.value is not None:
            yield figure


def _marks(decision: Decision) -> Iterator[Sentence]:
    marked = {mark for candidate in decision.candidates for mark in candidate.marks}
    for mark in sorted(marked):
        names = [c.title for c in decision.candidates if mark in c.marks]
        yield Sentence("mark", mark, f"Caution: {mark} for {listed(names)}.")


def _missing(decision: Decision, judgement: Judgement) -> Iterator[Sentence]:
    reasons: dict[tuple[str, str], list[str]] = {}
    for gap in (gap for gap in decision.missing if not gap.flagged):
        reasons.setdefault((gap.criterion, gap.reason), []).append(gap.candidate)
    for (criterion, reason), names in reasons.items():
        everyone = len(names) == len(decision.candidates)
        who = "any candidate" if everyone else listed([judgement.titles[name] for name in names])
        text = f"Evidence is missing: {title_of(criterion)} of {who} ({reason})."
        yield Sentence("missing", criterion, text)
    for flagged, known in (
        (False, "Known, it"),
        (True, "Measured beyond doubt, what is flagged"),
    ):
        found = {g.candidate for g in decision.missing if g.could_change and g.flagged == flagged}
        if found and decision.choice is not None:
            titles = listed([judgement.titles[name] for name in sorted(found)])
            yield Sentence("missing", min(found), f"{known} could make {titles} the choice.")


def _measure_next(decision: Decision, judgement: Judgement) -> Iterator[Sentence]:
    if not decision.sways:
        if decision.choice is not None and _has_intervals(decision):
            text = "No single figure, anywhere within its interval, changes the choice."
            yield Sentence("measure_next", decision.choice, text)
        return
    sway = decision.sways[0]
    towards = f"to {judgement.titles[sway.towards]}" if sway.towards else "to none at all"
    yield Sentence(
        "measure_next",
        sway.candidate,
        "The single measurement most likely to change the choice is "
        f"{title_of(sway.criterion)} of {judgement.titles[sway.candidate]}: over its interval the "
        f"choice changes with probability {_probability(sway)}, mostly {towards}.",
    )


def _probability(sway: Sway) -> str:
    said = share(sway.probability)
    return cite(said, "sway", candidate=sway.candidate, criterion=sway.criterion)


def _has_intervals(decision: Decision) -> bool:
    return any(
        figure.low is not None and figure.low != figure.high
        for criterion in _used(decision)
        for figure in _figures(decision, criterion)
    )


def _intervals(decision: Decision) -> Iterator[Sentence]:
    kinds: dict[str, list[str]] = {"assumed": [], "none": []}
    for criterion in _used(decision):
        for kind, names in kinds.items():
            relied_on = (
                figure
                for figure in _figures(decision, criterion)
                if not figure.distrusted(decision.scenario.flagged)
            )
            if any(figure.interval == kind for figure in relied_on):
                names.append(title_of(criterion))
    if kinds["assumed"]:
        text = (
            f"The intervals of {listed(kinds['assumed'])} are assumed, not measured: the source "
            "prints none."
        )
        yield Sentence("evidence", "assumed", text)
    if kinds["none"]:
        text = f"Without an interval, and so taken as exact: {listed(kinds['none'])}."
        yield Sentence("evidence", "none", text)


def _digitised(decision: Decision) -> Iterator[Sentence]:
    for criterion in _used(decision):
        if any(figure.origin == "digitised" for figure in _figures(decision, criterion)):
            title = title_of(criterion)
            text = f"Figures of {title} were read off a published chart, not printed as numbers."
            yield Sentence("evidence", criterion, text)


def _stand_ins(decision: Decision) -> Iterator[Sentence]:
    for criterion in decision.criteria:
        reason = decision.study.aspect_reasons.get(criterion.aspect)
        usual = decision.study.standing_for(criterion.aspect) == criterion.criterion
        if reason and usual and criterion.key == criterion.aspect:
            yield Sentence("evidence", criterion.criterion, reason)


def _off_scale(decision: Decision) -> Iterator[Sentence]:
    for criterion in decision.criteria:
        cut = [c for c in decision.candidates if criterion.criterion in c.off_scale]
        if cut:
            yield Sentence("evidence", criterion.criterion, _off_scale_text(criterion, cut))


def _off_scale_text(criterion: WeightedCriterion, cut: list[Candidate]) -> str:
    name = criterion.criterion
    return (
        f"The {title_of(name)} of {listed([_with_value(c, name) for c in cut])} lies beyond the "
        f"scale from {value_text(name, criterion.worst)} to {value_text(name, criterion.best)} "
        "and scores as its end; `scales` in the scenario can set another."
    )


def _with_value(candidate: Candidate, criterion: str) -> str:
    value = candidate.figures[criterion].value
    return (
        candidate.title
        if value is None
        else f"{candidate.title} ({_cited(candidate, criterion, value)})"
    )


def _cited(candidate: Candidate, criterion: str, value: float) -> str:
    """A value or baseline of a candidate's figure, marked."""
    said = value_text(criterion, value)
    return cite(said, "figure", candidate=candidate.name, criterion=criterion)


def _flags(decision: Decision) -> Iterator[Sentence]:
    for criterion in _used(decision):
        flagged: dict[str, list[str]] = {}
        for candidate in decision.candidates:
            figure = candidate.figures.get(criterion)
            if figure is not None and figure.value is not None and figure.flags:
                flagged.setdefault(flag_text(figure), []).append(candidate.title)
        for flags, titles in flagged.items():
            text = f"The {title_of(criterion)} of {listed(titles)} is {flags}."
            yield Sentence("flagged", criterion, f"{text} {_consequence(decision, criterion)}")


def _guessed(decision: Decision) -> Iterator[Sentence]:
    for criterion in decision.criteria:
        name = criterion.criterion
        guessing = [c for c in decision.candidates if name in c.guessed]
        if guessing:
            text = (
                f"On {title_of(name)}, {listed([_with_baseline(c, name) for c in guessing])} "
                "cannot be told from guessing, which earns no score."
            )
            yield Sentence("flagged", name, text)


def _with_baseline(candidate: Candidate, criterion: str) -> str:
    baseline = candidate.figures[criterion].baseline
    assert baseline is not None  # noqa: S101  # or nothing could be called guessing
    said = _cited(candidate, criterion, baseline)
    return f"{_with_value(candidate, criterion)[:-1]}, baseline {said})"


def _consequence(decision: Decision, criterion: str) -> str:
    """What a flag on the criterion does in this decision."""
    stances = {r.flagged for r in _bounds(decision) if r.criterion == criterion}
    weighted = any(c.criterion == criterion for c in decision.criteria)
    distrusted = []
    if weighted and decision.scenario.flagged == "distrust":
        distrusted.append("scores as the worst end of its scale")
    if "distrust" in stances:
        distrusted.append("is unknown to the requirement on it")
    accepted = "accept" in stances or (weighted and decision.scenario.flagged == "accept")
    if not distrusted:
        return "The scenario accepts flagged figures, so that it counts as it stands."
    stands = ", and counts as it stands where the scenario accepts that" if accepted else ""
    return f"It is not relied on: it {listed(distrusted)}{stands}."


def _notes(decision: Decision) -> Iterator[Sentence]:
    for criterion in _used(decision):
        noted: dict[str, list[str]] = {}
        for candidate in decision.candidates:
            figure = candidate.figures.get(criterion)
            for note in figure.notes if figure is not None else ():
                noted.setdefault(note, []).append(candidate.title)
        for note, titles in noted.items():
            text = f"On the {title_of(criterion)} of {listed(titles)}: {note}."
            yield Sentence("evidence", criterion, text)
