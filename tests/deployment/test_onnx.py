"""The ONNX graph says what torch says, on clips of any length, or is not written."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import trustser
from profiler.corpora.audio import load_clip
from profiler.deployment import onnx_graph
from profiler.deployment.recogniser import Heads, Recogniser, heads_of
from profiler.training.head import Head
from tests.deployment.conftest import Runs

BACKBONE = "whisper_tiny@1"
TUNED = "whisper_tiny@1+last1"


@pytest.fixture(scope="module")
def folders(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One layer of Whisper, frozen and tuned, with their graphs."""
    pytest.importorskip("onnxscript")
    made = tmp_path_factory.mktemp("onnx")
    return {
        BACKBONE: runs.export(BACKBONE, made / "frozen", onnx=True),
        TUNED: runs.export(TUNED, made / "tuned", fold=1, onnx=True),
    }


@pytest.fixture
def folder(folders: dict[str, Path]) -> Path:
    """One layer of Whisper, with its graph."""
    return folders[BACKBONE]


@pytest.mark.parametrize("backbone", [BACKBONE, TUNED])
def test_the_graph_answers_real_clips_as_torch_does(
    backbone: str, folders: dict[str, Path], runs: Runs
) -> None:
    import onnxruntime  # noqa: PLC0415 - an extra

    folder = folders[backbone]
    recogniser = trustser.load_model(folder)
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    lengths = set()
    for row in runs.rows(BACKBONE)[::9]:
        clip = load_clip(runs.clip(row.utterance), seconds=6.0)
        (found,) = session.run(None, {"waveform": clip[None]})
        lengths.add(clip.size)
        expected = list(recogniser.answer(clip).probabilities.values())
        np.testing.assert_allclose(found[0], expected, atol=1e-4)
    assert len(lengths) > 3


def test_the_folder_says_how_near_the_graph_comes(folder: Path) -> None:
    onnx = trustser.load_model(folder).config.onnx
    assert onnx is not None
    assert onnx.input == "waveform"
    assert onnx.largest_difference <= 1e-4
    assert {onnx.tried_samples[0], onnx.tried_samples[-1]} == {1_600, 96_000}
    assert "`model.onnx` (opset 20) takes the waveform" in (folder / "README.md").read_text()


def test_heads_with_self_attention_are_a_graph_too(folder: Path, tmp_path: Path) -> None:
    usual = trustser.load_model(folder)
    config, part = usual.config, usual.config.encoder
    torch.manual_seed(5)
    heads = [
        Head(
            layers=part.hidden_states, features=part.hidden_size, width=config.heads.width,
            classes=len(config.classes), pooling="attention", convolutions=3,
        )
        for _ in config.heads.members
    ]  # fmt: skip
    for head in heads:
        torch.nn.init.normal_(head.attention.weight, std=3.0)  # type: ignore[union-attr]
    how = {"pooling": "attention", "convolutions": 3}
    config = config.model_copy(update={"heads": config.heads.model_copy(update=how)})
    together = heads_of(config, usual.encoder, Heads.stacked([head.state_dict() for head in heads]))
    found = onnx_graph.write_onnx(
        Recogniser(config, usual.encoder, together), tmp_path / "model.onnx"
    )
    assert found.largest_difference <= 1e-4
    assert {found.tried_samples[0], found.tried_samples[-1]} == {1_600, 96_000}


def test_a_graph_that_says_otherwise_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recogniser = trustser.load_model(folder)
    monkeypatch.setattr(onnx_graph, "_export", lambda *_: None)
    file = tmp_path / "model.onnx"
    file.write_bytes((folder / "model.onnx").read_bytes())
    onnx_graph.write_onnx(recogniser, file)
    recogniser.heads.get_buffer("output_bias")[:, 0] += 0.01
    with pytest.raises(trustser.InputError, match=r"differ from torch's by up to 0\.00"):
        onnx_graph.write_onnx(recogniser, file)


def test_without_the_extra_one_line_says_so(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "onnxscript" else found(name)
    )
    monkeypatch.delitem(sys.modules, "onnxscript", raising=False)
    with pytest.raises(trustser.MissingExtraError, match=r'pip install "trustser\[onnx\]"'):
        runs.export("fbank", tmp_path / "x", onnx=True)
    assert not list(tmp_path.iterdir())
