"""Dimensions under attack: FGSM written out, its closed form, and figures counted by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from profiler.backbones.base import Backbone
from profiler.backbones.load import load
from profiler.corpora.base import Fold, Utterance
from profiler.features.cache import Clip
from profiler.measures import attacks
from profiler.measures.dimensional_safety import (
    DimensionalSafetySettings,
    dimensional_safety,
)
from profiler.measures.dimensional_safety_work import DimensionalAttackWork
from profiler.measures.dimensional_work import HEAD
from profiler.pipeline.context import BackboneSpec, Context, Parts, Plan
from profiler.protocol import Protocol
from profiler.training.concordance import concordance
from profiler.training.head import Head
from profiler.training.learner import Seen
from profiles_db.criteria import ATTACKED_DIMENSIONAL_CRITERIA
from profiles_db.dimensions import DIMENSIONS, Dimension
from profiles_db.records import AttackName, DimensionalAttack
from tests.profiler.aspects.rows import figure, measure

# The loss.


@given(st.integers(0, 999))
def test_one_less_the_ccc_is_the_squared_error_over_what_no_clip_has_by_itself(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, predicted = rng.uniform(size=(2, 9))
    spread = truth.var() + predicted.var() + (truth.mean() - predicted.mean()) ** 2
    pair = (torch.tensor(truth)[:, None], torch.tensor(predicted)[:, None])
    squares = float(attacks.squared_error(pair[1], pair[0])) / 9
    assert 1 - float(concordance(*pair)) == pytest.approx(squares / spread, rel=1e-9)


def test_fgsm_moves_a_linear_model_by_its_closed_form_away_from_the_rating() -> None:
    """By the radius times the sum of the weights' magnitudes, whatever the clip."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(50, 1, generator=generator, dtype=torch.float64)
    wave = 0.1 * torch.randn(4, 50, generator=generator, dtype=torch.float64)
    ratings = torch.tensor([[0.0], [1.0], [0.5], [torch.nan]], dtype=torch.float64)
    (gradient,) = attacks.loss_gradients(
        lambda heard: heard, [lambda heard: heard @ weights], wave, ratings, attacks.squared_error
    )
    assert gradient.states == ("ok", "ok", "ok", "zero")
    moved = attacks.fgsm(wave, gradient.values, snr_db=30.0, clip=False)
    shift = ((moved - wave) @ weights)[:, 0]
    away = torch.sign((wave @ weights - ratings)[:, 0])
    expected = attacks.amplitude(wave, 30.0)[:, 0] * weights.abs().sum() * away
    torch.testing.assert_close(shift[:3], expected[:3], rtol=1e-9, atol=1e-12)
    assert shift[3] == 0


# The work, on real waveforms and random weights.

RATINGS: tuple[dict[Dimension, float], ...] = (
    {"arousal": 0.1, "valence": 0.8},
    {"arousal": 0.9},
    {"arousal": 0.4, "valence": 0.3},
    {"valence": 0.5},
)
SETTINGS = DimensionalSafetySettings(attack_curve_db=(20.0,), attack_snr_db=40.0)


def _utterances(folder: Path) -> list[Utterance]:
    rng = np.random.default_rng(0)
    found = []
    for number, ratings in enumerate(RATINGS * 3):
        path = folder / f"{number}.wav"
        samples = 0.1 * rng.standard_normal((8_000, 9_000)[number % 2])
        soundfile.write(path, samples, 16_000, subtype="FLOAT")
        found.append(Utterance(str(number), path, f"s{number}", "female", "a", ratings=ratings))
    return found


def _rows(
    folder: Path, settings: DimensionalSafetySettings, backbone: Backbone | None = None
) -> tuple[Context, Head, list[DimensionalAttack]]:
    utterances = _utterances(folder)
    backbone = backbone or load("apc", "random")
    plan = Plan(
        "m", ("dimensional_safety",), BackboneSpec("b", "none", 0, "cpu"), Protocol.of(),
        ("a",), {one.id: one for one in utterances},
        {one.id: Clip(one.id, one.path, "") for one in utterances}, (), folder,
    )  # fmt: skip
    context = Context(plan, backbone)
    train, dev, test = utterances[:4], utterances[4:8], utterances[8:]
    ids = [tuple(one.id for one in part) for part in (train, dev, test)]
    work = DimensionalAttackWork(context, Fold(1, *ids), Parts(train, dev, test), 0, settings)
    torch.manual_seed(1)
    head = Head(layers=backbone.layers, features=backbone.hidden_size, classes=2, width=8).eval()
    emotion = context.new_emotion_head(3).eval()
    rows = work.result(Seen(emotion, torch.zeros(0, 8)), {HEAD: Seen(head, torch.zeros(0, 8))})
    return context, head, [row for row in rows if isinstance(row, DimensionalAttack)]


