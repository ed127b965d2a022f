"""`trustser profiles`: what the database holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from profiles_db.criteria import (
    ASPECT_CRITERION,
    ASPECT_TITLES,
    CRITERIA,
    Unit,
    format_value,
    shown_aspects,
)
from profiles_db.errors import InputError
from profiles_db.files import write_text
from profiles_db.measurement import Measurement
from profiles_db.profile import Profile
from profiles_db.speakers import speaker_agreement
from trustser.commands.profiles_export import (
    Format,
    as_csv,
    as_markdown,
    as_model_index,
    write_parquet,
)
from trustser.stored_profiles import corpus_mark, named, open_to_read, weights_mark
from trustser.terminal import print_json, print_table

profiles_app = typer.Typer(
    help="List, show, compare and export the profiles of a database.",
    no_args_is_help=False,
    add_completion=False,
)

Database = Annotated[Path, typer.Option("--db", help="DuckDB file that keeps the profiles.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_DB = Path("trustser.duckdb")
_OF_SPEAKERS = "speaker_uar_deviation"


@profiles_app.command("list")
def list_profiles(db: Database = DEFAULT_DB, json: AsJson = False) -> None:
    """List all finished profiles.

    Example: trustser profiles list --db profiles.duckdb
    """
    with open_to_read(db) as snapshot:
        found = snapshot.outlines()
    if json:
        print_json([_summary(profile) for profile in found])
        return
    columns = ("run", "study", "backbone", "weights", "corpus", "folds", "finished", "device")
    rows = [
        (
            profile.run,
            profile.study,
            profile.backbone,
            weights_mark(profile),
            corpus_mark(profile),
            f"{profile.folds} of {profile.folds_total}",
            profile.finished,
            profile.device,
        )
        for profile in found
    ]
    print_table(f"Profiles in {db}", columns, rows)


@profiles_app.command("show")
def show_profile(
    run: Annotated[str, typer.Argument(help="A run (or its first characters), or a backbone.")],
    db: Database = DEFAULT_DB,
    json: AsJson = False,
) -> None:
    """Show every criterion of one profile, or of all profiles of a backbone.

    Example: trustser profiles show whisper_tiny --db profiles.duckdb
    """
    with open_to_read(db) as snapshot:
        found = snapshot.with_measurements(named(snapshot.outlines(), [run], db))
    if json:
        print_json([as_record(profile) for profile in found])
        return
    for profile in found:
        _print_profile(profile)


@profiles_app.command("compare")
def compare_profiles(
    names: Annotated[
        list[str] | None, typer.Argument(help="Runs or backbones; all of the study if none.")
    ] = None,
    db: Database = DEFAULT_DB,
    study: Annotated[
        str | None, typer.Option(help="The study; needed where the database holds several.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Compare the profiles of one study, criterion by criterion.

    Example: trustser profiles compare whisper_tiny fbank --db profiles.duckdb
    """
    with open_to_read(db) as snapshot:
        chosen = named(snapshot.outlines(), names or (), db)
        found = snapshot.with_measurements(_of_one_study(chosen, study, db))
    if json:
        print_json([_compared(profile, found[0]) for profile in found])
        return
    rows = [
        (
            ASPECT_TITLES[CRITERIA[name].aspect],
            name,
            *(_cell(profile, name, found[0]) for profile in found),
        )
        for name in CRITERIA
        if any(profile.pooled(name) for profile in found)
    ]
    if any(profile.pooled(_OF_SPEAKERS) for profile in found):
        agreements = (_agreement(profile, found[0]) for profile in found[1:])
        title = "order of the speakers, Spearman's rho with the first"
        rows.append((ASPECT_TITLES["fairness"], title, "", *agreements))
    heads = [f"{profile.backbone}, {weights_mark(profile)}" for profile in found]
    print_table(
        f"Study {found[0].study} on {corpus_mark(found[0])}; * flagged, see `profiles show`; "
        "≠ measured with other settings than the first, so not comparable with it",
        ("aspect", "criterion", *heads),
        rows,
    )


@profiles_app.command("export")
def export_profiles(
    output: Annotated[Path, typer.Argument(help="File to write; its ending names the format.")],
    names: Annotated[
        list[str] | None, typer.Argument(help="Runs or backbones; all profiles if none.")
    ] = None,
    db: Database = DEFAULT_DB,
    form: Annotated[
        Format | None, typer.Option("--format", help="Where the ending does not say.")
    ] = None,
) -> None:
    """Export profiles: .csv or .parquet (every measurement), .md (a table), .yaml (model-index).

    Example: trustser profiles export profiles.csv --db profiles.duckdb
    """
    chosen = form or _format_of(output)
    with open_to_read(db) as snapshot:
        found = snapshot.with_measurements(named(snapshot.outlines(), names or (), db))
    if chosen == "parquet":
        write_parquet(found, output)
    else:
        text = {"csv": as_csv, "markdown": as_markdown, "model-index": as_model_index}[chosen]
        write_text(output, text(found))
    typer.echo(f"{len(found)} profiles: {output}")


