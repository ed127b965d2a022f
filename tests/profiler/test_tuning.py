"""An encoder's last layers trained with the head: from cached states, and with all of it there."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from torch import Tensor, nn

from profiler.backbones.base import Backbone, LastLayers
from profiler.backbones.encoder import Encoder
from profiler.backbones.load import load
from profiler.backbones.weights import content_id
from profiler.corpora.audio import load_clip
from profiler.machine import batch_of
from profiler.pipeline import fold_training, jobs, scheduler
from profiler.pipeline.context import Context
from profiler.progress import Silent
from profiler.protocol import Protocol, TrainingSettings
from profiler.session import profile_all, profile_all_costs
from profiler.settings import Pooling
from profiler.training.batches import batches, pass_order
from profiler.training.checkpoint import StateFiles
from profiler.training.head import Head
from profiler.training.learner import Dropout, Recipe, Targets, class_weights
from profiler.training.loop import train
from profiler.training.tuning import TunedHead, TunedLearner
from profiles_db.errors import InputError, MeasuringError
from profiles_db.profile import Profile
from profiles_db.records import (
    Attacker,
    AttackOutcome,
    Epoch,
    GenderPrediction,
    LayerWeight,
    Prediction,
)
from profiles_db.store import Store
from tests.profiler.backbones.checkpoints import (
    BERT,
    WAVEFORM,
    WHISPER,
    saved,
    tera_checkpoint,
    varied,
)
from tests.profiler.same_rows import Rows, rows_of
from tests.profiler.worded_head import as_worded

LAYERS = 3
CPU = torch.device("cpu")
STABLE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}
WAVEFORMS: dict[str, tuple[Any, Any]] = {
    "wav2vec2_base": (hf.Wav2Vec2Config, hf.Wav2Vec2Model),
    "hubert_base": (hf.HubertConfig, hf.HubertModel),
    "wavlm_base_plus": (hf.WavLMConfig, hf.WavLMModel),
    "data2vec_base": (hf.Data2VecAudioConfig, hf.Data2VecAudioModel),
}
FAMILIES = [
    ("whisper_tiny", {}),
    *((name, {}) for name in WAVEFORMS),
    *((name, STABLE) for name in ("wav2vec2_base", "wavlm_base_plus")),
    ("w2v_bert_2", {}),
]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As a worker has, so that what is made here and there is the same to the bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def publishers_model(name: str, extra: dict[str, Any]) -> hf.PreTrainedModel:
    """A small model of the family as its publisher builds it, no two tensors alike."""
    torch.manual_seed(0)
    if name == "whisper_tiny":
        shape = WHISPER | {"encoder_layers": LAYERS}
        model: hf.PreTrainedModel = hf.WhisperModel(hf.WhisperConfig(**shape))
    elif name == "w2v_bert_2":
        shape = BERT | {"num_hidden_layers": LAYERS, **extra}
        model = hf.Wav2Vec2BertModel(hf.Wav2Vec2BertConfig(**shape))
    else:
        config, kind = WAVEFORMS[name]
        model = kind(config(**{**WAVEFORM, "num_hidden_layers": LAYERS, **extra}))
    varied(model)
    return model.eval()


def _waves(lengths: Sequence[int]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [0.1 * torch.randn(1, length, generator=generator) for length in lengths]


@pytest.mark.parametrize(("name", "extra"), FAMILIES)
def test_layers_go_on_from_what_enters_them_to_the_states_of_the_encoder(
    tmp_path: Path, name: str, extra: dict[str, Any]
) -> None:
    """To the bit, however many of them, alone and two clips together."""
    whole = load(name, str(saved(publishers_model(name, extra), tmp_path)))
    _assert_goes_on(whole, torch.cat(_waves([16_000, 16_000])))


def test_layers_of_tera_go_on_chunk_by_chunk(tmp_path: Path) -> None:
    whole = load("tera", str(tera_checkpoint(tmp_path / "tera.ckpt")))
    _assert_goes_on(whole, torch.cat(_waves([40_000, 40_000])))


def _assert_goes_on(whole: Backbone, waves: Tensor) -> None:
    with torch.inference_mode():
        for wave in (waves[:1], waves):
            wanted = whole(wave)
            for number in range(1, whole.transformer_layers + 1):
                tuned = whole.tune(number)
                assert torch.equal(tuned(wave), wanted)
                frozen = tuned.frozen_part()(wave)
                found = LastLayers(tuned)(frozen[:, -1])
                assert torch.equal(found, wanted[:, -number:])
                if number < whole.transformer_layers:
                    assert torch.equal(frozen, wanted[:, :-number])


# The whole model in the loop: the publisher's own, with its lower layers frozen.


class Whole:
    """The publisher's model and a head as the protocol words it, in double precision."""

    def __init__(self, name: str, model: hf.PreTrainedModel, number: int, head: Head) -> None:
        self._whisper = name == "whisper_tiny"
        self.model = (model.encoder if self._whisper else model).double()
        self.layers = (self.model if self._whisper else self.model.encoder).layers
        self.model.requires_grad_(False)
        self.tuned = list(self.layers[-number:].requires_grad_(True).parameters())
        self.head = head.double()

    def logits(self, features: Tensor, mask: Tensor | None) -> Tensor:
        """Of one clip, shape (1, classes)."""
        out = self.model(features, output_hidden_states=True)
        states = torch.stack([*out.hidden_states[1:-1], out.last_hidden_state])
        return as_worded(self.head, [states[:, 0]], None if mask is None else [mask])


