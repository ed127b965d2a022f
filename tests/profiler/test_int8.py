"""Linear layers in int8: the arithmetic, its gradient, and whole profiles that show its price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from torch import Tensor, nn

import trustser
from advisor import advise
from profiler.backbones.base import Backbone
from profiler.backbones.int8 import Int8, with_gradient_of
from profiler.backbones.load import load
from profiler.corpora.audio import load_clip
from profiler.machine import batch_of
from profiler.measures.safety import BORROWED_GRADIENT
from profiler.pipeline.context import Context
from profiler.pipeline.engines.choose import best_workers
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.session import profile_all
from profiles_db.errors import InputError
from profiles_db.profile import Profile
from profiles_db.records import AttackOutcome, GenderPrediction, Prediction
from profiles_db.store import Store
from tests.advisor.tables import scenario_of
from tests.profiler.backbones.checkpoints import BERT, WHISPER, saved, varied
from tests.profiler.test_tuning import WAVEFORMS, few, publishers_model  # noqa: F401 - a fixture

NAME = "whisper_tiny+int8"
CPU = torch.device("cpu")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As a worker has, so that what is made here and there is the same to the bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Whisper wide enough that its weights weigh more than the rest."""
    torch.manual_seed(0)
    shape = WHISPER | {"d_model": 64, "encoder_ffn_dim": 256, "max_source_positions": 300}
    model = varied(hf.WhisperModel(hf.WhisperConfig(**shape)))
    return str(saved(model, tmp_path_factory.mktemp("whisper")))


@pytest.fixture(scope="module")
def plain(checkpoint: str) -> Backbone:
    return load("whisper_tiny", checkpoint)


@pytest.fixture(scope="module")
def rounded(checkpoint: str) -> Backbone:
    return load(NAME, checkpoint)


def _waves(clips: int, samples: int = 16_000) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    loudness = torch.logspace(-2, -0.5, clips)[:, None]
    return loudness * torch.randn(clips, samples, generator=generator)


