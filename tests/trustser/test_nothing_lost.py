"""What the machine can do to a run: one line, exit code 2, and what was measured stays."""

from __future__ import annotations

import dataclasses
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from profiler.progress import Silent
from profiler.session import profile_all
from profiles_db.errors import CacheError, StoreError
from profiles_db.maintenance import check
from profiles_db.store import Store
from tests.conftest import REPOSITORY
from tests.profiler.killed_run import SHORT
from tests.profiler.small_corpus import CLIPS, small_corpus
from tests.profiles_db.test_store import _hold
from tests.reference.make_schema_fixture import ROBUST, RUN, STEPS, TRAINED, fill
from trustser.__main__ import run

pytestmark = pytest.mark.usefixtures("little_on_costs")

QUICK = ("--folds", "1", "--seeds", "1", "--epochs", "1", "--set", "probe_epochs=1",
         "--set", "pgd_steps=0", "--set", "snr_curve_db=[]", "--set", "resamples=100",
         "--workers", "0")  # fmt: skip


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of a small corpus."""
    return small_corpus(tmp_path_factory.mktemp("clips"))


def _command(folder: Path, clips: Path, *more: str) -> list[str]:
    return [
        "profile", "--backbone", "fbank", "--dataset", "manifest", *QUICK,
        "--data-root", str(clips),
        "--db", str(folder / "a.duckdb"), "--cache", str(folder / "cache"), *more,
    ]  # fmt: skip


def _database(path: Path) -> Path:
    store = Store(path)
    fill(store)
    return path


def _one_line(text: str) -> str:
    assert "Traceback" not in text
    last = text.strip().splitlines()[-1]
    assert last.startswith("trustser: ")
    return last


class Disk:
    """A folder on a disk that is nearly full: a small tmpfs, or a limit on the size of files."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._limit = folder, resource.getrlimit(resource.RLIMIT_FSIZE)
        folder.mkdir()
        self.mounted = self._mount("size=20m")

    def _mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        return (
            shutil.which("mount") is not None
            and not subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode
        )

    @contextmanager
    def full(self, *, room: int, largest: int) -> Iterator[None]:
        """With `room` bytes left, or else with no room for a file over `largest` bytes."""
        if self.mounted:
            state = os.statvfs(self.folder)
            (self.folder / "filling").write_bytes(bytes(state.f_bavail * state.f_bsize - room))
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, self._limit[1]))
        yield
        self.grow()

    def grow(self) -> None:
        """Make room."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limit)
        if self.mounted:
            assert self._mount("remount,size=100m")

    def close(self) -> None:
        """Back to how it was."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limit)
        if self.mounted:
            subprocess.run(["umount", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    yield made
    made.close()


def test_a_full_disk_under_the_cache_keeps_what_is_done(
    disk: Disk, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*_command(disk.folder, clips), "--db", str(tmp_path / "b.duckdb")]
    with disk.full(room=2**20, largest=20_000):
        assert run(command) == 2
    line = _one_line(capsys.readouterr().err)
    assert "cannot be written" in line
    assert "make room" in line.lower()
    assert not list(disk.folder.rglob("*.part"))
    kept = {file: file.stat().st_mtime_ns for file in disk.folder.rglob("*.npy")}
    assert run(command) == 0
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    assert check(tmp_path / "b.duckdb").sound


def test_a_full_disk_under_the_database_keeps_what_is_done(disk: Disk) -> None:
    database = _database(disk.folder / "a.duckdb")
    store, other = Store(database), dataclasses.replace(RUN, run="r2")
    store.begin(other)
    first, *rest = TRAINED.rows
    clips = [dataclasses.replace(first, utterance=f"v{i}") for i in range(40_000)]
    fold = dataclasses.replace(TRAINED, rows=(*clips, *rest))
    with disk.full(room=8192, largest=20_000):
        for _ in range(2):
            with pytest.raises(StoreError) as caught:
                store.add_step("r2", fold)
            assert "\n" not in str(caught.value)
            assert str(database) in str(caught.value)
    assert [profile.run for profile in store.profiles()] == ["r1"]
    assert store.steps_done("r2") == set()
    assert store.steps_done("r1") == {(step.step, 0, 1) for step in (*STEPS, ROBUST)}
    store.add_step("r2", fold)
    assert check(database).sound


def _as_anyone(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """The command line without the right to write where files say no, which root has."""
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    command = [*(drop if os.geteuid() == 0 else ()), sys.executable, "-m", "trustser"]
    return subprocess.run(
        [*command, *arguments], check=False, capture_output=True, text=True, cwd=REPOSITORY
    )


@pytest.mark.parametrize("kind", ["database", "cache", "output"])
def test_what_may_not_be_written_is_one_line(kind: str, clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    database = _database(folder / "a.duckdb")
    before = database.read_bytes()
    database.chmod(0o444)
    folder.chmod(0o555)
    free = ["--cache", str(tmp_path / "cache"), "--db", str(tmp_path / "b.duckdb")]
    report = ["report", "--db", str(database), "-o", str(folder / "x.html")]
    arguments = {
        "database": [*_command(folder, clips), *free[:2]],
        "cache": [*_command(folder, clips), *free[2:]],
        "output": report,
    }[kind]
    done = _as_anyone(arguments)
    folder.chmod(0o755)
    assert done.returncode == 2, done.stderr
    assert str(folder) in _one_line(done.stderr)
    assert database.read_bytes() == before
    assert [file.name for file in folder.iterdir()] == ["a.duckdb"]


def test_a_database_that_may_only_be_read_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    database = _database(folder / "a.duckdb")
    database.chmod(0o444)
    folder.chmod(0o555)
    shown = _as_anyone(["profiles", "list", "--db", str(database)])
    folder.chmod(0o755)
    assert shown.returncode == 0, shown.stderr
    assert "fbank" in shown.stdout


class Vandal(Silent):
    """Removes the features when the heads begin."""

    def __init__(self, features: Path) -> None:
        self._features = features

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Silent]:  # noqa: ARG002
        if "heads" in title:
            shutil.rmtree(self._features)
        yield self


def test_features_that_vanish_are_missed_never_left_out(clips: Path, tmp_path: Path) -> None:
    def profile(progress: Silent) -> int:
        (found,) = profile_all(
            ["fbank"], "manifest", clips, SHORT, Store(tmp_path / "a.duckdb"), weights="pretrained",
            weights_seed=0, cache=tmp_path / "cache", device="cpu", workers=0, progress=progress,
        )  # fmt: skip
        clips_used: int = found.provenance["clips"]
        return clips_used

    with pytest.raises(CacheError, match="can no longer be read"):
        profile(Vandal(tmp_path / "cache" / "features"))
    assert profile(Silent()) == CLIPS


SCENARIO = """
version: 1
title: Mine
priorities: {system_performance: high}
evidence: measured
"""


@pytest.mark.parametrize("command", ["profiles list --db DB", "report --db DB -o OUT"])
def test_reading_waits_for_a_run_that_writes_and_says_so(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = _database(tmp_path / "a.duckdb")
    line = command.replace("DB", str(database)).replace("OUT", str(tmp_path / "x.html"))
    assert run(line.split()) == 0  # what takes a while to import is imported
    with _hold(database, 1.0) as holder:
        assert run(line.split()) == 0
    assert f"held by process {holder.pid}: waiting" in capsys.readouterr().err


def test_advice_waits_for_a_run_that_writes_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = _database(tmp_path / "a.duckdb")
    scenario = tmp_path / "mine.yaml"
    scenario.write_text(SCENARIO)
    run(["advise", str(scenario), "--db", str(database), "--json"])
    with _hold(database, 1.0) as holder:
        code = run(["advise", str(scenario), "--db", str(database), "--json"])
    assert code in (0, 2, 3)  # the few clips of this database may not carry a choice
    error = capsys.readouterr().err
    assert f"held by process {holder.pid}: waiting" in error
    assert "Traceback" not in error


def test_runs_at_once_on_one_database_take_turns(clips: Path, tmp_path: Path) -> None:
    """Two of them are the same run, which is made once."""
    commands = [
        _command(tmp_path, clips, "--epochs", "2"),
        *[_command(tmp_path, clips)] * 2,
    ]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "trustser", *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        for command in commands
    ]
    errors = [process.communicate(timeout=300)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], errors
    assert sum("already profiled" in error for error in errors) == 1
    assert len(Store(tmp_path / "a.duckdb").profiles()) == 2
    assert check(tmp_path / "a.duckdb").sound