@dataclasses.dataclass
class Case:
    """The same few clips for both: what enters the publisher's model, and cached states."""

    whole: Whole
    learner: TunedLearner
    features: list[Tensor]
    states: list[Tensor]

    def read(self, positions: Sequence[int]) -> list[Tensor]:
        return [self.states[position] for position in positions]


CLIPS = 10
TRAIN, DEV = range(7), range(7, CLIPS)
CLASSES = [position % 3 for position in range(CLIPS)]
SETTINGS = TrainingSettings(
    batch_size=3, learning_rate=3e-3, tune_learning_rate=1e-3, hidden_size=8, plateau_patience=0
)
RECIPE = Recipe(classes=3, epochs=2, class_weighting="inverse_frequency", seed=8)


def _case(
    folder: Path,
    name: str,
    number: int,
    *,
    double: bool = True,
    shape: tuple[Pooling, int] = ("mean", 2),
) -> Case:
    model = publishers_model(name, {})
    whole = load(name, str(saved(model, folder)))
    assert isinstance(whole, Encoder)
    # Whisper's own encoder takes clips that fill its table of positions and no others.
    lengths = (
        [32_000] * CLIPS if name == "whisper_tiny" else [9_000 + 700 * n for n in range(CLIPS)]
    )
    waves = [wave.double() if double else wave for wave in _waves(lengths)]
    if double:
        whole.double()
    tuned = whole.tune(number)
    frozen = tuned.frozen_part()
    with torch.no_grad():
        features = [whole.front_end(wave) for wave in waves]
        states = [frozen(wave)[0] for wave in waves]
    training, dev = (
        Targets(tuple(part), tuple(CLASSES[position] for position in part)) for part in (TRAIN, DEV)
    )
    how: dict[str, Any] = {"width": 8, "pooling": shape[0], "convolutions": shape[1]}
    learner = TunedLearner(
        lambda classes: TunedHead(tuned, classes=classes, **how),
        training, dev, RECIPE, SETTINGS, CPU,
    )  # fmt: skip
    torch.manual_seed(RECIPE.seed)
    head = Head(layers=LAYERS, features=32, classes=3, **how)
    if double:
        learner.head.double()
    return Case(Whole(name, model, number, head), learner, features, states)


NAMES = ("whisper_tiny", "wav2vec2_base", "wavlm_base_plus")


@pytest.mark.parametrize("number", [1, 2, LAYERS])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_from_cached_states_are_those_of_the_whole_model(
    tmp_path: Path, name: str, number: int
) -> None:
    case = _case(tmp_path, name, number)
    targets = torch.tensor(CLASSES)
    losses = []
    whole, tuned = case.whole, case.learner.head
    of_whole = torch.cat([whole.logits(features, None) for features in case.features])
    for logits in (of_whole, tuned(case.states)):
        losses.append(nn.functional.cross_entropy(logits, targets))
        torch.autograd.backward(losses[-1])
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=1e-12)
    theirs = [*whole.head.parameters(), *whole.tuned]
    for ours, other in zip(tuned.parameters(), theirs, strict=True):
        assert ours.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(ours.grad, other.grad, rtol=1e-9, atol=1e-12)
    assert max(p.grad.abs().max() for p in tuned.last.parameters() if p.grad is not None) > 1e-6
    below = [p.grad for p in whole.model.parameters() if not p.requires_grad]
    assert below == [None] * len(below)


