"""Recordings of any length as pieces to be heard: whole clips, or windows as the sound comes in.

A window is heard as a clip of its own: resampled with the recording, cut out, and given to the
encoder alone. No more of a recording is in memory than one window.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Final, cast

import numpy as np
import soundfile
import soxr

from profiler.corpora.audio import MOST_CHANNELS, RATES, ClipError, Samples, clip_of, open_clip
from profiler.measures.sound_folders import SUFFIXES
from profiler.settings import SAMPLE_RATE
from profiles_db.errors import AudioError, InputError

STDIN: Final = "-"
_BLOCK_SECONDS: Final = 0.25
"""So much of a stream is waited for before it is passed on."""
_BYTES: Final = 2
"""Of a sample of raw PCM."""
_LONGEST_CLAIM: Final = 0x7FFF_0000
_SUBTYPES: Final = {1: "PCM_U8", 2: "PCM_16", 3: "PCM_24", 4: "PCM_32"}
"""Samples of a WAV stream by their bytes."""


@dataclass(frozen=True, slots=True)
class Windows:
    """How a recording is cut: a window of `length` begins every `hop`, in samples at 16 kHz."""

    length: int
    hop: int

    @classmethod
    def of(cls, window: float, hop: float | None, *, shortest: int, longest: int) -> Windows:
        """From seconds; the hop is the window's length if not given.

        Raises
        ------
        InputError
            Where a window is shorter than the encoder takes, longer than heads were trained on, or
            the hop is under 10 ms or longer than the window, so that sound would go unheard.
        """
        length = round(window * SAMPLE_RATE)
        if not shortest <= length <= longest:
            raise InputError(
                f"{window:g} s",
                where="--window",
                rule=f"{shortest / SAMPLE_RATE:g} to {longest / SAMPLE_RATE:g} s, "
                "as the heads were trained",
            )
        step = length if hop is None else round(hop * SAMPLE_RATE)
        if not SAMPLE_RATE // 100 <= step <= length:
            raise InputError(
                f"{hop:g} s", where="--hop", rule=f"0.01 s to the window's length, {window:g} s"
            )
        return cls(length, step)


@dataclass(frozen=True, slots=True)
class Piece:
    """What is heard at once: `samples` at 16 kHz that begin `start` samples into the recording.

    `samples` is None where it cannot be heard, with the reason in `unknown`. `more` says that the
    recording goes on and nothing else of it is heard.
    """

    start: int
    end: int
    samples: Samples | None
    unknown: str | None = None
    more: bool = False


def listed(inputs: Sequence[str]) -> Iterator[str]:
    """The recordings that `inputs` name: files, `-`, and the sounds in folders and below.

    Raises
    ------
    InputError
        Where a folder holds no sound, or `-` is named twice.
    """
    if inputs.count(STDIN) > 1:
        raise InputError("is named twice", where=STDIN, rule="standard input can be heard once")
    for name in inputs:
        if name == STDIN or not Path(name).is_dir():
            yield name
            continue
        found = sorted(path for path in Path(name).rglob("*") if path.suffix.lower() in SUFFIXES)
        if not found:
            raise InputError(
                "holds no sounds", where=name, rule=f"files ending in {', '.join(sorted(SUFFIXES))}"
            )
        yield from map(str, found)


def clip_piece(blocks: Iterable[Samples], *, shortest: int, longest: int, where: str) -> Piece:
    """The first `longest` samples of a recording as one piece.

    Raises
    ------
    AudioError
        Where they cannot be heard.
    """
    heard: list[Samples] = []
    size = 0
    for block in blocks:
        heard.append(block)
        size += block.size
        if size > longest:
            break
    samples = np.concatenate(heard) if heard else np.zeros(0, dtype=np.float32)
    clip = clip_of(
        samples, SAMPLE_RATE, seconds=longest / SAMPLE_RATE, min_samples=shortest, where=where
    )
    return Piece(0, clip.size, clip, more=size > longest)


def window_pieces(
    blocks: Iterable[Samples], windows: Windows, *, shortest: int, where: str
) -> Iterator[Piece]:
    """Each window of a recording as soon as it is there; the last one may be shorter.

    A silent window is a piece that cannot be heard; a last one shorter than `shortest` is left out,
    unless it is the only one.

    Raises
    ------
    AudioError
        Where the recording is empty, shorter than `shortest`, or holds no sound pressure.
    """
    held = np.zeros(0, dtype=np.float32)
    start = 0
    for block in blocks:
        held = np.concatenate([held, block])
        while held.size > windows.length:  # more follows: so this window is not the last one
            yield _piece(held[: windows.length], start, where)
            held, start = held[windows.hop :], start + windows.hop
    if start == 0 and held.size < shortest:
        clip_of(held, SAMPLE_RATE, seconds=1.0, min_samples=shortest, where=where)
    if held.size >= shortest:
        yield _piece(held, start, where)


def _piece(samples: Samples, start: int, where: str) -> Piece:
    end = start + samples.size
    seconds = samples.size / SAMPLE_RATE
    try:
        heard = clip_of(samples, SAMPLE_RATE, seconds=seconds, min_samples=1, where=where)
    except ClipError as error:
        if error.reason != "silent":
            raise
        return Piece(start, end, None, error.what)
    return Piece(start, end, heard)


def file_blocks(path: Path) -> Iterator[Samples]:
    """A file's samples, mono, at 16 kHz, block by block.

    Raises
    ------
    AudioError
        Where it cannot be opened or decoded.
    """
    with open_clip(path) as handle:
        try:
            with soundfile.SoundFile(handle.fileno(), closefd=False) as sound:
                _require_possible(sound.samplerate, sound.channels, str(path))
                yield from _resampled(_read(sound), sound.samplerate)
        except (soundfile.SoundFileError, TypeError, ValueError, OverflowError) as error:
            reason = getattr(error, "error_string", str(error))
            raise ClipError(
                "unreadable", f"cannot be decoded: {reason}", where=str(path)
            ) from error


def stream_blocks(
    stream: BinaryIO, sample_rate: int | None, where: str = "standard input"
) -> Iterator[Samples]:
    """Sound as it comes in, mono, at 16 kHz, block by block.

    Parameters
    ----------
    stream : binary file
        A WAV of integer samples, whatever length its header claims; or, with `sample_rate`, raw
        16-bit samples, little-endian, of one channel.
    sample_rate : int or None
        Of raw samples, in Hz; None for a WAV.
    where : str, optional
        What errors call it.

    Raises
    ------
    AudioError
        Where it is neither.
    """
    if sample_rate is not None:
        _require_possible(sample_rate, 1, where)
        yield from _resampled(_decoded(stream, sample_rate, 1, _BYTES), sample_rate)
        return
    try:
        with wave.open(cast("IO[bytes]", _Forward(stream)), "rb") as sound:
            rate, channels, width = sound.getframerate(), sound.getnchannels(), sound.getsampwidth()
            claimed = sound.getnframes() * channels * width
    except (wave.Error, EOFError) as error:
        raise AudioError(
            f"no WAV of integer samples ({error or 'it ends too early'})",
            where=where,
            remedy="give --sample-rate for raw 16-bit samples",
        ) from error
    _require_possible(rate, channels, where)
    # What writes a stream cannot know its length, and claims none or the most there can be.
    limit = claimed if 0 < claimed < _LONGEST_CLAIM else None
    yield from _resampled(_decoded(stream, rate, channels, width, limit), rate)


class _Forward(io.RawIOBase):
    """A stream that is read forwards, and never closed by whoever reads its header.

    The header's reader stops where the samples begin.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)


