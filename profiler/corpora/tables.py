"""The corpora's own CSV and text tables, read line by line with errors that name the line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from profiles_db.errors import CorpusError

Row = dict[str, str]


def read_table(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a CSV with a header, as dictionaries of stripped cells.

    Bytes that are not UTF-8 are replaced: no column this program uses holds any.

    Raises
    ------
    CorpusError
        Where a column is missing, a row is shorter than the header, or the file is no CSV.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        reader = csv.DictReader(stream)
        try:
            _require_columns(reader.fieldnames or (), columns, path)
            for row in reader:
                if any(row[name] is None for name in columns):
                    raise CorpusError("too few cells", where=f"{path}:{reader.line_num}")
                yield {name: row[name].strip() for name in columns}
        except csv.Error as error:
            raise CorpusError(f"not CSV: {error}", where=f"{path}:{reader.line_num}") from error


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a text file without their ends; bytes that are not UTF-8 are replaced."""
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        for line in stream:
            yield line.rstrip("\r\n")


def _require_columns(found: Sequence[str], columns: Sequence[str], path: Path) -> None:
    lacking = [name for name in columns if name not in found]
    if lacking:
        raise CorpusError(
            f"no column {', '.join(lacking)}",
            where=f"{path}:1",
            rule=f"columns {', '.join(columns)}",
        )
