"""A snapshot: one moment of the database, one opening of its file, refused as a store is."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pytest

from profiles_db.errors import StoreError
from profiles_db.migrations import SCHEMA_VERSION
from profiles_db.snapshot import reading
from profiles_db.store import Store
from tests.profiles_db.test_store import _hold
from tests.reference.make_schema_fixture import MEASUREMENTS, RUN, finish

WRITER = """
    import sys
    from pathlib import Path
    from profiles_db.errors import StoreError
    from profiles_db.store import Store
    try:
        Store(Path(sys.argv[1]), patience=0.0).forget("r1")
    except StoreError as error:
        print(error)
"""


def _forget_elsewhere(path: Path) -> str:
    """What another process says that removes the run."""
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _finish(store: Store, run: str) -> None:
    store.begin(dataclasses.replace(RUN, run=run))
    finish(store, MEASUREMENTS, run, f"end of {run}", {"clips": 3})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with one finished run."""
    store = Store(tmp_path / "a.duckdb")
    _finish(store, "r1")
    return store


def test_a_snapshot_reads_what_the_store_reads(store: Store) -> None:
    for name in ("r3", "r2"):
        _finish(store, name)
    reader = Store(store.path, read_only=True)
    with reading(store.path) as snapshot:
        outlines = snapshot.outlines()
        assert outlines == reader.outlines()
        assert snapshot.outlines(study="other") == []
        assert snapshot.profiles(study=RUN.study) == snapshot.with_measurements(outlines)
        assert snapshot.profiles() == reader.profiles()
        (one,) = snapshot.with_measurements(outlines[2:])
    assert [outline.run for outline in outlines] == ["r1", "r2", "r3"]
    assert (one.run, one.measurements, one.provenance) == ("r3", MEASUREMENTS, {"clips": 3})


def test_measurements_of_runs_in_turns_keep_their_order(store: Store) -> None:
    """Such rows do not lie together, as those that `finish` stores do."""
    _finish(store, "r2")
    with duckdb.connect(str(store.path)) as connection:
        connection.execute("""
            CREATE TABLE turns AS SELECT * FROM measurements ORDER BY criterion, run;
            DELETE FROM measurements;
            INSERT INTO measurements FROM turns;
            DROP TABLE turns
        """)
    expected = tuple(sorted(MEASUREMENTS, key=lambda m: m.criterion))
    with reading(store.path) as snapshot:
        assert [p.measurements for p in snapshot.profiles()] == [expected, expected]


def test_the_file_is_opened_once_however_much_is_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, opened = duckdb.connect, []

    def counted(path: str, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        opened.append(path)
        return connect(path, read_only=read_only)

    monkeypatch.setattr(duckdb, "connect", counted)
    with reading(store.path) as snapshot:
        assert len(snapshot.with_measurements(snapshot.outlines())) == 1
        assert len(snapshot.profiles()) == 1
    assert opened == [str(store.path)]


def test_nobody_writes_during_a_snapshot_and_anybody_after_it(store: Store) -> None:
    with reading(store.path) as snapshot:
        outlines = snapshot.outlines()
        assert f"held by process {os.getpid()} " in _forget_elsewhere(store.path)
        assert snapshot.with_measurements(outlines)[0].measurements == MEASUREMENTS
    assert _forget_elsewhere(store.path) == ""
    assert store.profiles() == []


def test_an_error_inside_lets_the_file_go(store: Store) -> None:
    with pytest.raises(KeyError), reading(store.path):
        raise KeyError
    assert _forget_elsewhere(store.path) == ""


def test_a_held_file_is_waited_for_and_the_wait_is_told(store: Store) -> None:
    told: list[str] = []
    with _hold(store.path, 0.5), reading(store.path, on_wait=told.append) as snapshot:
        assert len(snapshot.outlines()) == 1
    assert len(told) == 1
    assert "waiting" in told[0]


def test_what_a_store_refuses_a_snapshot_refuses(tmp_path: Path) -> None:
    statements = {
        "newer": f"CREATE TABLE trustser_schema AS SELECT {SCHEMA_VERSION + 1} AS version",
        "other": "CREATE TABLE mine (x INTEGER)",
        "empty": "SELECT 1",
    }
    for name, statement in statements.items():
        with duckdb.connect(str(tmp_path / name)) as connection:
            connection.execute(statement)
    reasons = {
        "newer": f"has schema {SCHEMA_VERSION + 1}, this program knows up to {SCHEMA_VERSION}",
        "other": "is a DuckDB file of something else",
        "empty": f"has schema 0, not {SCHEMA_VERSION}, and may not be written",
        "missing": "no such database",
    }
    for name, reason in reasons.items():
        with pytest.raises(StoreError, match=reason) as caught, reading(tmp_path / name):
            pass
        assert str(tmp_path / name) in str(caught.value)