def test_rows_are_those_of_fgsm_written_out(tmp_path: Path) -> None:
    context, head, rows = _rows(tmp_path, SETTINGS)
    rated = sum(len(ratings) for ratings in RATINGS)
    assert len(rows) == rated * 2 * 2  # FGSM and noise at two ratios
    said: dict[tuple[str, float, str], Tensor] = {}
    for utterance in _utterances(tmp_path)[8:]:
        samples, _ = soundfile.read(utterance.path, dtype="float32")
        wave = torch.tensor(samples, requires_grad=True)
        clean = head([context.hidden_states(wave[None])[0]])[0]
        loss = torch.zeros(())
        names: tuple[Dimension, ...] = ("arousal", "valence")
        for place, name in enumerate(names):
            if name in utterance.ratings:
                loss = loss + (clean[place] - utterance.ratings[name]) ** 2
        (gradient,) = torch.autograd.grad(loss, wave)
        for snr_db in (20.0, 40.0):
            with torch.no_grad():
                step = wave.square().mean().sqrt() / 10 ** (snr_db / 20) * gradient.sign()
                moved = (wave + step).clamp(-1, 1)
                said["fgsm", snr_db, utterance.id] = head([context.hidden_states(moved[None])[0]])[
                    0
                ]
        said["clean", 0.0, utterance.id] = clean.detach()
    for row in rows:
        place = ("arousal", "valence").index(row.dimension)
        clean_value = said["clean", 0.0, row.utterance][place].item()
        assert row.clean == pytest.approx(clean_value, abs=1e-5)
        assert row.truth == RATINGS[int(row.utterance) % 4][row.dimension]
        if row.attack == "fgsm":
            expected = said["fgsm", row.snr_db, row.utterance][place].item()
            assert row.predicted == pytest.approx(expected, abs=2e-3)
        assert row.reached_snr_db == pytest.approx(
            row.snr_db, abs=0.2
        )  # but for samples in no frame

    def shift(attack: str, snr_db: float) -> float:
        own = [r for r in rows if (r.attack, r.snr_db) == (attack, snr_db)]
        return float(np.mean([abs(r.predicted - r.clean) for r in own]))

    assert shift("fgsm", 20.0) > shift("fgsm", 40.0) > shift("noise", 40.0)


def test_a_tuned_model_is_attacked_through_its_tuned_layers(tmp_path: Path) -> None:
    """Before any step these are the encoder's own, so that answers are those of the whole one."""
    whole = load("tera", "random")
    _, head, rows = _rows(tmp_path, SETTINGS, whole.tune(2))
    waves = {
        one.id: torch.tensor(soundfile.read(one.path, dtype="float32")[0])
        for one in _utterances(tmp_path)
    }
    assert {row.gradient for row in rows} == {"ok", "none"}
    for row in rows:
        with torch.no_grad():
            said = head([whole.hidden_states(waves[row.utterance][None])[0]])[0]
        place = ("arousal", "valence").index(row.dimension)
        assert row.clean == pytest.approx(said[place].item(), abs=1e-5)


def test_no_more_clips_are_attacked_than_asked_for(tmp_path: Path) -> None:
    few = SETTINGS.model_copy(update={"attack_clips": 2})
    _, _, rows = _rows(tmp_path, few)
    assert len({row.utterance for row in rows}) == 2


# The figures.


