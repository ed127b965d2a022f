"""Whole profiles of encoders that are special: what they lack is said, the rest is measured."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers as hf

from profiler.session import profile_all
from profiles_db.profile import Profile
from profiles_db.store import Store
from tests.profiler.backbones.checkpoints import WAVEFORM, saved, varied
from tests.profiler.test_run import QUICK, Recorder, _manifest

pytestmark = [pytest.mark.real_audio, pytest.mark.usefixtures("little_on_costs")]


def profiled(
    name: str, weights: str, folder: Path, real_data: Path, wanted: tuple[str, ...]
) -> tuple[Profile, Recorder]:
    """A quick profile of `name` on some clips of RAVDESS, and what was said on the way."""
    progress = Recorder()
    (profile,) = profile_all(
        [name], "manifest", _manifest(folder, real_data, clips=6), QUICK,
        Store(folder / "a.duckdb"), weights=weights, weights_seed=0, cache=folder / "cache",
        device="cpu", workers=0, progress=progress, wanted=wanted,
    )  # fmt: skip
    return profile, progress


def test_egemaps_is_measured_but_for_what_needs_torch(tmp_path: Path, real_data: Path) -> None:
    wanted = ("performance", "safety", "sustainability")
    profile, progress = profiled("egemaps", "pretrained", tmp_path, real_data, wanted)
    assert str(profile.provenance["licence"]).startswith("research only (")
    assert any("egemaps: licence: research only (" in line for line in progress.said)

    accuracy = profile.pooled("uar")
    assert accuracy is not None
    assert accuracy.value is not None
    for criterion, reason in (
        ("attack_success_rate", "no gradient"),
        ("accuracy_under_attack", "no gradient"),
        ("macs", "cannot be counted"),
        ("paper_macs", "cannot be counted"),
    ):
        found = profile.pooled(criterion)
        assert found is not None, criterion
        assert found.value is None, criterion
        assert reason in str(found.unknown), criterion
    noisy = [m for m in profile.measurements if m.attack == "noise" and m.value is not None]
    assert {m.criterion for m in noisy} >= {"attack_success_rate", "accuracy_under_attack"}


def test_a_run_says_what_of_its_checkpoint_was_left_out(tmp_path: Path, real_data: Path) -> None:
    model = hf.Wav2Vec2ForSequenceClassification(hf.Wav2Vec2Config(**WAVEFORM))
    torch.manual_seed(0)
    folder = saved(varied(model), tmp_path / "model")
    profile, progress = profiled(
        "wav2vec2_base", str(folder), tmp_path, real_data, ("performance",)
    )

    parts = ["classifier (2 tensors)", "projector (2 tensors)"]
    assert profile.provenance["not_loaded"] == parts
    assert any(", ".join(parts) in line for line in progress.said)
    assert profile.provenance["licence"] == "Apache-2.0"
    assert not any("licence" in line for line in progress.said)
