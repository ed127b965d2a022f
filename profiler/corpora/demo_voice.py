"""Synthetic speech for the demo corpus: a source-filter voice, from a seed to 16-bit samples.

Glottal pulses at a jittered pitch, and noise for consonants and breath, pass through four
formant resonators that move from vowel to vowel (Fant, Acoustic Theory of Speech Production,
1960; formants after Peterson & Barney, 1952). Emotion styles differ in pitch level and range,
rate, loudness and spectral tilt, the cues Scherer (2003, Speech Communication 40) lists, and they
overlap from clip to clip and from speaker to speaker.

Samples are rounded to 16 bits at the end, so that last-bit differences between machines'
mathematics vanish.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from profiler.corpora.base import Gender

Floats = NDArray[np.float64]


class Draws:
    """Numbers made from the raw words of PCG64 alone.

    Examples
    --------
    >>> Draws(0, 1).uniform(0, 1, 2) == Draws(0, 1).uniform(0, 1, 2)
    array([ True,  True])
    """

    def __init__(self, *seed: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seed))

    def uniform(self, low: float, high: float, size: int) -> Floats:
        """`size` numbers in [low, high), with 53 random bits each."""
        words = np.asarray(self._bits.random_raw(size), dtype=np.uint64) >> np.uint64(11)
        return low + (high - low) * (words.astype(np.float64) * 2.0**-53)

    def one(self, low: float, high: float) -> float:
        """One number in [low, high)."""
        return float(self.uniform(low, high, 1)[0])

    def spread(self, width: float) -> float:
        """One number around 0 in (-width, width), triangular: the middle is likelier."""
        return float(self.uniform(-width / 2, width / 2, 2).sum())


SAMPLE_RATE: Final = 16_000
HOP: Final = 80
"""Samples between control frames: 5 ms."""
WINDOW: Final = 512
"""Length of a pulse's response: 32 ms, in which the narrowest formant decays by 50 dB."""
LEAD: Final = 64
"""Samples of a response before its pulse: the tilt filter has no phase."""

SILENCE: Final = 0.12
"""Seconds before the first and after the last syllable."""
PAUSES: Final = 0.12
"""Share of the syllables that a pause precedes."""
PITCHES: Final = (60.0, 420.0)

Samples = NDArray[np.int16]
Style = Literal["neutral", "happy", "sad", "angry"]

