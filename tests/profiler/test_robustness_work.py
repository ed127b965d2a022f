"""Corrupted clips heard by heads: one pass for all, alike whoever hears, whole runs that resume."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from profiler.backbones.base import Backbone
from profiler.backbones.load import load
from profiler.corpora import demo
from profiler.corpora.base import Utterance
from profiler.features.cache import Clip
from profiler.measures import corruptions, robustness_work
from profiler.measures.base import ClipTask
from profiler.measures.robustness import RobustnessSettings
from profiler.measures.robustness_work import Sounds, answers, corrupted
from profiler.measures.sound_folders import SoundFolder
from profiler.pipeline import jobs
from profiler.pipeline.context import BackboneSpec, Context, Plan
from profiler.protocol import Protocol
from profiler.training.head import Head
from profiles_db.errors import InputError
from profiles_db.maintenance import check
from profiles_db.profile import Profile
from profiles_db.records import CorruptedAnswer, Prediction
from profiles_db.store import Store
from trustser import __main__ as main

CLASSES = ("a", "b", "c")
SPEAKERS = 8


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sounds, one of which is silent in most places."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for name, length in (("long", 50_000), ("short", 900)):
        soundfile.write(folder / f"{name}.wav", 0.1 * rng.standard_normal(length), 16_000)
    knock = np.zeros(80_000)
    knock[100:200] = 0.5
    soundfile.write(folder / "knock.flac", knock, 16_000)
    return folder


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rooms")
    for number in range(2):
        response = corruptions.room_response(0.4, np.random.default_rng(number))
        soundfile.write(folder / f"{number}.wav", 0.9 * response, 16_000, subtype="FLOAT")
    return folder


def _context(folder: Path, backbone: Backbone, speakers: int = SPEAKERS) -> Context:
    utterances = {}
    for index in range(speakers):
        name = f"speaker_{index + 1:02d}/{demo.Demo.classes[0]}_1"
        samples = np.frombuffer(demo.samples_of(name), dtype="<i2")[: 16_000 - 1000 * (index % 3)]
        path = folder / f"{index}.wav"
        soundfile.write(path, samples, 16_000)
        utterances[str(index)] = Utterance(
            str(index), path, f"s{index}", "female", CLASSES[index % 3]
        )
    clips = {name: Clip(name, one.path, name) for name, one in utterances.items()}
    plan = Plan(
        "m", ("robustness",), BackboneSpec("b", "none", 0, "cpu"), Protocol.of(), CLASSES,
        utterances, clips, (), folder,
    )  # fmt: skip
    return Context(plan, backbone)


def _heads(backbone: Backbone, repetitions: int) -> dict[int, Head]:
    heads = {}
    for repetition in range(repetitions):
        torch.manual_seed(repetition)
        head = Head(layers=backbone.layers, features=backbone.hidden_size, classes=3, width=16)
        heads[repetition] = head.eval()
    return heads


def _settings(sounds: Path, rooms: Path) -> RobustnessSettings:
    return RobustnessSettings(
        background=SoundFolder.model_validate(str(sounds)),
        rooms=SoundFolder.model_validate(str(rooms)),
    )


FEW = {
    "background_snr_db": (20.0,), "babble_snr_db": (20.0,), "white_noise_snr_db": (20.0, 40.0),
    "tone_snr_db": (), "gain_db": (1.0,), "clipping": (), "append": (100,), "prepend": (),
    "crop_start": (), "crop_end": (100,), "high_pass_hz": (), "low_pass_hz": (),
    "telephone_kbits": (), "tilt_db_per_octave": (), "reverberation_s": (),
    "fade_per_second": (),
}  # fmt: skip
"""Of each way to change a clip one: mixed, as long as it was, longer, shorter, in parts faster."""


def _few(sounds: Path, rooms: Path) -> RobustnessSettings:
    return _settings(sounds, rooms).model_copy(update=FEW)


def _sorted(rows: list[CorruptedAnswer]) -> list[CorruptedAnswer]:
    return sorted(rows, key=repr)


@pytest.mark.parametrize("batches", [False, True])
def test_heads_together_hear_what_each_hears_alone_in_one_pass_a_corrupted_clip(
    batches: bool, sounds: Path, rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = load("apc", "random")
    backbone.pays_in_batches = batches
    context, settings = _context(tmp_path, backbone), _few(sounds, rooms)
    heads = _heads(backbone, 2)
    passes = 0
    whole = type(backbone).hidden_states

    def counted(self: Backbone, waveform: torch.Tensor) -> torch.Tensor:
        nonlocal passes
        passes += len(waveform)
        return whole(self, waveform)

    monkeypatch.setattr(type(backbone), "hidden_states", counted)
    tasks = [ClipTask(clip, repetition) for clip in ("0", "1", "2") for repetition in (0, 1)]
    together = answers(context, 1, heads, tasks, settings)
    assert passes == 3 * len(settings.conditions)
    assert len(together) == 2 * passes
    alone = [
        row for task in tasks for row in answers(context, 1, heads, [task], settings)
    ]  # fmt: skip
    assert _sorted(together) == _sorted(alone)
    counts = Counter((row.corruption, row.level) for row in together)
    assert dict(counts) == dict.fromkeys(settings.conditions, 6)


def test_a_clip_is_corrupted_alike_whoever_goes_before(
    sounds: Path, rooms: Path, tmp_path: Path
) -> None:
    context, settings = _context(tmp_path, load("fbank", "none")), _settings(sounds, rooms)
    found = []
    for order in (("0", "1", "2"), ("2", "0", "1")):
        robustness_work._sound.cache_clear()
        own = {
            name: dict(corrupted(context, context.utterances[name], settings, Sounds(settings)))
            for name in order
        }
        found.append(own)
    for name, waves in found[0].items():
        for condition, wave in waves.items():
            np.testing.assert_array_equal(wave, found[1][name][condition])
    few = settings.model_copy(update={"babble_snr_db": (10.0,)})
    fewer = dict(corrupted(context, context.utterances["0"], few, Sounds(few)))
    np.testing.assert_array_equal(fewer["babble", 10.0], found[0]["0"]["babble", 10.0])


def _clean(context: Context, name: str) -> np.ndarray:
    samples, _ = soundfile.read(context.utterances[name].path, dtype="float64")
    return np.asarray(samples)


def test_background_and_babble_have_their_ratio_and_babble_spares_the_speaker(
    sounds: Path, rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, settings = _context(tmp_path, load("fbank", "none")), _settings(sounds, rooms)
    opened: list[str] = []
    heard = robustness_work._heard

    def noted(path: Path, seconds: float) -> np.ndarray:
        opened.append(path.stem)
        return heard(path, seconds)

    monkeypatch.setattr(robustness_work, "_heard", noted)
    for name in context.utterances:
        opened.clear()
        own = dict(corrupted(context, context.utterances[name], settings, Sounds(settings)))
        wave = _clean(context, name)
        for kind, level in (("background", 0.0), ("background", 20.0), ("babble", 20.0)):
            noise = own[kind, level].astype(np.float64) - wave  # type: ignore[index]
            ratio = 10 * np.log10(np.square(wave).sum() / np.square(noise).sum())
            assert ratio == pytest.approx(level, abs=1e-3)
        clip, *voices = opened
        assert clip == name
        assert name not in voices
        assert 4 <= len(set(voices)) == len(voices) <= 7
    reverberant = own["room", None]
    assert len(reverberant) == len(wave)


def test_too_few_speakers_for_a_babble_leave_it_out(tmp_path: Path) -> None:
    context = _context(tmp_path, load("fbank", "none"), speakers=4)
    settings = RobustnessSettings(gain_db=(1.0,))
    own = dict(corrupted(context, context.utterances["0"], settings, Sounds(settings)))
    assert "babble" not in {kind for kind, _ in own}
    assert ("gain", 1.0) in own


def test_a_sound_that_cannot_be_decoded_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    (folder / "a.wav").write_text("no sound")
    context = _context(tmp_path, load("fbank", "none"))
    settings = RobustnessSettings(background=SoundFolder.model_validate(str(folder)))
    with pytest.raises(InputError, match=r"a\.wav: cannot be used as a sound to mix"):
        list(corrupted(context, context.utterances["0"], settings, Sounds(settings)))


@pytest.fixture
def command(manifest: Path, sounds: Path, tmp_path: Path) -> list[str]:
    """A short profile with three kinds of corruption, as JSON."""
    kinds = (
        "tone_snr_db", "append", "prepend", "crop_start", "crop_end", "high_pass_hz",
        "low_pass_hz", "telephone_kbits", "tilt_db_per_octave", "reverberation_s", "speed_up",
        "fade_per_second", "clipping", "white_noise_snr_db",
    )  # fmt: skip
    settings = [f"robustness.{name}=[]" for name in kinds]
    settings += [f"robustness.background={sounds}", "robustness.background_snr_db=[20]"]
    settings += ["robustness.gain_db=[1]", "robustness.babble_snr_db=[20]"]
    words = [word for setting in settings for word in ("--set", setting)]
    return [
        "profile", "--backbone", "fbank", "--dataset", "manifest", "--data-root", str(manifest),
        "--db", str(tmp_path / "a.duckdb"), "--cache", str(tmp_path / "cache"), "--workers", "0",
        "--repetitions", "2", "--epochs", "1", "--folds", "1", "--measures",
        "performance,robustness", "--json", *words,
    ]  # fmt: skip


def _rows(command: list[str]) -> tuple[Profile, list[CorruptedAnswer], list[Prediction]]:
    path = Path(command[command.index("--db") + 1])
    assert check(path).problems == ()
    store = Store(path)
    (profile,) = store.profiles()
    return profile, store.rows(profile.run, CorruptedAnswer), store.rows(profile.run, Prediction)


def test_a_run_goes_on_where_it_was_and_every_clip_goes_through_every_corruption(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    done: list[str] = []
    run = jobs.ClipsJob.run

    def stopping(self: jobs.ClipsJob, context: Context) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(digest := repr(self.tasks))
        run(self, context)
        assert digest

    with monkeypatch.context() as patch:
        patch.setattr(jobs.ClipsJob, "run", stopping)
        assert main.run(command) != 0
    assert len(done) == 2

    def going_on(self: jobs.ClipsJob, context: Context) -> None:
        assert repr(self.tasks) not in done, "it is done already"
        run(self, context)

    with monkeypatch.context() as patch:
        patch.setattr(jobs.ClipsJob, "run", going_on)
        assert main.run(command) == 0
    capsys.readouterr()
    profile, rows, predictions = _rows(command)
    clips = {(row.repetition, row.utterance) for row in predictions}
    conditions = {("background", 20.0), ("babble", 20.0), ("gain", 1.0)}
    assert {(r.corruption, r.level) for r in rows} == conditions
    assert len(rows) == len(conditions) * len(clips)
    assert {(r.repetition, r.utterance) for r in rows} == clips
    mean = profile.pooled("robustness_mean_change")
    assert mean is not None
    assert mean.value is not None
    assert profile.pooled("attack_success_rate") is None

    whole = [str(tmp_path / "b") + word.removeprefix(str(tmp_path / "a")) if word.endswith(
        ".duckdb") else word for word in command]  # fmt: skip
    whole[whole.index("--cache") + 1] = str(tmp_path / "other")
    assert main.run(whole) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed[0]["run"] == profile.run
    again, same, _ = _rows(whole)
    assert _sorted(rows) == _sorted(same)
    assert replace(again, finished="", provenance={}, measured=()).measurements == (
        profile.measurements
    )