@pytest.mark.parametrize(
    ("name", "number", "shape"),
    [
        ("whisper_tiny", 1, ("mean", 2)),
        ("wav2vec2_base", 2, ("mean", 2)),
        ("wav2vec2_base", 1, ("attention", 3)),
    ],
)
def test_training_from_cached_states_gives_the_weights_of_training_with_the_whole_model(
    tmp_path: Path, name: str, number: int, shape: tuple[Pooling, int]
) -> None:
    case = _case(tmp_path, name, number, shape=shape)
    whole, learner = case.whole, case.learner
    begun = [parameter.detach().clone() for parameter in learner.head.parameters()]
    optimiser = torch.optim.Adam(
        [
            {"params": whole.head.parameters(), "lr": SETTINGS.learning_rate},
            {"params": whole.tuned, "lr": SETTINGS.tune_learning_rate},
        ],
        betas=SETTINGS.betas,
        weight_decay=SETTINGS.weight_decay,
    )
    weights = class_weights(torch.tensor([CLASSES[p] for p in TRAIN]), RECIPE).double()
    dropout = Dropout(SETTINGS.dropout)
    for epoch in range(RECIPE.epochs):
        dropout.begin(RECIPE.seed, epoch)
        learner.begin_epoch()
        for batch in batches(pass_order(CLIPS, seed=8, number=epoch), TRAIN, SETTINGS.batch_size):
            frames = [case.states[position].shape[1] for position in batch]
            kept = dropout.kept((sum(frames), learner.head.dropped), CPU)
            assert kept is not None
            masks = torch.split(kept.double(), frames)
            logits = [whole.logits(case.features[p], m) for p, m in zip(batch, masks, strict=True)]
            targets = torch.tensor([CLASSES[position] for position in batch])
            optimiser.zero_grad()
            torch.autograd.backward(
                nn.functional.cross_entropy(torch.cat(logits), targets, weights)
            )
            optimiser.step()
            learner.take(batch, case.read(batch))
        learner.end_epoch(torch.zeros(len(DEV), RECIPE.classes))
    theirs = [*whole.head.parameters(), *whole.tuned]
    for ours, other, before in zip(learner.head.parameters(), theirs, begun, strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-8, atol=1e-10)
        assert not torch.equal(ours, before)


def test_the_loop_takes_these_steps_and_leaves_the_encoder_alone(tmp_path: Path) -> None:
    case, again = (_case(tmp_path, "whisper_tiny", 1, double=False) for _ in range(2))
    encoder = case.learner.head.last._frozen.encoder
    before = content_id(encoder.state_dict())
    arguments: dict[str, Any] = {"batch_size": SETTINGS.batch_size, "seed": 8}
    train([case.learner], case.read, CLIPS, **arguments)
    by_hand = again.learner
    for epoch in range(RECIPE.epochs):
        by_hand.begin_epoch()
        for batch in batches(pass_order(CLIPS, seed=8, number=epoch), TRAIN, SETTINGS.batch_size):
            by_hand.take(batch, again.read(batch))
        with torch.no_grad():
            by_hand.end_epoch(by_hand.head(again.read(DEV)))
    for name, values in case.learner.head.state_dict().items():
        assert torch.equal(values, by_hand.head.state_dict()[name]), name
    ours, theirs = case.learner.result(), by_hand.result()
    assert ours.best_epoch == theirs.best_epoch
    for one, other in zip(ours.log, theirs.log, strict=True):
        assert dataclasses.astuple(one) == pytest.approx(dataclasses.astuple(other), rel=1e-6)
    assert content_id(encoder.state_dict()) == before
    assert isinstance(ours.head, TunedHead)
    assert ours.head.last._frozen.encoder is encoder  # shared, never copied
    assert not any(module.training for module in ours.head.last.modules())