_VOWELS: Final = np.array(  # F1, F2, F3 in Hz of a grown man: i, e, a, o, u, ae, er
    [
        [270, 2290, 3010],
        [530, 1840, 2480],
        [730, 1090, 2440],
        [570, 840, 2410],
        [300, 870, 2240],
        [660, 1720, 2410],
        [490, 1350, 1690],
    ],
    dtype=np.float64,
)
_FOURTH_FORMANT: Final = 3500.0
_BANDWIDTHS: Final = np.array([70.0, 100.0, 150.0, 220.0])
_FREQUENCIES: Final = np.arange(WINDOW // 2 + 1) * (SAMPLE_RATE / WINDOW)
_UNIT_CIRCLE: Final = np.exp(-2j * np.pi * np.arange(WINDOW // 2 + 1) / WINDOW)


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaker: pitch in Hz, formants as a multiple of a man's, and habits.

    `level` is in dB, `tilt` in dB per octave, `rate` in syllables as a multiple of the usual;
    `expression` scales how far an emotion style moves this speaker.
    """

    pitch: float
    tract: float
    level: float
    tilt: float
    rate: float
    expression: float
    breath: float


@dataclass(frozen=True, slots=True)
class Manner:
    """How a clip is spoken, against the speaker's own neutral.

    `pitch` and `span` are in semitones (level, and extent of the melody), `rate` a log-ratio,
    `level` in dB, `tilt` in dB per octave (positive: brighter).
    """

    pitch: float
    span: float
    rate: float
    level: float
    tilt: float


_STYLES: Final[dict[Style, Manner]] = {
    "neutral": Manner(pitch=0.0, span=2.0, rate=0.0, level=0.0, tilt=0.0),
    "happy": Manner(pitch=4.5, span=7.0, rate=0.12, level=3.0, tilt=1.0),
    "sad": Manner(pitch=-2.0, span=1.0, rate=-0.32, level=-5.0, tilt=-3.0),
    "angry": Manner(pitch=2.5, span=3.0, rate=0.25, level=7.0, tilt=3.5),
}
STYLES: Final[tuple[Style, ...]] = tuple(_STYLES)


def voice_of(seed: int, speaker: int, gender: Gender) -> Voice:
    """The voice of one speaker; the genders' pitches and vocal tracts overlap."""
    draws = Draws(seed, speaker)
    male = gender == "male"
    return Voice(
        pitch=(118.0 if male else 208.0) * 2 ** (draws.spread(5.0) / 12),
        tract=(1.0 if male else 1.18) * (1 + draws.spread(0.06)),
        level=draws.spread(3.0),
        tilt=draws.spread(1.6),
        rate=1 + draws.spread(0.2),
        expression=1 + draws.spread(0.4),
        breath=draws.one(0.01, 0.06),
    )


def speak(seed: int, speaker: int, voice: Voice, style: Style, take: int) -> Samples:
    """One clip of about 0.7 to 3.5 s.

    Returns
    -------
    ndarray of int16, shape (samples,), at 16 kHz
    """
    draws = Draws(seed, speaker, STYLES.index(style), take)
    manner = _perform(draws, _STYLES[style], voice)
    score = _write_score(_write_syllables(draws, voice, manner), voice, manner)
    sound = _voiced(draws, score, manner.tilt + voice.tilt) + _noisy(draws, score, voice)
    return _record(draws, sound, voice.level + manner.level)


def _perform(draws: Draws, style: Manner, voice: Voice) -> Manner:
    """The style as this speaker manages it in this take."""
    strength = voice.expression * draws.one(0.8, 1.3)
    neutral = _STYLES["neutral"]
    return Manner(
        pitch=strength * style.pitch + draws.spread(1.5),
        span=max(0.5, neutral.span + strength * (style.span - neutral.span) + draws.spread(0.8)),
        rate=strength * style.rate + draws.spread(0.12),
        level=strength * style.level + draws.spread(2.5),
        tilt=strength * style.tilt + draws.spread(1.2),
    )


@dataclass(frozen=True, slots=True)
class _Score:
    """Control frames, one every 5 ms: pitch (Hz), formants (Hz), loudness of voice and hiss."""

    pitch: Floats
    formants: Floats
    voice: Floats
    hiss: Floats


@dataclass(frozen=True, slots=True)
class _Syllable:
    """A consonant of noise from `onset`, then a vowel from `start` to `stop` (seconds)."""

    onset: float
    start: float
    stop: float
    vowel: Floats
    semitones: float
    loudness: float
    hiss: float


def _write_syllables(draws: Draws, voice: Voice, manner: Manner) -> list[_Syllable]:
    """Four to six syllables with pauses here and there, on a falling melody."""
    count = int(draws.one(4, 7))
    speed = voice.rate * math.exp(manner.rate)
    syllables: list[_Syllable] = []
    end = SILENCE
    for number in range(count):
        pause = draws.one(0.1, 0.3) if number and draws.one(0, 1) < PAUSES else 0.0
        onset = end + pause / speed
        start = onset + draws.one(0.03, 0.09) / speed
        end = start + draws.one(0.10, 0.24) / speed
        syllables.append(
            _Syllable(
                onset=onset,
                start=start,
                stop=end,
                vowel=_VOWELS[int(draws.one(0, len(_VOWELS)))],
                semitones=manner.span * (draws.spread(2.0) - 0.8 * number / count),
                loudness=10 ** (draws.spread(5.0) / 20),
                hiss=draws.one(0.02, 0.25),
            )
        )
    return syllables


def _write_score(syllables: Sequence[_Syllable], voice: Voice, manner: Manner) -> _Score:
    """The control frames of syllables: trapezoids of loudness, gliding formants and pitch."""
    starts: Floats = np.array([syllable.start for syllable in syllables])
    stops: Floats = np.array([syllable.stop for syllable in syllables])
    middles: Floats = (starts + stops) / 2
    count = round((syllables[-1].stop + SILENCE) * SAMPLE_RATE / HOP)
    frames: Floats = np.arange(count, dtype=np.float64) * (HOP / SAMPLE_RATE)
    melody = np.interp(frames, middles, np.array([syllable.semitones for syllable in syllables]))
    loudness = np.array([syllable.loudness for syllable in syllables])
    onsets: Floats = np.array([syllable.onset for syllable in syllables])
    hiss = np.array([syllable.hiss for syllable in syllables])
    return _Score(
        pitch=np.clip(voice.pitch * 2 ** ((manner.pitch + melody) / 12), *PITCHES),
        formants=voice.tract * _glide(frames, middles, np.array([s.vowel for s in syllables])),
        voice=_envelope(frames, starts, stops, loudness),
        hiss=_envelope(frames, onsets, starts, hiss),
    )


def _glide(frames: Floats, middles: Floats, vowels: Floats) -> Floats:
    """Formants, shape (frames, 4), that glide from each vowel's middle to the next one's."""
    moving = [np.interp(frames, middles, vowels[:, index]) for index in range(3)]
    return np.stack([*moving, np.full(frames.size, _FOURTH_FORMANT)], axis=1)


def _envelope(frames: Floats, starts: Floats, stops: Floats, heights: Floats) -> Floats:
    """Sum of trapezoids with 20 ms flanks, one for each start, stop and height."""
    rise = np.clip((frames[:, None] - starts + 0.01) / 0.02, 0.0, 1.0)
    fall = np.clip((stops + 0.01 - frames[:, None]) / 0.02, 0.0, 1.0)
    return np.asarray((np.minimum(rise, fall) * heights).sum(axis=1))


def _voiced(draws: Draws, score: _Score, tilt: float) -> Floats:
    """Glottal pulses, each with the response of the vocal tract at its moment."""
    sound = np.zeros(score.pitch.size * HOP + WINDOW)
    jitter = draws.uniform(-0.02, 0.02, 2 * score.pitch.size + 8)
    starts: list[int] = []
    moment, number = 0.0, 0
    while (frame := int(moment) // HOP) < score.pitch.size:
        if score.voice[frame] > 0:
            starts.append(int(moment))
        moment += SAMPLE_RATE / score.pitch[frame] * (1 + jitter[number % jitter.size])
        number += 1
    frames, which = np.unique(np.array(starts, dtype=np.int64) // HOP, return_inverse=True)
    responses = _responses(score.formants[frames], tilt) * score.voice[frames, None]
    for start, index in zip(starts, which, strict=True):
        sound[start : start + WINDOW] += responses[index]
    return sound


def _responses(formants: Floats, tilt: float) -> Floats:
    """Impulse responses, shape (frames, WINDOW), of the formants with a spectral tilt.

    Each is a cascade of second-order resonators of unit gain at 0 Hz, evaluated on the unit
    circle, times a slope of ``tilt - 6`` dB per octave above 300 Hz for glottis and lips.
    """
    radius = np.exp(-np.pi * _BANDWIDTHS / SAMPLE_RATE)
    real = -2 * radius * np.cos(2 * np.pi * formants / SAMPLE_RATE)
    spectrum = np.ones((len(formants), _FREQUENCIES.size), dtype=np.complex128)
    for index in range(formants.shape[1]):
        first, second = real[:, index, None], radius[index] ** 2
        spectrum *= (1 + first + second) / (1 + first * _UNIT_CIRCLE + second * _UNIT_CIRCLE**2)
    slope = (1 + (_FREQUENCIES / 300.0) ** 2) ** ((tilt - 6.0) / 12.04)
    slope[0] = 0.0  # no constant level
    response = np.fft.irfft(spectrum * slope, n=WINDOW, axis=1)
    return np.asarray(np.roll(response, LEAD, axis=1) * np.hanning(WINDOW + 1)[:WINDOW] ** 0.25)


def _noisy(draws: Draws, score: _Score, voice: Voice) -> Floats:
    """Hiss of the consonants (above 2.5 kHz) and breath, one overlapping frame after the other."""
    frames = score.hiss.size
    white = draws.uniform(-1.0, 1.0, frames * HOP + WINDOW)
    window = np.hanning(2 * HOP + 1)[: 2 * HOP]
    high = 1 / (1 + (2500.0 / np.maximum(_FREQUENCIES, 1.0)) ** 4)
    gains = score.hiss[:, None] * high + voice.breath * score.voice[:, None] * (0.2 + 0.3 * high)
    pieces = np.lib.stride_tricks.sliding_window_view(white, 2 * HOP)[::HOP][:frames] * window
    shaped = np.fft.irfft(np.fft.rfft(pieces, n=WINDOW, axis=1) * gains, n=WINDOW, axis=1)
    sound = np.zeros(frames * HOP + WINDOW)
    for frame, piece in enumerate(shaped):
        sound[frame * HOP : frame * HOP + WINDOW] += piece
    return sound


def _record(draws: Draws, sound: Floats, level: float) -> Samples:
    """Set the loudness (about -26 dB of full scale), add the room's noise, round to 16 bits."""
    sound = sound[: sound.size - WINDOW]
    scale = 10 ** ((level - 26.0) / 20) / np.sqrt(np.mean(sound**2))
    room = 10 ** (draws.one(-62.0, -48.0) / 20) * draws.uniform(-1.7, 1.7, sound.size)
    mixed = np.clip(scale * sound + room, -0.99, 0.99)
    return np.asarray(np.rint(mixed * 32767), dtype=np.int16)
