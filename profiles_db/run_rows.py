"""Rows of finished runs that reports draw: where clips lie, and how trainings went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from profiles_db.profile import Profile
from profiles_db.records import EmbeddingPoint, Epoch
from profiles_db.row_tables import table_of
from profiles_db.snapshot import Snapshot, frozen

Kind = TypeVar("Kind", EmbeddingPoint, Epoch)


@dataclass(frozen=True, slots=True)
class RunRows:
    """What a report draws of one run; empty where there is nothing of it."""

    points: tuple[EmbeddingPoint, ...] = ()
    epochs: tuple[Epoch, ...] = ()


def run_rows(snapshot: Snapshot, profiles: Sequence[Profile]) -> Mapping[str, RunRows]:
    """The rows of each of `profiles` that reports draw, by run.

    Raises
    ------
    StoreError
        If a table is damaged.
    """
    return {
        profile.run: RunRows(
            _rows(snapshot, EmbeddingPoint, profile.run), _rows(snapshot, Epoch, profile.run)
        )
        for profile in profiles
        if profile.run
    }


def _rows(snapshot: Snapshot, kind: type[Kind], run: str) -> tuple[Kind, ...]:
    table = table_of(kind)
    if table.name not in snapshot.tables():
        return ()
    columns = ", ".join(f'"{name}"' for name in table.names)
    found = snapshot.rows(table.name, run=run).select(columns).fetchall()
    return tuple(kind(*map(frozen, row)) for row in found)
