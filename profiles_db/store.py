"""The profile database: runs, folds and measurements go in, profiles come out.

SQL that stores and loads rows is here, that for profiles in `profiles_db.snapshot`; opening,
locking and the schema are in `profiles_db.database_file`, what every row must hold in
`profiles_db.soundness`, what must hold between the rows in `profiles_db.consistency`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb

from profiles_db.database_file import PATIENCE_SECONDS, DatabaseFile
from profiles_db.measurement import Measurement
from profiles_db.profile import Profile
from profiles_db.records import (
    Attacker,
    AttackOutcome,
    Epoch,
    FoldResult,
    LayerWeight,
    Prediction,
    Run,
    Trial,
)
from profiles_db.snapshot import MEASUREMENT_COLUMNS, Snapshot, frozen
from profiles_db.soundness import document, require_sound

_ROWS: Final[dict[type[Any], str]] = {
    Prediction: "predictions",
    AttackOutcome: "attacks",
    Trial: "trials",
    Epoch: "epochs",
    LayerWeight: "layer_weights",
    Attacker: "attackers",
}
_DETAIL_TABLES: Final = (*_ROWS.values(), "fold_results", "measurements")

_AT_A_TIME: Final = 10_000
"""Rows that are fetched together."""

Row = TypeVar("Row", Prediction, AttackOutcome, Trial, Epoch, LayerWeight, Attacker)


class Store:
    """Profiles in a DuckDB file.

    Parameters
    ----------
    path : Path
        The file; made with today's schema if it is not there and the store may write.
    read_only : bool
    patience : float
        Seconds to wait for a file that another process holds.
    on_wait : callable, optional
        Called once, with one line, when a wait begins.

    Raises
    ------
    StoreError
        If the file is missing (read-only), no database, of a newer schema, or held too long.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Store(Path(folder) / "profiles.duckdb").profiles()
    []
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        patience: float = PATIENCE_SECONDS,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self.path = path
        self._file = DatabaseFile(path, read_only=read_only, patience=patience, on_wait=on_wait)
        self._file.migrate()

    # Runs

    def finished(self, run: str) -> bool:
        """Whether `run` is there and ended."""
        with self._file.transaction() as connection:
            row = connection.execute(
                "SELECT finished IS NOT NULL FROM runs WHERE run = ?", [run]
            ).fetchone()
        return bool(row and row[0])

    def begin(self, run: Run) -> None:
        """Enter `run` if it is not there yet; a run already begun goes on where it was."""
        columns = dataclasses.asdict(run)
        columns |= {name: _json(columns[name]) for name in ("protocol", "provenance")}
        with self._file.transaction() as connection:
            connection.execute(
                _insert("runs", list(columns), "INSERT OR IGNORE"), list(columns.values())
            )

    def add_fold(self, run: str, result: FoldResult) -> None:
        """Store one fold's rows, all or none; a fold already there stays as it is."""
        with self._file.transaction() as connection:
            if (result.seed, result.fold) in _folds_done(connection, run):
                return
            _insert_rows(connection, run, list(result.predictions))
            _insert_rows(connection, run, list(result.attacks))
            _insert_rows(connection, run, list(result.trials))
            _insert_rows(connection, run, list(result.epochs))
            _insert_rows(connection, run, list(result.layer_weights))
            _insert_rows(connection, run, list(result.attackers))
            connection.execute(
                "INSERT INTO fold_results VALUES (?, ?, ?, ?)",
                [run, result.seed, result.fold, _json(dict(result.seconds))],
            )

    def folds_done(self, run: str) -> set[tuple[int, int]]:
        """The (seed, fold) pairs of `run` that are stored."""
        with self._file.transaction() as connection:
            return _folds_done(connection, run)

    def finish(
        self,
        run: str,
        measurements: Sequence[Measurement],
        finished: str,
        provenance: dict[str, Any],
    ) -> None:
        """Store the run's measurements and mark it ended."""
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM measurements WHERE run = ?", [run])
            _insert_measurements(connection, run, measurements)
            connection.execute(
                "UPDATE runs SET finished = ?, provenance = ? WHERE run = ?",
                [finished, _json(provenance), run],
            )

    def forget(self, run: str) -> None:
        """Remove `run` and all its rows."""
        with self._file.transaction() as connection:
            for table in (*_DETAIL_TABLES, "runs"):
                connection.execute(f"DELETE FROM {table} WHERE run = ?", [run])  # noqa: S608

    # Reading

    def rows(self, run: str, kind: type[Row]) -> list[Row]:
        """All rows of one kind of `run`, in the order of seed, fold and insertion.

        Equal texts are one object: most rows repeat a few names.
        """
        names: list[str] = [field.name for field in dataclasses.fields(kind)]
        texts: dict[Any, Any] = {}
        rows: list[Row] = []
        columns = ", ".join(names)
        with self._file.transaction() as connection:
            require_sound(connection, _ROWS[kind], [run])
            found = connection.execute(
                f"SELECT {columns} FROM {_ROWS[kind]} WHERE run = ? ORDER BY seed, fold, rowid",  # noqa: S608
                [run],
            )
            while some := found.fetchmany(_AT_A_TIME):
                rows += [
                    kind(
                        *(texts.setdefault(v, v) if isinstance(v, str) else frozen(v) for v in row)
                    )
                    for row in some
                ]
        return rows

    def seconds(self, run: str) -> dict[tuple[int, int], dict[str, float]]:
        """Seconds per stage of each stored (seed, fold)."""
        with self._file.transaction() as connection:
            found = connection.execute(
                "SELECT seed, fold, seconds FROM fold_results WHERE run = ? ORDER BY ALL", [run]
            ).fetchall()
            return {
                (seed, fold): document(text, run, "fold_results", "seconds")
                for seed, fold, text in found
            }

    def profiles(self, *, study: str | None = None) -> list[Profile]:
        """As `Snapshot.profiles`."""
        with self._snapshot() as snapshot:
            return snapshot.profiles(study=study)

    def outlines(self, *, study: str | None = None) -> list[Profile]:
        """As `Snapshot.outlines`."""
        with self._snapshot() as snapshot:
            return snapshot.outlines(study=study)

    def with_measurements(self, outlines: Sequence[Profile]) -> list[Profile]:
        """As `Snapshot.with_measurements`."""
        with self._snapshot() as snapshot:
            return snapshot.with_measurements(outlines)

    @contextmanager
    def _snapshot(self) -> Iterator[Snapshot]:
        with self._file.transaction() as connection:
            yield Snapshot(connection)


