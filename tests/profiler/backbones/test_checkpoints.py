"""Checkpoints that are hostile, broken or of another architecture: refused in one line, by name."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import transformers as hf

from profiler.backbones.load import load
from profiles_db.errors import CheckpointError
from tests.profiler.backbones.checkpoints import (
    WAVEFORM,
    WHISPER,
    apc_checkpoint,
    saved,
    saved_as_torch,
    tera_checkpoint,
)


class Attack:
    """Unpickled by a careless reader, it makes a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.target),)


def whisper_folder(folder: Path) -> Path:
    return saved(hf.WhisperModel(hf.WhisperConfig(**WHISPER)), folder)


def pickled_folder(folder: Path, content: object) -> Path:
    hf.WhisperConfig(**WHISPER).save_pretrained(folder)
    torch.save(content, folder / "pytorch_model.bin")
    return folder


def refusal(name: str, path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load(name, str(path))
    message = str(caught.value)
    assert "\n" not in message
    return message


def edited(file: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change the tensors of a safetensors file in place."""
    tensors = safetensors.torch.load_file(file)
    edit(tensors)
    safetensors.torch.save_file(tensors, file)


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("place", ["Optimizer", "Transformer", "Config", "Args"])
def test_a_hostile_tera_file_is_refused_and_does_nothing(
    tmp_path: Path, place: str, legacy: bool
) -> None:
    target = tmp_path / "attacked"
    file = tera_checkpoint(tmp_path / "tera.ckpt", legacy, **{place: {"x": Attack(target)}})

    assert "refused: the file holds more than weights" in refusal("tera", file)
    assert not target.exists()


def test_a_hostile_apc_file_is_refused_and_does_nothing(tmp_path: Path) -> None:
    target = tmp_path / "attacked"
    file = apc_checkpoint(tmp_path / "apc.ckpt", namespace=True, extra=[Attack(target)])

    message = refusal("apc", file)
    assert "mkdir" in message
    assert "never runs code" in message
    assert not target.exists()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_hostile_bare_pickle_is_refused_and_does_nothing(tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "attacked"
    file = tmp_path / "tera.ckpt"
    file.write_bytes(pickle.dumps({"Transformer": Attack(target)}, protocol=protocol))

    refusal("tera", file)
    assert not target.exists()


def test_a_hostile_transformers_file_is_refused_and_does_nothing(tmp_path: Path) -> None:
    target = tmp_path / "attacked"
    folder = pickled_folder(tmp_path / "model", {"conv1.weight": Attack(target)})

    assert "refused: the file holds more than weights" in refusal("whisper_tiny", folder)
    assert not target.exists()


def test_what_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    for content in ([1, 2], {"conv1.weight": "text"}, {3: torch.zeros(1)}):
        folder = pickled_folder(tmp_path / "model", content)
        assert "something other than tensors by name" in refusal("whisper_tiny", folder)


def test_a_configuration_chooses_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remote code, kernels of the hub and quantisers are never looked at."""
    folder = whisper_folder(tmp_path)
    plain = load("whisper_tiny", str(folder)).weights
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "auto_map": {"AutoModel": "evil--model.Evil"},
        "attn_implementation": "evil/kernel",
        "_attn_implementation": "evil/kernel",
        "quantization_config": {"quant_method": "evil"},
        "torch_dtype": "float16",
    }
    (folder / "config.json").write_text(json.dumps(config))

    backbone = load("whisper_tiny", str(folder))
    assert backbone.weights == plain
    assert backbone(torch.zeros(1, 4_000)).dtype == torch.float32


def test_missing_unexpected_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    folder = whisper_folder(tmp_path)

    def edit(tensors: dict[str, Any]) -> None:
        del tensors["encoder.layers.1.fc1.bias"]
        tensors["encoder.layers.7.fc1.bias"] = torch.zeros(3)
        tensors["surplus"] = torch.zeros(3)
        tensors["encoder.layer_norm.weight"] = torch.zeros(5)

    edited(folder / "model.safetensors", edit)
    message = refusal("whisper_tiny", folder)

    assert "1 missing (layers.1.fc1.bias)" in message
    assert "2 unexpected (" in message
    assert "layers.7.fc1.bias" in message
    assert "surplus" in message
    assert "1 misshapen (layer_norm.weight (5,) instead of (32,))" in message


@pytest.mark.parametrize("name", ["apc", "tera"])
def test_misfits_of_s3prl_files_are_named(tmp_path: Path, name: str) -> None:
    make, part = {"apc": (apc_checkpoint, "model"), "tera": (tera_checkpoint, "Transformer")}[name]
    state = torch.load(make(tmp_path / "whole.ckpt"), weights_only=False)[part]
    removed, reshaped = list(state)[:2]
    del state[removed]
    state[reshaped] = torch.zeros(1, 2, 3)
    message = refusal(name, make(tmp_path / "part.ckpt", **{part: state}))

    assert f"1 missing ({removed})" in message
    assert f"1 misshapen ({reshaped} (1, 2, 3) instead of" in message


def test_tensors_that_are_not_finite_or_no_numbers_are_named(tmp_path: Path) -> None:
    folder = whisper_folder(tmp_path)
    name = "encoder.conv1.bias"
    edited(folder / "model.safetensors", lambda t: t[name].fill_(float("nan")))
    assert "1 not finite (conv1.bias)" in refusal("whisper_tiny", folder)
    edited(folder / "model.safetensors", lambda t: t.update({name: torch.zeros(32).int()}))
    assert "1 not floating-point (conv1.bias)" in refusal("whisper_tiny", folder)


def test_a_checkpoint_of_another_family_is_refused(tmp_path: Path) -> None:
    folder = whisper_folder(tmp_path)

    assert "model_type is 'whisper'" in refusal("wavlm_base_plus", folder)
    assert "part config is missing" in refusal("apc", tera_checkpoint(tmp_path / "tera.ckpt"))


@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin", "config.json"])
def test_a_damaged_file_is_one_line(tmp_path: Path, file: str, damage: str) -> None:
    model = hf.WhisperModel(hf.WhisperConfig(**WHISPER))
    if file == "pytorch_model.bin":
        saved_as_torch(model, model.config, tmp_path)
    else:
        saved(model, tmp_path)
    whole = (tmp_path / file).read_bytes()
    wrong = {"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"not a checkpoint"}
    (tmp_path / file).write_bytes(wrong[damage])

    assert str(tmp_path) in refusal("whisper_tiny", tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
@pytest.mark.parametrize("legacy", [True, False])
def test_a_damaged_s3prl_file_is_one_line(tmp_path: Path, damage: str, legacy: bool) -> None:
    file = tera_checkpoint(tmp_path / "tera.ckpt", legacy)
    whole = file.read_bytes()
    wrong = {"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"not a checkpoint"}
    file.write_bytes(wrong[damage])

    assert str(file) in refusal("tera", file)


def test_shards_are_read_and_may_not_leave_their_folder(tmp_path: Path) -> None:
    folder = whisper_folder(tmp_path / "model")
    whole = load("whisper_tiny", str(folder)).weights.id
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    names = sorted(tensors)
    halves = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for shard, held in halves.items():
        safetensors.torch.save_file({name: tensors[name] for name in held}, folder / shard)
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    index.write_text(
        json.dumps({"weight_map": {name: shard for shard, held in halves.items() for name in held}})
    )
    assert load("whisper_tiny", str(folder)).weights.id == whole

    (tmp_path / "outside.safetensors").write_bytes((folder / "model-1.safetensors").read_bytes())
    index.write_text(json.dumps({"weight_map": {names[0]: "../outside.safetensors"}}))
    assert "outside its folder" in refusal("whisper_tiny", folder)
    index.write_text(json.dumps({"weight_map": 3}))
    assert "cannot be read" in refusal("whisper_tiny", folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_hidden_layers", 10**6),
        ("hidden_size", "wide"),
        ("hidden_act", "no such function"),
        ("num_attention_heads", 0),
        ("conv_dim", [16]),
        ("model_type", "bert"),
    ],
)
def test_a_configuration_that_describes_nothing_is_one_line(
    tmp_path: Path, field: str, value: object
) -> None:
    folder = saved(hf.Wav2Vec2Model(hf.Wav2Vec2Config(**WAVEFORM)), tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {field: value}))

    assert "config.json" in refusal("wav2vec2_base", folder)


def test_half_precision_weights_are_run_in_single(tmp_path: Path) -> None:
    folder = saved(hf.WhisperModel(hf.WhisperConfig(**WHISPER)).half(), tmp_path)
    backbone = load("whisper_tiny", str(folder))

    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.float32}


def test_the_content_id_follows_the_content(tmp_path: Path) -> None:
    folder = whisper_folder(tmp_path)
    first = load("whisper_tiny", str(folder)).weights
    edited(folder / "model.safetensors", lambda t: t["decoder.layer_norm.bias"].add_(1.0))
    assert load("whisper_tiny", str(folder)).weights.id == first.id
    edited(folder / "model.safetensors", lambda t: t["encoder.layer_norm.bias"].add_(1e-6))
    assert load("whisper_tiny", str(folder)).weights.id != first.id
    assert first.id.startswith("sha256:")
    assert len(first.id) == len("sha256:") + 64


def test_random_weights_follow_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = load("whisper_tiny", "random", seed=4).state_dict()
    torch.manual_seed(2)
    again = load("whisper_tiny", "random", seed=4).state_dict()
    other = load("whisper_tiny", "random", seed=5).state_dict()

    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
