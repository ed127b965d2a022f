"""What every row of a sound database holds, column by column.

DuckDB keeps types and what may not be NULL. What else a column may hold stands here once: whoever
reads rows asks first, so that a damaged database is one line that names run, table and column, and
`trustser db check` lists all that is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, get_args

import duckdb

import profiles_db.records  # noqa: F401 - enters the tables of its rows
from profiles_db.errors import StoreError
from profiles_db.measurement import POOLED, IntervalKind, Origin
from profiles_db.profile import WeightsKind
from profiles_db.row_tables import Rule, row_tables


@dataclass(frozen=True, slots=True)
class Damage:
    """A column that breaks its rule in so many `rows` of a run; `run` may not be there at all."""

    run: str
    table: str
    column: str
    rows: int
    rule: str

    def __str__(self) -> str:
        rows = f" in {self.rows} rows" if self.rows > 1 else ""
        return (
            f"run {self.run}: column {self.column} of table {self.table} holds what it never "
            f"should{rows} (rule: {self.rule})"
        )

    def error(self) -> StoreError:
        """This damage as what stops a reader."""
        return StoreError(
            f"run {self.run}: column {self.column} of table {self.table} is damaged",
            rule=self.rule,
            remedy="list all damage with `trustser db check`; then restore a backup, or profile "
            "into another file",
        )


def _one_of(column: str, words: Sequence[str]) -> Rule:
    listed = ", ".join(f"'{word}'" for word in words)
    return Rule(column, f'"{column}" IN ({listed})', "one of " + ", ".join(words))


def _at_least(column: str, least: int) -> Rule:
    return Rule(column, f'"{column}" >= {least}', f"at least {least}")


def _filled(column: str) -> Rule:
    return Rule(column, f"\"{column}\" <> ''", "not empty")


def _finite_if_known(column: str) -> Rule:
    return Rule(column, f'"{column}" IS NULL OR isfinite("{column}")', "a finite number, or none")


def _end(column: str, other: str) -> Rule:
    """An end of an interval, which may have one end alone: few timings bound a quantile below."""
    return Rule(
        column,
        f'"{column}" IS NULL OR (isfinite("{column}") AND ("{other}" IS NULL OR low <= high))',
        "finite or none, low not above high",
    )


_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "runs": (
        _filled("run"),
        Rule("model", "model IS NOT NULL AND model <> ''", "not empty"),
        _filled("study"),
        _filled("backbone"),
        _one_of("weights_kind", get_args(WeightsKind)),
        _filled("weights_id"),
        _at_least("folds", 0),
        Rule("folds_total", "folds_total >= folds", "at least as many as folds"),
        _at_least("repetitions", 0),
        _filled("started"),
        Rule("finished", "finished IS NULL OR finished <> ''", "not empty"),
    ),
    "step_results": (_filled("step"), _at_least("repetition", 0), _at_least("fold", 1)),
    "measured": (
        _filled("measure"),
        _at_least("version", 0),
        _filled("basis"),
        _filled("finished"),
    ),
    "measurements": (
        _filled("measure"),
        Rule("criterion", "regexp_full_match(criterion, '[a-z0-9_]+')", "a criterion's name"),
        Rule("fold", f"fold = {POOLED} OR fold >= 1", f"{POOLED}, or at least 1"),
        _finite_if_known("snr_db"),
        _finite_if_known("level"),
        Rule("layer", "layer IS NULL OR layer >= 1", "at least 1, or none"),
        _finite_if_known("value"),
        _end("low", "high"),
        _end("high", "low"),
        _one_of("interval", get_args(IntervalKind)),
        Rule("n", "n IS NULL OR n >= 0", "at least 0, or none"),
        _finite_if_known("baseline"),
        Rule("flags", "list_aggregate(flags, 'count') = len(flags)", "texts"),
        Rule("notes", "notes IS NOT NULL AND list_aggregate(notes, 'count') = len(notes)", "texts"),
        _one_of("origin", get_args(Origin)),
    ),
}


def rules() -> dict[str, tuple[Rule, ...]]:
    """What each column of each table must hold; of rows, as their dataclasses say."""
    return {**_RULES, **{name: table.rules for name, table in row_tables().items()}}


DOCUMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "runs": ("protocol", "provenance"),
    "step_results": ("seconds",),
    "measured": ("settings", "failed", "provenance"),
}
"""Columns that hold a JSON object as text."""


def require_sound(
    connection: duckdb.DuckDBPyConnection, table: str, runs: Sequence[str] | None = None
) -> None:
    """Raise StoreError for the first column of `table`, all of it or that of `runs`, that is off.

    Documents are not looked at: `document` reads them.
    """
    for damage in _broken(connection, table, runs):
        raise damage.error()


def damages(connection: duckdb.DuckDBPyConnection) -> Iterator[Damage]:
    """All that is wrong with any row of the database."""
    there = {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
    for table in (name for name in rules() if name in there):
        yield from _broken(connection, table, None)
        for column in DOCUMENTS.get(table, ()):
            yield from _broken_documents(connection, table, column)


def document(text: str, run: str, table: str, column: str) -> dict[str, Any]:
    """The JSON object that a column holds.

    Raises
    ------
    StoreError
        If it holds none.
    """
    read = _read_document(text)
    if isinstance(read, str):
        raise Damage(run, table, column, 1, read).error()
    return read


def _read_document(text: str) -> dict[str, Any] | str:
    """The object, or the rule that the text breaks."""
    try:
        read = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return "JSON"
    return read if isinstance(read, dict) else "a JSON object"


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _broken(
    connection: duckdb.DuckDBPyConnection, table: str, runs: Sequence[str] | None
) -> Iterator[Damage]:
    own = rules()[table]
    # S608 warns of SQL from pieces: every piece is a constant of this module.
    broken = [f"NOT coalesce({rule.holds}, false)" for rule in own]
    counts = ", ".join(f"count(*) FILTER ({one})" for one in broken)
    chosen = "" if runs is None else " AND run IN (SELECT unnest(?::VARCHAR[]))"
    found = connection.execute(
        f"SELECT run, {counts} FROM {table} WHERE ({' OR '.join(broken)}){chosen}"  # noqa: S608
        " GROUP BY run ORDER BY run",
        [] if runs is None else [list(runs)],
    ).fetchall()
    for run, *numbers in found:
        for rule, number in zip(own, numbers, strict=True):
            if number:
                yield Damage(run, table, rule.column, number, rule.words)


def _broken_documents(
    connection: duckdb.DuckDBPyConnection, table: str, column: str
) -> Iterator[Damage]:
    rows = connection.execute(f"SELECT run, {column} FROM {table} ORDER BY ALL").fetchall()  # noqa: S608
    for run, text in rows:
        read = _read_document(text)
        if isinstance(read, str):
            yield Damage(run, table, column, 1, read)
