"""A DuckDB file that several processes share in turns.

DuckDB lets one process at a time write a file, and no other read it meanwhile. Every transaction
here therefore opens the file and closes it; where another process holds the file, it waits and
tries again, then names that process.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from profiles_db.errors import StoreBusyError, StoreError
from profiles_db.files import require_regular
from profiles_db.migrations import MIGRATIONS, SCHEMA_VERSION

PATIENCE_SECONDS: Final = 30.0
RETRY_SECONDS: Final = 0.1
_ELSEWISE: Final = "different configuration than existing connections"
"""What DuckDB says where one process opens a file to read and to write."""


class DatabaseFile:
    """Transactions on one file; see `profiles_db.store.Store` for the parameters and errors."""

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool,
        patience: float,
        on_wait: Callable[[str], None] | None,
    ) -> None:
        self.path, self._read_only, self._patience = path, read_only, patience
        self._on_wait = on_wait
        if path.exists():
            require_regular(path, StoreError)
        elif read_only:
            raise StoreError(
                "no such database", where=str(path), remedy="make one with `trustser profile --db`"
            )
        if not path.parent.is_dir():
            raise StoreError("its folder does not exist", where=str(path))

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection inside one transaction: committed at the end, rolled back on an error."""
        connection = self._open()
        try:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
        except duckdb.Error as error:
            raise StoreError(_first_line(error), where=str(self.path)) from error
        except StoreError as error:
            error.where = error.where or str(self.path)
            raise
        finally:
            connection.close()

    def _open(self) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + self._patience
        told = False
        while True:
            try:
                return duckdb.connect(str(self.path), read_only=self._read_only)
            except duckdb.Error as error:
                if _ELSEWISE in str(error):
                    raise StoreError(
                        "is open in this process already, for reading",
                        where=str(self.path),
                        rule="a database that is read is not written",
                        remedy="close it first",
                    ) from None
                holder = re.search(r"held in (.*?) ?\(PID (\d+)\)", str(error))
                if not holder:
                    raise StoreError(
                        f"cannot be opened: {_first_line(error)}", where=str(self.path)
                    ) from None
                if time.monotonic() > deadline:
                    raise StoreBusyError(
                        f"held by process {holder[2]} ({holder[1]}) for over "
                        f"{self._patience:.0f} s",
                        where=str(self.path),
                        remedy="wait for it or stop it, then run the same command again",
                    ) from None
                if self._on_wait and not told:
                    self._on_wait(f"{self.path} is held by process {holder[2]}: waiting")
                    told = True
                time.sleep(RETRY_SECONDS)

    def migrate(self) -> None:
        """Bring the file to today's schema, or refuse it by name."""
        with self.migrated():
            pass

    @contextmanager
    def migrated(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction that begins with `migrate`."""
        with self.transaction() as connection:
            version = _schema_version(connection, self.path)
            self._check_version(version)
            if version < SCHEMA_VERSION:
                _migrate(connection, version)
            yield connection

    def _check_version(self, version: int) -> None:
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"has schema {version}, this program knows up to {SCHEMA_VERSION}",
                where=str(self.path),
                remedy="install a newer trustser",
            )
        if version < SCHEMA_VERSION and self._read_only:
            raise StoreError(
                f"has schema {version}, not {SCHEMA_VERSION}, and may not be written",
                where=str(self.path),
                remedy="bring it up to date with `trustser db migrate`",
            )


def _migrate(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    for step in MIGRATIONS[version:]:
        connection.execute(step)
    connection.execute("CREATE TABLE IF NOT EXISTS trustser_schema (version INTEGER)")
    connection.execute("DELETE FROM trustser_schema")
    connection.execute("INSERT INTO trustser_schema VALUES (?)", [SCHEMA_VERSION])


def _schema_version(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """The file's schema; 0 where it is empty."""
    try:
        row = connection.execute("SELECT version FROM trustser_schema").fetchone()
    except duckdb.CatalogException:
        # Tables are listed only here, as that takes longer than most queries. The error ended the
        # transaction, but the file stays held.
        connection.execute("ROLLBACK").execute("BEGIN")
        if connection.execute("SHOW TABLES").fetchall():
            raise StoreError(
                "is a DuckDB file of something else", where=str(path), remedy="name another file"
            ) from None
        return 0
    version = row[0] if row else 0
    if not isinstance(version, int) or version < 0:
        raise StoreError(
            f"its schema is {version}, which no version of this program wrote",
            where=str(path),
            remedy="restore a backup, or name another file",
        )
    return version


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
