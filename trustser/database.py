"""A profile database to read from, as Python objects or as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, overload

import duckdb

from profiles_db.database_file import PATIENCE_SECONDS
from profiles_db.errors import InputError, MissingExtraError, StoreError
from profiles_db.figure_table import as_relation
from profiles_db.profile import Profile
from profiles_db.row_tables import table_of
from profiles_db.snapshot import Snapshot, reading
from trustser.extras import is_installed
from trustser.stored_profiles import named

if TYPE_CHECKING:
    import pandas
    import pyarrow

TableFormat: TypeAlias = Literal["pandas", "arrow"]
_LIBRARIES: dict[str, str] = {"pandas": "pandas", "arrow": "pyarrow"}


class Database:
    """The finished profiles of a database, and the rows behind them; made by `trustser.open`.

    It is read as it stands when it is opened: until it is closed nobody can write the file, so a
    run waits. As a context manager it closes at the end of the block.

    Parameters
    ----------
    path : Path
    patience : float, optional
        Seconds to wait for a file that a run is writing.
    on_wait : callable, optional
        Told in one line when a wait begins.

    Raises
    ------
    StoreError
        If the file is missing, no database, of another schema, damaged, or held too long.
    """

    def __init__(
        self,
        path: Path,
        *,
        patience: float = PATIENCE_SECONDS,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self.path = path
        self._stack = ExitStack()
        self._open: Snapshot | None = self._stack.enter_context(
            reading(path, patience=patience, on_wait=on_wait)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = "" if self._open else ", closed"
        return f"Database({str(self.path)!r}{closed})"

    def close(self) -> None:
        """Let go of the file; nothing can be read any more."""
        self._open = None
        self._stack.close()

    def profiles(self, name: str | None = None, *, study: str | None = None) -> list[Profile]:
        """The finished profiles, in the order in which they were finished.

        Parameters
        ----------
        name : str, optional
            A run (or its first characters), or a backbone; all if not given.
        study : str, optional
            Those of one study, which compare.

        Raises
        ------
        InputError
            If nothing is called `name`.
        """
        with self._snapshot() as snapshot:
            outlines = snapshot.outlines(study=study)
            chosen = outlines if name is None else named(outlines, [name], self.path)
            return snapshot.with_measurements(chosen)

    def tables(self) -> tuple[str, ...]:
        """Names of the tables of rows."""
        with self._snapshot() as snapshot:
            return snapshot.tables()

    @overload
    def figures(self, *, study: str | None = None, to: Literal["pandas"] = ...) -> pandas.DataFrame:
        pass

    @overload
    def figures(self, *, study: str | None = None, to: Literal["arrow"]) -> pyarrow.Table:
        pass

    def figures(self, *, study: str | None = None, to: TableFormat = "pandas") -> Any:
        """Every figure of every finished profile, one a row, as `trustser profiles export` has it.

        Rates are fractions in [0, 1], costs in units. A figure without a value has its reason in
        `unknown`.

        Parameters
        ----------
        study : str, optional
            Those of one study, which compare.
        to : 'pandas' or 'arrow', optional
            A `pandas.DataFrame` or a `pyarrow.Table`.

        Raises
        ------
        MissingExtraError
            If that library is not installed.
        """
        _require(to)
        with self._snapshot() as snapshot, duckdb.connect() as connection:
            return _table(as_relation(snapshot.profiles(study=study), connection), to)

    @overload
    def rows(
        self, kind: type[Any] | str, *, run: str | None = None, to: Literal["pandas"] = ...
    ) -> pandas.DataFrame:
        pass

    @overload
    def rows(
        self, kind: type[Any] | str, *, run: str | None = None, to: Literal["arrow"]
    ) -> pyarrow.Table:
        pass

    def rows(
        self, kind: type[Any] | str, *, run: str | None = None, to: TableFormat = "pandas"
    ) -> Any:
        """Rows that runs left, with their `run`, in the order in which they were stored.

        Parameters
        ----------
        kind : type or str
            A kind of row, such as `profiles_db.records.Prediction`, or the name of a table, such
            as `predictions`; see `tables`.
        run : str, optional
            Those of one run, by its full name; of all runs, also unfinished ones, if not given.
        to : 'pandas' or 'arrow', optional
            A `pandas.DataFrame` or a `pyarrow.Table`.

        Raises
        ------
        StoreError
            If there is no such table, or it is damaged.
        InputError
            If `kind` is no kind of row.
        MissingExtraError
            If the library is not installed.
        """
        _require(to)
        with self._snapshot() as snapshot:
            return _table(snapshot.rows(_name_of(kind), run=run), to)

    @contextmanager
    def _snapshot(self) -> Iterator[Snapshot]:
        if self._open is None:
            raise StoreError("is closed", where=str(self.path), remedy="open it again")
        try:
            yield self._open
        except duckdb.Error as error:
            raise StoreError(str(error).splitlines()[0], where=str(self.path)) from error
        except StoreError as error:
            error.where = error.where or str(self.path)
            raise


def _name_of(kind: type[Any] | str) -> str:
    if isinstance(kind, str):
        return kind
    try:
        return table_of(kind).name
    except KeyError as error:
        raise InputError(
            f"{kind.__name__} is no kind of row", rule="a dataclass entered with row_table"
        ) from error


def _require(to: TableFormat) -> None:
    if to not in _LIBRARIES:
        raise InputError(f"to={to!r:.60}", rule=f"one of {', '.join(_LIBRARIES)}")
    library = _LIBRARIES[to]
    if not is_installed(library):
        raise MissingExtraError(
            f"needs {library}, not installed here",
            where=f"to={to!r}",
            remedy=f'install it with: pip install "trustser[{to}]"',
        )


def _table(relation: duckdb.DuckDBPyRelation, to: TableFormat) -> Any:
    return relation.df() if to == "pandas" else relation.to_arrow_table()
