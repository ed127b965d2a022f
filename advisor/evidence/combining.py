"""Several kinds of evidence side by side, without mixing figures that were measured differently.

The figures of a criterion are all of one study: the first that has any. A candidate that this study
lacks is unknown there, whatever another study says of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from advisor.evidence.alternatives import Evidence
from advisor.records import Alternative, Figure, StudyRecord
from profiles_db.criteria import ASPECTS, CRITERIA, Aspect


def combined(first: Evidence, others: Sequence[Evidence]) -> Evidence:
    """The evidence of `first`, and of the others for criteria that nothing before them has."""
    if not others:
        return first
    evidence = (first, *others)
    owners = {name: _owner(name, evidence) for name in CRITERIA}
    candidates: dict[str, list[tuple[int, Alternative]]] = {}
    for number, one in enumerate(evidence):
        for alternative in one.alternatives:
            candidates.setdefault(_identity(alternative), []).append((number, alternative))
    return Evidence(
        _record(evidence, owners),
        tuple(_merged(name, found, owners, evidence) for name, found in candidates.items()),
        tuple(excluded for one in evidence for excluded in one.excluded),
    )


def _owner(criterion: str, evidence: Sequence[Evidence]) -> int | None:
    """Number of the first evidence in which some candidate has a figure of the criterion."""
    for number, one in enumerate(evidence):
        figures = (alternative.figures.get(criterion) for alternative in one.alternatives)
        if any(figure is not None and figure.value is not None for figure in figures):
            return number
    return None


def _identity(alternative: Alternative) -> str:
    """Its name; untrained weights are never the candidate that a publication speaks of."""
    if alternative.weights_kind == "random" and "@" not in alternative.name:
        return f"{alternative.name}@{alternative.weights_id}"
    return alternative.name


def _merged(
    name: str,
    found: Sequence[tuple[int, Alternative]],
    owners: dict[str, int | None],
    evidence: Sequence[Evidence],
) -> Alternative:
    """One candidate out of what each evidence has of it."""
    of = dict(found)
    figures: dict[str, Figure] = {}
    for criterion, owner in owners.items():
        if owner is None:
            known = [a.figures[criterion] for _, a in found if criterion in a.figures]
            figures |= {criterion: known[0]} if known else {}
        elif owner in of and criterion in of[owner].figures:
            figures[criterion] = of[owner].figures[criterion]
        else:
            title = evidence[owner].study.title
            reason = f"{title} has no figure of it, and figures of several studies do not mix"
            figures[criterion] = Figure(criterion, None, unknown=reason)
    alternatives = [alternative for _, alternative in found]
    # What was measured here says more of weights, folds and device than a publication does.
    measured = [a for a in alternatives if a.weights_kind != "published"]
    first = (measured or alternatives)[0]
    return replace(
        first,
        name=name,
        title=alternatives[0].title,
        corpora=tuple(dict.fromkeys(corpus for a in alternatives for corpus in a.corpora)),
        runs=tuple(run for a in alternatives for run in a.runs),
        marks=tuple(dict.fromkeys(mark for a in alternatives for mark in a.marks)),
        figures=figures,
    )


def _record(evidence: Sequence[Evidence], owners: dict[str, int | None]) -> StudyRecord:
    studies = [one.study for one in evidence]
    first = studies[0]
    aspects: dict[Aspect, str] = {}
    reasons: dict[Aspect, str] = {}
    for aspect in (a for a in ASPECTS if any(a in study.aspect_criterion for study in studies)):
        study = _speaks_for(aspect, studies, owners)
        aspects[aspect] = study.standing_for(aspect)
        if aspect in study.aspect_reasons:
            reasons[aspect] = study.aspect_reasons[aspect]
    whose = {name: studies[owner].title for name, owner in owners.items() if owner}
    by_title: dict[str, list[str]] = {}
    for name, title in whose.items():
        by_title.setdefault(title, []).append(name)
    notes = [f"From {title}: {', '.join(names)}." for title, names in by_title.items()]
    return replace(
        first,
        kind="measured" if any(study.kind == "measured" for study in studies) else "published",
        studies=tuple(name for study in studies for name in study.studies),
        title="; ".join(study.title for study in studies),
        source="; ".join(study.source for study in studies),
        aspect_criterion=aspects,
        aspect_reasons=reasons,
        assumed={
            name: study.assumed[name]
            for name, owner in owners.items()
            if owner is not None and name in (study := studies[owner]).assumed
        },
        notes=(*notes, *(note for study in studies for note in study.notes)),
        untrained=any(study.untrained for study in studies),
        synthetic=any(study.synthetic for study in studies),
        speech={name: one for study in reversed(studies) for name, one in study.speech.items()},
    )


def _speaks_for(
    aspect: Aspect, studies: Sequence[StudyRecord], owners: dict[str, int | None]
) -> StudyRecord:
    """The first study whose criterion for the aspect is its own to give; else the first study."""
    for number, study in enumerate(studies):
        if owners[study.standing_for(aspect)] == number:
            return study
    return studies[0]
