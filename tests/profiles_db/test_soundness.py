"""Every column of every table damaged in turn: one line says where, and `db check` lists it all."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from profiler.measures.generalisation import CrossCorpusAnswer, CrossCorpusLeftOut
from profiler.measures.linguistic import ResynthesisedAnswer, ResynthesisLeftOut
from profiles_db.consistency import FIXED_TABLES
from profiles_db.errors import StoreError
from profiles_db.maintenance import check
from profiles_db.measurement import DETAILS
from profiles_db.migrations import MIGRATIONS
from profiles_db.records import StepResult
from profiles_db.row_tables import row_tables, table_of
from profiles_db.snapshot import Snapshot
from profiles_db.soundness import damages, document, require_sound
from profiles_db.store import Store
from tests.reference.make_schema_fixture import ON_REQUEST, fill
from trustser.__main__ import run

SCENARIO = """
version: 1
title: Mine
priorities: {system_performance: high}
evidence: {source: measured, allow_synthetic: true}
"""
FREE_TEXT = {
    ("runs", "corpus"), ("runs", "weights_origin"), ("runs", "device"),
    ("measurements", "unknown"), ("measurements", "source"), ("measurements", "device"),
    *(("measurements", detail) for detail in DETAILS),
}  # fmt: skip
"""Columns that may hold any text, also an empty one."""
OF_LATER_MEASURES = (
    StepResult(
        "generalisation", 0, 1,
        (
            CrossCorpusAnswer(0, 1, "demo", "v1", "s1", "male", "joy", "a", "it's", (0.5, 0.5)),
            CrossCorpusLeftOut(0, 1, "demo", "v2", "too short"),
        ),
    ),
    StepResult(
        "linguistic", 0, 1,
        (
            ResynthesisedAnswer(0, 1, "u1", "s1", None, "a", "hello", "x", "a", (0.5, 0.5)),
            ResynthesisLeftOut(0, 1, "u2", "no text"),
        ),
    ),
)  # fmt: skip
"""Steps whose rows stand in tables that no migration makes."""
NO_DAMAGE = {
    (table, column, value)
    for table in ("epochs", "probe_epochs", "dimensional_epochs")
    for column in ("train_loss", "dev_loss", "dev_score")
    for value in ("'nan'", "'inf'")
    if column != "dev_score" or table == "dimensional_epochs"
}
"""What a training that diverged leaves."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "a.duckdb"
    store = Store(path)
    fill(store)
    for step in (*ON_REQUEST, *OF_LATER_MEASURES):
        store.add_step("r1", step)
    assert check(path).problems == ()
    return path


def _damages() -> list[tuple[str, str, str]]:
    """(table, column, SQL value): what each column's type lets in and no run writes."""
    with duckdb.connect() as connection:
        for step in MIGRATIONS:
            connection.execute(step)
        for table in row_tables().values():
            connection.execute(table.create())
        columns = connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
        ).fetchall()
    values = {
        "DOUBLE": ["'nan'", "'inf'"],
        "DOUBLE[]": ["['nan'::DOUBLE, 0.5]", "[NULL, 1.0]", "[]"],
        "VARCHAR[]": ["[NULL]"],
        "INTEGER": ["-7"],
        "BIGINT": ["-7"],
    }
    found = []
    for table, column, kind in columns:
        if kind == "VARCHAR" and column != "run" and (table, column) not in FREE_TEXT:
            found += [(table, column, value) for value in ("''", "'{'", "'Nonsense {'")]
        found += [(table, column, value) for value in values.get(kind, ())]
    words = {
        "study", "model", "backbone", "weights_id", "started", "finished", "utterance", "attacker",
        "speaker", "label", "predicted", "claimed", "step", "measure", "basis",
        "attribute", "group_name", "neighbour", "tested_on", "own_label", "reason", "text",
        "synthesiser",
    }  # fmt: skip
    return [d for d in found if d not in NO_DAMAGE and not (d[1] in words and d[2] != "''")]


DAMAGES = _damages()


def test_every_column_is_damaged() -> None:
    known = {(table, column) for table, column, _ in DAMAGES}
    assert {table for table, _ in known} == {*FIXED_TABLES, *row_tables()}
    assert len(known) > 40


