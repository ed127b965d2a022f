"""A database of every earlier schema opens, keeps its rows and is brought to today's schema."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from profiles_db import database_file
from profiles_db.errors import StoreError
from profiles_db.maintenance import check
from profiles_db.measurement import DETAILS
from profiles_db.migrations import MIGRATIONS, SCHEMA_VERSION
from profiles_db.store import Store
from tests.reference.make_schema_fixture import (
    MEASUREMENTS,
    PRIVATE,
    ROBUST,
    RUN,
    STEPS,
    STRONGEST,
    TRAINED,
    fixture,
)


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
    assert set(profile.measurements) == set(MEASUREMENTS)
    assert profile.protocol == RUN.protocol
    assert (profile.model, profile.repetitions) == ("r1", 1)
    before = {3: PRIVATE.rows[-1:], 4: ()}.get(version, (*STRONGEST, *PRIVATE.rows[-1:]))
    steps = (*STEPS, ROBUST) if version >= 4 else STEPS
    for step in steps:
        for kind in {type(row) for row in step.rows}:
            own = [row for row in step.rows if type(row) is kind and row not in before]
            assert store.rows("r1", kind) == own
    assert store.steps_done("r1") == {(step.step, 0, 1) for step in steps}
    assert store.seconds("r1")[TRAINED.step, 0, 1] == TRAINED.seconds
    assert {one.measure for one in profile.measured} == {"performance", "privacy", "safety"}
    assert not profile.failed
    assert check(path).problems == ()


VARIANTS = {
    "": {},
    "class=it's, a,gender=female": {"label": "it's, a", "gender": "female"},
    "class=angry": {"label": "angry"},
    "true=a,b,predicted=c": {"label": "a,b", "predicted": "c"},
    "gender=male": {"gender": "male"},
    "pgd@37.5dB": {"attack": "pgd", "snr_db": 37.5},
    "layer=12": {"layer": 12},
    "attacker=linear, layer 1": {"attacker": "linear, layer 1"},
    "deviation over seeds": {"statistic": "deviation over repetitions"},
    "label permutation null": {"statistic": "label permutation null"},
}
"""Texts that told figures apart, and the columns that do now."""


def test_what_told_figures_apart_as_text_becomes_columns(tmp_path: Path) -> None:
    path = _make(tmp_path / "a.duckdb", 3)
    with duckdb.connect(str(path)) as connection:
        for text in VARIANTS:
            connection.execute(
                "INSERT INTO measurements SELECT * REPLACE ('recall' AS criterion, ? AS variant)"
                " FROM measurements WHERE criterion = 'uar'",
                [text],
            )
    (profile,) = Store(path).profiles()
    found = [m for m in profile.measurements if m.criterion == "recall"]
    details = [{d: getattr(m, d) for d in DETAILS if getattr(m, d) is not None} for m in found]
    assert details == list(VARIANTS.values())
    assert {m.measure for m in found if m.gender} == {"fairness"}


def test_a_part_that_failed_before_is_still_to_be_measured(tmp_path: Path) -> None:
    path = _make(tmp_path / "a.duckdb", 3)
    why = "could not be measured: ValueError: no"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "UPDATE measurements SET unknown = ? WHERE criterion = 'gender_accuracy'", [why]
        )
    (profile,) = Store(path).profiles()
    assert profile.failed == {"privacy": why}


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


def _trials(path: Path) -> list[tuple[str, str, float]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute("SELECT utterance, claimed, score FROM trials").fetchall()


ADD = "ALTER TABLE trials ADD COLUMN added VARCHAR DEFAULT 'x'"
RENAME = "ALTER TABLE trials RENAME COLUMN added TO renamed"


def test_an_earlier_schema_goes_through_every_step_once(
    earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _later(monkeypatch, ADD, RENAME)
    for _ in range(2):
        Store(earlier)
        assert _columns(earlier)[-1] == "renamed"
    assert _trials(earlier) == [("u1", "s2", -0.5)]
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
