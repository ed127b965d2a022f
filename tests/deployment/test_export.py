"""An exported folder answers as the heads that were measured, and needs nothing else to do so."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import yaml
from huggingface_hub import ModelCard

import trustser
from profiler.backbones.load import load
from profiler.corpora.audio import load_clip
from profiler.deployment.encoders import described, encoder_of, require_same, tensors_of
from profiler.deployment.format import UNTRAINED, HeadsPart
from profiler.deployment.recogniser import Heads, Recogniser, TunedHeads
from profiler.settings import Pooling
from profiler.training.head import Head
from profiler.training.tuning import TunedHead
from profiles_db.criteria import CRITERIA
from profiles_db.records import Prediction
from profiles_db.store import Store
from tests.conftest import REPOSITORY
from tests.deployment.conftest import Runs
from tests.profiler.backbones.checkpoints import saved
from tests.profiler.test_tuning import publishers_model
from tests.profiler.worded_head import SHAPES

NEAR = 2e-6
"""Probabilities of one head on one clip, computed with other clips beside it or alone."""
TUNED = ("whisper_tiny+last1", "whisper_tiny@1+last1")
BACKBONES = ("fbank", "whisper_tiny", "whisper_tiny@1", "apc", *TUNED)


def heard(runs: Runs, utterance: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    return load_clip(runs.clip(utterance), seconds=6.0)


def unscaled(recogniser: Recogniser, clip: np.ndarray[Any, np.dtype[np.float32]]) -> list[float]:
    """Probabilities without the temperature."""
    found: list[float] = recogniser.probabilities([clip], calibrated=False)[0].tolist()
    return found


@pytest.fixture(scope="module")
def exported(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All heads of each backbone, in a folder of its name."""
    folder = tmp_path_factory.mktemp("exported")
    for backbone in BACKBONES:
        runs.export(backbone, folder / backbone)
    return folder


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_head_answers_as_it_was_measured(backbone: str, runs: Runs, tmp_path: Path) -> None:
    last = max((r.fold, r.repetition) for r in runs.rows(backbone))
    rows = [r for r in runs.rows(backbone) if (r.fold, r.repetition) == last]
    recogniser = trustser.load_model(
        runs.export(backbone, tmp_path / "one", fold=last[0], repetition=last[1])
    )
    assert len(rows) > 5
    for row in rows[::5]:
        found = unscaled(recogniser, heard(runs, row.utterance))
        assert found == pytest.approx(row.probabilities, abs=NEAR)
    assert [(m.fold, m.repetition) for m in recogniser.config.heads.members] == [last]


@pytest.mark.parametrize(
    ("backbone", "wanted"),
    [
        ("whisper_tiny@1", [(1, 0), (1, 1), (2, 0), (2, 1)]),
        ("whisper_tiny+last1", [(1, 0), (2, 0)]),
    ],
)
def test_all_heads_answer_with_the_mean_of_their_probabilities(
    backbone: str, wanted: list[tuple[int, int]], runs: Runs, exported: Path, tmp_path: Path
) -> None:
    recogniser = trustser.load_model(exported / backbone)
    places = [(m.fold, m.repetition) for m in recogniser.config.heads.members]
    assert places == wanted
    clip = heard(runs, runs.rows(backbone)[0].utterance)
    alone = [
        unscaled(
            trustser.load_model(runs.export(backbone, tmp_path / f"{f}-{r}", fold=f, repetition=r)),
            clip,
        )
        for f, r in places
    ]
    assert unscaled(recogniser, clip) == pytest.approx(np.mean(alone, axis=0), abs=NEAR)
    answer = recogniser.predict(clip)
    assert sum(answer.probabilities.values()) == pytest.approx(1.0)
    assert answer.predicted == max(answer.probabilities, key=lambda n: answer.probabilities[n])


@pytest.mark.parametrize("shape", SHAPES)
def test_heads_together_compute_what_each_head_does(shape: tuple[Pooling, int]) -> None:
    torch.manual_seed(3)
    how: dict[str, Any] = {
        "layers": 3, "features": 5, "classes": 4, "width": 6,
        "pooling": shape[0], "convolutions": shape[1],
    }  # fmt: skip
    heads = [Head(**how) for _ in range(3)]
    for head in heads:
        torch.nn.init.normal_(head.layer_logits)
        if head.attention is not None:
            torch.nn.init.normal_(head.attention.weight, std=3.0)
    together = Heads(heads=3, **how)
    together.load_state_dict(Heads.stacked([head.state_dict() for head in heads]))
    states = torch.randn(2, 3, 9, 5)
    expected = torch.stack([head(list(states)) for head in heads], dim=1)
    torch.testing.assert_close(together(states), expected)


