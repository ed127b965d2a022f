"""A database of every earlier schema opens, keeps its rows and is brought to today's schema."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from profiles_db import database_file
from profiles_db.errors import StoreError
from profiles_db.maintenance import check
from profiles_db.migrations import MIGRATIONS, SCHEMA_VERSION
from profiles_db.records import Attacker, AttackOutcome, Epoch, LayerWeight, Prediction, Trial
from profiles_db.store import Store
from tests.reference.make_schema_fixture import FOLD, MEASUREMENTS, RUN, STRONGEST, fixture


def _make(path: Path, version: int) -> Path:
    with duckdb.connect(str(path)) as connection:
        connection.execute(fixture(version).read_text(encoding="utf-8"))
    return path


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A database of schema 1."""
    return _make(tmp_path / "a.duckdb", 1)


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_a_database_of_every_schema_opens_with_all_its_rows(version: int, tmp_path: Path) -> None:
    path = _make(tmp_path / "a.duckdb", version)
    store = Store(path)
    (profile,) = store.profiles()
    assert profile.measurements == MEASUREMENTS
    assert profile.protocol == RUN.protocol
    later = version >= 3
    since = [row for row in FOLD.predictions if later or row not in STRONGEST]
    assert store.rows("r1", Prediction) == since
    assert store.rows("r1", Attacker) == (list(FOLD.attackers) if later else [])
    assert store.rows("r1", AttackOutcome) == list(FOLD.attacks)
    assert store.rows("r1", Trial) == list(FOLD.trials)
    assert store.rows("r1", Epoch) == list(FOLD.epochs)
    assert store.rows("r1", LayerWeight) == list(FOLD.layer_weights)
    assert check(path).problems == ()


def test_what_is_no_reason_to_doubt_a_value_becomes_a_note(tmp_path: Path) -> None:
    """The texts that schema 1 kept among the flags; any other flag stays one."""
    fair = "within what a fair model would score at this n (permutation test, 5 %)"
    hidden = "no better than answers that ignore gender (permutation test, 5 %)"
    path = _make(tmp_path / "a.duckdb", 1)
    with duckdb.connect(str(path)) as connection:
        row = [[fair, "a flag", hidden]]
        connection.execute("UPDATE measurements SET flags = ? WHERE criterion = 'uar'", row)
    (profile,) = Store(path).profiles()
    uar = profile.pooled("uar")
    assert uar is not None
    assert (uar.flags, uar.notes) == (("a flag",), (fair, hidden))


def _later(monkeypatch: pytest.MonkeyPatch, *steps: str) -> None:
    """Pretend that today's schema is some steps further."""
    monkeypatch.setattr(database_file, "MIGRATIONS", (*MIGRATIONS[:1], *steps))
    monkeypatch.setattr(database_file, "SCHEMA_VERSION", 1 + len(steps))


def _columns(path: Path) -> list[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return [row[0] for row in connection.execute("DESCRIBE trials").fetchall()]


ADD = "ALTER TABLE trials ADD COLUMN added VARCHAR DEFAULT 'x'"
RENAME = "ALTER TABLE trials RENAME COLUMN added TO renamed"


def test_an_earlier_schema_goes_through_every_step_once(
    earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _later(monkeypatch, ADD, RENAME)
    for _ in range(2):
        Store(earlier)
        assert _columns(earlier)[-1] == "renamed"
    assert Store(earlier).rows("r1", Trial) == list(FOLD.trials)
    _later(monkeypatch)
    with pytest.raises(StoreError, match="schema 3, this program knows up to 1"):
        Store(earlier)


def test_a_step_that_fails_leaves_the_earlier_schema_whole(
    earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _later(monkeypatch, ADD, "ALTER TABLE trials DROP COLUMN no_such_column")
    with pytest.raises(StoreError, match="no_such_column"):
        Store(earlier)
    assert "added" not in _columns(earlier)
    _later(monkeypatch)
    assert Store(earlier).finished("r1")


def test_reading_alone_never_migrates(earlier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _later(monkeypatch, ADD)
    with pytest.raises(StoreError, match="schema 1, not 2, and may not be written"):
        Store(earlier, read_only=True)
    assert "added" not in _columns(earlier)
