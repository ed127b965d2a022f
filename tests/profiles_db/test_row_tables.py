"""Tables that follow from dataclasses, also from those of other packages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest

from profiles_db.maintenance import check
from profiles_db.records import Prediction, Run, StepResult
from profiles_db.row_tables import Between, forget_table, row_table, row_tables, table_of
from profiles_db.store import Store


@dataclass(frozen=True, slots=True)
class Keywords:
    """A row whose fields SQL has other uses for."""

    repetition: int
    fold: int
    order: str
    end: float | None
    window: bool
    group: Annotated[tuple[float, ...], Between(0.0, 1.0)]


@pytest.fixture
def keywords() -> Iterator[None]:
    row_table("keywords", step="keywords", key=("order", "window"))(Keywords)
    yield
    forget_table("keywords")


def _run() -> Run:
    return Run("r", "m", "s", "fbank", "demo", "none", "none", "", True, 1, 1, 1, "", "2026")


@pytest.mark.usefixtures("keywords")
def test_fields_may_have_names_that_sql_uses(tmp_path: Path) -> None:
    rows = (
        Keywords(0, 1, "first", None, True, (0.25, 1.0)),
        Keywords(0, 1, "second", -2.5, False, (0.0,)),
    )
    store = Store(tmp_path / "a.duckdb")
    store.begin(_run())
    store.add_step("r", StepResult("keywords", 0, 1, rows))
    assert store.rows("r", Keywords) == list(rows)
    assert check(store.path).problems == (
        "a fold measured before it was trained: r repetition 0 fold 1",
    )


@pytest.mark.usefixtures("keywords")
def test_rows_that_stand_twice_are_found_by_such_names(tmp_path: Path) -> None:
    row = Keywords(0, 1, "first", None, True, (1.5,))
    store = Store(tmp_path / "a.duckdb")
    store.begin(_run())
    store.add_step("r", StepResult("keywords", 0, 1, (row, row)))
    problems = "\n".join(check(store.path).problems)
    assert "keywords: a row that stands twice" in problems
    assert "column group of table keywords" in problems


def test_a_table_holds_one_kind_of_row() -> None:
    before = row_tables()
    for name in ("predictions", "runs", "measurements"):
        with pytest.raises(TypeError, match="holds other rows"):
            row_table(name, step="keywords", key=())(Keywords)
    for name in ("Keywords", "key words", "1st", ""):
        with pytest.raises(TypeError, match="no table can be called"):
            row_table(name, step="keywords", key=())(Keywords)
    assert row_tables() == before
    assert table_of(Prediction).name == "predictions"


def test_rows_begin_with_their_place_and_hold_what_columns_hold() -> None:
    @dataclass(frozen=True)
    class Placeless:
        utterance: str

    @dataclass(frozen=True)
    class Odd:
        repetition: int
        fold: int
        when: complex

    with pytest.raises(TypeError, match="begin with repetition and fold"):
        row_table("placeless", step="x", key=())(Placeless)
    with pytest.raises(TypeError, match="the field when: no column holds"):
        row_table("odd", step="x", key=())(Odd)
    assert not {"placeless", "odd"} & set(row_tables())
