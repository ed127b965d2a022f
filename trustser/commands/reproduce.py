"""`trustser reproduce`: measure a published study's figures again, and hold them against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from profiles_db.criteria import CRITERIA, format_value
from profiles_db.errors import CheckpointError
from profiles_db.printing import shown
from profiles_db.published_studies import DEFAULT_STUDY, PublishedStudy
from trustser import api
from trustser.api import DEFAULT_DB
from trustser.commands.profile import keeping_said
from trustser.extras import require_profile
from trustser.options import (
    Cache,
    CacheLimit,
    Database,
    Device,
    ProtocolFile,
    ProtocolSettings,
    WeightsSeed,
    Workers,
)
from trustser.reproduction import (
    COSTS,
    Reproduced,
    Target,
    as_record,
    as_row,
    corpora_at_hand,
    counted,
    counts,
    departures,
    followed,
    held_against,
    mean_over_corpora,
    measures_for,
    targets,
    weights_by_encoder,
)
from trustser.terminal import TerminalProgress, print_json, print_table

if TYPE_CHECKING:
    from profiler.corpora.base import Corpus
    from profiler.protocol import Protocol
    from profiles_db.profile import Profile

NOTHING_COMPARED = 3
SOME_DIFFER = 4
_PLURAL: Final[Mapping[str, str]] = {"agrees": "agree", "differs": "differ"}


def reproduce(
    study: Annotated[
        str, typer.Argument(help="A published study whose protocol the program follows.")
    ] = DEFAULT_STUDY,
    data_root: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="A corpus of the study, and where it lies."),
    ] = None,
    backbones: Annotated[
        str | None, typer.Option(help="Only these encoders of the study, with commas.")
    ] = None,
    criteria: Annotated[
        str | None, typer.Option(help="Only these criteria of the study, with commas.")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]WEIGHTS",
            help="`pretrained` (the default), `random` (untrained, for a dry run), or a path for "
            "one encoder; repeatable.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what can be measured here, and measure nothing.")
    ] = False,
    db: Database = DEFAULT_DB,
    protocol: ProtocolFile = None,
    setting: ProtocolSettings = None,
    cache: Cache = None,
    cache_limit: CacheLimit = None,
    device: Device = "auto",
    workers: Workers = None,
    weights_seed: WeightsSeed = 0,
    json: Annotated[bool, typer.Option("--json", help="Print plan or comparison as JSON.")] = False,
) -> None:
    """Measure a published study's figures again, as far as corpora and weights are at hand.

    It says first what can be measured here and what is lacking, then profiles under the study's
    protocol and prints each published figure beside the measured one. They agree where the
    published figure lies in the measured 95 % interval, widened by how far the published one is
    known. Multiply-accumulates and parameters need neither corpora nor weights. Exit code 0: all
    figures that compare agree; 4: some differ; 3: none could be compared.

    Example: trustser reproduce trustser-2023 --data-root iemocap=IEMOCAP --data-root
    crema_d=CREMA-D --data-root msp_improv=MSP-Improv --data-root msp_podcast=MSP-Podcast
    """
    published = followed(study)
    roots = corpora_at_hand(data_root or (), published)
    names = [p.backbone for p in published.profiles if p.backbone not in published.optional]
    encoders = _names(backbones) or names
    given = weights_by_encoder(weights or (), encoders, [n for n in names if n not in encoders])
    wanted = targets(
        published, encoders=encoders, criteria=_names(criteria), at_hand=roots, weights=given
    )
    require_profile("reproduce")
    from profiler.protocol import load_protocol  # noqa: PLC0415

    progress = TerminalProgress()
    settings = load_protocol(protocol, setting or (), say=progress.say)
    corpora = _read(roots, settings)
    plan = {
        "study": published.name,
        "dry_run": dry_run,
        "corpora": _corpora(published, roots, corpora),
    }
    if not json:
        _print_plan(plan, wanted)
    if dry_run:
        if json:
            print_json(plan | {"figures": [as_record(one) for one in wanted]})
        return
    options: dict[str, Any] = {
        "protocol": settings,
        "db": db,
        "cache": cache,
        "cache_limit": cache_limit,
        "device": device,
        "workers": workers,
        "weights_seed": weights_seed,
        "progress": progress,
    }
    with keeping_said(db, progress):
        rows, profiles = _measured(wanted, roots, options)
    if json:
        print_json(plan | {"figures": [as_row(row) for row in rows], "counts": counts(rows)})
    else:
        _print(published, rows)
    from profiler.pipeline.measuring import require_measured  # noqa: PLC0415

    require_measured(profiles)
    found = counts(rows)
    if "differs" in found:
        raise typer.Exit(SOME_DIFFER)
    if "agrees" not in found:
        raise typer.Exit(NOTHING_COMPARED)


def _names(text: str | None) -> list[str]:
    return [] if text is None else list(dict.fromkeys(one.strip() for one in text.split(",")))


def _read(roots: Mapping[str, Path], settings: Protocol) -> dict[str, Corpus]:
    """The corpora at hand, read before any work: a wrong path is told at once."""
    from profiler.corpora.registry import read  # noqa: PLC0415

    classes = settings.study.classes
    return {name: read(name, root, classes=classes) for name, root in roots.items()}


def _corpora(
    study: PublishedStudy, roots: Mapping[str, Path], read: Mapping[str, Corpus]
) -> list[dict[str, Any]]:
    """Each corpus of the study: where it lies and what it holds, or where to ask for it."""
    from profiler.corpora.registry import CORPORA  # noqa: PLC0415

    return [
        {
            "name": name,
            "path": str(roots[name]) if name in roots else None,
            "clips": len(read[name].utterances) if name in read else None,
            "folds": len(read[name].folds) if name in read else None,
            "from": CORPORA[name].request,
        }
        for name in study.corpora
    ]


def _measured(
    wanted: Sequence[Target], roots: Mapping[str, Path], options: Mapping[str, Any]
) -> tuple[list[Reproduced], list[Profile]]:
    """Every figure beside what is measured of it, encoder by encoder, and the profiles made."""
    rows: dict[tuple[str, str], Reproduced] = {}
    profiles: list[Profile] = []
    for encoder in dict.fromkeys(one.encoder for one in wanted):
        own = [one for one in wanted if one.encoder == encoder]
        rows |= {(row.encoder, row.criterion): row for row in _costs(encoder, own, options)}
        trained = [one for one in own if one.corpora]
        able = [one for one in trained if not one.lacks]
        by_corpus, why_not = _profiles(able, roots, options) if able else ({}, "")
        profiles += by_corpus.values()
        for one in trained:
            whole = mean_over_corpora(one.criterion, by_corpus) if by_corpus else None
            changed = departures(options["protocol"], one.criterion)
            row = held_against(one, whole, differs_in=changed, why_not=why_not)
            rows[row.encoder, row.criterion] = row
    return [rows[one.encoder, one.criterion] for one in wanted], profiles


def _costs(encoder: str, own: Sequence[Target], options: Mapping[str, Any]) -> Iterator[Reproduced]:
    """The costs of an encoder, counted from its architecture."""
    asked = [one for one in own if one.criterion in COSTS]
    if not asked:
        return
    from profiler.measures.costs.architecture import architecture_costs  # noqa: PLC0415 - torch

    with options["progress"].stage(f"{encoder}: counting", 1) as stage:
        costs = architecture_costs(encoder)
        stage.advance()
    for one in asked:
        yield held_against(one, counted(one.criterion, getattr(costs, one.criterion)))


def _profiles(
    able: Sequence[Target], roots: Mapping[str, Path], options: Mapping[str, Any]
) -> tuple[dict[str, Profile], str]:
    """An encoder's profiles on the study's corpora; without weights none, and the reason."""
    first, found = able[0], {}
    for corpus in first.corpora:
        try:
            (found[corpus],) = api.profile(
                first.encoder,
                corpus,
                data_root=roots[corpus],
                weights=first.weights,
                measures=measures_for(able),
                **options,
            )
        except CheckpointError as error:
            return {}, str(error)
    return found, ""


def _print_plan(plan: Mapping[str, Any], wanted: Sequence[Target]) -> None:
    """The corpora, then for each encoder which figures can be measured here."""
    rows = [
        (
            corpus["name"],
            corpus["path"] or "not at hand: --data-root " + corpus["name"] + "=PATH",
            "" if corpus["clips"] is None else str(corpus["clips"]),
            "" if corpus["folds"] is None else str(corpus["folds"]),
            corpus["from"],
        )
        for corpus in plan["corpora"]
    ]
    columns = ("corpus", "path", "clips", "folds", "from")
    print_table(f"Corpora of {plan['study']}", columns, rows, right=(2, 3))
    criteria = list(dict.fromkeys(one.criterion for one in wanted))
    cells = {(one.encoder, one.criterion): _can(one) for one in wanted}
    weights = {one.encoder: one.weights for one in wanted if one.weights}
    table = [
        (name, weights.get(name, "none needed"), *(cells[name, one] for one in criteria))
        for name in dict.fromkeys(one.encoder for one in wanted)
    ]
    print_table("What can be measured here", ("encoder", "weights", *criteria), table)
    able = [one for one in wanted if one.corpora and not one.lacks]
    count = len({(one.encoder, corpus) for one in able for corpus in one.corpora})
    typer.echo(
        f"{sum(not one.lacks for one in wanted)} of {len(wanted)} figures, by {count} profiles. "
        "What is in the database already is not measured again."
    )


def _can(target: Target) -> str:
    if target.lacks:
        lacking = len(target.lacks)
        return f"lacks {lacking} {'corpus' if lacking == 1 else 'corpora'}"
    if not target.corpora:
        return "by counting"
    return "untrained" if target.weights == "random" else "yes"


def _print(study: PublishedStudy, rows: Sequence[Reproduced]) -> None:
    """Every figure with its verdict, then what stands behind the verdicts."""
    table = [
        (
            row.encoder,
            row.criterion,
            _value(row.published, row),
            _tolerance(row),
            "" if row.measured is None else _value(row.measured, row),
            _interval(row.low, row.high, row),
            row.verdict,
        )
        for row in rows
    ]
    columns = ("encoder", "criterion", "published", "tolerance", "measured", "95 %", "verdict")
    print_table(study.title, columns, table, right=(2, 3, 4, 5))
    for words in dict.fromkeys(_reasons(rows)):
        typer.echo(shown(f"- {words}"))
    found = counts(rows)
    said = (f"{n} {_PLURAL.get(verdict, verdict)}" for verdict, n in found.items())
    typer.echo(f"{len(rows)} figures: {', '.join(said)}.")


def _reasons(rows: Sequence[Reproduced]) -> Iterator[str]:
    """Why a figure has no verdict, and what to know of one that differs; each once."""
    for row in rows:
        if row.why:
            same = [r.encoder for r in rows if r.why == row.why and r.criterion == row.criterion]
            yield f"{', '.join(same)}: {row.criterion} {row.verdict}: {row.why}"
        elif row.verdict == "differs" and row.measured is not None:
            gap = _difference(row)
            note = f" ({'; '.join(row.notes)})" if row.notes else ""
            yield f"{row.encoder}: {row.criterion} differs by {gap}{note}"


def _difference(row: Reproduced) -> str:
    """How far the measured figure is from the published one, with its sign."""
    assert row.measured is not None  # noqa: S101
    gap = row.measured - row.published
    if CRITERIA[row.criterion].unit == "fraction":
        return f"{100 * gap:+.1f} points"
    return f"{'-' if gap < 0 else '+'}{_value(abs(gap), row)}"


def _value(value: float, row: Reproduced) -> str:
    return format_value(value, CRITERIA[row.criterion].unit)


def _tolerance(row: Reproduced) -> str:
    """How far the published figure is known, to either side."""
    most = max(row.published_high - row.published, row.published - row.published_low)
    if CRITERIA[row.criterion].unit == "fraction":
        return f"± {100 * most:.1f} points"
    return f"± {_value(most, row)}"


def _interval(low: float | None, high: float | None, row: Reproduced) -> str:
    if low is None or high is None:
        return ""
    return "exact" if low == high else f"[{_value(low, row)}, {_value(high, row)}]"