def in_closed_form(given: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A linear layer quantised dynamically, in whole numbers: weights from -128 to 127 around 0,
    what enters from 0 to 127 on the range that it has, 0 included."""
    of_weights = np.abs(weight).max() / 127.5
    whole_weights = np.clip(np.rint(weight / of_weights), -128, 127).astype(np.int64)
    low, high = min(given.min(), 0.0), max(given.max(), 0.0)
    scale = (high - low) / 127
    zero = int(np.clip(np.rint(-low / scale), 0, 127))
    whole = np.clip(np.rint(given / scale) + zero, 0, 127).astype(np.int64)
    found: np.ndarray = (whole - zero) @ whole_weights.T * (scale * of_weights) + bias
    return found


@pytest.mark.parametrize("shift", [-3.0, 0.0, 0.4, 5.0])
def test_a_layer_computes_the_closed_form(plain: Backbone, rounded: Backbone, shift: float) -> None:
    own: Any = plain
    twin: Any = rounded
    before, after = own.encoder.layers[0].fc1, twin.encoder.encoder.layers[0].fc1
    assert type(before) is nn.Linear
    given = shift + torch.randn(40, 64, generator=torch.Generator().manual_seed(1))
    found = after(given).numpy()
    weight, bias = before.weight.detach().double().numpy(), before.bias.detach().double().numpy()
    wanted = in_closed_form(given.double().numpy(), weight, bias)
    # One of the values that enter may lie on the edge between two whole numbers.
    step = np.abs(weight).max() * (float(given.max()) - min(float(given.min()), 0.0)) / 127
    assert np.abs(found - wanted).max() <= 1.01 * step
    assert np.mean(np.abs(found - wanted) < 1e-4 * np.abs(wanted).max()) > 0.95
    exact = before(given).detach().numpy()
    assert np.abs(found - exact).max() > 10 * np.median(np.abs(found - wanted))


def test_only_weights_of_linear_layers_are_smaller(plain: Backbone, rounded: Backbone) -> None:
    linear = [m for m in plain.modules() if type(m) is nn.Linear]
    weights = sum(m.weight.numel() for m in linear)
    assert plain.weights.size - rounded.weights.size == 3 * weights
    assert len(linear) == 2 * 6
    assert not [m for m in rounded.modules() if type(m) is nn.Linear]
    own: Any = plain
    twin: Any = Int8(plain).encoder
    assert twin.encoder.conv1.weight is own.encoder.conv1.weight
    assert own.encoder.conv1.weight.dtype == torch.float32


def test_a_clip_answers_alike_whatever_clips_are_beside_it(rounded: Backbone) -> None:
    """Though one scale for all that enters a layer would have the loudest change the others."""
    waves = _waves(3)
    alone = torch.cat([rounded(wave[None]) for wave in waves])
    assert torch.equal(rounded(waves), alone)
    within: Any = rounded
    together = within.encoder(waves)
    assert (together - alone).abs().max() > 1e-3


@pytest.mark.parametrize("name", [*WAVEFORMS, "hf:org/bert"])
def test_encoders_of_all_families_go_on_in_int8(name: str, tmp_path: Path) -> None:
    if name in WAVEFORMS:
        model = publishers_model(name, {})
    else:
        torch.manual_seed(0)
        model = hf.Wav2Vec2BertModel(hf.Wav2Vec2BertConfig(**BERT))
    folder = saved(model, tmp_path)
    plain, rounded = (load(f"{folder}{form}") for form in ("", "+int8"))
    wave = _waves(1)
    states, near = plain(wave), rounded(wave)
    assert 0 < (near - states).norm() < 0.15 * states.norm()
    kept = [n for n, m in rounded.named_modules() if type(m) is nn.Linear]
    if name == "wavlm_base_plus":  # whose attention reads these weights itself
        assert len(kept) == 3 * 4
        assert all("attention" in one for one in kept)
    else:
        assert not kept
    assert rounded.weights.id == plain.weights.id + "+int8"


def test_the_states_are_those_in_int8_and_the_gradient_that_in_float32() -> None:
    values, point = torch.tensor([1.0, 2.0]), torch.tensor([0.3, 0.7], requires_grad=True)
    found = with_gradient_of(values, torch.exp(point))
    assert torch.equal(found, values)
    (gradient,) = torch.autograd.grad((found**2).sum(), point)
    torch.testing.assert_close(gradient, 2 * values * torch.exp(point.detach()))


# Whole profiles, with a small checkpoint.

SHORT = Protocol.of(
    epochs=10, probe_epochs=2, seeds=1, resamples=100, pgd_steps=1, pgd_clips=2, folds=1,
    snr_curve_db=(15.0, 25.0), batch_size=4, learning_rate=5e-3, seconds=0.6, enrolment_clips=1,
)  # fmt: skip
MEASURES = ("performance", "safety", "sustainability", "privacy", "fairness")


@dataclass
class Done:
    """The same encoder in float32 and in int8, and the heads of the latter."""

    store: Store
    plain: Profile
    rounded: Profile
    context: Context


@pytest.fixture(scope="module")
def done(
    little_on_costs: None,
    checkpoint: str,
    few: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Done:
    folder = tmp_path_factory.mktemp("int8")
    store = Store(folder / "a.duckdb")
    contexts: list[Context] = []
    begin = Context.__init__

    def spying(self: Context, *given: Any) -> None:
        contexts.append(self)
        begin(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Context, "__init__", spying)
        plain, rounded = (
            profile_all(
                (name,), "manifest", few, SHORT, store, weights=checkpoint, weights_seed=0,
                cache=folder / "cache", device="cpu", workers=0, progress=Silent(), wanted=wanted,
            )[0]
            for name, wanted in (("whisper_tiny", MEASURES[:3]), (NAME, MEASURES))
        )  # fmt: skip
    return Done(store, plain, rounded, contexts[-1])


def test_it_is_a_candidate_of_its_own_measured_on_all_aspects(done: Done) -> None:
    assert (done.rounded.backbone, done.rounded.failed) == (NAME, {})
    assert done.rounded.weights_id == done.plain.weights_id + "+int8"
    assert done.rounded.model != done.plain.model
    for criterion in ("uar", "gender_inference", "attack_success_rate", "latency_p50"):
        figure = done.rounded.pooled(criterion)
        assert figure is not None
        assert figure.value is not None, (criterion, figure.unknown)
    answers = [
        [row.probabilities for row in done.store.rows(one.run, Prediction)]
        for one in (done.plain, done.rounded)
    ]
    assert answers[0] != answers[1]
    assert done.store.rows(done.rounded.run, GenderPrediction)


def test_operations_are_as_many_and_bytes_fewer(done: Done) -> None:
    for criterion in ("macs", "paper_macs", "parameters"):
        before, after = (one.pooled(criterion) for one in (done.plain, done.rounded))
        assert before is not None
        assert after is not None
        assert before.value == after.value != 0
    sizes = [one.pooled("size") for one in (done.plain, done.rounded)]
    assert sizes[0] is not None
    assert sizes[1] is not None
    assert sizes[1].value < 0.6 * sizes[0].value  # type: ignore[operator]


def test_attacks_follow_the_float32_gradient_and_are_answered_in_int8(
    done: Done, checkpoint: str
) -> None:
    context, head = done.context, done.context.head(0, 1)
    plain, rounded = load("whisper_tiny", checkpoint), load(NAME, checkpoint)
    rows = [row for row in done.store.rows(done.rounded.run, AttackOutcome) if row.attack == "fgsm"]
    assert len(rows) >= 6
    changed = 0
    for row in rows:
        utterance = context.utterances[row.utterance]
        wave = batch_of([load_clip(utterance.path, seconds=0.6)], CPU)
        point = wave.clone().requires_grad_(True)
        with torch.no_grad():
            states = rounded(wave)
        upstream = states.clone().requires_grad_(True)
        target = torch.tensor([context.classes.index(row.label)])
        loss = nn.functional.cross_entropy(head(list(upstream)), target)
        (at_states,) = torch.autograd.grad(loss, upstream)
        (gradient,) = torch.autograd.grad(plain(point), point, at_states)
        rms = wave.square().mean().sqrt() / 10 ** (row.snr_db / 20)
        attacked = (wave + rms * gradient.sign()).clamp(-1, 1)
        with torch.no_grad():
            answer = context.classes[int(head(list(rounded(attacked))).argmax())]
        assert answer == row.predicted
        changed += answer != row.label
    assert changed > 0


def test_figures_of_attacks_say_whose_gradient_it_was(done: Done) -> None:
    for profile, told in ((done.plain, False), (done.rounded, True)):
        attacked = [
            m
            for m in profile.measurements
            if m.criterion == "attack_success_rate" and m.attack != "noise"
        ]
        assert attacked
        assert all((BORROWED_GRADIENT in m.flags) == told for m in attacked)
        control = [m for m in profile.measurements if m.attack == "noise"]
        assert control
        assert not any(BORROWED_GRADIENT in m.flags for m in control)


def test_advice_weighs_it_and_a_scenario_may_leave_it_out(done: Done) -> None:
    text = (
        "evidence: {source: measured, min_folds: 1}\n"
        "priorities: {system_performance: high, safety: low}\n"
    )
    profiles = [done.plain, done.rounded]

    def candidates(line: str) -> set[str]:
        return {one.name for one in advise(scenario_of(text + line), profiles).candidates}

    assert candidates("") == {"whisper_tiny", NAME}
    assert candidates("candidates: {int8: none}\n") == {"whisper_tiny"}
    assert candidates("candidates: {int8: only}\n") == {NAME}


# What is refused


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fbank+int8", "fbank has no linear layers to quantise"),
        ("apc+int8", "apc passes no linear layers"),
        ("whisper_tiny+last1+int8", "comes once, last, and where no layers are tuned"),
        ("whisper_tiny+int8+last1", "comes once, last, and where no layers are tuned"),
        ("whisper_tiny+int8@2", "comes once, last, and where no layers are tuned"),
        ("whisper_tiny+int8+int8", "comes once, last, and where no layers are tuned"),
        ("whisper_tinny+int8", "Did you mean whisper_tiny?"),
        ("+int8", "unknown backbone"),
    ],
)
def test_names_that_mean_nothing_are_one_line(name: str, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        load(name, "random")
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_encoder_that_reads_its_own_weights_is_refused(plain: Backbone) -> None:
    class Odd(Backbone):
        name, weights, hidden_size, layers, min_samples = "odd", plain.weights, 4, 1, 400

        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(400, 4)

        def hidden_states(self, waveform: Tensor) -> Tensor:
            frames = waveform.unfold(1, 400, 400)
            return (frames @ self.linear.weight.T)[:, None]

    with pytest.raises(InputError, match=r"odd\+int8: cannot be run in int8 \(Attrib"):
        Int8(Odd())


def test_an_encoder_whose_linear_layers_are_passed_over_is_refused(plain: Backbone) -> None:
    """Also where dropout would have two passes differ."""

    class Passing(Backbone):
        name, weights, hidden_size, layers, min_samples = "passing", plain.weights, 400, 1, 400

        def __init__(self) -> None:
            super().__init__()
            self.linear, self.dropout = nn.Linear(400, 4), nn.Dropout(0.5)

        def hidden_states(self, waveform: Tensor) -> Tensor:
            states: Tensor = self.dropout(waveform.unfold(1, 400, 400))[:, None]
            return states

    with pytest.raises(InputError, match="passing passes no linear layers"):
        Int8(Passing())


def test_it_runs_on_a_cpu_in_float32_and_gives_no_gradient_itself(
    rounded: Backbone,
    checkpoint: str,
    few: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError, match="int8 run on a CPU alone"):
        load(NAME, "random", device="cuda")
    with pytest.raises(ValueError, match="gives no gradient"):
        rounded(_waves(1).requires_grad_(True))
    assert best_workers(rounded, CPU) >= 0  # which times passes: forward ones alone
    for options, words in (
        ({"protocol": Protocol.of(precision="bfloat16")}, "leave out training.precision"),
        ({"depths": "1"}, "is in int8 already"),
        ({"tune": "all"}, "is in int8 already"),
    ):
        given: dict[str, Any] = {"protocol": SHORT, **options}
        protocol = given.pop("protocol")
        with pytest.raises(InputError) as refusal:
            profile_all(
                (NAME,), "manifest", few, protocol, Store(tmp_path / "a.duckdb"),
                weights=checkpoint, weights_seed=0, cache=tmp_path / "cache", device="cpu",
                workers=0, progress=Silent(), wanted=("performance",), **given,
            )  # fmt: skip
        assert words in str(refusal.value).lower()


def test_its_export_is_refused_with_the_way_out(done: Done, tmp_path: Path) -> None:
    with pytest.raises(trustser.InputError, match="Export the run of whisper_tiny"):
        trustser.export_model(done.rounded.run, tmp_path / "x", db=done.store.path, cache=tmp_path)
