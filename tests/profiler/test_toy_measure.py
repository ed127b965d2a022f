"""A measure of another package, in one file, goes wherever the program's own go.

`loudness.py` is put on the path with entry points, as if it were installed; every command is a
process of its own, and so are its workers.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import soundfile

from tests.conftest import REPOSITORY

TOY = Path(__file__).with_name("loudness.py")
ENTRY_POINTS = """
[trustser.measures]
loudness = loudness:Loudness
[trustser.criteria]
loudness = loudness:CRITERIA
"""
WINDOW_MS = 50
PROTOCOL = (
    "--folds", "2", "--repetitions", "1", "--epochs", "2",
    "--set", f"loudness.window_ms={WINDOW_MS}",
)  # fmt: skip
CLIPS_TESTED = 32
RESULTS = "loudness-*-clips-*.json"
HOLDING = """

_listen = Loudness.listen


def _hold(self, context, *rest):
    import time

    while len(list(context.plan.steps.glob("loudness-*-clips-*.json"))) >= 2:
        time.sleep(0.01)
    return _listen(self, context, *rest)


Loudness.listen = _hold
"""
"""Lets two jobs end and holds the others, so that a kill falls between them."""

SCENARIO = """
version: 1
title: Heard from across the room
evidence: {source: measured}
priorities: {loudness_stability: high}
requirements:
  - criterion: loudness_stability
    at_least: 10 %
"""


def install(site: Path, *, more: str = "", points: str = ENTRY_POINTS) -> Path:
    """The toy on a path of its own, as if a package had brought it."""
    information = site / "loudness-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: loudness\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(points)
    (site / "loudness.py").write_text(TOY.read_text() + more)
    return site


def environment(site: Path | None) -> dict[str, str]:
    paths = [str(REPOSITORY)] if site is None else [str(site), str(REPOSITORY)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def trustser(site: Path | None, *arguments: str | Path, code: int = 0) -> str:
    """What the command prints; with its errors where it is meant to fail."""
    done = subprocess.run(
        [sys.executable, "-m", "trustser", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment(site),
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stdout + done.stderr


@dataclass(frozen=True)
class Place:
    """A run's database and cache."""

    folder: Path

    @property
    def db(self) -> Path:
        return self.folder / "a.duckdb"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def profile(self, manifest: Path, measures: str, workers: int) -> list[str | Path]:
        return [
            "profile", "--backbone", "fbank", "--dataset", "manifest", "--data-root", manifest,
            "--measures", measures, *PROTOCOL, "--workers", str(workers), "--device", "cpu",
            "--db", self.db, "--cache", self.cache,
        ]  # fmt: skip

    def results(self) -> dict[Path, int]:
        """Results of the toy's jobs, and when each was written."""
        return {file: file.stat().st_mtime_ns for file in self.cache.rglob(RESULTS)}

    def rows(self) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.db), read_only=True) as connection:
            return connection.execute("FROM loudness ORDER BY repetition, fold, rowid").fetchall()

    def figures(self) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.db), read_only=True) as connection:
            return connection.execute(
                "SELECT * FROM measurements WHERE measure = 'loudness' ORDER BY rowid"
            ).fetchall()

    def run(self) -> str:
        with duckdb.connect(str(self.db), read_only=True) as connection:
            ((run,),) = connection.execute("SELECT run FROM runs").fetchall()
            return str(run)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy, installed."""
    return install(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def undisturbed(site: Path, manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A run with the toy that nothing disturbed."""
    place = Place(tmp_path_factory.mktemp("undisturbed"))
    trustser(site, *place.profile(manifest, "performance,loudness", workers=0))
    return place


def test_its_rows_and_figures_follow_from_the_clips(undisturbed: Place, manifest: Path) -> None:
    rows = undisturbed.rows()
    assert len(rows) == CLIPS_TESTED
    paths = {Path(row["path"]).stem: row["path"] for row in csv.DictReader(manifest.open())}
    for _run, _repetition, _fold, utterance, window, level, _predicted, _quieter in rows:
        assert window == WINDOW_MS * 16
        wave, _ = soundfile.read(manifest.parent / paths[Path(utterance).stem])
        stretches = np.lib.stride_tricks.sliding_window_view(wave[: 6 * 16_000], window)
        loudest = np.sqrt((stretches**2).mean(axis=1).max())
        assert level == pytest.approx(20 * np.log10(loudest), abs=1e-4)
    same = sum(predicted == quieter for *_, predicted, quieter in rows) / len(rows)
    assert 0 < same < 1, "a measure that says nothing"
    (stability, level) = undisturbed.figures()
    assert same in stability
    assert pytest.approx(float(np.mean([row[5] for row in rows]))) in level