def _folds_done(connection: duckdb.DuckDBPyConnection, run: str) -> set[tuple[int, int]]:
    require_sound(connection, "fold_results", [run])
    found = connection.execute("SELECT seed, fold FROM fold_results WHERE run = ?", [run])
    return {(seed, fold) for seed, fold in found.fetchall()}


def _insert(table: str, columns: Sequence[str], verb: str = "INSERT") -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join("?" for _ in columns)
    return f"{verb} INTO {table} ({names}) VALUES ({marks})"


def _insert_rows(connection: duckdb.DuckDBPyConnection, run: str, rows: list[Row]) -> None:
    """Insert by columns: one statement however many rows."""
    if not rows:
        return
    kind = type(rows[0])
    names: list[str] = [field.name for field in dataclasses.fields(kind)]
    columns: list[list[Any]] = [
        [run] * len(rows),
        *([getattr(row, name) for row in rows] for name in names),
    ]
    _insert_columns(connection, _ROWS[kind], ["run", *names], columns)


def _insert_columns(
    connection: duckdb.DuckDBPyConnection, table: str, names: list[str], columns: list[list[Any]]
) -> None:
    described = connection.execute(f"DESCRIBE {table}").fetchall()
    types = {row[0]: row[1] for row in described}
    quoted = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(f"unnest(?::{types[name]}[])" for name in names)
    connection.execute(f"INSERT INTO {table} ({quoted}) SELECT {values}", columns)


def _insert_measurements(
    connection: duckdb.DuckDBPyConnection, run: str, measurements: Sequence[Measurement]
) -> None:
    if not measurements:
        return
    columns = [[run] * len(measurements)]
    columns += [[getattr(m, name) for m in measurements] for name in MEASUREMENT_COLUMNS]
    _insert_columns(connection, "measurements", ["run", *MEASUREMENT_COLUMNS], columns)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
