"""Backups that are whole, and a check that finds every kind of damage."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from profiles_db.errors import InputError, OutputError, StoreError
from profiles_db.maintenance import backup, check
from profiles_db.store import Store
from tests.profiles_db.test_store import _hold
from tests.reference.make_schema_fixture import ON_REQUEST, fill
from trustser.__main__ import run


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "it's a.duckdb"
    store = Store(path)
    fill(store)
    for step in ON_REQUEST:
        store.add_step("r1", step)
    return path


def test_a_backup_holds_every_row_and_nothing_is_left_beside_it(
    database: Path, tmp_path: Path
) -> None:
    target = tmp_path / "b'2.duckdb"
    rows = backup(database, target)
    assert rows == dict(check(database).rows)
    assert rows["predictions"] == 2
    assert Store(target).profiles() == Store(database).profiles()
    assert check(target).sound
    assert {file.name for file in tmp_path.iterdir()} == {database.name, target.name}
    with duckdb.connect(str(target)) as copy, pytest.raises(duckdb.ConstraintException):
        copy.execute("INSERT INTO step_results VALUES ('r1', 'training', 0, 1, '{}')")


def test_a_backup_never_replaces_unasked_nor_itself(database: Path, tmp_path: Path) -> None:
    target = tmp_path / "b.duckdb"
    target.write_text("precious")
    with pytest.raises(InputError, match="there is a file already"):
        backup(database, target)
    assert target.read_text() == "precious"
    with pytest.raises(InputError, match="there is a file already"):
        backup(database, database, force=True)
    assert backup(database, target, force=True)["runs"] == 1


def test_a_backup_that_cannot_be_written_leaves_nothing(database: Path, tmp_path: Path) -> None:
    for target in (tmp_path / "no" / "b.duckdb", database / "b.duckdb"):
        with pytest.raises(OutputError, match="cannot be written"):
            backup(database, target)
    with pytest.raises(StoreError, match="no such database"):
        backup(tmp_path / "missing.duckdb", tmp_path / "b.duckdb")
    assert [file.name for file in tmp_path.iterdir()] == [database.name]


DAMAGE = {
    "DELETE FROM measured": "a figure of a measure that was not taken",
    "DELETE FROM step_results WHERE step = 'training'": "a fold measured before it was trained",
    "INSERT INTO trials SELECT * FROM trials": "trials: a row that stands twice",
    "DELETE FROM runs": "of a run that is not there",
    "DELETE FROM step_results": "of a fold that was never completed",
    "UPDATE runs SET folds = 3": "a finished run that lacks folds",
    "UPDATE runs SET provenance = '{'": "run r1: column provenance of table runs",
    "DELETE FROM measurements": "a finished run without measurements",
    "DELETE FROM predictions": "a fold without predictions",
    "DELETE FROM epochs": "a fold without epochs",
    "DELETE FROM layer_weights": "a fold without layer weights",
    "INSERT INTO predictions SELECT * FROM predictions": "predictions: a row that stands twice",
    "INSERT INTO attacks SELECT * FROM attacks": "attacks: a row that stands twice",
    "UPDATE attacks SET utterance = 'u2'": "an attack on a clip that was not classified correctly",
    "INSERT INTO attackers SELECT * FROM attackers": "attackers: a row that stands twice",
    "UPDATE attackers SET chosen = false": "is not the one that is best on the dev part",
    "INSERT INTO attackers VALUES ('r1', 0, 1, 'better', 0.75, 0.4, 0.5, false)":
        "is not the one that is best on the dev part",
    "DELETE FROM attackers": "or answers without attackers",
    "DELETE FROM gender_predictions WHERE task = 'strongest_gender'": "without the answers of",
    "DELETE FROM attacks": "a clip classified correctly that was not attacked",
    "UPDATE predictions SET probabilities = [0.5, 0.6]": "do not sum to one",
    "UPDATE predictions SET probabilities = ['nan'::DOUBLE, 0.6]": "that are not finite",
    "UPDATE epochs SET epoch = 2": "a training that lacks epochs",
    "UPDATE measurements SET n = 7 WHERE criterion = 'uar'": "uar names another number",
    "UPDATE measurements SET n = 7 WHERE attack = 'fgsm'": "rate names another number",
    "UPDATE dimensional_predictions SET speaker = 's2'":
        "a dimension predicted of a clip that was not tested",
    "INSERT INTO dimensional_predictions VALUES "
    "('r1', 0, 1, 'valence', 'u1', 's1', NULL, 0.75, 0.25, 0.5)":
        "a clip with two ratings on one dimension",
    "UPDATE dimensional_attacks SET utterance = 'u3'":
        "a dimension of an attacked clip that was not tested",
    "UPDATE dimensional_attacks SET clean = 0.75 WHERE attack = 'noise'":
        "an attacked clip with two answers as it is on one dimension",
    "ALTER TABLE trials DROP COLUMN score": "table trials lacks its column score",
    "ALTER TABLE trials ADD COLUMN mine INTEGER": "column mine (INTEGER) that this program never",
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_check_names_what_is_wrong(
    damage: str, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "check", "--db", str(database)]) == 0
    assert "Nothing is wrong." in capsys.readouterr().out
    with duckdb.connect(str(database)) as connection:
        connection.execute(damage)
    assert run(["db", "check", "--db", str(database)]) == 1
    assert DAMAGE[damage] in capsys.readouterr().out


def test_a_damaged_block_is_found_and_not_backed_up(database: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "INSERT INTO trials SELECT 'r1', 0, 1, 'head', uuid(), 's', 't', random()"
            " FROM range(60000)"
        )
    whole = database.read_bytes()
    found = set()
    for place in range(20_000, len(whole) - 20_000, len(whole) // 6):
        damaged = bytearray(whole)
        damaged[place : place + 64] = bytes(64)
        database.write_bytes(damaged)
        problems = check(database).problems
        found.add(bool(problems))
        if problems:
            with pytest.raises(StoreError):
                backup(database, tmp_path / "b.duckdb")
            assert not (tmp_path / "b.duckdb").exists()
    assert True in found


def test_a_file_that_is_no_database_is_wrong_and_a_missing_one_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    garbage = tmp_path / "a.duckdb"
    garbage.write_text("this is no database")
    assert run(["db", "check", "--db", str(garbage)]) == 1
    assert "cannot be opened" in capsys.readouterr().out
    assert run(["db", "check", "--db", str(tmp_path / "missing.duckdb")]) == 2
    assert "no such database" in capsys.readouterr().err


def test_a_run_that_did_not_end_is_told_and_is_no_fault(database: Path) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute("UPDATE runs SET finished = NULL")
        connection.execute("DELETE FROM measurements")
    health = check(database)
    assert health.sound
    assert health.unfinished == ("run r1 (fbank on demo): 1 of 1 folds",)


def test_a_held_database_is_waited_for(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with _hold(database, 1.0):
        assert run(["db", "backup", str(tmp_path / "b.duckdb"), "--db", str(database)]) == 0
    assert "waiting" in capsys.readouterr().err
    assert check(tmp_path / "b.duckdb").sound