def test_heads_with_self_attention_answer_as_measured(runs: Runs, tmp_path: Path) -> None:
    few = runs.corpus / "few.csv"
    settings = {
        "study.folds": 1,
        "training": {
            "repetitions": 1, "epochs": 2, "batch_size": 16, "hidden_size": 8,
            "pooling": "attention", "convolutions": 3,
        },
        "performance.resamples": 100,
    }  # fmt: skip
    (found,) = trustser.profile(
        "fbank", "manifest", data_root=few, weights="pretrained", measures="performance",
        settings=settings, device="cpu", workers=0, db=tmp_path / "a.duckdb", cache=runs.cache,
    )  # fmt: skip
    folder = trustser.export_model(
        found.run, tmp_path / "x", db=tmp_path / "a.duckdb", cache=runs.cache
    )
    recogniser = trustser.load_model(folder)
    rows = Store(tmp_path / "a.duckdb", read_only=True).rows(found.run, Prediction)
    for row in rows[::4]:
        expected = pytest.approx(row.probabilities, abs=NEAR)
        assert unscaled(recogniser, heard(runs, row.utterance)) == expected
    heads = recogniser.config.heads
    assert (heads.pooling, heads.convolutions) == ("attention", 3)
    assert "3 x (pointwise, ReLU), self-attention" in (folder / "README.md").read_text()
    for key, value in (("pooling", "mean"), ("convolutions", 2)):
        config = json.loads((folder / "config.json").read_text())
        config["heads"][key] = value
        (tmp_path / "x" / "config.json").write_text(json.dumps(config))
        with pytest.raises(trustser.CheckpointError, match="shape says otherwise"):
            trustser.load_model(folder)
        config["heads"]["shape"] = HeadsPart.worded(
            config["heads"]["convolutions"], config["heads"]["pooling"]
        )
        (tmp_path / "x" / "config.json").write_text(json.dumps(config))
        with pytest.raises(trustser.CheckpointError, match="tensors do not fit"):
            trustser.load_model(folder)


