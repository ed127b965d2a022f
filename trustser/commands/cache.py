"""`trustser cache`: what the feature cache holds, how much of it is kept, whether it is whole."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from profiles_db.criteria import format_value
from profiles_db.errors import InputError
from trustser.option_values import parse_size
from trustser.terminal import TerminalProgress, print_json, print_table

if TYPE_CHECKING:
    from profiler.features.upkeep import Section

FAILED = 1
"""Exit code where a check failed."""

Folder = Annotated[
    Path | None,
    typer.Option(
        "--cache", help="Folder of the feature cache (default: $TRUSTSER_CACHE, ~/.cache/trustser)."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

cache_app = typer.Typer(
    help="List, prune or verify the feature cache.", no_args_is_help=False, add_completion=False
)


@cache_app.command("list")
def list_cache(cache: Folder = None, json: AsJson = False) -> None:
    """List what the cache holds by backbone, weights, length of clip and precision, with sizes.

    Example: trustser cache list
    """
    from profiler.features.upkeep import sections, step_results  # noqa: PLC0415 - loaded only when asked for

    folder = _home(cache)
    found, left = sections(folder), step_results(folder)
    if json:
        runs = [{"run": one.run, "bytes": one.size, "in_use": one.in_use} for one in left]
        print_json({"features": [_as_record(one) for one in found], "step_results": runs})
        return
    columns = ("backbone", "weights", "clip", "precision", "entries", "size", "last used", "in use")
    print_table(f"Features in {folder}", columns, [_row(one) for one in found], right=(2, 4, 5))
    typer.echo(f"In all {_bytes(sum(one.size for one in found))}.")
    for one in left:
        typer.echo(f"Step results of run {one.run}: {_bytes(one.size)}.")


@cache_app.command()
def prune(
    cache: Folder = None,
    limit: Annotated[
        str | None, typer.Option(help="Keep so much, say 20GB; what was used longest ago goes.")
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Remove all features, and the step results of all runs."),
    ] = False,
) -> None:
    """Remove features, which the next run makes again; what a run uses now stays.

    Example: trustser cache prune --limit 20GB
    """
    from profiler.features.upkeep import prune as remove  # noqa: PLC0415 - loaded only when asked for

    if (limit is None) != everything:
        raise InputError("--limit and --all", rule="exactly one of the two")
    kept = 0 if limit is None else parse_size(limit, "--limit")
    done = remove(_home(cache), kept, steps=everything)
    typer.echo(f"Removed {done.files} files, {_bytes(done.size)}.")
    for name in done.in_use:
        typer.echo(f"Kept {name}: a run uses it.")


@cache_app.command()
def verify(cache: Folder = None, json: AsJson = False) -> None:
    """Compare every entry with its checksum; exit code 1 when one is damaged, and which.

    Example: trustser cache verify
    """
    from profiler.features.upkeep import sections  # noqa: PLC0415 - loaded only when asked for
    from profiler.features.upkeep import verify as compare  # noqa: PLC0415

    folder = _home(cache)
    total = sum(section.entries for section in sections(folder))
    with TerminalProgress().stage("verifying", total) as stage:
        damaged = compare(folder, stage.advance)
    if json:
        print_json({"entries": total, "damaged": [str(path) for path in damaged]})
    else:
        for path in damaged:
            typer.echo(f"damaged: {path}")
        typer.echo(f"{total} entries, {len(damaged)} damaged; the next run makes those again.")
    if damaged:
        raise typer.Exit(FAILED)


def _home(cache: Path | None) -> Path:
    from profiler.cache_home import cache_home  # noqa: PLC0415 - loaded only when asked for

    return cache or cache_home()


def _row(section: Section) -> tuple[str, ...]:
    return (
        section.backbone,
        section.weights or "not known",
        "not known" if section.seconds is None else f"{section.seconds:g} s",
        section.precision or "not known",
        str(section.entries),
        _bytes(section.size),
        _time(section.used),
        "yes" if section.in_use else "",
    )


def _as_record(section: Section) -> dict[str, object]:
    return {
        "folder": str(section.folder),
        "backbone": section.backbone,
        "weights": section.weights or None,
        "seconds": section.seconds,
        "precision": section.precision or None,
        "entries": section.entries,
        "bytes": section.size,
        "last_used": _time(section.used),
        "in_use": section.in_use,
    }


def _bytes(size: int) -> str:
    return format_value(size, "bytes")


def _time(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(timespec="seconds")