def _decoded(
    stream: BinaryIO, rate: int, channels: int, width: int, limit: int | None = None
) -> Iterator[Samples]:
    """Blocks of shape (frames, channels), of `limit` bytes at most; half a frame is left."""
    frame = channels * width
    size = max(1, round(_BLOCK_SECONDS * rate)) * frame
    while data := stream.read(size if limit is None else min(size, limit)):
        limit = None if limit is None else limit - len(data)
        whole = data[: len(data) // frame * frame]
        if whole:
            decoded, _ = soundfile.read(
                io.BytesIO(whole), dtype="float32", always_2d=True, samplerate=rate,
                channels=channels, format="RAW", subtype=_SUBTYPES[width], endian="LITTLE",
            )  # fmt: skip
            yield decoded


def _read(sound: soundfile.SoundFile) -> Iterator[Samples]:
    """Blocks of shape (frames, channels) to the end of a file."""
    frames = max(1, round(_BLOCK_SECONDS * sound.samplerate))
    while len(block := sound.read(frames, dtype="float32", always_2d=True)):
        yield block


def _resampled(blocks: Iterable[Samples], rate: int) -> Iterator[Samples]:
    """Blocks of shape (frames, channels) at `rate`, as mono ones at 16 kHz."""
    if rate == SAMPLE_RATE:
        yield from map(_mono, blocks)
        return
    resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="VHQ")
    for block in blocks:
        yield resampler.resample_chunk(_mono(block))
    yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def _mono(block: Samples) -> Samples:
    with np.errstate(invalid="ignore"):  # infinities of both signs: refused where it is heard
        mean: Samples = block.mean(axis=1, dtype=np.float64).astype(np.float32)
    return mean


def _require_possible(rate: int, channels: int, where: str) -> None:
    if not RATES[0] <= rate <= RATES[1]:
        raise ClipError("invalid", f"{rate} Hz", where=where, rule=f"{RATES[0]} to {RATES[1]} Hz")
    if channels > MOST_CHANNELS:
        raise ClipError(
            "invalid", f"{channels} channels", where=where, rule=f"at most {MOST_CHANNELS}"
        )