def test_every_damage_is_named_and_stops_readers(sound: Path) -> None:
    with duckdb.connect(str(sound)) as connection:
        for table, column, value in DAMAGES:
            connection.execute("BEGIN")
            known = " WHERE value IS NOT NULL" if column == "value" else ""
            if column in ("step", "measure"):  # of a key, which holds another row's text once
                known = f" WHERE rowid = (SELECT min(rowid) FROM {table})"  # noqa: S608
            connection.execute(f'UPDATE {table} SET "{column}" = {value}{known}')  # noqa: S608
            found = {(damage.table, damage.column) for damage in damages(connection)}
            assert (table, column) in found, value
            named = "(low|high)" if column in ("low", "high") else column  # they name each other
            with pytest.raises(StoreError, match=rf"column {named} of table {table} is damaged"):
                _read(connection, table)
            connection.execute("ROLLBACK")
        assert not list(damages(connection))


def _read(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """What reads `table`: `Snapshot`, or a run that goes on."""
    if table in ("runs", "measurements", "measured"):
        Snapshot(connection).profiles()
    else:
        require_sound(connection, table, ["r1"])
        for (text,) in connection.execute("SELECT seconds FROM step_results").fetchall():
            document(text, "r1", "step_results", "seconds")


@pytest.mark.parametrize("kind", [table.kind for table in row_tables().values()])
def test_a_run_that_goes_on_stops_at_damaged_rows(kind: Any, sound: Path, tmp_path: Path) -> None:
    path = _damaged(sound, tmp_path, table_of(kind).name, "fold", "-7")
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE runs SET finished = NULL")
    with pytest.raises(StoreError, match=rf"run r1: column fold of table {table_of(kind).name}"):
        Store(path).rows("r1", kind)


def test_a_run_that_goes_on_stops_at_damaged_folds(sound: Path, tmp_path: Path) -> None:
    path = _damaged(sound, tmp_path, "step_results", "fold", "-7")
    with pytest.raises(StoreError, match="column fold of table step_results"):
        Store(path).steps_done("r1")
    path = _damaged(sound, tmp_path, "step_results", "seconds", "'{'")
    with pytest.raises(StoreError, match="column seconds of table step_results"):
        Store(path).seconds("r1")


def _damaged(sound: Path, folder: Path, table: str, column: str, value: str) -> Path:
    path = folder / f"{table}-{column}.duckdb"
    shutil.copy(sound, path)
    with duckdb.connect(str(path)) as connection:
        connection.execute(f'UPDATE {table} SET "{column}" = {value}')  # noqa: S608
    return path


@pytest.mark.parametrize("place", [("runs", "folds", "-7"), ("measurements", "low", "'nan'"),
                                   ("runs", "provenance", "'[1'")])  # fmt: skip
def test_every_reading_command_gives_one_line(
    place: tuple[str, str, str],
    sound: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = _damaged(sound, tmp_path, *place)
    scenario = tmp_path / "mine.yaml"
    scenario.write_text(SCENARIO)
    commands = [
        ["profiles", "show", "fbank"], ["profiles", "compare"],
        ["profiles", "export", str(tmp_path / "x.csv")],
        ["report", "-o", str(tmp_path / "x.html")], ["advise", str(scenario), "--json"],
    ]  # fmt: skip
    for command in commands:
        assert run([*command, "--db", str(path)]) == 2, command
        (line,) = capsys.readouterr().err.splitlines()
        assert f"run r1: column {place[1]} of table {place[0]} is damaged" in line
    assert run(["db", "check", "--db", str(path)]) == 1
    capsys.readouterr()


def test_the_check_lists_all_damage_at_once(sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    shutil.copy(sound, path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE runs SET protocol = '{', weights_kind = 'x'")
        connection.execute("UPDATE trials SET score = 'nan'")
    problems = " ".join(check(path).problems)
    for column in ("protocol", "weights_kind", "score"):
        assert f"column {column} of" in problems


@pytest.mark.parametrize("version", ["NULL", "-1"])
def test_a_schema_that_no_version_wrote_is_one_line(
    version: str, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.duckdb"
    shutil.copy(sound, path)
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"UPDATE trustser_schema SET version = {version}")  # noqa: S608
    assert run(["profiles", "list", "--db", str(path)]) == 2
    assert "which no version of this program wrote" in capsys.readouterr().err


def test_nesting_too_deep_for_python_is_damage(sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    shutil.copy(sound, path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE runs SET provenance = ?", ['{"a":' + "[" * 200_000])
    with pytest.raises(StoreError, match="column provenance"):
        Store(path).profiles()
