"""The demo corpus: the same bytes every time, and neither trivial nor hopeless."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.preprocessing import StandardScaler

from profiler.corpora import demo
from profiler.corpora.audio import load_clip
from profiler.corpora.base import Corpus
from profiler.corpora.demo import Demo
from profiler.corpora.demo_voice import Draws, speak, voice_of
from profiler.corpora.folds import leaks
from profiles_db.errors import CorpusError


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Demo().read(tmp_path_factory.mktemp("demo"))


def test_what_it_holds(corpus: Corpus) -> None:
    assert corpus.synthetic
    assert Counter(utterance.label for utterance in corpus.utterances) == dict.fromkeys(
        ("neutral", "happy", "sad", "angry"), 160
    )
    genders = {utterance.speaker: utterance.gender for utterance in corpus.utterances}
    assert Counter(genders.values()) == {"female": 8, "male": 8}
    assert len(corpus.folds) == 5
    assert leaks(corpus) == ()
    by_id = {utterance.id: utterance for utterance in corpus.utterances}
    for fold in corpus.folds:
        for part in (fold.train, fold.dev, fold.test):
            assert {by_id[id_].gender for id_ in part} == {"female", "male"}


def test_every_clip_is_16_khz_mono_of_usual_length(corpus: Corpus) -> None:
    for utterance in corpus.utterances:
        info = soundfile.info(utterance.path)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        assert 0.7 < info.duration < 3.6


def test_the_bytes_are_those_of_the_first_release(corpus: Corpus) -> None:
    digest = hashlib.sha256()
    for utterance in corpus.utterances:
        digest.update(utterance.path.read_bytes()[44:])  # without the WAV header
    assert digest.hexdigest() == FROZEN


FROZEN = "d76d93a522b7c5c37eb122ab64ce8f73a3993f2b4f98fd0898f414e401798baa"
"""Over the samples of all clips; the same with NumPy 1.26 and 2.4, with and without AVX2.
A change of the voice changes `demo.VERSION` and this."""


def test_another_seed_gives_other_clips() -> None:
    id_ = "speaker_01/happy_1"
    assert demo.samples_of(id_, seed=1) != demo.samples_of(id_, seed=2)


def test_a_second_reading_makes_nothing_again(corpus: Corpus) -> None:
    root = corpus.utterances[0].path.parent.parent
    before = {utterance.path: utterance.path.stat().st_mtime_ns for utterance in corpus.utterances}
    Demo().read(root)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_lost_clip_is_made_again_and_no_scraps_stay(corpus: Corpus) -> None:
    path = corpus.utterances[17].path
    content = path.read_bytes()
    path.unlink()
    Demo().read(path.parent.parent)
    assert path.read_bytes() == content
    assert {file.suffix for file in path.parent.iterdir()} == {".wav"}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match="the demo clips cannot be written"):
        Demo().read(tmp_path / "file")


def test_the_cache_folder_follows_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUSTSER_CACHE", str(tmp_path))
    assert Demo().own_root().parent == tmp_path
    monkeypatch.delenv("TRUSTSER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Demo().own_root().parent == tmp_path / "trustser"
    assert Demo(cache=tmp_path).own_root() == tmp_path / "demo"


def test_dice_are_those_of_pcg64() -> None:
    # `Generator.random` takes the top 53 bits of the same words.
    expected = np.random.Generator(np.random.PCG64(np.random.SeedSequence((3, 5)))).random(100)
    np.testing.assert_array_equal(Draws(3, 5).uniform(0.0, 1.0, 100), expected)


def test_pitch_is_that_of_the_voice() -> None:
    voice = voice_of(0, 1, "male")
    samples = speak(0, 1, voice, "neutral", 1).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::160]
    loud = frames[np.square(frames).sum(axis=1) > np.square(frames).sum(axis=1).mean()]
    spectra = np.abs(np.fft.rfft(loud - loud.mean(axis=1, keepdims=True), n=2048, axis=1)) ** 2
    lags = np.fft.irfft(spectra, axis=1)[:, 40:260]
    pitches = 16_000 / (40 + lags.argmax(axis=1))
    assert np.median(pitches) == pytest.approx(voice.pitch, rel=0.25)


def _log_spectrum(path: Path) -> NDArray[np.float64]:
    """Mean and deviation over time of the log power in 40 bands, and of its changes."""
    samples = load_clip(path, seconds=6).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160] * np.hanning(400)
    power = np.abs(np.fft.rfft(frames, 512, axis=1)) ** 2
    edges = np.unique(np.round(np.geomspace(2, 256, 41)).astype(int))
    bands = np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-6)
    return np.concatenate(
        [bands.mean(axis=0), bands.std(axis=0), np.diff(bands, axis=0).std(axis=0)]
    )


@pytest.mark.parametrize(("target", "low", "high"), [("label", 0.5, 0.85), ("gender", 0.7, 0.97)])
def test_emotion_and_gender_can_be_told_but_not_perfectly(
    corpus: Corpus, target: str, low: float, high: float
) -> None:
    features = {u.id: _log_spectrum(u.path) for u in corpus.utterances}
    truth = {u.id: getattr(u, target) for u in corpus.utterances}
    found, expected = [], []
    for fold in corpus.folds:
        scaler = StandardScaler().fit([features[id_] for id_ in fold.train])
        model = LogisticRegression(C=0.02, max_iter=300)
        model.fit(
            scaler.transform([features[i] for i in fold.train]), [truth[i] for i in fold.train]
        )
        found += list(model.predict(scaler.transform([features[i] for i in fold.test])))
        expected += [truth[i] for i in fold.test]
    assert low < recall_score(expected, found, average="macro") < high


def test_reading_metadata_imports_neither_torch_nor_audio_libraries(tmp_path: Path) -> None:
    code = (
        "import sys, profiler.corpora.registry, profiler.corpora.audit.check\n"
        "import profiler.corpora.folds\n"
        "print([name for name in ('torch', 'soundfile', 'soxr', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
