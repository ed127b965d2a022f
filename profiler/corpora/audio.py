"""The audio door: from a file to the samples that a backbone hears, or a reason why not.

Decoding by libsndfile, resampling by soxr at its best quality. What a header claims is never
trusted with memory: frames are read in small blocks, and no more of them than the clip needs.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import os
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from profiler.settings import SAMPLE_RATE
from profiles_db.errors import AudioError, MissingExtraError
from profiles_db.files import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_SAMPLES: Final = 400
"""25 ms at 16 kHz, one analysis frame: nothing shorter has a spectrum to speak of."""
RATES: Final = (1_000, 768_000)
MOST_CHANNELS: Final = 64
LARGEST_SAMPLE: Final = 16.0
"""Floating-point files may pass full scale (1.0) a little; beyond this they are not scaled."""
_MARGIN_SECONDS: Final = 0.5
"""Read past the cut, so that the resampling filter sees the same samples as in the whole clip."""
_BLOCK_FRAMES: Final = 16_384
_FULL_SCALE: Final = 1.0 - 2.0**-7
"""Samples at or over the largest value of an 8-bit file count as clipped."""

QUIETEST: Final = 2.0**-23
"""Peak to peak, one step of a 24-bit file: what stays below it is silence."""

Samples = NDArray[np.float32]
Reason = Literal["missing", "unreadable", "empty", "short", "invalid", "silent"]
"""Why a clip cannot be used: not there, not to be opened or decoded, without samples, shorter than
a backbone needs, holding samples that are no sound pressure, or without any sound."""


class ClipError(AudioError):
    """An `AudioError` that says which kind of fault it is, for those who count them."""

    def __init__(self, reason: Reason, what: str, *, where: str, rule: str | None = None) -> None:
        self.reason: Reason = reason
        super().__init__(what, where=where, rule=rule)


@dataclass(frozen=True, slots=True)
class Clip:
    """The part of a file that a backbone hears, and what its header and samples say.

    `samples` is float32 mono at the rate asked for. `duration` is of the whole file in seconds
    as its header gives it. `peak` is of the file's own samples, all channels, over the part read;
    `clipped` the share of frames with a channel at full scale.
    """

    samples: Samples
    duration: float
    rate: int
    channels: int
    peak: float
    clipped: float


def load_clip(
    path: Path,
    *,
    seconds: float,
    sample_rate: int = SAMPLE_RATE,
    min_samples: int = MIN_SAMPLES,
) -> Samples:
    """The first `seconds` of a file as a backbone hears them.

    Channels are averaged, then resampled by soxr (VHQ), then cut: equal, bit by bit, to decoding
    and resampling the whole file and cutting it afterwards.

    Parameters
    ----------
    path : Path
        Any file libsndfile decodes, whatever its extension says.
    seconds : float
        Greater than 0.
    sample_rate : int, optional
        Of the result, in Hz.
    min_samples : int, optional
        Shortest acceptable result, in samples at `sample_rate`.

    Returns
    -------
    ndarray of float32, shape (samples,), nominally in [-1, 1]
        At most ``round(seconds * sample_rate)`` samples.

    Raises
    ------
    AudioError
        With the reason: not a readable file, undecodable, empty, too short, holding NaN or
        infinite samples, not scaled to [-1, 1], or silent (zeros or a constant level).
    """
    return read_clip(
        path, seconds=seconds, sample_rate=sample_rate, min_samples=min_samples
    ).samples


def read_clip(
    path: Path,
    *,
    seconds: float,
    sample_rate: int = SAMPLE_RATE,
    min_samples: int = MIN_SAMPLES,
) -> Clip:
    """As `load_clip`, with what the file says of itself; the same errors."""
    with open_clip(path) as handle:
        clip = _decode(handle, str(path), seconds)
    wanted = round(seconds * sample_rate)
    samples = _resample(clip.samples, clip.rate, sample_rate)[:wanted]
    _require_length(samples, sample_rate, min_samples, str(path))
    _require_sound(clip.samples[: math.ceil(seconds * clip.rate)], str(path))
    return Clip(samples, clip.duration, clip.rate, clip.channels, clip.peak, clip.clipped)


def clip_of(
    samples: Samples,
    rate: int,
    *,
    seconds: float,
    sample_rate: int = SAMPLE_RATE,
    min_samples: int = MIN_SAMPLES,
    where: str,
) -> Samples:
    """The first `seconds` of samples at hand, as `load_clip` gives those of a file.

    Parameters
    ----------
    samples : ndarray of float32, shape (samples,), nominally in [-1, 1]
    rate : int
        Their rate in Hz.
    seconds, sample_rate, min_samples
        As in `load_clip`.
    where : str
        What errors call it.

    Raises
    ------
    AudioError
        As `load_clip`.

    Examples
    --------
    >>> tone = np.sin(np.arange(8_000, dtype=np.float32) / 10)
    >>> clip_of(tone, 8_000, seconds=0.5, where="tone").shape
    (8000,)
    """
    _require_rate(rate, where)
    if not samples.size:
        raise ClipError("empty", "no samples", where=where, rule="at least one")
    used = samples[: math.ceil((seconds + _MARGIN_SECONDS) * rate)]
    _require_finite(used, where)
    _require_scaled(float(np.abs(used).max()), where)
    cut = _resample(used, rate, sample_rate)[: round(seconds * sample_rate)]
    _require_length(cut, sample_rate, min_samples, where)
    _require_sound(used[: math.ceil(seconds * rate)], where)
    return cut


def audio_digest(samples: Samples) -> str:
    """Name of a clip by what the backbone hears: ``sha256:`` over its samples.

    Parameters
    ----------
    samples : ndarray of float32, shape (samples,)

    Examples
    --------
    >>> audio_digest(np.zeros(3, dtype=np.float32))[:21]
    'sha256:15ec7bf0b50732'
    """
    return f"sha256:{hashlib.sha256(samples.astype('<f4', copy=False).tobytes()).hexdigest()}"


def file_digest(path: Path) -> str:
    """``sha256:`` over the bytes of a file; AudioError where it cannot be read."""
    with open_clip(path) as handle:
        return f"sha256:{hashlib.file_digest(handle, 'sha256').hexdigest()}"


def open_clip(path: Path) -> BufferedReader:
    """Open a regular file; pipes, devices, folders and symlink loops are AudioErrors."""
    try:
        return open_regular(path)
    except OSError as error:
        kind: Reason = "missing" if isinstance(error, FileNotFoundError) else "unreadable"
        text = error.strerror or str(error)
        raise ClipError(kind, f"cannot be opened: {text}", where=str(path)) from error


def _decode(handle: BufferedReader, where: str, seconds: float) -> Clip:
    """Mono samples of the first `seconds` and a margin, at the file's own rate."""
    soundfile = _optional("soundfile")
    if os.fstat(handle.fileno()).st_size == 0:
        raise ClipError("empty", "empty file", where=where)
    try:
        with soundfile.SoundFile(handle.fileno(), closefd=False) as sound:
            return _read(sound, where, seconds)
    except (soundfile.SoundFileError, TypeError, ValueError, OverflowError) as error:
        reason = getattr(error, "error_string", str(error))
        raise ClipError("unreadable", f"cannot be decoded: {reason}", where=where) from error