def test_a_killed_run_goes_on_to_the_same_rows(
    undisturbed: Place, site: Path, manifest: Path, tmp_path: Path
) -> None:
    place = Place(tmp_path)
    command = place.profile(manifest, "performance,loudness", workers=2)
    process = subprocess.Popen(
        [sys.executable, "-m", "trustser", *map(str, command)],
        env=environment(install(tmp_path / "holding", more=HOLDING)),
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while len(place.results()) < 2:
        assert process.poll() is None, "it ended before its jobs ran"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    before = place.results()
    with duckdb.connect(str(place.db), read_only=True) as connection:
        assert connection.execute("SELECT finished FROM runs").fetchall() == [(None,)]
    trustser(site, *command)
    after = place.results()
    assert len(before) < len(after)
    assert {file: after[file] for file in before} == before, "jobs that were done ran again"
    assert place.rows() == undisturbed.rows()
    assert place.figures() == undisturbed.figures()


def test_a_run_without_it_is_measured_further_to_the_same_rows(
    undisturbed: Place, site: Path, manifest: Path, tmp_path: Path
) -> None:
    place = Place(tmp_path)
    trustser(site, *place.profile(manifest, "performance", workers=0))
    with duckdb.connect(str(place.db), read_only=True) as connection:
        assert ("loudness",) not in connection.execute("SHOW TABLES").fetchall()
    assert place.run() == undisturbed.run()
    without = trustser(
        None, "measure", place.run(), "--measures", "performance", "--db", place.db,
        "--cache", place.cache, "--workers", "0", "--device", "cpu", code=2,
    )  # fmt: skip
    assert "would be another run here" in without
    assert "install what adds the measure loudness" in without
    trustser(
        site, "measure", place.run()[:6], "--measures", "loudness", "--db", place.db,
        "--cache", place.cache, "--workers", "0", "--device", "cpu",
    )  # fmt: skip
    assert place.rows() == undisturbed.rows()
    assert place.figures() == undisturbed.figures()


def test_its_figures_are_recomputed_from_rows(
    undisturbed: Place, site: Path, tmp_path: Path
) -> None:
    place = Place(tmp_path)
    shutil.copy(undisturbed.db, place.db)
    recompute: list[str | Path] = [
        "measure",
        "fbank",
        "--recompute",
        "--measures",
        "loudness",
        "--db",
        place.db,
    ]
    trustser(site, *recompute)
    assert place.figures() == undisturbed.figures()
    bound = float(np.median([row[5] for row in undisturbed.rows()]))
    loud = [row for row in undisturbed.rows() if row[5] >= bound]
    trustser(site, *recompute, "--set", f"loudness.quietest_db={bound!r}")
    stability, _ = place.figures()
    assert sum(row[6] == row[7] for row in loud) / len(loud) in stability
    assert len(loud) in stability
    refused = trustser(site, *recompute, "--set", "loudness.window_ms=7", code=2)
    assert "other rows would be needed" in refused


def test_it_is_shown_and_exported(undisturbed: Place, site: Path, tmp_path: Path) -> None:
    shown = trustser(site, "profiles", "show", "fbank", "--db", undisturbed.db)
    assert re.search(r"Safety +│ loudness_stability +│ +[0-9.]+ %", shown)
    table, parquet = tmp_path / "a.csv", tmp_path / "a.parquet"
    for file in (table, parquet):
        trustser(site, "profiles", "export", file, "--db", undisturbed.db)
    wanted = ("loudness", "loudness_stability", CLIPS_TESTED)
    found = [
        (row["measure"], row["criterion"], int(row["n"]))
        for row in csv.DictReader(table.open())
        if row["measure"] == "loudness"
    ]
    assert wanted in found
    with duckdb.connect() as connection:
        exported = connection.execute(
            "SELECT measure, criterion, n FROM read_parquet(?) WHERE measure = 'loudness'",
            [str(parquet)],
        ).fetchall()
    assert exported == found


def test_a_scenario_bounds_it_and_reports_show_it(
    undisturbed: Place, site: Path, tmp_path: Path
) -> None:
    scenario, report = tmp_path / "room.yaml", tmp_path / "room.html"
    scenario.write_text(SCENARIO)
    arguments: list[str | Path] = ["advise", scenario, "--db", undisturbed.db]
    decision = json.loads(trustser(site, *arguments, "--json", "-o", report))
    assert decision["choice"] == "fbank"
    (candidate,) = decision["candidates"]
    assert [outcome["status"] for outcome in candidate["outcomes"]] == ["pass"]
    assert "Same answer at less loudness" in report.read_text()
    assert "The page shows what its data says." in trustser(site, "verify", report)
    scenario.write_text(SCENARIO.replace("10 %", "100 %"))
    assert "loudness_stability" in trustser(site, *arguments, "--json", code=3)
    profile = tmp_path / "profile.html"
    trustser(site, "report", "fbank", "--db", undisturbed.db, "-o", profile)
    assert "Share of the test clips that are answered the same" in profile.read_text()
    unknown = trustser(None, *arguments, code=2)
    assert "loudness_stability" in unknown


def test_the_database_is_sound_with_it_and_without(
    undisturbed: Place, site: Path, tmp_path: Path
) -> None:
    for installed in (site, None):
        found = json.loads(trustser(installed, "db", "check", "--db", undisturbed.db, "--json"))
        assert found["problems"] == []
        assert found["rows"]["loudness"] == CLIPS_TESTED
    damaged = Place(tmp_path)
    shutil.copy(undisturbed.db, damaged.db)
    with duckdb.connect(str(damaged.db)) as connection:
        connection.execute("INSERT INTO loudness FROM loudness LIMIT 1")
    wrong = trustser(site, "db", "check", "--db", damaged.db, code=1)
    assert "loudness: a row that stands twice" in wrong


def declaring(name: str, aspect: str, direction: str) -> str:
    """A criterion in place of the toy's."""
    scale = "Scale(0, 1, '')"
    arguments = f"{name!r}, {aspect!r}, 'x', 'fraction', {direction!r}, {scale}, ''"
    return f"CRITERIA = (Criterion({arguments}),)\n"


@pytest.mark.parametrize(
    ("more", "points", "expected"),
    [
        ("", "x = nowhere:CRITERIA", "cannot be imported"),
        ("", "x = loudness:Loudness", "is no sequence"),
        ("", "x = loudness:Loudness.rows", "is no criterion"),
        ("", "a = loudness:CRITERIA\nb = loudness:CRITERIA", "a second criterion is called"),
        (declaring("uar", "safety", "maximise"), "x = loudness:CRITERIA", "a second criterion"),
        (declaring("Loud!", "safety", "maximise"), "x = loudness:CRITERIA", "called 'Loud!'"),
        (declaring("loud", "safety", "minimise"), "x = loudness:CRITERIA", "does not lead to"),
        (declaring("loud", "beauty", "maximise"), "x = loudness:CRITERIA", "no known aspect"),
    ],
)
def test_criteria_that_are_wrong_name_their_package(
    more: str, points: str, expected: str, tmp_path: Path
) -> None:
    site = install(tmp_path, more=more, points=f"[trustser.criteria]\n{points}\n")
    said = trustser(site, "schema", code=2)
    assert expected in said
    assert "Mend or uninstall the package that declares" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("more", "points", "expected"),
    [
        ("", "x = nowhere:Loudness", "cannot be imported"),
        ("", "x = loudness:CRITERIA", "is no measure"),
        ("", "a = loudness:Loudness\nb = loudness:Loudness", "a second measure"),
        ("Loudness.name = 'study'\n", "x = loudness:Loudness", "called study"),
        ("class Mute(OnWaveforms):\n    name = 'mute'\n", "x = loudness:Mute", "lacks figures"),
    ],
)
def test_measures_that_are_wrong_name_their_package(
    more: str, points: str, expected: str, tmp_path: Path
) -> None:
    site = install(tmp_path, more=more, points=f"[trustser.measures]\n{points}\n")
    said = trustser(site, "profile", "--backbone", "fbank", "--db", tmp_path / "a.duckdb", code=2)
    assert expected in said
    assert "Mend or uninstall the package that declares" in said


def test_its_criterion_is_no_other_measures(site: Path) -> None:
    code = (
        "from profiler.measures.safety import Safety; from profiles_db.criteria import CRITERIA;"
        "print('loudness_stability' in CRITERIA, 'loudness_stability' in Safety().criteria)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment(site),
        check=True,
    )
    assert done.stdout.split() == ["True", "False"]
