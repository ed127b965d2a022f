"""The profile database: runs, rows and figures go in, profiles come out.

SQL that stores and loads rows is here, that for profiles in `profiles_db.snapshot`; opening,
locking and the schema are in `profiles_db.database_file`, what every row must hold in
`profiles_db.soundness`, what must hold between the rows in `profiles_db.consistency`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import duckdb

from profiles_db.database_file import PATIENCE_SECONDS, DatabaseFile
from profiles_db.measurement import Measurement
from profiles_db.profile import Measured, Profile
from profiles_db.records import Run, StepResult
from profiles_db.row_tables import Row, RowTable, row_tables, table_of
from profiles_db.snapshot import MEASUREMENT_COLUMNS, Snapshot, frozen, measured_of
from profiles_db.soundness import document, require_sound

_DETAIL_TABLES: Final = ("step_results", "measured", "measurements")

_AT_A_TIME: Final = 10_000
"""Rows that are fetched together."""

Step: TypeAlias = tuple[str, int, int]
"""A step, a repetition and a fold."""
Kind = TypeVar("Kind", bound=Row)


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

    def folds(self, run: str) -> int:
        """On how many folds `run` was begun; 0 where it is not there."""
        with self._file.transaction() as connection:
            row = connection.execute("SELECT folds FROM runs WHERE run = ?", [run]).fetchone()
        return int(row[0]) if row else 0

    def begin(self, run: Run) -> None:
        """Enter `run` if it is not there yet; a run already begun goes on where it was.

        One that is finished on fewer folds is unfinished again.
        """
        columns = dataclasses.asdict(run)
        columns |= {name: _json(columns[name]) for name in ("protocol", "provenance")}
        with self._file.transaction() as connection:
            connection.execute(
                _insert("runs", list(columns), "INSERT OR IGNORE"), list(columns.values())
            )
            connection.execute(
                "UPDATE runs SET folds = ?, finished = NULL WHERE run = ? AND folds < ?",
                [run.folds, run.run, run.folds],
            )

    def add_step(self, run: str, result: StepResult) -> None:
        """Store a step's rows of one fold, all or none; what is there already stays as it is."""
        with self._file.transaction() as connection:
            if (result.step, result.repetition, result.fold) in _steps_done(connection, run):
                return
            for kind in dict.fromkeys(type(row) for row in result.rows):
                table = table_of(kind)
                connection.execute(table.create())
                _insert_rows(connection, run, table, [r for r in result.rows if type(r) is kind])
            connection.execute(
                "INSERT INTO step_results VALUES (?, ?, ?, ?, ?)",
                [run, result.step, result.repetition, result.fold, _json(dict(result.seconds))],
            )

    def steps_done(self, run: str) -> set[Step]:
        """The steps of `run` that are stored."""
        with self._file.transaction() as connection:
            return _steps_done(connection, run)

    def forget_step(self, run: str, step: str) -> None:
        """Remove all rows of one step of `run`, so that it can be done again."""
        with self._file.transaction() as connection:
            there = _tables(connection)
            for table in row_tables().values():
                if table.step == step and table.name in there:
                    connection.execute(f"DELETE FROM {table.name} WHERE run = ?", [run])  # noqa: S608
            connection.execute("DELETE FROM step_results WHERE run = ? AND step = ?", [run, step])

    def record(self, run: str, measured: Measured, measurements: Sequence[Measurement]) -> None:
        """Store the figures of one measure in place of those it gave before."""
        with self._file.transaction() as connection:
            for table in ("measurements", "measured"):
                connection.execute(
                    f"DELETE FROM {table} WHERE run = ? AND measure = ?",  # noqa: S608
                    [run, measured.measure],
                )
            _insert_measurements(connection, run, measured.measure, measurements)
            connection.execute(
                "INSERT INTO measured VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    run,
                    measured.measure,
                    measured.version,
                    _json(dict(measured.settings)),
                    measured.basis,
                    measured.finished,
                    _json(dict(measured.failed)),
                    _json(dict(measured.provenance)),
                ],
            )

    def measured(self, run: str) -> dict[str, Measured]:
        """With what `run` was measured, by the name of the measure."""
        with self._file.transaction() as connection:
            return {one.measure: one for one in measured_of(connection, [run])[run]}

    def provenance(self, run: str) -> dict[str, Any]:
        """What is noted of a run that was begun."""
        with self._file.transaction() as connection:
            (text,) = connection.execute(
                "SELECT provenance FROM runs WHERE run = ?", [run]
            ).fetchone() or ("{}",)
        return document(text, run, "runs", "provenance")

    def note(self, run: str, provenance: Mapping[str, Any]) -> None:
        """Note `provenance` of a run that was begun, in place of what was noted."""
        with self._file.transaction() as connection:
            connection.execute(
                "UPDATE runs SET provenance = ? WHERE run = ?", [_json(dict(provenance)), run]
            )

    def finish(self, run: str, finished: str, provenance: Mapping[str, Any]) -> None:
        """Mark `run` ended."""
        with self._file.transaction() as connection:
            connection.execute(
                "UPDATE runs SET finished = ?, provenance = ? WHERE run = ?",
                [finished, _json(dict(provenance)), run],
            )

    def forget(self, run: str) -> None:
        """Remove `run` and all its rows."""
        with self._file.transaction() as connection:
            kept = [name for name in row_tables() if name in _tables(connection)]
            for table in (*kept, *_DETAIL_TABLES, "runs"):
                connection.execute(f"DELETE FROM {table} WHERE run = ?", [run])  # noqa: S608

    # Reading

    def rows(self, run: str, kind: type[Kind]) -> list[Kind]:
        """All rows of one kind of `run`, in the order of repetition, fold and insertion.

        Equal texts are one object: most rows repeat a few names.
        """
        table = table_of(kind)
        texts: dict[Any, Any] = {}
        rows: list[Kind] = []
        with self._file.transaction() as connection:
            if table.name not in _tables(connection):
                return []
            require_sound(connection, table.name, [run])
            columns = ", ".join(f'"{name}"' for name in table.names)
            found = connection.execute(
                f"SELECT {columns} FROM {table.name} WHERE run = ?"  # noqa: S608
                " ORDER BY repetition, fold, rowid",
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

    def seconds(self, run: str) -> dict[Step, dict[str, float]]:
        """Seconds per stage of each stored step, repetition and fold."""
        with self._file.transaction() as connection:
            found = connection.execute(
                "SELECT step, repetition, fold, seconds FROM step_results WHERE run = ?"
                " ORDER BY ALL",
                [run],
            ).fetchall()
            return {
                (step, repetition, fold): document(text, run, "step_results", "seconds")
                for step, repetition, fold, text in found
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


def _steps_done(connection: duckdb.DuckDBPyConnection, run: str) -> set[Step]:
    require_sound(connection, "step_results", [run])
    found = connection.execute(
        "SELECT step, repetition, fold FROM step_results WHERE run = ?", [run]
    )
    return {(step, repetition, fold) for step, repetition, fold in found.fetchall()}


def _tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return {name for (name,) in connection.execute("SHOW TABLES").fetchall()}


def _insert(table: str, columns: Sequence[str], verb: str = "INSERT") -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join("?" for _ in columns)
    return f"{verb} INTO {table} ({names}) VALUES ({marks})"


def _insert_rows(
    connection: duckdb.DuckDBPyConnection, run: str, table: RowTable, rows: Sequence[Any]
) -> None:
    """Insert by columns: one statement however many rows."""
    columns: list[list[Any]] = [
        [run] * len(rows),
        *([getattr(row, name) for row in rows] for name in table.names),
    ]
    _insert_columns(connection, table.name, ["run", *table.names], columns)


def _insert_columns(
    connection: duckdb.DuckDBPyConnection, table: str, names: list[str], columns: list[list[Any]]
) -> None:
    described = connection.execute(f"DESCRIBE {table}").fetchall()
    types = {row[0]: row[1] for row in described}
    quoted = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(f"unnest(?::{types[name]}[])" for name in names)
    connection.execute(f"INSERT INTO {table} ({quoted}) SELECT {values}", columns)


def _insert_measurements(
    connection: duckdb.DuckDBPyConnection,
    run: str,
    measure: str,
    measurements: Sequence[Measurement],
) -> None:
    if not measurements:
        return
    names = [name for name in MEASUREMENT_COLUMNS if name != "measure"]
    columns = [[run] * len(measurements), [measure] * len(measurements)]
    columns += [[getattr(m, name) for m in measurements] for name in names]
    _insert_columns(connection, "measurements", ["run", "measure", *names], columns)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
