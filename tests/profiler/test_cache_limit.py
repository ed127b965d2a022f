"""A limited cache: the same rows, from features that are made anew once per pass for all heads."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from profiler.features.cache import Clip, FeatureCache
from profiler.features.entry import write_entry
from profiler.features.upkeep import sections
from profiler.pipeline import scheduler
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.session import profile_all
from profiles_db.records import AttackOutcome
from profiles_db.store import Store
from tests.profiler.same_rows import (
    ON_REQUEST,
    ROUNDING,
    Rows,
    assert_same_rows,
    rows_of,
)
from tests.profiler.small_corpus import CLIPS
from trustser import __main__ as main

EPOCHS = 2
FROM_CACHE = ("performance", "privacy", "dimensional")
"""What reads hidden states out of the cache; waveforms never lie there."""
SHORT = Protocol.of(
    epochs=EPOCHS, probe_epochs=2, head_epochs=2, folds=2, seeds=2, resamples=100, pgd_steps=1,
    pgd_clips=2, snr_curve_db=(), batch_size=8, enrolment_clips=1,
)  # fmt: skip


_assert_same = functools.partial(assert_same_rows, lacking=ON_REQUEST | {AttackOutcome})


@pytest.fixture(autouse=True, scope="module")
def short_runs() -> Iterator[None]:
    """One thread, as a worker has, whatever is made anew; and no time spent on costs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scheduler, "available_cores", lambda: 1)
        # What fits is decided by jobs, each of which could be of the longest clips.
        patch.setitem(scheduler.FEATURE_CHUNK, "cpu", 2)
        yield
    torch.set_num_threads(before)


def _profile(
    manifest: Path, folder: Path, limit: int | None, workers: int = 0, backbone: str = "fbank"
) -> Rows:
    store = Store(folder / "a.duckdb")
    (profile,) = profile_all(
        [backbone], "manifest", manifest, SHORT, store, weights="random", weights_seed=0,
        cache=folder / "cache", device="cpu", workers=workers, progress=Silent(),
        cache_limit=limit, wanted=FROM_CACHE,
    )  # fmt: skip
    return rows_of(store, profile.run)


@pytest.fixture(scope="module")
def unlimited(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, int]:
    """The rows of a run whose features are all kept, and the bytes these take."""
    folder = tmp_path_factory.mktemp("whole")
    rows = _profile(manifest, folder, None)
    (section,) = sections(folder / "cache")
    assert section.entries == CLIPS
    return rows, section.size


@pytest.mark.parametrize(("share", "workers"), [(0.0, 0), (0.6, 0), (0.6, 2), (12.0, 0)])
def test_the_rows_are_those_of_an_unlimited_cache(
    manifest: Path, tmp_path: Path, unlimited: tuple[Any, int], share: float, workers: int
) -> None:
    rows, size = unlimited
    limit = round(share * size)
    _assert_same(_profile(manifest, tmp_path, limit, workers), rows)
    kept = sum(section.size for section in sections(tmp_path / "cache"))
    assert kept <= limit
    assert (kept == size) == (share > 1)
    assert (kept > 0) == (share > 0)


def test_with_more_threads_the_rows_are_those_to_rounding(
    manifest: Path,
    tmp_path: Path,
    unlimited: tuple[Any, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is made anew has all threads of the machine, and sums may be parted among them."""
    monkeypatch.setattr(scheduler, "available_cores", lambda: 2)
    _assert_same(_profile(manifest, tmp_path, 0), unlimited[0], within=ROUNDING)


def test_every_clip_is_made_anew_once_per_pass_for_all_heads(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = 0
    whole = FeatureCache._states

    def counting(self: FeatureCache, batch: Sequence[tuple[Clip, np.ndarray]]) -> Any:
        nonlocal made
        made += len(batch)
        return whole(self, batch)

    monkeypatch.setattr(FeatureCache, "_states", counting)
    _profile(manifest, tmp_path, 0)
    # Tried once; train and dev part per epoch; once to test; twice the size of an entry is looked
    # up. Two folds of two repetitions with two heads each would otherwise make up to eight times as
    # many.
    passes = 1 + 2 * EPOCHS + 1
    assert CLIPS < made <= passes * CLIPS + 2


def test_room_is_made_from_what_was_used_longest_ago(
    manifest: Path, tmp_path: Path, unlimited: tuple[Any, int]
) -> None:
    _, size = unlimited
    first = tmp_path / "cache" / "features" / "older-0123456789abcdef" / "ab"
    first.mkdir(parents=True)
    write_entry(first / "ab.npy", np.zeros(12 * size, np.uint8))
    _profile(manifest, tmp_path, 12 * size)
    (left,) = sections(tmp_path / "cache")
    assert (left.backbone, left.entries) == ("fbank", CLIPS)


def test_features_kept_before_stay_and_are_used(
    manifest: Path, tmp_path: Path, unlimited: tuple[Any, int]
) -> None:
    """A cache filled without a limit is brought below it, and no further than needed."""
    rows, size = unlimited
    _profile(manifest, tmp_path, None)
    (tmp_path / "a.duckdb").unlink()
    shutil.rmtree(tmp_path / "cache" / "steps")
    _assert_same(_profile(manifest, tmp_path, size // 2), rows)
    (section,) = sections(tmp_path / "cache")
    assert 0.4 * size < section.size <= size // 2


@pytest.mark.parametrize("limit", ["lots", "-1 GB", "20 ms"])
def test_a_limit_that_is_no_size_is_refused_in_one_line(
    limit: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    database = tmp_path / "a.duckdb"
    arguments = ["profile", "--backbone", "fbank", "--db", str(database), "--cache-limit", limit]
    assert main.run(arguments) == 2
    said = capsys.readouterr().err.strip()
    assert "--cache-limit" in said
    assert "\n" not in said
    assert not database.exists()
