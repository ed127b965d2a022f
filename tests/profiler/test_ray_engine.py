"""A Ray cluster of two nodes: the rows of one process, also when a worker dies at its job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from profiler.pipeline.engines.choose import Choice
from profiler.progress import Silent
from profiler.session import profile_all
from profiles_db.errors import EngineError, InputError, MissingExtraError
from profiles_db.maintenance import check
from profiles_db.profile import Profile
from profiles_db.store import Store
from tests.conftest import REPOSITORY
from tests.profiler.same_rows import Rows, assert_same_rows, rows_of
from tests.profiler.test_engines import QUICK, expected

cluster_utils = pytest.importorskip("ray.cluster_utils", reason="ray is not installed")

__all__ = ["expected"]  # a fixture
pytestmark = pytest.mark.usefixtures("little_on_costs")
TITLE = "ray::trustser job"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Two nodes of one worker each, each with a loopback address of its own."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    node = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args=node | {"node_ip_address": "127.0.0.2"}
    )
    cluster.add_node(**node, node_ip_address="127.0.0.3")
    yield cluster.address
    cluster.shutdown()


class Killer(Silent):
    """Kills a worker process that has a job in hand, in the stage of the heads."""

    def __init__(self) -> None:
        self.killed: list[str] = []
        self.nodes: set[int] = set()

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Silent]:  # noqa: ARG002
        hunt = threading.Thread(target=self._hunt) if "heads" in title else None
        if hunt:
            hunt.start()
        yield self
        if hunt:
            hunt.join()

    def _hunt(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            busy = [p for p in _processes() if _title(p).startswith(TITLE)]
            self.nodes |= {process.ppid() for process in busy}
            if busy and not self.killed:
                self.killed.append(_title(busy[0]))
                busy[0].kill()
            if len(self.nodes) > 1:
                return
            time.sleep(0.02)


def _processes() -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process().children(recursive=True)
    return found


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _profile(
    manifest: Path, folder: Path, address: str | None, progress: Silent
) -> tuple[Profile, Rows]:
    store = Store(folder / "a.duckdb")
    (profile,) = profile_all(
        ["fbank"], "manifest", manifest, QUICK, store, weights="pretrained", weights_seed=0,
        cache=folder / "cache", device="cpu", workers=None, progress=progress, engine="ray",
        ray_address=address,
    )  # fmt: skip
    return profile, rows_of(store, profile.run)


def test_two_nodes_and_a_killed_worker_give_the_rows_of_one_process(
    address: str, expected: tuple[Profile, Rows], manifest: Path, tmp_path: Path
) -> None:
    killer = Killer()
    profile, rows = _profile(manifest, tmp_path, address, killer)
    assert killer.killed
    assert len(killer.nodes) == 2
    assert profile.run == expected[0].run
    assert_same_rows(rows, expected[1])
    assert profile.provenance["engine"] == "ray"
    assert check(tmp_path / "a.duckdb").sound


STARTED_HERE = """
import json
import sys
from pathlib import Path
import psutil
from profiler.pipeline.engines.choose import Choice
from profiler.measures.base import ClipTask
from profiler.pipeline.context import Context
from profiler.pipeline.jobs import ClipsJob
from profiler.pipeline.context import BackboneSpec, Plan
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiles_db.errors import CacheError
spec = BackboneSpec("fbank", "pretrained", 0, "cpu")
plan = Plan("r", ("safety",), spec, Protocol.of(), ("a",), {}, {}, (), Path(sys.argv[1]))
with Choice(1, "ray").engine(Context(plan), Silent()) as engine:
    started = psutil.Process().children(recursive=True)
    listening = [
        connection.laddr.ip
        for process in started
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    engine.submit(ClipsJob("safety", 1, (ClipTask("u", 0),)))
    try:
        engine.wait()
    except Exception as error:
        raised = [type(error) is CacheError, str(error)]
_, left = psutil.wait_procs(psutil.Process().children(recursive=True), timeout=20)
print(json.dumps({"listening": listening, "raised": raised, "left": [str(p) for p in left]}))
"""


def test_a_cluster_started_here_listens_on_loopback_alone_and_brings_back_what_a_job_raises(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", STARTED_HERE, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY)
    found = json.loads(done.stdout.splitlines()[-1])
    listening = {ip.removeprefix("::ffff:") for ip in found["listening"]}
    assert listening
    assert listening <= {"127.0.0.1", "::1"}
    is_cache_error, message = found["raised"]
    assert is_cache_error
    assert "a trained head can no longer be read" in message
    assert "\n" not in message
    assert found["left"] == []


def test_a_cluster_that_cannot_be_had_is_one_line(manifest: Path, tmp_path: Path) -> None:
    for bad in ("nowhere", "ray://host:1", "host", "host:port"):
        with pytest.raises(InputError, match="is no address"):
            Choice(None, "ray", bad)
    with pytest.raises(InputError, match="--engine ray"):
        Choice(None, "local", "auto")
    with pytest.raises(InputError, match="1 to 1024"):
        Choice(0, "ray")
    assert Choice(2, "ray").name == "ray, 2 workers"
    with pytest.raises(InputError, match="no Ray cluster can be joined"):
        _profile(manifest, tmp_path, "127.0.0.1:9", Silent())


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"trustser\[ray\]"):
        Choice(None, "ray")


def test_a_node_of_other_versions_is_refused() -> None:
    from profiler.machine import versions  # noqa: PLC0415
    from profiler.pipeline.engines.ray import _require_same  # noqa: PLC0415 - an extra

    _require_same(versions())
    with pytest.raises(EngineError, match=r"numpy .* \(driver: 0\.1\)"):
        _require_same(versions() | {"numpy": "0.1"})
