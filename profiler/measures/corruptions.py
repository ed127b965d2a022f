"""What phones and rooms do to a clip, each kind a function of waveform, level and random numbers.

A waveform is a vector of float64 at 16 kHz. Whatever is random is drawn from the generator that
is given, which the clip's id and the kind determine (`generator`): the levels of one kind share
their draws and differ in strength alone. Nothing is cut to [-1, 1] but where that is the
corruption: ratios are exactly those asked for.

Kinds and levels follow Wagner et al., arXiv:2203.07378, and the stress tests published with it;
`docs/figures.md` says where one departs.
"""

from __future__ import annotations

import importlib
import io
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from scipy import signal

from profiler.corpora.audio import MIN_SAMPLES
from profiler.measures.statistics import Floats
from profiler.settings import SAMPLE_RATE
from profiles_db.errors import MissingExtraError

TONE_HZ: Final = (5000.0, 7000.0)
VOICES: Final = (4, 7)
"""The least and the most speakers of a babble."""
SEGMENT: Final = (0.1, 0.2)
"""The least and the largest share of the clip that is sped up."""
TELEPHONE_HZ: Final = (300.0, 3400.0)
"""The band of a telephone line (ITU-T G.712)."""
CODECS: Final[Mapping[int, str]] = {13: "GSM610", 64: "ULAW"}
"""Codecs by kbit/s: GSM 06.10 full rate of mobile calls, and G.711 mu-law of landlines."""
TILT_HZ: Final = (50.0, 1000.0)
"""A tilt leaves the second as it is, and treats what lies below the first as if it were there."""
REFLECTIONS_AFTER: Final = 0.0025
"""Seconds from the direct sound of a simulated room to the first that a wall sends back."""
_LINE_RATE: Final = 8000


def generator(clip: str, kind: str) -> np.random.Generator:
    """The random numbers of one kind of corruption of the clip with that id."""
    return np.random.default_rng([zlib.crc32(clip.encode()), zlib.crc32(kind.encode())])


def rms(wave: Floats) -> float:
    """Root mean square."""
    return float(np.sqrt(np.square(wave).mean()))


def mixed(wave: Floats, other: Floats, snr_db: float) -> Floats:
    """`wave` with `other`, equally long, at that signal-to-noise ratio over the whole clip.

    Examples
    --------
    >>> clip, noise = np.ones(4), np.array([1.0, -1.0, 1.0, -1.0])
    >>> mixed(clip, noise, 20.0).tolist()
    [1.1, 0.9, 1.1, 0.9]
    """
    return wave + other * (rms(wave) / rms(other) / 10 ** (snr_db / 20))


def looped(sound: Floats, length: int, rng: np.random.Generator) -> Floats:
    """`length` samples of a sound from a random place on, beginning again where it ends.

    Where they would be silent, they begin at the loudest sample instead.
    """
    start = int(rng.integers(len(sound)))
    found = _from(sound, start, length)
    return found if found.any() else _from(sound, int(np.abs(sound).argmax()), length)


def _from(sound: Floats, start: int, length: int) -> Floats:
    found: Floats = np.take(sound, np.arange(start, start + length), mode="wrap")
    return found


def babble(voices: Sequence[Floats], length: int, rng: np.random.Generator) -> Floats:
    """Voices at once, equally loud."""
    mixture: Floats = np.sum([looped(voice / rms(voice), length, rng) for voice in voices], axis=0)
    return mixture


def white_noise(wave: Floats, snr_db: float, rng: np.random.Generator) -> Floats:
    """Gaussian noise at that ratio."""
    return mixed(wave, rng.standard_normal(len(wave)), snr_db)


def tone(wave: Floats, snr_db: float, rng: np.random.Generator) -> Floats:
    """A sine between 5 and 7 kHz at that ratio."""
    frequency, phase = rng.uniform(*TONE_HZ), rng.uniform(0, 2 * np.pi)
    turns = frequency * np.arange(len(wave)) / SAMPLE_RATE
    return mixed(wave, np.sin(2 * np.pi * turns + phase), snr_db)


