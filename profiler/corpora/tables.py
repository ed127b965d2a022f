"""The corpora's own CSV and text tables, read line by line with errors that name the line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Final, TextIO

from profiles_db.errors import CorpusError
from profiles_db.files import MEBIBYTE, open_regular, unreadable

MOST_BYTES: Final = 512 * MEBIBYTE
"""Of a table: several million clips."""

Row = dict[str, str]


def read_table(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of a CSV with a header, as dictionaries of stripped cells.

    Bytes that are not UTF-8 are replaced: no column this program uses holds any. Of the `optional`
    columns those are read that are there.

    Raises
    ------
    CorpusError
        Where a column is missing, a row is shorter than the header, or the file is no CSV.
    """
    with open_table(path, errors="replace", newline="") as stream:
        reader = csv.DictReader(stream)
        try:
            _require_columns(reader.fieldnames or (), columns, path)
            wanted = [*columns, *(name for name in optional if name in (reader.fieldnames or ()))]
            for row in reader:
                if any(row[name] is None for name in wanted):
                    raise CorpusError("too few cells", where=f"{path}:{reader.line_num}")
                yield {name: row[name].strip() for name in wanted}
        except csv.Error as error:
            raise CorpusError(f"not CSV: {error}", where=f"{path}:{reader.line_num}") from error


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a text file without their ends; bytes that are not UTF-8 are replaced."""
    with open_table(path, errors="replace") as stream:
        for line in stream:
            yield line.rstrip("\r\n")


def open_table(path: Path, *, errors: str, newline: str | None = None) -> TextIO:
    """The table at `path`, open to be read as UTF-8 text, with or without a byte order mark.

    Raises
    ------
    CorpusError
        Where it cannot be opened, is no regular file, or holds more than any corpus lists.
    """
    try:
        stream = open_regular(path, MOST_BYTES)
    except OSError as error:
        raise unreadable(path, error, CorpusError) from error
    return TextIOWrapper(stream, encoding="utf-8-sig", errors=errors, newline=newline)


def _require_columns(found: Sequence[str], columns: Sequence[str], path: Path) -> None:
    lacking = [name for name in columns if name not in found]
    if lacking:
        raise CorpusError(
            f"no column {', '.join(lacking)}",
            where=f"{path}:1",
            rule=f"columns {', '.join(columns)}",
        )
