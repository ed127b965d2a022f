"""eGeMAPS against openSMILE itself; what needs a gradient or a count of operations is unknown."""

from __future__ import annotations

import builtins
import functools
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import opensmile
import pytest
import torch
from torch import Tensor

from profiler.backbones.catalogue import CATALOGUE
from profiler.backbones.egemaps_scale import SCALE
from profiler.backbones.load import load
from profiler.measures import safety_work
from profiler.measures.base import ClipTask
from profiler.measures.costs.architecture import architecture_costs
from profiler.measures.costs.known import known_costs
from profiler.measures.safety import SafetySettings, safety
from profiler.measures.sustainability import counted
from profiles_db.errors import MissingExtraError
from profiles_db.measurement import Measurement
from profiles_db.records import AttackOutcome, Prediction


def noise(samples: int = 32_000, clips: int = 2) -> Tensor:
    return 0.1 * torch.randn(clips, samples, generator=torch.Generator().manual_seed(1))


def test_every_descriptor_has_a_scale_and_no_deviation_is_zero() -> None:
    assert len(SCALE) == 88
    assert all(np.isfinite(pair).all() and pair[1] > 0 for pair in SCALE.values())


def test_the_descriptors_are_those_of_opensmile() -> None:
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    states = load("egemaps")(noise())
    assert list(SCALE) == smile.feature_names
    assert states.shape == (2, 1, 1, 88)
    for clip, row in zip(noise(), states[:, 0, 0], strict=True):
        wanted = smile.process_signal(clip.numpy(), 16_000).iloc[0]
        for value, name in zip(row.tolist(), smile.feature_names, strict=True):
            mean, deviation = SCALE[name]
            scaled = np.clip((wanted[name] - mean) / deviation, -10, 10)
            assert value == pytest.approx(scaled, rel=1e-4, abs=1e-4)


def test_a_tone_has_its_pitch_and_its_level() -> None:
    """Descriptors of known value: 220 Hz lies 36 semitones above 27.5 Hz; twice as loud is 6 dB."""
    time = torch.arange(32_000) / 16_000
    harmonics = [torch.sin(2 * torch.pi * 220 * n * time) / n for n in range(1, 8)]
    tone = 0.1 * torch.stack(harmonics).sum(0)[None]
    quiet, loud = load("egemaps")(tone), load("egemaps")(2 * tone)

    def value(states: Tensor, name: str) -> float:
        mean, deviation = SCALE[name]
        return float(states[0, 0, 0, list(SCALE).index(name)]) * deviation + mean

    pitch = "F0semitoneFrom27.5Hz_sma3nz_percentile50.0"
    level = "equivalentSoundLevel_dBp"
    assert value(quiet, pitch) == pytest.approx(36.0, abs=0.2)
    assert value(loud, level) - value(quiet, level) == pytest.approx(6.02, abs=0.1)


def test_weights_name_the_version_that_computes_it() -> None:
    weights = load("egemaps", "random").weights

    assert weights.kind == "none"
    assert opensmile.__version__ in weights.id
    assert weights.size == 0


def test_without_the_extra_the_way_and_the_licence_are_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name == "opensmile":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"trustser\[egemaps\].*research only"):
        load("egemaps")


def test_there_is_no_gradient_and_that_is_said() -> None:
    with pytest.raises(ValueError, match="egemaps gives no gradient"):
        load("egemaps")(noise().requires_grad_())


def test_operations_are_unknown_never_zero() -> None:
    known = known_costs("egemaps")
    assert known is not None
    assert (known.macs, known.paper_macs, known.parameters) == (None, None, 0)

    figure = functools.partial(
        Measurement, study="s", backbone="egemaps", weights="none", corpus=""
    )
    found = {m.criterion: m for m in counted(figure, known)}
    for name in ("macs", "paper_macs"):
        assert found[name].value is None
        assert "outside of torch" in str(found[name].unknown)
    assert found["parameters"].value == 0


def test_the_known_costs_are_those_of_the_backbone() -> None:
    assert architecture_costs("egemaps") == known_costs("egemaps")


def test_only_noise_is_tried_where_there_is_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder's pass raises if it is asked for a gradient."""

    def states(wave: Tensor) -> Tensor:
        assert not wave.requires_grad
        return wave.mean(1)[:, None, None, None]

    clip = SimpleNamespace(id="a", path=None, label="happy", speaker="s1")
    context: Any = SimpleNamespace(
        backbone=SimpleNamespace(outside_torch="computed elsewhere"),
        utterances={"a": clip},
        classes=("happy", "sad"),
        attack_batch=1,
        answer_batch=1,
        device=torch.device("cpu"),
        hidden_states=states,
        protocol=SimpleNamespace(study=SimpleNamespace(seconds=6.0)),
    )

    class Answer(torch.nn.Module):
        def forward(self, clips: list[Tensor]) -> Tensor:
            return torch.tensor([[1.0, 0.0]]).repeat(len(clips), 1)

    monkeypatch.setattr(safety_work, "load_clip", lambda *_, **__: noise(clips=1)[0].numpy())
    heads: Any = {0: Answer()}
    settings = SafetySettings(snr_db=45.0, snr_curve_db=(25.0,))
    rows = safety_work.attack(context, 0, heads, [ClipTask("a", 0, "pgd")], settings)

    assert [(row.attack, row.snr_db) for row in rows] == [("noise", 25.0), ("noise", 45.0)]


def test_safety_without_a_gradient_is_unknown_and_noise_is_measured() -> None:
    predictions = [
        Prediction(0, fold, utterance=f"{fold}{clip}", speaker=f"s{fold}{clip % 3}",
                   gender="female", label="happy", predicted="happy", probabilities=(0.9, 0.1))
        for fold in range(2) for clip in range(6)
    ]  # fmt: skip
    outcomes = [
        AttackOutcome(0, p.fold, attack="noise", snr_db=45.0, utterance=p.utterance,
                      speaker=p.speaker, label=p.label, predicted=p.predicted,
                      reached_snr_db=45.0, gradient="none")
        for p in predictions
    ]  # fmt: skip
    genders = {p.speaker: p.gender for p in predictions}
    figure: Any = partial(
        Measurement, study="s", backbone="egemaps", weights="none", corpus="c", origin="measured"
    )
    found = safety(predictions, outcomes, ("happy", "sad"), genders, figure, snr_db=45.0)
    plain = {m.criterion: m for m in found if m.attack is None}

    for name in ("attack_success_rate", "accuracy_under_attack"):
        assert plain[name].value is None
        assert "no gradient" in str(plain[name].unknown)
    (noisy,) = [m for m in found if m.attack == "noise" and m.criterion == "attack_success_rate"]
    assert noisy.value == 0.0


def test_its_licence_is_said_wherever_it_is_listed() -> None:
    entry = CATALOGUE["egemaps"]
    assert entry.licence == "research only"
    assert "non-commercial" in entry.licence_note
    assert replace(entry).hub_id is None
