"""Workers: the same rows as one process, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import torch

from profiler.backbones.base import Backbone
from profiler.machine import available_cores
from profiler.pipeline.context import BackboneSpec, Context, Plan
from profiler.pipeline.engines.choose import Choice, best_workers
from profiler.pipeline.engines.local import LocalEngine
from profiler.pipeline.results import read_step, write_step
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.session import profile_all
from profiles_db.errors import InputError
from profiles_db.profile import Profile
from profiles_db.store import Store
from tests.profiler.same_rows import Rows, assert_same_rows, rows_of

pytestmark = pytest.mark.usefixtures("little_on_costs")

QUICK = Protocol.of(
    epochs=2,
    probe_epochs=2,
    folds=2,
    seeds=1,
    enrolment_clips=1,
    resamples=100,
    pgd_steps=2,
    pgd_clips=4,
    snr_curve_db=(),
)


def _profile(
    manifest: Path, folder: Path, workers: int, progress: Silent | None = None
) -> tuple[Profile, Rows]:
    """A small corpus through FBANK; the profile and all its rows."""
    store = Store(folder / "a.duckdb")
    (profile,) = profile_all(
        ["fbank"], "manifest", manifest, QUICK, store, weights="pretrained", weights_seed=0,
        cache=folder / "cache", device="cpu", workers=workers, progress=progress or Silent(),
    )  # fmt: skip
    return profile, rows_of(store, profile.run)


@pytest.fixture(scope="module")
def expected(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Profile, Rows]:
    """The rows of one thread in one process, as every worker has one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _profile(manifest, tmp_path_factory.mktemp("serial"), workers=0)
    finally:
        torch.set_num_threads(before)


def test_workers_give_the_rows_that_one_process_gives(
    expected: tuple[Profile, Rows], manifest: Path, tmp_path: Path
) -> None:
    profile, rows = _profile(manifest, tmp_path, workers=2)
    assert profile.run == expected[0].run
    assert_same_rows(rows, expected[1])


class Holding(Silent):
    """Notes at each stage whether this process holds one of the backbones `loaded`."""

    def __init__(self, loaded: list[weakref.ref[Backbone]]) -> None:
        self.held: dict[str, bool] = {}
        self._loaded = loaded

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Silent]:  # noqa: ARG002
        held = any(reference() is not None for reference in self._loaded)
        self.held[title.removeprefix("fbank: ").split()[0]] = held
        yield self


def test_a_driver_holds_no_weights_while_its_workers_do(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[weakref.ref[Backbone]] = []
    load = BackboneSpec.load

    def noted(self: BackboneSpec) -> Backbone:
        backbone = load(self)
        loaded.append(weakref.ref(backbone))
        return backbone

    monkeypatch.setattr(BackboneSpec, "load", noted)
    holding = Holding(loaded)
    _profile(manifest, tmp_path, workers=2, progress=holding)
    assert {name: holding.held[name] for name in ("features", "heads", "sustainability")} == {
        "features": False,
        "heads": False,
        "sustainability": False,  # loaded again when costs begin
    }
    assert len(loaded) == 2


class Killer(Silent):
    """Kills one worker process when the heads begin."""

    def __init__(self) -> None:
        self.killed: list[int] = []

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Silent]:  # noqa: ARG002
        if "heads" in title:
            workers = [
                child
                for child in psutil.Process().children(recursive=True)
                if child.num_threads() > 1 and not child.children()
            ]
            workers[0].kill()
            self.killed.append(workers[0].pid)
        yield self


def test_a_killed_worker_is_replaced_and_nothing_is_lost(
    expected: tuple[Profile, Rows], manifest: Path, tmp_path: Path
) -> None:
    killer = Killer()
    profile, rows = _profile(manifest, tmp_path, workers=2, progress=killer)
    assert len(killer.killed) == 1
    assert profile.run == expected[0].run
    assert_same_rows(rows, expected[1])


@dataclass(frozen=True)
class Touch:
    """Leaves an empty file."""

    path: Path

    def file(self, plan: Plan) -> Path:  # noqa: ARG002
        return self.path

    def run(self, context: Context) -> None:  # noqa: ARG002
        self.path.touch()


