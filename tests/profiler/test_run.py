"""A whole profile on real speech: all aspects measured, nothing done twice, nothing lost."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from profiler.features.cache import FeatureCache
from profiler.measures.safety import Safety
from profiler.pipeline import jobs
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.session import profile_all
from profiles_db.criteria import ASPECT_CRITERION, OPTIONAL_ASPECTS
from profiles_db.profile import Profile
from profiles_db.records import AttackOutcome, Epoch, Prediction
from profiles_db.store import Store
from tests.profiler.same_rows import assert_same_rows, rows_of

pytestmark = pytest.mark.usefixtures("little_on_costs")

SETTINGS: dict[str, Any] = {
    "epochs": 3, "probe_epochs": 2, "batch_size": 16, "folds": 3, "seeds": 1, "resamples": 100,
    "pgd_steps": 2, "pgd_clips": 3, "snr_curve_db": (30.0,), "enrolment_clips": 1,
}  # fmt: skip
QUICK = Protocol.of(**SETTINGS)


class Recorder(Silent):
    """Remembers the stages entered and the lines said."""

    def __init__(self, stop_at: str = "") -> None:
        self.stages: list[str] = []
        self.said: list[str] = []
        self._stop_at = stop_at

    def say(self, message: str) -> None:
        self.said.append(message)

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Silent]:  # noqa: ARG002
        self.stages.append(title)
        if self._stop_at and self._stop_at in title:
            raise KeyboardInterrupt
        yield self


def _manifest(folder: Path, real_data: Path, *, gender: bool = True, clips: int = 12) -> Path:
    """Ten actors of RAVDESS, some of their clips, as one's own data."""
    path = folder / "mine.csv"
    audio = real_data / "ravdess"
    (folder / "audio").symlink_to(audio)
    emotions = {"01": "neutral", "03": "happy", "05": "angry"}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "speaker", "label", *(["gender"] if gender else [])])
        for actor in range(1, 11):
            files = sorted((audio / f"Actor_{actor:02}").glob("03-01-0[135]-01-*.flac"))
            for clip in files[:clips]:
                label = emotions[clip.name[6:8]]
                row = [f"audio/Actor_{actor:02}/{clip.name}", str(actor), label]
                writer.writerow([*row, *(["male" if actor % 2 else "female"] if gender else [])])
    return path


def _profile(
    manifest: Path,
    folder: Path,
    progress: Silent,
    protocol: Protocol = QUICK,
    workers: int = 0,
) -> tuple[Profile, Store]:
    store = Store(folder / "a.duckdb")
    (profile,) = profile_all(
        ["fbank"], "manifest", manifest, protocol, store, weights="pretrained", weights_seed=0,
        cache=folder / "cache", device="cpu", workers=workers, progress=progress,
    )  # fmt: skip
    return profile, store


@pytest.fixture(scope="module")
def done(
    real_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, Profile, Store]:
    folder = tmp_path_factory.mktemp("run")
    manifest = _manifest(folder, real_data)
    return (manifest, folder, *_profile(manifest, folder, Recorder()))


@pytest.mark.real_audio
def test_all_five_aspects_are_measured_with_origin(
    done: tuple[Path, Path, Profile, Store],
) -> None:
    _, _, profile, _ = done
    for aspect, criterion in ASPECT_CRITERION.items():
        if aspect in OPTIONAL_ASPECTS:
            assert profile.pooled(criterion) is None, "it was not asked for"
            continue
        measurement = profile.pooled(criterion)
        assert measurement is not None, criterion
        assert measurement.value is not None, criterion
    assert (profile.weights_kind, profile.synthetic) == ("none", False)
    assert (profile.folds, profile.folds_total) == (3, 5)
    assert profile.protocol["training"]["epochs"] == 3
    assert {"python", "torch", "duckdb"} <= set(profile.provenance["versions"])
    assert profile.provenance["peak_memory_bytes"] > 1e7


@pytest.mark.real_audio
def test_measurements_can_be_computed_again_from_the_stored_rows(
    done: tuple[Path, Path, Profile, Store],
) -> None:
    _, _, profile, store = done
    rows = store.rows(profile.run, Prediction)
    per_fold = []
    for fold in (1, 2, 3):
        own = [row for row in rows if row.fold == fold]
        labels = sorted({row.label for row in own})
        recall = [
            np.mean([r.predicted == r.label for r in own if r.label == name]) for name in labels
        ]
        per_fold.append(np.mean(recall))
    uar = profile.pooled("uar")
    assert uar is not None
    assert uar.value == pytest.approx(np.mean(per_fold))
    attacked = {r.utterance for r in store.rows(profile.run, AttackOutcome)}
    assert attacked == {row.utterance for row in rows if row.label == row.predicted}
    speakers = [{r.speaker for r in rows if r.fold == fold} for fold in (1, 2)]
    assert not speakers[0] & speakers[1]
    epochs = [e for e in store.rows(profile.run, Epoch) if e.fold == 1]
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3]


