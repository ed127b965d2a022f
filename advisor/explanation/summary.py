"""The decision as short text: for the terminal, and as Markdown for a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from advisor.decision import Decision
from advisor.explanation.directions import reading
from advisor.explanation.wording import share
from advisor.ranking.matrix import standing_for
from advisor.records import Candidate
from profiles_db.criteria import ASPECT_TITLES

_SPECIAL = re.compile(r"([\\`*_\[\]<>&#|~@])")
_TOPICS = ("tie", "margin", "decisive", "relax", "flagged", "missing", "mark", "coverage")


def as_text(decision: Decision) -> str:
    """A few lines for the terminal: the explanation's core and the ranking."""
    lines = [decision.scenario.title, "", *_core(decision), "", *_readings(decision)]
    width = max(len(candidate.name) for candidate in decision.candidates)
    lines += [_line(candidate, width) for candidate in decision.candidates]
    return "\n".join(map(_printable, lines))


def _readings(decision: Decision) -> Iterator[str]:
    """The figures of the choice, each with what it counts and which way is better."""
    if decision.choice is None:
        return
    candidate = decision.candidate(decision.choice)
    yield f"{candidate.title}:"
    for aspect, word in candidate.grades.items():
        name = standing_for(aspect, decision.criteria, decision.study)
        figure = candidate.figures.get(name)
        said = reading(name, figure.value, figure.baseline) if figure else reading(name, None)
        yield f"  {ASPECT_TITLES[aspect]:<18}  {said}: {word}" if figure else f"  {said}"
    yield ""


def _printable(line: str) -> str:
    """Without what could steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in line)


def _core(decision: Decision) -> Iterator[str]:
    yield decision.summary
    for sentence in decision.explanation:
        if sentence.topic in _TOPICS:
            yield sentence.text
    questions = sum(caution.kind == "counsel" for caution in decision.cautions)
    if questions:
        plural = "s" if questions > 1 else ""
        yield f"{questions} question{plural} for your counsel: see the report or --json."


def _line(candidate: Candidate, width: int) -> str:
    place = f"{candidate.position}." if candidate.position else "-"
    marks = "".join(f" [{mark}]" for mark in candidate.marks)
    return (
        f"{place:>3} {candidate.name:<{width}}  {_score(candidate)}  {_standing(candidate)}{marks}"
    )


def _score(candidate: Candidate) -> str:
    return "unknown" if candidate.score is None else f"{candidate.score:.3f}  "


def _standing(candidate: Candidate) -> str:
    if candidate.rank_probabilities:
        return f"first place in {share(candidate.rank_probabilities[0])} of draws"
    blocking = [outcome for outcome in candidate.outcomes if outcome.blocks]
    if not blocking:
        return "cannot be scored"
    # Who fails one bound is out, whatever the unknown ones would say.
    kind = "out" if candidate.standing == "out" else "cannot be judged"
    status = "fail" if candidate.standing == "out" else "unknown"
    return f"{kind}: {', '.join(o.requirement for o in blocking if o.status == status)}"


def as_markdown(decision: Decision) -> str:
    """A short version for a pull request: the choice, the ranking, what to know."""
    aspects = list(dict.fromkeys(criterion.aspect for criterion in decision.criteria))
    titles = [ASPECT_TITLES[aspect] for aspect in aspects]
    lines = [
        f"### {_safe(decision.scenario.title)}: {_safe(_heading(decision))}",
        "",
        _safe(decision.summary),
        "",
        "| # | Candidate | Score | First place | " + " | ".join(titles) + " |",
        "|--:|---|--:|--:|" + "--:|" * len(titles),
    ]
    lines += [_row(candidate, aspects) for candidate in decision.candidates]
    lines += ["", "Columns of aspects: weight times score, higher is better."]
    lines += ["", *(f"- {_safe(text)}" for text in list(_core(decision))[1:]), ""]
    lines += [*(f"- {_safe(text.strip())}" for text in _readings(decision) if text), ""]
    lines.append(f"<sub>Evidence: {_safe(decision.study.title)}. `{decision.hash}`</sub>")
    return "\n".join(lines)


def _heading(decision: Decision) -> str:
    """The choice, with all that the evidence cannot tell it apart from."""
    return " or ".join(decision.tie_groups[0]) if decision.choice else "no candidate"


def _row(candidate: Candidate, aspects: Sequence[str]) -> str:
    name = _safe(candidate.title + "".join(f" ({mark})" for mark in candidate.marks))
    first = candidate.rank_probabilities
    cells = [
        str(candidate.position or {"unjudged": "?"}.get(candidate.standing, "out")),
        name,
        "unknown" if candidate.score is None else f"{candidate.score:.3f}",
        share(first[0]) if first else "",
    ]
    shares = dict(candidate.aspect_contributions)
    cells += [f"{shares[aspect]:.3f}" if aspect in shares else "unknown" for aspect in aspects]
    return "| " + " | ".join(cells) + " |"


def _safe(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
