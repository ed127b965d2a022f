"""The database as commands that only read it open it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from profiles_db.store import Store


def open_to_read(db: Path) -> Store:
    """The store at `db`; where a run is writing it, wait in turn and say so.

    Raises
    ------
    StoreError
        If there is none, or a process holds it too long, which is then named.
    """
    from profiles_db.store import Store  # noqa: PLC0415 - DuckDB takes a while to load

    return Store(db, read_only=True, on_wait=tell)


def tell(line: str) -> None:
    """One line on standard error."""
    typer.echo(f"trustser: {line}", err=True)