def gain(wave: Floats, level_db: float, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """Louder or quieter by so many dB."""
    return wave * 10 ** (level_db / 20)


def clipping(wave: Floats, share: float, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """The loudest samples, that share of all, held at the level of the loudest other."""
    loudness = np.sort(np.abs(wave))
    limit = loudness[max(0, len(wave) - 1 - round(share * len(wave)))]
    return np.clip(wave, -limit, limit)


def append(wave: Floats, samples: float, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """Silence behind the clip."""
    return np.concatenate([wave, np.zeros(int(samples))])


def prepend(wave: Floats, samples: float, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """Silence before the clip."""
    return np.concatenate([np.zeros(int(samples)), wave])


def crop_start(wave: Floats, samples: float, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """Without its first samples; 25 ms are always left."""
    return wave[max(0, min(int(samples), len(wave) - MIN_SAMPLES)) :]


def crop_end(wave: Floats, samples: float, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """Without its last samples; 25 ms are always left."""
    return wave[: max(len(wave) - int(samples), min(len(wave), MIN_SAMPLES))]


def high_pass(wave: Floats, cutoff: float, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """A first-order Butterworth filter, -3 dB at `cutoff` Hz."""
    return _filtered(wave, cutoff, "highpass")


def low_pass(wave: Floats, cutoff: float, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """A first-order Butterworth filter, -3 dB at `cutoff` Hz."""
    return _filtered(wave, cutoff, "lowpass")


def _filtered(wave: Floats, cutoff: float, kind: str) -> Floats:
    numerator, denominator = signal.butter(1, cutoff, kind, fs=SAMPLE_RATE)
    found: Floats = signal.lfilter(numerator, denominator, wave)
    return found


def telephone(wave: Floats, kbits: float, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """Over a telephone: 8 kHz, 300 to 3400 Hz, and a codec of that many kbit/s (`CODECS`).

    A clip that passes full scale is made quieter for the codec, and louder again behind it.
    """
    soxr, soundfile = _needed("soxr"), _needed("soundfile")
    narrow = soxr.resample(wave, SAMPLE_RATE, _LINE_RATE, quality="VHQ")
    sections = signal.butter(4, TELEPHONE_HZ, "bandpass", fs=_LINE_RATE, output="sos")
    line = signal.sosfilt(sections, narrow)
    scale = max(1.0, float(np.abs(line).max()))
    sent = io.BytesIO()
    soundfile.write(sent, line / scale, _LINE_RATE, format="WAV", subtype=CODECS[int(kbits)])
    sent.seek(0)
    heard, _ = soundfile.read(sent, dtype="float64")
    wide = soxr.resample(heard * scale, _LINE_RATE, SAMPLE_RATE, quality="VHQ")
    return _as_long(wide, len(wave))


def tilt(wave: Floats, slope: float, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """Louder (or quieter) by `slope` dB with each octave upwards, as loud on the whole as before.

    Without delay: each frequency is scaled, with silence around the clip so that nothing wraps.
    """
    silence = np.zeros(SAMPLE_RATE // 4)
    padded = np.concatenate([silence, wave, silence])
    frequencies = np.fft.rfftfreq(len(padded), 1 / SAMPLE_RATE)
    octaves = np.log2(np.maximum(frequencies, TILT_HZ[0]) / TILT_HZ[1])
    tilted = np.fft.irfft(np.fft.rfft(padded) * 10 ** (slope * octaves / 20), len(padded))
    return _as_loud(tilted[len(silence) : len(silence) + len(wave)], wave)


def reverberation(wave: Floats, seconds: float, rng: np.random.Generator) -> Floats:
    """In a simulated room that takes so many seconds to fall silent (by 60 dB)."""
    return reverberated(wave, room_response(seconds, rng))


def room_response(seconds: float, rng: np.random.Generator) -> Floats:
    """Impulse response of a room by its reverberation time alone.

    Polack's statistical model: the direct sound, then Gaussian noise whose energy falls by 60 dB in
    that time, as strong in all as the direct sound (a listener at the critical distance).
    """
    first = round(REFLECTIONS_AFTER * SAMPLE_RATE)
    time = np.arange(first, first + round(1.2 * seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    response = np.zeros(first + len(tail))
    response[0] = 1.0
    response[first:] = tail / np.sqrt(np.square(tail).sum())
    return response


def reverberated(wave: Floats, response: Floats) -> Floats:
    """In a room of that impulse response: as long and as loud as before, without its delay."""
    direct = int(np.abs(response).argmax())
    heard = signal.fftconvolve(wave, response[direct:])[: len(wave)]
    return _as_loud(heard, wave)


def speed_up(wave: Floats, factor: float, rng: np.random.Generator) -> Floats:
    """A random 10 to 20 % of the clip, played faster by that factor (and so higher)."""
    length = round(rng.uniform(*SEGMENT) * len(wave))
    start = int(rng.integers(len(wave) - length + 1))
    soxr = _needed("soxr")
    fast = soxr.resample(
        wave[start : start + length], factor * SAMPLE_RATE, SAMPLE_RATE, quality="VHQ"
    )
    return np.concatenate([wave[:start], fast, wave[start + length :]])


def fade(wave: Floats, rate: float, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """In (`rate` above 0) or out, by that share of full loudness per second."""
    time = np.arange(len(wave)) / SAMPLE_RATE
    passed = time if rate < 0 else time[::-1]
    return wave * np.maximum(0.0, 1 - abs(rate) * passed)


ALONE: Final[Mapping[str, Callable[[Floats, float, np.random.Generator], Floats]]] = {
    one.__name__: one
    for one in (
        white_noise, tone, gain, clipping, append, prepend, crop_start, crop_end, high_pass,
        low_pass, telephone, tilt, reverberation, speed_up, fade,
    )
}  # fmt: skip
"""The kinds that need no other sound than the clip."""


def _as_loud(wave: Floats, as_this: Floats) -> Floats:
    level = rms(wave)
    return wave * (rms(as_this) / level) if level > 0 else wave


def _as_long(wave: Floats, length: int) -> Floats:
    return np.pad(wave[:length], (0, max(0, length - len(wave))))


def _needed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"corrupting audio needs {name}, not installed here",
            remedy='install it with: pip install "trustser[profile]"',
        ) from error