def test_the_layers_learning_rate_falls_with_that_of_the_head(tmp_path: Path) -> None:
    case = _case(tmp_path, "whisper_tiny", 1, double=False)
    groups = case.learner._optimiser.param_groups
    assert [group["lr"] for group in groups] == [3e-3, 1e-3]
    for _ in range(20):
        case.learner._losses = [1.0]
        case.learner.end_epoch(torch.zeros(len(DEV), 3))
    assert [group["lr"] for group in groups] == pytest.approx([5e-5, 5e-5 / 3])


def test_training_goes_on_from_a_kept_state_to_the_same_weights(tmp_path: Path) -> None:
    whole, begun, ended = (_case(tmp_path, "whisper_tiny", 1, double=False) for _ in range(3))
    file = tmp_path / "kept.state"
    arguments: dict[str, Any] = {"batch_size": SETTINGS.batch_size, "seed": 8}
    train([whole.learner], whole.read, CLIPS, **arguments)
    states = StateFiles({begun.learner: file}, "these", seconds=0.0)

    def keep_then_stop() -> None:
        states.keep()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train([begun.learner], begun.read, CLIPS, **arguments, after_epoch=keep_then_stop)
    StateFiles({ended.learner: file}, "these")
    assert ended.learner.epoch == 1
    train([ended.learner], ended.read, CLIPS, **arguments)
    assert ended.learner.result().log == whole.learner.result().log
    for name, values in whole.learner.result().head.state_dict().items():
        assert torch.equal(values, ended.learner.result().head.state_dict()[name]), name


def test_a_clip_answers_alike_whatever_clips_are_beside_it(tmp_path: Path) -> None:
    case = _case(tmp_path, "wav2vec2_base", 2, double=False)
    with torch.no_grad():
        together = case.learner.head(case.states)
        alone = torch.cat([case.learner.head([states]) for states in case.states])
        torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)
        for ours, own in zip(case.learner.head.states(case.states), case.states, strict=True):
            assert torch.equal(ours, case.learner.head.states([own])[0])


def test_training_that_leaves_the_numbers_stops_with_a_line(tmp_path: Path) -> None:
    case = _case(tmp_path, "whisper_tiny", 1, double=False)
    with torch.no_grad():
        next(case.learner.head.last.parameters()).fill_(torch.inf)
    case.learner.begin_epoch()
    with pytest.raises(MeasuringError, match=r"no number.*tune_learning_rate"):
        case.learner.take([0, 1], case.read([0, 1]))


# Whole profiles, with a small checkpoint.

NAME = "whisper_tiny+last1"
QUICK: dict[str, Any] = {
    "epochs": 3, "probe_epochs": 2, "seeds": 1, "resamples": 100, "pgd_steps": 1, "pgd_clips": 2,
    "snr_curve_db": (), "batch_size": 8, "seconds": 0.6, "enrolment_clips": 1,
    "tune_learning_rate": 1e-2,
}  # fmt: skip
SHORT = Protocol.of(**QUICK, folds=1)
MEASURES = ("performance", "privacy", "safety", "fairness")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(saved(publishers_model("whisper_tiny", {}), tmp_path_factory.mktemp("whisper")))


def _profile(
    checkpoint: str,
    manifest: Path,
    folder: Path,
    backbones: Sequence[str] = (NAME,),
    measures: Sequence[str] = MEASURES,
    protocol: Protocol = SHORT,
    **options: Any,
) -> tuple[Store, list[Profile]]:
    store = Store(folder / "a.duckdb")
    found = profile_all(
        backbones, "manifest", manifest, protocol, store, weights=checkpoint, weights_seed=0,
        cache=folder / "cache", device="cpu", workers=0, progress=Silent(), wanted=measures,
        **options,
    )  # fmt: skip
    return store, found


