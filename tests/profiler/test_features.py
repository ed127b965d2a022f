"""The feature cache on real audio: complete, independent of neighbours, self-healing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from profiler.backbones.load import load
from profiler.corpora.audio import file_digest, load_clip
from profiler.features import cache as features
from profiler.features.cache import Clip, FeatureCache
from profiler.features.entry import Entry
from profiles_db.errors import CacheError
from profiles_db.files import PART, replacing


def _clip(path: Path) -> Clip:
    return Clip(path.stem, path, file_digest(path).removeprefix("sha256:"))


def _tensor(cache: FeatureCache, clip: Clip) -> torch.Tensor:
    (states,) = cache.read([clip])
    return states.to(torch.device("cpu"), torch.float16)


@pytest.fixture(scope="module")
def spoken(real_data: Path) -> list[Clip]:
    files = sorted((real_data / "ravdess" / "Actor_01").glob("*.flac"))[:6]
    return [_clip(file) for file in files]


def _cache(folder: Path, name: str = "whisper_tiny", seed: int = 0) -> FeatureCache:
    backbone = load(name, "random", seed)
    return FeatureCache(folder, lambda: backbone, seconds=6.0, min_seconds=0.1)


@pytest.mark.real_audio
@pytest.mark.parametrize("name", ["fbank", "whisper_tiny"])
def test_features_are_those_of_the_clip_alone_in_any_order(
    name: str, spoken: list[Clip], tmp_path: Path
) -> None:
    forwards, backwards = (_cache(tmp_path / way, name) for way in ("a", "b"))
    forwards.fill(spoken, lambda _: None)
    backwards.fill(spoken[::-1], lambda _: None)
    backbone = load(name, "random")
    for clip in spoken:
        wave = torch.from_numpy(load_clip(clip.path, seconds=6.0)).unsqueeze(0)
        with torch.no_grad():
            alone = backbone.hidden_states(wave)[0].half()
        assert torch.equal(_tensor(forwards, clip), alone)
        assert torch.equal(_tensor(backwards, clip), alone)


@pytest.mark.real_audio
def test_a_second_fill_makes_nothing_and_a_damaged_entry_is_made_again(
    spoken: list[Clip], tmp_path: Path
) -> None:
    _cache(tmp_path).fill(spoken, lambda _: None)
    cache = _cache(tmp_path)
    paths = [cache.path(clip) for clip in spoken]
    before = [path.stat().st_mtime_ns for path in paths]
    whole = paths[1].read_bytes()
    for damage in (whole[:-100], whole[:2000] + b"x" + whole[2001:], b""):
        paths[1].write_bytes(damage)
        again = _cache(tmp_path)
        counted: list[int] = []
        again.fill(spoken, counted.append)
        assert sum(counted) == len(spoken)
        assert paths[1].read_bytes() == whole
    untouched = [0, *range(2, len(paths))]
    assert [paths[i].stat().st_mtime_ns for i in untouched] == [before[i] for i in untouched]
    assert not list(tmp_path.rglob(f"*{PART}"))
    with replacing(tmp_path / "a") as part:
        part.touch()
        assert list(tmp_path.rglob(f"*{PART}")) == [part]  # so that leftovers would be found


@pytest.mark.real_audio
def test_other_weights_or_other_audio_have_other_entries(
    spoken: list[Clip], tmp_path: Path
) -> None:
    first, second = _cache(tmp_path, seed=0), _cache(tmp_path, seed=1)
    assert first.path(spoken[0]) != second.path(spoken[0])
    assert first.path(spoken[0]) != first.path(spoken[1])
    shorter = FeatureCache(
        tmp_path, lambda: load("whisper_tiny", "random"), seconds=3.0, min_seconds=0.1
    )
    assert shorter.path(spoken[0]) != first.path(spoken[0])


def test_unusable_clips_are_named_with_the_reason(tmp_path: Path) -> None:
    tone = np.sin(np.arange(16_000) / 5).astype(np.float32) / 2
    files = {"good": tone, "silent": 0 * tone, "short": tone[:300], "nan": tone * np.nan}
    for name, samples in files.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, 16_000, subtype="FLOAT")
    (tmp_path / "noise.wav").write_bytes(b"RIFF not really")
    clips = [_clip(path) for path in sorted(tmp_path.glob("*.wav"))]
    cache = FeatureCache(tmp_path / "c", lambda: load("fbank"), seconds=6.0, min_seconds=0.1)
    counted: list[int] = []
    unusable = cache.fill(clips, counted.append)
    assert sorted(unusable) == ["nan", "noise", "short", "silent"]
    assert all(reason for reason in unusable.values())
    assert sum(counted) == 5
    assert [clip.id for clip in clips if cache.has(clip)] == ["good"]


@pytest.mark.parametrize("name", ["apc", "whisper_tiny", "wavlm_base_plus"])
def test_batches_of_equal_length_give_what_each_clip_gives_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a GPU takes them: lengths mixed up, two of them shared, one clip unusable."""
    rng = np.random.default_rng(0)
    for index, samples in enumerate((16_000, 9_000, 16_000, 12_000, 9_000, 16_000, 100)):
        path = tmp_path / f"{index}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal(samples), 16_000)
    clips = [_clip(path) for path in sorted(tmp_path.glob("*.wav"))]
    alone, together = _cache(tmp_path / "a", name), _cache(tmp_path / "b", name)
    assert list(alone.fill(clips, lambda _: None)) == ["6"]
    sizes: list[int] = []
    whole = FeatureCache._states

    def spied(self: FeatureCache, batch: Sequence[tuple[Clip, np.ndarray]]) -> object:
        sizes.append(len(batch))
        return whole(self, batch)

    monkeypatch.setattr(FeatureCache, "_batch", 2)
    monkeypatch.setattr(FeatureCache, "_states", spied)
    counted: list[int] = []
    assert list(together.fill(clips, counted.append)) == ["6"]
    assert sum(counted) == len(clips)
    assert sorted(sizes) == [1, 1, 2, 2]
    for clip in clips[:6]:
        ours, theirs = (_tensor(cache, clip).float() for cache in (together, alone))
        torch.testing.assert_close(ours, theirs, rtol=2e-3, atol=2e-3)


def test_large_entries_are_mapped_only_while_they_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "a.wav", 0.1 * np.sin(np.arange(16_000) / 5), 16_000)
    clip, cache = _clip(tmp_path / "a.wav"), _cache(tmp_path / "c")
    cache.fill([clip], lambda _: None)
    small = cache.read([clip])[0]
    assert isinstance(small, torch.Tensor)
    monkeypatch.setattr(features, "LARGE_BYTES", small.nbytes - 1)
    for _ in range(2):
        large = cache.read([clip])[0]
        assert isinstance(large, Entry)
        assert large.shape == small.shape
        assert torch.equal(large.to(torch.device("cpu"), torch.float32), small.float())
    cache.path(clip).unlink()
    with pytest.raises(CacheError, match="can no longer be read"):
        large.to(torch.device("cpu"), torch.float32)