def _simulated() -> list[DimensionalAttack]:
    rng = np.random.default_rng(3)
    rows = []
    for fold in (1, 2):
        for clip in range(40):
            speaker, gender = f"s{fold}-{clip % 5}", ("female", "male")[clip % 5 % 2]
            for dimension in ("arousal", "valence"):
                truth = float(rng.uniform())
                clean = truth + 0.1 * float(rng.standard_normal())
                kinds: tuple[tuple[AttackName, float], ...] = (
                    ("noise", 0.01), ("fgsm", 0.2 if dimension == "arousal" else 0.4),
                )  # fmt: skip
                for attack, step in kinds:
                    predicted = clean + step * float(np.sign(clean - truth))
                    rows.append(
                        DimensionalAttack(
                            0, fold, attack, 45.0, dimension, f"{fold}-{clip}", speaker, gender,  # type: ignore[arg-type]
                            truth, clean, predicted, 45.0, "ok" if attack == "fgsm" else "none",
                        )
                    )  # fmt: skip
    return rows


def test_figures_are_those_counted_by_hand() -> None:
    rows = _simulated()
    found = dimensional_safety(rows, measure, snr_db=45.0)
    for name, step in (("arousal", 0.2), ("valence", 0.4), ("mean", 0.3)):
        shift = figure(found, f"shift_under_attack_{name}")
        assert shift.value == pytest.approx(step)
        assert shift.baseline == pytest.approx(0.01)
        assert shift.n == 80
        assert shift.low is not None
        assert shift.high is not None
        assert shift.low < step < shift.high
    by_hand: dict[str, list[float]] = {"arousal": [], "valence": []}
    for dimension, values in by_hand.items():
        for fold in (1, 2):
            own = [r for r in rows if (r.dimension, r.fold, r.attack) == (dimension, fold, "fgsm")]
            t, p = (np.array([getattr(r, n) for r in own]) for n in ("truth", "predicted"))
            cov = ((t - t.mean()) * (p - p.mean())).mean()
            values.append(2 * cov / (t.var() + p.var() + (t.mean() - p.mean()) ** 2))
        under = figure(found, f"ccc_under_attack_{dimension}")
        assert under.value == pytest.approx(np.mean(values))
        assert under.baseline is not None
        assert under.baseline > np.mean(values)
    mean = figure(found, "ccc_under_attack_mean")
    assert mean.value == pytest.approx(np.mean([*by_hand["arousal"], *by_hand["valence"]]))
    assert "mean over arousal, valence" in mean.notes
    unknown = figure(found, "ccc_under_attack_dominance")
    assert unknown.value is None
    assert unknown.unknown is not None
    assert "rated on dominance" in unknown.unknown


def test_a_shift_beyond_the_range_of_the_ratings_counts_as_the_whole_range() -> None:
    rows = [
        DimensionalAttack(
            0, 1, "fgsm", 45.0, "valence", str(n), str(n), None, 0.5, 0.0, 1000.0, 45.0, "ok"
        )
        for n in range(6)
    ]
    assert (
        figure(dimensional_safety(rows, measure, snr_db=45.0), "shift_under_attack_mean").value
        == 1.0
    )


def test_weak_attacks_are_flagged() -> None:
    swapped = [
        _with(row, attack="noise" if row.attack == "fgsm" else "fgsm", reached_snr_db=50.0)
        for row in _simulated()
    ]
    zero = [_with(row, gradient="zero") for row in swapped]
    flags = figure(dimensional_safety(zero, measure, snr_db=45.0), "shift_under_attack_mean").flags
    assert any("100 % of the gradients are zero" in flag for flag in flags)
    assert "Gaussian noise of the same ratio shifts the answers further" in flags
    assert "the median ratio reached is 50.0 dB" in flags
    noise = [row for row in _simulated() if row.attack == "noise"]
    found = dimensional_safety(noise, measure, snr_db=45.0)
    for name in ATTACKED_DIMENSIONAL_CRITERIA:
        assert figure(found, name).value is None
    reason = figure(found, "shift_under_attack_mean").unknown
    assert reason == "the encoder gives no gradient, so that only noise could be tried"


def test_without_rows_all_is_unknown_with_the_reason() -> None:
    found = dimensional_safety([], measure, snr_db=45.0)
    assert {one.criterion for one in found} == set(ATTACKED_DIMENSIONAL_CRITERIA)
    assert all(one.value is None and ", ".join(DIMENSIONS) in (one.unknown or "") for one in found)


def _with(row: DimensionalAttack, **changes: object) -> DimensionalAttack:
    return dataclasses.replace(row, **changes)  # type: ignore[arg-type]
