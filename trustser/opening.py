"""The database as commands that only read it open it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from profiles_db.snapshot import Snapshot


def open_to_read(db: Path) -> AbstractContextManager[Snapshot]:
    """The profiles at `db`; where a run is writing it, wait in turn and say so.

    Raises
    ------
    StoreError
        On entering: if there is none, or a process holds it too long, which is then named.
    """
    from profiles_db.snapshot import reading  # noqa: PLC0415 - DuckDB takes a while to load

    return reading(db, on_wait=tell)


def tell(line: str) -> None:
    """One line on standard error."""
    typer.echo(f"trustser: {line}", err=True)
