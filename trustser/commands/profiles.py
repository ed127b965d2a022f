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
    ASPECTS,
    CRITERIA,
    Unit,
    format_value,
)
from profiles_db.errors import InputError
from profiles_db.measurement import Measurement
from profiles_db.profile import Profile
from trustser.terminal import print_json, print_table

profiles_app = typer.Typer(
    help="List and show the profiles of a database.", no_args_is_help=False, add_completion=False
)

Database = Annotated[Path, typer.Option("--db", help="DuckDB file that keeps the profiles.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_DB = Path("trustser.duckdb")


@profiles_app.command("list")
def list_profiles(db: Database = DEFAULT_DB, json: AsJson = False) -> None:
    """List all finished profiles.

    Example: trustser profiles list --db profiles.duckdb
    """
    found = _read(db)
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
    found = [p for p in _read(db) if p.run.startswith(run) or p.backbone == run]
    if not found:
        raise InputError(
            f"no run or backbone is called {run!r}",
            where=str(db),
            remedy="list them with `trustser profiles list`",
        )
    if json:
        print_json([as_record(profile) for profile in found])
        return
    for profile in found:
        _print_profile(profile)


def print_aspects(profiles: Sequence[Profile]) -> None:
    """The five aspects of each profile, one row per backbone."""
    columns = ("backbone", "weights", *(ASPECT_TITLES[aspect] for aspect in ASPECTS))
    rows = [
        (
            profile.backbone,
            weights_mark(profile),
            *(_cell(profile, ASPECT_CRITERION[aspect]) for aspect in ASPECTS),
        )
        for profile in profiles
    ]
    first = profiles[0]
    title = f"Trust profile on {corpus_mark(first)}, {first.folds} of {first.folds_total} folds"
    print_table(title, columns, rows)


def weights_mark(profile: Profile) -> str:
    """The kind of weights, random ones marked as untrained."""
    kinds = {"random": "RANDOM (untrained)", "none": "none needed"}
    return kinds.get(profile.weights_kind, profile.weights_kind)


def corpus_mark(profile: Profile) -> str:
    """The corpus, synthetic speech marked as such."""
    return f"{profile.corpus} (SYNTHETIC speech)" if profile.synthetic else profile.corpus


def as_record(profile: Profile) -> dict[str, Any]:
    """The whole profile as plain data."""
    return dataclasses.asdict(profile)


def _read(db: Path) -> list[Profile]:
    from profiles_db.store import Store  # noqa: PLC0415

    return Store(db, read_only=True).profiles()


def _summary(profile: Profile) -> dict[str, Any]:
    record = as_record(profile)
    del record["measurements"], record["provenance"], record["protocol"]
    return record


def _print_profile(profile: Profile) -> None:
    columns = ("aspect", "criterion", "value", "95 % interval", "n", "chance", "flags")
    rows = [
        (
            ASPECT_TITLES[CRITERIA[m.criterion].aspect],
            m.criterion,
            _value(m),
            _interval(m),
            "" if m.n is None else str(m.n),
            "" if m.chance is None else format_value(m.chance, m.definition.unit),
            "; ".join(m.flags),
        )
        for name in CRITERIA
        if (m := profile.pooled(name)) is not None
    ]
    title = (
        f"{profile.backbone}, weights {weights_mark(profile)}, {corpus_mark(profile)}, "
        f"study {profile.study}, run {profile.run}"
    )
    print_table(title, columns, rows, right=(2, 4, 5))


def _cell(profile: Profile, criterion: str) -> str:
    measurement = profile.pooled(criterion)
    if measurement is None:
        return "not measured"
    interval = _interval(measurement)
    mark = " *" if measurement.flags else ""
    return f"{_value(measurement)} {interval}{mark}".strip()


def _value(measurement: Measurement) -> str:
    if measurement.value is None:
        return f"unknown: {measurement.unknown}"
    return format_value(measurement.value, measurement.definition.unit)


def _interval(measurement: Measurement) -> str:
    if measurement.low is None or measurement.high is None:
        return ""
    unit: Unit = measurement.definition.unit
    return f"[{format_value(measurement.low, unit)}, {format_value(measurement.high, unit)}]"
