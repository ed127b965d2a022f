"""Mixed precision: what runs in it, what it changes, and that it makes a study of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
import torch
import transformers as hf
from torch import Tensor, nn

from profiler.backbones.base import Backbone, Weights
from profiler.backbones.encoder import Encoder
from profiler.backbones.load import load
from profiler.backbones.precision import hidden_states
from profiler.corpora.audio import file_digest
from profiler.features.cache import Clip, FeatureCache
from profiler.features.upkeep import sections
from profiler.measures.attacks import Gradient, loss_gradient, reached_snr_db
from profiler.measures.base import ClipTask
from profiler.measures.safety import PGD, SafetySettings
from profiler.measures.safety_work import attack
from profiler.pipeline.context import BackboneSpec, Context, Plan
from profiler.pipeline.engines import choose
from profiler.pipeline.engines.choose import Choice
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.run import describe_run
from profiler.settings import Precision
from profiler.study import open_study
from profiler.training.head import Head
from profiles_db.measurement import POOLED
from tests.profiler.backbones.checkpoints import WAVEFORM, WHISPER, saved
from tests.profiler.backbones.small import loaded, small_entry
from tests.profiler.small_corpus import small_corpus
from trustser.__main__ import run

# Largest relative error of all hidden states, about twice what random weights show; 0 for those
# that stay in float32 whole.
TOLERANCE = {
    "fbank": 0.0,
    "apc": 0.0,
    "tera": 0.005,
    "whisper_tiny": 0.005,
    "wav2vec2_base": 0.02,
    "wavlm_base_plus": 0.02,
    "cnn14": 0.005,
    "data2vec_base": 0.04,
    "w2v_bert_2": 0.02,
}
SMALL = ("w2v_bert_2",)
"""Families whose members take gigabytes, made small."""
OTHER_SIGNS = 0.02
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """One thread, as in a worker, so that tests beside each other do not contend."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=list(TOLERANCE))
def backbone(request: pytest.FixtureRequest) -> Backbone:
    if request.param in SMALL:
        return loaded(small_entry(request.param), seed=3)
    return load(request.param, weights="random", seed=3)


def _noise(samples: int = 16_000) -> Tensor:
    return 0.1 * torch.randn(1, samples, generator=torch.Generator().manual_seed(7))


def _relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def test_states_are_close_to_those_of_float32(backbone: Backbone) -> None:
    tolerance = TOLERANCE[backbone.name]
    with torch.no_grad():
        full, mixed = (hidden_states(backbone, _noise(), p) for p in PRECISIONS)
    assert torch.equal(full, backbone.hidden_states(_noise()))
    assert mixed.dtype == torch.float32
    assert tolerance / 10 <= _relative(mixed, full) <= tolerance


def test_gradients_are_finite_and_point_where_those_of_float32_do(backbone: Backbone) -> None:
    torch.manual_seed(0)
    head = Head(layers=backbone.layers, features=backbone.hidden_size, classes=4, width=16)
    speech_and_silence = torch.cat([_noise(), torch.zeros(1, 16_000)])

    def gradient(precision: Precision) -> Gradient:
        def model(wave: Tensor) -> Tensor:
            logits: Tensor = head(list(hidden_states(backbone, wave, precision).unbind(0)))
            return logits

        return loss_gradient(model, speech_and_silence, torch.tensor([1, 2]))

    full, mixed = gradient("float32"), gradient("bfloat16")
    assert mixed.states == full.states
    assert mixed.states[0] == "ok"
    assert "not finite" not in mixed.states
    differing = (mixed.values[0].sign() != full.values[0].sign()).float().mean().item()
    assert differing <= (OTHER_SIGNS if TOLERANCE[backbone.name] else 0.0)


