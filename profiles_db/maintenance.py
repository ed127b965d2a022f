"""Keep a profile database safe: copy it while it is in use, and find what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from profiles_db.consistency import FIXED_TABLES, checks
from profiles_db.database_file import PATIENCE_SECONDS, DatabaseFile
from profiles_db.errors import InputError, OutputError, StoreBusyError, StoreError
from profiles_db.files import replacing
from profiles_db.migrations import MIGRATIONS
from profiles_db.row_tables import TRAINING, row_tables
from profiles_db.soundness import damages

OnWait = Callable[[str], None]
MOST_EXAMPLES: Final = 3
"""Runs or folds that one problem names."""


@dataclass(frozen=True, slots=True)
class Health:
    """What `check` found.

    `problems` holds a sentence for each thing that is wrong, `unfinished` the runs that did not
    end, which is no fault; `rows` counts each table, where the file could be opened at all.
    """

    problems: tuple[str, ...]
    unfinished: tuple[str, ...] = ()
    rows: tuple[tuple[str, int], ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def backup(
    source: Path,
    target: Path,
    *,
    force: bool = False,
    patience: float = PATIENCE_SECONDS,
    on_wait: OnWait | None = None,
) -> dict[str, int]:
    """Copy the database `source` to `target`, as it stood at one moment, atomically.

    Every table is read and written again, so damage to the file shows here and is not copied.

    Parameters
    ----------
    source, target : Path
    force : bool, optional
        Replace a `target` that is there.
    patience, on_wait
        As in `profiles_db.store.Store`.

    Returns
    -------
    dict
        Rows of each table in the copy.

    Raises
    ------
    StoreError
        If `source` cannot be read.
    OutputError
        If `target` cannot be written.
    InputError
        If there is a file of that name already, or it is `source` itself.
    """
    if target.exists() and (not force or target.samefile(source)):
        raise InputError("there is a file already", where=str(target), remedy="name another file")
    file = _reading(source, patience, on_wait)
    file.migrate()
    with replacing(target) as part:
        try:
            _copy(file, part, target)
        finally:
            part.with_name(f"{part.name}.wal").unlink(missing_ok=True)
        return dict(_counts(_reading(part, 0.0, None)))


def check(
    path: Path, *, patience: float = PATIENCE_SECONDS, on_wait: OnWait | None = None
) -> Health:
    """Read the whole database and say what is wrong with it.

    It must open, hold today's tables, be readable to the last row, hold in each column what
    `profiles_db.soundness` says, and agree with itself: every
    fold of a finished run has its rows, no row stands alone or twice, and the numbers of clips
    that measurements name are those of the rows they were computed from.

    Raises
    ------
    StoreError
        If there is no such file, or another process holds it too long.
    """
    file = _reading(path, patience, on_wait)
    try:
        file.migrate()
        problems = (*_odd_tables(file), *_unreadable(file))
        if problems:
            return Health(problems)
        problems = (*_damaged(file), *_inconsistent(file))
        return Health(problems, tuple(_unfinished(file)), tuple(_counts(file)))
    except StoreBusyError:
        raise
    except StoreError as error:
        return Health((error.what,))


def _reading(path: Path, patience: float, on_wait: OnWait | None) -> DatabaseFile:
    return DatabaseFile(path, read_only=True, patience=patience, on_wait=on_wait)


def _copy(file: DatabaseFile, part: Path, target: Path) -> None:
    with file.transaction() as connection:
        row = connection.execute("SELECT current_database()").fetchone()
        source = str(row[0] if row else "").replace('"', '""')
        try:
            connection.execute("ATTACH ? AS copy (READ_WRITE)", [str(part)])
            connection.execute(f'COPY FROM DATABASE "{source}" TO copy')
            # Closing a connection tells nobody when its last write fails: write before that.
            for statement in ("COMMIT", "CHECKPOINT copy", "DETACH copy", "BEGIN"):
                connection.execute(statement)
        except duckdb.IOException as error:
            raise OutputError(
                f"cannot be written: {str(error).splitlines()[0]}", where=str(target)
            ) from error


def _counts(file: DatabaseFile) -> Iterator[tuple[str, int]]:
    with file.transaction() as connection:
        for table in _tables(connection):
            row = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()  # noqa: S608
            yield table, int(row[0]) if row else 0


_COLUMNS: Final = """
    SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
    WHERE table_schema = 'main' AND table_name <> 'trustser_schema' ORDER BY ALL
"""


def _odd_tables(file: DatabaseFile) -> Iterator[str]:
    """Columns that are missing, or that no schema of this program has.

    Tables of measures that came later are there once the measure was taken; what measures of other
    packages keep is theirs.
    """
    with file.transaction() as connection:
        there = set(_tables(connection))
        found = set(connection.execute(_COLUMNS).fetchall())
    with duckdb.connect() as fresh:
        for step in MIGRATIONS:
            fresh.execute(step)
        for table in row_tables().values():
            if table.name in there:
                fresh.execute(table.create())
        expected = set(fresh.execute(_COLUMNS).fetchall())
    known = {table for table, *_ in expected}
    found = {row for row in found if row[0] in known or not _of_a_measure(row[0], found)}
    for table, column, kind, _ in sorted(expected - found):
        yield f"table {table} lacks its column {column} ({kind}), or it was altered"
    for table, column, kind, _ in sorted(found - expected):
        yield f"table {table} has a column {column} ({kind}) that this program never made"


def _of_a_measure(table: str, found: set[tuple[str, ...]]) -> bool:
    """Whether a table not known here has the columns that every measure's rows have."""
    return {"run", "repetition", "fold"} <= {row[1] for row in found if row[0] == table}


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The tables that are there, the fixed ones first."""
    there = {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
    there -= {"trustser_schema"}
    return [*FIXED_TABLES, *sorted(there - set(FIXED_TABLES))]


def _unreadable(file: DatabaseFile) -> Iterator[str]:
    """Tables that hold blocks whose checksum is wrong."""
    with file.transaction() as connection:
        tables = _tables(connection)
    for table in tables:
        try:
            with file.transaction() as connection:
                connection.execute(f'SELECT bit_xor(hash(t)) FROM "{table}" t').fetchall()  # noqa: S608
        except StoreBusyError:
            raise
        except StoreError as error:
            yield f"table {table} cannot be read: {error.what}"


def _inconsistent(file: DatabaseFile) -> Iterator[str]:
    with file.transaction() as connection:
        for sentence, query in checks(_tables(connection)):
            found = connection.execute(query).fetchall()
            if found:
                yield f"{sentence}: {_some([str(row[0]) for row in found])}"


def _some(names: list[str]) -> str:
    more = len(names) - MOST_EXAMPLES
    shown = ", ".join(sorted(names)[:MOST_EXAMPLES])
    return f"{shown} and {more} more" if more > 0 else shown


def _damaged(file: DatabaseFile) -> Iterator[str]:
    """Columns that hold what no run writes."""
    with file.transaction() as connection:
        yield from map(str, damages(connection))


def _unfinished(file: DatabaseFile) -> Iterator[str]:
    query = """
        SELECT r.run, r.backbone, r.corpus, count(s.run), r.folds * r.repetitions
        FROM runs r LEFT JOIN (SELECT * FROM step_results WHERE step = ?) s USING (run)
        WHERE r.finished IS NULL GROUP BY ALL ORDER BY ALL
    """
    with file.transaction() as connection:
        for run, backbone, corpus, stored, wanted in connection.execute(
            query, [TRAINING]
        ).fetchall():
            yield f"run {run} ({backbone} on {corpus or 'no corpus'}): {stored} of {wanted} folds"
