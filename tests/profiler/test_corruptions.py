"""Corruptions against their definitions: ratios, filters, closed forms, lengths, draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from profiler.corpora.audio import MIN_SAMPLES, load_clip
from profiler.measures import corruptions
from profiler.measures.robustness import RobustnessSettings
from profiler.measures.statistics import Floats
from profiler.settings import SAMPLE_RATE

RATE = SAMPLE_RATE
CONDITIONS = [
    (kind, level)
    for kind, level in RobustnessSettings().conditions
    if level is not None and kind in corruptions.ALONE
]


def _clip(seconds: float = 2.0, seed: int = 0) -> Floats:
    """Noise whose loudness rises and falls, as in speech, with silence at both ends."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(time))
    loud: Floats = np.sin(np.pi * time / seconds) ** 2 * (1.2 + np.sin(20 * time))
    return 0.1 * noise * loud


def _corrupted(kind: str, level: float, wave: Floats, clip: str = "a") -> Floats:
    return corruptions.ALONE[kind](wave, level, corruptions.generator(clip, kind))


def _ratio_db(wave: Floats, changed: Floats) -> float:
    return float(10 * np.log10(np.square(wave).sum() / np.square(changed - wave).sum()))


def _response_db(kind: str, level: float, frequency: float) -> float:
    """What a corruption does to a sine of that frequency, away from its ends, in dB."""
    time = np.arange(2 * RATE) / RATE
    sine = 0.1 * np.sin(2 * np.pi * frequency * time)
    heard = _corrupted(kind, level, sine)
    middle = slice(RATE // 2, -RATE // 2)
    turn = np.exp(-2j * np.pi * frequency * time[middle])
    kept = abs(turn @ heard[middle]) / abs(turn @ sine[middle])
    return float(20 * np.log10(max(kept, 1e-9)))


@given(snr=st.floats(-20, 100), seed=st.integers(0, 99), loud=st.floats(1e-4, 10))
def test_a_mix_has_the_ratio_that_was_asked_for(snr: float, seed: int, loud: float) -> None:
    wave, other = _clip(0.2, seed), loud * np.random.default_rng(seed + 1).standard_normal(3200)
    assert _ratio_db(wave, corruptions.mixed(wave, other, snr)) == pytest.approx(snr, abs=1e-3)


@pytest.mark.parametrize("level", [0.0, 20.0, 45.0])
@pytest.mark.parametrize("kind", ["white_noise", "tone"])
def test_noise_and_tones_have_their_ratio(kind: str, level: float) -> None:
    wave = _clip()
    assert _ratio_db(wave, _corrupted(kind, level, wave)) == pytest.approx(level, abs=1e-6)


def test_a_tone_is_one_line_between_5_and_7_khz_another_for_each_clip() -> None:
    wave, found = _clip(), []
    for clip in "abcdef":
        added = _corrupted("tone", 20.0, wave, clip) - wave
        power = np.abs(np.fft.rfft(added * np.hanning(len(added)))) ** 2
        line = int(power.argmax())
        assert power[line - 3 : line + 4].sum() > 0.999 * power.sum()
        found.append(line * RATE / len(wave))
    assert all(5000 <= frequency <= 7000 for frequency in found)
    assert len(set(found)) == len(found)


def test_white_noise_is_as_strong_in_every_octave_by_its_width() -> None:
    wave = _clip(6.0)
    noise = _corrupted("white_noise", 20.0, wave) - wave
    frequencies, power = signal.welch(noise, RATE, nperseg=512)
    low, high = (power[(frequencies > a) & (frequencies < b)].mean() for a, b in
                 ((100, 4000), (4000, 7900)))  # fmt: skip
    assert low / high == pytest.approx(1, abs=0.05)


@given(level=st.floats(-60, 60))
def test_gain_is_a_factor(level: float) -> None:
    wave = _clip(0.1)
    np.testing.assert_allclose(_corrupted("gain", level, wave), wave * 10 ** (level / 20))


@given(share=st.floats(0.001, 0.5), seed=st.integers(0, 99))
def test_clipping_changes_that_share_of_the_samples_and_no_other(share: float, seed: int) -> None:
    wave = _clip(0.5, seed)
    heard = _corrupted("clipping", share, wave)
    changed = heard != wave
    assert changed.sum() == round(share * len(wave))
    limit = np.abs(wave[~changed]).max()
    np.testing.assert_array_equal(np.abs(heard[changed]), limit)
    np.testing.assert_array_equal(np.sign(heard), np.sign(wave))


@given(samples=st.integers(1, 5000), length=st.integers(MIN_SAMPLES, 6000))
def test_crops_and_silence_have_their_lengths(samples: int, length: int) -> None:
    wave = np.random.default_rng(length).standard_normal(length)
    left = max(MIN_SAMPLES, length - samples)
    np.testing.assert_array_equal(_corrupted("crop_start", samples, wave), wave[-left:])
    np.testing.assert_array_equal(_corrupted("crop_end", samples, wave), wave[:left])
    behind, before = (_corrupted(kind, samples, wave) for kind in ("append", "prepend"))
    assert len(behind) == len(before) == length + samples
    np.testing.assert_array_equal(behind[:length], wave)
    np.testing.assert_array_equal(before[-length:], wave)
    assert not behind[length:].any()
    assert not before[:samples].any()


@pytest.mark.parametrize("frequency", [50.0, 150.0, 1000.0, 6500.0])
@pytest.mark.parametrize(
    ("kind", "cutoff"), [("high_pass", 50.0), ("high_pass", 150.0), ("low_pass", 6500.0)]
)
def test_filters_respond_as_first_order_ones_do(kind: str, cutoff: float, frequency: float) -> None:
    """The closed form of a bilinear first-order Butterworth filter."""
    warped = np.tan(np.pi * frequency / RATE) / np.tan(np.pi * cutoff / RATE)
    power = 1 / (1 + warped**2) if kind == "low_pass" else warped**2 / (1 + warped**2)
    assert _response_db(kind, cutoff, frequency) == pytest.approx(10 * np.log10(power), abs=0.02)


def test_filters_halve_the_power_at_their_frequency() -> None:
    assert _response_db("high_pass", 100.0, 100.0) == pytest.approx(-3.01, abs=0.02)
    assert _response_db("low_pass", 7000.0, 7000.0) == pytest.approx(-3.01, abs=0.02)


@pytest.mark.parametrize("kbits", [13.0, 64.0])
def test_a_telephone_lets_its_band_through_and_nothing_else(kbits: float) -> None:
    for frequency in (500.0, 1000.0, 2000.0):
        assert _response_db("telephone", kbits, frequency) == pytest.approx(0, abs=1.5)
    for frequency in (60.0, 5000.0, 7000.0):
        assert _response_db("telephone", kbits, frequency) < -30


def test_codecs_add_the_noise_that_they_are_known_for() -> None:
    """G.711 has some 38 dB of signal to quantisation noise for a sine; of noise, GSM full rate
    keeps little more than the spectrum."""
    time = np.arange(2 * RATE) / RATE
    heard = _corrupted("telephone", 64.0, 0.3 * np.sin(2 * np.pi * 1020 * time))
    middle = slice(RATE // 2, -RATE // 2)
    turns = 2 * np.pi * 1020 * time[middle]
    basis = np.stack([np.sin(turns), np.cos(turns)], axis=1)
    fit = basis @ np.linalg.lstsq(basis, heard[middle], rcond=None)[0]
    assert 33 < _ratio_db(fit, heard[middle]) < 42
    landline, mobile = (_corrupted("telephone", kbits, _clip()) for kbits in (64.0, 13.0))
    assert 0 < _ratio_db(landline, mobile) < 12


def test_a_telephone_keeps_time_and_loud_clips_their_level() -> None:
    wave = 3 * _clip()
    heard = _corrupted("telephone", 64.0, wave)
    assert len(heard) == len(wave)
    band = signal.sosfiltfilt(
        signal.butter(4, [500, 3000], "bandpass", fs=RATE, output="sos"), wave
    )
    lag = signal.correlate(heard, band).argmax() - (len(wave) - 1)
    assert abs(lag) < RATE / 1000
    assert corruptions.rms(heard) == pytest.approx(corruptions.rms(band), rel=0.3)


@pytest.mark.parametrize("slope", [-3.0, 3.0, 6.0])
def test_a_tilt_is_a_straight_line_over_octaves(slope: float) -> None:
    wave = _clip()
    heard = _corrupted("tilt", slope, wave)
    before, after = (signal.welch(x, RATE, nperseg=2048)[1] for x in (wave, heard))
    frequencies = np.fft.rfftfreq(2048, 1 / RATE)
    chosen = (frequencies > 200) & (frequencies < 7000)
    found = np.polyfit(
        np.log2(frequencies[chosen]), 10 * np.log10(after[chosen] / before[chosen]), 1
    )
    assert found[0] == pytest.approx(slope, abs=0.05)
    assert corruptions.rms(heard) == pytest.approx(corruptions.rms(wave))


@pytest.mark.parametrize("seconds", [0.3, 0.6, 1.0])
def test_a_simulated_room_falls_silent_in_its_time(seconds: float) -> None:
    """Schroeder's backward integration from -5 to -35 dB, mean over rooms (ISO 3382)."""
    found = []
    for seed in range(20):
        response = corruptions.room_response(seconds, np.random.default_rng(seed))
        energy = np.cumsum(np.square(response[40:])[::-1])[::-1]
        decay = 10 * np.log10(energy / energy[0])
        time = np.arange(len(decay)) / RATE
        chosen = (decay < -5) & (decay > -35)
        found.append(-60 / np.polyfit(time[chosen], decay[chosen], 1)[0])
        assert np.square(response[1:]).sum() == pytest.approx(response[0] ** 2)
    assert np.mean(found) == pytest.approx(seconds, rel=0.03)


def test_a_room_without_walls_changes_nothing_whatever_its_delay() -> None:
    wave, response = _clip(), np.zeros(500)
    response[123] = -0.2
    heard = corruptions.reverberated(wave, response)
    np.testing.assert_allclose(heard, -wave, atol=1e-12)


def test_an_echo_is_heard_once() -> None:
    wave, response = _clip(), np.zeros(2000)
    response[0], response[1600] = 1.0, 0.5
    heard = corruptions.reverberated(wave, response)
    expected = wave.copy()
    expected[1600:] += 0.5 * wave[:-1600]
    expected *= corruptions.rms(wave) / corruptions.rms(expected)
    np.testing.assert_allclose(heard, expected, atol=1e-12)


@given(factor=st.floats(1.05, 3), clip=st.text(max_size=5))
def test_what_is_sped_up_is_a_tenth_to_a_fifth_of_the_clip(factor: float, clip: str) -> None:
    wave = _clip(1.0)
    heard = _corrupted("speed_up", factor, wave, clip)
    shorter = (len(wave) - len(heard)) / (1 - 1 / factor)
    assert 0.1 * len(wave) - 50 / (1 - 1 / factor) <= shorter
    assert shorter <= 0.2 * len(wave) + 50 / (1 - 1 / factor)
    same = np.flatnonzero(heard != wave[: len(heard)])
    start = int(same[0]) if len(same) else len(heard)
    behind = len(wave) - start - round(0.25 * len(wave))
    if behind > 0:  # what follows the segment is untouched, only earlier
        np.testing.assert_array_equal(heard[-behind:], wave[-behind:])


def test_what_is_sped_up_is_higher() -> None:
    time = np.arange(4 * RATE) / RATE
    sine = np.sin(2 * np.pi * 1000 * time)
    heard = _corrupted("speed_up", 1.25, sine)
    changed = np.flatnonzero(np.abs(heard - sine[: len(heard)]) > 1e-3)
    part = heard[changed[0] + 500 : changed[0] + 500 + 4000]
    line = np.abs(np.fft.rfft(part * np.hanning(len(part)))).argmax() * RATE / len(part)
    assert line == pytest.approx(1250, abs=5)


def test_a_fade_is_a_line() -> None:
    wave = np.ones(3 * RATE)
    out, into = (_corrupted("fade", rate, wave) for rate in (-0.02, 0.02))
    np.testing.assert_allclose(out[::RATE], [1.0, 0.98, 0.96])
    np.testing.assert_array_equal(into, out[::-1])
    assert _corrupted("fade", -1.0, wave)[RATE:].max() == 0


def test_a_loop_goes_round_and_never_begins_in_silence_only() -> None:
    sound = np.concatenate([np.zeros(5000), [0.5, 1.0, 0.25], np.zeros(5000)])
    for seed in range(30):
        heard = corruptions.looped(sound, 100, np.random.default_rng(seed))
        assert len(heard) == 100
        assert heard.any()
    short = corruptions.looped(np.array([1.0, 2.0, 3.0]), 10, np.random.default_rng(0))
    assert set(np.diff(short)) <= {1.0, -2.0}


def test_voices_of_a_babble_are_equally_loud() -> None:
    """Silence of one half shows which voice is which: orthogonal voices share the power evenly."""
    rng = np.random.default_rng(0)
    voices = [scale * rng.standard_normal(16_000) for scale in (0.01, 1.0, 5.0, 0.3)]
    heard = corruptions.babble(voices, 16_000, np.random.default_rng(1))
    again = np.random.default_rng(1)
    parts = [corruptions.looped(v / corruptions.rms(v), 16_000, again) for v in voices]
    shares = [float(part @ heard) / len(heard) for part in parts]
    np.testing.assert_allclose(shares, 1.0, atol=0.05)


@pytest.mark.parametrize(("kind", "level"), CONDITIONS)
def test_the_same_clip_is_corrupted_alike_every_time_and_another_otherwise(
    kind: str, level: float
) -> None:
    wave = _clip()
    first, again, other = (_corrupted(kind, level, wave, clip) for clip in ("a", "a", "b"))
    np.testing.assert_array_equal(first, again)
    drawn = kind in ("white_noise", "tone", "reverberation", "speed_up")
    assert (len(first) != len(other) or (first != other).any()) == drawn
    assert np.isfinite(first).all()
    assert len(first) != len(wave) or (first != wave).any()


def test_levels_of_one_kind_differ_in_strength_alone() -> None:
    wave = _clip()
    loud, quiet = (_corrupted("white_noise", level, wave) - wave for level in (20.0, 40.0))
    np.testing.assert_allclose(loud, 10 * quiet, atol=1e-12)


@pytest.mark.real_audio
def test_real_sounds_at_a_real_ratio(real_data: Path) -> None:
    (clip,) = real_data.glob("ravdess/Actor_01/03-01-05-01-01-01-01.flac")
    wave = load_clip(clip, seconds=6).astype(np.float64)
    for sound in sorted((real_data / "noise").glob("*.wav")):
        other = load_clip(sound, seconds=60).astype(np.float64)
        noise = corruptions.looped(other, len(wave), np.random.default_rng(0))
        assert _ratio_db(wave, corruptions.mixed(wave, noise, 20.0)) == pytest.approx(20, abs=1e-6)
