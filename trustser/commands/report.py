"""`trustser report` and `trustser verify`: pages from profiles, and whether a page still holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trustser.option_values import timestamp
from trustser.stored_profiles import named, open_to_read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profiles_db.profile import Profile

DEFAULT_DB = Path("trustser.duckdb")
DEFAULT_OUTPUT = Path("trustser-profiles.html")
CHECK_FAILED = 1


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Runs (or their first characters) or backbones; without any, the last study.",
        ),
    ] = None,
    db: Annotated[
        Path, typer.Option("--db", help="DuckDB file that keeps the profiles.")
    ] = DEFAULT_DB,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The report (HTML) to write.")
    ] = DEFAULT_OUTPUT,
    made_at: Annotated[
        str | None, typer.Option("--made-at", help="Time shown in the report, as ISO 8601.")
    ] = None,
) -> None:
    """Write a report of measured profiles: aspects, classes, groups, attacks, provenance.

    Example: trustser report whisper_tiny --db profiles.duckdb -o whisper_tiny.html
    """
    # DuckDB and the pictures take a while to load.
    from profiles_db.run_rows import run_rows  # noqa: PLC0415
    from reports.profile import write_profile  # noqa: PLC0415

    when = timestamp(made_at)
    with open_to_read(db) as snapshot:
        found = snapshot.with_measurements(_chosen(snapshot.outlines(), runs or [], db))
        rows = run_rows(snapshot, found)
    write_profile(found, output, made_at=when, rows=rows)
    count = f"{len(found)} profile{'s' if len(found) > 1 else ''}"
    typer.echo(f"Report of {count}: {output}")


def verify(
    file: Annotated[Path, typer.Argument(help="An HTML report of `advise` or `choose`.")],
) -> None:
    """Recompute the decision that a report carries, and say whether it comes out the same.

    Exit code 0: it does, and the page shows it; 1: not so, and the output says what was altered.
    The entries of the sign-off are repeated, not checked.

    Example: trustser verify edge.html
    """
    from advisor.verify import verify as recompute  # noqa: PLC0415
    from profiles_db.printing import shown  # noqa: PLC0415
    from reports.embedded import decision_text, read_report  # noqa: PLC0415
    from reports.same_page import entries  # noqa: PLC0415

    page = read_report(file)
    carried = decision_text(page, str(file))
    verification = recompute(carried)
    for line in verification.lines():
        typer.echo(line)
    holds = verification.holds and _shows(page, carried, file)
    for name, text in entries(page).items():
        typer.echo(f"Entered, and not checked: {name}: {shown(text)}")
    if not holds:
        raise typer.Exit(CHECK_FAILED)


def _shows(page: str, carried: str, file: Path) -> bool:
    """Whether the page shows what its data says, as far as this version can tell."""
    import json  # noqa: PLC0415

    from advisor.choosing import versions  # noqa: PLC0415
    from advisor.decision import FORMAT  # noqa: PLC0415
    from reports.advice import shown_otherwise  # noqa: PLC0415

    written = json.loads(carried)
    if written["versions"] != versions() or written["format"] != FORMAT:
        typer.echo("Another version wrote this page, so its words were not compared with its data.")
        return True
    difference = shown_otherwise(page, str(file))
    if difference is None:
        typer.echo("The page shows what its data says.")
        return True
    typer.echo(f"The page was altered: its data gives another {difference}")
    return False


def _chosen(profiles: Sequence[Profile], names: Sequence[str], db: Path) -> list[Profile]:
    """The profiles named, or those of the study that was finished last."""
    found = named(profiles, names, db)
    return found if names else [p for p in found if p.study == profiles[-1].study]
