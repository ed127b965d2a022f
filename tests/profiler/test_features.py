"""The feature cache on real audio: complete, independent of neighbours, self-healing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from profiler.audio import file_digest, load_clip
from profiler.backbones.load import load
from profiler.features import Clip, FeatureCache


def _clip(path: Path) -> Clip:
    return Clip(path.stem, path, file_digest(path).removeprefix("sha256:"))


@pytest.fixture(scope="module")
def spoken(real_data: Path) -> list[Clip]:
    files = sorted((real_data / "ravdess" / "Actor_01").glob("*.flac"))[:6]
    return [_clip(file) for file in files]


def _cache(folder: Path, name: str = "whisper_tiny", seed: int = 0) -> FeatureCache:
    backbone = load(name, "random", seed)
    return FeatureCache(folder, backbone, seconds=6.0, min_seconds=0.1)


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
        assert torch.equal(forwards.read([clip])[0], alone)
        assert torch.equal(backwards.read([clip])[0], alone)


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
    assert not list(tmp_path.rglob(".part-*"))


@pytest.mark.real_audio
def test_other_weights_or_other_audio_have_other_entries(
    spoken: list[Clip], tmp_path: Path
) -> None:
    first, second = _cache(tmp_path, seed=0), _cache(tmp_path, seed=1)
    assert first.path(spoken[0]) != second.path(spoken[0])
    assert first.path(spoken[0]) != first.path(spoken[1])
    shorter = FeatureCache(tmp_path, load("whisper_tiny", "random"), seconds=3.0, min_seconds=0.1)
    assert shorter.path(spoken[0]) != first.path(spoken[0])


def test_unusable_clips_are_named_with_the_reason(tmp_path: Path) -> None:
    tone = np.sin(np.arange(16_000) / 5).astype(np.float32) / 2
    files = {"good": tone, "silent": 0 * tone, "short": tone[:300], "nan": tone * np.nan}
    for name, samples in files.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, 16_000, subtype="FLOAT")
    (tmp_path / "noise.wav").write_bytes(b"RIFF not really")
    clips = [_clip(path) for path in sorted(tmp_path.glob("*.wav"))]
    cache = FeatureCache(tmp_path / "c", load("fbank"), seconds=6.0, min_seconds=0.1)
    counted: list[int] = []
    unusable = cache.fill(clips, counted.append)
    assert sorted(unusable) == ["nan", "noise", "short", "silent"]
    assert all(reason for reason in unusable.values())
    assert sum(counted) == 5
    assert [clip.id for clip in clips if cache.has(clip)] == ["good"]
