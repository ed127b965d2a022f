"""`trustser studies`: the published studies that ship, whose figures a scenario can weigh."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from typing import Annotated, Any

import typer

from profiles_db.criteria import CRITERIA, format_value
from profiles_db.errors import InputError
from profiles_db.measurement import Measurement
from profiles_db.published_studies import PublishedStudy, load_published, published_names
from trustser.terminal import print_json, print_table


def studies(
    name: Annotated[
        str | None, typer.Argument(help="Show the figures of this study.", show_default=False)
    ] = None,
    encoder: Annotated[
        str | None, typer.Option("--encoder", help="Only figures of this encoder or model.")
    ] = None,
    corpus: Annotated[
        str | None, typer.Option("--corpus", help="Only figures on this corpus.")
    ] = None,
    details: Annotated[
        bool,
        typer.Option("--details", help="Show figures too that no scenario can weigh."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the published studies with their sources, or show the figures of one.

    With --encoder or --corpus it shows the figures of all studies, or of the one named.

    Example: trustser studies emobox --corpus iemocap --json
    """
    chosen = [load_published(one) for one in ([name] if name is not None else published_names())]
    _check("--encoder", encoder, (e.name for study in chosen for e in study.encoders))
    _check("--corpus", corpus, (one for study in chosen for one in study.corpora))
    shows = name is not None or encoder is not None or corpus is not None
    figures = {study.name: _figures(study, encoder, corpus) for study in chosen} if shows else {}
    if json:
        print_json([_as_record(study, figures.get(study.name), details=details)
                    for study in chosen])  # fmt: skip
    elif shows:
        for study in chosen:
            _show(study, figures[study.name], details=details)
    else:
        _list(chosen)


def _check(option: str, named: str | None, known: Iterable[str]) -> None:
    names = dict.fromkeys(known)
    if named is None or named in names:
        return
    near = get_close_matches(named, names, n=1)
    raise InputError(
        f"no study has {named!r:.60}",
        where=option,
        rule="one of " + ", ".join(names),
        remedy=f"did you mean {near[0]!r}?" if near else None,
    )


def _figures(study: PublishedStudy, encoder: str | None, corpus: str | None) -> list[Measurement]:
    """The figures of a study on a corpus, means over that corpus and others among them."""
    return [
        m
        for profile in study.profiles
        if encoder in (None, profile.backbone)
        and (corpus is None or corpus in profile.corpus.split("+"))
        for m in profile.measurements
    ]


def _list(chosen: Sequence[PublishedStudy]) -> None:
    rows = [
        (
            study.name,
            study.title,
            str(len(study.titles)),
            str(len(study.corpora)),
            ", ".join(_weighable(study)),
            "yes" if study.joins else "no",
        )
        for study in chosen
    ]
    columns = ("name", "title", "encoders", "corpora", "criteria", "joins")
    print_table("Published studies", columns, rows, right=(2, 3))
    for study in chosen:
        typer.echo(f"- {study.name}: {_source(study)}")


def _weighable(study: PublishedStudy) -> list[str]:
    found = {m.criterion for p in study.profiles for m in p.measurements if m.value is not None}
    return [name for name in CRITERIA if name in found]


def _source(study: PublishedStudy) -> str:
    return f"{study.source}. {study.url}, doi:{study.doi}"


def _show(study: PublishedStudy, figures: Sequence[Measurement], *, details: bool) -> None:
    """What is known of the study, then a row for each encoder and corpus."""
    typer.echo(f"{study.title}\n{_source(study)}\nFigures: {study.table}.")
    typer.echo(f"Licence: {study.licence}.")
    typer.echo("Protocol: " + "; ".join(f"{k}: {v}" for k, v in study.protocol.items()) + ".")
    for note in study.notes:
        typer.echo(f"- {note}")
    shown = [m for m in figures if details or m.criterion in CRITERIA]
    known = {m.criterion for m in shown if m.value is not None}
    names = [name for name in CRITERIA if name in known]
    if details:
        cells = [(m.backbone, m.corpus, m.criterion, _cell(m)) for m in shown]
        print_table(study.name, ("encoder", "corpus", "figure", "value"), cells, right=(3,))
    elif shown:
        rows = list(_rows(shown, names))
        right = range(2, 2 + len(names))
        print_table(study.name, ("encoder", "corpus", *names), rows, right=right)
    for reason in _reasons(shown):
        typer.echo(f"- unknown: {reason}")
    if len(shown) < len(figures):
        kinds = ", ".join(study.details)
        typer.echo(f"{len(figures) - len(shown)} further figures with --details: {kinds}.")


def _rows(figures: Sequence[Measurement], names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    cells = {(m.backbone, m.corpus, m.criterion): _cell(m) for m in figures}
    for backbone, corpus in dict.fromkeys((m.backbone, m.corpus) for m in figures):
        found = (cells.get((backbone, corpus, name), "") for name in names)
        yield (backbone, corpus.replace("+", ", "), *found)


def _cell(measurement: Measurement) -> str:
    if measurement.value is None:
        return "unknown"
    if measurement.criterion in CRITERIA:
        return format_value(measurement.value, measurement.definition.unit)
    return f"{measurement.value:g}"


def _reasons(figures: Sequence[Measurement]) -> Iterator[str]:
    """Why figures are unknown: each reason once, with the criteria and encoders it is of."""
    everyone = {m.backbone for m in figures}
    found: dict[tuple[str, str], list[Measurement]] = {}
    for m in figures:
        if m.unknown is not None:
            found.setdefault((m.unknown, m.corpus), []).append(m)
    for (reason, corpus), of in found.items():
        encoders = dict.fromkeys(m.backbone for m in of)
        whose = "" if len(everyone) > 1 and set(encoders) == everyone else ", ".join(encoders)
        place = f" of {whose} on {corpus}" if whose else ""
        yield f"{', '.join(dict.fromkeys(m.criterion for m in of))}{place}: {reason}"


def _as_record(
    study: PublishedStudy, figures: Sequence[Measurement] | None, *, details: bool
) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": study.name,
        "title": study.title,
        "source": study.source,
        "url": study.url,
        "doi": study.doi,
        "table": study.table,
        "licence": study.licence,
        "joins": study.joins,
        "protocol": dict(study.protocol),
        "notes": list(study.notes),
        "criteria": _weighable(study),
        "details": dict(study.details),
        "encoders": [asdict(one) for one in study.encoders],
        "corpora": [asdict(one) for one in study.corpus_facts],
    }
    if figures is not None:
        record["figures"] = [
            {
                "encoder": m.backbone,
                "corpus": m.corpus,
                "criterion": m.criterion,
                "value": m.value,
                "low": m.low,
                "high": m.high,
                "interval": m.interval,
                "unknown": m.unknown,
                "origin": m.origin,
                "source": m.source,
            }
            for m in figures
            if details or m.criterion in CRITERIA
        ]
    return record