def _read(sound: Any, where: str, seconds: float) -> Clip:
    rate, channels, frames = sound.samplerate, sound.channels, sound.frames
    _require_rate(rate, where)
    if channels > MOST_CHANNELS:
        raise ClipError(
            "invalid", f"{channels} channels", where=where, rule=f"at most {MOST_CHANNELS}"
        )
    mono, peak, clipped = [], 0.0, 0
    for block in _blocks(sound, math.ceil((seconds + _MARGIN_SECONDS) * rate)):
        largest = np.abs(block).max(axis=1)
        peak = max(peak, float(largest.max()))
        clipped += int((largest >= _FULL_SCALE).sum())
        with np.errstate(invalid="ignore"):  # infinities of both signs: refused below
            mono.append(block.mean(axis=1, dtype=np.float64).astype(np.float32))
    if not mono:
        raise ClipError("empty", "no samples", where=where, rule="at least one")
    samples = np.concatenate(mono)
    _require_finite(samples, where)
    _require_scaled(peak, where)
    duration = max(frames, samples.size) / rate
    return Clip(samples, duration, rate, channels, peak, clipped / samples.size)


def _blocks(sound: Any, limit: int) -> Iterator[NDArray[np.float32]]:
    """Blocks of shape (frames, channels) up to `limit` frames, so that no header sizes a buffer."""
    buffer = np.empty((_BLOCK_FRAMES, sound.channels), dtype=np.float32)
    while limit > 0:
        block = sound.read(out=buffer[: min(limit, _BLOCK_FRAMES)])
        if not len(block):
            return
        yield block
        limit -= len(block)


def _require_rate(rate: int, where: str) -> None:
    if not RATES[0] <= rate <= RATES[1]:
        raise ClipError("invalid", f"{rate} Hz", where=where, rule=f"{RATES[0]} to {RATES[1]} Hz")


def _require_scaled(peak: float, where: str) -> None:
    if not peak <= LARGEST_SAMPLE:
        raise ClipError(
            "invalid", f"samples up to {peak:.3g}", where=where, rule="scaled to [-1, 1]"
        )


def _require_length(samples: Samples, rate: int, least: int, where: str) -> None:
    if samples.size < least:
        raise ClipError(
            "short", f"{samples.size} samples at {rate} Hz", where=where, rule=f"at least {least}"
        )


def _require_finite(samples: Samples, where: str) -> None:
    wrong = samples.size - int(np.isfinite(samples).sum())
    if wrong:
        raise ClipError(
            "invalid", f"{wrong} of {samples.size} samples are NaN or infinite", where=where
        )


def _require_sound(samples: Samples, where: str) -> None:
    if float(np.ptp(samples)) < QUIETEST:
        level = float(np.abs(samples).max())
        kind = "all samples are zero" if level < QUIETEST else f"a constant level ({level:.3g})"
        raise ClipError("silent", f"silent: {kind}", where=where)


def _resample(samples: Samples, rate: int, wanted: int) -> Samples:
    if rate == wanted:
        return samples
    soxr = _optional("soxr")
    return np.asarray(soxr.resample(samples, rate, wanted, quality="VHQ"), dtype=np.float32)


def _optional(name: str) -> Any:
    """A module that only opening clips needs: metadata can be read without it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"opening audio needs {name}, not installed here",
            remedy='install it with: pip install "trustser[profile]"',
        ) from error
