"""`trustser db`: a copy of the database, what is wrong with it, and today's schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trustser.terminal import print_json, tell

DEFAULT_DB = Path("trustser.duckdb")
FAILED = 1
"""Exit code where a check failed."""

Database = Annotated[Path, typer.Option("--db", help="DuckDB file that keeps the profiles.")]

database_app = typer.Typer(
    help="Back the database up, check it, or bring it up to date.",
    no_args_is_help=False,
    add_completion=False,
)


@database_app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="The file to write.")],
    db: Database = DEFAULT_DB,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Copy the database as it stands at one moment, also while a run writes it.

    Example: trustser db backup profiles-backup.duckdb --db profiles.duckdb
    """
    from profiles_db.maintenance import backup as copy  # noqa: PLC0415 - DuckDB loads slowly

    rows = copy(db, target, force=force, on_wait=tell)
    typer.echo(f"{rows['runs']} runs, {sum(rows.values())} rows: {target}")


@database_app.command()
def migrate(db: Database = DEFAULT_DB) -> None:
    """Bring a database of an earlier release to today's schema; every row and figure stays.

    Example: trustser db migrate --db profiles.duckdb
    """
    from profiles_db.errors import StoreError  # noqa: PLC0415 - DuckDB loads slowly
    from profiles_db.migrations import SCHEMA_VERSION  # noqa: PLC0415
    from profiles_db.store import Store  # noqa: PLC0415

    if not db.is_file():
        raise StoreError("no such database", where=str(db), remedy="name it with --db")
    Store(db, on_wait=tell)
    typer.echo(f"{db} has schema {SCHEMA_VERSION}.")


@database_app.command()
def check(
    db: Database = DEFAULT_DB,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Read the whole database; exit code 1 when something is wrong, and the output says what.

    Example: trustser db check --db profiles.duckdb
    """
    from profiles_db.maintenance import check as examine  # noqa: PLC0415 - DuckDB loads slowly

    health = examine(db, on_wait=tell)
    if json:
        unfinished, rows = list(health.unfinished), dict(health.rows)
        print_json({"problems": list(health.problems), "unfinished": unfinished, "rows": rows})
    else:
        for problem in health.problems:
            typer.echo(f"wrong: {problem}")
        for run in health.unfinished:
            typer.echo(f"unfinished: {run}; the same `trustser profile` goes on with it")
        typer.echo("Nothing is wrong." if health.sound else f"{len(health.problems)} problems.")
    if not health.sound:
        raise typer.Exit(FAILED)
