"""The model card of a choice: what was decided, on which figures, and what nobody knows."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import Final

from advisor.decision import Decision
from advisor.records import Candidate, Figure
from advisor.scenario.loading import SHIPPED, load_scenario, shipped_names
from profiles_db.criteria import ASPECT_TITLES, CRITERIA, format_value
from profiles_db.encoder_facts import FACTS, published_checkpoint
from reports.advice_view import View
from reports.auditing import (
    general_limits,
    licence_titles,
    licences,
    measured_languages,
    populations,
)
from reports.minute import Minute, minute
from reports.wording import INTERVALS, probability
from trustser.card_parts import (
    UNKNOWN,
    code,
    fenced,
    front_matter,
    index_entry,
    index_metrics,
    interval_cell,
    safe,
    table,
)

_HUB_LICENCES: Final = frozenset(
    {
        "apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-3.0", "cc-by-sa-4.0",
        "cc-by-sa-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "cc0-1.0", "gpl-3.0",
    }
)  # fmt: skip
"""Names that the hub knows; another licence is `other` there, with its name beside it."""


def decision_card(decision: Decision) -> str | None:
    """The model card of the chosen candidate as Markdown; None where nothing is chosen.

    The same decision gives the same text.
    """
    view = View(decision)
    chosen = view.chosen
    if chosen is None:
        return None
    said = minute(view)
    parts = [
        _front_matter(decision, chosen),
        f"# {safe(chosen.title)} for “{safe(decision.scenario.title)}”",
        *_warnings(view, chosen),
        _choice(view, chosen, said),
        _intended_use(view),
        _out_of_scope(decision),
        _figures(decision, chosen),
        _risks(said),
        _limits(decision),
        _unknown(decision, chosen),
        _licences(chosen),
        _reproduction(decision, chosen),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(decision: Decision, chosen: Candidate) -> str:
    licence = chosen.facts.get("licence")
    named = str(licence.value) if licence is not None and licence.value is not None else None
    known = (named or "").lower()
    values = {name: figure.value for name, figure in chosen.figures.items()}
    untrained = chosen.weights_kind == "random"
    tags = ["untrained-random-weights"] if untrained else []
    tags += ["synthetic-speech"] if chosen.synthetic else []
    corpora = ", ".join(chosen.corpora) or UNKNOWN
    metrics = index_metrics(values)
    return front_matter(
        licence=UNKNOWN if named is None else known if known in _HUB_LICENCES else "other",
        licence_name=named if named is not None and known not in _HUB_LICENCES else None,
        tags=tags,
        languages=measured_languages(decision.study),
        base_model=None if untrained else published_checkpoint(chosen.backbone),
        metrics=[metric["type"] for metric in metrics],
        name=chosen.title + "".join(f" ({mark})" for mark in chosen.marks),
        result=index_entry(corpora, decision.study.title, metrics),
    )


def _warnings(view: View, chosen: Candidate) -> Iterator[str]:
    if view.shouts:
        yield f"> **Do not choose by this card: {safe(' and '.join(view.shouts))}.**"
    if chosen.marks:
        yield f"> **{safe(', '.join(chosen.marks))}**"


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def _choice(view: View, chosen: Candidate, said: Minute) -> str:
    decision = view.decision
    known = {name: fact for name, fact in chosen.facts.items() if fact.value is not None}
    about = [
        f"{FACTS[name].title.lower()}: {safe(known[name].text)}"
        for name in ("organisation", "released", "architecture", "training_hours")
        if name in known
    ]
    ties = decision.sentences("tie")
    changes = [
        ("" if any(text.startswith(title) for text in ties) else f"{title}: ")
        + "; ".join(f"{safe(change.cause)}: {safe(change.result)}" for change in found)
        for title, found in said.changes.items()
    ]
    sure = f"Same choice in {probability(decision.confidence)} of {decision.sampling.draws:,} draws"
    lines = [
        f"encoder: {code(chosen.backbone)}, weights {chosen.weights_kind}",
        *about,
        f"{sure} of figures and weights",
        *map(safe, ties),
        *changes,
    ]
    return f"## What it is, and why\n\n{safe(decision.summary)}\n\n{_bullets(lines)}"


def _intended_use(view: View) -> str:
    asked = view.decision.scenario
    stated = [f"{title.lower()}: {safe(text)}" for title, text in view.application]
    context = safe(asked.context) or "The scenario says nothing of its use."
    text = f"## Intended use\n\n{context}"
    if stated:
        text += f"\n\n{_bullets(stated)}"
    return f"{text}\n\nTrustSER measures; it does not approve a use."


def _out_of_scope(decision: Decision) -> str:
    found = populations(decision.study)
    held = [f"{one.title.lower()}: {safe(', '.join(one.held))}" for one in found if one.held]
    lines = [f"Measured on: {'; '.join(held)}"] if held else []
    lines += [
        f"{one.title.lower()}: {safe(', '.join(one.untested))}: in no corpus that says"
        for one in found
        if one.untested
    ]
    lines += [safe(text) for topic in ("coverage", "counsel") for text in decision.sentences(topic)]
    return f"## Out of scope until it is measured\n\n{_bullets(lines)}"


def _figures(decision: Decision, chosen: Candidate) -> str:
    columns = ("aspect", "criterion", "value", "95 % interval", "origin", "clips", "baseline")
    rows = [
        _row(decision, figure)
        for name in CRITERIA
        if (figure := chosen.figures.get(name)) is not None and figure.value is not None
    ]
    return (
        f"## Figures\n\n{safe(decision.study.title)}. {safe(decision.study.source)}\n\n"
        f"{table((*columns, 'flags'), rows)}"
    )


def _row(decision: Decision, figure: Figure) -> list[str]:
    definition = CRITERIA[figure.criterion]
    assert figure.value is not None  # noqa: S101 - who calls it has looked
    interval = interval_cell(figure.low, figure.high, definition.unit)
    kind = INTERVALS[figure.interval] if figure.interval != "none" else UNKNOWN
    weighed = [c.stated for c in decision.criteria if c.criterion == figure.criterion]
    return [
        ASPECT_TITLES[definition.aspect],
        f"{definition.title} (`{figure.criterion}`)" + "".join(f", weighed {w}" for w in weighed),
        format_value(figure.value, definition.unit),
        f"{interval} ({kind})" if interval and kind != "exact" else kind,
        safe(f"{figure.origin}: {figure.source}" if figure.source else figure.origin),
        "" if figure.n is None else f"{figure.n:,}",
        "" if figure.baseline is None else format_value(figure.baseline, definition.unit),
        safe("; ".join(figure.flags)),
    ]


def _risks(said: Minute) -> str:
    lines = [
        f"{risk.title}: {risk.words}: {risk.axes[0].reading}"
        + (f", {risk.graded[0]} by itself" if risk.axes[0].score is not None else "")
        for risk in said.risks
    ]
    return f"## Risks\n\n{_bullets(map(safe, lines))}"


def _limits(decision: Decision) -> str:
    topics = ("mark", "flagged", "counting", "evidence")
    said = [text for topic in topics for text in decision.sentences(topic)]
    texts = dict.fromkeys((*general_limits(decision.candidates), *decision.study.notes, *said))
    return f"## Limits\n\n{_bullets(map(safe, texts))}"


def _unknown(decision: Decision, chosen: Candidate) -> str:
    lines = [
        f"{CRITERIA[name].title} (`{name}`): {safe(figure.unknown or UNKNOWN)}"
        for name in CRITERIA
        if (figure := chosen.figures.get(name)) is not None and figure.value is None
    ]
    lines += [
        f"{safe(decision.criteria_titles.get(gap.criterion, gap.criterion))}: {safe(gap.reason)}"
        for gap in decision.missing
        if gap.candidate == chosen.name and gap.criterion not in chosen.figures
    ]
    lines += [
        f"{one.title.lower()} of the speakers of {safe(', '.join(one.silent))}"
        for one in populations(decision.study)
        if one.silent
    ]
    lines += [
        f"{FACTS[name].title.lower()}: {safe(fact.unknown or UNKNOWN)}"
        for name, fact in chosen.facts.items()
        if fact.value is None and name in FACTS
    ]
    return f"## What is unknown\n\n{_bullets(lines) if lines else 'Nothing that is asked here.'}"


def _licences(chosen: Candidate) -> str:
    rows = [
        [title, safe(fact.text), safe(fact.source or fact.unknown), fact.as_of]
        for title, fact in zip(licence_titles(), licences(chosen), strict=True)
    ]
    return (
        f"## Licences\n\n{table(('of', 'says', 'source, or why it is unknown', 'as of'), rows)}\n\n"
        "Of the corpora that it was measured on, and of a recogniser made of it: to be said by its "
        "owner."
    )


def _reproduction(decision: Decision, chosen: Candidate) -> str:
    texts = decision.scenario.texts
    name = texts[0].name.removesuffix(".yaml")
    shipped = name in shipped_names() and load_scenario(SHIPPED / texts[0].name).texts == texts
    several = (
        "texts below under their names" if len(texts) > 1 else f"text below as {texts[0].name}"
    )
    first = [] if shipped else [f"Save the {safe(several)} first, and run there:"]
    asked = shlex.quote(name if shipped else texts[0].name)
    db = " --db my.duckdb" if decision.study.kind == "measured" else ""
    commands = (
        f"trustser advise {asked}{db} --seed {decision.sampling.seed} -o report.html\n"
        "trustser verify report.html"
    )
    versions = ", ".join(f"{one} {version}" for one, version in decision.versions.items())
    record = [
        f"decision: `{decision.hash}`",
        f"studies: {safe(', '.join(decision.study.studies))}",
        *([f"runs: {safe(', '.join(chosen.runs))}"] if chosen.runs else []),
        f"made with {safe(versions)}",
    ]
    scenarios = [
        f"{safe(text.name)}:\n\n{fenced(text.text, 'yaml')}" for text in decision.scenario.texts
    ]
    return "\n\n".join(
        ["## How to reproduce", *first, fenced(commands, "sh"), _bullets(record), *scenarios]
    )
