"""All figures of some profiles as one table: a row a figure, a column a field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from profiles_db.measurement import DETAILS, POOLED, Measurement
from profiles_db.profile import Profile

if TYPE_CHECKING:
    import duckdb

COLUMNS: Final = (
    "study", "run", "backbone", "weights_kind", "weights_id", "corpus", "synthetic", "measure",
    "criterion", *DETAILS, "fold", "value", "low", "high", "interval", "n", "baseline",
    "unknown", "flags", "notes", "origin", "source", "device",
)  # fmt: skip
"""Columns of exported figures, and of `trustser.Database.figures`; `fold` is empty for figures over
all folds."""


def rows(profiles: Sequence[Profile]) -> list[dict[str, Any]]:
    """One row per measurement, in the order of `COLUMNS`; None where there is no value."""
    return [_row(profile, m) for profile in profiles for m in profile.measurements]


def _row(profile: Profile, measurement: Measurement) -> dict[str, Any]:
    own = {
        "run": profile.run,
        "weights_kind": profile.weights_kind,
        "weights_id": profile.weights_id,
        "synthetic": profile.synthetic,
        "fold": None if measurement.fold == POOLED else measurement.fold,
        "flags": "; ".join(measurement.flags),
        "notes": "; ".join(measurement.notes),
    }
    return {name: own[name] if name in own else getattr(measurement, name) for name in COLUMNS}


_TYPES: Final = {
    "fold": "INTEGER",
    "n": "BIGINT",
    "synthetic": "BOOLEAN",
    "layer": "INTEGER",
    **dict.fromkeys(("value", "low", "high", "baseline", "snr_db", "level"), "DOUBLE"),
}
"""SQL types of the columns that hold no text."""


def as_relation(
    profiles: Sequence[Profile], connection: duckdb.DuckDBPyConnection
) -> duckdb.DuckDBPyRelation:
    """The rows as a table of DuckDB's, in the order of `COLUMNS`, where `connection` may write."""
    found = rows(profiles)
    values = ", ".join(
        f'unnest(?::{_TYPES.get(name, "VARCHAR")}[]) AS "{name}"' for name in COLUMNS
    )
    columns = [[row[name] for row in found] for name in COLUMNS]
    connection.execute(f"CREATE OR REPLACE TABLE figures AS SELECT {values}", columns)
    return connection.table("figures")
