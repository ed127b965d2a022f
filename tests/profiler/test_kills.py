"""SIGKILL at random moments over all stages: the final rows are those of a run never killed.

`TRUSTSER_KILLS` sets how many (2 if not set), `TRUSTSER_KILLS_SEED` where they fall; with `-s` the
stages in which they fell are printed.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from profiles_db.maintenance import check
from profiles_db.profile import Profile
from profiles_db.store import Store
from tests.conftest import REPOSITORY
from tests.profiler.same_rows import Rows, assert_same_rows, rows_of
from tests.profiler.small_corpus import small_corpus

KILLS = int(os.environ.get("TRUSTSER_KILLS", "2"))
SEED = int(os.environ.get("TRUSTSER_KILLS_SEED", "0"))
STAGES = ("start", "reading", "features", "heads", "costs")
TIMED = {"latency_p50", "latency_p95", "real_time_factor", "memory"}


class Attempt:
    """One process at the run, and when it entered which stage."""

    def __init__(self, folder: Path, clips: Path, workers: int) -> None:
        self._folder = folder
        arguments = [str(folder), str(clips), str(workers)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.profiler.killed_run", *arguments],
            stdout=subprocess.PIPE,
            stderr=(folder / "errors.txt").open("wb"),
            text=True,
            cwd=REPOSITORY,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        self.entered = {"start": time.monotonic()}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.entered[line.strip()] = time.monotonic()

    def kill_in(self, stage: str, share: float, lasts: float) -> str | None:
        """Kill it when that share of `stage` has passed; the stage it was in, None if it ended."""
        while self.process.poll() is None:
            begun = self.entered.get(stage)
            if begun is not None and time.monotonic() - begun >= share * lasts:
                self.process.kill()
                self.process.wait()
                return list(self.entered)[-1]
            time.sleep(0.005)
        return None

    def end(self) -> None:
        """Wait until it has ended well."""
        code = self.process.wait(timeout=300)
        self._reader.join()
        assert code == 0, (self._folder / "errors.txt").read_text()

    def lasted(self) -> dict[str, float]:
        """Seconds of each stage, once it has ended."""
        moments = [*self.entered.values(), time.monotonic()]
        return {name: moments[i + 1] - moments[i] for i, name in enumerate(self.entered)}


def _content(folder: Path) -> tuple[Rows, list[Any]]:
    """Rows and measurements, but for those that the clock makes."""
    store = Store(folder / "a.duckdb")
    assert check(folder / "a.duckdb").problems == ()
    (profile,) = store.profiles()
    return rows_of(store, profile.run), _untimed(profile)


def _untimed(profile: Profile) -> list[Any]:
    return [m for m in profile.measurements if m.criterion not in TIMED]


def _attempt(folder: Path, clips: Path, draws: random.Random) -> Attempt:
    folder.mkdir(exist_ok=True)
    return Attempt(folder, clips, draws.choice((0, 2)))


def test_a_run_killed_again_and_again_ends_with_the_same_rows(tmp_path: Path) -> None:
    draws, clips = random.Random(SEED), small_corpus(tmp_path)  # noqa: S311 - no secret
    whole = _attempt(tmp_path / "never", clips, draws)
    whole.end()
    lasts, expected = whole.lasted(), _content(tmp_path / "never")
    fell: Counter[str] = Counter()
    runs = 0
    while fell.total() < KILLS:
        stage = STAGES[(fell.total() + SEED) % len(STAGES)]
        folder = tmp_path / f"run{runs}"
        killed_in = _attempt(folder, clips, draws).kill_in(stage, draws.random(), lasts[stage])
        if killed_in is not None:
            fell[killed_in] += 1
        if killed_in in (None, STAGES[-1]) or fell.total() == KILLS:
            # Nothing but its end is left to kill in: end it, and begin another.
            _attempt(folder, clips, draws).end()
            rows, figures = _content(folder)
            assert_same_rows(rows, expected[0])
            assert figures == expected[1]
            assert not list((folder / "cache" / "steps").rglob("*.state"))
            runs += 1
    sys.stdout.write(f"{dict(fell)} in {runs} runs, all with the rows of one never killed\n")
