"""Tables of rows, derived from the dataclasses of their rows.

A measure declares what it keeps as a frozen dataclass and enters it with `row_table`. From its
fields follow the table's columns, what each column must hold, and which rows would be twice the
same; storing, loading, `trustser db check` and the files of finished jobs need no more.

Every kind of row begins with `repetition` (from 0) and `fold` (from 1).
"""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from profiles_db.criteria import added_criteria

TRAINING: Final = "training"
"""The step that trains and tests the heads; every other step is a measure's."""


@dataclass(frozen=True, slots=True)
class Between:
    """Annotates a number that lies between two ends, but for rounding by `slack`."""

    low: float
    high: float
    slack: float = 0.0


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Annotates a number that is not below `low`."""

    low: float


@dataclass(frozen=True, slots=True)
class OneOf:
    """Annotates a text that is one of some words."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unbounded:
    """Annotates a number that may be infinite or NaN: the loss of a training that diverged."""


Fraction = Annotated[float, Between(0.0, 1.0)]


class Row(Protocol):
    """What every row has."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def repetition(self) -> int:
        """From 0."""

    @property
    def fold(self) -> int:
        """From 1."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What must be true of a column: as SQL, and in words."""

    column: str
    holds: str
    words: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its type in SQL, whether it may be NULL, and what it must hold."""

    name: str
    type: str
    nullable: bool
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class RowTable:
    """The table of one kind of row.

    `step` names the step whose folds the rows belong to; no two rows of a run agree in repetition,
    fold and all of `key`.
    """

    name: str
    kind: type[Any]
    step: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, which are the fields of a row."""
        return tuple(column.name for column in self.columns)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What each column must hold."""
        return tuple(rule for column in self.columns for rule in column.rules)

    def create(self) -> str:
        """The statement that makes the table where it is not there."""
        columns = ["run VARCHAR NOT NULL"]
        columns += [f'"{c.name}" {c.type}{"" if c.nullable else " NOT NULL"}' for c in self.columns]
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({', '.join(columns)})"


_TABLES: Final[dict[str, RowTable]] = {}
_FIXED: Final = frozenset({"runs", "step_results", "measured", "measurements", "trustser_schema"})

Kind = TypeVar("Kind", bound=type[Any])


def row_table(name: str, *, step: str, key: Sequence[str]) -> Callable[[Kind], Kind]:
    """Enter a dataclass as the rows of the table `name`, kept by `step`.

    Parameters
    ----------
    name : str
    step : str
        `TRAINING`, or the name of a measure.
    key : sequence of str
        Fields that, with repetition and fold, tell the rows of a run apart.

    Raises
    ------
    TypeError
        If the name is no table's, or that of other rows; if the fields do not begin with
        repetition and fold, or one is of a type that no column has.

    Examples
    --------
    >>> @dataclass(frozen=True, slots=True)
    ... class Tempo:
    ...     repetition: int
    ...     fold: int
    ...     utterance: str
    ...     words_per_minute: float
    >>> table = table_of(row_table("tempo", step="tempo", key=("utterance",))(Tempo))
    >>> table.create().removeprefix("CREATE TABLE IF NOT EXISTS ")
    'tempo (run VARCHAR NOT NULL, "repetition" INTEGER NOT NULL, "fold" INTEGER NOT NULL, \
"utterance" VARCHAR NOT NULL, "words_per_minute" DOUBLE NOT NULL)'
    >>> forget_table("tempo")
    """

    def enter(kind: Kind) -> Kind:
        there = _TABLES.get(name)
        if name in _FIXED or (there is not None and _origin(there.kind) != _origin(kind)):
            raise TypeError(f"{kind.__name__}: the table {name} holds other rows")
        if not re.fullmatch("[a-z][a-z0-9_]*", name):
            raise TypeError(f"{kind.__name__}: no table can be called {name!r}")
        _TABLES[name] = RowTable(name, kind, step, tuple(key), _columns(kind))
        return kind

    return enter


def forget_table(name: str) -> None:
    """Take a kind of row out again; its table stays in databases that have it."""
    _TABLES.pop(name, None)


def row_tables() -> Mapping[str, RowTable]:
    """All kinds of rows, by the name of their table."""
    added_criteria()  # their modules enter the rows of other packages' measures
    return dict(_TABLES)


def table_of(kind: type[Any]) -> RowTable:
    """The table of a kind of row; KeyError if it was never entered."""
    for table in _TABLES.values():
        if table.kind is kind:
            return table
    raise KeyError(kind.__name__)


def _origin(kind: type[Any]) -> tuple[str, str]:
    return kind.__module__, kind.__qualname__


def _columns(kind: type[Any]) -> tuple[Column, ...]:
    hints = get_type_hints(kind, include_extras=True)
    names = [field.name for field in dataclasses.fields(kind)]
    if names[:2] != ["repetition", "fold"]:
        raise TypeError(f"{kind.__name__}: rows begin with repetition and fold")
    return tuple(_column(name, hints[name]) for name in names)


def _column(name: str, hint: Any) -> Column:
    bounds: list[Any] = []
    nullable = False
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (part for part in get_args(hint) if part is not type(None))
        nullable = True
    if get_origin(hint) is Annotated:
        hint, *bounds = get_args(hint)
    if name in _POSITIONS:
        bounds = [_POSITIONS[name]]
    if get_origin(hint) is Literal:
        return Column(name, "VARCHAR", nullable, (_one_of(name, get_args(hint), nullable),))
    if get_origin(hint) is tuple:
        return Column(name, "DOUBLE[]", nullable, (_numbers(name, bounds),))
    found = {
        str: lambda: _texts(name, bounds, nullable),
        bool: lambda: Column(name, "BOOLEAN", nullable, ()),
        int: lambda: Column(name, "INTEGER", nullable, _bounded(name, bounds, nullable)),
        float: lambda: Column(name, "DOUBLE", nullable, _bounded(name, bounds, nullable)),
    }
    if hint not in found:
        raise TypeError(f"the field {name}: no column holds a {hint}")
    return found[hint]()


_POSITIONS: Final[Mapping[str, AtLeast]] = {"repetition": AtLeast(0), "fold": AtLeast(1)}


def _texts(name: str, bounds: Sequence[Any], nullable: bool) -> Column:
    for bound in bounds:
        if isinstance(bound, OneOf):
            return Column(name, "VARCHAR", nullable, (_one_of(name, bound.words, nullable),))
    rules = () if nullable else (Rule(name, f"\"{name}\" <> ''", "not empty"),)
    return Column(name, "VARCHAR", nullable, rules)


def _one_of(name: str, words: Sequence[str], nullable: bool) -> Rule:
    listed = ", ".join(f"'{word}'" for word in words)
    holds, said = f'"{name}" IN ({listed})', "one of " + ", ".join(words)
    if nullable:
        return Rule(name, f'"{name}" IS NULL OR {holds}', f"{said}, or none")
    return Rule(name, holds, said)


def _bounded(name: str, bounds: Sequence[Any], nullable: bool) -> tuple[Rule, ...]:
    parts = [(f'isfinite("{name}")', "a finite number")]
    for bound in bounds:
        match bound:
            case Unbounded():
                return ()
            case Between(low, high, slack):
                holds = f'"{name}" BETWEEN {low - slack} AND {high + slack}'
                parts = [(holds, f"a number in [{low:g}, {high:g}]")]
            case AtLeast(low):
                parts = [(f'isfinite("{name}"::DOUBLE) AND "{name}" >= {low}', f"at least {low:g}")]
    (holds, words), *_ = parts
    if nullable:
        return (Rule(name, f'"{name}" IS NULL OR ({holds})', f"{words}, or none"),)
    return (Rule(name, holds, words),)


def _numbers(name: str, bounds: Sequence[Any]) -> Rule:
    low, high = -1e308, 1e308
    for bound in bounds:
        low, high = bound.low - bound.slack, bound.high + bound.slack
    return Rule(
        name,
        f'list_aggregate("{name}", \'count\') = len("{name}")'
        f' AND list_min("{name}") >= {low} AND list_max("{name}") <= {high}',
        f"one or more numbers in [{bounds[0].low:g}, {bounds[0].high:g}]"
        if bounds
        else "one or more finite numbers",
    )