@pytest.mark.real_audio
def test_the_same_request_again_does_no_work_and_says_so(
    done: tuple[Path, Path, Profile, Store],
) -> None:
    manifest, folder, first, _ = done
    progress = Recorder()
    again, _ = _profile(manifest, folder, progress)
    assert again == first
    assert progress.stages == ["reading clips"]
    assert any("already profiled" in line for line in progress.said)


@pytest.mark.real_audio
def test_another_database_is_filled_from_the_results_of_jobs(
    done: tuple[Path, Path, Profile, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, folder, first, whole = done

    def never(*_: object, **__: object) -> None:
        raise AssertionError("done before")

    monkeypatch.setattr(jobs, "train_and_test", never)
    monkeypatch.setattr(Safety, "listen", never)
    monkeypatch.setattr(FeatureCache, "fill", never)
    steps = tmp_path / "cache" / "steps"
    steps.parent.mkdir()
    steps.symlink_to(folder / "cache" / "steps")  # the features were pruned
    again, store = _profile(manifest, tmp_path, Recorder())
    assert again.run == first.run
    assert_same_rows(rows_of(store, again.run), rows_of(whole, first.run))


@pytest.mark.real_audio
def test_another_protocol_or_a_moved_corpus(
    done: tuple[Path, Path, Profile, Store], real_data: Path, tmp_path: Path
) -> None:
    """A study is named by content, never by its folder; other settings of the training make
    another model of it, and other settings of a measure another run of that model."""
    _, folder, first, _ = done
    moved = _manifest(tmp_path, real_data)
    progress = Recorder()
    again, _ = _profile(moved, folder, progress)
    assert again.run == first.run
    other, _ = _profile(moved, folder, progress, Protocol.of(**{**SETTINGS, "epochs": 2}))
    assert other.study == first.study
    assert other.model != first.model
    progress = Recorder()
    louder, _ = _profile(moved, folder, progress, Protocol.of(**{**SETTINGS, "snr_db": 40.0}))
    assert (louder.study, louder.model) == (first.study, first.model)
    assert louder.run != first.run
    bases = {name: (first.basis(name), louder.basis(name)) for name in ASPECT_CRITERION.values()}
    assert {name for name, (one, two) in bases.items() if one != two} == {"attack_success_rate"}
    uar = first.pooled("uar")
    assert uar is not None
    assert louder.pooled("uar") == dataclasses.replace(uar, source=f"run {louder.run}")


@pytest.mark.real_audio
@pytest.mark.parametrize("stop_at", ["features", "heads", "sustainability"])
def test_an_interrupted_run_goes_on_to_the_same_rows(
    done: tuple[Path, Path, Profile, Store], tmp_path: Path, stop_at: str
) -> None:
    manifest, _, whole, whole_store = done
    with pytest.raises(KeyboardInterrupt):
        _profile(manifest, tmp_path, Recorder(stop_at))
    profile, store = _profile(manifest, tmp_path, Recorder())
    assert profile.run == whole.run
    assert_same_rows(rows_of(store, profile.run), rows_of(whole_store, whole.run))
    timed = {"latency_p50", "latency_p95", "real_time_factor", "memory"}
    assert [m for m in profile.measurements if m.criterion not in timed] == [
        m for m in whole.measurements if m.criterion not in timed
    ]


@pytest.mark.real_audio
def test_without_gender_privacy_and_fairness_are_unknown_never_zero(
    real_data: Path, tmp_path: Path
) -> None:
    manifest = _manifest(tmp_path, real_data, gender=False, clips=6)
    profile, _ = _profile(manifest, tmp_path, Recorder())
    for criterion in ("gender_accuracy", "equalized_odds_difference"):
        measurement = profile.pooled(criterion)
        assert measurement is not None
        assert measurement.value is None
        assert measurement.unknown
        assert "gender" in measurement.unknown
    uar = profile.pooled("uar")
    assert uar is not None
    assert uar.value is not None


@pytest.mark.real_audio
def test_bad_clips_are_left_out_counted_and_named(real_data: Path, tmp_path: Path) -> None:
    manifest = _manifest(tmp_path, real_data, clips=6)
    tone = np.sin(np.arange(16_000) / 5).astype(np.float32) / 2
    bad = {"silent": 0 * tone, "holding_nan": np.where(np.arange(16_000) == 5, np.nan, tone)}
    for name, samples in bad.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, 16_000, subtype="FLOAT")
    (tmp_path / "undecodable.wav").write_bytes(b"not audio at all")
    (tmp_path / "empty.wav").write_bytes(b"")
    names = ["silent.wav", "holding_nan.wav", "undecodable.wav", "empty.wav", "missing.wav"]
    with manifest.open("a", newline="") as file:
        csv.writer(file).writerows([name, "3", "happy", "male"] for name in names)
    progress = Recorder()
    profile, store = _profile(manifest, tmp_path, progress)
    left_out = profile.provenance["left_out"]
    assert set(left_out) == set(names)
    assert all(left_out.values())
    assert profile.provenance["clips"] == profile.provenance["utterances"] - len(names)
    assert not {row.utterance for row in store.rows(profile.run, Prediction)} & set(names)
    assert sum("left out" in line for line in progress.said) >= len(names) - 1