def _format_of(output: Path) -> Format:
    known: dict[str, Format] = {
        ".csv": "csv",
        ".parquet": "parquet",
        ".md": "markdown",
        ".yaml": "model-index",
    }
    if output.suffix not in known:
        raise InputError(
            f"no format has the ending {output.suffix!r}",
            where=str(output),
            rule=", ".join(known),
            remedy="or say --format",
        )
    return known[output.suffix]


def _of_one_study(profiles: list[Profile], study: str | None, db: Path) -> list[Profile]:
    """Profiles of one study, since others are not comparable."""
    studies = sorted({profile.study for profile in profiles})
    if study is None and len(studies) > 1:
        raise InputError(
            f"profiles of {len(studies)} studies are not comparable",
            where=str(db),
            remedy=f"choose with --study: {', '.join(studies)}",
        )
    if study is not None and study not in studies:
        raise InputError(f"no study is called {study!r}", where=str(db), rule=", ".join(studies))
    return [profile for profile in profiles if study in (None, profile.study)]


def print_aspects(profiles: Sequence[Profile]) -> None:
    """The aspects of each profile, a row per backbone; costs alone, a row per criterion."""
    if not profiles[0].corpus:
        for profile in profiles:
            _print_profile(profile)
        return
    aspects = shown_aspects(m.criterion for profile in profiles for m in profile.measurements)
    columns = ("backbone", "weights", *(ASPECT_TITLES[aspect] for aspect in aspects))
    rows = [
        (
            profile.backbone,
            weights_mark(profile),
            *(_cell(profile, ASPECT_CRITERION[aspect]) for aspect in aspects),
        )
        for profile in profiles
    ]
    first = profiles[0]
    title = f"Trust profile on {corpus_mark(first)}, {first.folds} of {first.folds_total} folds"
    print_table(title, columns, rows)


def as_record(profile: Profile) -> dict[str, Any]:
    """The whole profile as plain data."""
    return dataclasses.asdict(profile)


def _summary(profile: Profile) -> dict[str, Any]:
    record = as_record(profile)
    del record["measurements"], record["provenance"], record["protocol"]
    return record


def _print_profile(profile: Profile) -> None:
    columns = ("aspect", "criterion", "value", "95 % interval", "n", "baseline", "flags", "notes")
    rows = [
        (
            ASPECT_TITLES[CRITERIA[m.criterion].aspect],
            m.criterion,
            _value(m),
            _interval(m),
            "" if m.n is None else str(m.n),
            "" if m.baseline is None else format_value(m.baseline, m.definition.unit),
            "; ".join(m.flags),
            "; ".join(m.notes),
        )
        for name in CRITERIA
        if (m := profile.pooled(name)) is not None
    ]
    title = (
        f"{profile.backbone}, weights {weights_mark(profile)}, {corpus_mark(profile)}, "
        f"study {profile.study}, run {profile.run}"
    )
    print_table(title, columns, rows, right=(2, 4, 5))


def _cell(profile: Profile, criterion: str, first: Profile | None = None) -> str:
    """A figure; marked where it does not compare with that of `first`."""
    measurement = profile.pooled(criterion)
    if measurement is None:
        return "not measured"
    interval = _interval(measurement)
    mark = " *" if measurement.flags else ""
    if first is not None and first.pooled(criterion) is not None:
        mark += " ≠" if first.basis(criterion) != profile.basis(criterion) else ""
    return f"{_value(measurement)} {interval}{mark}".strip()


def _agreement(profile: Profile, first: Profile) -> str:
    """Whether a profile orders the speakers as the first one does."""
    found = speaker_agreement(first, profile)
    if found.rho is None:
        return f"unknown: {found.unknown}"
    return f"{found.rho:.2f} over {found.speakers} speakers"


def _compared(profile: Profile, first: Profile) -> dict[str, Any]:
    """The whole profile, and how its order of the speakers agrees with that of the first."""
    agreement = dataclasses.asdict(speaker_agreement(first, profile))
    return as_record(profile) | {"speaker_agreement": agreement}


def _value(measurement: Measurement) -> str:
    if measurement.value is None:
        return f"unknown: {measurement.unknown}"
    return format_value(measurement.value, measurement.definition.unit)


def _interval(measurement: Measurement) -> str:
    if measurement.low is None or measurement.high is None:
        return ""
    unit: Unit = measurement.definition.unit
    return f"[{format_value(measurement.low, unit)}, {format_value(measurement.high, unit)}]"
