"""The feature cache as its owner sees it: sizes, pruning by last use, damage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from profiler.backbones.load import load
from profiler.features.cache import FeatureCache
from profiler.features.entry import read_entry, undamaged, write_entry
from profiler.features.upkeep import ABOUT, prune, sections, step_results, verify
from profiles_db.errors import CacheError, InputError, OutputError
from profiles_db.holding import held, holding
from tests.conftest import REPOSITORY
from trustser.__main__ import run

ENTRIES = 5


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Two sections of five entries; the one of 6 s was used a day before the other."""
    home = tmp_path / "cache"
    for age, seconds in ((86_400, 6.0), (0, 4.0)):
        kept = FeatureCache(
            home / "features", lambda: load("fbank"), seconds=seconds, min_seconds=0.1
        )
        with kept.in_use(print):
            for index in range(ENTRIES):
                path = kept.folder / f"{index:02x}" / f"{index:02x}ff.npy"
                write_entry(path, np.full((1, 9, 240), index, dtype=np.float16))
                os.utime(path, (1e9 + index, 1e9 + index))
        moment = (kept.folder / ABOUT).stat().st_mtime - age
        os.utime(kept.folder / ABOUT, (moment, moment))
    return home


def _size(home: Path) -> int:
    return sum(file.stat().st_size for file in home.rglob("*.npy"))


def test_sections_are_named_and_sized(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = sections(cache)
    assert {section.seconds for section in found} == {6.0, 4.0}
    assert [(s.backbone, s.weights, s.entries) for s in found] == [("fbank", "none", ENTRIES)] * 2
    assert sum(section.size for section in found) == _size(cache)
    assert not any(section.in_use for section in found)
    assert run(["cache", "list", "--cache", str(cache), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert sum(one["bytes"] for one in shown["features"]) == _size(cache)
    assert run(["cache", "list", "--cache", str(cache)]) == 0
    assert "fbank" in capsys.readouterr().out


def test_a_folder_from_before_it_described_itself_is_listed_too(cache: Path) -> None:
    for section in sections(cache):
        (section.folder / ABOUT).write_text("{broken")
    assert [(s.backbone, s.weights, s.seconds) for s in sections(cache)] == [
        ("fbank", "", None)
    ] * 2


def test_pruning_takes_what_was_used_longest_ago_first(cache: Path) -> None:
    one = _size(cache) // (2 * ENTRIES)
    done = prune(cache, 8 * one)
    assert (done.files, done.size, done.in_use) == (2, 2 * one, ())
    left = {section.seconds: section for section in sections(cache)}
    assert (left[6.0].entries, left[4.0].entries) == (3, 5)
    assert not (left[6.0].folder / "00").exists()  # the oldest entry, and its folder
    assert prune(cache, 8 * one).files == 0
    prune(cache, 4 * one)
    assert [(section.seconds, section.entries) for section in sections(cache)] == [(4.0, 4)]
    assert all(undamaged(file) for file in cache.rglob("*.npy"))


def test_what_a_run_uses_stays(cache: Path) -> None:
    (busy,) = [section.folder for section in sections(cache) if section.seconds == 6.0]
    with holding(busy, shared=True):
        assert prune(cache, 0).in_use == (busy.name,)
        assert [section.entries for section in sections(cache)] == [ENTRIES]
    assert prune(cache, 0).files == ENTRIES
    assert not list((cache / "features").iterdir())


def test_pruning_removes_scraps_and_steps_and_follows_no_link(cache: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.npy").write_text("precious")
    first = sections(cache)[0].folder
    (first / "link").symlink_to(outside)
    (cache / "features" / "linked").symlink_to(outside)
    (first / "00" / ".x.npy.0011.part").write_text("half")
    steps = cache / "steps" / "r1"
    steps.mkdir(parents=True)
    (steps / "heads-0-1.json").write_text("x" * 7)
    assert [(one.run, one.size) for one in step_results(cache)] == [("r1", 7)]
    assert prune(cache, 10**9).files == 1
    assert not list(cache.rglob("*.part"))
    assert step_results(cache)
    assert run(["cache", "prune", "--all", "--cache", str(cache)]) == 0
    assert not step_results(cache)
    assert not list((cache / "features").glob("*/*/*ff.npy"))
    assert (outside / "a.npy").read_text() == "precious"


def test_damage_is_found_by_checksum(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cache", "verify", "--cache", str(cache)]) == 0
    victim = sorted(cache.rglob("*.npy"))[3]
    content = bytearray(victim.read_bytes())
    content[-100] ^= 1
    victim.write_bytes(content)
    assert verify(cache, lambda: None) == [victim]
    capsys.readouterr()
    assert run(["cache", "verify", "--cache", str(cache)]) == 1
    assert str(victim) in capsys.readouterr().out
    victim.unlink()
    with pytest.raises(CacheError, match="the same command again"):
        read_entry(victim)


def test_requests_that_do_not_hold_are_one_line(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = {
        "cache prune": "exactly one",
        "cache prune --all --limit 1GB": "exactly one",
        "cache prune --limit 20": "lacks its unit",
        "cache prune --limit lots": "is no quantity",
    }
    for command, text in expected.items():
        assert run([*command.split(), "--cache", str(cache)]) == 2
        assert text in capsys.readouterr().err
    assert run(["cache", "list", "--cache", str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err
    with pytest.raises(InputError):
        sections(tmp_path / "nowhere")


HOLDER = """
import sys, time
from pathlib import Path
from profiles_db.holding import holding
with holding(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def test_a_folder_is_held_by_one_and_let_go_by_a_killed_process(tmp_path: Path) -> None:
    told: list[str] = []
    command = [sys.executable, "-c", HOLDER, str(tmp_path), "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert held(tmp_path)
        holder.kill()
    assert not held(tmp_path)
    command[-1] = "1"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with holding(tmp_path, told.append):
            assert "waiting" in told[0]
    with pytest.raises(OutputError), holding(tmp_path / "nowhere"):
        pass
