"""A short run that says which stage it is in, for `test_kills` to kill.

python -m tests.profiler.killed_run FOLDER MANIFEST WORKERS
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from profiler.measures.costs import device
from profiler.measures.costs.memory import PeakMemory
from profiler.measures.registry import chosen
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.session import profile_all
from profiles_db.store import Store

SHORT = Protocol.of(
    epochs=2,
    probe_epochs=1,
    head_epochs=2,
    folds=2,
    seeds=1,
    enrolment_clips=1,
    resamples=100,
    pgd_steps=1,
    pgd_clips=2,
    snr_curve_db=(),
)


class Telling(Silent):
    """Prints the stage it enters, one word a line."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Silent]:  # noqa: ARG002
        words = title.removeprefix("fbank: ").split()
        sys.stdout.write(words[0] + "\n")
        sys.stdout.flush()
        yield self


def make(folder: Path, manifest: Path, workers: int) -> None:
    """The run, from where it was."""
    store = Store(folder / "a.duckdb")
    profile_all(
        ["fbank"], "manifest", manifest, SHORT, store, weights="pretrained", weights_seed=0,
        cache=folder / "cache", device="cpu", workers=workers, progress=Telling(),
        wanted=(*chosen("default"), "dimensional"),
    )  # fmt: skip


if __name__ == "__main__":
    # It is measured in a process of its own, which takes seconds and has its tests.
    with mock.patch.object(device, "peak_memory", return_value=PeakMemory(1)):
        make(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