def test_a_folder_needs_neither_database_nor_cache_nor_training(
    exported: Path, runs: Runs, tmp_path: Path
) -> None:
    backbone = "whisper_tiny+last1"
    folder = shutil.copytree(exported / backbone, tmp_path / "alone")
    row = runs.rows(backbone)[0]
    code = (
        "import json, sys, soundfile, trustser\n"
        "recogniser = trustser.load_model(sys.argv[1])\n"
        "answer = recogniser.predict(*soundfile.read(sys.argv[2], dtype='float32'))\n"
        "print(json.dumps([dict(answer.probabilities), sorted(sys.modules)]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(runs.clip(row.utterance))],
        capture_output=True, text=True, check=True, cwd=tmp_path,
        env={"PATH": "/usr/bin", "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY),
             "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    probabilities, modules = json.loads(done.stdout)
    here = trustser.load_model(exported / backbone).predict(heard(runs, row.utterance))
    assert probabilities == pytest.approx(here.probabilities, abs=NEAR)
    used = {".".join(name.split(".")[:2]) for name in modules}
    assert not {"duckdb", "profiler.training", "profiler.pipeline", "profiler.session"} & used


def test_stereo_at_another_rate_is_heard_as_from_a_file(runs: Runs, exported: Path) -> None:
    recogniser = trustser.load_model(exported / "fbank")
    clip = heard(runs, runs.rows("fbank")[0].utterance)
    both = np.stack([2 * clip, np.zeros_like(clip)], axis=1)
    assert recogniser.predict(both).probabilities == recogniser.predict(clip).probabilities
    long = np.concatenate([np.resize(clip, 96_000), np.zeros(16_000, dtype=np.float32)])
    longest = recogniser.predict(long[:96_000]).probabilities
    assert recogniser.predict(long).probabilities == longest


@pytest.mark.parametrize(
    ("waveform", "rule"),
    [
        (np.zeros(16_000, dtype=np.float32), "silent"),
        (np.zeros(16_000, dtype=np.int16), "Divide 16-bit samples"),
        (np.full(16_000, np.nan), "NaN"),
        (np.ones((2, 2, 2)), "shape"),
        (np.sin(np.arange(100.0)), "at least"),
        (1e4 * np.sin(np.arange(16_000.0)), "scaled"),
    ],
)
def test_what_is_no_sound_is_refused(waveform: Any, rule: str, exported: Path) -> None:
    with pytest.raises(trustser.AudioError, match=rule):
        trustser.load_model(exported / "fbank").predict(waveform)


# What an export says of itself


def test_the_first_layers_alone_are_in_the_folder_of_a_depth(exported: Path) -> None:
    sizes = {
        name: (exported / name / "model.safetensors").stat().st_size
        for name in ("whisper_tiny", "whisper_tiny@1")
    }
    tensors = safetensors.torch.load_file(exported / "whisper_tiny@1" / "model.safetensors")
    assert sizes["whisper_tiny@1"] < sizes["whisper_tiny"]
    assert not [name for name in tensors if "layers.1." in name or "encoder.layer_norm" in name]
    config = json.loads((exported / "whisper_tiny@1" / "config.json").read_text())
    assert config["encoder"]["depth"] == 1
    assert config["encoder"]["weights_id"].endswith("@1")


def test_tuned_layers_are_in_the_folder_once_for_every_head_and_never_frozen(
    exported: Path,
) -> None:
    folder = exported / "whisper_tiny+last1"
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    frozen = safetensors.torch.load_file(exported / "whisper_tiny" / "model.safetensors")
    name = "layers.{}.self_attn.q_proj.weight"
    begun = frozen["encoder.encoder." + name.format(1)]
    own = [tensors[f"heads.last.{head}." + name.format(0)] for head in range(2)]
    assert not any(
        torch.equal(one, other) for one, other in itertools.combinations([begun, *own], 2)
    )
    assert not [one for one in tensors if one.startswith("encoder.encoder.layers.1.")]
    below = "encoder.encoder." + name.format(0)
    assert torch.equal(tensors[below], frozen[below])
    config = json.loads((folder / "config.json").read_text())
    assert config["encoder"]["tuned"] == 1
    assert config["encoder"]["weights_id"].endswith("+last1")
    card = (folder / "README.md").read_text()
    assert "The encoder's last layer was trained with each head, which has its own copy." in card
    assert "frozen" not in card
    assert "A frozen speech encoder" in (exported / "whisper_tiny" / "README.md").read_text()


def test_a_tuned_folder_says_which_of_its_tensors_do_not_fit(
    exported: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(exported / "whisper_tiny+last1", tmp_path / "folder")
    _encoder_tensor(folder, lambda t: t.pop("heads.last.1.layers.0.fc1.bias"))
    line = "the heads' tensors do not fit: 0.fc1.bias of the layers tuned with head 1"
    with pytest.raises(trustser.CheckpointError, match=line):
        trustser.load_model(folder)
    edit(folder, lambda config: config["encoder"].update(tuned=3))
    with pytest.raises(trustser.CheckpointError, match="no last 3 layers to tune"):
        trustser.load_model(folder)


@pytest.mark.parametrize(
    ("name", "number"),
    [("wavlm_base_plus", 1), ("wavlm_base_plus", 3), ("hubert_base", 3), ("tera", 2)],
)
def test_a_tuned_encoder_of_any_family_is_built_again_from_what_is_kept(
    name: str, number: int, tmp_path: Path
) -> None:
    """Of WavLM the first layer is needed by all others; TERA cuts clips into chunks."""
    weights = "random" if name == "tera" else str(saved(publishers_model(name, {}), tmp_path))
    whole = load(name, weights)
    encoder = whole.tune(number)
    part = described(encoder, weights=weights, seed=0, precision="float32", include=True)
    kept = tensors_of(encoder)
    again = encoder_of(part, kept, "here")
    require_same(encoder, again)
    trained = [TunedHead(encoder, classes=4, width=6).requires_grad_(False) for _ in range(2)]
    for head in trained:
        for parameter in head.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape))
    together = TunedHeads(again, heads=2, width=6, classes=4, precision="float32")
    together.load_state_dict(Heads.stacked([head.state_dict() for head in trained]))
    wave = 0.1 * torch.randn(1, 16_000)
    with torch.inference_mode():
        below = again.frozen_part()(wave)
        for place, head in enumerate(trained):
            torch.testing.assert_close(together(below)[:, place], head(list(below)))
    changed = encoder_of(part, kept, "here")
    for parameter in changed.frozen_part().parameters():
        parameter.add_(0.1)
    with pytest.raises(trustser.CheckpointError, match="built again it differs"):
        require_same(encoder, changed)


def test_random_weights_are_marked_everywhere(exported: Path, runs: Runs) -> None:
    config = json.loads((exported / "apc" / "config.json").read_text())
    card = (exported / "apc" / "README.md").read_text()
    assert config["warning"] == UNTRAINED
    assert f"> **{UNTRAINED}**" in card
    assert "UNTRAINED" in yaml.safe_load(card.split("---")[1])["model-index"][0]["name"]
    for name in ("fbank", "whisper_tiny"):
        assert json.loads((exported / name / "config.json").read_text())["warning"] is None
        assert "UNTRAINED" not in (exported / name / "README.md").read_text()


def test_nobody_takes_the_mark_off(exported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported / "apc", tmp_path / "apc")
    edit(folder, lambda config: config.update(warning=None))
    with pytest.raises(trustser.CheckpointError, match="random weights must be marked"):
        trustser.load_model(folder)


def test_the_card_prints_the_figures_of_the_database(exported: Path, runs: Runs) -> None:
    text = (exported / "whisper_tiny" / "README.md").read_text()
    card: Any = ModelCard(text)  # of another library: the front matter is what the hub reads
    (found,) = Store(runs.db, read_only=True).with_measurements(
        [p for p in Store(runs.db, read_only=True).outlines() if p.backbone == "whisper_tiny"]
    )
    results = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert results == {
        name: figure.value
        for name in CRITERIA
        if (figure := found.pooled(name)) is not None and figure.value is not None
    }
    uar = found.pooled("uar")
    assert uar is not None
    assert uar.value is not None
    assert uar.low is not None
    assert uar.high is not None
    assert f"{100 * uar.value:.1f} % | {100 * uar.low:.1f} % to {100 * uar.high:.1f} %" in text
    assert card.data.license == "unknown"
    assert "training data: unverified" in text
    assert "unverified: Apache-2.0 is that of the published checkpoint" in text
    assert "not of the mean of heads in this folder" in text
    (lacking,) = [line for line in text.splitlines() if line.startswith("Not measured: `")]
    assert "`gender_inference`" in lacking
    assert "To be said by its owner" in text


# What is refused


def edit(folder: Path, change: Any) -> None:
    file = folder / "config.json"
    config = json.loads(file.read_text())
    change(config)
    file.write_text(json.dumps(config))


def _encoder_tensor(folder: Path, change: Any) -> None:
    file = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(file)
    change(tensors)
    safetensors.torch.save_file(tensors, file)


def _wide(config: dict[str, Any]) -> None:
    config["encoder"]["architecture"] |= {"d_model": 2**20, "encoder_ffn_dim": 2**22}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda f: (f / "config.json").write_text("{"), "is not JSON"),
        (lambda f: (f / "config.json").unlink(), "no such file"),
        (lambda f: edit(f, lambda c: c.update(format="x")), "is no exported recogniser"),
        (lambda f: edit(f, lambda c: c.update(format_version=3)), "format version 3"),
        (lambda f: edit(f, lambda c: c.update(more=1)), "more: Extra inputs"),
        (lambda f: edit(f, lambda c: c["heads"].update(width=9)), "heads' tensors do not fit"),
        (lambda f: edit(f, _wide), "tensors do not fit the encoder"),
        (
            lambda f: edit(f, lambda c: c["encoder"].update(family="x", name="x")),
            "unknown backbone",
        ),
        (lambda f: (f / "model.safetensors").write_bytes(b"x"), "cannot be read"),
        (lambda f: (f / "model.safetensors").unlink(), "no such file"),
        (
            lambda f: _encoder_tensor(f, lambda t: t["encoder.encoder.conv1.bias"].add_(1)),
            "not those that were exported",
        ),
        (
            lambda f: _encoder_tensor(f, lambda t: t["heads.output_bias"].fill_(np.nan)),
            "NaN or infinity",
        ),
    ],
)
def test_a_damaged_or_hostile_folder_is_one_line(
    change: Any, line: str, exported: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(exported / "whisper_tiny", tmp_path / "folder")
    change(folder)
    with pytest.raises(trustser.TrustserError, match=line) as caught:
        trustser.load_model(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_of_the_first_format_answers_as_before(exported: Path, tmp_path: Path) -> None:
    """It says nothing of tuned layers, and its heads are of the one shape that there was."""
    folder = shutil.copytree(exported / "whisper_tiny", tmp_path / "folder")

    def before(config: dict[str, Any]) -> None:
        config["format_version"] = 1
        del config["encoder"]["tuned"], config["heads"]["convolutions"], config["heads"]["pooling"]

    edit(folder, before)
    wave = np.random.default_rng(0).normal(0, 0.1, 8_000).astype(np.float32)
    found, usual = (
        trustser.load_model(f).predict(wave) for f in (folder, exported / "whisper_tiny")
    )
    assert found == usual


def test_weights_that_are_named_must_be_those_of_then(
    exported: Path, runs: Runs, tmp_path: Path
) -> None:
    folder = shutil.copytree(exported / "whisper_tiny", tmp_path / "folder")

    def refer(config: dict[str, Any]) -> None:
        config["encoder"] |= {
            "included": False, "tensors_digest": None, "architecture": None,
            "weights": str(runs.checkpoint),
        }  # fmt: skip

    edit(folder, refer)
    row = runs.rows("whisper_tiny")[0]
    clip = heard(runs, row.utterance)
    named, held = (trustser.load_model(f) for f in (folder, exported / "whisper_tiny"))
    assert unscaled(named, clip) == unscaled(held, clip)
    edit(folder, lambda config: config["encoder"].update(weights_id="sha256:0"))
    with pytest.raises(trustser.CheckpointError, match="not those that the heads were trained on"):
        trustser.load_model(folder)


def test_only_heads_that_gave_the_stored_answers_are_exported(runs: Runs, tmp_path: Path) -> None:
    import duckdb  # noqa: PLC0415

    changed = shutil.copy(runs.db, tmp_path / "b.duckdb")
    with duckdb.connect(str(changed)) as connection:
        connection.execute(
            "UPDATE predictions SET probabilities = [0.25, 0.25, 0.25, 0.25]"
            " WHERE run = ? AND fold = 1 AND repetition = 1",
            [runs.names["fbank"]],
        )
    with pytest.raises(trustser.CacheError, match="fold 1, repetition 1 answers otherwise"):
        runs.export("fbank", tmp_path / "x", db=changed)
    assert not (tmp_path / "x").exists()
    runs.export("fbank", tmp_path / "x", db=changed, repetition=0)
    with pytest.raises(trustser.CacheError, match="fold 1, repetition 0 is not in the cache"):
        runs.export("fbank", tmp_path / "y", cache=tmp_path)


def test_an_earlier_export_is_replaced_and_nothing_else(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, checkpoint = tmp_path / "export", runs.checkpoint
    assert {"config.json", "model.safetensors"} >= {file.name for file in checkpoint.iterdir()}
    runs.export("fbank", folder, fold=1)
    runs.export("fbank", folder, fold=2)
    assert {m.fold for m in trustser.load_model(folder).config.heads.members} == {2}
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("profiler.deployment.folder.save_file", full)
        with pytest.raises(trustser.OutputError, match="No space left"):
            runs.export("fbank", folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(trustser.OutputError, match=r"other things in it \(notes.txt\)"):
        runs.export("fbank", folder)
    with pytest.raises(trustser.OutputError, match="other things in it"):
        runs.export("fbank", checkpoint)
    assert [entry.name for entry in tmp_path.iterdir()] == ["export"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"fold": 3}, "--fold: run .* has no fold 3"),
        ({"repetition": 2}, "--repetition: run .* has no repetition 2"),
        ({"weights": "random"}, "weights are not those of run"),
    ],
)
def test_what_a_run_has_not_is_one_line(
    options: dict[str, Any], line: str, runs: Runs, tmp_path: Path
) -> None:
    with pytest.raises(trustser.InputError, match=line):
        runs.export("whisper_tiny", tmp_path / "x", **options)
