"""Recordings cut into what is heard: the same sound from a file, a WAV stream and raw samples."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.corpora.audio import load_clip
from profiler.deployment.recordings import (
    Windows,
    clip_piece,
    file_blocks,
    listed,
    stream_blocks,
    window_pieces,
)
from profiles_db.errors import AudioError, InputError

Floats = np.ndarray[Any, np.dtype[np.float32]]


def noise(seconds: float, rate: int = 16_000, seed: int = 0) -> Floats:
    samples = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate))
    return (np.round(samples * 32768) / 32768).astype(np.float32)


def wav(samples: Floats, rate: int = 16_000, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype=subtype)
    return file.getvalue()


class Trickle(io.RawIOBase):
    """A pipe: it cannot be sought, and gives no more than is asked."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        given = self._content.read(size)
        self.taken += len(given)
        return given

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_stream_is_heard_as_the_file(subtype: str, channels: int, tmp_path: Path) -> None:
    samples = np.stack([noise(1.3, seed=seed) for seed in range(channels)], axis=1)
    (tmp_path / "a.wav").write_bytes(content := wav(samples, subtype=subtype))
    stream = np.concatenate(list(stream_blocks(Trickle(content), None)))  # type: ignore[arg-type]
    file = np.concatenate(list(file_blocks(tmp_path / "a.wav")))
    clip = load_clip(tmp_path / "a.wav", seconds=6.0)
    np.testing.assert_array_equal(stream, clip)
    np.testing.assert_array_equal(file, clip)


def test_raw_samples_are_heard_as_the_file() -> None:
    samples = noise(0.9)
    raw = (samples * 32768).astype("<i2").tobytes()
    stream = list(stream_blocks(io.BytesIO(raw + b"\x01"), 16_000))
    np.testing.assert_array_equal(np.concatenate(stream), samples)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_other_rates_are_resampled_as_if_at_once(rate: int) -> None:
    samples = noise(2.0, rate)
    found = np.concatenate(list(stream_blocks(Trickle(wav(samples, rate)), None)))  # type: ignore[arg-type]
    expected = soxr.resample(samples, rate, 16_000, quality="VHQ")
    assert abs(found.size - expected.size) <= 1
    size = min(found.size, expected.size)
    np.testing.assert_allclose(found[:size], expected[:size], atol=1e-6)


@pytest.mark.parametrize("claim", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_stream_whose_header_knows_no_length_is_heard_to_its_end(claim: int) -> None:
    samples = noise(0.7)
    content = bytearray(wav(samples))
    place = content.index(b"data") + 4
    content[place : place + 4] = claim.to_bytes(4, "little")
    found = np.concatenate(list(stream_blocks(Trickle(bytes(content)), None)))  # type: ignore[arg-type]
    np.testing.assert_array_equal(found, samples)


def test_what_follows_the_samples_is_no_sound() -> None:
    samples = noise(0.7)
    content = wav(samples) + b"LIST" + (200).to_bytes(4, "little") + bytes(200)
    found = np.concatenate(list(stream_blocks(io.BytesIO(content), None)))
    np.testing.assert_array_equal(found, samples)


def test_windows_come_as_the_sound_does() -> None:
    stream = Trickle((noise(10.0) * 32768).astype("<i2").tobytes())
    pieces = window_pieces(
        stream_blocks(stream, 16_000),  # type: ignore[arg-type]
        Windows(16_000, 8_000),
        shortest=1_600,
        where="x",
    )
    next(pieces)
    assert stream.taken <= 2 * 16_000 * 1.5


@settings(deadline=None, max_examples=50)
@given(
    st.integers(1, 4_000),
    st.integers(50, 900),
    st.floats(0.01, 1.0),
    st.integers(1, 50),
    st.integers(1, 700),
)
def test_windows_cover_a_recording(
    size: int, length: int, share: float, shortest: int, cut: int
) -> None:
    hop = max(1, round(share * length))
    samples = noise(size / 16_000)
    blocks = np.split(samples, range(cut, size, cut))
    if size < shortest:
        with pytest.raises(AudioError):
            list(window_pieces(blocks, Windows(length, hop), shortest=shortest, where="x"))
        return
    pieces = list(window_pieces(blocks, Windows(length, hop), shortest=shortest, where="x"))
    assert [piece.start for piece in pieces] == [hop * n for n in range(len(pieces))]
    assert all(piece.end - piece.start == length for piece in pieces[:-1])
    assert size - pieces[-1].end < shortest
    for piece in pieces:
        if piece.samples is not None:
            np.testing.assert_array_equal(piece.samples, samples[piece.start : piece.end])


def test_a_silent_window_is_unknown_and_the_others_are_heard() -> None:
    samples = np.concatenate([noise(1.0), np.zeros(16_000, dtype=np.float32), noise(1.0)])
    pieces = list(window_pieces([samples], Windows(16_000, 16_000), shortest=400, where="x"))
    assert [piece.unknown for piece in pieces] == [None, "silent: all samples are zero", None]


def test_the_first_part_of_a_stream_is_the_clip_and_no_more_is_read() -> None:
    stream = Trickle(wav(noise(60.0)))
    piece = clip_piece(
        stream_blocks(stream, None),  # type: ignore[arg-type]
        shortest=400,
        longest=96_000,
        where="x",
    )
    assert piece.samples is not None
    np.testing.assert_array_equal(piece.samples, noise(60.0)[:96_000])
    assert piece.more
    assert stream.taken < 2 * 16_000 * 7


@pytest.mark.parametrize(
    ("content", "rate", "line"),
    [
        (b"", None, "no WAV of integer samples"),
        (b"RIFFxxxxWAVE", None, "no WAV of integer samples"),
        (b"no sound at all, but text of some length", None, "Give --sample-rate"),
        (wav(noise(0.5), subtype="FLOAT"), None, "unknown format: 3"),
        (bytes(8_000), 5, "5 Hz"),
    ],
)
def test_a_stream_that_is_no_sound_is_one_line(content: bytes, rate: int | None, line: str) -> None:
    with pytest.raises(AudioError, match=line):
        list(stream_blocks(io.BytesIO(content), rate))


def test_a_header_that_lies_of_channels_is_refused() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(200)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(4_000))
    with pytest.raises(AudioError, match="200 channels"):
        list(stream_blocks(io.BytesIO(file.getvalue()), None))


@pytest.mark.parametrize(
    ("window", "hop", "line"),
    [
        (0.05, None, "--window: 0.05 s"),
        (7.0, None, "0.1 to 6 s"),
        (3.0, 4.0, "--hop: 4 s"),
        (3.0, 0.0, "--hop: 0 s"),
    ],
)
def test_windows_are_those_that_heads_were_trained_on(
    window: float, hop: float | None, line: str
) -> None:
    with pytest.raises(InputError, match=line):
        Windows.of(window, hop, shortest=1_600, longest=96_000)


def test_folders_are_their_sounds(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.wav", "sub/a.FLAC", "notes.txt"):
        (tmp_path / name).touch()
    found = list(listed([str(tmp_path), "-", "c.xyz"]))
    assert found == [str(tmp_path / "b.wav"), str(tmp_path / "sub" / "a.FLAC"), "-", "c.xyz"]
    with pytest.raises(InputError, match="named twice"):
        list(listed(["-", "-"]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no sounds"):
        list(listed([str(tmp_path / "empty")]))
