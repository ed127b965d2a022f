"""The profile database: runs, folds and measurements go in, profiles come out.

SQL that stores and loads is here; opening, locking and the schema are in
`profiles_db.database_file`, what must hold between the rows in `profiles_db.consistency`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb

from profiles_db.database_file import PATIENCE_SECONDS, DatabaseFile
from profiles_db.measurement import Measurement
from profiles_db.profile import Profile
from profiles_db.records import (
    AttackOutcome,
    Epoch,
    FoldResult,
    LayerWeight,
    Prediction,
    Run,
    Trial,
)

_ROWS: Final[dict[type[Any], str]] = {
    Prediction: "predictions",
    AttackOutcome: "attacks",
    Trial: "trials",
    Epoch: "epochs",
    LayerWeight: "layer_weights",
}
_DETAIL_TABLES: Final = (*_ROWS.values(), "fold_results", "measurements")

Row = TypeVar("Row", Prediction, AttackOutcome, Trial, Epoch, LayerWeight)


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
        """All rows of one kind of `run`, in the order of seed, fold and insertion."""
        names: list[str] = [field.name for field in dataclasses.fields(kind)]
        columns = ", ".join(names)
        with self._file.transaction() as connection:
            found = connection.execute(
                f"SELECT {columns} FROM {_ROWS[kind]} WHERE run = ? ORDER BY seed, fold, rowid",  # noqa: S608
                [run],
            ).fetchall()
        return [kind(*(_frozen(value) for value in row)) for row in found]

    def seconds(self, run: str) -> dict[tuple[int, int], dict[str, float]]:
        """Seconds per stage of each stored (seed, fold)."""
        with self._file.transaction() as connection:
            found = connection.execute(
                "SELECT seed, fold, seconds FROM fold_results WHERE run = ? ORDER BY ALL", [run]
            ).fetchall()
        return {(seed, fold): json.loads(text) for seed, fold, text in found}

    def profiles(self, *, study: str | None = None) -> list[Profile]:
        """Profiles of all finished runs, or of one study, in the order they were finished."""
        return self.with_measurements(self.outlines(study=study))

    def outlines(self, *, study: str | None = None) -> list[Profile]:
        """What `profiles` gives, without measurements and provenance, most of the reading."""
        left_out = ("measurements", "provenance")
        names: list[str] = [f.name for f in dataclasses.fields(Profile) if f.name not in left_out]
        condition = "" if study is None else " AND study = ?"
        with self._file.transaction() as connection:
            runs = connection.execute(
                f"SELECT {', '.join(names)} FROM runs WHERE finished IS NOT NULL{condition}"  # noqa: S608
                " ORDER BY finished, run",
                [] if study is None else [study],
            ).fetchall()
        protocols = {row[names.index("protocol")] for row in runs}
        read = {text: json.loads(text) for text in protocols}
        return [
            Profile(**(run | {"protocol": read[run["protocol"]]}))
            for run in (dict(zip(names, row, strict=True)) for row in runs)
        ]

    def with_measurements(self, outlines: Sequence[Profile]) -> list[Profile]:
        """The profiles of `outlines`, in their order, with what was measured, and how."""
        if not outlines:
            return []
        runs = [outline.run for outline in outlines]
        names = ", ".join(f'"{name}"' for name in _MEASUREMENT_COLUMNS)
        with self._file.transaction() as connection:
            found = connection.execute(
                f"SELECT run, {names} FROM measurements {_OF_RUNS} ORDER BY rowid",  # noqa: S608
                [runs, min(runs), max(runs)],
            ).fetchall()
            provenance = connection.execute(
                f"SELECT run, provenance FROM runs {_OF_RUNS}",  # noqa: S608
                [runs, min(runs), max(runs)],
            ).fetchall()
        rows: dict[str, list[Sequence[Any]]] = {run: [] for run in runs}
        for run, *row in found:
            rows[run].append(row)
        made = {run: json.loads(text) for run, text in provenance}
        return [
            dataclasses.replace(
                outline,
                provenance=made[outline.run],
                measurements=_measurements(outline, rows[outline.run]),
            )
            for outline in outlines
        ]


def _folds_done(connection: duckdb.DuckDBPyConnection, run: str) -> set[tuple[int, int]]:
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


# The bounds say nothing new, but spare DuckDB the blocks that lie outside them.
_OF_RUNS: Final = "WHERE run IN (SELECT unnest(?::VARCHAR[])) AND run BETWEEN ? AND ?"
_MEASUREMENT_COLUMNS: Final = (
    "criterion", "variant", "fold", "value", "low", "high", "interval", "n", "chance", "unknown",
    "flags", "origin", "source", "device",
)  # fmt: skip


def _insert_measurements(
    connection: duckdb.DuckDBPyConnection, run: str, measurements: Sequence[Measurement]
) -> None:
    if not measurements:
        return
    columns = [[run] * len(measurements)]
    columns += [[getattr(m, name) for m in measurements] for name in _MEASUREMENT_COLUMNS]
    _insert_columns(connection, "measurements", ["run", *_MEASUREMENT_COLUMNS], columns)


def _measurements(outline: Profile, rows: list[Sequence[Any]]) -> tuple[Measurement, ...]:
    identity: dict[str, Any] = {
        "study": outline.study,
        "backbone": outline.backbone,
        "weights": outline.weights_id,
        "corpus": outline.corpus,
    }
    return tuple(
        Measurement(
            **identity,
            **{name: _frozen(value) for name, value in zip(_MEASUREMENT_COLUMNS, row, strict=True)},
        )
        for row in rows
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