@pytest.fixture(scope="module")
def few(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of the small corpus: one clip of each speaker and class."""
    folder = tmp_path_factory.mktemp("few")
    lines = manifest.read_text().splitlines()
    kept = [line for line in lines[1:] if "_1.wav" in line]
    for line in kept:
        name = line.partition(",")[0]
        (folder / name).symlink_to(manifest.parent / name)
    (folder / "few.csv").write_text("\n".join([lines[0], *kept]) + "\n")
    return folder / "few.csv"


@dataclasses.dataclass
class Done:
    """A whole run, and what privacy was shown of its clips, pooled or not, in the order of it."""

    folder: Path
    store: Store
    profile: Profile
    rows: Rows
    pooled: list[tuple[int, Tensor]]
    contexts: list[Context]


@pytest.fixture(scope="module")
def done(checkpoint: str, few: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("tuned")
    pooled: list[tuple[int, Tensor]] = []
    contexts: list[Context] = []
    pool = Context.pool

    def spying(self: Context, position: int, states: Tensor) -> None:
        pooled.append((position, states.clone()))
        contexts.append(self)
        pool(self, position, states)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Context, "pool", spying)
        store, (profile,) = _profile(checkpoint, few, folder)
    return Done(folder, store, profile, rows_of(store, profile.run), pooled, contexts[-1:])


def test_a_tuned_model_is_a_candidate_of_its_own(done: Done) -> None:
    profile = done.profile
    assert profile.backbone == NAME
    assert profile.weights_id.endswith("+last1")
    for criterion in ("uar", "strongest_gender_accuracy", "attack_success", "gender_gap_tv"):
        figure = profile.pooled(criterion)
        assert figure is None or figure.value is not None, (criterion, figure.unknown)
    assert profile.pooled("uar") is not None
    assert not profile.failed
    assert all(done.rows[kind] for kind in (Prediction, GenderPrediction, Attacker, AttackOutcome))


def test_privacy_sees_the_states_of_the_tuned_layers_never_the_frozen_ones(done: Done) -> None:
    """All clips are pooled once for the head; what is pooled are this head's own states."""
    (context,) = done.contexts
    assert [place for place, _ in done.pooled] == [*range(len(context.clips))]
    whole, head = context.backbone.untuned(), context.head(0, 1)
    assert isinstance(head, TunedHead)
    for (_, pooled), clip in zip(done.pooled[:6], context.clips.values(), strict=False):
        wave = batch_of([load_clip(clip.path, seconds=0.6)], CPU)
        with torch.no_grad():
            (ours,) = head.states(list(context.hidden_states(wave)))
            frozen = whole(wave)[0]
        torch.testing.assert_close(pooled.float(), ours, rtol=0.02, atol=0.02)
        assert torch.equal(ours[:-1], frozen[:-1])
        assert (pooled[-1] - frozen[-1]).abs().max() > 0.1


def test_what_hears_waveforms_hears_the_tuned_layers(done: Done) -> None:
    """The answers stored with the training are those of a clip's waveform, through all of it."""
    (context,) = done.contexts
    head = context.head(0, 1)
    fresh = TunedHead(context.backbone, classes=len(context.classes), width=128)
    untuned = {k: v for k, v in head.state_dict().items() if not k.startswith("last.")}
    fresh.load_state_dict({**fresh.state_dict(), **untuned})
    moved = []
    for row in done.rows[Prediction][:8]:
        path = context.utterances[row.utterance].path
        wave = batch_of([load_clip(path, seconds=0.6)], CPU)
        with torch.no_grad():
            heard = list(context.hidden_states(wave))
            found, without = (torch.softmax(one(heard), 1)[0] for one in (head, fresh))
        wanted = torch.tensor(row.probabilities)
        torch.testing.assert_close(found, wanted, rtol=0, atol=5e-5)  # half precision
        moved.append(float((without - wanted).abs().max()))
    assert max(moved) > 5e-4


def test_a_run_stopped_in_training_goes_on_to_the_same_rows(
    done: Done,
    checkpoint: str,
    few: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a probe is trained upon what the tuned layers give."""
    monkeypatch.setattr(fold_training, "StateFiles", partial(StateFiles, seconds=0.0))
    calls = itertools.count(1)

    def stop(_: Path, __: int) -> None:
        if next(calls) == SHORT.training.epochs + 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "note_epochs", stop)
        with pytest.raises(KeyboardInterrupt):
            _profile(checkpoint, few, tmp_path)
    assert list(tmp_path.rglob("*.state"))
    store, (profile,) = _profile(checkpoint, few, tmp_path)
    assert profile.run == done.profile.run
    assert rows_of(store, profile.run) == done.rows
    assert not list(tmp_path.rglob("*.state"))


def test_measured_later_with_the_layers_that_were_trained(
    done: Done, checkpoint: str, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The features beside them are those of the frozen part, and no others."""
    store, (first,) = _profile(
        checkpoint, few, tmp_path, ("whisper_tiny",), ("performance",), tune="last:1"
    )
    made = {path.parent.parent.name for path in tmp_path.rglob("*.npy")}
    assert [name.rpartition("-")[0] for name in made] == ["whisper_tiny@2"]
    heads = sorted(tmp_path.rglob("*.safetensors"))
    written = [path.stat().st_mtime_ns for path in heads]
    monkeypatch.setattr(TunedLearner, "take", lambda *_: pytest.fail("trained again"))
    store, (again,) = _profile(checkpoint, few, tmp_path)
    assert again.run == first.run == done.profile.run
    assert rows_of(store, again.run) == done.rows
    assert [path.stat().st_mtime_ns for path in heads] == written


def test_folds_trained_together_on_features_that_are_not_kept(
    checkpoint: str, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each comes out as if it were trained alone, to the same bytes."""
    monkeypatch.setattr(scheduler, "available_cores", lambda: 1)  # the same threads, so to the bit
    protocol = Protocol.of(**QUICK | {"epochs": 1}, folds=2)
    rows: list[list[Any]] = []
    files: list[list[bytes]] = []
    for limit in (None, 0):
        folder = tmp_path / str(limit)
        folder.mkdir()
        store, (one,) = _profile(
            checkpoint, few, folder, measures=("performance",), protocol=protocol, cache_limit=limit
        )
        rows.append([store.rows(one.run, kind) for kind in (Prediction, Epoch, LayerWeight)])
        files.append([path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))])
        assert bool(list(folder.rglob("*.npy"))) == (limit is None)
    assert rows[0] == rows[1]
    assert files[0] == files[1]
    assert len(files[0]) == 2


@pytest.mark.usefixtures("little_on_costs")
def test_costs_of_a_tuned_encoder_are_those_of_the_frozen_one(
    checkpoint: str, tmp_path: Path
) -> None:
    frozen, *tuned = (
        profile_all_costs(
            ["whisper_tiny"], Store(tmp_path / "a.duckdb"), weights=checkpoint, device="cpu",
            progress=Silent(), tune=tune, depths=depths,
        )[-1]
        for tune, depths in ((None, None), ("last:2", None), ("all", None), ("all", "2"))
    )  # fmt: skip
    names = [one.backbone.removeprefix("whisper_tiny") for one in tuned]
    assert names == ["+last2", "+last3", "@2+last2"]
    for criterion in ("macs", "paper_macs", "parameters", "size"):
        of_frozen, *others = (one.pooled(criterion) for one in (frozen, *tuned))
        assert of_frozen is not None
        assert [one.value for one in others[:2] if one] == [of_frozen.value] * 2


@pytest.mark.parametrize(
    ("backbone", "options", "words"),
    [
        ("whisper_tiny", {"tune": "last:0"}, "'last:0' names no layers to tune"),
        ("whisper_tiny", {"tune": "last"}, "'last' names no layers to tune"),
        ("whisper_tiny", {"tune": "last:5"}, "no last 5 layers to tune (rule: 1 to 4"),
        ("whisper_tiny", {"tune": "last:2", "depths": "1"}, "whisper_tiny@1 has no last 2 layers"),
        ("whisper_tiny+last5", {}, "whisper_tiny has no last 5 layers"),
        ("whisper_tiny+last0", {}, "'0' names no layers to tune"),
        ("whisper_tiny@2+last3", {}, "whisper_tiny@2 has no last 3 layers"),
        ("whisper_tiny+last1", {"tune": "last:1"}, "names its tuned layers already"),
        ("whisper_tiny+last1", {"depths": "1"}, "names its tuned layers already"),
        ("fbank", {"tune": "all"}, "fbank has no transformer layers to tune"),
        ("cnn14", {"tune": "last:1"}, "cnn14 has no transformer layers to tune"),
    ],
)
def test_layers_that_cannot_be_tuned_are_refused_before_any_work(
    few: Path, tmp_path: Path, backbone: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError) as refusal:
        _profile("random", few, tmp_path, (backbone,), **options)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "cache").exists()


def test_an_encoder_whose_states_do_not_enter_its_next_layer_is_refused(tmp_path: Path) -> None:
    whole = load("tera", str(tera_checkpoint(tmp_path / "tera.ckpt")))
    whole.encoder.encoder.pre_layer_norm = True  # type: ignore[union-attr]
    with pytest.raises(InputError, match="cannot be run from the middle"):
        whole.tune(1)
