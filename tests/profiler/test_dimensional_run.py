"""Dimensions from end to end: what is in the sound is found, what is not is not, ratings that
change are learned again."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from profiler.corpora.registry import read
from profiler.measures.dimensional import Dimensional
from profiler.pipeline import jobs
from profiler.pipeline.context import BackboneSpec, Plan
from profiler.pipeline.fold_training import Cell, train_and_test
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.recompute import recompute
from profiler.session import measure_further, profile_all
from profiles_db.criteria import DIMENSIONAL_CRITERIA
from profiles_db.maintenance import check
from profiles_db.profile import Profile
from profiles_db.records import DimensionalAttack, DimensionalEpoch, DimensionalPrediction
from profiles_db.store import Store

SPEAKERS = ("train",) * 9 + ("dev",) * 3 + ("test",) * 8
CLIPS = 8
UNRATED = "12-0.wav"
"""Of the test part."""
PIECES, PIECE = 30, 256
"""Of a clip, each with or without its two tones, and samples of one."""
SHORT = Protocol.of(
    epochs=1, head_epochs=30, seeds=1, resamples=100, batch_size=16,
    learning_rate=2e-3,
)  # fmt: skip
COLUMNS = ("path", "speaker", "label", "gender", "split", "arousal:1-7", "valence", "dominance")
WANTED = ("performance", "dimensional")


def _tones(folder: Path) -> Path:
    """Clips in which two tones are on for a share of the time: that of the low one is arousal, that
    of the high one valence. Dominance is nowhere to be heard."""
    rng = np.random.default_rng(0)
    moments = np.arange(PIECES * PIECE) / 16_000
    manifest = folder / "tones.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for speaker, split in enumerate(SPEAKERS):
            for clip in range(CLIPS):
                shares = rng.uniform(size=3)
                sound = 0.01 * rng.standard_normal(len(moments))
                for share, hertz in zip(shares, (500, 3000), strict=False):
                    on = np.repeat(rng.permutation(PIECES) < share * PIECES, PIECE)
                    sound += 0.2 * on * np.sin(2 * np.pi * hertz * moments)
                path = f"{speaker}-{clip}.wav"
                soundfile.write(folder / path, sound, 16_000)
                arousal, valence, dominance = shares
                ratings = [1 + 6 * arousal, valence, dominance]
                if path == UNRATED:
                    ratings = [""] * 3
                gender = ("female", "male")[speaker % 2]
                writer.writerow([path, speaker, "ab"[clip % 2], gender, split, *ratings])
    return manifest


@dataclass(frozen=True)
class Case:
    """A run on the tones."""

    folder: Path
    manifest: Path
    profile: Profile

    @property
    def store(self) -> Store:
        return Store(self.folder / "a.duckdb")


def _profile(manifest: Path, store: Store, cache: Path) -> Profile:
    (found,) = profile_all(
        ["fbank"], "manifest", manifest, SHORT, store, weights="pretrained", weights_seed=0,
        cache=cache, device="cpu", workers=0, progress=Silent(), wanted=WANTED,
    )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("tones")
    manifest = _tones(folder)
    return Case(folder, manifest, _profile(manifest, Store(folder / "a.duckdb"), folder / "cache"))


def test_what_the_tones_say_is_found_and_what_they_do_not_is_not(case: Case) -> None:
    for name in ("arousal", "valence"):
        found = case.profile.pooled(f"ccc_{name}")
        assert found is not None
        assert found.value is not None
        assert found.low is not None
        assert found.value > 0.6, name
        assert found.low > 0.2, name
    unheard = case.profile.pooled("ccc_dominance")
    assert unheard is not None
    assert unheard.low is not None
    assert unheard.high is not None
    assert unheard.low < 0 < unheard.high


def test_rows_are_those_of_the_rated_test_clips(case: Case) -> None:
    rows = case.store.rows(case.profile.run, DimensionalPrediction)
    with case.manifest.open() as file:
        written = {row["path"]: row for row in csv.DictReader(file)}
    assert UNRATED not in {row.utterance for row in rows}
    assert {row.dimension for row in rows} == {"arousal", "dominance", "valence"}
    for row in rows:
        rating = float(
            written[row.utterance][{"arousal": "arousal:1-7"}.get(row.dimension, row.dimension)]
        )
        assert row.truth == pytest.approx(
            (rating - 1) / 6 if row.dimension == "arousal" else rating
        )
    epochs = case.store.rows(case.profile.run, DimensionalEpoch)
    assert len(epochs) == 30
    best = max(epochs, key=lambda row: row.dev_score)
    assert best.dev_loss == pytest.approx(1 - best.dev_score)
    assert check(case.store.path).problems == ()


def test_figures_follow_from_rows(case: Case, tmp_path: Path) -> None:
    copy = tmp_path / "a.duckdb"
    shutil.copy(case.store.path, copy)
    store = Store(copy)
    done = recompute(case.profile, store, ["dimensional"])
    assert done.measures == ("dimensional",)
    (again,) = store.profiles()
    assert again.measurements == case.profile.measurements
    assert again.basis("ccc_mean") == case.profile.basis("ccc_mean")


def test_ratings_name_the_measure_and_not_the_study(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other ratings are learned again within the same run; nothing else is done again."""
    copy = tmp_path / "a.duckdb"
    shutil.copy(case.store.path, copy)
    store, folder = Store(copy), case.manifest.parent
    lines = case.manifest.read_text().splitlines()
    plain = folder / "plain.csv"
    plain.write_text("\n".join(line.rsplit(",", 3)[0] for line in lines))
    trained: list[tuple[str, ...]] = []

    def noting(context: Any, cells: Sequence[Cell], **named: Any) -> Any:
        trained.extend(cell.steps for cell in cells)
        return train_and_test(context, cells, **named)

    monkeypatch.setattr(jobs, "train_and_test", noting)
    unrated = _profile(plain, store, folder / "cache")
    assert (unrated.study, unrated.run) == (case.profile.study, case.profile.run)
    assert trained == [("dimensional",)]
    for name in DIMENSIONAL_CRITERIA:
        one = unrated.pooled(name)
        assert one is not None
        assert one.value is None
        assert "rated on" in str(one.unknown)
    assert store.rows(unrated.run, DimensionalPrediction) == []
    assert unrated.basis("ccc_mean") != case.profile.basis("ccc_mean")
    assert unrated.basis("uar") == case.profile.basis("uar")
    assert unrated.pooled("uar") == case.profile.pooled("uar")

    trained.clear()
    rated = _profile(case.manifest, store, folder / "cache")
    assert trained == [], "the rows of these ratings are there already"
    assert rated.measurements == case.profile.measurements
    assert check(copy).problems == ()