def test_front_ends_lose_nothing(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(backbone, Encoder)
    reached: list[Tensor] = []
    encode = backbone.encode

    def noting(features: Tensor) -> Tensor:
        reached.append(features)
        return encode(features)

    monkeypatch.setattr(backbone, "encode", noting)
    with torch.no_grad():
        hidden_states(backbone, _noise(), "bfloat16")
        expected = backbone.front_end(_noise())
    assert reached[0].dtype == torch.float32
    assert torch.equal(reached[0], expected)


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_waveforms_and_norms_stay_in_float32_matrix_products_do_not(
    tmp_path: Path, norm: str
) -> None:
    config = hf.Wav2Vec2Config(**WAVEFORM, feat_extract_norm=norm)
    small = load("wav2vec2_base", str(saved(hf.Wav2Vec2Model(config), tmp_path)))
    seen: dict[nn.Module, torch.dtype] = {}
    for module in small.modules():
        if isinstance(module, nn.GroupNorm | nn.LayerNorm | nn.Linear | nn.Conv1d):
            module.register_forward_hook(lambda m, _, output: seen.update({m: output.dtype}))
    hidden_states(small, _noise(), "bfloat16")
    convolutions = [module for module in seen if isinstance(module, nn.Conv1d)]
    assert {seen[m] for m in seen if isinstance(m, nn.GroupNorm | nn.LayerNorm)} == {torch.float32}
    assert {seen[m] for m in seen if isinstance(m, nn.Linear)} == {torch.bfloat16}
    assert [m for m in convolutions if seen[m] == torch.float32] == convolutions[:1]
    assert any(isinstance(m, nn.GroupNorm) for m in seen) == (norm == "group")


def test_rounding_a_waveform_is_as_loud_as_the_attacks() -> None:
    """Why the convolution that takes it keeps its precision."""
    (ratio,) = reached_snr_db(_noise(), _noise().bfloat16().float())
    assert ratio == pytest.approx(max(SafetySettings().snrs_db), abs=3)


class Spy(Backbone):
    """Frames of 16 samples; notes at each pass whether autocast was on."""

    name, hidden_size, layers, min_samples = "spy", 16, 1, 16

    def __init__(self) -> None:
        super().__init__()
        self.weights = Weights("none", "none", "none", 0)
        self.passes: list[bool] = []

    def hidden_states(self, waveform: Tensor) -> Tensor:
        self.passes.append(torch.is_autocast_enabled("cpu"))
        return waveform.unfold(1, 16, 16).unsqueeze(1)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_pass_is_in_the_protocols_precision_and_no_head_is(
    precision: Precision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = Protocol.of(precision=precision, pgd_steps=2)
    study = open_study("manifest", small_corpus(tmp_path), protocol, Silent())
    utterances = study.corpus.utterances[:2]
    spec = BackboneSpec("spy", "none", 0, "cpu")
    plan = Plan(
        "r", ("safety",), spec, protocol, study.corpus.classes, {u.id: u for u in utterances},
        study.clips, (), tmp_path / "cache",
    )  # fmt: skip
    spy = Spy()
    context = Context(plan, spy)
    stages = [len(spy.passes)]
    context.features.fill([study.clips[u.id] for u in utterances], lambda _: None)
    stages.append(len(spy.passes))
    head, heads = context.new_head(len(plan.classes)).eval(), []
    head.register_forward_pre_hook(lambda *_: heads.append(torch.is_autocast_enabled("cpu")))
    tasks = [ClipTask(u.id, 0, PGD) for u in utterances]
    attack(context, 1, {0: head}, tasks, SafetySettings(pgd_steps=2))
    stages.append(len(spy.passes))
    monkeypatch.setattr(choose, "available_cores", lambda: 2)
    Choice().engine(context, Silent())
    stages.append(len(spy.passes))
    assert all(before < after for before, after in pairwise(stages))
    assert set(spy.passes) == {precision == "bfloat16"}
    assert set(heads) == {False}


# As they were before there was a precision to choose.
NAMES = {"fbank": "fbank-3d214bd0791a40fb", "whisper_tiny": "whisper_tiny-29acc2ea6bdeb844"}


@pytest.mark.parametrize("name", list(NAMES))
def test_features_of_float32_lie_where_they_lay_and_others_apart(name: str, tmp_path: Path) -> None:
    loaded = load(name, "random")
    full = FeatureCache(tmp_path, lambda: loaded, seconds=6.0, min_seconds=0.1)
    mixed = FeatureCache(
        tmp_path, lambda: loaded, seconds=6.0, min_seconds=0.1, precision="bfloat16"
    )
    assert full.folder.name == NAMES[name]
    assert mixed.folder.name != full.folder.name


def test_the_cache_keeps_the_states_of_its_precision(tmp_path: Path) -> None:
    small_corpus(tmp_path)
    path = min(tmp_path.glob("*.wav"))
    clip = Clip("a", path, file_digest(path).removeprefix("sha256:"))
    loaded, states = load("whisper_tiny", "random"), []
    for precision in PRECISIONS:
        cache = FeatureCache(
            tmp_path / "c", lambda: loaded, seconds=6.0, min_seconds=0.1, precision=precision
        )
        assert cache.fill([clip], lambda _: None) == {}
        states.append(cache.read([clip])[0].to(torch.device("cpu"), torch.float32))
    assert 0 < _relative(states[1], states[0]) < TOLERANCE["whisper_tiny"]


def test_sections_without_a_precision_are_float32_or_not_known(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "features", lambda: load("fbank"), seconds=6.0, min_seconds=0.1)
    with cache.in_use(print):
        pass
    mark = cache.folder / "about.json"
    about = json.loads(mark.read_text())
    assert about.pop("precision") == "float32"
    for content, expected in ((json.dumps(about), "float32"), ("{broken", "")):
        mark.write_text(content)
        assert [section.precision for section in sections(tmp_path)] == [expected]


def test_two_precisions_are_two_models_of_one_study(tmp_path: Path) -> None:
    manifest = small_corpus(tmp_path)
    spy, device = Spy(), torch.device("cpu")
    runs = [
        describe_run(
            open_study("manifest", manifest, Protocol.of(precision=precision), Silent()),
            spy,
            device,
            {},
        )
        for precision in PRECISIONS
    ]
    assert len({run.study for run in runs}) == 1
    assert len({run.model for run in runs}) == len(PRECISIONS)


@pytest.mark.usefixtures("little_on_costs")
def test_a_profile_in_bfloat16_is_asked_for_by_set_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = hf.WhisperConfig(**WHISPER | {"max_source_positions": 300})
    weights = saved(hf.WhisperModel(config), tmp_path / "whisper")
    db, cache, report = (str(tmp_path / name) for name in ("p.duckdb", "c", "r.html"))
    command = (
        f"profile --backbone whisper_tiny --weights {weights} --dataset manifest --data-root "
        f"{small_corpus(tmp_path)} --folds 1 --seeds 1 --epochs 1 --set probe_epochs=1 "
        "--set pgd_steps=0 --set snr_curve_db=[] --set resamples=100 "
        f"--set precision=bfloat16 --db {db} --cache {cache} --workers 0 --device cpu --json"
    )
    assert run(command.split()) == 0
    (profile,) = json.loads(capsys.readouterr().out)
    assert profile["protocol"]["training"]["precision"] == "bfloat16"
    figures = {m["criterion"]: m["value"] for m in profile["measurements"] if m["fold"] == POOLED}
    assert math.isfinite(figures["attack_success_rate"])
    assert run(["cache", "list", "--cache", cache, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["features"]
    assert [one["precision"] for one in listed] == ["bfloat16"]
    assert run(["report", "--db", db, "-o", report]) == 0
    assert "bfloat16" in Path(report).read_text()
