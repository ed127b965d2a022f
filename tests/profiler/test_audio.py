"""The audio door: closed forms, the real originals, and every broken file we could think of."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from profiler.corpora.audio import (
    ClipError,
    Reason,
    audio_digest,
    file_digest,
    load_clip,
    read_clip,
)
from profiles_db.errors import AudioError

RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000)


def tone(rate: int, seconds: float = 1.0, hertz: float = 440.0) -> NDArray[np.float64]:
    return np.asarray(0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate))


def write(
    path: Path, samples: NDArray[np.float64], rate: int = 16_000, subtype: str = "PCM_16"
) -> Path:
    soundfile.write(path, samples, rate, subtype=subtype, format="WAV")
    return path


def refused(path: Path, seconds: float = 6.0) -> Reason:
    with pytest.raises(ClipError) as caught:
        load_clip(path, seconds=seconds)
    assert str(path) in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_keeps_its_pitch_phase_and_level_at_any_rate(tmp_path: Path, rate: int) -> None:
    samples = load_clip(write(tmp_path / "a.wav", tone(rate), rate, "FLOAT"), seconds=6)
    assert samples.dtype == np.float32
    assert abs(samples.size - 16_000) <= 1
    middle = slice(1_000, 15_000)  # the filter's edges see the sudden start and end
    np.testing.assert_allclose(samples[middle], tone(16_000)[middle], atol=1e-4)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_every_sample_format_and_channel_count(tmp_path: Path, subtype: str, channels: int) -> None:
    each = tone(16_000)[:, None] * np.linspace(0.2, 1.0, channels)
    samples = load_clip(write(tmp_path / "a.wav", each, subtype=subtype), seconds=6)
    step = 2.0**-6 if subtype == "PCM_U8" else 2.0**-14
    np.testing.assert_allclose(samples, each.mean(axis=1), atol=step)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("seconds", [0.1, 1.0, 2.7])
def test_cutting_first_equals_decoding_all_then_cutting(
    tmp_path: Path, rate: int, seconds: float
) -> None:
    noise = np.random.default_rng(rate).uniform(-0.5, 0.5, 4 * rate)
    path = write(tmp_path / "a.wav", noise, rate)
    whole, _ = soundfile.read(path, dtype="float32")
    whole = whole if rate == 16_000 else soxr.resample(whole, rate, 16_000, quality="VHQ")
    wanted = whole[: round(seconds * 16_000)]
    np.testing.assert_array_equal(load_clip(path, seconds=seconds), wanted)


@pytest.mark.real_audio
def test_the_48_khz_originals_agree_with_the_16_khz_corpus(real_data: Path) -> None:
    originals = sorted((real_data / "ravdess_original_48k").glob("Actor_*/*.wav"))
    assert len(originals) == 13
    for original in originals:
        clip = read_clip(original, seconds=6)
        other = real_data / "ravdess" / original.parent.name / f"{original.stem}.flac"
        expected = load_clip(other, seconds=6)
        assert clip.rate == 48_000
        assert abs(clip.samples.size - expected.size) <= 1
        size = min(clip.samples.size, expected.size)
        # Two steps of 16 bits: one for rounding, one for dither.
        np.testing.assert_allclose(clip.samples[:size], expected[:size], atol=2 / 32_768)


@pytest.mark.real_audio
def test_stereo_originals_are_averaged(real_data: Path) -> None:
    originals = sorted((real_data / "ravdess_original_48k").glob("Actor_*/*.wav"))
    stereo = [path for path in originals if soundfile.info(path).channels == 2]
    assert stereo
    for path in stereo:
        both, rate = soundfile.read(path, dtype="float64")
        expected = soxr.resample(both.mean(axis=1), rate, 16_000, quality="VHQ")[:96_000]
        np.testing.assert_allclose(load_clip(path, seconds=6), expected, atol=1e-6)


def test_facts_of_a_clip(tmp_path: Path) -> None:
    samples = np.stack([tone(48_000, 7.0), np.clip(4 * tone(48_000, 7.0), -1, 1)], axis=1)
    clip = read_clip(write(tmp_path / "a.wav", samples, 48_000), seconds=6)
    assert (clip.samples.size, clip.rate, clip.channels) == (96_000, 48_000, 2)
    assert clip.duration == pytest.approx(7.0)
    assert clip.peak == pytest.approx(1.0, abs=1e-4)
    # 2 sin(x) is at full scale for two thirds of the time.
    assert clip.clipped == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(0), "empty"),
        (np.array([0.5]), "short"),
        (np.zeros(16_000), "silent"),
        (np.full(16_000, 0.25), "silent"),
        (np.full(16_000, np.nan), "invalid"),
        (np.where(np.arange(16_000) == 9_000, np.inf, 0.1), "invalid"),
        (np.where(np.arange(16_000) == 9_000, np.nan, tone(16_000)), "invalid"),
        (tone(16_000) * 32_768, "invalid"),
        (tone(16_000) * 1e-30, "silent"),
        (np.stack([tone(16_000), -tone(16_000)], axis=1), "silent"),
        (np.full((16_000, 2), [np.inf, -np.inf]), "invalid"),
    ],
)
def test_what_is_no_sound_is_refused_with_its_reason(
    tmp_path: Path, samples: NDArray[np.float64], reason: Reason
) -> None:
    assert refused(write(tmp_path / "a.wav", samples, subtype="DOUBLE")) == reason


@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_a_constant_level_is_silent_at_any_rate(tmp_path: Path, rate: int) -> None:
    assert refused(write(tmp_path / "a.wav", np.full(rate, 0.5), rate)) == "silent"


def test_silence_is_judged_on_what_is_heard(tmp_path: Path) -> None:
    samples = np.concatenate([np.zeros(8_000), tone(16_000)])
    path = write(tmp_path / "a.wav", samples)
    assert refused(path, seconds=0.5) == "silent"
    assert load_clip(path, seconds=1.0).size == 16_000


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not audio at all", b"\0" * 4_096])
def test_files_that_are_no_audio(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    assert refused(path) == ("unreadable" if content else "empty")


@pytest.mark.parametrize("name", ["a.mp3", "a.raw", "a", "a.flac", "a.txt"])
def test_the_extension_does_not_matter(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, tone(16_000))
    assert load_clip(path, seconds=6).size == 16_000


@pytest.mark.parametrize(
    "name", ["a b.wav", "a'\"b.wav", "a\nb.wav", "é→日本.wav", "-rf.wav", "%s.wav", "\udcff.wav"]
)
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "source.wav", tone(16_000))
    path = tmp_path / name
    source.rename(path)
    assert load_clip(path, seconds=6).size == 16_000


def test_what_is_not_a_file(tmp_path: Path) -> None:
    loop, pipe = tmp_path / "loop.wav", tmp_path / "pipe.wav"
    loop.symlink_to(loop)
    os.mkfifo(pipe)
    assert refused(tmp_path / "none.wav") == "missing"
    assert [refused(path) for path in (loop, pipe, tmp_path)] == ["unreadable"] * 3
    assert refused(Path("/dev/zero")) == "unreadable"
    assert refused(tmp_path / "a\0b.wav") == "unreadable"


def test_a_truncated_wav_gives_what_it_holds(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(16_000))
    path.write_bytes(path.read_bytes()[: 44 + 2 * 8_000])
    np.testing.assert_allclose(load_clip(path, seconds=6), tone(16_000)[:8_000], atol=1e-4)


def test_a_truncated_flac_is_refused_or_gives_what_it_holds(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 32_000)
    path = tmp_path / "a.flac"
    soundfile.write(path, noise, 16_000)
    whole = path.read_bytes()
    for size in (10, 60, len(whole) // 3, len(whole) - 1):
        path.write_bytes(whole[:size])
        try:
            samples = load_clip(path, seconds=6)
        except AudioError:
            continue
        np.testing.assert_allclose(samples, noise[: samples.size], atol=1e-4)


def wav_header(*, rate: int = 16_000, channels: int = 1, claimed: int = 0x7FFF_FFF0) -> bytes:
    """A 16-bit WAV header that claims `claimed` bytes of samples."""
    align = 2 * channels
    form = struct.pack("<HHIIHH", 1, channels, rate, (rate * align) & 0xFFFF_FFFF, align, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", claimed)
    return b"RIFF" + struct.pack("<I", 0xFFFF_FFF0) + body


@pytest.mark.parametrize(
    "header",
    [
        wav_header(),
        wav_header(channels=1_024),
        wav_header(rate=0x7FFF_FFFF),
        wav_header(rate=768_000, channels=64),
        b".snd" + struct.pack(">5I", 24, 0xFFFF_FFFE, 3, 16_000, 64),
    ],
)
def test_a_lying_header_gets_no_memory(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(header + bytes(range(256)) * 64)
    code = (
        "import resource, sys, pathlib, numpy, soundfile, soxr\n"
        "from profiler.corpora.audio import load_clip\n"
        "from profiles_db.errors import AudioError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: load_clip(pathlib.Path(sys.argv[1]), seconds=6)\n"
        "except AudioError: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    kibibytes = 1 if sys.platform == "darwin" else 1_024
    assert int(done.stdout) * kibibytes < 100e6


@pytest.mark.parametrize(("rate", "channels"), [(500, 1), (1_000_000, 1), (16_000, 65)])
def test_rates_and_channels_out_of_range(tmp_path: Path, rate: int, channels: int) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_header(rate=rate, channels=channels, claimed=65_000) + b"\1\2" * 32_500)
    assert refused(path) == "invalid"


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_files_are_refused_or_finite(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kind = data.draw(st.sampled_from(["WAV", "FLAC", "OGG", "AIFF", "AU"]))
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    source = folder / f"source.{kind}"
    if not source.exists():
        soundfile.write(source, tone(16_000, 0.2), 16_000, format=kind)
    content = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, min(len(content), 200) - 1))] = data.draw(
            st.integers(0, 255)
        )
    path = folder / "damaged"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        samples = load_clip(path, seconds=1)
    except AudioError:
        return
    assert np.isfinite(samples).all()
    assert 400 <= samples.size <= 16_000


def test_digests_name_content(tmp_path: Path) -> None:
    first = write(tmp_path / "a.wav", tone(16_000))
    second = tmp_path / "b.flac"
    soundfile.write(second, soundfile.read(first)[0], 16_000, subtype="PCM_16")
    heard = [load_clip(path, seconds=6) for path in (first, second)]
    assert audio_digest(heard[0]) == audio_digest(heard[1])
    assert file_digest(first) != file_digest(second)
    changed = heard[0].copy()
    changed[5] = np.nextafter(changed[5], np.float32(1))
    assert audio_digest(changed) != audio_digest(heard[0])


def test_a_vanished_file_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="No such file"):
        file_digest(tmp_path / "none.wav")
