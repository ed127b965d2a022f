"""Groups from a manifest's columns to stored rows and figures, without sound, weights or torch."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import trustser
from profiles_db.errors import CorpusError, InputError
from profiles_db.records import ClipGroup, Prediction
from profiles_db.store import Store
from trustser.__main__ import run

SETTINGS = {"study.folds": 2, "training": {"repetitions": 2, "epochs": 1}}
FEW = {"groups.least_clips": 4, "groups.permutations": 100}
Row = dict[str, str]


def _write(manifest: Path, rows: list[Row]) -> Path:
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return manifest


def _age(row: Row) -> str:
    return "young" if int(row["speaker"][1:]) > 2 else ""


def _room(row: Row) -> str:
    return "hall" if row["path"].endswith("1.wav") else "studio"


@pytest.fixture
def rows(manifest: Path) -> list[Row]:
    with manifest.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def profiled(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of a run whose manifest named no groups."""
    folder = tmp_path_factory.mktemp("groups")
    trustser.profile(
        "fbank", "manifest", data_root=manifest, measures="performance", settings=SETTINGS,
        workers=0, device="cpu", db=folder / "a.duckdb", cache=folder / "cache",
    )  # fmt: skip
    return folder / "a.duckdb"


@pytest.fixture
def db(profiled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(profiled, tmp_path / "a.duckdb"))


@pytest.fixture
def soundless(rows: list[Row], tmp_path: Path) -> Path:
    """The manifest with columns of groups, and not one sound beside it."""
    named = [row | {"group_age": _age(row), "group_room": _room(row)} for row in rows]
    return _write(tmp_path / "small.csv", named)


def _groups(db: Path) -> list[ClipGroup]:
    store = Store(db, read_only=True)
    (profile,) = store.outlines()
    return store.rows(profile.run, ClipGroup)


def _uars(db: Path) -> dict[str | None, float | None]:
    (profile,) = Store(db, read_only=True).profiles()
    return {m.statistic: m.value for m in profile.measurements if m.criterion == "group_uar"}


def test_a_trained_run_is_measured_by_groups_from_metadata_alone(
    db: Path, soundless: Path, rows: list[Row]
) -> None:
    (profile,) = trustser.measure("fbank", measures="groups", db=db, data_root=soundless)
    assert not profile.failed
    store = Store(db, read_only=True)
    tested = {row.utterance: row.fold for row in store.rows(profile.run, Prediction)}
    expected = Counter(
        (tested[row["path"]], row["path"], name, value)
        for row in rows
        if row["path"] in tested
        for name, value in (("age", _age(row)), ("room", _room(row)))
        if value
    )
    found = _groups(db)
    assert Counter((r.fold, r.utterance, r.attribute, r.group_name) for r in found) == expected
    assert {row.repetition for row in found} == {0}
    assert run(["db", "check", "--db", str(db)]) == 0
    (again,) = trustser.measure(
        "fbank", measures="groups", recompute=True, settings=FEW | {
            "groups.intersections": ["gender+room"]}, db=db,
    )  # fmt: skip
    uars = _uars(db)
    assert {"gender=female", "age=young", "room=hall", "gender+room=male+studio"} <= uars.keys()
    assert uars["age=young"] is not None
    assert again.pooled("group_uar_gap") is not None
    assert any(m.n == 16 for m in again.measurements if m.statistic == "room=hall")


def test_columns_that_change_are_read_again_and_those_that_stay_are_not(
    db: Path, soundless: Path, rows: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(path: Path) -> list[str]:
        trustser.measure("fbank", measures="groups", db=db, data_root=path)
        (profile,) = Store(db, read_only=True).profiles()
        return [one.finished for one in profile.measured if one.measure == "groups"]

    first = measured(soundless)
    assert measured(soundless) == first
    assert run(["measure", "fbank", "--measures", "groups", "--db", str(db),
                "--data-root", str(soundless)]) == 0  # fmt: skip
    assert "nothing to do" in capsys.readouterr().err
    fewer = [row | {"group_room": "hall"} for row in rows]
    measured(_write(soundless, fewer))
    assert {(row.attribute, row.group_name) for row in _groups(db)} == {("room", "hall")}


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda rows: rows[2:], InputError, "is not there"),
        (lambda rows: [rows[0] | {"speaker": "s9"}, *rows[1:]], InputError, "another speaker"),
        (lambda rows: [row | {"gender": ""} for row in rows], InputError, "another speaker"),
        (None, CorpusError, "no such"),
    ],
)
def test_other_clips_are_refused(
    change: Callable[[list[Row]], list[Row]] | None,
    error: type[Exception],
    words: str,
    db: Path,
    soundless: Path,
    rows: list[Row],
) -> None:
    path = soundless.with_name("none.csv")
    if change is not None:
        _write(path, change(rows))
    with pytest.raises(error, match=words):
        trustser.measure("fbank", measures="groups", db=db, data_root=path)
    assert not _groups(db)


def test_groups_taken_with_the_training_are_those_taken_later(
    manifest: Path, rows: list[Row], profiled: Path, db: Path, tmp_path: Path
) -> None:
    """And another column of a profiled manifest makes no other study, and trains nothing."""
    for path in manifest.parent.glob("*.wav"):
        (tmp_path / path.name).symlink_to(path)
    named = _write(tmp_path / "small.csv", [row | {"group_room": _room(row)} for row in rows])
    (profile,) = trustser.profile(
        "fbank", "manifest", data_root=named, measures="performance,groups", settings=SETTINGS,
        workers=0, device="cpu", db=db, cache=profiled.parent / "cache",
    )  # fmt: skip
    (before,) = Store(profiled, read_only=True).outlines()
    assert profile.run == before.run
    with_training = _groups(db)
    assert len(with_training) == 32
    other = Path(shutil.copy(profiled, tmp_path / "b.duckdb"))
    trustser.measure("fbank", measures="groups", db=other, data_root=named)
    assert _groups(other) == with_training


def test_torch_is_not_needed(db: Path, soundless: Path) -> None:
    code = (
        "import sys, trustser; sys.modules['torch'] = None; sys.modules['soundfile'] = None;"
        f"trustser.measure('fbank', measures='groups,fairness', db={str(db)!r},"
        f" data_root={str(soundless)!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)
    assert _groups(db)


def test_a_comparison_says_whether_two_models_order_the_speakers_alike(
    db: Path, soundless: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trustser.measure("fbank", measures="groups", db=db, data_root=soundless)
    assert run(["profiles", "compare", "--db", str(db), "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    reason = "no speaker has a figure of the measure groups in both"
    assert record["speaker_agreement"] == {"rho": None, "speakers": 0, "unknown": reason}
    assert run(["profiles", "compare", "--db", str(db)]) == 0
    assert "Spearman" in capsys.readouterr().out
