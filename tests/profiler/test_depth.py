"""Depths of one encoder: features made once, rows as each depth alone gives them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from profiler.backbones.load import load
from profiler.corpora.audio import file_digest
from profiler.features import cache as features
from profiler.features.cache import Clip, FeatureCache
from profiler.features.entry import Entry, read_entry
from profiler.features.upkeep import sections
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.session import profile_all, profile_all_costs
from profiles_db.errors import InputError
from profiles_db.profile import Profile
from profiles_db.store import Store
from tests.profiler.same_rows import FEW_CORRUPTIONS, WITH_ROWS, Rows, assert_same_rows, rows_of
from tests.profiler.small_corpus import CLIPS

SHORT = Protocol.of(
    epochs=2, probe_epochs=2, head_epochs=2, folds=1, seeds=1, resamples=100, pgd_steps=1,
    pgd_clips=2, snr_curve_db=(), batch_size=8, enrolment_clips=1,
    robustness=FEW_CORRUPTIONS,
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As a worker has, so that what is made here and there is the same to the bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    rng = np.random.default_rng(0)
    found = []
    for samples in (16_000, 9_000, 12_345):
        path = tmp_path / f"{samples}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal(samples), 16_000)
        found.append(Clip(path.stem, path, file_digest(path).removeprefix("sha256:")))
    return found


def _cache(folder: Path, name: str) -> FeatureCache:
    backbone = load(name, "random")
    return FeatureCache(folder, lambda: backbone, seconds=6.0, min_seconds=0.1)


def _fill(cache: FeatureCache, clips: Sequence[Clip]) -> None:
    assert not cache.fill(clips, lambda _: None)


def _tensors(cache: FeatureCache, clips: Sequence[Clip]) -> list[torch.Tensor]:
    return [states.to(torch.device("cpu"), torch.float16) for states in cache.read(clips)]


@pytest.mark.parametrize("name", ["whisper_tiny", "tera"])
def test_a_depth_reads_the_whole_encoders_entries_and_makes_none(
    name: str, tmp_path: Path, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut, alone = (
        _cache(tmp_path / folder, backbone)
        for folder, backbone in (("a", name), ("a", f"{name}@2"), ("b", f"{name}@2"))
    )
    _fill(whole, clips)
    _fill(alone, clips)

    def made(*_: object) -> None:
        pytest.fail("a clip went through the encoder")

    monkeypatch.setattr(FeatureCache, "_states", made)
    assert all(map(cut.has, clips))
    _fill(cut, clips)
    layers = 2 if name == "whisper_tiny" else 3
    for own, all_states, made_alone in zip(
        _tensors(cut, clips), _tensors(whole, clips), _tensors(alone, clips), strict=True
    ):
        assert own.shape[0] == layers < all_states.shape[0]
        assert torch.equal(own, all_states[:layers])
        assert torch.equal(own, made_alone)
    assert [path for clip in clips if (path := cut.path(clip)) != whole.path(clip)] == []


def test_alone_it_makes_entries_of_its_own_layers(tmp_path: Path, clips: list[Clip]) -> None:
    home = tmp_path / "cache"
    cut = _cache(home / "features", "whisper_tiny@3")
    cut.describe()
    _fill(cut, clips)
    assert all(read_entry(cut.path(clip)).shape[0] == 3 for clip in clips)
    (section,) = sections(home)
    assert (section.backbone, section.weights) == ("whisper_tiny@3", "random:0@3")
    assert section.entries == len(clips)
    assert not _cache(home / "features", "whisper_tiny").has(clips[0])  # which needs more layers
    assert not _cache(home / "features", "whisper_tiny@2").has(clips[0])


def test_a_damaged_entry_of_the_whole_encoder_is_not_read(
    tmp_path: Path, clips: list[Clip]
) -> None:
    _fill(_cache(tmp_path / "a", "whisper_tiny"), clips)
    path = _cache(tmp_path / "a", "whisper_tiny").path(clips[0])
    before = _tensors(_cache(tmp_path / "a", "whisper_tiny@2"), clips)
    path.write_bytes(path.read_bytes()[:-9] + b"x" * 9)
    cut = _cache(tmp_path / "a", "whisper_tiny@2")
    assert [cut.has(clip) for clip in clips] == [False, True, True]
    _fill(cut, clips)
    assert not path.exists()
    for own, other in zip(_tensors(cut, clips), before, strict=True):
        assert torch.equal(own, other)


def test_large_entries_are_read_as_far_as_they_are_needed(
    tmp_path: Path, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(_cache(tmp_path / "a", "whisper_tiny"), clips)
    small = _tensors(_cache(tmp_path / "a", "whisper_tiny@2"), clips)
    monkeypatch.setattr(features, "LARGE_BYTES", 0)
    cut = _cache(tmp_path / "a", "whisper_tiny@2")
    for states, wanted in zip(cut.read(clips), small, strict=True):
        assert isinstance(states, Entry)
        assert states.shape == wanted.shape
        assert torch.equal(states.to(torch.device("cpu"), torch.float16), wanted)


def test_the_whole_encoders_entries_are_in_use_with_it(tmp_path: Path, clips: list[Clip]) -> None:
    home = tmp_path / "cache"
    whole = _cache(home / "features", "whisper_tiny")
    whole.describe()
    _fill(whole, clips)
    with _cache(home / "features", "whisper_tiny@2").in_use(print):
        assert {(s.backbone, s.in_use) for s in sections(home)} == {
            ("whisper_tiny", True), ("whisper_tiny@2", True),
        }  # fmt: skip
    assert not any(section.in_use for section in sections(home))


def _profile(
    manifest: Path, folder: Path, backbone: str, depths: str | None = None, workers: int = 0
) -> tuple[Store, list[Profile]]:
    folder.mkdir(exist_ok=True)
    store = Store(folder / "a.duckdb")
    found = profile_all(
        [backbone], "manifest", manifest, SHORT, store, weights="random", weights_seed=0,
        cache=folder / "cache", device="cpu", workers=workers, progress=Silent(),
        wanted=WITH_ROWS, depths=depths,
    )  # fmt: skip
    return store, found


@pytest.fixture(scope="module")
def alone(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Rows]:
    """The run of one depth by itself, and its rows."""
    store, (one,) = _profile(manifest, tmp_path_factory.mktemp("one"), "whisper_tiny@1")
    return one.run, rows_of(store, one.run)


@pytest.mark.parametrize("workers", [0, 2])
def test_depths_together_give_the_rows_of_each_alone_from_one_pass_of_the_encoder(
    manifest: Path, tmp_path: Path, alone: tuple[str, Rows], workers: int
) -> None:
    store, found = _profile(manifest, tmp_path, "whisper_tiny", "1,3,4", workers)
    assert [p.backbone for p in found] == ["whisper_tiny", "whisper_tiny@1", "whisper_tiny@3"]
    assert [p.weights_id for p in found] == ["random:0", "random:0@1", "random:0@3"]
    assert len({p.study for p in found}) == 1
    assert len({p.model for p in found}) == 3
    entries = {s.backbone: s.entries for s in sections(tmp_path / "cache")}
    assert entries == {"whisper_tiny": CLIPS, "whisper_tiny@1": 0, "whisper_tiny@3": 0}
    uars = [p.pooled("uar") for p in found]
    assert all(uar is not None and uar.value is not None for uar in uars)

    run, rows = alone
    assert found[1].run == run
    assert_same_rows(rows, rows_of(store, run))
    _, again = _profile(manifest, tmp_path, "whisper_tiny", "1,3,4", workers)
    assert [p.finished for p in again] == [p.finished for p in found]


@pytest.mark.usefixtures("little_on_costs")
def test_costs_are_measured_at_each_depth(tmp_path: Path) -> None:
    found = profile_all_costs(
        ["whisper_tiny"], Store(tmp_path / "a.duckdb"), weights="random", device="cpu",
        progress=Silent(), depths="all",
    )  # fmt: skip
    assert [p.backbone.partition("@")[2] for p in found] == ["", "1", "2", "3"]
    whole, *depths = found
    for criterion in ("macs", "paper_macs", "parameters", "size"):
        values = [p.pooled(criterion).value for p in (*depths, whole)]  # type: ignore[union-attr]
        assert values == sorted(set(values))  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("backbone", "depths", "words"),
    [
        ("whisper_tiny", "4,,8", "--depths: '' is no number"),
        ("whisper_tiny", "9", "no depth 9"),
        ("whisper_tiny@2", "1", "--depths: whisper_tiny@2 names a depth already"),
        ("fbank", "all", "fbank has no transformer layers"),
    ],
)
def test_depths_that_do_not_fit_are_refused_before_any_work(
    manifest: Path, tmp_path: Path, backbone: str, depths: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        _profile(manifest, tmp_path / "a", backbone, depths)
    assert not (tmp_path / "a" / "cache").exists()