def test_a_run_is_measured_further(case: Case, tmp_path: Path) -> None:
    store = Store(tmp_path / "a.duckdb")
    (alone,) = profile_all(
        ["fbank"], "manifest", case.manifest, SHORT, store, weights="pretrained", weights_seed=0,
        cache=case.folder / "cache", device="cpu", workers=0, progress=Silent(),
        wanted=("performance",),
    )  # fmt: skip
    assert alone.pooled("ccc_mean") is None
    further = measure_further(
        alone, ["dimensional"], store, cache=case.folder / "cache", data_root=None, weights=None,
        device="cpu", workers=0, progress=Silent(),
    )  # fmt: skip
    for name in DIMENSIONAL_CRITERIA:
        assert further.pooled(name) == case.profile.pooled(name)


def test_the_head_that_is_attacked_is_the_one_that_was_measured(case: Case, tmp_path: Path) -> None:
    store = Store(tmp_path / "a.duckdb")
    protocol = Protocol.of(
        epochs=1, head_epochs=30, seeds=1, resamples=100, batch_size=16, learning_rate=2e-3,
        attack_snr_db=20.0, attack_curve_db=(), attack_clips=20,
    )  # fmt: skip
    (found,) = profile_all(
        ["fbank"], "manifest", case.manifest, protocol, store, weights="pretrained",
        weights_seed=0, cache=case.folder / "cache", device="cpu", workers=0, progress=Silent(),
        wanted=("performance", "dimensional_safety"),
    )  # fmt: skip
    rows = store.rows(found.run, DimensionalAttack)
    assert len({row.utterance for row in rows}) == 20
    assert UNRATED not in {row.utterance for row in rows}
    answers = {
        (row.dimension, row.utterance): row.predicted
        for row in case.store.rows(case.profile.run, DimensionalPrediction)
    }
    for row in rows:  # but for the rounding of cached features
        assert row.clean == pytest.approx(answers[row.dimension, row.utterance], abs=2e-3)
    shift, agreement = (found.pooled(f"{name}_under_attack_mean") for name in ("shift", "ccc"))
    assert shift is not None
    assert agreement is not None
    assert None not in (shift.value, shift.baseline, agreement.value, agreement.baseline)
    assert shift.value > shift.baseline  # type: ignore[operator]
    assert agreement.value < agreement.baseline  # type: ignore[operator]
    assert check(store.path).problems == ()
    assert recompute(found, store, ["dimensional_safety"]).measures == ("dimensional_safety",)
    (again,) = store.profiles()
    assert again.measurements == found.measurements


def test_clips_without_ratings_name_nothing(case: Case) -> None:
    clips = read("manifest", case.manifest).utterances
    measure = Dimensional()
    rated = [clip for clip in clips if clip.id != UNRATED]
    assert measure.rests_on(clips) == measure.rests_on(rated)
    assert measure.rests_on(clips) != measure.rests_on(rated[1:])


def test_a_worker_takes_plans_of_other_ratings_for_others(tmp_path: Path) -> None:
    """Workers keep what they loaded for a plan, with the clips and their ratings, by its key."""
    spec = BackboneSpec("fbank", "pretrained", 0, "cpu")
    plain = Plan("m", WANTED, spec, SHORT, ("a",), {}, {}, (), tmp_path)
    one, other = (replace(plain, rests_on={"dimensional": digest}) for digest in ("1", "2"))
    assert len({plain.key, one.key, other.key}) == 3
    assert len({plan.label("dimensional") for plan in (plain, one, other)}) == 3
    assert len({plan.label("training") for plan in (plain, one, other)}) == 1