def test_a_job_may_be_submitted_after_a_worker_died(tmp_path: Path) -> None:
    """The pool refuses jobs from the moment it notices, which may be before the next wait."""
    spec = BackboneSpec("fbank", "pretrained", 0, "cpu")
    plan = Plan("r", (), spec, Protocol.of(), ("a",), {}, {}, (), tmp_path)
    with LocalEngine(plan, 1) as engine:
        engine.submit(Touch(tmp_path / "first"))  # type: ignore[arg-type]
        engine.wait()
        for child in psutil.Process().children(recursive=True):
            if child.num_threads() > 1 and not child.children():
                child.kill()
        deadline = time.monotonic() + 60
        while not engine._pool._broken:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        engine.submit(Touch(tmp_path / "second"))  # type: ignore[arg-type]
        engine.wait()
    assert (tmp_path / "second").exists()


SCRIPT = """
import sys
from pathlib import Path
from tests.profiler.test_engines import _profile
_profile(Path(sys.argv[1]), Path(sys.argv[2]), workers=2)
"""


def _start(manifest: Path, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SCRIPT, str(manifest), str(folder)]
    return subprocess.Popen(command, env=dict(os.environ))


def test_a_killed_run_goes_on_to_the_same_rows(
    expected: tuple[Profile, Rows], manifest: Path, tmp_path: Path
) -> None:
    """SIGKILL among the features and among the trained heads; then one run is left alone."""
    for deeper in ("features/**/*.npy", "steps/**/training-*.json"):
        driver = _start(manifest, tmp_path)
        while not list((tmp_path / "cache").glob(deeper)):
            assert driver.poll() is None
            time.sleep(0.01)
        children = psutil.Process(driver.pid).children(recursive=True)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        _, alive = psutil.wait_procs(children, timeout=20)
        assert not alive, "workers outlive their driver"
        assert Store(tmp_path / "a.duckdb").finished(expected[0].run) is False
    profile, rows = _profile(manifest, tmp_path, workers=2)
    assert profile.run == expected[0].run
    assert_same_rows(rows, expected[1])
    assert not [
        part for part in (tmp_path / "cache" / "features").rglob("*.npy") if not part.stat().st_size
    ]


# A shell's background job hands down an ignored SIGINT; a terminal does not.
STOPPED = {signal.SIGINT: (130, "interrupted."), signal.SIGTERM: (143, "terminated.")}
AS_FROM_A_TERMINAL = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from trustser.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("asked", "engine"),
    [(signal.SIGINT, "local"), (signal.SIGTERM, "local"), (signal.SIGTERM, "ray")],
)
def test_a_stop_is_obeyed_at_once_says_how_to_go_on_and_leaves_no_process(
    asked: signal.Signals, engine: str, manifest: Path, tmp_path: Path
) -> None:
    """Ctrl-C, and what schedulers send."""
    database, cache = tmp_path / "a.duckdb", tmp_path / "cache"
    command = [sys.executable, "-c", AS_FROM_A_TERMINAL, "profile", "--backbone", "fbank"]
    command += ["--dataset", "manifest", "--data-root", str(manifest)]
    command += ["--db", str(database), "--cache", str(cache), "--workers", "2"]
    command += ["--engine", engine]
    driver = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list(cache.rglob("*.npy")):
        assert driver.poll() is None
        time.sleep(0.1)
    children = psutil.Process(driver.pid).children(recursive=True)
    driver.send_signal(asked)
    _, said = driver.communicate(timeout=60)
    code, last = STOPPED[asked]
    assert driver.returncode == code
    assert f"trustser: {last}" in said.splitlines()
    assert "the same command goes on there" in said
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive


def test_a_damaged_step_is_done_again(tmp_path: Path) -> None:
    file = tmp_path / "steps" / "heads-0-1.json"
    write_step(file, {"a": [1, 2.5, "ü"]})
    assert read_step(file) == {"a": [1, 2.5, "ü"]}
    whole = file.read_bytes()
    for damage in (whole[:-1], whole.replace(b"2.5", b"2.4"), b"", b"\xff\xfe"):
        file.write_bytes(damage)
        assert read_step(file) is None
    assert read_step(tmp_path / "missing.json") is None


def test_the_number_of_workers_is_measured_or_checked() -> None:
    from profiler.backbones.load import load  # noqa: PLC0415 - loads torch's models

    assert best_workers(load("fbank"), torch.device("cpu")) in (0, available_cores())
    assert best_workers(load("fbank"), torch.device("cuda")) == 0
    with pytest.raises(InputError, match="--workers"):
        Choice(-1)
