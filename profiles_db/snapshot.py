"""Profiles as a database holds them at one moment, however many reads that takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb

from profiles_db.database_file import PATIENCE_SECONDS, DatabaseFile
from profiles_db.errors import StoreError
from profiles_db.measurement import Measurement
from profiles_db.profile import Measured, Profile
from profiles_db.soundness import document, require_sound, rules

# Constructors are called with whole rows, so columns are those fields that come first or last.
_DETAILS: Final = ("protocol", "provenance", "measurements", "measured")
_OUTLINE_COLUMNS: Final = tuple(
    field.name for field in dataclasses.fields(Profile) if field.name not in _DETAILS
)
_IDENTITY: Final = ("study", "backbone", "weights", "corpus")
MEASUREMENT_COLUMNS: Final = tuple(
    field.name for field in dataclasses.fields(Measurement) if field.name not in _IDENTITY
)
_OF_RUNS: Final = "WHERE run IN (SELECT unnest(?::VARCHAR[]))"


@contextmanager
def reading(
    path: Path,
    *,
    patience: float = PATIENCE_SECONDS,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[Snapshot]:
    """The profiles of the database at `path`, which nobody can write until the block ends.

    The file is opened once, however much is read. To a `Store` each read is a transaction of its
    own, between which others may write.

    Parameters
    ----------
    path : Path
    patience, on_wait
        As in `profiles_db.store.Store`.

    Raises
    ------
    StoreError
        If the file is missing, no database, of another schema, damaged, or held too long.

    Examples
    --------
    >>> import tempfile
    >>> from profiles_db.store import Store
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(Path(folder) / "profiles.duckdb")
    ...     with reading(store.path) as snapshot:
    ...         snapshot.with_measurements(snapshot.outlines())
    []
    """
    file = DatabaseFile(path, read_only=True, patience=patience, on_wait=on_wait)
    with file.migrated() as connection:
        yield Snapshot(connection)


class Snapshot:
    """The finished profiles that one transaction sees."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def profiles(self, *, study: str | None = None) -> list[Profile]:
        """Profiles of all finished runs, or of one study, in the order they were finished."""
        return self.with_measurements(self.outlines(study=study))

    def outlines(self, *, study: str | None = None) -> list[Profile]:
        """What `profiles` gives, without protocol, provenance and measurements: who, not what."""
        require_sound(self._connection, "runs")
        condition = "" if study is None else " AND study = ?"
        found = self._connection.execute(
            f"SELECT {', '.join(_OUTLINE_COLUMNS)} FROM runs"  # noqa: S608
            f" WHERE finished IS NOT NULL{condition} ORDER BY finished, run",
            [] if study is None else [study],
        ).fetchall()
        return [Profile(*row) for row in found]

    def with_measurements(self, outlines: Sequence[Profile]) -> list[Profile]:
        """The profiles of `outlines`, in their order, with what was measured, and how."""
        if not outlines:
            return []
        runs = [outline.run for outline in outlines]
        require_sound(self._connection, "measurements", runs)
        documents = self._documents(runs)
        rows = self._measurement_rows(runs)
        measured = measured_of(self._connection, runs)
        return [
            dataclasses.replace(
                outline,
                protocol=documents[outline.run][0],
                provenance=documents[outline.run][1],
                measurements=_measurements(outline, rows[outline.run]),
                measured=measured[outline.run],
            )
            for outline in outlines
        ]

    def tables(self) -> tuple[str, ...]:
        """Names of the tables that are there, but for that of the schema's version."""
        found = self._connection.execute("SHOW TABLES").fetchall()
        return tuple(sorted({name for (name,) in found} - {"trustser_schema"}))

    def rows(self, table: str, *, run: str | None = None) -> duckdb.DuckDBPyRelation:
        """All rows of a table, or those of one run, as they were inserted.

        Raises
        ------
        StoreError
            If there is no such table, or it holds what it never should.
        """
        if table not in self.tables():
            raise StoreError(
                f"no table is called {table!r:.60}", rule=f"one of {', '.join(self.tables())}"
            )
        if table in rules():
            require_sound(self._connection, table, None if run is None else [run])
        return self._connection.sql(
            f'SELECT * FROM "{table}" WHERE $run::VARCHAR IS NULL OR run = $run ORDER BY rowid',  # noqa: S608
            params={"run": run},
        )

    def _documents(self, runs: list[str]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
        """Protocol and provenance of each run."""
        found = self._connection.execute(
            f"SELECT run, protocol, provenance FROM runs {_OF_RUNS}",  # noqa: S608
            [runs],
        ).fetchall()
        return {
            run: (
                document(protocol, run, "runs", "protocol"),
                document(provenance, run, "runs", "provenance"),
            )
            for run, protocol, provenance in found
        }

    def _measurement_rows(self, runs: list[str]) -> dict[str, list[Sequence[Any]]]:
        names = ", ".join(f'"{name}"' for name in MEASUREMENT_COLUMNS)
        # Rows of a run lie together: knowing them first spares DuckDB the other columns elsewhere.
        found = self._connection.execute(
            f"SELECT run, {names} FROM measurements WHERE rowid IN"  # noqa: S608
            f" (SELECT rowid FROM measurements {_OF_RUNS}) ORDER BY rowid",
            [runs],
        ).fetchall()
        rows: dict[str, list[Sequence[Any]]] = {run: [] for run in runs}
        for run, *row in found:
            rows[run].append(row)
        return rows


def _measurements(outline: Profile, rows: list[Sequence[Any]]) -> tuple[Measurement, ...]:
    identity = (outline.study, outline.backbone, outline.weights_id, outline.corpus)
    return tuple(Measurement(*identity, *map(frozen, row)) for row in rows)


def measured_of(
    connection: duckdb.DuckDBPyConnection, runs: Sequence[str]
) -> dict[str, tuple[Measured, ...]]:
    """With what each of `runs` was measured, in the order of names."""
    require_sound(connection, "measured", runs)
    found = connection.execute(
        "SELECT run, measure, version, settings, basis, finished, failed, provenance FROM measured"
        " WHERE run IN (SELECT unnest(?::VARCHAR[])) ORDER BY run, measure",
        [list(runs)],
    ).fetchall()
    measured: dict[str, list[Measured]] = {run: [] for run in runs}
    for run, measure, version, settings, basis, finished, failed, provenance in found:
        measured[run].append(
            Measured(
                measure,
                version,
                document(settings, run, "measured", "settings"),
                basis,
                finished,
                document(failed, run, "measured", "failed"),
                document(provenance, run, "measured", "provenance"),
            )
        )
    return {run: tuple(own) for run, own in measured.items()}


def frozen(value: Any) -> Any:
    """A list as the tuple that records keep; anything else as it is."""
    return tuple(value) if isinstance(value, list) else value
