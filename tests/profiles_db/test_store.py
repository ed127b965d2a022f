"""The store: transactions, in turns, and never of another kind."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pytest

from profiles_db.errors import StoreError
from profiles_db.measurement import Measurement
from profiles_db.migrations import SCHEMA_VERSION
from profiles_db.records import Prediction, Run, Trial
from profiles_db.row_tables import TRAINING
from profiles_db.store import Store
from tests.reference.make_schema_fixture import PRIVATE, STEPS, TRAINED, finish

RUN = Run(
    run="r1", model="m1", study="s1", backbone="fbank", corpus="demo", weights_kind="none",
    weights_id="none", weights_origin="", synthetic=True, folds=2, folds_total=5, repetitions=1,
    device="cpu", started="2026-01-01T00:00:00+00:00",
    protocol={"training": {"epochs": 3, "betas": [0.9, 0.98]}}, provenance={"classes": ["a", "b"]},
)  # fmt: skip


def _measurement(value: float | None, unknown: str | None = None) -> Measurement:
    return Measurement(
        study="s1", backbone="fbank", weights="none", corpus="demo", criterion="uar",
        value=value, unknown=unknown, flags=("a flag",) if value else (), baseline=0.25, n=7,
        measure="performance",
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "a.duckdb")


def test_everything_comes_back_as_it_went_in(store: Store) -> None:
    store.begin(RUN)
    for step in STEPS:
        store.add_step("r1", step)
    for step in STEPS:
        for kind in {type(row) for row in step.rows}:
            assert store.rows("r1", kind) == [row for row in step.rows if type(row) is kind]
    assert store.seconds("r1")[TRAINING, 0, 1] == {"emotion head": 1.5}
    assert store.steps_done("r1") == {(step.step, 0, 1) for step in STEPS}
    assert store.profiles() == []  # not finished yet
    measurements = [_measurement(0.5), _measurement(None, "no clips")]
    finish(store, measurements, provenance={"clips": 3})
    (profile,) = store.profiles(study="s1")
    assert profile.measurements == tuple(measurements)
    assert profile.protocol == RUN.protocol
    assert profile.provenance == {"clips": 3}
    assert (profile.run, profile.synthetic, profile.folds_total) == ("r1", True, 5)
    assert store.finished("r1")
    assert store.profiles(study="other") == []


def test_outlines_lack_what_was_measured_and_how_alone(store: Store) -> None:
    for name, value in (("r1", 0.1), ("r2", 0.2), ("r3", None)):
        store.begin(dataclasses.replace(RUN, run=name))
        if value:
            finish(store, [_measurement(value), _measurement(None, name)], name)
    outlines = store.outlines()
    assert [one.run for one in outlines] == ["r1", "r2"]
    assert not any(one.measurements or one.protocol or one.provenance for one in outlines)
    assert store.profiles()[0] == dataclasses.replace(
        outlines[0],
        protocol=RUN.protocol,
        measurements=(_measurement(0.1), _measurement(None, "r1")),
        measured=store.profiles()[0].measured,
    )
    backwards = store.with_measurements(outlines[::-1])
    assert [[m.value for m in one.measurements] for one in backwards] == [[0.2, None], [0.1, None]]
    assert store.profiles() == backwards[::-1]
    assert store.with_measurements([]) == []


def test_a_fold_or_run_entered_twice_stands_once(store: Store) -> None:
    for _ in range(2):
        store.begin(RUN)
        store.add_step("r1", TRAINED)
        finish(store, [_measurement(0.5)])
    assert len(store.rows("r1", Prediction)) == 2
    assert len(store.profiles()) == 1
    assert len(store.profiles()[0].measurements) == 1


def test_a_fold_that_fails_half_way_leaves_nothing(store: Store) -> None:
    store.begin(RUN)
    (trial,) = (row for row in PRIVATE.rows if isinstance(row, Trial))
    broken = dataclasses.replace(trial, score="not a number")  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        store.add_step("r1", dataclasses.replace(PRIVATE, rows=(*PRIVATE.rows, broken)))
    assert store.rows("r1", Trial) == []
    assert store.steps_done("r1") == set()


def test_forgetting_a_run_takes_all_its_rows(store: Store) -> None:
    store.begin(RUN)
    store.add_step("r1", TRAINED)
    store.forget("r1")
    assert store.rows("r1", Prediction) == []
    assert not store.finished("r1")
    assert store.steps_done("r1") == set()


def test_unknown_is_kept_apart_from_zero(store: Store) -> None:
    store.begin(RUN)
    finish(store, [_measurement(0.0), _measurement(None, "why")])
    zero, unknown = store.profiles()[0].measurements
    assert zero.value == 0.0
    assert unknown.value is None
    for value, reason in ((None, None), (0.0, "why")):
        with pytest.raises(ValueError, match="either a value or the reason"):
            _measurement(value, reason)
    with pytest.raises(ValueError, match="finite"):
        _measurement(float("nan"))


def test_files_of_another_kind_are_refused_in_one_line(tmp_path: Path) -> None:
    other = tmp_path / "other.duckdb"
    with duckdb.connect(str(other)) as connection:
        connection.execute("CREATE TABLE mine (x INTEGER)")
    garbage = tmp_path / "garbage.duckdb"
    garbage.write_text("this is no database")
    newer = tmp_path / "newer.duckdb"
    Store(newer)
    with duckdb.connect(str(newer)) as connection:
        connection.execute("UPDATE trustser_schema SET version = ?", [SCHEMA_VERSION + 1])
    expected = {
        other: "something else",
        garbage: "cannot be opened",
        newer: f"schema {SCHEMA_VERSION + 1}",
        tmp_path / "no" / "folder.duckdb": "folder does not exist",
    }
    for path, reason in expected.items():
        with pytest.raises(StoreError) as caught:
            Store(path)
        assert reason in str(caught.value)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(StoreError, match="no such database"):
        Store(tmp_path / "missing.duckdb", read_only=True)


HOLDER = """
    import duckdb, sys, time
    connection = duckdb.connect(sys.argv[1])
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def _hold(path: Path, seconds: float) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDER), str(path), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_held_file_is_waited_for_and_the_wait_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    Store(path)
    with _hold(path, 1.0):
        told: list[str] = []
        Store(path, on_wait=told.append).begin(RUN)
        assert len(told) == 1
        assert "waiting" in told[0]


def test_after_the_patience_one_line_names_the_holder(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    Store(path)
    with _hold(path, 60.0) as holder:
        try:
            with pytest.raises(StoreError, match=f"process {holder.pid}"):
                Store(path, patience=0.3)
        finally:
            holder.kill()
